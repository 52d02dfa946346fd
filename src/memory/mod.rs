//! What is remembered, and how much of it a session is told.
//!
//! Four tiers, each with a budget of tokens ([`Tier`]): the role's instructions, what the project says of itself and what
//! earlier missions noted, what this mission has decided and noted, and the conversation about the task. Notes are
//! weighed by how much they have to do with what the session is about, and handed out while they are relevant
//! ([`weight`]). What must never be lost is not weighed: it is the mission's stable core.
//!
//! Nothing here decides anything for a mission: it answers one question, [`recall()`], and what it answers becomes part of
//! the mission's events. It knows nothing of models, gates or editors, and runs nothing that it reads.

mod project;
mod recall;
mod relevance;
mod store;
mod tier;
pub mod tokens;
pub mod weight;

pub use recall::{Question, Recalled, recall};
pub use store::{Store, StoreError};
pub use tier::Tier;
