//! Servers that are configured and not built in: those that publish, with and without versions, and those that register
//! their pull late and speak of open files only.

use super::*;

const PYTHON: &str = r#"
name = "python"
extensions = ["py"]
roots = ["pyrightconfig.json"]
[[servers]]
name = "pyright"
command = ["pyright-langserver", "--stdio"]
diagnostics = "HOW"
open-files-only = true
canary = { text = "orchestrator_canary_undefined", code = "reportUndefinedVariable" }
install = "npm install pyright"
"#;

const TYPESCRIPT: &str = r#"
name = "typescript"
extensions = ["ts"]
roots = ["tsconfig.json"]
[[servers]]
name = "typescript-language-server"
command = ["typescript-language-server", "--stdio"]
diagnostics = "HOW"
code-prefix = "TS"
canary = { text = "type OrchestratorCanary = Array<0, 0>;", code = "TS2314" }
install = "npm install typescript-language-server"
"#;

/// A server that is told how it gives diagnostics, and a file `a` that a file `b` uses.
struct Case {
    _shadow: TempDir,
    servers: Servers,
    language: Language,
    a: &'static str,
    b: &'static str,
    /// Another `a`, with which `b` is wrong.
    broken: &'static str,
    code: &'static str,
}

fn python(how: &str) -> Case {
    let texts = [
        ("pyrightconfig.json", "{}"),
        ("a.py", "def a(x: int) -> int:\n    return x\n"),
        ("b.py", "from a import a\n\nb: int = a(1)\n"),
    ];
    let shadow = files(&texts);
    let servers = alone(Servers::new(shadow.path().to_owned(), tools::pyright()));
    Case {
        _shadow: shadow,
        servers,
        language: toml::from_str(&PYTHON.replace("HOW", how)).unwrap(),
        a: "a.py",
        b: "b.py",
        broken: "def a(x: int) -> str:\n    return str(x)\n",
        code: "reportAssignmentType",
    }
}

fn unversioned() -> Case {
    let (shadow, servers, _) = typescript(false);
    Case {
        _shadow: shadow,
        servers,
        language: toml::from_str(&TYPESCRIPT.replace("HOW", "push")).unwrap(),
        a: "src/a.ts",
        b: "src/b.ts",
        broken: "export function a(x: number): string {\n  return String(x);\n}\n",
        code: "TS2322",
    }
}

async fn tells_clean_from_broken(case: Case) {
    let both = [case.a, case.b];
    for round in 0..3 {
        let clean = ask(&case.servers, &case.language, &[], &both).await;
        assert_eq!(codes(&clean), Vec::<&str>::new(), "round {round}");
        let texts = [(case.a, case.broken)];
        let broken = ask(&case.servers, &case.language, &texts, &both).await;
        assert_eq!(codes(&broken), [case.code], "round {round}");
        assert_eq!(errors(&broken)[0].path.as_str(), case.b);
    }
    case.servers.shutdown().await;
}

#[tokio::test]
async fn what_is_published_with_a_version_is_believed_for_that_version() {
    tells_clean_from_broken(python("push")).await;
}

#[tokio::test]
async fn what_is_published_without_a_version_is_fenced_by_the_canary() {
    tells_clean_from_broken(unversioned()).await;
}

#[tokio::test]
async fn a_pull_that_is_registered_late_is_used() {
    tells_clean_from_broken(python("pull")).await;
}

#[tokio::test]
async fn a_file_that_a_publisher_does_not_look_at_is_not_clean() {
    let mut case = python("push");
    case.language.servers[0].canary.code = "noSuchRule".into();
    let answer = ask(&case.servers, &case.language, &[], &[case.a]).await;
    assert!(reason(&answer).contains("does not look at a.py"), "{answer:?}");
    case.servers.shutdown().await;
}
