//! What is offered, once: names, what they are for, their arguments, what they change. The schemas are made of the types
//! that the arguments are read into.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Refusal;
use crate::mission::Mode;

/// Something that is offered.
#[derive(Debug)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Whether it changes nothing.
    pub only_reads: bool,
    /// Whether something that was there may be gone after it.
    pub destroys: bool,
    /// Whether a second time changes nothing more.
    pub is_idempotent: bool,
    /// The JSON schema of its arguments.
    pub schema: fn() -> Value,
}

const fn reading(name: &'static str, description: &'static str, schema: fn() -> Value) -> Tool {
    let (only_reads, destroys, is_idempotent) = (true, false, true);
    Tool { name, description, only_reads, destroys, is_idempotent, schema }
}

const fn changing(name: &'static str, description: &'static str, schema: fn() -> Value) -> Tool {
    let (only_reads, destroys, is_idempotent) = (false, false, false);
    Tool { name, description, only_reads, destroys, is_idempotent, schema }
}

const fn destroying(tool: Tool) -> Tool {
    Tool { destroys: true, ..tool }
}

const fn idempotent(tool: Tool) -> Tool {
    Tool { is_idempotent: true, ..tool }
}

/// All of it.
pub const TOOLS: [Tool; 12] = [
    reading(
        "check",
        "Prove a change-set without applying it: syntax, rules, language servers, the project's own compilers. The answer is accepted, refused with the problems and their places, or unverified. It can take minutes.",
        schema::<Check>,
    ),
    reading(
        "plan_show",
        "The items of a mission's plan, each with its version and its line.",
        schema::<Named>,
    ),
    idempotent(changing(
        "plan_update",
        "Mark a task or a step of the plan by hand, only where it still is the version that is given.",
        schema::<Update>,
    )),
    destroying(changing(
        "mission_start",
        "Begin a mission: agents plan and carry it out, and every change to the workspace is proved first and can be taken back. Answers at once with its id, unless `wait` is set.",
        schema::<Start>,
    )),
    reading(
        "mission_status",
        "How missions stand: one that is named, or the recent ones. With `wait`, when the named one has ended or needs a person.",
        schema::<Status>,
    ),
    idempotent(changing(
        "mission_pause",
        "Let a mission begin nothing new; what is under way ends and is kept.",
        schema::<Named>,
    )),
    destroying(changing(
        "mission_resume",
        "Go on with a mission that was interrupted, paused, planned or blocked.",
        schema::<Follow>,
    )),
    destroying(idempotent(changing(
        "mission_cancel",
        "Stop a mission for good; what was accepted stays.",
        schema::<Named>,
    ))),
    changing("mission_answer", "Answer what an agent of a mission asks.", schema::<Reply>),
    destroying(changing(
        "mission_undo",
        "Take back what a mission changed, byte for byte. Where somebody has edited since, nothing is taken back, and what a merge would do is shown.",
        schema::<Undo>,
    )),
    reading(
        "mission_report",
        "What a mission reached, changed, found and cost, as Markdown.",
        schema::<Named>,
    ),
    reading(
        "findings",
        "What reviewers and the gate found wrong: file, line, severity, how to mend it.",
        schema::<Findings>,
    ),
];

/// A change-set: the operations land all, or none. They are read by the gate itself.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
pub struct Check {
    /// The operations. All edits of one file are against the file as it is.
    #[schemars(schema_with = "operations", length(min = 1))]
    changes: (),
}

/// The mission that is meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its id (default: the newest that is open, else the newest).
    pub mission: Option<String>,
}

/// A mark.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The item: T1.2, S1.2.3.
    pub item: String,
    /// pending, active, done or failed.
    pub mark: String,
    /// Only where the item is still this version; plan_show tells it.
    pub version: Option<String>,
    /// Why, where it is set to done.
    pub evidence: Option<String>,
    /// The mission (default: the newest that is open).
    pub mission: Option<String>,
}

/// How far a mission goes by itself.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// To its end.
    #[default]
    Task,
    /// To its plan; mission_resume carries it out.
    Plan,
}

impl From<Extent> for Mode {
    fn from(extent: Extent) -> Mode {
        match extent {
            Extent::Task => Mode::Task,
            Extent::Plan => Mode::Plan,
        }
    }
}

/// A mission to begin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// What is to be reached.
    pub goal: String,
    /// `task`: to its end; `plan`: to its plan.
    #[serde(default)]
    pub mode: Extent,
    /// Wait until it has ended or needs a person. Who stops waiting does not stop the mission.
    #[serde(default)]
    pub wait: bool,
    /// How long to wait, in seconds: 600, 3600 at most.
    pub wait_seconds: Option<u32>,
}

/// A mission to look at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Its id (default: the recent ones; with `wait`, the newest that is open).
    pub mission: Option<String>,
    /// Wait until it has ended or needs a person.
    #[serde(default)]
    pub wait: bool,
    /// How long to wait, in seconds: 600, 3600 at most.
    pub wait_seconds: Option<u32>,
}

/// A mission that goes on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// Its id (default: the newest that is open or blocked).
    pub mission: Option<String>,
    /// Wait until it has ended or needs a person.
    #[serde(default)]
    pub wait: bool,
    /// How long to wait, in seconds: 600, 3600 at most.
    pub wait_seconds: Option<u32>,
}

/// An answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The answer.
    pub text: String,
    /// The question's number (default: the oldest).
    pub question: Option<u32>,
    /// The mission (default: the newest that asks something).
    pub mission: Option<String>,
}

/// What is taken back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// The mission (default: the newest that changed something).
    pub mission: Option<String>,
    /// The change by its receipt's number (default: the newest).
    pub receipt: Option<u64>,
    /// All that the mission changed.
    #[serde(default)]
    pub all: bool,
    /// Where somebody has edited since: keep that, and take the mission's lines back.
    #[serde(default)]
    pub merge: bool,
}

/// Which findings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// The mission (default: the newest that is open, else the newest).
    pub mission: Option<String>,
    /// Also those that are closed or were dismissed.
    #[serde(default)]
    pub closed: bool,
}

/// Reads arguments.
///
/// # Errors
/// What is wrong with them.
pub fn arguments<T: DeserializeOwned>(given: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(given))
        .map_err(|error| Refusal::arguments(format!("the arguments are not understood: {error}")))
}

fn schema<T: JsonSchema>() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>();
    schema.remove("$schema");
    schema.remove("title");
    schema.to_value()
}

fn operations(_: &mut SchemaGenerator) -> Schema {
    let text = json!({ "type": "string" });
    let edit = json!({
        "type": "object",
        "description": "Replaces `old`, which stands in the file once; or a named item.",
        "properties": {
            "old": text,
            "new": text,
            "symbol": { "type": "string", "description": "An item of the file (`Parser::parse`)." },
            "at": { "enum": ["before", "after"], "description": "Put `new` beside the item." },
        },
        "required": ["new"],
    });
    let operation = |op: &str, fields: Value, needed: &[&str]| {
        let mut properties = fields;
        properties["op"] = json!({ "const": op });
        let needed: Vec<&str> = ["op"].iter().chain(needed).copied().collect();
        json!({ "type": "object", "properties": properties, "required": needed })
    };
    let path = json!({ "type": "string", "description": "From the workspace's root, with `/`." });
    json_schema!({
        "type": "array",
        "items": { "anyOf": [
            operation("edit", json!({ "path": path, "edits": { "type": "array", "items": edit } }), &["path", "edits"]),
            operation("write", json!({ "path": path, "content": text }), &["path", "content"]),
            operation("delete", json!({ "path": path }), &["path"]),
            operation("rename", json!({ "path": path, "to": path }), &["path", "to"]),
            operation("replace_code", json!({ "pattern": text, "with": text, "glob": text }), &["pattern", "with"]),
            operation("rename_symbol", json!({ "path": path, "symbol": text, "line": { "type": "integer" }, "to": text }), &["path", "symbol", "to"]),
        ] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_described_and_its_schema_is_an_object() {
        let mut names = std::collections::BTreeSet::new();
        for tool in &TOOLS {
            let schema = (tool.schema)();
            assert_eq!(schema["type"], "object", "{schema}");
            assert_eq!(schema["additionalProperties"] == false, tool.name != "check");
            for (name, field) in schema["properties"].as_object().unwrap() {
                let said = &field["description"];
                assert!(said.is_string(), "{}: {name}: {field}", tool.name);
            }
            assert!(names.insert(tool.name) && !tool.description.is_empty());
            assert!(!(tool.only_reads && tool.destroys), "{}", tool.name);
        }
    }
}
