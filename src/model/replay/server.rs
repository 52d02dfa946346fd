//! The server: accepts on loopback, records arrivals, answers with what a script or a function says.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::http::{RawRequest, read_request, write_answer};
use super::script::{Player, Script, ScriptedTurn};
use super::{ROLE_HEADER, SESSION_HEADER, sse};
use crate::mission::conversation::Role;

/// A request that has arrived.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// The role, when the client said it.
    pub role: Option<Role>,
    /// The session, when the client said it.
    pub session: Option<String>,
    /// The body, undecoded.
    pub body: Bytes,
    /// When the last byte of it had been read.
    pub arrived: Instant,
}

impl ReceivedRequest {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> serde_json::Result<Value> {
        serde_json::from_slice(&self.body)
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Streams a complete turn.
    Turn(ScriptedTurn),
    /// Refuses with a status and a message.
    Error {
        /// The HTTP status.
        status: u16,
        /// Stands in `error.message`.
        message: String,
    },
    /// Streams these bytes as they are and ends the body regularly.
    Raw(Vec<u8>),
    /// Never answers; the connection stays open until the client or the server goes.
    Hang,
}

/// How long accepting rests after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Makes the answer to a request. It runs on the server's task: it must not block.
pub type Handler = Arc<dyn Fn(&ReceivedRequest) -> Answer + Send + Sync>;

/// When a request arrived and how large it was.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When the last byte had been read.
    pub at: Instant,
    /// The body's size in bytes.
    pub body_bytes: usize,
    /// The role, when the client said it.
    pub role: Option<Role>,
    /// The session, when the client said it.
    pub session: Option<String>,
    /// When the last byte of its answer had been written; `None` before.
    pub answered: Option<Instant>,
}

/// A running replay. Dropping it ends the server and all its connections.
#[derive(Debug)]
pub struct ReplayServer {
    base_url: String,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    accepting: AbortHandle,
}

impl ReplayServer {
    /// Plays a script.
    ///
    /// # Errors
    /// When no port can be had, or when there is no tokio runtime.
    pub fn start(script: Script) -> io::Result<ReplayServer> {
        let player = Player::new(script);
        Self::with_handler(Arc::new(move |request| player.answer(request)))
    }

    /// Answers with what `handler` makes of each request.
    ///
    /// # Errors
    /// When no port can be had, or when there is no tokio runtime.
    pub fn with_handler(handler: Handler) -> io::Result<ReplayServer> {
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let arrivals = Arc::default();
        let accepting =
            runtime.spawn(accept(listener, handler, Arc::clone(&arrivals))).abort_handle();
        Ok(ReplayServer { base_url, arrivals, accepting })
    }

    /// What `base_url` must be set to, with provider `replay` (which sends role and session) or `openai`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// All requests so far, in the order of their arrival.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ReplayServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, handler: Handler, arrivals: Arc<Mutex<Vec<Arrival>>>) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&handler), Arc::clone(&arrivals)));
                }
                // Out of descriptors, or the peer is gone already: let others go first.
                Err(error) => {
                    tracing::debug!(%error, "a replay connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Ok(Err(error)) = ended {
                    tracing::debug!(%error, "a replay connection ended");
                }
            }
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    handler: Handler,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(raw) = read_request(&mut stream, &mut buffer).await? {
        let request = received(raw);
        let arrival = Arrival {
            at: request.arrived,
            body_bytes: request.body.len(),
            role: request.role,
            session: request.session.clone(),
            answered: None,
        };
        let number = {
            let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.push(arrival);
            arrivals.len() - 1
        };
        answer(&mut stream, handler(&request), request.body.len()).await?;
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arrival) = arrivals.get_mut(number) {
            arrival.answered = Some(Instant::now());
        }
    }
    Ok(())
}

fn received(raw: RawRequest) -> ReceivedRequest {
    let role = raw.header(ROLE_HEADER);
    ReceivedRequest {
        role: Role::ALL.into_iter().find(|known| role == Some(known.name())),
        session: raw.header(SESSION_HEADER).map(str::to_owned),
        arrived: Instant::now(),
        body: raw.body.into(),
    }
}

async fn answer(stream: &mut TcpStream, answer: Answer, request_bytes: usize) -> io::Result<()> {
    const EVENTS: &str = "text/event-stream";
    match answer {
        Answer::Turn(turn) => {
            if turn.delay_ms > 0 {
                tokio::time::sleep(Duration::from_millis(turn.delay_ms)).await;
            }
            write_answer(stream, 200, EVENTS, &sse::encode(&turn, request_bytes)).await
        }
        Answer::Error { status, message } => {
            let body = json!({"error": {"message": message, "type": "replay_error"}}).to_string();
            write_answer(stream, status, "application/json", body.as_bytes()).await
        }
        Answer::Raw(bytes) => write_answer(stream, 200, EVENTS, &bytes).await,
        Answer::Hang => std::future::pending().await,
    }
}
