//! Children of a bench: this very binary, started, spoken to and ended.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{CliError, environment};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a program (this binary when `None`) to its end and says how long that took.
pub(super) fn measure_start(
    program: Option<&str>,
    arguments: &[&str],
    variables: &[(String, String)],
) -> Result<Duration, CliError> {
    let own = std::env::current_exe().map_err(environment)?;
    let program = program.map_or(own.as_path(), Path::new);
    let began = Instant::now();
    Command::new(program)
        .args(arguments)
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(environment)?;
    Ok(began.elapsed())
}

/// A figure of a process's memory in KiB (`VmRSS` now, `VmHWM` at its peak), where the system says it.
pub(super) fn memory_kb(id: u32, figure: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(figure))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The processor time of a process so far, threads that have ended included, in seconds, where the system says it. Its
/// unit is a hundredth of a second.
pub(super) fn cpu_used(id: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th after it.
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    (ticks.len() == 2).then(|| ticks.iter().sum::<f64>() / 100.0)
}

/// The processor time of a process and its threads so far, in seconds, where the system says it.
pub(super) fn cpu_seconds(id: u32) -> Option<f64> {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).ok()?.flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    Some(nanoseconds.sum::<f64>() / 1e9)
}

/// An `orchestrator lsp` that was initialized. Dropping it kills it.
pub(super) struct Server {
    child: Child,
    stdin: ChildStdin,
    messages: Receiver<Value>,
    /// Missions' views that came while something else was waited for.
    views: VecDeque<Value>,
    answered: Instant,
    next_id: u64,
}

impl Server {
    pub fn start(workspace: &Path, variables: &[(String, String)]) -> Result<Server, CliError> {
        let mut child = Command::new(std::env::current_exe().map_err(environment)?)
            .arg("lsp")
            .envs(variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(environment)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(environment("the child has no pipes"));
        };
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            while let Some(message) = read_message(&mut reader) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let (views, answered) = (VecDeque::new(), Instant::now());
        let mut server = Server { child, stdin, messages, views, answered, next_id: 0 };
        let root = format!("file://{}", workspace.display());
        let options = json!({"missionNotifications": true});
        let capabilities = json!({"experimental": {"orchestrator": {"mission": true}}});
        server.request("initialize", json!({
            "processId": null, "rootUri": root, "capabilities": capabilities, "initializationOptions": options,
        }))?;
        server.answered = Instant::now();
        server.send(&json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}))?;
        // An answered command shows that the workspace is connected.
        server.command("orchestrator.status", json!([]))?;
        Ok(server)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// When the answer to `initialize` was there.
    pub fn answered_at(&self) -> Instant {
        self.answered
    }

    pub fn task(&mut self, goal: &str) -> Result<(), CliError> {
        self.command("orchestrator.task", json!([goal])).map(|_| ())
    }

    pub fn command(&mut self, name: &str, arguments: Value) -> Result<Value, CliError> {
        self.request("workspace/executeCommand", json!({"command": name, "arguments": arguments}))
    }

    /// Waits for the mission notification that says it has ended.
    pub fn wait_for_end(&mut self, patience: Duration) -> Result<(), CliError> {
        self.wait_for_view(patience, |view| !view["end"].is_null())
    }

    /// Waits for a mission's view of that sort.
    pub fn wait_for_view(
        &mut self,
        patience: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<(), CliError> {
        let until = Instant::now() + patience;
        loop {
            while let Some(view) = self.views.pop_front() {
                if fits(&view) {
                    return Ok(());
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let message = message.map_err(|_| environment("the mission did not get there"))?;
            self.keep(message);
        }
    }

    fn keep(&mut self, mut message: Value) {
        if message["method"] == "orchestrator/mission" {
            self.views.push_back(message["params"].take());
        }
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, CliError> {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let message = self
                .messages
                .recv_timeout(PATIENCE)
                .map_err(|_| environment("the server does not answer"))?;
            if message["id"] == json!(id) && message.get("method").is_none() {
                return match message.get("error") {
                    Some(error) => Err(environment(error)),
                    None => Ok(message["result"].clone()),
                };
            }
            self.keep(message);
        }
    }

    fn send(&mut self, message: &Value) -> Result<(), CliError> {
        let body = message.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{body}", body.len())
            .and_then(|()| self.stdin.flush())
            .map_err(environment)
    }

    pub fn stop(mut self) {
        // Dropping kills it anyway; this is the polite way first.
        let _ = self.request("shutdown", Value::Null);
        let _ = self.send(&json!({"jsonrpc": "2.0", "method": "exit"}));
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_message(reader: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some((_, value)) =
            line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
