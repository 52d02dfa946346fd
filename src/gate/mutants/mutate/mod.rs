//! Mutants: small slips in the lines that a change wrote, to see whether any check would notice them.
//!
//! This is the pure half: texts in, mutants out, the same for the same texts. Nothing is run here, and nothing is known of
//! the compilers and tests that are asked about them (see [`crate::gate::mutants`]).

mod operators;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::gate::diagnostic::{Diagnostic, Range, Severity};
use crate::gate::prepare::pair::{Known, Pair};
use crate::gate::prepare::syntax::{self, Grammar};
use crate::workspace::change::{Change, ChangeSet, Edit};
use crate::workspace::diff::changed_lines;
use crate::workspace::hash::sha256;
use crate::workspace::path::RelPath;

/// An accepted file: what a change made of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedFile {
    /// The file.
    pub path: RelPath,
    /// Its text before; `None` when there was none.
    pub base: Option<String>,
    /// Its text after.
    pub after: String,
}

/// One slip that somebody might have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// The file.
    pub path: RelPath,
    /// The bytes of the accepted text that it replaces.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What takes their place.
    pub new: String,
    /// The place, as people see it.
    pub range: Range,
    /// The slip in words that follow "if": ``"`<` were `<=`"``.
    pub what: String,
    /// How much it tells that nothing notices it.
    pub(in crate::gate) worth: Worth,
}

/// How much it tells that a slip goes unnoticed, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::gate) enum Worth {
    /// A decision goes the other way.
    Decision,
    /// Another value comes out.
    Value,
    /// Something is not done.
    Deed,
    /// A text is another one.
    Text,
}

impl Mutant {
    /// The mutant as a change-set over the accepted tree.
    pub fn change(&self) -> ChangeSet {
        let edit = Edit::Span { start: self.start, end: self.end, new: self.new.clone() };
        ChangeSet { changes: vec![Change::Edit { path: self.path.clone(), edits: vec![edit] }] }
    }

    /// The accepted text with the slip in it.
    pub fn applied(&self, after: &str) -> Option<String> {
        let (before, rest) = (after.get(..self.start)?, after.get(self.end..)?);
        Some(format!("{before}{}{rest}", self.new))
    }

    /// Whether the text with the slip in it still parses; `after` is the accepted text.
    pub fn parses(&self, after: &str) -> bool {
        let Some(text) = self.applied(after) else {
            return false;
        };
        let (base, result) = (sha256(after.as_bytes()), sha256(text.as_bytes()));
        let base = Known { text: after, hash: &base };
        let result = Known { text: &text, hash: &result };
        syntax::new_errors(&Pair::new(&self.path, Some(base), Some(result))).is_empty()
    }

    /// The hint for a person, once nothing has noticed it.
    pub(in crate::gate) fn hint(&self) -> Diagnostic {
        Diagnostic {
            path: self.path.clone(),
            range: self.range,
            severity: Severity::Hint,
            code: Some("mutant".to_owned()),
            message: format!("no check would notice if {}", self.what),
            source: "gate".to_owned(),
            remedies: Vec::new(),
        }
    }
}

/// Every mutant of the lines that the change wrote, the most telling first and spread over the lines. Code that is itself a
/// test has none.
pub fn mutants(files: &[AcceptedFile]) -> Vec<Mutant> {
    let mut all: Vec<Mutant> = files.iter().flat_map(mutants_of).collect();
    all.sort_by(|a, b| (&a.path, a.start, a.worth).cmp(&(&b.path, b.start, b.worth)));
    in_order(all)
}

fn mutants_of(file: &AcceptedFile) -> Vec<Mutant> {
    let Some(grammar) = Grammar::for_path(&file.path).filter(|_| !scope::is_test_path(&file.path))
    else {
        return Vec::new();
    };
    let Some(tree) = grammar.parse(&file.after) else {
        return Vec::new();
    };
    let lines = match &file.base {
        Some(base) => changed_lines(base, &file.after),
        None => (0..u32::try_from(file.after.lines().count()).unwrap_or(u32::MAX)).collect(),
    };
    let slips = operators::slips(grammar, &tree, &file.after, &lines);
    let mutants = slips.into_iter().map(|slip| Mutant {
        path: file.path.clone(),
        start: slip.bytes.start,
        end: slip.bytes.end,
        new: slip.new,
        range: slip.range,
        what: slip.what,
        worth: slip.worth,
    });
    let same = |mutant: &Mutant| file.after.get(mutant.start..mutant.end) == Some(&mutant.new);
    mutants.filter(|mutant| !same(mutant)).collect()
}

/// First one of each line, then the second ones, and so on; among those the most telling first, and among equals from all
/// over the change: by the mirrored bits of their number.
fn in_order(all: Vec<Mutant>) -> Vec<Mutant> {
    let mut by_line: BTreeMap<(RelPath, u32), Vec<Mutant>> = BTreeMap::new();
    for mutant in all {
        let line = (mutant.path.clone(), mutant.range.start.line);
        by_line.entry(line).or_default().push(mutant);
    }
    let mut keyed = Vec::new();
    for (number, (_, mut line)) in (0u32..).zip(by_line) {
        line.sort_by_key(|mutant| mutant.worth);
        keyed.extend(line.into_iter().enumerate().map(|(nth, mutant)| {
            let key = (nth, mutant.worth, number.reverse_bits());
            (key, mutant)
        }));
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, mutant)| mutant).collect()
}
