//! Reads the two files, and names what is wrong with its place: a server that is described wrongly costs itself only.

use std::collections::BTreeMap;
use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, Value};

use super::Form;
use super::fields::{fields, root};
use crate::extensions::described::{self, Reading, bytes, name_of, text_of};

/// The longest name of a server, in bytes.
const LONGEST_NAME: usize = 100;

/// A server as its file describes it; variables are not put in yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// By which the file names it.
    pub name: String,
    /// How it is reached.
    pub transport: Transport,
    /// Whether it is used.
    pub is_enabled: bool,
}

impl Definition {
    /// What it does, for whoever is to trust it.
    pub fn in_words(&self) -> String {
        let how = match &self.transport {
            Transport::Program { command, .. } => format!("starts `{}`", command.join(" ")),
            Transport::Address { url, .. } => format!("asks {url}"),
        };
        let is_off = if self.is_enabled { "" } else { " (not enabled)" };
        format!("{}: {how}{is_off}", self.name)
    }
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// A program that is started here.
    Program {
        /// The program and its arguments; never empty.
        command: Vec<String>,
        /// Its own variables.
        environment: BTreeMap<String, String>,
        /// The folder it runs in, from the workspace's root.
        folder: String,
    },
    /// An address.
    Address {
        /// Its URL.
        url: String,
        /// Headers of every request.
        headers: BTreeMap<String, String>,
    },
}

/// A file that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// The servers that can be used.
    pub servers: Vec<Definition>,
    /// Every entry, and what is wrong.
    pub reading: Reading,
}

/// Reads the text of a file.
pub fn read(form: Form, text: &str) -> File {
    let mut file = File::default();
    match described::parse(text) {
        Ok(Some(Value::Object(all))) => file.take(form, &all),
        Ok(Some(other)) => {
            let message = format!("this is an object with the field `{}`", root(form));
            file.reading.error(bytes(&other), message);
        }
        Ok(None) => {}
        Err(problem) => file.reading.problems.push(problem),
    }
    file
}

impl File {
    fn take(&mut self, form: Form, all: &Object<'_>) {
        for prop in &all.properties {
            let (name, head) = name_of(prop);
            if name == root(form) {
                self.servers(form, prop);
            } else if name != "$schema" {
                let message = format!("`{name}` is not read here; `{}` is", root(form));
                self.reading.odd(head, message);
            }
        }
    }

    fn servers(&mut self, form: Form, prop: &ObjectProp<'_>) {
        let Value::Object(all) = &prop.value else {
            let message = format!("`{}` is an object of servers, by their names", root(form));
            return self.reading.error(bytes(&prop.value), message);
        };
        // The second version of OpenCode has them one level below.
        let below = all.get_object("servers").filter(|below| below_is_servers(form, below));
        let all = below.unwrap_or(all);
        let look = |reading: &mut Reading, name: &str, head: &Range<usize>, server: &Object<'_>| {
            if name.trim().is_empty() || name.len() > LONGEST_NAME {
                let message = format!("a server has a name of at most {LONGEST_NAME} bytes");
                reading.error(head.clone(), message);
            }
            reading.fields(server, fields(form), head, "server");
            look_at_kind(reading, form, head, server);
        };
        let servers = &mut self.servers;
        self.reading.entries(all, "server", description, look, |name, _, server| {
            let is_enabled = flag(server, "enabled") != Some(false);
            let is_disabled = flag(server, "disabled") == Some(true);
            let transport = transport(form, server);
            servers.extend(transport.map(|transport| Definition {
                name,
                transport,
                is_enabled: is_enabled && !is_disabled,
            }));
        });
    }
}

fn below_is_servers(form: Form, below: &Object<'_>) -> bool {
    form == Form::OpenCode && text_of(below, "type").is_none()
}

fn flag(server: &Object<'_>, field: &str) -> Option<bool> {
    server.get_boolean(field).map(|flag| flag.value)
}

fn texts(server: &Object<'_>, field: &str) -> Vec<String> {
    let list = server.get_array(field).map(|list| list.elements.iter()).into_iter().flatten();
    let text = |value: &Value<'_>| match value {
        Value::StringLit(text) => Some(text.value.to_string()),
        _ => None,
    };
    list.filter_map(text).collect()
}

fn pairs(server: &Object<'_>, field: &str) -> BTreeMap<String, String> {
    let pairs = server.get_object(field).map(|pairs| pairs.properties.iter()).into_iter().flatten();
    let pair = |prop: &ObjectProp<'_>| match &prop.value {
        Value::StringLit(text) => Some((prop.name.as_str().to_owned(), text.value.to_string())),
        _ => None,
    };
    pairs.filter_map(pair).collect()
}

/// What a server says of itself: what is started, or where it is. Not what may hold a secret.
fn description(server: &Object<'_>) -> String {
    let command = text_of(server, "command").or_else(|| texts(server, "command").first().cloned());
    command.or_else(|| text_of(server, "url")).unwrap_or_default()
}

/// Whether the fields are those of one kind of server.
fn look_at_kind(reading: &mut Reading, form: Form, head: &Range<usize>, server: &Object<'_>) {
    let kind = text_of(server, "type");
    if kind.as_deref() == Some("sse") && form == Form::Project {
        let place = server.get("type").map_or(head.clone(), |prop| bytes(&prop.value));
        let message = "`sse` is the older transport and is not supported; `http` is, mostly at another address of the same server";
        return reading.error(place, message.to_owned());
    }
    let (needed, foreign): (_, &[&str]) = match (form, kind.as_deref()) {
        (Form::Project, None | Some("stdio")) => ("command", &["url", "headers"]),
        (Form::Project, Some("http" | "streamable-http")) => ("url", &["command", "args", "env"]),
        (Form::OpenCode, Some("local")) => ("command", &["url", "headers"]),
        (Form::OpenCode, Some("remote")) => ("url", &["command", "environment", "cwd"]),
        // That was told of the field.
        _ => return,
    };
    if server.get(needed).is_none() {
        let hint = match (form, server.get("url").is_some()) {
            (Form::Project, true) => "; with a `url` it needs the `type` \"http\"",
            _ => "",
        };
        reading.error(head.clone(), format!("the server lacks {needed}{hint}"));
    }
    let is_empty_list = form == Form::OpenCode && texts(server, needed).is_empty();
    if let Some(prop) = server.get(needed).filter(|_| needed == "command" && is_empty_list) {
        reading.error(bytes(&prop.value), "`command` is the program and its arguments".to_owned());
    }
    for prop in foreign.iter().filter_map(|name| server.get(name)) {
        let (name, place) = name_of(prop);
        reading.odd(place, format!("`{name}` has no effect for a server of this type"));
    }
}

/// What was looked at before: `None` would be a field that is missing.
fn transport(form: Form, server: &Object<'_>) -> Option<Transport> {
    let kind = text_of(server, "type");
    if matches!(kind.as_deref(), Some("http" | "streamable-http" | "remote")) {
        let (url, headers) = (text_of(server, "url")?, pairs(server, "headers"));
        return Some(Transport::Address { url, headers });
    }
    let (command, environment) = match form {
        Form::Project => {
            let mut command = vec![text_of(server, "command")?];
            command.extend(texts(server, "args"));
            (command, pairs(server, "env"))
        }
        Form::OpenCode => (texts(server, "command"), pairs(server, "environment")),
    };
    let folder = text_of(server, "cwd").unwrap_or_default();
    Some(Transport::Program { command, environment, folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong, each with the text that it points to.
    fn wrong(form: Form, text: &str) -> Vec<(String, bool, String)> {
        let problems = read(form, text).reading.problems.into_iter();
        problems.map(|p| (text[p.range].to_owned(), p.is_error, p.message)).collect()
    }

    fn names(form: Form, text: &str) -> Vec<String> {
        read(form, text).servers.into_iter().map(|server| server.name).collect()
    }

    #[test]
    fn both_forms_are_read() {
        let text = r#"{
            // Comments are read over.
            "mcpServers": {
                "a": { "command": "a", "args": ["-x", "${Y:-z}"], "env": { "K": "v" } },
                "b": { "type": "http", "url": "https://b.example/mcp", "headers": { "h": "v" } },
            }
        }"#;
        let file = read(Form::Project, text);
        assert_eq!(file.reading.problems, []);
        let Transport::Program { command, environment, .. } = &file.servers[0].transport else {
            panic!("{file:?}")
        };
        assert_eq!((command.len(), environment["K"].as_str()), (3, "v"));
        let Transport::Address { url, headers } = &file.servers[1].transport else {
            panic!("{file:?}")
        };
        assert_eq!((url.as_str(), headers.len()), ("https://b.example/mcp", 1));
        let local = r#""l": { "type": "local", "command": ["l", "-x"], "enabled": false }"#;
        for text in [
            format!(r#"{{ "$schema": "s", "mcp": {{ {local} }} }}"#),
            format!(r#"{{ "mcp": {{ "servers": {{ {local} }} }} }}"#),
        ] {
            let file = read(Form::OpenCode, &text);
            assert_eq!((file.servers.len(), &file.reading.problems[..]), (1, &[][..]), "{text}");
            assert!(!file.servers[0].is_enabled);
        }
    }

    #[test]
    fn each_slip_is_named_at_its_place_and_costs_its_server_only() {
        let project = |entry: &str| {
            format!(r#"{{ "mcpServers": {{ "good": {{ "command": "g" }}, {entry} }} }}"#)
        };
        for (entry, place, message) in [
            (r#""a": 7"#, "7", "a server is an object of fields"),
            (r#""a": {}"#, r#""a""#, "lacks command"),
            (r#""a": { "url": "x" }"#, r#""a""#, "needs the `type`"),
            (r#""a": { "type": "http" }"#, r#""a""#, "lacks url"),
            (r#""a": { "type": "sse", "url": "u" }"#, r#""sse""#, "is not supported"),
            (r#""a": { "type": "x", "url": "u" }"#, r#""x""#, "one of stdio, http"),
            (r#""a": { "command": "a", "args": "b" }"#, r#""b""#, "a list of texts"),
            (r#""a": { "command": "a", "env": { "b": 1 } }"#, r#"{ "b": 1 }"#, "values are texts"),
            (r#""good": { "command": "x" }"#, r#""good""#, "two servers"),
            (r#""": { "command": "x" }"#, r#""""#, "has a name"),
        ] {
            let text = project(entry);
            let wrong: Vec<_> = wrong(Form::Project, &text).into_iter().filter(|w| w.1).collect();
            let [(at, _, said)] = wrong.as_slice() else { panic!("{text}: {wrong:?}") };
            assert!(said.contains(message) && at == place, "{text}: {at}: {said}");
            assert_eq!(names(Form::Project, &text), ["good"]);
        }
        for (text, place, message) in [
            ("{", "{", "Unterminated object"),
            ("[]", "[]", "`mcp`"),
            (r#"{ "mcp": 1 }"#, "1", "object of servers"),
            (r#"{ "mcp": { "a": { "command": ["x"] } } }"#, r#""a""#, "lacks type"),
            (r#"{ "mcp": { "a": { "type": "local", "command": [] } } }"#, "[]", "the program"),
            (r#"{ "mcp": { "a": { "type": "remote" } } }"#, r#""a""#, "lacks url"),
        ] {
            let wrong = wrong(Form::OpenCode, text);
            let [(at, true, said)] = wrong.as_slice() else { panic!("{text}: {wrong:?}") };
            assert!(said.contains(message) && at == place, "{text}: {at}: {said}");
        }
    }

    #[test]
    fn what_is_only_odd_costs_nothing() {
        for (entry, place) in [
            (r#""command": "a", "url": "b""#, r#""url""#),
            (r#""command": "a", "comand": "b""#, r#""comand""#),
            (r#""command": "a", "timeout": 1"#, r#""timeout""#),
        ] {
            let text = format!(r#"{{ "mcpServers": {{ "a": {{ {entry} }} }} }}"#);
            assert_eq!(names(Form::Project, &text), ["a"]);
            let wrong = wrong(Form::Project, &text);
            assert_eq!((wrong[0].0.as_str(), wrong[0].1, wrong.len()), (place, false, 1));
        }
    }

    proptest::proptest! {
        /// Nothing that stands in a file is a panic, and every place is one of the text.
        #[test]
        fn any_text_is_read(text in "(\\{\"mcp(Servers)?\":)?[{}\\[\\]\":,a-c01 \n/\\\\é]*") {
            for form in Form::ALL {
                for problem in read(form, &text).reading.problems {
                    proptest::prop_assert!(text.get(problem.range).is_some());
                }
            }
        }
    }
}
