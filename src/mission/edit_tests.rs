//! Three sides of an item: what was shown, what the person made of it, what the mission has.

use super::*;
use crate::event::{Command, Event, MissionId};
use crate::plan::sheet::{edits, items};
use crate::plan::{parse, render};
use crate::{Mission, Phase, RULES, step};

const BASE: &str = "# Mission: g\n\n## M1: a\n\n### T1.1: b | agent:Worker\n- [ ] S1.1.1: one\n- [ ] S1.1.2: two\n\n### T1.10: c | agent:Worker\n- [ ] S1.10.1: three\n";

/// A mission with that plan, which waits.
fn mission(plan: &str) -> Mission {
    let mut m = Mission::new(MissionId("m".into()));
    m.rules = RULES;
    m.plan = Some(parse(plan).unwrap());
    m.phase = Phase::Planned;
    m
}

fn tell(m: Mission, command: Command) -> Mission {
    step(m, 1, &Event::Commanded { command }).0
}

fn merged(theirs: &str, ours: &str) -> Mission {
    let (edits, order) = edits(&items(BASE), &items(theirs));
    tell(mission(ours), Command::EditPlan { edits, order })
}

/// Rows: a change of the person's, one of the mission's, then what the plan becomes as a change of the mission's text,
/// and what is held.
#[test]
fn both_sides_are_merged_item_by_item() {
    type Change = (&'static str, &'static str);
    let by_hand = "[x] S1.1.1: one | verified | evidence:by hand: marked in todo.md";
    let none: Change = ("", "");
    let rows: [(Change, Change, Change, &[&str]); 13] = [
        (none, ("[ ] S1.1.1", "[/] S1.1.1"), none, &[]),
        (("one", "uno"), none, ("one", "uno"), &[]),
        (("one", "uno"), ("[ ] S1.1.1", "[/] S1.1.1"), ("one", "uno"), &[]),
        (("one", "uno"), ("one", "uno"), none, &[]),
        (("one", "uno"), ("one", "un"), none, &["S1.1.1"]),
        (("[ ] S1.1.1: one", "[x] S1.1.1: one"), none, ("[ ] S1.1.1: one", by_hand), &[]),
        // That the mission had begun it is no opinion; that it failed is one.
        (
            ("[ ] S1.1.1: one", "[x] S1.1.1: one"),
            ("[ ] S1.1.1", "[/] S1.1.1"),
            ("[/] S1.1.1: one", by_hand),
            &[],
        ),
        (("[ ] S1.1.1", "[x] S1.1.1"), ("[ ] S1.1.1", "[-] S1.1.1"), none, &["S1.1.1"]),
        (("- [ ] S1.1.2: two\n", ""), none, ("- [ ] S1.1.2: two\n", ""), &[]),
        (("- [ ] S1.1.2: two\n", ""), ("two", "changed"), none, &["S1.1.2"]),
        (
            ("- [ ] S1.1.2: two\n", "- [ ] S1.1.2: two\n- [ ] S1.1.3: more\n"),
            none,
            ("- [ ] S1.1.2: two\n", "- [ ] S1.1.2: two\n- [ ] S1.1.3: more\n"),
            &[],
        ),
        (
            ("- [ ] S1.1.1: one\n- [ ] S1.1.2: two\n", "- [ ] S1.1.2: two\n- [ ] S1.1.1: one\n"),
            none,
            ("- [ ] S1.1.1: one\n- [ ] S1.1.2: two\n", "- [ ] S1.1.2: two\n- [ ] S1.1.1: one\n"),
            &[],
        ),
        (
            ("\n### T1.10: c | agent:Worker\n- [ ] S1.10.1: three\n", ""),
            none,
            ("\n### T1.10: c | agent:Worker\n- [ ] S1.10.1: three\n", ""),
            &[],
        ),
    ];
    let with = |text: &str, change: Change| match change {
        ("", _) => text.to_owned(),
        (old, new) => text.replacen(old, new, 1),
    };
    for (theirs, ours, wanted, held) in rows {
        let our_text = with(BASE, ours);
        let m = merged(&with(BASE, theirs), &our_text);
        let names: Vec<String> = m.held.iter().map(|h| h.edit.item.to_string()).collect();
        assert_eq!(names, held, "{theirs:?} {ours:?} {:?}", m.held);
        assert!(m.held.iter().all(|h| h.hold == Hold::Conflict), "{:?}", m.held);
        assert_eq!(
            render(m.plan.as_ref().unwrap()),
            with(&our_text, wanted),
            "{theirs:?} {ours:?}"
        );
    }
}

#[test]
fn a_conflict_ends_when_a_person_takes_a_side() {
    let conflict = || merged(&BASE.replace("one", "uno"), &BASE.replace("one", "un"));
    let title =
        |m: &Mission| m.plan.as_ref().unwrap().tasks().next().unwrap().steps[0].title.clone();
    let item = ItemId::parse("S1.1.1").unwrap();
    let settle = |take| Command::SettleItem { item: item.clone(), take };
    let m = tell(conflict(), settle(Side::Text));
    assert_eq!((title(&m).as_str(), m.held.len()), ("uno", 0));
    let m = tell(conflict(), settle(Side::Plan));
    assert_eq!((title(&m).as_str(), m.held[0].yields), ("un", true));
    // The text has given way.
    let m = tell(m, Command::EditPlan { edits: Vec::new(), order: Vec::new() });
    assert!(m.held.is_empty());
}

#[test]
fn what_would_make_the_plan_invalid_is_held_as_a_whole() {
    let cycle = BASE.replace("T1.1: b |", "T1.1: b | depends:T1.10 |");
    let ours = BASE.replace("T1.10: c |", "T1.10: c | depends:T1.1 |");
    let m = merged(&cycle, &parse(&ours).map(|p| render(&p)).unwrap());
    assert_eq!(m.held.len(), 1);
    assert_eq!(m.held[0].hold, Hold::Invalid);
    assert!(m.held[0].why.contains("wait for each other"), "{}", m.held[0].why);
}

#[test]
fn what_is_being_worked_on_is_taken_when_that_ends() {
    let mut m = mission(BASE);
    m.open_session(crate::conversation::Role::Worker, ItemId::parse("T1.1"), "b".into());
    let theirs = BASE.replace("- [ ] S1.1.2: two\n", "").replace("[ ] S1.10.1", "[-] S1.10.1");
    let (edits, order) = edits(&items(BASE), &items(&theirs));
    let mut m = tell(m, Command::EditPlan { edits, order });
    assert_eq!(m.held.len(), 1, "T1.10 is another task than T1.1: {:?}", m.held);
    assert_eq!(
        (m.held[0].edit.item.to_string().as_str(), m.held[0].hold),
        ("S1.1.2", Hold::UnderWay)
    );
    m.sessions.clear();
    let m = tell(m, Command::Pause);
    assert!(m.held.is_empty());
    assert_eq!(m.plan.as_ref().unwrap().progress().1, 2);
}

#[test]
fn a_mark_is_set_on_the_version_that_was_seen_and_the_asker_hears_of_it() {
    let item = ItemId::parse("S1.1.1").unwrap();
    let m = mission(BASE);
    let version = m.plan.as_ref().unwrap().version(&item);
    let set = |mark, version: &Option<String>, ask: &str| Command::SetItem {
        item: item.clone(),
        mark,
        evidence: None,
        version: version.clone(),
        ask: Some(ask.to_owned()),
    };
    let m = tell(m, set(Mark::Done, &version, "a"));
    let m = tell(m, set(Mark::Failed, &version, "b"));
    let said: Vec<(&str, bool)> = m.answers.iter().map(|a| (a.ask.as_str(), a.is_done)).collect();
    assert_eq!(said, [("a", true), ("b", false)]);
    assert!(m.answers[1].said[0].contains("was changed meanwhile"), "{:?}", m.answers);
    assert_eq!(m.plan.unwrap().progress(), (1, 3));
}
