//! The languages that one gate knows: the built-in ones, and what configuration adds to them. It runs nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::language::{self, Language};
use crate::workspace::path::RelPath;

/// The file of a workspace that adds to its languages, where the user's own configuration trusts it.
pub const WORKSPACE_FILE: &str = ".opencode/gate.toml";

/// What configuration adds: whole languages, and servers and tools of known ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Additions {
    /// Languages, as in `language.toml`. One without extensions adds to the known one of its name: servers, which are
    /// preferred, tools, and roots.
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    pub languages: Vec<Language>,
    /// Workspaces whose own `.opencode/gate.toml` is believed: it names programs that are run. Only in the user's file.
    pub trusted: Vec<PathBuf>,
}

/// Why an addition cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadAddition {
    /// The file cannot be read.
    #[error("failed to read {path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// Where and why.
        why: String,
    },
    /// It adds to a language that nobody knows.
    #[error("there is no language {name}: say its `extensions`, or use one of {known}")]
    Unknown {
        /// The name it gives.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A new language has the name of a known one.
    #[error(
        "the language {name} is known already: leave out `extensions` to add servers and tools to it"
    )]
    Twice {
        /// Its name.
        name: String,
    },
    /// A workspace's file says whom to trust.
    #[error("{path} says `trusted`, which only your own configuration can")]
    Trust {
        /// The file.
        path: PathBuf,
    },
}

/// The languages of a gate; cheap to copy. They live as long as the program, like those built in: configuration is read
/// when a workspace is opened, and not again.
#[derive(Debug, Clone, Copy)]
pub struct Languages(&'static [Language]);

impl Default for Languages {
    fn default() -> Languages {
        Languages(language::all())
    }
}

impl Languages {
    /// These languages with what `additions` say, and with what the file of the workspace at the canonical `root` says
    /// where `additions` trust it.
    ///
    /// # Errors
    /// When an addition cannot be used; the message says which.
    pub fn of_workspace(additions: &Additions, root: &Path) -> Result<Languages, BadAddition> {
        let own = Languages::default().with(additions)?;
        let is_root = |path: &PathBuf| path.canonicalize().is_ok_and(|path| path == root);
        if !additions.trusted.iter().any(is_root) {
            return Ok(own);
        }
        let path = root.join(WORKSPACE_FILE);
        let failed = |why: String| BadAddition::File { path: path.clone(), why };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(own),
            Err(error) => return Err(failed(error.to_string())),
        };
        let more: Additions = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
        if !more.trusted.is_empty() {
            return Err(BadAddition::Trust { path });
        }
        own.with(&more)
    }

    fn with(self, additions: &Additions) -> Result<Languages, BadAddition> {
        if additions.languages.is_empty() {
            return Ok(self);
        }
        let mut all = self.0.to_vec();
        for addition in &additions.languages {
            add(&mut all, addition)?;
        }
        Ok(Languages(Vec::leak(all)))
    }

    /// Every language.
    pub fn all(self) -> &'static [Language] {
        self.0
    }

    /// The language of a file, by its extension.
    pub fn for_path(self, path: &RelPath) -> Option<&'static Language> {
        self.0.iter().find(|language| language.speaks(path))
    }

    /// A language whose projects are described by this file.
    pub fn described_by(self, path: &RelPath) -> Option<&'static Language> {
        self.0.iter().find(|language| language.describes(path))
    }

    /// The languages that have a project at the top of the folder `root` (or one level below it).
    pub fn detect(self, root: &Path) -> Vec<&'static Language> {
        let mut folders = vec![root.to_owned()];
        if let Ok(entries) = std::fs::read_dir(root) {
            let below = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
            folders.extend(below);
        }
        let has = |language: &&Language| {
            let mut roots = language.roots.iter();
            roots.any(|name| folders.iter().any(|folder| folder.join(name).is_file()))
        };
        self.0.iter().filter(has).collect()
    }
}

fn add(all: &mut Vec<Language>, addition: &Language) -> Result<(), BadAddition> {
    let name = addition.name.clone();
    let known = all.iter().position(|known| known.name == name);
    match known.and_then(|at| all.get_mut(at)) {
        Some(_) if !addition.extensions.is_empty() => Err(BadAddition::Twice { name }),
        Some(known) => {
            known.servers.splice(0..0, addition.servers.iter().cloned());
            known.tools.extend(addition.tools.iter().cloned());
            known.roots.extend(addition.roots.iter().cloned());
            Ok(())
        }
        None if addition.extensions.is_empty() => {
            let known: Vec<&str> = all.iter().map(|known| known.name.as_str()).collect();
            Err(BadAddition::Unknown { name, known: known.join(", ") })
        }
        None => {
            all.push(addition.clone());
            Ok(())
        }
    }
}

/// The folders of all projects of a language among `paths`, outer ones before those inside, `""` for the root itself.
pub fn all_project_folders<'a>(
    language: &Language,
    paths: impl Iterator<Item = &'a RelPath>,
) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    let mut files = Vec::new();
    for path in paths {
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        if language.roots.iter().any(|root| root == name) {
            folders.insert(folder.to_owned());
        } else if language.anywhere && language.speaks(path) {
            files.push(path.as_str());
        }
    }
    let is_in_one = |file: &&str| folders.iter().any(|folder| is_inside(file, folder));
    if !files.iter().all(is_in_one) {
        folders.insert(String::new());
    }
    folders
}

/// The folders of a language's projects among `paths`, outermost only, `""` for the root itself.
pub fn project_folders<'a>(
    language: &Language,
    paths: impl Iterator<Item = &'a RelPath>,
) -> Vec<String> {
    let folders = all_project_folders(language, paths);
    let inside = |outer: &String, inner: &String| outer != inner && is_inside(inner, outer);
    let outermost = |folder: &&String| !folders.iter().any(|outer| inside(outer, folder));
    folders.iter().filter(outermost).cloned().collect()
}

/// Whether a path lies in a folder (`""`: the root).
pub fn is_inside(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(list: &[&str]) -> Vec<RelPath> {
        list.iter().map(|text| RelPath::new(text).expect("a good path")).collect()
    }

    fn named(name: &str) -> &'static Language {
        language::all().iter().find(|language| language.name == name).expect("it is built in")
    }

    #[test]
    fn the_outermost_projects_count() {
        let folders = |list: &[&str]| project_folders(named("rust"), paths(list).iter());
        assert_eq!(folders(&["Cargo.toml", "crates/a/Cargo.toml"]), [""]);
        assert_eq!(folders(&["a/Cargo.toml", "a/b/Cargo.toml", "ab/Cargo.toml"]), ["a", "ab"]);
        assert!(folders(&["src/lib.rs"]).is_empty());
    }

    #[test]
    fn a_script_outside_of_all_projects_makes_one_of_the_workspace() {
        let folders = |list: &[&str]| project_folders(named("python"), paths(list).iter());
        assert_eq!(folders(&["run.py"]), [""]);
        assert_eq!(folders(&["a/pyproject.toml", "a/x.py"]), ["a"]);
        assert_eq!(folders(&["a/pyproject.toml", "a/x.py", "run.py"]), [""]);
        assert!(folders(&["README.md"]).is_empty());
    }

    #[test]
    fn descriptions_find_their_language() {
        let described = |text: &str| -> Vec<&str> {
            let path = RelPath::new(text).expect("a good path");
            let all = language::all().iter().filter(|language| language.describes(&path));
            all.map(|language| language.name.as_str()).collect()
        };
        assert_eq!(described("crates/a/Cargo.lock"), ["rust"]);
        assert_eq!(described("package.json"), ["typescript", "javascript"]);
        assert_eq!(described("go.sum"), ["go"]);
    }

    #[test]
    fn configuration_adds_languages_servers_and_tools() {
        let text = r#"
[[languages]]
name = "c"
extensions = ["c", "h"]
anywhere = true
[[languages.tools]]
name = "cc"
command = ["cc", "-fsyntax-only", "main.c"]
output = "gnu"
purpose = "check"
covers = "everything"

[[languages]]
name = "rust"
[[languages.tools]]
name = "licences"
command = ["./check-licences"]
output = "exit-status"
purpose = "check"
when = [{ file = "licences.txt" }]
"#;
        let additions: Additions = toml::from_str(text).expect("good additions");
        let languages = Languages::default().with(&additions).expect("they fit");
        let c = languages.for_path(&paths(&["src/a.h"])[0]).expect("a language");
        assert_eq!((c.name.as_str(), c.tools.len()), ("c", 1));
        let rust = languages.for_path(&paths(&["src/a.rs"])[0]).expect("a language");
        assert_eq!(rust.tools.last().map(|tool| tool.name.as_str()), Some("licences"));
        assert_eq!(languages.all().len(), language::all().len() + 1);

        let lost: Additions = toml::from_str("[[languages]]\nname = \"cobol\"\n").expect("read");
        let error = Languages::default().with(&lost).expect_err("nobody knows it").to_string();
        assert!(error.contains("cobol") && error.contains("rust"), "{error}");
    }

    #[test]
    fn a_workspace_is_believed_only_where_the_user_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        std::fs::create_dir(root.join(".opencode")).expect("a folder");
        let file = root.join(WORKSPACE_FILE);
        let text = "[[languages]]\nname = \"ini\"\nextensions = [\"ini\"]\n";
        std::fs::write(&file, text).expect("a file");
        let count = |additions: &Additions| {
            Languages::of_workspace(additions, &root).map(|languages| languages.all().len())
        };
        let built_in = language::all().len();
        assert_eq!(count(&Additions::default()), Ok(built_in));
        let trusting = Additions { trusted: vec![root.clone()], ..Additions::default() };
        assert_eq!(count(&trusting), Ok(built_in + 1));
        std::fs::write(&file, "trusted = [\"/\"]\n").expect("a file");
        assert!(matches!(count(&trusting), Err(BadAddition::Trust { .. })));
    }
}
