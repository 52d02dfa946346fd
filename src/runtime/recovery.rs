//! What becomes of a damaged journal: nobody is refused because of it, and nothing is lost in silence.
//!
//! Only who owns the workspace, or finds it without an owner, may replace the journal.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::store::locked;
use crate::journal::{self, Journal, JournalError, Record, Settled};
use crate::mission::{Event, Mission, MissionId, step};
use crate::workspace::lock::{LockError, OwnerLock};

/// How long a process waits for another one that may be recovering the journal, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(25);

/// Does `open` to the journal of the workspace at `root`. Where it is damaged and nobody owns the workspace, what holds is
/// recovered first; where somebody does, they may be at that just now, and are waited for, in bounds.
///
/// # Errors
/// As `open`, and when the damaged journal cannot be kept aside.
pub(super) fn opened<T>(
    root: &Path,
    open: impl Fn() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = whole(root, &open);
        if !found.as_ref().is_err_and(JournalError::is_damage) {
            return found;
        }
        match OwnerLock::take(root) {
            Ok(_lock) => return mended(root, &open),
            Err(LockError::Held { .. }) if Instant::now() < end => std::thread::sleep(LOOK),
            // An owner who writes may look like damage from the outside, and need not be it.
            Err(LockError::Held { .. }) => return open(),
            Err(LockError::Io { path, source }) => {
                return Err(JournalError::Folder { path, source });
            }
        }
    }
}

/// Does `open` where nothing is wrong with the files as they are.
fn whole<T>(root: &Path, open: impl Fn() -> Result<T, JournalError>) -> Result<T, JournalError> {
    match journal::inspect(root)? {
        Some(what) => Err(JournalError::Damaged { path: root.join(journal::PATH), what }),
        None => open(),
    }
}

/// The same for who owns the workspace. It is looked at anew: another one may have recovered it in the meantime.
fn mended<T>(root: &Path, open: impl Fn() -> Result<T, JournalError>) -> Result<T, JournalError> {
    match whole(root, &open) {
        Err(error) if error.is_damage() => {
            recover(root, &in_words(&error))?;
            open()
        }
        other => other,
    }
}

/// Opens the journal anew where another process has replaced it since; answers whether one had. `owns` says whether
/// this process owns the workspace, and so may recover it.
pub(super) fn renewed(
    journal: &Mutex<Journal>,
    root: &Path,
    owns: bool,
) -> Result<bool, JournalError> {
    let mut journal = locked(journal);
    if !journal.is_replaced() {
        return Ok(false);
    }
    let open = || Journal::open(root);
    *journal = if owns { mended(root, open)? } else { open()? };
    Ok(true)
}

/// Replaces the journal that this process, which owns the workspace, has open.
pub(super) fn replace(
    journal: &Mutex<Journal>,
    root: &Path,
    error: &JournalError,
) -> Result<(), JournalError> {
    let mut journal = locked(journal);
    // The damaged one is let go first: some systems do not replace a file that is open.
    *journal = Journal::stand_in()?;
    recover(root, &in_words(error))?;
    *journal = Journal::open(root)?;
    Ok(())
}

fn recover(root: &Path, why: &str) -> Result<(), JournalError> {
    tracing::warn!(why, "the journal is damaged; what holds of it is recovered");
    journal::recover(root, why, &mut settle)
}

fn in_words(error: &JournalError) -> String {
    match error {
        JournalError::Damaged { what, .. } => what.clone(),
        JournalError::Store { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

fn settle(id: &MissionId, records: &[Record], lost: Option<&str>) -> Settled {
    let fold = |mission, record: &Record| step(mission, record.at, &record.event).0;
    let mission = records.iter().fold(Mission::new(id.clone()), fold);
    let event = lost.map(|lost| Event::Recovered { lost: lost.to_owned() });
    Settled { closed: mission.ended.is_some(), event }
}

/// What a journal that seems whole lacks, going by the snapshot beside it: a log that was removed leaves no other trace.
/// The mission, and what to say; an unknown mission was lost altogether.
pub(super) fn missing(
    root: &Path,
    journal: &Journal,
) -> Result<Option<(MissionId, bool, String)>, JournalError> {
    let text = std::fs::read_to_string(root.join(".opencode/mission_loop.json")).ok();
    let snapshot: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
    let Some((id, shown)) = snapshot.as_ref().and_then(|snapshot| {
        let id = MissionId(snapshot["sessionID"].as_str()?.to_owned());
        Some((id, snapshot["events"].as_u64()?))
    }) else {
        return Ok(None);
    };
    let found = journal.count(&id)?;
    if found >= shown || journal::read_archived(root, &id)?.is_some() {
        return Ok(None);
    }
    let what = match found {
        0 => format!("the journal knows nothing of mission {id}, which mission_loop.json shows"),
        _ => format!(
            "the journal has {found} events of mission {id}, and mission_loop.json shows {shown}"
        ),
    };
    Ok(Some((id, found > 0, format!("{what}: a part of the journal was removed or replaced"))))
}

/// What a person must know of the journal of the workspace at `root`: what was lost, one text each.
///
/// # Errors
/// When the journal cannot be read.
pub fn losses(root: &Path) -> Result<Vec<String>, JournalError> {
    let Some(journal) = Journal::open_existing(root)? else {
        return Ok(Vec::new());
    };
    let missing = missing(root, &journal)?.map(|(_, _, what)| what);
    let kept = journal.losses()?.into_iter().map(|loss| loss.what);
    Ok(kept.chain(missing).collect())
}
