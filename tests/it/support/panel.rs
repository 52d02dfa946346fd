//! An agent panel: a client of the Agent Client Protocol over pipes. It says exactly what a test tells it to, and checks
//! every message that it gets against the protocol's own schema.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::project::Project;
use super::schema::Schema;
use super::tools;

/// How long a test waits before it fails: a whole mission with a real compiler goes by in it, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(240);

/// One agent process and our end of its pipes. Dropping it ends the process.
pub struct Panel {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Messages that nobody has waited for yet, in their order.
    waiting: Vec<Value>,
    log: Arc<Mutex<String>>,
    /// The methods of our requests.
    asked: HashMap<i64, String>,
    schema: Schema,
}

impl Panel {
    /// Starts `orchestrator acp` in a project, with its environment.
    pub fn start(project: &Project) -> Panel {
        let mut command = project.command(&["acp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built binary starts");
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, into) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                into.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let schema = "node_modules/@agentclientprotocol/sdk/schema/v1/schema.json";
        let schema = std::fs::read_to_string(tools::acp().join(schema)).unwrap();
        let stdin = child.stdin.take();
        Panel {
            child,
            stdin,
            lines,
            waiting: Vec::new(),
            log,
            asked: HashMap::new(),
            schema: Schema::read(&schema),
        }
    }

    /// Starts, and initializes with `capabilities`.
    pub fn initialized(project: &Project, capabilities: Value) -> Panel {
        let mut panel = Panel::start(project);
        let params = json!({ "protocolVersion": 1, "clientCapabilities": capabilities });
        let answer = panel.ask("initialize", params);
        assert_eq!(answer["result"]["protocolVersion"], 1, "{answer}");
        panel
    }

    /// Opens a session in a project.
    pub fn session(&mut self, project: &Project) -> String {
        let params = json!({ "cwd": project.root(), "mcpServers": [] });
        let answer = self.ask("session/new", params);
        let id = answer["result"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}"));
        id.to_owned()
    }

    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("the agent reads");
    }

    pub fn send(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes());
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request and returns its id.
    pub fn request(&mut self, method: &str, params: Value) -> i64 {
        let id = self.asked.len() as i64;
        self.asked.insert(id, method.to_owned());
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// Sends a request and waits for its response.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.response(id)
    }

    /// Says something in a session; the request's id.
    pub fn says(&mut self, session: &str, text: &str) -> i64 {
        let prompt = json!([{ "type": "text", "text": text }]);
        self.request("session/prompt", json!({ "sessionId": session, "prompt": prompt }))
    }

    /// Says something and waits for the end of the turn: the reason, and what was said before it.
    pub fn turn(&mut self, session: &str, text: &str) -> (String, String) {
        let id = self.says(session, text);
        self.ended(id)
    }

    /// Says something that is refused.
    pub fn turn_error(&mut self, session: &str, text: &str) -> Value {
        let id = self.says(session, text);
        self.response(id)
    }

    /// Waits for the end of a turn: the reason, and what was said before it.
    pub fn ended(&mut self, id: i64) -> (String, String) {
        let answer = self.response(id);
        let stop = answer["result"]["stopReason"].as_str().unwrap_or_else(|| panic!("{answer}"));
        (stop.to_owned(), self.said())
    }

    /// What the agent said, as far as nobody has taken it before.
    pub fn said(&mut self) -> String {
        let of = |update: &Value| update["content"]["text"].as_str().unwrap_or_default().to_owned();
        self.updates("agent_message_chunk").iter().map(of).collect()
    }

    /// The updates of a kind that have come, as far as nobody has taken them before.
    pub fn updates(&mut self, kind: &str) -> Vec<Value> {
        let is_it = |message: &Value| message["params"]["update"]["sessionUpdate"] == kind;
        let (found, rest) = std::mem::take(&mut self.waiting).into_iter().partition(is_it);
        self.waiting = rest;
        let found: Vec<Value> = found;
        found.into_iter().map(|mut message| message["params"]["update"].take()).collect()
    }

    /// Answers a request of the agent's.
    pub fn answer(&mut self, request: &Value, result: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }));
    }

    /// The response to a request.
    pub fn response(&mut self, id: i64) -> Value {
        let what = format!("the response to {id}");
        self.wait_for(&what, |message| message["id"] == id && message.get("method").is_none())
    }

    /// The next message of a method.
    pub fn wait_method(&mut self, method: &str) -> Value {
        self.wait_for(method, |message| message["method"] == method)
    }

    /// The first message that fits, and that nobody has taken before.
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(at);
        }
        let end = Instant::now() + DEADLINE;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let Ok(line) = line else {
                let log = self.log.lock().unwrap();
                panic!("{what} did not come; {:#?} did, and it wrote\n{log}", self.waiting);
            };
            let message: Value =
                serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            self.check(&message);
            if fits(&message) {
                return message;
            }
            self.waiting.push(message);
        }
    }

    /// Fails where a message is not what the protocol says.
    fn check(&self, message: &Value) {
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        let (method, id) = (message["method"].as_str(), message.get("id"));
        let (definition, value) = match (method, id) {
            (Some("session/update"), None) => ("SessionNotification", &message["params"]),
            (Some("$/cancel_request"), None) => ("CancelRequestNotification", &message["params"]),
            (Some("session/request_permission"), Some(_)) => {
                ("RequestPermissionRequest", &message["params"])
            }
            (Some("fs/read_text_file"), Some(_)) => ("ReadTextFileRequest", &message["params"]),
            (None, Some(_)) if message.get("error").is_some() => ("Error", &message["error"]),
            (None, Some(id)) => (self.answer_to(id), &message["result"]),
            _ => panic!("the protocol has no such message, or no need of it: {message}"),
        };
        self.schema.check(definition, value);
    }

    fn answer_to(&self, id: &Value) -> &'static str {
        let asked = id.as_i64().and_then(|id| self.asked.get(&id));
        match asked.map_or("", String::as_str) {
            "initialize" => "InitializeResponse",
            "authenticate" => "AuthenticateResponse",
            "session/new" => "NewSessionResponse",
            "session/load" => "LoadSessionResponse",
            "session/resume" => "ResumeSessionResponse",
            "session/list" => "ListSessionsResponse",
            "session/close" => "CloseSessionResponse",
            "session/set_mode" => "SetSessionModeResponse",
            "session/prompt" => "PromptResponse",
            other => panic!("an answer to {other:?}, {id}"),
        }
    }

    /// Closes the agent's input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits until the process ends by itself; its exit code.
    pub fn wait_exit(&mut self) -> i32 {
        self.wait_end(DEADLINE).unwrap_or_else(|| {
            panic!("the agent did not end; it wrote\n{}", self.log.lock().unwrap());
        })
    }

    fn wait_end(&mut self, limit: Duration) -> Option<i32> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status.code().unwrap_or(-1));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        // The end of its input lets the agent end its own children first.
        self.stdin = None;
        if self.wait_end(Duration::from_secs(10)).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
