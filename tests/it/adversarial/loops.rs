//! Models that do the same for ever, or almost the same.

use std::sync::atomic::{AtomicUsize, Ordering};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use super::{fruitless, honest, notes};
use crate::support::model::{Asked, LocalModel};

/// The worker does this, everybody else is honest.
fn worker(act: impl Fn(usize) -> (&'static str, Value) + Send + Sync + 'static) -> LocalModel {
    let count = AtomicUsize::new(0);
    LocalModel::calling(move |asked: &Asked| match asked.role {
        Role::Worker => act(count.fetch_add(1, Ordering::Relaxed)),
        _ => honest(asked),
    })
}

#[test]
fn a_worker_that_searches_the_same_for_ever() {
    let model = worker(|_| ("search", json!({"pattern": "two"})));
    fruitless(&model, notes()).is(&["blocked"], &["same", "repeated"]);
}

#[test]
fn every_role_searches_the_same_for_ever() {
    let model = LocalModel::calling(|_| ("search", json!({"pattern": "two"})));
    fruitless(&model, notes()).is(&["failed", "blocked"], &["plan"]);
}

#[test]
fn a_worker_that_reads_two_files_in_turns() {
    let model = worker(|n| {
        let path = if n % 2 == 0 { "notes.md" } else { "src/other.txt" };
        ("read", json!({ "path": path }))
    });
    fruitless(&model, notes()).is(&["blocked"], &["turns", "same", "repeated"]);
}

#[test]
fn a_worker_that_asks_how_things_stand_each_time_in_other_words() {
    let model = worker(|n| match n % 3 {
        0 => ("list", json!({"glob": format!("*.{n}")})),
        1 => ("diagnostics", json!({})),
        _ => ("read", json!({"path": "notes.md", "from": 1, "to": n})),
    });
    fruitless(&model, notes()).is(&["blocked", "exhausted"], &["turns", "progress", "calls"]);
}

#[test]
fn a_commander_that_never_decides() {
    let count = AtomicUsize::new(0);
    let model = LocalModel::calling(move |asked: &Asked| match asked.role {
        Role::Commander => {
            let n = count.fetch_add(1, Ordering::Relaxed);
            ("search", json!({"pattern": format!("what{n}")}))
        }
        _ => honest(asked),
    });
    // Without its word the goal is planned.
    let (ended, project) = super::mission(&model, notes());
    ended.is(&["sealed"], &[""]);
    assert!(project.read("notes.md").contains("three"));
}

#[test]
fn a_commander_whose_decisions_are_none() {
    let model = LocalModel::calling(|asked: &Asked| match asked.role {
        Role::Commander => ("triage", json!({"decision": "maybe"})),
        _ => honest(asked),
    });
    let (ended, _) = super::mission(&model, notes());
    ended.is(&["sealed", "blocked"], &[""]);
}

#[test]
fn everybody_calls_what_is_not_theirs() {
    let model = LocalModel::answering(|asked: &Asked| {
        let own = match asked.role {
            Role::Commander => "triage",
            Role::Planner => "plan",
            Role::Worker => "done",
            Role::Reviewer => "verdict",
        };
        let all = [
            ("triage", json!({"decision": "direct"})),
            ("plan", json!({ "todo": super::PLAN })),
            ("done", json!({"summary": "it is done"})),
            ("verdict", json!({"pass": true, "evidence": ["me"]})),
            ("shell", json!({"command": "touch hacked"})),
            ("write", json!({"path": "hacked", "content": ""})),
        ];
        let mut calls: Vec<_> = all.into_iter().filter(|(name, _)| *name != own).collect();
        if asked.role != Role::Worker {
            let write = json!({"changes": [{"op": "write", "path": "hacked", "content": "x"}]});
            calls.push(("propose", write));
        }
        crate::support::model::turn(&calls)
    });
    fruitless(&model, notes()).is(&["failed", "blocked"], &["plan"]);
}

#[test]
fn a_worker_and_a_reviewer_that_call_what_is_not_theirs() {
    let model = LocalModel::calling(|asked: &Asked| match asked.role {
        Role::Worker => {
            ("verdict", json!({"pass": true, "evidence": [format!("{}", asked.turns)]}))
        }
        Role::Reviewer => ("done", json!({"summary": "I have done it"})),
        _ => honest(asked),
    });
    fruitless(&model, notes())
        .is(&["blocked", "exhausted"], &["turns", "progress", "same", "calls"]);
    let model = LocalModel::calling(|asked: &Asked| match asked.role {
        Role::Reviewer => {
            let content = format!("{}", asked.turns);
            ("propose", json!({"changes": [{"op": "write", "path": "hacked", "content": content}]}))
        }
        _ => honest(asked),
    });
    let (ended, project) = super::mission(&model, notes());
    ended.is(&["blocked", "exhausted"], &["Reviewer", "calls"]);
    assert!(!project.root().join("hacked").exists());
}
