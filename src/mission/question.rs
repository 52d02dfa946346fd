//! Questions of agents to the person, and their answers.
//!
//! A question is a call that stays open: its session waits for the answer, the others go on. Nothing is under way for it,
//! so it outlives the process as the rest of the mission does. A mission asks finitely often, and waits finitely long
//! while nothing else can be done; then it is blocked, with the question as what it needs.

use serde::{Deserialize, Serialize};

use super::control::AskUser;
use super::conversation::Role;
use super::event::SessionId;
use super::plan::{ItemId, one_line};
use super::state::{End, LineKind, Mission, Proposal};
use super::{command, proposal, rules, turn, undo};

/// The longest question and the longest answer, in characters.
const MAX_TEXT: usize = 2_000;
/// The longest choice, in characters, and the most choices.
const MAX_CHOICE: usize = 120;
const MAX_CHOICES: usize = 9;

/// The answer that lets a change land beside what a person typed: all of it but what meets that.
pub const MERGE: &str = "Apply merged";
/// The answer that gives a change up, for what a person typed.
pub const DISCARD: &str = "Discard";

/// A proved change-set that changes what a person typed at in the meantime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// By which name the journal has the change.
    pub change: String,
    /// Where they meet, in the texts as they were typed.
    pub places: Vec<Place>,
    /// The change, as a unified diff.
    pub diff: String,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, from the workspace's root.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// A question that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its number within the mission, from 1.
    pub number: u32,
    /// Who asks.
    pub role: Role,
    /// The task that it belongs to, where it belongs to one.
    pub item: Option<ItemId>,
    /// What is asked, on one line.
    pub text: String,
    /// Answers to choose from, where some are offered; any other will do as well.
    pub choices: Vec<String>,
    /// The change that waits for the answer, where it is about one: [`MERGE`] lets it land, any other gives it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting: Option<Meeting>,
}

/// A question with the call that it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    pub question: Question,
    /// Whose call waits for the answer; `None` once the mission was blocked for it.
    session: Option<SessionId>,
    index: usize,
    /// The change-set that waits with it.
    #[serde(default)]
    held: Option<Proposal>,
}

/// A question that was answered, for sessions that begin later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Answered {
    pub item: Option<ItemId>,
    pub question: String,
    pub answer: String,
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)?;
        if !self.choices.is_empty() {
            write!(f, " ({})", self.choices.join(" / "))?;
        }
        Ok(())
    }
}

fn cut(text: &str, most: usize) -> String {
    one_line(text).chars().take(most).collect()
}

/// An agent asks.
pub(super) fn ask(m: &mut Mission, id: SessionId, index: usize, call: &AskUser) {
    let (allowed, number) = (m.limits.questions, m.asked + 1);
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    let text = cut(&call.question, MAX_TEXT);
    if text.is_empty() {
        return session.answer(index, "the question is empty", true);
    }
    if m.asked >= allowed {
        let refusal =
            format!("not asked: a mission asks {allowed} questions at most; decide by yourself");
        return session.answer(index, refusal, true);
    }
    let (role, item) = (session.role, session.item.clone());
    if let Some(open) = session.calls_mut().get_mut(index) {
        open.begun = true;
    }
    let choices = call.choices.iter().map(|choice| cut(choice, MAX_CHOICE));
    let choices = choices.filter(|choice| !choice.is_empty()).take(MAX_CHOICES).collect();
    let question = Question { number, role, item, text, choices, meeting: None };
    let told = format!("asks (question {number}): {question}");
    m.tell(LineKind::Warning, Some(role), question.item.as_ref(), told);
    put(m, Open { question, session: Some(id), index, held: None });
}

fn put(m: &mut Mission, open: Open) {
    m.asked = open.question.number;
    m.questions.push(open);
}

/// A change-set meets what a person types: it waits for their word. `false` where no more may be asked.
pub(super) fn meets(m: &mut Mission, proposal: &Proposal, meeting: Meeting) -> bool {
    let number = m.asked + 1;
    if number > m.limits.questions {
        return false;
    }
    let places = meeting.places.iter().map(|place| format!("{}:{}", place.file, place.line));
    let text =
        format!("a change meets what you typed at {}", places.collect::<Vec<_>>().join(", "));
    let question = Question {
        number,
        role: Role::Worker,
        item: Some(proposal.item.clone()),
        text: cut(&text, MAX_TEXT),
        choices: vec![MERGE.to_owned(), DISCARD.to_owned()],
        meeting: Some(meeting),
    };
    let told = format!("waits (question {number}): {question}");
    m.tell(LineKind::Warning, Some(Role::Worker), Some(&proposal.item), told);
    let (session, index) = (Some(proposal.session), proposal.index);
    put(m, Open { question, session, index, held: Some(proposal.clone()) });
    true
}

/// A person answers: that question, or the oldest one. `mark` is what they want to hear of it by.
pub(super) fn answer(m: &mut Mission, number: Option<u32>, text: &str, mark: Option<&str>) {
    let asks = || mark.map(str::to_owned);
    let text: String = text.trim().chars().take(MAX_TEXT).collect();
    let place = m.questions.iter().position(|q| number.is_none_or(|n| n == q.question.number));
    let Some(place) = place else {
        let which = number.map_or(String::new(), |n| format!(" {n}"));
        return undo::refuse(m, asks(), format!("there is no open question{which}"));
    };
    if text.is_empty() {
        return undo::refuse(m, asks(), "the answer is empty".to_owned());
    }
    if m.ended.is_some() && m.is_foreign {
        undo::refuse(m, asks(), "this version cannot carry the mission on".to_owned());
        return rules::give_up(m);
    }
    let before = m.told;
    let Open { question, session, index, held } = m.questions.remove(place);
    let told = format!("question {} is answered: {}", question.number, one_line(&text));
    m.tell(LineKind::Good, None, question.item.as_ref(), told);
    undo::answer(m, asks(), true, before);
    if let Some(proposal) = held {
        return proposal::decided(m, proposal, question.meeting, &text);
    }
    m.answered.push(Answered {
        item: question.item.clone(),
        question: question.text.clone(),
        answer: one_line(&text),
    });
    match session {
        Some(id) => {
            if let Some(session) = m.sessions.get_mut(&id) {
                session.answer(index, text, false);
                turn::settle(m, id);
            }
        }
        // It was blocked for want of this answer: who begins anew is told it.
        None => command::go_on(m),
    }
}

/// Whether nothing goes on before a person answers.
pub(super) fn is_waiting(m: &Mission) -> bool {
    m.ended.is_none() && !m.paused && m.pending.is_empty() && !m.questions.is_empty()
}

/// The time to wait for an answer is over: a person is needed. Says whether it was that.
pub(super) fn time_up(m: &mut Mission) -> bool {
    if !is_waiting(m) {
        return false;
    }
    let asked = m.questions.iter().map(|open| {
        let q = &open.question;
        let item = q.item.as_ref().map_or(String::new(), |item| format!(" ({item})"));
        format!("question {} of the {}{item}: {q}", q.number, q.role)
    });
    let needs = format!("an answer to {}", asked.collect::<Vec<_>>().join("; "));
    m.questions.iter_mut().for_each(|open| (open.session, open.held) = (None, None));
    m.end(End::Blocked { needs });
    true
}

/// After every event: a question goes with the session that asked it, and the time of waiting is kept.
pub(super) fn observe(m: &mut Mission) {
    if m.questions.is_empty() {
        m.waits_since = None;
        return;
    }
    let sessions = &m.sessions;
    let is_blocked = matches!(m.ended, Some(End::Blocked { .. }));
    m.questions.retain(|open| match open.session {
        Some(id) => sessions.contains_key(&id),
        None => is_blocked,
    });
    m.waits_since = is_waiting(m).then(|| m.waits_since.unwrap_or(m.stamp));
}

/// Where changes that wait meet what was typed.
pub(super) fn places(m: &mut Mission) -> impl Iterator<Item = &mut Place> {
    let met = m.questions.iter_mut().filter_map(|open| open.question.meeting.as_mut());
    met.flat_map(|meeting| &mut meeting.places)
}

/// What was answered about a task, or about the mission as a whole, for a session that begins.
pub(super) fn answers(m: &Mission, item: Option<&ItemId>) -> String {
    let mine = m.answered.iter().filter(|a| a.item.is_none() || a.item.as_ref() == item);
    let lines = mine.map(|a| format!("- {}\n  {}", a.question, a.answer));
    lines.collect::<Vec<_>>().join("\n")
}
