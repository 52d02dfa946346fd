//! What sessions are told beside their briefs, and what is left of a conversation that was cut.

use super::*;
use proptest::prelude::*;

fn limits(high: u32, low: u32) -> fuel::Limits {
    let context = Context { recall: true, high, low };
    fuel::Limits { context, turns: 200, repeats: 1_000, ..fuel::Limits::default() }
}

fn first(m: &Mission, session: SessionId) -> String {
    let Some(conversation::Message::User { text }) = m.session(session).unwrap().messages.first()
    else {
        panic!("a brief comes first");
    };
    text.clone()
}

#[test]
fn what_is_remembered_stands_around_the_brief_and_notes_reach_later_sessions() {
    let (m, effects) = begin(Mode::Task, limits(0, 0));
    assert!(matches!(effects[..], [Effect { act: Act::Recall { .. }, .. }]), "{effects:?}");
    let mut seen = Vec::new();
    let m = run(m, effects, |m, e| match &e.act {
        Act::Recall { .. } => remembered("SHARED\n\n", "\nOWN"),
        Act::Ask { session } => {
            let s = m.session(*session).unwrap();
            seen.push((s.role, first(m, *session), s.pinned));
            if s.role == Role::Commander && s.turns == 0 {
                let text = json!({"text": " the lexer\nis generated ", "keep": "project"});
                let again = json!({"text": "The lexer is generated"});
                let long = json!({"text": "x".repeat(601)});
                return turn(vec![call("note", text), call("note", again), call("note", long)]);
            }
            good(m, e)
        }
        _ => good(m, e),
    });
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
    assert_eq!(m.notes.len(), 1);
    assert_eq!(
        (m.notes[0].text.as_str(), m.notes[0].keep),
        ("the lexer is generated", Keep::Project)
    );
    assert!(seen.iter().all(|(_, text, pinned)| text.starts_with("SHARED\n\n") && *pinned == 8));
    let worker = seen.iter().find(|(role, ..)| *role == Role::Worker).unwrap();
    let parts = ["Carry out task T1.1", "<goal>\ng\n</goal>", "OWN", "<plan>", "### T1.2: b"];
    let places: Vec<usize> = parts.iter().map(|part| worker.1.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{}", worker.1);
}

#[test]
fn without_recall_a_note_is_no_tool_of_the_mission() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut asked = false;
    let m = run(m, effects, |m, e| match &e.act {
        Act::Recall { .. } => panic!("nothing is remembered"),
        Act::Ask { .. } if !std::mem::replace(&mut asked, true) => {
            turn(vec![call("note", json!({"text": "x"}))])
        }
        _ => good(m, e),
    });
    assert!(m.notes.is_empty() && m.ended.is_some());
}

/// A Worker that looks at something else in every turn, so many times, with results of these lengths.
fn long_mission(results: &[usize], context: (u32, u32)) -> (Mission, Vec<(u64, Event)>) {
    let mut events = Vec::new();
    let mut m = Mission::new(MissionId("m".into()));
    let started = Event::Started {
        goal: "the very goal".into(),
        mode: Mode::Task,
        engine: "test".into(),
        limits: limits(context.0, context.1),
        rules: RULES,
    };
    let mut queue = std::collections::VecDeque::new();
    let mut next = Some(started);
    while let Some(event) = next.take() {
        let at = 1_000 + events.len() as u64;
        let (stepped, effects) = step(m, at, &event);
        m = stepped;
        events.push((at, event));
        queue.extend(effects);
        let worker =
            |m: &Mission| m.sessions().find(|s| s.role == Role::Worker).map(|s| s.turns as usize);
        if worker(&m).is_some_and(|turns| turns >= results.len()) {
            break;
        }
        next = queue.pop_front().map(|effect: Effect| {
            let outcome = match &effect.act {
                Act::Recall { .. } => remembered("SHARED\n\n", "\n<notes>\n- PINNED\n</notes>"),
                Act::Ask { session } if m.session(*session).unwrap().role == Role::Worker => {
                    let turns = m.session(*session).unwrap().turns;
                    let look = call("read", json!({"path": format!("f{turns}.rs")}));
                    let calls = vec![ToolCall { id: format!("c{turns}"), ..look }];
                    Outcome::Answered { turn: Turn { calls, ..Turn::default() } }
                }
                Act::Tool { .. } => {
                    let turns = worker(&m).unwrap_or(1);
                    let length = results.get(turns - 1).copied().unwrap_or(0);
                    Outcome::Called { content: "é".repeat(length), is_error: length % 7 == 0 }
                }
                _ => good(&m, &effect),
            };
            Event::Finished { effect: effect.id, outcome }
        });
    }
    (m, events)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_cut_the_pinned_stays_and_the_fold_is_the_same(
        results in prop::collection::vec(0usize..6_000, 1..60),
        high in 1u32..8_000,
        low in 1u32..4_000,
    ) {
        let (m, events) = long_mission(&results, (high, low));
        let session = m.sessions().find(|s| s.role == Role::Worker).unwrap();
        let text = first(&m, session.id);
        for pinned in ["SHARED\n\nCarry out task T1.1", "<goal>\nthe very goal\n</goal>", "- PINNED", "### T1.2: b"] {
            prop_assert_eq!(text.matches(pinned).count(), 1, "{}", text);
        }
        // Every call that is left has its result, and every result its call.
        let mut open = Vec::new();
        for message in session.messages.iter() {
            match message {
                conversation::Message::Assistant { calls, .. } => {
                    open.extend(calls.iter().map(|call| call.id.clone()));
                }
                conversation::Message::Tool { call_id, .. } => {
                    prop_assert_eq!(open.iter().filter(|id| *id == call_id).count(), 1);
                    open.retain(|id| id != call_id);
                }
                conversation::Message::User { .. } => {}
            }
        }
        prop_assert!(open.len() <= 1, "{:?}", open);
        let again = events.iter().fold(Mission::new(MissionId("m".into())), |m, (at, e)| step(m, *at, e).0);
        prop_assert_eq!(again, m);
    }
}

#[test]
fn between_two_cuts_a_conversation_only_grows_and_a_cut_goes_down_to_the_low_mark() {
    let (high, low) = (6_000u32, 1_500u32);
    let (_, events) = long_mission(&[1_500; 80], (high, low));
    let mut m = Mission::new(MissionId("m".into()));
    let (mut cuts, mut before) = (0, std::sync::Arc::<Vec<conversation::Message>>::default());
    for (at, event) in &events {
        let (stepped, effects) = step(m, *at, event);
        m = stepped;
        for effect in effects {
            let Act::Ask { session } = effect.act else { continue };
            let session = m.session(session).unwrap();
            if session.role != Role::Worker {
                continue;
            }
            prop_sized(session, high);
            if !session.messages.starts_with(before.as_slice()) {
                cuts += 1;
                // What one turn brings can be as large as what is to be left.
                assert!(session.tokens() < u64::from(low) * 3, "{}", session.tokens());
            }
            before = session.messages.clone();
        }
    }
    assert!((6..20).contains(&cuts), "{cuts}");
}

fn prop_sized(session: &Session, high: u32) {
    assert!(session.tokens() < u64::from(high), "{}", session.tokens());
}
