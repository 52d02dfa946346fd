//! The plan as a tree: milestones and tasks, and the steps of what is worked on or has failed.

use ratatui::text::{Line, Span};

use super::super::frame::{Theme, Tone};
use super::super::observer::Watched;
use super::super::text::{bar, clean};
use super::fit;
use crate::mission::plan::{ItemId, Mark, Milestone, Plan, Step, Task};

/// The columns of a bar.
const BAR: usize = 10;

/// A row of the tree.
enum Row<'a> {
    Milestone(&'a Milestone),
    Task(&'a Task),
    Step(&'a Step),
}

/// The steps of a task that have rows of their own.
fn steps(task: &Task) -> &[Step] {
    match task.mark() {
        Mark::Active | Mark::Failed => &task.steps,
        Mark::Pending | Mark::Done => &[],
    }
}

fn tree(plan: &Plan) -> impl Iterator<Item = Row<'_>> {
    plan.milestones.iter().flat_map(|milestone| {
        let tasks = milestone.tasks.iter().flat_map(|task| {
            std::iter::once(Row::Task(task)).chain(steps(task).iter().map(Row::Step))
        });
        std::iter::once(Row::Milestone(milestone)).chain(tasks)
    })
}

pub(super) fn rows(plan: &Plan) -> usize {
    tree(plan).count()
}

/// The first row that is worked on.
pub(super) fn active(plan: &Plan) -> usize {
    let is_active = |row: &Row<'_>| matches!(row, Row::Task(task) if task.mark() == Mark::Active);
    tree(plan).position(|row| is_active(&row)).unwrap_or(0)
}

/// The item of a row.
pub(in super::super) fn item(plan: &Plan, row: usize) -> Option<ItemId> {
    Some(match tree(plan).nth(row)? {
        Row::Milestone(milestone) => milestone.id.clone(),
        Row::Task(task) => task.id.clone(),
        Row::Step(step) => step.id.clone(),
    })
}

fn progress<'a>(tasks: impl IntoIterator<Item = &'a Task>) -> (usize, usize) {
    let steps = tasks.into_iter().flat_map(|task| &task.steps);
    steps.fold((0, 0), |(done, all), s| (done + usize::from(s.mark == Mark::Done), all + 1))
}

pub(super) fn title(watched: &Watched) -> String {
    let (done, all) = watched.mission.plan.as_ref().map_or((0, 0), Plan::progress);
    format!("{} {done}/{all}", bar((done, all), 2 * BAR))
}

pub(super) fn row(watched: &Watched, row: usize, width: usize, theme: Theme) -> Line<'static> {
    let found = watched.mission.plan.as_ref().and_then(|plan| tree(plan).nth(row));
    match found {
        Some(Row::Milestone(milestone)) => {
            let (done, all) = progress(&milestone.tasks);
            let end = format!(" {} {done:>3}/{all}", bar((done, all), BAR));
            let text = format!("{} {}", milestone.id, clean(&milestone.title));
            let room = width.saturating_sub(end.chars().count());
            Line::from(vec![Span::styled(fit(&text, room), theme.tone(Tone::Strong)), end.into()])
        }
        Some(Row::Task(task)) => {
            let (done, all) = progress([task]);
            let end = format!(" {} {done:>3}/{all}", bar((done, all), BAR));
            let who = task.agent.as_ref().map_or(String::new(), |name| format!(" ({name})"));
            let text = format!(" {} {}{}", task.id, clean(&task.title), clean(&who));
            let room = width.saturating_sub(end.chars().count() + 5);
            Line::from(vec![mark(task.mark(), 2, theme), fit(&text, room).into(), end.into()])
        }
        Some(Row::Step(step)) => {
            let files = step.files.join(", ");
            let text = format!(" {} {}  {}", step.id, clean(&step.title), clean(&files));
            Line::from(vec![mark(step.mark, 4, theme), text.into()])
        }
        None => Line::default(),
    }
}

fn mark(mark: Mark, indent: usize, theme: Theme) -> Span<'static> {
    let tone = match mark {
        Mark::Done => Tone::Good,
        Mark::Failed => Tone::Bad,
        Mark::Active => Tone::Live,
        Mark::Pending => Tone::Plain,
    };
    Span::styled(format!("{}[{}]", " ".repeat(indent), mark.symbol()), theme.tone(tone))
}
