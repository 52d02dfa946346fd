//! The plan: one hierarchy of milestones, tasks and steps, as it stands in `todo.md`.
//!
//! A task is the unit of work (one worker session); its steps are what must be true when it is done. The module knows
//! the text format and what makes a plan valid; it knows nothing of who carries it out.

mod id;
mod item;
mod parse;
mod render;
pub mod sheet;

pub use id::{ItemId, Level};
pub use item::{Aspect, Item};
pub(super) use parse::MAX_TASKS;
pub use parse::{PlanError, parse, tags};
pub(super) use render::one_line;
pub use render::render;

use serde::{Deserialize, Serialize};

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// `[ ]`
    Pending,
    /// `[/]`
    Active,
    /// `[x]`
    Done,
    /// `[-]`
    Failed,
}

impl Mark {
    /// The character between the brackets.
    pub fn symbol(self) -> char {
        match self {
            Mark::Pending => ' ',
            Mark::Active => '/',
            Mark::Done => 'x',
            Mark::Failed => '-',
        }
    }

    /// The mark with that character.
    pub fn from_symbol(symbol: &str) -> Option<Mark> {
        match symbol {
            " " => Some(Mark::Pending),
            "/" => Some(Mark::Active),
            "x" | "X" => Some(Mark::Done),
            "-" => Some(Mark::Failed),
            _ => None,
        }
    }
}

/// How large a step is; an `L` must be split before it can be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Size {
    /// Minutes.
    XS,
    /// One place.
    S,
    /// One file.
    M,
}

/// The whole plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The goal, on one line.
    pub goal: String,
    /// The milestones, in order.
    pub milestones: Vec<Milestone>,
}

/// A group of tasks that ends in something worth having.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// `M1`.
    pub id: ItemId,
    /// What it reaches.
    pub title: String,
    /// Milestones that must be done before.
    pub depends: Vec<ItemId>,
    /// Its tasks, in order.
    pub tasks: Vec<Task>,
}

/// The unit of work: one worker session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// `T1.2`.
    pub id: ItemId,
    /// What it does.
    pub title: String,
    /// The agent that carries it out, where it is not the Worker.
    pub agent: Option<String>,
    /// Tasks or milestones that must be done before.
    pub depends: Vec<ItemId>,
    /// Its steps; at least one.
    pub steps: Vec<Step>,
}

/// One checkable thing that a task must reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `S1.2.3`.
    pub id: ItemId,
    /// What must be true.
    pub title: String,
    /// Where it stands.
    pub mark: Mark,
    /// How large it is.
    pub size: Option<Size>,
    /// The files that it will touch, relative to the workspace, `/` between parts.
    pub files: Vec<String>,
    /// The kind of problem that it mends, where there is one.
    pub issue: Option<String>,
    /// What showed that it is done.
    pub evidence: Option<String>,
    /// What a Worker or a person noted at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Whether a step can declare that file: relative, with `/` between parts, and writable as a tag of one line.
pub(super) fn is_file(file: &str) -> bool {
    let plain = |c: char| !c.is_control() && !matches!(c, '\\' | ',');
    !file.is_empty()
        && !file.starts_with('/')
        && file.trim() == file
        && file.chars().all(plain)
        && file.split('/').all(|part| part != "..")
}

impl Plan {
    /// All tasks, in order.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.milestones.iter().flat_map(|m| &m.tasks)
    }

    /// The task with that id.
    pub fn task(&self, id: &ItemId) -> Option<&Task> {
        self.tasks().find(|t| &t.id == id)
    }

    /// The task with that id, to be changed.
    pub fn task_mut(&mut self, id: &ItemId) -> Option<&mut Task> {
        self.milestones.iter_mut().flat_map(|m| &mut m.tasks).find(|t| &t.id == id)
    }

    /// The task that a milestone's, task's or step's id leads to: itself, or the step's own.
    pub fn task_of(&self, id: &ItemId) -> Option<&Task> {
        self.tasks().find(|t| &t.id == id || t.steps.iter().any(|s| &s.id == id))
    }

    /// Done steps and all steps.
    pub fn progress(&self) -> (usize, usize) {
        let steps = self.tasks().flat_map(|t| &t.steps);
        steps.fold((0, 0), |(done, all), s| (done + usize::from(s.mark == Mark::Done), all + 1))
    }

    /// How many open tasks cannot begin before the task with that id is done.
    pub fn waiting_for(&self, id: &ItemId) -> u32 {
        let own = self.milestones.iter().find(|m| m.tasks.iter().any(|task| &task.id == id));
        let names = |depends: &[ItemId]| {
            depends.iter().any(|name| name == id || own.is_some_and(|own| &own.id == name))
        };
        let waits = |milestone: &Milestone| {
            let all = names(&milestone.depends);
            let tasks = milestone.tasks.iter();
            tasks.filter(|task| (all || names(&task.depends)) && task.mark() != Mark::Done).count()
        };
        self.milestones.iter().map(waits).sum::<usize>() as u32
    }

    /// Whether all that `task` depends on, through its milestone too, is done.
    pub fn is_ready(&self, task: &Task) -> bool {
        let milestone = self.milestones.iter().find(|m| m.tasks.iter().any(|t| t.id == task.id));
        let through = milestone.into_iter().flat_map(|m| &m.depends);
        task.depends.iter().chain(through).all(|id| self.is_done(id))
    }

    /// Whether the milestone or task with that id is done; an unknown one is not.
    pub fn is_done(&self, id: &ItemId) -> bool {
        let done = |t: &Task| t.mark() == Mark::Done;
        match self.milestones.iter().find(|m| &m.id == id) {
            Some(milestone) => milestone.tasks.iter().all(done),
            None => self.task(id).is_some_and(done),
        }
    }
}

impl Task {
    /// Where the task stands, from its steps: failed when one is, done when all are, active when one has begun.
    pub fn mark(&self) -> Mark {
        let any = |mark| self.steps.iter().any(|s| s.mark == mark);
        if any(Mark::Failed) {
            Mark::Failed
        } else if self.steps.iter().all(|s| s.mark == Mark::Done) {
            Mark::Done
        } else if any(Mark::Active) || any(Mark::Done) {
            Mark::Active
        } else {
            Mark::Pending
        }
    }

    /// Sets every step that is not done.
    pub fn set_open_steps(&mut self, mark: Mark) {
        for step in self.steps.iter_mut().filter(|s| s.mark != Mark::Done) {
            step.mark = mark;
        }
    }

    /// Every file that its steps declare.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|s| &s.files).map(String::as_str)
    }
}
