//! A local HTTP server whose every byte a test controls, and what the tests of both wire formats share.
//!
//! Each piece of an answer is a chunk of its own on the wire, so the client sees exactly the cuts that a test makes,
//! however the kernel joins the writes. A server ends with its test.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests and what they share")]

use std::sync::{Arc, Mutex};

use orchestrator_lsp::mission::conversation::{Message, Role, ToolCall, Turn};
use orchestrator_lsp::model::{Client, Fault, ModelSettings, Request, Settings, ToolSpec};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What the server does next.
#[derive(Clone)]
pub enum Act {
    /// Writes these bytes as they are.
    Write(Vec<u8>),
    /// Writes these bytes as one HTTP chunk.
    Chunk(Vec<u8>),
    /// Ends the chunked body; the connection lives on.
    End,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
    /// Waits until the client closes the connection, then says so.
    Hold,
}

/// Decides what the nth request (0-based) gets.
pub type Plan = Arc<dyn Fn(usize, &str) -> Vec<Act> + Send + Sync>;

pub struct RawServer {
    pub url: String,
    /// Heads and bodies, in order.
    pub requests: Arc<Mutex<Vec<String>>>,
    /// How many connections were accepted.
    pub connections: Arc<Mutex<usize>>,
    /// Hears when a client closes a connection that is held.
    pub closed: mpsc::UnboundedReceiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RawServer {
    pub async fn start(plan: Plan) -> RawServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (requests, connections) = (Arc::default(), Arc::new(Mutex::new(0)));
        let (tell, closed) = mpsc::unbounded_channel();
        let (log, count) = (Arc::clone(&requests), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                tasks.spawn(serve(stream, Arc::clone(&plan), Arc::clone(&log), tell.clone()));
            }
        });
        RawServer { url, requests, connections, closed, task }
    }

    /// The JSON body of the nth request.
    pub fn body(&self, at: usize) -> String {
        let requests = self.requests.lock().unwrap();
        requests[at].split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

async fn serve(
    mut stream: TcpStream,
    plan: Plan,
    log: Arc<Mutex<Vec<String>>>,
    closed: mpsc::UnboundedSender<()>,
) {
    stream.set_nodelay(true).unwrap();
    while let Some(request) = read_request(&mut stream).await {
        let at = {
            let mut log = log.lock().unwrap();
            log.push(request.clone());
            log.len() - 1
        };
        for act in plan(at, &request) {
            let written = match act {
                Act::Write(bytes) => stream.write_all(&bytes).await,
                Act::Chunk(bytes) if bytes.is_empty() => Ok(()),
                Act::Chunk(bytes) => {
                    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                    chunk.extend_from_slice(&bytes);
                    chunk.extend_from_slice(b"\r\n");
                    stream.write_all(&chunk).await
                }
                Act::End => stream.write_all(b"0\r\n\r\n").await,
                Act::Close => return,
                Act::Reset => return reset(stream),
                Act::Hold => {
                    let mut rest = Vec::new();
                    // An error is a closed connection too.
                    let _ = stream.read_to_end(&mut rest).await;
                    let _ = closed.send(());
                    return;
                }
            };
            if written.is_err() {
                return;
            }
        }
    }
}

/// Closing with unread input makes the kernel send a reset; a zero linger time does it everywhere.
fn reset(stream: TcpStream) {
    #[expect(deprecated, reason = "a zero linger time never blocks")]
    stream.set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

pub const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

/// A streamed answer in these pieces, regularly ended.
pub fn stream(pieces: &[&[u8]]) -> Vec<Act> {
    let mut acts = vec![Act::Write(EVENTS.into())];
    acts.extend(pieces.iter().map(|piece| Act::Chunk(piece.to_vec())));
    acts.push(Act::End);
    acts
}

/// An answer with a status, extra header lines and a body.
pub fn status(status: u16, headers: &str, body: &str) -> Vec<Act> {
    let text = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    vec![Act::Write(text.into())]
}

/// One and the same answer to everything.
pub fn always(acts: Vec<Act>) -> Plan {
    Arc::new(move |_, _| acts.clone())
}

pub const KEY: &str = "sk-test-0123456789-hush";

/// A client of `url`; `more` adds settings.
pub fn client(provider: &str, url: &str, more: Value) -> Client {
    let mut settings =
        json!({"provider": provider, "base_url": url, "model": "m-1", "api_key": KEY});
    for (key, value) in more.as_object().into_iter().flatten() {
        settings[key] = value.clone();
    }
    let default: ModelSettings = serde_json::from_value(settings).unwrap();
    Client::new(&Settings { default: Some(default), ..Settings::default() }).unwrap()
}

/// Asks as a worker.
pub async fn ask(client: &Client, messages: &[Message], tools: &[ToolSpec]) -> Result<Turn, Fault> {
    let request =
        Request { role: Role::Worker, session: "s-1", system: "You work.", tools, messages };
    client.complete(&request, &mut |_| {}).await
}

/// Starts a server with one answer and asks it once.
pub async fn once(provider: &str, more: Value, acts: Vec<Act>) -> Result<Turn, Fault> {
    let server = RawServer::start(always(acts)).await;
    ask(&client(provider, &server.url, more), &[user("go")], &[]).await
}

pub fn user(text: &str) -> Message {
    Message::User { text: text.into() }
}

pub fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: arguments.as_object().unwrap().clone() }
}

pub fn result(id: &str, content: &str) -> Message {
    Message::Tool { call_id: id.into(), content: content.into(), is_error: false }
}

pub fn tools() -> Vec<ToolSpec> {
    ["read_file", "search"]
        .map(|name| ToolSpec {
            name: name.into(),
            description: format!("does {name}"),
            schema: json!({"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "integer"}}, "required": ["z"]}),
        })
        .to_vec()
}

/// A session of three turns with parallel calls, as it grows: each step is what one request sends.
pub fn growing_session() -> Vec<Vec<Message>> {
    let all = [
        user("go 🦀"),
        Message::Assistant {
            text: "I look.".into(),
            calls: vec![
                call("c1", "read_file", json!({"z": "b", "a": 1})),
                call("c2", "search", json!({})),
            ],
        },
        result("c1", "one\n\"two\""),
        result("c2", ""),
        Message::Assistant {
            text: String::new(),
            calls: vec![call("c3", "search", json!({"z": "é"}))],
        },
        result("c3", "three"),
        user("and now finish"),
    ];
    [1, 4, 6, 7].map(|length| all[..length].to_vec()).to_vec()
}

/// Asserts that every body begins with all of the body before it, up to the end of its last message.
pub fn assert_stable_prefix(bodies: &[String]) {
    for pair in bodies.windows(2) {
        let prefix = pair[0].strip_suffix("]}").expect("the messages come last");
        assert!(pair[1].starts_with(prefix), "\n{}\n{}", pair[0], pair[1]);
        assert!(pair[1].len() > pair[0].len());
    }
}
