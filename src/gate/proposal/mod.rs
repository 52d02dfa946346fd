//! A change-set as it is proposed: plain changes, edits of named items, and operations that stand for many edits. Before the
//! first stage all of it becomes a plain [`ChangeSet`] against the texts as they are.
//!
//! What is proved is the plain change-set; nothing here decides whether it is right.

mod expand;
mod symbol;

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::GateError;
use super::gate::{Checked, Gate};
use super::prepare::unfit;
use super::report::Stage;
use super::report::verdict::refused;
use crate::workspace::{ApplyProblem, Change, ChangeSet, Edit, OpenTexts, RelPath};

/// How often a proposal is expanded anew because a file changed meanwhile.
const ATTEMPTS: usize = 3;

/// A proposed change-set: all of it lands, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The operations. All edits of one file, whoever makes them, are against the file as it is.
    pub changes: Vec<Operation>,
}

impl Proposal {
    /// Reads a proposal that somebody wrote as JSON. A slip in a name must not quietly make another change-set.
    ///
    /// # Errors
    /// What is wrong, for who wrote it.
    pub fn read(text: &[u8]) -> Result<Proposal, String> {
        let value: Value = serde_json::from_slice(text)
            .map_err(|error| format!("the change-set is no JSON: {error}"))?;
        let proposal: Proposal = serde_json::from_value(value.clone())
            .map_err(|error| format!("the change-set is not understood: {error}"))?;
        let known = serde_json::to_value(&proposal).map_err(|error| error.to_string())?;
        match unknown_field(&value, &known) {
            Some(field) => Err(format!("the change-set has an unknown field: {field}")),
            None => Ok(proposal),
        }
    }
}

/// A field of `given` that was not read into `known`, as a path of names and indexes.
fn unknown_field(given: &Value, known: &Value) -> Option<String> {
    let below = |name: String, rest: Option<String>| rest.map(|rest| format!("{name}.{rest}"));
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            given.iter().find_map(|(name, value)| match known.get(name) {
                Some(known) => below(name.clone(), unknown_field(value, known)),
                None => Some(name.clone()),
            })
        }
        (Value::Array(given), Value::Array(known)) => (given.iter().zip(known).enumerate())
            .find_map(|(at, (given, known))| below(at.to_string(), unknown_field(given, known))),
        _ => None,
    }
}

/// One operation of a [`Proposal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Operation {
    /// Replaces pieces of an existing file.
    Edit {
        /// The file.
        path: RelPath,
        /// The replacements.
        edits: Vec<ProposedEdit>,
    },
    /// Creates a file, or replaces one whole.
    Write {
        /// The file.
        path: RelPath,
        /// Its new text, UTF-8.
        content: String,
    },
    /// Deletes a file.
    Delete {
        /// The file.
        path: RelPath,
    },
    /// Moves a file to a path that does not exist.
    Rename {
        /// From here.
        path: RelPath,
        /// To there.
        to: RelPath,
    },
    /// Replaces a pattern of code everywhere.
    ReplaceCode {
        /// Code in which `$A` is one node and `$$$A` any number of them.
        pattern: String,
        /// The new code, with the same names.
        with: String,
        /// Only in files such as `src/**/*.ts`; all of one language, where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        glob: Option<String>,
    },
    /// Gives a symbol a new name in every file, as the language server has it.
    RenameSymbol {
        /// A file that it stands in.
        path: RelPath,
        /// Its name, or the path of an item.
        symbol: String,
        /// The 1-based line where it is meant, for what the outline does not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        /// The new name.
        to: String,
    },
}

impl From<Change> for Operation {
    fn from(change: Change) -> Operation {
        match change {
            Change::Edit { path, edits } => {
                Operation::Edit { path, edits: edits.into_iter().map(ProposedEdit::from).collect() }
            }
            Change::Write { path, content } => Operation::Write { path, content },
            Change::Delete { path } => Operation::Delete { path },
            Change::Rename { path, to } => Operation::Rename { path, to },
        }
    }
}

impl From<Edit> for ProposedEdit {
    fn from(edit: Edit) -> ProposedEdit {
        match edit {
            Edit::Text { old, new } => ProposedEdit { old: Some(old), new, ..Default::default() },
            Edit::Span { start, end, new } => {
                ProposedEdit { start: Some(start), end: Some(end), new, ..Default::default() }
            }
        }
    }
}

/// A replacement inside one file: of a text, of a named item, or of bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedEdit {
    /// Text that stands in the file (or in the item) exactly once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// An item of the file (`Parser::parse`), replaced whole where there is no `old` and no `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Where `new` is put beside the item, which then stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Side>,
    /// What takes its place, or stands beside it.
    pub new: String,
    /// First byte, UTF-8 offset in the base text; for compilers and servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    /// One past the last byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<usize>,
}

/// A side of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Right before it, and before its comments.
    Before,
    /// Right after it.
    After,
}

/// The answer to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The gate's answer to the plain change-set.
    pub checked: Checked,
    /// What the operations came to, for people: how many places of how many files.
    pub notes: Vec<String>,
}

/// A proposal as plain changes.
#[derive(Debug, Default)]
struct Expanded {
    change: ChangeSet,
    /// The hash of each text that byte offsets were counted in.
    bases: BTreeMap<RelPath, String>,
    notes: Vec<String>,
}

impl Gate {
    /// As [`Gate::check`], of a proposal. Its operations are expanded against the disk with `open` laid over it; what cannot be
    /// expanded in one way only is refused at `apply`.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn check_proposal(
        &self,
        proposal: &Proposal,
        open: &OpenTexts,
    ) -> Result<Judged, GateError> {
        let mut moving = None;
        for _ in 0..ATTEMPTS {
            let began = Instant::now();
            let Expanded { change, bases, notes } = match self.expand(proposal, open).await? {
                Ok(expanded) => expanded,
                Err(problems) => {
                    let checked = refused(unfit(problems, began));
                    return Ok(Judged { checked, notes: Vec::new() });
                }
            };
            let mut checked = self.check(&change, open).await?;
            let moved = checked.report.files.iter().find(|file| {
                bases.get(&file.path).is_some_and(|hash| file.base.as_ref() != Some(hash))
            });
            match moved {
                Some(file) => moving = Some(file.path.clone()),
                None => {
                    note(&mut checked, &notes);
                    return Ok(Judged { checked, notes });
                }
            }
        }
        match moving {
            Some(path) => Err(GateError::Moving { path }),
            None => Err(GateError::Internal { why: "no attempt was made to expand".to_owned() }),
        }
    }

    async fn expand(
        &self,
        proposal: &Proposal,
        open: &OpenTexts,
    ) -> Result<Result<Expanded, Vec<ApplyProblem>>, GateError> {
        let mut renames = BTreeMap::new();
        for (index, operation) in proposal.changes.iter().enumerate() {
            if let Operation::RenameSymbol { path, symbol, line, to } = operation {
                renames.insert(index, self.rename(path, symbol, *line, to, open).await?);
            }
        }
        let workspace = self.workspace().clone();
        let (proposal, open) = (proposal.clone(), open.clone());
        let task = tokio::task::spawn_blocking(move || {
            expand::expand(&workspace, &open, proposal, renames)
        });
        task.await.map_err(GateError::internal)
    }
}

/// The report says what the operations came to.
fn note(checked: &mut Checked, notes: &[String]) {
    let apply = checked.report.stages.iter_mut().find(|stage| stage.stage == Stage::Apply);
    if let Some(apply) = apply {
        notes.iter().for_each(|note| apply.detail.push_str(&format!("; {note}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_name_is_no_other_change_set() {
        let field = |text: &str| {
            let why = Proposal::read(text.as_bytes()).unwrap_err();
            why.split(": ").nth(1).unwrap().to_owned()
        };
        assert_eq!(field(r#"{"changes": [], "dry": true}"#), "dry");
        let text = r#"{"changes": [{"op": "edit", "path": "a", "edits": [{"old": "a", "new": "b", "all": true}]}]}"#;
        assert_eq!(field(text), "changes.0.edits.0.all");
    }
}
