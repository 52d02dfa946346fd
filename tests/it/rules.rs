//! What an earlier version began is not carried on by guess; and a seal over nothing says so.

use orchestrator_lsp::journal::Journal;
use orchestrator_lsp::mission::conversation::Role;
use orchestrator_lsp::mission::{Event, MissionId, Outcome};
use serde_json::json;

use crate::support::provider::{Provider, Reply};
use crate::support::stage::{FILE, Stage, honest};

/// Makes of a mission what an earlier version would have left, had it been killed after the change was applied.
fn age(stage: &Stage, id: &MissionId) {
    let root = stage.project.root();
    let mut records = Journal::open(&root).unwrap().events(id, 0).unwrap();
    let applied =
        |event: &Event| matches!(event, Event::Finished { outcome: Outcome::Applied, .. });
    let end = records.iter().position(|record| applied(&record.event)).unwrap();
    records.truncate(end + 1);
    let Event::Started { rules, .. } = &mut records[0].event else { panic!() };
    *rules = 0;
    let db = rusqlite::Connection::open(root.join(orchestrator_lsp::journal::PATH)).unwrap();
    let clear = "DELETE FROM events; DELETE FROM missions; DELETE FROM receipts WHERE seq > 1";
    db.execute_batch(clear).unwrap();
    drop(db);
    Journal::open(&root).unwrap().append(&records).unwrap();
    std::fs::remove_file(root.join(".opencode/mission_loop.json")).unwrap();
}

#[test]
fn a_mission_of_other_rules_is_ended_with_the_reason_and_can_be_taken_back() {
    let provider = Provider::answering(honest);
    let stage = Stage::new(&provider);
    assert_eq!(stage.project.run(&["task", "alpha"]).code, 0);
    let status = || stage.project.run(&["status", "--json"]).last()[0].clone();
    let id = status()["id"].as_str().unwrap().to_owned();
    age(&stage, &MissionId(id));
    assert_eq!(status()["end"], json!(null));
    let asked = provider.requests().len();
    let resumed = stage.project.run(&["resume"]);
    assert_eq!(resumed.code, 6, "{resumed:?}");
    assert!(resumed.out.contains("another version of orchestrator"), "{resumed:?}");
    assert_eq!(provider.requests().len(), asked, "no model is asked");
    assert_eq!(stage.project.run(&["verify"]).code, 0);
    let undone = stage.project.run(&["undo"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert!(!stage.project.bytes().contains_key(FILE));
    assert_eq!(stage.project.run(&["task", "beta"]).code, 0);
}

#[test]
fn a_seal_over_nothing_does_not_read_as_work_that_was_done() {
    let provider = Provider::answering(|asked| match asked.role {
        Role::Worker => Reply::Call("done", json!({"summary": "all of it is done"})),
        _ => honest(asked),
    });
    let stage = Stage::new(&provider);
    let said = stage.project.run(&["task", "alpha"]);
    assert!(said.out.contains("sealed, nothing was changed: 1 of 1 steps"), "{said:?}");
    let status = stage.project.run(&["status"]);
    assert!(status.out.contains("  sealed, nothing was changed: "), "{status:?}");
    let verified = stage.project.run(&["verify"]);
    assert!(verified.out.contains("nothing was changed"), "{verified:?}");
}
