//! The Anthropic wire format, against a server whose every byte is under control.

use orchestrator_lsp::mission::conversation::Turn;
use orchestrator_lsp::model::{FaultKind, Reaction};
use serde_json::{Value, json};

use crate::support::wire::{self, *};

const RECORDED: &str = include_str!("../fixtures/wire/anthropic_calls.sse");

async fn once(acts: Vec<Act>) -> Result<Turn, orchestrator_lsp::model::Fault> {
    wire::once("anthropic", json!({"idle_timeout_ms": 300}), acts).await
}

async fn kind(acts: Vec<Act>) -> FaultKind {
    once(acts).await.unwrap_err().kind
}

fn event(data: Value) -> Vec<u8> {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap()).into_bytes()
}

fn text_stream(stop: &str) -> Vec<u8> {
    [
        event(json!({"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}})),
        event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
        event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}})),
        event(json!({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 3}})),
        event(json!({"type": "message_stop"})),
    ]
    .concat()
}

#[tokio::test]
async fn a_stream_byte_by_byte_in_any_line_ending_with_comments() {
    for line_end in ["\n", "\r\n", "\r"] {
        let text = format!(": keep-alive\n\n{RECORDED}").replace('\n', line_end);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(
            once(stream(&pieces)).await.unwrap(),
            Format::Anthropic.recorded_turn(),
            "{line_end:?}"
        );
    }
}

#[tokio::test]
async fn the_request_is_what_the_vendor_documents() {
    let server = RawServer::start(always(stream(&[RECORDED.as_bytes()]))).await;
    let messages = growing_session().pop().unwrap();
    ask(&client("anthropic", &server.url, json!({"temperature": 1.0})), &messages, &tools())
        .await
        .unwrap();
    let head = server.requests.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with("post /v1/messages http/1.1\r\n"), "{head}");
    for line in [
        &format!("x-api-key: {KEY}"),
        "anthropic-version: 2023-06-01",
        "content-type: application/json",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert!(!head.contains("x-orchestrator") && !head.contains("authorization"));
    let body: Value = serde_json::from_str(&server.body(0)).unwrap();
    assert_eq!(
        body["system"],
        json!([{"type": "text", "text": "You work.", "cache_control": {"type": "ephemeral"}}])
    );
    assert_eq!(
        body["tools"][1],
        json!({"name": "search", "description": "does search", "input_schema": tools()[1].schema})
    );
    assert_eq!((&body["stream"], &body["max_tokens"]), (&json!(true), &json!(16384)));
    assert_eq!(
        body.get("cache_control"),
        None,
        "the top-level mark is for the vendor's own server"
    );
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "go 🦀"}]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c1", "name": "read_file", "input": {"a": 1, "z": "b"}},
                {"type": "tool_use", "id": "c2", "name": "search", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "one\n\"two\""},
                {"type": "tool_result", "tool_use_id": "c2"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c3", "name": "search", "input": {"z": "é"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c3", "content": "three"}]},
            {"role": "user", "content": [{"type": "text", "text": "and now finish"}]},
        ])
    );
}

#[tokio::test]
async fn errors_by_status() {
    use FaultKind::*;
    let body = |kind: &str, message: &str| {
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
            .to_string()
    };
    for (code, kind, message, expected) in [
        (
            400,
            "invalid_request_error",
            "prompt is too long: 207791 tokens > 200000 maximum",
            ContextOverflow,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            ContextOverflow,
        ),
        (
            400,
            "invalid_request_error",
            "messages: text content blocks must be non-empty",
            BadRequest,
        ),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", Quota),
        (401, "authentication_error", "invalid x-api-key", Auth),
        (403, "permission_error", "no", Auth),
        (404, "not_found_error", "model: m-1", NotFound),
        (413, "request_too_large", "big", ContextOverflow),
        (429, "rate_limit_error", "slow", RateLimited),
        (500, "api_error", "oops", Server),
        (529, "overloaded_error", "Overloaded", Overloaded),
    ] {
        let fault =
            once(status(code, "retry-after: 2\r\n", &body(kind, message))).await.unwrap_err();
        assert_eq!((fault.kind, fault.retry_after_ms), (expected, Some(2000)), "{fault}");
        assert!(fault.message.contains(message), "{fault}");
    }
}

#[tokio::test]
async fn errors_within_a_stream() {
    use FaultKind::*;
    let head = &RECORDED.as_bytes()[..RECORDED.find("event: message_delta").unwrap()];
    for (event, expected) in [
        (
            event(
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            ),
            Overloaded,
        ),
        (event(json!({"type": "error", "error": {"type": "api_error", "message": "x"}})), Server),
        (b"event: ping\ndata: {\"type\": \n\n".to_vec(), MalformedStream),
        (
            event(
                json!({"type": "content_block_delta", "index": 9, "delta": {"type": "input_json_delta", "partial_json": "{"}}),
            ),
            MalformedStream,
        ),
        (event(json!({"type": "content_block_delta", "index": 9})), MalformedStream),
    ] {
        let fault = once(stream(&[head, &event])).await.unwrap_err();
        assert_eq!(fault.kind, expected, "{fault}");
        assert_eq!(fault.usage.map(|usage| usage.input), Some(120), "what was sent was paid for");
    }
}

#[tokio::test]
async fn stop_reasons() {
    use FaultKind::*;
    assert_eq!(once(stream(&[&text_stream("end_turn")])).await.unwrap().text, "hello");
    for (reason, expected) in [
        ("max_tokens", OutputLimit),
        ("refusal", Refused),
        ("model_context_window_exceeded", ContextOverflow),
    ] {
        assert_eq!(kind(stream(&[&text_stream(reason)])).await, expected);
    }
    let empty = [
        event(json!({"type": "message_start", "message": {}})),
        event(json!({"type": "message_stop"})),
    ]
    .concat();
    assert_eq!(kind(stream(&[&empty])).await, EmptyAnswer);
}

#[tokio::test]
async fn usage_that_is_not_sent_is_estimated_and_arguments_are_checked() {
    let block = |input: Value, piece: &str| {
        [
            event(json!({"type": "message_start", "message": {}})),
            event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "edit", "input": input}})),
            event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}})),
            event(json!({"type": "a_new_event", "x": 1})),
            event(json!({"type": "message_stop"})),
        ]
        .concat()
    };
    let turn = once(stream(&[&block(json!({}), "{\"a\":1}")])).await.unwrap();
    assert!(turn.usage.estimated && turn.usage.input > 10);
    let turn = once(stream(&[&block(json!({"a": 1}), "{\"a\":1}")])).await.unwrap();
    assert_eq!(turn.calls, vec![call("t", "edit", json!({"a": 1}))]);
    let fault = once(stream(&[&block(json!({}), "{\"a\":")])).await.unwrap_err();
    assert_eq!((fault.kind, fault.reaction()), (FaultKind::MalformedArguments, Reaction::Correct));
    assert!(fault.message.contains("`edit`"), "{fault}");
}

#[tokio::test]
async fn a_server_that_does_not_stream() {
    let body = json!({"type": "message", "role": "assistant", "content": [
        {"type": "text", "text": "hi"}, {"type": "tool_use", "id": "t", "name": "search", "input": {"z": "a"}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 5, "output_tokens": 6, "cache_read_input_tokens": 10}});
    let turn = once(status(200, "", &body.to_string())).await.unwrap();
    assert_eq!(
        (turn.text.as_str(), turn.calls),
        ("hi", vec![call("t", "search", json!({"z": "a"}))])
    );
    assert_eq!((turn.usage.input, turn.usage.cached, turn.usage.output), (15, 10, 6));
}

#[tokio::test]
async fn the_key_is_in_no_fault() {
    let echo = json!({"type": "error", "error": {"type": "authentication_error", "message": format!("bad {KEY}")}}).to_string();
    for acts in
        [status(401, "", &echo), stream(&[format!("event: error\ndata: {echo}\n\n").as_bytes()])]
    {
        let fault = once(acts).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Auth);
        assert!(
            !format!("{fault:?}").contains(KEY) && fault.message.contains("[redacted]"),
            "{fault}"
        );
    }
}
