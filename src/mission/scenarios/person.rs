//! What a person says to a plan and to what was found: items are skipped and split, files renamed, findings shown by a test,
//! changes that meet their typing decided.

use super::*;
use crate::view::MissionView;
use crate::{DISCARD, MERGE, Meeting, Place};

fn id(text: &str) -> plan::ItemId {
    plan::ItemId::parse(text).unwrap()
}

/// A mission that waits with its plan.
fn planned() -> Mission {
    let (m, effects) = begin(Mode::Plan, fuel::Limits::default());
    run(m, effects, good)
}

fn told(m: &Mission) -> &str {
    &m.story.back().unwrap().text
}

#[test]
fn what_is_skipped_is_no_part_of_the_plan() {
    let tasks = |m: &Mission| m.plan.as_ref().unwrap().tasks().count();
    let m = planned();
    assert_eq!(tasks(&m), 2);
    let (m, _) = tell(m, Command::SkipItem { item: id("S1.1.1") });
    assert_eq!((tasks(&m), told(&m)), (1, "is left out, by hand"), "its only step was the task");
    let (m, _) = tell(m, Command::SkipItem { item: id("M1") });
    assert!(tasks(&m) == 1 && told(&m).starts_with("is not skipped"), "{}", told(&m));
    let (m, effects) = tell(m, Command::Resume);
    let m = run(m, effects, good);
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);
    assert_eq!(m.receipts.len(), 1);
    let (m, _) = tell(m, Command::SkipItem { item: id("T1.2") });
    assert_eq!(tasks(&m), 1, "it is over");
}

#[test]
fn a_task_is_split_when_a_person_says_so_and_then_waits_with_its_parts() {
    let (m, effects) = tell(planned(), Command::SplitItem { item: id("S1.1.1") });
    let m = run(m, effects, good);
    let plan = m.plan.as_ref().unwrap();
    assert_eq!((plan.tasks().count(), plan.progress().0, m.ended.is_none()), (4, 0, true));
    assert!(plan.task(&id("T1.1")).unwrap().depends.contains(&id("M2")));
    let (m, _) = tell(m, Command::SplitItem { item: id("T1.1") });
    assert_eq!(told(&m), "was split already");
    let (m, effects) = tell(m, Command::Resume);
    assert!(matches!(run(m, effects, good).ended, Some(End::Sealed { .. })));
}

#[test]
fn a_finding_can_be_shown_by_a_test_first_and_follows_its_file() {
    let mut m = planned();
    let finding = NewFinding {
        file: Some("src/a.rs".into()),
        line: Some(3),
        severity: Gravity::Warning,
        message: "it overflows".into(),
        fix: None,
        kind: None,
    };
    let number = m.find(None, FoundBy::Reviewer, finding);
    let (m, _) = tell(m, Command::FileMoved { from: "src".into(), to: "lib".into() });
    let (m, _) = tell(m, Command::FileMoved { from: "lib/a".into(), to: "no".into() });
    assert_eq!(m.findings[0].what.file.as_deref(), Some("lib/a.rs"));
    let (m, _) = tell(m, Command::FixFinding { finding: number, test: true });
    let task = m.plan.as_ref().unwrap().tasks().last().unwrap();
    let step = &task.steps[0];
    assert!(step.title.contains("first a test that fails because of it"), "{}", step.title);
    assert_eq!(step.files, ["lib/a.rs"]);
}

/// Runs a mission whose first change meets typing, up to the question.
fn meeting() -> (Mission, Vec<Effect>) {
    let mut meets = 0;
    let (m, effects) = begin(Mode::Task, fuel::Limits::default());
    let mut queue = effects;
    let mut m = m;
    loop {
        let Some(effect) = queue.pop() else { return (m, queue) };
        let outcome = match &effect.act {
            Act::Apply { .. } if meets == 0 => {
                meets += 1;
                let places = vec![Place { file: "a.rs".into(), line: 7 }];
                Outcome::Met {
                    meeting: Meeting { change: "kept".into(), places, diff: "d".into() },
                }
            }
            _ => good(&m, &effect),
        };
        let at = m.now + 1;
        let (next, more) = step(m, at, &Event::Finished { effect: effect.id, outcome });
        m = next;
        queue.extend(more);
    }
}

fn answer(m: Mission, text: &str) -> (Mission, Vec<Effect>) {
    tell(m, Command::Answer { question: None, text: text.into(), ask: None })
}

#[test]
fn a_change_that_meets_typing_waits_and_is_merged_or_discarded() {
    let (m, _) = meeting();
    let question = &MissionView::of(&m).questions[0];
    assert_eq!(question.text, "a change meets what you typed at a.rs:7");
    assert!(m.ended.is_none() && m.receipts.iter().all(|r| r.item != id("T1.1")));

    let (merged, effects) = answer(m.clone(), MERGE);
    let check = effects.iter().find_map(|effect| match &effect.act {
        Act::Check { merge, .. } => Some(merge.clone()),
        _ => None,
    });
    assert_eq!(check, Some(Some("kept".to_owned())));
    let merged = run(merged, effects, good);
    assert!(matches!(merged.ended, Some(End::Sealed { .. })), "{:?}", merged.ended);

    for (word, why) in [(DISCARD, "the same lines; nothing"), ("I will do it", "I will do it")] {
        let (m, effects) = answer(m.clone(), word);
        let asked = effects.iter().find_map(|effect| match &effect.act {
            Act::Ask { session } => m.session(*session),
            _ => None,
        });
        let said = format!("{:?}", asked.unwrap().messages);
        assert!(said.contains("refused by the person") && said.contains(why), "{said}");
        assert!(matches!(run(m, effects, good).ended, Some(End::Sealed { .. })));
    }
}

#[test]
fn nobody_is_asked_more_often_than_may_be_and_time_blocks() {
    let limits = fuel::Limits { questions: 0, ..Default::default() };
    let (m, effects) = begin(Mode::Task, limits);
    let m = run(m, effects, |m, e| match &e.act {
        Act::Apply { .. } if m.receipts.is_empty() && m.now < 1_200 => {
            let places = vec![Place { file: "a.rs".into(), line: 7 }];
            Outcome::Met { meeting: Meeting { change: "kept".into(), places, diff: "d".into() } }
        }
        _ => good(m, e),
    });
    assert!(matches!(m.ended, Some(End::Sealed { .. })), "{:?}", m.ended);

    let (m, _) = meeting();
    let (m, _) = step(m, u64::MAX / 2, &Event::TimeUp);
    let needs = m.ended.as_ref().unwrap().detail().to_owned();
    assert!(needs.contains("an answer to question 1 of the worker"), "{needs}");
    let (m, effects) = answer(m, MERGE);
    assert!(m.ended.is_none());
    assert!(matches!(run(m, effects, good).ended, Some(End::Sealed { .. })));
}
