//! Lets proved bytes land: through the editor where a file is open, on the disk else; all of them or none.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::VersionedEdit;
use super::checkpoint::Checkpoint;
use super::perform::Performer;
use super::store::{chain, locked};
use super::undo::of_change;
use crate::disk;
use crate::gate::report::receipt::{Proof, Receipt};
use crate::journal::Journal;
use crate::mission::{MissionId, Outcome};
use crate::workspace::apply::{Staged, apply_noting};
use crate::workspace::files::{Disk, is_left_over};
use crate::workspace::hash::sha256;
use crate::workspace::{ApplyError, FileWrite, OpenTexts, RelPath};

impl Performer {
    /// Applies what a receipt names.
    pub(super) async fn apply(&self, mission: &MissionId, receipt: u64) -> Outcome {
        let name = of_change(receipt);
        let kept = self.writes(mission, receipt).and_then(|writes| {
            let begun = self.checkpoint(mission, &name)?.filter(|point| point.fits(&writes));
            Ok((begun, writes))
        });
        let (begun, writes) = match kept {
            Ok(kept) => kept,
            Err(reason) => return Outcome::NotApplied { reason },
        };
        let point = match begun {
            Some(begun) => begun,
            None => {
                let point = Checkpoint::of(&self.root, &writes, &self.open_texts());
                if let Err(reason) = self.keep_checkpoint(mission, &name, &point, &[]) {
                    return Outcome::NotApplied { reason };
                }
                point
            }
        };
        match self.land(mission, &name, point, writes).await {
            Outcome::Stale { reason } => self.met(mission, receipt, reason),
            outcome => outcome,
        }
    }

    /// Lets exactly these bytes land, where the files are still what they are expected to be: through the editor where
    /// they are open, on the disk else. `point` is in the journal. A second time changes nothing.
    pub(super) async fn land(
        &self,
        mission: &MissionId,
        name: &str,
        point: Checkpoint,
        writes: Vec<FileWrite>,
    ) -> Outcome {
        let outcome = self.put_all(mission, name, &point, writes).await;
        let is_applied = outcome == Outcome::Applied;
        point.tidy(&self.root, is_applied);
        if !is_applied && let Err(error) = locked(&self.journal).drop_checkpoint(mission, name) {
            return Outcome::NotApplied { reason: error.to_string() };
        }
        outcome
    }

    async fn put_all(
        &self,
        mission: &MissionId,
        name: &str,
        point: &Checkpoint,
        writes: Vec<FileWrite>,
    ) -> Outcome {
        let paths: Vec<RelPath> = writes.iter().map(|write| write.path.clone()).collect();
        if let Some(own) = self.editors.own()
            && let Some(reason) = own.hinders(&paths).await
        {
            return Outcome::NotApplied { reason };
        }
        let open = self.open_texts();
        let (buffers, files): (Vec<_>, Vec<_>) =
            writes.into_iter().partition(|w| open.contains_key(&w.path));
        // An earlier process may have been killed between two renames: what it left is finished, or else undone. What a
        // person had made the same by hand is theirs, and stays.
        let ours = point.wrote(&self.root);
        let bases = undo(&locked(&self.journal), &files).unwrap_or_default();
        sweep(&self.root, &files, &bases);
        let (done, left): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| is_applied(&self.root, file));
        let mut written: Vec<FileWrite> =
            done.into_iter().filter(|file| ours.contains(&file.path)).collect();
        let edits = match edits(buffers, &open) {
            Ok(edits) => edits,
            Err(reason) => return self.take_back(&written, Outcome::Stale { reason }).await,
        };
        let note = self.noting(mission, name, point);
        match self.put(left.clone(), note).await {
            Ok(()) => written.extend(left),
            Err(outcome) => return self.take_back(&written, outcome).await,
        }
        if let (Some(editor), false) = (&self.editor, edits.is_empty())
            && let Err(reason) = editor.apply(edits).await
        {
            return self.take_back(&written, Outcome::Stale { reason }).await;
        }
        Outcome::Applied
    }

    /// Adds to the checkpoint where the new texts lie, right before they are renamed.
    fn noting(
        &self,
        mission: &MissionId,
        name: &str,
        point: &Checkpoint,
    ) -> impl FnMut(Staged) -> io::Result<()> + Send + use<> {
        let (journal, mission, name) = (self.journal.clone(), mission.clone(), name.to_owned());
        let mut point = point.clone();
        move |staged| {
            point.commits(&staged);
            let body = serde_json::to_string(&point).map_err(io::Error::other)?;
            let put = locked(&journal).put_checkpoint(&mission, &name, &body, &[]);
            put.map_err(io::Error::other)
        }
    }

    /// Writes closed files, all of them or none, off the async threads.
    async fn put(
        &self,
        files: Vec<FileWrite>,
        mut note: impl FnMut(Staged) -> io::Result<()> + Send + 'static,
    ) -> Result<(), Outcome> {
        if files.is_empty() {
            return Ok(());
        }
        let root = self.root.clone();
        let put = move || apply_noting(&Disk, &root, &files, &mut note);
        match tokio::task::spawn_blocking(put).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error @ ApplyError::Stale { .. })) => {
                Err(Outcome::Stale { reason: error.to_string() })
            }
            Ok(Err(error)) => Err(Outcome::NotApplied { reason: error.to_string() }),
            Err(panic) => Err(Outcome::NotApplied { reason: format!("internal error: {panic}") }),
        }
    }

    /// All or nothing: the rest could not land, so what was written to the disk is taken back.
    async fn take_back(&self, written: &[FileWrite], outcome: Outcome) -> Outcome {
        let undo = undo(&locked(&self.journal), written);
        let undone = match undo {
            Ok(undo) => self.put(undo, |_| Ok(())).await,
            Err(reason) => Err(Outcome::NotApplied { reason }),
        };
        match (undone, outcome) {
            (Ok(()), outcome) => outcome,
            (
                Err(Outcome::Stale { reason: error } | Outcome::NotApplied { reason: error }),
                Outcome::Stale { reason } | Outcome::NotApplied { reason },
            ) => Outcome::NotApplied { reason: format!("{reason}; {error}") },
            (Err(other), _) => other,
        }
    }

    /// What a receipt names.
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

/// Removes what a process that was killed while it wrote these files left beside them: files under a temporary name of
/// another process of ours that hold their former or their new text, or the beginning of it. Both are in the journal.
fn sweep(root: &Path, files: &[FileWrite], bases: &[FileWrite]) {
    let folders: BTreeSet<PathBuf> = files
        .iter()
        .filter_map(|file| file.path.in_root(root).parent().map(Path::to_owned))
        .collect();
    let texts = || files.iter().chain(bases).filter_map(|file| file.result.as_ref());
    for entry in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten() {
        let Ok(path) = entry.map(|entry| entry.path()) else {
            continue;
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !is_left_over(name) || !path.is_file() {
            continue;
        }
        let is_ours =
            std::fs::read(&path).is_ok_and(|found| texts().any(|text| text.starts_with(&found)));
        if is_ours && let Err(error) = disk::remove_file(&path) {
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
pub(super) fn kept(journal: &Journal, hash: &str, path: &RelPath) -> Result<Vec<u8>, String> {
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
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::gate::report::{FileProof, Report, Verdict};
    use crate::mission::Back;
    use crate::runtime::Settings;
    use crate::workspace::apply;
    use crate::workspace::files::Files;

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

    /// A performer whose journal has a receipt for a change of both files from `old` to `new`.
    fn with_receipt(root: &Path) -> (Performer, MissionId) {
        let mission = MissionId("m".into());
        let (old, new) = (b"old".to_vec(), b"new".to_vec());
        let bytes = [(sha256(&old), old), (sha256(&new), new)];
        let proof = |path: &str| FileProof {
            path: RelPath::new(path).unwrap(),
            base: Some(bytes[0].0.clone()),
            result: Some(bytes[1].0.clone()),
        };
        let report = Report {
            verdict: Verdict::Accepted,
            stages: Vec::new(),
            files: vec![proof("a"), proof("b")],
            problems: Vec::new(),
            revealed: Vec::new(),
            repairs: Vec::new(),
        };
        let proof = Proof::Change { item: "T1.1".into(), tree: None, report };
        let receipt = Receipt::next(None, "m", proof, 1);
        let mut journal = Journal::open(root).unwrap();
        journal.put_receipt(&mission, 1, &receipt.to_json(), &bytes).unwrap();
        let mut settings = Settings::default();
        settings.gate.cache_dir = Some(root.join("cache"));
        let journal = Arc::new(Mutex::new(journal));
        let editors = Arc::new(crate::runtime::editors::Editors::new(root, None));
        (Performer::new(root, &settings, journal, editors).unwrap(), mission)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_person_made_the_same_by_hand_is_theirs() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        let read = |name: &str| std::fs::read_to_string(root.path().join(name)).unwrap();
        let (performer, mission) = with_receipt(root.path());
        put("a", "new");
        put("b", "mine");
        let outcome = performer.apply(&mission, 1).await;
        assert!(matches!(outcome, Outcome::Stale { .. }), "{outcome:?}");
        assert_eq!((read("a").as_str(), read("b").as_str()), ("new", "mine"));
        // It is no part of what is taken back later, either.
        put("b", "old");
        assert_eq!(performer.apply(&mission, 1).await, Outcome::Applied);
        assert_eq!(performer.apply(&mission, 1).await, Outcome::Applied, "twice is once");
        let back = Back::Changes(vec![1]);
        assert_eq!(performer.undo(&mission, 9, &back, false).await, Outcome::Applied);
        assert_eq!((read("a").as_str(), read("b").as_str()), ("new", "old"));
    }

    #[test]
    fn only_our_own_leavings_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        put(".orchestrator-notes", "");
        put(".orchestrator-mine.tmp", "by hand");
        put(".orchestrator-x1.tmp", "res");
        put(".orchestrator-x2.tmp", "ba");
        let now = Disk.stage(&root.path().join("a"), b"res").unwrap();
        let write = |text: &str| FileWrite {
            path: RelPath::new("a").unwrap(),
            expect: None,
            result: Some(text.as_bytes().to_vec()),
        };
        sweep(root.path(), &[write("result")], &[write("base")]);
        let there = |name: &str| root.path().join(name).exists();
        assert!(there(".orchestrator-notes") && there(".orchestrator-mine.tmp"));
        assert!(now.exists(), "another mission of this process may be writing it");
        assert!(!there(".orchestrator-x1.tmp") && !there(".orchestrator-x2.tmp"));
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
