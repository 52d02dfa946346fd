//! Files of the user's workspace: paths that cannot leave it, snapshots of the dirty tree, byte-exact change-sets.
//!
//! It must not know what a mission, a gate or a language is.

pub mod apply;
pub mod change;
pub mod diff;
pub mod files;
pub mod hash;
pub mod lock;
pub mod merge;
pub mod path;
pub mod resolve;
pub mod snapshot;
pub mod worktree;

pub use apply::{Applied, ApplyError, FileWrite, apply};
pub use change::{Change, ChangeSet, Edit};
pub use path::RelPath;
pub use resolve::{ApplyProblem, BaseTexts, Resolved, ResolvedFile, resolve};
pub use snapshot::{FileText, OpenText, OpenTexts, ReadError, Tree, Workspace, WorkspaceError};
