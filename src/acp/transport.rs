//! The message loop: lines in, the agent asked, answers queued. It never waits for a handler, the client or a mission.
//! It knows JSON-RPC and the end of a client, and no method but one that panics for a test.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::agent::Agent;
use super::schema;
use crate::wire::{Frame, Id, LineReader, Message, Request, Response, ResponseError, code};

/// How long the last answers may take: to be made, and to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How many lines may wait between the reader and the loop.
const LINES_AHEAD: usize = 8;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The input ended, which is how clients leave.
    InputEnded,
    /// The client no longer reads, or its end of our output is gone.
    ClientLost,
    /// The system wants this process to end.
    Terminated,
}

impl End {
    /// The exit code.
    pub fn code(self) -> u8 {
        u8::from(self == End::ClientLost)
    }
}

/// Serves one client. `gone` completes when this process is to end.
pub async fn run<R, W>(
    agent: &Arc<Agent>,
    input: R,
    output: W,
    gone: impl Future<Output = ()>,
) -> End
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let outbox = agent.peer.outbox().clone();
    let lost = outbox.lost().clone();
    let mut writer = tokio::spawn(outbox.clone().write_lines(output));
    let (lines, mut incoming) = mpsc::channel(LINES_AHEAD);
    let reader = tokio::spawn(read(LineReader::new(input), lines));
    let mut calls = JoinSet::new();
    tokio::pin!(gone);
    let end = loop {
        tokio::select! {
            biased;
            () = lost.cancelled() => break End::ClientLost,
            () = &mut gone => break End::Terminated,
            line = incoming.recv() => match line {
                None => break End::InputEnded,
                Some(line) => take(agent, line, &mut calls),
            },
            Some(_) = calls.join_next() => {}
        }
    };
    reader.abort();
    // Every request is answered, those that wait for a mission too.
    agent.end();
    let answered = async { while calls.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORDS, answered).await.is_err() {
        tracing::warn!("some requests could not be answered within {LAST_WORDS:?}");
    }
    calls.abort_all();
    outbox.close();
    if end != End::ClientLost && tokio::time::timeout(LAST_WORDS, &mut writer).await.is_err() {
        tracing::warn!("the client did not take its last messages within {LAST_WORDS:?}");
    }
    writer.abort();
    end
}

async fn read<R: AsyncRead + Unpin>(mut reader: LineReader<R>, lines: mpsc::Sender<Frame>) {
    loop {
        match reader.next().await {
            Ok(Some(line)) => {
                if lines.send(line).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => return tracing::warn!("failed to read from the client: {error}"),
        }
    }
}

/// Takes one line. What a handler does before its first wait is done when this returns, so requests and notifications
/// take effect in the order of their arrival.
fn take(agent: &Arc<Agent>, line: Frame, calls: &mut JoinSet<()>) {
    let body = match line {
        Frame::Body(body) => body,
        Frame::TooLarge { len } => {
            return complain(agent, format!("a message of {len} bytes is too large"));
        }
        Frame::BadHeader { why } => return complain(agent, why.to_owned()),
    };
    match Message::parse(&body) {
        Ok(Message::Response(response)) => agent.peer.settle(response),
        Ok(Message::Notification(note)) => {
            let noted = AssertUnwindSafe(|| agent.note(&note.method, note.params));
            if let Err(panic) = std::panic::catch_unwind(noted) {
                tracing::error!("{} failed: {}", note.method, words(panic.as_ref()));
            }
        }
        Ok(Message::Request(request)) => {
            let mut answered = Box::pin(answer(Arc::clone(agent), request));
            if answered.as_mut().now_or_never().is_none() {
                calls.spawn(answered);
            }
        }
        Err(bad) => agent.peer.respond(bad.to_response()),
    }
}

fn complain(agent: &Agent, message: String) {
    tracing::warn!("{message}");
    agent.peer.respond(Response { id: None, outcome: Err(schema::refused(message)) });
}

/// Handles a request and queues its answer: also when its handler panics, which costs this request only.
async fn answer(agent: Arc<Agent>, request: Request) {
    let Request { id, method, params } = request;
    let handled = AssertUnwindSafe(handle(&agent, &id, &method, params)).catch_unwind().await;
    let outcome = handled.unwrap_or_else(|panic| {
        let message = format!("{method} failed: {}", words(panic.as_ref()));
        tracing::error!("{message}");
        Err(schema::failed(message))
    });
    agent.peer.respond(Response { id: Some(id.clone()), outcome });
    agent.answered(&id);
}

async fn handle(
    agent: &Arc<Agent>,
    id: &Id,
    method: &str,
    params: Option<Value>,
) -> Result<Value, ResponseError> {
    match agent.call(id, method, params) {
        Some(handled) => handled.await,
        None => Err(ResponseError {
            code: code::METHOD_NOT_FOUND,
            message: format!("there is no method `{method}`"),
            data: None,
        }),
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("an internal error")
}
