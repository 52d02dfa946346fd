//! The commands of `workspace/executeCommand`: their names, and their arguments read into values.
//!
//! Each command takes one object, or its fields in order: `[{"goal": "…"}]` and `["…"]` are the same.

use serde_json::{Map, Value};

use crate::mission::plan::{ItemId, Mark};
use crate::mission::{Command, MissionId, Mode};

/// Every command, as announced to the client.
pub const COMMANDS: [&str; 25] = [
    "orchestrator.task",
    "orchestrator.plan",
    "orchestrator.pause",
    "orchestrator.resume",
    "orchestrator.cancel",
    "orchestrator.status",
    "orchestrator.agents",
    "orchestrator.report",
    "orchestrator.todo.run",
    "orchestrator.todo.set",
    "orchestrator.todo.settle",
    "orchestrator.answer",
    "orchestrator.finding.fix",
    "orchestrator.finding.dismiss",
    "orchestrator.change.show",
    "orchestrator.todo.skip",
    "orchestrator.todo.split",
    "orchestrator.change.text",
    "orchestrator.change.open",
    "orchestrator.change.keep",
    "orchestrator.change.undo",
    "orchestrator.change.redo",
    "orchestrator.trust",
    "orchestrator.extension.trust",
    "orchestrator.doctor",
];

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Begin a mission.
    Start {
        /// Its goal; not empty.
        goal: String,
        /// How far it goes by itself.
        mode: Mode,
    },
    /// Tell a mission something.
    Tell {
        /// Which; `None` for the one that is meant when there is one.
        mission: Option<MissionId>,
        /// What.
        command: Command,
    },
    /// All missions.
    Status,
    /// All open sessions.
    Agents,
    /// A mission, told as Markdown.
    Report {
        /// Which.
        mission: Option<MissionId>,
    },
    /// A file before and after a change-set.
    Text {
        /// Which mission's.
        mission: Option<MissionId>,
        /// The receipt's number.
        receipt: u64,
        /// The file, relative to the workspace.
        file: String,
    },
    /// Show a change-set as a diff.
    Open {
        /// Which mission's.
        mission: Option<MissionId>,
        /// The receipt's number.
        receipt: u64,
    },
    /// Show the change that waits with a question.
    Waiting {
        /// Which mission's.
        mission: Option<MissionId>,
        /// The question's number.
        question: u32,
    },
    /// Rid the editor of the lenses of a change-set.
    Keep {
        /// Which mission's.
        mission: Option<MissionId>,
        /// The receipt's number; `None` for all.
        receipt: Option<u64>,
    },
    /// Accepted change-sets.
    Change {
        /// Which mission's.
        mission: Option<MissionId>,
        /// One of them, by its receipt's number.
        receipt: Option<u64>,
    },
    /// Take a change-set back.
    Undo {
        /// Which mission's.
        mission: Option<MissionId>,
        /// Which, by its receipt's number; `None` for the newest.
        receipt: Option<u64>,
        /// All that the mission did.
        all: bool,
        /// Whether what a person edited since may be merged.
        merge: bool,
    },
    /// The person trusts the workspace.
    Trust,
    /// A file of the workspace may take effect as it is.
    TrustFile {
        /// The file, relative to the workspace.
        path: String,
        /// The hash of the bytes that the person has seen.
        hash: String,
    },
    /// What is installed, and what is missing.
    Doctor,
}

/// Why a command cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAsk {
    /// Nobody knows it.
    #[error("there is no command `{0}`")]
    Unknown(String),
    /// An argument is missing or odd.
    #[error("`{command}` {why}")]
    Argument {
        /// The command.
        command: String,
        /// What is wrong, and what it should be.
        why: String,
    },
}

/// Reads a command.
///
/// # Errors
/// When it is unknown, or an argument is missing or of the wrong kind.
pub fn read(command: &str, arguments: Vec<Value>) -> Result<Ask, BadAsk> {
    let unknown = || BadAsk::Unknown(command.to_owned());
    let name = command.strip_prefix("orchestrator.").ok_or_else(unknown)?;
    let fields = |names: &[&str]| Fields::new(command, names, arguments);
    match name {
        "task" => start(&fields(&["goal"]), Mode::Task),
        "plan" => start(&fields(&["goal"]), Mode::Plan),
        "pause" => fields(&["mission"]).tell(Command::Pause),
        "resume" => fields(&["mission"]).tell(Command::Resume),
        "cancel" => fields(&["mission"]).tell(Command::Cancel),
        "status" => Ok(Ask::Status),
        "agents" => Ok(Ask::Agents),
        "change.undo" => {
            let fields = fields(&["receipt"]);
            let (mission, receipt) = (fields.mission(), fields.number("receipt"));
            Ok(Ask::Undo { mission, receipt, all: fields.flag("all"), merge: fields.flag("merge") })
        }
        "change.redo" => {
            let fields = fields(&[]);
            fields.tell(Command::Redo { merge: fields.flag("merge"), ask: None })
        }
        "trust" => Ok(Ask::Trust),
        "extension.trust" => {
            let fields = fields(&["path", "hash"]);
            let path =
                fields.text("path").ok_or_else(|| fields.bad("needs the `path` of a file"))?;
            let hash = fields.text("hash").ok_or_else(|| fields.bad("needs a `hash`"))?;
            Ok(Ask::TrustFile { path, hash })
        }
        "doctor" => Ok(Ask::Doctor),
        "todo.run" => {
            let fields = fields(&["item"]);
            fields.tell(Command::RunItem { item: fields.item()? })
        }
        "todo.set" => {
            let fields = fields(&["item", "mark", "evidence", "version"]);
            let (item, mark) = (fields.item()?, fields.mark()?);
            let (evidence, version) = (fields.text("evidence"), fields.text("version"));
            let ask = fields.text("ask");
            fields.tell(Command::SetItem { item, mark, evidence, version, ask })
        }
        "todo.skip" => {
            let fields = fields(&["item"]);
            fields.tell(Command::SkipItem { item: fields.any_item()? })
        }
        "todo.split" => {
            let fields = fields(&["item"]);
            fields.tell(Command::SplitItem { item: fields.item()? })
        }
        "todo.settle" => {
            let fields = fields(&["item", "take"]);
            let side = fields.values.get("take").cloned().unwrap_or_default();
            let take = serde_json::from_value(side)
                .map_err(|_| fields.bad("needs what to `take`: text or plan"))?;
            fields.tell(Command::SettleItem { item: fields.any_item()?, take })
        }
        "answer" => {
            let fields = fields(&["text", "question"]);
            let text = fields.text("text").ok_or_else(|| fields.bad("needs a `text`"))?;
            let question = fields.number("question").and_then(|n| u32::try_from(n).ok());
            fields.tell(Command::Answer { question, text, ask: fields.text("ask") })
        }
        "finding.fix" => {
            let fields = fields(&["finding", "test"]);
            let (finding, test) = (fields.finding()?, fields.flag("test"));
            fields.tell(Command::FixFinding { finding, test })
        }
        "finding.dismiss" => {
            let fields = fields(&["finding", "reason"]);
            let reason = fields.text("reason").unwrap_or_else(|| "dismissed in the editor".into());
            fields.tell(Command::DismissFinding { finding: fields.finding()?, reason })
        }
        "report" => Ok(Ask::Report { mission: fields(&["mission"]).mission() }),
        "change.text" => {
            let fields = fields(&["receipt", "file"]);
            let file = fields.text("file").ok_or_else(|| fields.bad("needs a `file`"))?;
            Ok(Ask::Text { mission: fields.mission(), receipt: fields.receipt()?, file })
        }
        "change.open" => {
            let fields = fields(&["receipt", "question"]);
            match fields.number("question").and_then(|number| u32::try_from(number).ok()) {
                Some(question) => Ok(Ask::Waiting { mission: fields.mission(), question }),
                None => Ok(Ask::Open { mission: fields.mission(), receipt: fields.receipt()? }),
            }
        }
        "change.keep" => {
            let fields = fields(&["receipt"]);
            Ok(Ask::Keep { mission: fields.mission(), receipt: fields.number("receipt") })
        }
        "change.show" => {
            let fields = fields(&["receipt"]);
            Ok(Ask::Change { mission: fields.mission(), receipt: fields.number("receipt") })
        }
        _ => Err(unknown()),
    }
}

fn start(fields: &Fields<'_>, mode: Mode) -> Result<Ask, BadAsk> {
    let goal = fields.text("goal").ok_or_else(|| {
        fields.bad("needs a goal: pass a string, or an object with a string `goal`")
    })?;
    if goal.trim().is_empty() {
        return Err(fields.bad("needs a goal: the given one is empty"));
    }
    Ok(Ask::Start { goal, mode })
}

/// The arguments of a command by their names.
struct Fields<'a> {
    command: &'a str,
    values: Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn new(command: &'a str, names: &[&str], arguments: Vec<Value>) -> Fields<'a> {
        let mut arguments = arguments.into_iter();
        let values = match arguments.next() {
            Some(Value::Object(values)) => values,
            Some(first) => {
                let names = names.iter().map(|name| (*name).to_owned());
                names.zip(std::iter::once(first).chain(arguments)).collect()
            }
            None => Map::new(),
        };
        Fields { command, values }
    }

    fn bad(&self, why: impl Into<String>) -> BadAsk {
        BadAsk::Argument { command: self.command.to_owned(), why: why.into() }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    fn number(&self, name: &str) -> Option<u64> {
        let value = self.values.get(name)?;
        value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
    }

    fn receipt(&self) -> Result<u64, BadAsk> {
        self.number("receipt").ok_or_else(|| self.bad("needs the number of a `receipt`"))
    }

    fn flag(&self, name: &str) -> bool {
        self.values.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn mission(&self) -> Option<MissionId> {
        self.text("mission").map(MissionId)
    }

    fn tell(&self, command: Command) -> Result<Ask, BadAsk> {
        Ok(Ask::Tell { mission: self.mission(), command })
    }

    fn any_item(&self) -> Result<ItemId, BadAsk> {
        let item = self.text("item").and_then(|text| ItemId::parse(&text));
        item.ok_or_else(|| self.bad("needs an `item` such as M1, T1.2 or S1.2.3"))
    }

    fn item(&self) -> Result<ItemId, BadAsk> {
        let item = self.text("item").and_then(|text| ItemId::parse(&text));
        item.ok_or_else(|| self.bad("needs an `item` such as T1.2 or S1.2.3"))
    }

    fn mark(&self) -> Result<Mark, BadAsk> {
        let mark = self.values.get("mark").cloned().unwrap_or_default();
        let named = serde_json::from_value(mark.clone()).ok();
        named
            .or_else(|| mark.as_str().and_then(Mark::from_symbol))
            .ok_or_else(|| self.bad("needs a `mark`: pending, active, done or failed"))
    }

    fn finding(&self) -> Result<u32, BadAsk> {
        let number = self.number("finding").and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| self.bad("needs the number of a `finding`"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(command: &str, arguments: Value) -> Result<Ask, BadAsk> {
        let Value::Array(arguments) = arguments else { panic!() };
        read(command, arguments)
    }

    #[test]
    fn a_goal_comes_as_a_string_or_in_an_object() {
        let goal = "mend \"it\"\nall, ü 😀";
        let wanted = Ask::Start { goal: goal.into(), mode: Mode::Task };
        assert_eq!(ask("orchestrator.task", json!([goal])), Ok(wanted.clone()));
        assert_eq!(ask("orchestrator.task", json!([{ "goal": goal }])), Ok(wanted));
        for missing in [json!([]), json!([null]), json!([7]), json!([{}]), json!([" \n"])] {
            let error = ask("orchestrator.plan", missing).unwrap_err().to_string();
            assert!(error.starts_with("`orchestrator.plan` needs a goal"), "{error}");
        }
    }

    #[test]
    fn every_announced_command_is_known() {
        for command in COMMANDS {
            assert!(!matches!(read(command, vec![]), Err(BadAsk::Unknown(_))), "{command}");
        }
        assert!(matches!(read("orchestrator.rm", vec![]), Err(BadAsk::Unknown(_))));
        assert!(matches!(read("task", vec![]), Err(BadAsk::Unknown(_))));
    }

    #[test]
    fn fields_come_by_name_or_in_order() {
        let item = ItemId::parse("S1.1.1").unwrap();
        let evidence = Some("seen".into());
        let command =
            Command::SetItem { item, mark: Mark::Done, evidence, version: None, ask: None };
        let named = json!([{"mission": "m", "item": "S1.1.1", "mark": "x", "evidence": "seen"}]);
        let mission = Some(MissionId("m".into()));
        let wanted = Ask::Tell { mission, command: command.clone() };
        assert_eq!(ask("orchestrator.todo.set", named), Ok(wanted));
        let wanted = Ask::Tell { mission: None, command };
        let ordered = json!(["S1.1.1", "done", "seen"]);
        assert_eq!(ask("orchestrator.todo.set", ordered), Ok(wanted));
        for odd in [json!([]), json!(["T1"]), json!(["T1.1", "maybe"]), json!([[]])] {
            assert!(ask("orchestrator.todo.set", odd).is_err());
        }
    }
}
