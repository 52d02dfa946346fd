//! A copy of the dirty tree in which commands may do as they like, and what came of it.
//!
//! It follows the user's tree where its own changes allow, and its changes are laid onto that tree again by a three-way
//! merge. Files are copied (as clones, where the file system has them), never linked: no write in here reaches the
//! user's. It knows nothing of who runs what.

mod merging;
mod packages;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::merge::merge;
use super::path::RelPath;
use super::snapshot::{OpenTexts, Tree, Workspace, WorkspaceError};
use crate::disk;
pub use merging::{Laid, Refusal};
pub use store::Store;

/// One copy of the workspace, with what each file was when it was brought here.
#[derive(Debug)]
pub struct Worktree {
    source: PathBuf,
    own: Workspace,
    store: Arc<Store>,
    base: BTreeMap<RelPath, String>,
}

/// Why a worktree cannot be made or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum WorktreeError {
    /// A folder cannot be opened or read.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The system's error.
    #[error("failed to copy the workspace to {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Worktree {
    /// Makes the folder `root` a copy of `tree`, which is what stands at `source` with `open` laid over it.
    ///
    /// # Errors
    /// See [`WorktreeError`].
    pub fn make(
        root: &Path,
        store: &Arc<Store>,
        source: &Path,
        tree: &Tree,
        open: &OpenTexts,
    ) -> Result<Worktree, WorktreeError> {
        disk::create_dir_all(root)
            .map_err(|error| WorktreeError::Io { path: root.to_owned(), source: error })?;
        let mut made = Worktree {
            source: source.to_owned(),
            own: Workspace::alone(root)?,
            store: store.clone(),
            base: BTreeMap::new(),
        };
        made.follow(tree, open, &BTreeSet::new())?;
        packages::copy(source, made.root(), tree.files.keys()).map_err(|e| made.failed(e))?;
        Ok(made)
    }

    /// The canonical folder.
    pub fn root(&self) -> &Path {
        self.own.root()
    }

    /// Brings it to `tree`: what was not changed here is taken over, what was changed on both sides is merged. A file
    /// whose changes meet stays as it is here and is named, but for those that were `settled` in the user's tree: they
    /// are taken over, too.
    ///
    /// # Errors
    /// See [`WorktreeError`]; some files may have been brought then.
    pub fn follow(
        &mut self,
        tree: &Tree,
        open: &OpenTexts,
        settled: &BTreeSet<RelPath>,
    ) -> Result<Vec<RelPath>, WorktreeError> {
        if tree.files == self.base {
            return Ok(Vec::new());
        }
        let here = self.files()?;
        let paths: BTreeSet<RelPath> = self.base.keys().chain(tree.files.keys()).cloned().collect();
        let mut met = Vec::new();
        for path in paths {
            let (was, is) = (self.base.get(&path), tree.files.get(&path));
            if was == is {
                continue;
            }
            let untouched = here.get(&path) == was;
            if !self.take(&path, is, open, untouched, settled).map_err(|e| self.failed(e))? {
                met.push(path);
            }
        }
        Ok(met)
    }

    /// Takes one file over; whether that could be done.
    fn take(
        &mut self,
        path: &RelPath,
        hash: Option<&String>,
        open: &OpenTexts,
        untouched: bool,
        settled: &BTreeSet<RelPath>,
    ) -> io::Result<bool> {
        let place = path.in_root(self.root());
        let Some(hash) = hash else {
            if !untouched && !settled.contains(path) && place.exists() {
                return Ok(false);
            }
            disk::remove_if_there(&place)?;
            self.base.remove(path);
            return Ok(true);
        };
        let from = path.in_root(&self.source);
        let text = open.get(path).map(|open| open.text.as_str());
        // What is there now counts, should it have changed since it was looked at.
        let found = self.store.keep(hash, &from, text)?;
        if untouched {
            self.store.put(&found, &from, &place)?;
        } else if !self.is(&place, &found)? {
            match self.merged(path, &found) {
                Some(text) => disk::write(&place, text.as_bytes())?,
                None if settled.contains(path) => self.store.put(&found, &from, &place)?,
                None => return Ok(false),
            }
        }
        self.base.insert(path.clone(), found);
        Ok(true)
    }

    /// The text here with the changes from what was brought to `found`; `None` where they meet, or there is no text.
    fn merged(&self, path: &RelPath, found: &str) -> Option<String> {
        let base = self.store.text(self.base.get(path)?)?;
        let mine = self.own.read(path).ok().flatten()?.text;
        let merged = merge(&base, &mine, &self.store.text(found)?);
        merged.left.is_empty().then_some(merged.text)
    }

    fn is(&self, place: &Path, hash: &str) -> io::Result<bool> {
        match fs::read(place) {
            Ok(bytes) => Ok(super::hash::sha256(&bytes) == hash),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Every file here that is no ignored one, and those that were brought though they are.
    fn files(&self) -> Result<BTreeMap<RelPath, String>, WorktreeError> {
        let mut files = self.own.scan(&OpenTexts::new())?.files;
        for path in self.base.keys() {
            if !files.contains_key(path)
                && let Some(hash) = self.own.hash_of(path)?
            {
                files.insert(path.clone(), hash);
            }
        }
        Ok(files)
    }

    /// The files that are not as they were brought here.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn changed(&self) -> Result<BTreeSet<RelPath>, WorktreeError> {
        let here = self.files()?;
        let all = self.base.keys().chain(here.keys());
        Ok(all.filter(|path| self.base.get(*path) != here.get(*path)).cloned().collect())
    }

    fn failed(&self, source: io::Error) -> WorktreeError {
        WorktreeError::Io { path: self.root().to_owned(), source }
    }
}

#[cfg(test)]
#[path = "worktree/tests.rs"]
mod tests;
