//! What one session knows, shared by its handlers and its background tasks.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{SetOnce, watch};
use tower_lsp::lsp_types::Uri;

use super::anchors::Anchors;
use super::changes::Changes;
use super::client::Client;
use super::diagnostics::Published;
use super::documents::Documents;
use super::editor::OpenEditor;
use super::peer::Peer;
use super::root::Root;
use super::todo::TODO_PATH;
use super::trusted::Examined;
use super::{Connect, board, parent};
use crate::mission::Command;
use crate::mission::view::MissionView;
use crate::runtime::Handle;
use crate::workspace::RelPath;

/// What a command is answered with while the workspace is not trusted.
const UNTRUSTED: &str = "this workspace is not trusted, so nothing of it is run; trust it in the editor, or with the command orchestrator.trust";

/// The runtime, as far as this session has got with it.
#[derive(Clone)]
enum Runtime {
    Starting,
    Ready(Handle),
    Failed(String),
}

/// One session with one client.
pub struct Session {
    /// The client, to be spoken to.
    pub peer: Peer,
    /// What is open in it.
    pub documents: Documents,
    /// The diagnostics that it shows because of us.
    pub published: Published,
    /// Where its findings stand now.
    pub anchors: Anchors,
    /// The accepted changes that it shows.
    pub changes: Changes,
    /// What was found out of open plugins.
    pub examined: Examined,
    client: SetOnce<Client>,
    /// The client's process, seen before it can have gone: while it waits for the answer to its introduction.
    parent: SetOnce<Option<parent::Watch>>,
    root: OnceLock<Root>,
    connect: Mutex<Option<Connect>>,
    /// Whether the person trusted the workspace since the session began.
    trusted: AtomicBool,
    runtime: watch::Sender<Runtime>,
}

impl Session {
    /// A session before `initialize`.
    pub fn new(peer: Peer, connect: Connect) -> Session {
        Session {
            peer,
            documents: Documents::default(),
            published: Published::default(),
            anchors: Anchors::default(),
            changes: Changes::default(),
            examined: Examined::default(),
            client: SetOnce::new(),
            parent: SetOnce::new(),
            root: OnceLock::new(),
            connect: Mutex::new(Some(connect)),
            trusted: AtomicBool::new(false),
            runtime: watch::Sender::new(Runtime::Starting),
        }
    }

    /// Keeps what `initialize` said, and the folder that this session is for. The framework lets only one `initialize` succeed.
    pub fn introduce(&self, client: Client, root: Option<PathBuf>) {
        if let Some(root) = root {
            self.root.get_or_init(|| Root::new(root));
        }
        let watch = client.process_id.and_then(parent::Watch::new);
        if self.client.set(client).is_err() || self.parent.set(watch).is_err() {
            tracing::warn!("the client introduced itself twice");
        }
    }

    /// What the client declared; nothing before `initialize`.
    pub fn client(&self) -> &Client {
        static NOBODY: OnceLock<Client> = OnceLock::new();
        self.client.get().unwrap_or_else(|| NOBODY.get_or_init(Client::default))
    }

    /// Completes when the client's process has gone.
    pub async fn client_gone(&self) {
        parent::gone(self.parent.wait().await.as_ref()).await;
    }

    /// The workspace, if a folder is open.
    pub fn root(&self) -> Option<&Root> {
        self.root.get()
    }

    /// Whether anything of the workspace may be run: compilers run its build scripts, and missions start both.
    pub fn is_trusted(&self) -> bool {
        !self.client().untrusted || self.trusted.load(Ordering::Relaxed)
    }

    /// The person trusts the workspace, for as long as this session lasts.
    pub fn trust(self: &Arc<Session>) {
        self.trusted.store(true, Ordering::Relaxed);
        self.start();
    }

    /// Starts the runtime in the background, once, as soon as the workspace is trusted.
    pub fn start(self: &Arc<Session>) {
        if !self.is_trusted() {
            return;
        }
        let connect = self.connect.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(connect) = connect else { return };
        let Some(root) = self.root.get().cloned() else {
            let why = "no folder is open; open the project's folder and try again".to_owned();
            self.runtime.send_replace(Runtime::Failed(why));
            return;
        };
        let session = Arc::clone(self);
        tokio::spawn(async move {
            let editor = Arc::new(OpenEditor::new(&session));
            let client = session.client().clone();
            let connected = tokio::task::spawn_blocking(move || {
                let settings = client.settings.as_ref();
                connect(root.path(), editor, settings)
            });
            let runtime = match connected.await {
                Ok(Ok(handle)) => {
                    tokio::spawn(board::run(Arc::clone(&session), handle.clone()));
                    Runtime::Ready(handle)
                }
                Ok(Err(why)) => Runtime::Failed(why),
                Err(error) => Runtime::Failed(format!("failed to start the runtime: {error}")),
            };
            session.runtime.send_replace(runtime);
        });
    }

    /// The runtime, once it has started. It starts within milliseconds of `initialized`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn runtime(self: &Arc<Session>) -> Result<Handle, String> {
        if !self.is_trusted() {
            return Err(UNTRUSTED.to_owned());
        }
        self.start();
        let mut runtime = self.runtime.subscribe();
        loop {
            match &*runtime.borrow_and_update() {
                Runtime::Ready(handle) => return Ok(handle.clone()),
                Runtime::Failed(why) => return Err(why.clone()),
                Runtime::Starting => {}
            }
            if runtime.changed().await.is_err() {
                return Err("the session has ended".to_owned());
            }
        }
    }

    /// Lets the runtime end what it is at, for at most `limit`.
    pub async fn stop(&self, limit: Duration) {
        let runtime = self.runtime.send_replace(Runtime::Failed("the session has ended".into()));
        let Runtime::Ready(handle) = runtime else { return };
        let stopped = tokio::task::spawn_blocking(move || handle.stop());
        if tokio::time::timeout(limit, stopped).await.is_err() {
            tracing::warn!(
                "the missions did not stop within {limit:?}; the journal has what was done"
            );
        }
    }

    /// The person renamed a file: what missions say of it goes with it.
    pub fn moved(&self, from: &RelPath, to: &RelPath) {
        self.anchors.moved(from, to);
        let Runtime::Ready(handle) = &*self.runtime.borrow() else { return };
        for view in handle.views().iter().filter(|view| view.speaks_of(from.as_str())) {
            let command = Command::FileMoved { from: from.to_string(), to: to.to_string() };
            if let Err(refused) = handle.command(&view.id, command) {
                tracing::warn!("mission {} does not know that {from} moved: {refused}", view.id);
            }
        }
    }

    /// The mission whose plan the files show.
    pub fn shown(&self) -> Option<Arc<MissionView>> {
        self.views().iter().max_by(|one, other| one.rank().cmp(&other.rank())).cloned()
    }

    /// Whether it is the URI of the plan.
    pub fn is_plan(&self, uri: &Uri) -> bool {
        self.is_at(uri, TODO_PATH)
    }

    fn is_at(&self, uri: &Uri, path: &str) -> bool {
        self.root().and_then(|root| root.rel(uri)).is_some_and(|found| found.as_str() == path)
    }

    /// The text of the document at `path`, where `uri` is that and it is open.
    pub fn text_at(&self, uri: &Uri, path: &str) -> Option<Arc<str>> {
        let document = self.is_at(uri, path).then(|| self.documents.get(uri));
        document.flatten().map(|document| document.text)
    }

    /// All missions as they are now; none while the runtime starts.
    pub fn views(&self) -> Arc<[Arc<MissionView>]> {
        match &*self.runtime.borrow() {
            Runtime::Ready(handle) => handle.views(),
            _ => Arc::from([]),
        }
    }
}
