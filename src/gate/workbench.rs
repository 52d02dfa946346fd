//! Where candidates are laid out and looked at: the shadow, the servers rooted in it, and what is already known of trees
//! that were looked at before. It judges nothing.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::diagnostic::Diagnostic;
use super::error::GateError;
use super::gate::Settings;
use super::language::{Language, ToolSpec};
use super::shadow::{self, Shadow, ShadowError};
use super::stage::{Answer, Overlay, ServerStage};
use super::tools::suite::Suite;
use super::tools::{Outcome, Runner};
use crate::workspace::path::RelPath;
use crate::workspace::snapshot::Tree;

/// How many outcomes are remembered.
const MEMORY: usize = 64;

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

pub(super) struct Workbench {
    shadow: Arc<Mutex<Shadow>>,
    runner: Runner,
    settings: Settings,
    servers: Option<Arc<dyn ServerStage>>,
    outcomes: VecDeque<(Question, Outcome)>,
    answers: VecDeque<(Question, Answer)>,
    suites: VecDeque<(Question, Suite)>,
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
        })
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

    /// What a tool says of a tree; from memory when it said it before.
    pub(super) async fn ask_tool(
        &mut self,
        spec: &ToolSpec,
        folder: &str,
        layout: &Layout,
    ) -> Result<Outcome, GateError> {
        let question = (spec.name.clone(), folder.to_owned(), layout.hash.clone());
        if let Some((_, known)) = self.outcomes.iter().find(|(known, _)| *known == question) {
            return Ok(known.clone());
        }
        self.lay_out(layout).await?;
        let outcome = self.runner.check(spec, folder).await;
        // A tool that was missing may be installed by the next time.
        if !matches!(outcome, Outcome::Missing(_)) {
            remember(&mut self.outcomes, question, outcome.clone());
        }
        Ok(outcome)
    }

    /// Runs the tests of a project; `None` where it has none. What was green of this very tree is remembered; what was not is
    /// run a second time, and what passes then is taken to have passed.
    pub(super) async fn run_tests(
        &mut self,
        spec: &ToolSpec,
        folder: &str,
        layout: &Layout,
    ) -> Result<Option<Result<Suite, String>>, GateError> {
        let question = (spec.name.clone(), folder.to_owned(), layout.hash.clone());
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

    /// What a server says of `files` of the base; from memory when it said it before.
    pub(super) async fn ask_server_of_base(
        &mut self,
        language: &Language,
        base: &Layout,
        files: &[RelPath],
    ) -> Answer {
        let names: Vec<&str> = files.iter().map(RelPath::as_str).collect();
        let question = (language.name.clone(), names.join("\n"), base.hash.clone());
        if let Some((_, known)) = self.answers.iter().find(|(known, _)| *known == question) {
            return known.clone();
        }
        let answer = self.ask_server(language, &Overlay::new(), files).await;
        if matches!(answer, Answer::Diagnosed { .. }) {
            remember(&mut self.answers, question, answer.clone());
        }
        answer
    }

    /// What a server says of `files` with `overlay` laid over the base.
    pub(super) async fn ask_server(
        &self,
        language: &Language,
        overlay: &Overlay,
        files: &[RelPath],
    ) -> Answer {
        let Some(servers) = &self.servers else {
            return Answer::Unverified { reason: "no language server is set up".to_owned() };
        };
        if files.is_empty() {
            return Answer::Diagnosed {
                diagnostics: Vec::<Diagnostic>::new(),
                server: String::new(),
                raw_us: 0,
            };
        }
        let deadline = self.settings.server_deadline;
        // The stage keeps to its deadline itself; this one is for a stage that does not.
        match tokio::time::timeout(
            deadline * 2,
            servers.diagnose(language, overlay, files, deadline),
        )
        .await
        {
            Ok(answer) => answer,
            Err(_) => Answer::Unverified {
                reason: format!("the {} server did not answer in time", language.name),
            },
        }
    }
}

fn remember<T>(memory: &mut VecDeque<(Question, T)>, question: Question, value: T) {
    if memory.len() >= MEMORY {
        memory.pop_front();
    }
    memory.push_back((question, value));
}
