//! Units (tests, above all) before and after a change-set: which became of which, and what was lost on the way.
//!
//! A unit is a match of a `when-gone` rule. It may move to another file, change its name, or be taken in by another one;
//! then it is not gone. It does not know what a language is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range as Bytes;

use super::super::diagnostic::Range;
use super::hits::{Hit, squeezed};
use super::rule::{Fires, Rule};

/// How alike (of 1) two units must be for one to be the other under a new name.
const ALIKE: f64 = 0.6;
/// How much (of 1) of a unit must stand in another that changed for it to be taken in by that one.
const TAKEN_IN: f64 = 0.8;
/// How much (of 1) of a unit must stand in all the new ones together for them to be its parts.
const PARTED: f64 = 0.6;

/// A match of a rule that holds within units.
#[derive(Debug, Clone)]
pub struct Part<'r> {
    /// The rule.
    pub rule: &'r Rule,
    /// Its own text, blanks squeezed.
    pub key: String,
    /// How much it counts.
    pub strength: u32,
    /// Where it stands.
    pub range: Range,
}

/// A unit.
#[derive(Debug, Clone)]
pub struct Unit<'r> {
    /// The rule that it is a match of.
    pub rule: &'r Rule,
    /// The number of its file in the change-set.
    pub file: usize,
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub range: Range,
    /// The same in bytes, with its attributes.
    pub bytes: Bytes<usize>,
    /// The same in bytes, without.
    pub own: Bytes<usize>,
    /// The matches within it of rules that mark units.
    pub marks: Vec<Part<'r>>,
    /// The matches within it of rules that count, which no unit inside of it holds.
    pub parts: Vec<Part<'r>>,
    /// Its text without its name, blanks squeezed.
    body: String,
    words: Words,
}

impl<'r> Unit<'r> {
    fn of(hit: &Hit<'r>, file: usize, text: &str) -> Unit<'r> {
        let own = &text[hit.bytes.clone()];
        let name = hit.name.clone().unwrap_or_default();
        let body = squeezed(&own.replacen(&name, "", 1));
        Unit {
            rule: hit.rule,
            file,
            range: hit.range,
            bytes: hit.bytes.clone(),
            own: hit.of.clone(),
            marks: Vec::new(),
            parts: Vec::new(),
            words: count(&body),
            body,
            name,
        }
    }

    /// The words of its text.
    pub fn words(&self) -> impl Iterator<Item = &String> {
        self.words.keys()
    }
}

/// The words of a text: runs of letters, digits, `_` and `$`.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.split(move |c| !is_part(c)).filter(|word| !word.is_empty())
}

fn count(text: &str) -> Words {
    let mut counted = Words::new();
    for word in words(text) {
        *counted.entry(word.to_owned()).or_default() += 1;
    }
    counted
}

/// The units among the matches in one file, each with what marks it and what counts in it.
pub fn collect<'r>(hits: &[Hit<'r>], file: usize, text: &str) -> Vec<Unit<'r>> {
    let is_unit = |hit: &&Hit<'r>| hit.rule.header.fires == Fires::Gone;
    let mut units: Vec<Unit<'r>> =
        hits.iter().filter(is_unit).map(|hit| Unit::of(hit, file, text)).collect();
    for hit in hits {
        let Some(within) = &hit.rule.header.within else { continue };
        let part =
            Part { rule: hit.rule, key: hit.key.clone(), strength: hit.strength, range: hit.range };
        let of = |unit: &&mut Unit<'r>| unit.rule.name == *within;
        let holds =
            |unit: &Unit<'r>| unit.bytes.start <= hit.of.start && hit.of.end <= unit.bytes.end;
        let innermost = units.iter_mut().filter(of).filter(|unit| holds(unit));
        let innermost = innermost.min_by_key(|unit| unit.bytes.len());
        match (hit.rule.header.fires, innermost) {
            (Fires::Marked, Some(unit)) => unit.marks.push(part),
            // A mark around units marks them all.
            (Fires::Marked, None) => {
                let inside = |unit: &&mut Unit<'r>| {
                    hit.of.start <= unit.bytes.start && unit.bytes.end <= hit.of.end
                };
                let marked = units.iter_mut().filter(of).filter(inside);
                marked.for_each(|unit| unit.marks.push(part.clone()));
            }
            (_, Some(unit)) => unit.parts.push(part),
            (_, None) => {}
        }
    }
    units
}

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is this one now.
    Is(usize),
    /// Another one holds what it held.
    TakenIn,
    /// Nothing holds it any more.
    Gone,
}

/// What became of each unit of the base.
pub fn fates(base: &[Unit<'_>], after: &[Unit<'_>]) -> Vec<Fate> {
    let mut fates = vec![Fate::Gone; base.len()];
    let mut free: Vec<bool> = vec![true; after.len()];
    type Same = fn(&Unit<'_>, &Unit<'_>) -> bool;
    let ways: [Same; 5] = [
        |a, b| a.file == b.file && a.name == b.name && a.body == b.body,
        |a, b| a.file == b.file && a.name == b.name,
        |a, b| a.name == b.name && a.body == b.body,
        |a, b| a.name == b.name,
        |a, b| a.body == b.body,
    ];
    for same in ways {
        match_up(base, after, &mut fates, &mut free, |a, b| same(a, b).then_some(1.0));
    }
    let alike = |a: &Unit<'_>, b: &Unit<'_>| Some(alike(a, b)).filter(|alike| *alike >= ALIKE);
    match_up(base, after, &mut fates, &mut free, alike);
    let stands = |unit: &Unit<'_>| base.iter().any(|old| old.body == unit.body);
    let changed: Vec<&Unit<'_>> = after.iter().filter(|unit| !stands(unit)).collect();
    let fresh = after.iter().zip(&free).filter(|(_, free)| **free).map(|(unit, _)| unit);
    let fresh = count(&fresh.map(|unit| unit.body.as_str()).collect::<Vec<_>>().join(" "));
    for (fate, unit) in fates.iter_mut().zip(base).filter(|(fate, _)| **fate == Fate::Gone) {
        let mut others = changed.iter().filter(|other| other.rule.name == unit.rule.name);
        if others.any(|other| share(&unit.words, &other.words) >= TAKEN_IN)
            || share(&unit.words, &fresh) >= PARTED
        {
            *fate = Fate::TakenIn;
        }
    }
    fates
}

/// Gives each unit whose fate is open the free one that fits it best.
fn match_up(
    base: &[Unit<'_>],
    after: &[Unit<'_>],
    fates: &mut [Fate],
    free: &mut [bool],
    fit: impl Fn(&Unit<'_>, &Unit<'_>) -> Option<f64>,
) {
    for (old, fate) in base.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Gone) {
        let mut best: Option<(usize, f64)> = None;
        for (at, new) in after.iter().enumerate().filter(|(at, _)| free[*at]) {
            if new.rule.name == old.rule.name
                && let Some(fits) = fit(old, new)
                && best.is_none_or(|(_, known)| fits > known)
            {
                best = Some((at, fits));
            }
        }
        if let Some((at, _)) = best {
            free[at] = false;
            *fate = Fate::Is(at);
        }
    }
}

type Words = BTreeMap<String, usize>;

fn shared(a: &Words, b: &Words) -> usize {
    a.iter().map(|(word, count)| (*count).min(b.get(word).copied().unwrap_or(0))).sum()
}

/// How much of 1 of the words of `a` are words of `b` too.
#[expect(clippy::cast_precision_loss, reason = "counts of words in one test")]
fn share(a: &Words, b: &Words) -> f64 {
    let all: usize = a.values().sum();
    if all == 0 { 0.0 } else { shared(a, b) as f64 / all as f64 }
}

/// How alike two units are, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "counts of words in one test")]
fn alike(a: &Unit<'_>, b: &Unit<'_>) -> f64 {
    let all: usize = a.words.values().chain(b.words.values()).sum();
    if all == 0 { 0.0 } else { 2.0 * shared(&a.words, &b.words) as f64 / all as f64 }
}

/// What a unit lost by a rule that counts: `None` when nothing was lost that something as strong does not replace.
/// What names something that is gone itself may go, and what the unit calls now may do it in its place: `helpers` are
/// the strongest matches in each function.
pub fn lost<'u, 'r>(
    old: &'u Unit<'r>,
    new: &'u Unit<'r>,
    rule: &Rule,
    gone: &BTreeSet<String>,
    helpers: &BTreeMap<String, u32>,
) -> Option<&'u Part<'r>> {
    let of = |unit: &'u Unit<'r>| -> Vec<&'u Part<'r>> {
        unit.parts.iter().filter(|part| part.rule.name == rule.name).collect()
    };
    let (before, after) = (of(old), of(new));
    let sum = |parts: &[&Part<'r>]| parts.iter().map(|part| part.strength).sum::<u32>();
    if sum(&after) >= sum(&before) {
        return None;
    }
    let excused = |part: &&Part<'r>| words(&part.key).any(|word| gone.contains(word));
    let lost = missing_in(&before, &after).into_iter().filter(|part| !excused(part));
    let strongest = lost.max_by_key(|part| part.strength)?;
    let gained = missing_in(&after, &before);
    let called = new.words.keys().filter(|word| !old.words.contains_key(*word));
    let called = called.filter_map(|word| helpers.get(word).copied());
    let replaced =
        gained.iter().map(|part| part.strength).chain(called).any(|now| now >= strongest.strength);
    (strongest.strength > 0 && !replaced).then_some(strongest)
}

/// The parts, as a multiset of their texts, that the others have not.
fn missing_in<'u, 'r>(parts: &[&'u Part<'r>], others: &[&'u Part<'r>]) -> Vec<&'u Part<'r>> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for other in others {
        *known.entry(&other.key).or_default() += 1;
    }
    let mut missing = Vec::new();
    for part in parts {
        match known.get_mut(part.key.as_str()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => missing.push(*part),
        }
    }
    missing
}
