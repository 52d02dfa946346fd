//! Reviewers that pass everything, or nothing.

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use super::workers::{crate_with_tests, sums};
use super::{honest, mission, notes};
use crate::support::model::{Asked, LocalModel};

fn reviewer(act: impl Fn(&Asked) -> (&'static str, Value) + Send + Sync + 'static) -> LocalModel {
    LocalModel::calling(move |asked: &Asked| match asked.role {
        Role::Reviewer => act(asked),
        Role::Worker if asked.turns == 0 => {
            // Something new in each attempt, whatever was done before.
            let name = format!("new/{}.md", asked.brief.len());
            ("propose", json!({"changes": [{"op": "write", "path": name, "content": "new\n"}]}))
        }
        _ => honest(asked),
    })
}

#[test]
fn a_reviewer_that_always_fails() {
    let model = reviewer(|_| {
        let finding = json!({"message": "I do not like it", "file": "notes.md", "line": 1});
        ("verdict", json!({"pass": false, "findings": [finding]}))
    });
    let (ended, _) = mission(&model, notes());
    ended.is(&["blocked", "exhausted"], &["I do not like it", "T1.1", "rounds", "progress"]);
}

#[test]
fn a_reviewer_that_never_comes_to_a_verdict() {
    let model = reviewer(|asked| ("read", json!({"path": "notes.md", "from": asked.turns + 1})));
    let (ended, _) = mission(&model, notes());
    ended.is(&["blocked", "exhausted"], &["Reviewer", "verdict", "calls"]);
}

#[test]
fn verdicts_that_rest_on_nothing() {
    let model = reviewer(|_| ("verdict", json!({"pass": true, "evidence": [" "]})));
    let (ended, _) = mission(&model, notes());
    ended.is(&["blocked"], &["Reviewer", "verdict"]);
    let model = reviewer(|_| ("verdict", json!({"pass": false})));
    let (ended, _) = mission(&model, notes());
    ended.is(&["blocked"], &["Reviewer", "verdict"]);
}

/// The tests are asked all the same.
#[test]
fn a_reviewer_that_always_passes_seals_no_broken_test() {
    let model = LocalModel::calling(|asked: &Asked| match (asked.role, asked.turns) {
        (Role::Worker, 0) => ("propose", sums("a + b", "a * b")),
        _ => honest(asked),
    });
    let (ended, _) = mission(&model, crate_with_tests());
    ended.is(&["blocked", "exhausted"], &["adds"]);
}

/// And the gate is: code that does not compile never reaches the tree.
#[test]
fn a_reviewer_that_always_passes_lets_nothing_broken_in() {
    let model = LocalModel::calling(|asked: &Asked| match (asked.role, asked.turns) {
        (Role::Worker, 0) => ("propose", sums("a + b", "a + c")),
        (Role::Worker, _) => ("give_up", json!({"reason": "the gate is in my way"})),
        _ => honest(asked),
    });
    let ended = super::fruitless(&model, crate_with_tests());
    ended.is(&["blocked"], &["in my way"]);
    assert!(ended.said.out.contains("the gate refused"), "{}", ended.said.out);
}
