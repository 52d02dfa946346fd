//! The sources that edits are derived from: texts, their syntax trees, and where each word stands.
//!
//! It must not know which edits there are.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use tree_sitter::{Node, Tree};

use crate::gate::language;
use crate::gate::prepare::syntax::Grammar;
use crate::workspace::RelPath;

/// Kinds of leaves that are names, in both languages.
pub const NAMES: &[&str] = &[
    "identifier",
    "field_identifier",
    "type_identifier",
    "property_identifier",
    "shorthand_field_identifier",
    "shorthand_property_identifier",
    "shorthand_property_identifier_pattern",
];
/// Functions with a body.
pub const FUNCTIONS: &[&str] = &["function_item", "function_declaration", "method_definition"];
/// Blocks of statements.
pub const BLOCKS: &[&str] = &["block", "statement_block"];

/// One file.
pub struct Source {
    pub path: RelPath,
    pub text: String,
    pub tree: Tree,
    pub is_rust: bool,
}

impl Source {
    /// A file of the two languages that is plain enough to be edited by bytes: line ends of one byte, no mark at its head.
    pub fn read(root: &Path, path: &RelPath) -> Option<Source> {
        let language = language::for_path(path)?;
        let text = std::fs::read_to_string(path.in_root(root)).ok()?;
        if text.contains('\r') || text.starts_with('\u{feff}') || text.trim().is_empty() {
            return None;
        }
        let tree = Grammar::for_path(path)?.parse(&text)?;
        Some(Source { path: path.clone(), text, tree, is_rust: language.name == "rust" })
    }

    /// Every node, parents first.
    pub fn nodes(&self) -> Vec<Node<'_>> {
        let mut found = Vec::new();
        let mut cursor = self.tree.walk();
        loop {
            found.push(cursor.node());
            if cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return found;
                }
            }
        }
    }

    /// The nodes of some kinds.
    pub fn of(&self, kinds: &[&str]) -> Vec<Node<'_>> {
        self.nodes().into_iter().filter(|node| kinds.contains(&node.kind())).collect()
    }

    pub fn text_of(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// The blanks at the head of the line of `at`, and that line's first byte.
    pub fn line_of(&self, at: usize) -> (usize, &str) {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = &self.text[start..];
        let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
        (start, &line[..blanks])
    }

    /// Whether only blanks stand before the node in its line.
    pub fn begins_line(&self, node: Node<'_>) -> bool {
        let (start, indent) = self.line_of(node.start_byte());
        start + indent.len() == node.start_byte()
    }

    /// Whether the file holds tests by its name.
    pub fn is_test_file(&self) -> bool {
        let path = self.path.as_str();
        [".test.", ".spec.", "tests/", "_test.", "tests.rs"].iter().any(|part| path.contains(part))
    }
}

/// The statements of a block, or the items of a file.
pub fn statements(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.kind().contains("comment")).collect()
}

/// The nearest ancestor of one of the kinds.
pub fn ancestor<'t>(node: Node<'t>, kinds: &[&str]) -> Option<Node<'t>> {
    let mut above = node.parent();
    while let Some(node) = above {
        if kinds.contains(&node.kind()) {
            return Some(node);
        }
        above = node.parent();
    }
    None
}

/// A word in a file.
#[derive(Debug, Clone)]
pub struct Mention {
    pub file: usize,
    pub range: Range<usize>,
    /// Whether it is a plain identifier: no field, no property, no type.
    pub is_plain: bool,
}

/// All sources of a repository that its compilers read.
pub struct Project {
    pub sources: Vec<Source>,
    mentions: HashMap<String, Vec<Mention>>,
    definitions: HashMap<String, usize>,
}

impl Project {
    pub fn new(root: &Path, paths: impl IntoIterator<Item = RelPath>) -> Project {
        let sources: Vec<Source> =
            paths.into_iter().filter_map(|path| Source::read(root, &path)).collect();
        let mut mentions: HashMap<String, Vec<Mention>> = HashMap::new();
        let mut definitions: HashMap<String, usize> = HashMap::new();
        for (file, source) in sources.iter().enumerate() {
            for node in source.nodes() {
                if NAMES.contains(&node.kind()) {
                    let mention = Mention {
                        file,
                        range: node.byte_range(),
                        is_plain: node.kind() == "identifier",
                    };
                    mentions.entry(source.text_of(node).to_owned()).or_default().push(mention);
                }
                if let Some(name) = node.child_by_field_name("name").filter(|_| defines(node)) {
                    *definitions.entry(source.text_of(name).to_owned()).or_default() += 1;
                }
            }
        }
        Project { sources, mentions, definitions }
    }

    /// Where a word stands, as a name.
    pub fn mentions(&self, word: &str) -> &[Mention] {
        self.mentions.get(word).map_or(&[], Vec::as_slice)
    }

    /// Whether a word is defined once in the whole repository.
    pub fn is_unique(&self, word: &str) -> bool {
        self.definitions.get(word) == Some(&1)
    }

    /// The lines of all sources.
    pub fn lines(&self) -> usize {
        self.sources.iter().map(|source| source.text.lines().count()).sum()
    }

    /// The sources by path.
    pub fn texts(&self) -> BTreeMap<&RelPath, &str> {
        self.sources.iter().map(|source| (&source.path, source.text.as_str())).collect()
    }
}

/// Whether a node gives something a name that other places use.
pub fn defines(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "function_item"
            | "function_signature_item"
            | "struct_item"
            | "enum_item"
            | "trait_item"
            | "const_item"
            | "static_item"
            | "type_item"
            | "mod_item"
            | "function_declaration"
            | "function_signature"
            | "class_declaration"
            | "interface_declaration"
            | "type_alias_declaration"
            | "enum_declaration"
            | "method_definition"
            | "method_signature"
            | "variable_declarator"
            | "field_declaration"
            | "property_signature"
            | "public_field_definition"
    )
}
