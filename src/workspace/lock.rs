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

/// Who holds a workspace's lock, as far as the system says so. Nobody's lock is tried for it, not for an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// That process.
    Process(u32),
    /// No process that can be seen from here.
    Nobody,
    /// The system does not say.
    Unknown,
}

impl Holder {
    /// Who holds the lock of the workspace at `root`.
    pub fn of(root: &Path) -> Holder {
        match std::fs::metadata(root.join(".opencode").join("owner.lock")) {
            Ok(file) => held(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Holder::Nobody,
            Err(_) => Holder::Unknown,
        }
    }
}

/// The kernel's list says the kind of each lock, the process, and the file as `major:minor:inode`. The device is left
/// out of account: some file systems report another one than the kernel lists.
#[cfg(target_os = "linux")]
fn held(file: &std::fs::Metadata) -> Holder {
    use std::os::unix::fs::MetadataExt;
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else {
        return Holder::Unknown;
    };
    let inode = file.ino().to_string();
    let process = locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (kind, id, place) = (fields.get(1)?, fields.get(4)?, fields.get(5)?);
        let is_it = *kind == "FLOCK" && place.rsplit(':').next() == Some(inode.as_str());
        is_it.then(|| id.parse().ok()).flatten()
    });
    process.map_or(Holder::Nobody, Holder::Process)
}

#[cfg(not(target_os = "linux"))]
fn held(_file: &std::fs::Metadata) -> Holder {
    Holder::Unknown
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

    #[test]
    #[cfg(target_os = "linux")]
    fn who_holds_it_is_seen_without_trying_it() -> Result<(), Box<dyn std::error::Error>> {
        let root = tempfile::tempdir()?;
        assert_eq!(Holder::of(root.path()), Holder::Nobody);
        let lock = OwnerLock::take(root.path())?;
        assert_eq!(Holder::of(root.path()), Holder::Process(std::process::id()));
        drop(lock);
        assert_eq!(Holder::of(root.path()), Holder::Nobody);
        Ok(())
    }
}
