//! Models that say nothing, next to nothing, far too much, or only `429`.

use std::sync::atomic::{AtomicUsize, Ordering};

use orchestrator_lsp::mission::conversation::Role;
use orchestrator_lsp::model::replay::{Answer, ScriptedTurn, ScriptedUsage};
use serde_json::json;

use super::{fruitless, honest, mission, notes};
use crate::support::model::{Asked, LocalModel, turn};

fn saying(text: &str, output: u64) -> Answer {
    let usage = Some(ScriptedUsage { input: 10, output, cached: 0 });
    Answer::Turn(ScriptedTurn { text: text.to_owned(), usage, ..ScriptedTurn::default() })
}

#[test]
fn turns_of_one_token() {
    let model = LocalModel::answering(|_| saying(".", 1));
    fruitless(&model, notes()).is(&["failed", "blocked"], &["plan"]);
}

#[test]
fn turns_of_nothing() {
    let model = LocalModel::answering(|_| saying("", 0));
    let ended = fruitless(&model, notes());
    ended.is(&["failed", "blocked"], &["plan", "no answer", "empty"]);
}

#[test]
fn prose_and_never_a_call() {
    let count = AtomicUsize::new(0);
    let model = LocalModel::answering(move |asked: &Asked| match asked.role {
        Role::Worker => {
            let n = count.fetch_add(1, Ordering::Relaxed);
            saying(&format!("I have now carefully mended everything, for the {n}th time."), 20)
        }
        _ => {
            let (name, arguments) = honest(asked);
            turn(&[(name, arguments)])
        }
    });
    fruitless(&model, notes()).is(&["blocked"], &["tool", "reminders"]);
}

fn too_many() -> Answer {
    Answer::Error { status: 429, message: "slow down".into() }
}

#[test]
fn nothing_but_429() {
    let model = LocalModel::answering(|_| too_many());
    let ended = fruitless(&model, notes());
    ended.is(&["blocked"], &["no answer", "429", "slow down"]);
    assert!(ended.requests <= 10, "{}", ended.requests);
}

#[test]
fn a_429_before_every_search() {
    let count = AtomicUsize::new(0);
    let model = LocalModel::answering(move |asked: &Asked| {
        match (asked.role, count.fetch_add(1, Ordering::Relaxed) % 2) {
            (Role::Worker, 0) => too_many(),
            (Role::Worker, _) => turn(&[("search", json!({"pattern": "two"}))]),
            _ => {
                let (name, arguments) = honest(asked);
                turn(&[(name, arguments)])
            }
        }
    });
    fruitless(&model, notes()).is(&["blocked", "exhausted"], &["same", "repeated", "calls"]);
}

fn talkative(text: String) -> LocalModel {
    LocalModel::answering(move |_| {
        Answer::Turn(ScriptedTurn { text: text.clone(), ..ScriptedTurn::default() })
    })
}

/// Each answer is cut at its bound, and what was said until then is counted.
#[test]
fn answers_of_megabytes() {
    let ended = fruitless(&talkative((0..1_500_000).map(|n| format!("{n} ")).collect()), notes());
    ended.is(&["exhausted", "failed", "blocked"], &["tokens", "plan", "answer"]);
    assert!(ended.requests <= 8, "{}", ended.requests);
}

/// An answer that repeats itself is cut long before that; such answers are counted as faults.
#[test]
fn answers_that_repeat_one_word() {
    let ended = fruitless(&talkative("word ".repeat(2_000_000)), notes());
    ended.is(&["exhausted", "failed", "blocked"], &["repeats", "plan", "answer"]);
}

#[test]
fn arguments_of_megabytes() {
    let model = LocalModel::answering(|asked: &Asked| {
        let long = format!("{}{}", "x/".repeat(500_000), asked.turns);
        turn(&[("read", json!({ "path": long }))])
    });
    let (ended, _) = mission(&model, notes());
    ended.is(&["exhausted", "failed", "blocked"], &["tokens", "plan", "long"]);
}

/// A thousand calls in one answer.
#[test]
fn a_thousand_calls_at_once() {
    let model = LocalModel::answering(|asked: &Asked| {
        let calls: Vec<_> = (0..1_000)
            .map(|n| ("search", json!({"pattern": format!("two{n}{}", asked.turns)})))
            .collect();
        turn(&calls)
    });
    let ended = fruitless(&model, notes());
    ended.is(&["exhausted", "failed", "blocked"], &["plan", "tokens", "calls"]);
}

/// What a provider says of its tokens is believed, and sums up without an overflow.
#[test]
fn turns_that_cost_more_than_there_is() {
    let model = LocalModel::answering(|_| saying("hm", u64::MAX));
    let ended = fruitless(&model, notes());
    ended.is(&["exhausted"], &["tokens"]);
    assert_eq!(ended.requests, 1);
}
