//! Shows the missions as they go on: progress, diagnostics, the news of an end, and views for those who asked for them.
//!
//! One task per session. It is woken by the runtime's updates and reads the current views, so that updates which came
//! too fast to be seen one by one are simply seen together. What is dear to show, because the mission is large, is shown
//! less often, but news at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tower_lsp::lsp_types::notification::ShowMessage;
use tower_lsp::lsp_types::{MessageType, ShowMessageParams};

use super::actions::summary;
use super::approval::Approvals;
use super::diagnostics;
use super::outbox::Weight;
use super::progress::{Created, Progress};
use super::question::Questions;
use super::refresh::Lenses;
use super::session::Session;
use crate::mission::view::MissionView;
use crate::mission::{End, MissionId};
use crate::runtime::{Handle, Rest, Update};

/// The notification that carries a mission's view.
pub const MISSION: &str = "orchestrator/mission";

struct Shown {
    view: Arc<MissionView>,
    progress: Progress,
}

/// Runs until the runtime ends, or the session's tasks are dropped.
pub async fn run(session: Arc<Session>, runtime: Handle) {
    let mut updates = runtime.subscribe();
    let (created, mut answers) = mpsc::unbounded_channel();
    let mut shown = HashMap::new();
    let mut said = HashSet::new();
    let mut questions = Questions::default();
    let mut approvals = Approvals::default();
    for notice in runtime.notices() {
        said.insert(notice.clone());
        say(&session, MessageType::WARNING, notice);
    }
    // What ended before this session is old news.
    let old = runtime.views();
    refresh(&session, &old, &mut shown, &created, false);
    for view in old.iter() {
        questions.follow(&session, &runtime, view);
        approvals.follow(&session, &runtime, view);
    }
    let mut rest = Rest::default();
    let mut is_behind = false;
    let mut lenses = Lenses::new();
    loop {
        tokio::select! {
            update = updates.recv() => {
                match update {
                    Ok(Update::Mission(_)) | Err(RecvError::Lagged(_)) => {}
                    Ok(Update::Notice(message)) => {
                        if !said.contains(&message) {
                            say(&session, MessageType::INFO, message);
                        }
                    }
                    Ok(Update::Halted(why)) => {
                        let message = format!("Missions cannot go on: {why}");
                        say(&session, MessageType::ERROR, message);
                    }
                    Err(RecvError::Closed) => return,
                }
                is_behind = true;
            }
            () = until(is_behind.then(|| rest.end())) => {}
            () = until(lenses.due()) => {
                lenses.follow(&session);
                continue;
            }
            Some(answer) = answers.recv() => {
                begin(&session, &mut shown, answer);
                continue;
            }
        }
        // Updates that came too fast to be seen one by one are seen together.
        if !updates.is_empty() {
            continue;
        }
        let (views, began) = (runtime.views(), Instant::now());
        if began >= rest.end() || views.iter().any(|view| is_news(view, &shown)) {
            refresh(&session, &views, &mut shown, &created, true);
            for view in views.iter() {
                questions.follow(&session, &runtime, view);
                approvals.follow(&session, &runtime, view);
            }
            lenses.follow(&session);
            is_behind = false;
            rest.after(began.elapsed());
        }
    }
}

/// Waits until then; for ever where nothing is due.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Whether a mission is at something else than what was shown of it.
fn is_news(view: &MissionView, shown: &HashMap<MissionId, Shown>) -> bool {
    shown.get(&view.id).is_none_or(|before| before.view.state != view.state)
}

fn refresh(
    session: &Session,
    views: &[Arc<MissionView>],
    shown: &mut HashMap<MissionId, Shown>,
    created: &mpsc::UnboundedSender<Created>,
    tell: bool,
) {
    for view in views {
        let before = shown.get(&view.id).map(|shown| &shown.view);
        if before.is_some_and(|before| Arc::ptr_eq(before, view)) {
            continue;
        }
        let had_ended = before.is_some_and(|before| before.end.is_some());
        if let Some(end) = view.end.as_ref().filter(|_| tell && !had_ended) {
            announce(session, view, end);
        }
        let was_offered = before.is_some_and(|before| before.offer == view.offer);
        if let Some(offer) = view.offer.as_ref().filter(|_| tell && !was_offered) {
            let back = &offer.back;
            let message = format!(
                "{back} was not taken back: {}. A code action on {} merges: it keeps that, and takes the mission's lines back.",
                offer.reason,
                offer.files.join(", ")
            );
            say(session, MessageType::WARNING, message);
        }
        if tell || view.end.is_none() {
            send_view(session, view);
        }
        let entry = shown
            .entry(view.id.clone())
            .or_insert_with(|| Shown { view: Arc::clone(view), progress: Progress::default() });
        entry.view = Arc::clone(view);
        entry.progress.follow(session, view, created);
    }
    diagnostics::publish(session);
}

fn begin(session: &Session, shown: &mut HashMap<MissionId, Shown>, answer: Created) {
    if let Some(shown) = shown.get_mut(&answer.mission) {
        shown.progress.created(session, &shown.view, answer.allowed);
    }
}

fn announce(session: &Session, view: &MissionView, end: &End) {
    let goal = summary(&view.goal);
    let (typ, message) = match end {
        End::Sealed { hash } => {
            let seal = hash.get(..12).unwrap_or(hash);
            match view.sealed_but() {
                None => (MessageType::INFO, format!("Mission sealed ({seal}): {goal}")),
                Some(but) => {
                    (MessageType::WARNING, format!("Mission sealed ({seal}), {but}: {goal}"))
                }
            }
        }
        End::Blocked { needs } => {
            (MessageType::WARNING, format!("Mission blocked: {goal}\nIt needs: {needs}"))
        }
        End::Exhausted { limit } => {
            (MessageType::WARNING, format!("Mission out of fuel ({limit}): {goal}"))
        }
        End::Cancelled => (MessageType::INFO, format!("Mission cancelled: {goal}")),
        End::Failed { reason } => (MessageType::ERROR, format!("Mission failed: {goal}\n{reason}")),
    };
    say(session, typ, message);
}

fn say(session: &Session, typ: MessageType, message: String) {
    session.peer.notify::<ShowMessage>(Weight::Must, &ShowMessageParams { typ, message });
}

fn send_view(session: &Session, view: &MissionView) {
    if !session.client().mission_views {
        return;
    }
    let key = format!("mission {}", view.id);
    let weight = if view.end.is_some() { Weight::Latest(key) } else { Weight::MayDrop(key) };
    session.peer.notify_raw(weight, MISSION, view);
}
