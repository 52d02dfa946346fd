//! What is new: the candidate's errors minus the base's.
//!
//! A multiset of (path, code, first line of the message), never net counts and never ranges: an error fixed does not pay
//! for one added. Two equal errors of one changed file are told apart by the lines that the edit kept, so that mending
//! one of them and making the other elsewhere is seen too.
//!
//! Some errors hide others. Those that show when an earlier one is mended are *revealed*, not new; see [`Phase`].

use std::collections::{BTreeMap, BTreeSet};

use similar::{DiffTag, TextDiff};

use crate::gate::diagnostic::Diagnostic;
use crate::gate::tools::{Answered, Found};
use crate::workspace::path::RelPath;
use crate::workspace::resolve::{Resolved, ResolvedFile};

/// What a change-set does, as far as comparing errors needs it.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    files: BTreeMap<RelPath, Lines>,
    renamed: BTreeMap<RelPath, RelPath>,
}

/// How the lines of a file before and after belong together.
#[derive(Debug, Clone, Default)]
struct Lines {
    before: Vec<Line>,
    after: Vec<Line>,
}

/// One line of a changed file.
#[derive(Debug, Clone)]
struct Line {
    text: String,
    /// The same line on the other side, or the number of the hunk that it stands in.
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept(usize),
    Hunk(usize),
}

impl Changes {
    /// The changes of a resolved change-set.
    pub fn of(resolved: &Resolved) -> Changes {
        let mut changes = Changes::default();
        for file in &resolved.files {
            let own = file.base.as_ref().map(|base| base.text.as_str());
            let before = match origin(file, resolved) {
                Some(from) => {
                    changes.renamed.insert(from.path.clone(), file.path.clone());
                    from.base.as_ref().map(|base| base.text.as_str())
                }
                None => own,
            };
            let lines =
                Lines::of(before.unwrap_or_default(), file.result.as_deref().unwrap_or_default());
            changes.files.insert(file.path.clone(), lines);
        }
        changes
    }

    /// Whether the place is in a line that the change-set wrote.
    fn wrote(&self, diagnostic: &Diagnostic) -> bool {
        let line = |lines: &Lines| {
            lines.after.get(diagnostic.range.start.line as usize).map(|line| line.fate)
        };
        self.files
            .get(&diagnostic.path)
            .is_some_and(|lines| matches!(line(lines), Some(Fate::Hunk(_)) | None))
    }

    /// The path that a file of the base has in the candidate.
    fn path_after<'a>(&'a self, path: &'a RelPath) -> &'a RelPath {
        self.renamed.get(path).unwrap_or(path)
    }

    /// How surely a base error and a candidate error of one key are the same one; smaller is surer.
    fn kinship(&self, base: &Diagnostic, after: &Diagnostic) -> Option<u8> {
        let Some(lines) = self.files.get(&after.path) else {
            return Some(if base.range.start.line == after.range.start.line { 0 } else { 3 });
        };
        let old = lines.before.get(base.range.start.line as usize);
        let new = lines.after.get(after.range.start.line as usize);
        match (old.map(|line| line.fate), new.map(|line| line.fate)) {
            (Some(Fate::Kept(to)), Some(Fate::Kept(_)))
                if to == after.range.start.line as usize =>
            {
                Some(0)
            }
            (Some(Fate::Hunk(a)), Some(Fate::Hunk(b))) if a == b => Some(1),
            _ if old.zip(new).is_some_and(|(old, new)| old.text == new.text) => Some(2),
            // It wandered, from one untouched line to another.
            (Some(Fate::Kept(_)), Some(Fate::Kept(_))) | (None, _) | (_, None) => Some(3),
            _ => None,
        }
    }
}

/// The file that a new one came from: the one it was renamed from, else a deleted one whose lines are mostly its own. So an
/// author who moves a file and edits it in one go is held to account for the edit alone.
fn origin<'a>(file: &ResolvedFile, resolved: &'a Resolved) -> Option<&'a ResolvedFile> {
    let gone = || resolved.files.iter().filter(|other| other.result.is_none());
    if let Some(from) = &file.renamed_from {
        return gone().find(|other| other.path == *from);
    }
    let text = file.result.as_deref().filter(|_| file.base.is_none())?;
    let is_renamed = |other: &&ResolvedFile| {
        resolved.files.iter().any(|file| file.renamed_from.as_ref() == Some(&other.path))
    };
    let alike = gone().filter(|other| !is_renamed(other)).filter_map(|other| {
        let share = shared_lines(&other.base.as_ref()?.text, text);
        (share >= 0.5).then_some((share, other))
    });
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, other)| other)
}

/// How much of the longer of two texts stands in the other, by lines in any order; 0 to 1.
fn shared_lines(a: &str, b: &str) -> f64 {
    let mut counts: BTreeMap<&str, isize> = BTreeMap::new();
    a.lines().for_each(|line| *counts.entry(line.trim()).or_default() += 1);
    let mut shared = 0usize;
    for line in b.lines() {
        if let Some(count @ 1..) = counts.get_mut(line.trim()) {
            *count -= 1;
            shared += 1;
        }
    }
    shared as f64 / a.lines().count().max(b.lines().count()).max(1) as f64
}

impl Lines {
    fn of(before: &str, after: &str) -> Lines {
        let line = |text: &str| Line { text: text.trim().to_owned(), fate: Fate::Hunk(0) };
        let mut lines = Lines {
            before: before.lines().map(line).collect(),
            after: after.lines().map(line).collect(),
        };
        let diff = TextDiff::from_lines(before, after);
        for (hunk, op) in diff.ops().iter().enumerate() {
            let (old, new) = (op.old_range(), op.new_range());
            let kept = op.tag() == DiffTag::Equal;
            for (offset, at) in old.clone().enumerate() {
                if let Some(line) = lines.before.get_mut(at) {
                    line.fate =
                        if kept { Fate::Kept(new.start + offset) } else { Fate::Hunk(hunk) };
                }
            }
            for (offset, at) in new.enumerate() {
                if let Some(line) = lines.after.get_mut(at) {
                    line.fate =
                        if kept { Fate::Kept(old.start + offset) } else { Fate::Hunk(hunk) };
                }
            }
        }
        lines
    }
}

/// The candidate compared with the base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// Errors that the base does not have and did not hide.
    pub new: Vec<Diagnostic>,
    /// Errors that the base hid.
    pub revealed: Vec<Diagnostic>,
    /// How many errors of the base still stand.
    pub stood: usize,
    /// Errors of the base that are gone.
    pub gone: Vec<Diagnostic>,
}

impl Delta {
    /// Takes back what `closer` proves to be new: compared with a tree in which the gone errors are mended and nothing else
    /// is changed, it is new still.
    pub fn take_back(&mut self, closer: &Delta) {
        let (new, revealed) = std::mem::take(&mut self.revealed)
            .into_iter()
            .partition(|found| closer.new.contains(found));
        self.revealed = revealed;
        self.new.extend::<Vec<Diagnostic>>(new);
    }

    /// Keeps as new only what stands in lines that the change-set wrote. A server that reports less than its compiler
    /// cannot tell an error that was made from one that an error it does not report had hidden; the compiler can.
    pub fn leave_to_the_compiler(&mut self, changes: &Changes) {
        self.new.retain(|diagnostic| changes.wrote(diagnostic));
    }
}

/// Errors of `after` minus those of `base`.
pub fn compare(base: &Answered, after: &Answered, changes: &Changes) -> Delta {
    let old = errors(base);
    let (pairs, fresh) = pair_up(&old, &errors(after), changes);
    let gone: Vec<&Found> =
        (0..old.len()).filter(|at| !pairs.contains(at)).map(|at| old[at]).collect();
    let mut delta = Delta {
        stood: pairs.len(),
        gone: gone.iter().map(|found| found.diagnostic.clone()).collect(),
        ..Delta::default()
    };
    for found in fresh {
        let hidden = !changes.wrote(&found.diagnostic) && was_hidden(found, &gone, base);
        let list = if hidden { &mut delta.revealed } else { &mut delta.new };
        list.push(found.diagnostic.clone());
    }
    delta
}

/// As [`compare`], where the tool could say nothing of the base: what stands in lines that the change-set wrote is its own,
/// all else was hidden.
pub fn compare_with_silent_base(after: &Answered, changes: &Changes) -> Delta {
    let (new, revealed) = errors(after)
        .into_iter()
        .map(|found| found.diagnostic.clone())
        .partition(|diagnostic| changes.wrote(diagnostic));
    Delta { new, revealed, ..Delta::default() }
}

/// As [`compare`], for diagnostics of a server, which hide nothing from each other.
pub fn compare_plain(base: &[Diagnostic], after: &[Diagnostic], changes: &Changes) -> Delta {
    let answered = |diagnostics: &[Diagnostic]| Answered {
        found: diagnostics
            .iter()
            .map(|diagnostic| Found { diagnostic: diagnostic.clone(), unit: String::new() })
            .collect(),
        units: BTreeSet::from([String::new()]),
        ..Answered::default()
    };
    let mut delta = compare(&answered(base), &answered(after), changes);
    delta.new.append(&mut delta.revealed);
    delta
}

fn errors(answered: &Answered) -> Vec<&Found> {
    answered.found.iter().filter(|found| found.diagnostic.is_error()).collect()
}

fn key<'a>(
    diagnostic: &'a Diagnostic,
    path: &'a RelPath,
) -> (&'a RelPath, Option<&'a str>, &'a str) {
    let message = diagnostic.message.lines().next().unwrap_or_default();
    (path, diagnostic.code.as_deref(), message)
}

/// Which of `old` still stand (by index), and which of `new` have no like among them; the surest likes first.
fn pair_up<'a>(
    old: &[&Found],
    new: &[&'a Found],
    changes: &Changes,
) -> (BTreeSet<usize>, Vec<&'a Found>) {
    let mut candidates = Vec::new();
    for (n, after) in new.iter().enumerate() {
        for (o, base) in old.iter().enumerate() {
            let path = changes.path_after(&base.diagnostic.path);
            if key(&base.diagnostic, path) == key(&after.diagnostic, &after.diagnostic.path)
                && let Some(kinship) = changes.kinship(&base.diagnostic, &after.diagnostic)
            {
                candidates.push((kinship, o, n));
            }
        }
    }
    candidates.sort_unstable();
    let mut taken_old = BTreeSet::new();
    let mut taken_new = BTreeSet::new();
    for (_, o, n) in candidates {
        if !taken_old.contains(&o) && !taken_new.contains(&n) {
            taken_old.insert(o);
            taken_new.insert(n);
        }
    }
    let fresh = (0..new.len()).filter(|n| !taken_new.contains(n)).map(|n| new[n]).collect();
    (taken_old, fresh)
}

/// Whether the base can have kept this error from being reported: something that is gone was of an earlier phase in the
/// same unit, or the unit was not looked into at all.
fn was_hidden(found: &Found, gone: &[&Found], base: &Answered) -> bool {
    if gone.is_empty() {
        return false;
    }
    if !base.units.contains(&found.unit) {
        return true;
    }
    let phase = Phase::of(&found.diagnostic);
    let mut same_unit = gone.iter().filter(|other| other.unit == found.unit);
    same_unit.any(|other| match (Phase::of(&other.diagnostic), phase) {
        (Some(earlier), Some(phase)) => earlier < phase,
        _ => false,
    })
}

/// When rustc looks for an error. An error of one phase can keep it from those of the next: a text that does not parse
/// hides everything, an unresolved name hides the types that depend on it, an ill-typed body is not borrow-checked.
/// TypeScript has no phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Tokens, delimiters, grammar.
    Parse,
    /// Names, imports, macros.
    Resolve,
    /// Types and traits.
    Types,
    /// Moves, borrows, lifetimes.
    Borrow,
    /// Lints that were made errors.
    Lint,
}

/// Codes of name resolution that stand alone, beside the ranges in [`Phase::of`].
const RESOLVE: &[u32] =
    &[252, 254, 255, 259, 260, 364, 365, 463, 531, 532, 573, 574, 576, 583, 603, 659];
/// Codes of the borrow checker.
const BORROW: &[u32] = &[
    373, 381, 382, 384, 499, 501, 502, 503, 505, 506, 507, 508, 509, 510, 515, 521, 594, 596, 597,
    621, 626, 700, 712, 713, 716,
];

impl Phase {
    /// The phase of an error of rustc; `None` for other compilers.
    pub fn of(diagnostic: &Diagnostic) -> Option<Phase> {
        if diagnostic.source != "rustc" {
            return None;
        }
        let Some(code) = diagnostic.code.as_deref() else {
            let message = diagnostic.message.as_str();
            return Some(
                if message.contains("lifetime may not live")
                    || message.contains("borrowed data escapes")
                {
                    Phase::Borrow
                } else if message.starts_with("cannot find") {
                    Phase::Resolve
                } else {
                    Phase::Parse
                },
            );
        };
        let number = code.strip_prefix('E').and_then(|digits| digits.parse::<u32>().ok());
        Some(match number {
            Some(number) if RESOLVE.contains(&number) || (401..=437).contains(&number) => {
                Phase::Resolve
            }
            Some(number) if BORROW.contains(&number) => Phase::Borrow,
            Some(_) => Phase::Types,
            None => Phase::Lint,
        })
    }
}

#[cfg(test)]
#[path = "delta_tests.rs"]
mod tests;
