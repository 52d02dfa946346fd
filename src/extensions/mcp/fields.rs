//! The fields of a server in the two files, once: the reader, the completions and the schemas are made of these tables.

use serde_json::{Value, json};

use super::Form;
use crate::extensions::described::{self, Choice, Field, Kind, field, idle, needed};

/// Where each file holds its servers.
const PROJECT_ROOT: [Field; 1] = [field("mcpServers", Kind::Pairs, "The servers, by their names.")];
const OPEN_CODE_ROOT: [Field; 1] = [field("mcp", Kind::Pairs, "The servers, by their names.")];

const PROJECT: [Field; 9] = [
    field(
        "type",
        Kind::OneOf(&["stdio", "http", "streamable-http", "sse"]),
        "How it is spoken to: `stdio` (the default) or `http`. The older `sse` is not supported.",
    ),
    field("command", Kind::Text, "The program of a server that is started here."),
    field("args", Kind::Texts, "The program's arguments."),
    field("env", Kind::Pairs, "Variables that it sees beside the harmless ones of this machine."),
    field("url", Kind::Text, "The address of a server that runs already."),
    field("headers", Kind::Pairs, "Headers of every request to that address."),
    idle(field("timeout", Kind::Count, "Answers have a limit of their own.")),
    idle(field("headersHelper", Kind::Text, "Headers are written down, or come from a variable.")),
    idle(field("oauth", Kind::Any, "Signing in is not supported; a header can hold a token.")),
];

const OPEN_CODE: [Field; 10] = [
    needed(field(
        "type",
        Kind::OneOf(&["local", "remote"]),
        "`local`: a program that is started; `remote`: an address.",
    )),
    field("command", Kind::Texts, "The program of a local server, and its arguments."),
    field(
        "environment",
        Kind::Pairs,
        "Variables that it sees beside the harmless ones of this machine.",
    ),
    field("cwd", Kind::Text, "The folder it runs in, from the workspace's root."),
    field("url", Kind::Text, "The address of a remote server."),
    field("headers", Kind::Pairs, "Headers of every request to that address."),
    field("enabled", Kind::Flag, "Whether it is used."),
    field("disabled", Kind::Flag, "Whether it is not used."),
    idle(field("timeout", Kind::Any, "Answers have a limit of their own.")),
    idle(field("oauth", Kind::Any, "Signing in is not supported; a header can hold a token.")),
];

/// The fields of a server.
pub(super) const fn fields(form: Form) -> &'static [Field] {
    match form {
        Form::Project => &PROJECT,
        Form::OpenCode => &OPEN_CODE,
    }
}

/// The field that holds the servers.
pub(super) const fn root(form: Form) -> &'static str {
    match form {
        Form::Project => PROJECT_ROOT[0].name,
        Form::OpenCode => OPEN_CODE_ROOT[0].name,
    }
}

/// What can be written at a place of the file, and where the typed part begins.
pub fn choices(form: Form, text: &str, at: usize) -> (Vec<Choice>, usize) {
    described::choices(text, at, |path| match (form, path) {
        (Form::Project, []) => &PROJECT_ROOT,
        (Form::OpenCode, []) => &OPEN_CODE_ROOT,
        (_, [first, _]) if first == root(form) => fields(form),
        (Form::OpenCode, [first, second, _]) if first == "mcp" && second == "servers" => {
            fields(form)
        }
        _ => &[],
    })
}

/// The file's JSON schema (draft 2020-12).
pub fn schema(form: Form) -> Value {
    let servers = json!({
        "type": "object",
        "description": PROJECT_ROOT[0].meaning,
        "additionalProperties": described::schema(fields(form)),
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Servers of the Model Context Protocol: {}", form.path()),
        "type": "object",
        "properties": { "$schema": { "type": "string" }, root(form): servers },
        "additionalProperties": false,
    })
}
