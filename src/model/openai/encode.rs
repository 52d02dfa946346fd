//! The request body. Fields that never change within a session come first, the messages last.
//!
//! The vendor caches prefixes by itself, from 1,024 tokens on and in steps of 128; requests with the same
//! `prompt_cache_key` come to the same machine, which makes a hit likely
//! (<https://developers.openai.com/api/docs/guides/prompt-caching>). The key is the session's, hashed: nothing of it can
//! be read. Compatible servers are not sent it, because some refuse fields that they do not know.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::mission::conversation::{Message, ToolCall};
use crate::model::endpoint::Endpoint;
use crate::model::request::{Request, ToolSpec, wire_name};
use crate::workspace::hash::sha256;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    stream_options: StreamOptions,
    /// What OpenAI itself reads today.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    /// What compatible servers read.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Tools::is_empty")]
    tools: Tools<'a>,
    messages: Messages<'a>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

struct Tools<'a>(&'a [ToolSpec]);

impl Tools<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a serde_json::Value,
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|tool| Tool {
            r#type: "function",
            function: Function {
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.schema,
            },
        }))
    }
}

struct Messages<'a> {
    system: &'a str,
    messages: &'a [Message],
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum WireMessage<'a> {
    System {
        content: &'a str,
    },
    User {
        content: &'a str,
    },
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: Cow<'a, str>,
    },
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Called<'a>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: Cow<'a, str>,
    #[serde(serialize_with = "as_text")]
    arguments: &'a serde_json::Map<String, serde_json::Value>,
}

/// The format wants the arguments as JSON inside a string.
fn as_text<S: Serializer>(
    arguments: &serde_json::Map<String, serde_json::Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = serde_json::to_string(arguments).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let system =
            (!self.system.is_empty()).then_some(WireMessage::System { content: self.system });
        serializer.collect_seq(system.into_iter().chain(self.messages.iter().map(wire)))
    }
}

fn wire(message: &Message) -> WireMessage<'_> {
    match message {
        Message::User { text } => WireMessage::User { content: text },
        Message::Assistant { text, calls } => WireMessage::Assistant {
            content: (calls.is_empty() || !text.is_empty()).then_some(text),
            tool_calls: calls.iter().map(wire_call).collect(),
        },
        Message::Tool { call_id, content, is_error } => WireMessage::Tool {
            tool_call_id: call_id,
            // The format has no field for a failed call.
            content: if *is_error {
                Cow::Owned(format!("error: {content}"))
            } else {
                Cow::Borrowed(content)
            },
        },
    }
}

fn wire_call(call: &ToolCall) -> Call<'_> {
    Call {
        id: &call.id,
        r#type: "function",
        function: Called { name: wire_name(&call.name), arguments: &call.arguments },
    }
}

fn cache_key(session: &str) -> String {
    sha256(session.as_bytes())[..32].to_owned()
}

/// The body of a request to `endpoint`.
pub(crate) fn encode(endpoint: &Endpoint, request: &Request<'_>) -> serde_json::Result<Vec<u8>> {
    let (max_completion_tokens, max_tokens) = if endpoint.at_vendor {
        (endpoint.max_output_tokens, None)
    } else {
        (None, endpoint.max_output_tokens)
    };
    serde_json::to_vec(&Body {
        model: &endpoint.model,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        max_completion_tokens,
        max_tokens,
        prompt_cache_key: endpoint.at_vendor.then(|| cache_key(request.session)),
        temperature: endpoint.temperature,
        tools: Tools(request.tools),
        messages: Messages { system: request.system, messages: request.messages },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_cannot_exist_is_repeated_under_a_name_that_servers_take() {
        let call = ToolCall {
            id: "functions.x:0".into(),
            name: "read<|channel|>x".into(),
            arguments: serde_json::Map::new().into(),
        };
        let said = Message::Assistant { text: String::new(), calls: vec![call] };
        let json = serde_json::to_value(wire(&said)).unwrap();
        assert_eq!(json["tool_calls"][0]["function"]["name"], "read__channel__x");
        assert_eq!(json["tool_calls"][0]["id"], "functions.x:0", "its own server knows it");
    }
}
