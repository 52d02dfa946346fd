//! A turn: a prompt is carried out until its mission has ended or waits for a person, and is answered exactly once,
//! whatever becomes of the mission, the client or the runtime.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::prompt::Asked;
use super::question::Questions;
use super::schema::{failed, left, refused};
use super::session::{Session, Turn};
use super::words;
use crate::mission::view::MissionView;
use crate::mission::{Command, End, MissionId, Mode, report};
use crate::runtime::{Handle, Rest, new_mark};
use crate::wire::{Id, ResponseError};

/// How long a command may take to be obeyed by the process that owns the workspace, and a mission to end once it is
/// cancelled.
const OBEYED: Duration = Duration::from_secs(20);
/// The longest rest between two looks at a large mission.
const MAX_REST: Duration = Duration::from_secs(1);
const UNHEARD: &str = "The process that owns this workspace does not answer; what it was told is kept, and is obeyed once, by it or by the next one.";
const NO_MISSION: &str = "There is no mission here; say what is to be reached.";

type Answer = Result<Value, ResponseError>;
type Stop = Result<&'static str, ResponseError>;

const END_TURN: &str = "end_turn";
const CANCELLED: &str = "cancelled";

/// Begins a turn in the moment of the call; the future carries it out.
///
/// # Errors
/// When another prompt is being carried out, and this one is none that can be said beside it.
pub fn begin(
    session: Arc<Session>,
    request: &Id,
    asked: Asked,
) -> Result<BoxFuture<'static, Answer>, ResponseError> {
    let turn = session.take_turn(request);
    if turn.is_none() && !asked.is_aside() {
        let why = "a prompt is being carried out in this session: cancel it, or wait for its end; /status, /report, /pause and /cancel can be said meanwhile";
        return Err(refused(why.to_owned()));
    }
    Ok(async move {
        let stop = carry_out(&session, turn.as_ref(), asked).await?;
        Ok(json!({ "stopReason": stop }))
    }
    .boxed())
}

async fn carry_out(session: &Arc<Session>, turn: Option<&Turn>, asked: Asked) -> Stop {
    match (asked, turn) {
        (Asked::Odd(why), _) => say(session, &why),
        (Asked::Status, _) => say(session, &status(session)),
        (Asked::Report, _) => say(session, &told(session)),
        (Asked::Pause, _) => pause(session, turn.is_none()).await,
        (Asked::Cancel, _) => cancel(session, turn.is_none()).await,
        (Asked::Words(text), Some(turn)) => words(session, turn, text).await,
        (Asked::Start(goal, mode), Some(turn)) => start(session, turn, &goal, mode).await,
        (Asked::Resume, Some(turn)) => resume(session, turn).await,
        (Asked::Undo { receipt, all, merge }, Some(_)) => undo(session, receipt, all, merge).await,
        (Asked::Redo { merge }, Some(_)) => redo(session, merge).await,
        // `begin` lets none of these through.
        (_, None) => Err(refused("a prompt is being carried out in this session".to_owned())),
    }
}

fn say(session: &Session, text: &str) -> Stop {
    session.say(text);
    Ok(END_TURN)
}

fn status(session: &Session) -> String {
    let (views, meant) = (session.workspace.runtime.views(), session.meant());
    words::status(views.iter().map(Arc::as_ref), meant.as_deref())
}

fn told(session: &Session) -> String {
    session.meant().map_or_else(|| NO_MISSION.to_owned(), |view| report::markdown(&view))
}

/// The answer to what an agent asks; else a goal.
async fn words(session: &Arc<Session>, turn: &Turn, text: String) -> Stop {
    let asking = session.newest().filter(|view| !view.questions.is_empty());
    let Some(view) = asking else { return start(session, turn, &text, session.mode()).await };
    let question = view.questions.first().map(|question| question.number);
    let command = Command::Answer { question, text, ask: None };
    tell_and_follow(session, turn, &view, command).await
}

async fn start(session: &Arc<Session>, turn: &Turn, goal: &str, mode: Mode) -> Stop {
    let runtime = &session.workspace.runtime;
    for notice in runtime.notices() {
        session.say(&format!("⚠ {notice}"));
    }
    if let Some(why) = runtime.halted() {
        return Err(halted(&why));
    }
    match session.begin(goal, mode) {
        Ok(mission) => follow(session, turn, &mission, 0).await,
        Err(why) => say(session, &format!("⚠ {why}")),
    }
}

/// Follows the mission that is meant, and lets it go on where it does not.
async fn resume(session: &Arc<Session>, turn: &Turn) -> Stop {
    let Some(view) = session.meant() else { return say(session, NO_MISSION) };
    match view.is_running() {
        true => follow(session, turn, &view.id, 0).await,
        false => tell_and_follow(session, turn, &view, Command::Resume).await,
    }
}

async fn tell_and_follow(
    session: &Arc<Session>,
    turn: &Turn,
    view: &MissionView,
    command: Command,
) -> Stop {
    let told = view.story.last().map_or(0, |line| line.number);
    match session.workspace.runtime.command(&view.id, command) {
        Ok(()) => follow(session, turn, &view.id, told + 1).await,
        Err(why) => say(session, &format!("⚠ {why}")),
    }
}

/// Shows a mission until it has ended or waits for a person. It has not begun to obey before it has told that many lines.
async fn follow(session: &Arc<Session>, turn: &Turn, mission: &MissionId, told: u64) -> Stop {
    let runtime = session.workspace.runtime.clone();
    let mut updates = runtime.subscribe();
    let mut questions = Questions::default();
    let mut rest = Rest::default();
    let mut cancelled: Option<Instant> = None;
    let begun = Instant::now();
    loop {
        let view = runtime.view(mission).filter(|view| lines(view) >= told);
        if let Some(view) = &view {
            let looked = Instant::now();
            session.show(view).await;
            questions.follow(session, view);
            if let Some(stop) = over(session, view, &questions) {
                return Ok(if cancelled.is_some() { CANCELLED } else { stop });
            }
            rest.after(looked.elapsed());
        }
        if let Some(why) = runtime.halted() {
            return Err(halted(&why));
        }
        if cancelled.is_some_and(|at| at.elapsed() >= OBEYED) {
            return Ok(CANCELLED);
        }
        if view.is_none() && begun.elapsed() >= OBEYED {
            return say(session, UNHEARD);
        }
        let news = async {
            // A mission that is dear to show is shown less often.
            let pause = rest.end().saturating_duration_since(Instant::now()).min(MAX_REST);
            tokio::time::sleep(pause).await;
            updates.recv().await
        };
        tokio::select! {
            update = tokio::time::timeout(MAX_REST, news) => {
                // A time that is over, or a receiver that lags, looks again as well.
                let _ = update;
            }
            () = questions.closed() => {}
            () = turn.cancelled.cancelled(), if cancelled.is_none() => {
                cancelled = Some(Instant::now());
                if let Err(why) = runtime.command(mission, Command::Cancel) {
                    tracing::debug!("mission {mission} is not cancelled: {why}");
                }
            }
            () = session.ending.cancelled() => return Err(left()),
        }
    }
}

fn lines(view: &MissionView) -> u64 {
    view.story.last().map_or(0, |line| line.number)
}

fn halted(why: &str) -> ResponseError {
    failed(format!("missions cannot go on: {why}"))
}

/// Why a turn stops, once it does.
fn over(session: &Session, view: &MissionView, questions: &Questions) -> Option<&'static str> {
    if let Some(end) = &view.end {
        return Some(stop_reason(end));
    }
    if !view.is_running() {
        return Some(END_TURN);
    }
    questions.wait_for_words(view).then(|| {
        session.say(&words::ending(view));
        END_TURN
    })
}

/// What the protocol calls an end. Blocked and failed missions say why; nothing of them is unsaid, as after a `refusal`.
fn stop_reason(end: &End) -> &'static str {
    match end {
        End::Cancelled => CANCELLED,
        End::Exhausted { limit } if limit.contains("tokens") || limit.contains("dollars") => {
            "max_tokens"
        }
        End::Exhausted { .. } => "max_turn_requests",
        End::Sealed { .. } | End::Blocked { .. } | End::Failed { .. } => END_TURN,
    }
}

/// `aside`: another prompt follows the mission, and tells what becomes of it.
async fn pause(session: &Arc<Session>, aside: bool) -> Stop {
    let obeyed = |view: &MissionView| view.state == "paused" || view.end.is_some();
    tell(session, Command::Pause, obeyed, aside).await
}

async fn cancel(session: &Arc<Session>, aside: bool) -> Stop {
    tell(session, Command::Cancel, |view| view.end.is_some(), aside).await
}

/// Tells the mission a command, and says how it stands when it was obeyed.
async fn tell(
    session: &Arc<Session>,
    command: Command,
    obeyed: impl Fn(&MissionView) -> bool,
    aside: bool,
) -> Stop {
    let Some(view) = session.meant() else { return say(session, NO_MISSION) };
    let runtime = &session.workspace.runtime;
    if let Err(why) = runtime.command(&view.id, command) {
        return say(session, &format!("⚠ {why}"));
    }
    let ending = |view: &MissionView| obeyed(view).then(|| words::ending(view));
    match until(session, runtime, &view.id, ending).await? {
        Some(_) if aside => Ok(END_TURN),
        Some(text) => say(session, &text),
        None => say(session, UNHEARD),
    }
}

async fn undo(session: &Arc<Session>, receipt: Option<u64>, all: bool, merge: bool) -> Stop {
    let Some(view) = session.meant() else { return say(session, NO_MISSION) };
    let newest = view.receipts.iter().rev().find(|accepted| !accepted.undone);
    let Some(receipt) = receipt.or(newest.map(|accepted| accepted.receipt)) else {
        return say(session, "Nothing was accepted that could be taken back.");
    };
    let receipt = (!all).then_some(receipt);
    let mark = new_mark();
    let command = Command::Undo { receipt, merge, ask: Some(mark.clone()) };
    let which = receipt.map_or("all".to_owned(), |number| number.to_string());
    take_back(session, &view, command, &mark, &format!("/undo {which} merge")).await
}

async fn redo(session: &Arc<Session>, merge: bool) -> Stop {
    let Some(view) = session.meant() else { return say(session, NO_MISSION) };
    let mark = new_mark();
    let command = Command::Redo { merge, ask: Some(mark.clone()) };
    take_back(session, &view, command, &mark, "/redo merge").await
}

/// Tells what became of an undo; where a person has edited since, what a merge would do.
async fn take_back(
    session: &Arc<Session>,
    view: &MissionView,
    command: Command,
    mark: &str,
    again: &str,
) -> Stop {
    let runtime = &session.workspace.runtime;
    if let Err(why) = runtime.command(&view.id, command) {
        return say(session, &format!("⚠ {why}"));
    }
    let told = |view: &MissionView| {
        let answer = view.answers.iter().find(|answer| answer.ask == mark)?;
        let offer =
            view.offer.as_ref().filter(|_| !answer.is_done).map_or(String::new(), |offer| {
                format!(
                    "\n\n~~~diff\n{}\n~~~\n\nThat is what a merge would do; `{again}` does it.",
                    offer.diff
                )
            });
        Some(format!("{}{offer}", answer.said.join("\n\n")))
    };
    match until(session, runtime, &view.id, told).await? {
        Some(text) => say(session, &text),
        None => say(session, UNHEARD),
    }
}

/// Waits, within a bound, until something can be told of a mission.
async fn until(
    session: &Session,
    runtime: &Handle,
    mission: &MissionId,
    told: impl Fn(&MissionView) -> Option<String>,
) -> Result<Option<String>, ResponseError> {
    let mut updates = runtime.subscribe();
    let wait = async {
        loop {
            if let Some(text) = runtime.view(mission).and_then(|view| told(&view)) {
                return Ok(text);
            }
            if let Some(why) = runtime.halted() {
                return Err(halted(&why));
            }
            // A receiver that lags looks again as well.
            let _ = tokio::time::timeout(MAX_REST, updates.recv()).await;
        }
    };
    tokio::select! {
        waited = tokio::time::timeout(OBEYED, wait) => waited.ok().transpose(),
        () = session.ending.cancelled() => Err(left()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_a_stop_reason() {
        let out = |limit: &str| stop_reason(&End::Exhausted { limit: limit.to_owned() });
        assert_eq!(out("4000000 tokens"), "max_tokens");
        assert_eq!(out("400 model calls"), "max_turn_requests");
        assert_eq!(stop_reason(&End::Cancelled), CANCELLED);
        assert_eq!(stop_reason(&End::Failed { reason: "no".into() }), END_TURN);
    }
}
