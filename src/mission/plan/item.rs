//! One line of a plan by itself: a milestone, a task or a step without what stands beneath it, what of it can change,
//! and its version.

use serde::{Deserialize, Serialize};

use super::render::{milestone_line, step_line, task_line};
use super::{ItemId, Mark, Milestone, Plan, Step, Task};

/// An item without its children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Item {
    /// `## M1: …`
    Milestone(Milestone),
    /// `### T1.1: …`
    Task(Task),
    /// `- [ ] S1.1.1: …`
    Step(Step),
}

/// What of an item is changed, and merged, by itself. What showed that a step is done goes with its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// What it says.
    Title,
    /// What it depends on, its agent, size, files and issue.
    Tags,
    /// Where it stands.
    Mark,
    /// What was noted at it.
    Note,
}

impl Aspect {
    /// All of them.
    pub const ALL: [Aspect; 4] = [Aspect::Title, Aspect::Tags, Aspect::Mark, Aspect::Note];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Aspect::Title => "title",
            Aspect::Tags => "tags",
            Aspect::Mark => "mark",
            Aspect::Note => "note",
        }
    }
}

impl Item {
    /// Its id.
    pub fn id(&self) -> &ItemId {
        match self {
            Item::Milestone(m) => &m.id,
            Item::Task(t) => &t.id,
            Item::Step(s) => &s.id,
        }
    }

    /// Its line in `todo.md`, without an end of line.
    pub fn line(&self) -> String {
        match self {
            Item::Milestone(m) => milestone_line(m),
            Item::Task(t) => task_line(t),
            Item::Step(s) => step_line(s),
        }
    }

    /// The mark of a step.
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Item::Step(step) => Some(step.mark),
            _ => None,
        }
    }

    /// Whether both are alike in one aspect.
    pub fn same(&self, other: &Item, aspect: Aspect) -> bool {
        let mut copy = self.clone();
        copy.take(other, aspect);
        copy == *self
    }

    /// Takes one aspect of another.
    pub fn take(&mut self, other: &Item, aspect: Aspect) {
        match (self, other, aspect) {
            (Item::Milestone(own), Item::Milestone(o), Aspect::Title) => {
                own.title = o.title.clone()
            }
            (Item::Milestone(own), Item::Milestone(o), Aspect::Tags) => {
                own.depends.clone_from(&o.depends);
            }
            (Item::Task(own), Item::Task(o), Aspect::Title) => own.title = o.title.clone(),
            (Item::Task(own), Item::Task(o), Aspect::Tags) => {
                own.depends.clone_from(&o.depends);
                own.agent.clone_from(&o.agent);
            }
            (Item::Step(own), Item::Step(o), Aspect::Title) => own.title = o.title.clone(),
            (Item::Step(own), Item::Step(o), Aspect::Tags) => {
                own.size = o.size;
                own.files.clone_from(&o.files);
                own.issue.clone_from(&o.issue);
            }
            (Item::Step(own), Item::Step(o), Aspect::Mark) if own.mark != o.mark => {
                own.mark = o.mark;
                own.evidence.clone_from(&o.evidence);
            }
            (Item::Step(own), Item::Step(o), Aspect::Note) => own.note.clone_from(&o.note),
            _ => {}
        }
    }
}

impl Plan {
    /// Every item in the order of its lines.
    pub fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for milestone in &self.milestones {
            items.push(Item::Milestone(Milestone { tasks: Vec::new(), ..milestone.clone() }));
            for task in &milestone.tasks {
                items.push(Item::Task(Task { steps: Vec::new(), ..task.clone() }));
                items.extend(task.steps.iter().cloned().map(Item::Step));
            }
        }
        items
    }

    /// The item with that id.
    pub fn item(&self, id: &ItemId) -> Option<Item> {
        for milestone in &self.milestones {
            if &milestone.id == id {
                return Some(Item::Milestone(Milestone { tasks: Vec::new(), ..milestone.clone() }));
            }
            for task in &milestone.tasks {
                if &task.id == id {
                    return Some(Item::Task(Task { steps: Vec::new(), ..task.clone() }));
                }
                if let Some(step) = task.steps.iter().find(|step| &step.id == id) {
                    return Some(Item::Step(step.clone()));
                }
            }
        }
        None
    }

    /// The version of a task (its steps included) or a step: six hexadecimal digits that follow from what its lines say.
    /// Who names it changes the item only as they saw it. `None` for what is not in the plan, and for milestones.
    pub fn version(&self, id: &ItemId) -> Option<String> {
        let task = self.task_of(id)?;
        let steps = task.steps.iter().filter(|step| &task.id == id || &step.id == id);
        let heading = (&task.id == id).then(|| task_line(task));
        let lines: Vec<String> = heading.into_iter().chain(steps.map(step_line)).collect();
        Some(format!("{:06x}", fnv(lines.join("\n").as_bytes()) & 0xff_ffff))
    }
}

/// The hash FNV-1a: short, and the same in every process and version.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const PLAN: &str =
        "## M1: a\n### T1.1: b\n- [ ] S1.1.1: c\n- [ ] S1.1.2: d\n### T1.10: e\n- [ ] S1.10.1: f\n";

    #[test]
    fn a_version_changes_with_its_item_and_with_no_other() {
        let before = parse(PLAN).unwrap();
        let mut after = before.clone();
        let id = |text: &str| ItemId::parse(text).unwrap();
        after.task_mut(&id("T1.1")).unwrap().steps[0].mark = Mark::Active;
        for (item, differs) in [
            ("S1.1.1", true),
            ("T1.1", true),
            ("S1.1.2", false),
            ("T1.10", false),
            ("S1.10.1", false),
        ] {
            let versions = (before.version(&id(item)), after.version(&id(item)));
            assert!(versions.0.is_some());
            assert_eq!(versions.0 != versions.1, differs, "{item}");
        }
        assert_eq!(before.version(&id("T1.2")), None);
    }
}
