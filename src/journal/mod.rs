//! The durable log: every event of every mission, the receipts with the bytes they name, and the inbox through which
//! other processes speak to the one that runs the missions.
//!
//! SQLite in WAL mode with full synchronisation: what [`Journal::commit`] has answered survives a kill and a power cut.
//! Every record has a checksum that is verified when it is read; bytes are kept by their hash. The module stores and
//! gives back; it does not know what an event means.

mod archive;
mod inbox;
mod kept;
mod pages;
mod points;
mod recover;
pub mod results;
mod rows;
mod salvage;
mod schema;
mod sum;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use self::sum::{Kind, sum};
use crate::disk;
use crate::mission::{Event, MissionId};

pub use archive::{Archived, archived, is_archived, read_archived};
pub use recover::{Loss, Settled, inspect, recover};
pub use rows::{PARCEL, Rows};

/// Where the journal lies, relative to the workspace.
pub const PATH: &str = ".opencode/journal.db";

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    db: Connection,
    path: PathBuf,
    /// Which file stood under that name just before it was opened.
    file: Option<FileId>,
}

/// What tells a file from another of the same name, on systems that let a file be replaced while it is open.
type FileId = (u64, u64);

#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn file_id(_path: &Path) -> Option<FileId> {
    None
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

impl JournalError {
    /// Whether what was written is not what is found: time to keep the file aside and recover what holds.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            JournalError::Damaged { .. } => true,
            JournalError::Store { source, .. } => match source {
                rusqlite::Error::SqliteFailure(error, _) => {
                    matches!(error.code, DatabaseCorrupt | NotADatabase)
                }
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..) => true,
                _ => false,
            },
            JournalError::Folder { .. } | JournalError::Newer { .. } => false,
        }
    }
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

/// What is written together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Batch<'a> {
    /// New events.
    pub records: &'a [Record],
    /// Missions that these events end, or open again, and whether they need no more attention now.
    pub closed: &'a [(MissionId, bool)],
    /// Letters that these events answer; they leave the inbox.
    pub letters: &'a [i64],
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
        Journal::at(&path)
    }

    /// Opens or creates a journal under any name.
    fn at(path: &Path) -> Result<Journal, JournalError> {
        let path = path.to_owned();
        points::watch();
        let file = file_id(&path);
        let db = Connection::open(&path)
            .map_err(|source| JournalError::Store { path: path.clone(), source })?;
        let mut journal = Journal { db, path, file };
        schema::prepare(&mut journal)?;
        Ok(journal)
    }

    /// A journal without a file, to stand in for one that is being replaced.
    ///
    /// # Errors
    /// When SQLite has no memory.
    pub fn stand_in() -> Result<Journal, JournalError> {
        Journal::at(Path::new(":memory:"))
    }

    /// Whether another file stands under the journal's name now: somebody has recovered it. What is written here then
    /// reaches nobody.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.file != file_id(&self.path)
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
        let file = file_id(&path);
        let db = Connection::open_with_flags(&path, flags)
            .map_err(|source| JournalError::Store { path: path.clone(), source })?;
        let mut journal = Journal { db, path, file };
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
        self.commit(&Batch { records, ..Batch::default() })
    }

    /// Writes all that a batch says in one transaction, durable when this returns: one flush to the disk, however many
    /// events wait together.
    ///
    /// # Errors
    /// When it could not be written; then nothing of it was.
    pub fn commit(&mut self, batch: &Batch<'_>) -> Result<(), JournalError> {
        let error = self.store();
        let mut write = || -> Result<(), rusqlite::Error> {
            let transaction = self.db.transaction()?;
            {
                let mut mission = transaction
                    .prepare_cached("INSERT INTO missions (id, closed) VALUES (?1, 0)")?;
                for record in batch.records {
                    if record.seq == 0 {
                        mission.execute([&record.mission.0])?;
                    }
                    put_event(&transaction, record)?;
                }
                let mut close =
                    transaction.prepare_cached("UPDATE missions SET closed = ?2 WHERE id = ?1")?;
                for (id, closed) in batch.closed {
                    close.execute(params![id.0, closed])?;
                }
                let mut discard = transaction.prepare_cached("DELETE FROM inbox WHERE id = ?1")?;
                for letter in batch.letters {
                    discard.execute([letter])?;
                }
            }
            transaction.commit()
        };
        write().map_err(error)
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

    /// How many events a mission has.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn count(&self, mission: &MissionId) -> Result<u64, JournalError> {
        self.db
            .query_row("SELECT max(seq) FROM events WHERE mission = ?1", [&mission.0], |row| {
                row.get::<_, Option<i64>>(0)
            })
            .map(|last| last.map_or(0, |last| last as u64 + 1))
            .map_err(self.store())
    }

    /// The stamp of a mission's last event.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn newest(&self, mission: &MissionId) -> Result<Option<u64>, JournalError> {
        let sql = "SELECT at FROM events WHERE mission = ?1 ORDER BY seq DESC LIMIT 1";
        self.db
            .query_row(sql, [&mission.0], |row| row.get::<_, i64>(0))
            .optional()
            .map(|at| at.map(|at| at as u64))
            .map_err(self.store())
    }

    /// The events of a mission from `from` on, in order.
    ///
    /// # Errors
    /// When they could not be read, or one is not what was written.
    pub fn events(&self, mission: &MissionId, from: u64) -> Result<Vec<Record>, JournalError> {
        let mut records = Vec::new();
        self.read_events(mission, from, |seq, at, event| {
            records.push(Record { mission: mission.clone(), seq, at, event });
        })?;
        Ok(records)
    }

    /// A number that changes whenever another connection has written.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn foreign_version(&self) -> Result<i64, JournalError> {
        // It is asked for many times a second.
        let ask = || self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0));
        ask().map_err(self.store())
    }
}

/// What of `.opencode/` is no business of version control.
const IGNORED: &str = "# Written by orchestrator: its journal and locks.\njournal.db*\nowner.lock\nmission_loop.json\narchive/\ndocs/\n";

/// How often it is tried beside others who try.
const TRIES: u32 = 100;

/// Tells version control what is none of its business, where no journal was ever made; what stands there is left alone.
fn ignore(folder: &Path, journal: &Path) -> std::io::Result<()> {
    use std::io::ErrorKind::{AlreadyExists, NotFound, PermissionDenied};
    let file = folder.join(".gitignore");
    let mut tries = 0;
    // Nobody owns a workspace yet that is opened for the first time: two processes may be at it at once, and get in
    // each other's way. One of them is through in the end, and all say the same.
    while !journal.exists() && !file.exists() {
        tries += 1;
        match disk::replace(&file, IGNORED.as_bytes()) {
            Err(error)
                if tries < TRIES
                    && matches!(error.kind(), AlreadyExists | NotFound | PermissionDenied) =>
            {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) if !file.exists() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(10);

fn put_event(
    transaction: &rusqlite::Transaction<'_>,
    record: &Record,
) -> Result<(), rusqlite::Error> {
    let (id, seq, at) = (&record.mission.0, record.seq as i64, record.at as i64);
    let body = serde_json::to_string(&record.event)
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    let of = sum(Kind::Event, id, seq, at, &body);
    transaction
        .prepare_cached(
            "INSERT INTO events (mission, seq, at, body, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![id, seq, at, body, of])
        .map(|_| ())
}

const MISMATCH: &str = "its checksum does not hold";

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
            .put_receipt(
                &MissionId("m1".into()),
                1,
                "{}",
                &[(sum::hash(b"bytes"), b"bytes".to_vec())],
            )
            .unwrap();
        let other = Journal::open_existing(root.path()).unwrap().unwrap();
        let before = other.foreign_version().unwrap();
        journal.append(&[record(2)]).unwrap();
        assert_ne!(other.foreign_version().unwrap(), before);
        assert_eq!(other.events(&MissionId("m1".into()), 1).unwrap(), [record(1), record(2)]);
        assert_eq!(other.bytes(&sum::hash(b"bytes")).unwrap().unwrap(), b"bytes");
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
    fn many_may_open_a_new_journal_in_the_same_instant() {
        for _ in 0..20 {
            let root = tempfile::tempdir().unwrap();
            let start = std::sync::Barrier::new(4);
            let open = || {
                start.wait();
                Journal::open(root.path()).map(drop)
            };
            std::thread::scope(|scope| {
                let all: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
                all.into_iter().for_each(|one| one.join().unwrap().unwrap());
            });
            let ignored = std::fs::read_to_string(root.path().join(".opencode/.gitignore"));
            assert_eq!(ignored.unwrap(), IGNORED);
            assert_eq!(
                std::fs::read_dir(root.path().join(".opencode"))
                    .unwrap()
                    .filter(|entry| {
                        entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp")
                    })
                    .count(),
                0
            );
        }
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
    fn a_record_that_was_changed_moved_or_taken_out_is_known() {
        let root = tempfile::tempdir().unwrap();
        let mission = MissionId("m1".into());
        for change in [
            "UPDATE events SET body = replace(body, 'pause', 'cancel') WHERE seq = 1",
            "UPDATE events SET at = at + 1 WHERE seq = 1",
            "DELETE FROM events WHERE seq = 1",
            "UPDATE events SET seq = 9 WHERE seq = 1; UPDATE events SET seq = 1 WHERE seq = 2",
            "UPDATE events SET body = x'ff', sum = 0 WHERE seq = 1",
        ] {
            let mut journal = Journal::open(root.path()).unwrap();
            journal.append(&[record(0), record(1), record(2)]).unwrap();
            journal.db.execute_batch(change).unwrap();
            let mut read = 0;
            let error = journal.read_events(&mission, 0, |_, _, _| read += 1).unwrap_err();
            assert!(error.is_damage() && error.to_string().contains("event 1"), "{error}");
            assert_eq!(read, 1, "{change}");
            journal.db.execute_batch("DELETE FROM events; DELETE FROM missions").unwrap();
        }
        let mut journal = Journal::open(root.path()).unwrap();
        journal.put_receipt(&mission, 1, "{}", &[]).unwrap();
        journal.db.execute_batch("UPDATE receipts SET body = '{ }'").unwrap();
        assert!(journal.receipts(&mission).unwrap_err().is_damage());
    }

    #[test]
    fn what_belongs_together_is_written_together() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        journal.append(&[record(0)]).unwrap();
        journal.post("a").unwrap();
        let letters = [journal.letters().unwrap()[0].id];
        let closed = [(MissionId("m1".into()), true)];
        let twice = Batch { records: &[record(0)], closed: &closed, letters: &letters };
        assert!(journal.commit(&twice).is_err());
        assert!(!journal.missions().unwrap()[0].closed && journal.letters().unwrap().len() == 1);
        journal.commit(&Batch { records: &[record(1)], ..twice }).unwrap();
        assert!(journal.missions().unwrap()[0].closed && journal.letters().unwrap().is_empty());
    }

    #[test]
    fn letters_wait_until_they_are_taken() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        journal.post("a").unwrap();
        journal.post("b").unwrap();
        let letters = journal.letters().unwrap();
        let taken = [letters[0].id];
        journal.commit(&Batch { letters: &taken, ..Batch::default() }).unwrap();
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
