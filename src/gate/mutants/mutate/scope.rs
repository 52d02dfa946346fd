//! Where no mutant belongs: tests, attributes, types, imports, and what a macro may read as it likes.

use tree_sitter::Node;

use crate::workspace::path::RelPath;

/// Whether a whole file is a test by its name or folder.
pub(in crate::gate) fn is_test_path(path: &RelPath) -> bool {
    let text = path.as_str();
    let (folders, name) = text.rsplit_once('/').unwrap_or(("", text));
    let tests = ["tests", "test", "__tests__", "benches"];
    folders.split('/').any(|folder| tests.contains(&folder))
        || name.contains(".test.")
        || name.contains(".spec.")
        || name.ends_with("_test.rs")
        || name.ends_with("_tests.rs")
        || name == "tests.rs"
        || name == "build.rs"
}

/// Whether nothing below this node may be mutated.
pub(in crate::gate) fn is_closed(node: Node<'_>, text: &str) -> bool {
    match node.kind() {
        // Rust: what a macro reads as it likes is looked at by its literals alone, see `operators`.
        "attribute_item" | "inner_attribute_item" | "use_declaration" | "macro_definition" => true,
        // Lengths of arrays, constants as parameters of types.
        "type_arguments" | "array_type" | "extern_crate_declaration" => true,
        // TypeScript and JavaScript.
        "import_statement" | "type_annotation" | "type_alias_declaration" => true,
        "interface_declaration" | "literal_type" | "ambient_declaration" | "decorator" => true,
        "mod_item" | "function_item" => is_rust_test(node, text),
        _ => false,
    }
}

/// Whether one of the attributes before an item makes it a test.
fn is_rust_test(item: Node<'_>, text: &str) -> bool {
    let mut before = item.prev_named_sibling();
    while let Some(node) = before {
        match node.kind() {
            "attribute_item" => {
                let attribute: String =
                    text[node.byte_range()].split_whitespace().collect::<Vec<_>>().join("");
                let name = attribute.trim_start_matches("#[").trim_end_matches(']');
                if name == "test" || name.ends_with("::test") || name.starts_with("cfg(test") {
                    return true;
                }
            }
            "line_comment" | "block_comment" => {}
            _ => return false,
        }
        before = node.prev_named_sibling();
    }
    false
}
