//! One workspace of a crash: the project, a cache and a configuration of its own, and this very binary run in it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::super::{CliError, environment};
use super::super::process::Server;
use super::mission;
use crate::disk::fault;

/// How long a process may take; one that takes longer is a failure of its own.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Place {
    folder: tempfile::TempDir,
    model: String,
}

/// A process that has ended.
pub(super) struct Ended {
    /// Its exit code; `None` when it was killed.
    pub code: Option<i32>,
    pub lines: Vec<String>,
    pub complaints: String,
    /// From its start to its first line.
    pub first_line: Option<Duration>,
}

impl Place {
    pub fn new(model: &str) -> Result<Place, CliError> {
        let folder = tempfile::Builder::new().prefix("orchestrator-crash-").tempdir();
        let folder = folder.map_err(environment)?;
        let place = Place { folder, model: model.to_owned() };
        mission::lay_out(&place.root()).map_err(environment)?;
        Ok(place)
    }

    /// The project.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Leaves the folder in place and says where.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// The local model, and files of its own.
    fn variables(&self) -> Vec<(String, String)> {
        let own = |name: &str| self.folder.path().join(name).display().to_string();
        [
            ("ORCHESTRATOR_PROVIDER", "replay".to_owned()),
            ("ORCHESTRATOR_BASE_URL", self.model.clone()),
            ("ORCHESTRATOR_MODEL", "local".to_owned()),
            ("ORCHESTRATOR_CONFIG", own("none.toml")),
            ("ORCHESTRATOR_CACHE_DIR", own("cache")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Opens the workspace as an editor does, and closes it again: nothing is left to be done but to show it.
    pub fn look(&self) -> Result<(), CliError> {
        Server::start(&self.root(), &self.variables())?.stop();
        Ok(())
    }

    fn command(&self, arguments: &[&str], fault: Option<&str>) -> Result<Command, CliError> {
        let mut command = Command::new(std::env::current_exe().map_err(environment)?);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ORCHESTRATOR_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .arg("--json")
            .current_dir(self.root())
            .envs(self.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(fault) = fault {
            command.env(fault::VARIABLE, fault);
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }

    /// Starts the binary.
    pub fn start(&self, arguments: &[&str], fault: Option<&str>) -> Result<Running, CliError> {
        let mut child = self.command(arguments, fault)?.spawn().map_err(environment)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(environment("the child has no pipes"));
        };
        let began = Instant::now();
        let lines = std::thread::spawn(move || {
            let mut first = None;
            let mut lines = Vec::new();
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                first.get_or_insert_with(|| began.elapsed());
                lines.push(line);
            }
            (lines, first)
        });
        let complaints = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What could be read is what there is.
            let _ = BufReader::new(stderr).read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Running { child, lines, complaints })
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str], fault: Option<&str>) -> Result<Ended, CliError> {
        self.start(arguments, fault)?.wait(PATIENCE)
    }

    /// Every file and folder of the project but `.opencode`, by its path; a folder has no bytes.
    pub fn tree(&self) -> Result<BTreeMap<String, Option<Vec<u8>>>, CliError> {
        let mut tree = BTreeMap::new();
        gather(&self.root(), &self.root(), &mut tree).map_err(environment)?;
        tree.retain(|path, _| !path.starts_with(".opencode"));
        Ok(tree)
    }

    /// A file of `.opencode`, where it is there.
    pub fn of_ours(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.root().join(".opencode").join(name)).ok()
    }

    /// Files under a temporary name, in the project, the journal's folder and the cache.
    pub fn temporary_files(&self) -> Result<Vec<String>, CliError> {
        let mut tree = BTreeMap::new();
        gather(self.folder.path(), self.folder.path(), &mut tree).map_err(environment)?;
        let is_temporary = |path: &String| {
            let name = path.rsplit('/').next().unwrap_or_default();
            name.starts_with(crate::disk::TEMPORARY) || name.starts_with(".tmp")
        };
        Ok(tree.into_keys().filter(is_temporary).collect())
    }
}

fn gather(
    root: &Path,
    folder: &Path,
    tree: &mut BTreeMap<String, Option<Vec<u8>>>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            tree.insert(name, None);
            gather(root, &path, tree)?;
        } else {
            tree.insert(name, Some(std::fs::read(&path)?));
        }
    }
    Ok(())
}

/// A process that runs, alone in its group. It must be ended by [`Running::wait`] or [`Running::kill_after`].
pub(super) struct Running {
    child: Child,
    lines: JoinHandle<(Vec<String>, Option<Duration>)>,
    complaints: JoinHandle<String>,
}

impl Running {
    /// Waits for its end; whoever takes longer than `patience` is killed.
    pub fn wait(mut self, patience: Duration) -> Result<Ended, CliError> {
        let until = Instant::now() + patience;
        let mut pause = Duration::from_micros(200);
        loop {
            if let Some(status) = self.child.try_wait().map_err(environment)? {
                let (lines, first_line) = self.lines.join().unwrap_or_default();
                let complaints = self.complaints.join().unwrap_or_default();
                return Ok(Ended { code: status.code(), lines, complaints, first_line });
            }
            if Instant::now() >= until {
                self.end_group();
                return Err(environment(format!("a process did not end within {patience:?}")));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
    }

    /// Kills the whole group after `delay`, unless it ends before; `true` when it was killed.
    pub fn kill_after(mut self, delay: Duration) -> Result<(bool, Ended), CliError> {
        let until = Instant::now() + delay;
        while Instant::now() < until && self.child.try_wait().map_err(environment)?.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(Duration::from_millis(2)));
        }
        let alive = self.child.try_wait().map_err(environment)?.is_none();
        if alive {
            self.end_group();
        }
        let ended = self.wait(PATIENCE)?;
        Ok((alive && ended.code.is_none(), ended))
    }

    #[cfg(unix)]
    fn end_group(&mut self) {
        use nix::sys::signal::{Signal, killpg};
        let group = nix::unistd::Pid::from_raw(self.child.id() as i32);
        if let Err(error) = killpg(group, Signal::SIGKILL) {
            tracing::debug!(%error, "a group that is to be killed has ended");
        }
    }

    #[cfg(not(unix))]
    fn end_group(&mut self) {
        if let Err(error) = self.child.kill() {
            tracing::debug!(%error, "a process that is to be killed has ended");
        }
    }
}
