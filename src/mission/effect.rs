//! What a mission asks for: effects, as values. The runtime performs them and answers each with one outcome.

use serde::{Deserialize, Serialize};

use super::conversation::ToolCall;
use super::event::SessionId;
use super::plan::ItemId;
use super::undo::Back;

/// An effect's number within its mission.
pub type EffectId = u64;

/// Something that the runtime is asked to do. It answers with one [`Event::Finished`](super::Event::Finished).
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Its number.
    pub id: EffectId,
    /// What is to be done.
    pub act: Act,
}

/// The kinds of effects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Act {
    /// Find out what is remembered, before a session's first turn.
    Recall {
        /// The session.
        session: SessionId,
    },
    /// Ask whoever plays the session's role for one turn.
    Ask {
        /// The session.
        session: SessionId,
    },
    /// Call a workspace tool.
    Tool {
        /// The session that asks.
        session: SessionId,
        /// The position of the call in the turn.
        index: usize,
        /// The call.
        call: ToolCall,
    },
    /// Prove a change-set.
    Check {
        /// The worker's session.
        session: SessionId,
        /// The task that it serves.
        item: ItemId,
        /// The `propose` call.
        call: ToolCall,
        /// The change that is proved in its place, merged with what a person typed; see
        /// [`Meeting::change`](super::Meeting::change).
        merge: Option<String>,
    },
    /// Apply the bytes that a receipt names.
    Apply {
        /// The receipt's number in the mission.
        receipt: u64,
    },
    /// Put back the bytes that stood before, where nothing was changed since.
    Undo {
        /// Its number: the effect's own.
        number: EffectId,
        /// What is to be taken back.
        back: Back,
        /// Whether what was changed since may be merged.
        merge: bool,
    },
    /// Find out what is wrong with the tree before anything of the mission's is applied.
    Baseline,
    /// Find out in which files names of the code stand.
    Foresee {
        /// The names.
        names: Vec<String>,
    },
    /// Run the tests on the tree as a task leaves it.
    Test {
        /// The task.
        item: ItemId,
    },
    /// Prove the whole tree and write the last link of the chain.
    Seal,
    /// Wait before the session's turn is asked for again.
    Wait {
        /// The session.
        session: SessionId,
        /// For how long, in milliseconds.
        ms: u64,
    },
}

impl Act {
    /// Whether it changes the user's tree: such an act is let end, whatever becomes of its mission.
    pub fn lands(&self) -> bool {
        matches!(self, Act::Apply { .. } | Act::Undo { .. })
    }
}
