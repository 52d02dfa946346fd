//! A started and initialised server: what it says of itself, and how it is spoken to. What it is shown is in
//! [`super::documents`], how its diagnostics are got in [`super::ask`], how they come to be believed in [`super::proof`].
//!
//! It must not know of base, candidate or delta; it shows the texts it is given and says what the server says.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{CallError, Client};
use super::documents::Documents;
use super::proof::Proved;
use super::text::Encoding;
use super::uri;
use crate::gate::language::{DiagnosticsBy, ServerSpec};
use crate::gate::stage::Overlay;
use crate::wire::code;
use crate::workspace::path::RelPath;

/// Why a session could not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Trouble {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server cannot be believed, and why.
    #[error("{0}")]
    Unfit(String),
    /// As [`Trouble::Unfit`], and it must be started anew before it is asked again.
    #[error("{0}")]
    Lost(String),
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    /// The connection.
    pub client: Client,
    /// What it is shown.
    pub documents: Documents,
    /// What is known of its looking.
    pub proved: Proved,
    /// Set while something is done to the shadow's disk for its sake; found set, nobody knows what it believes.
    pub astray: bool,
    pub(super) spec: ServerSpec,
    name: String,
    encoding: Encoding,
}

impl Session {
    /// Introduces ourselves to a server that was just started with `root` as its folder.
    ///
    /// # Errors
    /// When it ends or refuses.
    pub async fn initialize(
        client: Client,
        spec: &ServerSpec,
        root: &Path,
        settings: Value,
    ) -> Result<Session, Trouble> {
        let folder = uri::from_path(root);
        let params = json!({
            "processId": std::process::id(),
            "clientInfo": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
            "rootUri": folder,
            "workspaceFolders": [{ "uri": folder, "name": "workspace" }],
            "capabilities": capabilities(spec.diagnostics),
            "initializationOptions": settings,
        });
        let answer = client.request("initialize", Some(params)).await?;
        client.notify("initialized", Some(json!({})));
        // Servers that ask for nothing (pyright among them) start their work when they are told of settings.
        client.notify("workspace/didChangeConfiguration", Some(json!({ "settings": settings })));
        let encoding = match answer["capabilities"]["positionEncoding"].as_str() {
            Some("utf-8") => Encoding::Utf8,
            _ => Encoding::Utf16,
        };
        let version = answer["serverInfo"]["version"].as_str().map(version_in);
        let name =
            version.map_or_else(|| spec.name.clone(), |version| format!("{} {version}", spec.name));
        Ok(Session {
            client,
            documents: Documents::new(root, spec.language_id.clone()),
            proved: Proved::default(),
            astray: false,
            spec: spec.clone(),
            name,
            encoding,
        })
    }

    /// The server's name and version, and those of the compiler behind it.
    pub fn name(&self) -> String {
        match &self.client.status().borrow().compiler {
            Some(compiler) => format!("{} with {compiler}", self.name),
            None => self.name.clone(),
        }
    }

    /// How the server counts columns.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The URI of a file.
    pub fn uri(&self, path: &RelPath) -> String {
        self.documents.uri(path)
    }

    /// The file of a URI, when it lies in the root.
    pub fn path(&self, uri: &str) -> Option<RelPath> {
        RelPath::under(self.documents.root(), &uri::to_path(uri)?).ok()
    }

    /// The text of a file as the server sees it; `None` where there is none.
    pub fn text(&self, path: &RelPath) -> Option<String> {
        self.documents.text(path)
    }

    /// Notes that these files changed on the disk, and tells the server.
    pub fn disk_changed(&mut self, paths: &[RelPath]) {
        self.proved.disk_changed(paths, |path| path.in_root(self.documents.root()).is_file());
        self.documents.disk_changed(&self.client, paths);
    }

    /// Shows the server the disk with `overlay` over it, and nothing else.
    ///
    /// # Errors
    /// When a file that the server knew does not vanish, or it ends.
    pub async fn show(&mut self, overlay: &Overlay, opened: &[RelPath]) -> Result<(), Trouble> {
        let folders = self.documents.show(&self.client, overlay, opened);
        if folders && self.spec.diagnostics == DiagnosticsBy::TsserverRequest {
            // tsserver remembers which folders there are, and would hear of these from its own watchers: some time.
            self.tsserver("reloadProjects", json!({})).await?;
        }
        self.await_ghosts().await
    }

    /// A request of tsserver's own protocol, through the server that stands before it.
    ///
    /// # Errors
    /// When it refuses, or ends.
    pub(super) async fn tsserver(&self, command: &str, of: Value) -> Result<Value, CallError> {
        let params = json!({ "command": "typescript.tsserverRequest", "arguments": [command, of] });
        self.patiently("workspace/executeCommand", params).await
    }

    /// Waits until the server refuses to speak of files that are not there. Until then it might still resolve them.
    async fn await_ghosts(&mut self) -> Result<(), Trouble> {
        if self.spec.diagnostics != DiagnosticsBy::Pull {
            // tsserver reads the disk synchronously when a file is closed; others cannot be asked.
            self.documents.ghosts.clear();
        }
        for path in self.documents.ghosts.clone() {
            for pause in pauses(20) {
                let params = json!({ "textDocument": { "uri": self.uri(&path) } });
                match self.client.request("textDocument/diagnostic", Some(params)).await {
                    Err(CallError::Refused { error, .. }) if !is_passing(error.code) => break,
                    Err(gone @ CallError::Gone(_)) => return Err(gone.into()),
                    _ => match pause {
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => {
                            let name = &self.name;
                            let why = format!("{name} still believes in {path}, which is gone");
                            return Err(Trouble::Lost(why));
                        }
                    },
                }
            }
            self.documents.ghosts.remove(&path);
        }
        Ok(())
    }

    /// Whether the server still answers at all; any answer will do.
    pub async fn is_alive(&self) -> bool {
        let ping = self.client.request("orchestrator/ping", None);
        matches!(
            tokio::time::timeout(Duration::from_secs(2), ping).await,
            Ok(Ok(_) | Err(CallError::Refused { .. }))
        )
    }

    /// The code of a diagnostic as the server itself spells it.
    pub fn raw_code(&self, code: &str) -> Value {
        let number =
            code.strip_prefix(&self.spec.code_prefix).and_then(|number| number.parse::<u32>().ok());
        number.map_or_else(|| code.into(), Value::from)
    }

    /// Waits until the server says that it has loaded everything, where it says such things.
    ///
    /// # Errors
    /// When it ends, or is not well.
    pub async fn loaded(&mut self) -> Result<(), Trouble> {
        let mut status = self.client.status();
        let announces = self.spec.announces_readiness;
        let ready = status.wait_for(|status| {
            status.gone.is_some() || !announces || status.quiescent == Some(true)
        });
        let status = ready.await.map(|status| status.clone()).unwrap_or_default();
        self.proved.settled_at(status.unsettled);
        match (status.gone, status.ailment) {
            (Some(gone), _) => Err(CallError::Gone(gone).into()),
            (None, Some(ailment)) => {
                Err(Trouble::Unfit(format!("{} is not well: {ailment}", self.name)))
            }
            (None, None) => Ok(()),
        }
    }

    /// Whether the server has not begun to load or to ail since [`Session::loaded`].
    pub fn is_settled(&self) -> bool {
        self.proved.is_settled_at(self.client.status().borrow().unsettled)
    }

    /// Asks again where the server says that the question was overtaken. The caller sets the deadline.
    ///
    /// # Errors
    /// When the server refuses for another reason, or ends.
    pub async fn patiently(&self, method: &'static str, params: Value) -> Result<Value, CallError> {
        let mut pauses = pauses(20);
        loop {
            match self.client.request(method, Some(params.clone())).await {
                Err(CallError::Refused { error, .. }) if is_passing(error.code) => {
                    let pause = pauses.next().flatten().unwrap_or(Duration::from_millis(500));
                    tokio::time::sleep(pause).await;
                }
                other => return other,
            }
        }
    }
}

/// Growing pauses between `rounds` questions (20 are about five seconds in all, 8 are one), then `None`.
pub fn pauses(rounds: u32) -> impl Iterator<Item = Option<Duration>> {
    let pauses = (0..rounds).map(|round| Some(Duration::from_millis(10 << round.min(5))));
    pauses.chain(std::iter::once(None))
}

/// Whether a refusal only says that the question was overtaken.
fn is_passing(error: i64) -> bool {
    matches!(error, code::SERVER_CANCELLED | code::CONTENT_MODIFIED | code::SERVER_NOT_INITIALIZED)
}

/// The version itself, where a server (gopls) says all about its build, as JSON.
fn version_in(said: &str) -> String {
    let build: Value = serde_json::from_str(said).unwrap_or_default();
    build["Version"].as_str().unwrap_or(said).to_owned()
}

fn capabilities(diagnostics: DiagnosticsBy) -> Value {
    let mut capabilities = json!({
        "general": { "positionEncodings": ["utf-8", "utf-16"] },
        "window": { "workDoneProgress": true },
        "workspace": {
            "configuration": true,
            "workspaceFolders": true,
            "workspaceEdit": { "documentChanges": true, "resourceOperations": ["create"] },
            "didChangeConfiguration": { "dynamicRegistration": true },
            "didChangeWatchedFiles": { "dynamicRegistration": true },
            "diagnostics": { "refreshSupport": true },
        },
        "textDocument": {
            "synchronization": {},
            "publishDiagnostics": { "versionSupport": true },
            // Some servers pull only when they may say so later.
            "diagnostic": { "dynamicRegistration": true },
            "definition": {},
            "references": {},
            "rename": {},
            "hover": { "contentFormat": ["markdown", "plaintext"] },
            "codeAction": {
                "dataSupport": true,
                "isPreferredSupport": true,
                "disabledSupport": true,
                "resolveSupport": { "properties": ["edit"] },
                "codeActionLiteralSupport": { "codeActionKind": { "valueSet": ["quickfix"] } },
            },
        },
        "experimental": { "serverStatusNotification": true },
    });
    if diagnostics == DiagnosticsBy::Push {
        // A server that may be asked does not publish.
        capabilities["workspace"]["diagnostics"] = Value::Null;
        capabilities["textDocument"]["diagnostic"] = Value::Null;
    }
    capabilities
}
