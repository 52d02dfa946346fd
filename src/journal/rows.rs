//! Events out of the file, in parcels. Taking rows from SQLite is bound to the thread of its connection; verifying and
//! reading them is not, and costs more.

use std::path::PathBuf;

use rusqlite::params;

use super::sum::{Kind, sum};
use super::{Journal, JournalError, MISMATCH};
use crate::mission::{Event, MissionId};

/// How many events a parcel holds at most.
pub const PARCEL: usize = 256;

/// Some events of a mission as they stand in the file: in order, and neither verified nor read yet.
#[derive(Debug)]
pub struct Rows {
    path: PathBuf,
    mission: MissionId,
    /// The number that the first of them should have.
    first: u64,
    /// Their texts, one behind the other.
    texts: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    seq: i64,
    at: i64,
    sum: i64,
    /// Where its text ends.
    end: usize,
}

impl Rows {
    /// Verifies each event, and hands on those from number `from` with their numbers and stamps.
    ///
    /// # Errors
    /// When one is not what was written, or is missing; those before it are handed on all the same.
    pub fn read(
        &self,
        from: u64,
        mut each: impl FnMut(u64, u64, Event),
    ) -> Result<(), JournalError> {
        let mut begin = 0;
        for (next, row) in (self.first..).zip(&self.rows) {
            let text = self.texts.get(begin..row.end).unwrap_or_default();
            begin = row.end;
            let damaged =
                |why: String| self.damaged(format!("event {next} of {}: {why}", self.mission));
            if !row.holds(&self.mission, text) {
                return Err(damaged(MISMATCH.to_owned()));
            }
            if row.seq as u64 != next {
                return Err(self.damaged(format!("event {next} of {} is missing", self.mission)));
            }
            if next >= from {
                let event = Event::from_json(text).map_err(|e| damaged(e.to_string()))?;
                each(next, row.at as u64, event);
            }
        }
        Ok(())
    }

    fn damaged(&self, what: String) -> JournalError {
        JournalError::Damaged { path: self.path.clone(), what }
    }

    fn take(&mut self, row: &rusqlite::Row<'_>) -> Result<(), rusqlite::Error> {
        let (seq, at, sum) = (row.get(0)?, row.get(1)?, row.get(3)?);
        self.texts.push_str(row.get_ref(2)?.as_str()?);
        self.rows.push(Row { seq, at, sum, end: self.texts.len() });
        Ok(())
    }
}

impl Row {
    /// Whether it is what was written.
    fn holds(&self, mission: &MissionId, text: &str) -> bool {
        sum(Kind::Event, &mission.0, self.seq, self.at, text) == self.sum
    }
}

impl Journal {
    /// Hands the events of a mission from `from` on to `each`, in order, in parcels of [`PARCEL`]. Answers with the number
    /// of the next event. Of rows that SQLite cannot give, those before them are handed on all the same.
    ///
    /// # Errors
    /// When they could not be read.
    pub fn read_rows(
        &self,
        mission: &MissionId,
        from: u64,
        mut each: impl FnMut(Rows),
    ) -> Result<u64, JournalError> {
        let error = self.store();
        let sql =
            "SELECT seq, at, body, sum FROM events WHERE mission = ?1 AND seq >= ?2 ORDER BY seq";
        let mut query = self.db.prepare_cached(sql).map_err(&error)?;
        let mut found = query.query(params![mission.0, from as i64]).map_err(&error)?;
        let mut rows = self.empty(mission, from);
        loop {
            let next = rows.first + rows.rows.len() as u64;
            let taken = match found.next() {
                Ok(Some(row)) => rows
                    .take(row)
                    .map_err(|why| self.damaged(format!("event {next} of {mission}: {why}"))),
                Ok(None) => {
                    each(rows);
                    return Ok(next);
                }
                Err(source) => Err(error(source)),
            };
            if let Err(error) = taken {
                each(rows);
                return Err(error);
            }
            if rows.rows.len() == PARCEL {
                each(std::mem::replace(&mut rows, self.empty(mission, next + 1)));
            }
        }
    }

    /// At most [`PARCEL`] events of a mission from `from` on: for who reads a little at a time.
    ///
    /// # Errors
    /// When they could not be read.
    pub fn parcel(&self, mission: &MissionId, from: u64) -> Result<Rows, JournalError> {
        let error = self.store();
        let sql = "SELECT seq, at, body, sum FROM events WHERE mission = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
        let mut query = self.db.prepare_cached(sql).map_err(&error)?;
        let mut found =
            query.query(params![mission.0, from as i64, PARCEL as i64]).map_err(&error)?;
        let mut rows = self.empty(mission, from);
        while let Some(row) = found.next().map_err(&error)? {
            let next = from + rows.rows.len() as u64;
            let damaged = |why| self.damaged(format!("event {next} of {mission}: {why}"));
            rows.take(row).map_err(damaged)?;
        }
        Ok(rows)
    }

    fn empty(&self, mission: &MissionId, first: u64) -> Rows {
        let (path, mission) = (self.path.clone(), mission.clone());
        Rows { path, mission, first, texts: String::new(), rows: Vec::new() }
    }

    /// Hands the events of a mission from `from` on to `each`, in order, with their numbers and stamps. Answers with the
    /// number of the next event. Of events that cannot be read, those before them are handed on all the same.
    ///
    /// # Errors
    /// When they could not be read, or one is not what was written.
    pub fn read_events(
        &self,
        mission: &MissionId,
        from: u64,
        mut each: impl FnMut(u64, u64, Event),
    ) -> Result<u64, JournalError> {
        let mut held = Ok(());
        let next = self.read_rows(mission, from, |rows| {
            if held.is_ok() {
                held = rows.read(from, &mut each);
            }
        });
        // What was met first is said.
        held.and(next)
    }
}
