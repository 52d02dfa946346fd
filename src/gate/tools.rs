//! The tools stage: the project's own compiler, run in the shadow, its output read into diagnostics.
//!
//! Everything that kept a tool from answering is [`Outcome::Failed`] with the reason; what that means for a change-set is
//! decided by the gate, which knows whether the base had an answer.

pub mod cargo;
pub mod process;
pub mod suite;
pub mod tsc;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::language::{ToolOutput, ToolSpec};
use crate::workspace::path::RelPath;
use process::{Ended, Request};
use suite::Suite;

/// A diagnostic with the unit of compilation that it was found in (a cargo target, a tsconfig).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The diagnostic.
    pub diagnostic: Diagnostic,
    /// The unit; equal units are compiled together.
    pub unit: String,
}

/// What a tool said of a whole tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered {
    /// Errors and warnings, each once.
    pub found: Vec<Found>,
    /// The units that were looked into at all; those behind a broken dependency are not.
    pub units: BTreeSet<String>,
    /// The workspace's files that the tool read. A file that is not here was not checked.
    pub covered: BTreeSet<RelPath>,
    /// Why some files were not looked into though the tool knows them; for people.
    pub blind: Option<String>,
    /// Name and version of the program.
    pub tool: String,
}

/// How a run of a tool came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did its work.
    Answered(Answered),
    /// It could not start or did not end in time: nothing is known, and the tree is not to blame.
    Missing(String),
    /// It ran and gave up without a diagnostic that says where (a manifest that cannot be read, a crash).
    Failed(String),
}

impl Outcome {
    /// What it said, where it did its work.
    pub fn answered(&self) -> Option<&Answered> {
        match self {
            Outcome::Answered(answered) => Some(answered),
            Outcome::Missing(_) | Outcome::Failed(_) => None,
        }
    }
}

/// Where and how a tool is run.
#[derive(Debug, Clone)]
pub struct Runner {
    /// The root of the shadow.
    pub root: PathBuf,
    /// The folder for what compilers leave behind.
    pub target: PathBuf,
    /// Where programs are looked for besides the project's `node_modules/.bin`; `None`: this process's PATH.
    pub path: Option<OsString>,
    /// How long one run may take.
    pub deadline: Duration,
    /// Versions asked for before, by program.
    pub versions: Arc<Mutex<HashMap<PathBuf, String>>>,
}

impl Runner {
    /// Runs a tool of purpose `check` in the project folder `folder` (`""`: the root) and reads what it says.
    pub async fn check(&self, spec: &ToolSpec, folder: &str) -> Outcome {
        let ended = match self.run(spec, folder).await {
            Ok(ended) => ended,
            Err(reason) => return Outcome::Missing(reason),
        };
        let version = self.version(spec, folder).await;
        let outcome = match spec.output {
            ToolOutput::CargoJson => cargo::read(&self.root, &self.target, folder, &ended),
            ToolOutput::Tsc => tsc::read(&self.root, folder, &ended),
            ToolOutput::ExitStatus if ended.success => Ok(Answered::default()),
            ToolOutput::ExitStatus => Err(ended.last_words()),
        };
        match outcome {
            Ok(answered) => Outcome::Answered(Answered { tool: version, ..answered }),
            Err(reason) => {
                let hint = if self.is_outside(&reason) {
                    "; it needs a file outside of this folder, of which the shadow has no copy: open the outer folder instead"
                } else {
                    ""
                };
                Outcome::Failed(format!("{}: {reason}{hint}", spec.name))
            }
        }
    }

    /// Runs a tool of purpose `test` and reads what it says.
    ///
    /// # Errors
    /// The reason, for people, why it did not run to its end.
    pub async fn test(&self, spec: &ToolSpec, folder: &str) -> Result<Suite, String> {
        let ended = self.run(spec, folder).await?;
        Ok(Suite { tool: self.version(spec, folder).await, ..Suite::read(spec.tests, &ended) })
    }

    /// Runs any tool to its end. A missing cargo registry is no reason to fail: without a network cargo is asked again
    /// to do with what it has.
    ///
    /// # Errors
    /// The reason, for people, why it did not run to its end.
    pub async fn run(&self, spec: &ToolSpec, folder: &str) -> Result<Ended, String> {
        let (program, arguments) = self.program(spec, folder)?;
        let request = |offline| Request {
            program: program.clone(),
            arguments: arguments.to_vec(),
            folder: self.folder(folder),
            environment: self.environment(folder, offline),
            deadline: self.deadline,
        };
        let ended = process::run(&spec.name, &request(false)).await?;
        if spec.output == ToolOutput::CargoJson
            && !ended.success
            && cargo::wants_network(&ended.stderr)
        {
            return process::run(&spec.name, &request(true)).await;
        }
        Ok(ended)
    }

    fn program<'a>(
        &self,
        spec: &'a ToolSpec,
        folder: &str,
    ) -> Result<(PathBuf, &'a [String]), String> {
        let Some((name, arguments)) = spec.command.split_first() else {
            return Err(format!("{} has no command", spec.name));
        };
        let found = process::find(name, &self.bin_folders(folder), self.path.as_deref());
        let program =
            found.ok_or_else(|| format!("{} is not installed: {}", spec.name, spec.install))?;
        Ok((program, arguments))
    }

    /// Whether a text names a file beside or above the shadow's root that would be one beside the user's.
    fn is_outside(&self, text: &str) -> bool {
        let Some(shadows) = self.root.parent().and_then(Path::parent) else {
            return false;
        };
        let shadows = shadows.to_string_lossy().into_owned();
        let own = [self.root.to_string_lossy(), self.target.to_string_lossy()];
        let named = text.match_indices(&shadows).map(|(at, _)| &text[at..]);
        named.into_iter().any(|rest| !own.iter().any(|own| rest.starts_with(own.as_ref())))
    }

    fn folder(&self, folder: &str) -> PathBuf {
        folder
            .split('/')
            .filter(|part| !part.is_empty())
            .fold(self.root.clone(), |path, part| path.join(part))
    }

    /// `node_modules/.bin` of the project folder and of those above it, the one above the root included.
    fn bin_folders(&self, folder: &str) -> Vec<PathBuf> {
        let project = self.folder(folder);
        let inside = project.ancestors().take_while(|dir| dir.starts_with(&self.root));
        inside.chain(self.root.parent()).map(|dir| dir.join("node_modules").join(".bin")).collect()
    }

    fn environment(&self, folder: &str, offline: bool) -> Vec<(OsString, OsString)> {
        let mut environment = process::allowed_environment();
        let mut set = |name: &str, value: OsString| {
            environment.retain(|(known, _)| known != name);
            environment.push((name.into(), value));
        };
        if let Some(path) = &self.path {
            set("PATH", path.clone());
        }
        let target = self.target.join(folder.replace('/', "+")).into_os_string();
        set("CARGO_TARGET_DIR", target);
        set("CARGO_TERM_COLOR", "never".into());
        if offline {
            set("CARGO_NET_OFFLINE", "true".into());
        }
        environment
    }

    /// Name and version, for receipts.
    pub async fn version(&self, spec: &ToolSpec, folder: &str) -> String {
        let Ok((program, _)) = self.program(spec, folder) else {
            return spec.name.clone();
        };
        let known = || self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = known().get(&program) {
            return version.clone();
        }
        let request = Request {
            program: program.clone(),
            arguments: spec.version.clone(),
            folder: self.folder(folder),
            environment: self.environment(folder, true),
            deadline: Duration::from_secs(20),
        };
        match process::run(&spec.name, &request).await {
            Ok(ended) if ended.success => {
                let line = ended.stdout.lines().next().unwrap_or_default().trim();
                let name = program.file_stem().and_then(|stem| stem.to_str()).unwrap_or(&spec.name);
                let named = line.to_lowercase().contains(&name.to_lowercase())
                    || line.starts_with("Version");
                let version =
                    if named { line.replace("Version", name) } else { format!("{name} {line}") };
                known().insert(program, version.clone());
                version
            }
            _ => spec.name.clone(),
        }
    }

    /// Whether there is anything for a test tool to run: npm needs a `test` script.
    pub fn has_tests(&self, spec: &ToolSpec, folder: &str) -> bool {
        if spec.command.first().is_none_or(|program| program != "npm") {
            return true;
        }
        let package =
            std::fs::read_to_string(self.folder(folder).join("package.json")).unwrap_or_default();
        let package: serde_json::Value = serde_json::from_str(&package).unwrap_or_default();
        let script = package["scripts"]["test"].as_str().unwrap_or_default();
        !script.is_empty() && !script.contains("no test specified")
    }
}

/// The path of a file that a tool names, relative to the shadow; `None` when it lies elsewhere.
pub(super) fn rel_path(root: &Path, folder: &str, named: &str) -> Option<RelPath> {
    let named = named.replace('\\', "/");
    let path = Path::new(&named);
    if path.is_absolute() {
        let root = root.to_string_lossy().replace('\\', "/");
        let inside = named.strip_prefix(root.as_str())?.strip_prefix('/')?;
        return RelPath::new(inside).ok();
    }
    let joined = if folder.is_empty() { named } else { format!("{folder}/{named}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            other => parts.push(other),
        }
    }
    RelPath::new(&parts.join("/")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_files_are_found_below_the_root() {
        let root = Path::new("/shadow");
        let rel = |folder, named| rel_path(root, folder, named).map(String::from);
        assert_eq!(rel("", "src/a.rs").as_deref(), Some("src/a.rs"));
        assert_eq!(rel("web", "../lib/a.ts").as_deref(), Some("lib/a.ts"));
        assert_eq!(rel("", "../a.ts"), None);
        #[cfg(unix)]
        assert_eq!(rel("", "/shadow/src/a.rs").as_deref(), Some("src/a.rs"));
        #[cfg(unix)]
        assert_eq!(rel("", "/shadowed/src/a.rs"), None);
    }
}
