//! Every change that this program itself makes to a disk: thin wrappers over the system's calls, each of which is a point
//! where a test can let the call fail, or the process die (see [`fault`]). SQLite's calls pass the same points.
//! The module must not know what is written, or why.

pub mod fault;
mod power;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fault::Operation;

/// How the names of our temporary files begin; they are no part of any workspace.
pub const TEMPORARY: &str = ".orchestrator-";
/// How they end.
pub const TEMPORARY_END: &str = ".tmp";

/// Opens a file for writing, made where it is missing and otherwise as it is.
///
/// # Errors
/// What the system says.
pub fn open(path: &Path) -> io::Result<File> {
    if !path.exists() {
        fault::point(Operation::Create, path)?;
    }
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Opens a file for writing that is there, as it is: nothing is changed yet.
///
/// # Errors
/// What the system says, also of a file that is missing.
pub fn open_existing(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

/// Writes all of `bytes` to `file`, which lies at `path`.
///
/// # Errors
/// What the system says; some of the bytes may be written then.
pub fn write_all(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fault::write(path, None, bytes, |bytes| file.write_all(bytes))
}

/// Makes `path` a file of these bytes. Not atomic, and not flushed.
///
/// # Errors
/// What the system says; the file may be empty, or have some of the bytes then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fault::point(Operation::Create, path)?;
    let mut file = File::create(path)?;
    write_all(&mut file, path, bytes)
}

/// Copies a file; see [`std::fs::copy`]. Where a fault is armed the bytes go through here, so that the copy can be torn.
///
/// # Errors
/// What the system says; the copy may be torn then.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match fault::is_armed() {
        true => fs::read(from).and_then(|bytes| write(to, &bytes)),
        false => fs::copy(from, to).map(drop),
    }
}

/// Replaces a file, or makes it: whoever reads it finds the old bytes or the new ones, also after a power cut.
/// There must be one writer of `path`: what an earlier one left half-way is replaced with it.
///
/// # Errors
/// What the system says; the file is as it was then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, true)
}

/// As [`replace`], but not flushed, for what is made again whenever it is missing: a power cut may leave it empty.
///
/// # Errors
/// What the system says; the file is as it was then.
pub fn replace_unflushed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, false)
}

fn put(path: &Path, bytes: &[u8], flushed: bool) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!("{TEMPORARY}{name}{TEMPORARY_END}"));
    // A link that somebody laid there is never written through.
    let outcome = remove_if_there(&beside).and_then(|()| {
        fault::point(Operation::Create, &beside)?;
        let mut file = File::create_new(&beside)?;
        write_all(&mut file, &beside, bytes)?;
        if flushed {
            sync(&file, &beside)?;
        }
        drop(file);
        rename(&beside, path)
    });
    if outcome.is_err()
        && let Err(error) = remove_if_there(&beside)
    {
        tracing::debug!(%error, path = %beside.display(), "a temporary file stays until the next time");
    }
    outcome
}

/// A new temporary file in `folder` under a name that nobody else has, with these permissions where they are given.
/// It is removed when it is dropped, unless it is kept.
///
/// # Errors
/// What the system says.
pub fn temporary(
    folder: &Path,
    prefix: &str,
    mode: Option<fs::Permissions>,
) -> io::Result<tempfile::NamedTempFile> {
    fault::point(Operation::Create, &folder.join(prefix))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(TEMPORARY_END);
    if let Some(mode) = mode {
        builder.permissions(mode);
    }
    builder.tempfile_in(folder)
}

/// Flushes a file, which lies at `path`, to the disk.
///
/// # Errors
/// What the system says.
pub fn sync(file: &File, path: &Path) -> io::Result<()> {
    fault::point(Operation::Sync, path)?;
    file.sync_all()
}

/// Makes a rename or removal of `path` durable: its folder's own entry is flushed.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => sync(&File::open(folder)?, folder),
        None => Ok(()),
    }
}

/// Makes a rename or removal of `path` durable. The system needs no help.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Moves `from` over `to`, atomically.
///
/// # Errors
/// What the system says.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault::point(Operation::Rename, to)?;
    fs::rename(from, to)?;
    fault::renamed(from, to);
    Ok(())
}

/// Removes a file.
///
/// # Errors
/// What the system says.
pub fn remove_file(path: &Path) -> io::Result<()> {
    fault::point(Operation::Remove, path)?;
    fs::remove_file(path)
}

/// Removes a file that may be missing.
///
/// # Errors
/// What the system says of one that is there.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => remove_file(path),
    }
}

/// Removes an empty folder.
///
/// # Errors
/// What the system says.
pub fn remove_dir(path: &Path) -> io::Result<()> {
    fault::point(Operation::Remove, path)?;
    fs::remove_dir(path)
}

/// Removes a folder and all that is in it.
///
/// # Errors
/// What the system says; some of it may be gone then.
pub fn remove_dir_all(path: &Path) -> io::Result<()> {
    fault::point(Operation::Remove, path)?;
    fs::remove_dir_all(path)
}

/// Makes one folder whose parent exists.
///
/// # Errors
/// What the system says.
pub fn create_dir(path: &Path) -> io::Result<()> {
    fault::point(Operation::Create, path)?;
    fs::create_dir(path)
}

/// Makes one folder whose parent exists, which no other user may read, where the system has users.
///
/// # Errors
/// What the system says.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    fault::point(Operation::Create, path)?;
    #[cfg_attr(not(unix), expect(unused_mut, reason = "the mode is set on unix alone"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a folder with all those above it that are missing.
///
/// # Errors
/// What the system says.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    let missing: Vec<PathBuf> =
        path.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
    for dir in missing.iter().rev().filter(|dir| !dir.as_os_str().is_empty()) {
        match create_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
            other => other?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_is_whole_and_a_link_in_the_way_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("todo.md");
        replace(&place, b"first").unwrap();
        let beside = folder.path().join(".orchestrator-todo.md.tmp");
        fs::write(&beside, "torn").unwrap();
        replace(&place, b"second").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"second");
        #[cfg(unix)]
        {
            let precious = folder.path().join("precious");
            fs::write(&precious, "precious").unwrap();
            std::os::unix::fs::symlink(&precious, &beside).unwrap();
            replace(&place, b"third").unwrap();
            assert_eq!(fs::read(&precious).unwrap(), b"precious");
        }
        assert!(!beside.exists());
    }

    #[test]
    fn folders_are_made_with_all_that_is_missing_above() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        create_dir_all(&deep).unwrap();
        create_dir_all(&deep).unwrap();
        assert!(deep.is_dir());
    }
}
