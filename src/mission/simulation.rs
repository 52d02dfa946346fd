//! Drives the pure core: whole missions with scripted agents, and random ones by the thousand.

use serde_json::{Value, json};

use super::conversation::{Role, ToolCall, Turn, Usage};
use super::event::{Fault, FaultKind, GateVerdict, NewFinding, SealVerdict};
use super::*;

const PLAN: &str = "# Mission: g\n## M1: m\n### T1.1: a\n- [ ] S1.1.1: x | file:a.rs\n### T1.2: b | depends:T1.1\n- [ ] S1.2.1: y | file:b.rs\n";

fn call(name: &str, arguments: Value) -> ToolCall {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object");
    };
    ToolCall { id: format!("c-{name}"), name: name.into(), arguments }
}

fn turn(calls: Vec<ToolCall>) -> Outcome {
    let usage = Usage { input: 10, output: 5, ..Usage::default() };
    Outcome::Answered { turn: Turn { text: String::new(), calls, usage } }
}

fn accepted(receipt: u64) -> Outcome {
    Outcome::Checked {
        verdict: GateVerdict::Accepted {
            receipt,
            files: vec!["a.rs".into()],
            summary: "ok".into(),
        },
    }
}

fn begin(mode: Mode, limits: fuel::Limits) -> (Mission, Vec<Effect>) {
    let event = Event::Started { goal: "g".into(), mode, engine: "test".into(), limits };
    step(Mission::new(MissionId("m".into())), 1_000, &event)
}

/// Runs a mission until it ends or rests; `world` answers each effect.
fn run(
    mut m: Mission,
    effects: Vec<Effect>,
    mut world: impl FnMut(&Mission, &Effect) -> Outcome,
) -> Mission {
    let mut queue: std::collections::VecDeque<Effect> = effects.into();
    let mut at = m.now;
    for _ in 0..20_000 {
        let Some(effect) = queue.pop_front() else {
            return m;
        };
        at += 10;
        let outcome = world(&m, &effect);
        let (next, more) = step(m, at, &Event::Finished { effect: effect.id, outcome });
        m = next;
        queue.extend(more);
    }
    panic!("the mission did not end: {:?}", m.phase);
}

/// A world in which everything goes right.
fn good(m: &Mission, effect: &Effect) -> Outcome {
    match &effect.act {
        Act::Ask { session } => {
            let session = m.session(*session).unwrap();
            let answer = match session.role {
                Role::Commander => call("triage", json!({"decision": "plan"})),
                Role::Planner => call("plan", json!({"todo": PLAN})),
                Role::Worker if session.turns == 0 => call("propose", json!({"changes": []})),
                Role::Worker => call("done", json!({"summary": "did it"})),
                Role::Reviewer => call("verdict", json!({"pass": true, "evidence": ["read it"]})),
            };
            turn(vec![answer])
        }
        Act::Tool { .. } => Outcome::Called { content: "text".into(), is_error: false },
        Act::Check { .. } => accepted(m.receipts.len() as u64 + 1),
        Act::Apply { .. } => Outcome::Applied,
        Act::Seal => Outcome::Sealed {
            verdict: SealVerdict::Green { hash: "h".repeat(64), summary: "ok".into() },
        },
        Act::Wait { .. } => Outcome::Waited,
    }
}

#[test]
fn a_mission_goes_from_goal_to_seal() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let m = run(m, effects, good);
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
    assert_eq!(m.receipts.len(), 2);
    assert_eq!(m.plan.unwrap().progress(), (2, 2));
    // Commander, Planner, 2 × (Worker twice, Reviewer), Reviewer of the whole.
    assert_eq!(m.spent.calls, 9);
}

#[test]
fn a_refusal_goes_back_to_the_worker_and_becomes_a_finding() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut checks = 0;
    let mut worker_saw = String::new();
    let m = run(m, effects, |m, e| match &e.act {
        Act::Check { .. } => {
            checks += 1;
            if checks > 1 {
                return accepted(checks);
            }
            let problem = NewFinding {
                file: Some("a.rs".into()),
                line: Some(3),
                severity: event::Gravity::Error,
                message: "mismatched types".into(),
                fix: None,
                kind: None,
            };
            Outcome::Checked {
                verdict: GateVerdict::Refused {
                    stage: "tools".into(),
                    report: "a.rs:3".into(),
                    problems: vec![problem],
                },
            }
        }
        Act::Ask { session } => {
            let s = m.session(*session).unwrap();
            if s.role == Role::Worker && checks == 1 && worker_saw.is_empty() {
                worker_saw = format!("{:?}", s.messages.last());
                assert_eq!(m.findings.iter().filter(|f| f.is_obligation()).count(), 1);
                return turn(vec![call("propose", json!({"changes": [1]}))]);
            }
            good(m, e)
        }
        _ => good(m, e),
    });
    assert!(worker_saw.contains("refused at tools"), "{worker_saw}");
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
    assert_eq!(m.findings.iter().filter(|f| f.is_obligation()).count(), 0);
}

#[test]
fn unverified_is_never_applied() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let m = run(m, effects, |m, e| match &e.act {
        Act::Check { .. } => {
            Outcome::Checked { verdict: GateVerdict::Unverified { reason: "no cargo".into() } }
        }
        Act::Apply { .. } => panic!("applied without a receipt"),
        _ => good(m, e),
    });
    assert!(matches!(m.ended, Some(End::Blocked { ref needs }) if needs.contains("no cargo")));
}

#[test]
fn a_red_seal_makes_another_round_and_rounds_end() {
    let limits = fuel::Limits { rounds: 2, ..Default::default() };
    let (m, effects) = begin(Mode::Task, limits);
    let m = run(m, effects, |m, e| match &e.act {
        Act::Seal => {
            Outcome::Sealed { verdict: SealVerdict::Red { report: "test x failed".into() } }
        }
        _ => good(m, e),
    });
    assert!(
        matches!(m.ended, Some(End::Exhausted { ref limit }) if limit.contains("test x failed")),
        "{:?}",
        m.ended
    );
    assert_eq!(m.plan.unwrap().milestones.len(), 3);
}

#[test]
fn a_reviewer_that_always_fails_ends_in_blocked() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let m = run(m, effects, |m, e| match &e.act {
        Act::Ask { session } if m.session(*session).unwrap().role == Role::Reviewer => {
            turn(vec![call("verdict", json!({"pass": false, "findings": [{"message": "no"}]}))])
        }
        _ => good(m, e),
    });
    assert!(
        matches!(m.ended, Some(End::Blocked { ref needs }) if needs.contains("T1.1")),
        "{:?}",
        m.ended
    );
}

#[test]
fn a_pass_needs_evidence_and_only_a_worker_proposes() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut refusals = Vec::new();
    let m = run(m, effects, |m, e| match &e.act {
        Act::Ask { session } if m.session(*session).unwrap().role == Role::Reviewer => {
            let s = m.session(*session).unwrap();
            match s.turns {
                0 => turn(vec![call("verdict", json!({"pass": true}))]),
                1 => turn(vec![
                    call("propose", json!({"changes": []})),
                    call("done", json!({"summary": "me"})),
                ]),
                _ => {
                    refusals = s
                        .messages
                        .iter()
                        .filter(|m| matches!(m, conversation::Message::Tool { is_error: true, .. }))
                        .cloned()
                        .collect();
                    good(m, e)
                }
            }
        }
        _ => good(m, e),
    });
    assert_eq!(refusals.len(), 3);
    assert!(matches!(m.ended, Some(End::Sealed { .. })));
}

#[test]
fn a_plan_waits_and_an_item_runs_by_itself() {
    let (m, effects) = begin(Mode::Plan, fuel::Limits::default());
    let m = run(m, effects, good);
    assert_eq!((m.phase, m.is_idle(), m.receipts.len()), (Phase::Planned, true, 0));
    let item = plan::ItemId::parse("S1.1.1").unwrap();
    let (m, effects) = step(m, 9_000_000, &Event::Commanded { command: Command::RunItem { item } });
    let m = run(m, effects, good);
    assert_eq!((m.phase, m.receipts.len()), (Phase::Planned, 1));
    let (m, effects) = step(m, 90_000_000, &Event::Commanded { command: Command::Resume });
    let m = run(m, effects, good);
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
}

#[test]
fn a_blocked_mission_goes_on_once_the_need_is_met() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let fault = Fault {
        kind: FaultKind::NeedsHuman,
        message: "set the key".into(),
        retry_after_ms: None,
        usage: Usage::default(),
    };
    let m = run(m, effects, |_, _| Outcome::Faulted { fault: fault.clone() });
    assert!(matches!(m.ended, Some(End::Blocked { ref needs }) if needs == "set the key"));
    let (m, effects) = step(m, 5_000, &Event::Commanded { command: Command::Resume });
    let m = run(m, effects, good);
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
}

/// A worker gives up until somebody else's change made it possible.
#[test]
fn what_was_given_up_is_tried_again_after_other_changes() {
    let independent = PLAN.replace(" | depends:T1.1", "");
    let world = |possible: bool| {
        let independent = independent.clone();
        move |m: &Mission, e: &Effect| match &e.act {
            Act::Ask { session } => {
                let s = m.session(*session).unwrap();
                let first = s.item.as_ref().is_some_and(|item| item.to_string() == "T1.1");
                match s.role {
                    Role::Planner => turn(vec![call("plan", json!({"todo": independent}))]),
                    Role::Worker
                        if first && !(possible && m.receipts.len() == 1) && s.turns == 0 =>
                    {
                        turn(vec![call("give_up", json!({"reason": "not yet"}))])
                    }
                    _ => good(m, e),
                }
            }
            _ => good(m, e),
        }
    };
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let done = run(m.clone(), effects.clone(), world(true));
    assert!(matches!(done.ended, Some(End::Sealed { .. })), "{:?}", done.ended);
    let never = run(m, effects, world(false));
    assert!(
        matches!(never.ended, Some(End::Blocked { ref needs }) if needs.contains("not yet")),
        "{:?}",
        never.ended
    );
}

/// xorshift: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn random_calls(dice: &mut Dice) -> Vec<ToolCall> {
    let some = [
        call("triage", json!({"decision": "plan"})),
        call("triage", json!({"decision": "direct"})),
        call("plan", json!({"todo": PLAN})),
        call("plan", json!({"todo": "nonsense"})),
        call("propose", json!({"changes": []})),
        call("done", json!({"summary": "s", "notes": [{"message": "n"}]})),
        call("done", json!({})),
        call("give_up", json!({"reason": "r"})),
        call("verdict", json!({"pass": true, "evidence": ["e"]})),
        call("verdict", json!({"pass": false, "findings": [{"message": "bad", "file": "a.rs"}]})),
        call("read", json!({"path": "a"})),
        call("rm -rf", json!({})),
    ];
    (0..dice.roll(4)).map(|_| some[dice.roll(some.len() as u64) as usize].clone()).collect()
}

fn random_outcome(dice: &mut Dice, act: &Act, receipts: u64) -> Outcome {
    let kinds =
        [FaultKind::Transient, FaultKind::BadAnswer, FaultKind::Overflow, FaultKind::NeedsHuman];
    match (act, dice.roll(40)) {
        (_, 0) => Outcome::Aborted,
        (Act::Ask { .. }, n @ 1..=6) => Outcome::Faulted {
            fault: Fault {
                kind: kinds[if n == 1 { 3 } else { n as usize % 3 }],
                message: "f".into(),
                retry_after_ms: None,
                usage: Usage::default(),
            },
        },
        (Act::Ask { .. }, _) => turn(random_calls(dice)),
        (Act::Tool { .. }, n) => Outcome::Called { content: "c".into(), is_error: n > 20 },
        (Act::Check { .. }, 1) => {
            Outcome::Checked { verdict: GateVerdict::Unverified { reason: "r".into() } }
        }
        (Act::Check { .. }, 2..=12) => Outcome::Checked {
            verdict: GateVerdict::Refused {
                stage: "rules".into(),
                report: "r".into(),
                problems: vec![],
            },
        },
        (Act::Check { .. }, _) => accepted(receipts + 1),
        (Act::Apply { .. }, 1..=4) => Outcome::Stale { reason: "s".into() },
        (Act::Apply { .. }, 5) => Outcome::NotApplied { reason: "n".into() },
        (Act::Apply { .. }, _) => Outcome::Applied,
        (Act::Seal, 1..=15) => Outcome::Sealed { verdict: SealVerdict::Red { report: "r".into() } },
        (Act::Seal, _) => Outcome::Sealed {
            verdict: SealVerdict::Green { hash: "h".into(), summary: "s".into() },
        },
        (Act::Wait { .. }, _) => Outcome::Waited,
    }
}

/// Whatever the agents, the gate and the disk do, a mission ends, and replaying its events gives the same mission.
#[test]
fn every_mission_ends_and_replays() {
    for seed in 1..=3_000u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let limits = fuel::Limits { calls: 150, ..Default::default() };
        let started = Event::Started {
            goal: "g".into(),
            mode: Mode::Task,
            engine: "test".into(),
            limits: limits.clone(),
        };
        let mut events = vec![started];
        let (mut m, mut open) = step(Mission::new(MissionId("m".into())), 0, &events[0]);
        let mut applied = 0u64;
        for at in 1..5_000u64 {
            if m.ended.is_some() && open.is_empty() {
                break;
            }
            assert!(
                !open.is_empty(),
                "seed {seed}: nothing under way, and not ended ({:?})",
                m.phase
            );
            let effect = open.swap_remove(dice.roll(open.len() as u64) as usize);
            let outcome = random_outcome(&mut dice, &effect.act, m.receipts.len() as u64);
            applied += u64::from(outcome == Outcome::Applied && m.pending.contains_key(&effect.id));
            let event = Event::Finished { effect: effect.id, outcome };
            let (next, more) = step(m, at, &event);
            m = next;
            open.extend(more);
            events.push(event);
        }
        assert!(m.ended.is_some(), "seed {seed}: not ended, {:?}", m.phase);
        assert!(m.spent.calls <= limits.calls, "seed {seed}: {} calls", m.spent.calls);
        assert_eq!(m.receipts.len() as u64, applied, "seed {seed}");
        if let Some(End::Sealed { .. }) = m.ended {
            assert_eq!(m.obligations(), 0, "seed {seed}: sealed with obligations open");
        }
        let again = (0u64..)
            .zip(&events)
            .fold(Mission::new(MissionId("m".into())), |m, (at, e)| step(m, at, e).0);
        assert_eq!(view::MissionView::of(&again), view::MissionView::of(&m), "seed {seed}");
    }
}
