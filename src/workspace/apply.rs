//! Putting proved bytes onto the user's disk: all of a change-set, or nothing of it.
//!
//! The order is what makes it safe. Hashes of every file first; then every new text and every text that might have to be
//! put back is written to a temporary file beside its target (a full disk shows here, with nothing changed); only then
//! the renames, each atomic. When one fails, those already done are renamed back, which needs no space.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::{Disk, Files};
use super::hash::sha256;
use super::path::RelPath;

/// How often the removal of a temporary file is tried, and how long each but the last is waited after.
const ATTEMPTS: usize = 3;
const MOMENT: Duration = Duration::from_millis(10);

/// One file of a proved change-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileWrite {
    /// The file.
    pub path: RelPath,
    /// SHA-256 (lower hex) of the bytes that must be on disk now; `None`: there must be no such file.
    pub expect: Option<String>,
    /// The bytes to leave there; `None`: no file.
    pub result: Option<Vec<u8>>,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Files whose bytes are now the asked ones, in the order given.
    pub files: Vec<RelPath>,
    /// Folders that had to be made, outermost first.
    pub created_dirs: Vec<PathBuf>,
}

/// Why nothing was applied. After any of these the tree is as it was before, unless `Broken` says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file on disk is no longer the one that the change was proved for.
    #[error(
        "{path} changed on disk since the change was made for it; read it again and make the change anew"
    )]
    Stale {
        /// The file.
        path: RelPath,
        /// The hash the change was made for.
        expected: Option<String>,
        /// The hash found.
        found: Option<String>,
    },
    /// The file or its folder may not be written.
    #[error("failed to write {path}: it is read-only; make it writable and try again")]
    ReadOnly {
        /// The file.
        path: RelPath,
    },
    /// No space is left.
    #[error("failed to write {path}: the disk is full; free some space and try again")]
    DiskFull {
        /// The file.
        path: RelPath,
    },
    /// The path leads out of the workspace through a symbolic link, or is no plain file.
    #[error("refused to write {path}: {why}")]
    Outside {
        /// The file.
        path: RelPath,
        /// The reason, for people.
        why: &'static str,
    },
    /// Anything else.
    #[error("failed to write {path}: {source}")]
    Io {
        /// The file.
        path: RelPath,
        /// What the system said.
        source: io::Error,
    },
    /// A write failed and putting the others back failed too.
    #[error("{cause}; putting {} back failed as well, their former texts are in {}", list(.paths), list(.kept))]
    Broken {
        /// The first failure.
        cause: Box<ApplyError>,
        /// The files that are not as they were.
        paths: Vec<RelPath>,
        /// Where their former bytes are kept.
        kept: Vec<String>,
    },
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Applies `writes` below `root` on the real disk: all or nothing.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply(root: &Path, writes: &[FileWrite]) -> Result<Applied, ApplyError> {
    apply_with(&Disk, root, writes)
}

/// As [`apply`], through a given file layer.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply_with(
    files: &dyn Files,
    root: &Path,
    writes: &[FileWrite],
) -> Result<Applied, ApplyError> {
    apply_noting(files, root, writes, &mut |_| Ok(()))
}

/// Where the new texts lie before the first file is touched: each file with the temporary file that is renamed over it.
/// One that is not there any more was renamed, whenever the process ended.
pub type Staged = Vec<(RelPath, PathBuf)>;

/// As [`apply_with`]; `note` is called once everything is staged and before the first file is touched. Where it fails
/// nothing is applied.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply_noting(
    files: &dyn Files,
    root: &Path,
    writes: &[FileWrite],
    note: &mut dyn FnMut(Staged) -> io::Result<()>,
) -> Result<Applied, ApplyError> {
    let mut transaction = Transaction { files, steps: Vec::new(), created_dirs: Vec::new() };
    for write in writes {
        let target = locate(root, &write.path)?;
        let base = transaction.check(write, &target)?;
        transaction.steps.push(Step::new(write, target, base));
    }
    let mut noted = |transaction: &Transaction<'_>| match transaction.steps.first() {
        Some(first) => note(transaction.staged()).map_err(|e| failed(&first.write.path, e)),
        None => Ok(()),
    };
    let outcome =
        transaction.stage().and_then(|()| noted(&transaction)).and_then(|()| transaction.commit());
    match outcome {
        Ok(()) => Ok(transaction.finish()),
        Err(cause) => Err(transaction.put_back(cause)),
    }
}

/// One file on its way.
struct Step<'a> {
    write: &'a FileWrite,
    target: PathBuf,
    base: Option<Vec<u8>>,
    /// The new bytes, on disk under a temporary name.
    staged: Option<PathBuf>,
    /// The former bytes, on disk under a temporary name, until the transaction is over.
    backup: Option<PathBuf>,
    done: bool,
}

impl<'a> Step<'a> {
    fn new(write: &'a FileWrite, target: PathBuf, base: Option<Vec<u8>>) -> Step<'a> {
        Step { write, target, base, staged: None, backup: None, done: false }
    }

    fn is_noop(&self) -> bool {
        self.base == self.write.result
    }
}

struct Transaction<'a> {
    files: &'a dyn Files,
    steps: Vec<Step<'a>>,
    created_dirs: Vec<PathBuf>,
}

impl Transaction<'_> {
    /// The bytes on disk, if they are those that the write expects.
    fn check(&self, write: &FileWrite, target: &Path) -> Result<Option<Vec<u8>>, ApplyError> {
        let bytes = self.files.read(target).map_err(|error| failed(&write.path, error))?;
        let found = bytes.as_deref().map(sha256);
        if found != write.expect {
            return Err(ApplyError::Stale {
                path: write.path.clone(),
                expected: write.expect.clone(),
                found,
            });
        }
        Ok(bytes)
    }

    /// Brings all bytes that will be needed onto the disk, under temporary names.
    fn stage(&mut self) -> Result<(), ApplyError> {
        let files = self.files;
        for step in self.steps.iter_mut().filter(|step| !step.is_noop()) {
            let path = &step.write.path;
            if let Some(result) = &step.write.result {
                create_dirs(files, &step.target, &mut self.created_dirs)
                    .map_err(|error| failed(path, error))?;
                let staged =
                    files.stage(&step.target, result).map_err(|error| failed(path, error))?;
                step.staged = Some(staged);
            }
            if let Some(base) = &step.base {
                let backup =
                    files.stage(&step.target, base).map_err(|error| failed(path, error))?;
                step.backup = Some(backup);
            }
        }
        Ok(())
    }

    fn staged(&self) -> Staged {
        let staged = |step: &Step<'_>| Some((step.write.path.clone(), step.staged.clone()?));
        self.steps.iter().filter_map(staged).collect()
    }

    /// Replaces and removes; each file is looked at once more right before its turn.
    fn commit(&mut self) -> Result<(), ApplyError> {
        for index in 0..self.steps.len() {
            let step = &self.steps[index];
            if step.is_noop() {
                continue;
            }
            self.check(step.write, &step.target)?;
            let outcome = match &step.staged {
                Some(staged) => self.files.rename(staged, &step.target),
                None => self.files.remove(&step.target),
            };
            let path = step.write.path.clone();
            // A rename can be done and its flush fail: whether it happened is read from the disk, not assumed.
            let happened = outcome.is_ok() || self.has_result(index);
            let step = &mut self.steps[index];
            step.done = happened;
            if happened {
                step.staged = None;
            }
            outcome.map_err(|error| failed(&path, error))?;
        }
        Ok(())
    }

    fn has_result(&self, index: usize) -> bool {
        let step = &self.steps[index];
        matches!(self.files.read(&step.target), Ok(bytes) if bytes == step.write.result)
    }

    /// Removes what is no longer needed and tells what was done. A backup that cannot be removed does no harm.
    fn finish(self) -> Applied {
        for backup in self.steps.iter().filter_map(|step| step.backup.as_ref()) {
            discard(self.files, backup);
        }
        Applied {
            files: self.steps.iter().map(|step| step.write.path.clone()).collect(),
            created_dirs: self.created_dirs,
        }
    }

    /// Undoes the steps that were done, last first, and hands back the error to report.
    fn put_back(self, cause: ApplyError) -> ApplyError {
        let mut broken = Vec::new();
        let mut kept = Vec::new();
        for step in self.steps.iter().rev() {
            if let Some(staged) = &step.staged {
                discard(self.files, staged);
            }
            let undone = match (&step.backup, step.done) {
                (Some(backup), true) => self.files.rename(backup, &step.target),
                (None, true) => self.files.remove(&step.target),
                (Some(backup), false) => {
                    discard(self.files, backup);
                    Ok(())
                }
                (None, false) => Ok(()),
            };
            if undone.is_err()
                && !matches!(self.files.read(&step.target), Ok(bytes) if bytes == step.base)
            {
                broken.push(step.write.path.clone());
                kept.extend(step.backup.iter().map(|path| path.display().to_string()));
            }
        }
        for dir in self.created_dirs.iter().rev() {
            if let Err(error) = self.files.remove_dir(dir) {
                tracing::debug!(dir = %dir.display(), %error, "an emptied folder stays");
            }
        }
        if broken.is_empty() {
            return cause;
        }
        ApplyError::Broken { cause: Box::new(cause), paths: broken, kept }
    }
}

/// Removes a temporary file. Some systems keep a file busy for a moment after it was written, so that it is tried again.
fn discard(files: &dyn Files, path: &Path) {
    for _ in 1..ATTEMPTS {
        if files.remove(path).is_ok() {
            return;
        }
        std::thread::sleep(MOMENT);
    }
    if let Err(error) = files.remove(path) {
        tracing::error!(path = %path.display(), %error, "a temporary file stays; remove it by hand");
    }
}

/// Makes the missing folders above `target`, remembering them.
fn create_dirs(files: &dyn Files, target: &Path, created: &mut Vec<PathBuf>) -> io::Result<()> {
    let missing: Vec<&Path> = target.ancestors().skip(1).take_while(|dir| !dir.exists()).collect();
    for dir in missing.into_iter().rev() {
        match files.create_dir(dir) {
            Ok(()) => created.push(dir.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Where `path` really lies; links inside the workspace are followed, links out of it refused.
///
/// # Errors
/// [`ApplyError::Outside`], [`ApplyError::ReadOnly`] or [`ApplyError::Io`].
pub(crate) fn locate(root: &Path, path: &RelPath) -> Result<PathBuf, ApplyError> {
    let outside = |why| ApplyError::Outside { path: path.clone(), why };
    let root = root.canonicalize().map_err(|error| failed(path, error))?;
    let mut place = root.clone();
    for part in path.as_str().split('/') {
        place.push(part);
        match place.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => {
                place = place
                    .canonicalize()
                    .map_err(|_| outside("it goes through a symbolic link that leads nowhere"))?;
                if !place.starts_with(&root) {
                    return Err(outside(
                        "it goes through a symbolic link that leads out of the workspace",
                    ));
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(path, error)),
        }
    }
    match place.metadata() {
        Ok(metadata) if !metadata.is_file() => Err(outside("it is not a plain file")),
        Ok(metadata) if metadata.permissions().readonly() => {
            Err(ApplyError::ReadOnly { path: path.clone() })
        }
        _ => Ok(place),
    }
}

fn failed(path: &RelPath, source: io::Error) -> ApplyError {
    let path = path.clone();
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ApplyError::ReadOnly { path }
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ApplyError::DiskFull { path },
        _ => ApplyError::Io { path, source },
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
