//! Missions are begun, told something and followed, within bounds. Nobody who stops waiting stops a mission.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::tools::{Findings, Follow, Named, Reply, Start, Status, Undo, Update};
use super::workspace::Workspace;
use super::{Refusal, shown};
use crate::mission::plan::{ItemId, Mark};
use crate::mission::view::MissionView;
use crate::mission::{Answer, Command, Line, MissionId, report};
use crate::runtime::{Handle, Refused, lines_after, new_mark};

/// How long a command may take to be obeyed by the process that owns the workspace.
const OBEYED: Duration = Duration::from_secs(20);
/// How long a mission is waited for, in seconds: where nothing is said, and at most.
const WAIT: u32 = 600;
const LONGEST_WAIT: u32 = 3_600;
/// The longest rest between two looks.
const REST: Duration = Duration::from_secs(1);

type Done = Result<Value, Refusal>;

/// Who is told what a mission does while it is waited for.
pub trait Listener: Send + Sync {
    /// A line of its story.
    fn hear(&self, line: &Line) -> impl Future<Output = ()> + Send;
}

fn refused(refused: Refused) -> Refusal {
    match refused {
        Refused::Unknown(_) => Refusal::unknown(refused),
        Refused::Halted(_) => Refusal::environment(refused),
        Refused::Goal(_) => Refusal::arguments(refused),
        other => Refusal::refused(other),
    }
}

/// Begins a mission, and follows it where that is wanted.
///
/// # Errors
/// When it is not begun.
pub async fn start(workspace: &Workspace, start: Start, listener: &impl Listener) -> Done {
    let runtime = workspace.runtime().await?;
    let id = runtime.start(&start.goal, start.mode.into()).map_err(refused)?;
    let view = until(workspace, &id, |view| Some(view.clone())).await?;
    match start.wait {
        true => follow(workspace, &id, start.wait_seconds, listener).await,
        false => Ok(shown::status(&view)),
    }
}

/// How missions stand.
///
/// # Errors
/// When they cannot be read, or the one that is named is not there.
pub async fn status(workspace: &Workspace, asked: Status, listener: &impl Listener) -> Done {
    let Status { mission, wait, wait_seconds } = asked;
    if !wait {
        return Ok(shown::statuses(workspace.views(mission.as_deref()).await?));
    }
    let view = meant(workspace, mission.as_deref(), |view| view.end.is_none()).await?;
    match view.end {
        Some(_) => Ok(shown::status(&view)),
        None => follow(workspace, &view.id, wait_seconds, listener).await,
    }
}

/// Lets a mission begin nothing new.
///
/// # Errors
/// When it does not hear, or does not take it.
pub async fn pause(workspace: &Workspace, named: Named) -> Done {
    let obeyed = |view: &MissionView| view.state == "paused" || view.end.is_some();
    tell(workspace, named, Command::Pause, obeyed).await
}

/// Stops a mission for good.
///
/// # Errors
/// When it does not hear, or has ended in a way that this does not change.
pub async fn cancel(workspace: &Workspace, named: Named) -> Done {
    tell(workspace, named, Command::Cancel, |view| view.end.is_some()).await
}

async fn tell(
    workspace: &Workspace,
    named: Named,
    command: Command,
    obeyed: impl Fn(&MissionView) -> bool,
) -> Done {
    let view = meant(workspace, named.mission.as_deref(), |view| view.end.is_none()).await?;
    say(workspace, &view.id, command).await?;
    let told = |view: &MissionView| obeyed(view).then(|| shown::status(view));
    until(workspace, &view.id, told).await
}

/// Lets a mission go on, and follows it where that is wanted.
///
/// # Errors
/// When it does not hear, or does not go on.
pub async fn resume(workspace: &Workspace, asked: Follow, listener: &impl Listener) -> Done {
    let rests = |view: &MissionView| view.end.is_none() || view.state == "blocked";
    let id = meant(workspace, asked.mission.as_deref(), rests).await?.id;
    // The lines that this process's runtime knows: what is told after them is the answer.
    let before = until(workspace, &id, |view| Some(newest_line(view))).await?;
    say(workspace, &id, Command::Resume).await?;
    let goes_on = |view: &MissionView| {
        let obeyed = newest_line(view) > before && (view.is_running() || view.end.is_some());
        obeyed.then(|| shown::status(view))
    };
    let status = until(workspace, &id, goes_on).await?;
    match asked.wait {
        true => follow(workspace, &id, asked.wait_seconds, listener).await,
        false => Ok(status),
    }
}

/// Answers what an agent asks.
///
/// # Errors
/// When nothing is asked, or the mission does not hear.
pub async fn answer(workspace: &Workspace, reply: Reply) -> Done {
    let asks = |view: &MissionView| !view.questions.is_empty();
    let view = meant(workspace, reply.mission.as_deref(), asks).await?;
    let (question, text) = (reply.question, reply.text);
    ask(workspace, &view.id, |ask| Command::Answer { question, text, ask }).await.map(|(it, _)| it)
}

/// Marks an item of the plan.
///
/// # Errors
/// When what is said cannot be read, or the mission does not hear.
pub async fn update(workspace: &Workspace, asked: Update) -> Done {
    let Update { item, mark, version, evidence, mission } = asked;
    let item = ItemId::parse(&item)
        .ok_or_else(|| Refusal::arguments(format!("`{item}` is no id of an item: T1.2, S1.2.3")))?;
    let named = serde_json::from_value(Value::from(mark.clone())).ok();
    let mark = named.or_else(|| Mark::from_symbol(&mark)).ok_or_else(|| {
        Refusal::arguments(format!("`{mark}` is none of pending, active, done, failed"))
    })?;
    let rests =
        |view: &MissionView| view.plan.is_some() && (view.end.is_none() || view.state == "blocked");
    let view = meant(workspace, mission.as_deref(), rests).await?;
    let marked = item.clone();
    let set = |ask| Command::SetItem { item: marked, mark, evidence, version, ask };
    let (mut done, view) = ask(workspace, &view.id, set).await?;
    done["item"] = Value::from(item.to_string());
    done["version"] = view.plan.as_ref().and_then(|plan| plan.version(&item)).into();
    Ok(done)
}

/// Takes changes back.
///
/// # Errors
/// When there is nothing to take back, or the mission does not hear.
pub async fn undo(workspace: &Workspace, asked: Undo) -> Done {
    let stands = |view: &MissionView| view.receipts.iter().any(|change| !change.undone);
    let view = meant(workspace, asked.mission.as_deref(), stands).await?;
    let newest = view.receipts.iter().rev().find(|change| !change.undone);
    let receipt = asked.receipt.or(newest.map(|change| change.receipt));
    let Some(receipt) = receipt else {
        return Err(Refusal::refused("nothing was accepted that could be taken back"));
    };
    let (receipt, merge) = ((!asked.all).then_some(receipt), asked.merge);
    ask(workspace, &view.id, |ask| Command::Undo { receipt, merge, ask }).await.map(|(it, _)| it)
}

/// The plan of a mission.
///
/// # Errors
/// When there is no mission.
pub async fn plan(workspace: &Workspace, named: Named) -> Done {
    Ok(shown::plan(&shown_first(workspace, named.mission.as_deref()).await?))
}

/// A mission told as Markdown.
///
/// # Errors
/// When there is no mission.
pub async fn told(workspace: &Workspace, mission: Option<&str>) -> Result<String, Refusal> {
    let view = shown_first(workspace, mission).await?;
    Ok(shown::cut(&report::markdown(&view), shown::REPORT))
}

/// What was found in a mission.
///
/// # Errors
/// When there is no mission.
pub async fn findings(workspace: &Workspace, asked: Findings) -> Done {
    let view = shown_first(workspace, asked.mission.as_deref()).await?;
    Ok(shown::findings(&view, asked.closed))
}

/// The mission that is named, else the newest that is open, else the newest.
async fn shown_first(workspace: &Workspace, mission: Option<&str>) -> Result<MissionView, Refusal> {
    meant(workspace, mission, |_| true).await
}

/// The mission that is named, else of those that `wanted` picks the newest, one that is open first.
async fn meant(
    workspace: &Workspace,
    mission: Option<&str>,
    wanted: impl Fn(&MissionView) -> bool,
) -> Result<MissionView, Refusal> {
    let views = workspace.views(mission).await?.into_iter();
    let newest = views
        .filter(|view| mission.is_some() || wanted(view))
        .max_by_key(|view| (view.end.is_none(), view.started_at));
    newest.ok_or_else(|| Refusal::unknown("there is no mission for this in this workspace"))
}

/// Tells the mission something, once this process's runtime knows it.
async fn say(workspace: &Workspace, id: &MissionId, command: Command) -> Result<(), Refusal> {
    let runtime = workspace.runtime().await?;
    // One that is archived is not shown by the runtime: it says so by itself.
    if !crate::journal::is_archived(workspace.root(), id) {
        until(workspace, id, |_| Some(())).await?;
    }
    runtime.command(id, command).map_err(refused)
}

/// Tells the mission something and waits until it is said what became of it.
async fn ask(
    workspace: &Workspace,
    id: &MissionId,
    command: impl FnOnce(Option<String>) -> Command,
) -> Result<(Value, MissionView), Refusal> {
    let mark = new_mark();
    say(workspace, id, command(Some(mark.clone()))).await?;
    until(workspace, id, |view| {
        let is_it = |answer: &&Answer| answer.ask == mark;
        let answer = view.answers.iter().find(is_it)?;
        Some((shown::answer(view, answer), view.clone()))
    })
    .await
}

fn newest_line(view: &MissionView) -> u64 {
    view.story.last().map_or(0, |line| line.number)
}

/// Waits, within a bound, until something can be told of a mission.
async fn until<T>(
    workspace: &Workspace,
    id: &MissionId,
    told: impl Fn(&MissionView) -> Option<T>,
) -> Result<T, Refusal> {
    let runtime = workspace.runtime().await?;
    let mut updates = runtime.subscribe();
    let wait = async {
        loop {
            if let Some(told) = runtime.view(id).and_then(|view| told(&view)) {
                return Ok(told);
            }
            halted(runtime)?;
            // A receiver that lags looks again as well.
            drop(tokio::time::timeout(REST, updates.recv()).await);
        }
    };
    tokio::select! {
        waited = tokio::time::timeout(OBEYED, wait) => waited.unwrap_or_else(|_| Err(Refusal {
            kind: "unheard",
            message: "the process that owns this workspace does not answer; what it was told is kept, and is obeyed once, by it or by the next one: see mission_status".to_owned(),
        })),
        () = workspace.ending.cancelled() => Err(ending()),
    }
}

fn halted(runtime: &Handle) -> Result<(), Refusal> {
    match runtime.halted() {
        Some(why) => Err(Refusal::environment(format!("missions cannot go on: {why}"))),
        None => Ok(()),
    }
}

fn ending() -> Refusal {
    Refusal::environment(
        "this process ends; the mission goes on when its workspace is opened again",
    )
}

/// Follows a mission until it has ended, rests or needs a person, or the time is over.
async fn follow(
    workspace: &Workspace,
    id: &MissionId,
    seconds: Option<u32>,
    listener: &impl Listener,
) -> Done {
    let runtime = workspace.runtime().await?;
    let mut updates = runtime.subscribe();
    let seconds = seconds.unwrap_or(WAIT).min(LONGEST_WAIT);
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let mut seen = 0;
    loop {
        let is_late = Instant::now() >= end;
        if let Some(view) = runtime.view(id) {
            for line in lines_after(&view, seen) {
                seen = line.number;
                listener.hear(line).await;
            }
            if is_late || !view.is_running() || !view.questions.is_empty() {
                let mut status = shown::status(&view);
                status["waited"] = Value::from(!is_late);
                return Ok(status);
            }
        } else if is_late {
            return Err(Refusal::unknown(format!("mission {id} is not shown here any more")));
        }
        halted(runtime)?;
        let rest = REST.min(end.saturating_duration_since(Instant::now()));
        tokio::select! {
            // A time that is over, or a receiver that lags, looks again as well.
            update = tokio::time::timeout(rest, updates.recv()) => drop(update),
            () = workspace.ending.cancelled() => return Err(ending()),
        }
    }
}
