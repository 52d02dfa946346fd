//! The mission that is crashed: plain files, so that it takes a moment, and all that a mission can do to them.
//!
//! All four roles; a change-set that creates, edits, removes and renames; a refusal; a review that fails once; two tasks;
//! the seal. The model answers by what a request shows alone, so that a process that takes the mission up is answered as
//! its dead one would have been.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::mission::conversation::Role;
use crate::model::replay::{Answer, Handler, ReceivedRequest, ScriptedCall, ScriptedTurn};

pub(super) const GOAL: &str = "Renew the notes";

const FILES: &[(&str, &str)] = &[
    ("README.md", "# Notes\n\nSome notes.\n"),
    ("notes/first.txt", "The first note.\nIt is old.\n"),
    ("notes/second.txt", "The second note.\nIt is old.\n"),
    ("notes/gone.txt", "Nobody needs this.\n"),
    ("notes/moved.txt", "This one moves.\n"),
    ("data/places.json", "{\n  \"places\": [\"here\"]\n}\n"),
];

const PLAN: &str = "# Mission: Renew the notes

## M1: The notes

### T1.1: Renew the first note | agent:Worker
- [ ] S1.1.1: The first note is new, the others are where they belong | size:S | file:notes/first.txt
- [ ] S1.1.2: A new note says why | size:XS | file:notes/new/why.txt

### T1.2: Renew the second note | agent:Worker | depends:T1.1
- [ ] S1.2.1: The second note is new | size:XS | file:notes/second.txt
";

/// Lays the project out.
pub(super) fn lay_out(root: &Path) -> std::io::Result<()> {
    for (path, text) in FILES {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(root))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// The model.
pub(super) fn model() -> Handler {
    Arc::new(|request: &ReceivedRequest| {
        let (name, arguments) = answer(request);
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let calls = vec![ScriptedCall { name: name.to_owned(), arguments }];
        Answer::Turn(ScriptedTurn { calls, ..ScriptedTurn::default() })
    })
}

fn answer(request: &ReceivedRequest) -> (&'static str, Value) {
    let body = request.json().unwrap_or_default();
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let by = |who: &'static str| messages.iter().filter(move |m| m["role"] == who);
    let brief = by("user").next().and_then(|m| m["content"].as_str()).unwrap_or_default();
    let turns = by("assistant").count();
    match request.role {
        Some(Role::Commander) => commander(turns),
        Some(Role::Planner) => planner(turns),
        Some(Role::Worker) if brief.contains("Carry out task T1.1") => {
            first_task(turns, brief.contains("<earlier-attempt>"))
        }
        Some(Role::Worker) => second_task(turns),
        _ => reviewer(turns, brief),
    }
}

fn commander(turns: usize) -> (&'static str, Value) {
    match turns {
        0 => ("list", json!({})),
        _ => ("triage", json!({"decision": "plan", "brief": "The notes lie in notes/."})),
    }
}

fn planner(turns: usize) -> (&'static str, Value) {
    match turns {
        0 => ("read", json!({"path": "notes/first.txt"})),
        _ => ("plan", json!({"todo": PLAN})),
    }
}

fn edit(path: &str, old: &str, new: &str) -> Value {
    json!({"op": "edit", "path": path, "edits": [{"old": old, "new": new}]})
}

/// The first attempt is refused once and then reviewed badly; the second one mends what the review found.
fn first_task(turns: usize, again: bool) -> (&'static str, Value) {
    let changes = |changes: Value| ("propose", json!({"changes": changes}));
    match (turns, again) {
        (0, false) => ("read", json!({"path": "notes/first.txt"})),
        (1, false) => changes(json!([edit("notes/first.txt", "no such line", "new")])),
        (2, false) => changes(json!([
            edit("notes/first.txt", "It is old.", "It is newer."),
            {"op": "write", "path": "notes/new/why.txt", "content": "Because it was old.\n"},
            {"op": "delete", "path": "notes/gone.txt"},
            {"op": "rename", "path": "notes/moved.txt", "to": "archive/moved.txt"},
            edit("data/places.json", "[\"here\"]", "[\"here\", \"archive\"]"),
        ])),
        (_, false) => ("done", json!({"summary": "a draft"})),
        (0, true) => changes(json!([edit("notes/first.txt", "It is newer.", "It is new.")])),
        (_, true) => ("done", json!({"summary": "the first note is new"})),
    }
}

fn second_task(turns: usize) -> (&'static str, Value) {
    match turns {
        0 => {
            let changes = json!([edit("notes/second.txt", "It is old.", "It is new.")]);
            ("propose", json!({ "changes": changes }))
        }
        _ => ("done", json!({"summary": "the second note is new"})),
    }
}

fn reviewer(turns: usize, brief: &str) -> (&'static str, Value) {
    if turns == 0 && brief.contains("as a whole") {
        return ("changes", json!({}));
    }
    if brief.contains("a draft") {
        let finding = json!({"file": "notes/first.txt", "line": 2, "message": "newer is not new"});
        return ("verdict", json!({"pass": false, "findings": [finding]}));
    }
    ("verdict", json!({"pass": true, "evidence": ["every note was read"]}))
}
