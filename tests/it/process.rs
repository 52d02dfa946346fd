//! What a session's own worktree is good for, with a scripted model over real HTTP: commands run in it on the tree as it is
//! in the editor, what they change there can be proposed, and nothing of it reaches the user but through the gate.

mod fetch;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use orchestrator_lsp::mission::conversation::Role;
use orchestrator_lsp::model::replay::Answer;
use serde_json::{Value, json};

use crate::rehydrate::editor;
use crate::support::client::uri;
use crate::support::model::{Asked, LocalModel, turn};
use crate::support::project::{Project, Said};
use crate::support::provider::{Provider, Reply, Request};
use crate::support::stage::{Stage, lives, until};

const NOTES: &str = "one\ntwo\nthree\nfour\nfive\n";

fn run(command: &str) -> (&'static str, Value) {
    ("run", json!({ "command": command }))
}

fn from_worktree() -> (&'static str, Value) {
    ("propose", json!({"changes": [{"op": "from_worktree"}]}))
}

fn done() -> (&'static str, Value) {
    ("done", json!({"summary": "it is done"}))
}

/// The answers of a mission with one task, whose Worker is scripted: the calls of each of its turns.
fn scripted(
    worker: impl Fn(&Asked) -> Vec<(&'static str, Value)> + Send + Sync + 'static,
) -> LocalModel {
    LocalModel::answering(move |asked| -> Answer {
        match asked.role {
            Role::Commander => turn(&[("triage", json!({"decision": "direct"}))]),
            Role::Worker => turn(&worker(asked)),
            _ => turn(&[("verdict", json!({"pass": true, "evidence": ["read it"]}))]),
        }
    })
}

fn notes() -> Project {
    let project = Project::empty();
    project.write("notes.md", NOTES);
    let config = project.root().join("../config.toml");
    std::fs::write(
        &config,
        "[limits]\nattempts = 1\ncalls = 40\n[seal]\nmutants = 0\n[fetch]\nallow = [\"127.0.0.1\"]\n",
    )
    .unwrap();
    project.with("ORCHESTRATOR_CONFIG", config)
}

/// Runs the mission to its end; how it ended.
fn mission(model: &LocalModel, project: Project) -> (String, Said, Project) {
    let project = model.serving(project);
    let said = project.run(&["task", "mend the notes", "--json"]);
    let state = said.last()["end"]["state"].as_str().unwrap_or_default().to_owned();
    (state, said, project)
}

/// The worktrees that lie in the cache of a project.
fn worktrees(project: &Project) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let cache = project.root().join("../cache");
    for workspace in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        let slots =
            std::fs::read_dir(workspace.path().join("work")).into_iter().flatten().flatten();
        let sessions = slots.flat_map(|slot| std::fs::read_dir(slot.path()).into_iter().flatten());
        found.extend(sessions.flatten().map(|s| s.path().join("tree")).filter(|t| t.exists()));
    }
    found
}

/// What the Worker saw at each of its turns.
type Seen = Arc<Mutex<Vec<String>>>;

/// A Worker's calls turn by turn, then `done`; and what it sees.
fn worker_of(
    calls: Vec<Vec<(&'static str, Value)>>,
) -> (Seen, impl Fn(&Asked) -> Vec<(&'static str, Value)> + Send + Sync + 'static) {
    let seen = Seen::default();
    let told = seen.clone();
    let worker = move |asked: &Asked| {
        told.lock().unwrap().push(asked.last.clone());
        calls.get(asked.turns).cloned().unwrap_or_else(|| vec![done()])
    };
    (seen, worker)
}

#[test]
fn a_worker_runs_the_tests_on_unsaved_text_and_touches_no_file_of_the_user() {
    let provider = Provider::answering(|asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({"decision": "direct"})),
        (Role::Worker, 0) => Reply::Call(
            "run",
            json!({"command": "sh test.sh; cat untracked.txt; rm -rf *; echo junk > junk; ls; env | grep -c KEY; exit 3"}),
        ),
        (Role::Worker, _) => Reply::Call("done", json!({"summary": "tested"})),
        _ => Reply::Call("verdict", json!({"pass": true, "evidence": ["read it"]})),
    });
    let stage = Stage::new(&provider);
    stage.project.write("test.sh", "grep -q unsaved first.st && echo passed\n");
    stage.project.write("untracked.txt", "untracked\n");
    let before = stage.project.bytes();
    let mut client = editor(&stage, json!({}), json!({}));
    client.open(&uri(&stage.project.root().join("first.st")), "There was an unsaved note.\n");
    client.command("orchestrator.task", json!(["alpha"]));
    let told = client.wait_method("window/showMessage")["params"]["message"].clone();
    assert!(told.as_str().unwrap().starts_with("Mission sealed"), "{told}");
    let body = answer_to(&provider, 1);
    assert!(body.contains("exit 3\\npassed\\nuntracked\\njunk\\n0\\n"), "{body}");
    assert_eq!(stage.project.bytes(), before, "the user's files are as they were");
    until("the end of the worktree", || worktrees(&stage.project).is_empty());
    assert_eq!(client.leave(), 0);
}

/// The request of the Worker's turn, which ends with what its calls came to.
fn answer_to(provider: &Provider, turns: usize) -> String {
    let is_wanted = |r: &&Request| (r.role, r.turns) == (Role::Worker, turns);
    provider.requests().iter().rfind(is_wanted).map(|r| r.body.clone()).unwrap()
}

#[test]
fn a_background_job_outlives_its_turn_and_is_gone_after_a_cancel() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    // A grandchild that ignores polite signals.
    let command = format!(
        "sh -c 'trap \"\" TERM INT HUP; echo $$ >> {0}; echo begun; while :; do sleep 0.05; done' & echo $$ >> {0}; wait",
        pids.display()
    );
    let provider = Provider::answering(move |asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({"decision": "direct"})),
        (Role::Worker, 0) => Reply::Call("run", json!({"command": command, "background": true})),
        (Role::Worker, 1) => Reply::Call("job", json!({"job": 1, "op": "output"})),
        (Role::Worker, 2) => Reply::Call("job", json!({"job": 1, "op": "status"})),
        _ => Reply::Half,
    });
    let stage = Stage::new(&provider);
    let mut client = editor(&stage, json!({}), json!({}));
    client.command("orchestrator.task", json!(["alpha"]));
    provider.until_asked(|r| r.iter().any(|r| (r.role, r.turns) == (Role::Worker, 3)));
    assert!(answer_to(&provider, 1).contains("job 1 has begun"));
    let body = answer_to(&provider, 3);
    assert!(body.contains("bytes 0 to 6:\\nbegun\\n") && body.contains("running for"), "{body}");
    let running: Vec<u32> = read_pids(&pids);
    assert!(running.len() == 2 && running.iter().all(|pid| lives(*pid)), "{running:?}");
    assert_eq!(worktrees(&stage.project).len(), 1);
    client.command("orchestrator.cancel", json!([]));
    client.wait_method("window/showMessage");
    until("the end of the job", || !running.iter().any(|pid| lives(*pid)));
    until("the end of the worktree", || worktrees(&stage.project).is_empty());
    assert_eq!(client.leave(), 0);
}

fn read_pids(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn a_command_that_a_kill_cut_off_is_told_to_be_unknown_and_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let command = format!("echo half > half.txt; echo $$ >> {}; exec sleep 600", pids.display());
    let provider = Provider::answering(move |asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({"decision": "direct"})),
        (Role::Worker, 0) => Reply::Call("run", json!({ "command": command })),
        (Role::Worker, 1) => Reply::Call("run", json!({"command": "ls half.txt"})),
        (Role::Worker, _) => Reply::Call("done", json!({"summary": "looked"})),
        _ => Reply::Call("verdict", json!({"pass": true, "evidence": ["read it"]})),
    });
    let stage = Stage::new(&provider);
    let mut child =
        stage.project.command(&["task", "alpha"]).stdout(Stdio::null()).spawn().unwrap();
    until("the command", || !read_pids(&pids).is_empty());
    let left = worktrees(&stage.project);
    assert_eq!(left.len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    // What a killed process leaves is the system's; here it is ended by its number.
    for pid in read_pids(&pids) {
        std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    }
    assert!(left[0].exists());
    let resumed = stage.project.run(&["resume", "--json"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(read_pids(&pids).len(), 1, "it was not repeated");
    let body = answer_to(&provider, 1);
    assert!(body.contains("unknown outcome"), "{body}");
    let body = answer_to(&provider, 2);
    assert!(body.contains("exit 2\\n[the program was restarted"), "{body}");
    assert_eq!(worktrees(&stage.project), [] as [PathBuf; 0], "what was left is swept");
    assert_eq!(stage.project.run(&["verify"]).code, 0);
}

#[test]
fn what_a_command_changed_is_merged_with_what_a_person_changed_meanwhile() {
    let project = notes();
    let file = project.root().join("notes.md");
    let (_, worker) = worker_of(vec![
        vec![run("sed -i s/two/TWO/ notes.md; echo new > new.md")],
        vec![from_worktree()],
    ]);
    let model = scripted(move |asked| {
        if asked.turns == 1 {
            std::fs::write(&file, NOTES.replace("five", "FIVE")).unwrap();
        }
        worker(asked)
    });
    let (state, said, project) = mission(&model, project);
    assert_eq!(state, "sealed", "{said:?}");
    assert_eq!(project.read("notes.md"), NOTES.replace("two", "TWO").replace("five", "FIVE"));
    assert_eq!(project.read("new.md"), "new\n");
    assert_eq!(project.run(&["verify"]).code, 0);
    assert_eq!(project.run(&["undo"]).code, 0);
    assert_eq!(project.read("notes.md"), NOTES.replace("five", "FIVE"));
}

#[test]
fn where_both_changed_the_same_place_both_sides_are_shown_and_nothing_is_changed() {
    let project = notes();
    let file = project.root().join("notes.md");
    let give_up = ("give_up", json!({"reason": "we meet"}));
    let (seen, worker) = worker_of(vec![
        vec![run("sed -i s/two/TWO/ notes.md")],
        vec![from_worktree()],
        vec![run("grep -i two notes.md")],
        vec![give_up],
    ]);
    let model = scripted(move |asked| {
        if asked.turns == 1 {
            std::fs::write(&file, NOTES.replace("two", "zwei")).unwrap();
        }
        worker(asked)
    });
    let (state, said, project) = mission(&model, project);
    assert_eq!(state, "blocked", "{said:?}");
    assert_eq!(project.read("notes.md"), NOTES.replace("two", "zwei"));
    let seen = seen.lock().unwrap();
    assert!(seen[2].contains("+TWO") && seen[2].contains("+zwei"), "{}", seen[2]);
    assert!(
        seen[3].contains("not brought up to date") && seen[3].ends_with("TWO\n"),
        "{}",
        seen[3]
    );
}

#[test]
fn commands_of_one_answer_run_in_their_order_and_the_worktree_follows_what_is_accepted() {
    let (seen, worker) = worker_of(vec![
        vec![
            run("sleep 0.3; sed -i s/one/two/ notes.md"),
            run("sed -i s/two/three/g notes.md"),
            ("git", json!({"op": "status"})),
            from_worktree(),
        ],
        vec![from_worktree()],
        vec![(
            "propose",
            json!({"changes": [{"op": "edit", "path": "notes.md", "edits": [{"old": "four", "new": "4"}]}]}),
        )],
        vec![run("tail -n 2 notes.md")],
    ]);
    let (state, said, project) = mission(&scripted(worker), notes());
    assert_eq!(state, "sealed", "{said:?}");
    assert_eq!(project.read("notes.md"), "three\nthree\nthree\n4\nfive\n");
    let seen = seen.lock().unwrap();
    assert!(seen[1].contains("accepted"), "{}", seen[1]);
    assert!(seen[2].contains("differs in nothing"), "{}", seen[2]);
    assert_eq!(seen[4], "exit 0\n4\nfive\n");
}

#[test]
fn a_command_that_does_not_end_is_stopped_with_all_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let long =
        format!("sh -c 'echo $$ >> {0}; sleep 600' & echo $$ >> {0}; pwd; wait", pids.display());
    let timed = ("run", json!({"command": long, "timeout_s": 1}));
    let left = format!(
        "sh -c 'echo $$ >> {0}; exec sleep 600' & while [ $(wc -l < {0}) -lt 3 ]; do sleep 0.01; done; seq 1 20000",
        pids.display()
    );
    let (seen, worker) = worker_of(vec![vec![timed], vec![run(&left)], vec![run(" ")]]);
    let (_, said, _) = mission(&scripted(worker), notes());
    let seen = seen.lock().unwrap();
    assert!(seen[1].contains("stopped after 1 s") && seen[1].ends_with("\n.\n"), "{}", seen[1]);
    assert!(seen[2].starts_with("exit 0\n1\n2\n") && seen[2].ends_with("\n19999\n20000\n"));
    assert!(seen[2].len() < 20_000 && seen[2].contains("bytes left out]"), "{said:?}");
    assert!(seen[3].contains("empty"), "{}", seen[3]);
    let pids = read_pids(&pids);
    assert_eq!(pids.len(), 3);
    until("the end of all", || !pids.iter().any(|pid| lives(*pid)));
}
