//! What a command does: it tells the runtime, which only takes a note, and answers at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tower_lsp::jsonrpc::{Error, ErrorCode};
use tower_lsp::lsp_types::notification::ShowMessage;
use tower_lsp::lsp_types::request::CodeLensRefresh;
use tower_lsp::lsp_types::{MessageType, ShowMessageParams};

use super::Doctor;
use super::ask::{Ask, BadAsk};
use super::changes;
use super::diagnostics;
use super::meetings;
use super::outbox::Weight;
use super::refresh::refresh;
use super::session::Session;
use super::show;
use super::trusted;
use crate::mission::view::MissionView;
use crate::mission::{Command, MissionId, Mode, report};
use crate::runtime::{Changed, Handle};
use crate::wire::code;

/// How long the answer to a start may wait for the mission to be shown.
const SHOWN_LIMIT: Duration = Duration::from_secs(1);

type Answer = Result<Value, Error>;

/// Performs `ask`; the answer is the command's result.
///
/// # Errors
/// Invalid parameters when a mission is not named clearly; request failed when the runtime refuses.
pub async fn perform(session: &Arc<Session>, doctor: &Doctor, ask: Ask) -> Answer {
    if ask == Ask::Doctor {
        return Ok(examine(session, doctor));
    }
    if ask == Ask::Trust {
        session.trust();
        return Ok(json!({ "trusted": true }));
    }
    if let Ask::TrustFile { path, hash } = ask {
        trusted::trust(session, &path, &hash).map_err(failed)?;
        diagnostics::publish(session);
        session.documents.all().iter().for_each(|open| trusted::examine(session, &open.uri));
        return Ok(json!({ "trusted": path }));
    }
    let runtime = session.runtime().await.map_err(failed)?;
    let views = runtime.views();
    match ask {
        Ask::Start { goal, mode } => {
            let mission = begin(&runtime, &goal, mode).await?;
            Ok(json!({ "mission": mission }))
        }
        Ask::Tell { mission, command } => {
            let mission = meant(&views, mission)?.id.clone();
            runtime.command(&mission, command).map_err(|refused| failed(refused.to_string()))?;
            Ok(json!({ "mission": mission }))
        }
        Ask::Status => Ok(json!({ "missions": views.iter().map(Arc::as_ref).collect::<Vec<_>>() })),
        Ask::Agents => Ok(json!({ "agents": agents(&views) })),
        Ask::Undo { mission, receipt, all, merge } => {
            undo(&runtime, meant(&views, mission)?, receipt, all, merge)
        }
        Ask::Change { mission, receipt } => change(meant(&views, mission)?, receipt),
        Ask::Report { mission } => {
            let view = meant(&views, mission)?;
            Ok(json!({ "mission": view.id, "markdown": report::markdown(view) }))
        }
        Ask::Text { mission, receipt, file } => {
            let files = files_of(session, runtime.root(), meant(&views, mission)?, receipt)?;
            let missing = || Error::invalid_params(format!("change {receipt} is not of {file}"));
            let found = files.iter().find(|f| f.path.as_str() == file).ok_or_else(missing)?;
            let text = changes::text;
            Ok(
                json!({ "before": text(found.before.as_ref()), "after": text(found.after.as_ref()) }),
            )
        }
        Ask::Open { mission, receipt } => {
            let view = meant(&views, mission)?;
            let files = files_of(session, runtime.root(), view, receipt)?;
            show::change(session, &view.id, receipt);
            let diff = changes::diff(&files);
            Ok(json!({ "mission": view.id, "receipt": receipt, "diff": diff }))
        }
        Ask::Waiting { mission, question } => {
            let view = meant(&views, mission)?;
            let missing = || Error::invalid_params(format!("no change waits with {question}"));
            let meeting = meetings::of_question(view, question).ok_or_else(missing)?;
            show::waiting(session, &view.id, question);
            Ok(json!({ "mission": view.id, "question": question, "diff": meeting.diff }))
        }
        Ask::Keep { mission, receipt } => {
            let view = meant(&views, mission)?;
            // Said twice it is nothing new: to be told again and again keeps an editor from asking at all.
            if session.changes.keep(view, receipt) && session.client().refreshes_lenses {
                refresh::<CodeLensRefresh>(session);
            }
            Ok(json!({ "mission": view.id, "receipt": receipt }))
        }
        // Answered above, without a runtime.
        Ask::Doctor | Ask::Trust | Ask::TrustFile { .. } => Ok(Value::Null),
    }
}

/// Adds the answer of another folder: lists are joined.
pub fn join(answer: &mut Value, more: Value) {
    match (answer, more) {
        (Value::Object(answer), Value::Object(more)) => {
            for (name, value) in more {
                join(answer.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(answer), Value::Array(more)) => answer.extend(more),
        (answer, more) => *answer = more,
    }
}

/// Begins a mission, and answers when the board shows it, so that the client's next command finds it: that is one
/// write of the journal, and no more than [`SHOWN_LIMIT`].
async fn begin(runtime: &Handle, goal: &str, mode: Mode) -> Result<MissionId, Error> {
    let mut updates = runtime.subscribe();
    let mission = runtime.start(goal, mode).map_err(|refused| failed(refused.to_string()))?;
    let shown = async {
        while runtime.view(&mission).is_none() {
            if matches!(updates.recv().await, Err(RecvError::Closed)) {
                return;
            }
        }
    };
    if tokio::time::timeout(SHOWN_LIMIT, shown).await.is_err() {
        tracing::warn!("mission {mission} is slow to begin");
    }
    Ok(mission)
}

/// What a command that cannot be read is answered with.
pub fn unreadable(bad: &BadAsk) -> Error {
    Error::invalid_params(bad.to_string())
}

/// A request that cannot be fulfilled, in words.
pub fn failed(why: String) -> Error {
    Error { code: ErrorCode::ServerError(code::REQUEST_FAILED), message: why.into(), data: None }
}

/// The mission that is named; else the only one that has not ended; else, when all have, the newest.
fn meant(views: &[Arc<MissionView>], named: Option<MissionId>) -> Result<&MissionView, Error> {
    if let Some(id) = named {
        let found = views.iter().find(|view| view.id == id);
        let missing = || Error::invalid_params(format!("there is no mission `{id}`"));
        return found.map(Arc::as_ref).ok_or_else(missing);
    }
    let open: Vec<_> = views.iter().filter(|view| view.end.is_none()).collect();
    match open.as_slice() {
        [one] => Ok(one),
        [] => {
            let newest = views.iter().max_by_key(|view| view.started_at).map(Arc::as_ref);
            newest.ok_or_else(|| {
                failed("there is no mission; start one with orchestrator.task".into())
            })
        }
        many => {
            let ids: Vec<_> = many.iter().map(|view| view.id.to_string()).collect();
            let ids = ids.join(", ");
            Err(Error::invalid_params(format!(
                "several missions are open; name one as `mission`: {ids}"
            )))
        }
    }
}

/// Takes back a change-set, the newest that still stands when none is named, or all of them.
fn undo(
    runtime: &Handle,
    view: &MissionView,
    receipt: Option<u64>,
    all: bool,
    merge: bool,
) -> Answer {
    let newest = || view.receipts.iter().rev().find(|r| !r.undone).map(|r| r.receipt);
    let receipt = receipt
        .or_else(newest)
        .ok_or_else(|| failed("nothing was accepted that could be taken back".into()))?;
    let receipt = (!all).then_some(receipt);
    let command = Command::Undo { receipt, merge, ask: None };
    runtime.command(&view.id, command).map_err(|refused| failed(refused.to_string()))?;
    Ok(json!({ "mission": view.id, "receipt": receipt }))
}

fn files_of(
    session: &Session,
    root: &Path,
    view: &MissionView,
    receipt: u64,
) -> Result<Arc<Vec<Changed>>, Error> {
    session.changes.files(root, &view.id, receipt).map_err(failed)
}

fn agents(views: &[Arc<MissionView>]) -> Vec<Value> {
    let of = |view: &Arc<MissionView>| {
        let mission = view.id.clone();
        let sessions = view.sessions.clone().into_iter();
        sessions
            .map(move |session| json!({ "mission": mission, "session": session }))
            .collect::<Vec<_>>()
    };
    views.iter().flat_map(of).collect()
}

fn change(view: &MissionView, receipt: Option<u64>) -> Answer {
    let Some(number) = receipt else {
        let (undos, offer) = (&view.undos, &view.offer);
        return Ok(json!({
            "mission": view.id, "changes": view.receipts, "undos": undos, "offer": offer,
        }));
    };
    let found = view.receipts.iter().find(|accepted| accepted.receipt == number);
    let missing =
        || Error::invalid_params(format!("mission `{}` has no receipt {number}", view.id));
    found.map(|accepted| json!({ "mission": view.id, "changes": [accepted] })).ok_or_else(missing)
}

/// The examination asks programs for their versions, which takes a while: its report is shown as a message.
fn examine(session: &Arc<Session>, doctor: &Doctor) -> Value {
    let (session, doctor) = (Arc::clone(session), Arc::clone(doctor));
    tokio::task::spawn_blocking(move || {
        let message = doctor(session.root().map(|root| root.path()));
        let params = ShowMessageParams { typ: MessageType::INFO, message };
        session.peer.notify::<ShowMessage>(Weight::Must, &params);
    });
    json!({ "report": "follows as window/showMessage" })
}
