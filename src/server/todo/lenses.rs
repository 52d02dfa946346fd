//! Lenses above the mission and the tasks of `todo.md`.

use serde_json::json;
use tower_lsp::lsp_types::{CodeLens, Command};

use super::outline::{Item, Kind, outline, progress};
use crate::server::text::{Encoding, Lines};

/// The lenses of `text`: how far the mission is, and `run` for every task with an open step.
pub fn lenses(text: &str, encoding: Encoding) -> Vec<CodeLens> {
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
                lenses.push(lens(
                    item,
                    command(format!("{done} of {total} done"), "orchestrator.status", vec![]),
                ));
            }
            Kind::Task if has_open_step(&items, at) => {
                let arguments = vec![json!({ "item": item.id })];
                lenses.push(lens(
                    item,
                    command(format!("▶ Run {}", item.id), "orchestrator.todo.run", arguments),
                ));
            }
            _ => {}
        }
    }
    lenses
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
        let lenses = lenses(PLAN, Encoding::Utf16);
        let titles: Vec<_> =
            lenses.iter().map(|lens| lens.command.as_ref().unwrap().title.as_str()).collect();
        assert_eq!(titles, ["1 of 3 done", "▶ Run T1.1", "▶ Run T1.2"]);
        assert_eq!(lenses[1].range.start.line, 3);
    }
}
