//! An answer that is still arriving, the same for every wire format.
//!
//! The decoders only collect; [`Draft::into_turn`] is the one place where an answer is judged complete: stop reason,
//! arguments, ids, usage. A draft never leaves the module.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::fault::{Fault, FaultKind};
use super::request::Request;
use super::settings::Price;
use super::watch::Watch;
use crate::mission::conversation::{ToolCall, Turn, Usage};

/// No turn has more tokens, whatever a server claims: sums over a mission must not overflow.
const MOST_TOKENS: u64 = 1 << 40;

/// A tool call whose arguments are still arriving.
#[derive(Debug, Default)]
pub(crate) struct CallDraft {
    /// The number the provider streams it under, if any.
    pub(crate) index: Option<u64>,
    pub(crate) id: String,
    pub(crate) name: String,
    /// The text of a JSON object; empty means no arguments.
    pub(crate) arguments: String,
    /// Whether the arguments came whole with the call's beginning.
    pub(crate) is_whole: bool,
}

/// Why the answer ended, where that makes it unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    OutputLimit,
    ContextFull,
    Refusal,
}

/// Token counts as far as the provider has sent them; `input` includes cached tokens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) cached: u64,
}

/// What the answer says of itself, for those who look at requests. Nothing is decided by it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) id: Option<String>,
    /// Who answered, in the provider's words.
    pub(crate) model: Option<String>,
    /// Why it ended, in the provider's words.
    pub(crate) finish: Option<String>,
}

impl Told {
    /// Takes what a document, or the chunk of a stream, says of the answer; what was said before stays.
    pub(crate) fn take(&mut self, document: &Value) {
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        self.id = self.id.take().or_else(|| text("id"));
        self.model = self.model.take().or_else(|| text("model"));
    }
}

/// An answer that is still arriving.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) text: String,
    pub(crate) calls: Vec<CallDraft>,
    pub(crate) counts: Counts,
    pub(crate) stop: Option<Stop>,
    pub(crate) told: Told,
    /// Sees to it that the answer ends.
    pub(crate) watch: Watch,
}

impl Draft {
    /// What the answer has used so far. `request_bytes` is the size of the encoded request: four bytes make a token
    /// where the provider sent no count.
    pub(crate) fn usage(&self, request_bytes: usize, price: &Price) -> Usage {
        let bytes = |length: usize| (length as u64).div_ceil(4);
        let answered = self.text.len()
            + self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
        let input = self.counts.input.unwrap_or_else(|| bytes(request_bytes)).min(MOST_TOKENS);
        let output = self.counts.output.unwrap_or_else(|| bytes(answered));
        let mut usage = Usage {
            input,
            output: output.min(MOST_TOKENS),
            cached: self.counts.cached.min(input),
            micro_usd: 0,
            estimated: self.counts.input.is_none() || self.counts.output.is_none(),
        };
        usage.micro_usd = price.micro_usd(&usage);
        usage
    }

    /// The complete turn, with the usage that [`usage`](Self::usage) gave.
    pub(crate) fn into_turn(self, request: &Request<'_>, usage: Usage) -> Result<Turn, Fault> {
        self.check_stop()?;
        if self.calls.is_empty() && self.text.trim().is_empty() {
            return Err(Fault::new(
                FaultKind::EmptyAnswer,
                "the answer is empty: neither text nor a tool call",
            ));
        }
        let calls = finish_calls(self.calls, request)?;
        Ok(Turn { text: self.text, calls, usage, ..Turn::default() })
    }

    fn check_stop(&self) -> Result<(), Fault> {
        let Some(stop) = self.stop else {
            return Ok(());
        };
        let (kind, message) = match stop {
            Stop::OutputLimit => (
                FaultKind::OutputLimit,
                "the answer was cut at the output-token limit; answer in smaller steps, or raise max_output_tokens",
            ),
            Stop::ContextFull => {
                (FaultKind::ContextOverflow, "the answer filled the model's context window")
            }
            Stop::Refusal => (FaultKind::Refused, "the provider declined to answer"),
        };
        Err(Fault::new(kind, message))
    }
}

/// Parses the arguments and sees to it that every id is unique within the session.
fn finish_calls(drafts: Vec<CallDraft>, request: &Request<'_>) -> Result<Vec<ToolCall>, Fault> {
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    let mut taken: HashSet<String> = request.call_ids().map(str::to_owned).collect();
    let mut number = taken.len();
    drafts
        .into_iter()
        .map(|draft| {
            let arguments = parse_arguments(&draft)?;
            let mut id = draft.id;
            while id.is_empty() || taken.contains(&id) {
                id = format!("call_{number}");
                number += 1;
            }
            taken.insert(id.clone());
            Ok(ToolCall { id, name: draft.name, arguments: arguments.into() })
        })
        .collect()
}

fn parse_arguments(call: &CallDraft) -> Result<Map<String, Value>, Fault> {
    let fault = |message| Err(Fault::new(FaultKind::MalformedArguments, message));
    if call.name.is_empty() {
        return fault("a tool call names no tool".to_owned());
    }
    if call.arguments.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(&call.arguments) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => {
            fault(format!("the arguments of the call of `{}` are not a JSON object", call.name))
        }
        Err(error) => fault(format!(
            "the arguments of the call of `{}` are not valid JSON: {error}",
            call.name
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::conversation::{Message, Role};

    fn call(id: &str, arguments: &str) -> CallDraft {
        CallDraft {
            id: id.into(),
            name: "read".into(),
            arguments: arguments.into(),
            ..CallDraft::default()
        }
    }

    fn turn(messages: &[Message], calls: Vec<CallDraft>) -> Result<Turn, Fault> {
        let request = Request {
            role: Role::Worker,
            blocks: 0,
            session: "s",
            system: "",
            tools: &[],
            pinned: 0,
            messages,
            held: None,
        };
        Draft { calls, ..Draft::default() }.into_turn(&request, Usage::default())
    }

    #[test]
    fn missing_and_repeated_ids_are_made_up_the_same_way_every_time() {
        let first = turn(&[], vec![call("", "{}"), call("x", ""), call("x", "{}")]).unwrap();
        let ids: Vec<&str> = first.calls.iter().map(|call| call.id.as_str()).collect();
        assert_eq!(ids, ["call_0", "x", "call_1"]);
        let history = [Message::Assistant { text: String::new(), calls: first.calls.clone() }];
        let second = turn(&history, vec![call("call_0", "{}"), call("x", "{}")]).unwrap();
        assert_eq!(second.calls[0].id, "call_3");
        assert_eq!(second.calls[1].id, "call_4");
    }

    #[test]
    fn malformed_arguments_name_the_tool_and_the_error() {
        let fault = turn(&[], vec![call("", r#"{"path": "#)]).unwrap_err();
        assert_eq!(fault.kind, FaultKind::MalformedArguments);
        assert!(fault.message.contains("`read`") && fault.message.contains("EOF"), "{fault}");
        assert!(turn(&[], vec![call("", "[1]")]).is_err());
    }

    #[test]
    fn a_count_that_was_not_sent_is_estimated_and_marked() {
        let draft = Draft { text: "12345678".into(), ..Draft::default() };
        let usage = draft.usage(401, &Price { input: 1.0, output: 2.0, cached: None });
        assert_eq!(
            (usage.input, usage.output, usage.micro_usd, usage.estimated),
            (101, 2, 105, true)
        );
    }
}
