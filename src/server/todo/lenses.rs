//! Lenses above the mission and the tasks of `todo.md`: how far it is, what it cost, and who is at it.

use serde_json::json;
use tower_lsp::lsp_types::{CodeLens, Command};

use super::hover::{activity, at_work, cost};
use super::outline::{Item, Kind, outline, progress};
use crate::mission::plan::ItemId;
use crate::mission::view::MissionView;
use crate::server::text::{Encoding, Lines};

/// The lenses of `text`: how far the mission is and what it cost, who is at a task, and `run` for every other one with an
/// open step.
pub fn lenses(text: &str, encoding: Encoding, view: Option<&MissionView>) -> Vec<CodeLens> {
    let items = outline(text);
    let lines = Lines::new(text, encoding);
    let lens = |item: &Item, command: Command| CodeLens {
        range: lines.range(item.bytes.start, item.bytes.end),
        command: Some(command),
        data: None,
    };
    let mut lenses = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match item.kind {
            Kind::Mission => {
                let (done, total) = progress(&items);
                let of = view.map_or(String::new(), |view| {
                    format!(" · {} · {}", view.outcome(), cost(&view.account))
                });
                let title = format!("{done} of {total} done{of}");
                lenses.push(lens(item, command(title, "orchestrator.status", vec![])));
            }
            Kind::Task => {
                let who = who(view, &item.id);
                let who = who.map(|title| command(title, "orchestrator.agents", vec![]));
                let run = || {
                    let arguments = vec![json!({ "item": item.id })];
                    command(format!("▶ Run {}", item.id), "orchestrator.todo.run", arguments)
                };
                let offered = who.or_else(|| has_open_step(&items, at).then(run));
                lenses.extend(offered.map(|command| lens(item, command)));
            }
            _ => {}
        }
    }
    lenses
}

/// Who is at the task, and what with.
fn who(view: Option<&MissionView>, task: &str) -> Option<String> {
    at_work(view?, &ItemId::parse(task)?).next().map(activity)
}

fn has_open_step(items: &[Item], task: usize) -> bool {
    let mut steps = items.iter().filter(|item| item.parent == Some(task));
    steps.any(|step| step.mark != Some('x'))
}

fn command(title: String, name: &str, arguments: Vec<serde_json::Value>) -> Command {
    Command {
        title,
        command: name.to_owned(),
        arguments: (!arguments.is_empty()).then_some(arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::super::outline::tests::PLAN;
    use super::*;

    #[test]
    fn the_mission_and_open_tasks_have_lenses() {
        let lenses = lenses(PLAN, Encoding::Utf16, None);
        let titles: Vec<_> =
            lenses.iter().map(|lens| lens.command.as_ref().unwrap().title.as_str()).collect();
        assert_eq!(titles, ["1 of 3 done", "▶ Run T1.1", "▶ Run T1.2"]);
        assert_eq!(lenses[1].range.start.line, 3);
    }
}
