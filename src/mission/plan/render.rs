//! A plan as `todo.md`.

use super::{ItemId, Plan, Step};

/// The text of `todo.md`; [`super::parse()`] reads it back to an equal plan.
pub fn render(plan: &Plan) -> String {
    let mut out = format!("# Mission: {}\n", one_line(&plan.goal));
    for milestone in &plan.milestones {
        out += &format!("\n## {}: {}", milestone.id, escape(&milestone.title));
        tag(&mut out, "depends", &ids(&milestone.depends));
        out.push('\n');
        for task in &milestone.tasks {
            out += &format!("\n### {}: {}", task.id, escape(&task.title));
            tag(&mut out, "agent", &escape(task.agent.as_deref().unwrap_or("Worker")));
            tag(&mut out, "depends", &ids(&task.depends));
            out.push('\n');
            for step in &task.steps {
                render_step(&mut out, step);
            }
        }
    }
    out
}

fn render_step(out: &mut String, step: &Step) {
    *out += &format!("- [{}] {}: {}", step.mark.symbol(), step.id, escape(&step.title));
    if let Some(size) = step.size {
        tag(out, "size", &format!("{size:?}"));
    }
    tag(out, "file", &escape(&step.files.join(", ")));
    tag(out, "issue", &escape(step.issue.as_deref().unwrap_or_default()));
    if let Some(evidence) = &step.evidence {
        *out += " | verified";
        tag(out, "evidence", &escape(evidence));
    }
    out.push('\n');
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

pub(in crate::mission) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
