//! Receipts proved again: the tree of each is built in a temporary folder, and the gate is asked once more.
//!
//! Bytes are found by their hash, so it does not matter who has them: the journal, the workspace, or git. What cannot be
//! built again is *not repeatable*, and never counts as proved.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::baseline;
use super::perform::with_servers;
use super::store::{chain, fold};
use super::trees::{self, KeptTree, git};
use crate::gate::report::receipt::{Proof, Receipt};
use crate::gate::report::{FileProof, Report, StageVerdict, Verdict};
use crate::gate::{self, Gate, words};
use crate::journal::Journal;
use crate::mission::MissionId;
use crate::workspace::hash::sha256;
use crate::workspace::{Change, ChangeSet, OpenTexts, RelPath, Tree};

/// What came of proving one receipt again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// The receipt's number.
    pub seq: u64,
    /// What it vouches for: the item, or `seal`.
    pub what: String,
    /// How it went.
    pub again: Again,
}

/// How a receipt fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// It was proved again, with the same result.
    Holds,
    /// It was not, and why: the gate refuses it, or what was kept is not what the receipt names.
    Fails(String),
    /// It could not be tried, and why.
    NotRepeatable(String),
}

/// Proves every receipt of a mission of the workspace at `root` again. `tell` hears of each as soon as it is done.
///
/// # Errors
/// When there is no journal, it cannot be read, or no temporary folder can be had.
pub async fn rerun(
    root: &Path,
    mission: &MissionId,
    settings: gate::Settings,
    mut tell: impl FnMut(&Repeated),
) -> Result<(), String> {
    let journal = Journal::open_existing(root).map_err(|e| e.to_string())?;
    let journal = journal.ok_or("there is no journal in this workspace")?;
    let receipts = chain(&journal, mission)?;
    let mut checkout = Checkout::new(root, journal, settings)?;
    for receipt in receipts {
        let again = match checkout.prove(mission, &receipt).await {
            Ok(()) => Again::Holds,
            Err(again) => again,
        };
        let what = match &receipt.proof {
            Proof::Change { item, .. } => item.clone(),
            Proof::Seal { .. } => "seal".to_owned(),
        };
        tell(&Repeated { seq: receipt.seq, what, again });
    }
    Ok(())
}

/// A clean checkout in a temporary folder, with a gate of its own. It is removed when it is dropped.
struct Checkout {
    /// The user's workspace, where bytes and installed packages are.
    source: PathBuf,
    root: PathBuf,
    journal: Journal,
    gate: Gate,
    /// What stands there now.
    files: BTreeMap<RelPath, String>,
    _folder: tempfile::TempDir,
}

fn failed(error: impl std::fmt::Display) -> Again {
    Again::NotRepeatable(error.to_string())
}

impl Checkout {
    fn new(root: &Path, journal: Journal, settings: gate::Settings) -> Result<Checkout, String> {
        let folder = tempfile::Builder::new().prefix("orchestrator-rerun-").tempdir();
        let folder = folder.map_err(|e| format!("failed to make a temporary folder: {e}"))?;
        let place = folder.path().canonicalize().map_err(|e| e.to_string())?.join("checkout");
        fs::create_dir(&place).map_err(|e| e.to_string())?;
        let cache_dir = Some(folder.path().join("cache"));
        let settings = with_servers(gate::Settings { cache_dir, ..settings }, &place);
        let gate = Gate::open(&place, settings).map_err(|e| e.to_string())?;
        Ok(Checkout {
            source: root.to_owned(),
            root: place,
            journal,
            gate,
            files: BTreeMap::new(),
            _folder: folder,
        })
    }

    async fn prove(&mut self, mission: &MissionId, receipt: &Receipt) -> Result<(), Again> {
        let named = match &receipt.proof {
            Proof::Change { tree, .. } => tree.as_ref(),
            Proof::Seal { tree, .. } => Some(tree),
        };
        let kept = trees::kept(&self.journal, mission, receipt.seq).map_err(Again::Fails)?;
        let (Some(named), Some(kept)) = (named, kept) else {
            let why = "its tree was not kept: it is of an earlier version, or keeping it failed";
            return Err(Again::NotRepeatable(why.to_owned()));
        };
        if kept.tree.hash() != *named {
            return Err(Again::Fails("the tree that was kept is not the one it names".to_owned()));
        }
        self.show(&kept)?;
        self.stands(&kept.tree).await?;
        match &receipt.proof {
            Proof::Change { report, .. } => self.change(report, &kept).await,
            Proof::Seal { .. } => self.whole(mission).await,
        }
    }

    async fn change(&self, report: &Report, kept: &KeptTree) -> Result<(), Again> {
        if report.files.iter().any(|file| kept.tree.files.get(&file.path) != file.base.as_ref()) {
            return Err(Again::Fails("it was not made for the tree that it names".to_owned()));
        }
        let change = self.change_set(&report.files, kept)?;
        let checked = self.gate.check(&change, &OpenTexts::new()).await.map_err(failed)?;
        match checked.report.verdict {
            Verdict::Accepted if checked.report.files == report.files => Ok(()),
            // Whole files take the line ends of their base, which for mixed ones are others than its edits took.
            Verdict::Accepted => {
                let why = "its bytes cannot be proposed as they are: their line ends are mixed";
                Err(Again::NotRepeatable(why.to_owned()))
            }
            Verdict::Refused => Err(Again::Fails(first_problem(&checked.report))),
            Verdict::Unverified => Err(Again::NotRepeatable(words::unverified(&checked.report))),
        }
    }

    /// The change from base to result as whole files; a file that only moved is renamed, as its errors move with it.
    fn change_set(&self, files: &[FileProof], kept: &KeptTree) -> Result<ChangeSet, Again> {
        let mut gone: Vec<&FileProof> = files.iter().filter(|f| f.result.is_none()).collect();
        let mut changes = Vec::new();
        for file in files {
            let Some(hash) = &file.result else { continue };
            let moved = gone.iter().position(|g| file.base.is_none() && g.base == file.result);
            changes.push(match moved.map(|at| gone.remove(at)) {
                Some(from) => Change::Rename { path: from.path.clone(), to: file.path.clone() },
                None => {
                    let bytes = self.bytes(&file.path, hash, kept)?;
                    let content = String::from_utf8(bytes).map_err(failed)?;
                    Change::Write { path: file.path.clone(), content }
                }
            });
        }
        changes.extend(gone.into_iter().map(|file| Change::Delete { path: file.path.clone() }));
        Ok(ChangeSet { changes })
    }

    /// The stages of a seal; what stood before the mission is excused, as it was then.
    async fn whole(&self, mission: &MissionId) -> Result<(), Again> {
        let (mission, _) = fold(&self.journal, mission).map_err(failed)?;
        let baseline = baseline::of(&mission);
        let stages = self.gate.whole(&OpenTexts::new(), &baseline).await.map_err(failed)?;
        let said = |verdict| stages.iter().find(|s| s.verdict == verdict).map(|s| s.detail.clone());
        match (said(StageVerdict::Refused), said(StageVerdict::Unverified)) {
            (Some(why), _) => Err(Again::Fails(why)),
            (None, Some(why)) => Err(Again::NotRepeatable(why)),
            (None, None) => Ok(()),
        }
    }

    /// Brings the folder to the tree.
    fn show(&mut self, kept: &KeptTree) -> Result<(), Again> {
        let wanted = &kept.tree.files;
        let stale: Vec<RelPath> = self
            .files
            .iter()
            .filter(|(path, hash)| wanted.get(*path) != Some(*hash))
            .map(|(path, _)| path.clone())
            .collect();
        for path in stale {
            self.remove(&path).map_err(failed)?;
            self.files.remove(&path);
        }
        for (path, hash) in wanted {
            if self.files.contains_key(path) {
                continue;
            }
            match kept.tree.links.get(path) {
                Some(target) => self.link(path, target, hash, kept)?,
                None => self.write(path, hash, kept)?,
            }
            self.files.insert(path.clone(), hash.clone());
        }
        gate::shadow::link_packages(&self.source, &self.root, wanted.keys()).map_err(failed)
    }

    /// Removes a file and the folders that it leaves empty.
    fn remove(&self, path: &RelPath) -> std::io::Result<()> {
        let place = path.in_root(&self.root);
        fs::remove_file(&place)?;
        let above = place.ancestors().skip(1).take_while(|folder| **folder != *self.root);
        for folder in above {
            // A folder that is not empty stays, and so do those above it.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, path: &RelPath, hash: &str, kept: &KeptTree) -> Result<(), Again> {
        let bytes = self.bytes(path, hash, kept)?;
        let place = path.in_root(&self.root);
        make_room(&place).and_then(|()| fs::write(&place, bytes)).map_err(failed)?;
        // A program among the sources can be run here too. Trees do not name modes.
        if let Ok(original) = fs::metadata(path.in_root(&self.source)) {
            fs::set_permissions(&place, original.permissions()).map_err(failed)?;
        }
        Ok(())
    }

    #[cfg(unix)]
    fn link(&self, path: &RelPath, to: &RelPath, _: &str, _: &KeptTree) -> Result<(), Again> {
        let place = path.in_root(&self.root);
        make_room(&place)
            .and_then(|()| std::os::unix::fs::symlink(to.in_root(&self.root), &place))
            .map_err(failed)
    }

    /// Links need a privilege here; a copy reads the same.
    #[cfg(not(unix))]
    fn link(&self, path: &RelPath, _: &RelPath, hash: &str, kept: &KeptTree) -> Result<(), Again> {
        self.write(path, hash, kept)
    }

    /// The bytes with that hash, from wherever they are.
    fn bytes(&self, path: &RelPath, hash: &str, kept: &KeptTree) -> Result<Vec<u8>, Again> {
        match self.journal.bytes(hash).map_err(failed)? {
            Some(bytes) if sha256(&bytes) == hash => return Ok(bytes),
            Some(_) => {
                let why = format!("the journal's bytes of {path} are not those that it names");
                return Err(Again::Fails(why));
            }
            None => {}
        }
        let on_disk = || fs::read(path.in_root(&self.source)).ok();
        let committed = |commit: &String| {
            let name = format!("{commit}:./{path}");
            let raw = git(&self.source, &["cat-file", "blob", &name]);
            raw.into_iter().chain(git(&self.source, &["cat-file", "--filters", &name]))
        };
        let found = on_disk().into_iter().chain(kept.commits.iter().flat_map(committed));
        found.into_iter().find(|bytes| sha256(bytes) == hash).ok_or_else(|| {
            let why = kept.left_out.get(path).map_or("git no longer has them", String::as_str);
            Again::NotRepeatable(format!("the bytes of {path} cannot be had: {why}"))
        })
    }

    /// Makes sure that the gate sees this very tree. Tracked files that are ignored all the same are so here too.
    async fn stands(&self, tree: &Tree) -> Result<(), Again> {
        let mut seen = self.gate.tree(&OpenTexts::new()).await.map_err(failed)?;
        if tree.files.keys().any(|path| !seen.files.contains_key(path)) {
            git(&self.root, &["init", "--quiet"]);
            let hidden = tree.files.keys().filter(|path| !seen.files.contains_key(*path));
            for path in hidden {
                git(&self.root, &["add", "--force", "--", path.as_str()]);
            }
            seen = self.gate.tree(&OpenTexts::new()).await.map_err(failed)?;
        }
        if seen.hash() == tree.hash() {
            return Ok(());
        }
        let all: BTreeSet<&RelPath> = seen.files.keys().chain(tree.files.keys()).collect();
        let other = all.into_iter().find(|path| seen.files.get(*path) != tree.files.get(*path));
        let other = other.map_or("its links", RelPath::as_str);
        Err(Again::NotRepeatable(format!("its tree cannot be built again here: {other} differs")))
    }
}

fn make_room(place: &Path) -> std::io::Result<()> {
    place.parent().map_or(Ok(()), fs::create_dir_all)
}

fn first_problem(report: &Report) -> String {
    let Some(problem) = report.problems.first() else {
        return "the gate refuses it".to_owned();
    };
    let at = &problem.diagnostic;
    let message = at.message.lines().next().unwrap_or_default();
    format!("the gate refuses it: {}:{}: {message}", at.path, at.range.start.line + 1)
}
