//! What can be set is written once, where it is read. What others read of it is made of that, and must not differ: the schema,
//! the tables of docs/configuration.md, the settings of the VS Code extension, the types of the Neovim plugin.
//!
//! `UPDATE_SETTINGS=1 cargo test --test it settings::` writes them anew.

use std::fmt::Write as _;

use orchestrator_lsp::agents::custom;
use orchestrator_lsp::extensions::mcp::{self, Form};
use orchestrator_lsp::runtime::settings::schema;
use serde_json::{Map, Value, json};

use crate::support::project::Project;
use crate::support::tools::checkout;

/// Settings of the extension itself: it needs them before there is a server.
fn of_the_extension() -> Map<String, Value> {
    let settings = json!({
        "orchestrator.server.path": {
            "type": "string",
            "default": "",
            "scope": "machine-overridable",
            "markdownDescription": "The `orchestrator` program. Empty: the bundled one, else looked for on `PATH`. The environment variable `ORCHESTRATOR_SERVER` wins over both.",
        },
        "orchestrator.trace.server": {
            "type": "string",
            "enum": ["off", "messages", "verbose"],
            "default": "off",
            "scope": "window",
            "markdownDescription": "Write the messages between editor and server to the log.",
        },
    });
    settings.as_object().unwrap().clone()
}

/// No editor keeps these: its settings are synchronised, and shown to anybody who looks on.
const SECRET: [&str; 2] = ["api_key", "headers"];
/// The files that name servers, by the schemas' names.
const MCP: [(Form, &str); 2] = [(Form::Project, "mcp"), (Form::OpenCode, "mcp-opencode")];
/// What is a language of its own, and stays in the file.
const IN_THE_FILE: [&str; 1] = ["languages"];

/// A section or a field, with what it refers to in its place.
fn resolved<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    let any =
        part["anyOf"].as_array().and_then(|any| any.iter().find(|one| one["$ref"].is_string()));
    let part = any.unwrap_or(part);
    match part["$ref"].as_str() {
        Some(name) => schema.pointer(name.trim_start_matches('#')).unwrap(),
        None => part,
    }
}

/// One line of prose.
fn said(part: &Value) -> String {
    let text = part["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a field can be, where that is a choice: each with what it means.
fn choices(schema: &Value, field: &Value) -> Vec<(String, String)> {
    let one_of = resolved(schema, field)["oneOf"].as_array();
    let of = |one: &Value| {
        let names = one["enum"].as_array().cloned().unwrap_or_else(|| vec![one["const"].clone()]);
        names.iter().filter_map(|n| Some((n.as_str()?.to_owned(), said(one)))).collect::<Vec<_>>()
    };
    one_of.into_iter().flatten().flat_map(of).collect()
}

/// What it is without a setting, as it is written in the file.
fn default(field: &Value) -> String {
    match &field["default"] {
        Value::Null => String::new(),
        Value::Array(all) if all.is_empty() => String::new(),
        Value::Object(all) if all.is_empty() => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}

fn fields<'a>(schema: &'a Value, section: &str) -> Vec<(&'a String, &'a Value)> {
    let section = resolved(schema, &schema["properties"][section]);
    let fields = section["properties"].as_object();
    fields.into_iter().flatten().collect()
}

/// The rows of a section's table in docs/configuration.md.
fn table(schema: &Value, section: &str) -> String {
    let mut table = "| field | default | meaning |\n|---|---|---|\n".to_owned();
    for (name, field) in fields(schema, section) {
        let choices = choices(schema, field);
        let own = said(field);
        let told = choices.iter().map(|(name, meaning)| format!("`{name}`: {meaning}"));
        let meaning = std::iter::once(own).chain(told).collect::<Vec<_>>().join(" ");
        writeln!(table, "| `{name}` | {} | {} |", default(field), meaning.trim()).unwrap();
    }
    table
}

/// The page with the tables between its marks made anew.
fn page(schema: &Value, page: &str) -> String {
    let mut made = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- settings: ") {
        let (section, after) = after.split_once(" -->\n").unwrap();
        let (_, after) = after.split_once("<!-- end -->").unwrap();
        write!(
            made,
            "{before}<!-- settings: {section} -->\n{}<!-- end -->",
            table(schema, section)
        )
        .unwrap();
        rest = after;
    }
    made + rest
}

fn kind(schema: &Value, field: &Value) -> String {
    let field = resolved(schema, field);
    let of = |value: &Value| value.as_str().filter(|kind| *kind != "null").map(str::to_owned);
    let several = field["type"].as_array().and_then(|all| all.iter().find_map(of));
    several.or_else(|| of(&field["type"])).unwrap_or_else(|| "string".to_owned())
}

/// A field as VS Code describes settings.
fn property(schema: &Value, field: &Value, own: &str) -> Value {
    let kind = kind(schema, field);
    let mut property = json!({ "type": kind, "scope": "machine", "markdownDescription": own });
    let choices = choices(schema, field);
    if !choices.is_empty() {
        let (names, meanings): (Vec<String>, Vec<String>) = choices.into_iter().unzip();
        (property["enum"], property["markdownEnumDescriptions"]) = (json!(names), json!(meanings));
    }
    if kind == "array" {
        property["items"] = json!({ "type": "string" });
    }
    if !field["default"].is_null() {
        property["default"] = field["default"].clone();
    }
    if let Some(least) = resolved(schema, field)["minimum"].as_u64() {
        property["minimum"] = json!(least);
    }
    property
}

/// Everything that is set in VS Code: in the user's settings alone, so that no workspace can.
fn properties(schema: &Value) -> Map<String, Value> {
    let mut properties = of_the_extension();
    for (section, part) in schema["properties"].as_object().unwrap() {
        let fields = fields(schema, section);
        if fields.is_empty() {
            let name = format!("orchestrator.{section}");
            properties.insert(name, property(schema, part, &said(part)));
        }
        for (name, field) in fields {
            if !SECRET.contains(&name.as_str()) && !IN_THE_FILE.contains(&name.as_str()) {
                let own = said(field);
                let key = format!("orchestrator.{section}.{name}");
                properties.insert(key, property(schema, field, &own));
            }
        }
    }
    properties
}

/// The manifest with its settings made anew; the rest stays as it is written.
fn manifest(schema: &Value, manifest: &str) -> String {
    let (open, close) = ("    \"configuration\": {\n", "\n    },\n");
    let (before, after) = manifest.split_once(open).unwrap();
    let (_, after) = after.split_once(close).unwrap();
    let made = json!({ "title": "Orchestrator", "properties": properties(schema) });
    let text = serde_json::to_string_pretty(&made).unwrap();
    let lines: Vec<String> = text.lines().skip(1).map(|line| format!("    {line}")).collect();
    let inner = lines[..lines.len() - 1].join("\n");
    format!("{before}{open}{inner}{close}{after}")
}

fn lua_kind(schema: &Value, field: &Value) -> String {
    let choices = choices(schema, field);
    if !choices.is_empty() {
        let names = choices.iter().map(|(name, _)| format!("\"{name}\""));
        return names.collect::<Vec<_>>().join("|");
    }
    match kind(schema, field).as_str() {
        "array" if field["items"]["type"] == "string" => "string[]".to_owned(),
        "array" => "table[]".to_owned(),
        "object" => "table".to_owned(),
        other => other.to_owned(),
    }
}

/// The types of `init_options.settings`, for who writes them in Lua.
fn annotations(schema: &Value) -> String {
    let mut made = "--- @meta\n-- What can be set: `vim.lsp.config(\"orchestrator\", { init_options = { settings = { … } } })`. Made from the server's own\n-- description; docs/configuration.md has the same as tables.\n".to_owned();
    let mut all = "\n--- @class orchestrator.Settings\n".to_owned();
    for (section, part) in schema["properties"].as_object().unwrap() {
        let fields = fields(schema, section);
        let kind = match fields.is_empty() {
            true => "table<string, table>".to_owned(),
            false => format!("orchestrator.settings.{section}"),
        };
        writeln!(all, "--- @field {section}? {kind} {}", said(part)).unwrap();
        if fields.is_empty() {
            continue;
        }
        writeln!(made, "\n--- @class orchestrator.settings.{section}").unwrap();
        for (name, field) in fields {
            let default = default(field).replace('`', "");
            let default =
                if default.is_empty() { default } else { format!(" (default {default})") };
            writeln!(
                made,
                "--- @field {name}? {} {}{default}",
                lua_kind(schema, field),
                said(field)
            )
            .unwrap();
        }
    }
    made + &all
}

/// Compares a file with what it is to be, or writes it.
fn is_as_made(path: &str, make: impl Fn(&str) -> String) {
    let path = checkout().join(path);
    let now = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let made = make(&now);
    if now == made {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_SETTINGS").is_some(),
        "{} differs from what the settings in src say; `UPDATE_SETTINGS=1 cargo test --test it settings::` writes it anew",
        path.display()
    );
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, made).unwrap();
}

#[test]
fn what_is_made_of_the_settings_does_not_differ_from_them() {
    let schema = schema();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    is_as_made("docs/schema/config.json", |_| text.clone());
    let agents = serde_json::to_string_pretty(&custom::schema()).unwrap() + "\n";
    is_as_made("docs/schema/agents.json", |_| agents.clone());
    for (form, name) in MCP {
        let text = serde_json::to_string_pretty(&mcp::schema(form)).unwrap() + "\n";
        is_as_made(&format!("docs/schema/{name}.json"), |_| text.clone());
    }
    is_as_made("docs/configuration.md", |now| page(&schema, now));
    is_as_made("editors/vscode/package.json", |now| manifest(&schema, now));
    is_as_made("editors/neovim/lua/orchestrator/settings.lua", |_| annotations(&schema));
}

#[test]
fn everything_is_described_and_no_secret_is_an_editors() {
    let schema = schema();
    for (section, part) in schema["properties"].as_object().unwrap() {
        assert!(!said(part).is_empty(), "{section}");
        for (name, field) in fields(&schema, section) {
            assert!(!said(field).is_empty(), "{section}.{name}");
        }
    }
    let properties = properties(&schema);
    assert!(properties.len() > 40, "{}", properties.len());
    for (name, property) in &properties {
        assert!(!SECRET.iter().any(|secret| name.ends_with(secret)), "{name}");
        let scope = property["scope"].as_str().unwrap();
        let may_be_the_workspaces = name.starts_with("orchestrator.trace");
        assert!(scope.starts_with("machine") || may_be_the_workspaces, "{name}");
    }
}

/// The page must have each section, or a field of it would be told nowhere.
#[test]
fn the_page_has_a_table_for_each_section() {
    let page = std::fs::read_to_string(checkout().join("docs/configuration.md")).unwrap();
    let schema = schema();
    for (section, _) in schema["properties"].as_object().unwrap() {
        if !fields(&schema, section).is_empty() {
            assert!(page.contains(&format!("<!-- settings: {section} -->")), "{section}");
        }
    }
}

#[test]
fn the_program_prints_the_schemas() {
    let said = Project::empty().run(&["schema", "agents"]);
    assert_eq!(serde_json::from_str::<Value>(&said.out).unwrap(), custom::schema());
    for (form, name) in MCP {
        let said = Project::empty().run(&["schema", name]);
        assert_eq!(serde_json::from_str::<Value>(&said.out).unwrap(), mcp::schema(form));
    }
    let said = Project::empty().run(&["schema"]);
    assert_eq!(said.code, 0, "{said:?}");
    let printed: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(printed, schema());
}
