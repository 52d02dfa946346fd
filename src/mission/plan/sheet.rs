//! The text of `todo.md` as a person sees it: items among lines of their own. What they changed is read off it, and what
//! the plan changed is written into it, line by line; every other line stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{Read, read_line};
use super::{Aspect, Item, ItemId, Level, Plan};
use crate::edit::Edit;

/// Numbers that are given stay below this.
const LIMIT: u32 = 100_000;

/// The items of a text in the order of their lines. Lines that cannot be read, and an id's second line, are passed over.
pub fn items(text: &str) -> Vec<Item> {
    let mut seen = BTreeSet::new();
    let read = text.lines().filter_map(|line| match read_line(line) {
        Read::Item(item) => Some(item),
        _ => None,
    });
    read.filter(|item| seen.insert(item.id().clone())).collect()
}

/// How many items of two texts differ.
pub fn distance(a: &[Item], b: &[Item]) -> usize {
    let known: BTreeMap<&ItemId, &Item> = a.iter().map(|item| (item.id(), item)).collect();
    let same = b.iter().filter(|item| known.get(item.id()) == Some(item)).count();
    a.len() + b.len() - 2 * same
}

/// Gives ids to what was written without: `- [ ] title` below a task, `### title` above a step, `## title` above a task.
/// The ids of `given` come first, so that a line keeps the one that it got; `taken` are those that nothing new may have,
/// and without it nothing new is given.
pub fn with_ids(
    text: &str,
    given: &BTreeSet<ItemId>,
    taken: Option<&dyn Fn(&ItemId) -> bool>,
) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let reads: Vec<Read> = lines.iter().map(|line| read_line(line.trim_end())).collect();
    let used: BTreeSet<ItemId> = reads.iter().filter_map(Read::id).cloned().collect();
    let mut now = BTreeSet::new();
    let mut free = |parent: Option<&ItemId>| -> Option<ItemId> {
        let make = |n| parent.map_or_else(|| ItemId::milestone(n), |parent| parent.child(n));
        let fits = |id: &&ItemId| match parent {
            Some(parent) => id.is_child_of(parent),
            None => id.level() == Level::Milestone,
        };
        let is_free = |id: &ItemId| !used.contains(id) && !now.contains(id);
        let kept = given.iter().filter(fits).find(|id| is_free(id)).cloned();
        let fresh = || (1..LIMIT).map(make).find(|id| is_free(id) && taken.is_some_and(|t| !t(id)));
        let id = kept.or_else(|| taken.and_then(|_| fresh()))?;
        now.insert(id.clone());
        Some(id)
    };
    let (mut milestone, mut task) = (None::<ItemId>, None::<ItemId>);
    let mut out = String::with_capacity(text.len());
    for (at, line) in lines.iter().enumerate() {
        // What follows tells a heading of the plan from one of the person's own notes.
        let next = reads[at + 1..].iter().find_map(Read::level);
        let nameless = match &reads[at] {
            Read::Nameless(Level::Step, _) => task.as_ref().and_then(|task| free(Some(task))),
            Read::Nameless(Level::Task, _) if next == Some(Level::Step) => {
                milestone.as_ref().and_then(|m| free(Some(m)))
            }
            Read::Nameless(Level::Milestone, _) if next == Some(Level::Task) => free(None),
            _ => None,
        };
        let id = nameless.as_ref().or_else(|| reads[at].id());
        match id.map(|id| (id.level(), id.clone())) {
            Some((Level::Milestone, id)) => (milestone, task) = (Some(id), None),
            Some((Level::Task, id)) => task = Some(id),
            _ => {}
        }
        match (&nameless, &reads[at]) {
            (Some(id), Read::Nameless(_, place)) => {
                out += &format!("{}{id}: {}", &line[..*place], &line[*place..]);
            }
            _ => out += line,
        }
    }
    out
}

/// What a person changed: the items, and all ids in their new order where that is another one.
pub fn edits(base: &[Item], theirs: &[Item]) -> (Vec<Edit>, Vec<ItemId>) {
    let index = |items: &[Item]| -> BTreeMap<ItemId, Item> {
        items.iter().map(|item| (item.id().clone(), item.clone())).collect()
    };
    let (was, now) = (index(base), index(theirs));
    let mut edits = Vec::new();
    for item in theirs {
        let before = was.get(item.id());
        let is_new = before.is_none_or(|b| Aspect::ALL.iter().any(|a| !b.same(item, *a)));
        if is_new {
            let (was, now) = (before.cloned(), Some(item.clone()));
            edits.push(Edit { item: item.id().clone(), was, now });
        }
    }
    for item in base.iter().filter(|item| !now.contains_key(item.id())) {
        edits.push(Edit { item: item.id().clone(), was: Some(item.clone()), now: None });
    }
    let order = |items: &[Item], other: &BTreeMap<ItemId, Item>| -> Vec<ItemId> {
        items.iter().map(|i| i.id().clone()).filter(|id| other.contains_key(id)).collect()
    };
    let is_added = edits.iter().any(|edit| edit.was.is_none());
    let is_moved = order(base, &now) != order(theirs, &was);
    let order = if is_added || is_moved {
        theirs.iter().map(|i| i.id().clone()).collect()
    } else {
        Vec::new()
    };
    (edits, order)
}

/// The base after the plan has taken what it would of `theirs`: where both are alike, nothing is left to be merged.
pub fn settled(base: &[Item], theirs: &[Item], plan: &Plan, yields: &[ItemId]) -> Vec<Item> {
    let (shown, theirs_by_id, plan) = (by_id(base), by_id(theirs), plan.items());
    let plan = by_id(&plan);
    let mut out = Vec::new();
    for item in theirs {
        let before = shown.get(item.id()).copied();
        let ours = plan.get(item.id()).copied();
        match (before, ours) {
            _ if yields.contains(item.id()) => out.push(item.clone()),
            (Some(before), Some(ours)) => {
                let mut settled = before.clone();
                for aspect in Aspect::ALL.into_iter().filter(|a| item.same(ours, *a)) {
                    settled.take(item, aspect);
                }
                out.push(settled);
            }
            // Added with another mark than it may have: what it says is settled all the same.
            (None, Some(ours))
                if [Aspect::Title, Aspect::Tags].iter().all(|a| item.same(ours, *a)) =>
            {
                out.push(item.clone());
            }
            (Some(before), None) => out.push(before.clone()),
            (None, _) => {}
        }
    }
    // What they removed is settled once the plan has it no more.
    for before in base.iter().filter(|b| !theirs_by_id.contains_key(b.id())) {
        if plan.contains_key(before.id()) && !yields.contains(before.id()) {
            out.push(before.clone());
        }
    }
    out
}

fn by_id(items: &[Item]) -> BTreeMap<&ItemId, &Item> {
    items.iter().map(|item| (item.id(), item)).collect()
}

/// The best guess at what a text was made from, of texts that were shown to the person: where an item stands as it was
/// shown once, the person has not changed it; of the rest, the text that differs least says what it was.
pub fn guess_base(theirs: &[Item], shown: &[Vec<Item>]) -> Vec<Item> {
    let Some(nearest) = shown.iter().min_by_key(|text| distance(text, theirs)) else {
        return Vec::new();
    };
    let known: Vec<BTreeMap<&ItemId, &Item>> = shown.iter().map(|text| by_id(text)).collect();
    let theirs = by_id(theirs);
    let as_seen = |item: &Item| {
        let now = theirs.get(item.id())?;
        known.iter().any(|text| text.get(now.id()) == Some(now)).then(|| (*now).clone())
    };
    nearest.iter().map(|item| as_seen(item).unwrap_or_else(|| item.clone())).collect()
}

/// An item's line with what belongs to it: blank lines before it, and the person's own lines behind.
#[derive(Default)]
struct Block<'t> {
    before: Vec<&'t str>,
    line: &'t str,
    item: Option<Item>,
    behind: Vec<&'t str>,
}

/// Writes the plan into a text that was made from `base`: an item that the person has not changed becomes the plan's,
/// one that they changed keeps what they wrote. Every line that is no item stays.
pub fn weave(text: &str, base: &[Item], plan: &Plan) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (head, blocks) = blocks(text);
    let shown = by_id(base);
    let mut places: BTreeMap<ItemId, usize> = BTreeMap::new();
    for (at, (id, _)) in blocks.iter().enumerate() {
        places.entry(id.clone()).or_insert(at);
    }
    let items = plan.items();
    let plan = by_id(&items);
    let mut out = Paper { text: head.concat(), end };
    let mut done = vec![false; blocks.len()];
    for id in sequence(&items, base, &blocks) {
        let Some(ours) = plan.get(id).copied() else {
            continue;
        };
        match places.get(id) {
            Some(at) => {
                done[*at] = true;
                out.put(&blocks[*at].1, &line_of(&blocks[*at].1, shown.get(id).copied(), ours));
                // What is not the plan's stays where it stood.
                let mut next = at + 1;
                while next < blocks.len() && !done[next] && !plan.contains_key(&blocks[next].0) {
                    done[next] = true;
                    let (id, block) = &blocks[next];
                    let is_dropped = shown.get(id).is_some_and(|b| block.item.as_ref() == Some(b));
                    if is_dropped {
                        out.keep_notes(block)
                    } else {
                        out.put(block, block.line)
                    }
                    next += 1;
                }
            }
            // The person removed it, and that is not settled.
            None if shown.contains_key(id) => {}
            None => out.add(ours),
        }
    }
    for (at, (id, block)) in blocks.iter().enumerate().filter(|(at, _)| !done[*at]) {
        let is_second = places.get(id) != Some(&at);
        let is_dropped = shown.get(id).is_some_and(|b| block.item.as_ref() == Some(b));
        if is_dropped && !is_second { out.keep_notes(block) } else { out.put(block, block.line) }
    }
    out.text
}

/// The order in which the items are written: the plan's, but while the person has moved some, theirs.
fn sequence<'i>(
    ours: &'i [Item],
    base: &'i [Item],
    blocks: &'i [(ItemId, Block<'_>)],
) -> Vec<&'i ItemId> {
    let plan: Vec<&ItemId> = ours.iter().map(Item::id).collect();
    let written: BTreeSet<&ItemId> = blocks.iter().map(|(id, _)| id).collect();
    let shown: BTreeSet<&ItemId> = base.iter().map(Item::id).collect();
    let mut theirs: Vec<&ItemId> = Vec::new();
    let mut seen = BTreeSet::new();
    theirs.extend(blocks.iter().map(|(id, _)| id).filter(|id| seen.insert(*id)));
    let was = base.iter().map(Item::id).filter(|id| written.contains(id));
    let is_moved = was.ne(theirs.iter().copied().filter(|id| shown.contains(id)));
    if !is_moved {
        return plan;
    }
    let mut last = None;
    for id in plan {
        if !written.contains(id) {
            let behind = last.and_then(|last| theirs.iter().position(|other| *other == last));
            theirs.insert(behind.map_or(0, |at| at + 1), id);
        }
        last = Some(id);
    }
    theirs
}

fn line_of(block: &Block<'_>, base: Option<&Item>, ours: &Item) -> String {
    let Some(theirs) = &block.item else {
        return block.line.to_owned();
    };
    let mut wanted = ours.clone();
    if let Some(base) = base {
        for aspect in Aspect::ALL.into_iter().filter(|a| !theirs.same(base, *a)) {
            wanted.take(theirs, aspect);
        }
    } else {
        wanted = theirs.clone();
    }
    if wanted == *theirs { block.line.to_owned() } else { wanted.line() }
}

/// The lines before the first item, and the items with theirs.
fn blocks(text: &str) -> (Vec<&str>, Vec<(ItemId, Block<'_>)>) {
    let (mut head, mut blocks) = (Vec::new(), Vec::<(ItemId, Block<'_>)>::new());
    let mut blank = Vec::new();
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let read = read_line(content);
        let item = match read {
            Read::Item(item) => Some((item.id().clone(), Some(item))),
            Read::Broken(Some(id)) => Some((id, None)),
            _ => None,
        };
        if let Some((id, item)) = item {
            let before = std::mem::take(&mut blank);
            blocks.push((id, Block { before, line, item, behind: Vec::new() }));
        } else if content.is_empty() && !blocks.is_empty() {
            blank.push(line);
        } else {
            let place = blocks.last_mut().map_or(&mut head, |(_, block)| &mut block.behind);
            place.append(&mut blank);
            place.push(line);
        }
    }
    if let Some((_, last)) = blocks.last_mut() {
        last.behind.append(&mut blank);
    }
    (head, blocks)
}

struct Paper<'e> {
    text: String,
    end: &'e str,
}

impl Paper<'_> {
    fn end_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text += self.end;
        }
    }

    /// A block with its line, as it is or another one.
    fn put(&mut self, block: &Block<'_>, line: &str) {
        self.end_line();
        block.before.iter().for_each(|blank| self.text += blank);
        if line == block.line {
            self.text += line;
        } else {
            let kept = block.line.trim_end_matches(['\r', '\n']).len();
            self.text += line;
            self.text += &block.line[kept..];
        }
        self.notes(block);
    }

    fn notes(&mut self, block: &Block<'_>) {
        for line in &block.behind {
            self.end_line();
            self.text += line;
        }
    }

    /// The item goes; what the person wrote beside it stays.
    fn keep_notes(&mut self, block: &Block<'_>) {
        if block.behind.iter().any(|line| !line.trim().is_empty()) {
            self.notes(block);
        }
    }

    fn add(&mut self, item: &Item) {
        self.end_line();
        let is_heading = item.id().level() != Level::Step;
        if is_heading
            && !self.text.is_empty()
            && !self.text.ends_with("\n\n")
            && !self.text.ends_with("\r\n\r\n")
        {
            self.text += self.end;
        }
        self.text += &item.line();
        self.text += self.end;
    }
}

#[cfg(test)]
#[path = "sheet_tests.rs"]
mod tests;
