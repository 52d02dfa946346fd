//! A scripted turn as the events of a streamed chat completion.

use serde_json::{Value, json};

use super::script::{ScriptedTurn, ScriptedUsage};

/// Texts and arguments are sent in pieces of about that many bytes, as a model would.
const PIECE: usize = 512;

/// The whole event stream of a turn, `data: [DONE]` included. `request_bytes` is what usage is estimated from.
pub(super) fn encode(turn: &ScriptedTurn, request_bytes: usize) -> Vec<u8> {
    let mut stream = Vec::with_capacity(1024 + turn.text.len());
    let mut answered = turn.text.len();
    delta(&mut stream, json!({"role": "assistant"}));
    for piece in pieces(&turn.text) {
        delta(&mut stream, json!({"content": piece}));
    }
    for (index, call) in turn.calls.iter().enumerate() {
        let arguments = Value::Object(call.arguments.clone()).to_string();
        answered += call.name.len() + arguments.len();
        let head = json!({"index": index, "type": "function", "function": {"name": call.name, "arguments": ""}});
        delta(&mut stream, json!({"tool_calls": [head]}));
        for piece in pieces(&arguments) {
            delta(
                &mut stream,
                json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}),
            );
        }
    }
    let reason = if turn.calls.is_empty() { "stop" } else { "tool_calls" };
    event(
        &mut stream,
        &json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}),
    );
    let usage = turn.usage.unwrap_or(ScriptedUsage {
        input: request_bytes.div_ceil(4) as u64,
        output: answered.div_ceil(4) as u64,
        cached: 0,
    });
    event(
        &mut stream,
        &json!({
            "object": "chat.completion.chunk",
            "choices": [],
            "usage": {
                "prompt_tokens": usage.input,
                "completion_tokens": usage.output,
                "prompt_tokens_details": {"cached_tokens": usage.cached},
            },
        }),
    );
    stream.extend_from_slice(b"data: [DONE]\n\n");
    stream
}

fn delta(stream: &mut Vec<u8>, delta: Value) {
    event(
        stream,
        &json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}),
    );
}

fn event(stream: &mut Vec<u8>, chunk: &Value) {
    stream.extend_from_slice(format!("data: {chunk}\n\n").as_bytes());
}

/// Cuts a text into pieces at character boundaries.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = PIECE.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}
