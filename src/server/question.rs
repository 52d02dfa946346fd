//! Questions of agents, put to the person in their editor. Where there are answers to choose from, they are buttons;
//! anything else is answered with `orchestrator.answer`. Nobody waits: an answer comes back as a command.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tower_lsp::lsp_types::notification::ShowMessage;
use tower_lsp::lsp_types::request::ShowMessageRequest;
use tower_lsp::lsp_types::{
    MessageActionItem, MessageType, ShowMessageParams, ShowMessageRequestParams,
};

use super::outbox::Weight;
use super::session::Session;
use super::show;
use crate::mission::view::MissionView;
use crate::mission::{Command, MissionId, Question};
use crate::runtime::Handle;

/// How long a question may stand in the editor; a mission waits less.
const ANSWER_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The questions that the editor shows.
#[derive(Debug, Default)]
pub struct Questions(HashMap<(MissionId, u32), Option<AbortHandle>>);

impl Questions {
    /// Shows what is newly asked in a mission, and takes back what was answered elsewhere.
    pub fn follow(&mut self, session: &Arc<Session>, runtime: &Handle, view: &MissionView) {
        let is_open = |number: u32| view.questions.iter().any(|q| q.number == number);
        self.0.retain(|(mission, number), shown| {
            let stays = *mission != view.id || is_open(*number);
            if let (false, Some(shown)) = (stays, shown) {
                // The request is dropped with its task, and that is told to the client.
                shown.abort();
            }
            stays
        });
        for question in &view.questions {
            let key = (view.id.clone(), question.number);
            self.0.entry(key).or_insert_with(|| put(session, runtime, &view.id, question));
        }
    }
}

const LOOK: &str = "Show the Change";

fn put(
    session: &Arc<Session>,
    runtime: &Handle,
    mission: &MissionId,
    question: &Question,
) -> Option<AbortHandle> {
    let item = question.item.as_ref().map_or(String::new(), |item| format!(" ({item})"));
    let message = format!("The {}{item} asks: {}", question.role, question.text);
    let typ = MessageType::INFO;
    if question.choices.is_empty() {
        let message = format!("{message}\nAnswer with the command orchestrator.answer.");
        session.peer.notify::<ShowMessage>(Weight::Must, &ShowMessageParams { typ, message });
        return None;
    }
    let button =
        |title: &String| MessageActionItem { title: title.clone(), properties: HashMap::new() };
    // A change that waits can be looked at first; the diagnostics at its lines are where it is decided then.
    let client = session.client();
    let can_show = question.meeting.is_some() && client.show_document && client.contents;
    let look = can_show.then(|| LOOK.to_owned());
    let actions = Some(look.iter().chain(&question.choices).map(button).collect());
    let params = ShowMessageRequestParams { typ, message, actions };
    let answer = session.peer.request::<ShowMessageRequest>(&params, ANSWER_LIMIT);
    let (runtime, mission, number) = (runtime.clone(), mission.clone(), question.number);
    let (peer, choices) = (session.peer.clone(), question.choices.join(", "));
    let session = session.clone();
    let task = tokio::spawn(async move {
        // Closed without a choice, or a client that shows no buttons: the question stays open, and is seen at least.
        let Ok(Some(chosen)) = answer.await else {
            let message = format!(
                "{}\nAnswer with the command orchestrator.answer, one of: {choices}",
                params.message
            );
            let shown = ShowMessageParams { typ, message };
            return peer.notify::<ShowMessage>(Weight::Must, &shown);
        };
        if look.is_some_and(|look| look == chosen.title) {
            return show::waiting(&session, &mission, number);
        }
        let command = Command::Answer { question: Some(number), text: chosen.title, ask: None };
        if let Err(refused) = runtime.command(&mission, command) {
            tracing::warn!("failed to answer question {number} of mission {mission}: {refused}");
        }
    });
    Some(task.abort_handle())
}
