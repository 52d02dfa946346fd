//! Who owns a workspace: one process at a time drives missions in it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::disk;

/// The exclusive lock; released when it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct OwnerLock {
    _file: File,
}

/// Why a lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error(
        "another orchestrator owns this workspace (lock {path}); use that one, or end it first"
    )]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file cannot be made or locked.
    #[error("failed to lock {path}: {source}; check that the folder may be written")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OwnerLock {
    /// Takes `.opencode/owner.lock` of the workspace at `root`, without waiting.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it, [`LockError::Io`] when the folder cannot be written.
    pub fn take(root: &Path) -> Result<OwnerLock, LockError> {
        OwnerLock::take_file(&root.join(".opencode").join("owner.lock"))
    }

    /// Takes the lock file `path`, creating it and its folder, without waiting.
    ///
    /// # Errors
    /// As [`OwnerLock::take`].
    pub fn take_file(path: &Path) -> Result<OwnerLock, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            disk::create_dir_all(folder).map_err(failed)?;
        }
        let file = disk::open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(OwnerLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_owner_is_told_so() -> Result<(), Box<dyn std::error::Error>> {
        let root = tempfile::tempdir()?;
        let first = OwnerLock::take(root.path())?;
        assert!(matches!(OwnerLock::take(root.path()), Err(LockError::Held { .. })));
        drop(first);
        OwnerLock::take(root.path())?;
        Ok(())
    }
}
