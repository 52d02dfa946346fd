//! The observer: reads the journal as it grows and folds the missions in sight, a part at a time. It takes no lock, wakes
//! nobody and performs nothing; what a person says goes into the journal's inbox. Whether somebody hears it is theirs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::figures::Figures;
use crate::journal::{Journal, JournalError};
use crate::mission::view::{is_running, rank};
use crate::mission::{Command, Event, Mission, MissionId, take};
use crate::runtime::{self, in_sight};
use crate::workspace::lock::Holder;

/// How often it is looked who owns the workspace.
const OWNER: Duration = Duration::from_millis(500);

/// A mission that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub mission: Mission,
    pub figures: Figures,
    /// The number of its next event.
    next: u64,
    /// How many events are written of it.
    written: u64,
    /// Why it is read no further.
    pub broken: Option<String>,
}

impl Watched {
    pub fn new(id: MissionId) -> Watched {
        let (mission, figures) = (Mission::new(id), Figures::default());
        Watched { mission, figures, next: 0, written: 0, broken: None }
    }

    pub fn take(&mut self, at: u64, event: Event) {
        self.figures.see(at, &event);
        let empty = Mission::new(self.mission.id.clone());
        let (mission, effects) = take(std::mem::replace(&mut self.mission, empty), at, event);
        self.mission = mission;
        self.figures.begun(at, &effects, &self.mission);
        self.next += 1;
    }

    /// The part of its events that was read, in percent, while it is not all.
    pub fn read_percent(&self) -> Option<u64> {
        (self.next < self.written).then(|| self.next * 100 / self.written)
    }

    /// Reads the events that are new, until `until`; whether there were some, and whether there are more.
    fn read(&mut self, journal: &Journal, until: Instant) -> Result<(bool, bool), JournalError> {
        let before = self.next;
        if self.broken.is_some() {
            return Ok((false, false));
        }
        loop {
            let rows = journal.parcel(&self.mission.id, self.next)?;
            let (from, mut events) = (self.next, Vec::new());
            let read = rows.read(from, |_, at, event| events.push((at, event)));
            let is_last = events.len() < crate::journal::PARCEL;
            events.into_iter().for_each(|(at, event)| self.take(at, event));
            if let Err(error) = read {
                self.broken = Some(error.to_string());
                return Ok((true, false));
            }
            if is_last || Instant::now() >= until {
                return Ok((self.next > before, !is_last));
            }
        }
    }
}

/// What is seen.
#[derive(Debug)]
pub(super) struct World {
    pub root: PathBuf,
    /// The missions in sight, in the order in which they are shown.
    pub missions: Vec<Watched>,
    pub owner: Holder,
    /// Words to missions that nobody has taken yet.
    pub letters: usize,
    /// Why nothing can be read at present.
    pub trouble: Option<String>,
}

impl World {
    pub fn new(root: &Path) -> World {
        let (missions, trouble) = (Vec::new(), None);
        World { root: root.to_owned(), missions, owner: Holder::Unknown, letters: 0, trouble }
    }

    /// The mission with that id, else the one that a person most likely wants to see.
    pub fn shown(&self, chosen: Option<&MissionId>) -> Option<&Watched> {
        let chosen = self.missions.iter().find(|watched| Some(&watched.mission.id) == chosen);
        chosen.or_else(|| self.missions.first())
    }

    /// Whether something goes on, and time with it.
    pub fn is_live(&self) -> bool {
        self.owner != Holder::Nobody
            && self.missions.iter().any(|watched| is_running(&watched.mission))
    }

    /// What time it is for that mission: it stands still where nobody is at it.
    pub fn now(&self, mission: &Mission, clock: u64) -> u64 {
        match self.owner != Holder::Nobody && is_running(mission) {
            true => clock.max(mission.now),
            false => mission.now,
        }
    }

    /// Those that have not ended come first, then the newer ones.
    fn sort(&mut self) {
        self.missions.sort_by(|one, other| rank(&other.mission).cmp(&rank(&one.mission)));
    }
}

/// Reads a workspace's journal.
#[derive(Debug)]
pub(super) struct Observer {
    journal: Option<Journal>,
    /// What the journal's version was at the last look.
    version: Option<i64>,
    /// Whether the last look left something unread.
    has_more: bool,
    looked_for_owner: Option<Instant>,
    pub world: World,
}

impl Observer {
    pub fn new(root: &Path) -> Observer {
        let world = World::new(root);
        Observer { journal: None, version: None, has_more: false, looked_for_owner: None, world }
    }

    /// Looks for what is new, for about as long as `budget`; whether something is. What fails is shown, and tried again
    /// at the next look.
    pub fn look(&mut self, budget: Duration) -> bool {
        let owner = self.look_for_owner();
        match self.read(Instant::now() + budget) {
            Ok(is_new) => self.world.trouble.take().is_some() || is_new || owner,
            Err(error) => {
                self.journal = None;
                let trouble = words(&error);
                let is_known = self.world.trouble.as_deref() == Some(trouble.as_str());
                self.world.trouble = Some(trouble);
                !is_known || owner
            }
        }
    }

    /// Whether all that is written was read.
    pub fn has_all(&self) -> bool {
        !self.has_more
    }

    /// Puts a word to a mission into the inbox.
    ///
    /// # Errors
    /// When the journal cannot be written; in words.
    pub fn tell(&mut self, mission: &MissionId, command: Command) -> Result<(), String> {
        let journal = self.journal.as_mut().ok_or("the journal cannot be used at present")?;
        runtime::post(journal, mission, command).map_err(|error| error.to_string())?;
        // Nobody's change but our own, which is not told to us: it leaves with the next one.
        self.world.letters += 1;
        Ok(())
    }

    fn look_for_owner(&mut self) -> bool {
        if self.looked_for_owner.is_some_and(|at| at.elapsed() < OWNER) {
            return false;
        }
        self.looked_for_owner = Some(Instant::now());
        let owner = Holder::of(&self.world.root);
        std::mem::replace(&mut self.world.owner, owner) != owner
    }

    fn read(&mut self, until: Instant) -> Result<bool, JournalError> {
        if self.journal.as_ref().is_none_or(Journal::is_replaced) {
            self.journal = Journal::open_existing(&self.world.root)?;
            (self.version, self.has_more) = (None, false);
            self.world.missions.clear();
        }
        let Some(journal) = &self.journal else {
            return Ok(false);
        };
        let version = journal.foreign_version()?;
        if self.version == Some(version) && !self.has_more {
            return Ok(false);
        }
        let is_first = self.version.is_none();
        (self.version, self.has_more) = (Some(version), false);
        let letters = journal.letters()?.len();
        let mut is_new = std::mem::replace(&mut self.world.letters, letters) != letters;
        is_new |= meet(&mut self.world.missions, journal)? || is_first;
        for watched in &mut self.world.missions {
            let (news, more) = watched.read(journal, until)?;
            is_new |= news;
            self.has_more |= more;
        }
        self.world.sort();
        Ok(is_new)
    }
}

/// Takes new missions into sight, and those out of it that have left the journal.
fn meet(missions: &mut Vec<Watched>, journal: &Journal) -> Result<bool, JournalError> {
    let ids = in_sight(journal)?;
    let before = missions.len();
    missions.retain(|watched| ids.contains(&watched.mission.id));
    let mut is_new = missions.len() != before;
    for id in ids {
        if !missions.iter().any(|watched| watched.mission.id == id) {
            let written = journal.count(&id)?;
            missions.push(Watched { written, ..Watched::new(id) });
            is_new = true;
        }
    }
    Ok(is_new)
}

fn words(error: &JournalError) -> String {
    match error.is_damage() {
        true => format!("{error}; `orchestrator status` recovers what holds of it"),
        false => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{PARCEL, Record};
    use crate::mission::{Mode, RULES};

    /// A journal with a mission of so many events.
    fn journal(root: &Path, count: u64) -> (Journal, MissionId) {
        let mut journal = Journal::open(root).unwrap();
        let id = MissionId("m".to_owned());
        let limits = crate::mission::fuel::Limits::default();
        let (goal, engine) = ("write a poem".to_owned(), "test".to_owned());
        let started = Event::Started { goal, mode: Mode::Task, engine, limits, rules: RULES };
        let told = (0..).map(|number| Event::Commanded {
            command: if number % 2 == 0 { Command::Pause } else { Command::Resume },
        });
        let events = std::iter::once(started).chain(told).take(count as usize);
        let record = |(seq, event)| Record { mission: id.clone(), seq, at: 1_000 + seq, event };
        let records: Vec<Record> = (0..).zip(events).map(record).collect();
        journal.append(&records).unwrap();
        (journal, id)
    }

    #[test]
    fn a_long_mission_is_read_in_parts_and_comes_to_what_everybody_folds() {
        let root = tempfile::tempdir().unwrap();
        let (mut journal, id) = journal(root.path(), 700);
        let mut observer = Observer::new(root.path());
        assert!(observer.look(Duration::ZERO) && !observer.has_all());
        let part = observer.world.missions[0].read_percent();
        assert_eq!(part, Some(PARCEL as u64 * 100 / 700));
        while !observer.has_all() {
            observer.look(Duration::ZERO);
        }
        assert_eq!(observer.world.missions[0].mission, runtime::fold(&journal, &id).unwrap().0);
        assert!(!observer.look(Duration::ZERO), "nothing is new");
        let event = Event::Commanded { command: Command::Cancel };
        journal.append(&[Record { mission: id.clone(), seq: 700, at: 9_000, event }]).unwrap();
        assert!(observer.look(Duration::ZERO));
        assert_eq!(observer.world.missions[0].mission, runtime::fold(&journal, &id).unwrap().0);
        assert!(!root.path().join(".opencode/owner.lock").exists(), "no lock was tried");
    }

    #[test]
    fn what_is_said_is_a_letter_that_is_counted_until_it_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let (mut journal, id) = journal(root.path(), 3);
        let mut observer = Observer::new(root.path());
        assert!(observer.tell(&id, Command::Pause).is_err(), "nothing was read yet");
        observer.look(Duration::ZERO);
        observer.tell(&id, Command::Pause).unwrap();
        assert_eq!(observer.world.letters, 1);
        let letters = journal.letters().unwrap();
        assert!(letters[0].body.contains("pause") && letters[0].body.contains("\"m\""));
        let taken = [letters[0].id];
        let batch = crate::journal::Batch { letters: &taken, ..Default::default() };
        journal.commit(&batch).unwrap();
        assert!(observer.look(Duration::ZERO));
        assert_eq!(observer.world.letters, 0);
    }

    #[test]
    fn damage_is_said_and_hides_nothing_before_it() {
        let root = tempfile::tempdir().unwrap();
        let (written, _) = journal(root.path(), 9);
        let db = rusqlite::Connection::open(root.path().join(crate::journal::PATH)).unwrap();
        db.execute_batch("UPDATE events SET at = at + 1 WHERE seq = 5").unwrap();
        let mut observer = Observer::new(root.path());
        observer.look(Duration::ZERO);
        let watched = &observer.world.missions[0];
        assert!(watched.broken.as_ref().unwrap().contains("event 5"), "{:?}", watched.broken);
        assert_eq!((watched.mission.told, watched.next), (5, 5));
        // With the last of them goes the log, from which the file would be read all the same.
        drop((written, db, observer));
        std::fs::write(root.path().join(crate::journal::PATH), "no journal at all").unwrap();
        let mut observer = Observer::new(root.path());
        assert!(observer.look(Duration::ZERO));
        let trouble = observer.world.trouble.clone().unwrap();
        assert!(trouble.contains("`orchestrator status` recovers"), "{trouble}");
        assert!(!observer.look(Duration::ZERO), "the same trouble is no news");
    }

    #[cfg(unix)]
    #[test]
    fn a_journal_that_was_replaced_is_read_anew() {
        let root = tempfile::tempdir().unwrap();
        let (journal, _) = journal(root.path(), 3);
        let mut observer = Observer::new(root.path());
        observer.look(Duration::ZERO);
        assert_eq!(observer.world.missions.len(), 1);
        drop(journal);
        std::fs::write(root.path().join(crate::journal::PATH), "no journal at all").unwrap();
        crate::journal::recover(root.path(), "a test", &mut |_, _, _| Default::default()).unwrap();
        let event = Event::Commanded { command: Command::Pause };
        let record = Record { mission: MissionId("new".to_owned()), seq: 0, at: 1, event };
        Journal::open(root.path()).unwrap().append(&[record]).unwrap();
        assert!(observer.look(Duration::ZERO));
        assert!(observer.world.missions.iter().any(|watched| watched.mission.id.0 == "new"));
    }
}
