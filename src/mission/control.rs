//! The control tools: calls that a mission answers itself, because they are its own decisions.
//!
//! Every other tool is the runtime's. Which role may use which control tool is said here, once.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::conversation::{Role, ToolCall};
use super::event::NewFinding;

/// The tool that proposes a change-set. The runtime's gate answers it, but only a Worker may call it.
pub const PROPOSE: &str = "propose";

/// The tool that runs a command in the session's worktree. The runtime answers it; it changes what the calls after it find.
pub const RUN: &str = "run";

/// The tool that ends a Worker's session with its task done.
pub const DONE: &str = "done";

/// The tool that notes something for later sessions. It ends nothing, and the mission answers it.
pub const NOTE: &str = "note";

/// The tool by which a Worker says where its steps stand.
pub const UPDATE_TODO: &str = "update_todo";

/// The tool that asks the person.
pub const ASK: &str = "ask";

/// The most findings that one call hands in.
const MOST: usize = 100;

/// A control call with its arguments read.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    /// The Commander's decision.
    Triage(Triage),
    /// The Planner's plan.
    Plan(PlanText),
    /// The Worker has finished.
    Done(Done),
    /// The Worker cannot.
    GiveUp(GiveUp),
    /// The Reviewer's judgement.
    Verdict(Verdict),
    /// A Worker says where an item stands.
    UpdateTodo(UpdateTodo),
    /// An agent asks the person.
    Ask(AskUser),
}

/// `triage`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Triage {
    /// What is to be done with the goal.
    pub decision: Decision,
    /// What the next role should know.
    #[serde(default)]
    pub brief: String,
    /// For `decline`: why, and what a person can do.
    #[serde(default)]
    pub needs: String,
}

/// The Commander's choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It wants a plan.
    Plan,
    /// It is one small task.
    Direct,
    /// It cannot be served.
    Decline,
}

/// `plan`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PlanText {
    /// The text of `todo.md`.
    pub todo: String,
}

/// `done`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Done {
    /// What was done, and how it was checked.
    pub summary: String,
    /// Places that a person should look at.
    #[serde(default)]
    pub notes: Vec<NewFinding>,
}

/// `give_up`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GiveUp {
    /// Why it cannot be done.
    pub reason: String,
}

/// `verdict`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Verdict {
    /// Whether it is right.
    pub pass: bool,
    /// What shows it; a pass needs some.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// What is wrong; a fail needs some.
    #[serde(default)]
    pub findings: Vec<NewFinding>,
}

/// `update_todo`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct UpdateTodo {
    /// A step of the Worker's own task, or the task.
    pub item: String,
    /// `active` or `failed`.
    #[serde(default)]
    pub mark: Option<String>,
    /// What is to be known of it.
    #[serde(default)]
    pub note: Option<String>,
    /// The version that it must have.
    #[serde(default)]
    pub version: Option<String>,
}

/// `ask`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AskUser {
    /// What is asked.
    pub question: String,
    /// Answers to choose from.
    #[serde(default)]
    pub choices: Vec<String>,
}

/// The control tools of a role that do not end its session.
pub fn beside(role: Role) -> &'static [&'static str] {
    match role {
        Role::Worker => &[UPDATE_TODO, ASK],
        _ => &[ASK],
    }
}

/// The control tools of a role, the ones that end its session.
pub fn of_role(role: Role) -> &'static [&'static str] {
    match role {
        Role::Commander => &["triage"],
        Role::Planner => &["plan", "give_up"],
        Role::Worker => &[DONE, "give_up"],
        Role::Reviewer => &["verdict"],
    }
}

/// Whether that name is a control tool of any role.
pub fn is_control(name: &str) -> bool {
    Role::ALL.iter().any(|role| is_of(*role, name))
}

/// Whether that name is a control tool of that role.
pub fn is_of(role: Role, name: &str) -> bool {
    of_role(role).contains(&name) || beside(role).contains(&name)
}

/// Reads a control call of `role`.
///
/// # Errors
/// A text for the agent: the tool is another role's, or its arguments do not fit.
pub fn read(role: Role, call: &ToolCall) -> Result<Control, String> {
    if !is_of(role, &call.name) {
        return Err(format!("`{}` is not a tool of the {role}", call.name));
    }
    match call.name.as_str() {
        "triage" => arguments(call).map(Control::Triage),
        "plan" => arguments(call).map(Control::Plan),
        DONE => arguments(call).map(|mut done: Done| {
            done.notes.truncate(MOST);
            Control::Done(done)
        }),
        "give_up" => arguments(call).map(Control::GiveUp),
        UPDATE_TODO => arguments(call).map(Control::UpdateTodo),
        ASK => arguments(call).map(Control::Ask),
        _ => arguments(call).and_then(sound).map(Control::Verdict),
    }
}

fn arguments<T: DeserializeOwned>(call: &ToolCall) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::Object((*call.arguments).clone()))
        .map_err(|error| format!("the arguments of `{}` do not fit: {error}", call.name))
}

/// A verdict must say what it rests on.
fn sound(mut verdict: Verdict) -> Result<Verdict, String> {
    let empty = |texts: &[String]| texts.iter().all(|t| t.trim().is_empty());
    let errors = verdict.findings.iter().any(|f| f.severity == super::event::Gravity::Error);
    match verdict.pass {
        true if empty(&verdict.evidence) => {
            Err("a pass needs evidence: what you read or ran, and what it showed".into())
        }
        true if errors => {
            Err("a pass cannot have a finding of severity error; fail it, or lower the severity"
                .into())
        }
        false if verdict.findings.is_empty() => {
            Err("a fail needs at least one finding: file, line, message, fix".into())
        }
        _ => {
            verdict.findings.truncate(MOST);
            Ok(verdict)
        }
    }
}
