//! One workspace, many processes: one owner at a time; the others see what it sees, are heard by it, and follow it when it
//! dies. What is open in any editor is nobody's to write over.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::rehydrate::{assert_as_if_nothing_had_been, editor};
use crate::support::client::{Client, DEADLINE, uri};
use crate::support::ended::finished;
use crate::support::project::Said;
use crate::support::provider::{Provider, Reply, Request};
use crate::support::stage::{FILE, Stage, honest, honest_in, provider, until};

const CAPABILITIES: &str = r#"{"window": {"workDoneProgress": true},
    "workspace": {"applyEdit": true, "workspaceEdit": {"documentChanges": true}},
    "experimental": {"orchestrator": {"mission": true}}}"#;

fn server(stage: &Stage) -> Client {
    let mut client = editor(stage, json!({}), serde_json::from_str(CAPABILITIES).unwrap());
    // An answer means that it owns the workspace, or has attached to its owner.
    client.command("orchestrator.status", json!([]));
    client
}

fn begin(stage: &Stage, arguments: &[&str]) -> Child {
    let mut command = stage.project.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn said(child: Child) -> Said {
    Said::from(finished(child))
}

fn view_in(client: &mut Client, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let is_view = |m: &Value| m["method"] == "orchestrator/mission" && fits(&m["params"]);
    client.wait_for(what, is_view)["params"].clone()
}

/// The second server shows what the first one does, live, and its commands act there.
#[test]
fn a_second_server_sees_and_steers_what_the_first_one_runs() {
    let held = Arc::new(Mutex::new(None));
    let failed = Mutex::new(false);
    let shared = held.clone();
    let provider = Provider::answering(move |asked| {
        if *shared.lock().unwrap() == Some((asked.role, asked.turns)) {
            return Reply::Half;
        }
        let first =
            asked.role == Role::Reviewer && !std::mem::replace(&mut *failed.lock().unwrap(), true);
        if !first {
            return honest(asked);
        }
        // From now on the Worker's next turn stops half way.
        *shared.lock().unwrap() = Some((Role::Worker, 0));
        let finding = json!({"file": FILE, "line": 1, "severity": "error", "message": "too short"});
        Reply::Call("verdict", json!({"pass": false, "findings": [finding]}))
    });
    let stage = Stage::new(&provider);
    let mut first = server(&stage);
    let mut second = server(&stage);
    let begun = second.command("orchestrator.task", json!(["alpha"]));
    let mission = begun["result"]["mission"].clone();
    let seen = view_in(&mut first, "the mission in the first", |view| view["id"] == mission);
    assert_eq!(seen["goal"], "alpha");

    // Plan, findings and progress come to the second as they do to the first.
    let plan = view_in(&mut second, "the plan", |view| !view["plan"].is_null());
    assert_eq!(plan["plan"]["milestones"][0]["tasks"][0]["id"], "T1.1");
    let create = second.wait_method("window/workDoneProgress/create");
    second.answer(&create, Value::Null);
    second.wait_for("progress", |m| m["params"]["value"]["kind"] == "begin");
    let shown = second.wait_for("the finding", |m| {
        m["method"] == "textDocument/publishDiagnostics"
            && m["params"]["diagnostics"][0]["code"] == "reviewer"
    });
    assert_eq!(shown["params"]["uri"], uri(&stage.project.root().join(FILE)));
    let text = stage.project.read(".opencode/todo.md");
    let todo = uri(&stage.project.root().join(".opencode/todo.md"));
    second.open(&todo, &text);
    // Its Worker is at it again, and is held there; the second hears of it soon.
    let worker = |r: &Request| (r.role, r.turns) == (Role::Worker, 0);
    provider.until_asked(|r| r.iter().filter(|r| worker(r)).count() == 2);
    let second_says = Mutex::new(&mut second);
    until("the lens of who is at it", || {
        let params = json!({"textDocument": {"uri": todo}});
        let lenses = second_says.lock().unwrap().ask("textDocument/codeLens", params);
        lenses["result"][1]["command"]["title"] == "worker: thinking, turn 0"
    });

    // Its commands act on the owner.
    second.command("orchestrator.pause", json!([]));
    view_in(&mut first, "the pause", |view| view["state"] == "paused");
    assert_eq!(stage.project.run(&["status", "--json"]).last()[0]["state"], "paused");
    second.command("orchestrator.cancel", json!([]));
    for client in [&mut first, &mut second] {
        view_in(client, "the end", |view| view["state"] == "cancelled");
    }
    provider.until_dropped(1);
    let again = second.command("orchestrator.cancel", json!([]));
    let why = again["error"]["message"].as_str().unwrap();
    assert!(why.contains("is cancelled") && why.contains("start a new one"), "{why}");
    assert_eq!((first.leave(), second.leave()), (0, 0));
}

/// The owner is killed while it asks a model; the attached server takes over and brings the mission to its end.
#[test]
fn the_second_server_takes_over_when_the_first_is_killed() {
    let held = Arc::new(Mutex::new(Some((Role::Worker, 1))));
    let provider = provider(held.clone());
    let stage = Stage::new(&provider);
    let mut first = server(&stage);
    let mut second = server(&stage);
    first.command("orchestrator.task", json!(["alpha"]));
    provider.until_asked(|r| r.iter().any(|r| (r.role, r.turns) == (Role::Worker, 1)));
    *held.lock().unwrap() = None;
    first.kill();
    let told = second.wait_method("window/showMessage")["params"]["message"].clone();
    assert!(told.as_str().unwrap().starts_with("Mission sealed"), "{told}");
    assert_eq!(second.leave(), 0);
    assert_as_if_nothing_had_been(&stage, &provider, "taken over");
    let left = std::fs::read_dir(stage.project.root().join(".opencode/editors")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".gitignore"], "nothing of a guest stays");
}

const BEFORE: &str = "There was a note.\nAnd words that nobody has saved.\n";
const AFTER: &str = "There was a note.\nAnd words that were changed.\n";

/// A team that changes the unsaved words, in `first.st`.
fn editing(asked: &Request) -> Reply {
    let edit = json!({"old": "words that nobody has saved", "new": "words that were changed"});
    match (asked.role, asked.turns) {
        (Role::Worker, 0) => Reply::Call("read", json!({"path": "first.st"})),
        (Role::Worker, 1) => Reply::Call(
            "propose",
            json!({"changes": [{"op": "edit", "path": "first.st", "edits": [edit]}]}),
        ),
        _ => honest(asked),
    }
}

/// A file that is open in the editor of an attached server, with unsaved text, is changed there and not on the disk; the
/// owner, here a command without an editor, proves its changes on that text.
#[test]
fn unsaved_text_of_an_attached_editor_is_respected() {
    let provider = Provider::answering(editing);
    let stage = Stage::new(&provider);
    stage.hold("baseline");
    let owner = begin(&stage, &["task", "alpha", "--json"]);
    stage.until_held();
    let mut client = server(&stage);
    let file = uri(&stage.project.root().join("first.st"));
    client.open(&file, BEFORE);
    let editors = stage.project.root().join(".opencode/editors");
    let is_told = || {
        let entries = std::fs::read_dir(&editors).into_iter().flatten().flatten();
        let texts = entries.map(|e| std::fs::read_to_string(e.path().join("open.json")));
        texts.flatten().any(|text| text.contains("nobody has saved"))
    };
    until("the unsaved text", is_told);
    stage.release("baseline");

    let request = client.wait_method("workspace/applyEdit");
    let change = &request["params"]["edit"]["documentChanges"][0];
    assert_eq!(
        (&change["textDocument"]["uri"], &change["textDocument"]["version"]),
        (&json!(file), &json!(1))
    );
    client.notify(
        "textDocument/didChange",
        json!({"textDocument": {"uri": file, "version": 2}, "contentChanges": [{"text": AFTER}]}),
    );
    client.answer(&request, json!({"applied": true}));
    let owner = said(owner);
    assert_eq!(owner.last()["end"]["state"], "sealed", "{owner:?}");
    assert_eq!(
        stage.project.read("first.st"),
        "There was a note.\n",
        "the disk is the editor's to write"
    );
    assert_eq!(client.leave(), 0);
}

/// A Worker that writes a whole file, and gives up when that is refused; held at the gate, while the file is opened in an
/// attached editor with that text.
fn opened_at_the_gate(text: &str) -> (Provider, Stage, Child, Client) {
    let provider = Provider::answering(|asked| match (asked.role, asked.turns) {
        (Role::Worker, 1) => Reply::Call(
            "propose",
            json!({"changes": [{"op": "write", "path": "first.st", "content": "All new.\n"}]}),
        ),
        (Role::Worker, 2) => Reply::Call("give_up", json!({"reason": "the file is being edited"})),
        _ => honest(asked),
    });
    let stage = Stage::new(&provider);
    stage.hold("gate");
    let owner = begin(&stage, &["task", "alpha", "--json"]);
    stage.until_held();
    let mut client = server(&stage);
    client.open(&uri(&stage.project.root().join("first.st")), text);
    stage.release("gate");
    (provider, stage, owner, client)
}

/// Text that goes on in the attached editor after the gate has looked is never written over: the change waits for the person.
#[test]
fn what_is_typed_in_an_attached_editor_meanwhile_is_never_written_over() {
    let (_provider, stage, mut owner, mut client) = opened_at_the_gate("My own words.\n");
    // Each attempt of the task asks anew, and is told the same.
    let deadline = Instant::now() + DEADLINE;
    let mut discarded = 0;
    while owner.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the mission does not end, {discarded} answers");
        let status = client.command("orchestrator.status", json!([]));
        let question = &status["result"]["missions"][0]["questions"][0];
        if question["meeting"].is_object() {
            let answer = json!([{ "text": "Discard", "question": question["number"] }]);
            client.command("orchestrator.answer", answer);
            discarded += 1;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(discarded > 0, "nothing waited for the person");
    let owner = said(owner);
    assert_eq!(owner.last()["end"]["state"], "blocked", "{owner:?}");
    assert_eq!(stage.project.read("first.st"), "There was a note.\n");
    let edits = client.unread().iter().filter(|m| m["method"] == "workspace/applyEdit").count();
    assert_eq!(edits, 0, "the editor was asked to change the person's words");
    assert_eq!(client.leave(), 0);
}

/// An attached editor that refuses each edit, as it does while its user types: the change is proved again, and refused.
#[test]
fn an_attached_editor_that_refuses_each_edit_is_not_asked_for_ever() {
    let (_provider, stage, owner, mut client) = opened_at_the_gate("There was a note.\n");
    for _ in 0..4 {
        let request = client.wait_method("workspace/applyEdit");
        let answer = json!({"applied": false, "failureReason": "the text went on"});
        client.answer(&request, answer);
    }
    let owner = said(owner);
    assert_eq!(owner.last()["end"]["state"], "blocked", "{owner:?}");
    assert_eq!(stage.project.read("first.st"), "There was a note.\n");
    assert_eq!(client.leave(), 0);
}

/// Ten processes begin at once, and owners are killed. Two owners at a time would ask models twice, or accept twice.
#[test]
fn of_ten_processes_one_owns_the_workspace_at_any_time() {
    let provider = Provider::answering(|asked| {
        let file = format!("{}.st", asked.goal());
        honest_in(&file, asked)
    });
    let stage = Stage::new(&provider);
    let goals: Vec<String> = (0..10).map(|n| format!("goal{n}")).collect();
    let mut children: Vec<Child> =
        goals.iter().map(|goal| begin(&stage, &["task", goal, "--json"])).collect();
    for (dead, asked) in [(0, 8), (1, 16), (2, 24)] {
        provider.until_asked(|requests| requests.len() >= asked);
        children[dead].kill().unwrap();
    }
    for (at, child) in children.into_iter().enumerate() {
        let said = said(child);
        assert!(at < 3 || said.code == 0, "{at}: {said:?}");
    }
    // What those who were killed had begun is perhaps still open.
    let open = |view: &Value| view["end"].is_null();
    let views = stage.project.run(&["status", "--json"]).last();
    if views.as_array().unwrap().iter().any(open) {
        assert_eq!(stage.project.run(&["resume"]).code, 0);
    }
    let views = stage.project.run(&["status", "--json"]).last();
    let views = views.as_array().unwrap();
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for view in views {
        assert_eq!(view["state"], "sealed", "{view}");
        assert_eq!(view["receipts"].as_array().unwrap().len(), 1, "{view}");
        calls.insert(view["id"].as_str().unwrap(), view["spent"]["calls"].as_u64().unwrap());
    }
    let asked = provider.requests().len() as u64;
    let counted: u64 = calls.values().sum();
    assert!(asked <= counted, "{asked} requests, of which {counted} were counted before");
    assert!(views.len() >= 7);
    assert_eq!(stage.project.run(&["verify"]).code, 0);
}

/// One mission at a time, where that is wanted: the second is refused with the reason, by whichever process.
#[test]
fn a_second_mission_is_refused_where_the_configuration_says_so() {
    let held = Arc::new(Mutex::new(Some((Role::Planner, 0))));
    let provider = provider(held.clone());
    let stage = Stage::new(&provider);
    stage.configure("[missions]\nsecond = \"refuse\"");
    let mut client = server(&stage);
    let begun = client.command("orchestrator.task", json!(["alpha"]));
    let mission = begun["result"]["mission"].as_str().unwrap().to_owned();
    provider.until_asked(|r| r.iter().any(|r| r.role == Role::Planner));
    let refused = client.command("orchestrator.task", json!(["beta"]));
    let why = refused["error"]["message"].as_str().unwrap();
    assert!(why.contains(&mission) && why.contains("one run at a time"), "{why}");
    let refused = stage.project.run(&["task", "beta"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains(&mission) && refused.err.contains("cancel it"), "{refused:?}");
    assert_eq!(stage.project.run(&["status", "--json"]).last().as_array().unwrap().len(), 1);
    assert_eq!(stage.project.run(&["cancel"]).code, 0);
    *held.lock().unwrap() = None;
    let said = stage.project.run(&["task", "alpha", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(client.leave(), 0);
}
