//! Results that are too long for a conversation, and what is said where no language server can be had.

use super::*;
use crate::support::project::path_without_servers;

fn handle(answer: &str) -> String {
    let start = answer.find("result:").unwrap_or_else(|| panic!("no handle: {answer}"));
    answer[start..].split([' ', '\n']).next().unwrap().to_owned()
}

#[test]
fn a_long_result_is_kept_for_its_own_mission() {
    let (_folder, path) = path_without_servers();
    let project = Project::empty().with("PATH", path);
    project.write(
        "Cargo.toml",
        "[package]\nname = \"long\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    project.write(
        "src/lib.rs",
        "pub fn one() -> u32 {\n    1\n}\n\npub fn two() -> u32 {\n    one() + 1\n}\n",
    );
    let lines: Vec<String> = (1..=290).map(|n| format!("entry {n} {}", "x".repeat(180))).collect();
    project.write("long.txt", lines.join("\n"));
    let search = || step("search", json!({"patterns": ["entry"], "globs": ["long.txt"]}));
    let (project, said, answers) = mission(
        project,
        vec![
            search(),
            Box::new(|heard| ("read", json!({"path": handle(&heard[0]), "from": 150, "to": 151}))),
            Box::new(|heard| {
                ("search", json!({"patterns": ["entry 2[0-9]7 "], "globs": [handle(&heard[0])]}))
            }),
            search(),
            code("definition", "src/lib.rs", "one"),
            code("references", "src/lib.rs", "one"),
            propose(
                json!([{"op": "edit", "path": "src/lib.rs", "edits": [{"symbol": "one", "old": "1", "new": "2"}]}]),
            ),
        ],
    );
    assert_eq!(said.code, 0, "{said:?} {answers:#?}");
    assert!(answers[0].len() < 16 * 1024, "{}", answers[0].len());
    assert!(answers[0].starts_with("long.txt:1: entry 1 ") && answers[0].contains("long.txt:290:"));
    assert!(answers[0].contains("lines (") && answers[0].contains(") are left out here"));
    assert!(
        answers[1].starts_with("[lines 150 to 151 of 290]\nlong.txt:150: entry 150 "),
        "{}",
        answers[1]
    );
    assert_eq!(answers[2].lines().count(), 9, "{}", answers[2]);
    assert!(
        answers[2].starts_with(&format!("{}:207: long.txt:207: entry 207", handle(&answers[0])))
    );
    assert_eq!(handle(&answers[3]), handle(&answers[0]), "the same result has the same name");
    hold(
        &answers,
        &[
            (
                4,
                &[
                    "src/lib.rs:1: pub fn one() -> u32",
                    "by syntax alone: rust-analyzer: `rust-analyzer` is not",
                ],
            ),
            (5, &["`rust-analyzer` is not in node_modules/.bin nor on PATH; to get it"]),
        ],
    );
    assert!(project.read("src/lib.rs").starts_with("pub fn one() -> u32 {\n    2\n}\n"));
    assert_eq!(project.read(".opencode/results/.gitignore"), "*\n");

    // Another mission of the same workspace has no part in it.
    let kept = handle(&answers[0]);
    let other = kept.clone();
    let (_project, _, answers) = mission(
        project,
        vec![
            step("read", json!({"path": other})),
            step("search", json!({"patterns": ["entry"], "globs": [kept]})),
        ],
    );
    for answer in answers.iter().take(2) {
        assert!(answer.contains("is not kept for this mission"), "{answer}");
    }
}
