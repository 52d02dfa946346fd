//! The named items of a file, by the queries in `grammars/<language>/symbols.scm`, and how one of them is named.
//!
//! It must not guess: a name that fits more than one item fits none.

use std::ops::Range;
use std::sync::OnceLock;

use streaming_iterator::StreamingIterator;
use tree_sitter::{Node, Query, QueryCursor, QueryMatch};

use super::line_at;
use crate::gate::prepare::syntax::Grammar;
use crate::workspace::path::RelPath;

/// What stands around one declaration and belongs to it.
const WRAPPERS: &[&str] = &[
    "export_statement",
    "ambient_declaration",
    "decorated_definition",
    "type_declaration",
    "const_declaration",
    "var_declaration",
];
/// What stands before a declaration and belongs to it, besides comments.
const MARKS: &[&str] = &["attribute_item", "decorator"];
/// The kinds that are parts of an item rather than items.
const PARTS: &[&str] = &["field", "variant"];
/// How many items a path names before its own.
const DEEPEST: usize = 32;
/// How many names an answer lists.
const LISTED: usize = 20;

/// A named item of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// `fn`, `class`, `impl`, …, as the language's query says.
    pub kind: String,
    /// The names of the items that it lies in, and its own.
    pub path: Vec<String>,
    /// Its bytes, with the comments, attributes and decorators that stand right before it.
    pub whole: Range<usize>,
    /// Its bytes without those.
    pub core: Range<usize>,
    /// The bytes of its name.
    pub name: Range<usize>,
}

impl Symbol {
    /// Its path in one text.
    pub fn label(&self) -> String {
        self.path.join("::")
    }

    /// Whether it is a field or a variant of another item.
    pub fn is_part(&self) -> bool {
        PARTS.contains(&self.kind.as_str())
    }

    /// Its first line, as it stands there.
    pub fn head<'t>(&self, text: &'t str) -> &'t str {
        text[self.core.clone()].lines().next().unwrap_or_default().trim()
    }
}

/// The items of a file in their order, outer ones first; `None` where there is no grammar for it.
pub fn outline(path: &RelPath, text: &str) -> Option<Vec<Symbol>> {
    let grammar = Grammar::for_path(path)?;
    let tree = grammar.parse(text)?;
    let query = query(grammar)?;
    let mut cursor = QueryCursor::new();
    let mut matches = cursor.matches(query, tree.root_node(), text.as_bytes());
    let mut found = Vec::new();
    while let Some(matched) = matches.next() {
        found.extend(symbol(query, matched, text));
    }
    found.sort_by_key(|s: &Symbol| (s.core.start, std::cmp::Reverse(s.core.end), s.name.start));
    found.dedup();
    nest(&mut found);
    Some(found)
}

fn query(grammar: Grammar) -> Option<&'static Query> {
    static QUERIES: [OnceLock<Option<Query>>; 6] = [const { OnceLock::new() }; 6];
    let compiled = QUERIES.get(grammar as usize)?;
    compiled.get_or_init(|| Query::new(&grammar.language(), source(grammar)).ok()).as_ref()
}

fn source(grammar: Grammar) -> &'static str {
    match grammar {
        Grammar::Rust => include_str!("../../../grammars/rust/symbols.scm"),
        Grammar::TypeScript | Grammar::Tsx => {
            include_str!("../../../grammars/typescript/symbols.scm")
        }
        Grammar::JavaScript => include_str!("../../../grammars/javascript/symbols.scm"),
        Grammar::Python => include_str!("../../../grammars/python/symbols.scm"),
        Grammar::Go => include_str!("../../../grammars/go/symbols.scm"),
    }
}

fn symbol(query: &Query, matched: &QueryMatch<'_, '_>, text: &str) -> Option<Symbol> {
    let (mut item, mut name, mut of) = (None, None, None);
    for capture in matched.captures() {
        match *query.capture_names().get(capture.index as usize)? {
            "name" => name = Some(capture.node),
            "of" => of = Some(capture.node),
            kind => item = Some((capture.node, kind)),
        }
    }
    let ((item, kind), name) = (item?, name?);
    let core = wrapped(item);
    let named = |node: Node<'_>| text[node.byte_range()].to_owned();
    Some(Symbol {
        kind: kind.to_owned(),
        path: of.into_iter().chain([name]).map(named).collect(),
        whole: first_mark(core, text)..core.end_byte(),
        core: core.byte_range(),
        name: name.byte_range(),
    })
}

/// The item with the words around it that belong to it alone (`export`).
fn wrapped(item: Node<'_>) -> Node<'_> {
    let mut node = item;
    while let Some(parent) = node.parent() {
        let mut walk = parent.walk();
        let others = parent.named_children(&mut walk).filter(|child| {
            child.id() != node.id() && !child.is_extra() && !MARKS.contains(&child.kind())
        });
        if !WRAPPERS.contains(&parent.kind()) || others.count() > 0 {
            break;
        }
        node = parent;
    }
    node
}

/// Where the comments and marks begin that stand right before a node, each on lines of its own.
fn first_mark(core: Node<'_>, text: &str) -> usize {
    let mut start = core.start_byte();
    let mut before = core.prev_sibling();
    while let Some(mark) = before {
        let belongs = mark.is_extra() || MARKS.contains(&mark.kind());
        let said = text[mark.byte_range()].trim_end();
        let end = mark.start_byte() + said.len();
        let gap = text.get(end..start).unwrap_or_default();
        let line = text[..mark.start_byte()].rfind('\n').map_or(0, |at| at + 1);
        let own_line = text[line..mark.start_byte()].trim().is_empty();
        if !belongs
            || gap.matches('\n').count() > 1
            || !gap.trim().is_empty()
            || !own_line
            || said.starts_with("//!")
        {
            break;
        }
        start = mark.start_byte();
        before = mark.prev_sibling();
    }
    start
}

/// Puts the names of the items around each before its own.
fn nest(symbols: &mut [Symbol]) {
    let mut around: Vec<(Range<usize>, Vec<String>)> = Vec::new();
    for symbol in symbols {
        while around.last().is_some_and(|(range, _)| {
            range.end < symbol.core.end || *range == symbol.core || range.end <= symbol.core.start
        }) {
            around.pop();
        }
        if let Some((_, outer)) = around.last() {
            symbol.path.splice(0..0, outer.iter().take(DEEPEST).cloned());
        }
        around.push((symbol.core.clone(), symbol.path.clone()));
    }
}

/// The one item of that name: a whole path (`Parser::parse`, `Parser.parse`), its end (`parse`) where no whole path is that, or a
/// block (`impl Display for Parser`). `parse:120` is the one that begins, or has its name, in that 1-based line.
///
/// # Errors
/// The candidates where there are several, and the names that there are where there is none.
pub fn find<'s>(symbols: &'s [Symbol], wanted: &str, text: &str) -> Result<&'s Symbol, String> {
    let (name, line) = with_line(wanted);
    let mut found = named(symbols, name, text);
    if let Some(line) = line {
        found.retain(|s| {
            [s.core.start, s.whole.start, s.name.start].iter().any(|at| line_at(text, *at) == line)
        });
    }
    match found.as_slice() {
        [] => Err(unknown(symbols, wanted, text)),
        [one] => Ok(one),
        several => Err(ambiguous(several, wanted, text)),
    }
}

/// A name, and the line that it may end in.
pub(super) fn with_line(wanted: &str) -> (&str, Option<usize>) {
    match wanted.trim().rsplit_once(':') {
        Some((name, line)) if !name.ends_with(':') && line.parse::<usize>().is_ok() => {
            (name.trim(), line.parse().ok())
        }
        _ => (wanted.trim(), None),
    }
}

fn named<'s>(symbols: &'s [Symbol], name: &str, text: &str) -> Vec<&'s Symbol> {
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.contains(' ') {
        let head = |s: &Symbol| squeezed(s.head(text).trim_end_matches('{'));
        let wanted = squeezed(name.trim_end_matches('{'));
        return symbols.iter().filter(|s| head(s) == wanted).collect();
    }
    let parts: Vec<&str> = name.split([':', '.', '#']).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Vec::new();
    }
    // A block of methods is named by its head, for the type has the same name.
    let items = || symbols.iter().filter(|s| s.kind != "impl");
    let whole: Vec<&Symbol> = items().filter(|s| s.path == parts).collect();
    if !whole.is_empty() {
        return whole;
    }
    let ends = |s: &&Symbol| {
        s.path.len() >= parts.len() && s.path[s.path.len() - parts.len()..] == parts[..]
    };
    items().filter(ends).collect()
}

fn ambiguous(several: &[&Symbol], wanted: &str, text: &str) -> String {
    let listed = several.iter().take(LISTED);
    let listed = listed.map(|s| format!("{} {}", s.label(), place(s, text)));
    format!(
        "`{wanted}` names {} items: {}; give the whole path, or add the line as in `{wanted}:12`",
        several.len(),
        listed.collect::<Vec<_>>().join(", ")
    )
}

fn place(symbol: &Symbol, text: &str) -> String {
    format!("in line {}", line_at(text, symbol.name.start))
}

fn unknown(symbols: &[Symbol], wanted: &str, text: &str) -> String {
    let last = wanted.rsplit([':', '.', '#']).find(|part| part.parse::<usize>().is_err());
    let last = last.unwrap_or_default().to_lowercase();
    let is_near = |s: &&Symbol| {
        let name = s.path.last().map(|name| name.to_lowercase()).unwrap_or_default();
        !last.is_empty() && (name.contains(&last) || last.contains(&name))
    };
    let mut near: Vec<&Symbol> = symbols.iter().filter(is_near).collect();
    if near.is_empty() {
        near = symbols.iter().filter(|s| !s.is_part()).collect();
    }
    let names = near.iter().take(LISTED).map(|s| format!("{} {}", s.label(), place(s, text)));
    let names: Vec<String> = names.collect();
    let there = if names.is_empty() { "no named item".to_owned() } else { names.join(", ") };
    format!("there is no `{wanted}` here; there is {there}")
}

/// The outline in words: a line for each item, with the 1-based lines that it takes.
pub fn listing(symbols: &[Symbol], text: &str) -> String {
    let rows = symbols.iter().filter(|s| !s.is_part()).map(|s| {
        let (from, to) =
            (line_at(text, s.whole.start), line_at(text, s.core.end.saturating_sub(1)));
        let head: String = s.head(text).chars().take(120).collect();
        format!(
            "{from}-{to} {}{}",
            "  ".repeat(s.path.len() - 1),
            head.trim_end_matches('{').trim()
        )
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[path = "outline_tests.rs"]
mod tests;
