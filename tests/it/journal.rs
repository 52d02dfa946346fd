//! A journal that is damaged, cut off or lost in part: it is kept aside, what holds goes on, and the user is told. Old
//! missions leave it and can still be looked at.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::model::{Asked, LocalModel};
use crate::support::project::{Project, Said};

/// The turn of the Worker at which a mission is held.
const HELD: usize = 4;

fn answer(asked: &Asked) -> (&'static str, Value) {
    match (asked.role, asked.turns) {
        (Role::Commander, _) => ("triage", json!({"decision": "direct"})),
        (Role::Worker, n) if n < HELD => ("list", json!({"glob": format!("*.part{n}")})),
        (Role::Worker, HELD) => {
            let change = json!({"op": "write", "path": "note.md", "content": "A note.\n"});
            ("propose", json!({"changes": [change]}))
        }
        (Role::Worker, _) => ("done", json!({"summary": "the note is there"})),
        _ => ("verdict", json!({"pass": true, "evidence": ["the note was read"]})),
    }
}

/// A model that holds back the Worker's answer number [`HELD`] until it is let go, once.
fn holding() -> (LocalModel, Receiver<()>, Sender<()>) {
    let (asked_for, waiting) = channel();
    let (let_go, gate) = channel::<()>();
    let held = Mutex::new(Some((asked_for, gate)));
    let model = LocalModel::calling(move |asked| {
        if (asked.role, asked.turns) == (Role::Worker, HELD)
            && let Some((asked_for, gate)) = held.lock().unwrap().take()
        {
            asked_for.send(()).unwrap();
            // The test lets go by dropping its end.
            let _ = gate.recv();
        }
        answer(asked)
    });
    (model, waiting, let_go)
}

/// A project whose mission was killed while its Worker was at it.
fn killed() -> (LocalModel, Project) {
    let (model, waiting, let_go) = holding();
    let project = model.serving(Project::empty());
    let mut child: Child =
        project.command(&["task", "write a note", "--json"]).stdout(Stdio::null()).spawn().unwrap();
    waiting.recv().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(let_go);
    (model, project)
}

fn file(project: &Project, name: &str) -> PathBuf {
    project.root().join(".opencode").join(name)
}

/// Changes the bytes of a file of the journal.
fn change(project: &Project, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = file(project, name);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn kept_aside(project: &Project) -> usize {
    let entries = std::fs::read_dir(project.root().join(".opencode")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".damaged-") && !name.ends_with("-wal")).count()
}

fn views(said: &Said) -> Vec<Value> {
    said.last().as_array().unwrap().clone()
}

#[test]
fn a_journal_with_a_garbled_header_loses_nothing_and_the_mission_goes_on() {
    let (_model, project) = killed();
    let before = project.run(&["status", "--json"]);
    assert_eq!(views(&before)[0]["state"], "working", "{before:?}");
    change(&project, "journal.db", |bytes| bytes[..100].fill(0x2a));
    let said = project.run(&["status", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("the journal was damaged"), "{said:?}");
    assert!(said.err.contains("nothing is known to be lost"), "{said:?}");
    assert_eq!(views(&said)[0]["story"], views(&before)[0]["story"]);
    assert_eq!(kept_aside(&project), 1);
    let resumed = project.run(&["resume", "--json"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(resumed.last()["end"]["state"], "sealed");
    assert_eq!(project.read("note.md"), "A note.\n");
    assert_eq!(project.run(&["verify"]).code, 0);
}

/// What was lost may have been a person's word to stop: the mission waits for one to go on.
#[test]
fn a_damaged_event_costs_what_comes_after_it_and_both_are_told() {
    let (_model, project) = killed();
    for name in ["journal.db", "journal.db-wal"] {
        change(&project, name, |bytes| {
            let text = b"*.part2";
            for at in 0..bytes.len() - text.len() {
                if bytes[at..].starts_with(text) {
                    bytes[at] = b'?';
                }
            }
        });
    }
    let said = project.run(&["status", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("the journal was damaged"), "{said:?}");
    assert!(said.err.contains("lost: of mission"), "{said:?}");
    let view = &views(&said)[0];
    assert_eq!(view["state"], "paused");
    let line = view["story"].as_array().unwrap().last().unwrap();
    assert_eq!(line["kind"], "warning");
    assert!(line["text"].as_str().unwrap().contains("lost of this mission: event"), "{line}");
    assert_eq!(kept_aside(&project), 1);

    let resumed = project.run(&["resume", "--json"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(resumed.last()["end"]["state"], "sealed");
    assert!(resumed.out.contains("notice"), "{resumed:?}");
    let verified = project.run(&["verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    // It is told for as long as the damaged file is there.
    assert!(project.run(&["status"]).err.contains("damaged"));
    for entry in std::fs::read_dir(project.root().join(".opencode")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains(".damaged-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(project.run(&["status"]).err, "");
}

#[test]
fn a_log_that_was_removed_is_missed() {
    let (_model, project) = killed();
    std::fs::remove_file(file(&project, "journal.db-wal")).unwrap();
    let _ = std::fs::remove_file(file(&project, "journal.db-shm"));
    let said = project.run(&["status", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("mission_loop.json shows"), "{said:?}");
    let task = project.run(&["task", "write a note", "--json"]);
    assert_eq!(task.code, 0, "{task:?}");
    assert!(task.out.contains("mission_loop.json shows"), "{task:?}");
    assert_eq!(project.run(&["status"]).err, "", "it was told");
}

#[test]
fn an_emptied_file_is_recovered_from_its_log() {
    let (_model, project) = killed();
    change(&project, "journal.db", Vec::clear);
    let said = project.run(&["status", "--json"]);
    assert!(said.err.contains("the journal was damaged"), "{said:?}");
    assert_eq!(views(&said).len(), 1, "{said:?}");
    assert_eq!(project.run(&["resume", "--json"]).code, 0);
}

#[test]
fn a_file_of_garbage_stops_no_new_mission_and_an_editor_is_told() {
    let model = LocalModel::calling(answer);
    let project = model.serving(Project::empty());
    project
        .write(".opencode/journal.db", "no database, but long enough to be looked at ".repeat(99));
    let mut client = Client::initialized(&project.root(), json!({}));
    let shown = client.wait_method("window/showMessage");
    let text = shown["params"]["message"].as_str().unwrap();
    assert!(text.contains("the journal was damaged"), "{text}");
    assert_eq!(client.leave(), 0);
    let said = project.run(&["task", "write a note", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("the journal was damaged"), "{said:?}");
    assert_eq!(kept_aside(&project), 1);
}

#[test]
fn old_missions_are_archived_and_can_still_be_verified() {
    let model = LocalModel::calling(answer);
    let project = model.serving(Project::empty());
    project.write("config.toml", "[journal]\nkeep_missions = 1\n");
    let config = project.root().join("config.toml");
    let project = project.with("ORCHESTRATOR_CONFIG", config);
    for _ in 0..3 {
        let _ = std::fs::remove_file(project.root().join("note.md"));
        let said = project.run(&["task", "write a note", "--json"]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let recent = views(&project.run(&["status", "--json"]));
    let all = views(&project.run(&["status", "--all", "--json"]));
    assert_eq!(all.len(), 3);
    assert!(recent.len() < 3, "{recent:?}");
    let first = all[0]["id"].as_str().unwrap();
    assert!(recent.iter().all(|view| view["id"] != first));
    assert!(file(&project, &format!("archive/{first}.json")).exists());
    assert_eq!(views(&project.run(&["status", first, "--json"])), all[..1]);
    let said = project.run(&["verify", first]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("the chain of 2 links holds, sealed"), "{said:?}");
    let said = project.run(&["verify", first, "--rerun"]);
    assert_eq!(said.code, 10, "{said:?}");
    assert!(said.out.contains("archived"), "{said:?}");
    for command in ["resume", "cancel"] {
        let said = project.run(&[command, first]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains("is archived"), "{said:?}");
    }
    assert_eq!(project.run(&["verify"]).code, 0);
    change(&project, &format!("archive/{first}.json"), |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replacen("note.md", "nota.md", 1).into_bytes();
    });
    assert_eq!(project.run(&["verify", first]).code, 7);
}

/// Whoever reads the projections, at any moment and after any kill, finds a whole one.
#[test]
fn projections_are_whole_at_every_moment() {
    let model = LocalModel::calling(answer);
    for kill_after in [1, 2, 4, 1_000] {
        let project = model.serving(Project::empty());
        let mut child = project
            .command(&["task", "write a note", "--json"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (mut last, mut seen) = (String::new(), 0);
        while seen < kill_after && child.try_wait().unwrap().is_none() {
            let found = whole(&project);
            if found != last {
                seen += 1;
                last = found;
            }
        }
        let _ = child.kill();
        child.wait().unwrap();
        assert!(!whole(&project).is_empty());
    }
}

/// Both projections; fails where one is torn.
fn whole(project: &Project) -> String {
    let read = |name| std::fs::read_to_string(file(project, name)).unwrap_or_default();
    let (snapshot, todo) = (read("mission_loop.json"), read("todo.md"));
    if !snapshot.is_empty() {
        assert!(serde_json::from_str::<Value>(&snapshot).is_ok(), "torn: {snapshot}");
    }
    if !todo.is_empty() {
        assert!(todo.starts_with("# Mission: ") && todo.ends_with('\n'), "torn: {todo}");
    }
    snapshot + &todo
}

#[test]
fn the_bench_prints_ours_beside_sqlite() {
    let project = Project::empty();
    let said = project.run(&["bench", "journal", "--events", "3000", "--rounds", "1", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let figures = said.last();
    let figures = figures.as_array().unwrap();
    assert_eq!(figures.len(), 5);
    assert!(
        figures.iter().all(|f| f["ours"].as_f64() > Some(0.0) && f["sqlite"].as_f64() > Some(0.0))
    );
}
