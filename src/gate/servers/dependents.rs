//! Which files may depend on what a candidate changes in others: those that mention a name whose declaration it touches.
//!
//! A first cut by words, quick and bounded. It may name files that do not depend on anything, and miss some that do
//! (through a macro, a glob, an inferred type): it lets a server see broken callers early and proves nothing.
//! It must not know of servers or diagnostics.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use similar::{DiffTag, TextDiff};
use tree_sitter::Node;

use crate::gate::language::Language;
use crate::gate::prepare::syntax::Grammar;
use crate::gate::stage::{Dependents, Overlay};
use crate::workspace::path::RelPath;

/// So many files are named at most.
pub const MOST: usize = 24;

/// Names whose declarations a change touches.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    /// Who depends on the change mentions one of these.
    touched: BTreeSet<String>,
    /// Classes, modules and the like around them.
    around: BTreeSet<String>,
}

/// The files among `files`, but for those of `overlay`, that mention a name whose declaration `overlay` touches; texts
/// are read below `root`, whose disk holds the base.
pub fn find(language: &Language, root: &Path, overlay: &Overlay, files: &[RelPath]) -> Dependents {
    let mut names = Names::default();
    let is_own = |path: &RelPath| {
        path.extension().is_some_and(|e| language.extensions.iter().any(|o| o == e))
    };
    for (path, after) in overlay.iter().filter(|(path, _)| is_own(path)) {
        let before = std::fs::read_to_string(path.in_root(root)).ok();
        if before.is_none() || after.is_none() {
            names.touched.insert(module_name(path).to_owned());
        }
        let texts = (before.unwrap_or_default(), after.as_deref().unwrap_or_default());
        names.add(path, &texts.0, texts.1);
    }
    if names.touched.is_empty() {
        return Dependents::default();
    }
    let others = files.iter().filter(|path| is_own(path) && !overlay.contains_key(*path));
    let mut ranked: Vec<(usize, &RelPath)> = others
        .filter_map(|path| {
            let text = std::fs::read(path.in_root(root)).ok()?;
            Some((names.mentioned_in(&text)?, path))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let left_out = ranked.len().saturating_sub(MOST);
    let files = ranked.into_iter().take(MOST).map(|(_, path)| path.clone()).collect();
    Dependents { files, left_out }
}

/// How others name the file: `a` for `src/a.rs`, `a/mod.rs`, `a/index.ts` and `a/__init__.py`.
fn module_name(path: &RelPath) -> &str {
    let mut parts = path.as_str().rsplit('/');
    let stem = |name: &'_ str| name.find('.').map_or(name.len(), |at| at);
    let name = parts.next().unwrap_or_default();
    let name = &name[..stem(name)];
    match (name, parts.next()) {
        ("mod" | "index" | "__init__", Some(folder)) => folder,
        _ => name,
    }
}

impl Names {
    /// Adds what is declared where the two texts differ.
    fn add(&mut self, path: &RelPath, before: &str, after: &str) {
        let Some(grammar) = Grammar::for_path(path) else {
            return;
        };
        let diff = TextDiff::from_lines(before, after);
        let (old, new) = (line_starts(before), line_starts(after));
        let changed = diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal);
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for op in changed {
            let (a, b) = (op.old_range(), op.new_range());
            gone.push(old[a.start]..old[a.end]);
            come.push(new[b.start]..new[b.end]);
        }
        for (text, ranges) in [(before, gone), (after, come)] {
            let Some(tree) = grammar.parse(text) else {
                continue;
            };
            for range in ranges.iter().filter(|range| !range.is_empty()) {
                self.collect(tree.root_node(), text, range);
            }
        }
    }

    fn collect(&mut self, node: Node<'_>, text: &str, range: &Range<usize>) {
        if node.end_byte() <= range.start || range.end <= node.start_byte() {
            return;
        }
        if reexports(node) {
            self.leaves(node, text, range);
            return;
        }
        let inside = enters_body(node, range);
        if let Some(name) = declared(node, text) {
            // What a body does shows outside only where its type is inferred from it.
            if !inside || (is_inferred(node) && !name.is_empty()) {
                let list = if holds_others(node) { &mut self.around } else { &mut self.touched };
                list.insert(name.to_owned());
            }
        }
        if inside {
            return;
        }
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            self.collect(child, text, range);
        }
    }

    /// Every identifier in the range.
    fn leaves(&mut self, node: Node<'_>, text: &str, range: &Range<usize>) {
        if node.end_byte() <= range.start || range.end <= node.start_byte() {
            return;
        }
        if node.child_count() == 0 && node.kind().ends_with("identifier") {
            self.touched.insert(text[node.byte_range()].to_owned());
        }
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            self.leaves(child, text, range);
        }
    }

    /// How many of the names stand in the text as whole words; `None` when none of the touched ones does.
    fn mentioned_in(&self, text: &[u8]) -> Option<usize> {
        let list = |names: &BTreeSet<String>, touched| {
            names.iter().map(|name| (name.clone().into_bytes(), touched)).collect::<Vec<_>>()
        };
        let mut wanted: BTreeMap<Vec<u8>, bool> = list(&self.around, false).into_iter().collect();
        wanted.extend(list(&self.touched, true));
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let mut seen = BTreeSet::new();
        for word in text.split(|byte| !is_part(byte)).filter(|word| !word.is_empty()) {
            if wanted.contains_key(word) {
                seen.insert(word);
            }
        }
        seen.iter().any(|word| wanted.get(*word) == Some(&true)).then_some(seen.len())
    }
}

/// Where each line starts, and the end of the text.
fn line_starts(text: &str) -> Vec<usize> {
    let mut at = 0;
    let ends = text.split_inclusive('\n').map(|line| {
        at += line.len();
        at
    });
    std::iter::once(0).chain(ends).collect()
}

/// The name that a node declares. Paths, imports and tags have names too, but those of others.
fn declared<'a>(node: Node<'_>, text: &'a str) -> Option<&'a str> {
    let kind = node.kind();
    if ["scoped", "jsx", "import", "qualified", "use", "keyword"]
        .iter()
        .any(|not| kind.starts_with(not))
    {
        return None;
    }
    let field = if kind == "impl_item" { "type" } else { "name" };
    let name = node.child_by_field_name(field)?;
    Some(&text[name.byte_range()])
}

/// Whether it is a class, an implementation or a module: who depends on a member mentions the member.
fn holds_others(node: Node<'_>) -> bool {
    ["class", "impl", "mod", "internal", "namespace"].iter().any(|word| node.kind().contains(word))
        && !is_callable(node)
}

fn is_callable(node: Node<'_>) -> bool {
    ["function", "method", "arrow", "closure", "func"].iter().any(|word| node.kind().contains(word))
}

/// Whether the range lies wholly within the body of this function.
fn enters_body(node: Node<'_>, range: &Range<usize>) -> bool {
    let body = is_callable(node).then(|| node.child_by_field_name("body")).flatten();
    // A range of whole lines may begin with the indentation before the body's own first line.
    body.is_some_and(|body| body.start_byte() < range.start && range.end <= body.end_byte())
}

/// Whether callers see the function's body by its inferred type.
fn is_inferred(node: Node<'_>) -> bool {
    node.kind() != "function_item"
        && node.child_by_field_name("return_type").is_none()
        && node.child_by_field_name("result").is_none()
}

fn reexports(node: Node<'_>) -> bool {
    match node.kind() {
        "use_declaration" => {
            node.named_child(0).is_some_and(|first| first.kind() == "visibility_modifier")
        }
        kind => kind == "export_clause",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(file: &str, before: &str, after: &str) -> Vec<String> {
        let mut names = Names::default();
        names.add(&RelPath::new(file).expect("a good path"), before, after);
        names.touched.into_iter().collect()
    }

    #[test]
    fn a_signature_is_seen_outside_and_a_body_is_not() {
        let before =
            "fn a(x: u8) {\n    one();\n}\nimpl B {\n    fn c(\n        x: u8,\n    ) {}\n}\n";
        assert_eq!(touched("a.rs", before, &before.replace("one", "two")), Vec::<String>::new());
        assert_eq!(touched("a.rs", before, &before.replace("a(x", "z(x")), ["a", "z"]);
        assert_eq!(
            touched("a.rs", before, &before.replace("        x: u8", "        x: u16")),
            ["c"]
        );
        let before = "export class A {\n  b(x: number) {\n    return x\n  }\n}\n";
        assert_eq!(touched("a.ts", before, &before.replace("return x", "return 1")), ["b"]);
        let before = "def f(a):\n    return a\n";
        assert_eq!(touched("a.py", before, &before.replace("(a)", "(a, b)")), ["f"]);
    }

    #[test]
    fn types_are_named_with_their_members() {
        let before = "pub struct S {\n    pub a: u8,\n}\npub use x::{y,\n  z};\n";
        assert_eq!(touched("a.rs", before, &before.replace("pub a", "pub b")), ["S", "a", "b"]);
        assert_eq!(touched("a.rs", before, &before.replace("  z}", "  w}")), ["w", "z"]);
    }

    #[test]
    fn files_that_mention_a_name_are_found() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = |text: &str| RelPath::new(text);
        let texts =
            [("a.rs", "pub fn hello() {}\n"), ("b.rs", "a::hello();"), ("c.rs", "helloes();")];
        for (name, text) in texts {
            std::fs::write(folder.path().join(name), text)?;
        }
        let files = [path("a.rs")?, path("b.rs")?, path("c.rs")?];
        let language = &crate::gate::language::all()[0];
        let overlay = Overlay::from([(path("a.rs")?, Some("pub fn hello(x: u8) {}\n".into()))]);
        let found = find(language, folder.path(), &overlay, &files);
        assert_eq!(found, Dependents { files: vec![path("b.rs")?], left_out: 0 });
        let deleted = Overlay::from([(path("a.rs")?, None)]);
        assert_eq!(find(language, folder.path(), &deleted, &files).files, [path("b.rs")?]);
        Ok(())
    }
}
