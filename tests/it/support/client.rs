//! A language client over pipes: it starts the built binary and says exactly what a test tells it to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::project::Project;

/// How long a test waits before it fails. Generous: a busy machine is no defect.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// One server process and our end of its pipes. Dropping it ends the process.
pub struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Option<Receiver<Value>>,
    /// Messages that nobody has waited for yet, in their order.
    waiting: Vec<Value>,
    log: Arc<Mutex<String>>,
    last_id: i64,
    /// A model that takes requests and never answers: missions begin, and stay where they are.
    _model: TcpListener,
    _config: TempDir,
}

impl Client {
    /// Starts `orchestrator lsp` in `root`, with a model that never answers.
    pub fn start(root: &Path) -> Client {
        Client::start_with(root, &[])
    }

    /// As [`Client::start`], with more variables in its environment.
    pub fn start_with(root: &Path, environment: &[(&str, &str)]) -> Client {
        let mut client = Client::spawn(root, environment);
        let stdout = client.child.stdout.take().unwrap();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            while let Some(message) = read_message(&mut stdout) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        client.messages = Some(receiver);
        client
    }

    /// As [`Client::start`], but it never reads what the server says.
    pub fn start_deaf(root: &Path) -> Client {
        Client::spawn(root, &[])
    }

    fn spawn(root: &Path, environment: &[(&str, &str)]) -> Client {
        let model = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = tempfile::tempdir().unwrap();
        let config_file = config.path().join("config.toml");
        std::fs::write(&config_file, "").unwrap();
        let url = format!("http://{}/v1", model.local_addr().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        if !environment.iter().any(|(name, _)| *name == "ORCHESTRATOR_MODEL") {
            command.env("ORCHESTRATOR_MODEL", "silent").env("ORCHESTRATOR_BASE_URL", url);
        }
        let mut child = command
            .args(["lsp", "--stdio"])
            .env("ORCHESTRATOR_CONFIG", config_file)
            .envs(environment.iter().copied())
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the built binary starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, into) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                into.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let stdin = child.stdin.take();
        Client {
            child,
            stdin,
            messages: None,
            waiting: Vec::new(),
            log,
            last_id: 0,
            _model: model,
            _config: config,
        }
    }

    /// Starts, and initializes with `capabilities` and the workspace `root`.
    pub fn initialized(root: &Path, capabilities: Value) -> Client {
        let mut client = Client::start(root);
        let params =
            json!({ "processId": null, "rootUri": uri(root), "capabilities": capabilities });
        let answer = client.ask("initialize", params);
        assert!(answer.get("result").is_some(), "{answer}");
        client.notify("initialized", json!({}));
        client
    }

    /// Starts in a project, with its environment, and initializes with `capabilities` and `options`.
    pub fn in_project(project: &Project, capabilities: Value, options: Value) -> Client {
        let (environment, root) = (project.environment(), project.root());
        let pairs: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (&**n, &**v)).collect();
        let mut client = Client::start_with(&root, &pairs);
        let params = json!({ "processId": null, "rootUri": uri(&root),
            "capabilities": capabilities, "initializationOptions": options });
        client.ask("initialize", params);
        client.notify("initialized", json!({}));
        client
    }

    /// The code actions of a place in a document.
    pub fn actions(&mut self, uri: &str, line: u64, character: u64) -> Vec<Value> {
        let place = json!({ "line": line, "character": character });
        let params = json!({ "textDocument": { "uri": uri },
            "range": { "start": place, "end": place }, "context": { "diagnostics": [] } });
        let answer = self.ask("textDocument/codeAction", params);
        answer["result"].as_array().unwrap().clone()
    }

    /// Writes bytes; an error when the server has gone.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let stdin = self.stdin.as_mut().expect("the input is open");
        stdin.write_all(bytes)?;
        stdin.flush()
    }

    /// Sends a message in a frame.
    pub fn send(&mut self, message: &Value) {
        let frame = frame(message.to_string().as_bytes());
        self.write(&frame).expect("the server reads");
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request and returns its id.
    pub fn request(&mut self, method: &str, params: Value) -> i64 {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// Sends a request and waits for its response.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.response(id)
    }

    /// Runs a command and returns its result.
    pub fn command(&mut self, command: &str, arguments: Value) -> Value {
        let params = json!({ "command": command, "arguments": arguments });
        self.ask("workspace/executeCommand", params)
    }

    /// Answers a request of the server's.
    pub fn answer(&mut self, request: &Value, result: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }));
    }

    /// Opens a document.
    pub fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "plain", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// The response to a request.
    pub fn response(&mut self, id: i64) -> Value {
        let what = format!("the response to {id}");
        self.wait_for(&what, |message| message["id"] == id && message.get("method").is_none())
    }

    /// The next message of a method: a notification, or a request of the server's.
    pub fn wait_method(&mut self, method: &str) -> Value {
        self.wait_for(method, |message| message["method"] == method)
    }

    /// The first message that fits, and that nobody has taken before.
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(at);
        }
        let end = Instant::now() + DEADLINE;
        let messages = self.messages.as_ref().expect("this client reads");
        loop {
            match messages.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(message) if fits(&message) => return message,
                Ok(message) => self.waiting.push(message),
                Err(error) => {
                    let why = match error {
                        RecvTimeoutError::Timeout => "did not come",
                        RecvTimeoutError::Disconnected => "will not come: the server has left",
                    };
                    let log = self.log.lock().unwrap();
                    panic!("{what} {why}; it sent {:#?} and wrote\n{log}", self.waiting);
                }
            }
        }
    }

    /// Every message that has come and that nobody has waited for.
    pub fn unread(&mut self) -> &[Value] {
        let messages = self.messages.as_ref().expect("this client reads");
        self.waiting.extend(messages.try_iter());
        &self.waiting
    }

    /// Closes the server's input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Says `shutdown` and `exit`.
    pub fn leave(&mut self) -> i32 {
        self.ask("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        self.wait_exit()
    }

    /// Kills the server, which is told nothing.
    #[cfg(target_os = "linux")]
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the process ends by itself; its exit code.
    pub fn wait_exit(&mut self) -> i32 {
        self.wait_end(DEADLINE).unwrap_or_else(|| {
            panic!("the server did not end; it wrote\n{}", self.log.lock().unwrap());
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

impl Drop for Client {
    fn drop(&mut self) {
        // The end of its input lets the server end its own children first.
        self.stdin = None;
        if self.wait_end(Duration::from_secs(5)).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The bytes of a frame.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend_from_slice(body);
    frame
}

/// The `file:` URI of an absolute path.
pub fn uri(path: &Path) -> String {
    use tower_lsp::UriExt as _;
    tower_lsp::lsp_types::Uri::from_file_path(path).expect("an absolute path").as_str().to_owned()
}

fn read_message(from: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", number)) => length = number.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
