//! Tests of [`super`].

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Texts in memory; `fold` makes it a system where case does not count.
#[derive(Default)]
struct Memory {
    texts: BTreeMap<RelPath, String>,
    fold: bool,
}

impl BaseTexts for Memory {
    fn read(&self, path: &RelPath) -> Result<Option<FileText>, ReadError> {
        Ok(self.texts.get(path).cloned().map(FileText::new))
    }
    fn twin(&self, path: &RelPath) -> Option<RelPath> {
        let wanted = path.as_str().to_lowercase();
        let mut paths = self.texts.keys();
        paths
            .find(|other| self.fold && *other != path && other.as_str().to_lowercase() == wanted)
            .cloned()
    }
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a good path")
}

fn memory(text: &str) -> Memory {
    Memory { texts: BTreeMap::from([(path("a.rs"), text.to_owned())]), fold: false }
}

fn text(old: &str, new: &str) -> Edit {
    Edit::Text { old: old.to_owned(), new: new.to_owned() }
}

fn run(base: &str, edits: Vec<Edit>) -> Result<String, Vec<ApplyProblem>> {
    let change = ChangeSet { changes: vec![Change::Edit { path: path("a.rs"), edits }] };
    let resolved = resolve(&change, &memory(base))?;
    Ok(resolved.files[0].result.clone().expect("an edit keeps the file"))
}

fn check(base: &str, old: &str, new: &str, want: &str) {
    assert_eq!(run(base, vec![text(old, new)]).as_deref(), Ok(want), "{base:?} {old:?}");
}

fn refused(base: &str, edits: Vec<Edit>) -> ApplyProblem {
    run(base, edits).expect_err("it must not fit").remove(0)
}

#[test]
fn anchors_fit_exactly_first() {
    check("one two three", "two", "2", "one 2 three");
    check("\u{feff}use a;\n", "use a;", "use b;", "\u{feff}use b;\n");
    check("ä ö ü", "ö", "oe", "ä oe ü");
}

#[test]
fn the_usual_slips_are_forgiven_where_unique() {
    // Line ends.
    check("a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\n", "x\r\ny\r\nc\r\n");
    check("a\nb\nc\n", "a\r\nb", "x\r\ny", "x\ny\nc\n");
    check("a\r\nb\r\n", "\nb", "\nB", "a\r\nB\r\n");
    check("a\r\nb\r\n", "a", "A\nA", "A\r\nA\r\nb\r\n");
    // Blanks at line ends.
    check("fn a() {  \n    b\n}\n", "fn a() {\n    b\n}", "fn a() {}", "fn a() {}\n");
    // A missing final newline.
    check("a\nb", "b\n", "B\n", "a\nB");
    // Uniform indentation, both ways.
    check("m {\n    a\n        b\n}\n", "a\n    b\n", "x\n    y\n", "m {\n    x\n        y\n}\n");
    check("a\n\n  b\n", "    a\n\n      b\n", "    c\n", "c\n");
}

#[test]
fn other_notations_are_read_where_the_place_is_the_only_one() {
    let base = "fn a() {\n    one();\n    two();\n}\n\nfn b() {\n    two();\n}\n";
    let want = base.replacen("one", "three", 1);
    check(base, "   2 |     one();\n", "   2 |     three();\n", &want);
    check(base, "@@ -1,2 +1,2 @@\n fn a() {\n-    one();\n+    three();\n", "", &want);
    check(base, "<<<<<<< SEARCH\none();\n=======\nthree();\n>>>>>>> REPLACE", "", &want);
    check(base, "-    one();\n", "+    three();\n", &want);
    // In the file's own line ends, and moved sideways, like every anchor.
    let crlf = base.replace('\n', "\r\n");
    check(&crlf, "2: one();\n", "three();\n", &want.replace('\n', "\r\n"));
    // What stands in two places is refused in every notation.
    for old in ["3: two();", "@@ @@\n-    two();\n+    x();\n", "-    two();"] {
        let new = if old.starts_with('@') { "" } else { "+x();" };
        let problem = refused(base, vec![text(old, new)]);
        assert!(problem.message.contains("2 times, at lines 3, 7"), "{old}: {problem}");
    }
    // And what looks like a notation but stands there is taken as it is.
    check("1: a\nb\n", "1: a", "c", "c\nb\n");
}

#[test]
fn what_is_not_uniform_is_stale() {
    let problem = refused("    a\n  b\n", vec![text("a\nb", "c")]);
    assert!(problem.message.contains("does not stand"), "{problem}");
    assert!(problem.frame.contains("1 |     a"), "{}", problem.frame);
}

#[test]
fn leniency_is_never_ambiguous() {
    let problem = refused("  a \n  b\n\n    a\n    b\n", vec![text("a\nb", "c")]);
    assert!(problem.message.contains("2 times, at lines 1, 4"), "{problem}");
    let twice = refused("aaa", vec![text("aa", "b")]);
    assert!(twice.message.contains("2 times"), "{twice}");
}

#[test]
fn a_stale_anchor_shows_the_current_text() {
    let base = "fn alpha() {}\n\nfn beta(x: u32) -> u32 {\n    x + 1\n}\n";
    let problem = refused(base, vec![text("fn beta(x: u64) -> u64 {", "")]);
    assert!(problem.frame.contains("3 | fn beta(x: u32)"), "{}", problem.frame);
}

#[test]
fn bad_edits_are_refused() {
    assert!(refused("abc", vec![text("", "x")]).message.contains("empty"));
    assert!(refused("abc", vec![text("ab", "x"), text("bc", "y")]).message.contains("overlap"));
    let span = |start, end| Edit::Span { start, end, new: String::new() };
    assert!(refused("ä", vec![span(0, 1)]).message.contains("cut a character"));
    assert!(refused("abc", vec![span(2, 9)]).message.contains("do not fit"));
    assert!(refused("abc", vec![span(2, 1)]).message.contains("do not fit"));
    assert!(refused("abc", vec![text("b", "b")]).message.contains("changes nothing"));
}

#[test]
fn spans_may_touch() {
    let span = |start, end, new: &str| Edit::Span { start, end, new: new.to_owned() };
    assert_eq!(
        run("abc", vec![span(1, 2, "B"), span(1, 1, "-"), span(2, 3, "C")]).as_deref(),
        Ok("a-BC")
    );
}

fn whole(base: &Memory, changes: Vec<Change>) -> Result<Resolved, Vec<ApplyProblem>> {
    resolve(&ChangeSet { changes }, base)
}

#[test]
fn files_come_go_and_move() {
    let base = memory("text");
    let to = path("b.rs");
    let moved = whole(&base, vec![Change::Rename { path: path("a.rs"), to }]).expect("it moves");
    assert_eq!(moved.files.len(), 2);
    assert_eq!(moved.files[1].renamed_from, Some(path("a.rs")));
    let gone = whole(&base, vec![Change::Delete { path: path("a.rs") }]).expect("it goes");
    assert_eq!(gone.files[0].result, None);
    let content = "new".to_owned();
    let written =
        whole(&base, vec![Change::Write { path: path("a.rs"), content }]).expect("it is replaced");
    assert_eq!(written.files[0].result.as_deref(), Some("new"));
}

#[test]
fn a_write_keeps_the_style_of_the_file() {
    let base = memory("\u{feff}a\r\nb\r\n");
    let content = "x\ny\n".to_owned();
    let written =
        whole(&base, vec![Change::Write { path: path("a.rs"), content }]).expect("it is replaced");
    assert_eq!(written.files[0].result.as_deref(), Some("\u{feff}x\r\ny\r\n"));
}

#[test]
fn conflicts_are_refused() {
    let mut base = memory("text");
    base.texts.insert(path("b.rs"), String::new());
    let delete = |name: &str| Change::Delete { path: path(name) };
    let rename = |to: &str| Change::Rename { path: path("a.rs"), to: path(to) };
    let create = |name: &str| Change::Write { path: path(name), content: String::new() };
    for changes in [
        vec![delete("c.rs")],
        vec![rename("b.rs")],
        vec![delete("a.rs"), create("a.rs")],
        vec![rename("c.rs"), create("c.rs")],
        vec![create("c.rs"), create("C.rs")],
    ] {
        assert!(whole(&base, changes.clone()).is_err(), "{changes:?}");
    }
    assert!(whole(&base, vec![create("A.rs")]).is_ok());
    base.fold = true;
    assert!(whole(&base, vec![create("A.rs")]).is_err());
    assert!(whole(&base, vec![rename("A.rs")]).is_err());
}

proptest! {
    /// Whatever the text, the bytes before and after the hunk are those of the base.
    #[test]
    fn bytes_outside_the_hunk_are_kept(
        before in "[a-z \t\r\nä\u{feff}]{0,40}",
        after in "[a-z \t\r\nä]{0,40}",
        new in "[a-z\r\nü]{0,20}",
    ) {
        let base = format!("{before}<ANCHOR>{after}");
        let result = run(&base, vec![text("<ANCHOR>", &new)]).expect("it stands once");
        prop_assert!(result.starts_with(&before));
        prop_assert!(result.ends_with(&after));
        let middle = &result[before.len()..result.len() - after.len()];
        prop_assert_eq!(middle.replace('\r', ""), new.replace('\r', ""));
    }

    /// No input makes it panic, and a change that it accepts replaces one contiguous piece.
    #[test]
    fn any_anchor_is_answered(base in "[ab \t\r\n]{0,24}", old in "[ab \t\r\n]{0,8}", new in "[xy\r\n ]{0,8}") {
        if let Ok(hunk) = anchor::find(&base, &old, &new) {
            prop_assert!(hunk.start <= hunk.end && hunk.end <= base.len());
            let replaced = base[hunk.start..hunk.end].replace(['\r', '\n', ' ', '\t'], "");
            prop_assert_eq!(replaced, old.replace(['\r', '\n', ' ', '\t'], ""));
        }
    }
}
