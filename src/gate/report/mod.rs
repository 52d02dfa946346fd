//! What the gate says of a change-set.

pub mod frame;
pub mod receipt;
pub(super) mod verdict;
pub mod words;

use serde::{Deserialize, Serialize};

use super::diagnostic::Diagnostic;
use crate::workspace::path::RelPath;

/// The gate's stages, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The edit fits the base that it was made for.
    Apply,
    /// No new ERROR or MISSING node.
    Syntax,
    /// No elided code, placeholder, conflict marker, ….
    Rules,
    /// No new error from a downstream language server.
    Servers,
    /// No new error from the project's own compiler.
    Tools,
    /// The project's tests pass (at the seal).
    Tests,
}

/// What one stage found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageVerdict {
    /// Checked, and nothing new is wrong.
    Passed,
    /// Checked, and something new is wrong.
    Refused,
    /// Could not be checked: missing, crashed, hung or still indexing. Never the same as passed.
    Unverified,
    /// There is nothing that this stage could check (no grammar, no server or tool for these files).
    NotApplicable,
}

/// Questions put to servers, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// From the question to its answer.
    pub us: u64,
    /// Of that, from the first text sent to a server to its last answer.
    pub server_us: u64,
}

/// One stage of a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageReport {
    /// Which.
    pub stage: Stage,
    /// What it found.
    pub verdict: StageVerdict,
    /// One line for people: why it is unverified, what it compared, how many errors stood before.
    pub detail: String,
    /// The programs that were asked, with their versions.
    pub tools: Vec<String>,
    /// How long it took, in microseconds.
    pub us: u64,
    /// Of that, what the questions about the candidate took that were put to servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// The whole verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every stage passed or had nothing to check, and each changed file of a known language was proved by at least
    /// one of servers and tools.
    Accepted,
    /// A stage refused; the change-set must be mended.
    Refused,
    /// Nothing refused, but nothing that could prove it was able to.
    Unverified,
}

/// A file of the change-set by its hashes (SHA-256, lower-case hex); `None` where the file does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProof {
    /// The file.
    pub path: RelPath,
    /// Hash of the text that the change was made for (unsaved editor text included).
    pub base: Option<String>,
    /// Hash of the bytes that may be applied.
    pub result: Option<String>,
}

/// A problem of a refused change-set, with the code around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The stage that found it.
    pub stage: Stage,
    /// What and where, in the text *after* the change (before it, for `apply`).
    pub diagnostic: Diagnostic,
    /// A few lines around the place, with line numbers and a caret.
    pub frame: String,
}

/// The gate's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The whole.
    pub verdict: Verdict,
    /// The stages that were run, in order; after a refusal the later ones are left out.
    pub stages: Vec<StageReport>,
    /// Every file that the change-set touches.
    pub files: Vec<FileProof>,
    /// Why it was refused; empty otherwise.
    pub problems: Vec<Problem>,
    /// Errors that the base hid from the compiler and that showed when earlier ones were mended; they are not new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revealed: Vec<Diagnostic>,
    /// What was mended on the way, without asking who proposed the change; the files' hashes are those after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
}

/// One problem that a server or a compiler mended by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The round, from 1.
    pub round: u8,
    /// The file that the problem stood in.
    pub path: RelPath,
    /// The problem's code, where it has one.
    pub code: Option<String>,
    /// The problem, one line.
    pub message: String,
    /// The remedy, as its author calls it.
    pub title: String,
}
