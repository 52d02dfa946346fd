//! Where a pattern stands in a text. It must not know what becomes of the places.

use std::collections::HashSet;
use std::ops::Range;

use tree_sitter::{Node, Tree};

use super::pattern::{Hole, Pattern, Shape, loose, significant};

/// How many comparisons one file may cost; a pattern of several `$$$` side by side can cost any number.
const STEPS: usize = 4_000_000;

/// One place of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Its bytes.
    pub range: Range<usize>,
    /// Whether it is one node, and no run of several.
    pub(super) is_node: bool,
    /// What the holes hold, in their order; those without a name are left out.
    pub(super) held: Vec<(Hole, Range<usize>)>,
}

/// Every place of `pattern` in the text of `tree`: outer ones before inner ones, and by their start.
///
/// # Errors
/// When the pattern leaves too much open for this file.
pub fn matches(pattern: &Pattern, tree: &Tree, text: &str) -> Result<Vec<Match>, String> {
    let mut search = Search { text, steps: STEPS };
    let mut found = Vec::new();
    let mut known = HashSet::new();
    for reading in &pattern.readings {
        for place in search.places(reading, tree)? {
            if known.insert((place.range.start, place.range.end)) {
                found.push(place);
            }
        }
    }
    found.sort_by_key(|m| (m.range.start, std::cmp::Reverse(m.range.end)));
    Ok(found)
}

type Held = Vec<(Hole, Range<usize>)>;

struct Search<'t> {
    text: &'t str,
    steps: usize,
}

impl Search<'_> {
    fn places(&mut self, reading: &[Shape], tree: &Tree) -> Result<Vec<Match>, String> {
        let mut found = Vec::new();
        let mut cursor = tree.walk();
        loop {
            match reading {
                [single] => self.at_node(single, cursor.node(), &mut found),
                run => self.among_children(run, cursor.node(), &mut found),
            }
            if self.steps == 0 {
                return Err("the pattern leaves too much open; use fewer `$$$`".to_owned());
            }
            if cursor.goto_first_child() || cursor.goto_next_sibling() {
                continue;
            }
            while cursor.goto_parent() {
                if cursor.goto_next_sibling() {
                    break;
                }
            }
            if cursor.node().id() == tree.root_node().id() {
                return Ok(found);
            }
        }
    }

    fn at_node(&mut self, shape: &Shape, node: Node<'_>, found: &mut Vec<Match>) {
        let mut held = Held::new();
        if self.is(shape, node, &mut held) {
            found.push(Match { range: node.byte_range(), is_node: true, held });
        }
    }

    /// Runs of siblings, none of which overlaps the one before.
    fn among_children(&mut self, run: &[Shape], node: Node<'_>, found: &mut Vec<Match>) {
        if node.child_count() < 2 {
            return;
        }
        let children = significant(node);
        let mut at = 0;
        while at < children.len() {
            let mut held = Held::new();
            let taken = self.run(run, &children[at..], false, false, &mut held);
            match taken.filter(|taken| *taken > 0) {
                Some(taken) => {
                    let range = children[at].start_byte()..children[at + taken - 1].end_byte();
                    found.push(Match { range, is_node: false, held });
                    at += taken;
                }
                None => at += 1,
            }
        }
    }

    fn is(&mut self, shape: &Shape, node: Node<'_>, held: &mut Held) -> bool {
        self.steps = self.steps.saturating_sub(1);
        match shape {
            Shape::Hole(hole) => node.is_named() && self.hold(hole, node.byte_range(), held),
            Shape::Leaf { kind, text } => {
                node.kind_id() == *kind
                    && node.child_count() == 0
                    && self.text[node.byte_range()] == *text
            }
            Shape::Node { kind, children, loose: wanted } => {
                if node.kind_id() != *kind || self.steps == 0 {
                    return false;
                }
                let is_open = children.iter().any(|child| matches!(child, Shape::Hole(_)));
                if !is_open && loose(node, self.text) != *wanted {
                    return false;
                }
                let tokens = node.kind() == "token_tree";
                self.run(children, &significant(node), tokens, true, held).is_some()
            }
        }
    }

    /// How many of `nodes` the shapes take from the first on; all of them where they must.
    fn run(
        &mut self,
        shapes: &[Shape],
        nodes: &[Node<'_>],
        tokens: bool,
        all: bool,
        held: &mut Held,
    ) -> Option<usize> {
        let Some((first, rest)) = shapes.split_first() else {
            return (!all || nodes.is_empty()).then_some(0);
        };
        let so_far = held.len();
        // Among the bare tokens of a macro one hole holds an argument: all that stands before the next comma.
        let (least, most) = match first {
            Shape::Hole(Hole { many: true, .. }) => (0, nodes.len()),
            Shape::Hole(_) if tokens => {
                let comma = nodes.iter().position(|node| node.kind() == ",");
                (1, comma.unwrap_or(nodes.len()))
            }
            _ => {
                let (node, others) = nodes.split_first()?;
                let taken =
                    self.is(first, *node, held).then(|| self.run(rest, others, tokens, all, held));
                return taken.flatten().map(|taken| taken + 1).or_else(|| undo(held, so_far));
            }
        };
        let Shape::Hole(hole) = first else { return None };
        for taken in least..=most {
            self.steps = self.steps.saturating_sub(1);
            let (mine, others) = nodes.split_at(taken);
            let range = match (mine.first(), mine.last()) {
                (Some(first), Some(last)) => first.start_byte()..last.end_byte(),
                _ => 0..0,
            };
            if self.hold(hole, range, held)
                && let Some(more) = self.run(rest, others, tokens, all, held)
            {
                return Some(taken + more);
            }
            held.truncate(so_far);
            if self.steps == 0 {
                break;
            }
        }
        None
    }

    /// Notes what a hole holds; one that is named twice must hold the same.
    fn hold(&self, hole: &Hole, range: Range<usize>, held: &mut Held) -> bool {
        if hole.name.is_none() {
            return true;
        }
        let words = |range: &Range<usize>| self.text[range.clone()].split_whitespace();
        let bare = hole.name.as_deref() == Some("");
        if let Some((_, before)) = held.iter().find(|(known, _)| known == hole && !bare) {
            return words(before).eq(words(&range));
        }
        held.push((hole.clone(), range));
        true
    }
}

fn undo(held: &mut Held, to: usize) -> Option<usize> {
    held.truncate(to);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::prepare::syntax::Grammar;

    fn found<'t>(grammar: Grammar, pattern: &str, text: &'t str) -> Vec<&'t str> {
        let pattern = Pattern::new(grammar, pattern).unwrap();
        let tree = grammar.parse(text).unwrap();
        let found = matches(&pattern, &tree, text).unwrap();
        found.into_iter().map(|m| &text[m.range]).collect()
    }

    #[test]
    fn one_and_many_nodes() {
        let text = "fn f() {\n    foo(1);\n    foo(a + b, /* c */ 2,);\n    bar(foo());\n    // foo(3)\n    \"foo(4)\";\n}\n";
        assert_eq!(found(Grammar::Rust, "foo($A)", text), ["foo(1)"]);
        assert_eq!(
            found(Grammar::Rust, "foo($$$)", text),
            ["foo(1)", "foo(a + b, /* c */ 2,)", "foo()"]
        );
        assert_eq!(found(Grammar::Rust, "foo($A, $B)", text), ["foo(a + b, /* c */ 2,)"]);
        assert_eq!(found(Grammar::Rust, "foo($A, $$$REST)", text).len(), 2);
    }

    #[test]
    fn one_name_is_one_text() {
        let text = "a == a;\na == b;\nf(x, 1) == f(x,1);\n";
        assert_eq!(
            found(Grammar::JavaScript, "$A == $A", text),
            ["a == a"],
            "blanks between tokens are text"
        );
        assert_eq!(found(Grammar::JavaScript, "$A == $B", text).len(), 3);
        assert_eq!(found(Grammar::JavaScript, "$A === $A", text).len(), 0, "operators count");
    }

    #[test]
    fn every_kind_of_code() {
        let rust = "impl T {\n    fn get(&self) -> Option<u8> { match x { Some(v) => v, None => 0 } }\n}\nfn g() { assert_eq!(a.len(), f(1, 2)); let y = x.unwrap(); }\n";
        assert_eq!(found(Grammar::Rust, "Option<$T>", rust), ["Option<u8>"]);
        assert_eq!(found(Grammar::Rust, "$X.unwrap()", rust), ["x.unwrap()"]);
        assert_eq!(found(Grammar::Rust, "assert_eq!($A, $B)", rust).len(), 1);
        assert_eq!(found(Grammar::Rust, "assert_eq!($A)", rust).len(), 0);
        assert_eq!(found(Grammar::Rust, "fn get(&self) -> $R { $$$ }", rust).len(), 1);
        assert_eq!(found(Grammar::Rust, "let $A = $B;", rust), ["let y = x.unwrap();"]);
        assert_eq!(found(Grammar::Rust, "Some($A) => $B", rust).len(), 1);
        let ts = "const o = { a: 1, b: 2 };\nif (x) { f(); g(); }\nclass K { m(): void { this.n(); } }\n";
        assert_eq!(found(Grammar::TypeScript, "if ($C) { $$$ }", ts).len(), 1);
        assert_eq!(found(Grammar::TypeScript, "f(); g();", ts), ["f(); g();"]);
        assert_eq!(found(Grammar::TypeScript, "m(): void { $$$BODY }", ts).len(), 1);
        assert_eq!(found(Grammar::TypeScript, "{ a: $A, b: $B }", ts).len(), 1);
        let py = "def f(a):\n    if a:\n        return g(a)\n    print(a, 1)\n";
        assert_eq!(found(Grammar::Python, "print($$$)", py), ["print(a, 1)"]);
        assert_eq!(found(Grammar::Python, "return $A", py), ["return g(a)"]);
        let go = "package p\n\nfunc f() error {\n\tif err != nil {\n\t\treturn err\n\t}\n\tg(1, 2)\n\treturn nil\n}\n";
        assert_eq!(found(Grammar::Go, "if err != nil { $$$ }", go).len(), 1);
        assert_eq!(found(Grammar::Go, "g($A, $B)", go), ["g(1, 2)"]);
    }

    #[test]
    fn a_pattern_that_leaves_all_open_ends() {
        let text = format!("f({});\n", "a, ".repeat(3_000));
        let pattern =
            Pattern::new(Grammar::JavaScript, "f($$$A, x, $$$B, y, $$$C, z, $$$D)").unwrap();
        let tree = Grammar::JavaScript.parse(&text).unwrap();
        assert!(matches(&pattern, &tree, &text).is_ok_and(|found| found.is_empty()));
        let text = text.replace("a, ", "x, y, z, ");
        let tree = Grammar::JavaScript.parse(&text).unwrap();
        // It either says so or finds the place; it does not go on for ever.
        let _ = matches(&pattern, &tree, &text);
    }
}
