//! The fields of an agent in `agents.json`, once: its reader, its completions and its schema are made of this table.

use serde_json::{Map, Value, json};

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text that is not blank.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number from 1.
    Count,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// A field.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether an agent is none without it.
    pub is_needed: bool,
    /// Whether it changes anything here; others are read, for files that were written for another program.
    pub has_effect: bool,
    /// What it is for.
    pub meaning: &'static str,
}

const fn field(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field { name, kind, is_needed: false, has_effect: true, meaning }
}

const fn needed(field: Field) -> Field {
    Field { is_needed: true, ..field }
}

const fn idle(field: Field) -> Field {
    Field { has_effect: false, ..field }
}

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

impl Kind {
    fn schema(self) -> Value {
        match self {
            Kind::Text => json!({ "type": "string", "minLength": 1 }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Count => json!({ "type": "integer", "minimum": 1 }),
            Kind::OneOf(words) => json!({ "enum": words }),
        }
    }
}

/// The file's JSON schema (draft 2020-12).
pub fn schema() -> Value {
    let property = |field: &Field| {
        let mut schema = field.kind.schema();
        schema["description"] = json!(field.meaning);
        (field.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = FIELDS.iter().map(property).collect();
    let needed: Vec<&str> = FIELDS.iter().filter(|f| f.is_needed).map(|f| f.name).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Agents of a project: .opencode/agents.json",
        "type": "object",
        "propertyNames": { "pattern": super::read::NAME },
        "additionalProperties": {
            "type": "object",
            "properties": properties,
            "required": needed,
            "additionalProperties": false,
        },
    })
}
