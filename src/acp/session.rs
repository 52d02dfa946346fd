//! A session: a conversation in one workspace, whose prompts are missions, one at a time.
//!
//! Nothing of it is kept but the missions' ids. Its first mission has the session's id as its own, the others continue it,
//! so that a session can be loaded wherever the journal is; each mission that was begun elsewhere is a session, too.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::editor::ClientFiles;
use super::shown::Shown;
use super::update;
use crate::mission::view::MissionView;
use crate::mission::{Command, MissionId, Mode};
use crate::runtime::{Handle, Refused, belongs, new_mark};
use crate::server::outbox::Weight;
use crate::server::peer::Peer;
use crate::wire::Id;

/// A workspace that is open.
pub struct Workspace {
    /// Its folder, without symbolic links.
    pub root: PathBuf,
    /// What runs its missions.
    pub runtime: Handle,
    /// Its files, as the client sees them.
    pub files: Arc<ClientFiles>,
}

/// A session.
pub struct Session {
    /// Its id.
    pub id: String,
    /// The workspace's folder, as the client spells it.
    pub cwd: PathBuf,
    /// Where it works.
    pub workspace: Arc<Workspace>,
    /// The client.
    pub peer: Peer,
    /// Cancelled when the client has gone.
    pub ending: CancellationToken,
    /// What the client was shown of the newest mission.
    pub shown: tokio::sync::Mutex<Option<Shown>>,
    mode: Mutex<Mode>,
    turn: Mutex<Option<(Id, CancellationToken)>>,
    is_new: AtomicBool,
}

/// A prompt that is being carried out. The session is free again when this is dropped.
pub struct Turn {
    session: Arc<Session>,
    /// Cancelled by the client.
    pub cancelled: CancellationToken,
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&self.session.turn) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The session that a mission belongs to: the first two parts of its id.
pub fn of(mission: &MissionId) -> &str {
    let text = mission.0.as_str();
    let second = text.match_indices('-').nth(1);
    second.map_or(text, |(at, _)| &text[..at])
}

/// The modes, of which one is chosen.
pub fn modes(current: Mode) -> Value {
    let id = if current == Mode::Task { "task" } else { "plan" };
    let (task, plan) =
        ("Plan, carry out, prove and seal", "Make the plan only; /resume carries it out");
    json!({
        "currentModeId": id,
        "availableModes": [
            { "id": "task", "name": "Task", "description": task },
            { "id": "plan", "name": "Plan", "description": plan },
        ],
    })
}

impl Session {
    /// A session that was opened; a new one has no mission yet.
    pub fn new(
        id: String,
        cwd: &Path,
        workspace: Arc<Workspace>,
        peer: Peer,
        ending: CancellationToken,
        is_new: bool,
    ) -> Session {
        Session {
            id,
            cwd: cwd.to_owned(),
            workspace,
            peer,
            ending,
            shown: tokio::sync::Mutex::default(),
            mode: Mutex::new(Mode::Task),
            turn: Mutex::default(),
            is_new: AtomicBool::new(is_new),
        }
    }

    /// What becomes of a prompt without a command.
    pub fn mode(&self) -> Mode {
        *lock(&self.mode)
    }

    /// Chooses it.
    pub fn set_mode(&self, mode: Mode) {
        *lock(&self.mode) = mode;
    }

    /// Begins a turn; `None` while another one is under way.
    pub fn take_turn(self: &Arc<Session>, request: &Id) -> Option<Turn> {
        let mut turn = lock(&self.turn);
        if turn.is_some() {
            return None;
        }
        let cancelled = CancellationToken::new();
        *turn = Some((request.clone(), cancelled.clone()));
        Some(Turn { session: Arc::clone(self), cancelled })
    }

    /// Whether a prompt is being carried out.
    pub fn is_busy(&self) -> bool {
        lock(&self.turn).is_some()
    }

    /// Whether the request with that id is the prompt that is being carried out.
    pub fn serves(&self, request: Option<&Value>) -> bool {
        let turn = lock(&self.turn);
        turn.as_ref().is_some_and(|(id, _)| serde_json::to_value(id).ok().as_ref() == request)
    }

    /// The person stops what is under way: the turn, or a mission of this session that goes on without one.
    pub fn cancel(&self) {
        self.workspace.files.let_go();
        if let Some((_, turn)) = lock(&self.turn).as_ref() {
            return turn.cancel();
        }
        let runtime = &self.workspace.runtime;
        if let Some(view) = self.newest().filter(|view| view.end.is_none())
            && let Err(why) = runtime.command(&view.id, Command::Cancel)
        {
            tracing::debug!("nothing is cancelled: {why}");
        }
    }

    /// The newest of its missions.
    pub fn newest(&self) -> Option<Arc<MissionView>> {
        let views = self.workspace.runtime.views();
        let own = views.iter().filter(|view| belongs(&view.id, &self.id));
        own.max_by_key(|view| view.started_at).cloned()
    }

    /// The mission that a command without a name means: the newest of this session; in a session without any the newest
    /// of the workspace, one that is open before one that is not.
    pub fn meant(&self) -> Option<Arc<MissionView>> {
        let views = self.workspace.runtime.views();
        self.newest().or_else(|| views.iter().max_by(|a, b| a.rank().cmp(&b.rank())).cloned())
    }

    /// Begins its next mission. The first one has the session's id, so that the session can be found by it.
    ///
    /// # Errors
    /// As [`Handle::start`].
    pub fn begin(&self, goal: &str, mode: Mode) -> Result<MissionId, Refused> {
        let id = match self.is_new.load(Ordering::Relaxed) {
            true => self.id.clone(),
            false => format!("{}-{}", self.id, new_mark()),
        };
        let mission = self.workspace.runtime.start_as(MissionId(id), goal, mode)?;
        self.is_new.store(false, Ordering::Relaxed);
        Ok(mission)
    }

    /// Sends an update that must arrive.
    pub fn update(&self, update: Value) {
        self.send(Weight::Must, update);
    }

    /// Sends an update.
    pub fn send(&self, weight: Weight, update: Value) {
        let params = json!({ "sessionId": self.id, "update": update });
        self.peer.notify_raw(weight, "session/update", &params);
    }

    /// Says something to the person.
    pub fn say(&self, text: &str) {
        self.update(update::message(text));
    }

    /// Shows what came of a mission since the client was shown it last.
    pub async fn show(&self, view: &MissionView) {
        for (weight, update) in self.updates(view).await {
            self.send(weight, update);
        }
    }

    async fn updates(&self, view: &MissionView) -> Vec<(Weight, Value)> {
        let mut shown = self.shown.lock().await;
        let is_other = shown.as_ref().is_none_or(|shown| shown.mission() != &view.id);
        if is_other {
            *shown = None;
        }
        let shown = shown.get_or_insert_with(|| Shown::new(&view.id, &self.cwd));
        let diffs = shown.diffs(&self.workspace.root, view).await;
        shown.follow(view, diffs)
    }

    /// Goes through its missions, the oldest first; `aloud` shows them to the client from the beginning.
    pub async fn replay(&self, views: &[MissionView], aloud: bool) {
        for view in views {
            let updates = self.updates(view).await;
            if aloud {
                self.update(update::user_message(&view.goal));
                updates.into_iter().for_each(|(weight, update)| self.send(weight, update));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mission_names_its_session() {
        let session = |id: &str| of(&MissionId(id.to_owned())).to_owned();
        assert_eq!(session("mabc-1x"), "mabc-1x");
        assert_eq!(session("mabc-1x-mdef-2y"), "mabc-1x");
        assert!(belongs(&MissionId("mabc-1x-mdef-2y".into()), "mabc-1x"));
        assert!(!belongs(&MissionId("mabc-1xy".into()), "mabc-1x"));
    }
}
