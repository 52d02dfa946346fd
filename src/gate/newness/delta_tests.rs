//! Tests of [`super`].

use super::*;
use crate::gate::diagnostic::{Place, Range, Severity};
use crate::workspace::change::{Change, ChangeSet};
use crate::workspace::resolve::ResolvedFile;
use crate::workspace::snapshot::FileText;

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a good path")
}

/// `path:line code message`, line 0-based.
fn found(text: &str) -> Found {
    let mut parts = text.splitn(3, ' ');
    let (file, line) = parts.next().and_then(|place| place.split_once(':')).expect("path:line");
    let start = Place { line: line.parse().expect("a line"), column: 0 };
    let code = parts.next().filter(|code| *code != "-").map(str::to_owned);
    Found {
        diagnostic: Diagnostic {
            path: path(file),
            range: Range { start, end: start },
            severity: Severity::Error,
            code,
            message: parts.next().unwrap_or("message").to_owned(),
            source: "rustc".to_owned(),
            remedies: Vec::new(),
        },
        unit: "lib".to_owned(),
    }
}

fn answered(list: &[&str]) -> Answered {
    Answered {
        found: list.iter().map(|text| found(text)).collect(),
        units: BTreeSet::from(["lib".to_owned()]),
        ..Answered::default()
    }
}

fn changes(before: &str, after: &str) -> Changes {
    Changes::of(&Resolved {
        files: vec![ResolvedFile {
            path: path("a.rs"),
            base: Some(FileText::new(before.to_owned())),
            result: Some(after.to_owned()),
            renamed_from: None,
        }],
    })
}

/// (new, revealed, stood, gone)
fn check(base: &[&str], after: &[&str], changes: &Changes) -> (usize, usize, usize, usize) {
    let delta = compare(&answered(base), &answered(after), changes);
    (delta.new.len(), delta.revealed.len(), delta.stood, delta.gone.len())
}

#[test]
fn old_errors_do_not_count_wherever_they_move() {
    let change = changes("a\nb\nc\n", "x\ny\na\nb\nc\n");
    assert_eq!(check(&["a.rs:1 E0308"], &["a.rs:3 E0308"], &change), (0, 0, 1, 0));
    assert_eq!(check(&["b.rs:1 E0308"], &["b.rs:1 E0308"], &change), (0, 0, 1, 0));
}

#[test]
fn one_fixed_does_not_pay_for_one_added() {
    let change = changes("a\nb\nc\nd\ne\n", "A\nb\nc\nd\nE\n");
    // Different errors, and equal ones in different hunks.
    assert_eq!(check(&["a.rs:0 E0308 m"], &["a.rs:4 E0599 n"], &change), (1, 0, 0, 1));
    assert_eq!(check(&["a.rs:0 E0308 m"], &["a.rs:4 E0308 m"], &change), (1, 0, 0, 1));
    // The line was edited and is still wrong.
    assert_eq!(check(&["a.rs:0 E0308 m"], &["a.rs:0 E0308 m"], &change), (0, 0, 1, 0));
    // An untouched line went wrong in place of an edited one.
    assert_eq!(check(&["a.rs:0 E0308 m"], &["a.rs:2 E0308 m"], &change), (1, 0, 0, 1));
    // Twice where it stood once.
    assert_eq!(
        check(&["a.rs:0 E0308 m"], &["a.rs:0 E0308 m", "a.rs:2 E0308 m"], &change),
        (1, 0, 1, 0)
    );
}

#[test]
fn moved_code_keeps_its_errors() {
    let change = changes("bad();\nb\nc\n", "b\nc\n    bad();\n");
    assert_eq!(check(&["a.rs:0 E0425 m"], &["a.rs:2 E0425 m"], &change), (0, 0, 1, 0));
}

#[test]
fn a_later_phase_is_revealed_when_an_earlier_error_goes() {
    let change = changes("a\nb\nc\n", "A\nb\nc\n");
    assert_eq!(check(&["a.rs:0 E0432 m"], &["a.rs:2 E0308 n"], &change), (0, 1, 0, 1));
    assert_eq!(check(&["a.rs:0 E0308 m"], &["a.rs:2 E0382 n"], &change), (0, 1, 0, 1));
    // In the changed lines it is the edit's own.
    assert_eq!(check(&["a.rs:0 E0432 m"], &["a.rs:0 E0308 n"], &change), (1, 0, 0, 1));
    // Nothing went, or the phase is not later.
    assert_eq!(
        check(&["a.rs:0 E0432 m"], &["a.rs:0 E0432 m", "a.rs:2 E0308 n"], &change),
        (1, 0, 1, 0)
    );
    assert_eq!(check(&["a.rs:0 E0308 m"], &["a.rs:2 E0425 n"], &change), (1, 0, 0, 1));
    // Another crate's error hides nothing in a unit that was looked into.
    let mut base = answered(&["a.rs:0 E0432 m"]);
    base.found[0].unit = "other".to_owned();
    let delta = compare(&base, &answered(&["a.rs:2 E0308 n"]), &change);
    assert_eq!((delta.new.len(), delta.revealed.len()), (1, 0));
}

#[test]
fn a_unit_behind_a_broken_one_is_revealed() {
    let change = changes("a\nb\nc\n", "A\nb\nc\n");
    let mut after = answered(&["tests/t.rs:0 E0425 n"]);
    after.found[0].unit = "tests/t.rs".to_owned();
    let delta = compare(&answered(&["a.rs:0 E0308 m"]), &after, &change);
    assert_eq!((delta.new.len(), delta.revealed.len()), (0, 1));
    let delta = compare(&answered(&[]), &after, &change);
    assert_eq!((delta.new.len(), delta.revealed.len()), (1, 0));
}

#[test]
fn typescript_has_no_phases() {
    let change = changes("a\nb\nc\n", "A\nb\nc\n");
    let mut base = answered(&["a.rs:0 TS2304 m"]);
    let mut after = answered(&["a.rs:2 TS2322 n"]);
    base.found[0].diagnostic.source = "tsc".to_owned();
    after.found[0].diagnostic.source = "tsc".to_owned();
    assert_eq!(compare(&base, &after, &change).new.len(), 1);
}

#[test]
fn a_renamed_file_takes_its_errors_along() {
    struct One;
    impl crate::workspace::resolve::BaseTexts for One {
        fn read(&self, at: &RelPath) -> Result<Option<FileText>, crate::workspace::ReadError> {
            Ok((at.as_str() == "a.rs").then(|| FileText::new("x\n".to_owned())))
        }
        fn twin(&self, _: &RelPath) -> Option<RelPath> {
            None
        }
    }
    let rename = Change::Rename { path: path("a.rs"), to: path("b.rs") };
    let resolved =
        crate::workspace::resolve(&ChangeSet { changes: vec![rename] }, &One).expect("it moves");
    assert_eq!(check(&["a.rs:0 E0308"], &["b.rs:0 E0308"], &Changes::of(&resolved)), (0, 0, 1, 0));
}

/// A file that is deleted and written anew elsewhere, with an edit: what stood in it stands still, what was made is new.
#[test]
fn a_file_that_moves_and_is_edited_takes_its_errors_along() {
    let before = "one\ntwo\nthree\nfour\n";
    let file = |name: &str, base: Option<&str>, result: Option<&str>| ResolvedFile {
        path: path(name),
        base: base.map(|text| FileText::new(text.to_owned())),
        result: result.map(str::to_owned),
        renamed_from: None,
    };
    let moved = |after| {
        Changes::of(&Resolved {
            files: vec![file("b.rs", None, Some(after)), file("a.rs", Some(before), None)],
        })
    };
    let after = ["b.rs:2 E1 old", "b.rs:4 E1 new"];
    let change = moved("zero\none\ntwo\nthree\nfive\n");
    assert_eq!(check(&["a.rs:1 E1 old"], &after, &change), (1, 0, 1, 0));
    let unlike = moved("quite\nanother\ntext\n");
    assert_eq!(check(&["a.rs:1 E1 old"], &["b.rs:1 E1 old"], &unlike), (1, 0, 0, 1));
}
