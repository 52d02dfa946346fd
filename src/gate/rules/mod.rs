//! The rules stage: what compiles and is still no work done (elided code, placeholders), tests that were deleted, ignored
//! or weakened, exports that others still import, secrets, and conflict markers.
//!
//! A rule is a tree-sitter query in `grammars/<language>/rules/<name>.scm`, or in `.opencode/rules/<language>/` of the
//! project, whose header comments carry its message, when it fires, and examples. Only what is new counts: what stood
//! before is not held against an edit. At first only the edited lines are looked at; all of the change-set is read, and
//! parsed in full, where those give reason to.

mod exports;
mod hits;
mod manifests;
mod project;
mod rule;
pub mod secrets;
mod subject;
mod text;
mod thorough;
mod units;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::language;
use crate::gate::prepare::pair::Pair;
use crate::gate::prepare::syntax::Grammar;
use hits::{Hit, hits};
use rule::{Fires, RuleSet};

pub use exports::Around;
pub use project::Project;
pub use rule::BadRule;

/// What the rules say of a change-set.
#[derive(Debug, Default)]
pub struct Ruled {
    /// Breaches, warnings among them.
    pub breaches: Vec<Diagnostic>,
    /// Rules of the project that could not be used, and why.
    pub faults: Vec<String>,
}

/// The rules of each grammar that a change-set needs.
type Book = HashMap<Grammar, Vec<Arc<RuleSet>>>;

/// Looks for new breaches in the files of a change-set. `around` is the rest of the tree as it would be after it; it is
/// read only where an export is gone.
///
/// # Errors
/// When a rule that comes with us cannot be compiled.
pub fn check(files: &[Pair<'_>], project: &Project, around: &dyn Around) -> Result<Ruled, BadRule> {
    let mut ruled = Ruled { breaches: Vec::new(), faults: project.faults.clone() };
    ruled.breaches.extend(files.iter().flat_map(|file| text::breaches(file, files)));
    let mut book = Book::new();
    for grammar in files.iter().filter_map(|file| file.grammar) {
        if let Entry::Vacant(place) = book.entry(grammar) {
            let (sets, faults) = rules_of(grammar, project)?;
            ruled.faults.extend(faults);
            place.insert(sets);
        }
    }
    if files.iter().any(|file| is_suspicious(file, &book)) {
        ruled.breaches.extend(thorough::breaches(files, &book, around));
    }
    let severities = |breach: &mut Diagnostic| project.weigh(breach);
    ruled.breaches.retain_mut(severities);
    ruled.faults.sort();
    ruled.faults.dedup();
    Ok(ruled)
}

/// The rules of a grammar, ours before the project's, and what is wrong with the project's.
fn rules_of(
    grammar: Grammar,
    project: &Project,
) -> Result<(Vec<Arc<RuleSet>>, Vec<String>), BadRule> {
    let Some(language) = language::all().iter().find(|known| known.name == grammar.of_language())
    else {
        return Ok((Vec::new(), Vec::new()));
    };
    let mut sets = vec![rule::built_in(language, grammar)?];
    let (own, faults) = project.rules_of(language, grammar);
    sets.extend(own);
    Ok((sets, faults))
}

/// Whether the edited lines of a file give reason to read all of it: a match that is new there, a unit that is not there
/// any more or counts for less.
fn is_suspicious(file: &Pair<'_>, book: &Book) -> bool {
    let Some(sets) = file.grammar.and_then(|grammar| book.get(&grammar)) else {
        return false;
    };
    let before = touched(file, sets, Side::Before);
    let after = touched(file, sets, Side::After);
    let tells = |hit: &Hit<'_>| matches!(hit.rule.header.fires, Fires::New | Fires::Marked);
    if after.iter().any(tells) {
        return true;
    }
    let after = tally(&after);
    tally(&before).iter().any(|(what, strength)| after.get(what).is_none_or(|now| now < strength))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// The matches that touch the edited lines on one side.
fn touched<'r>(file: &Pair<'_>, sets: &'r [Arc<RuleSet>], side: Side) -> Vec<Hit<'r>> {
    let (text, tree, ranges) = match side {
        Side::Before => (file.before, &file.base, file.ranges(|hunk| &hunk.before)),
        Side::After => (file.after, &file.tree, file.ranges(|hunk| &hunk.after)),
    };
    match (text, tree) {
        (Some(text), Some(tree)) => hits(sets, file.path, tree, text, &ranges),
        _ => Vec::new(),
    }
}

/// How much there is of each thing that must not become less: by rule, the name of the thing, and for what stands in a
/// unit that unit's.
fn tally<'h>(hits: &'h [Hit<'_>]) -> BTreeMap<(&'h str, &'h str), u32> {
    let mut counted = BTreeMap::new();
    for hit in hits {
        let name = match hit.rule.header.fires {
            Fires::Gone | Fires::Missed if hit.source.is_none() => hit.name.as_deref(),
            Fires::Weaker => Some(unit_of(hit, hits)),
            _ => continue,
        };
        *counted.entry((hit.rule.name.as_str(), name.unwrap_or_default())).or_default() +=
            hit.strength;
    }
    counted
}

/// The name of the innermost unit that a match stands in.
fn unit_of<'h>(hit: &Hit<'_>, hits: &'h [Hit<'_>]) -> &'h str {
    let holds = |unit: &&Hit<'_>| {
        unit.rule.header.fires == Fires::Gone
            && unit.bytes.start <= hit.of.start
            && hit.of.end <= unit.bytes.end
    };
    let innermost = hits.iter().filter(holds).min_by_key(|unit| unit.bytes.len());
    innermost.and_then(|unit| unit.name.as_deref()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
