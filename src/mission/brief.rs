//! The first words of each session: what it is to do, and what it must know. Instructions of the role are not here.

use super::conversation::Role;
use super::event::NewFinding;
use super::plan::{ItemId, Plan, Step, Task, render};
use super::question::answers;
use super::state::{FindingStatus, Mission};

pub(super) fn commander(m: &Mission) -> String {
    let mode = match m.mode {
        super::event::Mode::Task => "Serve this goal.",
        super::event::Mode::Plan => {
            "Only a plan is wanted for this goal; nothing is to be changed yet."
        }
    };
    let mut text = format!("{mode}\n\n<goal>\n{}\n</goal>", m.goal);
    section(&mut text, "answers", &answers(m, None));
    text
}

pub(super) fn planner(m: &Mission) -> String {
    let Some(plan) = &m.plan else {
        let mut text = format!("Plan this goal.\n\n<goal>\n{}\n</goal>", m.goal);
        section(&mut text, "commander", &m.brief);
        section(&mut text, "answers", &answers(m, None));
        return text;
    };
    let mut text = "The work stands still. Plan anew what is left of this goal, another way; what is done stays done and is not planned again.\n".to_owned();
    section(&mut text, "goal", &m.goal);
    section(&mut text, "old-plan", &render(plan));
    section(&mut text, "left", &remaining(m));
    section(&mut text, "commander", &m.brief);
    text
}

pub(super) fn split(m: &Mission, task: &Task) -> String {
    let why = match m.work.get(&task.id).is_some_and(|work| work.failed > 0) {
        true => "It came to nothing in every attempt.",
        false => "It is too big to be done at once.",
    };
    let mut text = format!(
        "Split task {}: plan it as two or more smaller tasks, each of which can be proved by itself. {why}\n\n{}\n{}",
        task.id,
        task.title,
        steps(task)
    );
    section(&mut text, "goal", &m.goal);
    section(&mut text, "last-attempt", m.work.get(&task.id).map_or("", |w| &w.feedback));
    text
}

pub(super) fn worker(m: &Mission, task: &Task) -> String {
    let mut text = format!("Carry out task {}: {}\n{}", task.id, task.title, steps(task));
    section(&mut text, "goal", &m.goal);
    section(&mut text, "earlier-attempt", m.work.get(&task.id).map_or("", |w| &w.feedback));
    section(&mut text, "answers", &answers(m, Some(&task.id)));
    text
}

pub(super) fn task_review(m: &Mission, task: &Task, summary: &str, tests: &str) -> String {
    let mut text = format!("Judge task {}: {}\n{}", task.id, task.title, steps(task));
    section(&mut text, "goal", &m.goal);
    section(&mut text, "worker", summary);
    section(&mut text, "receipts", &receipts(m, Some(&task.id)));
    section(&mut text, "tests", tests);
    text
}

/// The steps of a task, a line each, with what the plan declares of them.
fn steps(task: &Task) -> String {
    let line = |step: &Step| {
        let files = match step.files.as_slice() {
            [] => String::new(),
            files => format!(" (file: {})", files.join(", ")),
        };
        let issue = step.issue.as_ref().map_or(String::new(), |issue| format!(" (issue: {issue})"));
        let note = step.note.as_ref().map_or(String::new(), |note| format!(" (note: {note})"));
        format!("- {}: {}{files}{issue}{note}\n", step.id, step.title)
    };
    task.steps.iter().map(line).collect()
}

pub(super) fn mission_review(m: &Mission, plan: &Plan) -> String {
    let mut text =
        "Judge the mission as a whole: is the goal reached, and is nothing broken?\n".to_owned();
    section(&mut text, "goal", &m.goal);
    section(&mut text, "plan", &render(plan));
    section(&mut text, "receipts", &receipts(m, None));
    text
}

/// What a role is told when it answered without a call.
pub(super) fn nudge(role: Role, why: &str) -> String {
    let names = super::control::of_role(role).join("` or `");
    format!("{why} Answer by calling a tool; `{names}` ends your part.")
}

/// Findings as a text for the next attempt.
pub(super) fn findings(findings: &[NewFinding]) -> String {
    let lines = findings.iter().map(|f| {
        let place = match (&f.file, f.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            (Some(file), None) => format!("{file}: "),
            _ => String::new(),
        };
        let fix = f.fix.as_ref().map_or(String::new(), |fix| format!(" (fix: {fix})"));
        format!("- {place}{}{fix}", f.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What a session must never lose, beside its goal and task: the plan, where it has more than one task; what was
/// decided; the last request of a person; the findings that are open.
pub(super) fn core(m: &Mission, item: Option<&ItemId>) -> String {
    let mut text = String::new();
    if let Some(plan) = m.plan.as_ref().filter(|plan| plan.tasks().count() > 1) {
        section(&mut text, "plan", &render(plan));
    }
    let dismissed = m.findings.iter().filter_map(|f| match &f.status {
        FindingStatus::Dismissed(why) => {
            Some(format!("- not to be mended: {} ({why})", f.what.message))
        }
        _ => None,
    });
    let accepted = receipts(m, item);
    let accepted = accepted.lines().map(|line| format!("- accepted {line}"));
    let brief = Some(m.brief.trim()).filter(|brief| !brief.is_empty()).map(str::to_owned);
    let decided: Vec<String> = brief.into_iter().chain(dismissed).chain(accepted).collect();
    section(&mut text, "decisions", &decided.join("\n"));
    section(&mut text, "request", &m.request);
    let open = m.findings.iter().filter(|f| f.status == FindingStatus::Open);
    let open = open.filter(|f| f.item.is_none() || f.item.as_ref() == item).map(|f| f.what.clone());
    section(&mut text, "open-findings", &findings(&open.collect::<Vec<_>>()));
    text
}

/// The open obligations, for the person who has to take over.
pub(super) fn remaining(m: &Mission) -> String {
    let failed =
        m.plan.iter().flat_map(Plan::tasks).filter(|t| t.mark() != super::plan::Mark::Done);
    let tasks = failed.map(|t| {
        let why = m.work.get(&t.id).map_or("", |w| w.feedback.trim());
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(" ({})", super::plan::one_line(why))
        };
        format!("{} {}{why}", t.id, t.title)
    });
    let open = m
        .findings
        .iter()
        .filter(|f| f.status == FindingStatus::Open && f.item.is_none() && f.is_obligation());
    let all: Vec<String> = tasks.chain(open.map(|f| f.what.message.clone())).collect();
    all.join("; ")
}

fn receipts(m: &Mission, item: Option<&ItemId>) -> String {
    let of_item = m.receipts.iter().filter(|r| !r.undone && item.is_none_or(|id| &r.item == id));
    let lines = of_item
        .map(|r| format!("#{} {}: {} ({})", r.receipt, r.item, r.files.join(", "), r.summary));
    lines.collect::<Vec<_>>().join("\n")
}

fn section(text: &mut String, name: &str, body: &str) {
    if !body.trim().is_empty() {
        *text += &format!("\n<{name}>\n{}\n</{name}>", body.trim());
    }
}
