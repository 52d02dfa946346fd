//! A plan as `todo.md`.

use super::{ItemId, Milestone, Plan, Step, Task};

/// The text of `todo.md`; [`super::parse()`] reads it back to an equal plan.
pub fn render(plan: &Plan) -> String {
    let mut out = format!("# Mission: {}\n", one_line(&plan.goal));
    for milestone in &plan.milestones {
        out += &format!("\n{}\n", milestone_line(milestone));
        for task in &milestone.tasks {
            out += &format!("\n{}\n", task_line(task));
            for step in &task.steps {
                out += &step_line(step);
                out.push('\n');
            }
        }
    }
    out
}

pub(super) fn milestone_line(milestone: &Milestone) -> String {
    let mut out = format!("## {}: {}", milestone.id, escape(&milestone.title));
    tag(&mut out, "depends", &ids(&milestone.depends));
    out
}

pub(super) fn task_line(task: &Task) -> String {
    let mut out = format!("### {}: {}", task.id, escape(&task.title));
    tag(&mut out, "agent", &escape(task.agent.as_deref().unwrap_or("Worker")));
    tag(&mut out, "depends", &ids(&task.depends));
    out
}

pub(super) fn step_line(step: &Step) -> String {
    let mut out = format!("- [{}] {}: {}", step.mark.symbol(), step.id, escape(&step.title));
    if let Some(size) = step.size {
        tag(&mut out, "size", &format!("{size:?}"));
    }
    tag(&mut out, "file", &escape(&step.files.join(", ")));
    tag(&mut out, "issue", &escape(step.issue.as_deref().unwrap_or_default()));
    tag(&mut out, "note", &escape(step.note.as_deref().unwrap_or_default()));
    if let Some(evidence) = &step.evidence {
        out += " | verified";
        tag(&mut out, "evidence", &escape(evidence));
    }
    out
}

fn tag(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        *out += &format!(" | {name}:{value}");
    }
}

fn ids(ids: &[ItemId]) -> String {
    let texts: Vec<String> = ids.iter().map(ItemId::to_string).collect();
    texts.join(", ")
}

/// Titles stand on one line, and their own bars are escaped.
fn escape(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('|', "\\|")
}

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
