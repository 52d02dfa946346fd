//! What a model is asked: a system prompt, tools and the messages so far, all borrowed from whoever owns the session.
//!
//! The encoders of the two wire formats write them in one fixed order (settings, tools, system, messages), so the bytes
//! of a session's next request begin with the bytes of this one up to its last message. That is what lets providers
//! serve the prefix from their caches, and it holds while the caller appends; a conversation that was too long for its
//! model is rewritten once, shorter, and grows again from there.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::mission::conversation::{Message, Role};
use crate::workspace::hash::sha256;

/// The longest name of a tool that both formats take.
const LONGEST_NAME: usize = 64;

/// A tool as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema of the arguments; its root must be an object schema.
    pub schema: serde_json::Value,
}

/// One question to a model.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks: selects the endpoint.
    pub role: Role,
    /// How many tasks wait for the one that is served: whoever holds others up gets its slot sooner.
    pub blocks: u32,
    /// The session's name. Sent to replay servers only; a provider sees a hash of it at most.
    pub session: &'a str,
    /// The system prompt, the same bytes in every turn of a session.
    pub system: &'a str,
    /// The tools, in the same order in every turn of a session.
    pub tools: &'a [ToolSpec],
    /// How many bytes of the first message other sessions begin with, too; 0 where there are none.
    pub pinned: usize,
    /// All messages of the session, oldest first.
    pub messages: &'a [Message],
    /// True while nothing may be sent: what still waits for a slot goes on waiting, and is sent when it is false again.
    pub held: Option<&'a watch::Receiver<bool>>,
}

impl Request<'_> {
    /// Whether it may not be sent now.
    pub(crate) fn is_held(&self) -> bool {
        self.held.is_some_and(|held| *held.borrow())
    }

    /// Waits until it may not be sent, or until it may.
    pub(crate) async fn until_held(&self, is_held: bool) {
        let came = match self.held {
            Some(held) => held.clone().wait_for(|now| *now == is_held).await.is_ok(),
            None => false,
        };
        // Nobody holds it, or nobody can any more: it is never held.
        if is_held && !came {
            std::future::pending::<()>().await;
        }
    }

    /// The ids of all calls made so far in the session.
    pub(crate) fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.messages
            .iter()
            .flat_map(|message| match message {
                Message::Assistant { calls, .. } => calls.as_slice(),
                _ => &[],
            })
            .map(|call| call.id.as_str())
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// The name of a tool that was called, as servers take it back. A model can call `read<|channel|>`, which is no tool; a
/// conversation that repeats such a name would be refused as a whole, and for ever.
pub(crate) fn wire_name(name: &str) -> Cow<'_, str> {
    if name.len() <= LONGEST_NAME && name.chars().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let plain = |c| if is_plain(c) { c } else { '_' };
    Cow::Owned(name.chars().map(plain).take(LONGEST_NAME).collect())
}

/// The id of a call, for servers that take none but plain ones: another may have made it, in a form of its own. Different
/// ids stay different.
pub(crate) fn wire_id(id: &str) -> Cow<'_, str> {
    match id.chars().all(is_plain) {
        true => Cow::Borrowed(id),
        false => Cow::Owned(format!("call_{}", &sha256(id.as_bytes())[..24])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_ids_that_would_be_refused_are_changed() {
        assert_eq!(wire_name("read-file_2"), "read-file_2");
        assert_eq!(wire_name("read<|x|> ä"), "read__x____");
        assert_eq!(wire_name(&"x".repeat(65)).len(), LONGEST_NAME);
        assert_eq!(wire_id("toolu_01"), "toolu_01");
        assert!(wire_id("functions.read:0").chars().all(is_plain));
        assert_ne!(wire_id("functions.read:0"), wire_id("functions.read:1"));
    }
}
