//! What holds for both wire formats: each body is written once and run over the bytes of either.

use std::sync::Arc;

use orchestrator_lsp::mission::conversation::Turn;
use orchestrator_lsp::model::{Fault, FaultKind, Reaction};
use serde_json::json;

use crate::support::wire::*;

macro_rules! in_both_formats {
    ($($name:ident),+ $(,)?) => {
        mod openai {
            $(#[tokio::test] async fn $name() { super::$name(super::Format::OpenAi).await })+
        }
        mod anthropic {
            $(#[tokio::test] async fn $name() { super::$name(super::Format::Anthropic).await })+
        }
    };
}

in_both_formats!(
    a_stream_cut_anywhere_gives_the_same_turn_over_one_connection,
    a_stream_reset_or_ended_at_every_byte_gives_no_partial_turn,
    the_prefix_of_a_session_is_the_same_bytes_from_turn_to_turn,
    silence_and_mere_signs_of_life_are_a_stall,
    nobody_there_is_a_network_fault,
);

/// How many questions are asked side by side.
const ASKERS: usize = 16;

/// The number that a question carries.
fn number(request: &str) -> usize {
    let (_, rest) = request.rsplit_once("number ").unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// Asks as many numbered questions, and hands each answer to `check`.
async fn ask_all(
    format: Format,
    server: &RawServer,
    count: usize,
    check: impl Fn(usize, Result<Turn, Fault>),
) {
    let asker = async |first: usize| {
        // A breaker would hold back what fails so often; one without a cool-down does not.
        let client = client(format.provider(), &server.url, json!({"cool_down_ms": 0}));
        for at in (first..count).step_by(ASKERS) {
            check(at, ask(&client, &[user(&format!("number {at}"))], &[]).await);
        }
    };
    futures_util::future::join_all((0..ASKERS).map(asker)).await;
}

async fn a_stream_cut_anywhere_gives_the_same_turn_over_one_connection(format: Format) {
    let server = RawServer::start(Arc::new(move |_, request| {
        let (head, tail) = format.recorded().as_bytes().split_at(number(request));
        stream(&[head, tail])
    }))
    .await;
    ask_all(format, &server, format.recorded().len(), |at, result| {
        assert_eq!(result.unwrap(), format.recorded_turn(), "cut at byte {at}");
    })
    .await;
    let connections = *server.connections.lock().unwrap();
    assert!(connections < 3 * ASKERS, "connections must be reused: {connections}");
}

/// Every byte, and at each a reset, a close and a regular end of the body.
async fn a_stream_reset_or_ended_at_every_byte_gives_no_partial_turn(format: Format) {
    let ends = [Act::Reset, Act::Close, Act::End];
    let server = RawServer::start(Arc::new(move |_, request| {
        let at = number(request);
        let head = format.recorded().as_bytes()[..at / 3].to_vec();
        vec![Act::Write(EVENTS.into()), Act::Chunk(head), ends[at % 3].clone()]
    }))
    .await;
    ask_all(format, &server, format.terminal() * 3, |at, result| {
        let fault = result.unwrap_err();
        let is_known = match at % 3 {
            0 | 1 => fault.kind == FaultKind::Network,
            _ => matches!(fault.kind, FaultKind::Truncated | FaultKind::MalformedStream),
        };
        assert!(is_known && fault.reaction() == Reaction::Retry, "{at}: {fault:?}");
    })
    .await;
}

async fn the_prefix_of_a_session_is_the_same_bytes_from_turn_to_turn(format: Format) {
    let server = RawServer::start(always(stream(&[format.recorded().as_bytes()]))).await;
    let client = client(format.provider(), &server.url, json!({}));
    let session = growing_session();
    for messages in &session {
        ask(&client, messages, &tools()).await.unwrap();
    }
    let bodies: Vec<String> = (0..session.len()).map(|at| server.body(at)).collect();
    assert_stable_prefix(&bodies);
}

async fn silence_and_mere_signs_of_life_are_a_stall(format: Format) {
    let begun = |acts: Vec<Act>| [vec![Act::Write(EVENTS.into())], acts].concat();
    for acts in [
        vec![Act::Hold],
        begun(vec![Act::Hold]),
        begun(vec![Act::Chunk(format.ping()), Act::Hold]),
        begun(vec![Act::Chunk(format.text("a")), Act::Hold]),
        begun(vec![Act::Drip(format.ping())]),
        begun(vec![Act::Chunk(format.text("a")), Act::Drip(format.ping())]),
    ] {
        let more = json!({"idle_timeout_ms": 300, "quiet_timeout_ms": 600});
        let mut server = RawServer::start(always(acts)).await;
        let client = client(format.provider(), &server.url, more);
        let fault = ask(&client, &[user("go")], &[]).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Stalled, "{fault}");
        server.closed.recv().await.expect("the connection is dropped");
    }
}

async fn nobody_there_is_a_network_fault(format: Format) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let client = client(format.provider(), &url, json!({}));
    let fault = ask(&client, &[user("go")], &[]).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Network);
    assert!(fault.message.contains("127.0.0.1"), "{fault}");
}
