//! The gate itself: runs the stages in order over one change-set and says what they found.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::report::{Report, StageReport, Verdict};
use super::stage::ServerStage;
use crate::workspace::change::ChangeSet;
use crate::workspace::resolve::{Overlaid, resolve};
use crate::workspace::{FileWrite, OpenTexts, Workspace, WorkspaceError};

/// Starts the downstream servers, given the root of the shadow that they may watch.
pub type OpenServers = Arc<dyn Fn(&Path) -> Arc<dyn ServerStage> + Send + Sync>;

/// How a gate works.
#[derive(Clone)]
pub struct Settings {
    /// Where the shadows live; `None`: `ORCHESTRATOR_CACHE_DIR`, else the platform's cache folder.
    pub cache_dir: Option<PathBuf>,
    /// Where programs are looked for; `None`: this process's PATH.
    pub path: Option<OsString>,
    /// How long one native tool may run.
    pub tool_deadline: Duration,
    /// How long a downstream server may take for one answer.
    pub server_deadline: Duration,
    /// The servers stage; `None`: its stage says `unverified`.
    pub servers: Option<OpenServers>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            cache_dir: None,
            path: None,
            tool_deadline: Duration::from_secs(600),
            server_deadline: Duration::from_secs(30),
            servers: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("cache_dir", &self.cache_dir)
            .field("tool_deadline", &self.tool_deadline)
            .field("server_deadline", &self.server_deadline)
            .finish_non_exhaustive()
    }
}

/// Why the gate itself cannot work (never: why a change is refused).
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The workspace cannot be read.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

/// The answer to one change-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was found.
    pub report: Report,
    /// The bytes that the report names, one for each of its files; empty unless accepted or unverified.
    pub contents: Vec<FileWrite>,
}

/// Everything that the native tools say of the tree as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Errors and warnings, in order of path and place.
    pub diagnostics: Vec<Diagnostic>,
    /// What could not be asked, and why.
    pub unverified: Vec<String>,
}

/// Proves change-sets for one workspace.
pub struct Gate {
    workspace: Arc<Workspace>,
    settings: Settings,
    servers: Option<Arc<dyn ServerStage>>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("root", &self.workspace.root())
            .finish_non_exhaustive()
    }
}

impl Gate {
    /// Opens the gate of the workspace at `root`. Nothing is copied or started yet.
    ///
    /// # Errors
    /// When the workspace cannot be read.
    pub fn open(root: &Path, settings: Settings) -> Result<Gate, GateError> {
        Ok(Gate {
            workspace: Arc::new(Workspace::open(root)?),
            settings,
            servers: None,
        })
    }

    /// The workspace.
    pub fn workspace(&self) -> &Arc<Workspace> {
        &self.workspace
    }

    /// The servers stage, once it was started by a check.
    pub fn servers(&self) -> Option<&Arc<dyn ServerStage>> {
        self.servers.as_ref()
    }

    /// Proves `change` against the disk with `open` laid over it. The user's tree is only read.
    ///
    /// # Errors
    /// When the gate itself cannot work; a change that is wrong is a [`Report`].
    pub async fn check(&self, change: &ChangeSet, open: &OpenTexts) -> Result<Checked, GateError> {
        let base = Overlaid {
            workspace: &self.workspace,
            open,
        };
        let _resolved = resolve(change, &base);
        Ok(Checked {
            report: Report {
                verdict: Verdict::Unverified,
                stages: Vec::new(),
                files: Vec::new(),
                problems: Vec::new(),
                revealed: Vec::new(),
            },
            contents: Vec::new(),
        })
    }

    /// What the native tools say of the tree as it is, from memory when they said it of this very tree before.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn diagnose(&self, open: &OpenTexts) -> Result<Diagnosis, GateError> {
        self.workspace.scan(open)?;
        let unverified = vec![format!(
            "no tool was run within {:?}",
            self.settings.tool_deadline
        )];
        Ok(Diagnosis {
            diagnostics: Vec::new(),
            unverified,
        })
    }

    /// The stages of a seal over the whole tree as it is: native tools and tests.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn whole(&self, open: &OpenTexts) -> Result<Vec<StageReport>, GateError> {
        self.workspace.scan(open)?;
        Ok(Vec::new())
    }

    /// The hash of the whole tree with `open` laid over it, as a seal names it.
    ///
    /// # Errors
    /// When the workspace cannot be read.
    pub async fn tree_hash(&self, open: &OpenTexts) -> Result<String, GateError> {
        Ok(self.workspace.scan(open)?.hash())
    }
}
