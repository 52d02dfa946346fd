//! Files of a workspace that people write as JSON with comments, and whose entries have fields of a table: the table is
//! written once, and the reader with places, the completions and the schema are made of it. And pages with front matter.
//!
//! It must not know which files there are, or what an entry is for.

mod complete;
pub mod front;
mod read;

pub use complete::{At, Choice, choices};
pub use read::{Entry, Problem, Reading, bytes, name_of, parse, text_of};

use std::path::Path;

use serde_json::{Map, Value, json};

/// The text of the file at `path` from the root, plain and of at most `most` bytes; `None` where there is none.
///
/// # Errors
/// In words, where it cannot be read.
pub fn load(root: &Path, path: &str, most: u64) -> Result<Option<String>, String> {
    let at = root.join(path);
    let found = match std::fs::symlink_metadata(&at) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{path} cannot be read: {error}")),
    };
    if !found.is_file() || found.len() > most {
        return Err(format!("{path} is no plain file of at most {most} bytes"));
    }
    let text = std::fs::read_to_string(&at);
    text.map(Some).map_err(|error| format!("{path} cannot be read: {error}"))
}

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
    /// A list of texts.
    Texts,
    /// Texts by names.
    Pairs,
    /// Whatever another program reads there.
    Any,
}

/// A field.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether an entry is none without it.
    pub is_needed: bool,
    /// Whether it changes anything here; others are read, for files that were written for another program.
    pub has_effect: bool,
    /// What it is for.
    pub meaning: &'static str,
}

/// A field that can be left out.
pub const fn field(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field { name, kind, is_needed: false, has_effect: true, meaning }
}

/// The field, as one that cannot be left out.
pub const fn needed(field: Field) -> Field {
    Field { is_needed: true, ..field }
}

/// The field, as one that is read and changes nothing.
pub const fn idle(field: Field) -> Field {
    Field { has_effect: false, ..field }
}

impl Kind {
    fn schema(self) -> Value {
        let texts = json!({ "type": "string" });
        match self {
            Kind::Text => json!({ "type": "string", "minLength": 1 }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Count => json!({ "type": "integer", "minimum": 1 }),
            Kind::OneOf(words) => json!({ "enum": words }),
            Kind::Texts => json!({ "type": "array", "items": texts }),
            Kind::Pairs => json!({ "type": "object", "additionalProperties": texts }),
            Kind::Any => json!({}),
        }
    }

    /// How a value of it begins to be written.
    fn start(self) -> &'static str {
        match self {
            Kind::Flag => "true",
            Kind::Count => "1",
            Kind::Texts => "[]",
            Kind::Pairs | Kind::Any => "{}",
            Kind::Text | Kind::OneOf(_) => "\"\"",
        }
    }
}

/// The JSON schema (draft 2020-12) of an entry with these fields.
pub fn schema(fields: &[Field]) -> Value {
    let property = |field: &Field| {
        let mut schema = field.kind.schema();
        schema["description"] = json!(field.meaning);
        (field.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = fields.iter().map(property).collect();
    let needed: Vec<&str> = fields.iter().filter(|f| f.is_needed).map(|f| f.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": false,
    })
}
