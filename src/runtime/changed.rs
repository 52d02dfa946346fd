//! What an accepted change-set made of each file, as texts, for those who show it. It only reads the journal, from any
//! process, and changes nothing.

use std::path::Path;

use super::checkpoint::{Checkpoint, Version, bytes_of};
use super::undo::of_change;
use crate::journal::Journal;
use crate::mission::MissionId;
use crate::workspace::RelPath;

/// A file before and after an accepted change-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The file.
    pub path: RelPath,
    /// Its bytes before; `None`: there was no such file.
    pub before: Option<Vec<u8>>,
    /// Its bytes after; `None`: it was removed.
    pub after: Option<Vec<u8>>,
}

/// The files of the change-set with that receipt.
///
/// # Errors
/// In words: when the workspace has no journal, it cannot be read, or it does not have the change.
pub fn changed(root: &Path, mission: &MissionId, receipt: u64) -> Result<Vec<Changed>, String> {
    let missing = || format!("the journal does not have change {receipt} of mission `{mission}`");
    let journal = Journal::open_existing(root).map_err(|error| error.to_string())?;
    let journal = journal.ok_or_else(missing)?;
    let body = journal.checkpoint(mission, &of_change(receipt)).map_err(|e| e.to_string())?;
    let point: Checkpoint = serde_json::from_str(&body.ok_or_else(missing)?).map_err(|error| {
        format!("change {receipt} of mission `{mission}` cannot be read: {error}")
    })?;
    let files = point.files.into_iter().map(|file| {
        let bytes = |version: Option<&Version>| bytes_of(&journal, &file.path, version);
        let (before, after) = (bytes(file.was.as_ref())?, bytes(file.is.as_ref())?);
        Ok(Changed { path: file.path, before, after })
    });
    files.collect()
}
