//! Progress, and what is done when there is none.
//!
//! A mission's obligations are its open plan items, its open findings of severity error, and its red checks, each of
//! which keeps the item open that it judges or becomes an item of the next round. Progress is that their number falls
//! below the lowest that it had since the plan last grew. Neither words nor marks that go to and fro are progress, nor
//! is a plan that is only written again.
//!
//! A round is an attempt at a task that came to nothing, or a review of the whole that failed. A task whose attempts
//! are used up, and a mission that sees `stalls` rounds without progress, take the same way, in this order: the task
//! is **split** into smaller ones, what is left is **planned anew**, a **person is asked**, and nothing more is done
//! before the person answers. Each task is split at most once, its parts never; plans are made anew at most `replans`
//! times: so the plan grows finitely often, and between two growths the number of obligations can only fall finitely
//! often. The symbolic engine would only do the same again: there, a person is asked at once.

use serde::{Deserialize, Serialize};

use super::advance::SYMBOLIC;
use super::brief;
use super::conversation::Role;
use super::plan::{ItemId, Mark, Milestone, Plan, Task};
use super::state::{End, FoundBy, LineKind, Mission, Phase};
use super::work;

/// How far a mission has got, and which ways it has tried.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The fewest obligations since the plan last grew.
    least: usize,
    /// Rounds since they last fell.
    stalled: u32,
    /// How often what is left was planned anew.
    replans: u32,
    /// Whether a task was split since obligations last fell.
    has_split: bool,
    /// What is left is planned anew as soon as nothing is under way.
    pub replan_due: bool,
    /// The tasks that a new plan replaces, as far as they are not done by then.
    dropping: Vec<ItemId>,
}

impl Progress {
    /// After a person has spoken, everything may be tried again.
    pub fn forgive(&mut self) {
        *self = Progress { least: self.least, ..Progress::default() };
    }
}

/// After every event: have obligations fallen?
pub(super) fn observe(m: &mut Mission) {
    let now = m.obligations();
    if now < m.progress.least {
        (m.progress.least, m.progress.stalled, m.progress.has_split) = (now, 0, false);
    }
}

/// The plan grew, or a person changed it: progress is measured from here on.
pub(super) fn grown(m: &mut Mission) {
    m.progress.least = m.obligations();
}

/// A round came to nothing. `item` is the task whose attempt it was.
pub(super) fn round_failed(m: &mut Mission, item: Option<&ItemId>) {
    observe(m);
    m.progress.stalled += 1;
    if m.progress.stalled < m.limits.stalls.max(1) || m.phase != Phase::Working {
        return;
    }
    m.progress.stalled = 0;
    let rounds = m.limits.stalls;
    m.tell(LineKind::Warning, None, item, format!("no obligation fell in {rounds} rounds"));
    if let Some(item) = item.filter(|_| !m.progress.has_split)
        && can_split(m, item)
    {
        return split_due(m, item);
    }
    if can_replan(m) {
        m.progress.replan_due = true;
    } else {
        ask(m);
    }
}

/// A person is asked for what is left.
fn ask(m: &mut Mission) {
    m.end(End::Blocked {
        needs: format!("a person for what could not be done: {}", brief::remaining(m)),
    });
}

/// A task's attempts are used up: it is split, where that is still possible, or has failed.
pub(super) fn used_up(m: &mut Mission, item: &ItemId) {
    match can_split(m, item) {
        true => split_due(m, item),
        false => work::task_failed(m, item),
    }
}

/// A task whose parts were planned, or that is such a part, is not split again.
fn can_split(m: &Mission, item: &ItemId) -> bool {
    let is_part =
        m.work.values().filter_map(|w| w.parts).any(|parts| parts == item.milestone_number());
    let fresh = m.work.get(item).is_some_and(|w| w.parts.is_none() && !w.split_due);
    m.phase == Phase::Working && m.engine != SYMBOLIC && fresh && !is_part
}

fn split_due(m: &mut Mission, item: &ItemId) {
    m.progress.has_split = true;
    m.tell(LineKind::Step, Some(Role::Planner), Some(item), "is to be split into smaller tasks");
    if let Some(work) = m.work.get_mut(item) {
        (work.split_due, work.deferred, work.summary) = (true, None, None);
    }
    m.close_findings(Some(item), FoundBy::Gate);
    if let Some(task) = m.plan.as_mut().and_then(|p| p.task_mut(item)) {
        task.set_open_steps(Mark::Pending);
    }
}

/// A person wants a task in smaller parts.
pub(super) fn split_by_hand(m: &mut Mission, item: &ItemId) {
    let Some(task) = m.plan.as_ref().and_then(|plan| plan.task_of(item)) else {
        return m.tell(LineKind::Warning, None, Some(item), "there is no such task");
    };
    let (id, mark) = (task.id.clone(), task.mark());
    let is_busy = m.sessions.values().any(|session| session.item.as_ref() == Some(&id))
        || m.proposals.iter().any(|proposal| proposal.item == id);
    let was_split = m.work.get(&id).is_some_and(|work| work.parts.is_some());
    let why = match (mark, m.engine.as_str()) {
        (Mark::Done, _) => "is done already",
        (_, SYMBOLIC) => "is not split: that needs a model",
        _ if is_busy => "is being worked on; pause the mission, or wait",
        _ if was_split => "was split already",
        _ => {
            let work = m.work.entry(id.clone()).or_default();
            (work.failed, work.feedback) = (0, String::new());
            split_due(m, &id);
            if m.phase == super::state::Phase::Planned && !m.chosen.contains(&id) {
                m.chosen.push(id);
            }
            return;
        }
    };
    m.tell(LineKind::Warning, None, Some(&id), why);
}

/// The Planner came to no split.
pub(super) fn not_split(m: &mut Mission, item: &ItemId) {
    if let Some(work) = m.work.get_mut(item) {
        work.split_due = false;
    }
    work::task_failed(m, item);
}

/// The fewest and the most parts of a task.
const PARTS: std::ops::RangeInclusive<usize> = 2..=12;

/// The parts come first; then the task itself has new attempts, at what they left over.
///
/// # Errors
/// Why these cannot be the parts, for the Planner.
pub(super) fn split(m: &mut Mission, item: &ItemId, parts: Plan) -> Result<(), String> {
    let count = parts.tasks().count();
    if !PARTS.contains(&count) {
        let (least, most) = (PARTS.start(), PARTS.end());
        return Err(format!("a task is split into {least} to {most} tasks, not {count}"));
    }
    let Some(number) = append(m, parts)? else {
        return Ok(());
    };
    if let Some(work) = m.work.get_mut(item) {
        (work.split_due, work.parts, work.failed) = (false, Some(number), 0);
    }
    let milestone = ItemId::milestone(number);
    if let Some(task) = m.plan.as_mut().and_then(|p| p.task_mut(item)) {
        task.depends.push(milestone);
    }
    m.direct = false;
    m.tell(LineKind::Good, Some(Role::Planner), Some(item), format!("split into {count} tasks"));
    grown(m);
    Ok(())
}

/// Whether what is left may be planned anew: something failed by itself, and there is a try left.
pub(super) fn can_replan(m: &Mission) -> bool {
    let failed = |task: &Task| {
        task.mark() != Mark::Done && m.work.get(&task.id).is_some_and(|w| w.used_up || w.failed > 0)
    };
    m.engine != SYMBOLIC
        && m.progress.replans < m.limits.replans
        && m.plan.iter().flat_map(Plan::tasks).any(failed)
}

/// Hands what is left back to the Planner.
pub(super) fn replan(m: &mut Mission) {
    m.progress.replan_due = false;
    m.progress.replans += 1;
    m.plannings = 0;
    m.direct = false;
    m.tell(LineKind::Step, None, None, "what is left is planned anew");
    m.phase = Phase::Planning;
    // What a person marked as failed is not tried again by itself.
    let by_itself = |task: &Task| m.work.get(&task.id).is_some_and(|w| w.used_up);
    let is_dropped = |task: &&Task| match task.mark() {
        Mark::Done => false,
        Mark::Failed => by_itself(task),
        Mark::Pending | Mark::Active => true,
    };
    let tasks = m.plan.iter().flat_map(Plan::tasks).filter(is_dropped);
    m.progress.dropping = tasks.map(|task| task.id.clone()).collect();
}

/// No new plan came of it: the old one stands, and a person is asked.
pub(super) fn not_replanned(m: &mut Mission, why: &str) {
    m.phase = Phase::Working;
    let remaining = brief::remaining(m);
    m.end(End::Blocked {
        needs: format!("a person for what could not be done: {remaining}; no new plan: {why}"),
    });
}

/// What is done stays, and what a person marked as failed; the rest of the plan is replaced.
///
/// # Errors
/// Why this cannot be the rest, for the Planner.
pub(super) fn replanned(m: &mut Mission, rest: Plan) -> Result<(), String> {
    let Some(old) = m.plan.clone() else {
        return Ok(());
    };
    let mut dropped = m.progress.dropping.clone();
    dropped.retain(|id| old.task(id).is_some_and(|task| task.mark() != Mark::Done));
    if let Some(plan) = &mut m.plan {
        keep(plan, &dropped);
    }
    if let Err(why) = append(m, rest) {
        m.plan = Some(old);
        return Err(why);
    }
    for id in &dropped {
        m.work.remove(id);
        m.close_findings(Some(id), FoundBy::Gate);
        m.close_findings(Some(id), FoundBy::Reviewer);
    }
    m.progress.dropping.clear();
    m.phase = Phase::Working;
    grown(m);
    Ok(())
}

/// Takes tasks out of a plan, with all that names them.
pub(super) fn keep(plan: &mut Plan, dropped: &[ItemId]) {
    for milestone in &mut plan.milestones {
        milestone.tasks.retain(|task| !dropped.contains(&task.id));
    }
    plan.milestones.retain(|milestone| !milestone.tasks.is_empty());
    let left: Vec<ItemId> = plan
        .milestones
        .iter()
        .flat_map(|m| std::iter::once(m.id.clone()).chain(m.tasks.iter().map(|t| t.id.clone())))
        .collect();
    for milestone in &mut plan.milestones {
        milestone.depends.retain(|id| left.contains(id));
        for task in &mut milestone.tasks {
            task.depends.retain(|id| left.contains(id));
        }
    }
}

/// Adds the tasks of another plan as one milestone, under new numbers. Answers its number.
fn append(m: &mut Mission, other: Plan) -> Result<Option<u32>, String> {
    let next = m.next_milestone();
    let Some(plan) = &mut m.plan else {
        return Ok(None);
    };
    let (count, all) = (other.tasks().count(), plan.tasks().count());
    if all + count > super::plan::MAX_TASKS {
        return Err(format!("{count} tasks are too many beside the {all} that there are"));
    }
    let milestone = ItemId::milestone(next);
    let renamed = |id: &ItemId| {
        let at = other.tasks().position(|task| &task.id == id)?;
        Some(milestone.child(at as u32 + 1))
    };
    let mut tasks = Vec::new();
    for old in &other.milestones {
        for task in &old.tasks {
            let through = old.depends.iter().chain(&task.depends);
            let names =
                through.flat_map(|id| match other.milestones.iter().find(|m| &m.id == id) {
                    Some(whole) => whole.tasks.iter().map(|t| t.id.clone()).collect(),
                    None => vec![id.clone()],
                });
            let mut depends: Vec<ItemId> = names.filter_map(|id| renamed(&id)).collect();
            depends.sort();
            depends.dedup();
            tasks.push(Task { depends, ..task.clone() });
        }
    }
    for (task, number) in tasks.iter_mut().zip(1..) {
        task.id = milestone.child(number);
        for (step, number) in task.steps.iter_mut().zip(1..) {
            (step.id, step.mark, step.evidence) = (task.id.child(number), Mark::Pending, None);
        }
    }
    let title = other.milestones.first().map_or(String::new(), |m| m.title.clone());
    plan.milestones.push(Milestone { id: milestone, title, depends: Vec::new(), tasks });
    Ok(Some(next))
}
