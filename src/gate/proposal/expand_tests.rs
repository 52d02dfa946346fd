//! Tests of [`super`].

use super::*;

struct Place {
    _folder: tempfile::TempDir,
    workspace: Workspace,
}

fn place(files: &[(&str, &str)]) -> Place {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Place { workspace: Workspace::open(folder.path()).unwrap(), _folder: folder }
}

fn run(place: &Place, changes: serde_json::Value) -> Result<Expanded, Vec<ApplyProblem>> {
    let proposal = serde_json::from_value(serde_json::json!({ "changes": changes })).unwrap();
    expand(&place.workspace, &OpenTexts::new(), proposal, Renames::new())
}

fn why(place: &Place, changes: serde_json::Value) -> String {
    let problems = run(place, changes).unwrap_err();
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn plain_changes_stay_as_they_are() {
    let changes = serde_json::json!([
        {"op": "edit", "path": "a.rs", "edits": [{"old": "a", "new": "b"}, {"start": 1, "end": 2, "new": ""}]},
        {"op": "write", "path": "b.rs", "content": ""},
        {"op": "delete", "path": "c.rs"},
        {"op": "rename", "path": "d.rs", "to": "e.rs"},
    ]);
    let wanted: ChangeSet =
        serde_json::from_value(serde_json::json!({ "changes": changes })).unwrap();
    assert_eq!(run(&place(&[]), changes).unwrap().change, wanted);
}

#[test]
fn code_is_replaced_in_every_file_and_counted() {
    let place = place(&[
        ("a.rs", "fn a() { old(1); }\n"),
        ("b.rs", "fn b() { old(old(2)); }\n"),
        ("c.rs", "// old(3)\n"),
        ("d.txt", "old(4)"),
    ]);
    let op = serde_json::json!([
        {"op": "replace_code", "pattern": "old($A)", "with": "new($A)"},
        {"op": "edit", "path": "a.rs", "edits": [{"old": "fn a", "new": "fn z"}]},
    ]);
    let done = run(&place, op).unwrap();
    assert_eq!(done.notes, ["replace_code `old($A)`: 3 places in 2 files"]);
    assert_eq!(done.bases.len(), 2);
    let edits: Vec<(&str, usize)> = done
        .change
        .changes
        .iter()
        .map(|change| match change {
            Change::Edit { path, edits } => (path.as_str(), edits.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(edits, [("a.rs", 2), ("b.rs", 1)], "all edits of a file are one change");
}

#[test]
fn what_is_not_clear_is_refused_with_the_choices() {
    let place = place(&[
        ("a.rs", "fn a() { old(1); }\nmod m { fn f() {} }\nmod n { fn f() {} }\n"),
        ("b.py", "old(1)\n"),
    ]);
    let replace = |pattern: &str, with: &str, glob: Option<&str>| serde_json::json!([{"op": "replace_code", "pattern": pattern, "with": with, "glob": glob}]);
    assert!(why(&place, replace("old($A)", "new($A)", None)).contains("1 in python, 1 in rust"));
    assert!(run(&place, replace("old($A)", "new($A)", Some("*.rs"))).is_ok());
    assert!(why(&place, replace("old($A)", "new($B)", Some("*.rs"))).contains("`$B`"));
    assert!(why(&place, replace("none($A)", "x", Some("*.rs"))).contains("stands in no file"));
    assert!(why(&place, replace("old($A", "x", Some("*.rs"))).contains("no whole piece of rust"));
    assert!(why(&place, replace("old($A)", "x", Some("["))).contains("no glob"));
    let edit = |edit: serde_json::Value| serde_json::json!([{"op": "edit", "path": "a.rs", "edits": [edit]}]);
    let twice = why(&place, edit(serde_json::json!({"symbol": "f", "new": "fn f() {}"})));
    assert!(twice.contains("m::f in line 2, n::f in line 3"), "{twice}");
    assert!(why(&place, edit(serde_json::json!({"new": "x"}))).contains("needs `old`"));
    assert!(
        why(&place, edit(serde_json::json!({"new": "x", "at": "after", "old": "f"})))
            .contains("needs the `symbol`")
    );
    let gone =
        serde_json::json!([{"op": "edit", "path": "z.rs", "edits": [{"symbol": "f", "new": ""}]}]);
    assert!(why(&place, gone).contains("no such text file"));
}

#[test]
fn unsaved_text_counts() {
    let place = place(&[("a.rs", "fn a() {}\n")]);
    let path = RelPath::new("a.rs").unwrap();
    let text = "fn a() { old(1); }\n".to_owned();
    let open = OpenTexts::from([(path, crate::workspace::OpenText { version: 1, text })]);
    let op = serde_json::json!({"changes": [{"op": "replace_code", "pattern": "old($A)", "with": "$A"}]});
    let done = expand(&place.workspace, &open, serde_json::from_value(op).unwrap(), Renames::new());
    assert_eq!(done.unwrap().notes, ["replace_code `old($A)`: 1 place in 1 file"]);
}
