//! The fields of an agent in `agents.json`, once: its reader, its completions and its schema are made of this table.

use serde_json::{Value, json};

use crate::extensions::described::{self, Field, Kind, field, idle, needed};

/// All fields.
pub const FIELDS: [Field; 11] = [
    needed(field("id", Kind::Text, "The agent's id; as its name.")),
    needed(field("description", Kind::Text, "What it is for. The Planner reads it.")),
    needed(field("systemPrompt", Kind::Text, "Its instructions, beside those of a Worker.")),
    needed(field("canWrite", Kind::Flag, "Whether it may propose changes of files.")),
    needed(field("canBash", Kind::Flag, "Whether it may run commands.")),
    field(
        "mode",
        Kind::OneOf(&["primary", "subagent"]),
        "Whether it leads or serves. Here every agent serves: a `primary` one, too.",
    ),
    field("hidden", Kind::Flag, "Whether the Planner is not told of it; a person can name it."),
    idle(field("color", Kind::Text, "A colour.")),
    idle(field(
        "thinking",
        Kind::Flag,
        "Whether it thinks at length. What a model does is the configuration's.",
    )),
    idle(field(
        "maxTokens",
        Kind::Count,
        "The longest answer, in tokens. What a model does is the configuration's.",
    )),
    idle(field(
        "budgetTokens",
        Kind::Count,
        "Tokens to think with. What a model does is the configuration's.",
    )),
];

/// The file's JSON schema (draft 2020-12).
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Agents of a project: .opencode/agents.json",
        "type": "object",
        "propertyNames": { "pattern": super::read::NAME },
        "additionalProperties": described::schema(&FIELDS),
    })
}
