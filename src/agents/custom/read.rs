//! Reads `agents.json`, and names what is wrong with its place.

use std::ops::Range;

use jsonc_parser::ast::{Object, Value};

use super::{Custom, FIELDS};
use crate::extensions::described::{self, Reading, bytes, text_of};
use crate::mission::conversation::Role;

/// What a name looks like: as a tag of the plan can hold it.
pub(super) const NAME: &str = "^[A-Za-z][A-Za-z0-9_-]{0,63}$";

pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// A file that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// The agents that can be used.
    pub agents: Vec<Custom>,
    /// Every entry, and what is wrong.
    pub reading: Reading,
}

/// Reads the text of a file.
pub fn read(text: &str) -> File {
    let mut file = File::default();
    match described::parse(text) {
        Ok(Some(Value::Object(all))) => file.take(&all),
        Ok(Some(other)) => {
            file.reading.error(bytes(&other), "agents are an object, by their names".into());
        }
        Ok(None) => {}
        Err(problem) => file.reading.problems.push(problem),
    }
    file
}

impl File {
    fn take(&mut self, all: &Object<'_>) {
        let description = |agent: &Object<'_>| text_of(agent, "description").unwrap_or_default();
        let look = |reading: &mut Reading, name: &str, head: &Range<usize>, agent: &Object<'_>| {
            look_at_name(reading, name, head);
            reading.fields(agent, &FIELDS, head, "agent");
        };
        let agents = &mut self.agents;
        self.reading.entries(all, "agent", description, look, |name, _, agent| {
            agents.extend(custom(name, agent));
        });
    }
}

fn look_at_name(reading: &mut Reading, name: &str, head: &Range<usize>) {
    if !is_name(name) {
        let message = "an agent's name begins with a letter, and has letters, digits, `-` and `_`, 64 at most";
        reading.error(head.clone(), message.to_owned());
    }
    if Role::ALL.iter().any(|role| role.to_string().eq_ignore_ascii_case(name)) {
        reading.error(head.clone(), format!("`{name}` is a role; an agent needs another name"));
    }
}

/// What was looked at before: `None` would be a field that is missing.
fn custom(name: String, agent: &Object<'_>) -> Option<Custom> {
    let flag = |field: &str| agent.get_boolean(field).map(|flag| flag.value);
    Some(Custom {
        name,
        description: text_of(agent, "description")?,
        system_prompt: text_of(agent, "systemPrompt")?,
        can_write: flag("canWrite")?,
        can_bash: flag("canBash")?,
        is_hidden: flag("hidden").unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extensions::described::Problem;

    const SOUND: &str =
        r#""id": "a", "description": "d", "systemPrompt": "s", "canWrite": true, "canBash": true"#;

    /// What is wrong, each with the text that it points to.
    fn wrong(text: &str) -> Vec<(String, bool, String)> {
        let shown = |p: Problem| (text[p.range].to_owned(), p.is_error, p.message);
        read(text).reading.problems.into_iter().map(shown).collect()
    }

    #[test]
    fn each_slip_is_named_at_its_place_and_costs_its_agent_only() {
        let text = format!(r#"{{ "good": {{ {SOUND} }}, "bad": {{ {SOUND}, "mode": "x" }} }}"#);
        let file = read(&text);
        assert_eq!(file.agents.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["good"]);
        assert_eq!(file.reading.entries.len(), 2);
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
        let said: Vec<bool> =
            file.reading.problems.iter().map(|problem| problem.is_error).collect();
        assert_eq!(said, [false, false]);
        assert_eq!(read("").reading.problems, []);
        assert_eq!(read("// nothing\n").reading.problems, []);
    }

    proptest::proptest! {
        /// Nothing that stands in a file is a panic, and every place is one of the text.
        #[test]
        fn any_text_is_read(text in "[{}\\[\\]\":,a-c01 \n/\\\\é]*") {
            for problem in read(&text).reading.problems {
                proptest::prop_assert!(text.get(problem.range).is_some());
            }
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{{\"a\":{}", "[".repeat(200_000));
        assert_eq!(read(&deep).reading.problems.len(), 1);
    }
}
