//! The verifier verified, with real cargo and the real TypeScript compiler and node's own tests.

use std::time::Duration;

use orchestrator_lsp::gate::mutants::mutate::AcceptedFile;
use orchestrator_lsp::gate::mutants::{Budget, Mutation};
use orchestrator_lsp::gate::{Gate, Settings, Severity};
use orchestrator_lsp::workspace::{OpenTexts, RelPath};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::model::{Asked, LocalModel};
use crate::support::project::{Project, path_with};
use crate::support::tools;

const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const BASE: &str = "pub fn fee(age: u32) -> u32 {\n    age\n}\n";
const AFTER: &str =
    "pub fn fee(age: u32) -> u32 {\n    if age < 18 {\n        return 5;\n    }\n    age\n}\n";
const AMPLE: Budget = Budget { time: Duration::from_secs(600), most: 100 };

async fn try_mutants(project: &Project, settings: Settings, file: AcceptedFile) -> Mutation {
    let cache_dir = Some(project.root().join("../cache"));
    let gate = Gate::open(&project.root(), Settings { cache_dir, ..settings }).unwrap();
    let before = project.bytes();
    let mutation = gate.mutants(&[file], &OpenTexts::new(), AMPLE).await.unwrap();
    assert_eq!(project.bytes(), before, "the user's tree is only read");
    mutation
}

fn rust(test: &str) -> (Project, AcceptedFile) {
    let project = Project::empty();
    project.write("Cargo.toml", MANIFEST);
    let after = format!(
        "{AFTER}\n#[cfg(test)]\nmod tests {{\n    #[test]\n    fn fees() {{\n{test}    }}\n}}\n"
    );
    project.write("src/lib.rs", &after);
    let path = RelPath::new("src/lib.rs").unwrap();
    (project, AcceptedFile { path, base: Some(BASE.to_owned()), after })
}

/// 1-based line and message of each survivor.
fn survivors(mutation: &Mutation) -> Vec<String> {
    let shown = mutation.survived.iter().map(|hint| {
        assert_eq!((hint.severity, hint.code.as_deref()), (Severity::Hint, Some("mutant")));
        format!("{}: {}", hint.range.start.line + 1, hint.message)
    });
    shown.collect()
}

#[tokio::test]
async fn a_test_that_checks_nothing_leaves_named_survivors_on_their_lines() {
    let (project, file) = rust("        super::fee(3);\n");
    let mutation = try_mutants(&project, Settings::default(), file).await;
    let found = survivors(&mutation);
    assert_eq!(
        found,
        [
            "2: no check would notice if the condition `age < 18` were negated",
            "3: no check would notice if `Default::default()` were returned instead of `5`"
        ],
        "{mutation:?}"
    );
    assert_eq!(mutation.killed, 0);
}

#[tokio::test]
async fn good_tests_kill_every_mutant() {
    let good = "        assert_eq!(super::fee(17), 5);\n        assert_eq!(super::fee(18), 18);\n        assert_eq!(super::fee(19), 19);\n";
    let (project, file) = rust(good);
    let mutation = try_mutants(&project, Settings::default(), file).await;
    assert!(mutation.survived.is_empty(), "{mutation:?}");
    assert!(mutation.killed >= 4 && mutation.tried == mutation.killed, "{mutation:?}");
    assert_eq!((mutation.not_run, &mutation.reason), (0, &None));
}

#[tokio::test]
async fn a_mutant_that_loops_for_ever_is_noticed() {
    let project = Project::empty();
    project.write("Cargo.toml", MANIFEST);
    let base = "pub fn f() {}\n";
    let after = "pub fn f() -> u32 {\n    let mut n = 9;\n    while n > 1 {\n        n -= 1;\n    }\n    n\n}\n";
    let with_test = format!("{after}#[test]\nfn t() {{ assert_eq!(f(), 1); }}\n");
    project.write("src/lib.rs", &with_test);
    let path = RelPath::new("src/lib.rs").unwrap();
    let file = AcceptedFile { path, base: Some(base.to_owned()), after: with_test };
    let mutation = try_mutants(&project, Settings::default(), file).await;
    assert!(
        !survivors(&mutation).iter().any(|found| found.contains("n -= 1")),
        "left out, the loop has no end: {mutation:?}"
    );
}

#[tokio::test]
async fn where_the_tests_fail_or_are_none_it_says_so_and_tries_nothing() {
    let (project, file) = rust("        assert_eq!(super::fee(1), 7);\n");
    let mutation = try_mutants(&project, Settings::default(), file).await;
    assert_eq!(mutation.tried, 0);
    assert!(mutation.reason.unwrap().starts_with("the tests fail without any mutant"));
    let project = Project::empty();
    project.write("Cargo.toml", MANIFEST);
    project.write("src/lib.rs", AFTER);
    let path = RelPath::new("src/lib.rs").unwrap();
    let file = AcceptedFile { path, base: None, after: AFTER.to_owned() };
    let mutation = try_mutants(&project, Settings::default(), file).await;
    assert_eq!(mutation.reason.as_deref(), Some("there are no tests to run"));
    assert!(mutation.not_run > 3);
}

fn typescript(test: &str) -> (Project, Settings, AcceptedFile) {
    let after =
        "export function fee(age: number): number {\n  if (age < 18) return 5;\n  return age;\n}\n";
    let project = Project::empty();
    let script = "tsc --noEmit false --outDir out && node --test out/";
    project.write(
        "package.json",
        format!(r#"{{"private": true, "type": "module", "scripts": {{"test": "{script}"}}}}"#),
    );
    project.write("tsconfig.json", r#"{"compilerOptions": {"strict": true, "noEmit": true, "target": "es2022", "module": "nodenext", "types": []}, "include": ["*.ts"]}"#);
    project.write("fee.ts", after);
    project.write("globals.d.ts", "declare module \"node:test\" { export default function test(name: string, run: () => void): void; }\ndeclare module \"node:assert/strict\" { const assert: { equal(a: unknown, b: unknown): void }; export default assert; }\n");
    let text = format!(
        "import test from \"node:test\";\nimport assert from \"node:assert/strict\";\nimport {{ fee }} from \"./fee.js\";\ntest(\"fees\", () => {{\n  assert.equal(typeof fee, \"function\");\n{test}}});\n"
    );
    project.write("fee.test.ts", text);
    let bin = tools::typescript7().join("node_modules/.bin");
    let settings = Settings { path: Some(path_with(&[bin])), ..Settings::default() };
    let base = "export function fee(age: number): number {\n  return age;\n}\n";
    let file = AcceptedFile {
        path: RelPath::new("fee.ts").unwrap(),
        base: Some(base.to_owned()),
        after: after.to_owned(),
    };
    (project, settings, file)
}

#[tokio::test]
async fn typescript_survivors_are_named_and_good_tests_kill() {
    let (project, settings, file) = typescript("  fee(3);\n");
    let mutation = try_mutants(&project, settings, file).await;
    assert_eq!(
        survivors(&mutation),
        ["2: no check would notice if the condition `age < 18` were negated"],
        "{mutation:?}"
    );
    let good =
        "  assert.equal(fee(17), 5);\n  assert.equal(fee(18), 18);\n  assert.equal(fee(19), 19);\n";
    let (project, settings, file) = typescript(good);
    let mutation = try_mutants(&project, settings, file).await;
    assert!(mutation.survived.is_empty() && mutation.killed >= 3, "{mutation:?}");
}

const PLAN: &str = "# Mission: fees\n## M1: fees\n### T1.1: children pay 5\n- [ ] S1.1.1: `fee` knows children | file:src/lib.rs\n";

fn changes_the_fee(asked: &Asked) -> (&'static str, Value) {
    match (asked.role, asked.turns) {
        (Role::Commander, _) => ("triage", json!({"decision": "plan"})),
        (Role::Planner, _) => ("plan", json!({"todo": PLAN})),
        (Role::Worker, 0) => {
            let edit = json!({"old": "    age\n", "new": "    if age < 18 {\n        return 5;\n    }\n    age\n"});
            ("propose", json!({"changes": [{"op": "edit", "path": "src/lib.rs", "edits": [edit]}]}))
        }
        (Role::Worker, _) => ("done", json!({"summary": "written"})),
        (Role::Reviewer, _) => ("verdict", json!({"pass": true, "evidence": ["read it"]})),
    }
}

/// The model must be kept as long as it is asked.
fn mission() -> (LocalModel, Project) {
    let model = LocalModel::calling(changes_the_fee);
    let project = model.serving(Project::empty());
    project.write("Cargo.toml", MANIFEST);
    let test = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn fees() {\n        super::fee(3);\n    }\n}\n";
    project.write("src/lib.rs", format!("{BASE}\n{test}"));
    (model, project)
}

#[test]
fn a_sealed_mission_names_what_no_check_notices_and_is_sealed_all_the_same() {
    let (_model, project) = mission();
    let config = project.root().join("../config.toml");
    std::fs::write(&config, "[seal]\nmutants = 600\n").unwrap();
    let project = project.with("ORCHESTRATOR_CONFIG", config);
    let said = project.run(&["task", "children pay 5", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let findings = said.last()["end"]["findings"].clone();
    let found: Vec<(u64, String)> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["kind"] == "mutant")
        .map(|f| (f["line"].as_u64().unwrap(), f["message"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(
        found,
        [
            (2, "no check would notice if the condition `age < 18` were negated".to_owned()),
            (
                3,
                "no check would notice if `Default::default()` were returned instead of `5`"
                    .to_owned()
            ),
        ],
        "{findings}"
    );
    assert!(said.out.contains("0 of 2 mutants noticed"), "{said:?}");
    let status = project.run(&["status"]);
    assert!(status.out.contains("src/lib.rs:2: no check would notice if"), "{status:?}");
    let journal = orchestrator_lsp::journal::Journal::open_existing(&project.root()).unwrap();
    let id =
        orchestrator_lsp::mission::MissionId(said.last()["mission"].as_str().unwrap().to_owned());
    let seal: Value =
        serde_json::from_str(journal.unwrap().receipts(&id).unwrap().last().unwrap()).unwrap();
    assert_eq!(seal["proof"]["mutants"]["tried"], 2, "{seal}");
    assert_eq!(project.run(&["verify"]).code, 0);
}

#[test]
fn none_are_tried_where_the_settings_say_so() {
    let (_model, project) = mission();
    let config = project.root().join("../config.toml");
    std::fs::write(&config, "[seal]\nmutants = 0\n").unwrap();
    let said =
        project.with("ORCHESTRATOR_CONFIG", config).run(&["task", "children pay 5", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.out.contains("mutant"), "{said:?}");
}
