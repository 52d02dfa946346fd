//! The tools of each role and their schemas, in a fixed order: they are part of a session's constant prefix.

use serde_json::{Value, json};

use crate::mission::control;
use crate::mission::conversation::Role;
use crate::model::ToolSpec;

/// The names of a role's tools, in order.
pub(super) fn names(role: Role) -> Vec<&'static str> {
    let of_workspace: &[&str] = match role {
        Role::Commander | Role::Planner => &["list", "read", "search"],
        Role::Worker => &["list", "read", "search", "diagnostics", control::PROPOSE],
        Role::Reviewer => &["list", "read", "search", "diagnostics", "changes"],
    };
    of_workspace.iter().chain(control::of_role(role)).copied().collect()
}

/// Whether a role may call a tool.
pub(super) fn allows(role: Role, tool: &str) -> bool {
    names(role).contains(&tool)
}

/// Whether a call whose process died before it answered may be made again: it reads, and changes nothing. What is not
/// known to be such a tool is not one.
pub fn may_be_repeated(tool: &str) -> bool {
    matches!(tool, "list" | "read" | "search" | "diagnostics" | "changes")
}

/// The tools of a role with their schemas.
pub fn specs(role: Role) -> Vec<ToolSpec> {
    names(role).into_iter().map(spec).collect()
}

fn spec(name: &str) -> ToolSpec {
    let (description, schema) = match name {
        "list" => ("Lists files, recursively, without ignored ones.", list()),
        "read" => ("Reads a text file, or some of its lines. Unsaved editor text counts.", read()),
        "search" => ("Searches files for a regular expression; answers path:line: text.", search()),
        "diagnostics" => ("Errors and warnings of the project's own compiler.", list_path()),
        "changes" => ("What the mission has changed so far, as a diff.", changes()),
        control::PROPOSE => {
            ("Proposes a change-set: all of it is proved and applied, or none.", propose())
        }
        "triage" => ("Decides how the goal is served.", triage()),
        "plan" => (
            "Hands in the plan.",
            object(json!({"todo": text("the whole text of todo.md")}), &["todo"]),
        ),
        "done" => ("The task is done.", done()),
        "give_up" => (
            "It cannot be done.",
            object(json!({"reason": text("why, and what a person could do")}), &["reason"]),
        ),
        _ => ("The judgement.", verdict()),
    };
    ToolSpec { name: name.to_owned(), description: description.to_owned(), schema }
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn list() -> Value {
    let glob = text("such as src/**/*.rs");
    object(json!({"path": text("a folder; default: the workspace"), "glob": glob}), &[])
}

fn list_path() -> Value {
    object(json!({"path": text("one file; default: all")}), &[])
}

fn read() -> Value {
    let line = |what| json!({"type": "integer", "minimum": 1, "description": what});
    object(
        json!({"path": text("relative to the workspace"), "from": line("first line, 1-based"), "to": line("last line")}),
        &["path"],
    )
}

fn search() -> Value {
    object(
        json!({"pattern": text("a regular expression"), "glob": text("only in files such as *.ts")}),
        &["pattern"],
    )
}

fn changes() -> Value {
    object(
        json!({"item": text("one task, such as T1.1; default: the task under review, else all")}),
        &[],
    )
}

fn propose() -> Value {
    let edit = object(
        json!({"old": text("text that stands in the file exactly once"), "new": text("what takes its place")}),
        &["old", "new"],
    );
    let change = json!({
        "type": "object",
        "properties": {
            "op": {"enum": ["edit", "write", "delete", "rename"]},
            "path": text("relative to the workspace"),
            "edits": {"type": "array", "items": edit, "description": "for edit"},
            "content": text("for write: the whole text"),
            "to": text("for rename"),
        },
        "required": ["op", "path"],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_worker_proposes_and_nobody_has_anothers_decision() {
        for role in Role::ALL {
            assert_eq!(allows(role, control::PROPOSE), role == Role::Worker);
            for other in Role::ALL.into_iter().filter(|other| *other != role) {
                for decision in
                    control::of_role(other).iter().filter(|d| !control::of_role(role).contains(d))
                {
                    assert!(!allows(role, decision), "{role} {decision}");
                }
            }
        }
    }
}
