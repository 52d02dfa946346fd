//! A mission as work-done progress, with a percentage, the newest line of its story, and cancel.

use std::time::Duration;

use tokio::sync::mpsc;
use tower_lsp::lsp_types::notification::Progress as ProgressNote;
use tower_lsp::lsp_types::request::WorkDoneProgressCreate;
use tower_lsp::lsp_types::{
    NumberOrString, ProgressParams, ProgressParamsValue, WorkDoneProgress, WorkDoneProgressBegin,
    WorkDoneProgressCreateParams, WorkDoneProgressEnd, WorkDoneProgressReport,
};

use super::actions::summary;
use super::outbox::Weight;
use super::session::Session;
use crate::mission::MissionId;
use crate::mission::view::MissionView;

/// How long the client may take to allow a progress; without one the mission goes on all the same.
const CREATE_LIMIT: Duration = Duration::from_secs(30);
const PREFIX: &str = "orchestrator/";

/// The client's answer to our wish to show progress.
#[derive(Debug)]
pub struct Created {
    /// Whose.
    pub mission: MissionId,
    /// Whether it may be shown.
    pub allowed: bool,
}

/// The progress of one mission.
#[derive(Debug, Default)]
pub struct Progress {
    state: State,
    /// How many there were: a mission that goes on after an end gets a new one.
    count: u32,
    /// The highest percentage shown; it may not fall.
    percentage: u32,
    last: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    None,
    Asked,
    Open,
    /// The client does not want it.
    Refused,
}

impl Progress {
    /// Follows the mission to `view`.
    pub fn follow(
        &mut self,
        session: &Session,
        view: &MissionView,
        created: &mpsc::UnboundedSender<Created>,
    ) {
        match (self.state, is_shown(view)) {
            (State::None, true) if session.client().progress => self.ask(session, view, created),
            (State::Open, true) => self.report(session, view),
            (State::Open, false) => self.end(session, view),
            _ => {}
        }
    }

    /// The client answered.
    pub fn created(&mut self, session: &Session, view: &MissionView, allowed: bool) {
        if !allowed {
            self.state = State::Refused;
        } else if !is_shown(view) {
            self.state = State::None;
        } else {
            self.state = State::Open;
            self.percentage = view.percentage();
            let begin = WorkDoneProgress::Begin(WorkDoneProgressBegin {
                title: format!("Mission: {}", summary(&view.goal)),
                cancellable: Some(true),
                message: Some(message(view)),
                percentage: Some(self.percentage),
            });
            self.send(session, view, Weight::Must, begin);
        }
    }

    fn ask(
        &mut self,
        session: &Session,
        view: &MissionView,
        created: &mpsc::UnboundedSender<Created>,
    ) {
        self.state = State::Asked;
        self.count += 1;
        let params = WorkDoneProgressCreateParams { token: self.token(view) };
        let answer = session.peer.request::<WorkDoneProgressCreate>(&params, CREATE_LIMIT);
        let (mission, created) = (view.id.clone(), created.clone());
        tokio::spawn(async move {
            let allowed = answer.await.is_ok();
            // The board may have gone with the session.
            let _ = created.send(Created { mission, allowed });
        });
    }

    fn report(&mut self, session: &Session, view: &MissionView) {
        let message = message(view);
        let percentage = view.percentage().max(self.percentage);
        if (percentage, &message) == (self.percentage, &self.last) {
            return;
        }
        self.percentage = percentage;
        self.last.clone_from(&message);
        let report = WorkDoneProgress::Report(WorkDoneProgressReport {
            cancellable: Some(true),
            message: Some(message),
            percentage: Some(percentage),
        });
        let weight = Weight::MayDrop(format!("progress {}", view.id));
        self.send(session, view, weight, report);
    }

    fn end(&mut self, session: &Session, view: &MissionView) {
        self.state = State::None;
        let end = WorkDoneProgressEnd { message: Some(view.state.clone()) };
        self.send(session, view, Weight::Must, WorkDoneProgress::End(end));
    }

    fn send(&self, session: &Session, view: &MissionView, weight: Weight, value: WorkDoneProgress) {
        let value = ProgressParamsValue::WorkDone(value);
        let params = ProgressParams { token: self.token(view), value };
        session.peer.notify::<ProgressNote>(weight, &params);
    }

    fn token(&self, view: &MissionView) -> NumberOrString {
        NumberOrString::String(format!("{PREFIX}{}/{}", view.id, self.count))
    }
}

/// The mission that a token of ours belongs to.
pub fn mission_of(token: &NumberOrString) -> Option<MissionId> {
    let NumberOrString::String(token) = token else { return None };
    let (mission, _count) = token.strip_prefix(PREFIX)?.rsplit_once('/')?;
    Some(MissionId(mission.to_owned()))
}

/// A plan that waits for a person is no work in progress; a paused mission is, and says so.
fn is_shown(view: &MissionView) -> bool {
    view.is_running() || view.state == "paused"
}

fn message(view: &MissionView) -> String {
    let (done, all) = view.progress;
    let line = view.story.last().map_or(view.state.as_str(), |line| line.text.as_str());
    let line = if view.state == "paused" { "paused".to_owned() } else { summary(line) };
    if all == 0 { line } else { format!("{done}/{all} · {line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_mission() {
        let token = |text: &str| NumberOrString::String(text.to_owned());
        assert_eq!(mission_of(&token("orchestrator/a/b/2")), Some(MissionId("a/b".into())));
        assert_eq!(mission_of(&token("other/1")), None);
        assert_eq!(mission_of(&NumberOrString::Number(1)), None);
    }
}
