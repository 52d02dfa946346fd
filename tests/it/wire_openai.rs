//! The OpenAI-compatible wire format, against a server whose every byte is under control, and replays, which speak it.

mod replay;

use std::io;
use std::sync::{Arc, Mutex};

use orchestrator_lsp::mission::conversation::{Message, Turn};
use orchestrator_lsp::model::{FaultKind, Progress, Reaction, Request};
use serde_json::{Value, json};

use crate::support::wire::{self, *};

const RECORDED: &str = include_str!("../fixtures/wire/openai_calls.sse");

async fn once(more: Value, acts: Vec<Act>) -> Result<Turn, orchestrator_lsp::model::Fault> {
    wire::once("openai", more, acts).await
}

async fn kind(acts: Vec<Act>) -> FaultKind {
    once(json!({"idle_timeout_ms": 300}), acts).await.unwrap_err().kind
}

fn text_chunk(text: &str) -> Vec<u8> {
    format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]})).into_bytes()
}

fn finish(reason: &str) -> Vec<u8> {
    format!("data: {}\n\n", json!({"choices": [{"delta": {}, "finish_reason": reason}]}))
        .into_bytes()
}

const DONE: &[u8] = b"data: [DONE]\n\n";

#[tokio::test]
async fn a_stream_byte_by_byte_in_any_line_ending_with_comments_and_mark() {
    for line_end in ["\n", "\r\n", "\r"] {
        let text = format!(
            "\u{feff}: welcome\n\n{}",
            RECORDED.replace("data: [DONE]", ": keep-alive\n\n: again\n\ndata:[DONE]")
        );
        let text = text.replace("data: {", "data:{").replace('\n', line_end);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        let turn = once(json!({}), stream(&pieces)).await.unwrap();
        assert_eq!(turn, Format::OpenAi.recorded_turn(), "{line_end:?}");
    }
}

#[tokio::test]
async fn the_request_is_what_the_vendor_documents() {
    let server = RawServer::start(always(stream(&[RECORDED.as_bytes()]))).await;
    let more = json!({"temperature": 0.5, "max_output_tokens": 99, "headers": {"x-extra": "yes"}});
    let messages = growing_session().pop().unwrap();
    ask(&client("openai", &server.url, more), &messages, &tools()).await.unwrap();
    let head = server.requests.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with("post /v1/chat/completions http/1.1\r\n"), "{head}");
    for line in
        [&format!("authorization: bearer {KEY}"), "content-type: application/json", "x-extra: yes"]
    {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert!(!head.contains("x-orchestrator"), "role and session are for replays only");
    let body: Value = serde_json::from_str(&server.body(0)).unwrap();
    let parameters = &tools()[0].schema;
    assert_eq!(
        body["tools"][0],
        json!({"type": "function", "function": {"name": "read_file", "description": "does read_file", "parameters": parameters}})
    );
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    assert_eq!(
        (&body["max_tokens"], &body["temperature"], &body["model"]),
        (&json!(99), &json!(0.5), &json!("m-1"))
    );
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "You work."},
            {"role": "user", "content": "go 🦀"},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "read_file", "arguments": "{\"a\":1,\"z\":\"b\"}"}},
                {"id": "c2", "type": "function", "function": {"name": "search", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "one\n\"two\""},
            {"role": "tool", "tool_call_id": "c2", "content": ""},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c3", "type": "function", "function": {"name": "search", "arguments": "{\"z\":\"é\"}"}}]},
            {"role": "tool", "tool_call_id": "c3", "content": "three"},
            {"role": "user", "content": "and now finish"},
        ])
    );
}

#[tokio::test]
async fn progress_is_shown_while_the_answer_arrives() {
    let server = RawServer::start(always(stream(&[RECORDED.as_bytes()]))).await;
    let client = client("openai", &server.url, json!({}));
    let (mut text, mut calls) = (String::new(), Vec::new());
    let messages = [user("go")];
    let request = Request {
        role: orchestrator_lsp::mission::conversation::Role::Reviewer,
        blocks: 0,
        session: "s",
        system: "",
        pinned: 0,
        tools: &[],
        messages: &messages,
        held: None,
    };
    let mut on_progress = |progress: Progress<'_>| match progress {
        Progress::Text(piece) => text.push_str(piece),
        Progress::Call { name } => calls.push(name.to_owned()),
        Progress::Started | Progress::Alive => {}
        Progress::Waits | Progress::Goes => panic!("nobody else asks"),
    };
    let turn = client.complete(&request, &mut on_progress).await.unwrap();
    assert_eq!(turn.text, text);
    assert_eq!(calls, ["read_file", "search"]);
}

#[tokio::test]
async fn a_terminal_marker_is_enough_usage_is_estimated() {
    let hello = text_chunk("hello");
    for pieces in [
        vec![&hello[..], &finish("stop"), DONE],
        vec![&hello[..], &finish("stop")],
        vec![&hello[..], b"data: [DONE]"],
        vec![&hello[..], &finish("stop"), b"data: {broken\n\n"],
        vec![&hello[..], b"data: {\"choices\":[],\"usage\":null}\n\n", DONE],
    ] {
        let turn = once(json!({}), stream(&pieces)).await.unwrap();
        assert_eq!(turn.text, "hello");
        assert!(
            turn.usage.estimated && turn.usage.input > 10 && turn.usage.output == 2,
            "{:?}",
            turn.usage
        );
    }
    let mut broken = stream(&[&hello, &finish("stop")]);
    *broken.last_mut().unwrap() = Act::Reset;
    assert_eq!(once(json!({}), broken).await.unwrap().text, "hello");
}

#[tokio::test]
async fn usage_and_price_are_taken_from_the_answer() {
    let more = json!({"price": {"input": 3.0, "output": 15.0, "cached": 0.3}});
    let usage = once(more, stream(&[RECORDED.as_bytes()])).await.unwrap().usage;
    assert_eq!(
        (usage.input, usage.output, usage.cached, usage.micro_usd, usage.estimated),
        (120, 30, 100, 60 + 30 + 450, false)
    );
}

#[tokio::test]
async fn an_answer_is_bounded_in_time_and_size() {
    let busy = vec![Act::Write(EVENTS.into()), Act::Chunk(b": still here\n\n".to_vec()), Act::Hold];
    let fault = once(json!({"answer_timeout_ms": 200}), busy).await.unwrap_err();
    assert_eq!((fault.kind, fault.reaction()), (FaultKind::Unbounded, Reaction::Correct));
    let huge = text_chunk(&(0..20_000).map(|n| format!("{n} ")).collect::<String>());
    let fault = once(json!({"max_answer_bytes": 250_000}), stream(&[&huge, &huge, &huge, DONE]))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unbounded);
    let endless_line = vec![b'x'; 300_000];
    let fault = once(json!({"max_answer_bytes": 250_000}), stream(&[b"data: ", &endless_line]))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unbounded);
}

#[tokio::test]
async fn every_status_has_its_kind() {
    use FaultKind::*;
    for (code, body, expected, reaction) in [
        (
            400,
            r#"{"error":{"message":"no","code":"context_length_exceeded"}}"#,
            ContextOverflow,
            Reaction::Compact,
        ),
        (400, r#"{"error":{"message":"unknown field"}}"#, BadRequest, Reaction::Human),
        (401, r#"{"error":{"message":"bad key"}}"#, Auth, Reaction::Human),
        (404, r#"{"error":{"message":"no model"}}"#, NotFound, Reaction::Human),
        (413, "", ContextOverflow, Reaction::Compact),
        (
            429,
            r#"{"error":{"message":"slow","code":"rate_limit_exceeded"}}"#,
            RateLimited,
            Reaction::Retry,
        ),
        (429, r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#, Quota, Reaction::Human),
        (500, "oops", Server, Reaction::Retry),
        (529, "", Overloaded, Reaction::Retry),
    ] {
        let fault = once(json!({}), status(code, "", body)).await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.reaction(), fault.usage),
            (expected, reaction, None),
            "{fault}"
        );
    }
    let redirect =
        once(json!({}), status(307, "location: http://127.0.0.1:1/\r\n", "")).await.unwrap_err();
    assert_eq!(redirect.kind, Configuration);
}

#[tokio::test]
async fn a_wish_to_wait_is_passed_on() {
    for (header, expected) in [
        ("retry-after: 7\r\n", Some(7000)),
        ("retry-after: 9\r\nretry-after-ms: 1500\r\n", Some(1500)),
        ("retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Some(0)),
        ("", None),
    ] {
        let fault = once(json!({}), status(429, header, "{}")).await.unwrap_err();
        assert_eq!(fault.retry_after_ms, expected, "{header}");
    }
}

#[tokio::test]
async fn bad_answers_within_a_stream() {
    use FaultKind::*;
    let hello = text_chunk("hello");
    let call = |arguments: &str| {
        format!("data: {}\n\n", json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "edit", "arguments": arguments}}]}}]})).into_bytes()
    };
    let cases: Vec<(Vec<u8>, FaultKind)> = vec![
        (
            b"data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\"}}\n\n".to_vec(),
            Server,
        ),
        (b"data: {\"error\":{\"message\":\"x\",\"code\":429}}\n\n".to_vec(), RateLimited),
        (b"data: {\"choices\": [\n\n".to_vec(), MalformedStream),
        (b"data: \xff\xfe\n\n".to_vec(), MalformedStream),
        ([call("{\"a\":"), finish("tool_calls")].concat(), MalformedArguments),
        ([call("7"), finish("tool_calls")].concat(), MalformedArguments),
        ([call("{}"), finish("length")].concat(), OutputLimit),
        (finish("content_filter"), Refused),
    ];
    for (bytes, expected) in cases {
        let fault = once(json!({}), stream(&[&hello, &bytes, DONE])).await.unwrap_err();
        assert_eq!(fault.kind, expected, "{fault}");
        assert!(fault.usage.is_some(), "what was sent was paid for");
    }
    assert_eq!(kind(stream(&[&finish("stop"), DONE])).await, EmptyAnswer);
    let fault = once(json!({}), stream(&[&call("{\"path\": \"a"), &finish("tool_calls"), DONE]))
        .await
        .unwrap_err();
    assert!(fault.message.contains("`edit`") && fault.message.contains("line 1"), "{fault}");
}

#[tokio::test]
async fn a_server_that_does_not_stream() {
    let body = json!({"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "hi", "tool_calls": [
        {"type": "function", "function": {"name": "search", "arguments": {"z": "a"}}}]}}], "usage": {"prompt_tokens": 5, "completion_tokens": 6}});
    let turn = once(json!({}), status(200, "", &body.to_string())).await.unwrap();
    assert_eq!(
        (turn.text.as_str(), turn.calls),
        ("hi", vec![call("call_0", "search", json!({"z": "a"}))])
    );
    assert_eq!((turn.usage.input, turn.usage.output, turn.usage.estimated), (5, 6, false));
    assert_eq!(
        kind(status(200, "", r#"{"error":{"message":"x","type":"overloaded"}}"#)).await,
        FaultKind::Overloaded
    );
    assert_eq!(kind(status(200, "", r#"{"choices":[]}"#)).await, FaultKind::MalformedStream);
    assert_eq!(kind(status(200, "", "<html>")).await, FaultKind::MalformedStream);
}

#[tokio::test]
async fn a_dropped_future_closes_its_connection() {
    let plan: Plan =
        Arc::new(|_, _| vec![Act::Write(EVENTS.into()), Act::Chunk(text_chunk("a")), Act::Hold]);
    let mut server = RawServer::start(plan).await;
    let client = client("openai", &server.url, json!({}));
    let (seen, mut first) = tokio::sync::mpsc::unbounded_channel();
    let asking = tokio::spawn(async move {
        let messages = [user("go")];
        let request = Request {
            role: orchestrator_lsp::mission::conversation::Role::Worker,
            blocks: 0,
            session: "s",
            system: "",
            pinned: 0,
            tools: &[],
            messages: &messages,
            held: None,
        };
        client
            .complete(&request, &mut |_| {
                let _ = seen.send(());
            })
            .await
    });
    first.recv().await.unwrap();
    asking.abort();
    server.closed.recv().await.expect("the server sees the connection close");
}

/// Collects what the whole process logs on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_key_is_in_no_fault_debug_or_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let echo = format!("the key {KEY} and the header extra-secret-1 are wrong");
    let error = json!({"error": {"message": echo}}).to_string();
    let padded = "x".repeat(790) + KEY;
    let answers = [
        status(401, "", &error),
        status(500, "", &padded),
        stream(&[format!("data: {error}\n\n").as_bytes()]),
        status(200, "", &error),
        vec![Act::Reset],
        stream(&[RECORDED.as_bytes()]),
    ];
    let more = json!({"headers": {"x-extra": "extra-secret-1"}});
    let mut shown = String::new();
    for acts in answers {
        let server = RawServer::start(always(acts)).await;
        let client = client("openai", &server.url, more.clone());
        shown += &format!("{client:?}");
        if let Err(fault) = ask(&client, &[user("go")], &[]).await {
            shown += &format!("{fault:?} {fault} {}", serde_json::to_string(&fault).unwrap());
        }
    }
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(!log.is_empty(), "the log is captured");
    for secret in [&KEY[..12], "extra-secret"] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn ids_stay_unique_within_a_session() {
    let server = RawServer::start(always(stream(&[RECORDED.as_bytes()]))).await;
    let client = client("openai", &server.url, json!({}));
    let first = ask(&client, &[user("go")], &[]).await.unwrap();
    let history = [
        user("go"),
        Message::Assistant { text: first.text, calls: first.calls },
        result("call_a", ""),
        result("call_b", ""),
    ];
    let second = ask(&client, &history, &[]).await.unwrap();
    let ids: Vec<&str> = second.calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids, ["call_2", "call_3"]);
}
