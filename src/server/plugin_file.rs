//! An open plugin in the editor: what is wrong with it at its place, its parts as symbols and folds, what can be written, and
//! whether it is trusted as it is. All of it is what the plugins' own reader and engine say.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tower_lsp::lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Diagnostic, DiagnosticSeverity,
    DocumentSymbol, DocumentSymbolResponse, FoldingRange, Location, NumberOrString, Position,
    SymbolInformation, SymbolKind, TextEdit, Uri,
};

use super::diagnostics::{self, SOURCE};
use super::session::Session;
use super::text::{Encoding, Lines};
use crate::extensions::plugins::{self, Wrong};
use crate::extensions::trust::Trust;
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

/// The text of an open plugin.
pub fn text(session: &Session, uri: &Uri) -> Option<Arc<str>> {
    let path = session.root()?.rel(uri)?;
    plugins::is_plugin(path.as_str()).then(|| session.documents.get(uri))?.map(|found| found.text)
}

fn ledger(root: &Path) -> Trust {
    Trust::new(settings::own_folder().as_deref(), root)
}

/// Lets the engine load an open plugin that is trusted as it stands, once, in the background; nothing of it is kept running.
pub fn examine(session: &Arc<Session>, uri: &Uri) {
    let (Some(text), Some(root)) = (text(session, uri), session.root()) else {
        return;
    };
    let Some(path) = root.rel(uri).filter(|path| {
        session.is_trusted() && ledger(root.path()).holds(path.as_str(), text.as_bytes())
    }) else {
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

/// What is wrong with the text of the plugin at `path`.
pub fn problems(session: &Session, path: &str, text: &str) -> Vec<Diagnostic> {
    let lines = Lines::new(text, session.client().encoding);
    let of = |range: Range<usize>, severity, code: &str, message: String| Diagnostic {
        range: lines.range(range.start, range.end),
        severity: Some(severity),
        code: Some(NumberOrString::String(code.to_owned())),
        source: Some(SOURCE.to_owned()),
        message,
        ..Diagnostic::default()
    };
    let file = plugins::read(text, &tools::names());
    let mut shown: Vec<Diagnostic> = file
        .problems
        .iter()
        .map(|problem| {
            let severity = match problem.is_error {
                true => DiagnosticSeverity::ERROR,
                false => DiagnosticSeverity::WARNING,
            };
            of(problem.range.clone(), severity, "plugin", problem.message.clone())
        })
        .collect();
    let Some(root) = session.root() else { return shown };
    if !ledger(root.path()).holds(path, text.as_bytes()) {
        let wants = plugins::manifest_of(text).in_words();
        let wants = if wants.is_empty() { "nothing but its arguments".to_owned() } else { wants };
        let message = format!(
            "this plugin is not in force: nobody has said that it may run as it is now. It asks for {wants}"
        );
        let first = 0..text.find('\n').unwrap_or(text.len());
        let mut told = of(first, DiagnosticSeverity::WARNING, TRUST, message);
        let argument = json!({ "path": path, "hash": sha256(text.as_bytes()) });
        told.data = Some(argument).filter(|_| session.client().diagnostic_data);
        shown.push(told);
        return shown;
    }
    let known = session.examined.0.lock().unwrap_or_else(PoisonError::into_inner);
    let wrong = known.get(&sha256(text.as_bytes())).cloned().flatten().unwrap_or_default();
    for wrong in wrong {
        let part = file.entries.iter().find(|entry| entry.name == wrong.at);
        let range = part.map_or_else(|| place(text, path, &wrong.message), |e| e.head.clone());
        // What the text shows already is not said twice.
        let at = lines.range(range.start, range.end);
        if !shown.iter().any(|known| known.range == at) {
            let words = wrong.message.lines().next().unwrap_or_default().to_owned();
            shown.push(of(range, DiagnosticSeverity::ERROR, "plugin", words));
        }
    }
    shown
}

/// The line that an engine's words name (`p.mjs:3:7`), else the first.
fn place(text: &str, path: &str, words: &str) -> Range<usize> {
    let name = format!("{}:", path.rsplit('/').next().unwrap_or(path));
    let number = words
        .find(&name)
        .and_then(|at| words.get(at + name.len()..))
        .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    let line = number.and_then(|number| number.parse::<usize>().ok()).unwrap_or(1).max(1);
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
    if !plugins::is_plugin(path) {
        return Err(format!("`{path}` is no plugin of the workspace"));
    }
    let bytes = std::fs::read(root.path().join(path))
        .map_err(|error| format!("failed to read {path}: {error}"))?;
    if sha256(&bytes) != hash {
        return Err(format!("{path} is not on the disk as it is shown: save it first"));
    }
    ledger(root.path())
        .give(path, &bytes)
        .map_err(|error| format!("failed to keep that {path} is trusted: {error}"))
}

/// The parts of a plugin: as a tree where the client shows one.
pub fn symbols(text: &str, uri: &Uri, encoding: Encoding, tree: bool) -> DocumentSymbolResponse {
    let lines = Lines::new(text, encoding);
    let entries = plugins::read(text, &[]).entries;
    #[expect(deprecated, reason = "the structs have no other constructors")]
    let nested = |entry: &plugins::Entry| DocumentSymbol {
        name: entry.name.clone(),
        detail: None,
        kind: SymbolKind::FUNCTION,
        tags: None,
        deprecated: None,
        range: lines.range(entry.whole.start, entry.whole.end),
        selection_range: lines.range(entry.head.start, entry.head.end),
        children: None,
    };
    #[expect(deprecated, reason = "the structs have no other constructors")]
    let flat = |entry: &plugins::Entry| SymbolInformation {
        name: entry.name.clone(),
        kind: SymbolKind::FUNCTION,
        tags: None,
        deprecated: None,
        location: Location {
            uri: uri.clone(),
            range: lines.range(entry.whole.start, entry.whole.end),
        },
        container_name: None,
    };
    match tree {
        true => DocumentSymbolResponse::Nested(entries.iter().map(nested).collect()),
        false => DocumentSymbolResponse::Flat(entries.iter().map(flat).collect()),
    }
}

/// Parts that stand on more than one line.
pub fn folds(text: &str) -> Vec<FoldingRange> {
    // Lines are the same in every encoding.
    let lines = Lines::new(text, Encoding::Utf8);
    let entries = plugins::read(text, &[]).entries.into_iter();
    let ranges = entries.map(|entry| lines.range(entry.whole.start, entry.whole.end));
    ranges
        .filter(|range| range.start.line < range.end.line)
        .map(|range| FoldingRange {
            start_line: range.start.line,
            end_line: range.end.line,
            ..FoldingRange::default()
        })
        .collect()
}

/// What can be written at a place.
pub fn completions(text: &str, encoding: Encoding, position: Position) -> Vec<CompletionItem> {
    let lines = Lines::new(text, encoding);
    let at = lines.offset(position);
    let (choices, from) = plugins::choices(text, at);
    let range = lines.range(from, at);
    let item = |(label, meaning): (&str, &str)| CompletionItem {
        label: label.to_owned(),
        kind: Some(CompletionItemKind::PROPERTY),
        detail: Some(meaning.to_owned()),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: label.to_owned() })),
        ..CompletionItem::default()
    };
    choices.into_iter().map(item).collect()
}
