//! An open file of the workspace that the program itself reads: its agents, its servers. What is wrong with it is shown at its
//! place, its entries are symbols and folds, and what can be written is offered. All of it is what the file's own reader says.

use std::sync::Arc;

use tower_lsp::lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Diagnostic, DiagnosticSeverity,
    DocumentSymbol, DocumentSymbolResponse, FoldingRange, Location, NumberOrString, Position,
    SymbolInformation, SymbolKind, TextEdit, Uri,
};

use super::diagnostics::SOURCE;
use super::session::Session;
use super::text::{Encoding, Lines};
use crate::agents::custom;
use crate::extensions::described::{Choice, Entry, Reading};
use crate::extensions::mcp::{self, Form};

/// Such a file.
pub struct Described {
    /// Where it lies, from the root.
    path: &'static str,
    /// What its diagnostics are called.
    code: &'static str,
    read: fn(&str) -> Reading,
    choices: fn(&str, usize) -> (Vec<Choice>, usize),
}

/// All of them.
const FILES: [Described; 3] = [
    Described {
        path: custom::PATH,
        code: "agents",
        read: |text| custom::read(text).reading,
        choices: custom::choices,
    },
    Described {
        path: Form::Project.path(),
        code: "mcp",
        read: |text| mcp::read(Form::Project, text).reading,
        choices: |text, at| mcp::choices(Form::Project, text, at),
    },
    Described {
        path: Form::OpenCode.path(),
        code: "mcp",
        read: |text| mcp::read(Form::OpenCode, text).reading,
        choices: |text, at| mcp::choices(Form::OpenCode, text, at),
    },
];

/// The file at that path, from the root.
pub fn at(path: &str) -> Option<&'static Described> {
    FILES.iter().find(|file| file.path == path)
}

/// The file that is open under `uri`, with its text.
pub fn open(session: &Session, uri: &Uri) -> Option<(&'static Described, Arc<str>)> {
    FILES.iter().find_map(|file| Some((file, session.text_at(uri, file.path)?)))
}

/// The characters after which a client asks by itself.
pub const TRIGGERS: [&str; 1] = ["\""];

/// The agents of the project that can be used, as the file is saved.
pub fn agents(session: &Session) -> Vec<String> {
    let file = session.root().and_then(|root| custom::load(root.path()).ok()).unwrap_or_default();
    file.agents.into_iter().map(|agent| agent.name).collect()
}

impl Described {
    /// What is wrong with the text.
    pub fn problems(&self, text: &str, encoding: Encoding) -> Vec<Diagnostic> {
        let lines = Lines::new(text, encoding);
        let shown = (self.read)(text).problems.into_iter().map(|problem| Diagnostic {
            range: lines.range(problem.range.start, problem.range.end),
            severity: Some(match problem.is_error {
                true => DiagnosticSeverity::ERROR,
                false => DiagnosticSeverity::WARNING,
            }),
            code: Some(NumberOrString::String(self.code.to_owned())),
            source: Some(SOURCE.to_owned()),
            message: problem.message,
            ..Diagnostic::default()
        });
        shown.collect()
    }

    /// The entries: with what they are for where the client shows a tree.
    pub fn symbols(
        &self,
        text: &str,
        uri: &Uri,
        encoding: Encoding,
        tree: bool,
    ) -> DocumentSymbolResponse {
        let lines = Lines::new(text, encoding);
        let entries = (self.read)(text).entries;
        #[expect(deprecated, reason = "the structs have no other constructors")]
        let nested = |entry: &Entry| DocumentSymbol {
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
        let flat = |entry: &Entry| SymbolInformation {
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

    /// Entries that stand on more than one line.
    pub fn folds(&self, text: &str) -> Vec<FoldingRange> {
        // Lines are the same in every encoding.
        let lines = Lines::new(text, Encoding::Utf8);
        let entries = (self.read)(text).entries.into_iter();
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
    pub fn completions(
        &self,
        text: &str,
        encoding: Encoding,
        position: Position,
    ) -> Vec<CompletionItem> {
        let lines = Lines::new(text, encoding);
        let at = lines.offset(position);
        let (choices, from) = (self.choices)(text, at);
        let range = lines.range(from, at);
        let item = |choice: Choice| CompletionItem {
            label: choice.label,
            kind: Some(CompletionItemKind::PROPERTY),
            detail: Some(choice.meaning),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: choice.text })),
            ..CompletionItem::default()
        };
        choices.into_iter().map(item).collect()
    }
}

/// A symbol's name must not be empty.
fn shown(name: &str) -> String {
    if name.trim().is_empty() { "(no name)".to_owned() } else { name.to_owned() }
}
