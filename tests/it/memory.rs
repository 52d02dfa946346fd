//! What a session is told beside its brief: what the project says of itself, and what earlier sessions noted; the same
//! bytes whichever process asks.

use std::sync::{Arc, Mutex};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::provider::{Provider, Reply, Request};
use crate::support::stage::{FILE, Stage, honest_in};

const RULE: &str = "Every note ends with a full stop.";
const NOTE: &str = "the tide table decides what alpha.st may say";

/// The honest team, whose Worker first notes something for later missions, and knows that again where it is told it.
fn noting(asked: &Request) -> Reply {
    let file = if asked.goal() == "beta" { "beta.st" } else { FILE };
    match (asked.role, asked.turns) {
        (Role::Worker, 0) => Reply::Call("note", json!({"text": NOTE, "keep": "project"})),
        (Role::Worker, turns) => honest_in(file, &Request { turns: turns - 1, ..asked.clone() }),
        _ => honest_in(file, asked),
    }
}

fn briefs(provider: &Provider, goal: &str, role: Role) -> Vec<String> {
    let requests = provider.requests();
    let of = requests.iter().filter(|r| r.goal() == goal && r.role == role);
    of.map(|r| r.brief.clone()).collect()
}

#[test]
fn what_a_project_says_and_what_was_noted_reach_the_sessions_that_follow() {
    let provider = Provider::answering(noting);
    let stage = Stage::new(&provider);
    stage.project.write("AGENTS.md", RULE);
    assert_eq!(stage.project.run(&["task", "alpha"]).code, 0);
    for role in Role::ALL {
        for brief in briefs(&provider, "alpha", role) {
            assert!(brief.starts_with("<project>") && brief.contains(RULE), "{role}: {brief}");
            let knows = role == Role::Reviewer;
            assert_eq!(brief.contains(NOTE), knows, "{role}: {brief}");
        }
    }
    let text = std::fs::read_to_string(stage.project.root().join(".opencode/memory.json")).unwrap();
    let kept: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(kept["notes"].as_object().unwrap().len(), 1, "{kept}");

    // Another process, another mission: it is told, and what it notes again is no second note.
    assert_eq!(stage.project.run(&["task", "beta"]).code, 0);
    let worker = briefs(&provider, "beta", Role::Worker);
    assert!(worker[0].contains(&format!("- {NOTE} (project)")), "{}", worker[0]);
    assert_eq!(worker[0].matches(NOTE).count(), 1);
    // A person who deletes a note has deleted it.
    let without = json!({"notes": {}, "read": kept["read"]}).to_string();
    std::fs::write(stage.project.root().join(".opencode/memory.json"), without).unwrap();
    stage.project.write("AGENTS.md", "");
    assert_eq!(stage.project.run(&["plan", "gamma"]).code, 0);
    for role in [Role::Commander, Role::Planner] {
        assert!(!briefs(&provider, "gamma", role)[0].contains("<project>"), "{role}");
    }
}

/// What was read is part of the mission's events: a later process asks with the same bytes, also when the file that they came
/// from is another one by then.
#[test]
fn a_session_goes_on_with_what_it_was_told_when_its_process_was_killed() {
    let held = Arc::new(Mutex::new(true));
    let holds = held.clone();
    let provider = Provider::answering(move |asked| {
        let is_place = (asked.role, asked.turns) == (Role::Worker, 2);
        if is_place && *holds.lock().unwrap() { Reply::Half } else { noting(asked) }
    });
    let stage = Stage::new(&provider);
    stage.project.write("AGENTS.md", RULE);
    let mut child = stage.project.command(&["task", "alpha"]).spawn().unwrap();
    provider.until_asked(|r| r.iter().any(|r| (r.role, r.turns) == (Role::Worker, 2)));
    child.kill().unwrap();
    child.wait().unwrap();
    *held.lock().unwrap() = false;
    stage.project.write("AGENTS.md", "Quite another rule.");
    let asked = provider.requests().len();
    assert_eq!(stage.project.run(&["resume"]).code, 0);
    let requests = provider.requests();
    assert_eq!(requests[asked].body, requests[asked - 1].body, "asked again, byte for byte");
    assert!(requests[asked].body.contains(RULE));
    let review = briefs(&provider, "alpha", Role::Reviewer);
    assert!(review[0].contains("Quite another rule.") && review[0].contains(NOTE), "{}", review[0]);
}

/// A conversation that is cut keeps what it is for; between two cuts it only grows.
#[test]
fn a_conversation_that_reached_its_mark_is_cut_and_keeps_its_brief() {
    let provider = Provider::answering(|asked| match (asked.role, asked.turns) {
        (Role::Worker, turns) if turns < 12 => Reply::Call(
            "read",
            json!({"path": "long.txt", "from": 40 * turns + 1, "to": 40 * turns + 40}),
        ),
        (Role::Worker, turns) => honest_in(FILE, &Request { turns: turns - 11, ..asked.clone() }),
        _ => honest_in(FILE, asked),
    });
    let stage = Stage::new(&provider);
    stage.configure("[memory]\nhigh = 4000\nlow = 1000");
    stage.project.write("AGENTS.md", RULE);
    let lines: String =
        (0..600).map(|n| format!("{n}: the tide at that hour, in centimetres\n")).collect();
    stage.project.write("long.txt", &lines);
    assert_eq!(stage.project.run(&["task", "alpha"]).code, 0);
    let requests = provider.requests();
    let worker: Vec<&Request> = requests.iter().filter(|r| r.role == Role::Worker).collect();
    let grows = |pair: &&[&Request]| {
        let end = pair[0].body.rfind(']').unwrap();
        pair[1].body.starts_with(&pair[0].body[..end])
    };
    let cuts = worker.windows(2).filter(|pair| !grows(pair)).count();
    assert!((1..4).contains(&cuts), "{cuts} in {}", worker.len());
    for request in &worker {
        assert!(
            request.brief.contains(RULE) && request.brief.contains("S1.1.1: the note is there")
        );
    }
    let last = &worker.last().unwrap().body;
    assert!(last.contains("are left out here; call it again for what you need"), "{last}");
}
