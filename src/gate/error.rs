//! Why the gate cannot work at all. A change that is wrong is no error but a report.

use super::languages::BadAddition;
use super::rules::BadRule;
use super::shadow::ShadowError;
use crate::workspace::{RelPath, WorkspaceError};

/// Why the gate itself cannot work (never: why a change is refused).
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The workspace cannot be read.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The shadow copy cannot be used.
    #[error(transparent)]
    Shadow(#[from] ShadowError),
    /// A rule is no valid query.
    #[error(transparent)]
    Rule(#[from] BadRule),
    /// The configuration adds what cannot be used.
    #[error(transparent)]
    Addition(#[from] BadAddition),
    /// Files change faster than they can be read.
    #[error("failed to read the workspace: {path} keeps changing; try again when it is quiet")]
    Moving {
        /// One of them.
        path: RelPath,
    },
    /// A part of the gate itself broke down.
    #[error("failed to finish the check: {why}; this is a bug, please report it")]
    Internal {
        /// What is known of it.
        why: String,
    },
}

impl GateError {
    pub(super) fn internal(error: tokio::task::JoinError) -> GateError {
        GateError::Internal { why: error.to_string() }
    }
}
