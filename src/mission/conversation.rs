//! What is said in a session: messages, tool calls and their results, in the order in which they happened.
//!
//! The system prompt and the tool schemas are not here: they belong to the role and are added when a request is made.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The four roles of a mission.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Decides whether and how a goal is served.
    Commander,
    /// Turns the goal into a plan.
    Planner,
    /// Carries out one task of the plan.
    Worker,
    /// Judges a task, and at the end the mission.
    Reviewer,
}

impl Role {
    /// All roles, in the order in which they take the stage.
    pub const ALL: [Role; 4] = [Role::Commander, Role::Planner, Role::Worker, Role::Reviewer];

    /// The role's lower-case name, as it stands in configuration and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Role::Commander => "commander",
            Role::Planner => "planner",
            Role::Worker => "worker",
            Role::Reviewer => "reviewer",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One message of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Message {
    /// What the mission says to the session: the brief, findings, reminders.
    User {
        /// Plain text or Markdown.
        text: String,
    },
    /// What the agent answered: text, tool calls, or both.
    Assistant {
        /// The answer's text; may be empty when there are calls.
        text: String,
        /// The calls it asks for, in its order.
        calls: Vec<ToolCall>,
    },
    /// The result of one tool call.
    Tool {
        /// The [`ToolCall::id`] that it answers.
        call_id: String,
        /// The text handed back.
        content: String,
        /// Whether the call failed or was refused.
        is_error: bool,
    },
}

impl Message {
    /// The bytes of its texts.
    pub(super) fn weight(&self) -> usize {
        match self {
            Message::User { text } => text.len(),
            Message::Tool { content, .. } => content.len(),
            Message::Assistant { text, calls } => {
                let arguments = calls.iter().flat_map(|call| call.arguments.values());
                text.len() + arguments.map(value_weight).sum::<usize>()
            }
        }
    }
}

fn value_weight(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(values) => values.iter().map(value_weight).sum(),
        serde_json::Value::Object(map) => {
            map.iter().map(|(name, value)| name.len() + value_weight(value)).sum()
        }
        _ => 8,
    }
}

/// A tool call with arguments that are known to be a JSON object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Unique within the session.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Parsed arguments, always an object. Shared: a call stands in its turn, in what is under way and in what is asked of
    /// the runtime.
    #[serde(serialize_with = "one_of_many", deserialize_with = "shared")]
    pub arguments: Arc<serde_json::Map<String, serde_json::Value>>,
}

pub(super) fn one_of_many<S: Serializer, T: Serialize>(
    value: &Arc<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().serialize(to)
}

pub(super) fn shared<'a, D: Deserializer<'a>, T: Deserialize<'a>>(
    from: D,
) -> Result<Arc<T>, D::Error> {
    T::deserialize(from).map(Arc::new)
}

/// What one model turn used, as the provider reported it (or estimated, when it did not).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// The part of `input` that the provider served from its cache.
    pub cached: u64,
    /// Price in millionths of a US dollar, from the configured price table; 0 where there is none.
    pub micro_usd: u64,
    /// Whether the provider sent no count and the tokens were estimated (a quarter of the bytes).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        // A provider may claim any number: the sum stops at the greatest, and the fuel is out long before.
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cached = self.cached.saturating_add(other.cached);
        self.micro_usd = self.micro_usd.saturating_add(other.micro_usd);
        self.estimated = self.estimated || other.estimated;
    }
}

/// One complete answer of an agent: committed only when its terminal marker was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The answer's text.
    pub text: String,
    /// The tool calls, arguments parsed.
    pub calls: Vec<ToolCall>,
    /// What it cost.
    #[serde(default)]
    pub usage: Usage,
    /// Who gave it, where it was a provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<super::provider::Server>>,
    /// How long it took from the request to the complete answer, in milliseconds; waiting for a slot is no part of it.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub took_ms: u64,
    /// What the project's plugins say to the agent about it; it is told behind the results of the calls.
    #[serde(default, skip_serializing_if = "is_without")]
    pub prompts: Box<[String]>,
}

fn is_without(texts: &[String]) -> bool {
    texts.is_empty()
}

fn is_nothing(number: &u64) -> bool {
    *number == 0
}
