//! The few things that applying a change does to a disk, behind a trait so that tests can make every one of them fail.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How the names of our temporary files begin; they are no part of any workspace.
pub const TEMPORARY: &str = ".orchestrator-";

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
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY).suffix(".tmp");
        let mode = match fs::metadata(target) {
            Ok(metadata) => Some(metadata.permissions()),
            Err(_) => new_file_mode(),
        };
        if let Some(mode) = &mode {
            builder.permissions(mode.clone());
        }
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        if let Some(mode) = mode {
            // The umask may have narrowed what was asked for at creation.
            if target.exists() {
                file.as_file().set_permissions(mode)?;
            }
        }
        file.as_file().sync_all()?;
        let (_, path) = file.keep().map_err(|error| error.error)?;
        Ok(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        sync_folder(to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)?;
        sync_folder(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
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

/// Makes a rename or removal durable: the folder's own entry is flushed.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}
