//! What the server says to the client on its own account: notifications, and requests that nobody has to wait for.
//!
//! Both are queued synchronously, in the order of the calls. A request's future only waits for the answer, never for
//! longer than its limit; dropping it tells the client that the answer is no longer wanted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::lsp_types::{notification as note, request as req};

use super::outbox::{Outbox, Weight};
use crate::wire::{self, Id, Message, Request, Response, ResponseError};

type Outcome = Result<Value, ResponseError>;

/// Why a request to the client has no result.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The client refused, or could not.
    #[error("the editor refused: {0}")]
    Refused(#[from] ResponseError),
    /// It did not answer in time.
    #[error("the editor did not answer within {0:?}")]
    Silent(Duration),
    /// The session ended first.
    #[error("the session ended before the editor answered")]
    Ended,
    /// The answer is not of the promised shape.
    #[error("failed to read the editor's answer: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// How the client is told that an answer is no longer wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// `$/cancelRequest`, with the request's `id`.
    #[default]
    Lsp,
    /// `$/cancel_request`, with its `requestId`.
    Acp,
}

impl Dialect {
    fn cancel(self, id: i64) -> (&'static str, Value) {
        match self {
            Dialect::Lsp => ("$/cancelRequest", serde_json::json!({ "id": id })),
            Dialect::Acp => ("$/cancel_request", serde_json::json!({ "requestId": id })),
        }
    }
}

/// The client, as the server speaks to it. Clones speak to the same one.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    dialect: Dialect,
    outbox: Outbox,
    pending: Arc<Mutex<HashMap<i64, oneshot::Sender<Outcome>>>>,
    last_id: Arc<AtomicI64>,
}

impl Peer {
    /// A client that speaks so.
    pub fn new(dialect: Dialect) -> Peer {
        Peer { dialect, ..Peer::default() }
    }

    /// The queue that everything goes through.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Sends a notification.
    pub fn notify<N: note::Notification>(&self, weight: Weight, params: &N::Params) {
        self.notify_raw(weight, N::METHOD, params);
    }

    /// Sends a notification that the protocol does not know.
    pub fn notify_raw<T: Serialize>(&self, weight: Weight, method: &str, params: &T) {
        match wire::notification(method, params) {
            Ok(message) => self.outbox.push(weight, message),
            Err(error) => tracing::error!("failed to write {method}: {error}"),
        }
    }

    /// Sends a response.
    pub fn respond(&self, response: Response) {
        self.outbox.push(Weight::Must, Message::from(response).to_bytes());
    }

    /// Sends a request now; the future waits for its answer. Await it outside of handlers only.
    ///
    /// # Errors
    /// When the client refuses, is silent for `limit`, answers in the wrong shape, or the session ends.
    pub fn request<R: req::Request>(
        &self,
        params: &R::Params,
        limit: Duration,
    ) -> impl Future<Output = Result<R::Result, PeerError>> + Send + use<R> {
        let answer = self.request_raw(R::METHOD, params, limit);
        async move { Ok(serde_json::from_value(answer.await?)?) }
    }

    /// As [`Peer::request`], for a method that the protocol does not know.
    ///
    /// # Errors
    /// The same, but for the shape.
    pub fn request_raw<T: Serialize>(
        &self,
        method: &str,
        params: &T,
        limit: Duration,
    ) -> impl Future<Output = Result<Value, PeerError>> + Send + use<T> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, wait) = oneshot::channel();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
        let waiting = Waiting { id, peer: self.clone() };
        let params = serde_json::to_value(params).map(|params| {
            // `null` stands for "no params", which are left out.
            let params = (!params.is_null()).then_some(params);
            let message =
                Message::from(Request { id: Id::Number(id), method: method.to_owned(), params });
            self.outbox.push(Weight::Must, message.to_bytes());
        });
        async move {
            let _waiting = waiting;
            params?;
            let outcome =
                tokio::time::timeout(limit, wait).await.map_err(|_| PeerError::Silent(limit))?;
            Ok(outcome.map_err(|_| PeerError::Ended)??)
        }
    }

    /// Hands the client's answer to whoever waits for it; a late or unknown one is dropped.
    pub fn settle(&self, response: Response) {
        let Some(Id::Number(id)) = response.id else {
            return;
        };
        let waiting = self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        // The receiver may have timed out in this very moment.
        let _ = waiting.map(|answer| answer.send(response.outcome));
    }

    /// Fails every request that waits for an answer.
    pub fn end(&self) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Forgets a request when its future goes, and tells the client if it had not answered.
struct Waiting {
    id: i64,
    peer: Peer,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let unanswered =
            self.peer.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        if unanswered.is_some() {
            let (method, params) = self.peer.dialect.cancel(self.id);
            self.peer.notify_raw(Weight::Must, method, &params);
        }
    }
}

#[cfg(test)]
mod tests {
    use tower_lsp::lsp_types::ConfigurationParams;
    use tower_lsp::lsp_types::request::WorkspaceConfiguration;

    use super::*;

    fn ask(
        peer: &Peer,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<Value>, PeerError>> + use<> {
        peer.request::<WorkspaceConfiguration>(&ConfigurationParams { items: vec![] }, limit)
    }

    async fn sent(peer: &Peer) -> String {
        peer.outbox.close();
        let mut bytes = Vec::new();
        peer.outbox.clone().write_to(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn an_answer_reaches_its_request() {
        let peer = Peer::default();
        let (first, second) = (ask(&peer, Duration::MAX), ask(&peer, Duration::MAX));
        peer.settle(Response { id: Some(Id::Number(2)), outcome: Ok(serde_json::json!([2])) });
        peer.settle(Response { id: Some(Id::Number(99)), outcome: Ok(Value::Null) });
        assert_eq!(second.await.unwrap(), [2]);
        peer.end();
        assert!(matches!(first.await, Err(PeerError::Ended)));
        assert!(!sent(&peer).await.contains("cancelRequest"));
    }

    #[tokio::test]
    async fn silence_ends_in_a_cancel() {
        let peer = Peer::default();
        assert!(matches!(ask(&peer, Duration::ZERO).await, Err(PeerError::Silent(_))));
        peer.settle(Response { id: Some(Id::Number(1)), outcome: Ok(Value::Null) });
        assert_eq!(sent(&peer).await.matches("$/cancelRequest").count(), 1);
    }
}
