//! Reads `agents.json`, with comments and trailing commas, and names what is wrong with its place. It changes nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{Custom, FIELDS, Field, Kind};
use crate::mission::conversation::Role;

/// What a name looks like: as a tag of the plan can hold it.
pub(super) const NAME: &str = "^[A-Za-z][A-Za-z0-9_-]{0,63}$";

pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// Something wrong, with the bytes that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, in UTF-8 bytes of the text.
    pub range: Range<usize>,
    /// Whether its agent, or the file, cannot be used; else it is only odd.
    pub is_error: bool,
    /// What, and how it would be right.
    pub message: String,
}

/// An entry of the file, sound or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it says of itself; empty where it says nothing.
    pub description: String,
    /// The bytes of the name.
    pub head: Range<usize>,
    /// The bytes of all of it.
    pub whole: Range<usize>,
}

/// A file that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// The agents that can be used.
    pub agents: Vec<Custom>,
    /// Every entry.
    pub entries: Vec<Entry>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// Reads the text of a file.
pub fn read(text: &str) -> File {
    let mut file = File::default();
    if text.trim().is_empty() {
        return file;
    }
    let parsed = match parse_to_ast(text, &CollectOptions::default(), &options()) {
        Ok(parsed) => parsed.value,
        Err(error) => {
            let range = error.range();
            file.error(range.start..range.end, error.kind().to_string());
            return file;
        }
    };
    match parsed {
        Some(Value::Object(all)) => file.take(&all),
        Some(other) => file.error(bytes(&other), "agents are an object, by their names".into()),
        None => {}
    }
    file
}

fn bytes(value: &Value<'_>) -> Range<usize> {
    let range = value.range();
    range.start..range.end
}

fn name_of(prop: &ObjectProp<'_>) -> (String, Range<usize>) {
    let range = prop.name.range();
    (prop.name.as_str().to_owned(), range.start..range.end)
}

impl File {
    fn error(&mut self, range: Range<usize>, message: String) {
        self.problems.push(Problem { range, is_error: true, message });
    }

    fn odd(&mut self, range: Range<usize>, message: String) {
        self.problems.push(Problem { range, is_error: false, message });
    }

    fn take(&mut self, all: &Object<'_>) {
        let mut known = BTreeSet::new();
        for prop in &all.properties {
            let (name, head) = name_of(prop);
            let text = |field: &str| match &prop.value {
                Value::Object(object) => object.get_string(field).map(|s| s.value.to_string()),
                _ => None,
            };
            let description = text("description").unwrap_or_default();
            let whole = prop.range.start..prop.range.end;
            let entry = Entry { name: name.clone(), description, head: head.clone(), whole };
            self.entries.push(entry);
            let before = self.errors();
            self.look_at_name(&name, &head);
            if !known.insert(name.clone()) {
                self.error(head.clone(), format!("there are two agents `{name}`"));
            }
            let Value::Object(agent) = &prop.value else {
                self.error(bytes(&prop.value), "an agent is an object of fields".into());
                continue;
            };
            self.look_at_fields(agent, &head);
            if self.errors() == before {
                self.agents.extend(custom(name, agent));
            }
        }
    }

    fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.is_error).count()
    }

    fn look_at_name(&mut self, name: &str, head: &Range<usize>) {
        if !is_name(name) {
            let message = "an agent's name begins with a letter, and has letters, digits, `-` and `_`, 64 at most";
            self.error(head.clone(), message.to_owned());
        }
        if Role::ALL.iter().any(|role| role.to_string().eq_ignore_ascii_case(name)) {
            self.error(head.clone(), format!("`{name}` is a role; an agent needs another name"));
        }
    }

    fn look_at_fields(&mut self, agent: &Object<'_>, head: &Range<usize>) {
        let mut known = BTreeSet::new();
        for prop in &agent.properties {
            let (name, place) = name_of(prop);
            let Some(field) = FIELDS.iter().find(|field| field.name == name) else {
                let names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
                let names = names.join(", ");
                self.odd(place, format!("there is no field `{name}`; there are {names}"));
                continue;
            };
            if !known.insert(field.name) {
                self.error(place.clone(), format!("`{name}` stands here twice"));
            }
            if let Err(why) = fits(field, &prop.value) {
                self.error(bytes(&prop.value), format!("`{name}` is {why}"));
            } else if !field.has_effect {
                self.odd(place, format!("`{name}` has no effect here. {}", field.meaning));
            }
        }
        let missing: Vec<&str> = FIELDS
            .iter()
            .filter(|field| field.is_needed && !known.contains(field.name))
            .map(|field| field.name)
            .collect();
        if !missing.is_empty() {
            self.error(head.clone(), format!("the agent lacks {}", missing.join(", ")));
        }
    }
}

fn fits(field: &Field, value: &Value<'_>) -> Result<(), String> {
    let fits = match (field.kind, value) {
        (Kind::Text, Value::StringLit(text)) => !text.value.trim().is_empty(),
        (Kind::Flag, Value::BooleanLit(_)) => true,
        (Kind::Count, Value::NumberLit(number)) => {
            number.value.parse::<u32>().is_ok_and(|count| count > 0)
        }
        (Kind::OneOf(words), Value::StringLit(text)) => words.contains(&&*text.value),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(match field.kind {
        Kind::Text => "a text that is not blank".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Count => "a whole number from 1".to_owned(),
        Kind::OneOf(words) => format!("one of {}", words.join(", ")),
    })
}

/// What was looked at before: `None` would be a field that is missing.
fn custom(name: String, agent: &Object<'_>) -> Option<Custom> {
    let flag = |field: &str| agent.get_boolean(field).map(|flag| flag.value);
    let text = |field: &str| agent.get_string(field).map(|text| text.value.to_string());
    Some(Custom {
        name,
        description: text("description")?,
        system_prompt: text("systemPrompt")?,
        can_write: flag("canWrite")?,
        can_bash: flag("canBash")?,
        is_hidden: flag("hidden").unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str =
        r#""id": "a", "description": "d", "systemPrompt": "s", "canWrite": true, "canBash": true"#;

    /// What is wrong, each with the text that it points to.
    fn wrong(text: &str) -> Vec<(String, bool, String)> {
        let shown = |p: Problem| (text[p.range].to_owned(), p.is_error, p.message);
        read(text).problems.into_iter().map(shown).collect()
    }

    #[test]
    fn each_slip_is_named_at_its_place_and_costs_its_agent_only() {
        let text = format!(r#"{{ "good": {{ {SOUND} }}, "bad": {{ {SOUND}, "mode": "x" }} }}"#);
        let file = read(&text);
        assert_eq!(file.agents.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["good"]);
        assert_eq!(file.entries.len(), 2);
        for (text, place, message) in [
            ("{", "", "Unterminated object"),
            ("[]", "[]", "by their names"),
            (r#"{ "a": 7 }"#, "7", "object of fields"),
            (r#"{ "a": {} }"#, r#""a""#, "lacks id, description, systemPrompt, canWrite, canBash"),
            (&format!(r#"{{ "Worker": {{ {SOUND} }} }}"#), r#""Worker""#, "is a role"),
            (&format!(r#"{{ "ü b": {{ {SOUND} }} }}"#), r#""ü b""#, "begins with a letter"),
            (&format!(r#"{{ "a": {{ {SOUND}, "canBash": true }} }}"#), r#""canBash""#, "twice"),
            (&format!(r#"{{ "a": {{ {SOUND}, "hidden": "no" }} }}"#), r#""no""#, "true or false"),
            (&format!(r#"{{ "a": {{ {SOUND}, "maxTokens": 0.5 }} }}"#), "0.5", "whole number"),
            (&format!(r#"{{ "a": {{ {SOUND} }}, "a": {{ {SOUND} }} }}"#), r#""a""#, "two agents"),
        ] {
            let wrong = wrong(text);
            let [(at, true, said)] = wrong.as_slice() else { panic!("{text}: {wrong:?}") };
            assert!(said.contains(message), "{text}: {said}");
            assert!(at == place || place.is_empty(), "{text}: {at}");
        }
    }

    #[test]
    fn what_is_only_odd_costs_nothing() {
        let text = format!(r##"{{ "a": {{ {SOUND}, "color": "#fff", "temprature": 1, }}, }}"##);
        let file = read(&text);
        assert_eq!(file.agents.len(), 1);
        let said: Vec<bool> = file.problems.iter().map(|problem| problem.is_error).collect();
        assert_eq!(said, [false, false]);
        assert_eq!(read("").problems, []);
        assert_eq!(read("// nothing\n").problems, []);
    }

    proptest::proptest! {
        /// Nothing that stands in a file is a panic, and every place is one of the text.
        #[test]
        fn any_text_is_read(text in "[{}\\[\\]\":,a-c01 \n/\\\\é]*") {
            for problem in read(&text).problems {
                proptest::prop_assert!(text.get(problem.range).is_some());
            }
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{{\"a\":{}", "[".repeat(200_000));
        assert_eq!(read(&deep).problems.len(), 1);
    }
}
