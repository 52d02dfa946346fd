//! `orchestrator demo`: the main job, as a newcomer sees it.

use serde_json::Value;

use crate::support::project::{Project, Said};

/// The story's lines, in words.
fn lines(said: &Said) -> Vec<String> {
    let values = said.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    values.filter_map(|v| Some(v["line"]["text"].as_str()?.to_owned())).collect()
}

fn position(lines: &[String], piece: &str) -> usize {
    lines
        .iter()
        .position(|line| line.contains(piece))
        .unwrap_or_else(|| panic!("no `{piece}` in {lines:#?}"))
}

#[test]
fn the_demo_refuses_the_wrong_edit_and_seals() {
    let said = Project::empty().run(&["demo", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines = lines(&said);
    let refused = position(&lines, "the gate refused at");
    let mended = position(&lines, "accepted src/count.rs, src/main.rs");
    let sealed = position(&lines, "sealed");
    assert!(refused < mended && mended < sealed, "{lines:#?}");
    assert!(lines[0].contains("replay"), "it says that it is a replay: {}", lines[0]);
    assert!(position(&lines, "tests ok") < sealed);
    let verified = said.last();
    assert_eq!(verified["broken"], Value::Null);
    assert_eq!(verified["treeAsSealed"], true);
    assert_eq!(verified["receipts"], 4);
}

#[test]
fn plain_output_says_that_it_is_a_replay_and_has_no_escapes() {
    let said = Project::empty().run(&["demo"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("REPLAY"));
    assert!(!said.out.contains('\u{1b}'), "a pipe gets no colours and no bar");
}

/// Without a language server the compiler proves, and the servers stage says that it did not.
#[cfg(unix)]
#[test]
fn without_a_language_server_its_stage_is_unverified_and_the_compiler_proves() {
    let (_folder, path) = crate::support::project::path_without_servers();
    let project = Project::empty().with("PATH", path);
    let said = project.run(&["demo", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines = lines(&said);
    let accepted: Vec<&String> = lines.iter().filter(|l| l.starts_with("accepted src")).collect();
    assert!(!accepted.is_empty());
    for line in accepted {
        assert!(line.contains("servers unverified") && line.contains("tools ok"), "{line}");
    }
    let doctor = project.run(&["doctor"]);
    assert!(doctor.out.contains("rustup component add rust-analyzer"), "{doctor:?}");
}
