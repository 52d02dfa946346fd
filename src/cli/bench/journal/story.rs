//! A long mission as it would be lived: the core's own effects are answered, one by one, until there are enough events.
//! It writes nothing and measures nothing.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use crate::mission::conversation::{Role, ToolCall, Turn, Usage};
use crate::mission::event::{GateVerdict, SealVerdict, TestVerdict};
use crate::mission::fuel::Limits;
use crate::mission::{Act, Effect, Event, Mission, MissionId, Mode, Outcome, step};

/// How many tasks the plan has.
const TASKS: usize = 50;
/// What a tool hands back, in bytes: a screen of a file.
const RESULT: usize = 600;
/// Milliseconds between two events.
const PACE: u64 = 40;

/// The events of a mission, at least `wanted` of them, with their stamps. The last one leaves it under way.
pub(super) fn events(wanted: usize) -> Vec<(u64, Event)> {
    let reads = (wanted / TASKS / 2).max(1);
    let mut mission = Mission::new(MissionId("bench".to_owned()));
    let mut events = Vec::with_capacity(wanted);
    let mut open: VecDeque<Effect> = VecDeque::new();
    let mut next = Some(started());
    while let Some(event) = next.take() {
        let at = 1_700_000_000_000 + events.len() as u64 * PACE;
        let (stepped, effects) = step(mission, at, &event);
        mission = stepped;
        events.push((at, event));
        open.extend(effects);
        if events.len() == wanted {
            break;
        }
        next = open.pop_front().map(|effect| {
            let outcome = answer(&mission, &effect.act, reads, events.len());
            Event::Finished { effect: effect.id, outcome }
        });
    }
    events
}

fn started() -> Event {
    let plenty = Limits {
        calls: u64::MAX,
        tokens: u64::MAX,
        micro_usd: u64::MAX,
        wall_ms: u64::MAX,
        turns: u32::MAX,
        ..Limits::default()
    };
    Event::Started {
        goal: "a long mission".to_owned(),
        mode: Mode::Task,
        engine: "bench".to_owned(),
        limits: plenty,
        rules: crate::mission::RULES,
    }
}

fn answer(m: &Mission, act: &Act, reads: usize, number: usize) -> Outcome {
    match act {
        Act::Ask { session } => Outcome::Answered { turn: turn(m, *session, reads, number) },
        Act::Recall { .. } => {
            Outcome::Recalled { shared: String::new(), own: String::new(), weighed: Vec::new() }
        }
        Act::Tool { .. } => {
            let line = format!("{number:>6}  let value = compute(input)?;\n");
            Outcome::Called { content: line.repeat(RESULT / line.len()), is_error: false }
        }
        Act::Check { item, .. } => {
            let (receipt, files) = (m.receipts.len() as u64 + 1, vec![format!("src/{item}.rs")]);
            let summary = "syntax passed, rules passed, servers passed".to_owned();
            Outcome::Checked { verdict: GateVerdict::Accepted { receipt, files, summary } }
        }
        Act::Apply { .. } | Act::Undo { .. } => Outcome::Applied,
        Act::Baseline => Outcome::Baselined { baseline: String::new() },
        Act::Foresee { .. } => Outcome::Foreseen { uses: Default::default() },
        Act::Test { .. } => {
            let summary = "12 tests passed".to_owned();
            Outcome::Tested { verdict: TestVerdict::Passed { summary } }
        }
        Act::Seal => {
            let (hash, summary) = ("0".repeat(64), "all green".to_owned());
            Outcome::Sealed { verdict: SealVerdict::Green { hash, summary, hints: Vec::new() } }
        }
        Act::Wait { .. } => Outcome::Waited,
    }
}

/// A Worker reads `reads` times, each time something else, then changes a file and is done.
fn turn(m: &Mission, session: u32, reads: usize, number: usize) -> Turn {
    let session = m.session(session);
    let turns = session.map_or(0, |session| session.turns as usize);
    let (name, arguments) = match session.map(|session| session.role) {
        Some(Role::Commander) => ("triage", json!({"decision": "plan"})),
        Some(Role::Planner) => ("plan", json!({"todo": plan()})),
        Some(Role::Worker) if turns < reads => {
            ("read", json!({"path": "src/lib.rs", "from": number, "to": number + 20}))
        }
        Some(Role::Worker) if turns == reads => ("propose", json!({"changes": []})),
        Some(Role::Worker) => ("done", json!({"summary": "it is done"})),
        _ => ("verdict", json!({"pass": true, "evidence": ["it was read"]})),
    };
    let arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
    let call = ToolCall {
        id: format!("call_{number}"),
        name: name.to_owned(),
        arguments: arguments.into(),
    };
    let usage = Usage { input: 9_000, output: 120, cached: 8_500, ..Usage::default() };
    Turn {
        text: "I look at the next part of the file.".to_owned(),
        calls: vec![call],
        usage,
        ..Turn::default()
    }
}

fn plan() -> String {
    let mut text = "# Mission: a long mission\n\n## M1: all of it\n".to_owned();
    for number in 1..=TASKS {
        text += &format!("\n### T1.{number}: part {number}\n- [ ] S1.{number}.1: step\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mission_is_lived_to_its_end_where_it_is_asked_for() {
        let events = events(4_000);
        assert!(events.len() > 2_000, "{}", events.len());
        let mission = events
            .iter()
            .fold(Mission::new(MissionId("m".into())), |m, (at, event)| step(m, *at, event).0);
        assert!(mission.receipts.len() > 10);
        assert!(
            mission.ended.as_ref().is_none_or(|end| end.name() == "sealed"),
            "{:?}",
            mission.ended
        );
    }
}
