//! What the gate knows of a language, as data: `grammars/<language>/language.toml`.
//!
//! The folders are compiled in; the table at the end of this file names them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::tools::suite::TestOutput;
use crate::workspace::path::RelPath;

/// One language. Adding one is a folder under `grammars/` and a grammar crate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Language {
    /// `rust`, `typescript`, ….
    pub name: String,
    /// File extensions without the dot.
    pub extensions: Vec<String>,
    /// Files that mark the root of a project of this language (`Cargo.toml`, `tsconfig.json`).
    pub roots: Vec<String>,
    /// Files beside a project's root file that its tools need even where they are ignored (`Cargo.lock`).
    #[serde(default)]
    pub needs: Vec<String>,
    /// Whether a clean answer of a server is by itself a proof, as complete as the compiler's.
    #[serde(default)]
    pub servers_prove: bool,
    /// How a line begins that brings a name in. A quick fix that adds such a line and nothing else, the only one of its kind, is
    /// as good as certain: it changes nothing that is there.
    #[serde(default)]
    pub imports: Vec<String>,
    /// Downstream servers, best first; the first that can be found is used.
    #[serde(default)]
    pub servers: Vec<ServerSpec>,
    /// Compilers and linters that are asked in the shadow.
    #[serde(default)]
    pub tools: Vec<ToolSpec>,
}

impl Language {
    /// The server that answers to this name and version.
    pub fn server_named(&self, name: &str) -> Option<&ServerSpec> {
        let named = self.servers.iter().filter(|server| name.starts_with(&server.name));
        named.max_by_key(|server| server.name.len())
    }
}

impl ServerSpec {
    /// The program, as the command names it.
    pub fn program(&self) -> String {
        self.command.first().cloned().unwrap_or_default()
    }
}

impl ToolSpec {
    /// The program, as the command names it.
    pub fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }
}

/// How a downstream language server is started and spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServerSpec {
    /// The server's own name.
    pub name: String,
    /// Program and arguments. A program without `/` is looked for in the project's `node_modules/.bin`, then on PATH.
    pub command: Vec<String>,
    /// How its diagnostics are got and its readiness is proved.
    pub diagnostics: DiagnosticsBy,
    /// `initializationOptions`, and the answer to `workspace/configuration`, as JSON text.
    #[serde(default)]
    pub settings: Option<String>,
    /// What is appended to a file to see whether the server is awake, and what it must say of it.
    pub canary: Canary,
    /// Whether it announces with `experimental/serverStatus` when it has loaded everything.
    #[serde(default)]
    pub announces_readiness: bool,
    /// Whether its compiler has no warnings, so that what the server calls a warning breaks the build.
    #[serde(default)]
    pub warnings_are_errors: bool,
    /// Put before a numeric code (`TS`), so that it reads like the compiler's own.
    #[serde(default)]
    pub code_prefix: String,
    /// Variables set in its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How a person gets it, in one line.
    pub install: String,
}

/// A known error. A server that does not report it has not looked, whatever else it answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Canary {
    /// A line of code that is wrong in every file of the language, and takes no part in the rest of it.
    pub text: String,
    /// The code of the error.
    pub code: String,
}

/// How the diagnostics of a server can be trusted to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiagnosticsBy {
    /// `textDocument/diagnostic`.
    Pull,
    /// `workspace/executeCommand typescript.tsserverRequest` (typescript-language-server).
    TsserverRequest,
}

/// A native tool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToolSpec {
    /// For people: `cargo check`.
    pub name: String,
    /// Program and arguments, looked for like a server's.
    pub command: Vec<String>,
    /// Arguments that are added, in a run of its own, for code that the command alone does not compile.
    #[serde(default)]
    pub everything: Vec<String>,
    /// Arguments that make a test tool build what it would run and stop there.
    #[serde(default)]
    pub build: Vec<String>,
    /// For a tool whose program is a language server too: it need not be run where that server has judged every file, unless
    /// a description of a project mentions one of these words.
    #[serde(default)]
    pub same_as_server_unless: Option<Vec<String>>,
    /// Arguments that make it print its version.
    pub version: Vec<String>,
    /// The shape of its output.
    pub output: ToolOutput,
    /// What it does.
    pub purpose: Purpose,
    /// How its tests are named, for a tool of purpose `test`.
    #[serde(default)]
    pub tests: TestOutput,
    /// How a person gets it, in one line.
    pub install: String,
}

/// The shape of a tool's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolOutput {
    /// `--message-format=json` of cargo.
    CargoJson,
    /// `file(line,column): error TS1234: message` of tsc with `--pretty false`.
    Tsc,
    /// Only the exit status counts; the text is shown.
    ExitStatus,
}

/// What a tool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Proves every change-set.
    Check,
    /// Runs at the seal.
    Test,
}

/// A language's folder, compiled in.
struct Embedded {
    toml: &'static str,
    rules: &'static [(&'static str, &'static str)],
}

/// Adding a language is one entry here, beside its folder and its grammar in [`super::syntax`].
const EMBEDDED: &[Embedded] = &[
    Embedded {
        toml: include_str!("../../grammars/rust/language.toml"),
        rules: &[
            ("elision", include_str!("../../grammars/rust/rules/elision.scm")),
            ("placeholder", include_str!("../../grammars/rust/rules/placeholder.scm")),
        ],
    },
    Embedded {
        toml: include_str!("../../grammars/typescript/language.toml"),
        rules: &[
            ("elision", include_str!("../../grammars/typescript/rules/elision.scm")),
            ("placeholder", include_str!("../../grammars/typescript/rules/placeholder.scm")),
        ],
    },
    Embedded { toml: include_str!("../../grammars/javascript/language.toml"), rules: &[] },
    Embedded { toml: include_str!("../../grammars/python/language.toml"), rules: &[] },
    Embedded { toml: include_str!("../../grammars/go/language.toml"), rules: &[] },
];

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "compiled in, and a test reads every one of them")]
    let read = |embedded: &Embedded| {
        toml::from_str(embedded.toml).expect("an embedded language.toml is valid")
    };
    EMBEDDED.iter().map(read).collect()
});

/// Every language that the gate knows.
pub fn all() -> &'static [Language] {
    &LANGUAGES
}

/// The language of a file, by its extension.
pub fn for_path(path: &RelPath) -> Option<&'static Language> {
    let extension = path.extension()?;
    all().iter().find(|language| language.extensions.iter().any(|known| known == extension))
}

/// The language whose projects are described by this file (`Cargo.toml`, `Cargo.lock`, `tsconfig.json`, `package.json`).
pub fn described_by(path: &RelPath) -> Option<&'static Language> {
    let name = path.as_str().rsplit('/').next()?;
    let also = match name {
        "Cargo.lock" => "Cargo.toml",
        "package.json" => "tsconfig.json",
        other => other,
    };
    all().iter().find(|language| language.roots.iter().any(|root| root == also))
}

/// The languages that have a project at the top of the folder `root` (or one level below it).
pub fn detect(root: &Path) -> Vec<&'static Language> {
    let mut folders = vec![root.to_owned()];
    if let Ok(entries) = std::fs::read_dir(root) {
        let below = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        folders.extend(below);
    }
    let has = |language: &&Language| {
        let mut roots = language.roots.iter();
        roots.any(|name| folders.iter().any(|folder| folder.join(name).is_file()))
    };
    all().iter().filter(has).collect()
}

/// The folders of all projects of a language among `paths`, outer ones before those inside, `""` for the root itself.
pub fn all_project_folders<'a>(
    language: &Language,
    paths: impl Iterator<Item = &'a RelPath>,
) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for path in paths {
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        if language.roots.iter().any(|root| root == name) {
            folders.insert(folder.to_owned());
        }
    }
    folders
}

/// The folders of a language's projects among `paths`, outermost only, `""` for the root itself.
pub fn project_folders<'a>(
    language: &Language,
    paths: impl Iterator<Item = &'a RelPath>,
) -> Vec<String> {
    let folders = all_project_folders(language, paths);
    let inside = |outer: &String, inner: &String| {
        outer != inner
            && (outer.is_empty()
                || inner.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/')))
    };
    let outermost = |folder: &&String| !folders.iter().any(|outer| inside(outer, folder));
    folders.iter().filter(outermost).cloned().collect()
}

/// The rules of a language: name and query text.
pub(super) fn rules_of(language: &Language) -> &'static [(&'static str, &'static str)] {
    let position = all().iter().position(|known| known.name == language.name);
    position.and_then(|at| EMBEDDED.get(at)).map_or(&[], |embedded| embedded.rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).expect("a good path")
    }

    #[test]
    fn every_folder_can_be_read() {
        let names: Vec<&str> = all().iter().map(|language| language.name.as_str()).collect();
        assert_eq!(names, ["rust", "typescript", "javascript", "python", "go"]);
    }

    #[test]
    fn files_find_their_language() {
        let name = |text| for_path(&path(text)).map(|language| language.name.as_str());
        assert_eq!(name("src/a.rs"), Some("rust"));
        assert_eq!(name("a.tsx"), Some("typescript"));
        assert_eq!(name("README.md"), None);
        let described = |text| described_by(&path(text)).map(|language| language.name.as_str());
        assert_eq!(described("crates/a/Cargo.toml"), Some("rust"));
        assert_eq!(described("package.json"), Some("typescript"));
    }

    #[test]
    fn the_outermost_projects_count() {
        let rust = &all()[0];
        let folders = |list: &[&str]| {
            let paths: Vec<RelPath> = list.iter().map(|text| path(text)).collect();
            project_folders(rust, paths.iter())
        };
        assert_eq!(folders(&["Cargo.toml", "crates/a/Cargo.toml"]), [""]);
        assert_eq!(folders(&["a/Cargo.toml", "a/b/Cargo.toml", "ab/Cargo.toml"]), ["a", "ab"]);
        assert!(folders(&["src/lib.rs"]).is_empty());
    }
}
