//! Replaces every place of a pattern in one text. What a hole held is put into the new code as it was, with the places inside
//! of it replaced too.
//!
//! The new text is parsed, and what was put together must still hold together there: `$A * 2` does not quietly make
//! `x + y * 2` of `x + y`. Whether the code is right is not judged here.

use std::ops::Range;

use tree_sitter::{Node, Tree};

use super::line_at;
use super::matching::{Match, matches};
use super::pattern::{Hole, Pattern, Piece, pieces};
use crate::gate::prepare::syntax::Grammar;

/// How deep places may lie in each other.
const DEEPEST: usize = 100;

/// A text in which a pattern was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// What becomes of which bytes, in order.
    pub edits: Vec<(Range<usize>, String)>,
    /// How many places were replaced, those inside of others counted too.
    pub count: usize,
}

/// Replaces `pattern` by `with` everywhere in `text`; `None` where it does not stand in it.
///
/// # Errors
/// When `with` names what the pattern does not hold, or the new code would not hold together; with the 1-based line.
pub fn replace(
    grammar: Grammar,
    pattern: &Pattern,
    with: &str,
    text: &str,
) -> Result<Option<Rewritten>, String> {
    let template = template(pattern, with)?;
    if !pattern.may_stand_in(text) {
        return Ok(None);
    }
    let unparsed = || "tree-sitter cannot parse it".to_owned();
    let tree = grammar.parse(text).ok_or_else(unparsed)?;
    let places = apart(matches(pattern, &tree, text)?);
    if places.is_empty() {
        return Ok(None);
    }
    let mut build =
        Build { text, places: &places, template: &template, out: String::new(), whole: Vec::new() };
    let mut edits = Vec::new();
    let mut at = 0;
    for (index, place) in places.iter().enumerate() {
        if place.range.start < at {
            continue;
        }
        build.out.push_str(&text[at..place.range.start]);
        let start = build.out.len();
        build.place(index, DEEPEST)?;
        edits.push((place.range.clone(), build.out[start..].to_owned()));
        at = place.range.end;
    }
    build.out.push_str(&text[at..]);
    let new = grammar.parse(&build.out).ok_or_else(unparsed)?;
    build.holds_together(&new)?;
    edits.retain(|(range, new)| text[range.clone()] != *new);
    Ok(Some(Rewritten { edits, count: places.len() }))
}

/// The new code, cut at its holes, each of which the pattern has.
fn template(pattern: &Pattern, with: &str) -> Result<Vec<Piece>, String> {
    let found = pieces(with);
    for piece in &found {
        if let Piece::Hole(hole) = piece
            && !pattern.has(hole)
        {
            return Err(format!(
                "`with` has {}, which the pattern does not name once",
                spell(hole)
            ));
        }
    }
    Ok(found)
}

fn spell(hole: &Hole) -> String {
    format!("`{}{}`", if hole.many { "$$$" } else { "$" }, hole.name.as_deref().unwrap_or("_"))
}

/// The places without those that overlap another one in part: of them the first counts.
fn apart(places: Vec<Match>) -> Vec<Match> {
    let mut kept: Vec<Match> = Vec::new();
    for place in places {
        let (start, end) = (place.range.start, place.range.end);
        let cuts = |other: &Match| start < other.range.end && other.range.end < end;
        if !kept.iter().rev().take(DEEPEST).any(cuts) {
            kept.push(place);
        }
    }
    kept
}

struct Build<'a> {
    text: &'a str,
    places: &'a [Match],
    template: &'a [Piece],
    out: String,
    /// What must hold together in the new text, and the old byte that it came from.
    whole: Vec<(Range<usize>, usize, Option<String>)>,
}

impl Build<'_> {
    /// Writes the new code of a place.
    fn place(&mut self, index: usize, deeper: usize) -> Result<(), String> {
        let place = &self.places[index];
        let from = place.range.start;
        let deeper = deeper
            .checked_sub(1)
            .ok_or_else(|| self.fault(from, "the places lie too deep in each other"))?;
        let start = self.out.len();
        let mut gone = false;
        for piece in self.template {
            match piece {
                Piece::Text(text) => {
                    let text = if gone { after_nothing(text) } else { text };
                    self.out.push_str(&indented(text, self.indent(from)));
                    gone = false;
                }
                Piece::Hole(hole) => {
                    let held = place.held.iter().find(|(known, _)| known == hole);
                    let range = held.map_or(0..0, |(_, range)| range.clone());
                    if range.is_empty() {
                        gone = !self.before_nothing(start);
                        continue;
                    }
                    gone = false;
                    let at = self.out.len();
                    self.copy(range.clone(), index, deeper)?;
                    self.whole.push((at..self.out.len(), range.start, Some(spell(hole))));
                }
            }
        }
        if place.is_node {
            self.whole.push((start..self.out.len(), from, None));
        }
        Ok(())
    }

    /// Copies what a hole of the place `within` held, the places inside of it replaced.
    fn copy(&mut self, range: Range<usize>, within: usize, deeper: usize) -> Result<(), String> {
        let mut at = range.start;
        let mut next = within + 1;
        while let Some(inner) = self.places.get(next) {
            if inner.range.start >= range.end {
                break;
            }
            if inner.range.start >= at && inner.range.end <= range.end {
                self.out.push_str(&self.text[at..inner.range.start]);
                at = inner.range.end;
                self.place(next, deeper)?;
            }
            next += 1;
        }
        self.out.push_str(&self.text[at..range.end]);
        Ok(())
    }

    /// A hole that holds nothing takes the comma before it along; whether there was one.
    fn before_nothing(&mut self, start: usize) -> bool {
        let shorter = self.out[start..].trim_end().strip_suffix(',').map(str::len);
        if let Some(length) = shorter {
            self.out.truncate(start + length);
        }
        shorter.is_some()
    }

    /// The blanks before the line in which an old byte stands.
    fn indent(&self, at: usize) -> &str {
        let start = self.text[..at].rfind('\n').map_or(0, |at| at + 1);
        let line = &self.text[start..at];
        &line[..line.len() - line.trim_start().len()]
    }

    fn fault(&self, at: usize, why: &str) -> String {
        format!("line {}: {why}", line_at(self.text, at))
    }

    fn holds_together(&self, tree: &Tree) -> Result<(), String> {
        for (range, from, hole) in &self.whole {
            if !is_whole(tree.root_node(), &self.out, range.clone()) {
                let code: String = self.out[range.clone()].chars().take(80).collect();
                let what = hole
                    .as_ref()
                    .map_or("the new code".to_owned(), |hole| format!("what {hole} holds"));
                let why = format!(
                    "{what} (`{code}`) would fall apart there; put it into parentheses in `with`"
                );
                return Err(self.fault(*from, &why));
            }
        }
        Ok(())
    }
}

/// The text after a hole that holds nothing, without the comma that followed it.
fn after_nothing(text: &str) -> &str {
    text.strip_prefix(',').map_or(text, str::trim_start)
}

/// Later lines of the new code stand as deep as the place.
fn indented(text: &str, indent: &str) -> String {
    text.replace('\n', &format!("\n{indent}"))
}

/// Whether no node lies partly inside and partly outside of a range.
fn is_whole(root: Node<'_>, text: &str, range: Range<usize>) -> bool {
    let said = &text[range.clone()];
    let start = range.start + (said.len() - said.trim_start().len());
    let end = range.start + said.trim_end().len();
    if start >= end {
        return true;
    }
    let Some(node) = root.descendant_for_byte_range(start, end) else { return false };
    let cuts = |at: usize, child: &Node<'_>| child.start_byte() < at && at < child.end_byte();
    let mut walk = node.walk();
    node.byte_range() == (start..end)
        || !node.children(&mut walk).any(|child| cuts(start, &child) || cuts(end, &child))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(
        grammar: Grammar,
        pattern: &str,
        with: &str,
        text: &str,
    ) -> Result<(String, usize), String> {
        let pattern = Pattern::new(grammar, pattern)?;
        let Some(done) = replace(grammar, &pattern, with, text)? else {
            return Ok((text.to_owned(), 0));
        };
        let mut out = text.to_owned();
        for (range, new) in done.edits.iter().rev() {
            out.replace_range(range.clone(), new);
        }
        Ok((out, done.count))
    }

    #[test]
    fn what_the_holes_held_stays_as_it_was() {
        let text = "fn f() {\n    old(a + 1, /* why */ b,  c);\n    old(x);\n}\n";
        let (new, count) =
            rewrite(Grammar::Rust, "old($A, $$$REST)", "new($$$REST, $A)", text).unwrap();
        assert_eq!(new, "fn f() {\n    new(b,  c, a + 1);\n    new(x);\n}\n");
        assert_eq!(count, 2);
        let (new, _) =
            rewrite(Grammar::Rust, "old($$$)", "f(1, $$$)", "fn g() { old(); old(2) }").unwrap();
        assert_eq!(new, "fn g() { f(1); f(1, 2) }");
        let (new, _) =
            rewrite(Grammar::Rust, "old($$$)", "f(1, $$$, 3)", "fn g() { old() }").unwrap();
        assert_eq!(new, "fn g() { f(1, 3) }");
        assert_eq!(rewrite(Grammar::Rust, "none($A)", "$A", text).unwrap().1, 0);
    }

    #[test]
    fn places_in_places_are_replaced_too() {
        let (new, count) =
            rewrite(Grammar::Python, "f($A)", "g($A)", "f(f(f(1)) + f(2))\n").unwrap();
        assert_eq!((new.as_str(), count), ("g(g(g(1)) + g(2))\n", 4));
    }

    #[test]
    fn what_would_fall_apart_is_refused() {
        let why = rewrite(Grammar::JavaScript, "twice($A)", "$A * 2", "let a = twice(x + y);\n")
            .unwrap_err();
        assert!(why.starts_with("line 1: what `$A` holds (`x + y`) would fall apart"), "{why}");
        let why =
            rewrite(Grammar::JavaScript, "inc($A)", "$A + 1", "let a = 2 * inc(x);\n").unwrap_err();
        assert!(why.contains("the new code (`x + 1`) would fall apart"), "{why}");
        let (new, _) =
            rewrite(Grammar::JavaScript, "twice($A)", "($A) * 2", "let a = twice(x + y);\n")
                .unwrap();
        assert_eq!(new, "let a = (x + y) * 2;\n");
        let (new, _) = rewrite(Grammar::JavaScript, "inc($A)", "$A + 1", "f(inc(x));\n").unwrap();
        assert_eq!(new, "f(x + 1);\n");
    }

    #[test]
    fn a_hole_that_the_pattern_lacks_is_refused() {
        let why = rewrite(Grammar::Rust, "f($A)", "f($B)", "fn g() {}").unwrap_err();
        assert!(why.contains("`$B`"), "{why}");
        assert!(rewrite(Grammar::Rust, "f($$$, 1, $$$)", "f($$$)", "fn g() {}").is_err(), "which?");
        assert!(rewrite(Grammar::Rust, "f($_)", "f($_)", "fn g() {}").is_err());
    }

    #[test]
    fn statements_and_deeper_lines() {
        let text = "function f() {\n    if (a) {\n        log(1);\n    }\n}\n";
        let (new, _) =
            rewrite(Grammar::JavaScript, "log($A);", "if (on) {\n    log($A);\n}", text).unwrap();
        assert_eq!(
            new,
            "function f() {\n    if (a) {\n        if (on) {\n            log(1);\n        }\n    }\n}\n"
        );
        let (new, _) = rewrite(
            Grammar::Rust,
            "assert_eq!($A, true)",
            "assert!($A)",
            "fn t() { assert_eq!(a.b(1, 2), true); }",
        )
        .unwrap();
        assert_eq!(new, "fn t() { assert!(a.b(1, 2)); }");
    }

    #[test]
    fn hostile_depth_ends_in_words() {
        let deep = format!("{}1{};\n", "f(".repeat(3_000), ")".repeat(3_000));
        let why = rewrite(Grammar::JavaScript, "f($A)", "g($A)", &deep).unwrap_err();
        assert!(why.contains("too deep"), "{why}");
    }
}
