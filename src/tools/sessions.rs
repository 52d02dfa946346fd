//! What a session has of its own on this machine: a worktree, and the jobs that run in it. Made at the first need, and
//! gone with the session; what a process that died has left is swept by the next one.
//!
//! A process takes one numbered folder, whose lock says that it lives. Nothing here knows what is run.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::Caller;
use super::run::jobs::Jobs;
use crate::disk;
use crate::gate::Gate;
use crate::mission::MissionId;
use crate::mission::event::SessionId;
use crate::workspace::lock::OwnerLock;
use crate::workspace::resolve::Overlaid;
use crate::workspace::worktree::{Laid, Store, Worktree};
use crate::workspace::{OpenTexts, RelPath};

/// How many processes may have worktrees of one workspace at once.
const SLOTS: usize = 64;
/// How often a folder is removed whose last processes are just dying.
const TRIES: u32 = 20;
/// How long the end of the process waits for folders that are being removed; what is left is swept at the next start.
const END_LIMIT: Duration = Duration::from_secs(2);

/// The sessions of a process that have a worktree.
pub(super) struct Sessions {
    /// Below it lie the worktrees of the workspace; `None` where no cache folder is known.
    folder: Option<PathBuf>,
    slot: Mutex<Option<Slot>>,
    living: Mutex<HashMap<(MissionId, SessionId), Arc<Session>>>,
    tokio: Handle,
    /// Every removal that is under way holds a sender; when all are gone, the receiver says so.
    alive: Option<Sender<()>>,
    gone: Mutex<Receiver<()>>,
}

/// This process's own folder.
struct Slot {
    folder: PathBuf,
    store: Arc<Store>,
    next: u64,
    _lock: OwnerLock,
}

/// One session's belongings.
pub(super) struct Session {
    folder: PathBuf,
    store: Arc<Store>,
    own: Arc<tokio::sync::Mutex<Own>>,
    pub(super) jobs: Mutex<Jobs>,
    /// Cancelled when the session ends.
    pub(super) ended: CancellationToken,
}

/// What only one command at a time may touch.
#[derive(Default)]
pub(super) struct Own {
    worktree: Option<Worktree>,
    /// How many change-sets of the mission were applied when it was last brought up to date.
    seen: usize,
}

impl Own {
    /// Where commands run.
    pub(super) fn root(&self) -> &Path {
        self.worktree.as_ref().map_or(Path::new(""), Worktree::root)
    }
}

/// A worktree that nobody else uses meanwhile, and what its agent must know of it.
pub(super) struct Ready {
    pub(super) own: OwnedMutexGuard<Own>,
    pub(super) notes: String,
}

impl Sessions {
    /// The worktrees of the workspace below `folder`; what dead processes left there is removed in the background. Must be
    /// called within a tokio runtime.
    pub(super) fn new(folder: Option<PathBuf>) -> Sessions {
        if let Some(folder) = folder.clone().filter(|folder| folder.is_dir()) {
            std::thread::spawn(move || sweep(&folder));
        }
        let (alive, gone) = channel();
        Sessions {
            folder,
            slot: Mutex::default(),
            living: Mutex::default(),
            tokio: Handle::current(),
            alive: Some(alive),
            gone: Mutex::new(gone),
        }
    }

    /// The session of a caller, made where it has none.
    pub(super) fn of(&self, caller: &Caller) -> Result<Arc<Session>, String> {
        let mut living = locked(&self.living);
        let key = (caller.mission.clone(), caller.session);
        if let Some(known) = living.get(&key) {
            return Ok(known.clone());
        }
        let mut slot = locked(&self.slot);
        if slot.is_none() {
            *slot = Some(self.open()?);
        }
        let slot = slot.as_mut().ok_or("internal error: no folder for worktrees")?;
        slot.next += 1;
        let session = Arc::new(Session {
            folder: slot.folder.join(slot.next.to_string()),
            store: slot.store.clone(),
            own: Arc::default(),
            jobs: Mutex::default(),
            ended: CancellationToken::new(),
        });
        living.insert(key, session.clone());
        Ok(session)
    }

    /// The session, where it has a worktree.
    fn known(&self, mission: &MissionId, session: SessionId) -> Option<Arc<Session>> {
        locked(&self.living).get(&(mission.clone(), session)).cloned()
    }

    fn open(&self) -> Result<Slot, String> {
        let all = self.folder.as_ref();
        let all = all.ok_or("failed to find a cache folder; set ORCHESTRATOR_CACHE_DIR")?;
        for number in 0..SLOTS {
            let Ok(lock) = OwnerLock::take_file(&all.join(format!("{number}.lock"))) else {
                continue;
            };
            let failed = |error| format!("failed to make a folder for worktrees: {error}");
            let folder = all.join(number.to_string());
            if folder.exists() {
                disk::remove_dir_all(&folder).map_err(failed)?;
            }
            let store = Arc::new(Store::open(&folder.join("store")).map_err(failed)?);
            return Ok(Slot { folder, store, next: 0, _lock: lock });
        }
        Err(format!("failed to get a folder for worktrees below {}", all.display()))
    }

    /// Ends those sessions of a mission that live no more: their processes and their worktrees.
    pub(super) fn keep(&self, mission: &MissionId, lives: impl Fn(SessionId) -> bool) {
        let mut living = locked(&self.living);
        if living.is_empty() {
            return;
        }
        let gone = |(of, id): &(MissionId, SessionId)| of == mission && !lives(*id);
        let keys: Vec<_> = living.keys().filter(|key| gone(key)).cloned().collect();
        let gone: Vec<Arc<Session>> = keys.iter().filter_map(|key| living.remove(key)).collect();
        if gone.is_empty() {
            return;
        }
        gone.iter().for_each(|session| session.stop());
        // With the last one goes what they shared; its lock goes after it.
        let slot = if living.is_empty() { locked(&self.slot).take() } else { None };
        let alive = self.alive.clone();
        self.tokio.spawn(async move {
            for session in &gone {
                // A copy that is being made is let end first, or it would come back.
                drop(session.own.lock().await);
            }
            let removing = tokio::task::spawn_blocking(move || {
                gone.iter().for_each(|session| remove(&session.folder));
                slot.iter().for_each(|slot| remove(&slot.folder));
                drop((slot, alive));
            });
            if let Err(error) = removing.await {
                tracing::warn!(%error, "a worktree stays until the next start");
            }
        });
    }

    /// What a session changed in its worktree, merged onto the tree of now.
    pub(super) async fn lay(
        &self,
        gate: &Gate,
        (mission, session): (&MissionId, SessionId),
        below: Option<RelPath>,
        open: OpenTexts,
    ) -> Result<Laid, String> {
        let none = "there is nothing in a worktree: this session has run no command since the program was started";
        let session = self.known(mission, session).ok_or(none)?;
        let own = session.own.clone().lock_owned().await;
        let workspace = gate.workspace().clone();
        let lay = move || {
            let now = Overlaid { workspace: &workspace, open: &open };
            let worktree = own.worktree.as_ref().ok_or(none)?;
            worktree.lay(below.as_ref(), &now).map_err(|error| error.to_string())
        };
        tokio::task::spawn_blocking(lay).await.map_err(|error| error.to_string())?
    }
}

impl Session {
    /// The worktree, made or brought up to date, once no other command uses it.
    pub(super) async fn ready(&self, gate: &Gate, caller: &Caller) -> Result<Ready, String> {
        let mut own = self.own.clone().lock_owned().await;
        let tree = gate.tree(&caller.open).await.map_err(|error| error.to_string())?;
        let source = gate.workspace().root().to_owned();
        let (root, store, caller) = (self.folder.join("tree"), self.store.clone(), caller.clone());
        let bring = move || {
            let settled = caller.settled_since(own.seen);
            own.seen = caller.applied;
            let notes = match &mut own.worktree {
                Some(worktree) => {
                    let met = worktree.follow(&tree, &caller.open, &settled);
                    behind(&met.map_err(|error| error.to_string())?)
                }
                none => {
                    let made = Worktree::make(&root, &store, &source, &tree, &caller.open);
                    *none = Some(made.map_err(|error| error.to_string())?);
                    if caller.has_run { ANEW.to_owned() } else { String::new() }
                }
            };
            Ok(Ready { own, notes })
        };
        tokio::task::spawn_blocking(bring).await.map_err(|error| error.to_string())?
    }

    fn stop(&self) {
        self.ended.cancel();
        locked(&self.jobs).stop_all();
    }
}

/// What is said when the worktree of earlier commands has gone with its process.
const ANEW: &str = "[the program was restarted: this worktree is a new copy of the project, and what earlier commands changed in the old one is gone]\n";

fn behind(met: &[RelPath]) -> String {
    if met.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = met.iter().map(RelPath::as_str).collect();
    format!(
        "[not brought up to date, because you and others changed the same place: {}; change it by `edit` or `write`, and your worktree takes what is accepted]\n",
        names.join(", ")
    )
}

impl Caller {
    /// The files that this session's task settled after so many change-sets of the mission.
    fn settled_since(&self, seen: usize) -> BTreeSet<RelPath> {
        let new = self.settled.iter().filter(|(number, _)| *number >= seen);
        new.filter_map(|(_, path)| RelPath::new(path).ok()).collect()
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let living = std::mem::take(&mut *locked(&self.living));
        living.values().for_each(|session| session.stop());
        if let Some(slot) = locked(&self.slot).take() {
            remove(&slot.folder);
        }
        self.alive = None;
        // Nobody ever sends: the answer is that all have ended, or that the time is over.
        let _ = locked(&self.gone).recv_timeout(END_LIMIT);
    }
}

/// Removes what dead processes have left.
fn sweep(all: &Path) {
    for number in 0..SLOTS {
        let folder = all.join(number.to_string());
        if !folder.exists() {
            continue;
        }
        // Whoever holds the lock lives.
        if let Ok(_lock) = OwnerLock::take_file(&all.join(format!("{number}.lock"))) {
            remove(&folder);
        }
    }
}

/// Removes a folder in which a process may just be dying.
fn remove(folder: &Path) {
    for _ in 0..TRIES {
        match disk::remove_dir_all(folder) {
            Err(error) if folder.exists() => {
                tracing::debug!(%error, folder = %folder.display(), "a worktree is not gone yet");
                std::thread::sleep(Duration::from_millis(20));
            }
            _ => return,
        }
    }
    tracing::warn!(folder = %folder.display(), "a worktree stays until the next start");
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
