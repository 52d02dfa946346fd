//! `todo`, `answer`: the items of a plan, and an agent's question. Each is told to the process that runs the missions, which
//! says what became of it.

use std::path::Path;

use serde_json::json;

use super::control::{known, seen, until};
use super::watch::Output;
use super::{CliError, asynchronously, environment};
use crate::mission::plan::{ItemId, Mark};
use crate::mission::view::MissionView;
use crate::mission::{Answer, Command, MissionId};
use crate::runtime::{Handle, Seen, Settings, Wake, new_mark};

/// What is done with the plan.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Todo {
    /// Show the items with their versions.
    Show {
        /// The mission (default: the newest that is open).
        #[arg(long)]
        mission: Option<String>,
    },
    /// Mark a task or a step by hand.
    Set {
        /// The item: T1.2, S1.2.3.
        item: String,
        /// pending, active, done or failed.
        mark: String,
        /// Only where the item is still this version.
        #[arg(long)]
        version: Option<String>,
        /// Why, where it is set to done.
        #[arg(long)]
        evidence: Option<String>,
        /// The mission (default: the newest that is open).
        #[arg(long)]
        mission: Option<String>,
    },
}

/// An answer.
#[derive(Debug, clap::Args)]
pub(super) struct Reply {
    /// The mission, where more than one asks, and the answer.
    #[arg(required = true, num_args = 1..=2, value_names = ["MISSION", "TEXT"])]
    words: Vec<String>,
    /// The question's number (default: the oldest).
    #[arg(long)]
    question: Option<u32>,
}

pub(super) fn todo(root: &Path, todo: &Todo, out: &Output) -> Result<u8, CliError> {
    match todo {
        Todo::Show { mission } => show(&open(root, mission.as_deref(), |v| v.plan.is_some())?, out),
        Todo::Set { item, mark, version, evidence, mission } => {
            let item = ItemId::parse(item).ok_or_else(|| {
                CliError::User(format!("`{item}` is no id of an item: T1.2, S1.2.3"))
            })?;
            let named = serde_json::from_value(json!(mark)).ok();
            let mark = named.or_else(|| Mark::from_symbol(mark)).ok_or_else(|| {
                CliError::User(format!("`{mark}` is none of pending, active, done, failed"))
            })?;
            let view = open(root, mission.as_deref(), |v| v.plan.is_some())?;
            let (version, evidence, ask) = (version.clone(), evidence.clone(), new_mark());
            let command = Command::SetItem {
                item: item.clone(),
                mark,
                evidence,
                version,
                ask: Some(ask.clone()),
            };
            let (answer, view) = tell(root, &view.id, &ask, command, Wake::None)?;
            let version = view.plan.as_ref().and_then(|plan| plan.version(&item));
            if out.is_json() {
                out.value(&json!({
                    "mission": view.id, "item": item, "done": answer.is_done, "said": answer.said,
                    "version": version,
                }));
            }
            let version = version.map_or(String::new(), |version| format!(" (version {version})"));
            answer.said.iter().for_each(|line| out.say(&format!("{item} {line}{version}")));
            Ok(if answer.is_done { 0 } else { 12 })
        }
    }
}

pub(super) fn answer(root: &Path, reply: &Reply, out: &Output) -> Result<u8, CliError> {
    let (mission, text) = match reply.words.as_slice() {
        [mission, text] => (Some(mission.as_str()), text),
        [text] => (None, text),
        _ => return Err(CliError::User("the answer is missing".into())),
    };
    let view = open(root, mission, |view| !view.questions.is_empty())?;
    let ask = new_mark();
    let command =
        Command::Answer { question: reply.question, text: text.clone(), ask: Some(ask.clone()) };
    let (answer, view) = tell(root, &view.id, &ask, command, Wake::Inherited)?;
    if out.is_json() {
        out.value(&json!({ "mission": view.id, "done": answer.is_done, "said": answer.said }));
    }
    answer.said.iter().for_each(|line| out.say(line));
    Ok(if answer.is_done { 0 } else { 12 })
}

fn show(view: &MissionView, out: &Output) -> Result<u8, CliError> {
    let plan = view.plan.as_ref().ok_or_else(|| CliError::User("there is no plan yet".into()))?;
    for item in plan.items() {
        let version = plan.version(item.id());
        if out.is_json() {
            out.value(&json!({ "item": item.id(), "version": version, "line": item.line() }));
        }
        out.say(&format!("{}  {}", version.as_deref().unwrap_or("      "), item.line()));
    }
    Ok(0)
}

/// The mission that is named, else the newest open one that `wanted` picks, else the newest that is blocked.
fn open(
    root: &Path,
    mission: Option<&str>,
    wanted: impl Fn(&MissionView) -> bool,
) -> Result<MissionView, CliError> {
    let views = known(root, mission, Seen::Recent)?.into_iter();
    let meant = |view: &MissionView| {
        mission.is_some() || (wanted(view) && (view.end.is_none() || view.state == "blocked"))
    };
    let newest = views.filter(meant).max_by_key(|view| (view.end.is_none(), view.started_at));
    newest
        .ok_or_else(|| CliError::User("there is no open mission for this in this workspace".into()))
}

/// Tells the mission, and waits until it is said what became of it.
fn tell(
    root: &Path,
    id: &MissionId,
    ask: &str,
    command: Command,
    wake: Wake,
) -> Result<(Answer, MissionView), CliError> {
    let settings = Settings { wake, ..Settings::load().map_err(environment)? };
    let answered =
        |view: &MissionView| view.answers.iter().find(|answer| answer.ask == ask).cloned();
    asynchronously(async {
        let handle = Handle::open(root, settings, None)?;
        seen(&handle, std::slice::from_ref(id)).await?;
        handle.command(id, command)?;
        until(&handle, |h| h.view(id).is_some_and(|view| answered(&view).is_some())).await?;
        let view = handle.view(id);
        handle.stop();
        let view = view.ok_or_else(|| CliError::User(format!("there is no mission {id}")))?;
        let lost = || CliError::User("no answer was kept; `orchestrator status` shows it".into());
        Ok((answered(&view).ok_or_else(lost)?, MissionView::clone(&view)))
    })
}
