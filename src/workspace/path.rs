//! Paths inside the workspace. A [`RelPath`] is checked once, when it is made; afterwards it cannot name anything outside.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A path relative to the workspace root, with `/` between its parts on every platform: never empty, never absolute,
/// without `.` or `..` parts, drive letters, backslashes or NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

/// Why a text is no path inside the workspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a path inside the workspace: {why}")]
pub struct BadPath {
    /// The text as it was given.
    pub path: String,
    /// The reason, for people.
    pub why: &'static str,
}

impl RelPath {
    /// Checks `text`; a leading `./` is dropped.
    ///
    /// # Errors
    /// When the text could name something outside the workspace, or is not spelt portably.
    pub fn new(text: &str) -> Result<RelPath, BadPath> {
        let bad = |why| Err(BadPath { path: text.to_owned(), why });
        let trimmed = text.strip_prefix("./").unwrap_or(text);
        if trimmed.is_empty() {
            return bad("it is empty");
        }
        if trimmed.contains('\\') || trimmed.contains('\0') {
            return bad("it holds a backslash or NUL");
        }
        if trimmed.starts_with('/') || trimmed.as_bytes().get(1) == Some(&b':') {
            return bad("it is absolute");
        }
        if trimmed.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return bad("it has an empty, `.` or `..` part");
        }
        Ok(RelPath(trimmed.to_owned()))
    }

    /// The path of `path` relative to `root`.
    ///
    /// # Errors
    /// When `path` does not lie under `root` or is not UTF-8.
    pub fn under(root: &Path, path: &Path) -> Result<RelPath, BadPath> {
        let bad = |why| BadPath { path: path.display().to_string(), why };
        let inside = path.strip_prefix(root).map_err(|_| bad("it lies outside"))?;
        let parts: Option<Vec<&str>> = inside.iter().map(|part| part.to_str()).collect();
        RelPath::new(&parts.ok_or_else(|| bad("it is not UTF-8"))?.join("/"))
    }

    /// The text, with `/` between the parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The absolute path below `root`, in the platform's spelling.
    pub fn in_root(&self, root: &Path) -> PathBuf {
        let mut path = root.to_path_buf();
        path.extend(self.0.split('/'));
        path
    }

    /// The part after the last dot of the file name, if any.
    pub fn extension(&self) -> Option<&str> {
        let name = self.0.rsplit('/').next()?;
        match name.rsplit_once('.') {
            Some(("", _)) | None => None,
            Some((_, ext)) => Some(ext),
        }
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RelPath {
    type Error = BadPath;

    fn try_from(text: String) -> Result<RelPath, BadPath> {
        RelPath::new(&text)
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_are_made() {
        for good in ["a", "src/lib.rs", "./x.ts", ".opencode/todo.md", "ü/…"] {
            assert!(RelPath::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "/etc", "a/../b", "a//b", "C:/x", "a\\b", "a/\0", "a/"] {
            assert!(RelPath::new(bad).is_err(), "{bad}");
        }
    }
}
