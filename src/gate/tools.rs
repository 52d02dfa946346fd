//! The tools stage: the project's own compiler, run in the shadow, its output read into diagnostics.
//!
//! Everything that kept a tool from answering is [`Outcome::Failed`] with the reason; what that means for a change-set is
//! decided by the gate, which knows whether the base had an answer.

pub mod cargo;
pub mod eslint;
pub mod gnu;
pub mod golang;
mod place;
pub mod process;
pub mod pyright;
mod solution;
pub mod suite;
pub mod tsc;
mod used;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::language::{Covers, ToolOutput, ToolSpec};
use crate::workspace::hash::sha256;
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
            ToolOutput::Tsc => {
                let unit = tsc::unit(folder, &spec.command);
                match tsc::read(&self.root, folder, &unit, &ended) {
                    Ok(own) if own.found.is_empty() && own.covered.len() <= 1 => {
                        self.ask_references(spec, folder, own).await
                    }
                    other => other,
                }
            }
            ToolOutput::Pyright => pyright::read(&self.root, folder, &ended),
            ToolOutput::GoList => golang::read(&self.root, folder, &ended),
            ToolOutput::GoVet => golang::read_vet(&self.root, folder, &ended),
            ToolOutput::EslintJson => eslint::read(&self.root, folder, &ended),
            ToolOutput::Gnu => gnu::read(&self.root, folder, &spec.name, &ended),
            ToolOutput::ExitStatus if ended.success => Ok(Answered::default()),
            ToolOutput::ExitStatus => Err(ended.last_words()),
        };
        match outcome {
            Ok(mut answered) => {
                if spec.covers == Covers::Everything && ended.success {
                    answered.covered.extend(used::files_below(&self.root, folder));
                }
                Outcome::Answered(Answered { tool: version, ..answered })
            }
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
        let mut arguments = arguments.to_vec();
        if !spec.incremental.is_empty() {
            let version = self.version(spec, folder).await;
            let is_wrong = spec.incremental_except.iter().any(|begin| version.starts_with(begin));
            arguments.extend(spec.incremental.iter().filter(|_| !is_wrong).cloned());
        }
        let request = |offline| Request {
            program: program.clone(),
            arguments: self.arguments(&arguments, folder),
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

    /// The first of a tool's commands whose program is installed.
    fn program<'a>(
        &self,
        spec: &'a ToolSpec,
        folder: &str,
    ) -> Result<(PathBuf, &'a [String]), String> {
        let folders = self.bin_folders(folder);
        let find = |command: &'a Vec<String>| {
            let (name, arguments) = command.split_first()?;
            // A program of the project's own is looked for in its folder.
            let own = self.folder(folder).join(name);
            let name = if Path::new(name).components().count() > 1 { own.to_str()? } else { name };
            Some((process::find(name, &folders, self.path.as_deref())?, arguments))
        };
        let found = std::iter::once(&spec.command).chain(&spec.otherwise).find_map(find);
        found.ok_or_else(|| {
            let hint = if spec.install.is_empty() { "put it on PATH" } else { &spec.install };
            format!("{} is not installed: {hint}", spec.name)
        })
    }

    /// Whether a program of the tool is there.
    pub fn is_installed(&self, spec: &ToolSpec, folder: &str) -> bool {
        self.program(spec, folder).is_ok()
    }

    /// Whether the project in the folder uses a tool: one of its conditions holds, or it has none.
    pub fn is_used(&self, spec: &ToolSpec, folder: &str) -> bool {
        spec.when.is_empty() || spec.when.iter().any(|when| used::holds(when, &self.root, folder))
    }

    /// The arguments with `{state}` replaced by a file that only this command in this folder uses, and that stays.
    fn arguments(&self, arguments: &[String], folder: &str) -> Vec<String> {
        let name = sha256(arguments.join("\n").as_bytes());
        let state = self.target_of(folder).join("state").join(&name[..16]);
        let state = state.to_string_lossy();
        arguments.iter().map(|argument| argument.replace("{state}", &state)).collect()
    }

    /// The folder for what compilers of one project leave behind.
    fn target_of(&self, folder: &str) -> PathBuf {
        self.target.join(folder.replace('/', "+"))
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

    /// `node_modules/.bin` and virtual environments of the project folder and of those above it, `node_modules` above the
    /// root included.
    fn bin_folders(&self, folder: &str) -> Vec<PathBuf> {
        let project = self.folder(folder);
        let inside = || project.ancestors().take_while(|dir| dir.starts_with(&self.root));
        let node = inside().chain(self.root.parent());
        let node = node.map(|dir| dir.join("node_modules").join(".bin"));
        node.chain(inside().flat_map(process::virtual_environments)).collect()
    }

    fn environment(&self, folder: &str, offline: bool) -> Vec<(OsString, OsString)> {
        let mut environment = process::allowed_environment();
        let mut set = |name: &str, value: OsString| {
            environment.retain(|(known, _)| known != name);
            environment.push((name.into(), value));
        };
        let project = self.folder(folder);
        let inside = project.ancestors().take_while(|dir| dir.starts_with(&self.root));
        let own = inside.flat_map(process::virtual_environments);
        set("PATH", process::path_with(own, self.path.as_deref()));
        // The candidate's own modules come before those that an editable install takes from the user's tree.
        let sources = std::env::join_paths([project.clone(), project.join("src")]);
        set("PYTHONPATH", sources.unwrap_or_default());
        set("PYTHONDONTWRITEBYTECODE", "1".into());
        let target = self.target_of(folder).into_os_string();
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
        if !self.is_used(spec, folder) {
            return false;
        }
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
