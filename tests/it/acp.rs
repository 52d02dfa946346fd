//! Missions in an agent panel: the Agent Client Protocol against the built binary, every message checked by its schema.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::ended::ended;
use crate::support::panel::Panel;
use crate::support::project::Project;
use crate::support::provider::{Provider, Reply};
use crate::support::tools::{self, checkout};
use crate::undo::{edit, model, notes};

const GOAL: &str = "Add --ignore-case, and sort words of equal count by name";

fn demo() -> Project {
    let replay = checkout().join("tests/fixtures/demo/replay.json");
    let replay = std::fs::read_to_string(replay).unwrap();
    Project::copy_of("demo").replaying(&replay)
}

/// A project whose model takes a request and never answers.
fn silent() -> (Project, Provider) {
    let provider = Provider::answering(|_| Reply::Half);
    (provider.serving(Project::empty()), provider)
}

/// The only mission, as the journal tells.
fn mission(project: &Project) -> Value {
    project.run(&["status", "--json"]).last()[0].clone()
}

fn error(answer: &Value) -> (i64, &str) {
    let error = &answer["error"];
    let code = error["code"].as_i64().unwrap_or_else(|| panic!("{answer}"));
    (code, error["message"].as_str().unwrap())
}

/// The diffs of accepted changes: path, text before, text after.
fn diffs(calls: &[Value]) -> Vec<(String, Option<String>, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let content = calls.iter().filter_map(|call| call["content"].as_array()).flatten();
    let diffs = content.filter(|content| content["type"] == "diff");
    diffs
        .map(|d| (text(&d["path"]).unwrap(), text(&d["oldText"]), text(&d["newText"]).unwrap()))
        .collect()
}

#[test]
fn a_prompt_is_a_mission_with_a_plan_tools_and_diffs() {
    let project = demo();
    let before = project.bytes();
    let mut panel = Panel::initialized(&project, json!({}));
    let session = panel.session(&project);
    let commands = panel.wait_method("session/update");
    let commands = commands["params"]["update"]["availableCommands"].as_array().unwrap().clone();
    assert!(commands.iter().any(|command| command["name"] == "plan"), "{commands:?}");

    let (stop, said) = panel.turn(&session, GOAL);
    assert_eq!(stop, "end_turn");
    assert!(said.contains("**Sealed** `") && said.contains("5 of 5 steps"), "{said}");
    let plans = panel.updates("plan");
    let of = |plan: &Value, status: &str| {
        plan["entries"].as_array().unwrap().iter().filter(|e| e["status"] == status).count()
    };
    assert!(of(&plans[0], "pending") > 0 && of(plans.last().unwrap(), "completed") == 5);
    let (calls, updates) = (panel.updates("tool_call"), panel.updates("tool_call_update"));
    let kinds = |kind: &str| calls.iter().filter(|call| call["kind"] == kind).count();
    assert!(["think", "read", "edit", "execute"].iter().all(|kind| kinds(kind) > 0), "{calls:#?}");
    let is_refusal = |call: &&Value| {
        call["status"] == "failed"
            && call["content"][0].to_string().contains("expected 2 arguments")
    };
    assert_eq!(calls.iter().chain(&updates).filter(is_refusal).count(), 1, "{updates:#?}");
    let edits: Vec<Value> = calls.iter().filter(|c| c["locations"].is_array()).cloned().collect();
    assert_eq!(edits.len(), 3, "one for each accepted change");
    let after = project.bytes();
    let shown = diffs(&edits);
    for name in ["src/count.rs", "src/report.rs", "src/options.rs", "README.md"] {
        let path = project.root().join(name);
        let (_, old, new) = shown.iter().find(|(p, ..)| Path::new(p) == path).unwrap();
        assert_eq!(old.as_ref().map(String::as_bytes), before.get(name).map(Vec::as_slice));
        assert_eq!(new.as_bytes(), after[name]);
    }
    // Whatever was begun has ended.
    for call in calls.iter().filter(|call| call["status"] == "in_progress") {
        let last = updates.iter().rfind(|u| u["toolCallId"] == call["toolCallId"]);
        let last = last.map(|update| update["status"].as_str().unwrap());
        assert!(matches!(last, Some("completed" | "failed")), "{call}");
    }

    // Another process shows the same conversation, and takes all of it back.
    drop(panel);
    let mut panel = Panel::initialized(&project, json!({}));
    let listed = panel.ask("session/list", json!({ "cwd": project.root() }));
    assert_eq!(listed["result"]["sessions"][0]["sessionId"], session.as_str());
    assert_eq!(listed["result"]["sessions"][0]["title"], GOAL);
    let params = json!({ "sessionId": session, "cwd": project.root(), "mcpServers": [] });
    let loaded = panel.ask("session/load", params);
    assert!(loaded["result"]["modes"].is_object(), "{loaded}");
    assert_eq!(panel.updates("user_message_chunk")[0]["content"]["text"], GOAL);
    assert!(panel.said().contains("**Sealed** `"));
    let replayed: Vec<Value> =
        panel.updates("tool_call").into_iter().filter(|c| c["locations"].is_array()).collect();
    assert_eq!(diffs(&replayed), shown);
    let (_, said) = panel.turn(&session, "/report");
    assert!(said.contains("**sealed**") && said.contains("[x] S2.1.1"), "{said}");
    let (stop, said) = panel.turn(&session, "/undo all");
    assert_eq!(stop, "end_turn");
    assert!(said.contains("change 3 was taken back"), "{said}");
    assert_eq!(project.bytes(), before);
}

#[test]
fn one_prompt_at_a_time_and_cancel_answers_it() {
    let (project, provider) = silent();
    let mut panel = Panel::initialized(&project, json!({}));
    let session = panel.session(&project);
    assert!(panel.turn(&session, "/task").1.contains("the goal is empty"));
    let first = panel.says(&session, "write a poem");
    provider.until_asked(|requests| !requests.is_empty());
    let second = panel.turn_error(&session, "write another");
    assert_eq!(error(&second).0, -32600);
    assert!(error(&second).1.contains("a prompt is being carried out"), "{second}");
    let (stop, said) = panel.turn(&session, "/status");
    assert_eq!(stop, "end_turn");
    assert!(said.contains("triage") && said.contains("write a poem"), "{said}");
    panel.notify("session/cancel", json!({ "sessionId": session }));
    let (stop, said) = panel.ended(first);
    assert_eq!(stop, "cancelled");
    assert!(said.contains("**Cancelled**"), "{said}");
    assert_eq!(mission(&project)["state"], "cancelled");
    // The session is free again; this one is taken back by the request's id.
    let third = panel.says(&session, "write a third");
    provider.until_asked(|requests| requests.len() > 1);
    panel.notify("$/cancel_request", json!({ "requestId": third }));
    assert_eq!(panel.ended(third).0, "cancelled");
    let listed = panel.ask("session/list", json!({ "cwd": project.root() }));
    let listed = listed["result"]["sessions"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "both are of one session");
    assert_eq!(listed[0]["sessionId"], session.as_str());
}

#[test]
fn pause_ends_the_turn_and_resume_goes_on() {
    let (project, provider) = silent();
    let mut panel = Panel::initialized(&project, json!({}));
    let session = panel.session(&project);
    let first = panel.says(&session, "write a poem");
    provider.until_asked(|requests| !requests.is_empty());
    let pause = panel.says(&session, "/pause");
    let (stop, aside) = panel.ended(pause);
    assert_eq!(stop, "end_turn");
    let (stop, said) = panel.ended(first);
    assert_eq!(stop, "end_turn");
    assert_eq!((aside + &said).matches("**Paused**").count(), 1, "{said}");
    let again = panel.says(&session, "/resume");
    panel.wait_for("the mission at work", |m| {
        m["params"]["update"]["content"]["text"]
            .as_str()
            .is_some_and(|text| text.contains("goes on"))
    });
    panel.notify("session/cancel", json!({ "sessionId": session }));
    assert_eq!(panel.ended(again).0, "cancelled");
}

#[test]
fn a_client_that_leaves_is_answered_and_the_mission_goes_on_later() {
    let (project, provider) = silent();
    let mut panel = Panel::initialized(&project, json!({}));
    let session = panel.session(&project);
    let prompt = panel.says(&session, "write a poem");
    provider.until_asked(|requests| !requests.is_empty());
    panel.close_input();
    let answer = panel.response(prompt);
    assert_eq!(error(&answer).0, -32800);
    assert!(error(&answer).1.contains("goes on when its workspace is opened again"), "{answer}");
    assert_eq!(panel.wait_exit(), 0);
    assert_eq!(mission(&project)["end"], Value::Null);
    let count = provider.requests().len();
    let mut panel = Panel::initialized(&project, json!({}));
    let params = json!({ "sessionId": session, "cwd": project.root(), "mcpServers": [] });
    assert!(panel.ask("session/resume", params).get("result").is_some());
    assert_eq!(panel.updates("user_message_chunk"), [] as [Value; 0], "nothing is replayed");
    provider.until_asked(|requests| requests.len() > count);
    assert!(panel.ask("session/close", json!({ "sessionId": session })).get("result").is_some());
    let end = Instant::now() + Duration::from_secs(20);
    while mission(&project)["state"] != "cancelled" {
        assert!(Instant::now() < end, "a closed session's work is not cancelled");
    }
}

#[test]
fn plan_mode_stops_at_the_plan_and_resume_carries_it_out() {
    let model = model(vec![json!([edit("notes.txt", "two", "zwei")])], |_| {});
    let project = model.serving(notes());
    let mut panel = Panel::initialized(&project, json!({}));
    let session = panel.session(&project);
    let odd = panel.ask("session/set_mode", json!({ "sessionId": session, "modeId": "x" }));
    assert_eq!(error(&odd).0, -32602);
    panel.ask("session/set_mode", json!({ "sessionId": session, "modeId": "plan" }));
    let (stop, said) = panel.turn(&session, "write the notes");
    assert_eq!(stop, "end_turn");
    assert!(said.contains("**The plan is ready**"), "{said}");
    assert_eq!(panel.updates("plan").last().unwrap()["entries"][0]["status"], "pending");
    assert!(project.read("notes.txt").contains("two"));
    let (stop, said) = panel.turn(&session, "/resume");
    assert_eq!(stop, "end_turn");
    assert!(said.contains("**Sealed**") && !said.contains("**The plan is ready**"), "{said}");
    assert!(project.read("notes.txt").contains("zwei"));
    let (_, said) = panel.turn(&session, "/undo 7");
    assert!(said.contains("there is no change 7 to take back"), "{said}");
    panel.turn(&session, "/undo");
    assert!(project.read("notes.txt").contains("two"));
    panel.turn(&session, "/redo");
    assert!(project.read("notes.txt").contains("zwei"));
    project.write("notes.txt", project.read("notes.txt").replace("zwei", "drei"));
    let (_, said) = panel.turn(&session, "/undo");
    assert!(said.contains("edited since"), "{said}");
    for words in ["/undo it", "/nothing", " "] {
        let (stop, said) = panel.turn(&session, words);
        assert_eq!(stop, "end_turn");
        assert!(!said.is_empty(), "{words} is answered");
    }
}

/// A provider whose Worker asks, and stops when it is answered.
fn asking(choices: Value) -> Provider {
    Provider::answering(move |asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({"decision": "direct"})),
        (Role::Worker, 0) => {
            Reply::Call("ask", json!({"question": "tabs or spaces?", "choices": choices}))
        }
        _ => Reply::Half,
    })
}

fn heard(provider: &Provider, text: &str) {
    let text = format!("\"content\":\"{text}\"");
    provider
        .until_asked(|all| all.iter().any(|r| r.role == Role::Worker && r.body.contains(&text)));
}

#[test]
fn a_question_with_choices_is_put_with_buttons() {
    let provider = asking(json!(["tabs", "spaces"]));
    let project = provider.serving(Project::empty());
    let mut panel = Panel::initialized(&project, json!({}));
    let session = panel.session(&project);
    let prompt = panel.says(&session, "g");
    let question = panel.wait_method("session/request_permission");
    let params = &question["params"];
    assert_eq!(params["toolCall"]["title"], "Worker T1.1 asks: tabs or spaces?");
    let names: Vec<&Value> =
        params["options"].as_array().unwrap().iter().map(|o| &o["name"]).collect();
    assert_eq!(names, ["tabs", "spaces", "Answer in words"]);
    let chosen = &params["options"][1]["optionId"];
    panel.answer(&question, json!({ "outcome": { "outcome": "selected", "optionId": chosen } }));
    heard(&provider, "spaces");
    panel.notify("session/cancel", json!({ "sessionId": session }));
    assert_eq!(panel.ended(prompt).0, "cancelled");
}

#[test]
fn a_question_that_is_answered_elsewhere_is_taken_back() {
    let provider = asking(json!(["tabs", "spaces"]));
    let project = provider.serving(Project::empty());
    let mut panel = Panel::initialized(&project, json!({}));
    let session = panel.session(&project);
    panel.says(&session, "g");
    let question = panel.wait_method("session/request_permission");
    let said = project.run(&["answer", "tabs"]);
    assert_eq!(said.code, 0, "{said:?}");
    heard(&provider, "tabs");
    let taken = panel.wait_method("$/cancel_request");
    assert_eq!(taken["params"]["requestId"], question["id"]);
    // Its late answer is dropped.
    panel.answer(&question, json!({ "outcome": { "outcome": "cancelled" } }));
}

/// Also where there are choices, and the person wants another answer.
#[test]
fn a_question_in_words_is_answered_by_the_next_prompt() {
    for choices in [json!([]), json!(["tabs", "spaces"])] {
        let has_buttons = choices != json!([]);
        let provider = asking(choices);
        let project = provider.serving(Project::empty());
        let mut panel = Panel::initialized(&project, json!({}));
        let session = panel.session(&project);
        let prompt = panel.says(&session, "g");
        if has_buttons {
            let question = panel.wait_method("session/request_permission");
            let words = json!({ "outcome": "selected", "optionId": "in-words" });
            panel.answer(&question, json!({ "outcome": words }));
        }
        let (stop, said) = panel.ended(prompt);
        assert_eq!(stop, "end_turn");
        assert!(said.contains("tabs or spaces?"), "{said}");
        assert!(said.contains("Your next message is the answer"), "{said}");
        let answered = panel.says(&session, "neither");
        heard(&provider, "neither");
        panel.notify("session/cancel", json!({ "sessionId": session }));
        assert_eq!(panel.ended(answered).0, "cancelled");
    }
}

const READS: &str = r#"{ "fs": { "readTextFile": true, "writeTextFile": true } }"#;

fn reads() -> Value {
    serde_json::from_str(READS).unwrap()
}

/// Answers requests for a file's text until one of another kind comes, or the turn has ended.
fn serve(panel: &mut Panel, prompt: i64, text: &dyn Fn() -> String) -> (usize, Value) {
    let mut count = 0;
    loop {
        let next = panel.wait_for("a read, or the end", |m| {
            m["method"] == "fs/read_text_file" || (m["id"] == prompt && m.get("method").is_none())
        });
        if next.get("method").is_none() {
            return (count, next);
        }
        count += 1;
        panel.answer(&next, json!({ "content": text() }));
    }
}

#[test]
fn what_is_unsaved_in_the_client_stays_and_what_was_saved_is_proved_again() {
    let model = model(vec![json!([edit("notes.txt", "two", "zwei")])], |_| {});
    let project = model.serving(notes());
    let saved = project.read("notes.txt");
    let typed = saved.replace("seven", "seven, typed");
    let mut panel = Panel::initialized(&project, reads());
    let session = panel.session(&project);
    let prompt = panel.says(&session, "write the notes");
    let begun = Instant::now();
    let mut told = false;
    let stop = loop {
        let next = panel.wait_for("a read, words or the end", |m| {
            let text = m["params"]["update"]["content"]["text"].to_string();
            m["method"] == "fs/read_text_file" || text.contains("unsaved") || m["id"] == prompt
        });
        if next["method"] == "fs/read_text_file" {
            assert_eq!(next["params"]["path"], json!(project.root().join("notes.txt")));
            panel.answer(&next, json!({ "content": typed }));
        } else if next["method"] == "session/update" {
            assert!(next.to_string().contains("Save or revert"), "{next}");
            assert_eq!(project.read("notes.txt"), saved, "nothing has landed");
            told = true;
            // The person saves.
            project.write("notes.txt", &typed);
        } else {
            break next["result"]["stopReason"].clone();
        }
        // After it has landed the client's buffer is what the disk says.
        if told && project.read("notes.txt") != typed {
            let disk = || project.read("notes.txt");
            break serve(&mut panel, prompt, &disk).1["result"]["stopReason"].clone();
        }
    };
    assert!(told && begun.elapsed() >= Duration::from_secs(2));
    assert_eq!(stop, "end_turn");
    assert_eq!(project.read("notes.txt"), typed.replace("two", "zwei"), "both are there");
}

/// It waits a bounded time; a person who stops it waits no longer.
#[test]
fn a_person_who_does_not_save_can_stop_and_nothing_is_lost() {
    let model = model(vec![json!([edit("notes.txt", "two", "zwei")])], |_| {});
    let project = model.serving(notes());
    let saved = project.read("notes.txt");
    let mut panel = Panel::initialized(&project, reads());
    let session = panel.session(&project);
    let prompt = panel.says(&session, "write the notes");
    let mut stopped = false;
    let answer = loop {
        let next = panel.wait_for("a read, words or the end", |m| {
            let text = m["params"]["update"]["content"]["text"].to_string();
            m["method"] == "fs/read_text_file" || text.contains("unsaved") || m["id"] == prompt
        });
        if next["method"] == "fs/read_text_file" {
            panel.answer(&next, json!({ "content": "typed" }));
        } else if next["method"] == "session/update" && !stopped {
            panel.notify("session/cancel", json!({ "sessionId": session }));
            stopped = true;
        } else if next["id"] == prompt {
            break next;
        }
    };
    assert_eq!(answer["result"]["stopReason"], "cancelled");
    assert_eq!(project.read("notes.txt"), saved);
}

/// Line ends, byte order marks and the last line end are kept out of editors' texts; a client that is silent, or refuses,
/// hinders nothing.
#[test]
fn what_no_person_changed_is_not_unsaved() {
    for way in ["as editors keep it", "refused", "silent"] {
        let model = model(vec![json!([edit("marked.txt", "second", "zweite")])], |_| {});
        let project = model.serving(notes());
        let mut panel = Panel::initialized(&project, reads());
        let session = panel.session(&project);
        let prompt = panel.says(&session, "write the notes");
        let read = panel.wait_method("fs/read_text_file");
        match way {
            "refused" => {
                let error = json!({ "code": -32603, "message": "no" });
                panel.send(&json!({ "jsonrpc": "2.0", "id": read["id"], "error": error }));
            }
            "silent" => {}
            _ => panel.answer(&read, json!({ "content": "first\nsecond\nlast\n" })),
        }
        let (stop, said) = panel.ended(prompt);
        assert_eq!(stop, "end_turn", "{way}");
        assert!(said.contains("**Sealed**"), "{way}: {said}");
        assert_eq!(project.read("marked.txt"), "\u{feff}first\r\nzweite\r\nlast", "{way}");
    }
}

#[test]
fn one_process_serves_several_workspaces_and_sessions() {
    let model = model(vec![json!([edit("notes.txt", "two", "zwei")])], |_| {});
    let (one, other) = (model.serving(notes()), notes());
    let mut panel = Panel::initialized(&one, json!({}));
    let sessions = [panel.session(&one), panel.session(&other)];
    let idle = panel.session(&one);
    let prompts = sessions.clone().map(|session| panel.says(&session, "write the notes"));
    for prompt in prompts {
        assert_eq!(panel.ended(prompt).0, "end_turn");
    }
    for project in [&one, &other] {
        assert!(project.read("notes.txt").contains("zwei"));
    }
    // A session without a mission speaks of the workspace's.
    let (_, said) = panel.turn(&idle, "/status");
    assert!(said.contains("sealed") && said.contains(&sessions[0]), "{said}");
    assert!(!said.contains(&sessions[1]), "{said}");
}

#[test]
fn bad_input_costs_one_message() {
    let (project, _provider) = silent();
    let mut panel = Panel::start(&project);
    let early = panel.ask("session/new", json!({ "cwd": project.root(), "mcpServers": [] }));
    assert_eq!(error(&early), (-32600, "say `initialize` first"));
    assert_eq!(error(&panel.ask("initialize", json!({}))).0, -32602);
    let hello = panel.ask("initialize", json!({ "protocolVersion": 7 }));
    assert_eq!(hello["result"]["protocolVersion"], 1, "the newest that is spoken");
    assert_eq!(hello["result"]["agentCapabilities"]["loadSession"], true);
    assert_eq!(error(&panel.ask("initialize", json!({ "protocolVersion": 1 }))).0, -32600);
    assert!(panel.ask("authenticate", json!({ "methodId": "x" })).get("result").is_some());

    let nobody = |panel: &mut Panel| {
        panel.wait_for("a complaint", |m| m["id"].is_null() && m.get("error").is_some())
    };
    panel.write(b"{ no json\n");
    assert_eq!(error(&nobody(&mut panel)).0, -32700);
    panel.write(b"[]\n\n  \n\xff\xfe\n");
    assert_eq!(error(&nobody(&mut panel)).0, -32600);
    assert_eq!(error(&nobody(&mut panel)).0, -32700);
    panel.write(&[vec![b'x'; 33 * 1024 * 1024], b"\n".to_vec()].concat());
    assert!(error(&nobody(&mut panel)).1.contains("too large"));
    assert_eq!(error(&panel.ask("session/fly", json!({}))).0, -32601);
    panel.notify("session/fly", json!({}));
    panel.notify("session/cancel", json!({ "sessionId": "nobody" }));
    panel.notify("session/cancel", Value::Null);
    let panic = panel.ask("_orchestrator/test_panic", json!({}));
    assert_eq!(error(&panic).0, -32603);

    for (cwd, code) in [("a/b", -32602), ("/no/such/folder", -32602)] {
        let answer = panel.ask("session/new", json!({ "cwd": cwd, "mcpServers": [] }));
        assert_eq!(error(&answer).0, code, "{answer}");
    }
    assert_eq!(error(&panel.ask("session/new", json!({}))).0, -32602);
    assert_eq!(error(&panel.turn_error("nobody", "x")).0, -32002);
    let params = json!({ "sessionId": "nobody", "cwd": project.root(), "mcpServers": [] });
    assert_eq!(error(&panel.ask("session/load", params)).0, -32002);
    // It serves all the same.
    let session = panel.session(&project);
    assert_eq!(panel.turn(&session, "/status").0, "end_turn");
    let (stop, said) = panel.turn(&session, "/resume");
    assert!(stop == "end_turn" && said.contains("There is no mission"), "{said}");
}

/// A workspace that cannot be opened is refused with the reason, and tried again when it is asked for again.
#[test]
fn a_workspace_that_is_refused_says_why() {
    let (project, _provider) = silent();
    project.write(".opencode", "a file where the folder is to be");
    let mut panel = Panel::initialized(&project, json!({}));
    let params = json!({ "cwd": project.root(), "mcpServers": [] });
    let answer = panel.ask("session/new", params);
    assert_eq!(error(&answer).0, -32603, "{answer}");
    std::fs::remove_file(project.root().join(".opencode")).unwrap();
    panel.session(&project);
}

/// The protocol's own TypeScript library checks what it gets, too.
#[test]
fn the_protocols_own_library_runs_a_mission() {
    let model = model(vec![json!([edit("notes.txt", "two", "zwei")])], |_| {});
    let project = model.serving(notes());
    // A module finds its packages from where it lies.
    let script = tools::acp().join("journey.mjs");
    std::fs::copy(checkout().join("tests/editors/acp.mjs"), &script).unwrap();
    let program = env!("CARGO_BIN_EXE_orchestrator");
    let mut journey = Command::new("node");
    journey
        .args([script.as_os_str(), program.as_ref(), project.root().as_os_str()])
        .arg("write the notes")
        .envs(project.environment());
    let output = ended(&mut journey);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let seen: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!(said, "", "the library complains of nothing");
    assert_eq!(seen["answer"]["stopReason"], "end_turn");
    assert_eq!(seen["code"], 0);
    assert_eq!(seen["listed"]["sessions"][0]["sessionId"], seen["session"]["sessionId"]);
    let updates = seen["updates"].as_array().unwrap();
    let calls: Vec<Value> =
        updates.iter().filter(|update| update["sessionUpdate"] == "tool_call").cloned().collect();
    let path = project.root().join("notes.txt").to_str().unwrap().to_owned();
    let after = project.read("notes.txt");
    assert_eq!(diffs(&calls), [(path, Some(after.replace("zwei", "two")), after)]);
}
