//! A process is killed, whatever its mission is at; the next one carries the mission on by itself, as if nothing had
//! been: the same conversations, the same counts, the same end.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::client::{Client, uri};
use crate::support::provider::{Provider, Reply, Request};
use crate::support::stage::{FILE, Place, Stage, honest, provider, until};

/// Who carries the mission on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Resume,
    Editor,
}

fn begin(stage: &Stage, arguments: &[&str]) -> Child {
    stage.project.command(arguments).stdout(Stdio::null()).spawn().unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A server of an editor with those capabilities, in the stage's project.
pub fn editor(stage: &Stage, options: Value, capabilities: Value) -> Client {
    Client::in_project(&stage.project, capabilities, options)
}

fn status(stage: &Stage) -> Value {
    stage.project.run(&["status", "--json"]).last()[0].clone()
}

/// Carries the mission on to its end.
fn go_on(stage: &Stage, next: Next) {
    match next {
        Next::Resume => {
            let resumed = stage.project.run(&["resume", "--json"]);
            assert_eq!(resumed.code, 0, "{resumed:?}");
        }
        Next::Editor => {
            let mut client = editor(stage, json!({}), json!({}));
            let told = client.wait_method("window/showMessage")["params"]["message"].clone();
            assert!(told.as_str().unwrap().starts_with("Mission sealed"), "{told}");
            assert_eq!(client.leave(), 0);
        }
    }
}

/// The request up to its newest message: prompt, tools, and all that was said.
fn prefix(body: &str) -> &str {
    &body[..body.rfind(']').unwrap()]
}

/// Every request of a session begins, byte for byte, with the one before it, whichever process sent it.
fn assert_conversations_only_grow(requests: &[Request]) {
    let mut last: BTreeMap<&str, &Request> = BTreeMap::new();
    for request in requests {
        if let Some(before) = last.insert(&request.session, request) {
            let grows = request.body.starts_with(prefix(&before.body));
            assert!(grows, "{}\n\n{}", before.body, request.body);
        }
    }
}

/// What an undisturbed mission leaves: its tree, and nothing done twice.
pub fn assert_as_if_nothing_had_been(stage: &Stage, provider: &Provider, what: &str) {
    let view = status(stage);
    assert_eq!(view["state"], "sealed", "{what}: {view}");
    assert_eq!(view["receipts"].as_array().unwrap().len(), 1, "{what}: applied once");
    assert_eq!(view["progress"], json!([1, 1]), "{what}");
    let expected = [("first.st", "There was a note.\n"), (FILE, "A note.\n"), ("stage.txt", "")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    assert_eq!(stage.project.bytes(), BTreeMap::from(expected), "{what}");
    let requests = provider.requests();
    assert_conversations_only_grow(&requests);
    assert_eq!(view["spent"]["calls"], requests.len(), "{what}: every call is counted, once");
    assert_eq!(stage.project.run(&["verify"]).code, 0, "{what}");
}

/// A mission whose process waits for the end of the answer at `place`, until that is let go.
fn under_way(place: Place) -> (Arc<Mutex<Option<Place>>>, Provider, Stage, Child) {
    let held = Arc::new(Mutex::new(Some(place)));
    let provider = provider(held.clone());
    let stage = Stage::new(&provider);
    let child = begin(&stage, &["task", "alpha"]);
    provider.until_asked(|r| r.iter().any(|r| (r.role, r.turns) == place));
    (held, provider, stage, child)
}

/// The mission is killed in the middle of each answer of a model.
#[test]
fn a_mission_goes_on_from_the_middle_of_every_answer() {
    let places: [(Place, Next); 7] = [
        ((Role::Commander, 0), Next::Resume),
        ((Role::Planner, 0), Next::Editor),
        ((Role::Worker, 0), Next::Resume),
        ((Role::Worker, 1), Next::Editor),
        ((Role::Worker, 2), Next::Resume),
        ((Role::Reviewer, 0), Next::Editor),
        ((Role::Reviewer, 0), Next::Resume),
    ];
    for (place, next) in places {
        let (held, provider, stage, child) = under_way(place);
        kill(child);
        *held.lock().unwrap() = None;
        let asked = provider.requests().len();
        go_on(&stage, next);
        let requests = provider.requests();
        assert_eq!(requests[asked].body, requests[asked - 1].body, "asked again, byte for byte");
        assert_as_if_nothing_had_been(&stage, &provider, &format!("{place:?} {next:?}"));
    }
}

/// It is killed while a script of the project runs: before the first change, at the gate, at the tests, at the seal.
#[test]
fn a_mission_goes_on_from_every_stage_of_its_proof() {
    for (held, next) in [
        ("baseline", Next::Editor),
        ("gate", Next::Resume),
        ("tests", Next::Editor),
        ("seal", Next::Resume),
        ("gate", Next::Editor),
    ] {
        let provider = Provider::answering(honest);
        let stage = Stage::new(&provider);
        stage.hold(held);
        let child = begin(&stage, &["task", "alpha"]);
        stage.until_held();
        if held == "baseline" {
            // The Worker thinks in the meantime; then it waits at the gate.
            provider.until_asked(|r| r.iter().any(|r| (r.role, r.turns) == (Role::Worker, 1)));
        }
        kill(child);
        stage.release(held);
        go_on(&stage, next);
        assert_as_if_nothing_had_been(&stage, &provider, held);
    }
}

/// It is killed while it waits before it asks a provider again that was not there.
#[test]
fn a_mission_goes_on_from_the_wait_before_a_retry() {
    for next in [Next::Resume, Next::Editor] {
        let provider = {
            let refused = Mutex::new(false);
            Provider::answering(move |asked| {
                let first = (asked.role, asked.turns) == (Role::Worker, 1);
                match first && !std::mem::replace(&mut *refused.lock().unwrap(), first) {
                    true => Reply::Status(503),
                    false => honest(asked),
                }
            })
        };
        let stage = Stage::new(&provider);
        let child = begin(&stage, &["task", "alpha"]);
        provider.until_asked(|r| r.iter().any(|r| (r.role, r.turns) == (Role::Worker, 1)));
        let waits = || {
            let sessions = status(&stage)["sessions"].clone();
            sessions[0]["activity"] == "waiting" || provider.requests().len() > 4
        };
        until("the wait", waits);
        kill(child);
        go_on(&stage, next);
        assert_as_if_nothing_had_been(&stage, &provider, &format!("{next:?}"));
    }
}

/// A paused mission stays paused whoever opens the workspace, also when a turn of it was under way; told to, it goes on.
#[test]
fn a_paused_mission_stays_paused_until_it_is_resumed() {
    let (held, provider, stage, child) = under_way((Role::Worker, 1));
    assert_eq!(stage.project.run(&["pause"]).code, 0);
    kill(child);
    *held.lock().unwrap() = None;
    let asked = provider.requests().len();
    let mut client = editor(&stage, json!({}), json!({}));
    let seen = client.command("orchestrator.status", json!([]));
    assert_eq!(seen["result"]["missions"][0]["state"], "paused");
    // A command that is none of going on leaves it where it is.
    client.command("orchestrator.pause", json!([]));
    assert_eq!(client.leave(), 0);
    assert_eq!(provider.requests().len(), asked, "nothing is asked while it is paused");
    assert_eq!(status(&stage)["state"], "paused");
    go_on(&stage, Next::Resume);
    assert_eq!(provider.requests()[asked].body, provider.requests()[asked - 1].body);
    assert_as_if_nothing_had_been(&stage, &provider, "paused");
}

#[test]
fn a_plan_that_waits_still_waits_after_a_restart() {
    let provider = Provider::answering(honest);
    let stage = Stage::new(&provider);
    assert_eq!(stage.project.run(&["plan", "alpha"]).code, 0);
    let asked = provider.requests().len();
    let mut client = editor(&stage, json!({}), json!({}));
    let seen = client.command("orchestrator.status", json!([]));
    assert_eq!(seen["result"]["missions"][0]["state"], "planned");
    assert_eq!(client.leave(), 0);
    assert_eq!(provider.requests().len(), asked);
    go_on(&stage, Next::Resume);
    assert_as_if_nothing_had_been(&stage, &provider, "planned");
}

/// What an earlier process left is no reason to run anything of a workspace that nobody trusts yet.
#[test]
fn nothing_goes_on_in_a_workspace_before_it_is_trusted() {
    let (held, provider, stage, child) = under_way((Role::Worker, 1));
    kill(child);
    *held.lock().unwrap() = None;
    let asked = provider.requests().len();
    let mut client = editor(&stage, json!({"trusted": false}), json!({}));
    let refused = client.command("orchestrator.resume", json!([]));
    assert!(refused["error"]["message"].as_str().unwrap().contains("not trusted"), "{refused}");
    assert_eq!(provider.requests().len(), asked);
    client.command("orchestrator.trust", json!([]));
    let told = client.wait_method("window/showMessage")["params"]["message"].clone();
    assert!(told.as_str().unwrap().starts_with("Mission sealed"), "{told}");
    assert_eq!(client.leave(), 0);
    assert_as_if_nothing_had_been(&stage, &provider, "trusted");
}

/// The owner is killed while the editor is asked to change an open file. The next one looks at what is there: what was
/// done is not done twice, and what was not is done.
#[test]
fn a_mission_goes_on_from_the_middle_of_an_application() {
    for done in [true, false] {
        let provider = Provider::answering(honest);
        let stage = Stage::new(&provider);
        stage.project.write(FILE, "An old note.\n");
        let edits =
            json!({"workspace": {"applyEdit": true, "workspaceEdit": {"documentChanges": true}}});
        let mut first = editor(&stage, json!({}), edits.clone());
        let file = uri(&stage.project.root().join(FILE));
        first.open(&file, "An old note.\n");
        first.command("orchestrator.task", json!(["alpha"]));
        first.wait_method("workspace/applyEdit");
        first.kill();
        let mut second = editor(&stage, json!({"trusted": false}), edits);
        second.open(&file, if done { "A note.\n" } else { "An old note.\n" });
        second.command("orchestrator.trust", json!([]));
        if !done {
            let request = second.wait_method("workspace/applyEdit");
            let document = json!({"uri": file, "version": 2});
            let params =
                json!({"textDocument": document, "contentChanges": [{"text": "A note.\n"}]});
            second.notify("textDocument/didChange", params);
            second.answer(&request, json!({"applied": true}));
        }
        let told = second.wait_method("window/showMessage")["params"]["message"].clone();
        assert!(told.as_str().unwrap().starts_with("Mission sealed"), "{told}");
        let unread = second.unread();
        assert!(unread.iter().all(|m| m["method"] != "workspace/applyEdit"), "{done}: done twice");
        // The editor saves.
        stage.project.write(FILE, "A note.\n");
        assert_eq!(second.leave(), 0);
        assert_as_if_nothing_had_been(&stage, &provider, &format!("{done}"));
    }
}

/// A command that was begun for one mission only does not carry the others on; an editor that opens the workspace
/// beside it makes it do so.
#[test]
fn an_editor_lets_the_owner_go_on_with_every_mission() {
    let (held, provider, stage, child) = under_way((Role::Worker, 1));
    kill(child);
    *held.lock().unwrap() = Some((Role::Commander, 0));
    let owner = begin(&stage, &["task", "beta"]);
    let begun = |r: &[Request]| r.iter().filter(|r| r.role == Role::Commander).count() == 2;
    provider.until_asked(begun);
    let asked = provider.requests().len();
    assert_eq!(status(&stage)["state"], "working");
    assert_eq!(provider.requests().len(), asked, "the first one is not carried on");
    let mut client = editor(&stage, json!({}), json!({}));
    let told = client.wait_method("window/showMessage")["params"]["message"].clone();
    assert!(told.as_str().unwrap().starts_with("Mission sealed"), "{told}");
    assert_eq!(stage.project.run(&["cancel"]).code, 0);
    assert_eq!(client.leave(), 0);
    let mut owner = owner;
    assert_eq!(owner.wait().unwrap().code(), Some(5));
}
