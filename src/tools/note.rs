//! The schema of `note`. What becomes of a note is the mission's business, and the memory's.

use serde_json::{Value, json};

use super::schema::{ALL, Tool, object, text};
use crate::mission::control;

pub(super) const NOTE: Tool = Tool {
    name: control::NOTE,
    description: "Notes a fact that later sessions need.",
    schema: note,
    roles: ALL,
    repeatable: false,
};

fn note() -> Value {
    let keep =
        json!({"enum": ["mission", "project"], "description": "project: for later missions, too"});
    object(json!({"text": text("one or two sentences"), "keep": keep}), &["text"])
}
