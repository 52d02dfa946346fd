//! Every mission stops: what bad agents come to, and what is tried before a person is asked.

use super::*;

/// A world in which nobody but the given role is good.
fn only_bad(
    role: Role,
    bad: impl Fn(&Session) -> Outcome,
) -> impl Fn(&Mission, &Effect) -> Outcome {
    move |m, e| match &e.act {
        Act::Ask { session } if m.session(*session).unwrap().role == role => {
            bad(m.session(*session).unwrap())
        }
        _ => good(m, e),
    }
}

fn ended_with(m: &Mission, name: &str, words: &str) {
    let end = m.ended.as_ref().expect("it has ended");
    assert_eq!(end.name(), name, "{end:?}");
    assert!(end.detail().contains(words), "{end:?}");
}

#[test]
fn a_standstill_splits_the_task_plans_anew_and_asks_a_person_in_that_order() {
    let (m, effects) = begin(Mode::Task, fuel::Limits { attempts: 2, ..Default::default() });
    let m = run(m, effects, |m, e| match &e.act {
        Act::Ask { session } if m.session(*session).unwrap().role == Role::Worker => {
            turn(vec![call("give_up", json!({"reason": "it is too hard"}))])
        }
        _ => good(m, e),
    });
    ended_with(&m, "blocked", "a person");
    ended_with(&m, "blocked", "it is too hard");
    let told: Vec<&str> = m.story.iter().map(|line| line.text.as_str()).collect();
    let place = |words: &str| told.iter().position(|text| text.contains(words)).expect(words);
    assert!(place("to be split") < place("split into 2 tasks"));
    assert!(place("split into 2 tasks") < place("what is left is planned anew"));
    assert!(place("what is left is planned anew") < place("blocked: a person"));
    let plan = m.plan.as_ref().unwrap();
    assert_eq!(plan::parse(&plan::render(plan)).as_ref(), Ok(plan));
}

/// The parts come first, then the task itself, and those that wait for it go on waiting.
#[test]
fn a_task_that_is_split_is_done_after_its_parts() {
    let (m, effects) = begin(Mode::Task, fuel::Limits { attempts: 1, ..Default::default() });
    let mut begun = Vec::new();
    let m = run(m, effects, |m, e| match &e.act {
        Act::Ask { session } => {
            let s = m.session(*session).unwrap();
            match (s.role, &s.item) {
                (Role::Worker, Some(item)) if s.turns == 0 => {
                    begun.push(item.to_string());
                    match begun.len() {
                        1 => turn(vec![call("give_up", json!({"reason": "too large"}))]),
                        _ => good(m, e),
                    }
                }
                _ => good(m, e),
            }
        }
        _ => good(m, e),
    });
    ended_with(&m, "sealed", "");
    assert_eq!(begun, ["T1.1", "T2.1", "T2.2", "T1.1", "T1.2"]);
}

#[test]
fn every_bad_agent_ends_in_its_bound() {
    let silent = |_: &Session| turn(Vec::new());
    let one_token = |s: &Session| turn(vec![call("read", json!({"path": s.turns}))]);
    let looping = |_: &Session| turn(vec![call("search", json!({"text": "x"}))]);
    let cycle = |s: &Session| turn(vec![call("read", json!({"path": s.turns % 3}))]);
    let no_plan = |s: &Session| turn(vec![call("plan", json!({"todo": format!("{}", s.turns)}))]);
    type Bad = fn(&Session) -> Outcome;
    let cases: [(Role, Bad, &str, &str, u64); 9] = [
        (Role::Worker, silent, "blocked", "reminders did not help", 200),
        (Role::Worker, one_token, "exhausted", "model calls", 400),
        (Role::Worker, looping, "blocked", "the same call", 200),
        (Role::Worker, cycle, "blocked", "the same call", 250),
        (Role::Planner, silent, "failed", "no valid plan", 13),
        (Role::Planner, no_plan, "failed", "no valid plan", 22),
        (Role::Planner, looping, "failed", "no valid plan", 16),
        (Role::Reviewer, silent, "blocked", "a person to judge T1.1", 30),
        (Role::Reviewer, looping, "blocked", "a person to judge T1.1", 30),
    ];
    for (role, bad, name, words, most) in cases {
        let (m, effects) = begin(Mode::Task, fuel::Limits::default());
        let m = run(m, effects, only_bad(role, bad));
        ended_with(&m, name, words);
        assert!(m.spent.calls <= most, "{role}: {} calls, {words}", m.spent.calls);
    }
}

#[test]
fn a_repetition_is_hinted_at_then_refused_then_the_end() {
    let (m, effects) = begin(Mode::Task, fuel::Limits { attempts: 1, ..Default::default() });
    let mut saw: Vec<String> = Vec::new();
    run(m, effects, |m, e| match &e.act {
        Act::Ask { session } if m.session(*session).unwrap().role == Role::Worker => {
            let s = m.session(*session).unwrap();
            if s.item.as_ref().is_some_and(|item| item.to_string() == "T1.1") {
                saw.push(format!("{:?}", s.messages.last()));
            }
            turn(vec![call("read", json!({"path": "a.rs"}))])
        }
        _ => good(m, e),
    });
    assert_eq!(saw.len(), 5, "the brief, two results, a hint, a refusal: {saw:#?}");
    assert!(!saw[2].contains("nothing new") && saw[3].contains("nothing new"), "{saw:#?}");
    assert!(saw[4].contains("not served"), "{saw:#?}");
}

#[test]
fn looking_again_at_what_has_changed_is_no_repetition() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut reads = 0;
    let m = run(m, effects, |m, e| match &e.act {
        Act::Ask { session } if m.session(*session).unwrap().role == Role::Worker => {
            match m.session(*session).unwrap().turns {
                0..=19 => turn(vec![call("read", json!({"path": "a.rs"}))]),
                20 => turn(vec![call("propose", json!({"changes": []}))]),
                21..=22 => turn(vec![call("read", json!({"path": "b.rs"}))]),
                _ => turn(vec![call("done", json!({"summary": "s"}))]),
            }
        }
        Act::Tool { .. } => {
            // Somebody types in the file all the while.
            reads += 1;
            Outcome::Called { content: format!("line {reads}"), is_error: false }
        }
        _ => good(m, e),
    });
    ended_with(&m, "sealed", "");
}

#[test]
fn a_blocked_mission_asks_nobody_until_a_person_resumes() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut m = run(m, effects, only_bad(Role::Worker, |_| turn(Vec::new())));
    ended_with(&m, "blocked", "a person");
    let spent = m.spent.calls;
    let item = plan::ItemId::parse("T1.1").unwrap();
    let words = [
        Command::Pause,
        Command::RunItem { item: item.clone() },
        Command::SetItem {
            item,
            mark: plan::Mark::Pending,
            evidence: None,
            version: None,
            ask: None,
        },
        Command::FixFinding { finding: 1, test: false },
        Command::DismissFinding { finding: 1, reason: "r".into() },
    ];
    for command in words {
        let (next, effects) = tell(m, command);
        assert!(effects.is_empty(), "{effects:?}");
        m = next;
    }
    for (id, event) in [(1, Event::Woken), (2, Event::TimeUp)] {
        let (next, effects) = step(m, 90_000 + id, &event);
        assert!(effects.is_empty(), "{effects:?}");
        m = next;
    }
    assert_eq!(m.spent.calls, spent);
    let (m, effects) = tell(m, Command::Resume);
    assert!(effects.iter().any(|effect| matches!(effect.act, Act::Ask { .. })));
    ended_with(&run(m, effects, good), "sealed", "");
}

#[test]
fn parallel_sessions_do_not_overshoot_together() {
    let plan: String = (1..=4).fold("## M1: m\n".to_owned(), |plan, n| {
        plan + &format!("### T1.{n}: t\n- [ ] S1.{n}.1: s | file:{n}.rs\n")
    });
    let limits = fuel::Limits { tokens: 100_000, ..Default::default() };
    let (m, effects) = begin(Mode::Task, limits);
    let mut most_at_once = 0;
    let m = run(m, effects, |m, e| match &e.act {
        Act::Ask { session } => {
            most_at_once = most_at_once.max(m.reserved.len());
            let s = m.session(*session).unwrap();
            let calls = match s.role {
                Role::Planner => vec![call("plan", json!({"todo": plan}))],
                Role::Worker => vec![call("read", json!({"path": s.turns}))],
                _ => return good(m, e),
            };
            let usage = conversation::Usage { input: 9_000, output: 6_000, ..Usage::default() };
            Outcome::Answered { turn: Turn { calls, usage, ..Turn::default() } }
        }
        _ => good(m, e),
    });
    ended_with(&m, "exhausted", "100000 tokens");
    assert!(most_at_once > 1, "they do run side by side while there is enough");
    let used = m.spent.usage.input + m.spent.usage.output;
    assert!((100_000..115_000).contains(&used), "{used}");
}

#[test]
fn a_price_that_is_not_known_is_said_once() {
    let prices = fuel::Prices { unknown: vec!["m-9".into()], ..Default::default() };
    let (m, effects) = begin(Mode::Task, fuel::Limits { prices, ..Default::default() });
    let m = run(m, effects, good);
    let said = m.story.iter().filter(|line| line.text.contains("no price is known for m-9"));
    assert_eq!(said.count(), 1);
    ended_with(&m, "sealed", "");
}

/// Others find out whether the provider answers again, meanwhile; only what was sent is a try.
#[test]
fn a_session_that_is_held_back_uses_up_no_try() {
    let limits = fuel::Limits { faults: 2, ..Default::default() };
    let fault = |unsent| Outcome::Faulted {
        fault: Fault {
            unsent,
            by: Some(Box::new(provider::Server { name: "m".into(), is_fallback: false })),
            retry_after_ms: Some(10),
            ..Fault::new(FaultKind::Transient, "no")
        },
    };
    let (m, effects) = begin(Mode::Task, limits.clone());
    let mut asked = 0;
    let m = run(m, effects, |m, e| match &e.act {
        Act::Ask { .. } => {
            asked += 1;
            if asked % 8 == 0 { good(m, e) } else { fault(asked % 8 != 4) }
        }
        _ => good(m, e),
    });
    ended_with(&m, "sealed", "");
    let (m, effects) = begin(Mode::Task, limits);
    let m = run(m, effects, |m, e| match &e.act {
        Act::Ask { .. } => fault(false),
        _ => good(m, e),
    });
    ended_with(&m, "blocked", "in 3 tries");
}

/// A turn that waits for a slot was paid for when it was asked for; what was sent and is sent once more is paid twice.
#[test]
fn who_waits_for_a_slot_does_not_pay_twice() {
    for (waits, paid) in [(None, 2), (Some(&[true][..]), 1), (Some(&[true, false][..]), 2)] {
        let (mut m, effects) = begin(Mode::Task, fuel::Limits::default());
        let effect = effects[0].id;
        for waits in waits.into_iter().flatten() {
            m = step(m, 2_000, &Event::Waits { effect, waits: *waits }).0;
            let activity = if *waits { "waiting for a slot" } else { "thinking" };
            assert_eq!(m.sessions().next().unwrap().activity(), activity);
        }
        let (m, begun) = step(m, 3_000, &Event::Woken);
        assert!(
            begun.is_empty() && m.is_pending(effect),
            "it is begun again by whoever takes it up"
        );
        assert_eq!(m.spent.calls, paid, "{waits:?}");
        assert_eq!(m.sessions().next().unwrap().activity(), "thinking");
        ended_with(&run(m.clone(), m.pending().collect(), good), "sealed", "");
    }
}

/// What is said of a turn that is over, or of another effect, changes nothing.
#[test]
fn a_late_word_about_a_slot_changes_nothing() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let outcome = good(&m, &effects[0]);
    let ended = Event::Finished { effect: effects[0].id, outcome };
    let (m, _) = step(m, 2_000, &ended);
    for effect in [effects[0].id, 99] {
        let (after, begun) = step(m.clone(), 2_000, &Event::Waits { effect, waits: true });
        assert_eq!((after, begun.len()), (m.clone(), 0));
    }
}
