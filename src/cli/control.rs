//! `status`, `pause`, `cancel`, `resume`: what is told to missions that are there already.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::paint::Colour;
use super::watch::{self, Output};
use super::{CliError, accounts, asynchronously, environment};
use crate::journal::is_archived;
use crate::mission::view::MissionView;
use crate::mission::{Command, MissionId};
use crate::runtime::{Handle, Refused, Seen, Settings, Wake, load_views, losses};

/// How long a command may take to be obeyed by the process that owns the workspace.
const OBEYED: Duration = Duration::from_secs(20);

pub(super) fn status(
    root: &Path,
    mission: Option<&str>,
    all: bool,
    out: &Output,
) -> Result<u8, CliError> {
    let views = known(root, mission, if all { Seen::All } else { Seen::Recent })?;
    if out.is_json() {
        out.value(&json!(views));
        return Ok(0);
    }
    if views.is_empty() {
        out.line("no missions in this workspace; `orchestrator task \"…\"` starts one");
    }
    for view in views {
        show(&view, out);
    }
    Ok(0)
}

fn show(view: &MissionView, out: &Output) {
    let (done, all) = view.progress;
    let goal: String =
        view.goal.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect();
    let id = out.paint.paint(Colour::Bold, &view.id.0);
    out.line(&format!("{id}  {}  {done}/{all}  {goal}", view.state));
    if let Some(end) = &view.end {
        out.line(&format!("  {}: {}", view.outcome(), end.detail()));
    }
    for task in view.plan.iter().flat_map(|p| p.tasks()) {
        out.line(&format!("  [{}] {} {}", task.mark().symbol(), task.id, task.title));
    }
    let taken_back = view.undos.iter().filter(|undo| !undo.redone).flat_map(|undo| &undo.receipts);
    let taken_back: Vec<String> = taken_back.map(u64::to_string).collect();
    if !taken_back.is_empty() {
        out.line(&format!("  taken back: change {}", taken_back.join(", ")));
    }
    watch::questions(view).for_each(|line| out.line(&line));
    watch::notes(view).for_each(|note| out.line(&note));
    let usage = &view.spent.usage;
    out.line(&format!(
        "  {} turns, {} tokens in ({} cached), {} out, {:.4} US dollars; {}",
        view.spent.calls,
        usage.input,
        usage.cached,
        usage.output,
        usage.micro_usd as f64 / 1e6,
        view.engine
    ));
    accounts::lines(view).iter().for_each(|line| out.line(line));
}

/// The missions of the workspace, or the one that is named.
pub(super) fn known(
    root: &Path,
    mission: Option<&str>,
    seen: Seen<'_>,
) -> Result<Vec<MissionView>, CliError> {
    let views = load_views(root, mission.map_or(seen, Seen::One)).map_err(environment)?;
    for loss in losses(root).map_err(environment)? {
        let _ = writeln!(std::io::stderr(), "orchestrator: {loss}");
    }
    if let Some(id) = mission.filter(|_| views.is_empty()) {
        return Err(CliError::User(format!(
            "there is no mission {id}; `orchestrator status` lists them"
        )));
    }
    Ok(views)
}

/// The missions that a command is meant for: the one that is named, else all that `wanted` picks.
fn meant(
    root: &Path,
    mission: Option<&str>,
    wanted: impl Fn(&MissionView) -> bool,
) -> Result<Vec<MissionId>, CliError> {
    let views = known(root, mission, Seen::Recent)?;
    if let Some(view) = views.iter().find(|view| mission.is_some() && is_archived(root, &view.id)) {
        return Err(Refused::Archived(view.id.clone()).into());
    }
    let ids: Vec<MissionId> =
        views.iter().filter(|v| mission.is_some() || wanted(v)).map(|v| v.id.clone()).collect();
    if ids.is_empty() {
        return Err(CliError::User("there is no open mission in this workspace".into()));
    }
    Ok(ids)
}

pub(super) fn cancel(root: &Path, mission: Option<&str>, out: &Output) -> Result<u8, CliError> {
    let ids = meant(root, mission, |view| view.end.is_none())?;
    tell(root, &ids, &Command::Cancel, |view| view.end.is_some(), out)
}

pub(super) fn pause(root: &Path, mission: Option<&str>, out: &Output) -> Result<u8, CliError> {
    let ids = meant(root, mission, |view| view.end.is_none())?;
    // It may end before it hears.
    tell(root, &ids, &Command::Pause, |view| view.state == "paused" || view.end.is_some(), out)
}

/// Tells missions a command, lets none of them go on for it, and waits until it is obeyed.
fn tell(
    root: &Path,
    ids: &[MissionId],
    command: &Command,
    obeyed: impl Fn(&MissionView) -> bool,
    out: &Output,
) -> Result<u8, CliError> {
    let settings = Settings { wake: Wake::None, ..Settings::load().map_err(environment)? };
    asynchronously(async {
        let handle = Handle::open(root, settings, None)?;
        seen(&handle, ids).await?;
        for id in ids {
            handle.command(id, command.clone())?;
        }
        let is_obeyed = |h: &Handle| ids.iter().all(|id| h.view(id).is_some_and(|v| obeyed(&v)));
        until(&handle, is_obeyed).await?;
        handle.stop();
        for view in ids.iter().filter_map(|id| handle.view(id)) {
            out.say(&format!("{} {}", view.id, view.state));
        }
        Ok(0)
    })
}

pub(super) fn resume(root: &Path, mission: Option<&str>, out: &Output) -> Result<u8, CliError> {
    let ids = meant(root, mission, |view| view.end.is_none() || view.state == "blocked")?;
    let settings = Settings { wake: Wake::Inherited, ..Settings::load().map_err(environment)? };
    asynchronously(async {
        let handle = Handle::open(root, settings, None)?;
        seen(&handle, &ids).await?;
        let before: Vec<u64> = ids.iter().map(|id| told(&handle, id)).collect();
        for id in &ids {
            handle.command(id, Command::Resume)?;
        }
        // A paused mission that is only taken up by this process says so, and has not obeyed yet.
        let goes_on =
            |h: &Handle, id| h.view(id).is_some_and(|view| view.is_running() || view.end.is_some());
        let obeyed =
            |h: &Handle| ids.iter().zip(&before).all(|(id, n)| told(h, id) > *n && goes_on(h, id));
        until(&handle, obeyed).await?;
        let code = watch::follow(&handle, &ids, out).await;
        handle.stop();
        code
    })
}

fn told(handle: &Handle, id: &MissionId) -> u64 {
    handle.view(id).and_then(|v| v.story.last().map(|line| line.number)).unwrap_or(0)
}

/// Waits until the loop has read the missions.
pub(super) async fn seen(handle: &Handle, ids: &[MissionId]) -> Result<(), CliError> {
    until(handle, |h| ids.iter().all(|id| h.view(id).is_some())).await
}

pub(super) async fn until(
    handle: &Handle,
    holds: impl Fn(&Handle) -> bool,
) -> Result<(), CliError> {
    let mut updates = handle.subscribe();
    let wait = async {
        while !holds(handle) && handle.halted().is_none() {
            // A lagging receiver looks again as well.
            let _ = updates.recv().await;
        }
    };
    tokio::time::timeout(OBEYED, wait).await.map_err(|_| {
        environment("the process that owns this workspace does not answer; what it was told is kept, and is obeyed once, by it or by the next one: end it, and see `orchestrator status`")
    })?;
    match handle.halted() {
        Some(why) => Err(environment(why)),
        None => Ok(()),
    }
}
