//! The oracle: the project's own compiler, run by the bench in a copy of its own. It must not know of the gate, whose
//! verdicts it is there to judge; so it applies edits, runs compilers and compares errors by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::super::super::{CliError, environment};
use super::copy::Copy;
use crate::gate::tools::process::find;
use crate::workspace::RelPath;

/// Errors as a multiset of path, code and message.
pub type Errors = BTreeMap<String, usize>;

/// What the compilers said of a tree.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub errors: Errors,
    /// The files that they read.
    pub read: BTreeSet<RelPath>,
}

/// What a compiler says of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// No error that the base has not.
    Compiles,
    /// This many new errors, and the first of them.
    Breaks(usize, String),
}

/// See the module.
#[derive(Debug)]
pub struct Oracle {
    pub copy: Copy,
    target: PathBuf,
    compilers: Vec<Compiler>,
    base: Said,
    /// What was said of commits.
    commits: HashMap<String, Said>,
}

#[derive(Debug)]
enum Compiler {
    Cargo,
    /// `tsc` and the configurations that it is asked about.
    Tsc(PathBuf, Vec<String>),
}

impl Oracle {
    /// Asks the compilers about the base; `target` is cargo's.
    pub fn open(copy: Copy, target: &Path) -> Result<Oracle, CliError> {
        let mut compilers = Vec::new();
        if copy.root.join("Cargo.toml").is_file() {
            compilers.push(Compiler::Cargo);
        }
        if copy.root.join("tsconfig.json").is_file() {
            let own = [copy.root.join("node_modules/.bin")];
            let tsc = find("tsc", &own, None)
                .ok_or_else(|| environment("tsc is neither in node_modules/.bin nor on PATH"))?;
            compilers.push(Compiler::Tsc(tsc, configurations(&copy.root)));
        }
        if compilers.is_empty() {
            let why =
                "there is neither a Cargo.toml nor a tsconfig.json at the top of the repository";
            return Err(CliError::User(why.to_owned()));
        }
        let mut oracle = Oracle {
            copy,
            target: target.to_path_buf(),
            compilers,
            base: Said::default(),
            commits: HashMap::new(),
        };
        oracle.base = oracle.ask()?;
        Ok(oracle)
    }

    /// What stands in the base.
    pub fn base(&self) -> &Said {
        &self.base
    }

    /// Judges the base with some texts in place of its own, and puts the base back.
    pub fn judge(&self, after: &BTreeMap<RelPath, Option<String>>) -> Result<Ruling, CliError> {
        let mut before = BTreeMap::new();
        for path in after.keys() {
            before.insert(path.clone(), std::fs::read(path.in_root(&self.copy.root)).ok());
        }
        for (path, text) in after {
            self.put(path, text.as_ref().map(String::as_bytes))?;
        }
        let said = self.ask();
        for (path, bytes) in &before {
            self.put(path, bytes.as_deref())?;
        }
        // The base could be compiled; what cannot even be tried any more is broken.
        Ok(match said {
            Ok(said) => compare(&self.base.errors, &said.errors),
            Err(error) => Ruling::Breaks(1, error.to_string()),
        })
    }

    /// Judges a commit against its parent, each checked out as it is; `None` where a tree cannot be judged at all.
    pub fn judge_commit(&mut self, parent: &str, commit: &str) -> Result<Option<Ruling>, CliError> {
        let mut said = Vec::new();
        for tree in [parent, commit] {
            if !self.commits.contains_key(tree) {
                self.copy.check_out(tree)?;
                let Ok(found) = self.ask() else {
                    return Ok(None);
                };
                self.commits.insert(tree.to_owned(), found);
            }
            said.extend(self.commits.get(tree).map(|said| said.errors.clone()));
        }
        Ok(said.first().zip(said.get(1)).map(|(base, after)| compare(base, after)))
    }

    /// Writes with a time of now, for a compiler that goes by times.
    fn put(&self, path: &RelPath, bytes: Option<&[u8]>) -> Result<(), CliError> {
        let file = path.in_root(&self.copy.root);
        match bytes {
            Some(bytes) => {
                if let Some(folder) = file.parent() {
                    std::fs::create_dir_all(folder).map_err(environment)?;
                }
                std::fs::write(file, bytes).map_err(environment)
            }
            None if file.exists() => std::fs::remove_file(file).map_err(environment),
            None => Ok(()),
        }
    }

    fn ask(&self) -> Result<Said, CliError> {
        let mut said = Said::default();
        for compiler in &self.compilers {
            match compiler {
                Compiler::Cargo => self.cargo(&mut said)?,
                Compiler::Tsc(tsc, configurations) => {
                    for configuration in configurations {
                        self.tsc(tsc, configuration, &mut said)?;
                    }
                }
            }
        }
        Ok(said)
    }

    fn cargo(&self, said: &mut Said) -> Result<(), CliError> {
        let arguments =
            ["check", "--workspace", "--all-targets", "--keep-going", "--message-format=json"];
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).arg("--target-dir").arg(&self.target).current_dir(&self.copy.root);
        let output = run(&mut cargo)?;
        let mut failed = false;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let body = &message["message"];
            if message["reason"] == "compiler-message" && body["level"] == "error" {
                failed = true;
                let place = body["spans"].as_array().into_iter().flatten();
                let file = place.filter(|span| span["is_primary"] == true).map(|s| &s["file_name"]);
                let file = file.filter_map(Value::as_str).next().unwrap_or_default();
                let code = body["code"]["code"].as_str().unwrap_or_default();
                let text = body["message"].as_str().unwrap_or_default();
                *said.errors.entry(format!("{file} {code} {text}")).or_default() += 1;
            }
        }
        if !output.status.success() && !failed {
            return Err(environment(String::from_utf8_lossy(&output.stderr)));
        }
        self.read_by_cargo(said);
        Ok(())
    }

    /// The sources that the compiler's own lists name.
    fn read_by_cargo(&self, said: &mut Said) {
        let lists = std::fs::read_dir(self.target.join("debug/deps")).into_iter().flatten();
        let lists = lists.flatten().map(|entry| entry.path());
        for list in lists.filter(|path| path.extension().is_some_and(|end| end == "d")) {
            let text = std::fs::read_to_string(list).unwrap_or_default();
            let files = text.lines().filter_map(|line| line.strip_suffix(':'));
            said.read.extend(files.filter_map(|file| self.inside(&file.replace("\\ ", " "))));
        }
    }

    fn tsc(&self, tsc: &Path, configuration: &str, said: &mut Said) -> Result<(), CliError> {
        let arguments = ["--noEmit", "--pretty", "false", "--listFiles", "-p", configuration];
        let output = run(Command::new(tsc).args(arguments).current_dir(&self.copy.root))?;
        let mut failed = false;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some((place, message)) = line.split_once(": error TS") {
                failed = true;
                let file = place.rsplit_once('(').map_or(place, |(file, _)| file);
                *said.errors.entry(format!("{configuration}: {file} TS{message}")).or_default() +=
                    1;
            } else if line.starts_with("error TS") {
                failed = true;
                *said.errors.entry(format!("{configuration}: {line}")).or_default() += 1;
            } else {
                said.read.extend(self.inside(line));
            }
        }
        if !output.status.success() && !failed {
            return Err(environment(String::from_utf8_lossy(&output.stderr)));
        }
        Ok(())
    }

    /// A file of the repository, installed packages and the compiler's own output left out.
    fn inside(&self, file: &str) -> Option<RelPath> {
        let path = Path::new(file);
        let path = if path.is_absolute() { path.strip_prefix(&self.copy.root).ok()? } else { path };
        let path = RelPath::new(&path.to_str()?.replace('\\', "/")).ok()?;
        let apart = ["node_modules/", "target/"];
        let is_own = !apart.iter().any(|folder| path.as_str().starts_with(folder));
        (is_own && path.in_root(&self.copy.root).is_file()).then_some(path)
    }
}

fn run(command: &mut Command) -> Result<Output, CliError> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.output().map_err(|error| environment(format!("failed to run {name}: {error}")))
}

/// The configurations that a `tsconfig.json` of references stands for, or itself.
fn configurations(root: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(root.join("tsconfig.json")).unwrap_or_default();
    let plain: Value = serde_json::from_str(&text).unwrap_or_default();
    let named = plain["references"].as_array().into_iter().flatten();
    let named = named.filter_map(|reference| reference["path"].as_str());
    let found: Vec<String> = named.map(str::to_owned).collect();
    if found.is_empty() { vec!["tsconfig.json".to_owned()] } else { found }
}

fn compare(base: &Errors, after: &Errors) -> Ruling {
    let mut count = 0;
    let mut first = None;
    for (error, times) in after {
        let new = times.saturating_sub(base.get(error).copied().unwrap_or(0));
        count += new;
        first = first.or_else(|| (new > 0).then(|| error.clone()));
    }
    first.map_or(Ruling::Compiles, |first| Ruling::Breaks(count, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_mended_does_not_pay_for_another() {
        let errors = |list: &[(&str, usize)]| -> Errors {
            list.iter().map(|(text, count)| ((*text).to_owned(), *count)).collect()
        };
        let base = errors(&[("a", 2), ("b", 1)]);
        assert_eq!(compare(&base, &errors(&[("a", 1)])), Ruling::Compiles);
        assert_eq!(compare(&base, &errors(&[("a", 3)])), Ruling::Breaks(1, "a".to_owned()));
        assert_eq!(compare(&base, &errors(&[("c", 1)])), Ruling::Breaks(1, "c".to_owned()));
    }
}
