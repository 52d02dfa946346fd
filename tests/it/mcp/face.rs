//! `orchestrator mcp`, as a client made of the protocol's own library sees it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::project::{Project, path_without_servers};
use crate::support::provider::{Provider, Reply};
use crate::support::tools::{self, checkout};

/// The other agent: a process with the client, and what it was told.
struct Agent {
    child: Child,
    steps: ChildStdin,
    told: Receiver<Value>,
    unread: Vec<Value>,
    next: u64,
    pid: i32,
}

impl Agent {
    fn of(project: &Project) -> Agent {
        // The project may have another PATH.
        let path = std::env::var_os("PATH").unwrap();
        let mut nodes = std::env::split_paths(&path).map(|folder| folder.join("node"));
        let mut command = Command::new(nodes.find(|node| node.is_file()).unwrap());
        command
            .arg(checkout().join("tests/fixtures/mcp/client.mjs"))
            .arg(tools::mcp().join("node_modules"))
            .arg(env!("CARGO_BIN_EXE_orchestrator"))
            .arg(project.root())
            .current_dir(project.root())
            .envs(project.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (say, told) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if say.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let steps = child.stdin.take().unwrap();
        let mut agent = Agent { child, steps, told, unread: Vec::new(), next: 1, pid: 0 };
        let hello = agent.end_of(0);
        assert_eq!(hello["done"]["server"]["name"], "orchestrator", "{hello}");
        agent.pid = i32::try_from(hello["done"]["pid"].as_i64().unwrap()).unwrap();
        agent
    }

    fn step(&mut self, mut step: Value) -> u64 {
        let id = self.next;
        self.next += 1;
        step["id"] = json!(id);
        writeln!(self.steps, "{step}").unwrap();
        id
    }

    fn read(&mut self) -> Value {
        self.told.recv_timeout(Duration::from_secs(600)).expect("the client says something")
    }

    /// What came of a step.
    fn end_of(&mut self, id: u64) -> Value {
        let is_it = |value: &Value| value["id"] == id;
        loop {
            if let Some(at) = self.unread.iter().position(is_it) {
                return self.unread.remove(at);
            }
            let value = self.read();
            self.unread.push(value);
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.step(json!({ "method": method, "params": params }));
        self.end_of(id)
    }

    fn begin(&mut self, tool: &str, arguments: Value) -> u64 {
        let params = json!({ "name": tool, "arguments": arguments });
        self.step(json!({ "method": "callTool", "params": params, "progress": true }))
    }

    /// The structured answer of a tool that did what it was asked.
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.begin(tool, arguments);
        done(&self.end_of(id))
    }

    /// The kind of error that a tool answers with, and its message.
    fn refused(&mut self, tool: &str, arguments: Value) -> (String, String) {
        let id = self.begin(tool, arguments);
        let answer = self.end_of(id)["done"].clone();
        assert_eq!(answer["isError"], true, "{answer}");
        let error = &answer["structuredContent"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&error["error"]), text(&error["message"]))
    }

    /// What was told while a step was under way.
    fn progress(&self, id: u64) -> Vec<&Value> {
        let told = self.unread.iter().filter(|value| value["progress"] == id);
        told.map(|value| &value["told"]).collect()
    }

    fn leave(mut self) {
        drop(self.steps);
        assert!(self.child.wait().unwrap().success());
        let server = nix::unistd::Pid::from_raw(self.pid);
        assert!(nix::sys::signal::kill(server, None).is_err(), "the server outlives its client");
    }
}

fn done(answer: &Value) -> Value {
    let done = &answer["done"];
    assert!(done["isError"] != true && done["structuredContent"].is_object(), "{answer}");
    let text = done["content"][0]["text"].as_str().unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let text: Value = serde_json::from_str(text).unwrap();
    assert_eq!(keys(&text), keys(&done["structuredContent"]), "it is told twice");
    done["structuredContent"].clone()
}

fn demo() -> (tempfile::TempDir, Project) {
    let replay = checkout().join("tests/fixtures/demo/replay.json");
    let replay = std::fs::read_to_string(replay).unwrap();
    let (folder, path) = path_without_servers();
    (folder, Project::copy_of("demo").replaying(&replay).with("PATH", path))
}

#[test]
fn another_agent_sees_what_is_offered_and_proves_its_own_changes() {
    let (_folder, project) = demo();
    let before = project.bytes();
    let mut agent = Agent::of(&project);
    let tools = agent.ask("listTools", json!({}));
    let tools = tools["done"]["tools"].as_array().unwrap().clone();
    let of = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    assert_eq!(tools.len(), 12);
    assert_eq!(of("check")["annotations"]["readOnlyHint"], true);
    assert_eq!(of("mission_cancel")["annotations"]["destructiveHint"], true);
    assert_eq!(of("mission_start")["inputSchema"]["required"], json!(["goal"]));

    let edit = |old: &str, new: &str| json!({ "changes": [{ "op": "edit", "path": "src/count.rs", "edits": [{ "old": old, "new": new }] }] });
    let text = project.read("src/count.rs");
    let line = text.lines().find(|line| line.starts_with("pub fn ")).unwrap().to_owned();
    let good = agent.call("check", edit(&line, &format!("/// Told twice.\n{line}")));
    assert_eq!((&good["verdict"], &good["problems"]), (&json!("accepted"), &json!([])), "{good}");
    let bad =
        agent.call("check", edit(&line, &format!("pub fn wrong() -> u32 {{ \"no\" }}\n{line}")));
    assert_eq!(bad["verdict"], "refused", "{bad}");
    let problem = &bad["problems"][0];
    assert_eq!((&problem["file"], &problem["code"]), (&json!("src/count.rs"), &json!("E0308")));
    assert!(problem["line"].is_u64() && problem["frame"].as_str().unwrap().contains("wrong"));
    assert_eq!(project.bytes(), before, "nothing is applied");

    for (tool, arguments, kind, said) in [
        ("check", json!({}), "arguments", "changes"),
        ("check", json!({ "changes": [] }), "arguments", "no changes"),
        ("check", json!({ "changes": [], "dry": true }), "arguments", "unknown field: dry"),
        ("mission_start", json!({}), "arguments", "goal"),
        ("mission_start", json!({ "goal": " " }), "arguments", "empty"),
        ("mission_start", json!({ "goal": "g", "mode": "all" }), "arguments", "all"),
        ("mission_status", json!({ "mission": "none" }), "unknown", "no mission none"),
        ("mission_cancel", json!({}), "unknown", "no mission"),
        ("mission_answer", json!({ "text": "yes" }), "unknown", "no mission"),
        ("mission_undo", json!({}), "unknown", "no mission"),
        ("plan_update", json!({ "item": "x", "mark": "done" }), "arguments", "no id of an item"),
        ("plan_update", json!({ "item": "T1.1", "mark": "x!" }), "arguments", "none of pending"),
        ("plan_show", json!({ "misson": "m" }), "arguments", "misson"),
    ] {
        let (refused, message) = agent.refused(tool, arguments);
        assert!(refused == kind && message.contains(said), "{tool}: {refused}: {message}");
    }
    let none = agent.ask("callTool", json!({ "name": "nothing", "arguments": {} }));
    assert_eq!(none["code"], -32602, "{none}");
    assert_eq!(agent.call("mission_status", json!({}))["missions"], json!([]));
    let none = agent.ask("readResource", json!({ "uri": "orchestrator://nothing" }));
    assert!(none["failed"].as_str().unwrap().contains("no resource"), "{none}");
    agent.leave();
}

#[test]
fn a_mission_is_begun_followed_told_and_taken_back() {
    let (_folder, project) = demo();
    let before = project.bytes();
    let mut agent = Agent::of(&project);
    let goal = "Add --ignore-case, and sort words of equal count by name";
    let id = agent.begin("mission_start", json!({ "goal": goal, "wait": true }));
    let sealed = done(&agent.end_of(id));
    assert_eq!((&sealed["state"], &sealed["waited"]), (&json!("sealed"), &json!(true)), "{sealed}");
    assert_eq!(sealed["steps"], json!({ "done": 5, "all": 5 }));
    let told = agent.progress(id);
    assert!(told.iter().any(|told| told["message"].as_str().unwrap().contains("accepted")));
    let numbers: Vec<u64> = told.iter().map(|told| told["progress"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");

    let plan = agent.call("plan_show", json!({}));
    let step = plan["items"].as_array().unwrap().iter().find(|item| item["item"] == "S1.1.1");
    assert!(step.unwrap()["version"].is_string(), "{plan}");
    assert!(plan["items"].to_string().contains("[x] S1.1.1"), "{plan}");
    let report = agent.ask("callTool", json!({ "name": "mission_report", "arguments": {} }));
    assert!(report["done"]["content"][0]["text"].as_str().unwrap().contains("**sealed**"));
    assert!(agent.call("findings", json!({ "closed": true }))["findings"].is_array());
    let resources = agent.ask("listResources", json!({}));
    assert_eq!(resources["done"]["resources"].as_array().unwrap().len(), 2);
    let mission = sealed["mission"].as_str().unwrap().to_owned();
    for (uri, said) in [
        ("orchestrator://plan".to_owned(), "S1.1.1"),
        ("orchestrator://missions".to_owned(), "sealed"),
        (format!("orchestrator://missions/{mission}"), "**sealed**"),
        (format!("orchestrator://missions/{mission}/receipts"), "src/count.rs"),
    ] {
        let read = agent.ask("readResource", json!({ "uri": uri }));
        let text = read["done"]["contents"][0]["text"].as_str();
        assert!(text.is_some_and(|text| text.contains(said)), "{uri}: {read}");
    }
    let (kind, message) = agent.refused("mission_cancel", json!({ "mission": mission }));
    assert!(kind == "refused" && message.contains("is sealed"), "{message}");

    assert_ne!(project.bytes(), before);
    let undone = agent.call("mission_undo", json!({ "all": true }));
    assert_eq!(undone["done"], true, "{undone}");
    assert_eq!(project.bytes(), before);
    agent.leave();
}

#[test]
fn who_stops_waiting_stops_no_mission() {
    let provider = Provider::answering(|asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({ "decision": "direct" })),
        (Role::Worker, 0) => Reply::Call(
            "ask",
            json!({ "question": "tabs or spaces?", "choices": ["tabs", "spaces"] }),
        ),
        _ => Reply::Half,
    });
    let project = provider.serving(Project::empty());
    let mut agent = Agent::of(&project);
    let started = agent.call("mission_start", json!({ "goal": "g", "wait": true }));
    assert_eq!(started["questions"][0]["text"], "tabs or spaces?", "{started}");
    let answered = agent.call("mission_answer", json!({ "text": "spaces" }));
    assert_eq!(answered["done"], true, "{answered}");
    provider.until_asked(|all| {
        all.iter().any(|r| r.role == Role::Worker && r.body.contains("\"content\":\"spaces\""))
    });

    let late = agent.call("mission_status", json!({ "wait": true, "wait_seconds": 0 }));
    assert_eq!((&late["waited"], &late["is_running"]), (&json!(false), &json!(true)), "{late}");
    let waits = agent.begin("mission_status", json!({ "wait": true }));
    // It has been heard when the first line was told.
    while agent.progress(waits).is_empty() {
        let value = agent.read();
        agent.unread.push(value);
    }
    writeln!(agent.steps, "{}", json!({ "abort": waits })).unwrap();
    assert!(agent.end_of(waits)["failed"].as_str().unwrap().contains("nobody waits"));
    let plan = agent.call("plan_show", json!({}));
    let version = plan["items"].as_array().unwrap().iter().find(|i| i["item"] == "S1.1.1");
    let version = version.unwrap()["version"].clone();
    let stale = json!({ "item": "S1.1.1", "mark": "done", "version": "none" });
    assert_eq!(agent.call("plan_update", stale)["done"], false);
    assert_eq!(agent.call("mission_pause", json!({}))["state"], "paused");
    let marked = json!({ "item": "S1.1.1", "mark": "failed", "version": version });
    assert_eq!(agent.call("plan_update", marked)["done"], true);
    assert_eq!(agent.call("mission_resume", json!({}))["is_running"], true);
    assert_eq!(agent.call("mission_cancel", json!({}))["state"], "cancelled");
    // Another process sees the same.
    assert_eq!(project.run(&["status", "--json"]).last()[0]["state"], "cancelled");
    agent.leave();
}
