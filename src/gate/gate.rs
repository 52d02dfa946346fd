//! The gate itself: runs the stages in order over one change-set and says what they found.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::diagnostic::Diagnostic;
use super::error::GateError;
use super::languages::{Additions, Languages};
use super::newness::delta::Changes;
use super::prepare::{Prepared, lay_over, prepare, scan};
use super::prove::{self, Case};
use super::repair;
use super::report::verdict::{add_problems, conclude, refused};
use super::report::{Repair, Report, Stage, Verdict};
use super::shadow;
use super::stage::ServerStage;
use super::workbench::{Layout, Workbench};
use crate::workspace::change::ChangeSet;
use crate::workspace::resolve::Resolved;
use crate::workspace::{FileWrite, OpenTexts, Tree, Workspace};

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
    /// What the user's configuration adds to the languages that are built in.
    pub additions: Additions,
    /// The servers stage; `None`: its stage says `unverified`.
    pub servers: Option<OpenServers>,
    /// How often what is certain is mended before a refusal; 0: never.
    pub repair_rounds: u8,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            cache_dir: None,
            path: None,
            tool_deadline: Duration::from_secs(600),
            server_deadline: Duration::from_secs(30),
            additions: Additions::default(),
            servers: None,
            repair_rounds: 3,
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

/// A change-set with what could be mended, and what that was.
type Mended = (ChangeSet, Vec<Repair>);

/// The answer to one change-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was found.
    pub report: Report,
    /// The bytes that the report names, one for each of its files; empty unless it was accepted.
    pub contents: Vec<FileWrite>,
    /// The whole tree that it was proved on, before the change; `None` unless it was accepted.
    pub base: Option<Tree>,
}

/// Everything that the native tools say of the tree as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Errors and warnings, in order of path and place.
    pub diagnostics: Vec<Diagnostic>,
    /// What could not be asked, and why.
    pub unverified: Vec<String>,
}

/// Proves change-sets for one workspace. One at a time is looked at by servers and tools; others wait.
pub struct Gate {
    workspace: Arc<Workspace>,
    settings: Settings,
    pub(super) languages: Languages,
    /// Opened at the first need: nothing is copied for a session that proves nothing.
    bench: Mutex<Option<Workbench>>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("root", &self.workspace.root()).finish_non_exhaustive()
    }
}

impl Gate {
    /// Opens the gate of the workspace at `root`. Nothing is copied or started yet.
    ///
    /// # Errors
    /// When the workspace cannot be read, or the configuration adds what cannot be used.
    pub fn open(root: &Path, settings: Settings) -> Result<Gate, GateError> {
        let workspace = Arc::new(Workspace::open(root)?);
        let languages = Languages::of_workspace(&settings.additions, workspace.root())?;
        Ok(Gate { workspace, settings, languages, bench: Mutex::new(None) })
    }

    /// The workspace.
    pub fn workspace(&self) -> &Arc<Workspace> {
        &self.workspace
    }

    /// The folder for what is made of the workspace and can be made again; `None` where no cache folder is known.
    pub fn folder(&self) -> Option<PathBuf> {
        let cache = self.settings.cache_dir.clone().or_else(shadow::cache_dir)?;
        Some(shadow::folder_of(&cache, self.workspace.root()))
    }

    /// The servers stage, its copy of the workspace brought to the disk with `open` laid over it; `None` where none is
    /// set up.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn servers(
        &self,
        open: &OpenTexts,
    ) -> Result<Option<Arc<dyn ServerStage>>, GateError> {
        let base = self.layout(open).await?;
        let bench = self.bench().await?;
        bench.show_base(&base).await?;
        Ok(bench.servers().cloned())
    }

    /// The folder that the downstream servers are rooted in.
    ///
    /// # Errors
    /// When no shadow can be had.
    pub async fn servers_root(&self) -> Result<PathBuf, GateError> {
        Ok(self.bench().await?.servers_root())
    }

    /// Proves `change` against the disk with `open` laid over it. The user's tree is only read.
    ///
    /// What compiler or server vouch for is mended before a refusal, at most [`Settings::repair_rounds`] times, each time
    /// proved again from the first stage. A refusal speaks of the change as it was proposed.
    ///
    /// # Errors
    /// When the gate itself cannot work; a change that is wrong is a [`Report`].
    pub async fn check(&self, change: &ChangeSet, open: &OpenTexts) -> Result<Checked, GateError> {
        let (first, mut offer) = self.prove(change, open, 1).await?;
        let mut repairs = Vec::new();
        let mut round = 1;
        while let Some((mended, done)) = offer.take() {
            repairs.extend(done);
            round += 1;
            let (mut checked, next) = self.prove(&mended, open, round).await?;
            if checked.report.verdict == Verdict::Accepted {
                checked.report.repairs = repairs;
                return Ok(checked);
            }
            offer = next;
        }
        Ok(first)
    }

    /// All stages, once; with a refusal, the change as it could be mended.
    async fn prove(
        &self,
        change: &ChangeSet,
        open: &OpenTexts,
        round: u8,
    ) -> Result<(Checked, Option<Mended>), GateError> {
        let prepared = self.prepare(change, open).await?;
        if prepared.report.verdict == Verdict::Refused {
            return Ok((refused(prepared.report), None));
        }
        let Prepared { mut report, resolved, base, suspects } = prepared;
        let candidate = lay_over(&base, &resolved);
        let changes = Changes::of(&resolved);
        let case =
            Case { languages: self.languages, changes, resolved: &resolved, base, candidate };
        let mut bench = self.bench().await?;
        let began = Instant::now();
        let servers = prove::servers(&mut bench, &case).await?;
        report.stages.push(servers.report(Stage::Servers, began));
        if !servers.new.is_empty() {
            report.problems.extend(suspects);
            add_problems(&mut report, Stage::Servers, &servers, &resolved);
            let offer = self.offer(&bench, change, &resolved, &servers.new, round).await;
            return Ok((refused(report), offer));
        }
        let began = Instant::now();
        let tools = prove::tools(&mut bench, &case, &servers.complete).await?;
        report.stages.push(tools.report(Stage::Tools, began));
        if !tools.new.is_empty() {
            report.problems.extend(suspects);
            add_problems(&mut report, Stage::Tools, &tools, &resolved);
            let offer = self.offer(&bench, change, &resolved, &tools.new, round).await;
            return Ok((refused(report), offer));
        }
        report.revealed = tools.revealed.clone();
        Ok((conclude(report, &case, suspects, &[servers, tools]), None))
    }

    /// The change with what is certain mended in it, while there are rounds left.
    async fn offer(
        &self,
        bench: &Workbench,
        change: &ChangeSet,
        resolved: &Resolved,
        new: &[Diagnostic],
        round: u8,
    ) -> Option<Mended> {
        if round > self.settings.repair_rounds || new.len() > repair::MOST {
            return None;
        }
        let offers = bench.remedies(new, &prove::overlay(resolved)).await;
        repair::mended(change, resolved, round, &offers)
    }

    /// The stages apply, syntax and rules, off the async threads.
    async fn prepare(&self, change: &ChangeSet, open: &OpenTexts) -> Result<Prepared, GateError> {
        let workspace = Arc::clone(&self.workspace);
        let (change, open) = (change.clone(), open.clone());
        let languages = self.languages;
        let task =
            tokio::task::spawn_blocking(move || prepare(&workspace, languages, &change, &open));
        task.await.map_err(GateError::internal)?
    }

    /// The hash of the whole tree with `open` laid over it, as a seal names it.
    ///
    /// # Errors
    /// When the workspace cannot be read.
    pub async fn tree_hash(&self, open: &OpenTexts) -> Result<String, GateError> {
        Ok(self.tree(open).await?.hash())
    }

    /// The whole tree with `open` laid over it, as a seal names it by its hash.
    ///
    /// # Errors
    /// When the workspace cannot be read.
    pub async fn tree(&self, open: &OpenTexts) -> Result<Tree, GateError> {
        Ok(self.layout(open).await?.tree)
    }

    pub(super) async fn layout(&self, open: &OpenTexts) -> Result<Layout, GateError> {
        let workspace = Arc::clone(&self.workspace);
        let (open, languages) = (open.clone(), self.languages);
        let task = tokio::task::spawn_blocking(move || scan(&workspace, languages, &open));
        task.await.map_err(GateError::internal)?
    }

    pub(super) async fn bench(&self) -> Result<MappedMutexGuard<'_, Workbench>, GateError> {
        let mut bench = self.bench.lock().await;
        if bench.is_none() {
            *bench = Some(Workbench::open(self.workspace.root(), &self.settings)?);
        }
        if let Some(bench) = bench.as_mut() {
            bench.look_around().await;
        }
        MutexGuard::try_map(bench, Option::as_mut)
            .map_err(|_| GateError::Internal { why: "the workbench is gone".to_owned() })
    }
}
