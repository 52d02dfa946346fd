//! Temporary projects, and the built binary run in them: with a cache, a configuration and a journal of their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::ended::ended;
use super::tools::checkout;

/// A project in a temporary folder.
pub struct Project {
    folder: TempDir,
    variables: Vec<(String, OsString)>,
}

/// What a run of the binary said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// The last JSON value of standard output.
    pub fn last(&self) -> Value {
        let line = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Project {
    /// An empty folder.
    pub fn empty() -> Project {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("project")).unwrap();
        Project { folder, variables: Vec::new() }
    }

    /// A copy of a fixture.
    pub fn copy_of(fixture: &str) -> Project {
        let project = Project::empty();
        copy(&checkout().join("tests/fixtures").join(fixture), &project.root());
        let _ = std::fs::remove_file(project.root().join("replay.json"));
        project
    }

    /// The same with a variable of the environment.
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Project {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a replayed conversation in place of a model.
    #[cfg(unix)]
    pub fn replaying(self, script: &str) -> Project {
        let path = self.folder.path().join("replay.json");
        std::fs::write(&path, script).unwrap();
        self.with("ORCHESTRATOR_MODEL", format!("replay:{}", path.display()))
    }

    /// The project's folder.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("project").canonicalize().unwrap()
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes the user's configuration.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.folder.path().join("none.toml"), text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// The command, ready to be run or spawned.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORCHESTRATOR_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.root())
            .env("ORCHESTRATOR_CACHE_DIR", self.folder.path().join("cache"))
            .env("ORCHESTRATOR_CONFIG", self.folder.path().join("none.toml"))
            .envs(self.variables.iter().cloned());
        command
    }

    /// The environment that the program is to have here.
    pub fn environment(&self) -> Vec<(String, String)> {
        let command = self.command(&[]);
        let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        set.map(|(n, v)| (n.to_str().unwrap().to_owned(), v.to_str().unwrap().to_owned())).collect()
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Said {
        ended(&mut self.command(arguments)).into()
    }

    /// Every file of the project but `.opencode`, `node_modules` and `target`, with its bytes.
    pub fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        gather(&self.root(), &self.root(), &mut files);
        files
    }
}

fn gather(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        if [".opencode", "node_modules", "target", ".git"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            gather(root, &path, files);
        } else {
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// This process's PATH with `first` before it.
pub fn path_with(first: &[PathBuf]) -> OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(first.iter().cloned().chain(std::env::split_paths(&own))).unwrap()
}

/// A PATH on which no language server can be found, but cargo and the system's programs can. The folder must be kept
/// as long as the path is used.
#[cfg(unix)]
pub fn path_without_servers() -> (TempDir, OsString) {
    let folder = tempfile::tempdir().unwrap();
    let own = std::env::var_os("PATH").unwrap_or_default();
    for name in ["cargo", "rustc", "rustup", "cc", "ld", "git"] {
        let found = std::env::split_paths(&own).map(|f| f.join(name)).find(|file| file.is_file());
        if let Some(found) = found {
            std::os::unix::fs::symlink(found, folder.path().join(name)).unwrap();
        }
    }
    let path =
        std::env::join_paths([folder.path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    (folder, path)
}
