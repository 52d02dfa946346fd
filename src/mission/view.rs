//! A mission as the faces see it: a value that can be shown, sent and compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::accounts::Account;
use super::command::moved;
use super::conversation::Role;
use super::edit::Held;
use super::event::{MissionId, Mode};
use super::fuel::Spent;
use super::plan::{ItemId, Plan};
use super::question::Question;
use super::state::{Accepted, End, Finding, Line, Mission, Phase, nothing_stands};
use super::undo::{Answer, Offer, Undone};

/// A mission at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissionView {
    /// Its id.
    pub id: MissionId,
    /// The goal, as it was given.
    pub goal: String,
    /// How far it goes by itself.
    pub mode: Mode,
    /// Who answers the turns.
    pub engine: String,
    /// `triage`, `planning`, `planned`, `working`, `judging`, `sealing`, `paused`, or how it ended.
    pub state: String,
    /// How it ended, once it has.
    pub end: Option<End>,
    /// The plan, once there is one.
    pub plan: Option<Plan>,
    /// Done steps and all steps.
    pub progress: (usize, usize),
    /// All findings.
    pub findings: Vec<Finding>,
    /// Accepted change-sets.
    pub receipts: Vec<Accepted>,
    /// What was taken back, in order.
    #[serde(default)]
    pub undos: Vec<Undone>,
    /// What could not be taken back without a merge, and what the merge would do.
    #[serde(default)]
    pub offer: Option<Offer>,
    /// What a person wrote into `todo.md` and the plan has not taken, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// Questions that wait for an answer, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// What became of the newest words that wanted an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// The open sessions.
    pub sessions: Vec<SessionView>,
    /// What was spent.
    pub spent: Spent,
    /// What its requests came to in all, those of closed sessions included.
    #[serde(default)]
    pub account: Account,
    /// The same by role.
    #[serde(default)]
    pub roles: BTreeMap<Role, Account>,
    /// The same by model and host.
    #[serde(default)]
    pub providers: BTreeMap<String, Account>,
    /// What did not work around the mission: plugins, servers of tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The story's newest lines.
    pub story: Vec<Line>,
    /// Milliseconds since the epoch.
    pub started_at: u64,
    /// The newest event's stamp.
    pub now: u64,
}

/// An open session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its number.
    pub id: u32,
    /// The role.
    pub role: Role,
    /// The task.
    pub item: Option<ItemId>,
    /// Turns so far.
    pub turns: u32,
    /// What it does now: `thinking`, `waiting for a slot`, `waiting` (after a fault), `calling tools`, `at the gate`.
    pub activity: String,
    /// What its requests came to.
    #[serde(default)]
    pub account: Account,
}

/// How many lines of the story a view carries.
const LINES: usize = 50;

impl MissionView {
    /// The mission as it is now.
    pub fn of(m: &Mission) -> MissionView {
        MissionView {
            id: m.id.clone(),
            goal: m.goal.clone(),
            mode: m.mode,
            engine: m.engine.clone(),
            state: state(m).to_owned(),
            end: m.ended.clone(),
            plan: m.plan.clone(),
            progress: m.plan.as_ref().map_or((0, 0), Plan::progress),
            findings: m.findings.clone(),
            receipts: m.receipts.clone(),
            undos: m.undos.clone(),
            offer: m.offer.clone(),
            held: m.held.clone(),
            questions: questions(m).cloned().collect(),
            answers: m.answers.iter().cloned().collect(),
            sessions: m.sessions().map(session).collect(),
            spent: m.spent,
            account: m.accounts.total(),
            roles: m.accounts.by_role(),
            providers: m.accounts.by_model(),
            remarks: m.remarks.clone(),
            story: m.story.iter().rev().take(LINES).rev().cloned().collect(),
            started_at: m.started_at,
            now: m.now,
        }
    }

    /// Whether the plan, a finding or a question names that file, or one below it.
    pub fn speaks_of(&self, file: &str) -> bool {
        let is_it = |named: &str| moved(named, file, "").is_some();
        let steps = self.plan.iter().flat_map(Plan::tasks).flat_map(|task| &task.steps);
        let met = self.questions.iter().flat_map(|question| &question.meeting);
        steps.flat_map(|step| &step.files).any(|named| is_it(named))
            || self.findings.iter().filter_map(|f| f.what.file.as_deref()).any(is_it)
            || met.flat_map(|meeting| &meeting.places).any(|place| is_it(&place.file))
    }

    /// As [`rank`].
    pub fn rank(&self) -> (bool, u64, &MissionId) {
        (self.end.is_none(), self.started_at, &self.id)
    }

    /// Whether it goes on by itself: neither ended, nor paused, nor waiting with its plan.
    pub fn is_running(&self) -> bool {
        self.end.is_none()
            && self.state != "paused"
            && (self.state != "planned" || !self.sessions.is_empty())
    }

    /// What a person should not take for work that was done: it was sealed, and no change of it stands.
    pub fn sealed_but(&self) -> Option<&'static str> {
        nothing_stands(&self.receipts).filter(|_| self.state == "sealed")
    }

    /// How it stands, in words: the state, and what must not be missed of it.
    pub fn outcome(&self) -> String {
        match self.sealed_but() {
            Some(but) => format!("{}, {but}", self.state),
            None => self.state.clone(),
        }
    }

    /// Percentage of done steps, 0 to 100.
    pub fn percentage(&self) -> u32 {
        let (done, all) = self.progress;
        (done * 100).checked_div(all).unwrap_or(0) as u32
    }
}

/// The files show the mission with the greatest: one that has not ended before one that has, then the newer one.
pub fn rank(m: &Mission) -> (bool, u64, &MissionId) {
    (m.ended.is_none(), m.started_at, &m.id)
}

/// Whether a mission goes on by itself.
pub fn is_running(m: &Mission) -> bool {
    m.ended.is_none() && !m.paused && (m.phase != Phase::Planned || m.sessions().next().is_some())
}

/// The questions that wait for an answer, the oldest first.
pub fn questions(m: &Mission) -> impl Iterator<Item = &Question> {
    m.questions.iter().map(|open| &open.question)
}

/// What a mission is at, in a word; see [`MissionView::state`].
pub fn state(m: &Mission) -> &'static str {
    match (&m.ended, m.paused, m.phase) {
        (Some(end), _, _) => end.name(),
        (None, true, _) => "paused",
        (None, false, Phase::New | Phase::Triage) => "triage",
        (None, false, Phase::Planning) => "planning",
        (None, false, Phase::Planned) => "planned",
        (None, false, Phase::Working) => "working",
        (None, false, Phase::Judging) => "judging",
        (None, false, Phase::Sealing) => "sealing",
    }
}

fn session(s: &super::session::Session) -> SessionView {
    SessionView {
        id: s.id,
        role: s.role,
        item: s.item.clone(),
        turns: s.turns,
        activity: s.activity().to_owned(),
        account: s.account,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_ended_is_shown_before_what_is_newer() {
        let mission = |id: &str, started_at, ended| Mission {
            started_at,
            ended,
            ..Mission::new(MissionId(id.to_owned()))
        };
        let open = mission("a", 1, None);
        let newer = mission("b", 2, Some(End::Cancelled));
        let newest = mission("c", 3, Some(End::Cancelled));
        assert!(rank(&open) > rank(&newest) && rank(&newest) > rank(&newer));
        for m in [&open, &newer] {
            assert_eq!(MissionView::of(m).rank(), rank(m));
        }
    }
}
