//! A conversation that is too long for its model is shortened: old results and long arguments give way to notes that say
//! what they were. The brief, what the mission said, and the newest turns stay as they are.
//!
//! Two things bring it about: the model says that it is too long, or it has grown to its high mark. In the second case
//! the oldest pieces give way, until it is down at the low mark. Between two cuts it only grows, so that a provider's
//! cache serves all but the newest turn; what gave way once stands in front and stays as it is at the next cut. Where
//! notes alone are too many, the oldest turns are left out whole, and counted behind the brief.
//!
//! What is shortened depends on the messages and on nothing else, so that a mission that is folded again from its events
//! sends the same bytes. No model is asked: a note says what stood there, and how to get it again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::context::Context;
use super::conversation::{Message, ToolCall};
use super::session::{BYTES_PER_TOKEN, Session};

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
        let pieces = mask(&mut Arc::make_mut(&mut session.messages)[..cut], usize::MAX);
        if pieces > 0 {
            session.weigh();
            return Some(pieces);
        }
    }
    None
}

/// Whether the conversation has grown to its high mark. That lies at least at twice of what the last cut left, or cuts
/// that cannot go deep would follow each other, and each of them costs the cache.
pub(super) fn is_due(session: &Session, context: &Context) -> bool {
    let high = u64::from(context.high).max(session.floor.saturating_mul(2));
    context.high > 0 && session.tokens() >= high
}

/// Shortens the conversation behind its first message to the low mark, or as far as it can be, and says how many pieces gave way; `None` when
/// none did.
pub(super) fn relieve(session: &mut Session, context: &Context) -> Option<usize> {
    let low = context.low.min(context.high / 2);
    let low = usize::try_from(u64::from(low) * BYTES_PER_TOKEN).unwrap_or(usize::MAX);
    session.weigh();
    // The first message is pinned, and no part of what is cut.
    let low = low.saturating_add(session.messages.first().map_or(0, Message::weight));
    let mut pieces = 0;
    // What the newest turn brought was never seen by the agent: it would only ask for it again.
    for kept in KEPT.into_iter().filter(|kept| *kept > 0) {
        let over = session.weight.saturating_sub(low);
        let cut = cut(&session.messages, kept);
        pieces += mask(&mut Arc::make_mut(&mut session.messages)[..cut], over);
        session.weigh();
    }
    pieces += leave_out(session, low);
    session.weigh();
    session.floor = session.tokens();
    (pieces > 0).then_some(pieces)
}

/// Leaves the oldest turns out whole, until no more than `low` bytes are left or only the newest turns are, and says how many
/// went.
fn leave_out(session: &mut Session, low: usize) -> usize {
    let newest = cut(&session.messages, KEPT[0]);
    let (mut end, mut weight) = (1, session.weight);
    while weight > low && end < newest {
        let turn = session.messages[end..newest].iter().skip(1);
        let length = 1 + turn.take_while(|m| !matches!(m, Message::Assistant { .. })).count();
        weight -= session.messages[end..end + length].iter().map(Message::weight).sum::<usize>();
        end += length;
    }
    if end == 1 {
        return 0;
    }
    let before = session.left_out.turns;
    let gone = Arc::make_mut(&mut session.messages).drain(1..end);
    gone.for_each(|message| session.left_out.add(&message));
    (session.left_out.turns - before) as usize
}

/// What was left out whole: how many turns, and what they called, how often.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LeftOut {
    pub turns: u32,
    calls: BTreeMap<String, u32>,
}

/// The most characters of a call that is told of a turn that was left out, and of all of them.
const CALL: usize = 72;
const CALLS: usize = 2_000;

impl LeftOut {
    fn add(&mut self, message: &Message) {
        if let Message::Assistant { calls, .. } = message {
            self.turns += 1;
            for call in calls {
                let told = describe(call).chars().take(CALL).collect();
                *self.calls.entry(told).or_default() += 1;
            }
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.turns == 0 {
            return Ok(());
        }
        let turns = self.turns;
        write!(f, "\n<left-out>\n{turns} turns of this session are left out here. They called:")?;
        let mut told = 0;
        for (number, (call, times)) in self.calls.iter().enumerate() {
            told += call.len();
            if told > CALLS {
                write!(f, "\n- and {} others", self.calls.len() - number)?;
                break;
            }
            write!(f, "\n- {call}")?;
            if *times > 1 {
                write!(f, " ({times} times)")?;
            }
        }
        f.write_str("\n</left-out>")
    }
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

/// Puts notes in the place of long pieces, the oldest first, until `over` bytes have gone.
fn mask(messages: &mut [Message], over: usize) -> usize {
    let mut pieces = 0;
    let mut gone = 0;
    let mut calls: Vec<(String, String)> = Vec::new();
    for message in messages {
        if gone >= over {
            break;
        }
        let before = message.weight();
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
        gone += before.saturating_sub(message.weight());
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
    use crate::conversation::Role;

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
