//! Whole missions with scripted agents: who does what, and how it ends. Random ones are in [`super::simulation`].

mod asking;
mod bounds;
mod context;
mod person;

use serde_json::{Value, json};

use super::conversation::{Role, ToolCall, Turn, Usage};
use super::event::{Fault, FaultKind, GateVerdict, Gravity, NewFinding, SealVerdict, TestVerdict};
use super::*;

const PLAN: &str = "# Mission: g\n## M1: m\n### T1.1: a\n- [ ] S1.1.1: x | file:a.rs\n### T1.2: b | depends:T1.1\n- [ ] S1.2.1: y | file:b.rs\n";

fn call(name: &str, arguments: Value) -> ToolCall {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object");
    };
    ToolCall { id: format!("c-{name}"), name: name.into(), arguments: arguments.into() }
}

fn turn(calls: Vec<ToolCall>) -> Outcome {
    let usage = Usage { input: 10, output: 5, ..Usage::default() };
    Outcome::Answered { turn: Turn { calls, usage, ..Turn::default() } }
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

fn remembered(shared: &str, own: &str) -> Outcome {
    Outcome::Recalled { shared: shared.into(), own: own.into(), weighed: Vec::new() }
}

fn tested(verdict: TestVerdict) -> Outcome {
    Outcome::Tested { verdict }
}

fn begin(mode: Mode, limits: fuel::Limits) -> (Mission, Vec<Effect>) {
    let event = Event::Started {
        goal: "g".into(),
        mode,
        engine: "test".into(),
        limits,
        rules: crate::RULES,
    };
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
        Act::Recall { .. } => remembered("", ""),
        Act::Tool { .. } => Outcome::Called { content: "text".into(), is_error: false },
        Act::Check { .. } => accepted(m.receipts.len() as u64 + 1),
        Act::Apply { .. } | Act::Undo { .. } => Outcome::Applied,
        Act::Baseline => Outcome::Baselined { baseline: "b".into() },
        Act::Foresee { .. } => Outcome::Foreseen { uses: Default::default() },
        Act::Test { .. } => tested(TestVerdict::Passed { summary: "1 passed".into() }),
        Act::Seal => Outcome::Sealed {
            verdict: SealVerdict::Green {
                hash: "h".repeat(64),
                summary: "ok".into(),
                hints: Vec::new(),
            },
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
fn what_stood_before_is_known_before_anything_is_proved() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut known = 0;
    let m = run(m, effects, |m, e| {
        match &e.act {
            Act::Baseline => known += 1,
            Act::Check { .. } | Act::Apply { .. } | Act::Seal => assert_eq!(known, 1),
            _ => {}
        }
        good(m, e)
    });
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
    assert_eq!(known, 1);
}

#[test]
fn a_test_that_breaks_sends_the_task_back_before_it_is_judged() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let (mut runs, mut seen) = (0, String::new());
    let m = run(m, effects, |m, e| match &e.act {
        Act::Test { .. } => {
            runs += 1;
            match runs {
                1 => tested(TestVerdict::Failed { report: "adds::carries".into() }),
                _ => good(m, e),
            }
        }
        Act::Ask { session } => {
            let s = m.session(*session).unwrap();
            assert!(runs > 0 || s.role != Role::Reviewer, "judged before it was tested");
            if s.role == Role::Worker && runs == 1 && seen.is_empty() {
                seen = format!("{:?}", s.messages);
            }
            good(m, e)
        }
        _ => good(m, e),
    });
    assert!(seen.contains("adds::carries"), "{seen}");
    assert_eq!(runs, 3, "the first task twice, the second once");
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
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
        matches!(m.ended, Some(End::Blocked { ref needs }) if needs.contains("The Reviewer refused it")),
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
    let fault = Fault::new(FaultKind::NeedsHuman, "set the key");
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
                let first = s.item.as_ref().is_some_and(|item| item.to_string().ends_with(".1"));
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

fn tell(m: Mission, command: Command) -> (Mission, Vec<Effect>) {
    let at = m.now + 1;
    step(m, at, &Event::Commanded { command })
}

/// Runs until `stop` says so of an effect that comes up, and hands that one back; what was begun beside it ends.
fn run_to(mode: Mode, stop: impl Fn(&Mission, &Act) -> bool) -> (Mission, Effect) {
    let (mut m, mut queue) = begin(mode, fuel::Limits::default());
    loop {
        let effect = queue.remove(0);
        if stop(&m, &effect.act) {
            for beside in queue {
                let outcome = good(&m, &beside);
                m = step(m, 2_000, &Event::Finished { effect: beside.id, outcome }).0;
            }
            return (m, effect);
        }
        let outcome = good(&m, &effect);
        let (next, more) = step(m, 2_000, &Event::Finished { effect: effect.id, outcome });
        m = next;
        queue.extend(more);
    }
}

#[test]
fn an_application_that_fails_after_the_end_holds_nothing_up() {
    let (mut m, apply) = run_to(Mode::Task, |_, act| matches!(act, Act::Apply { .. }));
    m.end(End::Blocked { needs: "n".into() });
    let outcome = Outcome::Stale { reason: "s".into() };
    let (m, _) = step(m, 3_000, &Event::Finished { effect: apply.id, outcome });
    let (m, effects) = tell(m, Command::Resume);
    let m = run(m, effects, good);
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
}

#[test]
fn nothing_is_sealed_over_the_head_of_a_person_who_adds_work() {
    let judging = |m: &Mission, _: &Act| m.phase == Phase::Judging;
    let sealing = |_: &Mission, act: &Act| *act == Act::Seal;
    for (m, effect) in [run_to(Mode::Task, judging), run_to(Mode::Task, sealing)] {
        let item = plan::ItemId::parse("S1.2.1").unwrap();
        let again = Command::SetItem {
            item,
            mark: plan::Mark::Pending,
            evidence: None,
            version: None,
            ask: None,
        };
        let (m, effects) = tell(m, again);
        assert!(effects.is_empty());
        let m = run(m, vec![effect], good);
        assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
        assert_eq!((m.obligations(), m.receipts.len()), (0, 3));
    }
}

#[test]
fn a_person_takes_a_task_over_from_a_paused_or_blocked_mission() {
    let asks = |m: &Mission, act: &Act| m.phase == Phase::Working && matches!(act, Act::Ask { .. });
    let (m, ask) = run_to(Mode::Task, asks);
    let item = plan::ItemId::parse("T1.1").unwrap();
    let by_hand =
        Command::SetItem { item, mark: plan::Mark::Done, evidence: None, version: None, ask: None };
    let (refused, _) = tell(m.clone(), by_hand.clone());
    assert_eq!(refused.plan.as_ref().unwrap().progress().0, 0);
    let mut blocked = m.clone();
    blocked.end(End::Blocked { needs: "n".into() });
    for held in [tell(m, Command::Pause).0, blocked] {
        let (m, _) = tell(held, by_hand.clone());
        assert_eq!(m.plan.as_ref().unwrap().progress().0, 1);
        let (m, effects) = tell(m, Command::Resume);
        // The answer to what was asked before comes late, and changes nothing.
        let outcome = turn(vec![call("done", json!({"summary": "late"}))]);
        let (m, late) = step(m, 4_000, &Event::Finished { effect: ask.id, outcome });
        assert!(late.is_empty());
        let m = run(m, effects, good);
        assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
        assert_eq!(m.receipts.len(), 1);
    }
}

#[test]
fn a_task_is_not_done_with_a_change_that_was_refused() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let (mut checks, mut reviews_before_acceptance) = (0, 0);
    let m = run(m, effects, |m, e| match &e.act {
        Act::Check { .. } if checks == 0 => {
            checks += 1;
            let (stage, report, problems) = ("rules".into(), "r".into(), vec![]);
            Outcome::Checked { verdict: GateVerdict::Refused { stage, report, problems } }
        }
        Act::Ask { session } => {
            let s = m.session(*session).unwrap();
            reviews_before_acceptance +=
                u32::from(s.role == Role::Reviewer && m.receipts.is_empty());
            match s.role {
                Role::Worker => turn(vec![
                    call("propose", json!({"changes": [s.turns]})),
                    call("done", json!({"summary": "did it"})),
                ]),
                _ => good(m, e),
            }
        }
        _ => good(m, e),
    });
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
    assert_eq!(reviews_before_acceptance, 0);
}

#[test]
fn a_restart_pays_for_the_turns_that_it_asks_for_again() {
    let limits = fuel::Limits { calls: 2, ..Default::default() };
    let (m, _) = begin(Mode::Task, limits);
    let (m, _) = step(m, 2_000, &Event::Woken);
    assert_eq!((m.spent.calls, m.ended.is_some()), (2, false));
    let (m, _) = step(m, 3_000, &Event::Woken);
    assert!(matches!(m.ended, Some(End::Exhausted { .. })), "{:?}", m.ended);
}

#[test]
fn what_agents_report_cannot_break_the_plan() {
    let (mut m, _) = run_to(Mode::Task, |m, _| m.phase == Phase::Working);
    let finding = |file: &str, message: &str| NewFinding {
        file: Some(file.into()),
        line: Some(0),
        severity: event::Gravity::Error,
        message: message.into(),
        fix: None,
        kind: Some("a | b\n## M9: c".into()),
    };
    let findings =
        [finding("../x", "m"), finding("a|b.rs", ""), finding("/etc/x", "\n- [x] S1.1.1: y")];
    work::add_tasks(&mut m, "Round 1".into(), &findings);
    let plan = m.plan.unwrap();
    assert_eq!(plan::parse(&plan::render(&plan)).unwrap(), plan);
    assert_eq!(plan.tasks().count(), 4);
}

#[test]
fn a_change_is_taken_back_once_and_also_after_the_seal() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let m = run(m, effects, good);
    let undo =
        Event::Commanded { command: Command::Undo { receipt: Some(1), merge: false, ask: None } };
    let (m, effects) = step(m, 9_000, &undo);
    let [Effect { id, act: Act::Undo { number, back, merge: false } }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!((number, back), (id, &Back::Changes(vec![1])));
    let m = run(m, effects, good);
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "the end stands");
    assert_eq!(m.receipts.iter().map(|r| r.undone).collect::<Vec<_>>(), [true, false]);
    let (m, effects) = step(m, 9_001, &undo);
    assert!(effects.is_empty(), "once");
    let other =
        Event::Commanded { command: Command::Undo { receipt: Some(2), merge: false, ask: None } };
    let (m, effects) = step(m, 9_002, &other);
    let m = run(m, effects, |_, _| Outcome::Stale { reason: "typed since".into() });
    assert!(!m.receipts[1].undone);
    assert!(m.story.back().unwrap().text.contains("typed since"));
    let (m, effects) =
        step(m, 9_003, &Event::Commanded { command: Command::Redo { merge: false, ask: None } });
    let m = run(m, effects, good);
    assert!(m.receipts.iter().all(|r| !r.undone), "an undo can be undone");
    let all = Command::Undo { receipt: None, merge: true, ask: None };
    let (m, effects) = step(m, 9_004, &Event::Commanded { command: all });
    assert!(matches!(&effects[0].act, Act::Undo { back: Back::Changes(n), .. } if *n == [1, 2]));
    let m = run(m, effects, good);
    assert!(m.receipts.iter().all(|r| r.undone));
}

#[test]
fn an_undo_that_needs_a_merge_is_offered_and_nothing_else_happens_meanwhile() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut undone = false;
    let m = run(m, effects, |m, e| {
        let at_files =
            m.pending().filter(|e| matches!(e.act, Act::Apply { .. } | Act::Undo { .. }));
        assert!(at_files.count() <= 1);
        undone |= m.receipts.len() == 1;
        good(m, e)
    });
    assert!(undone);
    let undo =
        |merge| Event::Commanded { command: Command::Undo { receipt: Some(2), merge, ask: None } };
    let (m, effects) = step(m, 9_000, &undo(false));
    let m = run(m, effects, |_, _| Outcome::Edited {
        reason: "a.rs was edited since".into(),
        files: vec!["a.rs".into()],
        diff: "-x".into(),
    });
    let offer = m.offer.clone().unwrap();
    assert_eq!((offer.back, offer.diff.as_str()), (Back::Changes(vec![2]), "-x"));
    let (m, effects) = step(m, 9_001, &undo(true));
    assert!(m.offer.is_none() && matches!(effects[0].act, Act::Undo { merge: true, .. }));
}

#[test]
fn marks_come_back_with_the_change() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut undo = true;
    let mut pending = Vec::new();
    let m = run(m, effects, |m, e| {
        if m.receipts.len() == 1 && std::mem::take(&mut undo) {
            pending.push(m.clone());
        }
        good(m, e)
    });
    drop(m);
    let mut m = pending.remove(0);
    m.paused = true;
    (m.pending, m.sessions) = Default::default();
    let before = m.plan.clone();
    for command in [
        Command::Undo { receipt: Some(1), merge: false, ask: None },
        Command::Redo { merge: false, ask: None },
    ] {
        let (next, effects) = step(m, 9_000, &Event::Commanded { command });
        m = run(next, effects, good);
        assert_eq!(m.plan == before, !m.receipts[0].undone);
    }
    assert_eq!(m.plan, before);
}

#[test]
fn hints_of_a_seal_are_findings_and_block_nothing() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let m = run(m, effects, |m, e| match &e.act {
        Act::Seal => {
            let hint = NewFinding {
                file: Some("a.rs".into()),
                line: Some(2),
                severity: event::Gravity::Info,
                message: "no check would notice if `<` were `<=`".into(),
                fix: None,
                kind: Some("mutant".into()),
            };
            let (hash, summary) = ("h".to_owned(), "ok".to_owned());
            Outcome::Sealed { verdict: SealVerdict::Green { hash, summary, hints: vec![hint] } }
        }
        _ => good(m, e),
    });
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
    assert_eq!(m.obligations(), 0);
    let hint = m.findings.last().unwrap();
    assert_eq!((hint.status.clone(), hint.by), (FindingStatus::Open, FoundBy::Gate));
}
