//! The rules stage: code that compiles and is still no work done (elided code, placeholders), and conflict markers.
//!
//! A rule is a tree-sitter query in `grammars/<language>/rules/<name>.scm`, whose header comments carry its message and
//! examples. Only what is new in the changed lines counts: a placeholder that stood before is not held against an edit.

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use streaming_iterator::StreamingIterator;
use tree_sitter::{Node, Query, QueryCursor, Tree};

use super::diagnostic::{Diagnostic, Place, Range, Severity};
use super::language::{self, Language};
use super::syntax::{Grammar, range_of};
use crate::workspace::diff::changed_lines;
use crate::workspace::path::RelPath;

/// A rule, compiled for one grammar.
struct Rule {
    name: &'static str,
    message: String,
    severity: Severity,
    query: Query,
}

/// What a rule's header says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    message: String,
    warning: bool,
    fails: Vec<String>,
    passes: Vec<String>,
}

impl Header {
    /// Reads the leading `; key: value` comments. An example that ends inside a block goes on in the next line of its
    /// kind.
    fn read(source: &str) -> Header {
        let mut header = Header::default();
        for line in source.lines().map_while(|line| line.strip_prefix(';')) {
            let Some((key, value)) = line.trim().split_once(": ") else {
                continue;
            };
            match key {
                "message" => header.message = value.to_owned(),
                "severity" => header.warning = value == "warning",
                "fails" => add_example(&mut header.fails, value),
                "passes" => add_example(&mut header.passes, value),
                _ => {}
            }
        }
        header
    }
}

fn add_example(examples: &mut Vec<String>, line: &str) {
    let open = |text: &String| text.matches('{').count() > text.matches('}').count();
    match examples.last_mut() {
        Some(last) if open(last) => {
            last.push('\n');
            last.push_str(line);
        }
        _ => examples.push(line.to_owned()),
    }
}

/// Why a rule's query cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rule `{rule}` is no valid query: {why}")]
pub struct BadRule {
    /// The rule.
    pub rule: String,
    /// What the query compiler said.
    pub why: String,
}

type Compiled = Result<&'static [Rule], BadRule>;

/// The rules of a grammar, compiled once per process.
fn rules(language: &Language, grammar: Grammar) -> Compiled {
    static CACHE: LazyLock<Mutex<HashMap<Grammar, Compiled>>> = LazyLock::new(Mutex::default);
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    cache.entry(grammar).or_insert_with(|| compile(language, grammar)).clone()
}

fn compile(language: &Language, grammar: Grammar) -> Compiled {
    let mut rules = Vec::new();
    for (name, source) in language::rules_of(language) {
        let header = Header::read(source);
        let query = Query::new(&grammar.language(), source)
            .map_err(|error| BadRule { rule: (*name).to_owned(), why: error.to_string() })?;
        rules.push(Rule {
            name,
            message: header.message,
            severity: if header.warning { Severity::Warning } else { Severity::Error },
            query,
        });
    }
    Ok(Vec::leak(rules))
}

/// Breaches of the rules that are new in `after`, parsed as `tree` where there is a grammar for it.
///
/// # Errors
/// When a rule cannot be compiled.
pub fn new_breaches(
    path: &RelPath,
    base: Option<&str>,
    after: &str,
    tree: Option<&Tree>,
) -> Result<Vec<Diagnostic>, BadRule> {
    let mut found = conflict_markers(path, base.unwrap_or_default(), after);
    let Some((language, grammar)) = language::for_path(path).zip(Grammar::for_path(path)) else {
        return Ok(found);
    };
    let rules = rules(language, grammar)?;
    let changed = changed_lines(base.unwrap_or_default(), after);
    let Some(tree) = tree else {
        return Ok(found);
    };
    // Most edits breach nothing, and a query over the edited lines alone is quick.
    if matches(rules, tree, after, bytes_of(after, &changed)).is_empty() {
        return Ok(found);
    }
    let hits = matches(rules, tree, after, 0..after.len());
    let mut known: HashMap<(&str, String), usize> = HashMap::new();
    let base = base.unwrap_or_default();
    let before = grammar.parse(base);
    for hit in before.iter().flat_map(|tree| matches(rules, tree, base, 0..base.len())) {
        *known.entry((hit.rule.name, hit.key)).or_default() += 1;
    }
    for hit in hits {
        match known.get_mut(&(hit.rule.name, hit.key.clone())) {
            Some(count) if *count > 0 => *count -= 1,
            _ if touches(&changed, hit.range) => found.push(hit.into_diagnostic(path)),
            _ => {}
        }
    }
    Ok(found)
}

fn touches(changed: &BTreeSet<u32>, range: Range) -> bool {
    changed.range(range.start.line..=range.end.line).next().is_some()
}

/// The bytes from the first of some lines to the last.
fn bytes_of(text: &str, lines: &BTreeSet<u32>) -> std::ops::Range<usize> {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return 0..0;
    };
    let starts = || std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let start_of = |line: u32| starts().nth(line as usize).unwrap_or(text.len());
    start_of(*first)..start_of(last.saturating_add(1))
}

struct Hit {
    rule: &'static Rule,
    /// The breach's own text and the name of what it stands in.
    key: String,
    range: Range,
}

impl Hit {
    fn into_diagnostic(self, path: &RelPath) -> Diagnostic {
        Diagnostic {
            path: path.clone(),
            range: self.range,
            severity: self.rule.severity,
            code: Some(self.rule.name.to_owned()),
            message: self.rule.message.clone(),
            source: "rules".to_owned(),
            remedies: Vec::new(),
        }
    }
}

/// Every match of every rule within some bytes; the capture named last in a pattern's own name (`@elision`, `@placeholder`) is the place.
fn matches(
    rules: &'static [Rule],
    tree: &Tree,
    text: &str,
    within: std::ops::Range<usize>,
) -> Vec<Hit> {
    let mut hits = Vec::new();
    for rule in rules {
        let Some(index) = rule.query.capture_index_for_name(rule.name) else {
            continue;
        };
        let mut cursor = QueryCursor::new();
        cursor.set_byte_range(within.clone());
        let mut matches = cursor.matches(&rule.query, tree.root_node(), text.as_bytes());
        while let Some(found) = matches.next() {
            for node in found.nodes_for_capture_index(index) {
                let own = text[node.byte_range()].split_whitespace().collect::<Vec<_>>().join(" ");
                hits.push(Hit {
                    rule,
                    key: format!("{} in {}", own, home(node, text)),
                    range: range_of(node),
                });
            }
        }
    }
    hits
}

/// The name of the innermost named thing around a node.
fn home(node: Node<'_>, text: &str) -> String {
    let mut at = node.parent();
    while let Some(node) = at {
        if let Some(name) = node.child_by_field_name("name") {
            return text[name.byte_range()].to_owned();
        }
        at = node.parent();
    }
    String::new()
}

/// Conflict markers at line starts, in any file, that the base does not have.
fn conflict_markers(path: &RelPath, base: &str, after: &str) -> Vec<Diagnostic> {
    let is_marker =
        |line: &str| ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|mark| line.starts_with(mark));
    let old: Vec<&str> = base.lines().filter(|line| is_marker(line)).collect();
    let new = after.lines().enumerate().filter(|(_, line)| is_marker(line) && !old.contains(line));
    new.map(|(index, line)| {
        let line_number = u32::try_from(index).unwrap_or(u32::MAX);
        let place = |column: usize| Place {
            line: line_number,
            column: u32::try_from(column).unwrap_or(u32::MAX),
        };
        Diagnostic {
            path: path.clone(),
            range: Range { start: place(0), end: place(line.len()) },
            severity: Severity::Error,
            code: Some("conflict-marker".to_owned()),
            message: "a conflict marker was left in the file; resolve the conflict".to_owned(),
            source: "rules".to_owned(),
            remedies: Vec::new(),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(name: &str, base: Option<&str>, after: &str) -> Vec<String> {
        let path = RelPath::new(name).expect("a good path");
        let tree = Grammar::for_path(&path).and_then(|grammar| grammar.parse(after));
        let found = new_breaches(&path, base, after, tree.as_ref()).expect("the rules compile");
        found.into_iter().map(|diagnostic| diagnostic.code.expect("a rule has a name")).collect()
    }

    #[test]
    fn every_rule_does_what_its_examples_say() {
        for language in language::all() {
            for (name, source) in language::rules_of(language) {
                let header = Header::read(source);
                assert!(
                    !header.message.is_empty()
                        && !header.fails.is_empty()
                        && !header.passes.is_empty(),
                    "{name}"
                );
                for extension in &language.extensions {
                    let file = format!("a.{extension}");
                    for example in &header.fails {
                        assert_eq!(breaches(&file, None, example), [*name], "{file}: {example}");
                    }
                    for example in &header.passes {
                        assert!(breaches(&file, None, example).is_empty(), "{file}: {example}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_stood_before_is_not_held_against_an_edit() {
        let base = "fn a() { todo!() }\nfn b() {}\n";
        assert!(breaches("a.rs", Some(base), "fn a() { todo!() }\nfn b() { c() }\n").is_empty());
        // Moved, and indented differently.
        assert!(breaches("a.rs", Some(base), "fn b() {}\nfn a() {\n    todo!()\n}\n").is_empty());
        // The name around it changed, the placeholder's own line did not.
        assert!(
            breaches("a.rs", Some("fn a() {\n  todo!()\n}\n"), "fn z() {\n  todo!()\n}\n")
                .is_empty()
        );
    }

    #[test]
    fn a_placeholder_cannot_hide_behind_a_mended_one() {
        let base = "fn a() { todo!() }\nfn b() { c() }\n";
        assert_eq!(
            breaches("a.rs", Some(base), "fn a() { c() }\nfn b() { todo!() }\n"),
            ["placeholder"]
        );
    }

    #[test]
    fn conflict_markers_are_found_in_any_file() {
        let text = "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n";
        assert_eq!(breaches("notes.txt", None, text).len(), 2);
        assert!(breaches("notes.txt", Some(text), &format!("x\n{text}")).is_empty());
        assert!(breaches("notes.md", None, "Title\n=======\n").is_empty());
    }
}
