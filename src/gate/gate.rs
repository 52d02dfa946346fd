//! The gate itself: runs the stages in order over one change-set and says what they found.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};

use super::delta::Changes;
use super::diagnostic::{Diagnostic, Place, Range, Severity};
use super::frame::frame;
use super::language;
use super::prove::{self, Case, Findings, elapsed_ms};
use super::report::{FileProof, Problem, Report, Stage, StageReport, StageVerdict, Verdict};
use super::rules::{self, BadRule};
use super::shadow::ShadowError;
use super::stage::ServerStage;
use super::syntax::{self, Grammar};
use super::workbench::{Layout, Workbench};
use crate::workspace::change::ChangeSet;
use crate::workspace::hash::sha256;
use crate::workspace::resolve::{ApplyProblem, Overlaid, Resolved, ResolvedFile, resolve};
use crate::workspace::{FileWrite, OpenTexts, RelPath, Tree, Workspace, WorkspaceError};

/// How often a tree that changes while it is read is read again.
const ATTEMPTS: usize = 4;

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
    /// The shadow copy cannot be used.
    #[error(transparent)]
    Shadow(#[from] ShadowError),
    /// A rule is no valid query.
    #[error(transparent)]
    Rule(#[from] BadRule),
    /// Files change faster than they can be read.
    #[error("failed to read the workspace: {path} keeps changing; try again when it is quiet")]
    Moving {
        /// One of them.
        path: RelPath,
    },
    /// A part of the gate itself broke down.
    #[error("failed to finish the check: {why}; this is a bug, please report it")]
    Internal {
        /// What is known of it.
        why: String,
    },
}

impl GateError {
    pub(super) fn internal(error: tokio::task::JoinError) -> GateError {
        GateError::Internal { why: error.to_string() }
    }
}

/// The answer to one change-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was found.
    pub report: Report,
    /// The bytes that the report names, one for each of its files; empty unless it was accepted.
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

/// Proves change-sets for one workspace. One at a time is looked at by servers and tools; others wait.
pub struct Gate {
    workspace: Arc<Workspace>,
    settings: Settings,
    /// Opened at the first need: nothing is copied for a session that proves nothing.
    bench: Mutex<Option<Workbench>>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("root", &self.workspace.root()).finish_non_exhaustive()
    }
}

/// A change-set fitted to its base, and all that the cheap stages said.
struct Prepared {
    report: Report,
    resolved: Resolved,
    base: Layout,
    /// What a grammar alone suspects; see [`syntax`].
    suspects: Vec<Problem>,
}

impl Gate {
    /// Opens the gate of the workspace at `root`. Nothing is copied or started yet.
    ///
    /// # Errors
    /// When the workspace cannot be read.
    pub fn open(root: &Path, settings: Settings) -> Result<Gate, GateError> {
        Ok(Gate { workspace: Arc::new(Workspace::open(root)?), settings, bench: Mutex::new(None) })
    }

    /// The workspace.
    pub fn workspace(&self) -> &Arc<Workspace> {
        &self.workspace
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
        let Some(bench) = bench.as_ref() else {
            return Ok(None);
        };
        bench.show_base(&base).await?;
        Ok(bench.servers().cloned())
    }

    /// The folder that the downstream servers are rooted in.
    ///
    /// # Errors
    /// When no shadow can be had.
    pub async fn servers_root(&self) -> Result<Option<PathBuf>, GateError> {
        Ok(self.bench().await?.as_ref().map(Workbench::servers_root))
    }

    /// Proves `change` against the disk with `open` laid over it. The user's tree is only read.
    ///
    /// # Errors
    /// When the gate itself cannot work; a change that is wrong is a [`Report`].
    pub async fn check(&self, change: &ChangeSet, open: &OpenTexts) -> Result<Checked, GateError> {
        let prepared = self.prepare(change, open).await?;
        if prepared.report.verdict == Verdict::Refused {
            return Ok(refused(prepared.report));
        }
        self.ask(prepared).await
    }

    /// The stages apply, syntax and rules, off the async threads.
    async fn prepare(&self, change: &ChangeSet, open: &OpenTexts) -> Result<Prepared, GateError> {
        let workspace = Arc::clone(&self.workspace);
        let (change, open) = (change.clone(), open.clone());
        let task = tokio::task::spawn_blocking(move || prepare(&workspace, &change, &open));
        task.await.map_err(GateError::internal)?
    }

    /// The stages servers and tools, and the verdict.
    async fn ask(&self, prepared: Prepared) -> Result<Checked, GateError> {
        let Prepared { mut report, resolved, base, suspects } = prepared;
        let candidate = lay_over(&base, &resolved);
        let case = Case { changes: Changes::of(&resolved), resolved: &resolved, base, candidate };
        let mut bench = self.bench().await?;
        let Some(bench) = bench.as_mut() else {
            return Ok(refused(report));
        };
        let began = Instant::now();
        let servers = prove::servers(bench, &case).await?;
        report.stages.push(servers.report(Stage::Servers, began));
        if !servers.new.is_empty() {
            report.problems.extend(suspects);
            add_problems(&mut report, Stage::Servers, &servers, &resolved);
            return Ok(refused(report));
        }
        let began = Instant::now();
        let tools = prove::tools(bench, &case).await?;
        report.stages.push(tools.report(Stage::Tools, began));
        if !tools.new.is_empty() {
            report.problems.extend(suspects);
            add_problems(&mut report, Stage::Tools, &tools, &resolved);
            return Ok(refused(report));
        }
        report.revealed = tools.revealed.clone();
        Ok(conclude(report, &resolved, suspects, &[servers, tools]))
    }

    /// What the native tools say of the tree as it is, from memory when they said it of this very tree before.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn diagnose(&self, open: &OpenTexts) -> Result<Diagnosis, GateError> {
        let layout = self.layout(open).await?;
        let mut bench = self.bench().await?;
        let Some(bench) = bench.as_mut() else {
            return Ok(Diagnosis::default());
        };
        let (answered, unverified) = prove::survey(bench, &layout).await?;
        let mut diagnostics: Vec<Diagnostic> =
            answered.found.into_iter().map(|found| found.diagnostic).collect();
        diagnostics
            .sort_by(|a, b| (&a.path, a.range, &a.message).cmp(&(&b.path, b.range, &b.message)));
        Ok(Diagnosis { diagnostics, unverified })
    }

    /// The stages of a seal over the whole tree as it is: native tools and tests. An error that stands, whoever made it,
    /// refuses.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn whole(&self, open: &OpenTexts) -> Result<Vec<StageReport>, GateError> {
        let layout = self.layout(open).await?;
        let mut bench = self.bench().await?;
        let Some(bench) = bench.as_mut() else {
            return Ok(Vec::new());
        };
        let began = Instant::now();
        let (answered, unverified) = prove::survey(bench, &layout).await?;
        let tools = whole_tools(&answered, &unverified, began);
        let tests = prove::tests(bench, &layout).await?;
        Ok(vec![tools, tests])
    }

    /// The hash of the whole tree with `open` laid over it, as a seal names it.
    ///
    /// # Errors
    /// When the workspace cannot be read.
    pub async fn tree_hash(&self, open: &OpenTexts) -> Result<String, GateError> {
        Ok(self.layout(open).await?.hash)
    }

    async fn layout(&self, open: &OpenTexts) -> Result<Layout, GateError> {
        let workspace = Arc::clone(&self.workspace);
        let open = open.clone();
        let task = tokio::task::spawn_blocking(move || scan(&workspace, &open));
        task.await.map_err(GateError::internal)?
    }

    async fn bench(&self) -> Result<MutexGuard<'_, Option<Workbench>>, GateError> {
        let mut bench = self.bench.lock().await;
        if bench.is_none() {
            *bench = Some(Workbench::open(self.workspace.root(), &self.settings)?);
        }
        Ok(bench)
    }
}

/// The whole tree, with those ignored files that compilers need all the same.
fn scan(workspace: &Workspace, open: &OpenTexts) -> Result<Layout, GateError> {
    let mut tree = workspace.scan(open)?;
    for language in language::all() {
        for folder in language::project_folders(language, tree.files.keys()) {
            for name in &language.needs {
                let path =
                    if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                let Ok(path) = RelPath::new(&path) else {
                    continue;
                };
                if let Some(hash) = workspace.hash_of(&path)? {
                    tree.files.entry(path).or_insert(hash);
                }
            }
        }
    }
    let texts = open.iter().map(|(path, open)| (path.clone(), open.text.clone())).collect();
    Ok(Layout::new(tree, texts))
}

/// The base with the candidate's files in place of its own.
fn lay_over(base: &Layout, resolved: &Resolved) -> Layout {
    let mut tree: Tree = base.tree.clone();
    let mut texts: BTreeMap<RelPath, String> = base.texts.clone();
    for file in &resolved.files {
        match &file.result {
            Some(text) => {
                tree.files.insert(file.path.clone(), sha256(text.as_bytes()));
                texts.insert(file.path.clone(), text.clone());
            }
            None => {
                tree.files.remove(&file.path);
                texts.remove(&file.path);
            }
        }
    }
    Layout::new(tree, texts)
}

fn prepare(
    workspace: &Workspace,
    change: &ChangeSet,
    open: &OpenTexts,
) -> Result<Prepared, GateError> {
    let began = Instant::now();
    let mut report = Report {
        verdict: Verdict::Unverified,
        stages: Vec::new(),
        files: Vec::new(),
        problems: Vec::new(),
        revealed: Vec::new(),
    };
    let (resolved, base) = match fit(workspace, change, open)? {
        Ok(fitted) => fitted,
        Err(problems) => {
            report.stages.push(cheap(
                Stage::Apply,
                StageVerdict::Refused,
                format!("{} do not fit", problems.len()),
                began,
            ));
            report.problems = problems.into_iter().map(not_fitting).collect();
            report.verdict = Verdict::Refused;
            let (resolved, base) = (Resolved::default(), Layout::default());
            return Ok(Prepared { report, resolved, base, suspects: Vec::new() });
        }
    };
    report.files = resolved.files.iter().map(proof_of).collect();
    let count = resolved.files.len();
    report.stages.push(cheap(
        Stage::Apply,
        StageVerdict::Passed,
        format!("{count} files fit their base"),
        began,
    ));

    let began = Instant::now();
    let (suspects, looked_at) = suspects(&resolved);
    let (verdict, detail) = match (looked_at, suspects.len()) {
        (0, _) => (StageVerdict::NotApplicable, "no file of a known grammar".to_owned()),
        (files, 0) => (StageVerdict::Passed, format!("{files} files parse as well as before")),
        (_, places) => (StageVerdict::Unverified, format!("the grammar doubts {places} places")),
    };
    report.stages.push(cheap(Stage::Syntax, verdict, detail, began));

    let began = Instant::now();
    let breaches = breaches(&resolved)?;
    let refuses = breaches.iter().any(|problem| problem.diagnostic.severity == Severity::Error);
    let verdict = if refuses { StageVerdict::Refused } else { StageVerdict::Passed };
    report.stages.push(cheap(Stage::Rules, verdict, format!("{} breaches", breaches.len()), began));
    if refuses {
        report.verdict = Verdict::Refused;
        report.problems = suspects.iter().cloned().chain(breaches).collect();
    }
    Ok(Prepared { report, resolved, base, suspects })
}

type Fitted = Result<(Resolved, Layout), Vec<ApplyProblem>>;

/// Resolves `change` on a tree that stood still meanwhile.
fn fit(workspace: &Workspace, change: &ChangeSet, open: &OpenTexts) -> Result<Fitted, GateError> {
    let mut moving = None;
    for _ in 0..ATTEMPTS {
        let base = scan(workspace, open)?;
        let resolved = match resolve(change, &Overlaid { workspace, open }) {
            Ok(resolved) => resolved,
            Err(problems) => return Ok(Err(problems)),
        };
        if resolved.files.is_empty() {
            return Ok(Err(vec![empty_change()?]));
        }
        let moved = resolved.files.iter().find(|file| {
            let scanned = base.tree.files.get(&file.path);
            scanned.is_some() && scanned != file.base.as_ref().map(|base| &base.hash)
        });
        match moved {
            None => return Ok(Ok((resolved, base))),
            Some(file) => moving = Some(file.path.clone()),
        }
    }
    match moving {
        Some(path) => Err(GateError::Moving { path }),
        None => Err(GateError::Internal { why: "no attempt was made to read the tree".to_owned() }),
    }
}

fn empty_change() -> Result<ApplyProblem, GateError> {
    let path = RelPath::new("change-set")
        .map_err(|error| GateError::Internal { why: error.to_string() })?;
    Ok(ApplyProblem {
        path,
        line: 0,
        message: "the change-set is empty; say at least one change".to_owned(),
        frame: String::new(),
    })
}

fn cheap(stage: Stage, verdict: StageVerdict, detail: String, began: Instant) -> StageReport {
    StageReport { stage, verdict, detail, tools: Vec::new(), ms: elapsed_ms(began) }
}

fn not_fitting(problem: ApplyProblem) -> Problem {
    let place = Place { line: problem.line, column: 0 };
    Problem {
        stage: Stage::Apply,
        diagnostic: Diagnostic {
            path: problem.path,
            range: Range { start: place, end: place },
            severity: Severity::Error,
            code: None,
            message: problem.message,
            source: "apply".to_owned(),
            remedies: Vec::new(),
        },
        frame: problem.frame,
    }
}

fn proof_of(file: &ResolvedFile) -> FileProof {
    FileProof {
        path: file.path.clone(),
        base: file.base.as_ref().map(|base| base.hash.clone()),
        result: file.result.as_ref().map(|text| sha256(text.as_bytes())),
    }
}

/// The text that a file's errors are compared with: its own before, or that of the file it was renamed from, which a
/// rename does not change.
fn text_before(file: &ResolvedFile) -> Option<&str> {
    match &file.renamed_from {
        Some(_) => file.result.as_deref(),
        None => file.base.as_ref().map(|base| base.text.as_str()),
    }
}

/// What the grammars doubt, and how many files they looked at.
fn suspects(resolved: &Resolved) -> (Vec<Problem>, usize) {
    let mut suspects = Vec::new();
    let mut looked_at = 0;
    for file in &resolved.files {
        let (Some(after), Some(grammar)) = (&file.result, Grammar::for_path(&file.path)) else {
            continue;
        };
        looked_at += 1;
        let found = syntax::new_errors(&file.path, grammar, text_before(file), after);
        suspects
            .extend(found.into_iter().map(|diagnostic| problem(Stage::Syntax, diagnostic, after)));
    }
    (suspects, looked_at)
}

fn breaches(resolved: &Resolved) -> Result<Vec<Problem>, GateError> {
    let mut breaches = Vec::new();
    for file in &resolved.files {
        let Some(after) = &file.result else { continue };
        let found = rules::new_breaches(&file.path, text_before(file), after)?;
        breaches
            .extend(found.into_iter().map(|diagnostic| problem(Stage::Rules, diagnostic, after)));
    }
    Ok(breaches)
}

fn problem(stage: Stage, diagnostic: Diagnostic, text: &str) -> Problem {
    let frame = frame(text, diagnostic.range);
    Problem { stage, diagnostic, frame }
}

/// Puts what a stage found into the report, each with the code as it would be after the change.
fn add_problems(report: &mut Report, stage: Stage, findings: &Findings, resolved: &Resolved) {
    for diagnostic in &findings.new {
        let changed = resolved.files.iter().find(|file| file.path == diagnostic.path);
        let text = match changed {
            Some(file) => file.result.clone().unwrap_or_default(),
            None => findings.texts.get(&diagnostic.path).cloned().unwrap_or_default(),
        };
        report.problems.push(problem(stage, diagnostic.clone(), &text));
    }
}

fn refused(mut report: Report) -> Checked {
    report.verdict = Verdict::Refused;
    let doubted = report.problems.iter().any(|problem| problem.stage == Stage::Syntax);
    if doubted {
        set_verdict(&mut report, Stage::Syntax, StageVerdict::Refused, "");
    }
    Checked { report, contents: Vec::new() }
}

fn set_verdict(report: &mut Report, stage: Stage, verdict: StageVerdict, more: &str) {
    for found in report.stages.iter_mut().filter(|found| found.stage == stage) {
        found.verdict = verdict;
        found.detail.push_str(more);
    }
}

/// The verdict where no stage refused: every changed file of a known language must have been proved by somebody.
fn conclude(
    mut report: Report,
    resolved: &Resolved,
    suspects: Vec<Problem>,
    findings: &[Findings],
) -> Checked {
    let is_proved = |name: &str| findings.iter().any(|found| found.proved.contains(name));
    let proved = prove::touched(resolved).iter().all(|language| is_proved(&language.name));
    if !suspects.is_empty() {
        if !proved {
            report.problems = suspects;
            return refused(report);
        }
        set_verdict(
            &mut report,
            Stage::Syntax,
            StageVerdict::Passed,
            "; the compiler does not, and it decides",
        );
    }
    if !proved {
        report.verdict = Verdict::Unverified;
        return Checked { report, contents: Vec::new() };
    }
    report.verdict = Verdict::Accepted;
    let contents = resolved.files.iter().map(|file| FileWrite {
        path: file.path.clone(),
        expect: file.base.as_ref().map(|base| base.hash.clone()),
        result: file.result.as_ref().map(|text| text.clone().into_bytes()),
    });
    Checked { contents: contents.collect(), report }
}

fn whole_tools(
    answered: &super::tools::Answered,
    unverified: &[String],
    began: Instant,
) -> StageReport {
    let errors: Vec<&Diagnostic> = answered
        .found
        .iter()
        .map(|found| &found.diagnostic)
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .collect();
    let (verdict, detail) = if let Some(first) = errors.first() {
        let place = format!("{}:{}", first.path, first.range.start.line + 1);
        let message = first.message.lines().next().unwrap_or_default();
        (
            StageVerdict::Refused,
            format!("{} errors stand, the first at {place}: {message}", errors.len()),
        )
    } else if !unverified.is_empty() {
        (StageVerdict::Unverified, unverified.join("; "))
    } else if answered.tool.is_empty() {
        (StageVerdict::NotApplicable, "nothing here to check".to_owned())
    } else {
        (StageVerdict::Passed, "no error in the whole tree".to_owned())
    };
    StageReport {
        tools: answered.tool.lines().map(str::to_owned).collect(),
        ..cheap(Stage::Tools, verdict, detail, began)
    }
}
