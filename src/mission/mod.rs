//! What a mission *is*: a fold over its events.
//!
//! `step(state, event) -> (state, effects)` is the whole of it. Nothing here performs I/O, awaits, reads a clock or
//! draws a random number; time enters as the milliseconds an event was stamped with. A test reads this folder's imports
//! to keep it so. The module knows nothing of files, models, editors or gates: it sees tool calls and verdicts as values.

pub mod conversation;
pub mod plan;
