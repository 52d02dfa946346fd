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
use crate::mission::{Event, Mission, MissionId, take};

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
    if journal.count(id)? > journal::PARCEL as u64 {
        return fold_long(journal, id, mission);
    }
    let next = journal.read_events(id, 0, |_, at, event| {
        let before = std::mem::replace(&mut mission, Mission::new(id.clone()));
        mission = take(before, at, event).0;
    })?;
    Ok((mission, next))
}

/// The rows are taken from the file on this thread, verified and read on a second, and folded on a third.
fn fold_long(
    journal: &Journal,
    id: &MissionId,
    mission: Mission,
) -> Result<(Mission, u64), JournalError> {
    let (rows, parcels) = sync_channel::<Rows>(PARCELS);
    let (read, events) = sync_channel::<Vec<(u64, Event)>>(PARCELS);
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            for parcel in parcels {
                let mut events = Vec::with_capacity(journal::PARCEL);
                parcel.read(|_, at, event| events.push((at, event)))?;
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

/// The missions to keep in sight: all that are open, and the newest that have ended.
pub(super) fn in_sight(journal: &Journal) -> Result<Vec<MissionId>, JournalError> {
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
    if let Seen::One(id) = seen {
        ids.retain(|known| known.0 == id);
    }
    ids.iter().map(|id| Ok(MissionView::of(&fold(&journal, id)?.0))).collect()
}

/// An archive that cannot be read hides no other mission.
fn archived_views(root: &Path, seen: Seen<'_>) -> Result<Vec<MissionView>, JournalError> {
    let mut ids = if seen == Seen::Recent { Vec::new() } else { journal::archived(root)? };
    if let Seen::One(id) = seen {
        ids.retain(|known| known.0 == id);
    }
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

    #[test]
    fn ids_differ() {
        let ids: std::collections::BTreeSet<_> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert_eq!(base36(0), "0");
        assert_eq!(base36(36 * 36 + 35), "10z");
    }
}
