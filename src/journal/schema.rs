//! The tables, and the steps from one format to the next.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, Transaction, params};

use super::sum::{Kind, sum};
use super::{BUSY, Journal, JournalError};

/// One step for each format; `user_version` counts those that were taken.
const STEPS: &[Step] = &[
    Step::Tables(
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
    ),
    Step::Tables(
        "
    CREATE TABLE trees (
        mission TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (mission, seq)
    ) WITHOUT ROWID;
",
    ),
    Step::Tables(
        "
    ALTER TABLE events ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE receipts ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE trees ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE inbox ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE losses (at INTEGER NOT NULL, kept TEXT NOT NULL, what TEXT NOT NULL);
",
    ),
    Step::Rows(sum_everything),
    Step::Tables(
        "
    CREATE TABLE checkpoints (
        mission TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, sum INTEGER NOT NULL,
        PRIMARY KEY (mission, name)
    ) WITHOUT ROWID;
",
    ),
    Step::Tables(
        "
    CREATE TABLE states (
        mission TEXT PRIMARY KEY, seq INTEGER NOT NULL, body TEXT NOT NULL, sum INTEGER NOT NULL
    ) WITHOUT ROWID;
",
    ),
];

enum Step {
    Tables(&'static str),
    Rows(fn(&Transaction<'_>) -> Result<(), rusqlite::Error>),
}

/// Sets the connection up and brings the file to the newest format.
pub(super) fn prepare(journal: &mut Journal) -> Result<(), JournalError> {
    let error = journal.store();
    let path = journal.path.clone();
    let db = &mut journal.db;
    let known = STEPS.len() as i64;
    let mut run = || -> Result<i64, rusqlite::Error> {
        db.busy_timeout(BUSY)?;
        // Only a file without tables takes this; for the others see `Journal::shrink`.
        db.pragma_update(None, "auto_vacuum", "incremental")?;
        write_ahead(db)?;
        db.pragma_update(None, "synchronous", "full")?;
        // What was taken out must not be found again when a damaged file is searched for records.
        db.pragma_update(None, "secure_delete", "on")?;
        let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        for step in STEPS.iter().skip(found.max(0) as usize) {
            match step {
                Step::Tables(sql) => transaction.execute_batch(sql)?,
                Step::Rows(change) => change(&transaction)?,
            }
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

/// Sets the log up. SQLite does not wait for another connection that does the same in this moment, so we do.
fn write_ahead(db: &Connection) -> Result<(), rusqlite::Error> {
    let began = Instant::now();
    loop {
        match db.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && began.elapsed() < BUSY =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
    }
}

/// Records of earlier versions get their checksums: what is damaged already cannot be told from what is not, but what
/// is damaged from now on can.
fn sum_everything(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    for (kind, table, at) in [
        (Kind::Event, "events", "at"),
        (Kind::Receipt, "receipts", "0"),
        (Kind::Tree, "trees", "0"),
    ] {
        let keys: Vec<(String, i64)> = transaction
            .prepare(&format!("SELECT mission, seq FROM {table}"))?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let key = "mission = ?1 AND seq = ?2";
        let mut read =
            transaction.prepare(&format!("SELECT {at}, body FROM {table} WHERE {key}"))?;
        let mut write = transaction.prepare(&format!("UPDATE {table} SET sum = ?3 WHERE {key}"))?;
        for (mission, seq) in keys {
            let of = read.query_row(params![mission, seq], |row| {
                Ok(sum(kind, &mission, seq, row.get(0)?, row.get_ref(1)?.as_str()?))
            })?;
            write.execute(params![mission, seq, of])?;
        }
    }
    let letters: Vec<(i64, String)> = transaction
        .prepare("SELECT id, body FROM inbox")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, body) in letters {
        let of = sum(Kind::Letter, "", 0, 0, &body);
        transaction.execute("UPDATE inbox SET sum = ?2 WHERE id = ?1", params![id, of])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Journal, PATH};
    use super::*;
    use crate::mission::{Command, Event, MissionId};

    /// A journal as the version of that format wrote it.
    fn written_by(format: usize) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".opencode")).unwrap();
        let db = rusqlite::Connection::open(root.path().join(PATH)).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        for step in &STEPS[..format] {
            let Step::Tables(sql) = step else { panic!("the early formats are tables alone") };
            db.execute_batch(sql).unwrap();
        }
        db.pragma_update(None, "user_version", format as i64).unwrap();
        db.execute_batch(
            "
            INSERT INTO missions VALUES ('m', 1);
            INSERT INTO events VALUES ('m', 0, 10, '{\"event\":\"woken\"}');
            INSERT INTO events VALUES ('m', 1, 11, '{\"event\":\"commanded\",\"command\":{\"command\":\"pause\"}}');
            INSERT INTO receipts VALUES ('m', 1, '{}');
            INSERT INTO inbox (body) VALUES ('letter');
        ",
        )
        .unwrap();
        if format > 1 {
            db.execute_batch("INSERT INTO trees VALUES ('m', 1, 'tree')").unwrap();
        }
        root
    }

    #[test]
    fn journals_of_earlier_formats_open_with_what_they_hold() {
        for format in [1, 2] {
            let root = written_by(format);
            for _ in 0..2 {
                let journal = Journal::open(root.path()).unwrap();
                let mission = MissionId("m".into());
                let records = journal.events(&mission, 0).unwrap();
                let told: Vec<_> = records.into_iter().map(|r| (r.at, r.event)).collect();
                let paused = Event::Commanded { command: Command::Pause };
                assert_eq!(told, [(10, Event::Woken), (11, paused)]);
                assert!(journal.missions().unwrap()[0].closed);
                assert_eq!(journal.receipts(&mission).unwrap(), ["{}"]);
                assert_eq!(journal.trees(&mission).unwrap().len(), format - 1);
                assert_eq!(journal.letters().unwrap()[0].body, "letter");
            }
        }
    }

    #[test]
    fn a_journal_of_a_later_version_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path()).unwrap();
        journal.db.pragma_update(None, "user_version", 99).unwrap();
        drop(journal);
        let error = Journal::open(root.path()).unwrap_err();
        assert!(matches!(error, JournalError::Newer { found: 99, .. }), "{error}");
        assert!(!error.is_damage());
    }
}
