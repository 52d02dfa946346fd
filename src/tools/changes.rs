//! What a mission has changed so far, read off its receipts: from the first base of each file to its last result.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::schema::{Tool, object, text};
use super::{Caller, ToolResult};
use crate::gate::report::receipt::{Proof, Receipt};
use crate::journal::Journal;
use crate::mission::MissionId;
use crate::mission::conversation::Role;
use crate::workspace::RelPath;
use crate::workspace::diff::unified;

pub(super) const CHANGES: Tool = Tool {
    name: "changes",
    description: "What the mission has changed so far, as a diff.",
    schema,
    roles: &[Role::Reviewer],
    repeatable: true,
};

fn schema() -> Value {
    let item = "one task, such as T1.1; default: the task under review, else all";
    object(json!({"item": text(item)}), &[])
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesArgs {
    #[serde(default)]
    item: Option<String>,
}

pub(super) fn changes(journal: &Mutex<Journal>, caller: &Caller, args: &ChangesArgs) -> ToolResult {
    let item = args.item.clone().or_else(|| caller.item.as_ref().map(ToString::to_string));
    let diff = diff(
        &journal.lock().unwrap_or_else(PoisonError::into_inner),
        &caller.mission,
        caller.applied,
        item.as_deref(),
    )?;
    Ok(if diff.is_empty() { "nothing was changed".to_owned() } else { diff })
}

/// The unified diff of what the first `applied` receipts of a mission (or of one task of it) have changed.
///
/// # Errors
/// When the journal cannot be read, in words.
pub fn diff(
    journal: &Journal,
    mission: &MissionId,
    applied: usize,
    item: Option<&str>,
) -> Result<String, String> {
    let mut files: BTreeMap<RelPath, (Option<String>, Option<String>)> = BTreeMap::new();
    for text in journal.receipts(mission).map_err(|e| e.to_string())?.into_iter().take(applied) {
        let receipt = Receipt::from_json(&text).map_err(|e| e.to_string())?;
        let Proof::Change { item: of, report, .. } = receipt.proof else {
            continue;
        };
        if item.is_some_and(|wanted| wanted != of) {
            continue;
        }
        for file in report.files {
            files.entry(file.path).or_insert_with(|| (file.base.clone(), None)).1 = file.result;
        }
    }
    let mut out = String::new();
    for (path, (base, result)) in files {
        let (before, after) = (bytes(journal, base)?, bytes(journal, result)?);
        out += &unified(&path, before.as_deref(), after.as_deref());
    }
    Ok(out)
}

fn bytes(journal: &Journal, hash: Option<String>) -> Result<Option<String>, String> {
    let Some(hash) = hash else {
        return Ok(None);
    };
    let bytes = journal.bytes(&hash).map_err(|e| e.to_string())?;
    bytes
        .map(|b| String::from_utf8_lossy(&b).into_owned())
        .map(Some)
        .ok_or_else(|| format!("the journal lacks the bytes of {hash}"))
}
