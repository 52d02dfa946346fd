//! Files of the user's workspace: paths that cannot leave it, snapshots of the dirty tree, byte-exact change-sets.
//!
//! It must not know what a mission, a gate or a language is.

pub mod change;
pub mod path;
