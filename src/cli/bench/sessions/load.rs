//! One load on the program: missions whose workers are all at work at once, in the server of an editor.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::super::super::{CliError, environment};
use super::super::process::{Server, cpu_used, memory_kb};
use super::model::{Model, Record};

/// The most tasks of one mission; more sessions are of more missions.
const TASKS: usize = 250;
/// How long one load may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// So many sessions at once, each of so many requests, with a model that takes so long.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Load {
    pub sessions: usize,
    pub requests: usize,
    /// In milliseconds.
    pub latency: u64,
    /// By how much of it answers take longer or shorter, in percent.
    pub spread: u64,
}

/// What the program did under it.
#[derive(Debug)]
pub(in super::super) struct Run {
    pub record: Record,
    /// Its processor time for all of it.
    pub cpu_ms: f64,
    /// Its memory before, and at its peak.
    pub idle_kb: u64,
    pub peak_kb: u64,
}

impl Load {
    pub fn measure(self) -> Result<Run, CliError> {
        self.measure_beside(|_| Ok(()), |(), _| Ok(())).map(|(run, ())| run)
    }

    /// The same with something beside it, that begins before the missions of that workspace and ends after them.
    pub fn measure_beside<B, E>(
        self,
        begin: impl FnOnce(&Path) -> Result<B, CliError>,
        end: impl FnOnce(B, &Path) -> Result<E, CliError>,
    ) -> Result<(Run, E), CliError> {
        let folder = tempfile::tempdir().map_err(environment)?;
        let workspace = folder.path().join("workspace");
        std::fs::create_dir(&workspace).map_err(environment)?;
        let text: String = (1..=200).map(|line| format!("This is line {line} of it.\n")).collect();
        std::fs::write(workspace.join("notes.txt"), text).map_err(environment)?;
        let mut model = Model::start(self.latency, self.spread, self.requests)?;
        let mut server = Server::start(&workspace, &self.variables(&model, folder.path())?)?;
        let beside = begin(&workspace)?;
        let (idle_kb, before) = (memory_kb(server.id(), "VmRSS").unwrap_or(0), cpu(&server));
        let mut left = self.sessions;
        let mut missions = 0;
        while left > 0 {
            let tasks = left.min(TASKS);
            server.task(&format!("read parts: {tasks}"))?;
            (left, missions) = (left - tasks, missions + 1);
        }
        wait(&mut server, missions)?;
        let used = cpu(&server);
        let peak_kb = memory_kb(server.id(), "VmHWM").unwrap_or(0);
        let record = model.record()?;
        let ended = end(beside, &workspace)?;
        server.stop();
        Ok((Run { record, cpu_ms: used - before, idle_kb, peak_kb }, ended))
    }

    /// The model, and limits that are none: the slots and the tasks at once are as many as there are sessions.
    fn variables(self, model: &Model, folder: &Path) -> Result<Vec<(String, String)>, CliError> {
        let config = folder.join("config.toml");
        let (many, most) = (1u64 << 40, self.sessions.max(1));
        let text = format!(
            "[limits]\ncalls = {many}\ntokens = {many}\nwall_ms = {many}\nparallel = {most}\n[slots]\nprovider = {most}\nmodel = {most}\nstart = {most}\n"
        );
        std::fs::write(&config, text).map_err(environment)?;
        let text = |path: &Path| path.display().to_string();
        Ok([
            ("ORCHESTRATOR_PROVIDER", "replay".to_owned()),
            ("ORCHESTRATOR_BASE_URL", model.url.clone()),
            ("ORCHESTRATOR_MODEL", "local".to_owned()),
            ("ORCHESTRATOR_CONFIG", text(&config)),
            ("ORCHESTRATOR_CACHE_DIR", text(&folder.join("cache"))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec())
    }
}

/// Waits until so many missions are sealed.
fn wait(server: &mut Server, missions: usize) -> Result<(), CliError> {
    let (ended, wrong) = (RefCell::new(BTreeSet::new()), RefCell::new(None));
    server.wait_for_view(PATIENCE, |view| {
        if view["end"].is_null() {
            return false;
        }
        if view["state"] != "sealed" {
            *wrong.borrow_mut() = Some(view["end"].to_string());
            return true;
        }
        ended.borrow_mut().insert(view["id"].to_string());
        ended.borrow().len() == missions
    })?;
    match wrong.into_inner() {
        Some(end) => Err(environment(format!("a mission of the bench was not sealed: {end}"))),
        None => Ok(()),
    }
}

/// The processor time of the program so far, in milliseconds.
fn cpu(server: &Server) -> f64 {
    cpu_used(server.id()).unwrap_or(0.0) * 1000.0
}
