//! All of a change-set, parsed in full, against all of its rules: what is a breach indeed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::diagnostic::{Diagnostic, Place, Range};
use super::Book;
use super::exports::{self, Around};
use super::hits::{Hit, breach, hits};
use super::rule::{Fires, Rule};
use super::subject::Subjects;
use super::units::{Fate, Unit, collect, fates, lost, words};
use crate::gate::prepare::pair::Pair;

/// A file of the change-set with every match in it.
pub struct View<'a, 'r> {
    /// The file, parsed in full.
    pub file: Pair<'a>,
    /// The matches in its text before.
    pub before: Vec<Hit<'r>>,
    /// The matches in its text after.
    pub after: Vec<Hit<'r>>,
}

impl<'a, 'r> View<'a, 'r> {
    fn of(file: &Pair<'a>, book: &'r Book) -> View<'a, 'r> {
        let file = file.in_full();
        let sets = file.grammar.and_then(|grammar| book.get(&grammar));
        let all = |text: Option<&str>, tree: &Option<tree_sitter::Tree>| match (sets, text, tree) {
            (Some(sets), Some(text), Some(tree)) => {
                hits(sets, file.path, tree, text, std::slice::from_ref(&(0..text.len())))
            }
            _ => Vec::new(),
        };
        View { before: all(file.before, &file.base), after: all(file.after, &file.tree), file }
    }
}

/// Every new breach of the change-set.
pub fn breaches(files: &[Pair<'_>], book: &Book, around: &dyn Around) -> Vec<Diagnostic> {
    let views: Vec<View<'_, '_>> = files.iter().map(|file| View::of(file, book)).collect();
    let mut found = new_matches(&views);
    found.extend(of_units(&views));
    found.extend(exports::missed(&views, around));
    found
}

/// Matches that the base does not have. What moved from one file of the change-set to another is not new.
fn new_matches(views: &[View<'_, '_>]) -> Vec<Diagnostic> {
    let mut gone: HashMap<(&str, &str), usize> = HashMap::new();
    let mut new: Vec<(&View<'_, '_>, &Hit<'_>)> = Vec::new();
    for view in views {
        let mut known: HashMap<(&str, &str), usize> = HashMap::new();
        for hit in view.before.iter().filter(|hit| hit.rule.header.fires == Fires::New) {
            *known.entry((&hit.rule.name, &hit.key)).or_default() += 1;
        }
        for hit in view.after.iter().filter(|hit| hit.rule.header.fires == Fires::New) {
            match known.get_mut(&(hit.rule.name.as_str(), hit.key.as_str())) {
                Some(count) if *count > 0 => *count -= 1,
                _ => new.push((view, hit)),
            }
        }
        if !view.file.moved {
            known.into_iter().for_each(|(key, count)| *gone.entry(key).or_default() += count);
        }
    }
    new.retain(|(view, hit)| {
        let changed = view.file.changed();
        let touches = changed.range(hit.range.start.line..=hit.range.end.line).next().is_some();
        touches
            && match gone.get_mut(&(hit.rule.name.as_str(), hit.key.as_str())) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    false
                }
                _ => true,
            }
    });
    new.into_iter().map(|(view, hit)| hit.diagnostic(view.file.path)).collect()
}

/// Units that are gone, marked or weaker.
fn of_units(views: &[View<'_, '_>]) -> Vec<Diagnostic> {
    let mut base = Vec::new();
    let mut after = Vec::new();
    for (at, view) in views.iter().enumerate() {
        if let Some(text) = view.file.before.filter(|_| !view.file.moved) {
            base.extend(collect(&view.before, at, text));
        }
        if let Some(text) = view.file.after {
            after.extend(collect(&view.after, at, text));
        }
    }
    if base.is_empty() {
        return Vec::new();
    }
    let subjects = Subjects::of(views, &base);
    let helpers = asserting(views);
    let mut found = Vec::new();
    for (old, fate) in base.iter().zip(fates(&base, &after)) {
        match fate {
            Fate::Gone if !subjects.hold(old) => found.push(deleted(old, views)),
            Fate::Is(new) => {
                let new = &after[new];
                let marked = marked(old, new, views);
                // What does not run, or has no body, asserts nothing either: that is told once.
                let weaker = || weaker(old, new, views, &subjects.gone, &helpers);
                found.extend(if marked.is_empty() { weaker() } else { marked });
            }
            _ => {}
        }
    }
    found
}

/// How strongly each named thing of the new texts asserts.
fn asserting(views: &[View<'_, '_>]) -> BTreeMap<String, u32> {
    let mut strengths: BTreeMap<String, u32> = BTreeMap::new();
    for view in views {
        let (Some(tree), Some(text)) = (&view.file.tree, view.file.after) else { continue };
        for hit in view.after.iter().filter(|hit| hit.rule.header.fires == Fires::Weaker) {
            let root = tree.root_node();
            let mut at = root.descendant_for_byte_range(hit.bytes.start, hit.bytes.end);
            while let Some(node) = at {
                if let Some(name) = node.child_by_field_name("name") {
                    let known = strengths.entry(text[name.byte_range()].to_owned()).or_default();
                    *known = hit.strength.max(*known);
                }
                at = node.parent();
            }
        }
    }
    strengths
}

fn named(rule: &Rule, name: &str) -> String {
    rule.header.message.replace("{name}", name.trim_matches(['"', '\'', '`']))
}

/// The place in the new text where a unit of the base stood; the head of the file where that is gone.
fn deleted(unit: &Unit<'_>, views: &[View<'_, '_>]) -> Diagnostic {
    let file = &views[unit.file].file;
    let line = unit.range.start.line as usize;
    let hunk = file.hunks.iter().find(|hunk| hunk.before.lines.end > line);
    let line = hunk.filter(|_| file.after.is_some()).map_or(0, |hunk| hunk.after.lines.start);
    let place = Place { line: u32::try_from(line).unwrap_or(u32::MAX), column: 0 };
    let message = named(unit.rule, &unit.name);
    breach(file.path, Range { start: place, end: place }, unit.rule, &message)
}

/// The rules that mark the unit now and did not before.
fn marked(old: &Unit<'_>, new: &Unit<'_>, views: &[View<'_, '_>]) -> Vec<Diagnostic> {
    let stood = |rule: &Rule| old.marks.iter().any(|mark| mark.rule.name == rule.name);
    let fresh = new.marks.iter().filter(|mark| !stood(mark.rule));
    let path = views[new.file].file.path;
    let found = fresh.map(|mark| breach(path, mark.range, mark.rule, &named(mark.rule, &new.name)));
    found.take(1).collect()
}

/// The rules by which the unit lost something.
fn weaker(
    old: &Unit<'_>,
    new: &Unit<'_>,
    views: &[View<'_, '_>],
    gone: &BTreeSet<String>,
    helpers: &BTreeMap<String, u32>,
) -> Vec<Diagnostic> {
    let rules: BTreeMap<&str, &Rule> =
        old.parts.iter().map(|part| (part.rule.name.as_str(), part.rule)).collect();
    let path = views[new.file].file.path;
    let lost =
        rules.into_values().filter_map(|rule| Some((rule, lost(old, new, rule, gone, helpers)?)));
    let found = lost.map(|(rule, part)| {
        let text: String = part.key.chars().take(120).collect();
        let message = format!("{}: `{text}` stood there", named(rule, &new.name));
        let start = closest(part.key.as_str(), new).unwrap_or(new.range).start;
        breach(path, Range { start, end: start }, rule, &message)
    });
    found.collect()
}

/// Where the part stands now that shares most words with one that is gone.
fn closest(key: &str, unit: &Unit<'_>) -> Option<Range> {
    let wanted: BTreeSet<&str> = words(key).collect();
    let shared = |text: &str| words(text).filter(|word| wanted.contains(word)).count();
    let best = unit.parts.iter().max_by_key(|part| shared(&part.key))?;
    (shared(&best.key) > 1).then_some(best.range)
}
