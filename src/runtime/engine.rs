//! The loop. It runs on a thread of its own: takes what is in the mailbox, makes events of it, writes them, steps the
//! missions, and hands the effects out. Nothing it waits for can wait for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::board::{Board, Reached, Update};
use super::dispatch::Dispatcher;
use super::editors::Editors;
use super::keeper::Keeper;
use super::known::Known;
use super::pace::Pace;
use super::perform::Performer;
use super::projection::Projection;
use super::remember::Memory;
use super::spans::Spans;
use super::store::locked;
use super::{
    Editor, Handle, Letter, Mail, Refused, Second, Settings, StartError, Wake, attach, reconcile,
    recovery, store,
};
use crate::journal::{Batch, Journal, JournalError, Record};
use crate::mission::fuel::Limits;
use crate::mission::view::rank;
use crate::mission::{Command, Effect, Event, Mission, MissionId, Mode, RULES};

/// How often the inbox is looked at, and the clock.
const TICK: Duration = Duration::from_millis(50);
/// How long what is under way may take to end with the process.
const END_LIMIT: Duration = Duration::from_secs(3);
/// The most events that are written at once.
const BATCH: usize = 256;

pub(super) fn start(
    root: &Path,
    settings: Settings,
    editor: Option<Arc<dyn Editor>>,
) -> Result<Handle, StartError> {
    let journal = Arc::new(Mutex::new(recovery::opened(root, || Journal::open(root))?));
    let board = Arc::new(Board::new());
    let (mail, mailbox) = channel();
    let editors = Arc::new(Editors::new(root, editor));
    let performer = Performer::new(root, &settings, journal.clone(), editors.clone())?;
    let label = performer.engine().to_owned();
    let spans = Spans::new(&settings.models);
    let dispatcher = Dispatcher::new(Arc::new(performer), spans, mail.clone());
    let engine = Engine {
        journal,
        board: board.clone(),
        mailbox,
        dispatcher,
        projection: Projection::new(
            root,
            editors.clone(),
            tokio::runtime::Handle::current(),
            mail.clone(),
        ),
        pace: Pace::default(),
        keeper: Keeper::new(root.to_path_buf(), settings.keep),
        memory: Memory::new(root.to_path_buf()),
        missions: BTreeMap::new(),
        engine: label.clone(),
        limits: settings.limits.clone(),
        wake: settings.wake,
        second: settings.second,
        editors,
        tokio: tokio::runtime::Handle::current(),
        inbox_seen: 0,
        stopping: false,
    };
    let root = root.to_path_buf();
    let lock_root = root.clone();
    std::thread::Builder::new()
        .name("missions".to_owned())
        .spawn(move || run(engine, &lock_root))
        .map_err(StartError::Thread)?;
    Ok(Handle { mail, board, root, engine: label, second: settings.second })
}

/// The thread: attached while another process owns the workspace, the owner afterwards.
fn run(mut engine: Engine, root: &Path) {
    let board = engine.board.clone();
    let mut lock = None;
    guarded(&board, || {
        lock = attach::until_owner(&mut engine, root)?;
        if lock.is_some() { engine.own(root) } else { Ok(()) }
    });
    if !engine.end() {
        // What is still being applied is not to be met by another owner: the lock goes with the process.
        tracing::warn!("an effect did not end within {END_LIMIT:?}; the next process takes it up");
        std::mem::forget(lock.take());
    }
    drop(lock);
    board.reached(Reached::Stopped);
}

/// Whatever ends the loop is said to everybody who looks at the board; a panic is a defect, and no reason to be silent.
fn guarded(board: &Board, body: impl FnOnce() -> Result<(), JournalError>) {
    let why = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "internal error: the mission loop panicked; start it again".to_owned(),
    };
    tracing::error!(why, "the mission loop has stopped");
    board.halt(why);
}

/// The mission that the files show.
pub(super) fn newest(missions: &BTreeMap<MissionId, Known>) -> Option<&Known> {
    missions.values().max_by(|one, other| rank(&one.mission).cmp(&rank(&other.mission)))
}

/// What a person says wins over an outcome that came with it: nothing more is begun after a cancel or a pause.
fn people_first(mail: &mut [Mail]) {
    mail.sort_by_key(|one| matches!(one, Mail::Finished { .. } | Mail::Waits { .. }));
}

pub(super) struct Engine {
    pub journal: Arc<Mutex<Journal>>,
    pub board: Arc<Board>,
    pub mailbox: Receiver<Mail>,
    pub dispatcher: Dispatcher,
    pub projection: Projection,
    pub pace: Pace,
    pub keeper: Keeper,
    pub memory: Memory,
    pub missions: BTreeMap<MissionId, Known>,
    pub engine: String,
    pub limits: Limits,
    pub wake: Wake,
    pub second: Second,
    pub editors: Arc<Editors>,
    pub tokio: tokio::runtime::Handle,
    pub inbox_seen: i64,
    pub stopping: bool,
}

impl Engine {
    /// Ends all that is under way; whether nothing is left. With the engine go the servers that it has started.
    fn end(self) -> bool {
        self.dispatcher.end(END_LIMIT)
    }

    /// Runs until the process ends or the journal can no longer be written.
    fn own(&mut self, root: &Path) -> Result<(), JournalError> {
        self.take_up(root)?;
        while !self.stopping {
            let own = self.wait();
            // What was said before this process came is heard before what is said through it.
            let (mut mail, taken) = self.read_inbox()?;
            mail.extend(own);
            people_first(&mut mail);
            let mut events: Vec<(MissionId, Event)> = Vec::new();
            for one in mail {
                events.extend(self.event_of(one)?);
            }
            events.extend(self.overdue());
            self.happen_with(events, &taken)?;
            if self.pace.left().is_some_and(|left| left.is_zero()) {
                self.show_views();
            }
            self.take_edits()?;
            self.tidy()?;
        }
        if self.projection.is_behind() {
            self.show(&[]);
        }
        self.show_views();
        Ok(())
    }

    /// Takes up the missions that an earlier process left. A journal that turns out to be damaged is recovered first.
    fn take_up(&mut self, root: &Path) -> Result<(), JournalError> {
        match self.load_all() {
            Err(error) if error.is_damage() => {
                recovery::replace(&self.journal, root, &error)?;
                self.missions.clear();
                self.load_all()?;
            }
            other => other?,
        }
        self.tell_losses(root)?;
        // The files, too: whoever died after its last event may not have come to show it.
        let all: Vec<MissionId> = self.missions.keys().cloned().collect();
        self.show(&all);
        self.board.reached(Reached::Read);
        if self.wake == Wake::All {
            self.wake_all()?;
        }
        Ok(())
    }

    /// While nothing is under way, missions that have grown old leave the journal.
    fn tidy(&mut self) -> Result<(), JournalError> {
        if self.missions.values().any(Known::is_left_open) {
            return Ok(());
        }
        if let Some(id) = self.keeper.tidy(&mut locked(&self.journal))? {
            self.missions.remove(&id);
        }
        Ok(())
    }

    fn load_all(&mut self) -> Result<(), JournalError> {
        let ids = store::in_sight(&locked(&self.journal))?;
        ids.iter().try_for_each(|id| self.load(id))
    }

    fn tell_losses(&mut self, root: &Path) -> Result<(), JournalError> {
        let (losses, missing) = {
            let journal = locked(&self.journal);
            (journal.losses()?, recovery::missing(root, &journal)?)
        };
        losses.into_iter().for_each(|loss| self.board.keep_telling(loss.what));
        if let Some((id, is_known, lost)) = missing {
            if is_known {
                self.load(&id)?;
                self.happen(vec![(id, Event::Recovered { lost: lost.clone() })])?;
            }
            self.board.keep_telling(lost);
        }
        Ok(())
    }

    fn wake_all(&mut self) -> Result<(), JournalError> {
        let left = |known: &Known| known.mission.ended.is_none() || known.is_left_open();
        let open = self.missions.iter().filter(|(_, known)| left(known)).map(|(id, _)| id.clone());
        for id in open.collect::<Vec<_>>() {
            self.wake(&id, None)?;
        }
        Ok(())
    }

    /// Lets a mission go on that an earlier process left: what it had begun is begun again, or told to be unknown. One
    /// that is paused is left asleep, until it is resumed; only what was being applied is brought to its end.
    fn wake(&mut self, id: &MissionId, told: Option<&Command>) -> Result<(), JournalError> {
        let Some(known) = self.missions.get_mut(id).filter(|known| !known.awake) else {
            return Ok(());
        };
        known.awake = !known.mission.paused || told == Some(&Command::Resume);
        let (awake, begun) = (known.awake, &known.begun);
        let left: Vec<Effect> = known
            .mission
            .pending()
            .filter(|effect| !begun.contains(&effect.id) && (awake || effect.act.lands()))
            .collect();
        // Of other rules, it may seem to wait for nothing; then it is not left so.
        let is_stuck = awake && left.is_empty() && !known.mission.is_idle();
        if left.is_empty() && !is_stuck {
            return Ok(());
        }
        if awake {
            // Where it is only let end what it applies, nothing is asked again, and nothing is to be paid.
            self.happen(vec![(id.clone(), Event::Woken)])?;
        }
        let (lost, again): (Vec<_>, Vec<_>) = left
            .into_iter()
            .map(|effect| (reconcile::lost(&effect.act), effect))
            .partition(|(lost, _)| lost.is_some());
        self.hand_out(id, again.into_iter().map(|(_, effect)| effect));
        let told = lost.into_iter().filter_map(|(outcome, effect)| {
            Some((id.clone(), Event::Finished { effect: effect.id, outcome: outcome? }))
        });
        self.happen(told.collect())
    }

    /// Reads a mission from the journal, where it is not known yet.
    pub(super) fn load(&mut self, id: &MissionId) -> Result<(), JournalError> {
        if !self.missions.contains_key(id) {
            let (mission, seq) = store::fold(&locked(&self.journal), id)?;
            self.missions.insert(id.clone(), Known::new(mission, seq, false));
        }
        Ok(())
    }

    fn wait(&mut self) -> Vec<Mail> {
        let pause = self.pace.left().map_or(TICK, |left| left.min(TICK));
        let first = match self.mailbox.recv_timeout(pause) {
            Ok(mail) => mail,
            Err(RecvTimeoutError::Timeout) => return Vec::new(),
            Err(RecvTimeoutError::Disconnected) => Mail::Stop,
        };
        let rest = self.mailbox.try_iter().take(BATCH - 1);
        std::iter::once(first).chain(rest).collect()
    }

    /// Letters of other processes, with their numbers. They are discarded once what they say is written: a letter may
    /// be read twice after a crash, which changes nothing, but none is lost.
    fn read_inbox(&mut self) -> Result<(Vec<Mail>, Vec<i64>), JournalError> {
        let journal = locked(&self.journal);
        let version = journal.foreign_version()?;
        if version == self.inbox_seen {
            return Ok((Vec::new(), Vec::new()));
        }
        self.inbox_seen = version;
        let (mut mail, mut taken) = (Vec::new(), Vec::new());
        for letter in journal.letters()? {
            match serde_json::from_str(&letter.body) {
                Ok(read) => mail.push(Mail::Letter(read)),
                Err(error) => tracing::warn!(%error, "a letter in the inbox is not understood"),
            }
            taken.push(letter.id);
        }
        Ok((mail, taken))
    }

    fn event_of(&mut self, mail: Mail) -> Result<Option<(MissionId, Event)>, JournalError> {
        match mail {
            Mail::Letter(Letter::Start { mission, goal, mode }) => self.begin(mission, goal, mode),
            Mail::Letter(Letter::Command { mission, command }) => self.told(mission, command),
            Mail::Letter(Letter::Wake) => self.wake_all().map(|()| None),
            Mail::Finished { mission, effect, outcome } => {
                Ok(Some((mission, Event::Finished { effect, outcome })))
            }
            Mail::Remark { mission, text } => {
                let known = self.missions.get(&mission);
                let is_new = known.is_some_and(|known| known.mission.takes_remark(&text));
                Ok(is_new.then_some((mission, Event::Remarked { text })))
            }
            Mail::Waits { mission, effect, waits } => {
                // What has ended in the meantime waits for nothing.
                let known = self.missions.get(&mission);
                let is_pending = known.is_some_and(|known| known.mission.is_pending(effect));
                Ok(is_pending.then_some((mission, Event::Waits { effect, waits })))
            }
            Mail::Woven { who, text } => {
                let plan = self.newest().and_then(|known| known.mission.plan.clone());
                self.projection.edited(&who, text.as_deref(), plan.as_ref());
                Ok(None)
            }
            Mail::Stop => {
                self.stopping = true;
                Ok(None)
            }
        }
    }

    fn told(
        &mut self,
        id: MissionId,
        command: Command,
    ) -> Result<Option<(MissionId, Event)>, JournalError> {
        self.load(&id)?;
        let Some(known) = self.missions.get(&id).filter(|known| known.seq > 0 || known.awake)
        else {
            tracing::warn!(mission = %id, "a command for a mission that does not exist");
            self.missions.remove(&id);
            return Ok(None);
        };
        if matches!(command, Command::Cancel | Command::Pause) && !known.awake {
            // Nothing is begun only to be dropped; what is left then is what was being applied.
            self.happen(vec![(id.clone(), Event::Commanded { command })])?;
            self.wake(&id, None)?;
            return Ok(None);
        }
        // An interrupted mission is not begun again only because something of it is taken back.
        let takes_back = matches!(command, Command::Undo { .. } | Command::Redo { .. });
        let at_files = known.mission.pending().any(|effect| effect.act.lands());
        if !takes_back || known.awake || at_files {
            self.wake(&id, Some(&command))?;
        }
        Ok(Some((id, Event::Commanded { command })))
    }

    /// A mission begins once: the same letter read twice begins nothing. Whether it may is asked here once more: two
    /// processes may have begun one in the same moment.
    fn begin(
        &mut self,
        id: MissionId,
        goal: String,
        mode: Mode,
    ) -> Result<Option<(MissionId, Event)>, JournalError> {
        self.load(&id)?;
        if self.missions.get(&id).is_some_and(|known| known.seq > 0 || known.awake) {
            return Ok(None);
        }
        let other = self
            .missions
            .iter()
            .find(|(_, known)| (known.seq > 0 || known.awake) && known.mission.ended.is_none());
        let refused = other
            .filter(|_| self.second == Second::Refuse)
            .map(|(other, _)| Refused::Second(other.clone()).to_string());
        self.missions.insert(id.clone(), Known::new(Mission::new(id.clone()), 0, true));
        let (engine, limits) = (self.engine.clone(), self.limits.clone());
        let event = Event::Started { goal, mode, engine, limits, rules: RULES };
        let Some(reason) = refused else {
            return Ok(Some((id, event)));
        };
        let refusal = Event::Commanded { command: Command::Refuse { reason } };
        self.happen(vec![(id.clone(), event), (id, refusal)])?;
        Ok(None)
    }

    /// Missions whose wall-clock limit has struck.
    fn overdue(&self) -> Vec<(MissionId, Event)> {
        let now = store::now_ms();
        let late =
            |known: &Known| known.awake && known.mission.deadline().is_some_and(|at| at <= now);
        let overdue = self.missions.iter().filter(|(_, known)| late(known));
        overdue.map(|(id, _)| (id.clone(), Event::TimeUp)).collect()
    }

    fn happen(&mut self, events: Vec<(MissionId, Event)>) -> Result<(), JournalError> {
        self.happen_with(events, &[])
    }

    /// Events are durable before anything that they cause begins: all that wait, the letters that they answer and the
    /// ends that they bring are written together. Stepping a mission begins nothing; when the writing fails, the loop
    /// ends, and with it what was stepped.
    fn happen_with(
        &mut self,
        events: Vec<(MissionId, Event)>,
        letters: &[i64],
    ) -> Result<(), JournalError> {
        if events.is_empty() && letters.is_empty() {
            return Ok(());
        }
        let at = store::now_ms();
        let mut records = Vec::with_capacity(events.len());
        let mut closed = Vec::new();
        let mut effects = Vec::new();
        for (mission, event) in events {
            let Some(known) = self.missions.get_mut(&mission) else {
                continue;
            };
            let first = (!known.taken).then_some(Event::Taken { rules: RULES });
            known.taken = true;
            for event in first.into_iter().chain([event]) {
                let record = Record { mission: mission.clone(), seq: known.seq, at, event };
                known.seq += 1;
                let (begun, ended) = known.take(&record);
                effects.extend(begun.into_iter().map(|effect| (mission.clone(), effect)));
                closed.extend(ended.map(|ended| (mission.clone(), ended)));
                records.push(record);
            }
        }
        let batch = Batch { records: &records, closed: &closed, letters };
        locked(&self.journal).commit(&batch)?;
        self.keep_states(&records)?;
        for (mission, is_ended) in &closed {
            self.turn(mission, *is_ended);
        }
        let mut changed: Vec<MissionId> = Vec::new();
        for record in records {
            if !changed.contains(&record.mission) {
                changed.push(record.mission);
            }
        }
        let awake = changed.iter().filter_map(|id| self.missions.get(id)).filter(|k| k.awake);
        awake.for_each(|known| self.dispatcher.tell_of(&known.mission));
        for (mission, effect) in effects {
            self.hand_out(&mission, [effect]);
        }
        for known in changed.iter().filter_map(|id| self.missions.get(id)) {
            self.dispatcher.keep_sessions(&known.mission);
        }
        if !changed.is_empty() {
            self.show(&changed);
        }
        Ok(())
    }

    /// Of long missions the state is kept now and then, so that they are taken up at once.
    fn keep_states(&self, written: &[Record]) -> Result<(), JournalError> {
        let is_due = |record: &&Record| (record.seq + 1).is_multiple_of(store::STATE_EVERY);
        for record in written.iter().filter(is_due) {
            if let Some(known) = self.missions.get(&record.mission) {
                store::keep_state(&mut locked(&self.journal), &known.mission, known.seq)?;
            }
        }
        Ok(())
    }

    /// What watches a mission's end hears of it, or is made anew for a mission that goes on.
    fn turn(&mut self, mission: &MissionId, is_ended: bool) {
        if let Some(known) = self.missions.get_mut(mission) {
            match is_ended {
                true => known.stop.cancel(),
                false => known.stop = CancellationToken::new(),
            }
        }
    }

    fn hand_out(&mut self, id: &MissionId, effects: impl IntoIterator<Item = Effect>) {
        let Some(known) = self.missions.get_mut(id) else {
            return;
        };
        for effect in effects {
            // A later event of the same batch may have dropped it; and who is asleep begins only what it must bring to
            // its end, and the rest when it wakes.
            let is_due = known.awake || effect.act.lands();
            if is_due && known.mission.is_pending(effect.id) && known.begun.insert(effect.id) {
                self.dispatcher.begin(&known.mission, effect, &known.stop, &known.held.subscribe());
            }
        }
    }

    fn newest(&self) -> Option<&Known> {
        newest(&self.missions)
    }

    /// Looks at what a person writes into `todo.md`, and lets the mission that it shows take it.
    fn take_edits(&mut self) -> Result<(), JournalError> {
        if self.projection.is_due() {
            self.show(&[]);
        }
        let Some(known) = newest(&self.missions).filter(|known| known.seq > 0) else {
            return Ok(());
        };
        let id = known.mission.id.clone();
        for notice in self.projection.look(&known.mission) {
            self.board.tell(Update::Notice(notice));
        }
        match self.projection.edits(&known.mission) {
            Some(command) => self.happen(vec![(id, Event::Commanded { command })]),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_wins_over_an_outcome_that_came_before_it() {
        let mission = MissionId("m".into());
        let outcome = crate::mission::Outcome::Waited;
        let told = |command| Mail::Letter(Letter::Command { mission: mission.clone(), command });
        let finished = Mail::Finished { mission: mission.clone(), effect: 1, outcome };
        let mut mail = vec![finished, told(Command::Resume), told(Command::Cancel)];
        people_first(&mut mail);
        let is_cancel = |one: &Mail| {
            matches!(one, Mail::Letter(Letter::Command { command: Command::Cancel, .. }))
        };
        assert!(is_cancel(&mail[1]), "people's words stay in their order: {mail:?}");
        assert!(matches!(mail[2], Mail::Finished { .. }));
    }

    #[test]
    fn a_panic_of_the_loop_is_said_to_everybody() {
        let board = Board::new();
        guarded(&board, || Ok(()));
        assert_eq!(board.halted(), None);
        guarded(&board, || panic!("a defect"));
        assert!(board.halted().unwrap().contains("panicked"));
    }
}
