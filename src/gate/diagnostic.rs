//! A finding of a compiler or language server, in one shape whoever reported it.

use serde::{Deserialize, Serialize};

use crate::workspace::change::ChangeSet;
use crate::workspace::path::RelPath;

/// A place in a text: 0-based line, 0-based column in UTF-8 bytes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Place {
    /// 0-based line.
    pub line: u32,
    /// 0-based column in UTF-8 bytes.
    pub column: u32,
}

/// A half-open range of a text.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Range {
    /// First place.
    pub start: Place,
    /// One past the last place.
    pub end: Place,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It breaks the build.
    Error,
    /// It does not, but somebody should look.
    Warning,
    /// Worth knowing.
    Information,
    /// A hint (unused code shown greyed, and the like).
    Hint,
}

/// One diagnostic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file.
    pub path: RelPath,
    /// Where in the text that was checked.
    pub range: Range,
    /// How bad.
    pub severity: Severity,
    /// `E0433`, `TS2304`, `unused_imports`, …; `None` where the reporter gives none.
    pub code: Option<String>,
    /// The main message.
    pub message: String,
    /// Who said so: `rustc`, `rust-analyzer`, `tsc`, ….
    pub source: String,
    /// Remedies that came with the diagnostic (compiler suggestions); those of servers are asked for separately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

impl Diagnostic {
    /// Whether it is an error, which alone refuses.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// What identifies it across an edit: never its position. The delta of the gate is a multiset of these.
    pub fn key(&self) -> (&RelPath, Option<&str>, &str) {
        (&self.path, self.code.as_deref(), &self.message)
    }
}

/// A way to mend a diagnostic, as its reporter proposes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// What it does, for people.
    pub title: String,
    /// The edits, against the text that was checked.
    pub change: ChangeSet,
    /// Whether the reporter itself vouches for it (`MachineApplicable`, `isPreferred`).
    pub certain: bool,
}
