//! The agent's side of the protocol: its methods by name, the workspaces and the sessions that are open.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::editor::ClientFiles;
use super::schema::{
    Client, ListSessions, LoadSession, NOT_FOUND, NewSession, OfSession, Prompt, SetMode, VERSION,
    failed, invalid, read, refused,
};
use super::session::{Session, Workspace, modes};
use super::{Connect, prompt, session, turn, update};
use crate::mission::Mode;
use crate::mission::view::MissionView;
use crate::runtime::{Seen, load_views, new_mark};
use crate::server::peer::{Dialect, Peer};
use crate::wire::{Id, ResponseError};

type Answer = Result<Value, ResponseError>;
type Opening = Arc<OnceCell<Arc<Workspace>>>;

/// How many sessions one answer lists.
const LISTED: usize = 100;

/// The agent.
pub struct Agent {
    /// The client, to be spoken to.
    pub peer: Peer,
    connect: Connect,
    client: OnceLock<Client>,
    /// By folder, without symbolic links.
    workspaces: Mutex<HashMap<PathBuf, Opening>>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// Sessions by the requests that opened them, until those are answered.
    opened: Mutex<HashMap<Id, Arc<Session>>>,
    ending: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer that is there already.
fn now(answer: Answer) -> BoxFuture<'static, Answer> {
    std::future::ready(answer).boxed()
}

impl Agent {
    /// An agent that knows nobody yet.
    pub fn new(connect: Connect) -> Agent {
        Agent {
            peer: Peer::new(Dialect::Acp),
            connect,
            client: OnceLock::new(),
            workspaces: Mutex::default(),
            sessions: Mutex::default(),
            opened: Mutex::default(),
            ending: CancellationToken::new(),
        }
    }

    /// Handles a request; `None` where nobody knows the method. What has to be in order is done when this returns.
    pub fn call(
        self: &Arc<Agent>,
        id: &Id,
        method: &str,
        params: Option<Value>,
    ) -> Option<BoxFuture<'static, Answer>> {
        let (agent, id) = (Arc::clone(self), id.clone());
        Some(match method {
            "initialize" => now(self.initialize(&params.unwrap_or_default())),
            "authenticate" => now(Ok(json!({}))),
            "session/new" => async move { agent.new_session(id, read(params)?).await }.boxed(),
            "session/load" => async move { agent.load(id, read(params)?, true).await }.boxed(),
            "session/resume" => async move { agent.load(id, read(params)?, false).await }.boxed(),
            "session/list" => async move { agent.list(read(params)?).await }.boxed(),
            "session/close" => now(read(params).and_then(|of| self.close(&of))),
            "session/set_mode" => now(read(params).and_then(|set| self.set_mode(&set))),
            "session/prompt" => match read(params).and_then(|p| self.prompt(&id, &p)) {
                Ok(answer) => answer,
                Err(error) => now(Err(error)),
            },
            #[cfg(debug_assertions)]
            "_orchestrator/test_panic" => panicking().boxed(),
            _ => return None,
        })
    }

    /// Takes a notification; one that nobody knows is passed over.
    pub fn note(&self, method: &str, params: Option<Value>) {
        match method {
            "session/cancel" => {
                if let Ok(session) = read(params).and_then(|of| self.session(&of)) {
                    session.cancel();
                }
            }
            "$/cancel_request" => {
                let wanted = params.and_then(|params| params.get("requestId").cloned());
                let sessions = lock(&self.sessions);
                let is_asked = |session: &&Arc<Session>| session.serves(wanted.as_ref());
                if let Some(session) = sessions.values().find(is_asked) {
                    session.cancel();
                }
            }
            _ => tracing::debug!("{method} is passed over"),
        }
    }

    fn initialize(&self, params: &Value) -> Answer {
        if !params.get("protocolVersion").is_some_and(Value::is_u64) {
            return Err(invalid("`protocolVersion` is missing, or no number".to_owned()));
        }
        if self.client.set(Client::of(params)).is_err() {
            return Err(refused("this connection is initialized already".to_owned()));
        }
        Ok(json!({
            "protocolVersion": VERSION,
            "agentCapabilities": {
                "loadSession": true,
                "promptCapabilities": { "image": false, "audio": false, "embeddedContext": true },
                "mcpCapabilities": { "http": false, "sse": false },
                "sessionCapabilities": { "list": {}, "resume": {}, "close": {} },
            },
            "agentInfo": {
                "name": "orchestrator",
                "title": "Orchestrator",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "authMethods": [],
        }))
    }

    async fn new_session(&self, by: Id, params: NewSession) -> Answer {
        let workspace = self.workspace(&params.cwd).await?;
        let servers = params.mcp_servers.as_array().map_or(0, Vec::len);
        if servers > 0 {
            tracing::info!("{servers} MCP servers are not used: agents have tools of their own");
        }
        let session = self.open(by, new_mark(), &params.cwd, workspace, true);
        Ok(json!({ "sessionId": session.id, "modes": modes(session.mode()) }))
    }

    /// Opens a session that was there before; with `replay` its story is shown again, else it goes on from there.
    async fn load(&self, by: Id, params: LoadSession, replay: bool) -> Answer {
        let LoadSession { session_id: id, cwd } = params;
        let workspace = self.workspace(&cwd).await?;
        if self.session_of(&id).is_some_and(|session| session.is_busy()) {
            return Err(refused(format!("session `{id}` is at work on a prompt")));
        }
        let (root, name) = (workspace.root.clone(), id.clone());
        let views = tokio::task::spawn_blocking(move || load_views(&root, Seen::Session(&name)));
        let views = views.await.map_err(|e| failed(e.to_string()))?;
        let mut views = views.map_err(|e| failed(e.to_string()))?;
        if !views.iter().any(|view| view.id.0 == id) {
            let message = format!("there is no session `{id}` in {}", cwd.display());
            return Err(ResponseError { code: NOT_FOUND, message, data: None });
        }
        views.sort_by_key(|view| view.started_at);
        let session = self.open(by, id, &cwd, workspace, false);
        session.replay(&views, replay).await;
        Ok(json!({ "modes": modes(session.mode()) }))
    }

    async fn list(&self, params: ListSessions) -> Answer {
        let folders = match params.cwd {
            Some(cwd) => vec![cwd],
            None => lock(&self.workspaces).keys().cloned().collect(),
        };
        let listed = tokio::task::spawn_blocking(move || {
            let listed = folders.iter().flat_map(|cwd| sessions_in(cwd));
            listed.take(LISTED).collect::<Vec<_>>()
        });
        let listed = listed.await.map_err(|e| failed(e.to_string()))?;
        Ok(json!({ "sessions": listed }))
    }

    fn close(&self, of: &OfSession) -> Answer {
        let session = self.session(of)?;
        session.cancel();
        lock(&self.sessions).remove(&session.id);
        Ok(json!({}))
    }

    fn set_mode(&self, set: &SetMode) -> Answer {
        let session = self.session_of(&set.session_id).ok_or_else(|| unknown(&set.session_id))?;
        let mode = match set.mode_id.as_str() {
            "task" => Mode::Task,
            "plan" => Mode::Plan,
            other => return Err(invalid(format!("there is no mode `{other}`: task, or plan"))),
        };
        session.set_mode(mode);
        Ok(json!({}))
    }

    fn prompt(
        &self,
        id: &Id,
        params: &Prompt,
    ) -> Result<BoxFuture<'static, Answer>, ResponseError> {
        let session = self.session_of(&params.session_id);
        let session = session.ok_or_else(|| unknown(&params.session_id))?;
        let asked = prompt::read(&params.prompt, &session.cwd);
        turn::begin(session, id, asked)
    }

    fn session_of(&self, id: &str) -> Option<Arc<Session>> {
        lock(&self.sessions).get(id).cloned()
    }

    fn session(&self, of: &OfSession) -> Result<Arc<Session>, ResponseError> {
        self.session_of(&of.session_id).ok_or_else(|| unknown(&of.session_id))
    }

    fn open(
        &self,
        by: Id,
        id: String,
        cwd: &Path,
        workspace: Arc<Workspace>,
        is_new: bool,
    ) -> Arc<Session> {
        let (peer, ending) = (self.peer.clone(), self.ending.clone());
        let session = Arc::new(Session::new(id, cwd, workspace, peer, ending, is_new));
        lock(&self.sessions).insert(session.id.clone(), Arc::clone(&session));
        session.workspace.files.is_seen_by(&session.id, cwd);
        lock(&self.opened).insert(by, Arc::clone(&session));
        session
    }

    /// A request was answered: the client knows the session that it opened, and is told the session's commands.
    pub fn answered(&self, request: &Id) {
        if let Some(session) = lock(&self.opened).remove(request) {
            session.update(update::commands());
        }
    }

    /// The workspace of a folder. It is opened once, and tried again where that failed.
    async fn workspace(&self, cwd: &Path) -> Result<Arc<Workspace>, ResponseError> {
        let client = *self.client.get().ok_or_else(|| refused("say `initialize` first".into()))?;
        if !cwd.is_absolute() {
            return Err(invalid(format!("`cwd` is not absolute: {}", cwd.display())));
        }
        let root = cwd.canonicalize().ok().filter(|root| root.is_dir());
        let root = root.ok_or_else(|| invalid(format!("{} is not a folder", cwd.display())))?;
        let opening = Arc::clone(lock(&self.workspaces).entry(root.clone()).or_default());
        let opened = opening.get_or_try_init(|| async {
            let files = Arc::new(ClientFiles::new(self.peer.clone(), client.reads_files, &root));
            let (connect, editor) = (Arc::clone(&self.connect), Arc::clone(&files));
            let place = root.clone();
            let connected = tokio::task::spawn_blocking(move || connect(&place, editor));
            let runtime = connected.await.map_err(|e| e.to_string())??;
            Ok::<_, String>(Arc::new(Workspace { root: root.clone(), runtime, files }))
        });
        opened.await.cloned().map_err(failed)
    }

    /// Nobody is served any more: what waits for a mission or for the client is answered at once.
    pub fn end(&self) {
        self.ending.cancel();
        self.peer.end();
    }

    /// Lets the runtimes end what they are at, for at most `limit`.
    pub async fn stop(&self, limit: Duration) {
        let opened: Vec<Opening> =
            lock(&self.workspaces).drain().map(|(_, opened)| opened).collect();
        let stops = opened.iter().filter_map(|opened| opened.get()).map(|workspace| {
            let runtime = workspace.runtime.clone();
            tokio::task::spawn_blocking(move || runtime.stop())
        });
        let all = futures_util::future::join_all(stops.collect::<Vec<_>>());
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!(
                "the missions did not stop within {limit:?}; the journal has what was done"
            );
        }
    }
}

/// Shows, in debug builds only, that a panic costs one request.
#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "panicking is what it is for")]
async fn panicking() -> Answer {
    panic!("a test asked for this panic");
}

fn unknown(id: &str) -> ResponseError {
    let message = format!("there is no open session `{id}`; session/load opens one");
    ResponseError { code: NOT_FOUND, message, data: None }
}

/// The sessions of a workspace, the newest first. One that cannot be read has none to show.
fn sessions_in(cwd: &Path) -> Vec<Value> {
    let views = load_views(cwd, Seen::Recent).unwrap_or_default();
    let mut firsts: Vec<&MissionView> =
        views.iter().filter(|view| session::of(&view.id) == view.id.0).collect();
    firsts.sort_by_key(|view| std::cmp::Reverse(view.started_at));
    let entry = |view: &&MissionView| json!({ "sessionId": view.id, "cwd": cwd, "title": prompt::title(&view.goal) });
    firsts.iter().map(entry).collect()
}
