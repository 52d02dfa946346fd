//! The rules of the project itself: `.opencode/rules/<language>/*.scm`, and how much each rule weighs there
//! (`.opencode/rules/rules.toml`). They are read from the workspace, where no change-set can write.
//!
//! A rule that cannot be used is a fault that is told; the others go on.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::Deserialize;

use super::super::diagnostic::{Diagnostic, Severity};
use super::super::language::{self, Language};
use super::rule::{self, BadRule, RuleSet};
use super::secrets;
use crate::gate::prepare::syntax::Grammar;

/// Where they lie, below the root.
const FOLDER: &str = ".opencode/rules";
/// A rule longer than this is no rule (bytes).
const MAX_RULE: u64 = 256 * 1024;
/// How many compiled rules are remembered.
const MEMORY: usize = 256;

/// The rules of a project.
#[derive(Debug, Clone, Default)]
pub struct Project {
    rules: Vec<Source>,
    /// What the project makes of a rule; `None` for off.
    severities: BTreeMap<String, Option<Severity>>,
    /// What is wrong with the folder itself.
    pub faults: Vec<String>,
}

#[derive(Debug, Clone)]
struct Source {
    language: String,
    name: String,
    file: String,
    text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weights {
    #[serde(default)]
    severity: BTreeMap<String, String>,
}

impl Project {
    /// Reads the rules below `root`. A project without any is the usual one.
    pub fn read(root: &Path) -> Project {
        let mut project = Project::default();
        let folder = root.join(".opencode").join("rules");
        for name in names(&folder) {
            let path = folder.join(&name);
            if path.is_dir() {
                project.add_folder(&path, &name);
            } else if name == "rules.toml" {
                project.add_weights(&path);
            }
        }
        project.check_weights();
        project
    }

    fn fault(&mut self, file: &str, line: usize, why: &str) {
        self.faults.push(format!("{FOLDER}/{file}:{line}: {why}"));
    }

    fn add_folder(&mut self, folder: &Path, language: &str) {
        if !language::all().iter().any(|known| known.name == language) {
            self.fault(language, 1, "there is no such language; its rules are not used");
            return;
        }
        for name in names(folder) {
            let Some(rule) = name.strip_suffix(".scm") else { continue };
            let file = format!("{language}/{name}");
            match text_of(&folder.join(&name)) {
                Ok(text) => self.rules.push(Source {
                    language: language.to_owned(),
                    name: rule.to_owned(),
                    file,
                    text,
                }),
                Err(why) => self.fault(&file, 1, &why),
            }
        }
    }

    fn add_weights(&mut self, path: &Path) {
        let read = text_of(path).map_err(|why| (1, why)).and_then(|text| {
            toml::from_str::<Weights>(&text).map_err(|error| {
                let at = error.span().map_or(0, |span| span.start.min(text.len()));
                (
                    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1,
                    error.message().to_owned(),
                )
            })
        });
        match read {
            Ok(weights) => {
                for (name, word) in weights.severity {
                    match word.as_str() {
                        "off" => drop(self.severities.insert(name, None)),
                        word => match rule::severity(word) {
                            Ok(severity) => drop(self.severities.insert(name, Some(severity))),
                            Err(why) => {
                                self.fault("rules.toml", 1, &format!("{name}: {why}, or `off`"));
                            }
                        },
                    }
                }
            }
            Err((line, why)) => self.fault("rules.toml", line, &why),
        }
    }

    /// A severity for a rule that there is not would be believed to hold.
    fn check_weights(&mut self) {
        let ours = language::all().iter().flat_map(language::rules_of).map(|(name, _)| *name);
        let ours: Vec<&str> = ours.chain([secrets::CODE, "conflict-marker"]).collect();
        let is_known = |name: &str| {
            ours.contains(&name) || self.rules.iter().any(|source| source.name == name)
        };
        let unknown: Vec<String> =
            self.severities.keys().filter(|name| !is_known(name)).cloned().collect();
        for name in unknown {
            self.fault("rules.toml", 1, &format!("there is no rule `{name}`"));
        }
    }

    /// Gives a breach the project's severity; false when the project switched its rule off.
    pub fn weigh(&self, breach: &mut Diagnostic) -> bool {
        match breach.code.as_ref().and_then(|code| self.severities.get(code)) {
            Some(Some(severity)) => breach.severity = *severity,
            Some(None) => return false,
            None => {}
        }
        true
    }

    /// The project's rules for a grammar, each compiled by itself, and what is wrong with the others.
    pub fn rules_of(
        &self,
        language: &Language,
        grammar: Grammar,
    ) -> (Vec<Arc<RuleSet>>, Vec<String>) {
        let mut sets = Vec::new();
        let mut faults = Vec::new();
        for source in self.rules.iter().filter(|source| source.language == language.name) {
            match compiled(grammar, source) {
                Ok(set) => sets.push(set),
                Err(bad) => {
                    faults.push(format!("{FOLDER}/{}:{}: {}", source.file, bad.line, bad.why));
                }
            }
        }
        (sets, faults)
    }
}

/// The names in a folder, sorted; none when there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn text_of(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("failed to read it: {error}"))?.len();
    if size > MAX_RULE {
        return Err(format!("it has {size} bytes, more than the {MAX_RULE} of a rule"));
    }
    fs::read_to_string(path).map_err(|error| format!("failed to read it: {error}"))
}

type Compiled = Result<Arc<RuleSet>, BadRule>;

/// A rule of a project, compiled once for each text of it.
fn compiled(grammar: Grammar, source: &Source) -> Compiled {
    type Cache = HashMap<(Grammar, String, String), Compiled>;
    static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= MEMORY {
        cache.clear();
    }
    let key = (grammar, source.name.clone(), source.text.clone());
    let compile =
        || RuleSet::compile(grammar, &[(&source.name, source.text.as_str())]).map(Arc::new);
    cache.entry(key).or_insert_with(compile).clone()
}
