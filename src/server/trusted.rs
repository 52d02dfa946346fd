//! Whether an open file that runs something is trusted as it is, and what the engine says of a plugin that is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tower_lsp::lsp_types::{Diagnostic, DiagnosticSeverity, NumberOrString, Uri};

use super::described;
use super::diagnostics::{self, SOURCE};
use super::session::Session;
use super::text::Lines;
use crate::extensions::Candidate;
use crate::extensions::described::Reading;
use crate::extensions::plugins::{self, Wrong};
use crate::runtime::settings;
use crate::tools;
use crate::workspace::hash::sha256;

/// The `code` of the diagnostic that a file is not trusted.
pub const TRUST: &str = "trust";
/// How many texts' examinations are kept.
const KEPT: usize = 64;

/// What the engine said of texts, by their hashes; `None` while it is asked.
#[derive(Debug, Default)]
pub struct Examined(Mutex<BTreeMap<String, Option<Vec<Wrong>>>>);

/// Lets the engine load an open plugin that is trusted as it stands, once, in the background; nothing of it is kept running.
pub fn examine(session: &Arc<Session>, uri: &Uri) {
    let (Some((_, text)), Some(root)) = (described::open(session, uri), session.root()) else {
        return;
    };
    let trusts = |path: &str| {
        session.is_trusted() && settings::trust(root.path()).holds(path, text.as_bytes())
    };
    let path = root.rel(uri).filter(|path| plugins::is_plugin(path.as_str()));
    let Some(path) = path.filter(|path| trusts(path.as_str())) else {
        return;
    };
    let hash = sha256(text.as_bytes());
    {
        let mut known = session.examined.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(&hash) {
            return;
        }
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(hash.clone(), None);
    }
    let (session, root) = (Arc::clone(session), root.path().to_path_buf());
    tokio::spawn(async move {
        let wrong = plugins::examine(&root, path.as_str(), &text, tools::names()).await;
        let mut known = session.examined.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(hash, Some(wrong));
        drop(known);
        diagnostics::publish(&session);
    });
}

/// What is to be said of the text of the file at `path`, beside what its reader says.
pub fn problems(session: &Session, path: &str, text: &str, read: &Reading) -> Vec<Diagnostic> {
    let Some(root) = session.root().filter(|_| Candidate::is_one(path)) else {
        return Vec::new();
    };
    if text.trim().is_empty() {
        return Vec::new();
    }
    let lines = Lines::new(text, session.client().encoding);
    let of = |range: Range<usize>, severity, code: &str, message: String| Diagnostic {
        range: lines.range(range.start, range.end),
        severity: Some(severity),
        code: Some(NumberOrString::String(code.to_owned())),
        source: Some(SOURCE.to_owned()),
        message,
        ..Diagnostic::default()
    };
    if !settings::trust(root.path()).holds(path, text.as_bytes()) {
        let candidate = Candidate::of(path, text.as_bytes().to_vec());
        let wants = candidate.map_or(String::new(), |candidate| candidate.wants.join("; "));
        let message = format!(
            "this file is without effect: nobody has said that it may take effect as it is now. {wants}"
        );
        let first = 0..text.find('\n').unwrap_or(text.len());
        let mut told = of(first, DiagnosticSeverity::WARNING, TRUST, message.trim().to_owned());
        let argument = json!({ "path": path, "hash": sha256(text.as_bytes()) });
        told.data = Some(argument).filter(|_| session.client().diagnostic_data);
        return vec![told];
    }
    let known = session.examined.0.lock().unwrap_or_else(PoisonError::into_inner);
    let wrong = known.get(&sha256(text.as_bytes())).cloned().flatten().unwrap_or_default();
    let shown = wrong.into_iter().filter_map(|wrong| {
        let part = read.entries.iter().find(|entry| entry.name == wrong.at);
        let range = part.map_or_else(|| place(text, path, &wrong.message), |e| e.head.clone());
        // What the text shows already is not said twice.
        let is_said = read.problems.iter().any(|known| known.range == range);
        let words = wrong.message.lines().next().unwrap_or_default().to_owned();
        (!is_said).then(|| of(range, DiagnosticSeverity::ERROR, "plugin", words))
    });
    shown.collect()
}

/// The line that an engine's words name (`p.mjs:3:7`), else the first.
fn place(text: &str, path: &str, words: &str) -> Range<usize> {
    let name = format!("{}:", path.rsplit('/').next().unwrap_or(path));
    let rest = words.find(&name).and_then(|at| words.get(at + name.len()..)).unwrap_or_default();
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let line = number.parse::<usize>().unwrap_or(1).max(1);
    let mut start = 0;
    for (number, whole) in text.split_inclusive('\n').enumerate() {
        if number + 1 == line {
            return start..start + whole.trim_end().len();
        }
        start += whole.len();
    }
    0..text.find('\n').unwrap_or(text.len())
}

/// Trusts a file of the workspace, if what lies on the disk is what was looked at.
///
/// # Errors
/// In words, for people.
pub fn trust(session: &Session, path: &str, hash: &str) -> Result<(), String> {
    let root = session.root().ok_or("no folder is open")?;
    if !Candidate::is_one(path) {
        return Err(format!("`{path}` is no plugin, and names no servers"));
    }
    let bytes = std::fs::read(root.path().join(path))
        .map_err(|error| format!("failed to read {path}: {error}"))?;
    if sha256(&bytes) != hash {
        return Err(format!("{path} is not on the disk as it is shown: save it first"));
    }
    let kept = settings::trust(root.path()).give(path, &bytes);
    kept.map_err(|error| format!("failed to keep that {path} is trusted: {error}"))
}
