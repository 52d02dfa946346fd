//! A local HTTP server whose every byte a test controls, and what the tests of both wire formats share.
//!
//! Each piece of an answer is a chunk of its own on the wire, so the client sees exactly the cuts that a test makes,
//! however the kernel joins the writes. A server ends with its test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    /// Says nothing for a while, as a slow model does.
    Pause(Duration),
    /// Waits until the client closes the connection, then says so.
    Hold,
    /// Writes these bytes as one chunk, again and again with pauses, until the client closes the connection; says so.
    Drip(Vec<u8>),
    /// The same without pauses.
    Flood(Vec<u8>),
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
                Act::Chunk(bytes) => stream.write_all(&chunk(&bytes)).await,
                Act::Drip(bytes) => repeat(&mut stream, &bytes, PAUSE, &closed).await,
                Act::Flood(bytes) => repeat(&mut stream, &bytes, Duration::ZERO, &closed).await,
                Act::Pause(time) => {
                    tokio::time::sleep(time).await;
                    Ok(())
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

/// Between two pieces that only show life.
const PAUSE: Duration = Duration::from_millis(20);

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

async fn repeat(
    stream: &mut TcpStream,
    bytes: &[u8],
    pause: Duration,
    closed: &mpsc::UnboundedSender<()>,
) -> std::io::Result<()> {
    let chunk = chunk(bytes);
    loop {
        if let Err(error) = stream.write_all(&chunk).await {
            let _ = closed.send(());
            return Err(error);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Closing with unread input makes the kernel send a reset; a zero linger time does it everywhere.
fn reset(stream: TcpStream) {
    #[expect(deprecated, reason = "a zero linger time never blocks")]
    stream.set_linger(Some(Duration::ZERO)).unwrap();
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

/// One of the two wire formats, and its bytes for what tests say in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    OpenAi,
    Anthropic,
}

impl Format {
    pub const BOTH: [Format; 2] = [Format::OpenAi, Format::Anthropic];

    pub fn provider(self) -> &'static str {
        match self {
            Format::OpenAi => "openai",
            Format::Anthropic => "anthropic",
        }
    }

    /// A recorded stream of text and two calls.
    pub fn recorded(self) -> &'static str {
        match self {
            Format::OpenAi => include_str!("../../fixtures/wire/openai_calls.sse"),
            Format::Anthropic => include_str!("../../fixtures/wire/anthropic_calls.sse"),
        }
    }

    /// The turn that it is.
    pub fn recorded_turn(self) -> Turn {
        let (ids, cached) = match self {
            Format::OpenAi => (["call_a", "call_b"], 100),
            Format::Anthropic => (["toolu_a", "toolu_b"], 70),
        };
        let turn = json!({"text": "Grüße, 世界 🦀!\n", "calls": [
            {"id": ids[0], "name": "read_file", "arguments": {"path": "src/straße.rs"}},
            {"id": ids[1], "name": "search", "arguments": {"text": "é\n🦀", "n": 2}}],
            "usage": {"input": 120, "output": 30, "cached": cached, "micro_usd": 0}});
        serde_json::from_value(turn).unwrap()
    }

    /// Where in the recorded stream the event begins that makes the answer complete.
    pub fn terminal(self) -> usize {
        match self {
            Format::OpenAi => {
                let marker = self.recorded().find("\"finish_reason\": \"tool_calls\"").unwrap();
                self.recorded()[..marker].rfind("data:").unwrap()
            }
            Format::Anthropic => self.recorded().rfind("event: message_stop").unwrap(),
        }
    }

    /// The stream of an answer up to and with this text, not ended.
    pub fn text(self, text: &str) -> Vec<u8> {
        match self {
            Format::OpenAi => openai(json!({"choices": [{"delta": {"content": text}}]})),
            Format::Anthropic => [
                anthropic(json!({"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}})),
                anthropic(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
                self.more_text(text),
            ]
            .concat(),
        }
    }

    /// More text of the same answer.
    pub fn more_text(self, text: &str) -> Vec<u8> {
        match self {
            Format::OpenAi => self.text(text),
            Format::Anthropic => anthropic(
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
            ),
        }
    }

    /// The stream up to and with one call, whose arguments are this text, not ended.
    pub fn call(self, name: &str, arguments: &str) -> Vec<u8> {
        match self {
            Format::OpenAi => openai(json!({"choices": [{"delta": {"tool_calls": [
                {"index": 0, "id": "", "function": {"name": name, "arguments": arguments}}]}}]})),
            Format::Anthropic => [
                anthropic(json!({"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}})),
                anthropic(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "", "name": name, "input": {}}})),
                anthropic(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": arguments}})),
            ]
            .concat(),
        }
    }

    /// The regular end of a stream, for that reason in OpenAI's words.
    pub fn end(self, reason: &str) -> Vec<u8> {
        match self {
            Format::OpenAi => [
                openai(json!({"choices": [{"delta": {}, "finish_reason": reason}]})),
                openai(
                    json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}),
                ),
                b"data: [DONE]\n\n".to_vec(),
            ]
            .concat(),
            Format::Anthropic => {
                let reason = match reason {
                    "length" => "max_tokens",
                    "content_filter" => "refusal",
                    _ => "end_turn",
                };
                [
                    anthropic(json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 4}})),
                    anthropic(json!({"type": "message_stop"})),
                ]
                .concat()
            }
        }
    }

    /// A sign of life within a stream.
    pub fn ping(self) -> Vec<u8> {
        match self {
            Format::OpenAi => b": still here\n\n".to_vec(),
            Format::Anthropic => anthropic(json!({"type": "ping"})),
        }
    }

    /// The body of a refusal.
    pub fn error(self, kind: &str, message: &str) -> String {
        match self {
            Format::OpenAi => json!({"error": {"message": message, "type": kind, "code": kind}}),
            Format::Anthropic => {
                json!({"type": "error", "error": {"type": kind, "message": message}})
            }
        }
        .to_string()
    }
}

fn openai(chunk: Value) -> Vec<u8> {
    format!("data: {chunk}\n\n").into_bytes()
}

fn anthropic(event: Value) -> Vec<u8> {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()).into_bytes()
}

/// A complete answer of one call.
pub fn calling(format: Format, name: &str, arguments: &Value) -> Vec<Act> {
    stream(&[&format.call(name, &arguments.to_string()), &format.end("tool_calls")])
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
    let request = Request {
        role: Role::Worker,
        blocks: 0,
        session: "s-1",
        system: "You work.",
        tools,
        pinned: 0,
        messages,
        held: None,
    };
    let turn = client.complete(&request, &mut |_| {}).await?;
    assert!(turn.by.is_some(), "a turn says who gave it");
    Ok(Turn { by: None, took_ms: 0, ..turn })
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
    ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.as_object().unwrap().clone().into(),
    }
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
