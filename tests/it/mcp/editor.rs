//! The two files that name servers, open in an editor.

use serde_json::{Value, json};

use crate::support::client::{Client, uri};
use crate::support::project::Project;

const PROJECT: &str = r#"{
  "mcpServers": {
    "time": {
      "command": "uvx",
      "args": "mcp-server-time"
    },
    "old": { "type": "sse", "url": "https://example.com/sse" },
    "files": { "command": "npx", "timeout": 5 },
    "new": { "command": "x",  }
  }
}
"#;

const OPEN_CODE: &str = r#"{
  "mcp": {
    "local": { "type": "local", "command": [] },
    "far": {
      "type": "remote", "url": "https://example.com/mcp"
    },
    "bare": { "command": ["x"] }
  }
}
"#;

fn open(path: &str, text: &str) -> (Project, Client, String) {
    let project = Project::empty();
    let capabilities = json!({ "textDocument": { "completion": {}, "foldingRange": {},
        "documentSymbol": { "hierarchicalDocumentSymbolSupport": true } } });
    let mut client = Client::in_project(&project, capabilities, json!(null));
    let file = uri(&project.root().join(path));
    client.open(&file, text);
    (project, client, file)
}

/// What is shown of the file once it is that much, beside that nobody has trusted it: severity, line, message.
fn wrong(client: &mut Client, file: &str, count: usize) -> Vec<(u64, u64, String)> {
    let is_it = |message: &Value| {
        let shown = message["params"]["diagnostics"].as_array();
        message["params"]["uri"] == file && shown.is_some_and(|all| all.len() == count + 1)
    };
    let message = client.wait_for("what is wrong with the file", is_it);
    let of = |d: &Value| {
        assert_eq!((&d["code"], &d["source"]), (&json!("mcp"), &json!("orchestrator")));
        let line = d["range"]["start"]["line"].as_u64().unwrap();
        (d["severity"].as_u64().unwrap(), line, d["message"].as_str().unwrap().to_owned())
    };
    let shown = message["params"]["diagnostics"].as_array().unwrap();
    let (untrusted, others): (Vec<_>, Vec<_>) = shown.iter().partition(|d| d["code"] == "trust");
    assert!(untrusted[0]["message"].as_str().unwrap().contains("without effect"));
    others.into_iter().map(of).collect()
}

fn labels(client: &mut Client, file: &str, line: u64, character: u64) -> Vec<String> {
    let at = json!({ "textDocument": { "uri": file }, "position": { "line": line, "character": character } });
    let offered = client.ask("textDocument/completion", at);
    let items = offered["result"].as_array().unwrap().iter();
    items.map(|item| item["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_file_of_claude_code_is_explained_at_its_lines() {
    let (_project, mut client, file) = open(".mcp.json", PROJECT);
    let wrong_before = wrong(&mut client, &file, 3);
    let shown: Vec<(u64, u64)> = wrong_before.iter().map(|(s, l, _)| (*s, *l)).collect();
    assert_eq!(shown, [(1, 4), (1, 6), (2, 7)], "{wrong_before:?}");
    assert!(wrong_before[0].2.contains("`args` is a list of texts"));
    assert!(wrong_before[1].2.contains("`sse` is the older transport"));

    let document = json!({ "textDocument": { "uri": file } });
    let symbols = client.ask("textDocument/documentSymbol", document.clone());
    let symbols = symbols["result"].as_array().unwrap();
    let names: Vec<&Value> = symbols.iter().map(|symbol| &symbol["name"]).collect();
    assert_eq!(names, ["time", "old", "files", "new"]);
    assert_eq!(symbols[1]["detail"], "https://example.com/sse");
    let folds = client.ask("textDocument/foldingRange", document);
    assert_eq!(folds["result"].as_array().unwrap().len(), 1);

    let offered = labels(&mut client, &file, 8, 29);
    assert!(offered.contains(&"args".to_owned()) && !offered.contains(&"command".to_owned()));
    let text = "{ \"mcpServers\": { \"a\": { \"type\": \"\" } } }";
    let params = json!({ "textDocument": { "uri": file, "version": 2 },
        "contentChanges": [{ "text": text }] });
    client.notify("textDocument/didChange", params);
    assert!(wrong(&mut client, &file, 1)[0].2.contains("one of stdio, http"));
    let offered = labels(&mut client, &file, 0, 34);
    assert_eq!(offered, ["stdio", "http", "streamable-http", "sse"]);
    assert_eq!(client.leave(), 0);
}

#[test]
fn the_file_of_open_code_is_explained_at_its_lines() {
    let (project, mut client, file) = open(".opencode/mcp.json", OPEN_CODE);
    let before = wrong(&mut client, &file, 2);
    let shown: Vec<(u64, u64)> = before.iter().map(|(s, l, _)| (*s, *l)).collect();
    assert_eq!(shown, [(1, 2), (1, 6)], "{before:?}");
    assert!(before[1].2.contains("lacks type"));
    assert!(labels(&mut client, &file, 6, 13).contains(&"environment".to_owned()));
    assert_eq!(client.leave(), 0);

    project.write(".opencode/mcp.json", OPEN_CODE);
    project.write(".mcp.json", "{ \"mcpServers\": { \"a\": { \"command\": \"x\" } } }");
    let doctor: Value = serde_json::from_str(&project.run(&["doctor", "--json"]).out).unwrap();
    let row = |path: &str| {
        let mut rows = doctor.as_array().unwrap().iter();
        rows.find(|row| row["subject"] == path).unwrap().clone()
    };
    let detail = row(".mcp.json")["detail"].as_str().unwrap().to_owned();
    assert!(row(".mcp.json")["ok"] == false && detail.contains("not trusted"), "{detail}");
    let detail = row(".opencode/mcp.json")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("lacks type"), "{detail}");
    assert_eq!(project.run(&["trust", "--yes"]).code, 0);
    let doctor = project.run(&["doctor", "--json"]).out;
    assert!(doctor.contains("trusted; a: starts `x`"), "{doctor}");
}
