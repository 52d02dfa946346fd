//! Which tasks would get into each other's way: those that touch the same files. What a task touches are the files
//! that its steps declare, and those in which the names stand that it puts into backticks (`parse_line`): who changes
//! a name changes its uses. Such tasks are worked on one after the other, in the order of the plan.
//!
//! Where a name stands is found out by an effect, once for each name, and only when there are tasks that could run side
//! by side. Until it is known, one task runs alone. A prediction can miss; then the gate finds out, which proves every
//! change on the tree that it lands in.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Act, Effect};
use super::plan::{ItemId, Mark, Plan, Task};
use super::state::{LineKind, Mission};

/// The shortest name that is looked for, in characters: shorter ones stand everywhere.
const SHORT: usize = 3;
/// How many pairs of tasks are told at once.
const LINES: usize = 20;
/// The most names of a task that are looked for.
const NAMES: usize = 16;

/// The names in backticks in the titles of a task and its steps: the last part of a path, without an argument list.
pub(super) fn names(task: &Task) -> BTreeSet<&str> {
    let titles = std::iter::once(&task.title).chain(task.steps.iter().map(|step| &step.title));
    let quoted = titles.flat_map(|title| title.split('`').skip(1).step_by(2));
    quoted.filter_map(name).take(NAMES).collect()
}

/// The name at the end of `Parser::parse()`, `parser.parse` or `parse`; `None` where it is something else.
fn name(text: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let text = text.split('(').next().unwrap_or_default();
    if !text.chars().all(|c| is_plain(c) || matches!(c, ':' | '.' | '#')) {
        return None;
    }
    let last = text.rsplit([':', '.', '#']).next().unwrap_or_default();
    let begins = last.chars().next().is_some_and(|c| !c.is_numeric());
    (begins && last.chars().count() >= SHORT).then_some(last)
}

fn is_open(task: &&Task) -> bool {
    matches!(task.mark(), Mark::Pending | Mark::Active)
}

/// Begins to find out where the names of the open tasks stand, as far as that is not known.
pub(super) fn look(m: &mut Mission) -> Option<Effect> {
    // It is asked after every event: what is cheap to know comes first, and nothing is copied before it is needed.
    if m.limits.parallel < 2 || is_looking(m) {
        return None;
    }
    let open = || m.plan.iter().flat_map(Plan::tasks).filter(is_open);
    // One task alone is in nobody's way.
    open().nth(1)?;
    let unknown: BTreeSet<&str> =
        open().flat_map(names).filter(|name| !m.reach.contains_key(*name)).collect();
    if unknown.is_empty() {
        return None;
    }
    let names = unknown.into_iter().map(str::to_owned).collect();
    Some(m.begin(Act::Foresee { names }))
}

/// Whether that is being found out.
pub(super) fn is_looking(m: &Mission) -> bool {
    m.pending.values().any(|act| matches!(act, Act::Foresee { .. }))
}

/// The files that a task touches, as far as it can be foreseen.
pub(super) fn touched<'a>(m: &'a Mission, task: &'a Task) -> Vec<&'a str> {
    let declared = task.files();
    if m.reach.is_empty() {
        return declared.collect();
    }
    let reached = names(task).into_iter().filter_map(|name| m.reach.get(name)).flatten();
    declared.chain(reached.map(String::as_str)).collect()
}

/// It is known where those names stand. What was not found is not looked for again.
pub(super) fn seen(m: &mut Mission, names: Vec<String>, mut reach: BTreeMap<String, Vec<String>>) {
    for name in names {
        let files = reach.remove(&name).unwrap_or_default();
        m.reach.insert(name, files);
    }
    let Some(plan) = &m.plan else {
        return;
    };
    let lines: Vec<(ItemId, String)> = in_the_way(m, plan)
        .into_iter()
        .take(LINES)
        .map(|(first, second, file)| {
            (second.id.clone(), format!("waits for {}: both touch {file}", first.id))
        })
        .collect();
    for (item, text) in lines {
        m.tell(LineKind::Step, None, Some(&item), text);
    }
}

/// Two open tasks that may not run at once, for people: each with the first file that both touch.
fn in_the_way<'a>(m: &'a Mission, plan: &'a Plan) -> Vec<(&'a Task, &'a Task, &'a str)> {
    let open: Vec<&Task> = plan.tasks().filter(is_open).collect();
    let mut found = Vec::new();
    for (at, first) in open.iter().enumerate() {
        let files: BTreeSet<&str> = touched(m, first).into_iter().collect();
        for second in &open[at + 1..] {
            if let Some(file) = touched(m, second).into_iter().find(|file| files.contains(file)) {
                found.push((*first, *second, file));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;

    #[test]
    fn names_are_what_stands_in_backticks_and_is_a_name() {
        let plan = parse(
            "# Mission: g\n## M1: m\n### T1.1: change `area` and `Parser::parse()`\n- [ ] S1.1.1: `self.rows`, `src/a.rs`, `a b`, `42`, `id`, plain | size:S\n- [ ] S1.1.2: an open ` tick\n",
        )
        .unwrap();
        let found: Vec<&str> = names(plan.tasks().next().unwrap()).into_iter().collect();
        assert_eq!(found, ["area", "parse", "rows"]);
    }
}
