//! Which goals the engine serves, read from people's English.
//!
//! Strict on purpose: a goal with a word that is not understood is not served, because half of it would not be done.

use std::collections::BTreeSet;

use super::kind::Kind;
use crate::gate::diagnostic::{Diagnostic, Severity};
use crate::workspace::path::RelPath;

/// A goal that can be served without a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Goal {
    /// The files or folders it is confined to; empty for all.
    pub places: Vec<RelPath>,
    /// Whether all errors are meant.
    pub errors: bool,
    /// Whether all warnings are meant.
    pub warnings: bool,
    /// Kinds that are meant whatever their severity.
    pub kinds: BTreeSet<Kind>,
}

/// Words that say that something is to be done about it.
const VERBS: &[&str] = &[
    "fix",
    "repair",
    "resolve",
    "solve",
    "mend",
    "correct",
    "clean",
    "cleanup",
    "tidy",
    "remove",
    "delete",
    "drop",
    "add",
    "insert",
    "apply",
    "make",
    "get",
    "address",
    "eliminate",
    "clear",
    "handle",
    "fixes",
    "fixing",
    "rid",
    "fill",
];

/// Words that change nothing.
const FILLERS: &[&str] = &[
    "a",
    "all",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "automatically",
    "build",
    "by",
    "can",
    "cargo",
    "check",
    "code",
    "codebase",
    "compilation",
    "compile",
    "compiler",
    "could",
    "crate",
    "current",
    "every",
    "everything",
    "existing",
    "file",
    "files",
    "folder",
    "for",
    "found",
    "from",
    "green",
    "have",
    "here",
    "i",
    "in",
    "is",
    "it",
    "its",
    "language",
    "lint",
    "lsp",
    "me",
    "my",
    "no",
    "now",
    "of",
    "off",
    "on",
    "our",
    "out",
    "package",
    "pass",
    "please",
    "possible",
    "project",
    "remaining",
    "repo",
    "repository",
    "reported",
    "rust",
    "rustc",
    "server",
    "so",
    "that",
    "the",
    "there",
    "these",
    "this",
    "those",
    "to",
    "tsc",
    "type",
    "typescript",
    "up",
    "us",
    "we",
    "which",
    "whole",
    "with",
    "within",
    "without",
    "workspace",
    "you",
    "your",
    "entire",
    "statement",
    "statements",
    "also",
];

impl Goal {
    /// Reads a goal. `None`: it takes more than compilers and language servers know.
    pub fn read(text: &str) -> Option<Goal> {
        let mut goal = Goal::default();
        let mut words = Vec::new();
        for word in text.split_whitespace() {
            let word =
                word.trim_matches(|char: char| "\"'`,;:!?()".contains(char)).trim_end_matches('.');
            if let Some(place) = place(word) {
                goal.places.push(place);
            } else if !word.is_empty() {
                words.push(word.to_lowercase());
            }
        }
        let mut asks = false;
        let mut rest = words.as_slice();
        while let Some((word, tail)) = rest.split_first() {
            let taken = goal.take(rest);
            let taken = match taken {
                0 if VERBS.contains(&word.as_str()) => {
                    asks = true;
                    1
                }
                0 if FILLERS.contains(&word.as_str()) => 1,
                0 => return None,
                more => more,
            };
            rest = &rest[taken..];
            debug_assert!(rest.len() <= tail.len());
        }
        let compiles = words
            .iter()
            .any(|word| matches!(word.as_str(), "compile" | "build" | "check" | "pass" | "green"));
        if goal.names_nothing()
            && compiles
            && words.iter().any(|word| word == "make" || word == "fix" || word == "get")
        {
            goal.errors = true;
        }
        (asks && !goal.names_nothing()).then_some(goal)
    }

    /// Whether a diagnostic is among those that the goal means.
    pub fn covers(&self, diagnostic: &Diagnostic) -> bool {
        let inside = |place: &RelPath| {
            let rest = diagnostic.path.as_str().strip_prefix(place.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let meant = match diagnostic.severity {
            Severity::Error => self.errors,
            Severity::Warning => self.warnings,
            Severity::Information | Severity::Hint => return false,
        };
        (self.places.is_empty() || self.places.iter().any(inside))
            && (meant || self.kinds.contains(&Kind::of(diagnostic)))
    }

    fn names_nothing(&self) -> bool {
        !self.errors && !self.warnings && self.kinds.is_empty()
    }

    /// Takes the name of a group of diagnostics from the front of `words`; how many words it was.
    fn take(&mut self, words: &[String]) -> usize {
        let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
        let singular = |at: usize| word(at).trim_end_matches('s').to_owned();
        match (word(0), singular(1).as_str()) {
            ("unused", "import") => self.mean(&[Kind::UnusedImport], 2),
            ("unused", "mut" | "mutable") => self.mean(&[Kind::UnusedMut], 2),
            ("unused", "variable" | "parameter" | "local" | "name" | "declaration") => {
                self.mean(&[Kind::Unused], 2)
            }
            ("unused", _) => self.mean(&[Kind::UnusedImport, Kind::UnusedMut, Kind::Unused], 1),
            ("missing", "import") => self.mean(&[Kind::MissingImport], 2),
            ("missing", "field" | "propertie" | "property") => self.mean(&[Kind::MissingField], 2),
            ("missing", "member" | "method") => self.mean(&[Kind::MissingMember], 2),
            ("missing", "arm" | "case") => self.mean(&[Kind::MissingArm], 2),
            ("missing" | "match" | "trait" | "struct" | "interface", _) => 1,
            _ => match singular(0).as_str() {
                "import" => self.mean(&[Kind::MissingImport, Kind::UnusedImport], 1),
                "arm" => self.mean(&[Kind::MissingArm], 1),
                "field" | "propertie" => self.mean(&[Kind::MissingField], 1),
                "member" => self.mean(&[Kind::MissingMember], 1),
                "typo" | "spelling" | "misspelling" => self.mean(&[Kind::Spelling], 1),
                "diagnostic" | "problem" | "issue" | "complaint" | "suggestion" | "lint" => {
                    (self.errors, self.warnings) = (true, true);
                    1
                }
                "error" => {
                    self.errors = true;
                    1
                }
                "warning" => {
                    self.warnings = true;
                    1
                }
                _ => 0,
            },
        }
    }

    fn mean(&mut self, kinds: &[Kind], words: usize) -> usize {
        self.kinds.extend(kinds);
        words
    }
}

/// A word that is a path: it has a `/`, or ends like a source file.
fn place(word: &str) -> Option<RelPath> {
    let extension = word.rsplit_once('.').map(|(_, extension)| extension);
    let is_file = matches!(extension, Some("rs" | "ts" | "tsx" | "mts" | "cts" | "toml"));
    let is_path = word.contains('/') && !word.contains("://") && word != "/";
    (is_file || is_path).then(|| RelPath::new(word.trim_end_matches('/')).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_that_compilers_can_serve() {
        for (text, errors, warnings) in [
            ("fix all diagnostics", true, true),
            ("Fix all errors.", true, false),
            ("please resolve the compiler errors and warnings in this crate", true, true),
            ("make it compile", true, false),
            ("clean up all warnings", false, true),
            ("Fix everything that the language server reported: errors, warnings!", true, true),
        ] {
            let goal = Goal::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((goal.errors, goal.warnings), (errors, warnings), "{text}");
        }
        let goal = Goal::read("fix all errors in src/x.rs and `src/net/`").unwrap();
        assert_eq!(
            goal.places,
            [RelPath::new("src/x.rs").unwrap(), RelPath::new("src/net").unwrap()]
        );
        for (text, kinds) in [
            ("add missing imports", vec![Kind::MissingImport]),
            ("remove unused imports in main.ts", vec![Kind::UnusedImport]),
            ("Remove unused code", vec![Kind::UnusedImport, Kind::UnusedMut, Kind::Unused]),
            ("add the missing match arms", vec![Kind::MissingArm]),
            ("fix imports", vec![Kind::MissingImport, Kind::UnusedImport]),
        ] {
            let goal = Goal::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(goal.kinds, kinds.into_iter().collect(), "{text}");
            assert!(!goal.errors && !goal.warnings, "{text}");
        }
    }

    #[test]
    fn goals_that_take_more_are_declined() {
        for text in [
            "",
            "fix",
            "errors",
            "fix the login bug",
            "fix all errors and add a dark mode",
            "explain the errors",
            "remove the unused database",
            "add error handling",
            "write tests",
            "fix all errors by deleting https://x/y",
            "import users from the csv file",
        ] {
            assert_eq!(Goal::read(text), None, "{text}");
        }
    }
}
