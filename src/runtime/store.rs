//! Missions from and to the journal.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::recovery;
use crate::gate::report::receipt::Receipt;
use crate::journal::{self, Journal, JournalError, Rows};
use crate::mission::view::MissionView;
use crate::mission::{Event, Mission, MissionId, frozen, take};

/// How many ended missions are kept in sight.
const RECENT: usize = 20;

/// Milliseconds since the epoch. The wall clock is read once in a process and counted on from there by a clock that
/// nobody can set: a mission's waits and its wall time do not jump when the wall clock does.
pub(super) fn now_ms() -> u64 {
    static BEGIN: OnceLock<(u64, Instant)> = OnceLock::new();
    let (at, since) = BEGIN.get_or_init(|| (wall_ms(), Instant::now()));
    at.saturating_add(since.elapsed().as_millis() as u64)
}

/// The wall clock; 0 where it stands before the epoch.
fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// What a command can be known by, unique over processes.
pub fn new_mark() -> String {
    new_id().0
}

/// A new mission's id: ordered by time, unique over processes.
pub(super) fn new_id() -> MissionId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let unique = (u64::from(std::process::id()) << 8) ^ count;
    MissionId(format!("m{}-{}", base36(now_ms()), base36(unique)))
}

fn base36(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    loop {
        digits.push(DIGITS[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().map(|d| char::from(*d)).collect()
}

/// The journal, whoever else panicked while holding it: SQLite has its own transactions.
pub(super) fn locked(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The receipts of a mission so far.
pub(super) fn chain(journal: &Journal, mission: &MissionId) -> Result<Vec<Receipt>, String> {
    let texts = journal.receipts(mission).map_err(|e| e.to_string())?;
    texts.iter().map(|text| Receipt::from_json(text).map_err(|e| e.to_string())).collect()
}

/// How many parcels of events may wait between two threads.
const PARCELS: usize = 8;

/// A mission as its events make it, and the number of the next event.
///
/// # Errors
/// When the journal cannot be read.
pub fn fold(journal: &Journal, id: &MissionId) -> Result<(Mission, u64), JournalError> {
    let mut mission = Mission::new(id.clone());
    let count = journal.count(id)?;
    if count > journal::PARCEL as u64 {
        return fold_long(journal, id, count);
    }
    let next = journal.read_events(id, 0, |_, at, event| {
        let before = std::mem::replace(&mut mission, Mission::new(id.clone()));
        mission = take(before, at, event).0;
    })?;
    Ok((mission, next))
}

/// After how many events the state of a mission is kept again: seldom enough to cost nothing, and often enough that what
/// is left to be folded takes a few milliseconds.
pub const STATE_EVERY: u64 = if cfg!(test) { 16 } else { 4_096 };

/// Keeps the state of a mission, of which `seq` events are written.
///
/// # Errors
/// When the journal cannot be written.
pub fn keep_state(journal: &mut Journal, mission: &Mission, seq: u64) -> Result<(), JournalError> {
    match frozen::freeze(mission) {
        Ok(text) => journal.put_state(&mission.id, seq, &text),
        Err(error) => {
            tracing::warn!(%error, mission = %mission.id, "the state of a mission cannot be kept");
            Ok(())
        }
    }
}

/// The state of a mission that was kept last, and the number of events in it: none of the `count` that are there, where
/// no state was kept, or not by this version.
fn kept_state(
    journal: &Journal,
    id: &MissionId,
    count: u64,
) -> Result<(Mission, u64), JournalError> {
    let kept = journal.state(id)?.filter(|(seq, _)| *seq <= count);
    let thawed = kept.and_then(|(seq, text)| Some((frozen::thaw(&text)?, seq)));
    Ok(thawed.filter(|(m, _)| m.id == *id).unwrap_or_else(|| (Mission::new(id.clone()), 0)))
}

/// The rows are taken from the file on this thread, verified and read on a second, and folded on a third. All of them
/// are verified, so that damage is met here and not later; only those that the kept state lacks are read and folded.
fn fold_long(
    journal: &Journal,
    id: &MissionId,
    count: u64,
) -> Result<(Mission, u64), JournalError> {
    let (mission, from) = kept_state(journal, id, count)?;
    let (rows, parcels) = sync_channel::<Rows>(PARCELS);
    let (read, events) = sync_channel::<Vec<(u64, Event)>>(PARCELS);
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            for parcel in parcels {
                let mut events = Vec::new();
                parcel.read(from, |_, at, event| events.push((at, event)))?;
                // Who no longer listens has panicked, which is said below.
                let _ = read.send(events);
            }
            Ok(())
        });
        let folding = scope.spawn(move || {
            events.into_iter().flatten().fold(mission, |m, (at, event)| take(m, at, event).0)
        });
        // Whoever met damage does not listen either; that is said below as well.
        let next = journal.read_rows(id, 0, |parcel| drop(rows.send(parcel)));
        drop(rows);
        let mission = joined(folding);
        joined(reading).and(next).map(|next| (mission, next))
    })
}

/// What a thread came to; its panic is a panic here.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The missions to keep in sight: all that are open, and the newest that have ended; the oldest first.
///
/// # Errors
/// When the journal cannot be read.
pub fn in_sight(journal: &Journal) -> Result<Vec<MissionId>, JournalError> {
    let rows = journal.missions()?;
    let old = rows.iter().filter(|row| row.closed).count().saturating_sub(RECENT);
    let mut ended = 0;
    let mut ids = Vec::new();
    for row in rows {
        ended += usize::from(row.closed);
        if !row.closed || ended > old {
            ids.push(row.id);
        }
    }
    Ok(ids)
}

/// Which missions a face wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// All that are open, and the newest that have ended.
    Recent,
    /// Every one, archived ones first.
    All,
    /// One, wherever it is.
    One(&'a str),
    /// Those of a face's session, wherever they are, with all that is kept of their stories; see [`belongs`].
    Session(&'a str),
}

impl Seen<'_> {
    fn picks(self, id: &MissionId) -> bool {
        match self {
            Seen::One(one) => id.0 == one,
            Seen::Session(session) => belongs(id, session),
            Seen::Recent | Seen::All => true,
        }
    }
}

/// Whether a mission belongs to a session: its first mission has the session's name as id, the others continue it.
pub fn belongs(id: &MissionId, session: &str) -> bool {
    id.0.strip_prefix(session).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The missions of a workspace, read from its journal without taking part; none where there is no journal. A damaged
/// journal is recovered first, where nobody owns the workspace; see [`super::losses`].
///
/// # Errors
/// When the journal cannot be read.
pub fn load_views(root: &Path, seen: Seen<'_>) -> Result<Vec<MissionView>, JournalError> {
    let mut views = archived_views(root, seen)?;
    views.extend(recovery::opened(root, || read_views(root, seen))?);
    Ok(views)
}

fn read_views(root: &Path, seen: Seen<'_>) -> Result<Vec<MissionView>, JournalError> {
    let Some(journal) = Journal::open_existing(root)? else {
        return Ok(Vec::new());
    };
    let mut ids = match seen {
        Seen::Recent => in_sight(&journal)?,
        _ => journal.missions()?.into_iter().map(|row| row.id).collect(),
    };
    ids.retain(|id| seen.picks(id));
    let view = |id| {
        let mission = fold(&journal, id)?.0;
        let view = MissionView::of(&mission);
        Ok(match seen {
            Seen::Session(_) => MissionView { story: mission.story.into(), ..view },
            _ => view,
        })
    };
    ids.iter().map(view).collect()
}

/// An archive that cannot be read hides no other mission.
fn archived_views(root: &Path, seen: Seen<'_>) -> Result<Vec<MissionView>, JournalError> {
    let mut ids = if seen == Seen::Recent { Vec::new() } else { journal::archived(root)? };
    ids.retain(|id| seen.picks(id));
    let mut views = Vec::new();
    for id in ids {
        match journal::read_archived(root, &id) {
            Ok(archived) => {
                let view = archived.map(|archived| serde_json::from_value(archived.view));
                views.extend(view.and_then(Result::ok));
            }
            Err(error) => tracing::error!(%error, "an archived mission cannot be shown"),
        }
    }
    Ok(views)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Record;
    use crate::mission::{Command, Mode, RULES};

    fn events() -> impl Iterator<Item = Event> {
        let limits = crate::mission::fuel::Limits::default();
        let (goal, engine) = ("write a poem".to_owned(), "test".to_owned());
        let started = Event::Started { goal, mode: Mode::Task, engine, limits, rules: RULES };
        let told = (0..).map(|number| Event::Commanded {
            command: if number % 2 == 0 { Command::Pause } else { Command::Resume },
        });
        std::iter::once(started).chain(told)
    }

    /// A journal of a mission of that many events, of whose state a copy was kept at `kept`.
    fn journal(root: &Path, id: &MissionId, count: usize, kept: usize) -> Journal {
        let mut journal = Journal::open(root).unwrap();
        let mut mission = Mission::new(id.clone());
        for (seq, event) in events().take(count).enumerate() {
            let (seq, at) = (seq as u64, 1_000 + seq as u64);
            let record = Record { mission: id.clone(), seq, at, event: event.clone() };
            journal.append(&[record]).unwrap();
            mission = take(mission, at, event).0;
            if seq + 1 == kept as u64 {
                keep_state(&mut journal, &mission, seq + 1).unwrap();
            }
        }
        journal
    }

    #[test]
    fn a_mission_is_the_same_with_and_without_a_kept_state() {
        let id = MissionId("m".to_owned());
        let whole = tempfile::tempdir().unwrap();
        let expected = fold(&journal(whole.path(), &id, 600, 0), &id).unwrap();
        assert_eq!((expected.1, expected.0.told), (600, 600));
        for kept in [1, 255, 256, 257, 512, 599, 600] {
            let root = tempfile::tempdir().unwrap();
            assert_eq!(fold(&journal(root.path(), &id, 600, kept), &id).unwrap(), expected);
        }
    }

    #[test]
    fn a_kept_state_is_what_is_gone_on_from_and_one_that_does_not_fit_is_none() {
        let id = MissionId("m".to_owned());
        let root = tempfile::tempdir().unwrap();
        let mut journal = journal(root.path(), &id, 600, 0);
        let expected = fold(&journal, &id).unwrap();
        let (mut other, _) = expected.clone();
        other.goal = "from the kept state".to_owned();
        keep_state(&mut journal, &other, 500).unwrap();
        assert_eq!(fold(&journal, &id).unwrap().0.goal, "from the kept state");
        keep_state(&mut journal, &other, 601).unwrap();
        assert_eq!(fold(&journal, &id).unwrap(), expected, "it knows events that are not there");
        journal.put_state(&id, 500, "{}").unwrap();
        assert_eq!(fold(&journal, &id).unwrap(), expected, "another version wrote it");
        other.id = MissionId("n".to_owned());
        let text = frozen::freeze(&other).unwrap();
        journal.put_state(&id, 500, &text).unwrap();
        assert_eq!(fold(&journal, &id).unwrap(), expected, "it is another mission's");
    }

    #[test]
    fn damage_is_met_where_a_kept_state_hides_it() {
        let id = MissionId("m".to_owned());
        let root = tempfile::tempdir().unwrap();
        drop(journal(root.path(), &id, 600, 590));
        let db = rusqlite::Connection::open(root.path().join(journal::PATH)).unwrap();
        db.execute_batch("UPDATE events SET at = at + 1 WHERE seq = 7").unwrap();
        let journal = Journal::open(root.path()).unwrap();
        let error = fold(&journal, &id).unwrap_err();
        assert!(error.is_damage() && error.to_string().contains("event 7"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_loop_keeps_the_state_of_a_long_mission() {
        use crate::runtime::{Handle, Settings};
        let root = tempfile::tempdir().unwrap();
        let handle = Handle::open(root.path(), Settings::default(), None).unwrap();
        let id = handle.start("write a poem", Mode::Plan).unwrap();
        for finding in 0..3 * STATE_EVERY as u32 {
            let command = Command::DismissFinding { finding, reason: "none".to_owned() };
            handle.command(&id, command).unwrap();
        }
        handle.stop();
        let journal = Journal::open(root.path()).unwrap();
        let (seq, _) = journal.state(&id).unwrap().expect("a state was kept");
        assert!(seq >= STATE_EVERY && seq <= journal.count(&id).unwrap());
        assert_eq!(kept_state(&journal, &id, seq).unwrap().1, seq);
    }

    #[test]
    fn ids_differ() {
        let ids: std::collections::BTreeSet<_> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert_eq!(base36(0), "0");
        assert_eq!(base36(36 * 36 + 35), "10z");
    }
}
