//! Cancel, from every state and by every way: what is under way is dropped, processes are dead with all their children,
//! nothing runs afterwards, what was accepted stays. And pause: what is under way ends and is kept, nothing more begins.

use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use orchestrator_lsp::journal::Journal;
use orchestrator_lsp::mission::Act;
use orchestrator_lsp::mission::conversation::Role;
use orchestrator_lsp::runtime;
use serde_json::{Value, json};

use crate::rehydrate::{assert_as_if_nothing_had_been, editor};
use crate::support::client::Client;
use crate::support::provider::{Provider, Reply};
use crate::support::stage::{FILE, Place, Stage, honest, lives, provider, until};

/// Who cancels, or ends the process.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// `orchestrator.cancel` in the editor.
    Command,
    /// The cross of the editor's progress.
    Progress,
    /// `orchestrator cancel` in a terminal.
    Terminal,
    /// Ctrl-C at `orchestrator task`.
    Interrupt,
    /// The system's wish that the process ends.
    Terminate,
    /// `exit` of the editor.
    Exit,
}

const ALL: [By; 6] =
    [By::Command, By::Progress, By::Terminal, By::Interrupt, By::Terminate, By::Exit];

/// The process that carries the mission out.
enum Runner {
    Editor(Box<Client>),
    Command(Child),
}

fn begin(stage: &Stage, by: By) -> Runner {
    if matches!(by, By::Interrupt | By::Terminate) {
        let mut command = stage.project.command(&["task", "alpha"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        return Runner::Command(child);
    }
    let mut client = editor(stage, json!({}), json!({"window": {"workDoneProgress": true}}));
    let begun = client.command("orchestrator.task", json!(["alpha"]));
    assert!(begun["result"]["mission"].is_string(), "{begun}");
    Runner::Editor(Box::new(client))
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill").args([name, &id]).status().unwrap();
    assert!(sent.success());
}

/// Ends the mission, or its process, that way; how the mission stands then.
fn end(stage: &Stage, runner: &mut Runner, by: By) -> &'static str {
    match (by, runner) {
        (By::Command, Runner::Editor(client)) => {
            client.command("orchestrator.cancel", json!([]));
            client.wait_method("window/showMessage");
            "cancelled"
        }
        (By::Progress, Runner::Editor(client)) => {
            let create = client.wait_method("window/workDoneProgress/create");
            client.answer(&create, Value::Null);
            client.notify(
                "window/workDoneProgress/cancel",
                json!({"token": create["params"]["token"]}),
            );
            client.wait_method("window/showMessage");
            "cancelled"
        }
        (By::Terminal, _) => {
            assert_eq!(stage.project.run(&["cancel"]).code, 0);
            "cancelled"
        }
        (By::Interrupt | By::Terminate, Runner::Command(child)) => {
            signal(child, if by == By::Interrupt { "-INT" } else { "-TERM" });
            assert_eq!(child.wait().unwrap().code(), Some(130));
            "open"
        }
        (By::Exit, Runner::Editor(client)) => {
            assert_eq!(client.leave(), 0);
            "open"
        }
        (by, _) => panic!("{by:?} needs another process"),
    }
}

fn state(stage: &Stage) -> String {
    let view = stage.project.run(&["status", "--json"]).last()[0].clone();
    if view["end"].is_null() {
        "open".to_owned()
    } else {
        view["state"].as_str().unwrap().to_owned()
    }
}

/// How many effects of the mission were begun and have not ended, as its journal tells.
fn under_way(stage: &Stage) -> usize {
    let journal = Journal::open_existing(&stage.project.root()).unwrap().unwrap();
    let id = &journal.missions().unwrap()[0].id;
    runtime::fold(&journal, id).unwrap().0.pending().count()
}

/// The same without turns: one that was asked for, and had not gone out when the pause came, waits with the mission.
fn under_way_beside_turns(stage: &Stage) -> usize {
    let journal = Journal::open_existing(&stage.project.root()).unwrap().unwrap();
    let id = &journal.missions().unwrap()[0].id;
    let mission = runtime::fold(&journal, id).unwrap().0;
    mission.pending().filter(|effect| !matches!(effect.act, Act::Ask { .. })).count()
}

fn temporary_files(stage: &Stage) -> Vec<String> {
    stage.project.bytes().into_keys().filter(|name| name.contains(".orchestrator")).collect()
}

/// In the middle of an answer: the model's connection is let go, and nobody asks any more.
#[test]
fn cancelled_in_the_middle_of_an_answer_the_model_is_left_alone() {
    let places: [Place; 5] = [
        (Role::Commander, 0),
        (Role::Planner, 0),
        (Role::Worker, 1),
        (Role::Worker, 2),
        (Role::Reviewer, 0),
    ];
    let ways = ALL.into_iter().cycle().zip(places.into_iter().chain([(Role::Worker, 0)]));
    for (by, place) in ways {
        let provider = provider(Arc::new(Mutex::new(Some(place))));
        let stage = Stage::new(&provider);
        let mut runner = begin(&stage, by);
        provider.until_asked(|r| r.iter().any(|r| (r.role, r.turns) == place));
        let asked = provider.requests().len();
        let expected = end(&stage, &mut runner, by);
        provider.until_dropped(1);
        assert_eq!(state(&stage), expected, "{by:?} {place:?}");
        drop(runner);
        assert_eq!(
            provider.requests().len(),
            asked,
            "{by:?} {place:?}: nothing is asked afterwards"
        );
        let has_landed = matches!(place, (Role::Worker, 2) | (Role::Reviewer, _));
        let is_there = stage.project.root().join(FILE).exists();
        assert_eq!(is_there, has_landed, "{by:?} {place:?}: what was accepted stays");
        assert_eq!(temporary_files(&stage), [] as [String; 0]);
    }
}

/// While a compiler or a test runs: it is killed with its children, also with those that take no hint.
#[test]
fn cancelled_while_a_program_runs_the_program_is_dead_with_its_children() {
    let stages = ["baseline", "gate", "tests", "seal", "gate", "tests"];
    for (by, held) in ALL.into_iter().zip(stages) {
        let provider = Provider::answering(honest);
        let stage = Stage::new(&provider);
        stage.hold(held);
        let mut runner = begin(&stage, by);
        let pids = stage.until_held();
        assert!(pids.iter().all(|pid| lives(*pid)));
        let expected = end(&stage, &mut runner, by);
        until("the end of the program and its children", || !pids.iter().any(|pid| lives(*pid)));
        let (beats, calls) = (stage.beats(), stage.stages().len());
        assert_eq!(state(&stage), expected, "{by:?} {held}");
        // Whoever carried it out comes to its end: nothing was begun in the meantime.
        if let (Runner::Editor(client), true) = (&mut runner, by != By::Exit) {
            assert_eq!(client.leave(), 0);
        }
        assert_eq!((stage.beats(), stage.stages().len()), (beats, calls), "{by:?} {held}");
        let has_landed = matches!(held, "tests" | "seal");
        assert_eq!(stage.project.root().join(FILE).exists(), has_landed, "{by:?} {held}");
        // The shadow is free again: what was only interrupted goes on to its seal, what was cancelled does not.
        stage.release(held);
        let resumed = stage.project.run(&["resume"]);
        assert_eq!(resumed.code, if expected == "open" { 0 } else { 2 }, "{resumed:?}");
    }
}

/// While it waits before it asks again: the wait is over, and nobody asks.
#[test]
fn cancelled_while_it_waits_for_a_retry_nothing_is_asked() {
    let provider = Provider::answering(|asked| match asked.role {
        Role::Planner => Reply::Status(503),
        _ => honest(asked),
    });
    let stage = Stage::new(&provider);
    let mut runner = begin(&stage, By::Command);
    provider.until_asked(|r| r.iter().filter(|r| r.role == Role::Planner).count() == 2);
    assert_eq!(end(&stage, &mut runner, By::Command), "cancelled");
    let asked = provider.requests().len();
    drop(runner);
    assert_eq!(provider.requests().len(), asked);
    assert_eq!(state(&stage), "cancelled");
}

/// While the editor is asked to change an open file: what it answers is recorded, and nothing more happens.
#[test]
fn cancelled_while_a_change_is_applied_the_change_is_whole_or_not_there() {
    for applied in [true, false] {
        let provider = Provider::answering(honest);
        let stage = Stage::new(&provider);
        stage.project.write(FILE, "An old note.\n");
        let capabilities =
            json!({"workspace": {"applyEdit": true, "workspaceEdit": {"documentChanges": true}}});
        let mut client = editor(&stage, json!({}), capabilities);
        let file = crate::support::client::uri(&stage.project.root().join(FILE));
        client.open(&file, "An old note.\n");
        client.command("orchestrator.task", json!(["alpha"]));
        let request = client.wait_method("workspace/applyEdit");
        client.command("orchestrator.cancel", json!([]));
        client.wait_method("window/showMessage");
        if applied {
            let changes = json!([{"text": "A note.\n"}]);
            let document = json!({"uri": file, "version": 2});
            client.notify(
                "textDocument/didChange",
                json!({"textDocument": document, "contentChanges": changes}),
            );
        }
        client.answer(&request, json!({"applied": applied}));
        let receipts = |client: &mut Client| {
            let status = client.command("orchestrator.status", json!([]));
            status["result"]["missions"][0]["receipts"].as_array().unwrap().len()
        };
        if applied {
            let client = Mutex::new(client);
            until("the receipt", || receipts(&mut client.lock().unwrap()) == 1);
            client.into_inner().unwrap().leave();
        } else {
            assert_eq!(client.leave(), 0);
        }
        let view = stage.project.run(&["status", "--json"]).last()[0].clone();
        assert_eq!(view["state"], "cancelled");
        assert_eq!(view["receipts"].as_array().unwrap().len(), usize::from(applied), "{view}");
        assert_eq!(
            stage.project.read(FILE),
            "An old note.\n",
            "an open file is the editor's to save"
        );
    }
}

/// A paused mission lets its turn, or its program, come to its end and keeps what came of it; nothing more begins before
/// it is resumed.
#[test]
fn a_pause_keeps_what_is_under_way_and_begins_nothing() {
    for held in ["baseline", "gate", "tests", "seal"] {
        let provider = Provider::answering(honest);
        let stage = Stage::new(&provider);
        stage.hold(held);
        let mut client =
            editor(&stage, json!({}), json!({"experimental": {"orchestrator": {"mission": true}}}));
        client.command("orchestrator.task", json!(["alpha"]));
        stage.until_held();
        client.command("orchestrator.pause", json!([]));
        let is_paused = |m: &Value| m["params"]["state"] == "paused";
        client.wait_for("the pause", is_paused);
        stage.release(held);
        until("the end of what was under way", || under_way_beside_turns(&stage) == 0);
        let (asked, calls) = (provider.requests().len(), stage.stages().len());
        assert_eq!(client.leave(), 0);
        assert_eq!((provider.requests().len(), stage.stages().len()), (asked, calls), "{held}");
        // A seal that was under way is kept as well: there is nothing left to be resumed then.
        let resumed = stage.project.run(&["resume"]);
        assert_eq!(resumed.code, if held == "seal" { 2 } else { 0 }, "{held}: {resumed:?}");
        assert_as_if_nothing_had_been(&stage, &provider, held);
    }
}

/// The same while a model answers: the answer is taken, and what it asks for is not begun.
#[test]
fn a_pause_in_the_middle_of_an_answer_keeps_the_answer() {
    let places: [Place; 5] = [
        (Role::Commander, 0),
        (Role::Planner, 0),
        (Role::Worker, 0),
        (Role::Worker, 1),
        (Role::Worker, 2),
    ];
    for place in places {
        let held = Arc::new(Mutex::new(Some(place)));
        let shared = held.clone();
        let provider = Provider::answering(move |asked| {
            until("the test", || *shared.lock().unwrap() != Some((asked.role, asked.turns)));
            honest(asked)
        });
        let stage = Stage::new(&provider);
        let Runner::Editor(mut client) = begin(&stage, By::Command) else { panic!() };
        provider.until_asked(|r| r.iter().any(|r| (r.role, r.turns) == place));
        assert_eq!(stage.project.run(&["pause"]).code, 0);
        *held.lock().unwrap() = None;
        until("the end of what was under way", || under_way(&stage) == 0);
        let asked = provider.requests().len();
        assert_eq!(client.leave(), 0);
        assert_eq!(provider.requests().len(), asked, "{place:?}");
        assert_eq!(stage.project.run(&["resume"]).code, 0);
        let again = provider.requests().iter().filter(|r| (r.role, r.turns) == place).count();
        assert_eq!(again, 1, "{place:?}: the answer was kept");
        assert_as_if_nothing_had_been(&stage, &provider, &format!("{place:?}"));
    }
}
