//! The request body. Fields that never change within a session come first, the messages last.
//!
//! Cache marks stand at places that never move, so they leave the prefix byte-identical: on the system prompt (or,
//! without one, on the last tool), which caches tools and system; behind what the first message has in common with other
//! sessions, which is a block of its own for that; and, at the vendor itself, at the top level, which asks it to cache the
//! conversation up to its last block. These are three of the four that are allowed
//! (<https://platform.claude.com/docs/en/build-with-claude/prompt-caching>).

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::mission::conversation::Message;
use crate::model::endpoint::Endpoint;
use crate::model::request::{Request, ToolSpec, wire_id, wire_name};

/// The bound of an answer when none is set: the format demands one.
const DEFAULT_MAX_TOKENS: u32 = 16_384;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
    #[serde(skip_serializing_if = "Tools::is_empty")]
    tools: Tools<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[Block<'a>; 1]>,
    messages: Messages<'a>,
}

#[derive(Clone, Copy, Serialize)]
struct CacheControl {
    r#type: &'static str,
}

const EPHEMERAL: CacheControl = CacheControl { r#type: "ephemeral" };

struct Tools<'a> {
    tools: &'a [ToolSpec],
    mark_last: bool,
}

impl Tools<'_> {
    fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let last = self.tools.len().saturating_sub(1);
        serializer.collect_seq(self.tools.iter().enumerate().map(|(at, tool)| Tool {
            name: &tool.name,
            description: &tool.description,
            input_schema: &tool.schema,
            cache_control: (self.mark_last && at == last).then_some(EPHEMERAL),
        }))
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: &'a Map<String, Value>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        /// Left out when empty: empty text is not allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

struct Messages<'a> {
    messages: &'a [Message],
    pinned: usize,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (pinned, rest) = match self.messages {
            [Message::User { text }, rest @ ..] => (split(text, self.pinned), rest),
            _ => (None, self.messages),
        };
        match pinned {
            Some(first) => serializer.collect_seq(std::iter::once(first).chain(wire(rest))),
            None => serializer.collect_seq(wire(self.messages)),
        }
    }
}

/// The first message in two blocks, the first of which is cached for other sessions as well.
fn split(text: &str, pinned: usize) -> Option<WireMessage<'_>> {
    let (shared, own) = text.split_at_checked(pinned)?;
    if shared.trim().is_empty() || own.trim().is_empty() {
        return None;
    }
    let shared = Block::Text { text: shared, cache_control: Some(EPHEMERAL) };
    Some(user(vec![shared, Block::Text { text: own, cache_control: None }]))
}

/// The messages on the wire. All results between one assistant turn and the next go into one user message right after
/// it, before anything else that was said, as the format demands; texts keep a message each, so that a later text never
/// changes bytes already sent.
fn wire(messages: &[Message]) -> impl Iterator<Item = WireMessage<'_>> {
    messages
        .chunk_by(|_, next| !matches!(next, Message::Assistant { .. }))
        .flat_map(|run| {
            let assistant = run.first().and_then(assistant);
            let results: Vec<Block<'_>> = run.iter().filter_map(result).collect();
            let results = Some(user(results));
            let texts = run.iter().filter_map(text).map(|block| user(vec![block]));
            assistant.into_iter().chain(results).chain(texts).collect::<Vec<_>>()
        })
        .filter(|message| !message.content.is_empty())
}

fn user(content: Vec<Block<'_>>) -> WireMessage<'_> {
    WireMessage { role: "user", content }
}

fn text_block(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Text { text, cache_control: None })
}

fn text(message: &Message) -> Option<Block<'_>> {
    match message {
        Message::User { text } => text_block(text),
        _ => None,
    }
}

fn result(message: &Message) -> Option<Block<'_>> {
    match message {
        Message::Tool { call_id, content, is_error } => Some(Block::ToolResult {
            tool_use_id: wire_id(call_id),
            content: (!content.trim().is_empty()).then_some(content),
            is_error: *is_error,
        }),
        _ => None,
    }
}

fn assistant(message: &Message) -> Option<WireMessage<'_>> {
    let Message::Assistant { text, calls } = message else {
        return None;
    };
    let uses = calls.iter().map(|call| Block::ToolUse {
        id: wire_id(&call.id),
        name: wire_name(&call.name),
        input: &call.arguments,
    });
    Some(WireMessage {
        role: "assistant",
        content: text_block(text).into_iter().chain(uses).collect(),
    })
}

/// The body of a request to `endpoint`.
pub(crate) fn encode(endpoint: &Endpoint, request: &Request<'_>) -> serde_json::Result<Vec<u8>> {
    let has_system = !request.system.trim().is_empty();
    serde_json::to_vec(&Body {
        model: &endpoint.model,
        max_tokens: endpoint.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        stream: true,
        temperature: endpoint.temperature,
        cache_control: endpoint.at_vendor.then_some(EPHEMERAL),
        tools: Tools { tools: request.tools, mark_last: !has_system },
        system: has_system
            .then_some([Block::Text { text: request.system, cache_control: Some(EPHEMERAL) }]),
        messages: Messages { messages: request.messages, pinned: request.pinned },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::conversation::ToolCall;

    fn json(messages: &[Message]) -> Value {
        serde_json::to_value(Messages { messages, pinned: 0 }).unwrap()
    }

    fn user(text: &str) -> Message {
        Message::User { text: text.into() }
    }

    #[test]
    fn all_results_of_a_turn_come_first_in_one_message() {
        let call =
            |id: &str| ToolCall { id: id.into(), name: "t".into(), arguments: Default::default() };
        let result = |id: &str, content: &str| Message::Tool {
            call_id: id.into(),
            content: content.into(),
            is_error: content.is_empty(),
        };
        let messages = [
            user("go"),
            Message::Assistant { text: " ".into(), calls: vec![call("a"), call("b")] },
            result("a", "1"),
            user("by the way"),
            result("b", ""),
        ];
        assert_eq!(
            json(&messages),
            serde_json::json!([
                {"role": "user", "content": [{"type": "text", "text": "go"}]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "t", "input": {}},
                    {"type": "tool_use", "id": "b", "name": "t", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                    {"type": "tool_result", "tool_use_id": "b", "is_error": true}]},
                {"role": "user", "content": [{"type": "text", "text": "by the way"}]},
            ])
        );
    }

    #[test]
    fn what_other_sessions_begin_with_is_a_block_with_a_mark_of_its_own() {
        let messages = [user("shared brief"), user("x")];
        let wire = serde_json::to_value(Messages { messages: &messages, pinned: 7 }).unwrap();
        let mark = serde_json::json!({"type": "ephemeral"});
        let first = &wire[0]["content"];
        assert_eq!(
            first[0],
            serde_json::json!({"type": "text", "text": "shared ", "cache_control": mark})
        );
        assert_eq!(first[1], serde_json::json!({"type": "text", "text": "brief"}));
        assert_eq!(wire.as_array().unwrap().len(), 2);
        // A number that fits no text changes nothing.
        for pinned in [0, 12, 99] {
            let wire = serde_json::to_value(Messages { messages: &messages, pinned }).unwrap();
            assert_eq!(wire, json(&messages));
        }
    }

    #[test]
    fn blank_messages_are_left_out() {
        let messages =
            [user(" \n"), Message::Assistant { text: String::new(), calls: vec![] }, user("x")];
        assert_eq!(json(&messages).as_array().unwrap().len(), 1);
    }

    #[test]
    fn names_and_ids_that_another_server_let_pass_are_made_fit() {
        let call = |id: &str, name: &str| ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: Map::new().into(),
        };
        let calls = vec![call("functions.read:0", "read<|channel|>x"), call("toolu_1", "read")];
        let result =
            |id: &str| Message::Tool { call_id: id.into(), content: "1".into(), is_error: false };
        let messages = [
            Message::Assistant { text: String::new(), calls },
            result("functions.read:0"),
            result("toolu_1"),
        ];
        let wire = json(&messages);
        let text = |path: &str| wire.pointer(path).and_then(Value::as_str).unwrap().to_owned();
        let fits = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        assert!(fits(&text("/0/content/0/id")) && fits(&text("/0/content/0/name")), "{wire}");
        assert_eq!(text("/0/content/0/id"), text("/1/content/0/tool_use_id"));
        assert_eq!(
            (text("/0/content/1/id"), text("/0/content/1/name")),
            ("toolu_1".into(), "read".into())
        );
        assert_eq!(text("/1/content/1/tool_use_id"), "toolu_1");
    }
}
