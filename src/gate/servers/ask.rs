//! How diagnostics are got from a server: asked for, in one way or the other, or published.
//!
//! It must not know which of them are new.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::{StreamExt, TryStreamExt, stream};
use lsp_types::Position;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{CallError, Published};
use super::session::{Session, Trouble};
use super::text::Text;
use crate::gate::diagnostic::{Diagnostic, Severity};
use crate::gate::language::DiagnosticsBy;
use crate::gate::stage::{Boxed, Overlay};
use crate::workspace::path::RelPath;

/// How many questions are under way at once: enough that the server never waits for us.
const AT_ONCE: usize = 256;

/// So often a question is put to a server that begins to load under it.
const TRIES: usize = 5;

/// A diagnostic with what the server itself sent, which code actions want back.
#[derive(Debug, Clone)]
pub struct Found {
    /// In our terms.
    pub diagnostic: Diagnostic,
    /// As it came.
    pub raw: Value,
}

/// What a server said of one overlay.
#[derive(Debug)]
pub struct Told {
    /// All that it reported.
    pub found: Vec<Found>,
    /// From the first text sent to the last answer, in microseconds.
    pub raw_us: u64,
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
    /// What the server says of `files` with `overlay` over the disk. It is proved to look at those that the overlay
    /// has; at one of the files if there is none and it was never heard.
    ///
    /// # Errors
    /// When it ends, does not look, or does not answer for one of the files.
    pub async fn told(&mut self, overlay: &Overlay, files: &[RelPath]) -> Result<Told, Trouble> {
        for _ in 0..TRIES {
            self.loaded().await?;
            let told = self.told_once(overlay, files).await?;
            if self.is_settled() {
                return Ok(told);
            }
        }
        Err(Trouble::Unfit(format!("{} loads the project again and again", self.name())))
    }

    async fn told_once(&mut self, overlay: &Overlay, files: &[RelPath]) -> Result<Told, Trouble> {
        let edited = |path: &&RelPath| matches!(overlay.get(*path), Some(Some(_)));
        let mut edited: Vec<RelPath> = files.iter().filter(edited).cloned().collect();
        if edited.is_empty() && !self.proved.awake {
            edited.extend(files.first().cloned());
        }
        if self.spec.diagnostics == DiagnosticsBy::Push {
            return self.told_by_push(overlay, files).await;
        }
        self.prove(overlay, &edited).await?;
        let opened = if self.spec.open_files_only { files } else { &[] };
        let began = Instant::now();
        self.show(overlay, opened).await?;
        let found = self.diagnose(files).await?;
        Ok(Told { found, raw_us: micros(began) })
    }

    /// Shows every file with the canary and then without. What is published for a text without it was computed when all
    /// the others had been shown already.
    async fn told_by_push(
        &mut self,
        overlay: &Overlay,
        files: &[RelPath],
    ) -> Result<Told, Trouble> {
        let began = Instant::now();
        let (marked, lines) = self.marked(overlay, files);
        self.show(&marked, files).await?;
        let seen = files.iter().map(|path| self.seen_published(path, lines[path]));
        futures_util::future::try_join_all(seen).await?;
        self.proved.awake = true;
        self.show(overlay, files).await?;
        let mut found = Vec::new();
        for path in files {
            let rest = self.published(path, |found| !self.has_canary(found, &lines, path)).await?;
            found.extend(rest);
        }
        Ok(Told { found, raw_us: micros(began) })
    }

    fn has_canary(&self, found: &[Found], lines: &BTreeMap<RelPath, u32>, path: &RelPath) -> bool {
        found.iter().any(|found| self.is_canary(&found.diagnostic, lines[path]))
    }

    async fn seen_published(&self, path: &RelPath, line: u32) -> Result<(), Trouble> {
        let is_there =
            |found: &[Found]| found.iter().any(|found| self.is_canary(&found.diagnostic, line));
        let patience = std::time::Duration::from_secs(if self.proved.awake { 5 } else { 30 });
        match tokio::time::timeout(patience, self.published(path, is_there)).await {
            Ok(seen) => seen.map(drop),
            Err(_) => Err(self.blind(path)),
        }
    }

    /// What was published of the text that is shown, as soon as it is `fit`.
    async fn published(
        &self,
        path: &RelPath,
        fit: impl Fn(&[Found]) -> bool,
    ) -> Result<Vec<Found>, Trouble> {
        let mut status = self.client.status();
        let mut all = self.client.published();
        let place = path.in_root(self.documents.root());
        let version = self.documents.version(path).map(i64::from);
        let text = self.text(path).unwrap_or_default();
        let is_of_it =
            |published: &&Published| published.version.is_none() || published.version == version;
        loop {
            let now = all.borrow_and_update().get(&place).filter(is_of_it).cloned();
            if let Some(published) = now {
                let found = self.read(path, &text, published.items)?;
                if fit(&found) {
                    return Ok(found);
                }
            }
            let gone = status.wait_for(|status| status.gone.is_some());
            tokio::select! {
                _ = all.changed() => {}
                gone = gone => {
                    let why = gone.ok().and_then(|status| status.gone.clone());
                    return Err(CallError::Gone(why.unwrap_or_else(|| self.name())).into());
                }
            }
        }
    }

    /// What the server says of these files as they are shown.
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

    /// What the server says of one file as it is shown.
    pub(super) async fn pull(&self, path: &RelPath) -> Result<Vec<Found>, Trouble> {
        let items = match self.spec.diagnostics {
            DiagnosticsBy::Pull => self.pull_document(path).await?,
            DiagnosticsBy::TsserverRequest => self.ask_tsserver(path).await?,
            DiagnosticsBy::Push => return self.published(path, |_| true).await,
        };
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let Some(text) = self.text(path) else {
            return Err(Trouble::Unfit(format!("{path} cannot be read as UTF-8 text")));
        };
        self.read(path, &text, items)
    }

    async fn pull_document(&self, path: &RelPath) -> Result<Vec<Value>, Trouble> {
        let params = json!({ "textDocument": { "uri": self.uri(path) } });
        let mut report = self.patiently("textDocument/diagnostic", params).await?;
        let items = report["items"].take();
        match (report["kind"].as_str(), items) {
            // gopls says "" of an empty list.
            (Some("full" | ""), Value::Array(items)) => Ok(items),
            // We never send a previous result id, so that "unchanged" would be an answer to somebody else.
            _ => Err(Trouble::Unfit(format!("{} gave no full report for {path}", self.name()))),
        }
    }

    async fn ask_tsserver(&self, path: &RelPath) -> Result<Vec<Value>, Trouble> {
        let mut items = Vec::new();
        for command in ["syntacticDiagnosticsSync", "semanticDiagnosticsSync"] {
            let file = path.in_root(self.documents.root()).to_string_lossy().replace('\\', "/");
            let answer = self.tsserver(command, json!({ "file": file })).await?;
            let body = answer["body"].as_array();
            let body = body.ok_or_else(|| {
                Trouble::Unfit(format!("{} gave no diagnostics for {path}", self.name()))
            })?;
            items.extend(body.iter().map(from_tsserver));
        }
        Ok(items)
    }

    fn read(&self, path: &RelPath, text: &str, items: Vec<Value>) -> Result<Vec<Found>, Trouble> {
        let lines = Text::new(text);
        items.into_iter().map(|item| self.found(path, &lines, item)).collect()
    }

    fn found(&self, path: &RelPath, lines: &Text<'_>, raw: Value) -> Result<Found, Trouble> {
        let item = Raw::deserialize(&raw).map_err(|error| {
            let name = self.name();
            Trouble::Unfit(format!("{name} sent a diagnostic that cannot be read: {error}"))
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
            range: lines.range(item.range, self.encoding()),
            severity,
            code,
            message: item.message.trim_end().to_owned(),
            source: item.source.unwrap_or_else(|| self.spec.name.clone()),
            remedies: Vec::new(),
        };
        Ok(Found { diagnostic, raw })
    }
}

fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
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
