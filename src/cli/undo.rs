//! `undo`, `redo`: what a mission did is taken back, and that again.

use std::path::Path;

use serde_json::json;

use super::control::{known, seen, told, until};
use super::watch::Output;
use super::{CliError, asynchronously};
use crate::mission::view::MissionView;
use crate::mission::{Command, Line, LineKind, MissionId};
use crate::runtime::{Handle, Seen, Settings, Wake, lines_after};

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
    tell(root, &view.id, Command::Undo { receipt, merge: args.merge }, again.trim_end(), out)
}

pub(super) fn redo(root: &Path, args: &Redo, out: &Output) -> Result<u8, CliError> {
    let undone = |view: &MissionView| view.undos.iter().any(|undo| !undo.redone);
    let view = meant(root, args.mission.as_deref(), undone)?;
    let again = format!("redo {}", view.id);
    tell(root, &view.id, Command::Redo { merge: args.merge }, &again, out)
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
    command: Command,
    again: &str,
    out: &Output,
) -> Result<u8, CliError> {
    let settings = Settings { wake: Wake::None, ..Settings::load().map_err(super::environment)? };
    let (lines, view) = asynchronously(async {
        let handle = Handle::open(root, settings, None)?;
        seen(&handle, std::slice::from_ref(id)).await?;
        let before = told(&handle, id);
        handle.command(id, command)?;
        let answered = |h: &Handle| h.view(id).is_some_and(|v| !answers(&v, before).is_empty());
        until(&handle, answered).await?;
        let view = handle.view(id);
        handle.stop();
        let view = view.ok_or_else(|| CliError::User(format!("there is no mission {id}")))?;
        Ok((answers(&view, before), view))
    })?;
    Ok(show(&lines, &view, again, out))
}

/// What the mission's story says of it. Other things may happen at the same time.
fn answers(view: &MissionView, before: u64) -> Vec<Line> {
    let speaks = |line: &&Line| {
        line.text.contains("taken back")
            || line.text.contains("is there again")
            || line.text.contains("to take back")
    };
    lines_after(view, before).filter(speaks).cloned().collect()
}

fn show(lines: &[Line], view: &MissionView, again: &str, out: &Output) -> u8 {
    let is_done = lines.iter().all(|line| line.kind == LineKind::Step);
    let offer = view.offer.as_ref().filter(|_| !is_done);
    if out.is_json() {
        let said: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        out.value(&json!({ "mission": view.id, "done": is_done, "said": said, "offer": offer }));
    }
    lines.iter().for_each(|line| out.say(&line.text));
    if let Some(offer) = offer {
        out.say(&offer.diff);
        out.say(&format!("that is what a merge would do; `orchestrator {again} --merge` does it"));
    }
    if is_done { 0 } else { 11 }
}
