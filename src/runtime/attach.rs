//! While another process owns the workspace: letters are posted to it, its events are read, and the lock is tried, so
//! that a dead owner is followed by a living one.

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::board::{Reached, Update};
use super::editors::Guest;
use super::engine::Engine;
use super::known::Known;
use super::store::{self, locked};
use super::{Letter, Mail, Wake, recovery};
use crate::journal::JournalError;
use crate::mission::view::MissionView;
use crate::mission::{Mission, MissionId, take};
use crate::workspace::lock::{LockError, OwnerLock};

/// How often the other process's events are looked for while something happens.
const LOOK: Duration = Duration::from_millis(25);
/// How often once nothing was heard for [`QUIET`], from neither side.
const SLOW_LOOK: Duration = Duration::from_millis(50);
const QUIET: Duration = Duration::from_secs(1);
/// How often its lock is tried.
const TRY: Duration = Duration::from_millis(100);

/// Returns the lock as soon as this process has it; `None` when it is asked to end before.
pub(super) fn until_owner(
    engine: &mut Engine,
    root: &Path,
) -> Result<Option<OwnerLock>, JournalError> {
    let mut guest = None;
    let mut tried: Option<Instant> = None;
    let mut heard = Instant::now();
    // No version is the first look.
    let mut seen = None;
    loop {
        if tried.is_none_or(|at| at.elapsed() >= TRY) {
            tried = Some(Instant::now());
            match OwnerLock::take(root) {
                Ok(lock) => {
                    recovery::renewed(&engine.journal, root, true)?;
                    engine.missions.clear();
                    return Ok(Some(lock));
                }
                Err(LockError::Held { .. }) => {
                    if recovery::renewed(&engine.journal, root, false)? {
                        engine.missions.clear();
                        seen = None;
                    }
                    if guest.is_none() {
                        guest = Some(enter(engine, root)?);
                    }
                }
                Err(error @ LockError::Io { .. }) => {
                    engine.board.halt(error.to_string());
                    return Ok(None);
                }
            }
        }
        let version = locked(&engine.journal).foreign_version()?;
        if seen != Some(version) {
            (seen, heard) = (Some(version), Instant::now());
            read_events(engine)?;
            engine.board.reached(Reached::Read);
        }
        if let Some(Some(guest)) = &mut guest
            && let Err(error) = guest.tick()
        {
            tracing::warn!(%error, "the owner of the workspace cannot be told what is open here");
        }
        let pause = if heard.elapsed() < QUIET { LOOK } else { SLOW_LOOK };
        match engine.mailbox.recv_timeout(pause) {
            Ok(Mail::Letter(letter)) => {
                heard = Instant::now();
                post(engine, &letter)?;
            }
            // Effects are performed by the owner only.
            Ok(
                Mail::Finished { .. }
                | Mail::Waits { .. }
                | Mail::Remark { .. }
                | Mail::Woven { .. },
            )
            | Err(RecvTimeoutError::Timeout) => {}
            Ok(Mail::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

fn post(engine: &Engine, letter: &Letter) -> Result<(), JournalError> {
    let body = serde_json::to_string(letter).unwrap_or_default();
    locked(&engine.journal).post(&body)
}

/// Another process owns the workspace: it is told that somebody waits for its missions, and what is open here.
fn enter(engine: &mut Engine, root: &Path) -> Result<Option<Guest>, JournalError> {
    match engine.wake {
        Wake::All => post(engine, &Letter::Wake)?,
        // Whoever takes over from a living owner carries its missions on: their followers wait for them.
        Wake::Inherited => engine.wake = Wake::All,
        Wake::None => {}
    }
    let Some(editor) = engine.editors.own().cloned() else {
        return Ok(None);
    };
    let guest = Guest::enter(root, editor, engine.tokio.clone());
    if let Err(error) = &guest {
        let text =
            format!("what is open here is not seen by the process that runs the missions: {error}");
        engine.board.tell(Update::Notice(text));
    }
    Ok(guest.ok())
}

/// Folds the events that were written since the last look.
fn read_events(engine: &mut Engine) -> Result<(), JournalError> {
    let ids = store::in_sight(&locked(&engine.journal))?;
    for id in ids {
        let Some(known) = engine.missions.get_mut(&id) else {
            read_whole(engine, &id)?;
            continue;
        };
        let read = locked(&engine.journal).events(&id, known.seq);
        if let Err(error @ JournalError::Damaged { .. }) = read {
            tracing::error!(%error, "a mission is left out");
            continue;
        }
        let records = read?;
        if records.is_empty() {
            continue;
        }
        for record in records {
            let mission = std::mem::replace(&mut known.mission, Mission::new(id.clone()));
            known.mission = take(mission, record.at, record.event).0;
            known.seq += 1;
        }
        engine.board.show(MissionView::of(&known.mission));
    }
    Ok(())
}

/// A mission that is seen for the first time.
fn read_whole(engine: &mut Engine, id: &MissionId) -> Result<(), JournalError> {
    let (mission, seq) = match store::fold(&locked(&engine.journal), id) {
        Err(error @ JournalError::Damaged { .. }) => {
            tracing::error!(%error, "a mission is left out");
            return Ok(());
        }
        read => read?,
    };
    if seq > 0 {
        engine.board.show(MissionView::of(&mission));
        engine.missions.insert(id.clone(), Known::new(mission, seq, false));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Journal, Record};
    use crate::mission::{Event, Mode};
    use crate::runtime::{Handle, Settings};

    async fn until(handle: &Handle, holds: impl Fn(&MissionView) -> bool) {
        let mut updates = handle.subscribe();
        while !handle.views().iter().any(|view| holds(view)) {
            let _ = updates.recv().await;
        }
    }

    fn started(name: &str) -> Record {
        let event = Event::Started {
            goal: "write a poem".into(),
            mode: Mode::Task,
            engine: "test".into(),
            limits: Default::default(),
            rules: crate::mission::RULES,
        };
        Record { mission: MissionId(name.into()), seq: 0, at: 1, event }
    }

    /// Makes another file of the journal, as its recovery does, with one more mission.
    fn replace_with(root: &std::path::Path, name: &str) {
        std::fs::write(root.join(crate::journal::PATH), "no journal at all").unwrap();
        crate::journal::recover(root, "a test", &mut |_, _, _| Default::default()).unwrap();
        Journal::open(root).unwrap().append(&[started(name)]).unwrap();
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "multi_thread")]
    async fn a_journal_that_its_owner_recovers_is_followed_to_the_new_file() {
        let root = tempfile::tempdir().unwrap();
        let owner = OwnerLock::take(root.path()).unwrap();
        Journal::open(root.path()).unwrap().append(&[started("before")]).unwrap();
        let handle = Handle::open(root.path(), Settings::default(), None).unwrap();
        until(&handle, |view| view.id.0 == "before").await;
        replace_with(root.path(), "after");
        until(&handle, |view| view.id.0 == "after").await;
        // What is said now reaches the file that the owner reads.
        let journal = Journal::open(root.path()).unwrap();
        handle.command(&MissionId("after".into()), crate::mission::Command::Cancel).unwrap();
        let said = |letters: Vec<crate::journal::Letter>| {
            letters.iter().any(|letter| letter.body.contains("cancel"))
        };
        while !said(journal.letters().unwrap()) {
            tokio::task::yield_now().await;
        }
        drop(owner);
        until(&handle, |view| view.id.0 == "after" && view.end.is_some()).await;
        handle.stop();
    }

    #[test]
    fn who_comes_to_own_a_replaced_journal_opens_the_new_one() {
        let root = tempfile::tempdir().unwrap();
        let journal = std::sync::Mutex::new(Journal::open(root.path()).unwrap());
        assert!(!recovery::renewed(&journal, root.path(), true).unwrap() || cfg!(unix));
        if cfg!(unix) {
            replace_with(root.path(), "after");
            assert!(recovery::renewed(&journal, root.path(), true).unwrap());
        }
        assert!(!recovery::renewed(&journal, root.path(), true).unwrap());
        assert_eq!(locked(&journal).missions().unwrap().len(), usize::from(cfg!(unix)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_takes_over_carries_on_what_the_dead_owner_left() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        let owner = OwnerLock::take(root.path()).unwrap();
        journal.append(&[started("m")]).unwrap();
        let handle = Handle::open(root.path(), Settings::default(), None).unwrap();
        until(&handle, |view| view.end.is_none()).await;
        drop(owner);
        until(&handle, |view| view.end.is_some()).await;
        handle.stop();
    }
}
