//! What a collector is told of missions: a span for each mission, session and effect, told from the loop's states and
//! outcomes. Requests to models are told by who sends them. Nothing of what is said in a mission stands in a span.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::Context;

use crate::gate::report::{StageReport, StageVerdict};
use crate::mission::control::PROPOSE;
use crate::mission::conversation::Role;
use crate::mission::event::{GateVerdict, SealVerdict, SessionId, TestVerdict};
use crate::mission::{Act, Mission, MissionId, Mode, Outcome, Session};
use crate::model;
use crate::telemetry::{Attributes, Kind, Piece, Value, Work, current, inherited};

/// The spans of this process's missions that have not ended.
pub(super) struct Spans {
    /// Who answers a role: the provider's name and the model's.
    engines: BTreeMap<Role, (String, String)>,
    missions: BTreeMap<MissionId, Open>,
}

struct Open {
    work: Work,
    sessions: BTreeMap<SessionId, Work>,
}

impl Spans {
    pub fn new(models: &model::Settings) -> Spans {
        let engine = |role: Role| {
            let settings = models.for_role(role)?;
            let provider = settings.effective_provider();
            // The script of a replay is a path, and nobody's concern.
            let is_replay = provider == model::Provider::Replay && settings.base_url.is_none();
            let model = settings.model.filter(|_| !is_replay);
            Some((role, (provider.name().to_owned(), model.unwrap_or_else(|| "replay".into()))))
        };
        let engines = Role::ALL.into_iter().filter_map(engine).collect();
        Spans { engines, missions: BTreeMap::new() }
    }

    /// Begins and ends the spans of a mission and of its sessions, as they are now.
    pub fn follow(&mut self, m: &Mission) {
        if let Some(end) = &m.ended {
            if let Some(Open { work, sessions }) = self.missions.remove(&m.id) {
                sessions.into_values().for_each(Work::done);
                conclude_mission(work, m, end.name());
            }
            return;
        }
        let Spans { engines, missions } = self;
        let open = missions
            .entry(m.id.clone())
            .or_insert_with(|| Open { work: begin_mission(m), sessions: BTreeMap::new() });
        let sessions = std::mem::take(&mut open.sessions);
        let (live, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            sessions.into_iter().partition(|(id, _)| m.session(*id).is_some());
        gone.into_values().for_each(Work::done);
        open.sessions = live;
        for session in m.sessions() {
            let begin = || begin_session(open.work.context(), m, session, engines);
            open.sessions.entry(session.id).or_insert_with(begin);
        }
    }

    /// What an effect is a part of: its session, else its mission, else what the process is a part of.
    fn around(&self, mission: &MissionId, session: Option<SessionId>) -> Context {
        let Some(open) = self.missions.get(mission) else {
            return inherited();
        };
        let session = session.and_then(|id| open.sessions.get(&id));
        session.unwrap_or(&open.work).context().clone()
    }

    /// Begins the span of an effect. A turn has none of its own: its request is told of, as a part of the session; and a
    /// wait is nothing.
    pub fn begin(&self, mission: &MissionId, act: &Act) -> (Context, Option<Work>) {
        let (session, told) = told(mission, act);
        let around = self.around(mission, session);
        let Some((name, attributes)) = told else {
            return (around, None);
        };
        let work = Work::begin(&around, Kind::Internal, name, attributes);
        (work.context().clone(), Some(work))
    }
}

fn begin_mission(m: &Mission) -> Work {
    let mode = match m.mode {
        Mode::Task => "task",
        Mode::Plan => "plan",
    };
    let attributes = vec![
        ("gen_ai.operation.name", "invoke_workflow".into()),
        ("gen_ai.workflow.name", "mission".into()),
        ("orchestrator.mission.id", m.id.0.as_str().into()),
        ("orchestrator.mission.mode", mode.into()),
    ];
    Work::begin(&inherited(), Kind::Internal, "invoke_workflow mission", attributes)
}

fn conclude_mission(work: Work, m: &Mission, outcome: &str) {
    work.set("orchestrator.mission.outcome", outcome);
    work.set("gen_ai.usage.input_tokens", m.spent.usage.input);
    work.set("gen_ai.usage.output_tokens", m.spent.usage.output);
    match outcome {
        "sealed" | "cancelled" => work.done(),
        other => work.failed(other),
    }
}

/// The id of a session's conversation, the same as its provider is told.
fn conversation(mission: &MissionId, session: SessionId) -> Value {
    Value::Text(format!("{mission}/{session}"))
}

fn begin_session(
    around: &Context,
    m: &Mission,
    session: &Session,
    engines: &BTreeMap<Role, (String, String)>,
) -> Work {
    let role = session.role.name();
    let mut attributes = vec![
        ("gen_ai.operation.name", "invoke_agent".into()),
        ("gen_ai.agent.name", role.into()),
        ("gen_ai.conversation.id", conversation(&m.id, session.id)),
    ];
    match engines.get(&session.role) {
        Some((provider, model)) => {
            attributes.push(("gen_ai.provider.name", provider.as_str().into()));
            attributes.push(("gen_ai.request.model", model.as_str().into()));
        }
        None => attributes.push(("gen_ai.provider.name", "orchestrator.symbolic".into())),
    }
    if let Some(item) = &session.item {
        attributes.push(("orchestrator.item", item.to_string().into()));
    }
    Work::begin(around, Kind::Internal, format!("invoke_agent {role}"), attributes)
}

/// The session of an effect, and the name and attributes of its span.
fn told(mission: &MissionId, act: &Act) -> (Option<SessionId>, Option<(String, Attributes)>) {
    let tool = |session: &SessionId, name: &str, id: &str| {
        let name = known_form(name);
        let attributes = vec![
            ("gen_ai.operation.name", "execute_tool".into()),
            ("gen_ai.tool.name", name.into()),
            ("gen_ai.tool.type", "function".into()),
            ("gen_ai.tool.call.id", known_form(id).into()),
            ("gen_ai.conversation.id", conversation(mission, *session)),
        ];
        (Some(*session), Some((format!("execute_tool {name}"), attributes)))
    };
    let plain = |name: &str, attributes| (None, Some((name.to_owned(), attributes)));
    match act {
        Act::Ask { session } | Act::Wait { session, .. } => (Some(*session), None),
        Act::Recall { session } => (Some(*session), Some(("recall".to_owned(), Vec::new()))),
        Act::Tool { session, call, .. } => tool(session, &call.name, &call.id),
        Act::Check { session, call, .. } => tool(session, PROPOSE, &call.id),
        Act::Apply { receipt } => plain("apply", vec![("orchestrator.receipt", (*receipt).into())]),
        Act::Undo { .. } => plain("undo", Vec::new()),
        Act::Baseline => plain("gate baseline", Vec::new()),
        Act::Foresee { .. } => plain("gate foresee", Vec::new()),
        Act::Test { item } => {
            plain("gate test", vec![("orchestrator.item", item.to_string().into())])
        }
        Act::Seal => plain("gate seal", Vec::new()),
    }
}

/// A name that a model chose, where it has the form of one: it can be anything.
fn known_form(name: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match (1..=128).contains(&name.len()) && name.chars().all(is_name) {
        true => name,
        false => "_OTHER",
    }
}

/// Ends the span of an effect with what came of it.
pub(super) fn conclude(work: Work, outcome: &Outcome) {
    match error_of(outcome) {
        Some(kind) => work.failed(kind),
        None => work.done(),
    }
}

fn error_of(outcome: &Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::Called { is_error: true, .. } => "tool_error",
        Outcome::Checked { verdict: GateVerdict::Refused { .. } } => "refused",
        Outcome::Checked { verdict: GateVerdict::Unverified { .. } }
        | Outcome::Tested { verdict: TestVerdict::Unverified { .. } }
        | Outcome::Sealed { verdict: SealVerdict::Unverified { .. } } => "unverified",
        Outcome::Tested { verdict: TestVerdict::Failed { .. } } => "tests_failed",
        Outcome::Sealed { verdict: SealVerdict::Red { .. } } => "red",
        Outcome::Stale { .. } => "stale",
        Outcome::Met { .. } => "met",
        Outcome::Edited { .. } => "edited",
        Outcome::NotApplied { .. } => "not_applied",
        Outcome::Aborted => "aborted",
        _ => return None,
    })
}

/// Tells of the gate's stages, once they have ended. They ran one after the other; what lies between them is too short
/// to be kept, so that their places are near the truth and their lengths are it.
pub(super) fn stages(stages: &[StageReport]) {
    let piece = |report: &StageReport| {
        let stage = format!("{:?}", report.stage).to_lowercase();
        let (verdict, error) = match report.verdict {
            StageVerdict::Passed => ("passed", None),
            StageVerdict::Refused => ("refused", Some("refused")),
            StageVerdict::Unverified => ("unverified", Some("unverified")),
            StageVerdict::NotApplicable => ("not-applicable", None),
        };
        let name = format!("gate {stage}");
        let attributes = vec![
            ("orchestrator.gate.stage", stage.into()),
            ("orchestrator.gate.verdict", verdict.into()),
        ];
        Piece { name, took: Duration::from_micros(report.us), attributes, error }
    };
    Work::tell_of(&current(), stages.iter().map(piece).collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_place_for_prose() {
        assert_eq!(known_form("read"), "read");
        assert_eq!(known_form("mcp.docs-search_2"), "mcp.docs-search_2");
        for odd in ["", "two words", "sk-1\n", &"a".repeat(200)] {
            assert_eq!(known_form(odd), "_OTHER", "{odd}");
        }
    }
}
