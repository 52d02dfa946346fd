//! What the gate knows of a language, as data: `grammars/<language>/language.toml`.
//!
//! The folders are compiled in; the table at the end of this file names them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

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
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Files that mark the root of a project of this language (`Cargo.toml`, `tsconfig.json`).
    #[serde(default)]
    pub roots: Vec<String>,
    /// Further files that its projects are described by (`Cargo.lock`).
    #[serde(default)]
    pub described_by: Vec<String>,
    /// Whether files outside of every project make one of the whole workspace: a script needs no root file.
    #[serde(default)]
    pub anywhere: bool,
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
    /// Arguments that make it print its version; none, where it cannot.
    #[serde(default = "version")]
    pub version: Vec<String>,
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
    /// What it calls the language (`shellscript`), where that is not the extension or the usual name.
    #[serde(default)]
    pub language_id: Option<String>,
    /// Whether it speaks only of files that are open in it; then every file is opened that it is asked about.
    #[serde(default)]
    pub open_files_only: bool,
    /// Whether it was found to forget a file that is taken off the disk, and to know it again when it is put back.
    #[serde(default)]
    pub sees_deletions: bool,
    /// Words of lines that can put a file into the project or out of it (`mod`, `cfg`). A change of such a line takes
    /// away what was proved of the files before.
    #[serde(default)]
    pub membership: Vec<String>,
    /// Variables set in its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How a person gets it, in one line.
    #[serde(default)]
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
    /// `textDocument/publishDiagnostics`, with the canary as the fence: published for the very version that was sent
    /// after it, or, by a server that names no version, after it was seen to come and to go.
    Push,
}

/// A native tool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToolSpec {
    /// For people: `cargo check`.
    pub name: String,
    /// Program and arguments, looked for like a server's. `{state}` in an argument (also of `incremental`) is the name of a
    /// file, for what the program wants to remember until its next run.
    pub command: Vec<String>,
    /// Commands in place of that one where its program is not installed.
    #[serde(default)]
    pub otherwise: Vec<Vec<String>>,
    /// It is asked only where one of these holds; always, where there is none.
    #[serde(default)]
    pub when: Vec<When>,
    /// Which files its word is a proof of.
    #[serde(default)]
    pub covers: Covers,
    /// Arguments that are added, in a run of its own, for code that the command alone does not compile.
    #[serde(default)]
    pub everything: Vec<String>,
    /// Arguments that are added so that it goes on from what it knew, `{state}` among them.
    #[serde(default)]
    pub incremental: Vec<String>,
    /// Beginnings of versions (`tsc 7.`) that are not to be believed with those arguments, and run without.
    #[serde(default)]
    pub incremental_except: Vec<String>,
    /// Arguments that make a test tool build what it would run and stop there.
    #[serde(default)]
    pub build: Vec<String>,
    /// For a tool whose program is a language server too: it need not be run where that server has judged every file, unless
    /// a description of a project mentions one of these words.
    #[serde(default)]
    pub same_as_server_unless: Option<Vec<String>>,
    /// Arguments that make it print its version.
    #[serde(default = "version")]
    pub version: Vec<String>,
    /// The shape of its output.
    pub output: ToolOutput,
    /// What it does.
    pub purpose: Purpose,
    /// How its tests are named, for a tool of purpose `test`.
    #[serde(default)]
    pub tests: TestOutput,
    /// How a person gets it, in one line.
    #[serde(default)]
    pub install: String,
}

fn version() -> Vec<String> {
    vec!["--version".to_owned()]
}

/// A sign that a project uses a tool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct When {
    /// A file's name, in the project's folder or above it up to the workspace's root. One `*` stands for anything; after
    /// `**/` any folder below the project's may hold it.
    pub file: String,
    /// Only the project's folder itself, not those above it.
    #[serde(default)]
    pub here: bool,
    /// A text that the file must contain.
    #[serde(default)]
    pub has: String,
}

/// Which of the changed files a tool's word is a proof of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Covers {
    /// Those that its output names as read.
    #[default]
    Listed,
    /// All in the project's folder, when it ends well.
    Everything,
    /// None: it may refuse, and that is all.
    Nothing,
}

/// The shape of a tool's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolOutput {
    /// `--message-format=json` of cargo.
    CargoJson,
    /// `file(line,column): error TS1234: message` of tsc with `--pretty false`.
    Tsc,
    /// `pyright --verbose --dependencies`, in words.
    Pyright,
    /// `go list -e -export -json`.
    GoList,
    /// `go vet -json`.
    GoVet,
    /// `eslint --format json`.
    EslintJson,
    /// `file:line:column: severity: message`, as most compilers write; a line that is the name of a file says that it was
    /// read.
    Gnu,
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

/// A language with the rules of its folder, or of another's.
macro_rules! embedded {
    ($language:literal, $($from:literal: [$($rule:literal),* $(,)?]),*) => {
        Embedded {
            toml: include_str!(concat!("../../grammars/", $language, "/language.toml")),
            rules: &[$($((
                $rule,
                include_str!(concat!("../../grammars/", $from, "/rules/", $rule, ".scm")),
            )),*),*],
        }
    };
}

/// Adding a language is one entry here, beside its folder and its grammar in [`super::prepare::syntax`]. JavaScript shares the
/// rules of TypeScript where nothing in them is of types.
#[rustfmt::skip]
const EMBEDDED: &[Embedded] = &[
    embedded!("rust", "rust": ["elision", "placeholder", "deleted-test", "ignored-test", "emptied-test", "weakened-assertion", "removed-export"]),
    embedded!("typescript", "typescript": ["elision", "placeholder", "deleted-test", "ignored-test", "focused-test", "emptied-test", "weakened-assertion", "removed-export"]),
    embedded!("javascript", "typescript": ["elision", "placeholder", "deleted-test", "ignored-test", "focused-test", "emptied-test", "weakened-assertion"], "javascript": ["removed-export"]),
    embedded!("python", "python": ["elision", "placeholder", "deleted-test", "ignored-test", "emptied-test", "weakened-assertion", "removed-export"]),
    embedded!("go", "go": ["elision", "placeholder", "deleted-test", "ignored-test", "emptied-test", "weakened-assertion"]),
];

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "compiled in, and a test reads every one of them")]
    let read = |embedded: &Embedded| {
        toml::from_str(embedded.toml).expect("an embedded language.toml is valid")
    };
    EMBEDDED.iter().map(read).collect()
});

/// Every language that is built in; [`super::languages::Languages`] knows those of the configuration too.
pub fn all() -> &'static [Language] {
    &LANGUAGES
}

impl Language {
    /// Whether a file with this extension is of the language.
    pub fn speaks(&self, path: &RelPath) -> bool {
        path.extension().is_some_and(|extension| self.extensions.iter().any(|own| own == extension))
    }

    /// Whether its projects are described by this file (`Cargo.toml`, `Cargo.lock`, `tsconfig.json`).
    pub fn describes(&self, path: &RelPath) -> bool {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        self.roots.iter().chain(&self.described_by).any(|known| known == name)
    }
}

/// The built-in language of a file, by its extension.
pub fn for_path(path: &RelPath) -> Option<&'static Language> {
    all().iter().find(|language| language.speaks(path))
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
        assert_eq!(name("a.jsx"), Some("javascript"));
        assert_eq!(name("README.md"), None);
    }
}
