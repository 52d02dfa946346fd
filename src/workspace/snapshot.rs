//! The dirty tree as it is now: tracked, untracked and unsaved text alike.
//!
//! Git is asked only which ignored files are tracked all the same; without git the ignore rules alone decide.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ignore::{DirEntry, WalkBuilder};

use super::apply::{ApplyError, locate};
use super::files::TEMPORARY;
use super::hash::sha256;
use super::path::RelPath;

/// Files larger than this are never edited (bytes); they are still hashed and copied.
pub const MAX_TEXT: u64 = 8 * 1024 * 1024;

/// A modification time this near to the moment of hashing proves nothing: a second write may fall into the same tick.
const RACY: Duration = Duration::from_secs(2);

/// The text of an editor's open document, which overlays the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenText {
    /// The document's version, as the editor counts it.
    pub version: i32,
    /// Its whole text.
    pub text: String,
}

/// All open documents of the workspace.
pub type OpenTexts = BTreeMap<RelPath, OpenText>;

/// The text of a file, as it would be edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileText {
    /// The whole text, byte order mark and line ends as they are.
    pub text: String,
    /// SHA-256 of its bytes, lower hex.
    pub hash: String,
}

impl FileText {
    /// The text with its hash.
    pub fn new(text: String) -> FileText {
        let hash = sha256(text.as_bytes());
        FileText { text, hash }
    }
}

/// Why a workspace cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The root is not a folder that can be read.
    #[error("failed to open the workspace {root}: {source}")]
    Root {
        /// The folder.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something in it cannot be listed or read.
    #[error("failed to read {path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a file cannot be read for an edit. Nothing is lost: the file stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It holds bytes that are not UTF-8 (first at the 0-based offset `at`).
    #[error(
        "{path} is not UTF-8 text (byte {at}); it is left untouched, convert it to UTF-8 first"
    )]
    NotUtf8 {
        /// The file.
        path: RelPath,
        /// Offset of the first bad byte.
        at: usize,
    },
    /// It holds a NUL byte.
    #[error("{path} is a binary file; it is left untouched")]
    Binary {
        /// The file.
        path: RelPath,
    },
    /// It is larger than [`MAX_TEXT`].
    #[error(
        "{path} has {size} bytes, more than the {MAX_TEXT} that are edited; it is left untouched"
    )]
    TooLarge {
        /// The file.
        path: RelPath,
        /// Its size in bytes.
        size: u64,
    },
    /// It lies outside, or is no plain file.
    #[error("refused to read {path}: {why}")]
    Outside {
        /// The path.
        path: RelPath,
        /// The reason.
        why: &'static str,
    },
    /// The system's error.
    #[error("failed to read {path}: {source}")]
    Io {
        /// The file.
        path: RelPath,
        /// What the system said.
        source: io::Error,
    },
}

/// A symbolic link inside the workspace, and where it leads.
type Link = (RelPath, RelPath);

/// Every file of the workspace by its hash, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// SHA-256 (lower hex) of each file's bytes; unsaved text counts instead of the disk's.
    pub files: BTreeMap<RelPath, String>,
    /// Those of the files that are another one of them, reached through a symbolic link.
    pub links: BTreeMap<RelPath, RelPath>,
}

impl Tree {
    /// One hash over all paths and hashes.
    pub fn hash(&self) -> String {
        let mut lines = String::new();
        for (path, hash) in &self.files {
            lines.push_str(path.as_str());
            lines.push('\0');
            lines.push_str(hash);
            lines.push('\n');
        }
        sha256(lines.as_bytes())
    }
}

/// What was known of a file when it was last hashed.
#[derive(Debug, Clone)]
struct Stat {
    len: u64,
    modified: SystemTime,
    /// What changes with every write even where the time of modification is set back.
    trace: (u64, i64, i64),
    hashed_at: SystemTime,
    hash: String,
}

/// A workspace on disk.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    /// Whether what stands above the root has no say in what is ignored.
    alone: bool,
    known: Mutex<HashMap<RelPath, Stat>>,
}

impl Workspace {
    /// Opens the folder `root`.
    ///
    /// # Errors
    /// When it is not a folder that can be read.
    pub fn open(root: &Path) -> Result<Workspace, WorkspaceError> {
        let failed = |source| WorkspaceError::Root { root: root.to_owned(), source };
        let canonical = root.canonicalize().map_err(failed)?;
        fs::read_dir(&canonical).map_err(failed)?;
        Ok(Workspace { root: canonical, alone: false, known: Mutex::new(HashMap::new()) })
    }

    /// Opens the folder `root` as a copy that belongs to no repository, whatever it lies in.
    ///
    /// # Errors
    /// As [`Workspace::open`].
    pub fn alone(root: &Path) -> Result<Workspace, WorkspaceError> {
        Ok(Workspace { alone: true, ..Workspace::open(root)? })
    }

    /// The canonical root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether two names that differ only in case are one file here.
    pub fn folds_case(&self) -> bool {
        cfg!(any(windows, target_os = "macos"))
    }

    /// The text of a file on disk; `None` when there is none.
    ///
    /// # Errors
    /// When it is no text that can be edited, see [`ReadError`].
    pub fn read(&self, path: &RelPath) -> Result<Option<FileText>, ReadError> {
        let place = self.place(path)?;
        let io_failed = |source| ReadError::Io { path: path.clone(), source };
        let size = match fs::metadata(&place) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_failed(error)),
        };
        if size > MAX_TEXT {
            return Err(ReadError::TooLarge { path: path.clone(), size });
        }
        let bytes = fs::read(&place).map_err(io_failed)?;
        let text = String::from_utf8(bytes).map_err(|error| ReadError::NotUtf8 {
            path: path.clone(),
            at: error.utf8_error().valid_up_to(),
        })?;
        if text.contains('\0') {
            return Err(ReadError::Binary { path: path.clone() });
        }
        Ok(Some(FileText::new(text)))
    }

    /// Where `path` lies on disk; links that lead out of the root are refused.
    fn place(&self, path: &RelPath) -> Result<PathBuf, ReadError> {
        match locate(&self.root, path) {
            Ok(place) => Ok(place),
            // Reading needs no permission to write.
            Err(ApplyError::ReadOnly { .. }) => Ok(path.in_root(&self.root)),
            Err(ApplyError::Outside { path, why }) => Err(ReadError::Outside { path, why }),
            Err(ApplyError::Io { path, source }) => Err(ReadError::Io { path, source }),
            Err(other) => Err(ReadError::Io {
                path: path.clone(),
                source: io::Error::other(other.to_string()),
            }),
        }
    }

    /// The files on disk: tracked, and untracked but not ignored; never `.git`, `.opencode`, `node_modules` or a folder
    /// that tags itself as a cache. Links are listed only when they lead to a file inside.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn paths(&self) -> Result<Vec<RelPath>, WorkspaceError> {
        Ok(self.walk()?.0)
    }

    /// As [`Workspace::paths`], and the links to files and folders inside with where they lead.
    fn walk(&self) -> Result<(Vec<RelPath>, Vec<Link>), WorkspaceError> {
        let mut paths: Vec<RelPath> = Vec::new();
        let mut links = Vec::new();
        for entry in self.walker().build() {
            let entry = entry.map_err(|error| WorkspaceError::Io {
                path: self.root.clone(),
                source: error
                    .into_io_error()
                    .unwrap_or_else(|| io::Error::other("the walk failed")),
            })?;
            let Ok(path) = RelPath::under(&self.root, entry.path()) else {
                continue;
            };
            if entry.path_is_symlink()
                && let Some(target) = self.leads_to(&path)
            {
                links.push((path.clone(), target));
            }
            if self.is_ours(&entry) {
                paths.push(path);
            }
        }
        paths.extend(self.tracked());
        paths.sort();
        paths.dedup();
        Ok((paths, links))
    }

    /// The path that `path` really is, where a symbolic link (or another spelling of a name, where case does not count)
    /// stands in its way and leads to a place inside.
    pub fn leads_to(&self, path: &RelPath) -> Option<RelPath> {
        let place = path.in_root(&self.root);
        let mut above = place.ancestors();
        let (known, real) = above.find_map(|above| Some((above, above.canonicalize().ok()?)))?;
        let rest = place.strip_prefix(known).ok()?;
        let real = RelPath::under(&self.root, &real.join(rest)).ok()?;
        (real != *path).then_some(real)
    }

    fn walker(&self) -> WalkBuilder {
        let in_git = self.in_git();
        let mut walker = WalkBuilder::new(&self.root);
        walker
            .hidden(false)
            .ignore(false)
            .require_git(false)
            .parents(in_git)
            .follow_links(false)
            .filter_entry(|entry| entry.depth() == 0 || !is_foreign(entry));
        walker
    }

    fn in_git(&self) -> bool {
        !self.alone && self.root.ancestors().any(|dir| dir.join(".git").exists())
    }

    fn is_ours(&self, entry: &DirEntry) -> bool {
        match entry.file_type() {
            Some(kind) if kind.is_file() => true,
            Some(kind) if kind.is_symlink() => entry
                .path()
                .canonicalize()
                .is_ok_and(|target| target.starts_with(&self.root) && target.is_file()),
            _ => false,
        }
    }

    /// Tracked files that the ignore rules would hide. Git is told to run no hook; when it fails the rules alone decide.
    fn tracked(&self) -> Vec<RelPath> {
        if !self.in_git() {
            return Vec::new();
        }
        let output = std::process::Command::new("git")
            .args([
                "-c",
                "core.fsmonitor=false",
                "ls-files",
                "-z",
                "-c",
                "-i",
                "--exclude-standard",
            ])
            .current_dir(&self.root)
            .stdin(std::process::Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
                .split('\0')
                .filter_map(|text| RelPath::new(text).ok())
                .filter(|path| !is_reserved(path) && path.in_root(&self.root).is_file())
                .collect(),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                tracing::debug!(%why, "git does not list this workspace");
                Vec::new()
            }
            Err(error) => {
                tracing::debug!(%error, "git cannot be run");
                Vec::new()
            }
        }
    }

    /// Every file with its hash, unsaved text laid over the disk. Unchanged files are not read again.
    ///
    /// # Errors
    /// When something cannot be listed or read.
    pub fn scan(&self, open: &OpenTexts) -> Result<Tree, WorkspaceError> {
        let (paths, found) = self.walk()?;
        let mut files = BTreeMap::new();
        for path in paths {
            if let Some(hash) = self.hash_of(&path)? {
                files.insert(path, hash);
            }
        }
        for (path, open) in open.iter().filter(|(path, _)| !is_reserved(path)) {
            files.insert(path.clone(), sha256(open.text.as_bytes()));
        }
        let links = links_of(&files, &found);
        for (link, target) in &links {
            if let Some(hash) = files.get(target).cloned() {
                files.insert(link.clone(), hash);
            }
        }
        Ok(Tree { files, links })
    }

    /// The hash of a file on disk, from memory when size and time prove that it is unchanged; `None` when it is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn hash_of(&self, path: &RelPath) -> Result<Option<String>, WorkspaceError> {
        let place = path.in_root(&self.root);
        let failed = |source| WorkspaceError::Io { path: place.clone(), source };
        let metadata = match fs::metadata(&place) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let modified = metadata.modified().map_err(failed)?;
        if let Some(hash) = self.remembered(path, &metadata, modified) {
            return Ok(Some(hash));
        }
        let hashed_at = SystemTime::now();
        let bytes = fs::read(&place).map_err(failed)?;
        let hash = sha256(&bytes);
        let stat = Stat {
            len: metadata.len(),
            modified,
            trace: trace_of(&metadata),
            hashed_at,
            hash: hash.clone(),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.clone(), stat);
        Ok(Some(hash))
    }

    fn remembered(
        &self,
        path: &RelPath,
        metadata: &Metadata,
        modified: SystemTime,
    ) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stat = known.get(path)?;
        let same = stat.len == metadata.len()
            && stat.modified == modified
            && stat.trace == trace_of(metadata);
        let settled = stat.hashed_at.duration_since(stat.modified).is_ok_and(|age| age > RACY);
        (same && settled).then(|| stat.hash.clone())
    }
}

/// Number of the file and time of its last change of any kind, which no program can set.
#[cfg(unix)]
fn trace_of(metadata: &Metadata) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn trace_of(_metadata: &Metadata) -> (u64, i64, i64) {
    (0, 0, 0)
}

/// The files that stand behind links to files and folders. A folder that is linked into itself is left out.
fn links_of(files: &BTreeMap<RelPath, String>, found: &[Link]) -> BTreeMap<RelPath, RelPath> {
    let mut links = BTreeMap::new();
    for (link, target) in found.iter().filter(|(_, target)| !is_reserved(target)) {
        if files.contains_key(target) {
            links.insert(link.clone(), target.clone());
        }
        let folder = format!("{target}/");
        if link.as_str().starts_with(&folder) {
            continue;
        }
        for file in files.keys() {
            if let Some(rest) = file.as_str().strip_prefix(&folder)
                && let Ok(alias) = RelPath::new(&format!("{link}/{rest}"))
            {
                links.insert(alias, file.clone());
            }
        }
    }
    links
}

/// Folders that are never part of a workspace's own text.
fn is_foreign(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        // A temporary file is one of ours, on its way to become the file that it stands beside.
        let ours = name.to_str().is_some_and(|name| name.starts_with(TEMPORARY));
        return ours || (entry.depth() == 1 && name == ".git");
    }
    name == ".git"
        || name == ".opencode"
        || name == "node_modules"
        || entry.path().join("CACHEDIR.TAG").is_file()
}

/// Whether a path lies in a folder that is never part of a workspace's own text, however a system may spell it: without
/// case, with dots or blanks at the end, as a stream, by its short name, with characters that are not seen.
pub fn is_reserved(path: &RelPath) -> bool {
    let is_foreign = |part: &str| {
        let name = part.split(':').next().unwrap_or_default();
        let name: String = name.chars().filter(|c| !is_unseen(*c)).collect();
        let name = name.trim_end_matches(['.', ' ']);
        [".git", "git~1", ".opencode", "node_modules"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    };
    path.as_str().split('/').any(is_foreign)
}

/// Characters that some file systems drop from names.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
