//! What an agent does beside its work: it says where its steps stand, and asks the person.

use super::*;
use crate::conversation::Message;

const STEPS: &str = "## M1: m\n### T1.1: a\n- [ ] S1.1.1: x\n- [ ] S1.1.2: y\n### T1.10: b | depends:T1.1\n- [ ] S1.10.1: z\n";

/// The last results of a session, as the agent reads them.
fn results(m: &Mission, session: SessionId) -> Vec<(String, bool)> {
    let messages = &m.session(session).unwrap().messages;
    let last = messages.iter().rev().take_while(|m| matches!(m, Message::Tool { .. }));
    let mut results: Vec<_> = last
        .filter_map(|m| match m {
            Message::Tool { content, is_error, .. } => Some((content.clone(), *is_error)),
            _ => None,
        })
        .collect();
    results.reverse();
    results
}

fn plans(m: &Mission, effect: &Effect, plan: &str) -> Option<Outcome> {
    let Act::Ask { session } = &effect.act else {
        return None;
    };
    let session = m.session(*session)?;
    (session.role == Role::Planner).then(|| turn(vec![call("plan", json!({ "todo": plan }))]))
}

fn worker<'m>(m: &'m Mission, effect: &Effect) -> Option<&'m Session> {
    let Act::Ask { session } = &effect.act else {
        return None;
    };
    m.session(*session).filter(|session| session.role == Role::Worker)
}

#[test]
fn a_worker_marks_its_own_steps_and_never_as_done() {
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut seen = Vec::new();
    let update = |arguments: Value| call("update_todo", arguments);
    let m = run(m, effects, |m, e| {
        let first = worker(m, e).filter(|s| s.item == plan::ItemId::parse("T1.1"));
        let Some(session) = first else {
            return plans(m, e, STEPS).unwrap_or_else(|| good(m, e));
        };
        match session.turns {
            0 => turn(vec![
                update(json!({"item": "S1.1.1", "mark": "failed", "note": "hard | to do"})),
                update(json!({"item": "S1.1.2", "mark": "done"})),
                update(json!({"item": "S1.10.1", "mark": "active"})),
                update(json!({"item": "S1.1.2", "mark": "active", "version": "000000"})),
                update(json!({"item": "nonsense"})),
            ]),
            1 => {
                seen = results(m, session.id);
                turn(vec![call("done", json!({"summary": "all of it"}))])
            }
            2 => {
                seen.extend(results(m, session.id));
                let version = seen[0].0.rsplit(' ').next().unwrap();
                turn(vec![update(json!({"item": "S1.1.1", "mark": "active", "version": version}))])
            }
            3 => {
                seen.extend(results(m, session.id));
                turn(vec![call("propose", json!({"changes": []}))])
            }
            _ => turn(vec![call("done", json!({"summary": "did it"}))]),
        }
    });
    let texts: Vec<&str> = seen.iter().map(|(text, _)| text.as_str()).collect();
    let errors: Vec<bool> = seen.iter().map(|(_, is_error)| *is_error).collect();
    assert_eq!(errors, [false, true, true, true, true, true, false], "{texts:#?}");
    assert!(texts[0].starts_with("S1.1.1 [-] version "), "{texts:#?}");
    assert!(texts[1].contains("only the gate's and the Reviewer's evidence"));
    assert!(texts[2].contains("S1.10.1 is of T1.10"));
    assert!(texts[3].contains("Now: S1.1.2 [/] version "));
    assert!(texts[5].contains("you marked S1.1.1 as failed"));
    assert!(texts.iter().all(|text| text.len() < 200), "a few bytes each");
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
    let task = m.plan.as_ref().unwrap().tasks().next().unwrap();
    assert_eq!(task.steps[0].note.as_deref(), Some("hard | to do"));
}

#[test]
fn a_failed_step_does_not_outlive_the_session_that_said_so() {
    let limits = fuel::Limits { turns: 1, attempts: 2, ..fuel::Limits::default() };
    let (m, effects) = begin(Mode::Task, limits);
    let mut attempts = 0;
    run(m, effects, |m, e| {
        if worker(m, e).is_some() {
            attempts += 1;
            return turn(vec![call("update_todo", json!({"item": "S1.1.1", "mark": "failed"}))]);
        }
        good(m, e)
    });
    assert!(attempts >= 2, "{attempts}");
}

/// Runs until nothing is under way any more, with a Worker of the first task that asks.
fn asked(limits: fuel::Limits) -> Mission {
    let (m, effects) = begin(Mode::Task, limits);
    run(m, effects, |m, e| match worker(m, e) {
        Some(session) if session.turns == 0 => {
            let choices = json!(["tabs", "spaces"]);
            let ask = call("ask", json!({"question": "tabs\nor spaces?", "choices": choices}));
            turn(vec![ask, call("read", json!({"path": "a.rs"}))])
        }
        _ => good(m, e),
    })
}

fn tell(m: Mission, at: u64, command: Command) -> (Mission, Vec<Effect>) {
    step(m, at, &Event::Commanded { command })
}

fn answer(text: &str) -> Command {
    Command::Answer { question: None, text: text.into(), ask: Some("q".into()) }
}

#[test]
fn a_question_waits_for_its_answer_without_an_effect_and_is_answered_once() {
    let m = asked(fuel::Limits::default());
    let view = view::MissionView::of(&m);
    assert_eq!(view.questions.len(), 1);
    assert_eq!(view.questions[0].to_string(), "tabs or spaces? (tabs / spaces)");
    assert!(m.is_idle() && m.ended.is_none() && m.pending().next().is_none());
    let active = m.active_ms;
    let (m, effects) = tell(m, 90_000, answer("tabs"));
    assert_eq!(m.active_ms, active, "the time of waiting is not the mission's");
    assert!(m.answers[0].is_done && m.questions.is_empty());
    let [Effect { act: Act::Ask { session }, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(results(&m, *session)[0], ("tabs".to_owned(), false));
    assert_eq!(results(&m, *session).len(), 2, "the other call of the turn was served meanwhile");
    let (m, _) = tell(m, 90_001, answer("spaces"));
    assert!(!m.answers[1].is_done, "{:?}", m.answers);
}

#[test]
fn who_gets_no_answer_is_blocked_by_the_question_and_goes_on_with_it() {
    let m = asked(fuel::Limits { answer_ms: 5_000, ..fuel::Limits::default() });
    let at = m.deadline().unwrap();
    assert_eq!(at, m.now + 5_000);
    let (m, _) = step(m, at, &Event::TimeUp);
    let Some(End::Blocked { needs }) = &m.ended else { panic!("{:?}", m.ended) };
    assert!(needs.contains("question 1 of the worker (T1.1): tabs or spaces?"), "{needs}");
    let (m, effects) = tell(m, at + 1, answer("tabs"));
    let m = run(m, effects, |m, e| {
        if let Some(session) = worker(m, e).filter(|session| session.turns == 0) {
            let Message::User { text } = &session.messages[0] else { panic!() };
            let told = session.item != plan::ItemId::parse("T1.1")
                || text.contains("tabs or spaces?\n  tabs");
            assert!(told, "{text}");
        }
        good(m, e)
    });
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
}

#[test]
fn a_cancel_wins_and_the_questions_of_a_mission_are_counted() {
    let (m, effects) = tell(asked(fuel::Limits::default()), 2_000, Command::Cancel);
    assert!(m.ended == Some(End::Cancelled) && effects.is_empty());
    assert!(view::MissionView::of(&m).questions.is_empty());
    let (m, effects) = begin(Mode::Task, fuel::Limits { questions: 0, ..fuel::Limits::default() });
    let mut refused = false;
    run(m, effects, |m, e| match worker(m, e) {
        Some(session) if session.turns == 0 => turn(vec![call("ask", json!({"question": "?"}))]),
        Some(session) if session.turns == 1 => {
            refused |= results(m, session.id)[0].0.contains("decide by yourself");
            turn(vec![call("propose", json!({"changes": []}))])
        }
        _ => good(m, e),
    });
    assert!(refused);
}
