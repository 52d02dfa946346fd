//! The inbox: letters of other processes to the one that runs the missions.

use rusqlite::params;

use super::sum::{Kind, sum};
use super::{Journal, JournalError, Letter};

impl Journal {
    /// Puts a letter into the inbox of the process that runs the missions.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn post(&mut self, body: &str) -> Result<(), JournalError> {
        let of = sum(Kind::Letter, "", 0, 0, body);
        self.db
            .execute("INSERT INTO inbox (body, sum) VALUES (?1, ?2)", params![body, of])
            .map(|_| ())
            .map_err(self.store())
    }

    /// The letters that were posted, the oldest first. They stay until a [`super::Batch`] takes them out.
    ///
    /// # Errors
    /// When they could not be read. A letter whose checksum does not hold is given without a body.
    pub fn letters(&self) -> Result<Vec<Letter>, JournalError> {
        let read = || {
            let mut query =
                self.db.prepare_cached("SELECT id, body, sum FROM inbox ORDER BY id")?;
            let rows = query.query_map([], |row| {
                let (body, written): (String, i64) = (row.get(1)?, row.get(2)?);
                let holds = sum(Kind::Letter, "", 0, 0, &body) == written;
                Ok(Letter { id: row.get(0)?, body: if holds { body } else { String::new() } })
            })?;
            rows.collect::<Result<_, rusqlite::Error>>()
        };
        read().map_err(self.store())
    }
}
