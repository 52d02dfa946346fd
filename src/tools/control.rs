//! The schemas of the calls that decide: `triage`, `plan`, `done`, `give_up`, `verdict`, and `propose`; and of those
//! that a mission answers beside them: `update_todo` and `ask`. What becomes of
//! them is the mission's and the gate's business; here they are only described.

use serde_json::{Value, json};

use super::schema::{ALL, Tool, object, plain, text};
use crate::mission::control;
use crate::mission::conversation::Role;

pub(super) const PROPOSE: Tool = Tool {
    name: control::PROPOSE,
    description: "Proposes a change-set: all of it is proved and applied, or none.",
    schema: propose,
    roles: &[Role::Worker],
    repeatable: false,
};

pub(super) const TRIAGE: Tool =
    decision("triage", "Decides how the goal is served.", triage, &[Role::Commander]);
pub(super) const PLAN: Tool = decision("plan", "Hands in the plan.", plan, &[Role::Planner]);
pub(super) const DONE: Tool = decision(control::DONE, "The task is done.", done, &[Role::Worker]);
pub(super) const GIVE_UP: Tool =
    decision("give_up", "It cannot be done.", give_up, &[Role::Planner, Role::Worker]);
pub(super) const VERDICT: Tool = decision("verdict", "The judgement.", verdict, &[Role::Reviewer]);

pub(super) const UPDATE_TODO: Tool =
    decision(control::UPDATE_TODO, "Marks a step.", update_todo, &[Role::Worker]);
pub(super) const ASK: Tool = decision(control::ASK, "Asks the user.", ask, ALL);

const fn decision(
    name: &'static str,
    description: &'static str,
    schema: fn() -> Value,
    roles: &'static [Role],
) -> Tool {
    Tool { name, description, schema, roles, repeatable: false }
}

fn plan() -> Value {
    object(json!({"todo": text("the whole text of todo.md")}), &["todo"])
}

fn update_todo() -> Value {
    let mark = json!({"enum": ["active", "failed"]});
    let plain = json!({"type": "string"});
    brief(json!({"item": plain, "mark": mark, "note": plain, "version": plain}), "item")
}

fn ask() -> Value {
    let choices = json!({"type": "array", "items": {"type": "string"}});
    brief(json!({"question": {"type": "string"}, "choices": choices}), "question")
}

/// As [`object`], in fewer bytes: what is said beyond it does no harm.
fn brief(properties: Value, required: &str) -> Value {
    json!({"type": "object", "properties": properties, "required": [required]})
}

fn give_up() -> Value {
    object(json!({"reason": text("why, and what a person could do")}), &["reason"])
}

fn propose() -> Value {
    let edit = object(
        json!({
            "old": text("text that stands in the file exactly once"),
            "new": text("what takes its place"),
            "symbol": text("item such as Parser::parse; replaced whole, unless old or at"),
            "at": {"enum": ["before", "after"]},
        }),
        &["new"],
    );
    let change = json!({
        "type": "object",
        "properties": {
            "op": {"enum": ["edit", "write", "delete", "rename", "replace_code", "rename_symbol", "from_worktree"]},
            "path": text("relative to the workspace"),
            "edits": {"type": "array", "items": edit, "description": "for edit"},
            "content": text("for write: the whole text"),
            "to": text("for rename, rename_symbol"),
            "symbol": plain(),
            "line": {"type": "integer"},
            "pattern": text("for replace_code: code with $A, $$$A"),
            "with": plain(),
            "glob": plain(),
        },
        "required": ["op"],
    });
    object(json!({"changes": {"type": "array", "items": change, "minItems": 1}}), &["changes"])
}

fn triage() -> Value {
    object(
        json!({
            "decision": {"enum": ["plan", "direct", "decline"]},
            "brief": text("for the Planner"),
            "needs": text("for decline: why, and what a person could do"),
        }),
        &["decision"],
    )
}

fn finding(severities: &[&str]) -> Value {
    object(
        json!({
            "file": text("relative to the workspace"),
            "line": {"type": "integer", "minimum": 1},
            "severity": {"enum": severities},
            "message": text("what is wrong, and what follows from it"),
            "fix": text("how to mend it"),
        }),
        &["message"],
    )
}

fn done() -> Value {
    let notes = json!({"type": "array", "items": finding(&["info"]), "description": "places a person should look at"});
    object(json!({"summary": text("what was done"), "notes": notes}), &["summary"])
}

fn verdict() -> Value {
    object(
        json!({
            "pass": {"type": "boolean"},
            "evidence": {"type": "array", "items": {"type": "string"}},
            "findings": {"type": "array", "items": finding(&["error", "warning", "info"])},
        }),
        &["pass"],
    )
}
