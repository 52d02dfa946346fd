//! A process that is killed between two files of one change-set: the next one finishes it, or undoes it, and never leaves
//! it half.

use std::path::Path;
use std::process::Stdio;

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::model::LocalModel;
use crate::support::project::Project;

/// So many files that a process can be killed among them.
const FILES: usize = 300;

fn name(index: usize) -> String {
    format!("notes/{index:03}.txt")
}

/// A model whose worker edits every file in one change-set; a change that does not fit is given up.
fn model() -> LocalModel {
    LocalModel::calling(|asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => ("triage", json!({"decision": "direct"})),
        (Role::Worker, 0) => ("propose", json!({ "changes": changes() })),
        (Role::Worker, _) if asked.last.contains("refused") => {
            ("give_up", json!({"reason": "the notes have changed"}))
        }
        (Role::Worker, _) => ("done", json!({"summary": "every note says new"})),
        _ => ("verdict", json!({"pass": true, "evidence": ["every note was read"]})),
    })
}

fn changes() -> Vec<Value> {
    let edit = |index| {
        let edits = json!([{"old": "old text", "new": "new text"}]);
        json!({"op": "edit", "path": name(index), "edits": edits})
    };
    (0..FILES).map(edit).collect()
}

fn is_new(project: &Project, index: usize) -> bool {
    project.read(&name(index)).contains("new text")
}

/// How many files are changed.
fn changed(project: &Project) -> usize {
    (0..FILES).filter(|index| is_new(project, *index)).count()
}

/// A mission whose process was killed after some of the files were written and before all were.
fn killed_half_way(model: &LocalModel) -> Project {
    for _ in 0..20 {
        let project = model.serving(Project::empty());
        (0..FILES).for_each(|index| project.write(&name(index), "old text\n"));
        let mut child = project
            .command(&["task", "renew the notes", "--json"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let first = project.root().join(name(0));
        while std::fs::read(&first).unwrap_or_default() != b"new text\n"
            && child.try_wait().unwrap().is_none()
        {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if (1..FILES).contains(&changed(&project)) {
            return project;
        }
    }
    panic!("in 20 attempts no process could be killed between two files");
}

fn temporary_files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".orchestrator-")).collect()
}

#[test]
fn a_change_set_that_was_cut_in_two_is_finished() {
    let model = model();
    let project = killed_half_way(&model);
    let resumed = project.run(&["resume", "--json"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(changed(&project), FILES);
    assert_eq!(temporary_files(&project.root().join("notes")), [] as [String; 0]);
    assert_eq!(project.run(&["verify"]).code, 0);
}

#[test]
fn a_change_set_that_can_no_longer_be_finished_is_undone() {
    let model = model();
    let project = killed_half_way(&model);
    let unwritten = (0..FILES).rev().find(|index| !is_new(&project, *index)).unwrap();
    project.write(&name(unwritten), "my own text\n");
    let resumed = project.run(&["resume", "--json"]);
    assert_eq!(resumed.last()["end"]["state"], "blocked", "{resumed:?}");
    assert_eq!(changed(&project), 0, "nothing of it stays");
    assert_eq!(project.read(&name(unwritten)), "my own text\n");
    assert_eq!(temporary_files(&project.root().join("notes")), [] as [String; 0]);
}
