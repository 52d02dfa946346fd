//! What a tool is, for those who may call it: its name, its words, its schema, and whose it is. Small builders for schemas
//! stand here, too. The tools of a role come in the order of [`super::TOOLS`]: they are part of a session's constant prefix.

use serde_json::{Value, json};

use crate::mission::conversation::Role;
use crate::model::ToolSpec;

/// A tool as it is offered. What it does stands beside it, in its own file.
pub(super) struct Tool {
    pub name: &'static str,
    /// One or two sentences, for the agent.
    pub description: &'static str,
    /// The JSON schema of its arguments.
    pub schema: fn() -> Value,
    pub roles: &'static [Role],
    /// Whether a call whose process died before it answered may be made again: it reads, and changes nothing.
    pub repeatable: bool,
}

/// Everybody.
pub(super) const ALL: &[Role] = &Role::ALL;
/// Those who look around before they decide.
pub(super) const NOT_COMMANDER: &[Role] = &[Role::Planner, Role::Worker, Role::Reviewer];
/// Those who look at what is there, and what became of it.
pub(super) const WORKER_AND_REVIEWER: &[Role] = &[Role::Worker, Role::Reviewer];

impl Tool {
    pub fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            schema: (self.schema)(),
        }
    }
}

pub(super) fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// As [`object`], in fewer bytes: that nothing else fits is found when the arguments are read.
pub(super) fn small(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

pub(super) fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

/// A text whose name says all.
pub(super) fn plain() -> Value {
    json!({"type": "string"})
}

/// A 1-based line.
pub(super) fn line(description: &str) -> Value {
    json!({"type": "integer", "minimum": 1, "description": description})
}
