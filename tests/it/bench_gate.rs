//! `orchestrator bench gate` on small projects: every class is tried, nothing broken is accepted, nothing sound refused.

use serde_json::Value;

use crate::support::project::{Project, path_with};
use crate::support::tools;

fn bench(project: &Project, arguments: &[&str]) -> Value {
    let before = project.bytes();
    let repo = project.root().display().to_string();
    let mut all = vec!["bench", "gate", "--json", "--repo", &repo, "--seed", "3"];
    all.extend(arguments);
    let said = project.run(&all);
    assert!(said.code <= 1, "{said:?}");
    assert_eq!(project.bytes(), before, "the repository under test is only read");
    assert!(!project.root().join("target").exists());
    said.last()
}

fn count(result: &Value, kind: &str, class: &str, what: &str) -> u64 {
    let classes = result["classes"].as_array().unwrap();
    let row = classes.iter().find(|row| row["kind"] == kind && row["class"] == class);
    row.and_then(|row| row["counts"][what].as_u64()).unwrap_or_default()
}

/// What holds for the build, whatever the rules are: the compiler and the gate are of one mind.
fn agrees_with_the_compiler(result: &Value) {
    let wrong = |edit: &&Value| {
        edit["kind"] != "policy"
            && (edit["judgement"] == "missed" || edit["judgement"] == "false-refusal")
    };
    let wrong: Vec<&Value> = result["edits"].as_array().unwrap().iter().filter(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(result["accepted_without_proof"], 0);
}

#[test]
fn a_rust_project_is_measured() {
    let server = tools::rust_analyzer();
    let folder = server.parent().unwrap().to_path_buf();
    let project = Project::copy_of("demo").with("PATH", path_with(&[folder]));
    let broken =
        ["drop-brace", "wrong-type", "add-parameter", "delete-file", "two-files", "drop-mut"];
    let policy = ["elision", "placeholder", "conflict-marker"];
    let sound = ["comment", "reorder", "rename-function", "negate-if"];
    let classes = [&broken[..], &policy, &sound].concat().join(",");
    let result = bench(&project, &["--edits", "1", "--sound", "9", "--only", &classes]);
    agrees_with_the_compiler(&result);
    assert!(count(&result, "broken", "", "break") >= 4, "{result:#}");
    assert_eq!(count(&result, "policy", "", "rules"), 3, "{result:#}");
    assert!(count(&result, "sound", "", "accepted") >= 3, "{result:#}");
    for class in broken {
        assert_eq!(count(&result, "broken", class, "edits"), 1, "{class}");
    }
    let latencies = result["latencies"].as_array().unwrap();
    let timed = |what| latencies.iter().any(|row| row["what"] == what && row["count"] != 0);
    assert!(timed("stage servers") && timed("stage tools") && timed("accepted"), "{latencies:?}");
}

#[test]
fn a_typescript_project_is_measured_and_an_edit_is_made_again() {
    let compiler = tools::typescript7().join("node_modules/.bin");
    let project = Project::copy_of("ts_diagnostics").with("PATH", path_with(&[compiler]));
    let classes = "typo,empty-file,rename-definition,return-type,comment,extract";
    let all = bench(&project, &["--edits", "2", "--sound", "9", "--only", classes]);
    agrees_with_the_compiler(&all);
    assert!(count(&all, "broken", "", "break") >= 4, "{all:#}");
    let again = bench(&project, &["--only", "typo#1"]);
    let edits = |result: &Value| result["edits"].as_array().unwrap().clone();
    let first = edits(&all).into_iter().find(|edit| edit["id"] == "typo#1").unwrap();
    assert_eq!(edits(&again).len(), 1);
    assert_eq!(edits(&again)[0]["detail"], first["detail"]);
}
