//! Checkpoints: what files were before they are touched, and what they are to be; durable before the first of them is
//! written. From it a change is taken back, and what an interrupted process wrote is told from what a person wrote.
//! It decides nothing, and knows nothing of missions' plans.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::perform::Performer;
use super::store::locked;
use crate::journal::Journal;
use crate::mission::MissionId;
use crate::workspace::apply::{Staged, locate};
use crate::workspace::hash::sha256;
use crate::workspace::{FileWrite, OpenTexts, RelPath};

/// One state of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// SHA-256 of its bytes, which the journal keeps.
    pub hash: String,
    /// Its permission bits, where the system has such and they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// A file's way from one state to the next; `None` stands for no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Passage {
    pub path: RelPath,
    pub was: Option<Version>,
    pub is: Option<Version>,
    /// Somebody had made it what it is to be before anything began: it is theirs.
    #[serde(default)]
    pub already: bool,
    /// The name of the temporary file that is renamed over it. Once that is gone, it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<String>,
}

/// What is about to be done to files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub files: Vec<Passage>,
    /// Folders that are there only because of these files, outermost first.
    pub folders: Vec<RelPath>,
    /// Whether everything is staged, and files are being renamed.
    #[serde(default)]
    pub committing: bool,
}

impl Checkpoint {
    /// The checkpoint before `writes`, as the files are now.
    pub fn of(root: &Path, writes: &[FileWrite], open: &OpenTexts) -> Checkpoint {
        let mode = |write: &FileWrite| mode_of(&write.path.in_root(root));
        // A file that moves takes its mode along.
        let moved = |hash: &str| {
            let gone =
                writes.iter().find(|w| w.result.is_none() && w.expect.as_deref() == Some(hash));
            gone.and_then(mode)
        };
        let passage = |write: &FileWrite| {
            let is = write.result.as_deref().map(|bytes| {
                let hash = sha256(bytes);
                let mode = if write.expect.is_none() { moved(&hash) } else { mode(write) };
                Version { hash, mode }
            });
            let was = write.expect.clone().map(|hash| Version { hash, mode: mode(write) });
            let now = match open.get(&write.path) {
                Some(open) => Some(open.text.clone().into_bytes()),
                None => std::fs::read(write.path.in_root(root)).ok(),
            };
            Passage {
                path: write.path.clone(),
                was,
                is,
                already: now == write.result,
                staged: None,
            }
        };
        let files = writes.iter().map(passage).collect();
        Checkpoint { files, folders: missing_folders(root, writes), committing: false }
    }

    /// Whether it was made for these writes.
    pub fn fits(&self, writes: &[FileWrite]) -> bool {
        let same = |(passage, write): (&Passage, &FileWrite)| {
            passage.path == write.path
                && passage.was.as_ref().map(|v| &v.hash) == write.expect.as_ref()
                && passage.is.as_ref().map(|v| v.hash.clone())
                    == write.result.as_deref().map(sha256)
        };
        self.files.len() == writes.len() && self.files.iter().zip(writes).all(same)
    }

    /// Everything is staged; the renames come next.
    pub fn commits(&mut self, staged: &Staged) {
        self.committing = true;
        for (path, temporary) in staged {
            let name = temporary.file_name().map(|name| name.to_string_lossy().into_owned());
            if let Some(passage) = self.files.iter_mut().find(|passage| passage.path == *path) {
                passage.staged = name;
            }
        }
    }

    /// The files that an earlier process renamed or removed before it was killed. A removal leaves no trace: where it
    /// may have happened it counts, because to put a file back loses nothing.
    pub fn wrote(&self, root: &Path) -> BTreeSet<RelPath> {
        let is_gone = |passage: &Passage| match (&passage.staged, &passage.is) {
            (Some(name), _) => !beside(root, &passage.path, name).exists(),
            (None, is) => is.is_none(),
        };
        let ours = |passage: &&Passage| self.committing && !passage.already && is_gone(passage);
        self.files.iter().filter(ours).map(|passage| passage.path.clone()).collect()
    }

    /// The writes that it stands for.
    ///
    /// # Errors
    /// When the journal lacks bytes.
    pub fn writes(&self, journal: &Journal) -> Result<Vec<FileWrite>, String> {
        let write = |passage: &Passage| {
            Ok(FileWrite {
                path: passage.path.clone(),
                expect: passage.was.as_ref().map(|version| version.hash.clone()),
                result: bytes_of(journal, &passage.path, passage.is.as_ref())?,
            })
        };
        self.files.iter().map(write).collect()
    }

    /// Gives files that were made, or made again, their modes, and removes folders that are there for nothing any more.
    /// Never fails: a folder that somebody put something into stays.
    pub fn tidy(&self, root: &Path, is_applied: bool) {
        for passage in &self.files {
            let (from, to) = match is_applied {
                true => (&passage.was, &passage.is),
                false => (&passage.is, &passage.was),
            };
            if let (None, Some(mode)) = (from, to.as_ref().and_then(|version| version.mode)) {
                set_mode(&passage.path.in_root(root), mode);
            }
        }
        for folder in self.folders.iter().rev() {
            let folder = folder.in_root(root);
            if folder.is_dir() && crate::disk::remove_dir(&folder).is_ok() {
                tracing::debug!(folder = %folder.display(), "an emptied folder was removed");
            }
        }
    }
}

/// The bytes of a version, looked at once more.
pub(super) fn bytes_of(
    journal: &Journal,
    path: &RelPath,
    version: Option<&Version>,
) -> Result<Option<Vec<u8>>, String> {
    let Some(Version { hash, .. }) = version else {
        return Ok(None);
    };
    let bytes = journal.bytes(hash).map_err(|e| e.to_string())?;
    let sound = bytes.filter(|bytes| sha256(bytes) == *hash);
    sound.map(Some).ok_or_else(|| format!("the journal lacks the bytes of {path}"))
}

impl Performer {
    /// A checkpoint that was written before.
    pub(super) fn checkpoint(
        &self,
        mission: &MissionId,
        name: &str,
    ) -> Result<Option<Checkpoint>, String> {
        let body = locked(&self.journal).checkpoint(mission, name).map_err(|e| e.to_string())?;
        let read = |body: String| serde_json::from_str(&body);
        body.map(read).transpose().map_err(|e| format!("checkpoint `{name}` cannot be read: {e}"))
    }

    /// Writes a checkpoint, with bytes that it names and the journal may not have.
    pub(super) fn keep_checkpoint(
        &self,
        mission: &MissionId,
        name: &str,
        point: &Checkpoint,
        bytes: &[(String, Vec<u8>)],
    ) -> Result<(), String> {
        let body = serde_json::to_string(point).map_err(|e| e.to_string())?;
        let mut journal = locked(&self.journal);
        journal.put_checkpoint(mission, name, &body, bytes).map_err(|e| e.to_string())
    }
}

/// A file beside the place where `path` really lies.
fn beside(root: &Path, path: &RelPath, name: &str) -> PathBuf {
    locate(root, path).unwrap_or_else(|_| path.in_root(root)).with_file_name(name)
}

/// The folders above files that are to be, which are not there yet; outermost first.
fn missing_folders(root: &Path, writes: &[FileWrite]) -> Vec<RelPath> {
    let mut missing = BTreeSet::new();
    for write in writes.iter().filter(|write| write.result.is_some()) {
        let text = write.path.as_str();
        for (at, _) in text.match_indices('/') {
            if let Ok(folder) = RelPath::new(&text[..at])
                && !folder.in_root(root).exists()
            {
                missing.insert(folder);
            }
        }
    }
    missing.into_iter().collect()
}

#[cfg(unix)]
pub(super) fn mode_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).ok().map(|data| data.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
pub(super) fn mode_of(_path: &Path) -> Option<u32> {
    None
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    if mode_of(path).is_some_and(|now| now != mode)
        && let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    {
        tracing::warn!(%error, path = %path.display(), "the mode of a file could not be restored");
    }
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &str, expect: Option<&str>, result: Option<&str>) -> FileWrite {
        FileWrite {
            path: RelPath::new(path).unwrap(),
            expect: expect.map(|text| sha256(text.as_bytes())),
            result: result.map(|text| text.as_bytes().to_vec()),
        }
    }

    #[test]
    fn what_was_written_is_told_from_what_was_there_already() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put("hand", "new");
        put("done", "old");
        put("open", "old");
        let writes = ["hand", "done", "open"].map(|name| write(name, Some("old"), Some("new")));
        let mut point = Checkpoint::of(folder.path(), &writes, &OpenTexts::new());
        assert!(point.fits(&writes) && !point.fits(&writes[1..]));
        assert_eq!(point.files.iter().map(|f| f.already).collect::<Vec<_>>(), [true, false, false]);
        assert!(point.wrote(folder.path()).is_empty(), "nothing was staged");
        let staged = |name: &str| {
            let temporary = folder.path().join(format!(".orchestrator-{name}.tmp"));
            std::fs::write(&temporary, "new").unwrap();
            (RelPath::new(name).unwrap(), temporary)
        };
        let staged = vec![staged("done"), staged("open")];
        point.commits(&staged);
        assert!(point.wrote(folder.path()).is_empty(), "nothing was renamed");
        std::fs::rename(&staged[0].1, folder.path().join("done")).unwrap();
        // A person writes the same text while the process is dead.
        put("open", "new");
        let wrote = point.wrote(folder.path());
        assert_eq!(wrote.iter().map(RelPath::as_str).collect::<Vec<_>>(), ["done"]);
    }

    #[test]
    fn folders_go_only_when_they_are_empty() {
        let folder = tempfile::tempdir().unwrap();
        let writes = [write("a/b/c", None, Some("x")), write("a/d/e", None, Some("x"))];
        let point = Checkpoint::of(folder.path(), &writes, &OpenTexts::new());
        assert_eq!(
            point.folders.iter().map(RelPath::as_str).collect::<Vec<_>>(),
            ["a", "a/b", "a/d"]
        );
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::create_dir_all(folder.path().join("a/d")).unwrap();
        std::fs::write(folder.path().join("a/d/mine"), "").unwrap();
        point.tidy(folder.path(), false);
        assert!(!folder.path().join("a/b").exists() && folder.path().join("a/d/mine").exists());
    }
}
