//! What a mission *is*: a fold over its events.
//!
//! [`step()`]`(state, event) -> (state, effects)` is the whole of it. Nothing here performs I/O, awaits, reads a clock or
//! draws a random number; time enters as the milliseconds an event was stamped with. A test reads this folder's imports
//! to keep it so. [`simulation`] drives it at random. The module knows nothing of files, models, editors or gates: it sees
//! tool calls and verdicts as values.

pub mod accounts;
mod advance;
mod brief;
mod command;
mod compact;
mod context;
pub mod control;
pub mod conversation;
pub mod edit;
mod effect;
pub mod event;
mod foresight;
pub mod frozen;
pub mod fuel;
pub mod plan;
mod progress;
mod proposal;
pub mod provider;
mod question;
mod repetition;
pub mod report;
mod rules;
#[cfg(test)]
mod scenarios;
mod session;
pub mod simulation;
mod state;
mod step;
mod story;
mod todo;
mod turn;
mod undo;
pub mod view;
mod work;

pub use advance::SYMBOLIC;
pub use context::{Context, Keep, Note, Weighed, Weight};
pub use event::{Act, Command, Effect, EffectId, Event, MissionId, Mode, Outcome, SessionId};
pub use question::{DISCARD, MERGE, Meeting, Place, Question};
pub use rules::RULES;
pub use session::Session;
pub use state::{Accepted, End, Finding, FindingStatus, FoundBy, Line, LineKind, Mission, Phase};
pub use step::{step, take};
pub use undo::{Answer, Back, Offer, Undone};
