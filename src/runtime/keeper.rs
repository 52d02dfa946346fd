//! Keeps the journal small: missions that ended long ago, or that many have followed, are archived. One at a time, and
//! only while nothing is under way, so that nobody waits for it and nothing that is being proved loses its bytes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::settings::Keep;
use super::store;
use crate::journal::{Journal, JournalError};
use crate::mission::MissionId;
use crate::mission::view::MissionView;

/// How often it is looked whether missions have grown old.
const PAUSE: Duration = Duration::from_secs(60 * 60);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub(super) struct Keeper {
    root: PathBuf,
    keep: Keep,
    looked: Option<Instant>,
    /// Those that are to be archived, the oldest last.
    old: Vec<MissionId>,
}

impl Keeper {
    pub fn new(root: PathBuf, keep: Keep) -> Keeper {
        Keeper { root, keep, looked: None, old: Vec::new() }
    }

    /// Archives one mission that is old, if there is one, and answers with it. A mission that cannot be archived stays,
    /// and is tried again later.
    pub fn tidy(&mut self, journal: &mut Journal) -> Result<Option<MissionId>, JournalError> {
        if self.looked.is_none_or(|at| at.elapsed() >= PAUSE) {
            self.looked = Some(Instant::now());
            self.old = self.find(journal)?;
        }
        let Some(id) = self.old.pop() else {
            return Ok(None);
        };
        let mission = store::fold(journal, &id)?.0;
        if mission.ended.is_none() || mission.pending().next().is_some() {
            return Ok(None);
        }
        let view = serde_json::to_value(MissionView::of(&mission)).unwrap_or_default();
        match journal.archive(&self.root, &id, view) {
            Ok(()) => Ok(Some(id)),
            Err(error @ JournalError::Folder { .. }) => {
                tracing::warn!(%error, "a mission could not be archived");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn find(&self, journal: &Journal) -> Result<Vec<MissionId>, JournalError> {
        let ended: Vec<MissionId> =
            journal.missions()?.into_iter().filter(|row| row.closed).map(|row| row.id).collect();
        let many = ended.len().saturating_sub(self.keep.keep_missions);
        let oldest = store::now_ms().saturating_sub(self.keep.keep_days.saturating_mul(DAY_MS));
        let mut old = Vec::new();
        for (number, id) in ended.into_iter().enumerate() {
            if number < many || journal.newest(&id)?.is_some_and(|at| at < oldest) {
                old.push(id);
            }
        }
        old.reverse();
        Ok(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Batch, Record, archived};
    use crate::mission::{Command, Event, Mode};

    fn cancelled(journal: &mut Journal, name: &str, at: u64) {
        let mission = MissionId(name.into());
        let goal = "a goal".to_owned();
        let (engine, limits) = ("test".to_owned(), Default::default());
        let started = Event::Started { goal, mode: Mode::Task, engine, limits, rules: 0 };
        let events = [started, Event::Commanded { command: Command::Cancel }];
        let record = |(seq, event)| Record { mission: mission.clone(), seq, at, event };
        let records: Vec<Record> = (0..).zip(events).map(record).collect();
        let closed = [(mission.clone(), true)];
        journal.commit(&Batch { records: &records, closed: &closed, letters: &[] }).unwrap();
    }

    #[test]
    fn old_missions_and_those_that_many_have_followed_are_archived() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        let now = store::now_ms();
        for (name, at) in [("a", now), ("b", now - 40 * DAY_MS), ("c", now), ("d", now)] {
            cancelled(&mut journal, name, at);
        }
        let keep = Keep { keep_days: 30, keep_missions: 3 };
        let mut keeper = Keeper::new(root.path().to_owned(), keep);
        let mut done = Vec::new();
        while let Some(id) = keeper.tidy(&mut journal).unwrap() {
            done.push(id.0);
        }
        assert_eq!(done, ["a", "b"]);
        assert_eq!(archived(root.path()).unwrap().len(), 2);
        let views = store::load_views(root.path(), store::Seen::All).unwrap();
        let told: Vec<_> = views.iter().map(|v| (v.id.0.as_str(), v.state.as_str())).collect();
        assert_eq!(told, ["a", "b", "c", "d"].map(|id| (id, "cancelled")));
        assert_eq!(store::load_views(root.path(), store::Seen::One("b")).unwrap().len(), 1);
        assert_eq!(store::load_views(root.path(), store::Seen::Recent).unwrap().len(), 2);
    }
}
