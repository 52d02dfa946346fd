//! Replacements by structure and edits by name, through missions and through `orchestrator check`.

use std::io::Write;
use std::process::Stdio;

use super::*;

fn crate_of(lib: &str) -> Project {
    let project = Project::empty();
    let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    project.write("Cargo.toml", manifest);
    project.write("src/lib.rs", lib);
    project
}

const LIB: &str = "pub mod more;\n\npub fn old(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn new(b: u32, a: u32) -> u32 {\n    a + b\n}\n\npub fn one() -> u32 {\n    old(1, old(2, 3))\n}\n";
const MORE: &str = "use crate::old;\n\n// old(4, 5)\npub fn two() -> u32 {\n    old(\n        6,\n        7, // seven\n    )\n}\n";

#[test]
fn code_is_replaced_everywhere_and_the_gate_proves_it() {
    let project = crate_of(LIB);
    project.write("src/more.rs", MORE);
    let replace = |pattern: &str, with: &str| {
        propose(json!([{"op": "replace_code", "pattern": pattern, "with": with, "glob": "*.rs"}]))
    };
    let (project, said, answers) = mission(
        project,
        vec![
            step("code", json!({"op": "match", "pattern": "old($A, $B)"})),
            step("code", json!({"op": "match", "pattern": "old($A"})),
            replace("old($A, $B)", "missing($B, $A)"),
            replace("old($A, $B)", "crate::new($B, $C)"),
            replace("old($A, $B)", "crate::new($B, $A)"),
            propose(json!([
                {"op": "edit", "path": "src/lib.rs", "edits": [{"symbol": "one", "new": "pub fn one() -> u32 {\n    new(new(3, 2), 1)\n}"}]},
                {"op": "edit", "path": "src/more.rs", "edits": [{"old": "1: use crate::old;\n2: \n", "new": ""}]},
            ])),
        ],
    );
    assert_eq!(said.code, 0, "{said:?} {answers:#?}");
    hold(
        &answers,
        &[
            (
                0,
                &[
                    "src/lib.rs:12: old(1, old(2, 3))",
                    "src/lib.rs:12: old(2, 3)",
                    "src/more.rs:5-8: old(",
                ],
            ),
            (1, &["no whole piece of rust code"]),
            (2, &["refused", "replace_code `old($A, $B)`: 3 places in 2 files", "missing"]),
            (3, &["refused", "`$C`"]),
            (4, &["accepted", "replace_code `old($A, $B)`: 3 places in 2 files"]),
            (5, &["accepted"]),
        ],
    );
    assert_eq!(project.read("src/lib.rs"), LIB.replace("old(1, old(2, 3))", "new(new(3, 2), 1)"));
    let more = project.read("src/more.rs");
    assert_eq!(more, "// old(4, 5)\npub fn two() -> u32 {\n    crate::new(7, 6)\n}\n");
}

fn check(project: &Project, arguments: &[&str], changes: Value) -> Said {
    let mut all = vec!["check", "--json"];
    all.extend(arguments);
    let mut command = project.command(&all);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let input = json!({ "changes": changes }).to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn other_programs_may_propose_them_too() {
    let project = crate_of(LIB);
    project.write("src/more.rs", MORE);
    let before = project.bytes();
    let replace =
        json!([{"op": "replace_code", "pattern": "old($A, $B)", "with": "crate::new($B, $A)"}]);
    let said = check(&project, &["--no-servers"], replace);
    assert_eq!(said.code, 0, "{said:?}");
    let detail = said.last()["report"]["stages"][0]["detail"].clone();
    assert!(detail.as_str().unwrap().contains("3 places in 2 files"), "{detail}");
    let message = |changes: Value| {
        let said = check(&project, &["--no-servers"], changes);
        assert_eq!(said.code, 8, "{said:?}");
        said.last()["report"]["problems"][0]["diagnostic"]["message"].as_str().unwrap().to_owned()
    };
    let rename =
        json!([{"op": "rename_symbol", "path": "src/lib.rs", "symbol": "old", "to": "older"}]);
    assert!(message(rename).contains("needs a language server"));
    let twice =
        json!([{"op": "edit", "path": "src/lib.rs", "edits": [{"symbol": "none", "new": ""}]}]);
    assert!(message(twice).contains("there is no `none` here"));
    let said = check(
        &project,
        &[],
        json!([{"op": "edit", "path": "src/lib.rs", "edits": [], "glob": "*"}]),
    );
    assert!(said.code == 2 && said.err.contains("unknown field: changes.0.glob"), "{said:?}");
    assert_eq!(project.bytes(), before);
}
