//! The message loop: frames in, the service called, answers queued.
//!
//! It replaces the framework's own loop, which stops reading when handlers wait. Here nothing that a client does, or
//! fails to do, stops the reader; every session ends at `exit`, at the end of input, or when the client is lost.
//! It knows JSON-RPC and the life cycle of a session, and no LSP feature.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tower::Service;
use tower_lsp::jsonrpc;

use super::peer::Peer;
use super::raw;
use crate::wire::{Frame, FrameReader, Id, Message, Response, ResponseError, code};

/// How long the last answers may take to be written after the session's end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How many frames may wait between the reader and the loop.
const FRAMES_AHEAD: usize = 8;

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `exit`, or the end of input, after `shutdown`.
    Clean,
    /// `exit` without `shutdown`.
    ExitWithoutShutdown,
    /// The input ended or failed without `shutdown`.
    InputEnded,
    /// The client no longer reads, or its end of our output is gone.
    ClientLost,
    /// The process that started us has gone.
    ParentGone,
}

impl End {
    /// The exit code that the protocol asks for: 0 after `shutdown`, else 1.
    pub fn code(self) -> u8 {
        u8::from(self != End::Clean)
    }
}

type ServiceFuture<E> = BoxFuture<'static, Result<Option<jsonrpc::Response>, E>>;

/// Serves one session. `gone` completes when the parent process has gone.
pub async fn run<S, E, R, W>(
    service: S,
    peer: Peer,
    input: R,
    output: W,
    gone: impl Future<Output = ()>,
) -> End
where
    S: Service<
            jsonrpc::Request,
            Response = Option<jsonrpc::Response>,
            Error = E,
            Future = ServiceFuture<E>,
        >,
    E: Send + 'static,
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let mut writer = tokio::spawn(peer.outbox().clone().write_to(output));
    let (frames, mut incoming) = mpsc::channel(FRAMES_AHEAD);
    let reader = tokio::spawn(read(FrameReader::new(input), frames));
    let mut session =
        Session { service, peer: peer.clone(), calls: JoinSet::new(), shut_down: false };

    let lost = peer.outbox().lost().clone();
    tokio::pin!(gone);
    let end = loop {
        tokio::select! {
            biased;
            () = lost.cancelled() => break End::ClientLost,
            () = &mut gone => break End::ParentGone,
            frame = incoming.recv() => match frame {
                None => break if session.shut_down { End::Clean } else { End::InputEnded },
                Some(frame) => if let Some(end) = session.take(frame).await { break end },
            },
            Some(_) = session.calls.join_next() => {}
        }
    };

    reader.abort();
    session.calls.abort_all();
    peer.end();
    peer.outbox().close();
    if end != End::ClientLost && tokio::time::timeout(LAST_WORDS, &mut writer).await.is_err() {
        tracing::warn!("the client did not take its last messages within {LAST_WORDS:?}");
    }
    writer.abort();
    end
}

async fn read<R: AsyncRead + Unpin>(mut reader: FrameReader<R>, frames: mpsc::Sender<Frame>) {
    loop {
        match reader.next().await {
            Ok(Some(frame)) => {
                if frames.send(frame).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return,
            Err(error) => return tracing::warn!("failed to read from the client: {error}"),
        }
    }
}

struct Session<S> {
    service: S,
    peer: Peer,
    calls: JoinSet<()>,
    shut_down: bool,
}

impl<S, E> Session<S>
where
    S: Service<
            jsonrpc::Request,
            Response = Option<jsonrpc::Response>,
            Error = E,
            Future = ServiceFuture<E>,
        >,
    E: Send + 'static,
{
    /// Handles one frame; `Some` when it ends the session.
    async fn take(&mut self, frame: Frame) -> Option<End> {
        let body = match frame {
            Frame::Body(body) => body,
            Frame::TooLarge { len } => {
                self.complain(format!("a message of {len} bytes is too large; it was skipped"));
                return None;
            }
            Frame::BadHeader { why } => {
                self.complain(format!("{why}; reading goes on at the next Content-Length"));
                return None;
            }
        };
        match Message::parse(&body) {
            Ok(Message::Response(response)) => self.peer.settle(response),
            Ok(Message::Request(request)) => {
                self.call(request.method, Some(request.id), request.params).await
            }
            Ok(Message::Notification(note)) if note.method == "exit" => {
                return Some(if self.shut_down { End::Clean } else { End::ExitWithoutShutdown });
            }
            Ok(Message::Notification(note)) => self.call(note.method, None, note.params).await,
            Err(bad) => self.peer.respond(bad.to_response()),
        }
        None
    }

    /// Calls the service. What the handler does before its first wait is done when this returns, so handlers take
    /// effect in the order of arrival; the rest goes on by itself.
    async fn call(&mut self, method: String, id: Option<Id>, params: Option<serde_json::Value>) {
        let is_shutdown = method == "shutdown";
        let params = raw::mend(&method, params);
        let request = to_service(method, id.as_ref(), params);
        let called = catch_unwind(AssertUnwindSafe(|| self.service.call(request)));
        let mut answer = match called {
            Ok(future) => answer(self.peer.clone(), id, future).boxed(),
            Err(panic) => return panicked(&self.peer, id, panic.as_ref()),
        };
        match futures_util::poll!(&mut answer) {
            std::task::Poll::Ready(succeeded) => self.shut_down |= is_shutdown && succeeded,
            std::task::Poll::Pending => {
                self.calls.spawn(answer.map(drop));
            }
        }
    }

    fn complain(&self, message: String) {
        tracing::warn!("{message}");
        let error = ResponseError { code: code::INVALID_REQUEST, message, data: None };
        self.peer.respond(Response { id: None, outcome: Err(error) });
    }
}

/// Waits for the handler and queues its response; whether it succeeded.
async fn answer<E>(peer: Peer, id: Option<Id>, handler: ServiceFuture<E>) -> bool {
    let outcome = match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => {
            panicked(&peer, id, panic.as_ref());
            return false;
        }
    };
    let Some(id) = id else { return true };
    let outcome = match outcome {
        Ok(Some(response)) => from_service(response),
        // The service keeps silent on unknown `$/` methods, which is right for notifications only.
        Ok(None) => Err(ResponseError {
            code: code::METHOD_NOT_FOUND,
            message: "Method not found".into(),
            data: None,
        }),
        Err(_) => Err(ResponseError {
            code: code::INVALID_REQUEST,
            message: "the session has ended".into(),
            data: None,
        }),
    };
    let succeeded = outcome.is_ok();
    peer.respond(Response { id: Some(id), outcome });
    succeeded
}

fn panicked(peer: &Peer, id: Option<Id>, panic: &(dyn Any + Send)) {
    let what = panic.downcast_ref::<&str>().copied();
    let what =
        what.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown");
    tracing::error!("a handler panicked: {what}");
    if let Some(id) = id {
        let message = format!(
            "the server failed to handle this request ({what}); it goes on with the next one"
        );
        let error = ResponseError { code: code::INTERNAL_ERROR, message, data: None };
        peer.respond(Response { id: Some(id), outcome: Err(error) });
    }
}

fn to_service(
    method: String,
    id: Option<&Id>,
    params: Option<serde_json::Value>,
) -> jsonrpc::Request {
    let mut request = jsonrpc::Request::build(method);
    if let Some(params) = params {
        request = request.params(params);
    }
    match id {
        Some(Id::Number(number)) => request.id(*number).finish(),
        Some(Id::Text(text)) => request.id(text.clone()).finish(),
        None => request.finish(),
    }
}

fn from_service(response: jsonrpc::Response) -> Result<serde_json::Value, ResponseError> {
    response.into_parts().1.map_err(|error| ResponseError {
        code: error.code.code(),
        message: error.message.into_owned(),
        data: error.data,
    })
}
