//! An HTTP answer's body, as server-sent events or whole, with its bounds: silence, size.
//!
//! `sse-stream` does the parsing (any line ending, comments, a byte-order mark, characters cut across chunks); added here
//! are the bounds and one leniency: a last event that is not followed by a blank line still counts, as some servers
//! close right after `data: [DONE]`.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::Response;
use sse_stream::{Sse, SseByteStream};

use super::fault::{Fault, FaultKind, chain};

/// How long the rest of a finished answer is read, so that its connection can serve the next request.
const DRAIN: Duration = Duration::from_secs(1);

/// The bounds of one answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Longest silence.
    pub(crate) idle: Duration,
    /// Most bytes.
    pub(crate) bytes: u64,
}

/// Why a body could not be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("no byte arrived for {0} ms; the provider stalled (idle_timeout_ms sets the bound)")]
    Stalled(u128),
    #[error("the answer is larger than {0} bytes (max_answer_bytes sets the bound)")]
    TooLarge(u64),
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::Stalled(_) => FaultKind::Stalled,
            BodyError::TooLarge(_) => FaultKind::Unbounded,
            BodyError::Broken(_) => FaultKind::Network,
        };
        Fault::new(kind, error.to_string())
    }
}

/// Reads one body within its bounds.
struct Body {
    response: Response,
    bounds: Bounds,
    read: u64,
}

impl Body {
    fn new(response: Response, bounds: Bounds) -> Self {
        Body { response, bounds, read: 0 }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let idle = self.bounds.idle;
        let chunk = tokio::time::timeout(idle, self.response.chunk())
            .await
            .map_err(|_| BodyError::Stalled(idle.as_millis()))?
            .map_err(|error| BodyError::Broken(chain(&error.without_url())))?;
        self.read += chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
        if self.read > self.bounds.bytes {
            return Err(BodyError::TooLarge(self.bounds.bytes));
        }
        Ok(chunk)
    }
}

/// The whole body.
pub(crate) async fn read_all(response: Response, bounds: Bounds) -> Result<Vec<u8>, BodyError> {
    let mut body = Body::new(response, bounds);
    let mut all = Vec::new();
    while let Some(bytes) = body.chunk().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// The events of a body.
pub(crate) struct Events(SseByteStream<Chunks>);

impl Events {
    pub(crate) fn new(response: Response, bounds: Bounds) -> Self {
        let body = Body::new(response, bounds);
        let chunks = stream::try_unfold(body, |mut body| async move {
            Ok(body.chunk().await?.map(|bytes| (bytes, body)))
        });
        // Ends a last event that the server left open; after a complete one it is nothing.
        let end = stream::once(async { Ok(Bytes::from_static(b"\n\n")) });
        Events(SseByteStream::new(Box::pin(chunks.chain(end))))
    }

    /// The data of the next event that has data; `None` at the body's end.
    pub(crate) async fn next(&mut self) -> Option<Result<String, Fault>> {
        loop {
            match self.0.next().await? {
                Ok(Sse { data: Some(data), .. }) if !data.is_empty() => return Some(Ok(data)),
                Ok(_) => {}
                Err(error) => return Some(Err(fault(error))),
            }
        }
    }

    /// Reads what is left after the terminal marker, in the background and for a moment: HTTP/1.1 can reuse a
    /// connection only when its body was read to the end.
    pub(crate) fn drain(mut self) {
        tokio::spawn(async move {
            let rest = async { while let Some(Ok(_)) = self.next().await {} };
            // Whether the end was reached or not, nothing is left to do: an unread body closes its connection.
            drop(tokio::time::timeout(DRAIN, rest).await);
        });
    }
}

fn fault(error: sse_stream::Error) -> Fault {
    match error {
        sse_stream::Error::Body(inner) => match inner.downcast::<BodyError>() {
            Ok(body) => (*body).into(),
            Err(other) => Fault::new(FaultKind::Network, other.to_string()),
        },
        other => Fault::new(
            FaultKind::MalformedStream,
            format!("the answer is not a valid event stream: {other}"),
        ),
    }
}
