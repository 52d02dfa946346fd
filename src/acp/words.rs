//! What is told in words: lines of a story, how a mission stands, what it came to. Short Markdown.

use crate::mission::conversation::Role;
use crate::mission::plan::ItemId;
use crate::mission::view::MissionView;
use crate::mission::{End, Line, LineKind};

/// Who acts, and on what: `Worker T1.2`.
pub fn who(role: Role, item: Option<&ItemId>) -> String {
    let mut name = role.name().to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    item.map_or(name.clone(), |item| format!("{name} {item}"))
}

/// A line of the story.
pub fn line(line: &Line) -> String {
    let warning = if line.kind == LineKind::Warning { "⚠ " } else { "" };
    let who = match (line.role, &line.item) {
        (Some(role), item) => format!("**{}** ", who(role, item.as_ref())),
        (None, Some(item)) => format!("**{item}** "),
        (None, None) => String::new(),
    };
    format!("{warning}{who}{}", line.text)
}

/// Why a turn is over: the mission has ended, or waits for a person.
pub fn ending(view: &MissionView) -> String {
    let (done, all) = view.progress;
    let standing = view.receipts.iter().filter(|receipt| !receipt.undone).count();
    match &view.end {
        Some(End::Sealed { hash }) => {
            let seal = hash.get(..12).unwrap_or(hash);
            let but = view.sealed_but().map_or(String::new(), |but| format!(", {but}"));
            let undo = if standing > 0 { " `/undo` takes the newest change back." } else { "" };
            format!(
                "**Sealed** `{seal}`{but}: {done} of {all} steps, {standing} change-sets.{undo}"
            )
        }
        Some(End::Blocked { needs }) if !view.questions.is_empty() => {
            format!("**Blocked**: it needs {needs}.\n\n{}", asks(view))
        }
        Some(End::Blocked { needs }) => {
            format!("**Blocked**: it needs {needs}.\n\nMend it, and say `/resume`.")
        }
        Some(End::Exhausted { limit }) => {
            format!("**Out of fuel**: {limit}. {done} of {all} steps; what was accepted stays.")
        }
        Some(End::Cancelled) => {
            "**Cancelled**. What was accepted stays; `/undo all` takes it back.".to_owned()
        }
        Some(End::Failed { reason }) => format!("**Failed**: {reason}"),
        None if view.state == "planned" => {
            "**The plan is ready**; nothing was changed. `/resume` carries it out.".to_owned()
        }
        None if view.state == "paused" => "**Paused**. `/resume` goes on.".to_owned(),
        None if !view.questions.is_empty() => asks(view),
        None => format!("The mission is {}.", view.state),
    }
}

/// What an agent asks, and how it is answered.
fn asks(view: &MissionView) -> String {
    let question = view.questions.first();
    let text = question
        .map_or(String::new(), |q| format!("**{}** asks: {q}\n\n", who(q.role, q.item.as_ref())));
    format!("{text}Your next message is the answer; `/task …` begins something else.")
}

/// The missions, a line each, and the plan of the one that is meant.
pub fn status<'a>(
    views: impl Iterator<Item = &'a MissionView>,
    meant: Option<&MissionView>,
) -> String {
    let line = |view: &MissionView| {
        let (done, all) = view.progress;
        let here = if meant.is_some_and(|meant| meant.id == view.id) { "**" } else { "" };
        let goal = super::prompt::title(&view.goal);
        format!("- {here}{}{here}, {done}/{all}: {goal} (`{}`)", view.outcome(), view.id)
    };
    let mut lines: Vec<String> = views.map(line).collect();
    if lines.is_empty() {
        return "There are no missions in this workspace; say what is to be reached.".to_owned();
    }
    for session in meant.iter().flat_map(|view| &view.sessions) {
        lines.push(format!("- {}: {}", who(session.role, session.item.as_ref()), session.activity));
    }
    for question in meant.iter().flat_map(|view| &view.questions) {
        lines.push(format!("- ⚠ question {}: {question}", question.number));
    }
    lines.join("\n")
}
