//! A script and how its entries are handed out.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::server::{Answer, ReceivedRequest};
use crate::mission::conversation::{Role, Usage};

/// A call of a scripted turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCall {
    /// The tool.
    pub name: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// What is answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScriptedTurn {
    /// The answer's text.
    #[serde(default)]
    pub text: String,
    /// Its calls.
    #[serde(default)]
    pub calls: Vec<ScriptedCall>,
    /// Wait before answering, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// Token counts; a quarter of the bytes when left out.
    #[serde(default)]
    pub usage: Option<ScriptedUsage>,
}

/// Token counts as a provider would report them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptedUsage {
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Input tokens from the cache.
    pub cached: u64,
}

impl From<Usage> for ScriptedUsage {
    fn from(usage: Usage) -> Self {
        ScriptedUsage { input: usage.input, output: usage.output, cached: usage.cached }
    }
}

/// One turn of the script, and when it fits. Unknown fields are refused by [`Script::parse`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The role whose turn it is.
    pub role: Role,
    /// Only for sessions whose first user message contains this.
    #[serde(default)]
    pub when: Option<String>,
    /// What the request's last message must contain.
    #[serde(default)]
    pub expect: Option<String>,
    /// The answer.
    #[serde(flatten)]
    pub turn: ScriptedTurn,
}

const FIELDS: [&str; 7] = ["role", "when", "expect", "text", "calls", "delay_ms", "usage"];

/// A scripted conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Script {
    /// The turns, in file order.
    pub entries: Vec<Entry>,
}

impl Script {
    /// Reads a script file.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(path: &Path) -> Result<Script, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Script::parse(&text)
    }

    /// Parses a script.
    ///
    /// # Errors
    /// What is wrong with it, for people: the line and column, or the number of the entry (1-based).
    pub fn parse(text: &str) -> Result<Script, String> {
        let entries: Vec<Map<String, Value>> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        let entries = entries.into_iter().enumerate().map(|(at, entry)| {
            let number = at + 1;
            // `flatten` and `deny_unknown_fields` exclude each other.
            if let Some(unknown) = entry.keys().find(|key| !FIELDS.contains(&key.as_str())) {
                return Err(format!(
                    "entry {number} has an unknown field `{unknown}`; known are {}",
                    FIELDS.join(", ")
                ));
            }
            serde_json::from_value(Value::Object(entry))
                .map_err(|error| format!("entry {number}: {error}"))
        });
        Ok(Script { entries: entries.collect::<Result<_, _>>()? })
    }
}

/// Hands the entries out.
pub(super) struct Player {
    script: Script,
    state: Mutex<State>,
}

/// A session and the number of its messages: the same request asked again has the same one.
type Place = (Role, String, usize);

#[derive(Default)]
struct State {
    used: Vec<bool>,
    given: HashMap<Place, usize>,
    known: std::collections::HashSet<(Role, String)>,
}

impl Player {
    pub(super) fn new(script: Script) -> Self {
        let used = vec![false; script.entries.len()];
        Player { script, state: Mutex::new(State { used, ..State::default() }) }
    }

    /// The answer to a request.
    pub(super) fn answer(&self, request: &ReceivedRequest) -> Answer {
        self.find(request).unwrap_or_else(|reason| Answer::Error {
            status: 500,
            message: format!("replay: {reason}"),
        })
    }

    fn find(&self, request: &ReceivedRequest) -> Result<Answer, String> {
        let body = request.json().map_err(|error| format!("the request is not JSON: {error}"))?;
        let role = request.role.ok_or("the request names no role")?;
        let empty = Vec::new();
        let messages = body.get("messages").and_then(Value::as_array).unwrap_or(&empty);
        let said_by = |who: &'static str| {
            messages
                .iter()
                .filter(move |message| message.get("role").and_then(Value::as_str) == Some(who))
        };
        let goal = said_by("user").next().map(content).unwrap_or_default();
        let turn = said_by("assistant").count();
        let session = request.session.clone().unwrap_or_else(|| goal.clone());
        let at = self.take((role, session.clone(), messages.len()), &goal, turn).ok_or_else(|| {
            format!("the script has run out for the {role}: session `{session}` asks for its turn {} and no entry is left", turn + 1)
        })?;
        let entry = &self.script.entries[at];
        let last = messages.last().map(content).unwrap_or_default();
        match &entry.expect {
            Some(expected) if !last.contains(expected.as_str()) => Err(format!(
                "entry {} (the {role}'s turn {}) expects `{expected}` in the last message, which is: {last}",
                at + 1,
                turn + 1
            )),
            _ => Ok(Answer::Turn(entry.turn.clone())),
        }
    }

    /// The index of the entry for a place.
    fn take(&self, place: Place, goal: &str, turn: usize) -> Option<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = state.given.get(&place) {
            return Some(*at);
        }
        let fits = |entry: &Entry| {
            entry.role == place.0
                && entry.when.as_ref().is_none_or(|when| goal.contains(when.as_str()))
        };
        let is_new = state.known.insert((place.0, place.1.clone()));
        let mut free =
            (0..state.used.len()).filter(|at| !state.used[*at] && fits(&self.script.entries[*at]));
        let played: Vec<usize> = free.by_ref().take(if is_new { turn } else { 0 }).collect();
        let at = free.next()?;
        for earlier in played {
            state.used[earlier] = true;
        }
        state.used[at] = true;
        state.given.insert(place, at);
        Some(at)
    }
}

/// A message's content as text.
fn content(message: &Value) -> String {
    message.get("content").and_then(Value::as_str).unwrap_or_default().to_owned()
}
