//! Shadow copies of a workspace, where candidates may stand and tools may run; the user's tree is only ever read.
//!
//! Two copies: `servers` holds the base (candidates reach servers as overlays, never on a disk that they watch), `tools`
//! holds candidates too. Files are copied (as clones, where the file system has them), never hard-linked. A copy removes only what it made itself, which its manifest
//! remembers. Each file written gets a time later than any before: compilers believe times.

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::workspace::hash::sha256;
use crate::workspace::lock::{LockError, OwnerLock};
use crate::workspace::path::RelPath;
use crate::workspace::snapshot::Tree;

/// How many processes may have a shadow of one workspace at once.
const SLOTS: usize = 16;

/// Why a shadow cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// No folder for it is known.
    #[error("failed to find a cache folder; set ORCHESTRATOR_CACHE_DIR")]
    NoCache,
    /// All slots are taken.
    #[error(
        "failed to get a shadow copy: {SLOTS} other processes have one of this workspace; end one of them"
    )]
    Busy,
    /// The lock cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file changed between the scan and the copy; scan again.
    #[error("{path} changed while it was copied; try again")]
    Moving {
        /// The file.
        path: RelPath,
    },
    /// The system's error.
    #[error("failed to write the shadow copy at {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Links the installed packages of the workspace at `source` into a copy of it at `copy`, for every package among `paths`;
/// packages of the workspace itself are those of the copy.
///
/// # Errors
/// What the system says.
pub fn link_packages<'a>(
    source: &Path,
    copy: &Path,
    paths: impl Iterator<Item = &'a RelPath>,
) -> io::Result<()> {
    modules::link(source, copy, paths)
}

/// A workspace's shadow: two copies and a folder for what compilers leave behind.
#[derive(Debug)]
pub struct Shadow {
    /// The base, for language servers.
    pub servers: ShadowCopy,
    /// Base and candidates, for native tools.
    pub tools: ShadowCopy,
    target: PathBuf,
    _lock: OwnerLock,
}

impl Shadow {
    /// Takes the first free shadow of the workspace at the canonical `root`, below `cache`.
    ///
    /// # Errors
    /// See [`ShadowError`].
    pub fn open(cache: &Path, root: &Path) -> Result<Shadow, ShadowError> {
        for slot in 0..SLOTS {
            let dir = folder_of(cache, root).join(slot.to_string());
            let lock = match OwnerLock::take_file(&dir.join("lock")) {
                Ok(lock) => lock,
                Err(LockError::Held { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            // Tools resolve links on the way to a file and would then name places that we do not know.
            let dir = dir
                .canonicalize()
                .map_err(|source| ShadowError::Io { path: dir.clone(), source })?;
            return Ok(Shadow {
                servers: ShadowCopy::open(root, &dir, "servers")?,
                tools: ShadowCopy::open(root, &dir, "tools")?,
                target: dir.join("target"),
                _lock: lock,
            });
        }
        Err(ShadowError::Busy)
    }

    /// The folder for what compilers leave behind; one per shadow, never shared, never the user's.
    pub fn target(&self) -> &Path {
        &self.target
    }
}

/// The folder below `cache` that belongs to the workspace at the canonical `root`.
pub fn folder_of(cache: &Path, root: &Path) -> PathBuf {
    cache.join(&sha256(root.as_os_str().as_encoded_bytes())[..16])
}

/// The folder below which all shadows live: `ORCHESTRATOR_CACHE_DIR`, else the platform's cache folder.
pub fn cache_dir() -> Option<PathBuf> {
    let variable =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(given) = variable("ORCHESTRATOR_CACHE_DIR") {
        return Some(given);
    }
    let home = || variable("HOME");
    let platform = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library").join("Caches"))
    } else {
        variable("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")))
    };
    platform.map(|dir| dir.join("orchestrator"))
}

/// What a copy made itself.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    files: BTreeMap<RelPath, Made>,
    /// The latest time given to a file, nanoseconds since the Unix epoch.
    last: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    /// Empty while the file is being written.
    hash: String,
    len: u64,
    modified: u64,
}

/// One copy of the workspace.
#[derive(Debug)]
pub struct ShadowCopy {
    source: PathBuf,
    root: PathBuf,
    manifest_file: PathBuf,
    manifest: Manifest,
}

impl ShadowCopy {
    fn open(source: &Path, dir: &Path, name: &str) -> Result<ShadowCopy, ShadowError> {
        let root = dir.join(name);
        let failed = |source| ShadowError::Io { path: root.clone(), source };
        let manifest_file = dir.join(format!("{name}.json"));
        let known = fs::read(&manifest_file)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
        // Nobody remembers what of a copy without its manifest is an old candidate's.
        if known.is_none() && root.exists() {
            disk::remove_dir_all(&root).map_err(failed)?;
        }
        disk::create_dir_all(&root).map_err(failed)?;
        let manifest = known.unwrap_or_default();
        Ok(ShadowCopy { source: source.to_owned(), root, manifest_file, manifest })
    }

    /// Where the copy lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the copy equal to `tree`, whose files come from `texts` where they are there and from the workspace's disk
    /// otherwise; hands back the files that were written or removed.
    ///
    /// # Errors
    /// [`ShadowError::Moving`] when the disk no longer has what `tree` says; [`ShadowError::Io`].
    pub fn sync(
        &mut self,
        tree: &Tree,
        texts: &BTreeMap<RelPath, String>,
    ) -> Result<Vec<RelPath>, ShadowError> {
        let gone: Vec<RelPath> = self
            .manifest
            .files
            .keys()
            .filter(|path| !tree.files.contains_key(path))
            .cloned()
            .collect();
        let wanted = tree.files.iter().filter(|(path, hash)| !self.has(path, hash));
        let wanted: Vec<(RelPath, String)> =
            wanted.map(|(path, hash)| (path.clone(), hash.clone())).collect();
        modules::link(&self.source, &self.root, tree.files.keys())
            .and_then(|()| modules::link_environments(&self.source, &self.root, tree.files.keys()))
            .map_err(|error| self.failed(&self.root, error))?;
        if gone.is_empty() && wanted.is_empty() {
            return Ok(Vec::new());
        }
        // What is about to be written is remembered first: after a crash it is still known to be ours.
        for (path, _) in &wanted {
            let unfinished = Made { hash: String::new(), len: 0, modified: 0 };
            self.manifest.files.insert(path.clone(), unfinished);
        }
        self.save()?;
        for path in &gone {
            self.remove(path)?;
        }
        for (path, hash) in &wanted {
            self.write(path, hash, texts.get(path))?;
        }
        self.save()?;
        Ok(gone.into_iter().chain(wanted.into_iter().map(|(path, _)| path)).collect())
    }

    /// Whether the copy's file is the one that was written with this hash.
    fn has(&self, path: &RelPath, hash: &str) -> bool {
        let Some(made) = self.manifest.files.get(path).filter(|made| made.hash == hash) else {
            return false;
        };
        let metadata = fs::symlink_metadata(path.in_root(&self.root));
        metadata.is_ok_and(|data| {
            data.is_file() && data.len() == made.len && nanos(data.modified().ok()) == made.modified
        })
    }

    fn remove(&mut self, path: &RelPath) -> Result<(), ShadowError> {
        let place = path.in_root(&self.root);
        match disk::remove_file(&place) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.failed(&place, error)),
        }
        self.manifest.files.remove(path);
        // Folders that this emptied; the first that is not empty ends it.
        let above = place.ancestors().skip(1).take_while(|dir| *dir != self.root);
        above.take_while(|dir| disk::remove_dir(dir).is_ok()).for_each(drop);
        Ok(())
    }

    fn write(
        &mut self,
        path: &RelPath,
        hash: &str,
        text: Option<&String>,
    ) -> Result<(), ShadowError> {
        let place = path.in_root(&self.root);
        let source = path.in_root(&self.source);
        // Whoever changes the file meanwhile makes the copy differ, so that it is the copy that is looked at.
        let (made, found) = self.put(&place, &source, text).map_err(|error| {
            match source.is_file() || text.is_some() {
                true => self.failed(&place, error),
                false => ShadowError::Moving { path: path.clone() },
            }
        })?;
        if found != hash {
            return Err(ShadowError::Moving { path: path.clone() });
        }
        self.manifest.files.insert(path.clone(), Made { hash: hash.to_owned(), ..made });
        Ok(())
    }

    /// Makes a file from `text`, else from its source, with the source's mode and a time later than all before; hands back
    /// what was made and the hash of it. Where the file system shares blocks until they are written to, copying is free.
    fn put(
        &mut self,
        place: &Path,
        source: &Path,
        text: Option<&String>,
    ) -> io::Result<(Made, String)> {
        if let Some(folder) = place.parent() {
            disk::create_dir_all(folder)?;
        }
        // A new file instead of the old one: a link that a tool left here is never written through.
        disk::remove_if_there(place)?;
        let hash = match text {
            Some(text) => {
                disk::write(place, text.as_bytes())?;
                sha256(text.as_bytes())
            }
            None => {
                disk::copy(source, place)?;
                sha256(&fs::read(place)?)
            }
        };
        copy_mode(source, place)?;
        let now = nanos(Some(SystemTime::now())).max(self.manifest.last + 1_000_000);
        self.manifest.last = now;
        let file = disk::open(place)?;
        file.set_modified(UNIX_EPOCH + Duration::from_nanos(now))?;
        let data = file.metadata()?;
        let made =
            Made { hash: String::new(), len: data.len(), modified: nanos(data.modified().ok()) };
        Ok((made, hash))
    }

    fn save(&self) -> Result<(), ShadowError> {
        let write = || -> io::Result<()> {
            let folder = self.manifest_file.parent().unwrap_or(&self.root);
            // The cache may have been emptied meanwhile.
            disk::create_dir_all(folder)?;
            disk::replace_unflushed(&self.manifest_file, &serde_json::to_vec(&self.manifest)?)
        };
        write().map_err(|error| self.failed(&self.manifest_file, error))
    }

    fn failed(&self, path: &Path, source: io::Error) -> ShadowError {
        ShadowError::Io { path: path.to_owned(), source }
    }
}

fn nanos(time: Option<SystemTime>) -> u64 {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

/// Scripts stay executable; nothing becomes read-only, or the next candidate could not be written.
#[cfg(unix)]
fn copy_mode(source: &Path, place: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match fs::metadata(source) {
        Ok(data) => fs::set_permissions(
            place,
            fs::Permissions::from_mode(data.permissions().mode() | 0o600),
        ),
        Err(_) => Ok(()),
    }
}

#[cfg(not(unix))]
fn copy_mode(_source: &Path, place: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(place)?.permissions();
    if permissions.readonly() {
        permissions.set_readonly(false);
        fs::set_permissions(place, permissions)?;
    }
    Ok(())
}

/// The folders of `paths` that hold a `package.json`.
fn package_folders<'a>(paths: impl Iterator<Item = &'a RelPath>) -> BTreeSet<OsString> {
    paths
        .filter_map(|path| match path.as_str() {
            "package.json" => Some(""),
            other => other.strip_suffix("/package.json"),
        })
        .map(OsString::from)
        .collect()
}

#[cfg(test)]
#[path = "shadow/tests.rs"]
mod tests;
