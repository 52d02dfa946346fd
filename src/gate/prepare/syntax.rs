//! The syntax stage: ERROR and MISSING nodes that the base did not have.
//!
//! A tree-sitter grammar is wrong about some valid files, so what it finds is a suspicion: the gate lets the language's
//! own compiler break the tie, and refuses on the grammar's word alone only where nothing else can be asked.

use std::collections::HashMap;

use tree_sitter::{Node, Parser, Tree};

use super::pair::Pair;
use crate::gate::diagnostic::{Diagnostic, Place, Range, Severity};
use crate::gate::rules::secrets::mask;
use crate::workspace::path::RelPath;

/// Characters of a place that are looked at for its message.
const PIECE: usize = 400;

/// A tree-sitter grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grammar {
    /// Rust.
    Rust,
    /// TypeScript without JSX.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// JavaScript, with or without JSX.
    JavaScript,
    /// Python.
    Python,
    /// Go.
    Go,
}

impl Grammar {
    /// The grammar of a file, by its extension.
    pub fn for_path(path: &RelPath) -> Option<Grammar> {
        match path.extension()? {
            "rs" => Some(Grammar::Rust),
            "ts" | "mts" | "cts" => Some(Grammar::TypeScript),
            "tsx" => Some(Grammar::Tsx),
            "js" | "jsx" | "mjs" | "cjs" => Some(Grammar::JavaScript),
            "py" | "pyi" => Some(Grammar::Python),
            "go" => Some(Grammar::Go),
            _ => None,
        }
    }

    /// The name of the language that it is a grammar of.
    pub fn of_language(self) -> &'static str {
        match self {
            Grammar::Rust => "rust",
            Grammar::TypeScript | Grammar::Tsx => "typescript",
            Grammar::JavaScript => "javascript",
            Grammar::Python => "python",
            Grammar::Go => "go",
        }
    }

    /// The grammar's tables.
    pub fn language(self) -> tree_sitter::Language {
        match self {
            Grammar::Rust => tree_sitter_rust::LANGUAGE.into(),
            Grammar::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Grammar::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Grammar::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Grammar::Python => tree_sitter_python::LANGUAGE.into(),
            Grammar::Go => tree_sitter_go::LANGUAGE.into(),
        }
    }

    /// Parses `text` in full; `None` only when the grammar does not fit the library.
    pub fn parse(self, text: &str) -> Option<Tree> {
        let mut parser = Parser::new();
        parser.set_language(&self.language()).ok()?;
        parser.parse(text, None)
    }

    /// Parses `text` with what an edited tree still knows of it.
    pub fn parse_again(self, text: &str, old: &Tree) -> Option<Tree> {
        let mut parser = Parser::new();
        parser.set_language(&self.language()).ok()?;
        parser.parse(text, Some(old))
    }
}

/// The errors of a file's new text that the old one does not have, as a multiset of kind and surrounding text, never of
/// positions. Trees that grew out of others differ at times from those of the whole text, so before anything is
/// suspected both texts are parsed in full.
pub fn new_errors(pair: &Pair<'_>) -> Vec<Diagnostic> {
    if suspected(pair).is_empty() {
        return Vec::new();
    }
    suspected(&pair.in_full()).into_iter().map(|fault| fault.into_diagnostic(pair.path)).collect()
}

fn suspected(pair: &Pair<'_>) -> Vec<Fault> {
    let (Some(after), Some(tree)) = (pair.after, &pair.tree) else {
        return Vec::new();
    };
    let mut new = errors(tree, after);
    if new.is_empty() {
        return new;
    }
    let mut known: HashMap<(String, String), usize> = HashMap::new();
    let before = pair.base.as_ref().zip(pair.before);
    for fault in before.iter().flat_map(|(tree, base)| errors(tree, base)) {
        *known.entry(fault.key).or_default() += 1;
    }
    new.retain(|fault| match known.get_mut(&fault.key) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    new
}

struct Fault {
    /// Kind, and the text around it.
    key: (String, String),
    /// What should stand there; `None` where something stands that should not.
    missing: Option<String>,
    piece: String,
    range: Range,
}

impl Fault {
    fn of(node: Node<'_>, text: &str) -> Fault {
        let kind =
            if node.is_missing() { format!("MISSING {}", node.kind()) } else { "ERROR".to_owned() };
        let missing = node.is_missing().then(|| node.kind().to_owned());
        let piece = text[node.byte_range()].chars().take(PIECE).collect();
        Fault { key: (kind, around(node, text)), missing, piece, range: range_of(node) }
    }

    fn message(&self) -> String {
        match &self.missing {
            Some(kind) => format!("syntax: `{kind}` is missing here"),
            None => {
                // Masked before it is cut: half a secret is not known as one.
                let piece: String = mask(&self.piece).chars().take(40).collect();
                let piece = piece.split_whitespace().collect::<Vec<_>>().join(" ");
                format!("syntax: `{piece}` does not fit here")
            }
        }
    }

    fn into_diagnostic(self, path: &RelPath) -> Diagnostic {
        Diagnostic {
            path: path.clone(),
            range: self.range,
            severity: Severity::Error,
            code: Some("syntax".to_owned()),
            message: self.message(),
            source: "tree-sitter".to_owned(),
            remedies: Vec::new(),
        }
    }
}

/// The range of a node; tree-sitter counts columns in bytes, as we do.
pub(in crate::gate) fn range_of(node: Node<'_>) -> Range {
    let place = |point: tree_sitter::Point| Place {
        line: u32::try_from(point.row).unwrap_or(u32::MAX),
        column: u32::try_from(point.column).unwrap_or(u32::MAX),
    };
    Range { start: place(node.start_position()), end: place(node.end_position()) }
}

/// The node's text with the rest of its lines, blanks squeezed, at most 200 characters.
fn around(node: Node<'_>, text: &str) -> String {
    let start = text[..node.start_byte()].rfind('\n').map_or(0, |at| at + 1);
    let end = text[node.end_byte()..].find('\n').map_or(text.len(), |at| node.end_byte() + at);
    let squeezed = text[start..end].split_whitespace().collect::<Vec<_>>().join(" ");
    squeezed.chars().take(200).collect()
}

/// Outermost ERROR nodes and all MISSING nodes, in order. Only what has an error below it is looked into.
fn errors(tree: &Tree, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut waiting = vec![tree.root_node()];
    while let Some(node) = waiting.pop() {
        if node.is_error() || node.is_missing() {
            faults.push(Fault::of(node, text));
        } else if node.has_error() {
            let mut cursor = node.walk();
            let mut children: Vec<Node<'_>> = node.children(&mut cursor).collect();
            children.reverse();
            waiting.extend(children);
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::pair::Owned;
    use super::*;

    fn check(name: &str, base: Option<&str>, after: &str) -> Vec<String> {
        let path = RelPath::new(name).expect("a good path");
        let (base, after) = (base.map(Owned::new), Owned::new(after));
        let pair = Pair::new(&path, base.as_ref().map(Owned::known), Some(after.known()));
        let found = new_errors(&pair);
        found.into_iter().map(|diagnostic| diagnostic.message).collect()
    }

    #[test]
    fn valid_code_has_none() {
        assert!(check("a.rs", None, "fn main() { println!(\"ä\"); }\n").is_empty());
        assert!(check("a.ts", None, "export const a: number = <number>1;\n").is_empty());
        assert!(check("a.tsx", None, "export const A = () => <p>hi</p>;\n").is_empty());
    }

    #[test]
    fn a_dropped_brace_is_new() {
        assert!(!check("a.rs", Some("fn a() {}\n"), "fn a() {\n").is_empty());
        assert!(!check("a.ts", Some("function a() {}\n"), "function a( {}\n").is_empty());
    }

    #[test]
    fn an_old_error_that_moves_is_not_new() {
        let base = "fn a() { let = 1; }\n";
        let after = "// one more line\n\nfn a() { let = 1; }\nfn b() {}\n";
        assert!(!check("a.rs", None, base).is_empty());
        assert!(check("a.rs", Some(base), after).is_empty());
        let twice = format!("{base}{base}");
        assert_eq!(check("a.rs", Some(base), &twice).len(), 1);
    }
}
