//! What is new: the errors that a change brings, set against those that stood before it.

pub(super) mod baseline;
pub mod delta;
pub(super) mod mend;
