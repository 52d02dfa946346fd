//! Tests of [`super`] on recorded output; real cargo is asked in the integration tests.

use serde_json::{Value, json};

use super::*;

fn ended(success: bool, lines: &[Value], stderr: &str) -> Ended {
    Ended {
        success,
        status: "exit status: 101".to_owned(),
        stdout: lines.iter().map(|line| format!("{line}\n")).collect(),
        stderr: stderr.to_owned(),
        began: std::time::UNIX_EPOCH,
    }
}

fn project() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    fs::create_dir(root.path().join("src")).expect("a folder");
    fs::write(root.path().join("src/lib.rs"), "fn a() {}\nlet ä = HashMap::new();\n")
        .expect("a file");
    root
}

fn span(start: usize, end: usize, replacement: Option<&str>, applicability: Option<&str>) -> Value {
    json!({
        "file_name": "src/lib.rs", "byte_start": start, "byte_end": end, "line_start": 2, "line_end": 2,
        "column_start": 9, "column_end": 16, "is_primary": true, "label": null, "expansion": null,
        "suggested_replacement": replacement, "suggestion_applicability": applicability,
    })
}

fn message(root: &Path, children: Value) -> Value {
    json!({
        "reason": "compiler-message", "package_id": "p", "manifest_path": root.join("Cargo.toml"),
        "target": {"name": "p", "kind": ["lib"], "src_path": root.join("src/lib.rs")},
        "message": {"message": "undeclared type `HashMap`", "code": {"code": "E0433"}, "level": "error",
                    "spans": [span(19, 26, None, None)], "children": children},
    })
}

#[test]
fn places_are_bytes_and_targets_say_it_once() {
    let root = project();
    let line = message(
        root.path(),
        json!([{"message": "use it", "level": "help", "spans": [], "code": null}]),
    );
    let answered = read(root.path(), root.path(), "", &ended(false, &[line.clone(), line], ""))
        .expect("it answered");
    assert_eq!(answered.found.len(), 1);
    let diagnostic = &answered.found[0].diagnostic;
    assert_eq!(diagnostic.range.start, Place { line: 1, column: 9 });
    assert_eq!(diagnostic.range.end, Place { line: 1, column: 16 });
    assert_eq!(diagnostic.message, "undeclared type `HashMap`\nhelp: use it");
}

#[test]
fn alternatives_are_remedies_of_their_own() {
    let root = project();
    let child = |spans: Value| json!([{"message": "consider importing", "level": "help", "code": null, "spans": spans}]);
    let remedies = |spans: Value| {
        let line = message(root.path(), child(spans));
        let answered =
            read(root.path(), root.path(), "", &ended(false, &[line], "")).expect("it answered");
        answered.found[0].diagnostic.remedies.clone()
    };
    let two = remedies(json!([
        span(0, 0, Some("use std::a;\n"), Some("MaybeIncorrect")),
        span(0, 0, Some("use std::b;\n"), Some("MaybeIncorrect")),
    ]));
    assert_eq!(two.len(), 2);
    assert!(two.iter().all(|remedy| !remedy.certain));
    assert_eq!(two[1].title, "consider importing: use std::b;");
    let one = remedies(json!([
        span(0, 1, Some("("), Some("MachineApplicable")),
        span(5, 6, Some(")"), Some("MachineApplicable")),
    ]));
    assert_eq!(one.len(), 1);
    assert!(one[0].certain);
    assert_eq!(one[0].change.changes.len(), 1);
    assert!(remedies(json!([span(0, 1, Some("/* value */"), Some("HasPlaceholders"))])).is_empty());
}

#[test]
fn giving_up_without_a_place_is_no_answer() {
    let root = project();
    let error =
        read(root.path(), root.path(), "", &ended(false, &[], "error: failed to parse manifest"));
    assert!(error.expect_err("no answer").contains("failed to parse manifest"));
    assert!(read(root.path(), root.path(), "", &ended(true, &[], "")).is_ok());
}

#[test]
fn a_missing_network_is_recognised() {
    assert!(wants_network("error: failed to download from `https://…`"));
    assert!(!wants_network("error: could not compile `a`"));
}
