//! Who answers a turn: a model behind its role's prompt, or the symbolic engine.
//!
//! Both answer with the same calls, so that a mission cannot tell them apart, and the gate need not. An agent decides
//! nothing beyond its turn and changes nothing by itself.

pub mod custom;
mod model_agent;
pub mod symbolic;
mod symbolic_agent;

pub use model_agent::instructions;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::gate::Gate;
use crate::mission::MissionId;
use crate::mission::conversation::{Message, Role, Turn};
use crate::mission::event::Fault;
use crate::mission::plan::Task;
use crate::model::{self, ToolSpec};
use crate::workspace::OpenTexts;

/// Everything that an agent may know when it is asked for a turn.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The mission.
    pub mission: MissionId,
    /// The session's number within it.
    pub session: u32,
    /// The role to play.
    pub role: Role,
    /// The goal, as it was given.
    pub goal: String,
    /// The task, where the session serves one.
    pub task: Option<Task>,
    /// How many bytes of the first message stand in other sessions, too.
    pub pinned: usize,
    /// What was said so far; the brief comes first.
    pub messages: Arc<Vec<Message>>,
    /// The tools that the workspace adds for this session.
    pub offered: Arc<[ToolSpec]>,
    /// How many tasks wait for the one that is served.
    pub blocks: u32,
    /// Unsaved texts of the editor.
    pub open: OpenTexts,
    /// True while the mission is paused: what was not sent yet is not sent then.
    pub held: watch::Receiver<bool>,
}

/// Is told whether a turn waits for a slot.
pub type Waits<'a> = &'a (dyn Fn(bool) + Send + Sync);

/// Whoever can answer a turn.
pub trait Agent: Send + Sync {
    /// Answers with one complete turn. Dropping the future cancels it. `waits` is told when the turn has to wait for
    /// somebody else's, and when it no longer has to.
    fn turn<'a>(&'a self, ask: &'a Ask, waits: Waits<'a>) -> BoxFuture<'a, Result<Turn, Fault>>;

    /// The agent's name, for people.
    fn name(&self) -> String;
}

/// The agent that the settings ask for: a model where one is configured, the symbolic engine otherwise.
///
/// # Errors
/// A setting that is missing or wrong, by name.
pub fn choose(
    models: &model::Settings,
    gate: &Arc<Gate>,
) -> Result<Arc<dyn Agent>, model::ModelError> {
    if models.is_empty() {
        return Ok(Arc::new(symbolic_agent::SymbolicAgent::new(gate.clone())));
    }
    Ok(Arc::new(model_agent::ModelAgent::new(models)?))
}
