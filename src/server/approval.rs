//! A plan that waits for a person, put to them as a message with buttons. Nobody waits for the answer: it comes back as a
//! command, and the message is taken back when the plan was begun or given up elsewhere.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::AbortHandle;
use tower_lsp::lsp_types::request::ShowMessageRequest;
use tower_lsp::lsp_types::{MessageActionItem, MessageType, ShowMessageRequestParams};

use super::actions::summary;
use super::session::Session;
use super::show;
use crate::mission::view::MissionView;
use crate::mission::{Command, MissionId};
use crate::runtime::Handle;

/// How long it may stand in the editor; the plan waits as long as it likes.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

const RUN: &str = "Carry It Out";
const OPEN: &str = "Open the Plan";
const CANCEL: &str = "Cancel the Mission";

/// The plans that the editor asks about, and those that it has asked about: a person who began a single item knows that the
/// plan waits.
#[derive(Debug, Default)]
pub struct Approvals(HashMap<MissionId, Option<AbortHandle>>);

impl Approvals {
    /// Asks when a plan begins to wait, and takes the question back when it does no more.
    pub fn follow(
        &mut self,
        session: &std::sync::Arc<Session>,
        runtime: &Handle,
        view: &MissionView,
    ) {
        let waits = view.end.is_none() && view.state == "planned" && view.sessions.is_empty();
        match (waits && session.client().message_buttons, self.0.get_mut(&view.id)) {
            (true, None) => {
                self.0.insert(view.id.clone(), Some(ask(session, runtime, view)));
            }
            (false, Some(asked)) => {
                if let Some(asked) = asked.take() {
                    // The request is dropped with its task, and that is told to the client.
                    asked.abort();
                }
            }
            _ => {}
        }
    }
}

fn ask(session: &std::sync::Arc<Session>, runtime: &Handle, view: &MissionView) -> AbortHandle {
    let steps = view.progress.1;
    let message = format!("The plan is ready, {steps} steps: {}", summary(&view.goal));
    let button =
        |title: &str| MessageActionItem { title: title.to_owned(), properties: HashMap::new() };
    let can_open = session.client().show_document;
    let titles = [Some(RUN), can_open.then_some(OPEN), Some(CANCEL)];
    let actions = Some(titles.into_iter().flatten().map(button).collect());
    let params = ShowMessageRequestParams { typ: MessageType::INFO, message, actions };
    let answer = session.peer.request::<ShowMessageRequest>(&params, LIMIT);
    let (session, runtime, mission) = (session.clone(), runtime.clone(), view.id.clone());
    let task = tokio::spawn(async move {
        // Closed without a choice: the plan goes on waiting.
        let Ok(Some(chosen)) = answer.await else { return };
        let command = match chosen.title.as_str() {
            RUN => Command::Resume,
            CANCEL => Command::Cancel,
            _ => return show::plan(&session),
        };
        if let Err(refused) = runtime.command(&mission, command) {
            tracing::warn!("failed to answer for the plan of mission {mission}: {refused}");
        }
    });
    task.abort_handle()
}
