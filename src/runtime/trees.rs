//! The trees that receipts were proved on, kept so that each can be built again: the difference to the one before, and the
//! bytes that git cannot give back. It judges nothing, and knows nothing of proofs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::store::locked;
use crate::journal::Journal;
use crate::mission::MissionId;
use crate::workspace::hash::sha256;
use crate::workspace::{OpenTexts, RelPath, Tree};

/// The largest file whose bytes are kept, in bytes.
const MAX_FILE: usize = 8 * 1024 * 1024;
/// The most that is kept for one receipt, in bytes.
const MAX_ALL: usize = 256 * 1024 * 1024;

/// What is kept of one tree, as it is written into the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// The commit that was checked out; it has the bytes of all files that are not kept.
    commit: Option<String>,
    /// Files that differ from the mission's tree before, with their hashes.
    files: BTreeMap<RelPath, String>,
    /// Files of that tree that are not there.
    gone: BTreeSet<RelPath>,
    /// Files that are reached through a symbolic link.
    links: BTreeMap<RelPath, RelPath>,
    /// Files whose bytes are nowhere, and why.
    left_out: BTreeMap<RelPath, String>,
}

/// A tree with all that is known of where its bytes are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeptTree {
    pub(super) tree: Tree,
    /// Commits that have bytes of it, the newest first.
    pub(super) commits: Vec<String>,
    /// Files whose bytes were not kept, and why.
    pub(super) left_out: BTreeMap<RelPath, String>,
}

impl KeptTree {
    fn with(mut self, kept: Kept) -> KeptTree {
        for path in kept.gone.iter().chain(kept.files.keys()) {
            self.left_out.remove(path);
            self.tree.files.remove(path);
        }
        self.tree.files.extend(kept.files);
        self.tree.links = kept.links;
        self.left_out.extend(kept.left_out);
        if let Some(commit) = kept.commit {
            self.commits.retain(|known| *known != commit);
            self.commits.insert(0, commit);
        }
        self
    }
}

/// The tree of a mission's receipt `seq`; `None` where it was not kept.
///
/// # Errors
/// When the journal cannot be read, or what it says cannot.
pub(super) fn kept(
    journal: &Journal,
    mission: &MissionId,
    seq: u64,
) -> Result<Option<KeptTree>, String> {
    let rows = journal.trees(mission).map_err(|e| e.to_string())?;
    if !rows.iter().any(|(number, _)| *number == seq) {
        return Ok(None);
    }
    fold(rows.into_iter().filter(|(number, _)| *number <= seq)).map(Some)
}

fn fold(rows: impl Iterator<Item = (u64, String)>) -> Result<KeptTree, String> {
    let mut tree = KeptTree::default();
    for (seq, body) in rows {
        let kept: Kept = serde_json::from_str(&body)
            .map_err(|e| format!("the tree kept for receipt {seq} cannot be read: {e}"))?;
        tree = tree.with(kept);
    }
    Ok(tree)
}

/// Keeps the tree of receipt `seq`. The journal is held for moments only, not while files are read.
///
/// # Errors
/// When the journal cannot be read or written.
pub(super) fn keep(
    journal: &Mutex<Journal>,
    mission: &MissionId,
    seq: u64,
    tree: &Tree,
    root: &Path,
    open: &OpenTexts,
) -> Result<(), String> {
    let rows = locked(journal).trees(mission).map_err(|e| e.to_string())?;
    let before = fold(rows.into_iter().filter(|(number, _)| *number < seq))?.tree;
    let mut kept = Kept { links: tree.links.clone(), ..Kept::default() };
    kept.gone = before.files.keys().filter(|p| !tree.files.contains_key(*p)).cloned().collect();
    for (path, hash) in &tree.files {
        if before.files.get(path) != Some(hash) {
            kept.files.insert(path.clone(), hash.clone());
        }
    }
    let mut missing = Vec::new();
    for (path, hash) in &kept.files {
        if !locked(journal).has_bytes(hash).map_err(|e| e.to_string())? {
            missing.push((path.clone(), hash.clone()));
        }
    }
    let bytes = if missing.is_empty() { Vec::new() } else { kept.gather(missing, root, open) };
    let body = serde_json::to_string(&kept).map_err(|e| e.to_string())?;
    locked(journal).put_tree(mission, seq, &body, &bytes).map_err(|e| e.to_string())
}

impl Kept {
    /// The bytes that git does not have. What is too large, or changed meanwhile, is left out and named.
    fn gather(
        &mut self,
        missing: Vec<(RelPath, String)>,
        root: &Path,
        open: &OpenTexts,
    ) -> Vec<(String, Vec<u8>)> {
        let (commit, clean) = in_git(root).unzip();
        self.commit = commit;
        let clean = clean.unwrap_or_default();
        let mut bytes: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut room = MAX_ALL;
        for (path, hash) in missing {
            let unsaved = open.get(&path).map(|open| open.text.as_bytes());
            if bytes.contains_key(&hash) || (unsaved.is_none() && clean.contains(&path)) {
                continue;
            }
            let read = || std::fs::read(path.in_root(root));
            let found = unsaved.map_or_else(read, |text| Ok(text.to_vec()));
            let why = match found {
                Err(error) => error.to_string(),
                Ok(found) if found.len() > MAX_FILE.min(room) => {
                    format!("its {} bytes are too many to be kept", found.len())
                }
                Ok(found) if sha256(&found) != hash => "it changed meanwhile".to_owned(),
                Ok(found) => {
                    room -= found.len();
                    bytes.insert(hash, found);
                    continue;
                }
            };
            self.left_out.insert(path, why);
        }
        bytes.into_iter().collect()
    }
}

/// The commit that is checked out, and the files that are as they are there.
fn in_git(root: &Path) -> Option<(String, BTreeSet<RelPath>)> {
    let commit = String::from_utf8(git(root, &["rev-parse", "--verify", "HEAD"])?).ok()?;
    let commit = commit.trim().to_owned();
    let all = paths(&git(root, &["ls-tree", "-r", "-z", "--name-only", &commit])?);
    let diff = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--relative"];
    let dirty = paths(&git(root, &[&diff[..], &[&commit]].concat())?);
    Some((commit, all.difference(&dirty).cloned().collect()))
}

fn paths(output: &[u8]) -> BTreeSet<RelPath> {
    let text = String::from_utf8_lossy(output);
    text.split('\0').filter_map(|path| RelPath::new(path).ok()).collect()
}

/// What git prints; `None` where it fails or is missing. It runs no hook and writes nothing.
pub(super) fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git")
        .args(["--no-optional-locks", "-c", "core.fsmonitor=false"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Some(output.stdout),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            tracing::debug!(?arguments, %why, "git does not answer");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "git cannot be run");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{OpenText, Workspace};

    struct Place {
        folder: tempfile::TempDir,
        journal: Mutex<Journal>,
        mission: MissionId,
    }

    impl Place {
        fn new(files: &[(&str, &str)]) -> Place {
            let folder = tempfile::tempdir().unwrap();
            let journal = Mutex::new(Journal::open(folder.path()).unwrap());
            let place = Place { folder, journal, mission: MissionId("m".into()) };
            files.iter().for_each(|(path, text)| place.write(path, text));
            place
        }

        fn write(&self, path: &str, text: &str) {
            std::fs::write(self.folder.path().join(path), text).unwrap();
        }

        fn git(&self, arguments: &[&str]) {
            let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
            let all = [&who[..], arguments].concat();
            assert!(git(self.folder.path(), &all).is_some(), "{arguments:?}");
        }

        fn keep(&self, seq: u64, open: &OpenTexts) -> Tree {
            let tree = Workspace::open(self.folder.path()).unwrap().scan(open).unwrap();
            keep(&self.journal, &self.mission, seq, &tree, self.folder.path(), open).unwrap();
            let kept = kept(&locked(&self.journal), &self.mission, seq).unwrap().unwrap();
            assert_eq!(kept.tree, tree, "it is the same tree when it is read back");
            tree
        }

        fn has(&self, text: &str) -> bool {
            locked(&self.journal).has_bytes(&sha256(text.as_bytes())).unwrap()
        }
    }

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn without_git_every_text_is_kept_once_and_differences_fold() {
        let place = Place::new(&[("a", "one"), ("b", "two")]);
        place.keep(1, &OpenTexts::new());
        place.write("a", "by hand");
        std::fs::remove_file(place.folder.path().join("b")).unwrap();
        let open = OpenText { version: 1, text: "unsaved".to_owned() };
        let tree = place.keep(2, &OpenTexts::from([(path("c"), open)]));
        assert!(tree.files.contains_key(&path("c")) && !tree.files.contains_key(&path("b")));
        assert!(["one", "two", "by hand", "unsaved"].iter().all(|text| place.has(text)));
        let first = kept(&locked(&place.journal), &place.mission, 1).unwrap().unwrap();
        assert!(first.tree.files.contains_key(&path("b")));
        assert_eq!(kept(&locked(&place.journal), &place.mission, 3).unwrap(), None);
    }

    #[test]
    fn what_git_has_is_left_to_it() {
        let place = Place::new(&[("a", "committed"), ("b", "committed too")]);
        place.git(&["init", "--quiet"]);
        place.git(&["add", "a", "b"]);
        place.git(&["commit", "--quiet", "--no-verify", "-m", "all"]);
        place.write("b", "dirty");
        place.write("c", "untracked");
        place.keep(1, &OpenTexts::new());
        assert!(!place.has("committed") && place.has("dirty") && place.has("untracked"));
        let kept = kept(&locked(&place.journal), &place.mission, 1).unwrap().unwrap();
        let show = format!("{}:a", kept.commits[0]);
        assert_eq!(git(place.folder.path(), &["show", &show]).unwrap(), b"committed");
    }

    #[test]
    fn what_is_too_large_is_left_out_and_named() {
        let place = Place::new(&[("small", "x")]);
        place.write("large", &"x".repeat(MAX_FILE + 1));
        place.keep(1, &OpenTexts::new());
        let kept = kept(&locked(&place.journal), &place.mission, 1).unwrap().unwrap();
        assert!(kept.left_out[&path("large")].contains("too many"), "{kept:?}");
        assert_eq!(kept.left_out.len(), 1);
    }
}
