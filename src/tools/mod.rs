//! What a role may call, with schemas, and what the calls of the workspace do.
//!
//! The one place where a role's call is checked against its rights and its arguments. A tool is a file here and a line in
//! [`TOOLS`]. Control calls (`plan`, `done`, …) are the mission's own and only have their schemas here; `propose` is
//! the gate's.

mod changes;
mod control;
mod files;
mod schema;

use std::sync::{Arc, Mutex};

use crate::gate::Gate;
use crate::journal::Journal;
use crate::mission::MissionId;
use crate::mission::conversation::{Role, ToolCall};
use crate::mission::plan::ItemId;
use crate::workspace::{OpenTexts, RelPath};

use self::schema::Tool;
use crate::model::ToolSpec;

/// Every tool, in the order in which it is offered.
const TOOLS: &[Tool] = &[
    files::LIST,
    files::READ,
    files::SEARCH,
    files::DIAGNOSTICS,
    changes::CHANGES,
    control::PROPOSE,
    control::TRIAGE,
    control::PLAN,
    control::DONE,
    control::GIVE_UP,
    control::VERDICT,
    control::UPDATE_TODO,
    control::ASK,
];

fn of_role(role: Role) -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(move |tool| tool.roles.contains(&role))
}

/// Whether a role may call a tool.
fn allows(role: Role, tool: &str) -> bool {
    of_role(role).any(|known| known.name == tool)
}

/// The tools of a role with their schemas, always in the same order.
pub fn specs(role: Role) -> Vec<ToolSpec> {
    of_role(role).map(Tool::spec).collect()
}

/// Whether a call whose process died before it answered may be made again. What is not known is not such a tool.
pub fn may_be_repeated(tool: &str) -> bool {
    TOOLS.iter().any(|known| known.name == tool && known.repeatable)
}

/// The most bytes that one result hands back.
pub const MAX_RESULT: usize = 32 * 1024;

/// The tools of one workspace.
pub struct Toolbox {
    gate: Arc<Gate>,
    journal: Arc<Mutex<Journal>>,
}

/// Who calls, and for what.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The mission.
    pub mission: MissionId,
    /// The role.
    pub role: Role,
    /// The task, where the session serves one.
    pub item: Option<ItemId>,
    /// How many change-sets of the mission were applied; a receipt beyond those is not in the tree.
    pub applied: usize,
    /// Unsaved texts of the editor.
    pub open: OpenTexts,
}

/// A result for the agent: a text, or an error that says how the call would be right.
pub type ToolResult = Result<String, String>;

impl Toolbox {
    /// The tools over that workspace.
    pub fn new(gate: Arc<Gate>, journal: Arc<Mutex<Journal>>) -> Toolbox {
        Toolbox { gate, journal }
    }

    /// Answers a workspace call. The result is bounded, and an error never ends more than the call.
    /// What reads the disk does so off the async threads.
    pub async fn call(&self, caller: Caller, call: ToolCall) -> ToolResult {
        if !allows(caller.role, &call.name) {
            let names = of_role(caller.role).map(|tool| tool.name).collect::<Vec<_>>().join(", ");
            return Err(format!("the {} has no tool `{}`; it has {names}", caller.role, call.name));
        }
        let result = match call.name.as_str() {
            "diagnostics" => self.diagnostics(&caller, &arguments(&call)?).await,
            _ => {
                let (gate, journal) = (self.gate.clone(), self.journal.clone());
                tokio::task::spawn_blocking(move || look(&gate, &journal, &caller, &call))
                    .await
                    .unwrap_or_else(|error| Err(format!("internal error: {error}")))
            }
        };
        result.map(bounded)
    }

    async fn diagnostics(&self, caller: &Caller, wanted: &files::ListArgs) -> ToolResult {
        let path = wanted.path.as_deref().map(path).transpose()?;
        let found = self.gate.diagnose(&caller.open).await.map_err(|e| e.to_string())?;
        let inside = |p: &RelPath| path.as_ref().is_none_or(|wanted| p == wanted);
        let lines = found.diagnostics.iter().filter(|d| inside(&d.path)).map(|d| {
            let code = d.code.as_ref().map_or(String::new(), |code| format!(" [{code}]"));
            let severity = format!("{:?}", d.severity).to_lowercase();
            format!("{}:{}: {severity}{code} {}", d.path, d.range.start.line + 1, d.message)
        });
        let mut lines: Vec<String> = lines.collect();
        lines.extend(found.unverified.iter().map(|why| format!("not checked: {why}")));
        Ok(if lines.is_empty() { "no errors, no warnings".to_owned() } else { lines.join("\n") })
    }
}

fn look(gate: &Gate, journal: &Mutex<Journal>, caller: &Caller, call: &ToolCall) -> ToolResult {
    match call.name.as_str() {
        "read" => files::read(gate, caller, &arguments(call)?),
        "list" => files::list(gate, &arguments(call)?),
        "search" => files::search(gate, caller, &arguments(call)?),
        "changes" => changes::changes(journal, caller, &arguments(call)?),
        other => Err(format!("`{other}` is not a tool of the workspace")),
    }
}

fn arguments<T: serde::de::DeserializeOwned>(call: &ToolCall) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::Object((*call.arguments).clone()))
        .map_err(|error| format!("the arguments of `{}` do not fit: {error}", call.name))
}

fn path(text: &str) -> Result<RelPath, String> {
    RelPath::new(text).map_err(|error| error.to_string())
}

/// Cuts at a line, and says so.
fn bounded(mut text: String) -> String {
    if text.len() > MAX_RESULT {
        let mut cut = MAX_RESULT;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let cut = text[..cut].rfind('\n').unwrap_or(cut);
        let left = text.len() - cut;
        text.truncate(cut);
        text += &format!("\n[{left} more bytes; ask for less at a time]");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::control as decisions;

    #[test]
    fn only_a_worker_proposes_and_nobody_has_anothers_decision() {
        for role in Role::ALL {
            assert_eq!(allows(role, decisions::PROPOSE), role == Role::Worker);
            for tool in TOOLS.iter().filter(|tool| decisions::is_control(tool.name)) {
                let own = decisions::is_of(role, tool.name);
                assert_eq!(allows(role, tool.name), own, "{role} {}", tool.name);
            }
        }
    }

    /// What a Worker can say beside its work costs it little.
    #[test]
    fn the_calls_beside_the_work_are_small() {
        let added = specs(Role::Worker)
            .into_iter()
            .filter(|spec| [decisions::UPDATE_TODO, decisions::ASK].contains(&spec.name.as_str()));
        let bytes: usize = added.map(|spec| serde_json::to_string(&spec).unwrap().len()).sum();
        // The format of a provider adds an envelope of some 38 bytes to each.
        assert!(bytes > 200 && bytes + 2 * 38 <= 500, "{bytes}");
    }

    #[test]
    fn what_decides_or_changes_is_never_done_twice() {
        for tool in TOOLS {
            let decides = decisions::is_control(tool.name) || tool.name == decisions::PROPOSE;
            assert!(!(decides && tool.repeatable), "{}", tool.name);
        }
        assert!(!may_be_repeated("unheard_of"));
    }
}
