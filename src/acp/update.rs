//! The updates of a session, as values: <https://agentclientprotocol.com/protocol/v1/schema#session-update>.

use std::path::Path;

use serde_json::{Value, json};

use crate::mission::plan::{Mark, Plan, Step, Task};

/// With more steps than this a plan is shown by its tasks.
const MANY_STEPS: usize = 50;

/// The slash commands: name, what it does, and a hint where it takes words.
pub const COMMANDS: [(&str, &str, Option<&str>); 9] = [
    ("task", "Plan, carry out, prove and seal a goal", Some("the goal")),
    ("plan", "Make the plan for a goal, and stop there", Some("the goal")),
    ("status", "Show the missions of this workspace", None),
    ("report", "Tell what the mission did, found and cost", None),
    ("pause", "Let the mission begin nothing new", None),
    ("resume", "Go on: after a pause, with a plan, or when what blocked it is mended", None),
    ("cancel", "Stop the mission for good; what was accepted stays", None),
    (
        "undo",
        "Take the newest change back, byte for byte",
        Some("a receipt's number, or all; merge keeps what you edited since"),
    ),
    ("redo", "Take the newest undo back", Some("merge keeps what you edited since")),
];

/// The commands of a session.
pub fn commands() -> Value {
    let command = |(name, description, hint): &(&str, &str, Option<&str>)| {
        let mut command = json!({ "name": name, "description": description });
        if let Some(hint) = hint {
            command["input"] = json!({ "hint": hint });
        }
        command
    };
    let commands: Vec<Value> = COMMANDS.iter().map(command).collect();
    json!({ "sessionUpdate": "available_commands_update", "availableCommands": commands })
}

/// Words of ours, as a paragraph of their own.
pub fn message(text: &str) -> Value {
    let text = format!("{}\n\n", text.trim_end());
    json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": text } })
}

/// Words of the person, shown again.
pub fn user_message(text: &str) -> Value {
    json!({ "sessionUpdate": "user_message_chunk", "content": { "type": "text", "text": text } })
}

/// The plan, whole: its steps, or its tasks when there are many.
pub fn plan(plan: &Plan) -> Value {
    let steps = plan.tasks().map(|task| task.steps.len()).sum::<usize>();
    let of_task = |task: &Task| {
        let step = |step: &Step| entry(plan, task, &step.title, step.mark);
        match steps > MANY_STEPS {
            true => vec![entry(plan, task, &format!("{} {}", task.id, task.title), task.mark())],
            false => task.steps.iter().map(step).collect(),
        }
    };
    let entries: Vec<Value> = plan.tasks().flat_map(of_task).collect();
    json!({ "sessionUpdate": "plan", "entries": entries })
}

/// What others wait for comes first. The protocol has no word for what failed: it is open, and says so.
fn entry(plan: &Plan, task: &Task, title: &str, mark: Mark) -> Value {
    let priority = if plan.waiting_for(&task.id) > 0 { "high" } else { "medium" };
    let (status, failed) = match mark {
        Mark::Pending => ("pending", ""),
        Mark::Active => ("in_progress", ""),
        Mark::Done => ("completed", ""),
        Mark::Failed => ("pending", " (failed)"),
    };
    json!({ "content": format!("{title}{failed}"), "priority": priority, "status": status })
}

/// Where a tool call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It runs.
    InProgress,
    /// It went well.
    Completed,
    /// It did not.
    Failed,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Failed => "failed",
        }
    }
}

/// Something at work, or done already.
pub fn tool_call(id: &str, title: &str, kind: &str, status: Status) -> Value {
    json!({ "sessionUpdate": "tool_call", "toolCallId": id, "title": title, "kind": kind, "status": status.name() })
}

/// It went on.
pub fn tool_update(id: &str, status: Status) -> Value {
    json!({ "sessionUpdate": "tool_call_update", "toolCallId": id, "status": status.name() })
}

/// Adds words to a tool call, or to an update of one.
pub fn with_text(mut call: Value, text: &str) -> Value {
    call["content"] = json!([text_content(text)]);
    call
}

/// Words inside a tool call.
pub fn text_content(text: &str) -> Value {
    json!({ "type": "content", "content": { "type": "text", "text": text } })
}

/// A file before and after. The protocol has no word for a file that is gone: it is empty then.
pub fn diff(path: &Path, before: Option<&str>, after: Option<&str>) -> Value {
    json!({ "type": "diff", "path": path, "oldText": before, "newText": after.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::plan::parse;

    fn entries(text: &str) -> Vec<(String, String, String)> {
        let value = plan(&parse(text).unwrap());
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
        let entries = value["entries"].as_array().unwrap().iter();
        entries.map(|e| (text(e, "content"), text(e, "status"), text(e, "priority"))).collect()
    }

    #[test]
    fn a_plan_is_its_steps_or_many_tasks() {
        let few = "# Mission: g\n\n## M1: A\n### T1.1: One\n- [x] S1.1.1: a | verified | evidence:receipt 1\n- [-] S1.1.2: b\n### T1.2: Two | depends:T1.1\n- [/] S1.2.1: c\n";
        let shown = entries(few);
        let want = [
            ("a", "completed", "high"),
            ("b (failed)", "pending", "high"),
            ("c", "in_progress", "medium"),
        ];
        let want = want.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(shown, want);
        let steps: String = (1..=MANY_STEPS + 1).map(|n| format!("- [ ] S1.1.{n}: x\n")).collect();
        let many = entries(&format!("# Mission: g\n\n## M1: A\n### T1.1: One\n{steps}"));
        assert_eq!(many, [("T1.1 One".to_owned(), "pending".to_owned(), "medium".to_owned())]);
    }
}
