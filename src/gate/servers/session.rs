//! A started and initialised server: which texts it is shown, how its diagnostics are got, how its readiness is proved.
//!
//! It must not know of base, candidate or delta; it shows the texts it is given and says what the server says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use lsp_types::Position;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{CallError, Client};
use super::text::{Encoding, Text};
use super::uri;
use crate::gate::diagnostic::{Diagnostic, Severity};
use crate::gate::language::{DiagnosticsBy, ServerSpec};
use crate::gate::stage::{Boxed, Overlay};
use crate::wire::code;
use crate::workspace::path::RelPath;

/// How many questions are under way at once.
const AT_ONCE: usize = 8;

/// Why a session could not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Trouble {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server cannot be believed, and why.
    #[error("{0}")]
    Unfit(String),
}

/// A diagnostic with what the server itself sent, which code actions want back.
#[derive(Debug, Clone)]
pub struct Found {
    /// In our terms.
    pub diagnostic: Diagnostic,
    /// As it came.
    pub raw: Value,
}

/// A document that the server was shown.
#[derive(Debug)]
struct Shown {
    version: i32,
    text: String,
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    /// The connection.
    pub client: Client,
    spec: ServerSpec,
    root: PathBuf,
    name: String,
    encoding: Encoding,
    shown: BTreeMap<RelPath, Shown>,
    /// Files whose text on disk changed after the server was started. They stay shown, so that no answer depends on
    /// when the server gets to reading the disk again.
    pinned: BTreeSet<RelPath>,
    /// Files that the server knows and that are on the disk no more.
    ghosts: BTreeSet<RelPath>,
    /// Whether a canary was reported since the start.
    pub awake: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    range: lsp_types::Range,
    #[serde(default)]
    severity: Option<u8>,
    #[serde(default)]
    code: Value,
    message: String,
    #[serde(default)]
    source: Option<String>,
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
            "capabilities": capabilities(),
            "initializationOptions": settings,
        });
        let answer = client.request("initialize", Some(params)).await?;
        client.notify("initialized", Some(json!({})));
        let encoding = match answer["capabilities"]["positionEncoding"].as_str() {
            Some("utf-8") => Encoding::Utf8,
            _ => Encoding::Utf16,
        };
        let version = answer["serverInfo"]["version"].as_str().map(version_in);
        let name =
            version.map_or_else(|| spec.name.clone(), |version| format!("{} {version}", spec.name));
        Ok(Session {
            client,
            spec: spec.clone(),
            root: root.to_owned(),
            name,
            encoding,
            shown: BTreeMap::new(),
            pinned: BTreeSet::new(),
            ghosts: BTreeSet::new(),
            awake: false,
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
        uri::from_path(&path.in_root(&self.root))
    }

    /// The file of a URI, when it lies in the root.
    pub fn path(&self, uri: &str) -> Option<RelPath> {
        RelPath::under(&self.root, &uri::to_path(uri)?).ok()
    }

    /// The text of a file as the server sees it: shown, else from the disk; `None` where there is none.
    pub fn text(&self, path: &RelPath) -> Option<String> {
        let shown = self.shown.get(path).map(|shown| shown.text.clone());
        shown.or_else(|| std::fs::read_to_string(path.in_root(&self.root)).ok())
    }

    /// Notes that these files changed on the disk, and tells the server.
    pub fn disk_changed(&mut self, paths: &[RelPath]) {
        let mut events = Vec::new();
        for path in paths {
            let there = path.in_root(&self.root).is_file();
            // A server that never heard of the file ignores `changed`, one that did ignores `created`.
            let kinds: &[u8] = if there { &[1, 2] } else { &[3] };
            events.extend(kinds.iter().map(|kind| json!({ "uri": self.uri(path), "type": kind })));
            if there {
                self.pinned.insert(path.clone());
                self.ghosts.remove(path);
            } else {
                self.pinned.remove(path);
                self.ghosts.insert(path.clone());
            }
        }
        self.client.notify("workspace/didChangeWatchedFiles", Some(json!({ "changes": events })));
    }

    /// Shows the server the disk with `overlay` over it, and nothing else (a file that it
    /// deletes is shown empty).
    ///
    /// # Errors
    /// When a file that the server knew does not vanish.
    pub async fn show(&mut self, overlay: &Overlay, opened: &[RelPath]) -> Result<(), Trouble> {
        let mut wanted: BTreeMap<RelPath, String> = BTreeMap::new();
        for path in self.pinned.iter().chain(opened) {
            if let Ok(text) = std::fs::read_to_string(path.in_root(&self.root)) {
                wanted.insert(path.clone(), text);
            }
        }
        wanted.extend(
            overlay.iter().map(|(path, text)| (path.clone(), text.clone().unwrap_or_default())),
        );
        let shut: Vec<RelPath> =
            self.shown.keys().filter(|path| !wanted.contains_key(*path)).cloned().collect();
        for path in shut {
            self.hide(&path);
        }
        for (path, text) in wanted {
            self.put(path, text);
        }
        self.await_ghosts().await
    }

    /// Shows one text.
    fn put(&mut self, path: RelPath, text: String) {
        let uri = self.uri(&path);
        self.ghosts.remove(&path);
        if let Some(shown) = self.shown.get_mut(&path) {
            if shown.text == text {
                return;
            }
            shown.version += 1;
            let document = json!({ "uri": uri, "version": shown.version });
            let changes = json!([{ "text": text }]);
            shown.text = text;
            let params = json!({ "textDocument": document, "contentChanges": changes });
            self.client.notify("textDocument/didChange", Some(params));
        } else {
            let language = self.spec.language_id.as_deref().unwrap_or(language_id(&path));
            let document =
                json!({ "uri": uri, "languageId": language, "version": 1, "text": text });
            self.client.notify("textDocument/didOpen", Some(json!({ "textDocument": document })));
            self.shown.insert(path, Shown { version: 1, text });
        }
    }

    /// Closes a document. It is given the text of the disk first: a server may be slow to read it again.
    fn hide(&mut self, path: &RelPath) {
        match std::fs::read_to_string(path.in_root(&self.root)) {
            Ok(text) => self.put(path.clone(), text),
            Err(_) => drop(self.ghosts.insert(path.clone())),
        }
        let params = json!({ "textDocument": { "uri": self.uri(path) } });
        self.client.notify("textDocument/didClose", Some(params));
        self.shown.remove(path);
    }

    /// Waits until the server refuses to speak of files that are not there. Until then it might still resolve them.
    async fn await_ghosts(&mut self) -> Result<(), Trouble> {
        if self.spec.diagnostics == DiagnosticsBy::TsserverRequest {
            // It reads the disk synchronously when a file is closed.
            self.ghosts.clear();
        }
        for path in std::mem::take(&mut self.ghosts) {
            for pause in pauses() {
                let params = json!({ "textDocument": { "uri": self.uri(&path) } });
                match self.client.request("textDocument/diagnostic", Some(params)).await {
                    Err(CallError::Refused { error, .. }) if !is_passing(error.code) => break,
                    Err(gone @ CallError::Gone(_)) => return Err(gone.into()),
                    _ if pause.is_none() => {
                        return Err(Trouble::Unfit(format!(
                            "{} still believes in {path}, which is gone",
                            self.name
                        )));
                    }
                    _ => tokio::time::sleep(pause.unwrap_or_default()).await,
                }
            }
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
    pub async fn loaded(&self) -> Result<(), Trouble> {
        let mut status = self.client.status();
        let announces = self.spec.announces_readiness;
        let ready = status.wait_for(|status| {
            status.gone.is_some() || !announces || status.quiescent == Some(true)
        });
        let status = ready.await.map(|status| status.clone()).unwrap_or_default();
        match (status.gone, status.ailment) {
            (Some(gone), _) => Err(CallError::Gone(gone).into()),
            (None, Some(ailment)) => {
                Err(Trouble::Unfit(format!("{} is not well: {ailment}", self.name)))
            }
            (None, None) => Ok(()),
        }
    }

    /// Proves that the server looks at these files: with a known error at its end, each must be reported. Asks for
    /// some seconds until it is. Afterwards `overlay` is shown as it is.
    ///
    /// # Errors
    /// When the server ends, or is awake and yet blind for one of the files.
    pub async fn prove(&mut self, overlay: &Overlay, files: &[RelPath]) -> Result<(), Trouble> {
        let mut marked = overlay.clone();
        let mut lines = BTreeMap::new();
        for path in files {
            let text = overlay
                .get(path)
                .cloned()
                .flatten()
                .or_else(|| self.text(path))
                .unwrap_or_default();
            let line = text.bytes().filter(|byte| *byte == b'\n').count();
            lines.insert(path.clone(), u32::try_from(line).unwrap_or(u32::MAX) + 1);
            marked.insert(path.clone(), Some(format!("{text}\n{}\n", self.spec.canary.text)));
        }
        self.show(&marked, files).await?;
        for (path, line) in lines {
            self.prove_one(&path, line).await?;
            self.awake = true;
        }
        self.show(overlay, &[]).await
    }

    async fn prove_one(&self, path: &RelPath, line: u32) -> Result<(), Trouble> {
        for pause in pauses() {
            let found = self.pull(path).await?;
            let canary = |found: &Found| {
                found.diagnostic.range.start.line >= line
                    && found.diagnostic.code.as_ref() == Some(&self.spec.canary.code)
            };
            if found.iter().any(canary) {
                return Ok(());
            }
            // Whoever says when it has loaded was waited for; the others answer when they have. Seconds are enough.
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        Err(Trouble::Unfit(format!(
            "{} does not look at {path}: it overlooked a known error there (is the file part of the project?)",
            self.name
        )))
    }

    /// What the server says of these files.
    ///
    /// # Errors
    /// When one of them is not answered.
    pub async fn diagnose(&self, files: &[RelPath]) -> Result<Vec<Found>, Trouble> {
        // Boxed, because the compiler cannot see that the closure's future is `Send` for every lifetime.
        let ask = |path| -> Boxed<'_, Result<Vec<Found>, Trouble>> { Box::pin(self.pull(path)) };
        let questions: Vec<_> = files.iter().map(ask).collect();
        let answers: Vec<Vec<Found>> =
            stream::iter(questions).buffered(AT_ONCE).try_collect().await?;
        Ok(answers.into_iter().flatten().collect())
    }

    async fn pull(&self, path: &RelPath) -> Result<Vec<Found>, Trouble> {
        let Some(text) = self.text(path) else {
            return Err(Trouble::Unfit(format!("{path} cannot be read as UTF-8 text")));
        };
        let items = match self.spec.diagnostics {
            DiagnosticsBy::Pull => self.pull_document(path).await?,
            DiagnosticsBy::TsserverRequest => self.ask_tsserver(path).await?,
        };
        let lines = Text::new(&text);
        items.into_iter().map(|item| self.found(path, &lines, item)).collect()
    }

    async fn pull_document(&self, path: &RelPath) -> Result<Vec<Value>, Trouble> {
        let params = json!({ "textDocument": { "uri": self.uri(path) } });
        let report = self.patiently("textDocument/diagnostic", params).await?;
        match (report["kind"].as_str(), report["items"].as_array()) {
            // gopls says "" of an empty list.
            (Some("full" | ""), Some(items)) => Ok(items.clone()),
            // We never send a previous result id, so that "unchanged" would be an answer to somebody else.
            _ => Err(Trouble::Unfit(format!("{} gave no full report for {path}", self.name))),
        }
    }

    async fn ask_tsserver(&self, path: &RelPath) -> Result<Vec<Value>, Trouble> {
        let mut items = Vec::new();
        for command in ["syntacticDiagnosticsSync", "semanticDiagnosticsSync"] {
            let file = path.in_root(&self.root).to_string_lossy().replace('\\', "/");
            let params = json!({ "command": "typescript.tsserverRequest", "arguments": [command, { "file": file }] });
            let answer = self.patiently("workspace/executeCommand", params).await?;
            let body = answer["body"].as_array();
            let body = body.ok_or_else(|| {
                Trouble::Unfit(format!("{} gave no diagnostics for {path}", self.name))
            })?;
            items.extend(body.iter().map(from_tsserver));
        }
        Ok(items)
    }

    /// Asks again where the server says that the question was overtaken. The caller sets the deadline.
    ///
    /// # Errors
    /// When the server refuses for another reason, or ends.
    pub async fn patiently(&self, method: &'static str, params: Value) -> Result<Value, CallError> {
        let mut pauses = pauses();
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

    fn found(&self, path: &RelPath, lines: &Text<'_>, raw: Value) -> Result<Found, Trouble> {
        let item = Raw::deserialize(&raw).map_err(|error| {
            Trouble::Unfit(format!("{} sent a diagnostic that cannot be read: {error}", self.name))
        })?;
        let severity = match item.severity {
            Some(2) if self.spec.warnings_are_errors => Severity::Error,
            Some(2) => Severity::Warning,
            Some(3) => Severity::Information,
            Some(4) => Severity::Hint,
            // The protocol leaves one without to the client; the gate takes it seriously.
            _ => Severity::Error,
        };
        let code = match item.code {
            Value::String(code) => Some(code),
            Value::Number(code) => Some(format!("{}{code}", self.spec.code_prefix)),
            _ => None,
        };
        let diagnostic = Diagnostic {
            path: path.clone(),
            range: lines.range(item.range, self.encoding),
            severity,
            code,
            message: item.message.trim_end().to_owned(),
            source: item.source.unwrap_or_else(|| self.spec.name.clone()),
            remedies: Vec::new(),
        };
        Ok(Found { diagnostic, raw })
    }
}

/// Growing pauses between questions, about five seconds in all, then `None`.
fn pauses() -> impl Iterator<Item = Option<Duration>> {
    let pauses = (0..20_u32).map(|round| Some(Duration::from_millis(10 << round.min(5))));
    pauses.chain(std::iter::repeat(None))
}

/// Whether a refusal only says that the question was overtaken.
fn is_passing(error: i64) -> bool {
    matches!(error, code::SERVER_CANCELLED | code::CONTENT_MODIFIED | code::SERVER_NOT_INITIALIZED)
}

/// A diagnostic of tsserver (1-based, UTF-16) in the protocol's shape.
fn from_tsserver(item: &Value) -> Value {
    let position = |at: &Value| {
        let number = |value: &Value| {
            value.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1).saturating_sub(1)
        };
        Position { line: number(&at["line"]), character: number(&at["offset"]) }
    };
    let severity = match item["category"].as_str() {
        Some("error") => 1,
        Some("warning") => 2,
        Some("message") => 3,
        _ => 4,
    };
    json!({
        "range": { "start": position(&item["start"]), "end": position(&item["end"]) },
        "severity": severity,
        "code": item["code"],
        "message": item["text"],
        "source": "ts",
    })
}

fn language_id(path: &RelPath) -> &str {
    match path.extension() {
        Some("rs") => "rust",
        Some("ts" | "mts" | "cts") => "typescript",
        Some("tsx") => "typescriptreact",
        Some("js" | "mjs" | "cjs") => "javascript",
        Some("jsx") => "javascriptreact",
        Some("py" | "pyi") => "python",
        Some(other) => other,
        None => "plaintext",
    }
}

/// The version itself, where a server (gopls) says all about its build, as JSON.
fn version_in(said: &str) -> String {
    let build: Value = serde_json::from_str(said).unwrap_or_default();
    build["Version"].as_str().unwrap_or(said).to_owned()
}

fn capabilities() -> Value {
    json!({
        "general": { "positionEncodings": ["utf-8", "utf-16"] },
        "window": { "workDoneProgress": true },
        "workspace": {
            "configuration": true,
            "workspaceFolders": true,
            "workspaceEdit": { "documentChanges": true, "resourceOperations": ["create"] },
            "didChangeWatchedFiles": { "dynamicRegistration": true },
            "diagnostics": { "refreshSupport": true },
        },
        "textDocument": {
            "synchronization": {},
            "diagnostic": { "dynamicRegistration": false },
            "codeAction": {
                "dataSupport": true,
                "isPreferredSupport": true,
                "disabledSupport": true,
                "resolveSupport": { "properties": ["edit"] },
                "codeActionLiteralSupport": { "codeActionKind": { "valueSet": ["quickfix"] } },
            },
        },
        "experimental": { "serverStatusNotification": true },
    })
}
