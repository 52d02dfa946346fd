//! Receipts, the trees that they were proved on, and the bytes that they name.

use rusqlite::{OptionalExtension, Transaction, params};

use super::sum::{Kind, sum};
use super::{Journal, JournalError, MISMATCH};
use crate::mission::MissionId;

impl Journal {
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
        let of = sum(Kind::Receipt, &mission.0, seq as i64, 0, body);
        self.keep_with(bytes, |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO receipts (mission, seq, body, sum) VALUES (?1, ?2, ?3, ?4)",
                params![mission.0, seq as i64, body, of],
            )
        })
    }

    /// The receipts of a mission, in order, as the JSON that was kept.
    ///
    /// # Errors
    /// When they could not be read.
    pub fn receipts(&self, mission: &MissionId) -> Result<Vec<String>, JournalError> {
        let rows = self.summed(Kind::Receipt, "receipts", mission)?;
        Ok(rows.into_iter().map(|(_, body)| body).collect())
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
        let of = sum(Kind::Tree, &mission.0, seq as i64, 0, body);
        self.keep_with(bytes, |transaction| {
            transaction.execute(
                "DELETE FROM trees WHERE mission = ?1 AND seq >= ?2",
                params![mission.0, seq as i64],
            )?;
            transaction.execute(
                "INSERT INTO trees (mission, seq, body, sum) VALUES (?1, ?2, ?3, ?4)",
                params![mission.0, seq as i64, body, of],
            )
        })
    }

    /// What was kept of the trees of a mission's receipts, by the receipts' numbers, in order.
    ///
    /// # Errors
    /// When they could not be read.
    pub fn trees(&self, mission: &MissionId) -> Result<Vec<(u64, String)>, JournalError> {
        self.summed(Kind::Tree, "trees", mission)
    }

    fn summed(
        &self,
        kind: Kind,
        table: &'static str,
        mission: &MissionId,
    ) -> Result<Vec<(u64, String)>, JournalError> {
        let read = || -> Result<Vec<(i64, String, i64)>, rusqlite::Error> {
            let sql = format!("SELECT seq, body, sum FROM {table} WHERE mission = ?1 ORDER BY seq");
            let mut query = self.db.prepare_cached(&sql)?;
            let rows =
                query.query_map([&mission.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        };
        let mut all = Vec::new();
        for (seq, body, written) in read().map_err(self.store())? {
            if sum(kind, &mission.0, seq, 0, &body) != written {
                return Err(self.damaged(format!("{table} {seq} of {mission}: {MISMATCH}")));
            }
            all.push((seq as u64, body));
        }
        Ok(all)
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
        let of = sum_of_checkpoint(&mission.0, name, body);
        self.keep_with(bytes, |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO checkpoints (mission, name, body, sum) VALUES (?1, ?2, ?3, ?4)",
                params![mission.0, name, body, of],
            )
        })
    }

    /// A checkpoint of a mission.
    ///
    /// # Errors
    /// When it could not be read, or is not what was written.
    pub fn checkpoint(
        &self,
        mission: &MissionId,
        name: &str,
    ) -> Result<Option<String>, JournalError> {
        let query = "SELECT body, sum FROM checkpoints WHERE mission = ?1 AND name = ?2";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found: Option<(String, i64)> = self
            .db
            .query_row(query, params![mission.0, name], row)
            .optional()
            .map_err(self.store())?;
        match found {
            Some((body, written)) if sum_of_checkpoint(&mission.0, name, &body) != written => {
                Err(self.damaged(format!("checkpoint {name} of {mission}: {MISMATCH}")))
            }
            found => Ok(found.map(|(body, _)| body)),
        }
    }

    /// Forgets a checkpoint: nothing was touched after all.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn drop_checkpoint(&mut self, mission: &MissionId, name: &str) -> Result<(), JournalError> {
        let query = "DELETE FROM checkpoints WHERE mission = ?1 AND name = ?2";
        self.db.execute(query, params![mission.0, name]).map(|_| ()).map_err(self.store())
    }

    /// Keeps the state that the first `seq` events of a mission make, in the place of an earlier one.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn put_state(
        &mut self,
        mission: &MissionId,
        seq: u64,
        body: &str,
    ) -> Result<(), JournalError> {
        let of = sum(Kind::State, &mission.0, seq as i64, 0, body);
        self.keep_with(&[], |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO states (mission, seq, body, sum) VALUES (?1, ?2, ?3, ?4)",
                params![mission.0, seq as i64, body, of],
            )
        })
    }

    /// The newest state that was kept of a mission, and how many events it holds. It is a copy of what the events say:
    /// one that is not what was written is as good as none.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn state(&self, mission: &MissionId) -> Result<Option<(u64, String)>, JournalError> {
        let query = "SELECT seq, body, sum FROM states WHERE mission = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found: Option<(i64, String, i64)> =
            self.db.query_row(query, [&mission.0], row).optional().map_err(self.store())?;
        let holds = |(seq, body, of): &(i64, String, i64)| {
            sum(Kind::State, &mission.0, *seq, 0, body) == *of
        };
        Ok(found.filter(holds).map(|(seq, body, _)| (seq as u64, body)))
    }

    /// Writes a record and the bytes that it names, each once, in one transaction.
    fn keep_with(
        &mut self,
        bytes: &[(String, Vec<u8>)],
        record: impl FnOnce(&Transaction<'_>) -> Result<usize, rusqlite::Error>,
    ) -> Result<(), JournalError> {
        let error = self.store();
        let write = || -> Result<(), rusqlite::Error> {
            let transaction = self.db.transaction()?;
            record(&transaction)?;
            keep(&transaction, bytes)?;
            transaction.commit()
        };
        write().map_err(error)
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

    /// The bytes that are kept under that hash. Whoever uses them compares it with theirs, and says what that means.
    ///
    /// # Errors
    /// When they could not be read.
    pub fn bytes(&self, hash: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.db
            .query_row("SELECT bytes FROM blobs WHERE hash = ?1", [hash], |row| row.get(0))
            .optional()
            .map_err(self.store())
    }
}

/// A checkpoint has a name in the place of a number; the name is a part of what is summed.
pub(super) fn sum_of_checkpoint(mission: &str, name: &str, body: &str) -> i64 {
    sum(Kind::Checkpoint, mission, name.len() as i64, 0, &format!("{name}{body}"))
}

/// Keeps bytes by their hash, each once.
fn keep(transaction: &Transaction<'_>, bytes: &[(String, Vec<u8>)]) -> Result<(), rusqlite::Error> {
    let mut insert =
        transaction.prepare_cached("INSERT OR IGNORE INTO blobs (hash, bytes) VALUES (?1, ?2)")?;
    for (hash, bytes) in bytes {
        insert.execute(params![hash, bytes])?;
    }
    Ok(())
}
