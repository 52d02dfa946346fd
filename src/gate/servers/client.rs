//! A JSON-RPC client of one downstream server: requests, notifications, and answers to what the server asks.
//!
//! Reader, writer and stderr have a task each. Ids are taken and messages are queued synchronously, so the order of calls
//! is the order on the wire. Dropping a request cancels it; the end of the stream fails all that are pending.
//! It must not know about documents, diagnostics or readiness.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::process::{Pipes, Process};
use super::uri;
use crate::wire::{
    Frame, FrameReader, Id, Message, Notification, Request, Response, ResponseError, code,
    write_frame,
};

/// How many lines of a server's stderr are kept for the reason of its end.
const STDERR_LINES: usize = 6;

/// What a server says of itself outside of answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Why there is nobody to talk to any more.
    pub gone: Option<String>,
    /// `experimental/serverStatus`: idle, with everything loaded. `None` before it was ever said.
    pub quiescent: Option<bool>,
    /// `experimental/serverStatus`: what ails it, `None` while all is well.
    pub ailment: Option<String>,
    /// How often it was heard to be loading or ailing; what was proved before the last time is proved no more.
    pub unsettled: u64,
    /// `$/typescriptVersion`: the compiler that works behind the server.
    pub compiler: Option<String>,
    /// The title of the work that was begun last, for people who wait.
    pub doing: Option<String>,
}

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The server has ended or cannot be understood.
    #[error("{0}")]
    Gone(String),
    /// The server refused the call.
    #[error("{method} failed: {error}")]
    Refused {
        /// The method.
        method: &'static str,
        /// What the server said.
        error: ResponseError,
    },
}

/// What a server published of one file last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Published {
    /// The version of the document that it speaks of, where it says so.
    pub version: Option<i64>,
    /// The diagnostics as they came.
    pub items: Vec<Value>,
}

type Pending = HashMap<i64, oneshot::Sender<Result<Value, ResponseError>>>;

/// What the tasks and the callers share.
#[derive(Debug)]
struct Shared {
    name: String,
    out: mpsc::UnboundedSender<Message>,
    pending: Mutex<Pending>,
    status: watch::Sender<Status>,
    published: watch::Sender<HashMap<PathBuf, Published>>,
    settings: Value,
    stderr: Mutex<VecDeque<String>>,
}

/// The client. Dropping it kills the server and everything the server started.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    next_id: AtomicI64,
    process: Process,
    _tasks: JoinSet<()>,
}

impl Client {
    /// Takes over the pipes of a started server; `settings` answers its `workspace/configuration`.
    pub fn new(name: &str, process: Process, pipes: Pipes, settings: Value) -> Client {
        let (out, outbox) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            out,
            pending: Mutex::default(),
            status: watch::Sender::default(),
            published: watch::Sender::default(),
            settings,
            stderr: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(write(pipes.stdin, outbox));
        tasks.spawn(read(pipes.stdout, listen(pipes.stderr, shared.clone()), shared.clone()));
        Client { shared, next_id: AtomicI64::new(1), process, _tasks: tasks }
    }

    /// Sends a request now and waits for the answer. Dropping the future sends `$/cancelRequest`.
    ///
    /// # Errors
    /// When the server refuses, or ends first.
    pub fn request(
        &self,
        method: &'static str,
        params: Option<Value>,
    ) -> impl Future<Output = Result<Value, CallError>> + Send + use<> {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&self.shared.pending).insert(number, answer);
        let call = Call { shared: self.shared.clone(), number };
        let request = Request { id: Id::Number(number), method: method.to_owned(), params };
        call.shared.send(request.into());
        async move {
            // The end of the server may have come before the entry was made; then nobody else will take it out.
            if let Some(why) = call.shared.status.borrow().gone.clone() {
                return Err(CallError::Gone(why));
            }
            match answered.await {
                Ok(outcome) => outcome.map_err(|error| CallError::Refused { method, error }),
                Err(_) => Err(CallError::Gone(call.shared.why_gone())),
            }
        }
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, params: Option<Value>) {
        self.shared.send(Notification { method: method.to_owned(), params }.into());
    }

    /// What the server says of itself, as it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    /// What the server published of each file last, as it changes.
    pub fn published(&self) -> watch::Receiver<HashMap<PathBuf, Published>> {
        self.shared.published.subscribe()
    }

    /// The id of the server's process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Asks the server to end and waits for it.
    ///
    /// # Errors
    /// When it does not understand, or its end cannot be observed; dropping the client ends it for certain.
    pub async fn shutdown(mut self) -> Result<(), CallError> {
        self.request("shutdown", None).await?;
        self.notify("exit", None);
        self.process.wait().await.map_err(|error| CallError::Gone(error.to_string()))
    }
}

/// A request under way. Its end, however it comes about, leaves no trace in the table.
struct Call {
    shared: Arc<Shared>,
    number: i64,
}

impl Drop for Call {
    fn drop(&mut self) {
        if lock(&self.shared.pending).remove(&self.number).is_some() {
            let params = Some(json!({ "id": self.number }));
            self.shared.send(Notification { method: "$/cancelRequest".to_owned(), params }.into());
        }
    }
}

impl Shared {
    fn send(&self, message: Message) {
        if self.out.send(message).is_err() {
            tracing::debug!(server = self.name, "a message was not sent: the server has ended");
        }
    }

    fn why_gone(&self) -> String {
        let gone = self.status.borrow().gone.clone();
        gone.unwrap_or_else(|| format!("{} ended", self.name))
    }

    fn end(&self, why: &str) {
        let said = Vec::from_iter(lock(&self.stderr).iter().cloned()).join(" / ");
        let said = if said.is_empty() { said } else { format!(": {said}") };
        self.status.send_modify(|status| status.gone = Some(format!("{} {why}{said}", self.name)));
        lock(&self.pending).clear();
    }

    fn receive(&self, body: &[u8]) {
        match Message::parse(body) {
            Ok(Message::Response(Response { id: Some(Id::Number(number)), outcome })) => {
                // A late answer to a cancelled request has nobody to go to.
                if let Some(answer) = lock(&self.pending).remove(&number) {
                    answer.send(outcome).ok();
                }
            }
            Ok(Message::Response(response)) => {
                tracing::warn!(server = self.name, ?response, "an answer to no request")
            }
            Ok(Message::Request(request)) => {
                let outcome = self.serve(&request);
                self.send(Response { id: Some(request.id), outcome }.into());
            }
            Ok(Message::Notification(notification)) => self.note(&notification),
            Err(error) => tracing::warn!(server = self.name, "{error}"),
        }
    }

    fn serve(&self, request: &Request) -> Result<Value, ResponseError> {
        let refresh =
            request.method.starts_with("workspace/") && request.method.ends_with("/refresh");
        match request.method.as_str() {
            "workspace/configuration" => Ok(self.configuration(request.params.as_ref())),
            // Nothing that a server computes is ever applied behind the gate's back.
            "workspace/applyEdit" => {
                Ok(json!({ "applied": false, "failureReason": "edits are not taken unasked" }))
            }
            "client/registerCapability"
            | "client/unregisterCapability"
            | "window/workDoneProgress/create"
            | "window/showMessageRequest" => Ok(Value::Null),
            "workspace/workspaceFolders" => Ok(Value::Null),
            _ if refresh => Ok(Value::Null),
            other => {
                let message = format!("{other} is not served");
                Err(ResponseError { code: code::METHOD_NOT_FOUND, message, data: None })
            }
        }
    }

    fn configuration(&self, params: Option<&Value>) -> Value {
        let items = params.and_then(|params| params.get("items")).and_then(Value::as_array);
        let answer = |item: &Value| match item.get("section").and_then(Value::as_str) {
            Some(section) if section != self.name => look_up(&self.settings, section),
            _ => self.settings.clone(),
        };
        items.into_iter().flatten().map(answer).collect()
    }

    fn note(&self, notification: &Notification) {
        let params = notification.params.as_ref().unwrap_or(&Value::Null);
        match notification.method.as_str() {
            "experimental/serverStatus" => self.status.send_modify(|status| {
                status.quiescent = params["quiescent"].as_bool();
                let message = params["message"].as_str().unwrap_or("it gave no reason");
                status.ailment = (params["health"] != "ok").then(|| message.trim().to_owned());
                if status.quiescent != Some(true) || status.ailment.is_some() {
                    status.unsettled += 1;
                }
            }),
            "textDocument/publishDiagnostics" => self.publish(params),
            "$/typescriptVersion" => self.status.send_modify(|status| {
                status.compiler =
                    params["version"].as_str().map(|version| format!("typescript {version}"));
            }),
            "$/progress" => {
                if let Some(title) = params["value"]["title"].as_str() {
                    self.status.send_modify(|status| status.doing = Some(title.to_owned()));
                }
            }
            _ => {}
        }
    }
}

impl Shared {
    fn publish(&self, params: &Value) {
        let Some(path) = params["uri"].as_str().and_then(uri::to_path) else {
            return;
        };
        let items = params["diagnostics"].as_array().cloned().unwrap_or_default();
        let published = Published { version: params["version"].as_i64(), items };
        self.published.send_modify(|all| drop(all.insert(path, published)));
    }
}

/// `a.b` of the settings, null for what is not there.
fn look_up(settings: &Value, section: &str) -> Value {
    let found = section.split('.').try_fold(settings, |value, key| value.get(key));
    found.cloned().unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn write(mut stdin: ChildStdin, mut outbox: mpsc::UnboundedReceiver<Message>) {
    while let Some(message) = outbox.recv().await {
        if let Err(error) = write_frame(&mut stdin, &message.to_bytes()).await {
            // The reader sees the same end and says why.
            tracing::debug!("failed to write to a server: {error}");
            return;
        }
    }
}

async fn read(stdout: ChildStdout, stderr: impl Future<Output = ()>, shared: Arc<Shared>) {
    let incoming = async {
        let mut frames = FrameReader::new(stdout);
        loop {
            match frames.next().await {
                Ok(Some(Frame::Body(body))) => shared.receive(&body),
                Ok(Some(Frame::TooLarge { len })) => {
                    break format!("sent a message of {len} bytes, which is too large");
                }
                Ok(Some(Frame::BadHeader { why })) => tracing::warn!(server = shared.name, "{why}"),
                Ok(None) => break "ended".to_owned(),
                Err(error) => break format!("ended ({error})"),
            }
        }
    };
    tokio::pin!(stderr);
    tokio::pin!(incoming);
    let why = tokio::select! {
        why = &mut incoming => why,
        () = &mut stderr => {
            shared.end(&incoming.await);
            return;
        }
    };
    // The last words may still be in the pipe; a grandchild that holds it open must not keep us.
    tokio::time::timeout(Duration::from_millis(200), stderr).await.ok();
    shared.end(&why);
}

/// Keeps the last lines that the server says to people.
async fn listen(stderr: ChildStderr, shared: Arc<Shared>) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match read_line(&mut reader, &mut line).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if text.is_empty() {
            continue;
        }
        tracing::debug!(server = shared.name, "{text}");
        let mut kept = lock(&shared.stderr);
        if kept.len() == STDERR_LINES {
            kept.pop_front();
        }
        kept.push_back(text);
    }
}

/// One line, of which at most 400 bytes are kept.
async fn read_line(reader: &mut BufReader<ChildStderr>, line: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        let buffer = reader.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(buffer.len(), |at| at + 1);
        let room = 400_usize.saturating_sub(line.len());
        line.extend_from_slice(&buffer[..taken.min(room)]);
        reader.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// How a server is to be started.
pub struct Start<'a> {
    /// Its name, for messages and for `workspace/configuration`.
    pub name: &'a str,
    /// The program.
    pub program: &'a std::path::Path,
    /// Its arguments.
    pub args: &'a [String],
    /// The folder it works in.
    pub folder: &'a std::path::Path,
    /// The PATH it sees.
    pub path: &'a std::ffi::OsStr,
    /// Variables set on top.
    pub environment: &'a BTreeMap<String, String>,
}

impl Start<'_> {
    /// Starts it.
    ///
    /// # Errors
    /// When the program does not start.
    pub fn client(&self, settings: Value) -> io::Result<Client> {
        let (process, pipes) =
            Process::start(self.program, self.args, self.folder, self.path, self.environment)?;
        Ok(Client::new(self.name, process, pipes, settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_looked_up_by_their_dotted_name() {
        let settings = json!({ "a": { "b": 1 } });
        assert_eq!(look_up(&settings, "a.b"), 1);
        assert_eq!(look_up(&settings, "a.c"), Value::Null);
        assert_eq!(look_up(&settings, "a.b.c"), Value::Null);
    }
}
