//! Lets proved bytes land: through the editor where a file is open, on the disk else; all of them or none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use super::VersionedEdit;
use super::perform::Performer;
use super::store::{chain, locked};
use crate::gate::report::receipt::{Proof, Receipt};
use crate::journal::Journal;
use crate::mission::{MissionId, Outcome};
use crate::workspace::files::TEMPORARY;
use crate::workspace::hash::sha256;
use crate::workspace::{ApplyError, FileWrite, OpenTexts, RelPath, apply};

impl Performer {
    /// Lets exactly these bytes land, where the files are still what they are expected to be: through the editor where
    /// they are open, on the disk else. A second time changes nothing.
    pub(super) async fn land(&self, writes: Vec<FileWrite>) -> Outcome {
        let open = self.open_texts();
        let (buffers, files): (Vec<_>, Vec<_>) =
            writes.into_iter().partition(|w| open.contains_key(&w.path));
        let edits = match edits(buffers, &open) {
            Ok(edits) => edits,
            Err(reason) => return Outcome::Stale { reason },
        };
        // An earlier process may have been killed between two renames: what it left is finished, or else undone.
        sweep(&self.root, &files);
        let (done, left): (Vec<_>, Vec<_>) =
            files.iter().cloned().partition(|file| is_applied(&self.root, file));
        match self.put(left).await {
            Ok(()) => {}
            Err(Unput::Stale(reason)) => return self.take_back(&done, reason).await,
            Err(Unput::Failed(reason)) => return Outcome::NotApplied { reason },
        }
        if let (Some(editor), false) = (&self.editor, edits.is_empty())
            && let Err(reason) = editor.apply(edits).await
        {
            return self.take_back(&files, reason).await;
        }
        Outcome::Applied
    }

    /// Writes closed files, all of them or none, off the async threads.
    async fn put(&self, files: Vec<FileWrite>) -> Result<(), Unput> {
        if files.is_empty() {
            return Ok(());
        }
        let root = self.root.clone();
        match tokio::task::spawn_blocking(move || apply(&root, &files)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error @ ApplyError::Stale { .. })) => Err(Unput::Stale(error.to_string())),
            Ok(Err(error)) => Err(Unput::Failed(error.to_string())),
            Err(panic) => Err(Unput::Failed(format!("internal error: {panic}"))),
        }
    }

    /// All or nothing: the editor did not take its part, so what was written to the disk is taken back.
    async fn take_back(&self, files: &[FileWrite], reason: String) -> Outcome {
        let undo = undo(&locked(&self.journal), files);
        let undone = match undo {
            Ok(undo) => self.put(undo).await,
            Err(error) => Err(Unput::Failed(error)),
        };
        match undone {
            Ok(()) => Outcome::Stale { reason },
            Err(Unput::Stale(error) | Unput::Failed(error)) => {
                Outcome::NotApplied { reason: format!("{reason}; {error}") }
            }
        }
    }

    /// The writes that take back what a receipt names.
    pub(super) fn unwrites(
        &self,
        mission: &MissionId,
        number: u64,
    ) -> Result<Vec<FileWrite>, String> {
        let writes = self.writes(mission, number)?;
        undo(&locked(&self.journal), &writes)
    }

    pub(super) fn writes(
        &self,
        mission: &MissionId,
        number: u64,
    ) -> Result<Vec<FileWrite>, String> {
        let journal = locked(&self.journal);
        let chain = chain(&journal, mission)?;
        let receipt = chain.iter().find(|r| r.seq == number);
        let Some(Receipt { proof: Proof::Change { report, .. }, .. }) = receipt else {
            return Err(format!("there is no receipt {number}; nothing is applied without one"));
        };
        let mut writes = Vec::new();
        for file in &report.files {
            let bytes = file.result.as_ref().map(|hash| kept(&journal, hash, &file.path));
            let result = bytes.transpose()?;
            writes.push(FileWrite { path: file.path.clone(), expect: file.base.clone(), result });
        }
        Ok(writes)
    }
}

/// Why files were not written.
enum Unput {
    /// They are no longer what was proved.
    Stale(String),
    /// They cannot be written.
    Failed(String),
}

/// No file of ours is written before this.
static FIRST_SWEEP: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);
/// How coarsely a file system may keep times.
const TICK: Duration = Duration::from_millis(20);

/// Removes what a process that was killed while it wrote these files left beside them: files under our own temporary name
/// that hold their former or their new text, or the beginning of it. Both are in the journal.
/// Nothing that this process may be writing just now is touched.
fn sweep(root: &Path, files: &[FileWrite]) {
    let began = *FIRST_SWEEP;
    let folders: BTreeSet<PathBuf> = files
        .iter()
        .filter_map(|file| file.path.in_root(root).parent().map(Path::to_owned))
        .collect();
    for entry in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten() {
        let Ok(path) = entry.map(|entry| entry.path()) else {
            continue;
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_named_so = name.starts_with(TEMPORARY) && name.ends_with(".tmp");
        let written = path.metadata().and_then(|data| data.modified());
        let is_older = written.is_ok_and(|written| written + TICK < began);
        if !is_named_so || !path.is_file() || !is_older {
            continue;
        }
        let is_ours = std::fs::read(&path).is_ok_and(|found| {
            let hash = sha256(&found);
            let mut results = files.iter().filter_map(|file| file.result.as_ref());
            results.any(|result| result.starts_with(&found))
                || files.iter().any(|file| file.expect.as_ref() == Some(&hash))
        });
        if is_ours && let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "a temporary file was left behind");
        }
    }
}

/// Whether the file is what it is to become. What cannot be read is not.
fn is_applied(root: &Path, file: &FileWrite) -> bool {
    match std::fs::read(file.path.in_root(root)) {
        Ok(found) => file.result.as_ref() == Some(&found),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound && file.result.is_none(),
    }
}

/// The writes that take `files` back, from the bases that were kept with their receipt.
fn undo(journal: &Journal, files: &[FileWrite]) -> Result<Vec<FileWrite>, String> {
    let base = |file: &FileWrite| match &file.expect {
        None => Ok(None),
        Some(hash) => kept(journal, hash, &file.path).map(Some),
    };
    let back = |file: &FileWrite| {
        let expect = file.result.as_deref().map(sha256);
        Ok(FileWrite { path: file.path.clone(), expect, result: base(file)? })
    };
    files.iter().map(back).collect()
}

/// Bytes from the journal, looked at once more.
fn kept(journal: &Journal, hash: &str, path: &RelPath) -> Result<Vec<u8>, String> {
    let bytes = journal.bytes(hash).map_err(|e| e.to_string())?;
    bytes
        .filter(|b| sha256(b) == *hash)
        .ok_or_else(|| format!("the journal lacks the bytes of {path}"))
}

/// The edits of open buffers; a buffer that is no longer the text that was proved is stale.
fn edits(buffers: Vec<FileWrite>, open: &OpenTexts) -> Result<Vec<VersionedEdit>, String> {
    let mut edits = Vec::new();
    for file in buffers {
        let Some(buffer) = open.get(&file.path) else {
            continue;
        };
        let hash = sha256(buffer.text.as_bytes());
        let result = file.result.map(String::from_utf8);
        let after = match result {
            Some(Ok(after)) => after,
            Some(Err(_)) => {
                return Err(format!("{} is open in the editor and would not be text", file.path));
            }
            None => {
                return Err(format!(
                    "{} is open in the editor; close it so that it can be removed",
                    file.path
                ));
            }
        };
        if after == buffer.text {
            continue;
        }
        if file.expect.as_ref() != Some(&hash) {
            return Err(format!("{} was edited since", file.path));
        }
        edits.push(VersionedEdit {
            path: file.path,
            version: buffer.version,
            before: buffer.text.clone(),
            after,
        });
    }
    Ok(edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_applied_can_be_taken_back_from_the_journal() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        let (base, result) = (b"base".to_vec(), b"result".to_vec());
        let kept = [(sha256(&base), base.clone())];
        journal.put_receipt(&MissionId("m".into()), 1, "{}", &kept).unwrap();
        let write = |path: &str, expect: Option<&[u8]>| FileWrite {
            path: RelPath::new(path).unwrap(),
            expect: expect.map(sha256),
            result: Some(result.clone()),
        };
        let files = [write("old", Some(&base)), write("new", None)];
        std::fs::write(root.path().join("old"), &base).unwrap();
        assert!(!is_applied(root.path(), &files[0]));
        apply(root.path(), &files).unwrap();
        assert!(files.iter().all(|file| is_applied(root.path(), file)));
        apply(root.path(), &undo(&journal, &files).unwrap()).unwrap();
        assert_eq!(std::fs::read(root.path().join("old")).unwrap(), base);
        assert!(!root.path().join("new").exists());
        assert!(undo(&journal, &[write("x", Some(b"unknown"))]).is_err());
    }

    #[test]
    fn only_our_own_leavings_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        put(".orchestrator-notes", "");
        put(".orchestrator-mine.tmp", "by hand");
        put(".orchestrator-now.tmp", "res");
        put(".orchestrator-x1.tmp", "res");
        let old =
            std::fs::File::options().append(true).open(root.path().join(".orchestrator-x1.tmp"));
        old.unwrap().set_modified(SystemTime::now() - Duration::from_secs(9)).unwrap();
        let path = RelPath::new("a").unwrap();
        sweep(root.path(), &[FileWrite { path, expect: None, result: Some(b"result".to_vec()) }]);
        let there = |name: &str| root.path().join(name).exists();
        assert!(there(".orchestrator-notes") && there(".orchestrator-mine.tmp"));
        assert!(
            there(".orchestrator-now.tmp"),
            "another mission of this process may be writing it"
        );
        assert!(!there(".orchestrator-x1.tmp"));
    }

    #[test]
    fn a_buffer_that_was_edited_is_stale() {
        let path = RelPath::new("a").unwrap();
        let text = "typed".to_owned();
        let open =
            OpenTexts::from([(path.clone(), crate::workspace::OpenText { version: 3, text })]);
        let write = |expect: &str, result: Option<&str>| FileWrite {
            path: path.clone(),
            expect: Some(sha256(expect.as_bytes())),
            result: result.map(|r| r.as_bytes().to_vec()),
        };
        assert!(
            edits(vec![write("before", Some("after"))], &open)
                .unwrap_err()
                .contains("edited since")
        );
        assert!(edits(vec![write("typed", None)], &open).unwrap_err().contains("close it"));
        assert_eq!(edits(vec![write("typed", Some("after"))], &open).unwrap()[0].version, 3);
        assert!(edits(vec![write("before", Some("typed"))], &open).unwrap().is_empty());
    }
}
