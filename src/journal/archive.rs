//! Old missions, out of the journal: each becomes a file of its own, `.opencode/archive/<mission>.json`, with its events,
//! its receipts and the view that was last shown of it. The bytes that only it needed are dropped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::sum::hash;
use super::{Journal, JournalError};
use crate::disk;
use crate::mission::MissionId;

/// An archived mission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Archived {
    /// The format of this file.
    pub format: u32,
    /// The mission.
    pub mission: MissionId,
    /// The mission as it was last shown, for the faces.
    pub view: serde_json::Value,
    /// Its chain of receipts, in order, as the JSON that was kept.
    pub receipts: Vec<String>,
    /// Its events, in order: the stamp, and the event as JSON.
    pub events: Vec<(u64, String)>,
    /// SHA-256 over all of that.
    pub sum: String,
}

const FORMAT: u32 = 1;
/// How many free pages are given back to the disk at once.
const PAGES: u32 = 4096;

impl Archived {
    fn compute_sum(&self) -> String {
        let head = format!("{}\n{}\n{}\n", self.format, self.mission, self.view);
        let receipts = self.receipts.iter().map(|receipt| format!("{receipt}\n"));
        let events = self.events.iter().map(|(at, event)| format!("{at} {event}\n"));
        hash(std::iter::once(head).chain(receipts).chain(events).collect::<String>().as_bytes())
    }
}

/// Where a mission is archived.
pub(super) fn path(root: &Path, mission: &str) -> PathBuf {
    folder(root).join(format!("{mission}.json"))
}

fn folder(root: &Path) -> PathBuf {
    root.join(".opencode").join("archive")
}

/// Whether an id can be the name of a file; those that are made here always can.
fn is_plain(mission: &str) -> bool {
    !mission.is_empty() && mission.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// The missions that are archived in the workspace at `root`, by their ids.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn archived(root: &Path) -> Result<Vec<MissionId>, JournalError> {
    let folder = folder(root);
    let failed = |source| JournalError::Folder { path: folder.clone(), source };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
        ids.extend(id.filter(|id| is_plain(id)).map(|id| MissionId(id.to_owned())));
    }
    ids.sort();
    Ok(ids)
}

/// Whether a mission is archived in the workspace at `root`.
pub fn is_archived(root: &Path, mission: &MissionId) -> bool {
    is_plain(&mission.0) && path(root, &mission.0).exists()
}

/// An archived mission; `None` where it is not archived.
///
/// # Errors
/// When the file cannot be read, or is not what was written.
pub fn read_archived(root: &Path, mission: &MissionId) -> Result<Option<Archived>, JournalError> {
    let path = path(root, &mission.0);
    if !is_plain(&mission.0) {
        return Ok(None);
    }
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(JournalError::Folder { path, source }),
    };
    let damaged = |what: String| JournalError::Damaged { path: path.clone(), what };
    let archived: Archived = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
    if archived.format > FORMAT {
        let (found, known) = (i64::from(archived.format), i64::from(FORMAT));
        return Err(JournalError::Newer { path, found, known });
    }
    if archived.mission != *mission || archived.compute_sum() != archived.sum {
        return Err(damaged(super::MISMATCH.to_owned()));
    }
    Ok(Some(archived))
}

impl Journal {
    /// Moves a mission out of the journal into a file of its own. The file is durable before anything is removed, so
    /// that a cut between the two leaves the mission twice, and never nowhere.
    ///
    /// # Errors
    /// When the mission cannot be read, or the file cannot be written; then it stays.
    pub fn archive(
        &mut self,
        root: &Path,
        mission: &MissionId,
        view: serde_json::Value,
    ) -> Result<(), JournalError> {
        if !is_plain(&mission.0) {
            return Err(self.damaged(format!("{mission} is no name for a file")));
        }
        let mut events = Vec::new();
        for record in self.events(mission, 0)? {
            let text = serde_json::to_string(&record.event).map_err(|e| self.damaged(e))?;
            events.push((record.at, text));
        }
        let receipts = self.receipts(mission)?;
        let (mission, sum) = (mission.clone(), String::new());
        let mut archived = Archived { format: FORMAT, mission, view, receipts, events, sum };
        archived.sum = archived.compute_sum();
        let text = serde_json::to_string_pretty(&archived).map_err(|e| self.damaged(e))?;
        let path = path(root, &archived.mission.0);
        write(&path, text.as_bytes()).map_err(|source| JournalError::Folder { path, source })?;
        self.forget(&archived.mission)
    }

    /// Removes a mission, and the bytes that nothing else names.
    fn forget(&mut self, mission: &MissionId) -> Result<(), JournalError> {
        let error = self.store();
        let mut run = || -> Result<(), rusqlite::Error> {
            let transaction = self.db.transaction()?;
            for table in ["events", "receipts", "trees", "checkpoints", "states"] {
                transaction
                    .execute(&format!("DELETE FROM {table} WHERE mission = ?1"), [&mission.0])?;
            }
            transaction.execute("DELETE FROM missions WHERE id = ?1", [&mission.0])?;
            let named = named_hashes(&transaction)?;
            let kept: Vec<String> = transaction
                .prepare("SELECT hash FROM blobs")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for hash in kept.iter().filter(|hash| !named.contains(*hash)) {
                transaction.execute("DELETE FROM blobs WHERE hash = ?1", params![hash])?;
            }
            transaction.commit()
        };
        run().map_err(error)?;
        self.shrink()
    }

    /// Gives free pages back to the disk, a bounded number at a time.
    fn shrink(&mut self) -> Result<(), JournalError> {
        let run = || -> Result<(), rusqlite::Error> {
            let kind: i64 = self.db.query_row("PRAGMA auto_vacuum", [], |row| row.get(0))?;
            if kind == 0 {
                // A file of an earlier version: it takes the setting by being written anew, once.
                return self.db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
            }
            self.db.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))
        };
        run().map_err(self.store())
    }
}

/// Every hash that a receipt, a tree or a checkpoint names: 64 hexadecimal digits are one, whatever they stand for.
fn named_hashes(db: &rusqlite::Connection) -> Result<BTreeSet<String>, rusqlite::Error> {
    let mut named = BTreeSet::new();
    for table in ["receipts", "trees", "checkpoints"] {
        let mut query = db.prepare(&format!("SELECT body FROM {table}"))?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let body = row.get_ref(0)?.as_str()?;
            let words = body.split(|c: char| !c.is_ascii_hexdigit());
            named.extend(words.filter(|word| word.len() == 64).map(str::to_owned));
        }
    }
    Ok(named)
}

/// A whole file or none, durable when this returns.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    disk::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    disk::replace(path, bytes)?;
    disk::sync_folder(path)
}

#[cfg(test)]
mod tests {
    use super::super::{Batch, Record};
    use super::*;
    use crate::mission::Event;

    fn journal(root: &Path) -> Journal {
        let mut journal = Journal::open(root).unwrap();
        let shared = (hash(b"shared"), b"shared".to_vec());
        for id in ["m1", "m2"] {
            let mission = MissionId(id.into());
            let own = (hash(id.as_bytes()), id.as_bytes().to_vec());
            let event = |seq| Record { mission: mission.clone(), seq, at: 7, event: Event::Woken };
            let closed = [(mission.clone(), true)];
            let records = [event(0), event(1)];
            journal.commit(&Batch { records: &records, closed: &closed, letters: &[] }).unwrap();
            let body = format!("{{\"files\":[\"{}\",\"{}\"]}}", shared.0, own.0);
            journal.put_receipt(&mission, 1, &body, &[shared.clone(), own]).unwrap();
        }
        journal
    }

    #[test]
    fn an_archived_mission_is_whole_and_out_of_the_way() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = journal(root.path());
        let (m1, m2) = (MissionId("m1".into()), MissionId("m2".into()));
        let receipts = journal.receipts(&m1).unwrap();
        journal.archive(root.path(), &m1, serde_json::json!({"goal": "g"})).unwrap();
        assert_eq!(archived(root.path()).unwrap(), std::slice::from_ref(&m1));
        let read = read_archived(root.path(), &m1).unwrap().unwrap();
        assert_eq!((read.receipts, read.events.len()), (receipts, 2));
        assert_eq!(read.view["goal"], "g");
        assert_eq!(journal.missions().unwrap().len(), 1);
        assert!(journal.events(&m1, 0).unwrap().is_empty());
        assert_eq!(journal.events(&m2, 0).unwrap().len(), 2);
        assert!(!journal.has_bytes(&hash(b"m1")).unwrap(), "nothing names them any more");
        assert!(journal.has_bytes(&hash(b"m2")).unwrap());
        assert!(journal.has_bytes(&hash(b"shared")).unwrap());
        assert_eq!(read_archived(root.path(), &m2).unwrap(), None);
    }

    #[test]
    fn a_changed_archive_is_known() {
        let root = tempfile::tempdir().unwrap();
        let mission = MissionId("m1".into());
        journal(root.path()).archive(root.path(), &mission, serde_json::json!(1)).unwrap();
        let path = path(root.path(), "m1");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("files", "fiels", 1)).unwrap();
        assert!(read_archived(root.path(), &mission).unwrap_err().is_damage());
        let outside = MissionId("../m1".into());
        assert_eq!(read_archived(root.path(), &outside).unwrap(), None);
    }
}
