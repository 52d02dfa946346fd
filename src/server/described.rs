//! An open file of the workspace that the program itself reads: its agents, its plugins, its servers. What is wrong with it is shown at its
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
use crate::agents::custom::{self, page};
use crate::extensions::described::{Choice, Entry, Reading};
use crate::extensions::mcp::{self, Form};
use crate::extensions::{commands, plugins, skills};
use crate::tools;
use crate::workspace::RelPath;

/// A kind of such files.
pub struct Described {
    /// Whether a file is one, by its path from the root.
    is_it: fn(&str) -> bool,
    /// What its diagnostics are called.
    code: &'static str,
    /// Reads the text of the file at a path.
    read: fn(&str, &str) -> Reading,
    choices: fn(&str, usize) -> (Vec<Choice>, usize),
}

/// A file of such a kind.
pub struct Open {
    kind: &'static Described,
    path: RelPath,
}

/// All of them.
const KINDS: [Described; 7] = [
    Described {
        is_it: |path| path == custom::PATH,
        code: "agents",
        read: |_, text| custom::read(text).reading,
        choices: custom::choices,
    },
    Described {
        is_it: |path| page::is_page(path).is_some(),
        code: "agents",
        read: |path, text| {
            let page = page::is_page(path).map(|(form, stem)| page::read(form, stem, text));
            page.unwrap_or_default().reading
        },
        choices: page::choices,
    },
    Described {
        is_it: skills::is_page,
        code: "skill",
        read: |path, text| skills::read(path, text).1,
        choices: skills::choices,
    },
    Described {
        is_it: |path| commands::name_of(path).is_some(),
        code: "command",
        read: commands::read,
        choices: commands::choices,
    },
    Described {
        is_it: plugins::is_plugin,
        code: "plugin",
        read: |_, text| plugins::read(text, &tools::names()).reading,
        choices: plugins::choices,
    },
    Described {
        is_it: |path| path == Form::Project.path(),
        code: "mcp",
        read: |_, text| mcp::read(Form::Project, text).reading,
        choices: |text, at| mcp::choices(Form::Project, text, at),
    },
    Described {
        is_it: |path| path == Form::OpenCode.path(),
        code: "mcp",
        read: |_, text| mcp::read(Form::OpenCode, text).reading,
        choices: |text, at| mcp::choices(Form::OpenCode, text, at),
    },
];

/// The file at that path, where it is one of them.
pub fn at(path: &RelPath) -> Option<Open> {
    let kind = KINDS.iter().find(|kind| (kind.is_it)(path.as_str()))?;
    Some(Open { kind, path: path.clone() })
}

/// The file that is open under `uri`, with its text.
pub fn open(session: &Session, uri: &Uri) -> Option<(Open, Arc<str>)> {
    let file = at(&session.root()?.rel(uri)?)?;
    Some((file, session.documents.get(uri)?.text))
}

/// The characters after which a client asks by itself.
pub const TRIGGERS: [&str; 1] = ["\""];

/// The agents of the project that can be used, as the file is saved.
pub fn agents(session: &Session) -> Vec<String> {
    let all = session.root().and_then(|root| custom::all(root.path()).ok()).unwrap_or_default();
    all.into_iter().map(|agent| agent.name).collect()
}

impl Open {
    /// What its own reader makes of the text.
    pub fn read(&self, text: &str) -> Reading {
        (self.kind.read)(self.path.as_str(), text)
    }

    /// What is wrong with the text, as it was read.
    pub fn problems(&self, read: &Reading, text: &str, encoding: Encoding) -> Vec<Diagnostic> {
        let lines = Lines::new(text, encoding);
        let shown = read.problems.iter().map(|problem| Diagnostic {
            range: lines.range(problem.range.start, problem.range.end),
            severity: Some(match problem.is_error {
                true => DiagnosticSeverity::ERROR,
                false => DiagnosticSeverity::WARNING,
            }),
            code: Some(NumberOrString::String(self.kind.code.to_owned())),
            source: Some(SOURCE.to_owned()),
            message: problem.message.clone(),
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
        let entries = self.read(text).entries;
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
        let entries = self.read(text).entries.into_iter();
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
        let (choices, from) = (self.kind.choices)(text, at);
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
