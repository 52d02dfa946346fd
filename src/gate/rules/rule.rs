//! A rule as it is written: a tree-sitter query under a header of `; key: value` comments. It is read and compiled here,
//! and run elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use globset::{Glob, GlobSet, GlobSetBuilder};
use regex::Regex;
use tree_sitter::{Query, QueryPredicateArg};

use super::super::diagnostic::Severity;
use super::super::language::{self, Language};
use crate::gate::prepare::syntax::Grammar;
use crate::workspace::path::RelPath;

/// When a rule's matches are a breach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fires {
    /// A match that the base does not have, in a line that the change wrote.
    #[default]
    New,
    /// A match of the base (a *unit*, known by its `@name`) without a counterpart in the whole change-set.
    Gone,
    /// A unit that is matched now, and was not before.
    Marked,
    /// A unit that lost matches, and got none as strong in their place.
    Weaker,
    /// A match of the base that is gone while something in the tree still imports it by its `@name`.
    Missed,
}

/// What a rule's header says.
#[derive(Debug, Clone, Default)]
pub struct Header {
    /// What the author of a breach is told.
    pub message: String,
    /// Whether it refuses.
    pub severity: Option<Severity>,
    /// When it fires.
    pub fires: Fires,
    /// The rule whose matches are the units of this one.
    pub within: Option<String>,
    /// Where it holds; everywhere when empty.
    pub files: GlobSet,
    /// Where it does not.
    pub except: GlobSet,
    /// Code that breaches it, and code that does not.
    pub examples: Vec<Example>,
}

/// A piece of code that a rule is tried on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Example {
    /// What stood there before; `None` for a new file.
    pub before: Option<String>,
    /// What stands there now.
    pub after: String,
    /// Whether it is a breach.
    pub fails: bool,
    /// The file that it stands in, where the name of it counts.
    pub file: Option<String>,
}

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rule `{rule}` cannot be used, line {line}: {why}")]
pub struct BadRule {
    /// The rule.
    pub rule: String,
    /// 1-based line of its file.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Header {
    /// Reads the leading comments of a rule. `before:` belongs to the examples below it, up to the next `before:` that
    /// follows an example; a line of a kind goes on in the next line of its kind with `|` for the `:`.
    pub fn read(rule: &str, source: &str) -> Result<Header, BadRule> {
        let mut header = Header::default();
        let mut before = None;
        let mut file = None;
        for (at, line) in source.lines().enumerate() {
            let Some(line) = line.strip_prefix(';') else { break };
            let bad = |why: String| BadRule { rule: rule.to_owned(), line: at + 1, why };
            let line = line.strip_prefix(' ').unwrap_or(line);
            let Some((key, more, value)) = entry(line) else { continue };
            match key {
                "before" if more => continue_text(before.as_mut(), value),
                "fails" | "passes" if more => {
                    continue_text(header.examples.last_mut().map(|last| &mut last.after), value);
                }
                "before" => before = Some(value.to_owned()).filter(|text| text != "nothing"),
                "file" => file = Some(value.to_owned()),
                "fails" | "passes" => header.examples.push(Example {
                    before: before.clone(),
                    after: value.to_owned(),
                    fails: key == "fails",
                    file: file.clone(),
                }),
                _ => header.set(key, value).map_err(bad)?,
            }
        }
        if header.message.is_empty() {
            let why = "it has no `; message: …`".to_owned();
            return Err(BadRule { rule: rule.to_owned(), line: 1, why });
        }
        Ok(header)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "message" => value.clone_into(&mut self.message),
            "severity" => self.severity = Some(severity(value)?),
            "fires" => self.fires = fires(value)?,
            "within" => self.within = Some(value.to_owned()),
            "files" => self.files = globs(value)?,
            "except" => self.except = globs(value)?,
            _ => {}
        }
        Ok(())
    }
}

/// The key of a header line, whether it goes on with the line before, and its value.
fn entry(line: &str) -> Option<(&str, bool, &str)> {
    let end = line.find(|c: char| !c.is_ascii_lowercase())?;
    let (key, rest) = line.split_at(end);
    let mark = rest.chars().next()?;
    let value = rest[mark.len_utf8()..].strip_prefix(' ').unwrap_or(&rest[mark.len_utf8()..]);
    match mark {
        ':' => Some((key, false, value)),
        '|' => Some((key, true, value)),
        _ => None,
    }
}

fn continue_text(text: Option<&mut String>, line: &str) {
    if let Some(text) = text {
        text.push('\n');
        text.push_str(line);
    }
}

/// The severity of a word, `off` excluded.
pub fn severity(word: &str) -> Result<Severity, String> {
    match word {
        "error" => Ok(Severity::Error),
        "warning" => Ok(Severity::Warning),
        other => Err(format!("`{other}` is no severity; say `error` or `warning`")),
    }
}

fn fires(word: &str) -> Result<Fires, String> {
    match word {
        "when-new" => Ok(Fires::New),
        "when-gone" => Ok(Fires::Gone),
        "when-marked" => Ok(Fires::Marked),
        "when-weaker" => Ok(Fires::Weaker),
        "when-missed" => Ok(Fires::Missed),
        other => Err(format!(
            "`{other}` is no time to fire; say when-new, when-gone, when-marked, when-weaker or when-missed"
        )),
    }
}

fn globs(words: &str) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for word in words.split_whitespace() {
        set.add(Glob::new(word).map_err(|error| error.to_string())?);
    }
    set.build().map_err(|error| error.to_string())
}

/// A rule beside its query.
#[derive(Debug)]
pub struct Rule {
    /// Its file's name without the ending, which is also the code of its breaches.
    pub name: String,
    /// Its header.
    pub header: Header,
}

impl Rule {
    /// How bad a breach is, where the project says nothing else.
    pub fn severity(&self) -> Severity {
        self.header.severity.unwrap_or(Severity::Error)
    }

    /// Whether it holds for a file.
    pub fn holds_in(&self, path: &RelPath) -> bool {
        let (files, except) = (&self.header.files, &self.header.except);
        (files.is_empty() || files.is_match(path.as_str())) && !except.is_match(path.as_str())
    }
}

/// Rules in one query, so that a tree is gone through once for all of them.
#[derive(Debug)]
pub struct RuleSet {
    /// The query of all the rules, one after the other.
    pub query: Query,
    /// The rules.
    pub rules: Vec<Rule>,
    /// For each pattern of the query the rule that it belongs to.
    pub of_pattern: Vec<usize>,
    /// For each rule the capture that is named like it.
    pub places: Vec<u32>,
    /// For each pattern the strength that it gives a match (`#set! strength`), else 1.
    pub strengths: Vec<u32>,
    /// For each pattern the name that it gives a match (`#set! name`), where it does.
    pub names: Vec<Option<String>>,
    /// For each pattern where its nodes must stand.
    pub standing: Vec<Standing>,
}

/// Where the nodes of a pattern must stand. A query can say that too, but then it goes through all siblings of a file for
/// every edit.
#[derive(Debug, Default)]
pub struct Standing {
    /// `(#preceded-by? @place "attribute_item" "^#.test")`.
    pub preceded: Option<Preceded>,
    /// `(#child-of? @capture "module")`: the capture and the kinds that its parent may be of.
    pub child_of: Option<(u32, Vec<String>)>,
}

/// What stands before a node among its siblings, only comments and more of the kind between.
#[derive(Debug)]
pub struct Preceded {
    /// The kind of node.
    pub kind: String,
    /// What its text must match.
    pub text: Regex,
}

impl RuleSet {
    /// Compiles rules, given as name and text, into one query.
    ///
    /// # Errors
    /// The first of them that cannot be used.
    pub fn compile(grammar: Grammar, sources: &[(&str, &str)]) -> Result<RuleSet, BadRule> {
        let mut text = String::new();
        let mut ends = Vec::new();
        let mut rules = Vec::new();
        for (name, source) in sources {
            rules.push(Rule { name: (*name).to_owned(), header: Header::read(name, source)? });
            text.push_str(source);
            text.push('\n');
            ends.push(text.len());
        }
        let query = Query::new(&grammar.language(), &text)
            .map_err(|error| bad_query(&text, sources, &ends, &error))?;
        let patterns = 0..query.pattern_count();
        let rule_at = |byte: usize| ends.iter().position(|end| byte < *end).unwrap_or_default();
        let of_pattern =
            patterns.clone().map(|at| rule_at(query.start_byte_for_pattern(at))).collect();
        let strengths = |at| setting(&query, at, "strength").and_then(|set| set.parse().ok());
        let strengths = patterns.clone().map(|at| strengths(at).unwrap_or(1)).collect();
        let names = patterns.map(|at| setting(&query, at, "name")).collect();
        let mut places = Vec::new();
        for rule in &rules {
            let place = query.capture_index_for_name(&rule.name).ok_or_else(|| BadRule {
                rule: rule.name.clone(),
                line: 1,
                why: format!("it captures nothing as `@{}`, its own name", rule.name),
            })?;
            places.push(place);
        }
        let mut standing = Vec::new();
        for at in 0..query.pattern_count() {
            let rule = &rules[rule_at(query.start_byte_for_pattern(at))].name;
            let bad = |why| BadRule { rule: rule.clone(), line: 1, why };
            standing.push(Standing::of(&query, at).map_err(bad)?);
        }
        Ok(RuleSet { query, rules, of_pattern, places, strengths, names, standing })
    }
}

/// What a pattern sets by `#set! key`.
fn setting(query: &Query, pattern: usize, key: &str) -> Option<String> {
    let set = query.property_settings(pattern).iter().find(|set| &*set.key == key)?;
    set.value.as_ref().map(|value| value.to_string())
}

impl Standing {
    fn of(query: &Query, pattern: usize) -> Result<Standing, String> {
        use QueryPredicateArg::{Capture, String as Text};
        let mut standing = Standing::default();
        for predicate in query.general_predicates(pattern) {
            match (&*predicate.operator, &*predicate.args) {
                ("preceded-by?", [Capture(_), Text(kind), Text(text)]) => {
                    let text = Regex::new(text).map_err(|error| error.to_string())?;
                    standing.preceded = Some(Preceded { kind: kind.to_string(), text });
                }
                ("child-of?", [Capture(capture), kinds @ ..]) => {
                    let kind = |kind: &QueryPredicateArg| match kind {
                        Text(kind) => Some(kind.to_string()),
                        Capture(_) => None,
                    };
                    standing.child_of = Some((*capture, kinds.iter().filter_map(kind).collect()));
                }
                (other, _) => {
                    return Err(format!("`#{other}` is not known, or not with these arguments"));
                }
            }
        }
        Ok(standing)
    }
}

fn bad_query(
    text: &str,
    sources: &[(&str, &str)],
    ends: &[usize],
    error: &tree_sitter::QueryError,
) -> BadRule {
    let at = ends.iter().position(|end| error.offset < *end).unwrap_or_default();
    let begins = at.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    let above = text.as_bytes()[..begins].iter().filter(|byte| **byte == b'\n').count();
    let rule = sources.get(at).map_or("", |(name, _)| name);
    let why = error.to_string().lines().next().unwrap_or_default().to_owned();
    BadRule { rule: rule.to_owned(), line: (error.row + 1).saturating_sub(above).max(1), why }
}

type Built = Result<Arc<RuleSet>, BadRule>;

/// The rules that come with a grammar, compiled once per process.
///
/// # Errors
/// When one of them cannot be compiled.
pub fn built_in(language: &Language, grammar: Grammar) -> Built {
    static CACHE: LazyLock<Mutex<HashMap<Grammar, Built>>> = LazyLock::new(Mutex::default);
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let build = || RuleSet::compile(grammar, language::rules_of(language)).map(Arc::new);
    cache.entry(grammar).or_insert_with(build).clone()
}
