//! What a person writes into `todo.md` becomes the plan's, item by item.
//!
//! An edit says what an item was when it was shown to the person, and what they made of it. Where the mission has not
//! changed the same aspect meanwhile, it is taken. Where both changed it, in two ways, it is held as a conflict until a
//! person takes one side. What cannot be taken now, because its task is being worked on, is held until it can. Nothing
//! that is held is lost: it stands in the person's text, and here.

use serde::{Deserialize, Serialize};

use super::command;
use super::plan::{self, Aspect, Item, ItemId, Level, Mark, Plan};
use super::progress;
use super::state::{FoundBy, LineKind, Mission};

/// What a person did to one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The item.
    pub item: ItemId,
    /// As it was shown; `None` where they added it.
    pub was: Option<Item>,
    /// As they left it; `None` where they removed it.
    pub now: Option<Item>,
}

/// Which side counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What the person wrote.
    Text,
    /// What the mission has.
    Plan,
}

/// Why an edit is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// Both sides changed it, in two ways: a person takes one.
    Conflict,
    /// Its task is being worked on; it is tried again by itself.
    UnderWay,
    /// With it the plan would not be valid.
    Invalid,
}

/// An edit that was not taken, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The edit.
    pub edit: Edit,
    /// What holds it.
    pub hold: Hold,
    /// That in words, with what to do.
    pub why: String,
    /// A person took the mission's side: the text gives way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yields: bool,
}

type Taken = Result<(), (Hold, String)>;

/// Takes what can be taken of all that the person has changed, and holds the rest.
pub(super) fn edit_plan(m: &mut Mission, edits: &[Edit], order: &[ItemId]) {
    let before = std::mem::take(&mut m.held);
    let Some(old) = m.plan.clone() else {
        return;
    };
    take_all(m, edits, false);
    if let Some(plan) = &mut m.plan {
        reorder(plan, order);
    }
    if let Err(why) = valid(m.plan.as_ref()) {
        m.plan = Some(old);
        let held = |edit: &Edit| Held {
            edit: edit.clone(),
            hold: Hold::Invalid,
            why: format!("not taken: {why}"),
            yields: false,
        };
        m.held = edits.iter().map(held).collect();
    }
    for held in &mut m.held {
        held.yields = before.iter().any(|b| b.edit == held.edit && b.yields);
    }
    let taken = edits.len() - m.held.len();
    if taken > 0 {
        let s = if taken == 1 { "" } else { "s" };
        m.tell(LineKind::Step, None, None, format!("took {taken} edit{s} of todo.md"));
    }
    let fresh: Vec<Held> =
        m.held.iter().filter(|h| !before.iter().any(|b| b.edit == h.edit)).cloned().collect();
    for held in fresh {
        m.tell(LineKind::Warning, None, Some(&held.edit.item), format!("todo.md: {}", held.why));
    }
}

fn valid(plan: Option<&Plan>) -> Result<(), String> {
    let text = plan.map(plan::render).unwrap_or_default();
    let first = |errors: Vec<plan::PlanError>| errors.into_iter().next().map(|e| e.message);
    plan::parse(&text).map(|_| ()).map_err(|errors| first(errors).unwrap_or_default())
}

/// Parents come before their children, but where they go.
fn take_all(m: &mut Mission, edits: &[Edit], by_force: bool) {
    let (gone, there): (Vec<&Edit>, Vec<&Edit>) = edits.iter().partition(|e| e.now.is_none());
    let mut gone = gone;
    gone.sort_by_key(|edit| match edit.item.level() {
        Level::Task => 0,
        Level::Step => 1,
        Level::Milestone => 2,
    });
    for edit in there.into_iter().chain(gone) {
        if let Err((hold, why)) = take(m, edit, by_force) {
            m.held.push(Held { edit: edit.clone(), hold, why, yields: false });
        }
    }
}

/// Tries again what waited for a task to be let go.
pub(super) fn retry(m: &mut Mission) {
    let is_free = |m: &Mission, held: &Held| {
        held.hold == Hold::UnderWay && !held.yields && free(m, &held.edit.item).is_ok()
    };
    if m.held.is_empty() || !m.held.iter().any(|held| is_free(m, held)) {
        return;
    }
    let (again, still): (Vec<Held>, Vec<Held>) =
        std::mem::take(&mut m.held).into_iter().partition(|held| is_free(m, held));
    m.held = still;
    let edits: Vec<Edit> = again.into_iter().map(|held| held.edit).collect();
    let old = m.plan.clone();
    take_all(m, &edits, false);
    if valid(m.plan.as_ref()).is_err() {
        m.plan = old;
    }
    progress::grown(m);
}

/// A person takes one side of what is held.
pub(super) fn settle(m: &mut Mission, item: &ItemId, side: Side) {
    let Some(at) = m.held.iter().position(|held| &held.edit.item == item) else {
        return m.tell(LineKind::Warning, None, Some(item), "nothing of it is held");
    };
    if side == Side::Plan {
        m.held[at].yields = true;
        return m.tell(LineKind::Step, None, Some(item), "the plan counts, by hand");
    }
    let held = m.held.remove(at);
    let old = m.plan.clone();
    take_all(m, std::slice::from_ref(&held.edit), true);
    if let Err(why) = valid(m.plan.as_ref()) {
        m.plan = old;
        m.tell(LineKind::Warning, None, Some(item), format!("not taken: {why}"));
        return m.held.push(held);
    }
    m.tell(LineKind::Step, None, Some(item), "what was written in todo.md counts, by hand");
}

/// A person takes an item out of the plan. What would leave no valid plan is not taken out.
pub(super) fn skip(m: &mut Mission, item: &ItemId) {
    if ours(m, item).is_none() {
        return m.tell(LineKind::Warning, None, Some(item), "there is no such item");
    }
    if let Err((_, why)) = free(m, item) {
        return m.tell(LineKind::Warning, None, Some(item), format!("is not skipped: {why}"));
    }
    let old = m.plan.clone();
    for id in goes_with(m, item) {
        let edit = Edit { item: id, was: None, now: None };
        // Everything is free.
        if let Err((_, why)) = remove(m, &edit, true) {
            m.tell(LineKind::Warning, None, Some(item), why);
        }
    }
    match valid(m.plan.as_ref()) {
        Ok(()) => m.tell(LineKind::Step, None, Some(item), "is left out, by hand"),
        Err(why) => {
            m.plan = old;
            m.tell(LineKind::Warning, None, Some(item), format!("is not skipped: {why}"));
        }
    }
}

/// What goes with an item: the tasks below it, or the task of which it is the only step; a milestone that is left with none
/// goes with them. Itself, where there are none.
fn goes_with(m: &Mission, item: &ItemId) -> Vec<ItemId> {
    let is_within = |task: &&plan::Task| match item.level() {
        Level::Milestone => task.id.is_child_of(item),
        Level::Task => task.id == *item,
        Level::Step => matches!(task.steps.as_slice(), [only] if only.id == *item),
    };
    let tasks = m.plan.iter().flat_map(Plan::tasks).filter(is_within);
    let tasks: Vec<ItemId> = tasks.map(|task| task.id.clone()).collect();
    if tasks.is_empty() { vec![item.clone()] } else { tasks }
}

/// Whether nothing is under way for an item.
fn free(m: &Mission, item: &ItemId) -> Taken {
    let is_of = |task: &ItemId| match item.level() {
        Level::Milestone => task.is_child_of(item),
        Level::Task => task == item,
        Level::Step => item.is_child_of(task),
    };
    let sessions = m.sessions.values().filter_map(|session| session.item.as_ref());
    let busy = sessions.chain(m.proposals.iter().map(|p| &p.item)).find(|task| is_of(task));
    match busy {
        Some(_) if m.paused => Ok(()),
        Some(task) => {
            let why = format!(
                "{task} is being worked on; this is taken when that ends, or when the mission is paused"
            );
            Err((Hold::UnderWay, why))
        }
        None => Ok(()),
    }
}

fn take(m: &mut Mission, edit: &Edit, by_force: bool) -> Taken {
    match (&edit.was, &edit.now) {
        (_, None) => remove(m, edit, by_force),
        (None, Some(now)) => add(m, now, by_force),
        (Some(was), Some(now)) => change(m, was, now, by_force),
    }
}

fn conflict<T>(why: String) -> Result<T, (Hold, String)> {
    Err((Hold::Conflict, why))
}

fn ours(m: &Mission, id: &ItemId) -> Option<Item> {
    m.plan.as_ref().and_then(|plan| plan.item(id))
}

fn change(m: &mut Mission, was: &Item, now: &Item, by_force: bool) -> Taken {
    let id = now.id().clone();
    let Some(ours) = ours(m, &id) else {
        return match by_force {
            true => add(m, now, true),
            false => conflict(format!("{id} was changed here and is no longer in the plan")),
        };
    };
    let mut outcome = Ok(());
    for aspect in Aspect::ALL {
        if was.same(now, aspect) || ours.same(now, aspect) {
            continue;
        }
        // That a mission began or left an item is no opinion on how it stands.
        let is_open = matches!(ours.mark(), Some(Mark::Pending | Mark::Active));
        let is_ours = ours.same(was, aspect) || aspect == Aspect::Mark && is_open;
        if !is_ours && !by_force {
            let why = format!(
                "the {} of {id} was changed here and in the plan, which has: {}",
                aspect.name(),
                ours.line()
            );
            outcome = conflict(why);
        } else if aspect == Aspect::Mark {
            let marked = free(m, &id).map(|()| mark(m, now));
            outcome = outcome.and(marked);
        } else if let Some(plan) = &mut m.plan {
            with(plan, &id, |item| item.take(now, aspect));
        }
    }
    outcome
}

/// A person's mark, with what they wrote as evidence.
fn mark(m: &mut Mission, now: &Item) {
    if let Item::Step(step) = now {
        let why = step.evidence.as_deref().unwrap_or("marked in todo.md");
        command::set_item(m, &step.id, step.mark, Some(why));
    }
}

/// Changes one item in its place.
fn with(plan: &mut Plan, id: &ItemId, change: impl FnOnce(&mut Item)) {
    let Some(mut item) = plan.item(id) else {
        return;
    };
    change(&mut item);
    match item {
        Item::Milestone(new) => {
            if let Some(old) = plan.milestones.iter_mut().find(|m| &m.id == id) {
                (old.title, old.depends) = (new.title, new.depends);
            }
        }
        Item::Task(new) => {
            if let Some(old) = plan.task_mut(id) {
                (old.title, old.depends, old.agent) = (new.title, new.depends, new.agent);
            }
        }
        Item::Step(new) => {
            let mut steps =
                plan.milestones.iter_mut().flat_map(|m| &mut m.tasks).flat_map(|t| &mut t.steps);
            if let Some(old) = steps.find(|step| &step.id == id) {
                *old = new;
            }
        }
    }
}

fn add(m: &mut Mission, now: &Item, by_force: bool) -> Taken {
    let id = now.id().clone();
    if let Some(ours) = ours(m, &id) {
        let same = Aspect::ALL.iter().all(|aspect| ours.same(now, *aspect));
        return match (same, by_force) {
            (true, _) => Ok(()),
            (false, true) => change(m, &ours, now, true),
            (false, false) => {
                conflict(format!("{id} was added here and to the plan, which has: {}", ours.line()))
            }
        };
    }
    if id.level() == Level::Step {
        free(m, &id)?;
    }
    let Some(plan) = &mut m.plan else {
        return Ok(());
    };
    let orphan = || (Hold::Invalid, format!("not taken: what {id} belongs to is not in the plan"));
    match now.clone() {
        Item::Milestone(milestone) => plan.milestones.push(milestone),
        Item::Task(task) => {
            let mut parents = plan.milestones.iter_mut();
            let parent = parents.find(|p| task.id.is_child_of(&p.id)).ok_or_else(orphan)?;
            parent.tasks.push(task);
        }
        Item::Step(mut step) => {
            let (is_done, said) = (step.mark == Mark::Done, step.evidence.take());
            if step.mark == Mark::Active || is_done {
                step.mark = Mark::Pending;
            }
            let mut parents = plan.milestones.iter_mut().flat_map(|x| &mut x.tasks);
            let parent = parents.find(|p| step.id.is_child_of(&p.id)).ok_or_else(orphan)?;
            let task = parent.id.clone();
            parent.steps.push(step);
            if is_done {
                command::set_item(
                    m,
                    &id,
                    Mark::Done,
                    Some(said.as_deref().unwrap_or("marked in todo.md")),
                );
            } else if let Some(work) = m.work.get_mut(&task) {
                // There is more to do than was done.
                work.summary = None;
            }
        }
    }
    Ok(())
}

fn remove(m: &mut Mission, edit: &Edit, by_force: bool) -> Taken {
    let id = &edit.item;
    let Some(ours) = ours(m, id) else {
        return Ok(());
    };
    free(m, id)?;
    let is_open = matches!(ours.mark(), Some(Mark::Pending | Mark::Active));
    let changed = |was: &Item| {
        let open = |a: &Aspect| *a == Aspect::Mark && is_open;
        Aspect::ALL.iter().any(|a| !ours.same(was, *a) && !open(a))
    };
    if !by_force && edit.was.as_ref().is_some_and(changed) {
        return conflict(format!(
            "{id} was removed here and changed in the plan, which has: {}",
            ours.line()
        ));
    }
    let Some(plan) = &mut m.plan else {
        return Ok(());
    };
    match id.level() {
        Level::Milestone => {
            let has_tasks = plan.milestones.iter().any(|x| &x.id == id && !x.tasks.is_empty());
            if has_tasks {
                let why = format!("not taken: {id} has tasks that were not removed with it");
                return Err((Hold::Invalid, why));
            }
            plan.milestones.retain(|milestone| &milestone.id != id);
        }
        Level::Task => {
            progress::keep(plan, std::slice::from_ref(id));
            m.work.remove(id);
            m.close_findings(Some(id), FoundBy::Gate);
            m.close_findings(Some(id), FoundBy::Reviewer);
        }
        Level::Step => {
            let tasks = plan.milestones.iter_mut().flat_map(|x| &mut x.tasks);
            tasks.for_each(|task| task.steps.retain(|step| &step.id != id));
        }
    }
    Ok(())
}

/// Puts siblings into the order in which they are named; what is not named stays behind what it stood behind.
fn reorder(plan: &mut Plan, order: &[ItemId]) {
    sort(&mut plan.milestones, |m| &m.id, order);
    for milestone in &mut plan.milestones {
        sort(&mut milestone.tasks, |t| &t.id, order);
        for task in &mut milestone.tasks {
            sort(&mut task.steps, |s| &s.id, order);
        }
    }
}

fn sort<T>(items: &mut Vec<T>, id: impl Fn(&T) -> &ItemId, order: &[ItemId]) {
    let mut last = 0;
    let mut keyed: Vec<(usize, T)> = Vec::new();
    for item in items.drain(..) {
        last = order.iter().position(|o| o == id(&item)).map_or(last, |at| at + 1);
        keyed.push((last, item));
    }
    keyed.sort_by_key(|(key, _)| *key);
    items.extend(keyed.into_iter().map(|(_, item)| item));
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
