//! `orchestrator check`: the gate for other programs, with the real compilers.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::ended::finished;
use crate::support::project::{Project, Said, path_with};
use crate::support::tools;

fn check(project: &Project, arguments: &[&str], input: impl AsRef<[u8]>) -> Said {
    let mut arguments = arguments.to_vec();
    arguments.insert(0, "check");
    let mut command = project.command(&arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who refuses what is too long does not read it to its end.
    let written = stdin.write_all(input.as_ref());
    drop(stdin);
    let output = finished(child);
    assert!(written.is_ok() || !output.status.success());
    output.into()
}

fn edit(path: &str, old: &str, new: &str) -> String {
    let edits = [json!({"old": old, "new": new})];
    json!({"changes": [{"op": "edit", "path": path, "edits": edits}]}).to_string()
}

fn tiny() -> Project {
    let project = Project::empty();
    project.write(
        "Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    project.write("src/lib.rs", "pub fn one() -> u32 {\n    1\n}\n");
    project
}

#[test]
fn a_good_change_is_accepted_and_written_only_when_asked() {
    let project = tiny();
    let good = edit("src/lib.rs", "    1\n", "    2\n");
    let before = project.bytes();
    let said = check(&project, &["--no-servers"], &good);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("tools    ok") && said.out.contains("accepted: src/lib.rs"),
        "{said:?}"
    );
    assert_eq!(project.bytes(), before);
    assert!(!project.root().join(".opencode").exists(), "no mission, no journal");
    let said = check(&project, &["--no-servers", "--apply", "--json"], &good);
    assert_eq!((said.code, &said.last()["applied"]), (0, &json!(true)), "{said:?}");
    assert_eq!(project.read("src/lib.rs"), "pub fn one() -> u32 {\n    2\n}\n");
    // It no longer fits: the anchor is gone.
    let said = check(&project, &["--no-servers", "--apply", "--json"], &good);
    assert_eq!((said.code, &said.last()["applied"]), (8, &json!(false)), "{said:?}");
}

#[test]
fn a_bad_change_is_refused_with_its_frame_and_nothing_is_applied() {
    let project = tiny();
    let bad = edit("src/lib.rs", "    1\n", "    \"one\"\n");
    let before = project.bytes();
    let said = check(&project, &["--no-servers", "--apply"], &bad);
    assert_eq!(said.code, 8, "{said:?}");
    for piece in
        ["src/lib.rs:2:5: [E0308]", "    2 |     \"one\"\n", "^^^^^", "refused: src/lib.rs"]
    {
        assert!(said.out.contains(piece), "{piece}: {said:?}");
    }
    assert_eq!(project.bytes(), before);
    let report = &check(&project, &["--no-servers", "--json"], &bad).last()["report"];
    assert_eq!(report["verdict"], "refused");
    assert_eq!(report["problems"][0]["stage"], "tools");
}

#[test]
fn what_nothing_can_prove_is_unverified() {
    let project = Project::empty();
    project.write("src/lib.rs", "pub fn one() -> u32 {\n    1\n}\n");
    let said = check(&project, &["--no-servers", "--apply"], edit("src/lib.rs", "1", "2"));
    assert_eq!(said.code, 9, "{said:?}");
    assert!(said.out.contains("unverified") && said.out.contains("Cargo.toml"), "{said:?}");
    assert!(project.read("src/lib.rs").contains("    1\n"));
}

#[test]
fn typescript_is_proved_by_its_server_and_by_its_compiler() {
    let bin = tools::typescript7().join("node_modules/.bin");
    let project = Project::empty().with("PATH", path_with(&[bin]));
    project.write("tsconfig.json", r#"{"compilerOptions": {"strict": true, "noEmit": true, "types": []}, "include": ["*.ts"]}"#);
    project.write("one.ts", "export function one(): number {\n  return 1;\n}\n");
    project
        .write("two.ts", "import { one } from \"./one\";\nexport const two: number = one() + 1;\n");
    let good = edit("one.ts", "return 1", "return 11");
    // The caller stands in a file that the change does not touch.
    let bad = edit("one.ts", "one(): number {\n  return 1", "one(): string {\n  return \"1\"");
    for arguments in [vec!["--json"], vec!["--json", "--no-servers"]] {
        assert_eq!(check(&project, &arguments, &good).code, 0, "{arguments:?}");
        let said = check(&project, &arguments, &bad);
        assert_eq!(said.code, 8, "{said:?}");
        let problem = &said.last()["report"]["problems"][0];
        assert_eq!(problem["diagnostic"]["path"], "two.ts", "{said:?}");
    }
}

#[test]
fn bad_input_is_a_user_error() {
    let project = tiny();
    let before = project.bytes();
    let long = vec![b'['; 65 << 20];
    let outside =
        json!({"changes": [{"op": "write", "path": "../x.rs", "content": ""}]}).to_string();
    let unknown = json!({"changes": [], "force": true}).to_string();
    let cases: [(&[u8], &str); 6] = [
        (b"", "no change-set"),
        (b"not JSON", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (outside.as_bytes(), "not a path inside the workspace"),
        (unknown.as_bytes(), "unknown field: force"),
        (&long, "larger than 64 MiB"),
    ];
    for (input, piece) in cases {
        let said = check(&project, &["--json"], input);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(piece) && said.out.is_empty(), "{piece}: {said:?}");
        assert!(!said.err.contains("panicked"), "{said:?}");
    }
    // These are change-sets, and wrong.
    let reserved = json!({"changes": [{"op": "write", "path": ".git/hooks/x", "content": ""}]});
    for (input, piece) in [(json!({"changes": []}), "empty"), (reserved, ".git")] {
        let said = check(&project, &["--json"], input.to_string());
        assert_eq!(said.code, 8, "{said:?}");
        let message = said.last()["report"]["problems"][0]["diagnostic"]["message"].clone();
        assert!(message != Value::Null && said.out.contains(piece), "{said:?}");
    }
    assert_eq!(project.bytes(), before);
    assert_eq!(check(&project, &["--root", "/nowhere/at/all"], "{}").code, 2);
}
