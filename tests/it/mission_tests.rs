//! Tests in a mission: run after each task and at the seal, compared by name with what stood before it.

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::model::{Asked, LocalModel};
use crate::support::project::Project;

const MANIFEST: &str = "[package]\nname = \"sums\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";

/// One test passes, one has failed for ever, and one of the project's benches has never compiled.
const LIB: &str = r#"//! Sums.

/// The sum.
pub fn sum(a: u32, b: u32) -> u32 {
    a + b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds() {
        assert_eq!(sum(1, 2), 3);
    }

    #[test]
    fn has_always_failed() {
        assert_eq!(sum(1, 1), 3);
    }
}
"#;

fn project() -> Project {
    let project = Project::empty();
    project.write("Cargo.toml", MANIFEST);
    project.write("src/lib.rs", LIB);
    project.write("benches/old.rs", "fn main() {\n    missing();\n}\n");
    project
}

fn edit(old: &str, new: &str) -> Value {
    let edits = json!([{"old": old, "new": new}]);
    json!({"changes": [{"op": "edit", "path": "src/lib.rs", "edits": edits}]})
}

/// A tool and how its arguments are made.
type Step = (&'static str, fn() -> Value);

/// A worker that takes its steps one after the other, whatever it is told.
fn worker(steps: &'static [Step]) -> LocalModel {
    LocalModel::calling(move |asked: &Asked| match asked.role {
        Role::Commander => ("triage", json!({"decision": "direct"})),
        Role::Worker => {
            // A later attempt goes on where the one before ended.
            let before = if asked.brief.contains("Tests fail that passed before") { 2 } else { 0 };
            let (name, arguments) = steps[(before + asked.turns).min(steps.len() - 1)];
            (name, arguments())
        }
        _ => ("verdict", json!({"pass": true, "evidence": ["it was read"]})),
    })
}

fn done() -> Value {
    json!({"summary": "it is done"})
}

#[test]
fn what_stood_before_blocks_nothing_and_is_told() {
    let model = worker(&[("propose", || edit("a + b", "b + a")), ("done", done)]);
    let project = model.serving(project());
    let said = project.run(&["task", "turn the sum around", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.last()["end"]["state"], "sealed");
    assert!(said.out.contains("1 failed before and fail still"), "{}", said.out);
    let review = model.arrivals().len();
    assert!(review > 0 && said.out.contains("tests:"), "{}", said.out);
}

#[test]
fn a_test_that_breaks_sends_the_task_back_with_its_name() {
    let model = worker(&[
        ("propose", || edit("a + b", "a * b")),
        ("done", done),
        ("propose", || edit("a * b", "b + a")),
        ("done", done),
    ]);
    let project = model.serving(project());
    let said = project.run(&["task", "turn the sum around", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("tests fail that passed before: cargo test: tests::adds"),
        "{}",
        said.out
    );
    assert!(project.read("src/lib.rs").contains("b + a"));
}

/// A test that is written before its code may fail until the end, and not at the end.
#[test]
fn a_new_test_that_fails_is_told_and_not_sealed() {
    const TEST: &str = "    #[test]\n    fn has_always_failed()";
    let model = worker(&[
        ("propose", || {
            let new = format!(
                "    #[test]\n    fn fresh() {{\n        assert_eq!(sum(2, 2), 5);\n    }}\n\n{TEST}"
            );
            edit(TEST, &new)
        }),
        ("done", done),
        ("done", done),
    ]);
    let project = model.serving(project());
    let said = project.run(&["task", "write a test", "--json"]);
    assert_ne!(said.last()["end"]["state"], "sealed", "{said:?}");
    assert!(said.out.contains("1 are new and fail"), "{}", said.out);
    assert!(said.out.contains("tests::fresh"), "{}", said.out);
}
