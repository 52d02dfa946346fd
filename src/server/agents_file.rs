//! An open `agents.json` in the editor: what is wrong with it at its place, its agents as symbols and folds, and what can be
//! written. All of it is what the file's own reader says.

use tower_lsp::lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Diagnostic, DiagnosticSeverity,
    DocumentSymbol, DocumentSymbolResponse, FoldingRange, Location, NumberOrString, Position,
    SymbolInformation, SymbolKind, TextEdit, Uri,
};

use super::diagnostics::SOURCE;
use super::session::Session;
use super::text::{Encoding, Lines};
use crate::agents::custom::{self, complete};

/// The characters after which a client asks by itself.
pub const TRIGGERS: [&str; 1] = ["\""];

/// The agents of the project that can be used, as the file is saved.
pub fn names(session: &Session) -> Vec<String> {
    let file = session.root().and_then(|root| custom::load(root.path()).ok()).unwrap_or_default();
    file.agents.into_iter().map(|agent| agent.name).collect()
}

/// What is wrong with the text.
pub fn problems(text: &str, encoding: Encoding) -> Vec<Diagnostic> {
    let lines = Lines::new(text, encoding);
    let shown = custom::read(text).problems.into_iter().map(|problem| Diagnostic {
        range: lines.range(problem.range.start, problem.range.end),
        severity: Some(match problem.is_error {
            true => DiagnosticSeverity::ERROR,
            false => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String("agents".to_owned())),
        source: Some(SOURCE.to_owned()),
        message: problem.message,
        ..Diagnostic::default()
    });
    shown.collect()
}

/// The agents: with what they are for where the client shows a tree.
pub fn symbols(text: &str, uri: &Uri, encoding: Encoding, tree: bool) -> DocumentSymbolResponse {
    let lines = Lines::new(text, encoding);
    let entries = custom::read(text).entries;
    #[expect(deprecated, reason = "the structs have no other constructors")]
    let nested = |entry: &custom::Entry| DocumentSymbol {
        name: shown(&entry.name),
        detail: Some(entry.description.clone()).filter(|text| !text.is_empty()),
        kind: SymbolKind::OBJECT,
        tags: None,
        deprecated: None,
        range: lines.range(entry.whole.start, entry.whole.end),
        selection_range: lines.range(entry.head.start, entry.head.end),
        children: None,
    };
    #[expect(deprecated, reason = "the structs have no other constructors")]
    let flat = |entry: &custom::Entry| SymbolInformation {
        name: shown(&entry.name),
        kind: SymbolKind::OBJECT,
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

/// A symbol's name must not be empty.
fn shown(name: &str) -> String {
    if name.trim().is_empty() { "(no name)".to_owned() } else { name.to_owned() }
}

/// Agents that stand on more than one line.
pub fn folds(text: &str) -> Vec<FoldingRange> {
    // Lines are the same in every encoding.
    let lines = Lines::new(text, Encoding::Utf8);
    let entries = custom::read(text).entries.into_iter();
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
    let (choices, from) = complete::choices(text, at);
    let range = lines.range(from, at);
    let item = |choice: complete::Choice| CompletionItem {
        label: choice.label,
        kind: Some(CompletionItemKind::PROPERTY),
        detail: Some(choice.meaning),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: choice.text })),
        ..CompletionItem::default()
    };
    choices.into_iter().map(item).collect()
}
