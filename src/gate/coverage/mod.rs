//! Which files the compilers read, before and after. Pure.
//!
//! A change that takes a file out of what is compiled and leaves it lying there makes every error in it invisible, and every
//! test.

pub(super) mod conditional;
pub(super) mod nested;

use std::collections::BTreeSet;

use super::diagnostic::{Diagnostic, Range, Severity};
use super::language::Language;
use super::prove::Case;
use super::tools::Answered;
use crate::workspace::path::RelPath;

/// What the tools of one language read.
#[derive(Debug, Default)]
pub(super) struct Covered {
    before: BTreeSet<RelPath>,
    /// Of the candidate.
    pub(super) after: BTreeSet<RelPath>,
    /// Whether a tool may have read less of the candidate than it would have, for an error that it found.
    is_partial: bool,
}

impl Covered {
    pub(super) fn add(&mut self, base: Option<Answered>, after: Answered) {
        self.is_partial |=
            after.blind.is_some() || after.found.iter().any(|found| found.diagnostic.is_error());
        self.before.extend(base.into_iter().flat_map(|base| base.covered));
        self.after.extend(after.covered);
    }

    /// Whether the tools knew of a file of the base: they read it, or others in its folder, and so would have.
    pub(super) fn knew(&self, path: &RelPath) -> bool {
        let folder =
            |path: &RelPath| path.as_str().rsplit_once('/').map(|(folder, _)| folder.to_owned());
        self.before.contains(path) || self.before.iter().any(|other| folder(other) == folder(path))
    }

    /// A problem for each source that was read before the change and is there after it, unread.
    pub(super) fn narrowed(&self, language: &Language, case: &Case<'_>) -> Vec<Diagnostic> {
        if self.is_partial {
            return Vec::new();
        }
        let is_lost = |path: &&RelPath| {
            !self.after.contains(*path)
                && case.candidate.tree.files.contains_key(*path)
                && language.speaks(path)
        };
        let problem = |path: &RelPath| {
            Diagnostic {
            path: path.clone(),
            range: Range::default(),
            severity: Severity::Error,
            code: Some("narrowed".to_owned()),
            message: "with this change nobody compiles this file any more; keep it in the project, or delete it in \
                      the same change"
                .to_owned(),
            source: "gate".to_owned(),
            remedies: Vec::new(),
        }
        };
        self.before.iter().filter(is_lost).map(problem).collect()
    }
}
