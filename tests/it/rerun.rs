//! `orchestrator verify --rerun`: receipts proved again in a clean checkout, with the real compiler.

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::model::{Asked, LocalModel};
use crate::support::project::{Project, Said};

const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIB: &str = "pub fn one() -> u32 {\n    1\n}\n";
const PLAN: &str = "# Mission: numbers\n## M1: numbers\n### T1.1: two\n- [ ] S1.1.1: `two` is there | file:src/lib.rs\n### T1.2: three | depends:T1.1\n- [ ] S1.2.1: `three` is there | file:src/lib.rs\n";

/// A project with a library and a test, and a file that is no code.
fn project() -> Project {
    let project = Project::empty();
    project.write("Cargo.toml", MANIFEST);
    project.write("src/lib.rs", LIB);
    project.write("tests/numbers.rs", "#[test]\nfn one() {\n    assert_eq!(tiny::one(), 1);\n}\n");
    project.write("notes/first.md", "notes\n");
    project
}

/// Two tasks, one function each. What `between` does happens before the second is proposed; it answers with its body.
fn model(between: impl Fn() -> &'static str + Send + Sync + 'static) -> LocalModel {
    LocalModel::calling(move |asked: &Asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => ("triage", json!({"decision": "plan"})),
        (Role::Planner, _) => ("plan", json!({"todo": PLAN})),
        (Role::Worker, 0) => {
            let second = asked.brief.contains("task T1.2");
            let (old, name, body) = match second {
                true => ("pub fn two", "three", between()),
                false => ("pub fn one", "two", "2"),
            };
            let new = format!("pub fn {name}() -> u32 {{\n    {body}\n}}\n\n{old}");
            let edits = [json!({"old": old, "new": new})];
            ("propose", json!({"changes": [{"op": "edit", "path": "src/lib.rs", "edits": edits}]}))
        }
        (Role::Worker, _) => ("done", json!({"summary": "written"})),
        (Role::Reviewer, _) => ("verdict", json!({"pass": true, "evidence": ["read it"]})),
    })
}

/// Runs the mission to its seal.
fn sealed(project: Project, between: impl Fn() -> &'static str + Send + Sync + 'static) -> Project {
    let model = model(between);
    let config = project.root().join("../config.toml");
    std::fs::write(&config, "[seal]\nmutants = 0\n").unwrap();
    let project = model.serving(project).with("ORCHESTRATOR_CONFIG", config);
    let said = project.run(&["task", "numbers", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    project
}

/// The fate of each receipt.
fn fates(said: &Said) -> Vec<String> {
    let values = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    values.filter_map(|value| Some(value["again"].as_str()?.to_owned())).collect()
}

fn journal(project: &Project) -> rusqlite::Connection {
    rusqlite::Connection::open(project.root().join(".opencode/journal.db")).unwrap()
}

#[test]
fn a_sealed_mission_is_proved_again_hand_edits_between_its_receipts_included() {
    let project = project();
    let root = project.root();
    // The second change compiles only with what the user wrote meanwhile.
    let by_hand = move || {
        std::fs::write(
            root.join("src/lib.rs"),
            format!("mod nine;\n\npub fn two() -> u32 {{\n    2\n}}\n\n{LIB}"),
        )
        .unwrap();
        std::fs::write(root.join("src/nine.rs"), "pub const NINE: u32 = 9;\n").unwrap();
        std::fs::remove_file(root.join("notes/first.md")).unwrap();
        "nine::NINE"
    };
    let project = sealed(project, by_hand);
    let before = project.bytes();
    let said = project.run(&["verify", "--rerun", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(fates(&said), ["proved again"; 3]);
    assert_eq!(project.bytes(), before, "it happens elsewhere");
    // What was there needs not to be there now.
    project.write("src/lib.rs", "nothing of it\n");
    std::fs::remove_dir_all(project.root().join("notes")).unwrap();
    assert_eq!(fates(&project.run(&["verify", "--rerun", "--json"])), ["proved again"; 3]);
}

#[test]
fn tampered_bytes_and_trees_are_refused() {
    let project = sealed(project(), || "9");
    let tampered = "pub fn one() -> u32 {\n    2\n}\n";
    let changed = journal(&project)
        .execute(
            "UPDATE blobs SET bytes = ?1 WHERE bytes = ?2",
            rusqlite::params![tampered.as_bytes(), LIB.as_bytes()],
        )
        .unwrap();
    assert_eq!(changed, 1);
    let said = project.run(&["verify", "--rerun", "--json"]);
    assert_eq!((said.code, fates(&said)[0].as_str()), (7, "fails"), "{said:?}");
    assert!(said.out.contains("the journal's bytes of src/lib.rs"), "{said:?}");
    assert_eq!(project.run(&["verify"]).code, 0, "the chain itself holds");

    let project = sealed(self::project(), || "9");
    journal(&project)
        .execute("UPDATE trees SET body = replace(body, 'notes/first.md', 'notes/other.md')", [])
        .unwrap();
    let said = project.run(&["verify", "--rerun", "--json"]);
    assert_eq!((said.code, fates(&said)), (7, vec!["fails".to_owned(); 3]), "{said:?}");
}

#[test]
fn what_cannot_be_rebuilt_is_not_repeatable_and_says_why() {
    let project = sealed(project(), || "9");
    // Neither the journal nor the disk has them any more.
    journal(&project).execute("DELETE FROM blobs WHERE bytes = ?1", [b"notes\n"]).unwrap();
    std::fs::remove_dir_all(project.root().join("notes")).unwrap();
    let said = project.run(&["verify", "--rerun"]);
    assert_eq!(said.code, 10, "{said:?}");
    assert!(said.out.contains("not repeatable"), "{said:?}");
    assert!(said.out.contains("the bytes of notes/first.md cannot be had"), "{said:?}");
    journal(&project).execute("DELETE FROM trees", []).unwrap();
    let said = project.run(&["verify", "--rerun"]);
    assert_eq!(said.code, 10, "{said:?}");
    assert!(said.out.contains("its tree was not kept"), "{said:?}");
}

#[test]
fn what_git_has_is_read_from_git() {
    let project = project();
    // Tracked, and ignored all the same.
    project.write(".gitignore", "*.md\ntarget\n");
    for arguments in [
        vec!["init", "--quiet"],
        vec!["add", "--force", "."],
        vec!["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "all"],
    ] {
        let mut git = std::process::Command::new("git");
        let ended = git.args(&arguments).current_dir(project.root()).status().unwrap();
        assert!(ended.success(), "{arguments:?}");
    }
    let project = sealed(project, || "9");
    let kept: u32 = journal(&project)
        .query_row("SELECT count(*) FROM blobs WHERE bytes = ?1", [b"notes\n"], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 0, "git has it");
    project.write("notes/first.md", "changed since\n");
    let said = project.run(&["verify", "--rerun", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(fates(&said), ["proved again"; 3]);
}
