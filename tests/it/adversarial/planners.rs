//! Planners that plan for ever, or plan what cannot be.

use std::sync::atomic::{AtomicUsize, Ordering};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use super::{fruitless, honest, notes};
use crate::support::model::{Asked, LocalModel};

/// A planner that plans this, a worker that does that.
fn planner(
    plan: impl Fn(usize) -> String + Send + Sync + 'static,
    worker: impl Fn(&Asked) -> (&'static str, Value) + Send + Sync + 'static,
) -> LocalModel {
    let count = AtomicUsize::new(0);
    LocalModel::calling(move |asked: &Asked| match asked.role {
        Role::Commander => ("triage", json!({"decision": "plan"})),
        Role::Planner => {
            let todo = plan(count.fetch_add(1, Ordering::Relaxed));
            ("plan", json!({ "todo": todo }))
        }
        Role::Worker => worker(asked),
        Role::Reviewer => honest(asked),
    })
}

fn gives_up(_: &Asked) -> (&'static str, Value) {
    ("give_up", json!({"reason": "it needs another plan"}))
}

#[test]
fn a_planner_that_only_plans_anew() {
    let plan = |n: usize| super::PLAN.replace("the notes", &format!("the notes, version {n}"));
    let ended = fruitless(&planner(plan, gives_up), notes());
    ended.is(&["blocked", "exhausted", "failed"], &["another plan", "plan", "calls"]);
}

#[test]
fn plans_that_are_none() {
    for todo in ["", "I shall first look around.", "# Mission: g\n", "\u{0}\u{0}"] {
        let ended =
            fruitless(&planner(move |n| format!("{todo}{}", " ".repeat(n)), gives_up), notes());
        ended.is(&["failed", "blocked"], &["plan"]);
    }
}

#[test]
fn plans_that_go_in_circles_or_rest_on_what_is_not() {
    for (first, second) in [("T1.2", "T1.1"), ("T1.1", "T1.1"), ("T9.9", "T1.1"), ("", "M7")] {
        let plan = move |n: usize| {
            let on =
                |id: &str| if id.is_empty() { String::new() } else { format!(" | depends:{id}") };
            format!(
                "# Mission: g\n## M1: m\n### T1.1: a{n}{}\n- [ ] S1.1.1: x\n### T1.2: b{}\n- [ ] S1.2.1: y\n",
                on(first),
                on(second)
            )
        };
        fruitless(&planner(plan, gives_up), notes()).is(&["failed", "blocked"], &["plan"]);
    }
}

/// Ten thousand tasks are more than forty calls can do; or too many for a plan.
#[test]
fn a_plan_of_ten_thousand_tasks() {
    let plan = |_| {
        let task = |n: usize| format!("### T1.{n}: part {n}\n- [ ] S1.{n}.1: it is there\n");
        let tasks: String = (1..=10_000).map(task).collect();
        format!("# Mission: g\n## M1: all\n{tasks}")
    };
    let ended = fruitless(&planner(plan, |_| ("done", json!({"summary": "done"}))), notes());
    ended.is(&["exhausted", "failed", "blocked"], &["calls", "plan"]);
}

/// Steps that a plan calls done are not.
#[test]
fn a_plan_that_is_done_already() {
    let plan = |_| super::PLAN.replace("- [ ]", "- [x]");
    fruitless(&planner(plan, gives_up), notes()).is(&["blocked"], &["another plan"]);
}
