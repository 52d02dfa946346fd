//! The agents: what each character answers in each role, sense or nonsense.

use serde_json::{Map, Value, json};

use super::super::control::{ASK, DONE, PROPOSE, UPDATE_TODO};
use super::super::conversation::{Message, Role, ToolCall, Turn, Usage};
use super::super::event::{Fault, FaultKind};
use super::super::{Outcome, Session};
use super::random::Dice;
use super::scenario::{Scenario, plan};

/// The most calls of one answer, but for a hostile agent's.
pub(super) const CALLS: usize = 4;

/// How an agent behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Character {
    /// Does what its role asks for.
    Honest,
    /// Mostly.
    Mediocre,
    /// Claims that all is done and tested.
    Lying,
    /// Makes the same calls again and again, in cycles of one to three.
    Looping,
    /// Says nothing, or nothing that can be used.
    Silent,
    /// Other roles' tools, arguments that break things, a hundred calls at once.
    Hostile,
    /// Gives up, declines, fails every review.
    Refusing,
}

use self::Character::{Honest, Hostile, Looping, Lying, Mediocre, Refusing, Silent};

impl Character {
    pub fn any(dice: &mut Dice) -> Character {
        let all = [Honest, Mediocre, Lying, Looping, Silent, Hostile, Refusing];
        dice.pick(&all, Honest)
    }
}

/// What becomes of a turn that was asked for. A session that is no more is answered, too: late, and for nothing.
pub(super) fn turn(dice: &mut Dice, scenario: &Scenario, session: Option<&Session>) -> Outcome {
    let usage = usage(dice, scenario);
    if dice.roll(100) < scenario.faults {
        return Outcome::Faulted { fault: fault(dice, usage) };
    }
    let Some(session) = session else {
        return Outcome::Answered { turn: Turn { usage, ..Turn::default() } };
    };
    let character = scenario.agent(session.role);
    let mut calls = match character {
        Honest => vec![honest(dice, session)],
        Mediocre if dice.once_in(3) => some(dice),
        Mediocre => vec![honest(dice, session)],
        Lying => vec![lie(session.role)],
        Looping => {
            let cycle = 1 + session.id % 3;
            vec![call("read", json!({"path": "a.rs", "from": session.turns % cycle}))]
        }
        Silent => Vec::new(),
        Hostile => hostile(dice),
        Refusing => vec![refusal(session.role)],
    };
    for (number, call) in calls.iter_mut().enumerate() {
        call.id = format!("{}-{number}", session.turns);
    }
    let text = if character == Silent { "I will look into it." } else { "" };
    Outcome::Answered { turn: Turn { text: text.to_owned(), calls, usage, ..Turn::default() } }
}

fn usage(dice: &mut Dice, scenario: &Scenario) -> Usage {
    if scenario.absurd_usage && dice.once_in(10) {
        return Usage {
            input: u64::MAX,
            output: u64::MAX,
            micro_usd: u64::MAX,
            ..Usage::default()
        };
    }
    // No more than is reckoned with beforehand.
    let (input, output) = (dice.roll(4_000), 1 + dice.roll(16_000));
    let price = scenario.limits.prices.of.get(&Role::Worker);
    let micro_usd = price.map_or(0, |price| price.of(input, output));
    Usage { input, output, cached: input / 2, micro_usd, estimated: dice.once_in(9) }
}

fn fault(dice: &mut Dice, usage: Usage) -> Fault {
    let mut kind = dice.pick(&FaultKind::ALL, FaultKind::Transient);
    if kind == FaultKind::NeedsHuman && !dice.once_in(8) {
        kind = FaultKind::Transient;
    }
    let message = dice.pick(&["the provider said no", ""], "");
    let mut fault = Fault::new(kind, message);
    fault.retry_after_ms = dice.once_in(4).then(|| dice.pick(&[0, 5_000, u64::MAX], 0));
    fault.jitter = dice.roll(1_200) as u32;
    if dice.once_in(2) {
        fault.usage = usage;
    }
    if !dice.once_in(4) {
        let is_fallback = dice.once_in(4);
        let name = format!("model {is_fallback}");
        fault.by = Some(Box::new(super::super::provider::Server { name, is_fallback }));
        fault.instead = dice.once_in(4).then(|| "another".to_owned());
    }
    fault.unsent = fault.usage == Usage::default() && dice.once_in(5);
    fault
}

pub(super) fn call(name: &str, arguments: Value) -> ToolCall {
    let arguments = match arguments {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    ToolCall { id: String::new(), name: name.to_owned(), arguments: arguments.into() }
}

fn honest(dice: &mut Dice, session: &Session) -> ToolCall {
    let is_refused = matches!(session.messages.last(), Some(Message::Tool { is_error: true, .. }));
    match session.role {
        Role::Commander if dice.once_in(4) => call("triage", json!({"decision": "direct"})),
        Role::Commander => call("triage", json!({"decision": "plan", "brief": "look at a.rs"})),
        Role::Planner => call("plan", json!({"todo": plan(dice)})),
        Role::Worker if session.turns == 0 => call("read", json!({"path": "a.rs"})),
        Role::Worker if session.turns == 1 || is_refused => {
            call(PROPOSE, json!({"changes": [session.turns]}))
        }
        Role::Worker => call(DONE, json!({"summary": "did it", "notes": [{"message": "n"}]})),
        Role::Reviewer => call("verdict", json!({"pass": true, "evidence": ["read it"]})),
    }
}

fn lie(role: Role) -> ToolCall {
    match role {
        Role::Commander => call("triage", json!({"decision": "direct"})),
        Role::Planner => {
            let todo = "## M1: a\n### T1.1: b\n- [x] S1.1.1: c | verified | evidence:tests pass\n";
            call("plan", json!({"todo": todo}))
        }
        Role::Worker => call(DONE, json!({"summary": "all tests pass"})),
        Role::Reviewer => call("verdict", json!({"pass": true, "evidence": ["all tests pass"]})),
    }
}

fn refusal(role: Role) -> ToolCall {
    let finding = json!({"message": "not good", "file": "a.rs", "line": 1});
    match role {
        Role::Commander => call("triage", json!({"decision": "decline"})),
        Role::Planner | Role::Worker => call("give_up", json!({"reason": "cannot"})),
        Role::Reviewer => call("verdict", json!({"pass": false, "findings": [finding]})),
    }
}

/// Calls that anybody might make.
fn some(dice: &mut Dice) -> Vec<ToolCall> {
    let one = |dice: &mut Dice| match dice.roll(11) {
        0 => call("triage", json!({"decision": "plan"})),
        1 => call("plan", json!({"todo": "nonsense"})),
        2 => call("plan", json!({"todo": plan(dice)})),
        3 => call(PROPOSE, json!({"changes": [dice.roll(3)]})),
        4 => call(DONE, json!({"summary": "s"})),
        5 => call("give_up", json!({"reason": ""})),
        6 => lie(Role::Reviewer),
        7 => refusal(Role::Reviewer),
        8 => call(ASK, json!({"question": "may I?", "choices": ["yes", "no"]})),
        9 => {
            let mark = dice.pick(&["active", "failed", "done", ""], "");
            call(UPDATE_TODO, json!({"item": "S1.1.1", "mark": mark, "note": "seen | \\ "}))
        }
        _ => call("read", json!({"path": "b.rs", "from": dice.roll(5)})),
    };
    (0..dice.roll(CALLS as u64 + 1)).map(|_| one(dice)).collect()
}

fn hostile(dice: &mut Dice) -> Vec<ToolCall> {
    let evil = "\u{0}\u{202e}../../etc/passwd | file:/x\n## M9: y\n- [x] S1.1.1: z";
    let finding =
        json!({"message": evil, "file": evil, "line": u32::MAX, "kind": evil, "fix": evil});
    match dice.roll(10) {
        0 if dice.once_in(8) => {
            (0..100).map(|n| call("read", json!({"path": evil, "from": n}))).collect()
        }
        1 => vec![call("rm -rf", json!({"/": [[[[{"x": evil}]]]]}))],
        2 => vec![call(
            "plan",
            json!({"todo": format!("# {evil}\n## M999999: a\n### T999999.999999: b\n- [ ] S999999.999999.999999: c")}),
        )],
        3 => vec![call("plan", json!({"todo": 7})), call("triage", json!({"decision": evil}))],
        4 => vec![call("verdict", json!({"pass": false, "findings": [finding, finding, {}]}))],
        5 => vec![call("verdict", json!({"pass": false, "findings": vec![finding; 150]}))],
        6 => vec![call(DONE, json!({"summary": evil, "notes": [finding]})), call(DONE, json!({}))],
        7 => vec![call(PROPOSE, json!({})), call(DONE, json!({"summary": ""}))],
        8 => vec![call("", json!({"": evil}))],
        _ => some(dice),
    }
}
