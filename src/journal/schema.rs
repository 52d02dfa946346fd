//! The tables, and the steps from one format to the next.

use super::{BUSY, Journal, JournalError};

/// One step for each format; `user_version` counts those that were taken.
const STEPS: &[&str] = &[
    "
    CREATE TABLE missions (id TEXT PRIMARY KEY, closed INTEGER NOT NULL);
    CREATE TABLE events (
        mission TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (mission, seq)
    ) WITHOUT ROWID;
    CREATE TABLE receipts (
        mission TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (mission, seq)
    ) WITHOUT ROWID;
    CREATE TABLE blobs (hash TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE inbox (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
",
    "
    CREATE TABLE trees (
        mission TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (mission, seq)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE checkpoints (
        mission TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (mission, name)
    ) WITHOUT ROWID;
",
];

/// Sets the connection up and brings the file to the newest format.
pub(super) fn prepare(journal: &mut Journal) -> Result<(), JournalError> {
    let error = journal.store();
    let path = journal.path.clone();
    let db = &mut journal.db;
    let known = STEPS.len() as i64;
    let mut run = || -> Result<i64, rusqlite::Error> {
        db.busy_timeout(BUSY)?;
        db.pragma_update(None, "journal_mode", "wal")?;
        db.pragma_update(None, "synchronous", "full")?;
        let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        for step in STEPS.iter().skip(found.max(0) as usize) {
            transaction.execute_batch(step)?;
        }
        if found < known {
            transaction.pragma_update(None, "user_version", known)?;
        }
        transaction.commit()?;
        Ok(found)
    };
    match run().map_err(error)? {
        found if found > known => Err(JournalError::Newer { path, found, known }),
        _ => Ok(()),
    }
}
