//! Where candidates are laid out and looked at: the shadow, the servers rooted in it, and what is already known of trees
//! that were looked at before. It judges nothing.

pub(super) mod surroundings;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::asking::KnownImports;
use super::asking::described;
use super::diagnostic::{Diagnostic, Remedy};
use super::error::GateError;
use super::gate::Settings;
use super::language::{self, Language, ToolSpec};
use super::prove::Case;
use super::shadow::{self, Shadow, ShadowError};
use super::stage::{Answer, Overlay, ServerStage};
use super::tools::suite::Suite;
use super::tools::{Outcome, Runner};
use crate::workspace::path::RelPath;
use crate::workspace::snapshot::Tree;
use surroundings::Surroundings;

/// How many outcomes are remembered.
const MEMORY: usize = 64;
/// How long the search for remedies may hold up a refusal.
const REMEDIES_DEADLINE: Duration = Duration::from_secs(5);
/// Of how many trees it is remembered what servers said of them.
const TREES: usize = 8;

/// A whole tree, and the texts of it that are not on the user's disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) tree: Tree,
    pub(super) hash: String,
    pub(super) texts: BTreeMap<RelPath, String>,
}

impl Layout {
    pub(super) fn new(tree: Tree, texts: BTreeMap<RelPath, String>) -> Layout {
        let hash = tree.hash();
        Layout { tree, hash, texts }
    }
}

/// What identifies a question that was answered before.
type Question = (String, String, String);

/// What a language's server said of files of one tree.
struct Known {
    language: String,
    tree: String,
    server: String,
    files: BTreeMap<RelPath, Vec<Diagnostic>>,
}

pub(super) struct Workbench {
    shadow: Arc<Mutex<Shadow>>,
    runner: Runner,
    settings: Settings,
    servers: Option<Arc<dyn ServerStage>>,
    outcomes: VecDeque<(Question, Outcome)>,
    answers: VecDeque<Known>,
    suites: VecDeque<(Question, Suite)>,
    pub(super) imports: KnownImports,
    root: PathBuf,
    surroundings: Surroundings,
}

impl Workbench {
    /// Takes a shadow for the workspace at the canonical `root` and starts the servers stage in it.
    pub(super) fn open(root: &Path, settings: &Settings) -> Result<Workbench, GateError> {
        let cache =
            settings.cache_dir.clone().or_else(shadow::cache_dir).ok_or(ShadowError::NoCache)?;
        let shadow = Shadow::open(&cache, root)?;
        let servers = settings.servers.as_ref().map(|open| open(shadow.servers.root()));
        let runner = Runner {
            root: shadow.tools.root().to_owned(),
            target: shadow.target().to_owned(),
            path: settings.path.clone(),
            deadline: settings.tool_deadline,
            versions: Arc::default(),
        };
        Ok(Workbench {
            shadow: Arc::new(Mutex::new(shadow)),
            runner,
            settings: settings.clone(),
            servers,
            outcomes: VecDeque::new(),
            answers: VecDeque::new(),
            suites: VecDeque::new(),
            imports: KnownImports::default(),
            root: root.to_owned(),
            surroundings: Surroundings::of(root),
        })
    }

    /// Forgets what was said before packages or toolchains changed.
    pub(super) async fn look_around(&mut self) {
        let now = Surroundings::of(&self.root);
        if now == self.surroundings {
            return;
        }
        self.surroundings = now;
        self.outcomes.clear();
        self.answers.clear();
        self.suites.clear();
        self.runner.versions.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(servers) = &self.servers {
            servers.base_changed(&surroundings::described()).await;
        }
    }

    pub(super) fn servers(&self) -> Option<&Arc<dyn ServerStage>> {
        self.servers.as_ref()
    }

    pub(super) fn servers_root(&self) -> PathBuf {
        self.shadow.lock().unwrap_or_else(PoisonError::into_inner).servers.root().to_owned()
    }

    pub(super) fn runner(&self) -> &Runner {
        &self.runner
    }

    /// Brings one of the copies to `layout`.
    async fn sync(
        &self,
        layout: &Layout,
        which: fn(&mut Shadow) -> &mut shadow::ShadowCopy,
    ) -> Result<Vec<RelPath>, GateError> {
        let shadow = Arc::clone(&self.shadow);
        let layout = layout.clone();
        let synced = tokio::task::spawn_blocking(move || {
            let mut shadow = shadow.lock().unwrap_or_else(PoisonError::into_inner);
            which(&mut shadow).sync(&layout.tree, &layout.texts)
        });
        Ok(synced.await.map_err(GateError::internal)??)
    }

    /// Brings the servers' copy to the base and tells them what changed on their disk.
    pub(super) async fn show_base(&self, base: &Layout) -> Result<(), GateError> {
        let Some(servers) = &self.servers else {
            return Ok(());
        };
        let changed = self.sync(base, |shadow| &mut shadow.servers).await?;
        if !changed.is_empty() {
            servers.base_changed(&changed).await;
        }
        Ok(())
    }

    /// Whether the project uses a tool.
    pub(super) async fn is_used(
        &self,
        spec: &ToolSpec,
        folder: &str,
        layout: &Layout,
    ) -> Result<bool, GateError> {
        if spec.when.is_empty() {
            return Ok(true);
        }
        self.lay_out(layout).await?;
        Ok(self.runner.is_used(spec, folder))
    }

    /// What a tool says of a tree; from memory when it said it before.
    pub(super) async fn ask_tool(
        &mut self,
        spec: &ToolSpec,
        folder: &str,
        layout: &Layout,
    ) -> Result<Outcome, GateError> {
        let question = question(spec, folder, layout);
        if let Some((_, known)) = self.outcomes.iter().find(|(known, _)| *known == question) {
            return Ok(known.clone());
        }
        self.lay_out(layout).await?;
        let mut outcome = self.runner.check(spec, folder).await;
        if let Outcome::Answered(answered) = &mut outcome {
            let root = &self.runner.root;
            answered.found.iter_mut().for_each(|found| in_own_words(&mut found.diagnostic, root));
        }
        // A tool that was missing may be installed by the next time, and what made one fail (a network, a package that is not
        // installed) need not be in the tree.
        if matches!(outcome, Outcome::Answered(_)) {
            remember(&mut self.outcomes, question, outcome.clone());
        }
        Ok(outcome)
    }

    /// The remedies for each of some diagnostics of the base with `overlay` laid over it: those that came with it, else those
    /// that a server offers in time.
    pub(super) async fn remedies(
        &self,
        diagnostics: &[Diagnostic],
        overlay: &Overlay,
    ) -> Vec<(Diagnostic, Vec<Remedy>)> {
        let search = async {
            let mut offers = Vec::new();
            for diagnostic in diagnostics {
                let mut remedies = diagnostic.remedies.clone();
                if let (Some(servers), Some(language), false) = (
                    &self.servers,
                    language::for_path(&diagnostic.path),
                    remedies.iter().any(|remedy| remedy.certain),
                ) {
                    remedies = servers.remedies(language, overlay, diagnostic).await;
                }
                offers.push((diagnostic.clone(), remedies));
            }
            offers
        };
        tokio::time::timeout(REMEDIES_DEADLINE, search).await.unwrap_or_default()
    }

    /// Whether the tool need not be run where its program has judged every file as a server. Asked of a tree that differs from
    /// the servers' in no description of a project.
    pub(super) fn is_same_as_server(&self, spec: &ToolSpec, layout: &Layout) -> bool {
        let Some(words) = &spec.same_as_server_unless else {
            return false;
        };
        let texts = described::texts(&self.servers_root(), layout.tree.files.keys());
        texts.is_some_and(|texts| {
            !texts.iter().any(|text| words.iter().any(|word| text.contains(word)))
        })
    }

    /// Whether the language's compilers said of this tree before that it has no error.
    pub(super) fn is_known_clean(&self, language: &Language, layout: &Layout) -> bool {
        let of_tree = |((name, _, tree), _): &&(Question, Outcome)| {
            *tree == layout.hash && language.tools.iter().any(|tool| identity(tool) == *name)
        };
        let is_clean = |outcome: &Outcome| {
            let answered = outcome.answered();
            answered.is_some_and(|said| !said.found.iter().any(|found| found.diagnostic.is_error()))
        };
        let mut said = self.outcomes.iter().filter(of_tree).peekable();
        said.peek().is_some() && said.all(|(_, outcome)| is_clean(outcome))
    }

    /// Runs the tests of a project; `None` where it has none. What was green of this very tree is remembered; what was not is
    /// run a second time, and what passes then is taken to have passed.
    pub(super) async fn run_tests(
        &mut self,
        spec: &ToolSpec,
        folder: &str,
        layout: &Layout,
    ) -> Result<Option<Result<Suite, String>>, GateError> {
        let question = question(spec, folder, layout);
        if let Some((_, known)) = self.suites.iter().find(|(known, _)| *known == question) {
            return Ok(Some(Ok(known.clone())));
        }
        self.lay_out(layout).await?;
        if !self.runner.has_tests(spec, folder) {
            return Ok(None);
        }
        let mut suite = match self.runner.test(spec, folder).await {
            Ok(suite) => suite,
            Err(reason) => return Ok(Some(Err(reason))),
        };
        if !suite.failed.is_empty()
            && let Ok(again) = self.runner.test(spec, folder).await
            && again.broken.is_none()
        {
            suite = again.or_passed(suite);
        }
        if suite.is_green() {
            remember(&mut self.suites, question, suite.clone());
        }
        Ok(Some(Ok(suite)))
    }

    /// Brings the tools' copy to `layout`.
    pub(super) async fn lay_out(&self, layout: &Layout) -> Result<(), GateError> {
        self.sync(layout, |shadow| &mut shadow.tools).await.map(|_| ())
    }

    /// What a server says of `files` of `layout`, which is the base on the servers' disk with `overlay` laid over it; of those
    /// that it spoke of before, from memory. What it says of a candidate is known again when that has become the base.
    pub(super) async fn ask_server(
        &mut self,
        language: &Language,
        layout: &Layout,
        overlay: &Overlay,
        files: &[RelPath],
    ) -> Answer {
        let at = self.known_of(language, layout);
        let is_known =
            |path: &RelPath| at.is_some_and(|at| self.answers[at].files.contains_key(path));
        let asked: Vec<RelPath> = files.iter().filter(|path| !is_known(path)).cloned().collect();
        let raw;
        let fresh = match self.put_to_server(language, overlay, &asked).await {
            Answer::Diagnosed { diagnostics, server, raw_us } => {
                raw = raw_us;
                let mut by_file: BTreeMap<RelPath, Vec<Diagnostic>> =
                    asked.into_iter().map(|path| (path, Vec::new())).collect();
                for diagnostic in diagnostics {
                    by_file.entry(diagnostic.path.clone()).or_default().push(diagnostic);
                }
                (server, by_file)
            }
            unverified => return unverified,
        };
        let known = self.learn(language, layout, fresh);
        let said = files.iter().filter_map(|path| known.files.get(path)).flatten();
        let (diagnostics, server) = (said.cloned().collect(), known.server.clone());
        Answer::Diagnosed { diagnostics, server, raw_us: raw }
    }

    /// Before an error in a file that nobody edits refuses: what the server says *now* of those files of the base. It is a
    /// second word on the base, from the same state as the candidate's.
    pub(super) async fn ask_base_again(
        &self,
        language: &Language,
        shown: &Overlay,
        new: &[Diagnostic],
        case: &Case<'_>,
    ) -> Answer {
        let changed: BTreeSet<&RelPath> =
            case.resolved.files.iter().map(|file| &file.path).collect();
        let others: BTreeSet<RelPath> =
            new.iter().map(|d| &d.path).filter(|path| !changed.contains(path)).cloned().collect();
        let others: Vec<RelPath> =
            others.into_iter().filter(|path| case.base.tree.files.contains_key(path)).collect();
        self.put_to_server(language, shown, &others).await
    }

    fn known_of(&self, language: &Language, layout: &Layout) -> Option<usize> {
        let is_it = |known: &Known| known.language == language.name && known.tree == layout.hash;
        self.answers.iter().position(is_it)
    }

    fn learn(
        &mut self,
        language: &Language,
        layout: &Layout,
        (server, files): (String, BTreeMap<RelPath, Vec<Diagnostic>>),
    ) -> &Known {
        let mut known = match self.known_of(language, layout).and_then(|at| self.answers.remove(at))
        {
            Some(known) => known,
            None => Known {
                language: language.name.clone(),
                tree: layout.hash.clone(),
                server: String::new(),
                files: BTreeMap::new(),
            },
        };
        if !server.is_empty() {
            known.server = server;
        }
        known.files.extend(files);
        if self.answers.len() >= TREES {
            self.answers.pop_front();
        }
        self.answers.push_back(known);
        &self.answers[self.answers.len() - 1]
    }

    async fn put_to_server(
        &self,
        language: &Language,
        overlay: &Overlay,
        files: &[RelPath],
    ) -> Answer {
        let Some(servers) = &self.servers else {
            return Answer::Unverified { reason: "no language server is set up".to_owned() };
        };
        if files.is_empty() {
            return Answer::Diagnosed { diagnostics: Vec::new(), server: String::new(), raw_us: 0 };
        }
        let deadline = self.settings.server_deadline;
        // The stage keeps to its deadline itself; this one is for a stage that does not.
        let asked = servers.diagnose(language, overlay, files, deadline);
        match tokio::time::timeout(deadline * 2, asked).await {
            Ok(Answer::Diagnosed { mut diagnostics, server, raw_us }) => {
                let root = self.servers_root();
                diagnostics.iter_mut().for_each(|found| in_own_words(found, &root));
                Answer::Diagnosed { diagnostics, server, raw_us }
            }
            Ok(unverified) => unverified,
            Err(_) => Answer::Unverified {
                reason: format!("the {} server did not answer in time", language.name),
            },
        }
    }
}

fn question(spec: &ToolSpec, folder: &str, layout: &Layout) -> Question {
    (identity(spec), folder.to_owned(), layout.hash.clone())
}

/// What a tool is known again by: two may have one name, and differ in what they run.
fn identity(spec: &ToolSpec) -> String {
    format!("{}\n{}", spec.name, spec.command.join("\n"))
}

/// Names files as the workspace does, not as the shadow: an error is known again by its words, and people read them.
fn in_own_words(diagnostic: &mut Diagnostic, root: &Path) {
    let root = root.to_string_lossy();
    if diagnostic.message.contains(root.as_ref()) {
        let inside = [format!("{root}/"), format!("{root}\\")];
        let shorter =
            inside.iter().fold(diagnostic.message.clone(), |text, root| text.replace(root, ""));
        diagnostic.message = shorter.replace(root.as_ref(), ".");
    }
}

fn remember<T>(memory: &mut VecDeque<(Question, T)>, question: Question, value: T) {
    if memory.len() >= MEMORY {
        memory.pop_front();
    }
    memory.push_back((question, value));
}
