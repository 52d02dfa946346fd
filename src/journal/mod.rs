//! The durable log: every event of every mission, the receipts with the bytes they name, and the inbox through which
//! other processes speak to the one that runs the missions.
//!
//! SQLite in WAL mode with full synchronisation: what [`Journal::append`] has answered survives a kill and a power cut.
//! The module stores and gives back; it does not know what an event means.

mod points;
mod schema;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::disk;
use crate::mission::{Event, MissionId};

/// Where the journal lies, relative to the workspace.
pub const PATH: &str = ".opencode/journal.db";

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    db: Connection,
    path: PathBuf,
}

/// Why the journal could not be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder cannot be made or written.
    #[error("failed to open the journal {path}: {source}; make the folder writable")]
    Folder {
        /// The journal's path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("failed to use the journal {path}: {source}")]
    Store {
        /// The journal's path.
        path: PathBuf,
        /// Why: full disk, read-only, damaged.
        source: rusqlite::Error,
    },
    /// It was written by a newer version.
    #[error(
        "the journal {path} has format {found}, newer than this version's {known}; update orchestrator"
    )]
    Newer {
        /// The journal's path.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// A record is not what was written.
    #[error("the journal {path} holds a record that cannot be read: {what}")]
    Damaged {
        /// The journal's path.
        path: PathBuf,
        /// Which, and why.
        what: String,
    },
}

/// One event, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its mission.
    pub mission: MissionId,
    /// Its place in the mission, from 0.
    pub seq: u64,
    /// Milliseconds since the epoch.
    pub at: u64,
    /// The event.
    pub event: Event,
}

/// A mission as the journal lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissionRow {
    /// Its id.
    pub id: MissionId,
    /// Whether it needs no more attention: sealed, exhausted, cancelled, failed or blocked.
    pub closed: bool,
}

/// A letter from another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its number.
    pub id: i64,
    /// JSON, as it was posted.
    pub body: String,
}

impl Journal {
    /// Opens or creates the journal of the workspace at `root`.
    ///
    /// # Errors
    /// When the folder cannot be written, the file is no journal, or it is newer than this version.
    pub fn open(root: &Path) -> Result<Journal, JournalError> {
        let path = root.join(PATH);
        let folder = path.parent().unwrap_or(root);
        disk::create_dir_all(folder)
            .and_then(|()| ignore(folder, &path))
            .map_err(|source| JournalError::Folder { path: path.clone(), source })?;
        points::watch();
        let db = Connection::open(&path)
            .map_err(|source| JournalError::Store { path: path.clone(), source })?;
        let mut journal = Journal { db, path };
        schema::prepare(&mut journal)?;
        Ok(journal)
    }

    /// Opens an existing journal for reading; `None` when the workspace has none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open_existing(root: &Path) -> Result<Option<Journal>, JournalError> {
        let path = root.join(PATH);
        if !path.exists() {
            return Ok(None);
        }
        points::watch();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags)
            .map_err(|source| JournalError::Store { path: path.clone(), source })?;
        let mut journal = Journal { db, path };
        schema::prepare(&mut journal)?;
        Ok(Some(journal))
    }

    fn store(&self) -> impl Fn(rusqlite::Error) -> JournalError + use<> {
        let path = self.path.clone();
        move |source| JournalError::Store { path: path.clone(), source }
    }

    fn damaged(&self, what: impl std::fmt::Display) -> JournalError {
        JournalError::Damaged { path: self.path.clone(), what: what.to_string() }
    }

    /// Writes `records` in one transaction, durable when this returns.
    ///
    /// # Errors
    /// When they could not be written; then none was.
    pub fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let error = self.store();
        let mut write = || -> Result<(), rusqlite::Error> {
            let transaction = self.db.transaction()?;
            {
                let mut event = transaction.prepare_cached(
                    "INSERT INTO events (mission, seq, at, body) VALUES (?1, ?2, ?3, ?4)",
                )?;
                let mut mission = transaction
                    .prepare_cached("INSERT INTO missions (id, closed) VALUES (?1, 0)")?;
                for record in records {
                    if record.seq == 0 {
                        mission.execute([&record.mission.0])?;
                    }
                    let body = serde_json::to_string(&record.event)
                        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
                    event.execute(params![
                        record.mission.0,
                        record.seq as i64,
                        record.at as i64,
                        body
                    ])?;
                }
            }
            transaction.commit()
        };
        write().map_err(error)
    }

    /// Notes whether a mission needs no more attention.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn set_closed(&mut self, mission: &MissionId, closed: bool) -> Result<(), JournalError> {
        self.db
            .execute("UPDATE missions SET closed = ?2 WHERE id = ?1", params![mission.0, closed])
            .map(|_| ())
            .map_err(self.store())
    }

    /// Every mission, the oldest first.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn missions(&self) -> Result<Vec<MissionRow>, JournalError> {
        let read = || {
            let mut query =
                self.db.prepare_cached("SELECT id, closed FROM missions ORDER BY rowid")?;
            let rows = query.query_map([], |row| {
                Ok(MissionRow { id: MissionId(row.get(0)?), closed: row.get(1)? })
            })?;
            rows.collect::<Result<_, rusqlite::Error>>()
        };
        read().map_err(self.store())
    }

    /// The events of a mission from `from` on, in order.
    ///
    /// # Errors
    /// When they could not be read, or one is not what was written.
    pub fn events(&self, mission: &MissionId, from: u64) -> Result<Vec<Record>, JournalError> {
        let read = || -> Result<Vec<(i64, i64, String)>, rusqlite::Error> {
            let mut query = self.db.prepare_cached(
                "SELECT seq, at, body FROM events WHERE mission = ?1 AND seq >= ?2 ORDER BY seq",
            )?;
            let rows = query.query_map(params![mission.0, from as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect()
        };
        let mut records = Vec::new();
        for (seq, at, body) in read().map_err(self.store())? {
            let event = serde_json::from_str(&body)
                .map_err(|e| self.damaged(format!("event {seq} of {mission}: {e}")))?;
            let expected = from + records.len() as u64;
            if seq as u64 != expected {
                return Err(self.damaged(format!("event {expected} of {mission} is missing")));
            }
            records.push(Record {
                mission: mission.clone(),
                seq: seq as u64,
                at: at as u64,
                event,
            });
        }
        Ok(records)
    }

    /// Keeps a link of a mission's receipt chain, and the bytes that it allows to be applied, durable when this
    /// returns. `bytes` are found again by their hash.
    ///
    /// # Errors
    /// When they could not be written; then nothing was.
    pub fn put_receipt(
        &mut self,
        mission: &MissionId,
        seq: u64,
        body: &str,
        bytes: &[(String, Vec<u8>)],
    ) -> Result<(), JournalError> {
        let error = self.store();
        let mut write = || -> Result<(), rusqlite::Error> {
            let transaction = self.db.transaction()?;
            transaction.execute(
                "INSERT OR REPLACE INTO receipts (mission, seq, body) VALUES (?1, ?2, ?3)",
                params![mission.0, seq as i64, body],
            )?;
            keep(&transaction, bytes)?;
            transaction.commit()
        };
        write().map_err(error)
    }

    /// The receipts of a mission, in order, as the JSON that was kept.
    ///
    /// # Errors
    /// When they could not be read.
    pub fn receipts(&self, mission: &MissionId) -> Result<Vec<String>, JournalError> {
        let read = || {
            let mut query = self
                .db
                .prepare_cached("SELECT body FROM receipts WHERE mission = ?1 ORDER BY seq")?;
            let rows = query.query_map([&mission.0], |row| row.get(0))?;
            rows.collect::<Result<_, rusqlite::Error>>()
        };
        read().map_err(self.store())
    }

    /// Keeps what is needed to build the tree of a receipt again, durable when this returns; what is kept for later
    /// receipts of the mission is forgotten. `bytes` are found again by their hash.
    ///
    /// # Errors
    /// When it could not be written; then nothing was.
    pub fn put_tree(
        &mut self,
        mission: &MissionId,
        seq: u64,
        body: &str,
        bytes: &[(String, Vec<u8>)],
    ) -> Result<(), JournalError> {
        let error = self.store();
        let mut write = || -> Result<(), rusqlite::Error> {
            let transaction = self.db.transaction()?;
            transaction.execute(
                "DELETE FROM trees WHERE mission = ?1 AND seq >= ?2",
                params![mission.0, seq as i64],
            )?;
            transaction.execute(
                "INSERT INTO trees (mission, seq, body) VALUES (?1, ?2, ?3)",
                params![mission.0, seq as i64, body],
            )?;
            keep(&transaction, bytes)?;
            transaction.commit()
        };
        write().map_err(error)
    }

    /// What was kept of the trees of a mission's receipts, by the receipts' numbers, in order.
    ///
    /// # Errors
    /// When they could not be read.
    pub fn trees(&self, mission: &MissionId) -> Result<Vec<(u64, String)>, JournalError> {
        let read = || {
            let mut query = self
                .db
                .prepare_cached("SELECT seq, body FROM trees WHERE mission = ?1 ORDER BY seq")?;
            let rows = query.query_map([&mission.0], |row| {
                let seq: i64 = row.get(0)?;
                Ok((seq as u64, row.get(1)?))
            })?;
            rows.collect::<Result<_, rusqlite::Error>>()
        };
        read().map_err(self.store())
    }

    /// Keeps what is known of files before they are touched, durable when this returns. `bytes` are found again by
    /// their hash.
    ///
    /// # Errors
    /// When it could not be written; then nothing was.
    pub fn put_checkpoint(
        &mut self,
        mission: &MissionId,
        name: &str,
        body: &str,
        bytes: &[(String, Vec<u8>)],
    ) -> Result<(), JournalError> {
        let error = self.store();
        let mut write = || -> Result<(), rusqlite::Error> {
            let transaction = self.db.transaction()?;
            transaction.execute(
                "INSERT OR REPLACE INTO checkpoints (mission, name, body) VALUES (?1, ?2, ?3)",
                params![mission.0, name, body],
            )?;
            keep(&transaction, bytes)?;
            transaction.commit()
        };
        write().map_err(error)
    }

    /// A checkpoint of a mission.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn checkpoint(
        &self,
        mission: &MissionId,
        name: &str,
    ) -> Result<Option<String>, JournalError> {
        let query = "SELECT body FROM checkpoints WHERE mission = ?1 AND name = ?2";
        self.db
            .query_row(query, params![mission.0, name], |row| row.get(0))
            .optional()
            .map_err(self.store())
    }

    /// Forgets a checkpoint: nothing was touched after all.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn drop_checkpoint(&mut self, mission: &MissionId, name: &str) -> Result<(), JournalError> {
        let query = "DELETE FROM checkpoints WHERE mission = ?1 AND name = ?2";
        self.db.execute(query, params![mission.0, name]).map(|_| ()).map_err(self.store())
    }

    /// Whether bytes with that hash are kept.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn has_bytes(&self, hash: &str) -> Result<bool, JournalError> {
        self.db
            .prepare_cached("SELECT 1 FROM blobs WHERE hash = ?1")
            .and_then(|mut query| query.exists([hash]))
            .map_err(self.store())
    }

    /// The bytes with that hash.
    ///
    /// # Errors
    /// When they could not be read.
    pub fn bytes(&self, hash: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.db
            .query_row("SELECT bytes FROM blobs WHERE hash = ?1", [hash], |row| row.get(0))
            .optional()
            .map_err(self.store())
    }

    /// Puts a letter into the inbox of the process that runs the missions.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn post(&mut self, body: &str) -> Result<(), JournalError> {
        self.db
            .execute("INSERT INTO inbox (body) VALUES (?1)", [body])
            .map(|_| ())
            .map_err(self.store())
    }

    /// The letters that were posted, the oldest first. They stay until [`Journal::discard`].
    ///
    /// # Errors
    /// When they could not be read.
    pub fn letters(&self) -> Result<Vec<Letter>, JournalError> {
        let read = || {
            let mut query = self.db.prepare_cached("SELECT id, body FROM inbox ORDER BY id")?;
            let rows =
                query.query_map([], |row| Ok(Letter { id: row.get(0)?, body: row.get(1)? }))?;
            rows.collect::<Result<_, rusqlite::Error>>()
        };
        read().map_err(self.store())
    }

    /// Takes a letter out of the inbox.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn discard(&mut self, letter: i64) -> Result<(), JournalError> {
        self.db
            .execute("DELETE FROM inbox WHERE id = ?1", [letter])
            .map(|_| ())
            .map_err(self.store())
    }

    /// A number that changes whenever another connection has written.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn foreign_version(&self) -> Result<i64, JournalError> {
        self.db.query_row("PRAGMA data_version", [], |row| row.get(0)).map_err(self.store())
    }
}

/// What of `.opencode/` is no business of version control.
const IGNORED: &str = "# Written by orchestrator: its journal and locks.\njournal.db*\nowner.lock\nmission_loop.json\narchive/\n";

/// Tells version control what is none of its business, where no journal was ever made; what stands there is left alone.
fn ignore(folder: &Path, journal: &Path) -> std::io::Result<()> {
    let file = folder.join(".gitignore");
    if journal.exists() || file.exists() {
        return Ok(());
    }
    disk::replace(&file, IGNORED.as_bytes())
}

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(10);

/// Keeps bytes by their hash, each once.
fn keep(
    transaction: &rusqlite::Transaction<'_>,
    bytes: &[(String, Vec<u8>)],
) -> Result<(), rusqlite::Error> {
    for (hash, bytes) in bytes {
        transaction.execute(
            "INSERT OR IGNORE INTO blobs (hash, bytes) VALUES (?1, ?2)",
            params![hash, bytes],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::Command;

    fn record(seq: u64) -> Record {
        Record {
            mission: MissionId("m1".into()),
            seq,
            at: 1_000 + seq,
            event: Event::Commanded { command: Command::Pause },
        }
    }

    #[test]
    fn what_was_written_is_read_back_by_another_connection() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        journal.append(&[record(0), record(1)]).unwrap();
        journal
            .put_receipt(&MissionId("m1".into()), 1, "{}", &[("h".into(), b"bytes".to_vec())])
            .unwrap();
        let other = Journal::open_existing(root.path()).unwrap().unwrap();
        let before = other.foreign_version().unwrap();
        journal.append(&[record(2)]).unwrap();
        assert_ne!(other.foreign_version().unwrap(), before);
        assert_eq!(other.events(&MissionId("m1".into()), 1).unwrap(), [record(1), record(2)]);
        assert_eq!(other.bytes("h").unwrap().unwrap(), b"bytes");
        assert_eq!(other.missions().unwrap().len(), 1);
    }

    #[test]
    fn a_tree_kept_anew_forgets_those_after_it() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        let mission = MissionId("m1".into());
        for seq in 1..=3 {
            journal.put_tree(&mission, seq, "old", &[("h".into(), b"bytes".to_vec())]).unwrap();
        }
        journal.put_tree(&mission, 2, "new", &[]).unwrap();
        let kept = [(1, "old".to_owned()), (2, "new".to_owned())];
        assert_eq!(journal.trees(&mission).unwrap(), kept);
        assert!(journal.has_bytes("h").unwrap() && !journal.has_bytes("i").unwrap());
    }

    #[test]
    fn an_event_cannot_be_written_twice() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        journal.append(&[record(0)]).unwrap();
        assert!(journal.append(&[record(1), record(0)]).is_err());
        assert_eq!(journal.events(&MissionId("m1".into()), 0).unwrap().len(), 1);
    }

    #[test]
    fn letters_wait_until_they_are_discarded() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        journal.post("a").unwrap();
        journal.post("b").unwrap();
        let letters = journal.letters().unwrap();
        journal.discard(letters[0].id).unwrap();
        assert_eq!(journal.letters().unwrap()[0].body, "b");
    }

    #[test]
    fn a_file_that_is_no_journal_is_an_error_and_stays() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".opencode")).unwrap();
        std::fs::write(
            root.path().join(PATH),
            "not a database, but long enough to be looked at".repeat(9),
        )
        .unwrap();
        assert!(matches!(Journal::open(root.path()), Err(JournalError::Store { .. })));
        assert!(std::fs::read_to_string(root.path().join(PATH)).unwrap().starts_with("not a"));
    }
}
