//! What a change-set removed: names that its files defined before, outside of tests, and that nothing in it defines now.
//!
//! A test of something that is gone may go with it.

use std::collections::BTreeSet;
use std::ops::Range as Bytes;

use tree_sitter::{Node, Tree};

/// The names that a tree defines outside of some bytes and of modules called `test` or `tests`.
pub fn definitions(tree: &Tree, text: &str, except: &[Bytes<usize>]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut waiting = vec![tree.root_node()];
    while let Some(node) = waiting.pop() {
        if except.iter().any(|bytes| *bytes == node.byte_range()) || is_test_module(node, text) {
            continue;
        }
        if is_definition(node.kind()) {
            names.extend(defined(node).map(|name| text[name.byte_range()].to_owned()));
        }
        let mut cursor = node.walk();
        waiting.extend(node.named_children(&mut cursor));
    }
    names
}

fn is_test_module(node: Node<'_>, text: &str) -> bool {
    let name = node.child_by_field_name("name").map(|name| &text[name.byte_range()]);
    node.kind() == "mod_item" && matches!(name, Some("test" | "tests"))
}

/// The same words mean it in every grammar that we have.
fn is_definition(kind: &str) -> bool {
    let means = ["_item", "definition", "declar", "signature", "_spec", "variant", "assignment"];
    means.iter().any(|word| kind.contains(word)) && !kind.contains("import")
}

fn defined(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let fields = ["name", "left"].into_iter();
    let nodes = fields.filter_map(move |field| node.child_by_field_name(field));
    nodes.filter(|name| name.kind().contains("identifier") && name.named_child_count() == 0)
}
