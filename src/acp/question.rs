//! Questions of agents with answers to choose from, put to the person as `session/request_permission`, the one request of
//! the protocol that every client shows with buttons. Nothing waits for it: an answer comes back as a command, and what
//! is answered elsewhere is taken back. A question without choices, or one that is not answered there, is answered by the
//! next prompt.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::session::Session;
use super::update::{self, Status};
use super::words;
use crate::mission::view::MissionView;
use crate::mission::{Command, MissionId, Question};

/// How long a question may stand; a mission waits less.
const ANSWER_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// The option for an answer that is not among the choices.
const IN_WORDS: &str = "in-words";

/// The questions of one turn that the client shows. They are taken back with it.
#[derive(Default)]
pub struct Questions {
    shown: HashMap<u32, Dialog>,
    closed: Arc<Notify>,
}

struct Dialog {
    task: AbortHandle,
    /// It was closed without a choice.
    is_closed: Arc<AtomicBool>,
}

impl Drop for Dialog {
    fn drop(&mut self) {
        // The request goes with its task, and that is told to the client.
        self.task.abort();
    }
}

impl Questions {
    /// Shows what is newly asked, and takes back what was answered elsewhere.
    pub fn follow(&mut self, session: &Arc<Session>, view: &MissionView) {
        let is_open = |number: &u32| view.questions.iter().any(|q| q.number == *number);
        self.shown.retain(|number, _| {
            let stays = is_open(number);
            if !stays {
                session.update(update::tool_update(&call_id(&view.id, *number), Status::Completed));
            }
            stays
        });
        for question in view.questions.iter().filter(|question| !question.choices.is_empty()) {
            let closed = &self.closed;
            self.shown
                .entry(question.number)
                .or_insert_with(|| show(session, &view.id, question, closed));
        }
    }

    /// Whether nothing goes on before the person says something, and no buttons are there to say it with.
    pub fn wait_for_words(&self, view: &MissionView) -> bool {
        let is_asking = view.sessions.iter().all(|session| session.activity == "asking");
        let is_open = |dialog: &Dialog| !dialog.is_closed.load(Ordering::Relaxed);
        let has_buttons = |q: &Question| self.shown.get(&q.number).is_some_and(is_open);
        is_asking && !view.questions.is_empty() && !view.questions.iter().any(has_buttons)
    }

    /// Completes when one was closed without a choice.
    pub async fn closed(&self) {
        self.closed.notified().await;
    }
}

fn call_id(mission: &MissionId, number: u32) -> String {
    format!("{mission}/question-{number}")
}

/// The request's parameters: a choice is an option, and one more is there for all other answers.
fn request(session: &str, mission: &MissionId, question: &Question) -> Value {
    let option = |(number, choice): (usize, &String)| json!({ "optionId": format!("choice-{number}"), "name": choice, "kind": "allow_once" });
    let mut options: Vec<Value> = question.choices.iter().enumerate().map(option).collect();
    options.push(json!({ "optionId": IN_WORDS, "name": "Answer in words", "kind": "reject_once" }));
    let who = words::who(question.role, question.item.as_ref());
    let call = json!({
        "toolCallId": call_id(mission, question.number),
        "title": format!("{who} asks: {}", question.text),
        "kind": "think",
        "status": "pending",
    });
    json!({ "sessionId": session, "toolCall": call, "options": options })
}

/// What was chosen.
fn chosen<'a>(answer: &Value, question: &'a Question) -> Option<&'a String> {
    let option = answer.pointer("/outcome/optionId")?.as_str()?;
    question.choices.get(option.strip_prefix("choice-")?.parse::<usize>().ok()?)
}

fn show(
    session: &Arc<Session>,
    mission: &MissionId,
    question: &Question,
    closed: &Arc<Notify>,
) -> Dialog {
    let params = request(&session.id, mission, question);
    let answer = session.peer.request_raw("session/request_permission", &params, ANSWER_LIMIT);
    let is_closed = Arc::new(AtomicBool::new(false));
    let (runtime, mission) = (session.workspace.runtime.clone(), mission.clone());
    let (question, closed, note) = (question.clone(), Arc::clone(closed), Arc::clone(&is_closed));
    let task = tokio::spawn(async move {
        let answer =
            answer.await.inspect_err(|error| tracing::debug!("a question is not shown: {error}"));
        let text = answer.ok().as_ref().and_then(|answer| chosen(answer, &question)).cloned();
        let number = question.number;
        let command = text.map(|text| Command::Answer { question: Some(number), text, ask: None });
        let is_answered = command.is_some_and(|command| runtime.command(&mission, command).is_ok());
        if !is_answered {
            note.store(true, Ordering::Relaxed);
            closed.notify_one();
        }
    });
    Dialog { task: task.abort_handle(), is_closed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::conversation::Role;

    #[test]
    fn an_option_is_a_choice() {
        let choices = vec!["left".to_owned(), "right".to_owned()];
        let question = Question {
            number: 3,
            role: Role::Worker,
            item: None,
            text: "Which?".into(),
            choices,
            meeting: None,
        };
        let asked = request("s", &MissionId("m".into()), &question);
        assert_eq!(asked["options"][1]["name"], "right");
        assert_eq!(asked["options"][2]["optionId"], IN_WORDS);
        let picks = |option: Value| {
            chosen(&json!({ "outcome": { "outcome": "selected", "optionId": option } }), &question)
                .map(String::as_str)
        };
        assert_eq!(picks(asked["options"][1]["optionId"].clone()), Some("right"));
        for odd in [json!(IN_WORDS), json!("choice-2"), json!("choice-x"), json!(1)] {
            assert_eq!(picks(odd), None);
        }
        assert_eq!(chosen(&json!({ "outcome": { "outcome": "cancelled" } }), &question), None);
    }
}
