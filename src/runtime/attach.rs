//! While another process owns the workspace: letters are posted to it, its events are read, and the lock is tried, so
//! that a dead owner is followed by a living one.

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::{Mail, Wake};
use super::engine::{Engine, Known};
use super::store::{self, locked};
use crate::journal::JournalError;
use crate::mission::view::MissionView;
use crate::mission::{Mission, step};
use crate::workspace::lock::{LockError, OwnerLock};

/// How often the other process's events are looked for.
const LOOK: Duration = Duration::from_millis(50);
/// How often the lock is tried.
const TRY: Duration = Duration::from_millis(500);

/// Returns the lock as soon as this process has it; `None` when it is asked to end before.
pub(super) fn until_owner(
    engine: &mut Engine,
    root: &Path,
) -> Result<Option<OwnerLock>, JournalError> {
    let mut tried: Option<Instant> = None;
    let mut seen = 0;
    loop {
        if tried.is_none_or(|at| at.elapsed() >= TRY) {
            tried = Some(Instant::now());
            match OwnerLock::take(root) {
                Ok(lock) => {
                    engine.missions.clear();
                    return Ok(Some(lock));
                }
                // Whoever takes over from a living owner carries its missions on: their followers wait for them.
                Err(LockError::Held { .. }) if engine.wake == Wake::Inherited => {
                    engine.wake = Wake::All;
                }
                Err(LockError::Held { .. }) => {}
                Err(error @ LockError::Io { .. }) => {
                    engine.board.halt(error.to_string());
                    return Ok(None);
                }
            }
        }
        let version = locked(&engine.journal).foreign_version()?;
        if version != seen {
            seen = version;
            read_events(engine)?;
        }
        match engine.mailbox.recv_timeout(LOOK) {
            Ok(Mail::Letter(letter)) => {
                let body = serde_json::to_string(&letter).unwrap_or_default();
                locked(&engine.journal).post(&body)?;
            }
            // Effects are performed by the owner only.
            Ok(Mail::Finished { .. }) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Mail::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

/// Folds the events that were written since the last look.
fn read_events(engine: &mut Engine) -> Result<(), JournalError> {
    let ids = store::in_sight(&locked(&engine.journal))?;
    for id in ids {
        let from = engine.missions.get(&id).map_or(0, |known| known.seq);
        let read = locked(&engine.journal).events(&id, from);
        if let Err(error @ JournalError::Damaged { .. }) = read {
            tracing::error!(%error, "a mission is left out");
            continue;
        }
        let records = read?;
        if records.is_empty() {
            continue;
        }
        let known = engine.missions.entry(id.clone()).or_insert_with(|| {
            let mission = Mission::new(id.clone());
            Known::new(mission, 0, false)
        });
        for record in records {
            let mission = std::mem::replace(&mut known.mission, Mission::new(id.clone()));
            known.mission = step(mission, record.at, &record.event).0;
            known.seq += 1;
        }
        engine.board.show(MissionView::of(&known.mission));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Journal, Record};
    use crate::mission::{Event, MissionId, Mode};
    use crate::runtime::{Handle, Settings};

    async fn until(handle: &Handle, holds: impl Fn(&MissionView) -> bool) {
        let mut updates = handle.subscribe();
        while !handle.views().iter().any(|view| holds(view)) {
            let _ = updates.recv().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_takes_over_carries_on_what_the_dead_owner_left() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        let owner = OwnerLock::take(root.path()).unwrap();
        let event = Event::Started {
            goal: "write a poem".into(),
            mode: Mode::Task,
            engine: "test".into(),
            limits: Default::default(),
        };
        let record = Record { mission: MissionId("m".into()), seq: 0, at: 1, event };
        journal.append(&[record]).unwrap();
        let handle = Handle::open(root.path(), Settings::default(), None).unwrap();
        until(&handle, |view| view.end.is_none()).await;
        drop(owner);
        until(&handle, |view| view.end.is_some()).await;
        handle.stop();
    }
}
