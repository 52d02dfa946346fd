//! A provider whose every answer a test decides, and that can stop in the middle of one. It keeps the requests as they
//! came, and knows which of its connections the client has let go.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use super::client::DEADLINE;
use super::project::Project;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub role: Role,
    /// `mission/session`
    pub session: String,
    /// The session's first message.
    pub brief: String,
    /// How many turns the session had already.
    pub turns: usize,
    pub body: String,
}

impl Request {
    /// The session's goal, as the brief tells it.
    pub fn goal(&self) -> &str {
        let after = self.brief.split("<goal>").nth(1).unwrap_or_default();
        after.split("</goal>").next().unwrap_or_default().trim()
    }
}

/// What is answered.
pub enum Reply {
    /// One call.
    Call(&'static str, Value),
    /// A refusal with that status.
    Status(u16),
    /// Half of an answer, and then nothing more.
    Half,
}

#[derive(Default)]
struct Desk {
    requests: Vec<Request>,
    /// Half answers that the client has let go.
    dropped: usize,
}

type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A running provider. Its threads end with their connections.
pub struct Provider {
    url: String,
    desk: Arc<(Mutex<Desk>, Condvar)>,
}

impl Provider {
    pub fn answering(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let desk = Arc::<(Mutex<Desk>, Condvar)>::default();
        let (handler, shared): (Handler, _) = (Arc::new(answer), desk.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (handler, desk) = (handler.clone(), shared.clone());
                std::thread::spawn(move || serve(stream, &handler, &desk));
            }
        });
        Provider { url, desk }
    }

    /// The variables that point the program here.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("ORCHESTRATOR_PROVIDER", "replay".to_owned()),
            ("ORCHESTRATOR_BASE_URL", self.url.clone()),
            ("ORCHESTRATOR_MODEL", "local".to_owned()),
        ]
    }

    /// The project with this model configured.
    pub fn serving(&self, project: Project) -> Project {
        self.variables()
            .into_iter()
            .fold(project, |project, (name, value)| project.with(name, value))
    }

    pub fn requests(&self) -> Vec<Request> {
        self.desk.0.lock().unwrap().requests.clone()
    }

    /// Waits until the requests are such.
    pub fn until_asked(&self, holds: impl Fn(&[Request]) -> bool) {
        self.until("the request", |desk| holds(&desk.requests));
    }

    /// Waits until the client has let go of that many half answers.
    pub fn until_dropped(&self, count: usize) {
        self.until("the end of a connection", |desk| desk.dropped >= count);
    }

    fn until(&self, what: &str, holds: impl Fn(&Desk) -> bool) {
        let end = Instant::now() + DEADLINE;
        let mut desk = self.desk.0.lock().unwrap();
        while !holds(&desk) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not come: {:#?}", summary(&desk.requests));
            desk = self.desk.1.wait_timeout(desk, left).unwrap().0;
        }
    }
}

fn summary(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|r| format!("{} {} turn {}", r.session, r.role, r.turns)).collect()
}

fn serve(mut stream: TcpStream, handler: &Handler, desk: &(Mutex<Desk>, Condvar)) {
    while let Some(request) = receive(&mut stream) {
        desk.0.lock().unwrap().requests.push(request.clone());
        desk.1.notify_all();
        // A handler may take its time.
        let reply = handler(&request);
        let written = match &reply {
            Reply::Call(name, arguments) => respond(&mut stream, 200, &turn(name, arguments)),
            Reply::Status(status) => {
                respond(&mut stream, *status, "{\"error\": {\"message\": \"not now\"}}")
            }
            Reply::Half => {
                let _ = stream.write_all(&chunked(200, "data: {\"choices\": [{\"index\": 0, \"delta\": {\"role\": \"assistant\", \"content\": \"I thi\"}}]}\n\n"));
                // Nothing more comes from a client that waits; what ends is the connection.
                let _ = stream.read(&mut [0]);
                desk.0.lock().unwrap().dropped += 1;
                desk.1.notify_all();
                return;
            }
        };
        if written.is_err() {
            return;
        }
    }
}

fn receive(stream: &mut TcpStream) -> Option<Request> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let mut body = vec![0; header("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    let role = header("x-orchestrator-role")?;
    let body = String::from_utf8(body).ok()?;
    let json: Value = serde_json::from_str(&body).ok()?;
    let messages = json["messages"].as_array().cloned().unwrap_or_default();
    let brief = messages.iter().find(|m| m["role"] == "user");
    Some(Request {
        role: Role::ALL.into_iter().find(|known| known.name() == role)?,
        session: header("x-orchestrator-session")?,
        brief: brief.and_then(|m| m["content"].as_str()).unwrap_or_default().to_owned(),
        turns: messages.iter().filter(|m| m["role"] == "assistant").count(),
        body,
    })
}

fn turn(name: &str, arguments: &Value) -> String {
    let call = json!({"index": 0, "id": format!("call-{name}"), "type": "function",
        "function": {"name": name, "arguments": arguments.to_string()}});
    let chunk = json!({"choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}, "finish_reason": null}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 2}});
    format!("data: {chunk}\n\ndata: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}

fn chunked(status: u16, body: &str) -> Vec<u8> {
    let kind = if status == 200 { "text/event-stream" } else { "application/json" };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    format!("{head}{:x}\r\n{body}\r\n", body.len()).into_bytes()
}

fn respond(stream: &mut TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let mut bytes = chunked(status, body);
    bytes.extend_from_slice(b"0\r\n\r\n");
    stream.write_all(&bytes)
}
