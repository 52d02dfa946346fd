//! The client of downstream servers, against real ones.

use std::time::Duration;

use orchestrator_lsp::gate::diagnostic::{Diagnostic, Severity};
use orchestrator_lsp::gate::language::Language;
use orchestrator_lsp::gate::servers::Servers;
use orchestrator_lsp::gate::{Answer, Overlay};
use orchestrator_lsp::workspace::path::RelPath;
use tempfile::TempDir;

use crate::support::tools;

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

fn rust() -> (TempDir, Servers, Language) {
    let program = tools::rust_analyzer();
    let shadow = files(&[("Cargo.toml", MANIFEST), ("src/lib.rs", LIB), ("src/greet.rs", GREET)]);
    let mut language: Language =
        toml::from_str(include_str!("../../grammars/rust/language.toml")).unwrap();
    language.servers[0].command[0] = program.to_str().unwrap().to_owned();
    let servers = Servers::new(shadow.path().to_owned(), shadow.path().to_owned());
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
    let servers = Servers::new(shadow.path().to_owned(), project);
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

#[tokio::test]
async fn rust_analyzer_tells_clean_from_broken() {
    let (_shadow, servers, language) = rust();
    let clean = ask(&servers, &language, &[], &["src/lib.rs", "src/greet.rs"]).await;
    assert_eq!(errors(&clean), Vec::<&Diagnostic>::new());
    let Answer::Diagnosed { server, .. } = &clean else { unreachable!() };
    assert!(server.starts_with("rust-analyzer "), "{server}");

    let broken = LIB.replace("\"é\"", "\"é\", 1");
    let broken = ask(&servers, &language, &[("src/lib.rs", &broken)], &["src/lib.rs"]).await;
    assert_eq!(codes(&broken), ["E0107"]);
    // Columns are bytes: `é` is two.
    assert_eq!(errors(&broken)[0].range.start.column, 23);

    // A caller that is not edited, and a module that is new.
    let other = [(
        "src/greet.rs",
        "pub fn hello(name: &str, loud: bool) -> String { format!(\"{name}{loud}\") }\n",
    )];
    let caller = ask(&servers, &language, &other, &["src/greet.rs", "src/lib.rs"]).await;
    assert_eq!(
        errors(&caller).iter().map(|error| error.path.as_str()).collect::<Vec<_>>(),
        ["src/lib.rs"]
    );
    let linked = format!("pub mod new;\n{LIB}");
    let new = "pub fn n() -> u8 {\n    \"\"\n}\n";
    let both = ask(
        &servers,
        &language,
        &[("src/lib.rs", &linked), ("src/new.rs", new)],
        &["src/lib.rs", "src/new.rs"],
    )
    .await;
    assert_eq!(codes(&both), ["E0308"]);

    // All of it is put back.
    let clean = ask(&servers, &language, &[], &["src/lib.rs", "src/greet.rs"]).await;
    assert_eq!(errors(&clean), Vec::<&Diagnostic>::new());
    let forgotten = ask(&servers, &language, &[("src/lib.rs", &linked)], &["src/lib.rs"]).await;
    assert_eq!(codes(&forgotten), ["E0583"], "the new file of the last candidate is gone");
    servers.shutdown().await;
    assert_eq!(servers.running().await, []);
}

#[tokio::test]
async fn rust_analyzer_is_not_believed_where_it_does_not_look() {
    let (_shadow, servers, language) = rust();
    let unlinked =
        ask(&servers, &language, &[("src/new.rs", "pub fn n() {}\n")], &["src/new.rs"]).await;
    assert!(reason(&unlinked).contains("does not look at src/new.rs"), "{unlinked:?}");
    let manifest =
        ask(&servers, &language, &[("Cargo.toml", MANIFEST), ("src/lib.rs", LIB)], &["src/lib.rs"])
            .await;
    assert!(reason(&manifest).contains("Cargo.toml changes"), "{manifest:?}");
}

#[tokio::test]
async fn before_it_has_loaded_nothing_is_clean() {
    let (_shadow, servers, language) = rust();
    let files = [rel("src/lib.rs")];
    let mut early = 0;
    // From the very first moment on, until it is awake: never an empty answer to a broken text.
    let texts = overlay(&[("src/lib.rs", "pub fn n() -> u8 {\n    \"\"\n}\n")]);
    loop {
        match servers.diagnose(&language, &texts, &files, Duration::from_millis(300)).await {
            Answer::Diagnosed { diagnostics, .. } => {
                assert_eq!(diagnostics[0].code.as_deref(), Some("E0308"));
                break;
            }
            Answer::Unverified { reason } => {
                assert!(reason.contains("rust-analyzer did not answer within 300ms"), "{reason}");
                early += 1;
            }
        }
    }
    assert!(early > 0, "a load takes longer than that");
}

#[tokio::test]
async fn a_new_base_on_the_disk_is_seen() {
    for (shadow, servers, language, file, old, new, code) in [
        {
            let (shadow, servers, language) = rust();
            (
                shadow,
                servers,
                language,
                "src/greet.rs",
                "src/lib.rs",
                "pub fn hello() {}\n",
                "E0107",
            )
        },
        {
            let (shadow, servers, language) = typescript(true);
            (
                shadow,
                servers,
                language,
                "src/a.ts",
                "src/b.ts",
                "export function a(): number {\n  return 1;\n}\n",
                "TS2554",
            )
        },
        {
            let (shadow, servers, language) = typescript(false);
            (
                shadow,
                servers,
                language,
                "src/a.ts",
                "src/b.ts",
                "export function a(): number {\n  return 1;\n}\n",
                "TS2554",
            )
        },
    ] {
        let before = std::fs::read_to_string(shadow.path().join(file)).unwrap();
        assert_eq!(codes(&ask(&servers, &language, &[], &[old]).await), Vec::<&str>::new());
        for (text, expected) in [(new, true), (before.as_str(), false)] {
            std::fs::write(shadow.path().join(file), text).unwrap();
            servers.disk_changed(&[rel(file)]).await;
            let found = ask(&servers, &language, &[], &[old]).await;
            assert_eq!(codes(&found).contains(&code), expected, "{found:?}");
        }
        // A file that vanishes takes its names with it.
        std::fs::remove_file(shadow.path().join(file)).unwrap();
        servers.disk_changed(&[rel(file)]).await;
        assert_ne!(codes(&ask(&servers, &language, &[], &[old]).await), Vec::<&str>::new());
    }
}

async fn typescript_tells_clean_from_broken(seven: bool) {
    let (_shadow, servers, language) = typescript(seven);
    let both = ["src/a.ts", "src/b.ts"];
    let clean = ask(&servers, &language, &[], &both).await;
    assert_eq!(errors(&clean), Vec::<&Diagnostic>::new());

    let broken = "export const é = \"𝄞\"; export const b: number = é;\nconst dead = 1;\n";
    let broken = ask(&servers, &language, &[("src/b.ts", broken)], &["src/b.ts"]).await;
    assert_eq!(codes(&broken), ["TS2322", "TS6133"]);
    assert_eq!(errors(&broken)[0].range.start.column, 39, "bytes, whatever the server counts");

    // A caller in a file that is not edited, a new file, a file that is deleted.
    let other = [("src/a.ts", "export function a(x: string): string {\n  return x;\n}\n")];
    let caller = ask(&servers, &language, &other, &both).await;
    assert!(errors(&caller).iter().all(|error| error.path.as_str() == "src/b.ts"));
    assert_eq!(codes(&caller), ["TS2322", "TS2345"]);
    let new = [("src/c.ts", "import { b } from \"./b.js\";\nexport const c: string = b;\n")];
    assert_eq!(codes(&ask(&servers, &language, &new, &["src/c.ts"]).await), ["TS2322"]);
    let deleted: Overlay = [(rel("src/a.ts"), None)].into();
    let deleted =
        servers.diagnose(&language, &deleted, &[rel("src/a.ts"), rel("src/b.ts")], PATIENCE).await;
    assert!(reason(&deleted).contains("src/a.ts is deleted"), "{deleted:?}");

    // All of it is put back.
    let clean = ask(&servers, &language, &[], &both).await;
    assert_eq!(errors(&clean), Vec::<&Diagnostic>::new());
    let forgotten = [("src/b.ts", "import { c } from \"./c.js\";\nexport const b: string = c;\n")];
    assert_eq!(codes(&ask(&servers, &language, &forgotten, &["src/b.ts"]).await), ["TS2307"]);
    servers.shutdown().await;
}

#[tokio::test]
async fn typescript_7_tells_clean_from_broken() {
    typescript_tells_clean_from_broken(true).await;
}

#[tokio::test]
async fn typescript_language_server_tells_clean_from_broken() {
    typescript_tells_clean_from_broken(false).await;
}

#[tokio::test]
async fn a_missing_server_is_named_with_the_way_to_get_it() {
    let (shadow, _, language) = typescript(true);
    let nowhere = tempfile::tempdir().unwrap();
    let servers = Servers::new(shadow.path().to_owned(), nowhere.path().to_owned())
        .with_path(nowhere.path().into());
    let answer = ask(&servers, &language, &[], &["src/a.ts"]).await;
    let reason = reason(&answer);
    assert!(reason.contains("`tsc` is not in node_modules/.bin nor on PATH"), "{reason}");
    assert!(
        reason.contains("npm install --save-dev typescript-language-server@5 typescript@6"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_program_that_is_no_server_is_passed_over() {
    let (_shadow, servers, mut language) = typescript(true);
    let mut imposter = language.servers[0].clone();
    imposter.name = "imposter".into();
    imposter.command = vec!["tsc".into(), "--nonsense".into()];
    language.servers.insert(0, imposter);
    assert_eq!(codes(&ask(&servers, &language, &[], &["src/a.ts"]).await), Vec::<&str>::new());
    language.servers.truncate(1);
    let answer = ask(&servers, &language, &[], &["src/a.ts"]).await;
    assert!(reason(&answer).starts_with("failed to start imposter"), "{answer:?}");
}

#[cfg(unix)]
fn signal(name: &str, group: u32) {
    let done = std::process::Command::new("kill")
        .args([name, "--", &format!("-{group}")])
        .status()
        .unwrap();
    assert!(done.success());
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_is_killed_leaves_no_verdict_and_is_started_again() {
    for (_shadow, servers, language, file) in [
        {
            let (shadow, servers, language) = rust();
            (shadow, servers, language, "src/lib.rs")
        },
        {
            let (shadow, servers, language) = typescript(true);
            (shadow, servers, language, "src/a.ts")
        },
    ] {
        assert_eq!(codes(&ask(&servers, &language, &[], &[file]).await), Vec::<&str>::new());
        let (_, group) = servers.running().await[0].clone();
        // Stopped first, so that the question is certainly under way when it dies.
        signal("-STOP", group);
        let files = [file];
        let (answer, ()) = tokio::join!(ask(&servers, &language, &[], &files), async {
            tokio::task::yield_now().await;
            signal("-KILL", group);
        });
        assert!(reason(&answer).contains("ended"), "{answer:?}");
        assert_eq!(codes(&ask(&servers, &language, &[], &[file]).await), Vec::<&str>::new());
        assert_ne!(servers.running().await[0].1, group);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_hangs_leaves_no_verdict_and_is_replaced() {
    let (_shadow, servers, language) = typescript(true);
    assert_eq!(codes(&ask(&servers, &language, &[], &["src/a.ts"]).await), Vec::<&str>::new());
    let (_, group) = servers.running().await[0].clone();
    signal("-STOP", group);
    let files = [rel("src/a.ts")];
    let answer =
        servers.diagnose(&language, &Overlay::new(), &files, Duration::from_millis(500)).await;
    assert_eq!(reason(&answer), "typescript did not answer within 500ms");
    assert_eq!(codes(&ask(&servers, &language, &[], &["src/a.ts"]).await), Vec::<&str>::new());
    assert_ne!(servers.running().await[0].1, group);
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_keeps_dying_is_given_up() {
    let (_shadow, servers, language) = typescript(true);
    for _ in 0..4 {
        assert_eq!(codes(&ask(&servers, &language, &[], &["src/a.ts"]).await), Vec::<&str>::new());
        let (_, group) = servers.running().await[0].clone();
        signal("-KILL", group);
        while !servers.running().await.is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let answer = ask(&servers, &language, &[], &["src/a.ts"]).await;
    assert!(
        reason(&answer).contains("typescript is off: it ended 4 times within 3 minutes"),
        "{answer:?}"
    );
}
