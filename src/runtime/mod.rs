//! The runtime: the one loop that writes events, steps missions and performs their effects.
//!
//! A workspace has one loop at a time. The process that holds the workspace's lock runs it; every other process attaches
//! to it through the journal: it posts letters, and reads the events that are written. When the owner dies, one of them
//! takes over. A [`Handle`] looks the same from both sides. Nothing here decides what a mission does.

mod attach;
mod baseline;
mod board;
mod changed;
mod checkpoint;
mod custom;
mod dispatch;
mod editors;
mod engine;
mod keeper;
mod known;
mod land;
mod laying;
mod meeting;
mod pace;
mod perform;
mod projection;
mod prove;
mod reconcile;
mod recovery;
mod remember;
mod replicas;
pub mod rerun;
mod seal;
pub mod settings;
mod show;
mod spans;
mod store;
mod trees;
mod undo;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::extensions::commands;
use crate::journal::{self, JournalError};
use crate::mission::view::MissionView;
use crate::mission::{Command, Line, MissionId, Mode};
use crate::workspace::{RelPath, WorkspaceError};

pub use crate::workspace::{OpenText, OpenTexts};

use board::Reached;
pub use board::Update;
pub use changed::{Changed, changed};
pub use pace::Rest;
pub(crate) use perform::with_servers;
pub use recovery::losses;
pub use settings::{Second, Settings, Wake};
pub use store::{STATE_EVERY, Seen, belongs, fold, in_sight, keep_state, load_views, new_mark};

/// The longest goal, in characters.
pub const MAX_GOAL: usize = 100_000;

/// The editor, where there is one: open buffers are the truth, and change only through it.
pub trait Editor: Send + Sync {
    /// The texts of all open files of the workspace, unsaved changes included.
    fn open_texts(&self) -> OpenTexts;

    /// A number that changes with every change of what is open.
    fn revision(&self) -> u64;

    /// Asks the editor to change open files, all of them in one undo step, and waits (bounded) for its answer.
    fn apply(&self, edits: Vec<VersionedEdit>) -> BoxFuture<'_, Result<(), String>>;

    /// What keeps bytes from landing in these files until a person has done something, for an editor that cannot say
    /// what is open in it; within a bound.
    fn hinders<'a>(&'a self, paths: &'a [RelPath]) -> BoxFuture<'a, Option<String>> {
        let _ = paths;
        Box::pin(std::future::ready(None))
    }
}

/// The new text of one open file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionedEdit {
    /// The file.
    pub path: RelPath,
    /// The version of the text that the edit was made for.
    pub version: i32,
    /// That text.
    pub before: String,
    /// What takes its place.
    pub after: String,
}

/// Why a command was not taken. Always the caller's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The goal is empty or too long.
    #[error("{0}")]
    Goal(String),
    /// There is no such mission.
    #[error("there is no mission {0}; `orchestrator status` lists them")]
    Unknown(MissionId),
    /// The mission is archived.
    #[error(
        "mission {0} is archived: its bytes are no longer kept, so nothing of it can be changed or taken back; `orchestrator status {0}` shows it"
    )]
    Archived(MissionId),
    /// Another mission runs, and the configuration wants one at a time.
    #[error(
        "mission {0} is not at its end, and the configuration lets one run at a time ([missions] second = \"refuse\"); wait for it, or cancel it"
    )]
    Second(MissionId),
    /// The mission has ended in a way that this command does not change.
    #[error("mission {mission} is {state}; {hint}")]
    Ended {
        /// The mission.
        mission: MissionId,
        /// How it ended.
        state: String,
        /// What can be done.
        hint: &'static str,
    },
    /// The runtime has stopped.
    #[error("missions cannot go on: {0}")]
    Halted(String),
}

/// Why the runtime could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The gate cannot be opened.
    #[error(transparent)]
    Gate(#[from] crate::gate::GateError),
    /// The models are not configured rightly.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// The system refused a thread.
    #[error("failed to start the mission loop: {0}")]
    Thread(std::io::Error),
}

/// What is put into the loop's mailbox.
#[derive(Debug)]
enum Mail {
    /// A letter of this process or of another.
    Letter(Letter),
    /// An effect ended.
    Finished { mission: MissionId, effect: u64, outcome: crate::mission::Outcome },
    /// A turn waits for a slot, or no longer does.
    Waits { mission: MissionId, effect: u64, waits: bool },
    /// Something around a mission did not work.
    Remark { mission: MissionId, text: String },
    /// An editor has changed its buffer of `todo.md` to that text, or has not.
    Woven { who: String, text: Option<String> },
    /// The process ends.
    Stop,
}

/// What can be said to the process that runs the missions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
enum Letter {
    /// Begin a mission under that id.
    Start { mission: MissionId, goal: String, mode: Mode },
    /// Tell a mission something.
    Command { mission: MissionId, command: Command },
    /// Somebody has opened the workspace: let every unfinished mission go on.
    Wake,
}

/// The faces' way to the loop. Every call answers at once.
#[derive(Clone)]
pub struct Handle {
    mail: Sender<Mail>,
    board: Arc<board::Board>,
    root: PathBuf,
    engine: String,
    second: Second,
}

impl Handle {
    /// Starts the loop of the workspace at `root`, or attaches to the process that runs it. Must be called within a tokio
    /// runtime, on which the effects are performed.
    ///
    /// # Errors
    /// When the workspace, the journal or the configuration cannot be used.
    pub fn open(
        root: &Path,
        settings: Settings,
        editor: Option<Arc<dyn Editor>>,
    ) -> Result<Handle, StartError> {
        crate::telemetry::begin(&settings.telemetry, &settings.log);
        engine::start(root, settings, editor)
    }

    /// Begins a mission and answers with its id.
    ///
    /// # Errors
    /// When the goal is empty or too long, or the loop has stopped.
    pub fn start(&self, goal: &str, mode: Mode) -> Result<MissionId, Refused> {
        self.start_as(store::new_id(), goal, mode)
    }

    /// The same under an id of the caller's, which no mission may have had before; see [`new_mark`].
    ///
    /// # Errors
    /// The same.
    pub fn start_as(
        &self,
        mission: MissionId,
        goal: &str,
        mode: Mode,
    ) -> Result<MissionId, Refused> {
        let command = commands::expanded(&self.root, goal);
        let goal = command.as_deref().unwrap_or(goal).trim();
        let length = goal.chars().count();
        if length == 0 {
            return Err(Refused::Goal("the goal is empty; say what is to be reached".to_owned()));
        }
        if length > MAX_GOAL {
            let text = format!(
                "the goal has {length} characters; {MAX_GOAL} is the most: put the details into a file and name it"
            );
            return Err(Refused::Goal(text));
        }
        if let (Second::Refuse, Some(other)) = (self.second, self.unfinished()) {
            // Of two that begin in the same moment, the loop refuses one.
            return Err(Refused::Second(other));
        }
        self.board.begun(&mission);
        self.post(Letter::Start { mission: mission.clone(), goal: goal.to_owned(), mode })?;
        Ok(mission)
    }

    /// Tells a mission something.
    ///
    /// # Errors
    /// When there is no such mission, it has ended for good, or the loop has stopped.
    pub fn command(&self, mission: &MissionId, command: Command) -> Result<(), Refused> {
        let view = self.view(mission);
        if view.as_ref().is_none_or(|view| view.end.is_some())
            && journal::is_archived(&self.root, mission)
        {
            return Err(Refused::Archived(mission.clone()));
        }
        if view.is_none() && !self.board.has_begun(mission) {
            return Err(Refused::Unknown(mission.clone()));
        }
        if let Some(end) = view.as_ref().and_then(|v| v.end.as_ref()) {
            let harmless = matches!(
                command,
                Command::DismissFinding { .. }
                    | Command::FileMoved { .. }
                    | Command::Undo { .. }
                    | Command::Redo { .. }
            );
            let mends = matches!(
                command,
                Command::Resume
                    | Command::SetItem { .. }
                    | Command::SkipItem { .. }
                    | Command::Answer { .. }
                    | Command::SettleItem { .. }
            );
            let taken = harmless || (mends && end.name() == "blocked");
            if !taken {
                let hint = match end.name() {
                    "blocked" => "mend what it needs, or mark it by hand, and resume it",
                    _ => "start a new one",
                };
                return Err(Refused::Ended {
                    mission: mission.clone(),
                    state: end.name().to_owned(),
                    hint,
                });
            }
        }
        self.post(Letter::Command { mission: mission.clone(), command })
    }

    fn unfinished(&self) -> Option<MissionId> {
        self.views().iter().find(|view| view.end.is_none()).map(|view| view.id.clone())
    }

    fn post(&self, letter: Letter) -> Result<(), Refused> {
        if let Some(why) = self.board.halted() {
            return Err(Refused::Halted(why));
        }
        self.mail
            .send(Mail::Letter(letter))
            .map_err(|_| Refused::Halted("the mission loop has ended".to_owned()))
    }

    /// All missions that are known here, the oldest first.
    pub fn views(&self) -> Arc<[Arc<MissionView>]> {
        self.board.views()
    }

    /// One mission.
    pub fn view(&self, mission: &MissionId) -> Option<Arc<MissionView>> {
        self.views().iter().find(|v| &v.id == mission).cloned()
    }

    /// Waits until the missions of the journal are shown, or cannot be. Blocks: not for handlers.
    pub fn wait_until_read(&self) {
        self.board.wait_until(Reached::Read);
    }

    /// What changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Update> {
        self.board.subscribe()
    }

    /// What every person who looks must know, and that belongs to no mission: what was lost of a damaged journal.
    pub fn notices(&self) -> Vec<String> {
        self.board.notices()
    }

    /// Why the loop has stopped for good, once it has.
    pub fn halted(&self) -> Option<String> {
        self.board.halted()
    }

    /// The root of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Who answers the turns of new missions: `symbolic engine`, a model's name, a replay's.
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// Asks the loop to end and waits for it, so that no effect is left half-recorded. Missions that run go on when the
    /// workspace is opened again.
    pub fn stop(&self) {
        if self.mail.send(Mail::Stop).is_ok() {
            self.board.wait_until(Reached::Stopped);
        }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("root", &self.root).finish_non_exhaustive()
    }
}

/// Tells a mission something through the journal alone, for who takes no part in the workspace: the process that runs the
/// missions obeys, or the next one that does.
///
/// # Errors
/// When the journal cannot be written.
pub fn post(
    journal: &mut journal::Journal,
    mission: &MissionId,
    command: Command,
) -> Result<(), JournalError> {
    let letter = Letter::Command { mission: mission.clone(), command };
    journal.post(&serde_json::to_string(&letter).unwrap_or_default())
}

/// The lines of a mission's story that a receiver of updates has not seen yet.
pub fn lines_after(view: &MissionView, seen: u64) -> impl Iterator<Item = &Line> {
    view.story.iter().filter(move |line| line.number > seen)
}
