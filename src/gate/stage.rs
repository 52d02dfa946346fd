//! What the gate asks of the servers stage, so that it can be proved against a stand-in in tests.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::diagnostic::{Diagnostic, Remedy};
use super::language::Language;
use crate::workspace::change::ChangeSet;
use crate::workspace::path::RelPath;

/// Candidate texts laid over the base on disk; `None` is a file that the candidate removes.
pub type Overlay = BTreeMap<RelPath, Option<String>>;

/// A future that may be sent to another thread.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a downstream server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Every file asked about was answered for exactly the texts given.
    Diagnosed {
        /// All that was reported, of every severity.
        diagnostics: Vec<Diagnostic>,
        /// Name and version of the server.
        server: String,
        /// Microseconds from the first text sent to the last answer received; without waits for other questions, for a
        /// start or a load, and without the proof that the server looks.
        raw_us: u64,
    },
    /// It was not; never the same as clean.
    Unverified {
        /// Why, and what a person can do.
        reason: String,
    },
}

/// Files that may depend on a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependents {
    /// The likeliest, first those that mention the most names.
    pub files: Vec<RelPath>,
    /// How many more there are.
    pub left_out: usize,
}

/// A question about a name of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// A file that the name stands in.
    pub path: RelPath,
    /// The name, or the path of an item of the file (`Parser::parse`).
    pub symbol: String,
    /// The 1-based line where the name is meant.
    pub line: Option<usize>,
    /// What is asked.
    pub wanted: Wanted,
}

/// What is asked of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Where it is declared.
    Definition,
    /// Where it is used, and declared.
    References,
    /// Its type and documentation.
    Hover,
    /// Edits that give it this name everywhere.
    Rename(String),
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub path: RelPath,
    /// 1-based.
    pub line: usize,
    /// The line, without the blanks around it.
    pub text: String,
}

/// The answer to a [`Lookup`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Lines, in order.
    Spots {
        /// Those of the workspace.
        inside: Vec<Spot>,
        /// Others, as `uri:line`.
        outside: Vec<String>,
    },
    /// Words; may be empty.
    Text(String),
    /// Edits.
    Change {
        /// By byte offsets.
        change: ChangeSet,
        /// The hash (SHA-256) of each text that they were made for.
        bases: BTreeMap<RelPath, String>,
    },
}

/// Downstream language servers rooted in the `servers` shadow.
pub trait ServerStage: Send + Sync {
    /// The diagnostics of `files` with `overlay` laid over the shadow. Asking twice with one overlay, about the edited
    /// files first and about the others after, costs no more than asking about all of them at once. An overlay with the
    /// base's own texts of the files that are about to be edited also proves, ahead, that the server looks at them.
    fn diagnose<'a>(
        &'a self,
        language: &'a Language,
        overlay: &'a Overlay,
        files: &'a [RelPath],
        deadline: Duration,
    ) -> Boxed<'a, Answer>;

    /// The quick fixes that the language's servers offer for a diagnostic of the shadow with `overlay` laid over it.
    fn remedies<'a>(
        &'a self,
        language: &'a Language,
        overlay: &'a Overlay,
        diagnostic: &'a Diagnostic,
    ) -> Boxed<'a, Vec<Remedy>> {
        let _ = (language, overlay, diagnostic);
        Box::pin(std::future::ready(Vec::new()))
    }

    /// Which of `files` (the language's, of base or candidate) may depend on what `overlay` changes in others.
    fn dependents<'a>(
        &'a self,
        language: &'a Language,
        overlay: &'a Overlay,
        files: &'a [RelPath],
    ) -> Boxed<'a, Dependents> {
        let _ = (language, overlay, files);
        Box::pin(std::future::ready(Dependents::default()))
    }

    /// What the language's servers say of a name of the shadow as it is.
    ///
    /// # Errors
    /// What is missing, in words.
    fn look_up<'a>(
        &'a self,
        language: &'a Language,
        lookup: &'a Lookup,
        deadline: Duration,
    ) -> Boxed<'a, Result<Found, String>> {
        let _ = (language, lookup, deadline);
        Box::pin(std::future::ready(Err(
            "this needs a language server, and none is set up".to_owned()
        )))
    }

    /// The base on the shadow's disk has changed in these files; called before the next [`ServerStage::diagnose`].
    fn base_changed<'a>(&'a self, files: &'a [RelPath]) -> Boxed<'a, ()> {
        let _ = files;
        Box::pin(std::future::ready(()))
    }
}
