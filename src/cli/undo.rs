//! `undo`, `redo`: what a mission did is taken back, and that again.

use std::path::Path;

use serde_json::json;

use super::control::{known, seen, until};
use super::watch::Output;
use super::{CliError, asynchronously};
use crate::mission::view::MissionView;
use crate::mission::{Answer, Command, MissionId};
use crate::runtime::{Handle, Seen, Settings, Wake, new_mark};

/// What is asked for on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Undo {
    /// The mission (default: the newest that has an accepted change, and of it the newest change).
    mission: Option<String>,
    /// The receipt's number (default: everything that the mission did).
    receipt: Option<u64>,
    /// Where you have edited since: keep that, and take the mission's lines back.
    #[arg(long)]
    merge: bool,
}

/// As for `undo`.
#[derive(Debug, clap::Args)]
pub(super) struct Redo {
    /// The mission (default: the newest of which something was taken back).
    mission: Option<String>,
    /// Where you have edited since: keep that, and bring the mission's lines back.
    #[arg(long)]
    merge: bool,
}

pub(super) fn undo(root: &Path, args: &Undo, out: &Output) -> Result<u8, CliError> {
    let standing = |view: &MissionView| view.receipts.iter().any(|r| !r.undone);
    let view = meant(root, args.mission.as_deref(), standing)?;
    let newest = || view.receipts.iter().rev().find(|r| !r.undone).map(|r| r.receipt);
    let receipt = match args.mission {
        Some(_) => args.receipt,
        None => newest(),
    };
    let again = format!("undo {} {}", view.id, receipt.map_or(String::new(), |n| n.to_string()));
    let ask = new_mark();
    let command = Command::Undo { receipt, merge: args.merge, ask: Some(ask.clone()) };
    tell(root, &view.id, (&ask, command), again.trim_end(), out)
}

pub(super) fn redo(root: &Path, args: &Redo, out: &Output) -> Result<u8, CliError> {
    let undone = |view: &MissionView| view.undos.iter().any(|undo| !undo.redone);
    let view = meant(root, args.mission.as_deref(), undone)?;
    let again = format!("redo {}", view.id);
    let ask = new_mark();
    let command = Command::Redo { merge: args.merge, ask: Some(ask.clone()) };
    tell(root, &view.id, (&ask, command), &again, out)
}

/// The mission that is named, else the newest of those that `wanted` picks.
fn meant(
    root: &Path,
    mission: Option<&str>,
    wanted: impl Fn(&MissionView) -> bool,
) -> Result<MissionView, CliError> {
    let views =
        known(root, mission, Seen::Recent)?.into_iter().filter(|v| mission.is_some() || wanted(v));
    let newest = views.max_by_key(|view| view.started_at);
    newest.ok_or_else(|| CliError::User("there is nothing in this workspace to take back".into()))
}

/// Tells the mission, waits until it is done or refused, and says which.
fn tell(
    root: &Path,
    id: &MissionId,
    (ask, command): (&str, Command),
    again: &str,
    out: &Output,
) -> Result<u8, CliError> {
    let settings = Settings { wake: Wake::None, ..Settings::load().map_err(super::environment)? };
    let (answer, view) = asynchronously(async {
        let handle = Handle::open(root, settings, None)?;
        seen(&handle, std::slice::from_ref(id)).await?;
        handle.command(id, command)?;
        until(&handle, |h| h.view(id).is_some_and(|v| answer(&v, ask).is_some())).await?;
        let view = handle.view(id);
        handle.stop();
        let view = view.ok_or_else(|| CliError::User(format!("there is no mission {id}")))?;
        let answer = answer(&view, ask).cloned();
        Ok((answer, view))
    })?;
    let lost = || CliError::User("no answer was kept; `orchestrator status` shows it".into());
    Ok(show(&answer.ok_or_else(lost)?, &view, again, out))
}

/// What became of what was asked for under that name.
fn answer<'a>(view: &'a MissionView, ask: &str) -> Option<&'a Answer> {
    view.answers.iter().find(|answer| answer.ask == ask)
}

fn show(answer: &Answer, view: &MissionView, again: &str, out: &Output) -> u8 {
    let is_done = answer.is_done;
    let offer = view.offer.as_ref().filter(|_| !is_done);
    if out.is_json() {
        let said = &answer.said;
        out.value(&json!({ "mission": view.id, "done": is_done, "said": said, "offer": offer }));
    }
    answer.said.iter().for_each(|line| out.say(line));
    if let Some(offer) = offer {
        out.say(&offer.diff);
        out.say(&format!("that is what a merge would do; `orchestrator {again} --merge` does it"));
    }
    if is_done { 0 } else { 11 }
}
