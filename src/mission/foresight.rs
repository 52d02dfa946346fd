//! Which tasks would get into each other's way: those that touch the same files. What a task touches are the files
//! that its steps declare, and those in which the things are declared and used whose names it puts into backticks
//! (`parse_line`): who changes a thing changes its uses. Of several things with one name it means those that a declared
//! file of it has, or all of them. Such tasks are worked on one after the other, in the order of the plan.
//!
//! Where things are used is found out by an effect, once for each name, and only when there are tasks that could run side
//! by side. Until it is known, one task runs alone. A prediction can miss; then the gate finds out, which proves every
//! change on the tree that it lands in.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Act, Effect, Uses};
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
        open().flat_map(names).filter(|name| !m.uses.contains_key(*name)).collect();
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
    let mut touched: Vec<&str> = task.files().collect();
    if m.uses.is_empty() {
        return touched;
    }
    let declared: BTreeSet<&str> = touched.iter().copied().collect();
    for things in names(task).into_iter().filter_map(|name| m.uses.get(name)) {
        let is_meant = |thing: &&Uses| thing.iter().any(|file| declared.contains(file.as_str()));
        let is_clear = things.iter().any(|thing| is_meant(&thing));
        let meant = things.iter().filter(|thing| !is_clear || is_meant(thing));
        touched.extend(meant.flatten().map(String::as_str));
    }
    touched
}

/// It is known where those names stand. What was not found is not looked for again.
pub(super) fn seen(m: &mut Mission, names: Vec<String>, mut uses: BTreeMap<String, Vec<Uses>>) {
    for name in names {
        let things = uses.remove(&name).unwrap_or_default();
        m.uses.insert(name, things);
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
    use crate::event::MissionId;
    use crate::plan::parse;

    #[test]
    fn of_several_things_with_one_name_those_of_a_declared_file_are_meant() {
        let mut m = Mission::new(MissionId("m".into()));
        let text = "# Mission: g\n## M1: m\n### T1.1: change `area`\n- [ ] S1.1.1: x | file:src/a.rs\n### T1.2: change `area`\n- [ ] S1.2.1: x | file:src/c.rs\n### T1.3: change `area`\n- [ ] S1.3.1: x\n";
        m.plan = Some(parse(text).unwrap());
        let thing = |files: &[&str]| files.iter().map(ToString::to_string).collect::<Uses>();
        let things = vec![thing(&["src/a.rs", "src/b.rs"]), thing(&["src/d.rs"])];
        seen(&mut m, vec!["area".into()], [("area".into(), things)].into());
        let touched = |at: usize| -> Vec<&str> {
            touched(&m, m.plan.as_ref().unwrap().tasks().nth(at).unwrap())
        };
        assert_eq!(touched(0), ["src/a.rs", "src/a.rs", "src/b.rs"]);
        assert_eq!(touched(1), ["src/c.rs", "src/a.rs", "src/b.rs", "src/d.rs"], "it is not clear");
        assert_eq!(touched(2), ["src/a.rs", "src/b.rs", "src/d.rs"]);
    }

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
