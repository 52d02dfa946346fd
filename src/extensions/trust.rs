//! What of a workspace may run: files whose exact bytes a person has said yes to. What has changed since is asked about again.
//!
//! The ledger is the user's own file, outside every workspace, so that nothing in a workspace can write itself into it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::workspace::hash::sha256;

/// The file, below the user's folder of this product.
pub const FILE: &str = "trust.json";

/// All that is trusted: for each workspace its files, each with the hash of the bytes that were looked at.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Ledger {
    #[serde(default)]
    workspaces: BTreeMap<String, BTreeMap<String, String>>,
}

/// What is trusted of one workspace.
#[derive(Debug, Clone)]
pub struct Trust {
    ledger: Option<PathBuf>,
    workspace: String,
}

impl Trust {
    /// That of the workspace at `root`, in the ledger below the user's own folder. Without one nothing is trusted.
    pub fn new(own: Option<&Path>, root: &Path) -> Trust {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        Trust {
            ledger: own.map(|folder| folder.join(FILE)),
            workspace: root.to_string_lossy().into_owned(),
        }
    }

    fn ledger(&self) -> io::Result<Ledger> {
        let Some(path) = &self.ledger else {
            return Ok(Ledger::default());
        };
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ledger::default()),
            Err(error) => Err(error),
        }
    }

    /// Whether a file of the workspace may take effect with exactly these bytes. A ledger that cannot be read trusts nothing.
    pub fn holds(&self, path: &str, bytes: &[u8]) -> bool {
        let ledger = self.ledger().unwrap_or_else(|error| {
            tracing::warn!(%error, "nothing is trusted: the ledger cannot be read");
            Ledger::default()
        });
        let files = ledger.workspaces.get(&self.workspace);
        files.and_then(|files| files.get(path)).is_some_and(|hash| *hash == sha256(bytes))
    }

    /// Trusts a file as it is.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub fn give(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.change(|files| {
            files.insert(path.to_owned(), sha256(bytes));
        })
    }

    /// Trusts nothing of the workspace any more.
    ///
    /// # Errors
    /// As for [`Trust::give`].
    pub fn take_back(&self) -> io::Result<()> {
        self.change(BTreeMap::clear)
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) -> io::Result<()> {
        let path = self.ledger.as_ref().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "no folder for settings is known (HOME)")
        })?;
        let mut ledger = self.ledger()?;
        change(ledger.workspaces.entry(self.workspace.clone()).or_default());
        ledger.workspaces.retain(|_, files| !files.is_empty());
        if let Some(folder) = path.parent() {
            disk::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(&ledger).map_err(io::Error::from)?;
        disk::replace(path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_what_was_looked_at_is_trusted_and_only_there() {
        let own = tempfile::tempdir().unwrap();
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let trust = Trust::new(Some(own.path()), one.path());
        assert!(!trust.holds("a.js", b"1"));
        trust.give("a.js", b"1").unwrap();
        trust.give("b.js", b"2").unwrap();
        assert!(trust.holds("a.js", b"1") && trust.holds("b.js", b"2"));
        assert!(!trust.holds("a.js", b"2") && !trust.holds("b.js", b"1"));
        assert!(!Trust::new(Some(own.path()), other.path()).holds("a.js", b"1"));
        assert!(!Trust::new(None, one.path()).holds("a.js", b"1"));
        trust.take_back().unwrap();
        assert!(!trust.holds("a.js", b"1"));
        std::fs::write(own.path().join(FILE), "{").unwrap();
        assert!(!trust.holds("a.js", b"1"));
        assert!(trust.give("a.js", b"1").is_err(), "what cannot be read is not written over");
    }
}
