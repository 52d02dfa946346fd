//! A change-set: one transaction over files, as an agent proposes it, before it is resolved against a snapshot.

use serde::{Deserialize, Serialize};

use super::path::RelPath;

/// An atomic set of changes: all of it lands, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// The changes, at most one per path.
    pub changes: Vec<Change>,
}

/// One file's part of a [`ChangeSet`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Change {
    /// Replaces pieces of an existing file.
    Edit {
        /// The file.
        path: RelPath,
        /// The replacements; each must fit in exactly one place of the text as it stood before all of them.
        edits: Vec<Edit>,
    },
    /// Creates a file, or replaces one whole.
    Write {
        /// The file.
        path: RelPath,
        /// Its new text, UTF-8.
        content: String,
    },
    /// Deletes a file.
    Delete {
        /// The file.
        path: RelPath,
    },
    /// Moves a file to a path that does not exist.
    Rename {
        /// From here.
        path: RelPath,
        /// To there.
        to: RelPath,
    },
}

impl Change {
    /// The path that the change starts from.
    pub fn path(&self) -> &RelPath {
        match self {
            Change::Edit { path, .. }
            | Change::Write { path, .. }
            | Change::Delete { path }
            | Change::Rename { path, .. } => path,
        }
    }
}

/// A replacement inside one file, found by its anchor text or by byte offsets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Edit {
    /// Replace the one occurrence of `old` by `new`.
    Text {
        /// Text that stands in the file exactly once.
        old: String,
        /// What takes its place.
        new: String,
    },
    /// Replace the bytes `start..end` by `new`; made by compilers and servers, never by a model.
    Span {
        /// First byte, UTF-8 offset in the base text.
        start: usize,
        /// One past the last byte.
        end: usize,
        /// What takes its place.
        new: String,
    },
}
