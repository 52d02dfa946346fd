//! What the gate knows of a language, as data: `grammars/<language>/language.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

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
    /// Downstream servers, best first; the first that can be found is used.
    #[serde(default)]
    pub servers: Vec<ServerSpec>,
    /// Compilers and linters that are asked in the shadow.
    #[serde(default)]
    pub tools: Vec<ToolSpec>,
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
    /// Arguments that make it print its version.
    pub version: Vec<String>,
    /// The shape of its output.
    pub output: ToolOutput,
    /// What it does.
    pub purpose: Purpose,
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
