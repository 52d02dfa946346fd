//! Several folders in one editor: each has its own missions, and a message goes where it belongs. And files that a person
//! renames: what is said of them goes along.

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::client::{Client, uri};
use crate::support::model::{Asked, LocalModel};
use crate::support::project::Project;

/// A model whose worker writes `made.txt`, and points to the second line of `notes.txt`.
fn model() -> LocalModel {
    LocalModel::calling(|asked: &Asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => ("triage", json!({ "decision": "direct" })),
        (Role::Worker, 0) => {
            let change = json!({ "op": "write", "path": "made.txt", "content": "made\n" });
            ("propose", json!({ "changes": [change] }))
        }
        (Role::Worker, _) => {
            let note = json!({ "file": "notes.txt", "line": 2, "severity": "info", "message": "look here" });
            ("done", json!({ "summary": "written", "notes": [note] }))
        }
        _ => ("verdict", json!({ "pass": true, "evidence": ["read it"] })),
    })
}

fn notes() -> Project {
    let project = Project::empty();
    project.write("notes.txt", "one\ntwo\nthree\n");
    project
}

/// An editor with these folders.
fn editor(model: &LocalModel, folders: &[&Project]) -> Client {
    let served = model.serving(Project::empty());
    let environment = served.environment();
    let pairs: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (&**n, &**v)).collect();
    let mut client = Client::start_with(&folders[0].root(), &pairs);
    let folders: Vec<Value> = folders
        .iter()
        .map(|project| json!({ "uri": uri(&project.root()), "name": "folder" }))
        .collect();
    let params = json!({ "processId": null, "rootUri": null, "workspaceFolders": folders,
        "capabilities": { "workspace": { "workspaceFolders": true,
            "fileOperations": { "didRename": true } } },
        "initializationOptions": { "mission": true } });
    let answer = client.ask("initialize", params);
    let workspace = &answer["result"]["capabilities"]["workspace"];
    let told = json!({ "supported": true, "changeNotifications": true });
    assert_eq!(workspace["workspaceFolders"], told);
    let glob = &workspace["fileOperations"]["didRename"]["filters"][0]["pattern"]["glob"];
    assert_eq!(glob, "**");
    client.notify("initialized", json!({}));
    client
}

/// Waits for the end of the mission that a command has begun.
fn ends(client: &mut Client, begun: &Value) -> Value {
    let mission = &begun["result"]["mission"];
    let ended = |message: &Value| {
        let view = &message["params"];
        message["method"] == "orchestrator/mission"
            && view["id"] == *mission
            && !view["end"].is_null()
    };
    let view = client.wait_for("the end of the mission", ended)["params"].clone();
    assert_eq!(view["state"], "sealed", "{}", view["end"]);
    view
}

/// Where the finding is shown: the file's URI and the line, from 0.
fn finding(client: &mut Client) -> (String, u64) {
    let shows = |message: &Value| {
        let shown = message["params"]["diagnostics"].as_array();
        shown.is_some_and(|all| all.iter().any(|one| one["message"] == "look here"))
    };
    let published = client.wait_for("the finding", shows);
    let line = &published["params"]["diagnostics"][0]["range"]["start"]["line"];
    (published["params"]["uri"].as_str().unwrap().to_owned(), line.as_u64().unwrap())
}

fn cleared(client: &mut Client, file: &str) {
    let clears = |message: &Value| {
        message["method"] == "textDocument/publishDiagnostics"
            && message["params"] == json!({ "uri": file, "diagnostics": [] })
    };
    client.wait_for("nothing is shown there any more", clears);
}

#[test]
fn each_folder_has_its_missions_and_a_message_goes_where_it_belongs() {
    let (model, one, two) = (model(), notes(), notes());
    let mut client = editor(&model, &[&one, &two]);
    let folder = uri(&two.root());
    let begun = client.command("orchestrator.task", json!([{ "goal": "write", "folder": folder }]));
    assert!(begun["result"]["mission"].is_string(), "{begun}");
    ends(&mut client, &begun);
    assert!(two.root().join("made.txt").exists() && !one.root().join("made.txt").exists());
    assert_eq!(finding(&mut client), (uri(&two.root().join("notes.txt")), 1));

    // Without a folder it is the one that the person works in.
    client.open(&uri(&one.root().join("notes.txt")), "one\ntwo\nthree\n");
    let mission = client.command("orchestrator.task", json!(["write"]));
    ends(&mut client, &mission);
    assert!(one.root().join("made.txt").exists());
    let status = client.command("orchestrator.status", json!([]));
    assert_eq!(status["result"]["missions"].as_array().unwrap().len(), 2, "of both folders");

    // A mission is found wherever it is.
    let undone = client
        .command("orchestrator.change.undo", json!([{ "mission": begun["result"]["mission"] }]));
    assert!(undone.get("error").is_none(), "{undone}");
    let gone = |message: &Value| {
        message["method"] == "orchestrator/mission"
            && message["params"]["receipts"][0]["undone"] == true
    };
    client.wait_for("the undo", gone);
    assert!(!two.root().join("made.txt").exists() && one.root().join("made.txt").exists());

    // A folder that is closed takes what it showed along; another can be opened.
    let three = notes();
    let change = |added: &[&Project], removed: &[&Project]| {
        let folders = |all: &[&Project]| -> Vec<Value> {
            all.iter().map(|p| json!({ "uri": uri(&p.root()), "name": "folder" })).collect()
        };
        json!({ "event": { "added": folders(added), "removed": folders(removed) } })
    };
    client.notify("workspace/didChangeWorkspaceFolders", change(&[&three], &[&two]));
    cleared(&mut client, &uri(&two.root().join("notes.txt")));
    let folder = uri(&three.root());
    let third = client.command("orchestrator.task", json!([{ "goal": "write", "folder": folder }]));
    ends(&mut client, &third);
    assert!(three.root().join("made.txt").exists());
    client.notify("workspace/didChangeWorkspaceFolders", change(&[], &[&one, &three]));
    let refused = client.command("orchestrator.task", json!(["write"]));
    let why = refused["error"]["message"].as_str().unwrap();
    assert!(why.contains("no folder is open"), "{why}");
    assert_eq!(client.leave(), 0);
}

#[test]
fn what_is_said_of_a_file_goes_with_it_when_it_is_renamed() {
    let (model, project) = (model(), notes());
    let mut client = editor(&model, &[&project]);
    let mission = client.command("orchestrator.task", json!(["write"]));
    ends(&mut client, &mission);
    let (old, new) = ("notes.txt", "deep/er/words.txt");
    let at = |path: &str| uri(&project.root().join(path));
    assert_eq!(finding(&mut client), (at(old), 1));
    std::fs::create_dir_all(project.root().join("deep/er")).unwrap();
    std::fs::rename(project.root().join(old), project.root().join(new)).unwrap();
    let files = json!({ "files": [{ "oldUri": at(old), "newUri": at(new) }] });
    client.notify("workspace/didRenameFiles", files);
    assert_eq!(finding(&mut client), (at(new), 1));
    // A folder that is renamed takes its files along.
    std::fs::rename(project.root().join("deep"), project.root().join("flat")).unwrap();
    let files = json!({ "files": [{ "oldUri": at("deep"), "newUri": at("flat") }] });
    client.notify("workspace/didRenameFiles", files);
    assert_eq!(finding(&mut client).0, at("flat/er/words.txt"));
    assert_eq!(client.leave(), 0);
}
