//! The farm of downstream servers, against real ones.

use std::time::Duration;

use orchestrator_lsp::gate::diagnostic::{Diagnostic, Severity};
use orchestrator_lsp::gate::language::Language;
use orchestrator_lsp::gate::servers::Servers;
use orchestrator_lsp::gate::servers::farm::{Farm, Limits};
use orchestrator_lsp::gate::{Answer, Overlay};
use orchestrator_lsp::workspace::path::RelPath;
use tempfile::TempDir;

use crate::support::tools;

mod answers;
mod deletions;
#[cfg(unix)]
mod farm;
#[cfg(unix)]
mod faults;
mod push;
mod speed;

/// Long enough for a busy machine; nothing waits for it unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

fn rel(path: &str) -> RelPath {
    RelPath::new(path).unwrap()
}

fn overlay(texts: &[(&str, &str)]) -> Overlay {
    texts.iter().map(|(path, text)| (rel(path), Some((*text).to_owned()))).collect()
}

fn errors(answer: &Answer) -> Vec<&Diagnostic> {
    match answer {
        Answer::Diagnosed { diagnostics, .. } => {
            diagnostics.iter().filter(|d| d.severity == Severity::Error).collect()
        }
        Answer::Unverified { reason } => panic!("unverified: {reason}"),
    }
}

fn codes(answer: &Answer) -> Vec<&str> {
    errors(answer).iter().map(|error| error.code.as_deref().unwrap_or("none")).collect()
}

fn reason(answer: &Answer) -> &str {
    match answer {
        Answer::Unverified { reason } => reason,
        Answer::Diagnosed { .. } => panic!("it was answered: {answer:?}"),
    }
}

fn files(texts: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in texts {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

const LIB: &str = "pub mod greet;\n\npub fn main_text() -> String {\n    greet::hello(\"é\")\n}\n";
const GREET: &str = "pub fn hello(name: &str) -> String {\n    format!(\"hello {name}\")\n}\n";
const MANIFEST: &str =
    "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n";

/// Tests run beside each other; none may end another's servers.
fn alone(servers: Servers) -> Servers {
    servers.with_farm(Farm::new(Limits::default()))
}

fn rust() -> (TempDir, Servers, Language) {
    let program = tools::rust_analyzer();
    let shadow = files(&[("Cargo.toml", MANIFEST), ("src/lib.rs", LIB), ("src/greet.rs", GREET)]);
    let mut language: Language =
        toml::from_str(include_str!("../../grammars/rust/language.toml")).unwrap();
    language.servers[0].command[0] = program.to_str().unwrap().to_owned();
    let servers = alone(Servers::new(shadow.path().to_owned(), shadow.path().to_owned()));
    (shadow, servers, language)
}

const CONFIG: &str = r#"{ "compilerOptions": { "target": "es2022", "module": "nodenext", "strict": true, "noUnusedLocals": true,
  "noEmit": true, "types": [] }, "include": ["src"] }"#;
const A: &str = "export function a(x: number): number {\n  return x;\n}\n";
const B: &str = "import { a } from \"./a.js\";\n\nexport const b: number = a(1);\n";

/// A TypeScript project; with 7 its own server, else typescript-language-server.
fn typescript(seven: bool) -> (TempDir, Servers, Language) {
    let project = if seven { tools::typescript7() } else { tools::typescript_language_server() };
    let shadow = files(&[
        ("tsconfig.json", CONFIG),
        ("package.json", r#"{ "private": true, "type": "module" }"#),
        ("src/a.ts", A),
        ("src/b.ts", B),
    ]);
    let mut language: Language =
        toml::from_str(include_str!("../../grammars/typescript/language.toml")).unwrap();
    if !seven {
        language.servers.remove(0);
    }
    let servers = alone(Servers::new(shadow.path().to_owned(), project));
    (shadow, servers, language)
}

async fn ask(
    servers: &Servers,
    language: &Language,
    texts: &[(&str, &str)],
    files: &[&str],
) -> Answer {
    let files: Vec<RelPath> = files.iter().map(|path| rel(path)).collect();
    servers.diagnose(language, &overlay(texts), &files, PATIENCE).await
}

#[cfg(unix)]
fn signal(name: &str, group: u32) {
    let done = std::process::Command::new("kill")
        .args([name, "--", &format!("-{group}")])
        .status()
        .unwrap();
    assert!(done.success());
}
