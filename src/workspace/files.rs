//! The few things that applying a change does to a disk, behind a trait so that tests can make every one of them fail.

use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::disk;
pub use crate::disk::TEMPORARY;

/// How the temporary files of this very process begin: a word that no other one has follows the common beginning.
static OF_THIS_RUN: LazyLock<String> = LazyLock::new(|| {
    let word = std::hash::RandomState::new().build_hasher().finish();
    format!("{TEMPORARY}{word:016x}-")
});

/// Whether a file of that name was left by a process that is no more, if ever it was one of ours.
pub fn is_left_over(name: &str) -> bool {
    name.starts_with(TEMPORARY)
        && name.ends_with(disk::TEMPORARY_END)
        && !name.starts_with(OF_THIS_RUN.as_str())
}

/// The disk as [`super::apply()`] sees it. Paths are absolute.
pub trait Files {
    /// The bytes of a file; `None` when there is none.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// Writes `bytes` to a new temporary file beside `target` and flushes it to the disk; takes over the mode of
    /// `target` where that exists.
    ///
    /// # Errors
    /// What the system says; nothing is left behind then.
    fn stage(&self, target: &Path, bytes: &[u8]) -> io::Result<PathBuf>;

    /// Moves `from` over `to`, atomically.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes one folder whose parent exists.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// What the system says.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
}

/// The real disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn stage(&self, target: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
        let folder = target.parent().unwrap_or_else(|| Path::new("."));
        let mode = match fs::metadata(target) {
            Ok(metadata) => Some(metadata.permissions()),
            Err(_) => new_file_mode(),
        };
        let mut file = disk::temporary(folder, &OF_THIS_RUN, mode.clone())?;
        let path = file.path().to_owned();
        disk::write_all(file.as_file_mut(), &path, bytes)?;
        if let Some(mode) = mode {
            // The umask may have narrowed what was asked for at creation.
            if target.exists() {
                file.as_file().set_permissions(mode)?;
            }
        }
        disk::sync(file.as_file(), &path)?;
        let (_, path) = file.keep().map_err(|error| error.error)?;
        Ok(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        disk::rename(from, to)?;
        disk::sync_folder(to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        disk::remove_file(path)?;
        disk::sync_folder(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        disk::create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        disk::remove_dir(path)
    }
}

/// The mode that an ordinary program gives a new file (before the umask); temporary files are narrower by default.
#[cfg(unix)]
fn new_file_mode() -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn new_file_mode() -> Option<fs::Permissions> {
    None
}
