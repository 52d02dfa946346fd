//! Agents that a project describes in `.opencode/agents.json`: what they are told, what they may not do, and what an editor says
//! of the file.

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::client::{Client, uri};
use crate::support::project::Project;
use crate::support::provider::{Provider, Reply, Request};

/// As such files are written for other programs, with one that is broken.
const AGENTS: &str = r##"{
  "scout": {
    "id": "scout", "description": "Looks around", "mode": "subagent", "color": "#00ff00",
    "systemPrompt": "You look, and leave no trace.", "canWrite": false, "canBash": false
  },
  "writer": {
    "id": "writer", "description": "Writes pages", "systemPrompt": "Write plainly.",
    "canWrite": true, "canBash": true, "hidden": true
  },
  "broken": { "id": "broken" }
}
"##;

const PLAN: &str = "# Mission: g\n## M1: all\n### T1.1: look | agent:scout\n- [ ] S1.1.1: it is known\n### T1.2: write | agent:writer | depends:T1.1\n- [ ] S1.2.1: it is written\n";

fn project(provider: &Provider) -> Project {
    let project = provider.serving(Project::empty());
    project.write(".opencode/agents.json", AGENTS);
    project
}

#[test]
fn a_task_is_given_to_an_agent_with_its_words_and_its_rights() {
    let write = json!({ "changes": [{ "op": "write", "path": "page.md", "content": "page\n" }] });
    let provider = Provider::answering(move |asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({ "decision": "plan" })),
        (Role::Planner, _) => Reply::Call("plan", json!({ "todo": PLAN })),
        (Role::Worker, 0) => Reply::Call("propose", write.clone()),
        (Role::Worker, 1) => Reply::Call("run", json!({ "command": "echo done" })),
        (Role::Worker, _) => Reply::Call("done", json!({ "summary": "seen" })),
        (Role::Reviewer, _) => Reply::Call("verdict", json!({ "pass": true, "evidence": ["e"] })),
    });
    let project = project(&provider);
    let said = project.run(&["task", "g", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(project.read("page.md"), "page\n");

    let requests = provider.requests();
    let planner = requests.iter().find(|request| request.role == Role::Planner).unwrap();
    assert!(planner.body.contains("- scout (changes no files, runs no commands): Looks around"));
    assert!(!planner.body.contains("Writes pages") && !planner.body.contains("broken"));
    let of = |task: &str| -> Vec<&Request> {
        let workers = requests.iter().filter(|request| request.role == Role::Worker);
        workers.filter(|request| request.brief.contains(task)).collect()
    };
    let (scout, writer) = (of("task T1.1"), of("task T1.2"));
    assert!(scout[0].brief.contains("You look, and leave no trace."), "{}", scout[0].brief);
    assert!(!writer[0].brief.contains("leave no trace"));
    assert!(writer[0].brief.contains("Write plainly."));
    let last = |requests: &[&Request]| requests.last().unwrap().body.clone();
    assert!(last(&scout).contains("the agent `scout` may change no files"), "{}", last(&scout));
    assert!(last(&scout).contains("the agent `scout` may run no commands"));
    assert!(last(&writer).contains("accepted, receipt 1") && last(&writer).contains("exit 0"));

    let doctor = project.run(&["doctor", "--json"]);
    let findings: Value = serde_json::from_str(&doctor.out).unwrap();
    let found = findings.as_array().unwrap().iter();
    let found = found.filter(|f| f["subject"] == ".opencode/agents.json").collect::<Vec<_>>();
    assert_eq!(found[0]["ok"], false);
    let detail = found[0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("scout, writer; the agent lacks description"), "{detail}");
}

#[test]
fn an_editor_says_what_is_wrong_with_the_file_and_offers_what_can_stand_there() {
    let project = Project::empty();
    project.write(".opencode/agents.json", AGENTS);
    let capabilities = json!({ "textDocument": { "completion": {}, "foldingRange": {},
        "documentSymbol": { "hierarchicalDocumentSymbolSupport": true } } });
    let mut client = Client::in_project(&project, capabilities, json!(null));
    let file = uri(&project.root().join(".opencode/agents.json"));
    client.open(&file, AGENTS);
    let published = |client: &mut Client, count: usize| -> Vec<Value> {
        let is_it = |message: &Value| {
            let shown = message["params"]["diagnostics"].as_array();
            message["params"]["uri"] == file && shown.is_some_and(|all| all.len() == count)
        };
        let message = client.wait_for("what is wrong with the file", is_it);
        message["params"]["diagnostics"].as_array().unwrap().clone()
    };
    let wrong = published(&mut client, 2);
    let shown: Vec<(u64, u64)> = wrong
        .iter()
        .map(|d| (d["severity"].as_u64().unwrap(), d["range"]["start"]["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(shown, [(2, 2), (1, 9)], "a colour has no effect, and one lacks nearly all");

    let document = json!({ "textDocument": { "uri": file } });
    let symbols = client.ask("textDocument/documentSymbol", document.clone());
    let names: Vec<&Value> =
        symbols["result"].as_array().unwrap().iter().map(|symbol| &symbol["name"]).collect();
    assert_eq!(names, ["scout", "writer", "broken"]);
    assert_eq!(symbols["result"][0]["detail"], "Looks around");
    let folds = client.ask("textDocument/foldingRange", document);
    assert_eq!(folds["result"].as_array().unwrap().len(), 2);

    // It is mended as it is typed.
    let at = json!({ "textDocument": { "uri": file }, "position": { "line": 9, "character": 14 } });
    let offered = client.ask("textDocument/completion", at);
    let labels: Vec<&Value> =
        offered["result"].as_array().unwrap().iter().map(|item| &item["label"]).collect();
    assert!(labels.contains(&&json!("systemPrompt")) && !labels.contains(&&json!("id")));
    let mended = AGENTS
        .replace(", \"color\": \"#00ff00\"", "")
        .replace(",\n  \"broken\": { \"id\": \"broken\" }", "");
    let params = json!({ "textDocument": { "uri": file, "version": 2 },
        "contentChanges": [{ "text": mended }] });
    client.notify("textDocument/didChange", params);
    published(&mut client, 0);
    assert_eq!(client.leave(), 0);
}

#[test]
fn pages_are_agents_skills_are_read_when_needed_and_a_command_is_a_goal() {
    let write = json!({ "changes": [{ "op": "write", "path": "page.md", "content": "page\n" }] });
    let plan = "# Mission: g\n## M1: all\n### T1.1: look | agent:critic\n- [ ] S1.1.1: it is seen\n### T1.2: write | depends:T1.1\n- [ ] S1.2.1: it is written\n";
    let provider = Provider::answering(move |asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({ "decision": "plan" })),
        (Role::Planner, _) => Reply::Call("plan", json!({ "todo": plan })),
        (Role::Worker, 0) => Reply::Call("skill", json!({ "name": "release" })),
        (Role::Worker, 1) => Reply::Call("propose", write.clone()),
        (Role::Worker, _) => Reply::Call("done", json!({ "summary": "seen" })),
        (Role::Reviewer, _) => Reply::Call("verdict", json!({ "pass": true, "evidence": ["e"] })),
    });
    let project = provider.serving(Project::empty());
    project.write(
        ".claude/agents/critic.md",
        "---\nname: critic\ndescription: Looks for faults\ntools: Read, Grep\n---\nYou find what others overlook.\n",
    );
    project.write(".opencode/agent/broken.md", "---\nmode: subagent\n---\nwords\n");
    project.write(
        ".claude/skills/release/SKILL.md",
        "---\ndescription: How a release is made\n---\nTag it, then sign it.\n",
    );
    project.write(".opencode/command/ship.md", "---\ndescription: d\n---\nShip $1 with care.\n");
    let said = project.run(&["task", "/ship 1.0", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.last()["end"]["goal"], "Ship 1.0 with care.");

    let requests = provider.requests();
    let planner = requests.iter().find(|request| request.role == Role::Planner).unwrap();
    assert!(
        planner.body.contains("- critic (changes no files, runs no commands): Looks for faults")
    );
    assert!(planner.body.contains("- release: How a release is made"), "{}", planner.body);
    let workers: Vec<&Request> =
        requests.iter().filter(|request| request.role == Role::Worker).collect();
    let critic: Vec<&&Request> =
        workers.iter().filter(|request| request.brief.contains("task T1.1")).collect();
    assert!(critic[0].brief.contains("You find what others overlook."), "{}", critic[0].brief);
    assert!(!critic[0].body.contains("then sign it") && critic[1].body.contains("then sign it"));
    assert!(critic.last().unwrap().body.contains("the agent `critic` may change no files"));
    assert_eq!(project.read("page.md"), "page\n", "who is no critic may write");

    let doctor = project.run(&["doctor", "--json"]).out;
    assert!(
        doctor.contains(".opencode/agent/broken.md") && doctor.contains("lacks a `description`")
    );

    // The page is explained in an editor, too.
    let mut client = Client::in_project(&project, json!({}), json!(null));
    let file = uri(&project.root().join(".opencode/agent/broken.md"));
    client.open(&file, "---\nmode: subagent\n---\nwords\n");
    let is_it = |message: &Value| {
        let shown = message["params"]["diagnostics"][0]["message"].as_str();
        message["params"]["uri"] == file
            && shown.is_some_and(|text| text.contains("lacks a `description`"))
    };
    client.wait_for("what is wrong with the page", is_it);
    assert_eq!(client.leave(), 0);
}
