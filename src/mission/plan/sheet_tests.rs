//! Texts and plans: what a person changed is read off a text, and what the plan changed is written into it.

use super::super::{Mark, parse};
use super::*;

const BASE: &str = "# Mission: g\n\n## M1: a\n\n### T1.1: b | agent:Worker\n- [ ] S1.1.1: one\n- [ ] S1.1.2: two\n\n### T1.10: c | agent:Worker\n- [ ] S1.10.1: three\n";

fn named(text: &str) -> String {
    let plan = parse(BASE).unwrap();
    with_ids(text, &BTreeSet::new(), Some(&|id| plan.item(id).is_some()))
}

/// The edits from the base to a text, as `id: was → now`.
fn said(text: &str) -> Vec<String> {
    let (edits, order) = edits(&items(BASE), &items(&named(text)));
    let line = |item: &Option<Item>| item.as_ref().map_or("nothing".to_owned(), Item::line);
    let mut said: Vec<String> =
        edits.iter().map(|e| format!("{}: {} -> {}", e.item, line(&e.was), line(&e.now))).collect();
    if !order.is_empty() {
        let ids: Vec<String> = order.iter().map(ItemId::to_string).collect();
        said.push(format!("order {}", ids.join(" ")));
    }
    said
}

#[test]
fn each_edit_of_a_person_is_read_off_the_text() {
    let one = "S1.1.1: - [ ] S1.1.1: one ->";
    let cases: [(&str, &str, &[&str]); 10] = [
        ("", "", &[]),
        ("S1.1.1: one", "S1.1.1:  one  ", &[]),
        ("## M1", "a line of mine\n\n<!-- and another -->\n## M1", &[]),
        ("S1.1.1: one", "S1.1.1: uno", &["S1.1.1: - [ ] S1.1.1: one -> - [ ] S1.1.1: uno"]),
        ("[ ] S1.1.1", "[x] S1.1.1", &[&format!("{one} - [x] S1.1.1: one")]),
        ("[ ] S1.10.1", "[-] S1.10.1", &["S1.10.1: - [ ] S1.10.1: three -> - [-] S1.10.1: three"]),
        ("- [ ] S1.1.2: two\n", "", &["S1.1.2: - [ ] S1.1.2: two -> nothing"]),
        (
            "- [ ] S1.1.2: two\n",
            "- [ ] S1.1.2: two\n- [ ] more\n",
            &[
                "S1.1.3: nothing -> - [ ] S1.1.3: more",
                "order M1 T1.1 S1.1.1 S1.1.2 S1.1.3 T1.10 S1.10.1",
            ],
        ),
        (
            "- [ ] S1.1.1: one\n- [ ] S1.1.2: two\n",
            "- [ ] S1.1.2: two\n- [ ] S1.1.1: one\n",
            &["order M1 T1.1 S1.1.2 S1.1.1 T1.10 S1.10.1"],
        ),
        (
            "### T1.10",
            "### new task\n- [ ] its step\n\n### T1.10",
            &[
                "T1.2: nothing -> ### T1.2: new task | agent:Worker",
                "S1.2.1: nothing -> - [ ] S1.2.1: its step",
                "order M1 T1.1 S1.1.1 S1.1.2 T1.2 S1.2.1 T1.10 S1.10.1",
            ],
        ),
    ];
    for (old, new, wanted) in cases {
        let text = if old.is_empty() { BASE.to_owned() } else { BASE.replacen(old, new, 1) };
        assert_eq!(said(&text), wanted, "{text}");
    }
}

#[test]
fn ids_are_given_to_what_is_meant_as_an_item_only() {
    let text = "## Notes\n- a plain item\n## M1: a\n### T1.1: b\n- [ ] \n- [ ] S1.1\n- [ ] new: thing\n* [x] other\n### Remarks\ntext\n";
    let fresh = |text: &str| with_ids(text, &BTreeSet::new(), Some(&|_| false));
    let given = fresh(text);
    let wanted = text
        .replace("- [ ] new: thing", "- [ ] S1.1.1: new: thing")
        .replace("* [x] other", "* [x] S1.1.2: other");
    assert_eq!(given, wanted);
    assert_eq!(fresh(&given), given);
    // A line keeps the id that it was given, though a lower one has become free, and nothing new gets one.
    let kept = BTreeSet::from([ItemId::parse("S1.1.7").unwrap()]);
    let wanted = text.replace("- [ ] new: thing", "- [ ] S1.1.7: new: thing");
    assert_eq!(with_ids(text, &kept, None), wanted);
}

/// Rows: what the person wrote (in the base), what the plan became, the text that comes of both.
#[test]
fn the_plan_is_written_between_the_persons_own_lines() {
    let mark = |plan: &mut Plan, id: &str, mark: Mark| {
        let id = ItemId::parse(id).unwrap();
        let steps =
            plan.milestones.iter_mut().flat_map(|m| &mut m.tasks).flat_map(|t| &mut t.steps);
        steps.filter(|s| s.id == id).for_each(|s| s.mark = mark);
    };
    let check = |theirs: &str, change: &dyn Fn(&mut Plan), wanted: &str| {
        let mut plan = parse(BASE).unwrap();
        change(&mut plan);
        assert_eq!(weave(theirs, &items(BASE), &plan), wanted);
    };
    check(BASE, &|_| {}, BASE);
    // A mark of the plan's, a title of the person's, on one line.
    let theirs = BASE.replace("S1.1.1: one", "S1.1.1: uno");
    check(
        &theirs,
        &|p| mark(p, "S1.1.1", Mark::Active),
        &theirs.replace("[ ] S1.1.1", "[/] S1.1.1"),
    );
    // T1.1 is not T1.10.
    check(BASE, &|p| mark(p, "S1.1.1", Mark::Done), &BASE.replace("[ ] S1.1.1", "[x] S1.1.1"));
    // Where both changed the mark, the text keeps the person's.
    let theirs = BASE.replace("[ ] S1.1.1", "[-] S1.1.1");
    check(&theirs, &|p| mark(p, "S1.1.1", Mark::Done), &theirs);
    // Comments, half-written lines, odd spacing and line ends stay.
    let theirs = BASE
        .replace("- [ ] S1.1.2", "  note\n- [?] S1.1.9: typ\n- [ ] S1.1.2")
        .replace('\n', "\r\n");
    check(
        &theirs,
        &|p| mark(p, "S1.10.1", Mark::Active),
        &theirs.replace("[ ] S1.10.1", "[/] S1.10.1"),
    );
    // What the plan drops goes, what the person wrote beneath it does not.
    let theirs = BASE.replace("- [ ] S1.10.1: three\n", "- [ ] S1.10.1: three\nmy note\n");
    let drop = |p: &mut Plan| p.milestones[0].tasks.truncate(1);
    check(
        &theirs,
        &drop,
        &BASE.replace("\n### T1.10: c | agent:Worker\n- [ ] S1.10.1: three\n", "my note\n"),
    );
    // What the person removed does not come back by itself, what the plan adds comes.
    let theirs = BASE.replace("- [ ] S1.1.2: two\n", "");
    let grow = |p: &mut Plan| {
        let more = parse("## M2: d\n### T2.1: e\n- [ ] S2.1.1: f\n").unwrap();
        p.milestones.extend(more.milestones);
    };
    let added = "\n## M2: d\n\n### T2.1: e | agent:Worker\n- [ ] S2.1.1: f\n";
    check(&theirs, &grow, &format!("{theirs}{added}"));
    // While the person has moved lines, they stay where they were put.
    let theirs = BASE.replace(
        "- [ ] S1.1.1: one\n- [ ] S1.1.2: two\n",
        "- [ ] S1.1.2: two\n- [ ] S1.1.1: one\n",
    );
    check(&theirs, &grow, &format!("{theirs}{added}"));
}

#[test]
fn what_was_shown_once_is_no_edit() {
    let later = BASE.replace("[ ] S1.1.1", "[/] S1.1.1");
    let latest = later.replace("[/] S1.1.1", "[x] S1.1.1");
    let shown: Vec<Vec<Item>> = [&latest, &later, BASE].iter().map(|text| items(text)).collect();
    // Saved long ago, with one edit.
    let theirs = items(&BASE.replace("three", "drei"));
    let base = guess_base(&theirs, &shown);
    let (edits, _) = edits(&base, &theirs);
    assert_eq!(edits.len(), 1);
    assert_eq!(edits[0].item.to_string(), "S1.10.1");
}

proptest::proptest! {
    /// A plan that nobody touched is written as it is rendered, whatever changes.
    #[test]
    fn a_text_that_nobody_touched_becomes_the_plans(marks in proptest::collection::vec(0usize..4, 3), keep in 0usize..3) {
        let mut plan = parse(BASE).unwrap();
        let all = [Mark::Pending, Mark::Active, Mark::Done, Mark::Failed];
        let steps = plan.milestones.iter_mut().flat_map(|m| &mut m.tasks).flat_map(|t| &mut t.steps);
        for (step, mark) in steps.zip(marks) {
            step.mark = all[mark];
        }
        plan.milestones[0].tasks.truncate(keep.max(1));
        proptest::prop_assert_eq!(weave(BASE, &items(BASE), &plan), super::super::render(&plan));
    }

    /// No text makes it panic, and no line of the person's is lost.
    #[test]
    fn any_text_is_kept(lines in proptest::collection::vec("(## |### |- \\[ \\] |)(M1|T1.1|S1.1.1|S1.1.2|x)?(: é)?", 0..12)) {
        let text = lines.join("\n");
        let given = with_ids(&text, &BTreeSet::new(), Some(&|_| false));
        let plan = parse(BASE).unwrap();
        let woven = weave(&given, &[], &plan);
        for line in given.lines() {
            proptest::prop_assert!(woven.contains(line), "{:?} is lost in {:?}", line, woven);
        }
    }
}
