//! Patterns of code: code of the language in which `$A` stands for one node and `$$$A` for any number of them. `$_` and a bare
//! `$$$` have no name.
//!
//! A pattern is read in every place where such code could stand (expression, statement, type, member, …), and means all of those
//! readings that are sound. It must not know of files.

use tree_sitter::Node;

use crate::gate::prepare::syntax::Grammar;

/// How a hole is spelt while a pattern is parsed: a name in every language.
const MARK: &str = "zqHole";
/// The longest pattern, in bytes.
const LONGEST: usize = 4_000;
/// How deep a pattern may nest.
const DEEPEST: usize = 100;

/// A pattern in one language.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// Its sound readings, each a run of siblings.
    pub(super) readings: Vec<Vec<Shape>>,
    /// A word that stands in every text that it matches; may be empty.
    pub(super) word: String,
    holes: Vec<Hole>,
}

/// A place that is left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// Whether it takes any number of nodes.
    pub many: bool,
    /// Its name; two holes of one name must hold the same code. A bare `$$$` is called that.
    pub name: Option<String>,
}

/// A node as a pattern wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Hole(Hole),
    Leaf { kind: u16, text: String },
    Node { kind: u16, children: Vec<Shape>, loose: String },
}

/// A text cut at its holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Hole(Hole),
}

impl Pattern {
    /// Reads a pattern for the language of `grammar`.
    ///
    /// # Errors
    /// When it is no code of the language anywhere, leaves everything open, or is too large.
    pub fn new(grammar: Grammar, pattern: &str) -> Result<Pattern, String> {
        let pattern = pattern.trim();
        if pattern.len() > LONGEST || pattern.contains(MARK) {
            return Err(format!("a pattern has at most {LONGEST} bytes"));
        }
        let pieces = pieces(pattern);
        let (code, holes) = spelt(&pieces);
        if !pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if !text.trim().is_empty()))
        {
            return Err("the pattern says nothing: give some code around `$A`".to_owned());
        }
        let mut readings: Vec<Vec<Shape>> = Vec::new();
        for (before, after) in places(grammar) {
            if let Some(reading) = reading(grammar, before, &code, after, &holes)?
                && !readings.contains(&reading)
            {
                readings.push(reading);
            }
        }
        if readings.is_empty() {
            let language = grammar.of_language();
            return Err(format!("`{pattern}` is no whole piece of {language} code"));
        }
        Ok(Pattern { readings, word: word(&pieces), holes })
    }

    /// Whether a text can hold it at all; cheap.
    pub fn may_stand_in(&self, text: &str) -> bool {
        text.contains(&self.word)
    }

    /// Whether a hole of that kind and name is in it, once if it is a bare `$$$`.
    pub(super) fn has(&self, hole: &Hole) -> bool {
        let same = self.holes.iter().filter(|known| *known == hole).count();
        hole.name.is_some() && if hole.name.as_deref() == Some("") { same == 1 } else { same > 0 }
    }
}

/// Cuts a text at `$NAME`, `$_`, `$$$NAME` and `$$$`; a `$` before anything else is text.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        plain.push_str(&rest[..at]);
        let many = rest[at..].starts_with("$$$");
        let sign = if many { 3 } else { 1 };
        let after = &rest[at + sign..];
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let length = after.find(|c| !is_part(c)).unwrap_or(after.len());
        let name = &after[..length];
        // `$fn`, `$Abc` and `$1` are names of the language itself.
        let ends = !after[length..].starts_with(|c: char| c.is_alphanumeric());
        let named = ends && !name.starts_with(|c: char| c.is_ascii_digit());
        if named && (many || !name.is_empty()) {
            found.push(Piece::Text(std::mem::take(&mut plain)));
            let name = (many || name != "_").then(|| name.to_owned());
            found.push(Piece::Hole(Hole { many, name }));
            rest = &after[length..];
        } else {
            plain.push_str(&rest[at..at + sign]);
            rest = after;
        }
    }
    plain.push_str(rest);
    found.push(Piece::Text(plain));
    found.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    found
}

/// The pattern with a name in place of each hole.
fn spelt(pieces: &[Piece]) -> (String, Vec<Hole>) {
    let (mut code, mut holes) = (String::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Text(text) => code.push_str(text),
            Piece::Hole(hole) => {
                code.push_str(&format!("{MARK}{}", holes.len()));
                holes.push(hole.clone());
            }
        }
    }
    (code, holes)
}

/// The longest word of the pattern's own text.
fn word(pieces: &[Piece]) -> String {
    let texts = pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text),
        Piece::Hole(_) => None,
    });
    let words = texts.flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.max_by_key(|word| word.len()).unwrap_or_default().to_owned()
}

/// What stands around the places where code can stand.
fn places(grammar: Grammar) -> &'static [(&'static str, &'static str)] {
    match grammar {
        Grammar::Rust => &[
            ("", ""),
            ("fn f() { ", " }"),
            ("fn f() { ", "; }"),
            ("type T = ", ";"),
            ("impl T { ", " }"),
            ("fn f() { match x { ", " => {} } }"),
            ("fn f() { match x { ", " } }"),
            ("struct S { ", " }"),
        ],
        Grammar::TypeScript | Grammar::Tsx => &[
            ("", ""),
            ("(", ")"),
            ("async function* f() { ", " }"),
            ("type T = ", ";"),
            ("class C { ", " }"),
            ("interface I { ", " }"),
        ],
        Grammar::JavaScript => {
            &[("", ""), ("(", ")"), ("async function* f() { ", " }"), ("class C { ", " }")]
        }
        Grammar::Python => &[("", ""), ("async def f():\n    ", "\n"), ("x = ", "\n")],
        Grammar::Go => &[
            ("package p\n", "\n"),
            ("package p\nfunc f() {\n", "\n}\n"),
            ("package p\nvar x = ", "\n"),
            ("package p\ntype T ", "\n"),
        ],
    }
}

fn reading(
    grammar: Grammar,
    before: &str,
    code: &str,
    after: &str,
    holes: &[Hole],
) -> Result<Option<Vec<Shape>>, String> {
    let text = format!("{before}{code}{after}");
    let Some(tree) = grammar.parse(&text).filter(|tree| !tree.root_node().has_error()) else {
        return Ok(None);
    };
    let (start, end) = (before.len(), before.len() + code.len());
    let Some(node) = tree.root_node().descendant_for_byte_range(start, end) else {
        return Ok(None);
    };
    let nodes = if node.start_byte() == start && node.end_byte() == end {
        vec![node]
    } else {
        let mut walk = node.walk();
        let inside =
            node.children(&mut walk).filter(|c| c.start_byte() >= start && c.end_byte() <= end);
        inside.filter(|child| !child.is_extra()).collect()
    };
    let covers = nodes.first().is_some_and(|first| first.start_byte() == start)
        && nodes.last().is_some_and(|last| last.end_byte() == end);
    if !covers || !nodes.iter().any(Node::is_named) {
        return Ok(None);
    }
    let shapes = nodes.into_iter().map(|node| shape(node, &text, holes, DEEPEST));
    let shapes: Vec<Shape> = shapes.collect::<Option<_>>().ok_or("the pattern nests too deep")?;
    Ok(shapes.iter().any(|shape| !matches!(shape, Shape::Hole(_))).then_some(shapes))
}

fn shape(node: Node<'_>, text: &str, holes: &[Hole], deeper: usize) -> Option<Shape> {
    let own = &text[node.byte_range()];
    if let Some(hole) = own.strip_prefix(MARK).and_then(|number| number.parse::<usize>().ok()) {
        return holes.get(hole).cloned().map(Shape::Hole);
    }
    if node.child_count() == 0 {
        return Some(Shape::Leaf { kind: node.kind_id(), text: own.to_owned() });
    }
    let deeper = deeper.checked_sub(1)?;
    let children = significant(node).into_iter().map(|child| shape(child, text, holes, deeper));
    let children = children.collect::<Option<_>>()?;
    Some(Shape::Node { kind: node.kind_id(), children, loose: loose(node, text) })
}

/// The children that count: no comments, and no commas but where they say something.
pub(super) fn significant(node: Node<'_>) -> Vec<Node<'_>> {
    let keeps_commas = node.kind() == "token_tree";
    let mut kept: Vec<Node<'_>> = Vec::new();
    let mut after_comma = false;
    let mut walk = node.walk();
    for child in node.children(&mut walk).filter(|child| !child.is_extra()) {
        let is_comma = child.kind() == ",";
        let says = after_comma || kept.last().is_none_or(|last| last.kind() == "[");
        if !is_comma || keeps_commas || says {
            kept.push(child);
        }
        after_comma = is_comma;
    }
    kept
}

/// What a node holds between its children; a few grammars hide tokens there.
pub(super) fn loose(node: Node<'_>, text: &str) -> String {
    let mut found = String::new();
    let mut at = node.start_byte();
    let mut walk = node.walk();
    for child in node.children(&mut walk) {
        found.push_str(text.get(at..child.start_byte()).unwrap_or_default());
        at = child.end_byte();
    }
    found.push_str(text.get(at..node.end_byte()).unwrap_or_default());
    found.retain(|c| !c.is_whitespace());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_told_from_the_languages_own_dollars() {
        let hole = |many, name: &str| Piece::Hole(Hole { many, name: Some(name.to_owned()) });
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(
            pieces("f($A, $$$, $$$REST)"),
            [
                text("f("),
                hole(false, "A"),
                text(", "),
                hole(true, ""),
                text(", "),
                hole(true, "REST"),
                text(")")
            ]
        );
        let unnamed = Piece::Hole(Hole { many: false, name: None });
        assert_eq!(pieces("$_.x"), [unnamed, text(".x")]);
        for own in ["$fn", "`${x}`", "$1", "$", "$Abc"] {
            assert_eq!(pieces(own), [text(own)], "{own}");
        }
    }

    #[test]
    fn a_pattern_is_code_of_the_language_somewhere() {
        let readings = |grammar, text: &str| Pattern::new(grammar, text).map(|p| p.readings.len());
        for (grammar, good) in [
            (Grammar::Rust, "foo($A, $$$)"),
            (Grammar::Rust, "let $A = $B;"),
            (Grammar::Rust, "Option<$T>"),
            (Grammar::Rust, "fn $F(&self) { $$$ }"),
            (Grammar::Rust, "Some($A) => $B"),
            (Grammar::Rust, "assert_eq!($A, $B)"),
            (Grammar::TypeScript, "{ a: $A }"),
            (Grammar::TypeScript, "await $A"),
            (Grammar::Tsx, "<Foo x={$A} />"),
            (Grammar::JavaScript, "console.log($$$)"),
            (Grammar::Python, "return $A"),
            (Grammar::Python, "foo($A)"),
            (Grammar::Go, "if err != nil { $$$ }"),
            (Grammar::Go, "foo($A)"),
        ] {
            assert!(readings(grammar, good).is_ok_and(|count| count > 0), "{good}");
        }
        for (grammar, bad) in [
            (Grammar::Rust, "$A"),
            (Grammar::Rust, "$A $$$"),
            (Grammar::Rust, ""),
            (Grammar::Rust, "foo($A"),
            (Grammar::Go, "fn f() {}"),
        ] {
            assert!(readings(grammar, bad).is_err(), "{bad}");
        }
        let deep = format!("{}{}", "(".repeat(1500), ")".repeat(1500));
        assert!(readings(Grammar::Rust, &deep.replace("()", "(a)")).is_err());
        assert!(readings(Grammar::Rust, &"a".repeat(LONGEST + 1)).is_err());
    }
}
