//! The answer: named events from `message_start` to `message_stop`, or one `message` document.
//!
//! The event's name is also its data's `type`, and only that is read. Event, block and delta types that are not known are
//! passed over, as the documentation asks.

use serde_json::Value;

use crate::model::decode::{
    Decode, OnProgress, Progress, Step, check_error, malformed, parse_event,
};
use crate::model::draft::{CallDraft, Draft, Stop};
use crate::model::fault::Fault;

/// Collects one answer.
#[derive(Default)]
pub(crate) struct Decoder {
    draft: Draft,
    counts: Counts,
}

/// Input tokens arrive in three parts that exclude each other.
#[derive(Default)]
struct Counts {
    fresh: Option<u64>,
    cache_read: u64,
    cache_written: u64,
}

impl Decode for Decoder {
    fn event(&mut self, data: &str, on_progress: &mut OnProgress<'_>) -> Result<Step, Fault> {
        let event = parse_event(data)?;
        check_error(&event)?;
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                self.take_usage(event.pointer("/message/usage"));
                event.get("message").iter().for_each(|message| self.draft.told.take(message));
            }
            Some("content_block_start") => self.start_block(&event, on_progress)?,
            Some("ping") => {
                on_progress(Progress::Alive);
                return Ok(Step::Ping);
            }
            Some("content_block_delta") => self.take_delta(&event, on_progress)?,
            Some("message_delta") => {
                self.take_usage(event.get("usage"));
                self.take_stop(event.pointer("/delta/stop_reason"));
            }
            Some("message_stop") => return Ok(Step::Done),
            _ => on_progress(Progress::Alive),
        }
        Ok(Step::More)
    }

    fn document(&mut self, document: &Value) -> Result<(), Fault> {
        check_error(document)?;
        let content = document.get("content").and_then(Value::as_array);
        for block in content.ok_or_else(|| malformed("no content"))? {
            match block.get("type").and_then(Value::as_str) {
                Some("text") => self.draft.text.push_str(text(block, "text")),
                Some("tool_use") => self.draft.calls.push(call(block, None)),
                _ => {}
            }
        }
        self.take_usage(document.get("usage"));
        self.draft.told.take(document);
        self.take_stop(document.get("stop_reason"));
        Ok(())
    }

    fn draft(&mut self) -> &mut Draft {
        &mut self.draft
    }
}

impl Decoder {
    /// The counts are cumulative: a later one replaces an earlier one.
    fn take_usage(&mut self, usage: Option<&Value>) {
        let count = |key: &str| usage?.get(key)?.as_u64();
        let parts = &mut self.counts;
        parts.fresh = count("input_tokens").or(parts.fresh);
        parts.cache_read = count("cache_read_input_tokens").unwrap_or(parts.cache_read);
        parts.cache_written = count("cache_creation_input_tokens").unwrap_or(parts.cache_written);
        let counts = &mut self.draft.counts;
        counts.input = parts.fresh.map(|fresh| {
            fresh.saturating_add(parts.cache_read).saturating_add(parts.cache_written)
        });
        counts.cached = parts.cache_read;
        counts.output = count("output_tokens").or(counts.output);
    }

    fn take_stop(&mut self, reason: Option<&Value>) {
        let reason = reason.and_then(Value::as_str);
        self.draft.told.finish = reason.map(str::to_owned).or(self.draft.told.finish.take());
        self.draft.stop = match reason {
            Some("max_tokens") => Some(Stop::OutputLimit),
            Some("model_context_window_exceeded") => Some(Stop::ContextFull),
            Some("refusal") => Some(Stop::Refusal),
            _ => self.draft.stop,
        };
    }

    fn start_block(
        &mut self,
        event: &Value,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), Fault> {
        let Some(block) = event.get("content_block") else {
            return Ok(());
        };
        match block.get("type").and_then(Value::as_str) {
            Some("text") => self.take_text(text(block, "text"), on_progress)?,
            Some("tool_use") => {
                let call = call(block, event.get("index").and_then(Value::as_u64));
                on_progress(Progress::Call { name: &call.name });
                self.draft.calls.push(call);
            }
            _ => on_progress(Progress::Alive),
        }
        Ok(())
    }

    fn take_delta(&mut self, event: &Value, on_progress: &mut OnProgress<'_>) -> Result<(), Fault> {
        let delta = event.get("delta").ok_or_else(|| malformed("a delta event without a delta"))?;
        match delta.get("type").and_then(Value::as_str) {
            Some("text_delta") => self.take_text(text(delta, "text"), on_progress)?,
            Some("thinking_delta") => {
                self.draft.watch.take(text(delta, "thinking"))?;
                on_progress(Progress::Alive);
            }
            Some("input_json_delta") => {
                self.draft.watch.take(text(delta, "partial_json"))?;
                let index = event.get("index").and_then(Value::as_u64);
                let call = self.draft.calls.iter_mut().rfind(|call| call.index == index);
                let call =
                    call.ok_or_else(|| malformed("arguments for a call that was not begun"))?;
                // A start may carry a whole input; pieces then repeat it, so they take its place.
                if std::mem::take(&mut call.is_whole) {
                    call.arguments.clear();
                }
                call.arguments.push_str(text(delta, "partial_json"));
            }
            _ => on_progress(Progress::Alive),
        }
        Ok(())
    }

    fn take_text(&mut self, piece: &str, on_progress: &mut OnProgress<'_>) -> Result<(), Fault> {
        if !piece.is_empty() {
            self.draft.watch.take(piece)?;
            self.draft.text.push_str(piece);
            on_progress(Progress::Text(piece));
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn call(block: &Value, index: Option<u64>) -> CallDraft {
    let whole = match block.get("input") {
        None | Some(Value::Null) => None,
        Some(Value::Object(input)) if input.is_empty() => None,
        Some(input) => Some(input.to_string()),
    };
    CallDraft {
        index,
        id: text(block, "id").to_owned(),
        name: text(block, "name").to_owned(),
        is_whole: whole.is_some(),
        arguments: whole.unwrap_or_default(),
    }
}
