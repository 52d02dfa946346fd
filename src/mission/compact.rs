//! A conversation that is too long for its model is shortened: old results and long arguments give way to notes that say
//! what they were. The brief, what the mission said, and the newest turns stay as they are.
//!
//! What is shortened depends on the messages and on nothing else, so that a mission that is folded again from its events
//! sends the same bytes. After a cut the conversation only grows again, until it is too long once more.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::conversation::{Message, ToolCall};
use super::session::Session;

/// How many of the newest turns stay whole, from the gentlest form to the smallest.
const KEPT: [usize; 3] = [4, 1, 0];
/// A result, or a text within arguments, that is longer in characters is shortened; every note is shorter.
const LONG: usize = 400;
/// The most characters of a call's arguments that its note repeats.
const NAMED: usize = 120;

/// Shortens the conversation to its next smaller form and says how many pieces gave way; `None` when it is in its
/// smallest form already.
pub(super) fn shorten(session: &mut Session) -> Option<usize> {
    while let Some(kept) = KEPT.get(session.shortened) {
        session.shortened += 1;
        let cut = cut(&session.messages, *kept);
        let pieces = mask(&mut Arc::make_mut(&mut session.messages)[..cut]);
        if pieces > 0 {
            session.weight = session.messages.iter().map(Message::weight).sum();
            return Some(pieces);
        }
    }
    None
}

/// Where the newest `kept` turns begin.
fn cut(messages: &[Message], kept: usize) -> usize {
    let turns = messages
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, message)| matches!(message, Message::Assistant { .. }));
    match kept.checked_sub(1) {
        None => messages.len(),
        Some(before) => turns.map(|(at, _)| at).nth(before).unwrap_or(0),
    }
}

fn mask(messages: &mut [Message]) -> usize {
    let mut pieces = 0;
    let mut calls: Vec<(String, String)> = Vec::new();
    for message in messages {
        match message {
            Message::User { .. } => {}
            Message::Assistant { text, calls: made } => {
                pieces += usize::from(mask_text(text));
                for call in made {
                    pieces += Arc::make_mut(&mut call.arguments)
                        .values_mut()
                        .map(mask_value)
                        .sum::<usize>();
                    calls.push((call.id.clone(), describe(call)));
                }
            }
            Message::Tool { call_id, content, .. } => {
                let length = content.chars().count();
                if length > LONG {
                    let what = calls.iter().rfind(|(id, _)| id == call_id);
                    let what = what.map_or("a call", |(_, what)| what);
                    *content = format!(
                        "[the {length} characters that {what} gave are left out here; call it again for what you need]"
                    );
                    pieces += 1;
                }
            }
        }
    }
    pieces
}

/// The call in a few words: its tool and the beginning of its arguments.
fn describe(call: &ToolCall) -> String {
    let arguments = named(&call.arguments);
    format!("`{}` {arguments}", call.name)
}

fn named(arguments: &Map<String, Value>) -> String {
    let text = Value::Object(arguments.clone()).to_string();
    match text.char_indices().nth(NAMED) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn mask_value(value: &mut Value) -> usize {
    match value {
        Value::String(text) => usize::from(mask_text(text)),
        Value::Array(items) => items.iter_mut().map(mask_value).sum(),
        Value::Object(fields) => fields.values_mut().map(mask_value).sum(),
        _ => 0,
    }
}

fn mask_text(text: &mut String) -> bool {
    let length = text.chars().count();
    if length <= LONG {
        return false;
    }
    let at = text.char_indices().nth(NAMED).map_or(text.len(), |(at, _)| at);
    *text = format!("{}… [{} more characters are left out here]", &text[..at], length - NAMED);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::conversation::Role;

    fn turn(number: usize, result: &str) -> [Message; 2] {
        let id = format!("c{number}");
        let arguments = serde_json::json!({"path": format!("f{number}.rs")});
        let call = ToolCall {
            id: id.clone(),
            name: "read".into(),
            arguments: arguments.as_object().unwrap().clone().into(),
        };
        [
            Message::Assistant { text: String::new(), calls: vec![call] },
            Message::Tool { call_id: id, content: result.into(), is_error: false },
        ]
    }

    fn session(turns: usize) -> Session {
        let mut session = Session::new(1, Role::Worker, None, "b".repeat(5000));
        Arc::make_mut(&mut session.messages)
            .extend((0..turns).flat_map(|n| turn(n, &"x".repeat(5000))));
        session
    }

    fn whole(session: &Session) -> usize {
        let long =
            |m: &&Message| matches!(m, Message::Tool { content, .. } if content.len() == 5000);
        session.messages.iter().filter(long).count()
    }

    #[test]
    fn each_form_is_smaller_and_the_brief_stays() {
        let mut session = session(6);
        assert_eq!((shorten(&mut session), whole(&session)), (Some(2), 4));
        let weighed: usize = session.messages.iter().map(Message::weight).sum();
        assert_eq!(session.weight, weighed, "what gave way weighs nothing");
        assert_eq!((shorten(&mut session), whole(&session)), (Some(3), 1));
        assert_eq!((shorten(&mut session), whole(&session)), (Some(1), 0));
        assert_eq!(shorten(&mut session), None);
        let Message::User { text } = &session.messages[0] else { panic!() };
        assert_eq!(text.len(), 5000);
        let Message::Tool { content, call_id, .. } = &session.messages[2] else { panic!() };
        assert!(content.contains("`read` {\"path\":\"f0.rs\"}") && call_id == "c0", "{content}");
        assert!(content.chars().count() < LONG);
    }

    #[test]
    fn a_form_that_changes_nothing_is_passed_over() {
        let mut session = session(1);
        assert_eq!(shorten(&mut session), Some(1), "the only turn gives way at once");
        assert_eq!(shorten(&mut session), None);
    }

    #[test]
    fn what_the_agent_wrote_at_length_gives_way_and_stays_an_argument() {
        let mut session = Session::new(1, Role::Worker, None, "brief".into());
        let arguments = serde_json::json!({"edits": [{"text": "é".repeat(900)}], "n": 7});
        let call = ToolCall {
            id: "c".into(),
            name: "propose".into(),
            arguments: arguments.as_object().unwrap().clone().into(),
        };
        Arc::make_mut(&mut session.messages)
            .push(Message::Assistant { text: "t".repeat(900), calls: vec![call] });
        assert_eq!(shorten(&mut session), Some(2));
        let Message::Assistant { text, calls } = &session.messages[1] else { panic!() };
        assert!(text.ends_with("[780 more characters are left out here]"), "{text}");
        assert_eq!(calls[0].arguments["n"], 7);
        assert!(calls[0].arguments["edits"][0]["text"].as_str().unwrap().contains("left out"));
    }
}
