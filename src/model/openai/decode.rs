//! The answer: `chat.completion.chunk` events up to `data: [DONE]`, or one `chat.completion` document.
//!
//! Beyond the documented form it understands what compatible servers send: no `index` in tool-call deltas, one `index`
//! for several calls, no `id`, arguments as an object, finish reason `stop` with calls, `usage: null`, `choices: null`,
//! an `error` object inside the stream, reasoning in `reasoning` (vLLM) or `reasoning_content` (DeepSeek, earlier vLLM),
//! an end without `[DONE]` once a finish reason was seen.
//!
//! Sources of what is beyond: <https://docs.vllm.ai/en/v0.11.2/features/reasoning_outputs/>,
//! <https://openrouter.ai/docs/api/reference/errors-and-debugging>.

use serde_json::Value;

use crate::model::decode::{
    Decode, OnProgress, Progress, Step, check_error, malformed, parse_event,
};
use crate::model::draft::{CallDraft, Draft, Stop};
use crate::model::fault::Fault;

/// Where compatible servers put a model's reasoning; it is no part of the answer, but it must end.
const REASONING: [&str; 2] = ["reasoning_content", "reasoning"];

/// Collects one answer.
#[derive(Default)]
pub(crate) struct Decoder {
    draft: Draft,
    complete: bool,
}

impl Decode for Decoder {
    fn event(&mut self, data: &str, on_progress: &mut OnProgress<'_>) -> Result<Step, Fault> {
        if data.trim() == "[DONE]" {
            return Ok(Step::Done);
        }
        let chunk = parse_event(data)?;
        check_error(&chunk)?;
        self.draft.told.take(&chunk);
        self.take_usage(&chunk);
        if let Some(choice) = chunk.pointer("/choices/0") {
            if let Some(delta) = choice.get("delta") {
                self.take_message(delta, on_progress)?;
            }
            self.take_finish(choice);
        }
        Ok(if self.complete { Step::Complete } else { Step::More })
    }

    fn document(&mut self, document: &Value) -> Result<(), Fault> {
        check_error(document)?;
        self.draft.told.take(document);
        self.take_usage(document);
        let choice = document.pointer("/choices/0").ok_or_else(|| malformed("no choices"))?;
        let message = choice.get("message").ok_or_else(|| malformed("no message"))?;
        self.take_message(message, &mut |_| {})?;
        self.take_finish(choice);
        Ok(())
    }

    fn draft(&mut self) -> &mut Draft {
        &mut self.draft
    }
}

impl Decoder {
    fn take_usage(&mut self, chunk: &Value) {
        let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) else {
            return;
        };
        let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
        let counts = &mut self.draft.counts;
        counts.input = count("/prompt_tokens").or(counts.input);
        counts.output = count("/completion_tokens").or(counts.output);
        counts.cached = count("/prompt_tokens_details/cached_tokens").unwrap_or(counts.cached);
    }

    fn take_finish(&mut self, choice: &Value) {
        let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) else {
            return;
        };
        self.complete = true;
        self.draft.told.finish = Some(reason.to_owned());
        self.draft.stop = match reason {
            "length" => Some(Stop::OutputLimit),
            "content_filter" => Some(Stop::Refusal),
            _ => self.draft.stop,
        };
    }

    /// Takes a `delta`, or a whole `message`: the fields are the same.
    fn take_message(
        &mut self,
        message: &Value,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), Fault> {
        match message.get("content") {
            Some(Value::String(text)) if !text.is_empty() => self.take_text(text, on_progress)?,
            // Some servers send the content in parts, reasoning among them.
            Some(Value::Array(parts)) => {
                for text in parts.iter().filter_map(|part| part.get("text")?.as_str()) {
                    self.take_text(text, on_progress)?;
                }
            }
            _ => on_progress(Progress::Alive),
        }
        for field in REASONING {
            self.draft
                .watch
                .take(message.get(field).and_then(Value::as_str).unwrap_or_default())?;
        }
        if message.get("refusal").and_then(Value::as_str).is_some_and(|text| !text.is_empty()) {
            self.draft.stop = Some(Stop::Refusal);
        }
        for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.take_call(call, on_progress)?;
        }
        Ok(())
    }

    fn take_text(&mut self, text: &str, on_progress: &mut OnProgress<'_>) -> Result<(), Fault> {
        self.draft.watch.take(text)?;
        self.draft.text.push_str(text);
        on_progress(Progress::Text(text));
        Ok(())
    }

    fn take_call(&mut self, delta: &Value, on_progress: &mut OnProgress<'_>) -> Result<(), Fault> {
        let text = |path: &str| delta.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let index = delta.get("index").and_then(Value::as_u64);
        let (id, name) = (text("/id"), text("/function/name"));
        self.draft.watch.take(text("/function/arguments"))?;
        let call = self.call(index, id, name);
        if call.id.is_empty() {
            call.id.push_str(id);
        }
        if call.name.is_empty() && !name.is_empty() {
            call.name.push_str(name);
            on_progress(Progress::Call { name });
        }
        match delta.pointer("/function/arguments") {
            None | Some(Value::Null) => {}
            Some(Value::String(piece)) => call.arguments.push_str(piece),
            Some(object @ Value::Object(_)) => call.arguments = object.to_string(),
            Some(_) => {
                return Err(malformed("a tool call's arguments are neither text nor an object"));
            }
        }
        Ok(())
    }

    /// The call that a delta belongs to. A delta that names a tool under another id begins a new call even when its
    /// index is taken: some servers send every call with index 0, or with none.
    fn call(&mut self, index: Option<u64>, id: &str, name: &str) -> &mut CallDraft {
        let calls = &mut self.draft.calls;
        let found = match index {
            Some(_) => calls.iter().rposition(|call| call.index == index),
            None if !id.is_empty() => calls.iter().rposition(|call| call.id == id),
            None if name.is_empty() => calls.len().checked_sub(1),
            None => None,
        };
        let continues = |at: &usize| {
            let call = &calls[*at];
            name.is_empty() || id.is_empty() || call.id.is_empty() || call.id == id
        };
        let at = found.filter(continues).unwrap_or_else(|| {
            calls.push(CallDraft { index, ..CallDraft::default() });
            calls.len() - 1
        });
        &mut calls[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(deltas: &[&str]) -> Draft {
        let mut decoder = Decoder::default();
        for delta in deltas {
            let event = format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
            decoder.event(&event, &mut |_| {}).unwrap();
        }
        decoder.draft
    }

    fn calls(deltas: &[&str]) -> Vec<(String, String, String)> {
        draft(deltas).calls.into_iter().map(|call| (call.id, call.name, call.arguments)).collect()
    }

    fn expected(calls: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        calls.iter().map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string())).collect()
    }

    #[test]
    fn interleaved_pieces_find_their_call_by_index() {
        assert_eq!(
            calls(&[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":""}}]}"#,
                r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"y","arguments":"{\"q\""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}},{"index":1,"function":{"arguments":":1}"}}]}"#,
            ]),
            expected(&[("a", "x", "{}"), ("b", "y", r#"{"q":1}"#)])
        );
    }

    #[test]
    fn calls_without_index_or_id() {
        assert_eq!(
            calls(&[
                r#"{"tool_calls":[{"function":{"name":"x","arguments":{"a":1}}},{"function":{"name":"x","arguments":"{\"b\":"}}]}"#,
                r#"{"tool_calls":[{"function":{"arguments":"2}"}}]}"#,
            ]),
            expected(&[("", "x", r#"{"a":1}"#), ("", "x", r#"{"b":2}"#)])
        );
    }

    #[test]
    fn one_index_for_several_calls() {
        assert_eq!(
            calls(&[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":"{}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"x","arguments":"{}"}}]}"#,
            ]),
            expected(&[("a", "x", "{}"), ("b", "x", "{}")])
        );
    }

    #[test]
    fn content_in_parts() {
        let parts =
            r#"{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"hi"}]}"#;
        assert_eq!(draft(&[parts]).text, "hi");
    }

    #[test]
    fn odd_chunks_are_no_fault() {
        let mut decoder = Decoder::default();
        for event in [
            r#"{"choices":null,"usage":null}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":[{"delta":null,"finish_reason":null}],"error":null}"#,
            "{}",
            "null",
        ] {
            assert_eq!(decoder.event(event, &mut |_| {}).unwrap(), Step::More, "{event}");
        }
    }
}
