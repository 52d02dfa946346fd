//! Where the queries of rules match a tree. It does not know what a match means.

use std::collections::BTreeSet;
use std::ops::Range as Bytes;
use std::sync::Arc;

use streaming_iterator::StreamingIterator;
use tree_sitter::{Node, QueryCursor, Tree};

use super::super::diagnostic::{Diagnostic, Range, Severity};
use super::rule::{Fires, Preceded, Rule, RuleSet};
use crate::gate::prepare::syntax::range_of;
use crate::workspace::path::RelPath;

/// A match of a rule.
#[derive(Debug, Clone)]
pub struct Hit<'r> {
    /// The rule.
    pub rule: &'r Rule,
    /// The place that the rule names, in bytes, with the attributes that it must have.
    pub bytes: Bytes<usize>,
    /// The place itself in lines.
    pub range: Range,
    /// What it is about: `@of` where the rule captures that, else the place.
    pub of: Bytes<usize>,
    /// The text of `@name`, where the rule captures one.
    pub name: Option<String>,
    /// The text of `@source`, where the rule captures one.
    pub source: Option<String>,
    /// How much it counts.
    pub strength: u32,
    /// What identifies it across an edit: its own text, and the name of what it stands in.
    pub key: String,
    pattern: usize,
}

impl Hit<'_> {
    /// It as a finding.
    pub fn diagnostic(&self, path: &RelPath) -> Diagnostic {
        breach(path, self.range, self.rule, &self.rule.header.message)
    }
}

/// A breach of `rule` in its own severity.
pub fn breach(path: &RelPath, range: Range, rule: &Rule, message: &str) -> Diagnostic {
    finding(path, range, &rule.name, rule.severity(), message)
}

/// A finding of this stage.
pub fn finding(
    path: &RelPath,
    range: Range,
    code: &str,
    severity: Severity,
    message: &str,
) -> Diagnostic {
    Diagnostic {
        path: path.clone(),
        range,
        severity,
        code: Some(code.to_owned()),
        message: message.to_owned(),
        source: "rules".to_owned(),
        remedies: Vec::new(),
    }
}

/// Beyond so many ranges the whole between the first and the last is looked at.
const RANGES: usize = 16;

/// Every match of the rules that touches one of some ranges of bytes, in order of place.
pub fn hits<'r>(
    sets: &'r [Arc<RuleSet>],
    path: &RelPath,
    tree: &Tree,
    text: &str,
    within: &[Bytes<usize>],
) -> Vec<Hit<'r>> {
    let whole = within.first().zip(within.last()).map(|(first, last)| first.start..last.end);
    let ranges: Vec<Bytes<usize>> =
        if within.len() > RANGES { whole.into_iter().collect() } else { within.to_vec() };
    let mut found = Vec::new();
    for set in sets {
        let mut seen = BTreeSet::new();
        for range in ranges.iter().map(|range| with_head(range, tree)) {
            let mut cursor = QueryCursor::new();
            cursor.set_byte_range(range.clone());
            let mut matches = cursor.matches(&set.query, tree.root_node(), text.as_bytes());
            while let Some(matched) = matches.next() {
                let rule = set.of_pattern[matched.pattern_index];
                if !set.rules[rule].holds_in(path) {
                    continue;
                }
                let standing = &set.standing[matched.pattern_index];
                let stands = standing.child_of.as_ref().is_none_or(|(capture, kinds)| {
                    let parents =
                        matched.nodes_for_capture_index(*capture).filter_map(|node| node.parent());
                    parents.into_iter().all(|parent| kinds.iter().any(|kind| kind == parent.kind()))
                });
                if !stands {
                    continue;
                }
                for node in matched.nodes_for_capture_index(set.places[rule]) {
                    let Some(start) = start_of(node, &standing.preceded, text) else {
                        continue;
                    };
                    let touches = start < range.end && node.end_byte() > range.start;
                    let of = captured(set, matched, "of").unwrap_or(node);
                    let about = of.start_byte() < range.end && of.end_byte() > range.start;
                    if (touches || about)
                        && seen.insert((node.start_byte(), node.end_byte(), matched.pattern_index))
                    {
                        let bytes = start..node.end_byte();
                        found.push(Hit { bytes, ..hit(set, matched, node, of, text) });
                    }
                }
            }
        }
    }
    strongest_word(&mut found);
    found
}

/// A range that ends among the attributes or comments of something reaches to that.
fn with_head(range: &Bytes<usize>, tree: &Tree) -> Bytes<usize> {
    let last = range.end.saturating_sub(1).max(range.start);
    let mut at = tree.root_node().named_descendant_for_byte_range(last, last);
    while let Some(node) = at.filter(|node| node.parent().is_some()) {
        if is_head(node) {
            let mut next = node.next_named_sibling();
            while let Some(more) = next.filter(|next| is_head(*next)) {
                next = more.next_named_sibling();
            }
            return range.start
                ..next.map_or(range.end, |next| range.end.max(next.start_byte() + 1));
        }
        at = node.parent();
    }
    range.clone()
}

fn is_head(node: Node<'_>) -> bool {
    node.kind().ends_with("attribute_item") || node.kind().ends_with("comment")
}

/// Where a place begins with its attributes; `None` when what must stand before it does not.
fn start_of(node: Node<'_>, preceded: &Option<Preceded>, text: &str) -> Option<usize> {
    let Some(preceded) = preceded else { return Some(node.start_byte()) };
    let mut start = None;
    let mut stands = false;
    let mut before = node.prev_named_sibling();
    while let Some(head) = before.filter(|before| is_head(*before)) {
        if head.kind() == preceded.kind {
            start = Some(head.start_byte());
            stands |= preceded.text.is_match(&text[head.byte_range()]);
        }
        before = head.prev_named_sibling();
    }
    start.filter(|_| stands)
}

fn captured<'t>(
    set: &RuleSet,
    matched: &tree_sitter::QueryMatch<'_, 't>,
    name: &str,
) -> Option<Node<'t>> {
    let index = set.query.capture_index_for_name(name)?;
    matched.nodes_for_capture_index(index).next()
}

fn hit<'r>(
    set: &'r RuleSet,
    matched: &tree_sitter::QueryMatch<'_, '_>,
    node: Node<'_>,
    of: Node<'_>,
    text: &str,
) -> Hit<'r> {
    let rule = &set.rules[set.of_pattern[matched.pattern_index]];
    let text_of = |name| captured(set, matched, name).map(|n| text[n.byte_range()].to_owned());
    let own = match rule.header.fires {
        Fires::Gone => String::new(),
        _ => squeezed(&text[node.byte_range()]),
    };
    Hit {
        rule,
        bytes: node.byte_range(),
        range: range_of(node),
        of: of.byte_range(),
        name: set.names[matched.pattern_index].clone().or_else(|| text_of("name")),
        source: text_of("source"),
        strength: set.strengths[matched.pattern_index],
        key: match rule.header.fires {
            Fires::New => format!("{own} in {}", home(node, text)),
            _ => own,
        },
        pattern: matched.pattern_index,
    }
}

/// Text with its blanks squeezed, so that it reads the same however it is laid out.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where several patterns of a rule match one place, the one that stands last in the rule's file has the word.
fn strongest_word(found: &mut Vec<Hit<'_>>) {
    let place = |hit: &Hit<'_>| (hit.bytes.start, hit.bytes.end);
    found.sort_by(|a, b| {
        (place(a), &a.rule.name, b.pattern).cmp(&(place(b), &b.rule.name, a.pattern))
    });
    found.dedup_by(|b, a| place(a) == place(b) && a.rule.name == b.rule.name && a.name == b.name);
}

/// The name of the innermost named thing around a node.
fn home(node: Node<'_>, text: &str) -> String {
    let mut at = node.parent();
    while let Some(node) = at {
        if let Some(name) = node.child_by_field_name("name") {
            return text[name.byte_range()].to_owned();
        }
        at = node.parent();
    }
    String::new()
}
