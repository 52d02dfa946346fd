//! What a model is asked: a system prompt, tools and the messages so far, all borrowed from whoever owns the session.
//!
//! The encoders of the two wire formats write them in one fixed order (settings, tools, system, messages), so the bytes
//! of a session's next request begin with the bytes of this one up to its last message. That is what lets providers
//! serve the prefix from their caches, and it holds while the caller appends; a conversation that was too long for its
//! model is rewritten once, shorter, and grows again from there.

use serde::{Deserialize, Serialize};

use crate::mission::conversation::{Message, Role};

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
    /// The session's name. Sent to replay servers only, never to a provider.
    pub session: &'a str,
    /// The system prompt, the same bytes in every turn of a session.
    pub system: &'a str,
    /// The tools, in the same order in every turn of a session.
    pub tools: &'a [ToolSpec],
    /// All messages of the session, oldest first.
    pub messages: &'a [Message],
}

impl Request<'_> {
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
