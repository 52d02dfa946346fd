//! The bytes that worktrees were made of, each content once, for all worktrees of a process: what a file was when it was
//! brought somewhere can be had also after the user's file has moved on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk;
use crate::workspace::hash::sha256;

/// A folder of contents by their hashes.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    next: AtomicU64,
}

impl Store {
    /// The store in `folder`, which is made.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: &Path) -> io::Result<Store> {
        disk::create_dir_all(folder)?;
        Ok(Store { folder: folder.to_owned(), next: AtomicU64::new(0) })
    }

    fn place(&self, hash: &str) -> PathBuf {
        self.folder.join(hash)
    }

    /// Keeps the content with that hash, from `text` or else from the file `from`, and answers with the hash of what was
    /// found there, which is another one where the file has changed.
    pub(super) fn keep(&self, hash: &str, from: &Path, text: Option<&str>) -> io::Result<String> {
        if self.place(hash).exists() {
            return Ok(hash.to_owned());
        }
        // Whoever changes the file meanwhile makes the copy differ, so that it is the copy that is looked at.
        let fresh = self.folder.join(format!("new-{}", self.next.fetch_add(1, Ordering::Relaxed)));
        match text {
            Some(text) => disk::write(&fresh, text.as_bytes())?,
            None => disk::copy(from, &fresh)?,
        }
        let found = sha256(&fs::read(&fresh)?);
        disk::rename(&fresh, &self.place(&found))?;
        Ok(found)
    }

    /// Makes `place` a new file with a content that is kept, and the mode of `like` where that is there.
    pub(super) fn put(&self, hash: &str, like: &Path, place: &Path) -> io::Result<()> {
        if let Some(folder) = place.parent() {
            disk::create_dir_all(folder)?;
        }
        // A new file instead of the old one: a link that a command left here is never written through.
        disk::remove_if_there(place)?;
        disk::copy(&self.place(hash), place)?;
        let mut mode = fs::metadata(like).or_else(|_| fs::metadata(place))?.permissions();
        writable(&mut mode);
        fs::set_permissions(place, mode)
    }

    /// A content as text, where it is one.
    pub(super) fn text(&self, hash: &str) -> Option<String> {
        let bytes = fs::read(self.place(hash)).ok()?;
        String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
    }
}

#[cfg(unix)]
fn writable(mode: &mut fs::Permissions) {
    use std::os::unix::fs::PermissionsExt;
    mode.set_mode(mode.mode() | 0o600);
}

#[cfg(not(unix))]
#[expect(
    clippy::permissions_set_readonly_false,
    reason = "a copy of our own, on a system without modes"
)]
fn writable(mode: &mut fs::Permissions) {
    mode.set_readonly(false);
}
