//! The protocol against the built binary over pipes: real clients' first messages, broken messages, the life cycle, and
//! the features that need no mission.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod mission;

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::client::{Client, frame, uri};

fn workspace() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The folder that the clients were recorded in.
const RECORDED: &str = "/home/user/project";

/// The recorded `initialize` of a real client, pointed at `root`.
fn recorded(name: &str, root: &Path) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clients").join(name);
    let text = std::fs::read_to_string(file).unwrap();
    // The address first: some clients say the path as well, and the server would work in whichever it takes.
    let text = text.replace(&format!("file://{RECORDED}"), &uri(root));
    let here = json!(root.to_str().unwrap()).to_string();
    let text = text.replace(RECORDED, here.trim_matches('"'));
    assert!(!text.contains(RECORDED), "{name}");
    serde_json::from_str(&text).unwrap()
}

/// Initializes as a real client did, with `change` applied to its parameters; the result.
fn initialize_as(name: &str, change: impl Fn(&mut Value)) -> Value {
    let folder = workspace();
    let mut message = recorded(name, folder.path());
    message["id"] = json!(1);
    change(&mut message["params"]);
    let mut client = Client::start(folder.path());
    client.send(&message);
    let answer = client.response(1);
    client.notify("initialized", json!({}));
    let status = client.command("orchestrator.status", json!([]));
    assert_eq!(status["result"], json!({ "missions": [] }), "{name}");
    assert_eq!(client.leave(), 0, "{name}");
    answer["result"].clone()
}

const CLIENTS: [(&str, &str, bool); 7] = [
    ("vscode-1.139.1-languageclient-11.0.0.initialize.json", "utf-16", true),
    ("nvim-0.10.4.initialize.json", "utf-16", false),
    ("nvim-0.12.4.initialize.json", "utf-8", true),
    ("helix-25.07.1.initialize.json", "utf-8", true),
    ("emacs-30.2-eglot.initialize.json", "utf-8", false),
    ("kak-lsp-22.0.0.initialize.json", "utf-8", false),
    ("ale-4.0.0.initialize.json", "utf-16", false),
];

#[test]
fn real_clients_are_served_as_they_declare() {
    for (name, encoding, pulls) in CLIENTS {
        let capabilities = &initialize_as(name, |_| {})["capabilities"];
        assert_eq!(capabilities["positionEncoding"], encoding, "{name}");
        assert_eq!(capabilities.get("diagnosticProvider").is_some(), pulls, "{name}");
        let commands = capabilities["executeCommandProvider"]["commands"].as_array().unwrap();
        assert!(commands.contains(&json!("orchestrator.task")), "{name}");
    }
}

#[test]
fn values_that_nobody_knows_do_not_fail_initialize() {
    for (name, _, _) in CLIENTS {
        let result = initialize_as(name, |params| {
            params["trace"] = json!("compact");
            let capabilities = &mut params["capabilities"];
            let edit = json!({ "resourceOperations": ["teleport"], "failureHandling": "hope" });
            capabilities["workspace"]["workspaceEdit"] = edit;
            capabilities["textDocument"]["hover"] = json!({ "contentFormat": ["html"] });
            capabilities["general"] = json!({ "positionEncodings": ["utf-7"] });
        });
        assert_eq!(result["capabilities"]["positionEncoding"], "utf-16", "{name}");
    }
}

#[test]
fn a_folder_with_a_raw_space_in_its_uri_is_found() {
    let folder = workspace();
    let root = folder.path().join("with space");
    std::fs::create_dir_all(root.join(".opencode")).unwrap();
    let raw = uri(&root).replace("%20", " ");
    let mut client = Client::start(&root);
    client.ask("initialize", json!({ "rootUri": raw, "capabilities": {} }));
    client.notify("initialized", json!({}));
    client.open(&format!("{raw}/.opencode/todo.md"), "## M1: first\n## M1: again\n");
    let diagnostics = client.wait_method("textDocument/publishDiagnostics");
    assert!(!diagnostics["params"]["diagnostics"].as_array().unwrap().is_empty());
}

#[test]
fn a_broken_message_gets_its_error_and_the_session_lives() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    let padding = "a".repeat(64 * 1024 * 1024);
    let cases: [(&str, Vec<u8>, i64); 9] = [
        ("malformed", frame(b"{\"jsonrpc\":\"2.0\",\"id\":7,"), -32700),
        ("empty", frame(b""), -32700),
        ("bad UTF-8", frame(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\xfe\"}"), -32700),
        ("a batch", frame(br#"[{"jsonrpc":"2.0","id":8,"method":"shutdown"}]"#), -32600),
        ("no object", frame(b"42"), -32600),
        ("a header of 64 MiB", format!("X-Padding: {padding}\r\n\r\n").into_bytes(), -32600),
        ("a body of 64 MiB", frame(padding.as_bytes()), -32600),
        ("64 MiB announced, not sent", b"Content-Length: 67108864\r\n\r\n{}".to_vec(), -32600),
        ("no number", b"Content-Length: many\r\n\r\n{}".to_vec(), -32600),
    ];
    for (name, bytes, code) in cases {
        client.write(&bytes).unwrap();
        let error = client.wait_for(name, |message| message.get("error").is_some());
        assert_eq!((&error["id"], &error["error"]["code"]), (&Value::Null, &json!(code)), "{name}");
        let status = client.command("orchestrator.status", json!([]));
        assert!(status.get("result").is_some(), "{name}: {status}");
    }
    assert_eq!(client.leave(), 0);
}

#[test]
fn headers_are_read_in_any_case_and_order() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    let body = br#"{"jsonrpc":"2.0","id":"lower","method":"workspace/executeCommand","params":{"command":"orchestrator.status"}}"#;
    let mut bytes = format!(
        "content-type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length:{}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    client.write(&bytes).unwrap();
    let answer = client.wait_for("the answer", |message| message["id"] == "lower");
    assert!(answer.get("result").is_some(), "{answer}");
}

#[test]
fn the_life_cycle_is_kept() {
    let folder = workspace();
    let mut client = Client::start(folder.path());
    let code = |answer: Value| answer["error"]["code"].as_i64();
    let early = client.command("orchestrator.status", json!([]));
    assert_eq!(code(early), Some(-32002));
    client.notify("initialized", json!({}));
    let params = json!({ "rootUri": uri(folder.path()), "capabilities": {} });
    assert!(client.ask("initialize", params.clone()).get("result").is_some());
    assert_eq!(code(client.ask("initialize", params)), Some(-32600));
    assert_eq!(code(client.ask("textDocument/teleport", json!({}))), Some(-32601));
    assert_eq!(code(client.ask("$/teleport", json!({}))), Some(-32601));
    client.notify("$/teleport", json!({}));
    client.notify("$/setTrace", json!({ "value": "verbose" }));
    assert_eq!(client.ask("shutdown", json!({}))["result"], Value::Null);
    assert_eq!(code(client.command("orchestrator.status", json!([]))), Some(-32600));
    client.notify("exit", Value::Null);
    assert_eq!(client.wait_exit(), 0);
}

#[test]
fn a_message_after_exit_is_not_served() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    client.ask("shutdown", Value::Null);
    let mut bytes = frame(br#"{"jsonrpc":"2.0","method":"exit"}"#);
    bytes.extend(frame(br#"{"jsonrpc":"2.0","id":"late","method":"shutdown"}"#));
    client.write(&bytes).unwrap();
    assert_eq!(client.wait_exit(), 0);
    assert!(client.unread().iter().all(|message| message["id"] != "late"));
}

#[test]
fn a_command_without_its_argument_says_what_is_missing() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    for (command, arguments, says) in [
        ("orchestrator.task", json!([]), "needs a goal"),
        ("orchestrator.plan", json!([{ "goal": "  " }]), "the given one is empty"),
        ("orchestrator.todo.run", json!(["everything"]), "such as T1.2"),
        ("orchestrator.todo.set", json!(["T1.1", "maybe"]), "pending, active, done or failed"),
        ("orchestrator.finding.fix", json!([]), "number of a `finding`"),
        ("orchestrator.rm", json!([]), "no command"),
    ] {
        let error = &client.command(command, arguments)["error"];
        assert_eq!(error["code"], -32602, "{command}");
        assert!(error["message"].as_str().unwrap().contains(says), "{command}: {error}");
    }
    let error = &client.command("orchestrator.pause", json!([]))["error"];
    assert_eq!(error["code"], -32803);
    assert!(error["message"].as_str().unwrap().contains("no mission"), "{error}");
}

#[test]
fn without_a_folder_commands_say_so() {
    let folder = workspace();
    let mut client = Client::start(folder.path());
    client.ask("initialize", json!({ "rootUri": null, "capabilities": {} }));
    client.notify("initialized", json!({}));
    let error = &client.command("orchestrator.task", json!(["mend it"]))["error"];
    assert!(error["message"].as_str().unwrap().contains("no folder is open"), "{error}");
}

const PLAN: &str = "# Mission: mend it\n\n## M1: first\n### T1.1: a task | agent:Worker\n- [x] S1.1.1: one\n- [ ] S1.1.2: two\n";

#[test]
fn a_plan_has_symbols_lenses_and_actions() {
    let folder = workspace();
    let capabilities = json!({ "textDocument": {
        "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
        "codeAction": { "codeActionLiteralSupport": { "codeActionKind": { "valueSet": [] } } } } });
    let mut client = Client::initialized(folder.path(), capabilities);
    let plan = format!("{}/.opencode/todo.md", uri(folder.path()));
    client.open(&plan, PLAN);
    let document = json!({ "uri": plan });

    let symbols = client.ask("textDocument/documentSymbol", json!({ "textDocument": document }));
    assert_eq!(symbols["result"][0]["children"][0]["children"][0]["name"], "T1.1: a task");

    let lenses = client.ask("textDocument/codeLens", json!({ "textDocument": document }));
    let titles: Vec<_> =
        lenses["result"].as_array().unwrap().iter().map(|l| &l["command"]["title"]).collect();
    assert_eq!(titles, ["1 of 2 done", "▶ Run T1.1"]);

    let actions = client.actions(&plan, 5, 3);
    let commands: Vec<_> = actions.iter().map(|a| &a["command"]).collect();
    assert_eq!(commands[0]["command"], "orchestrator.todo.run");
    assert_eq!(commands[1]["arguments"], json!([{ "item": "S1.1.2", "mark": "done" }]));
}

#[test]
fn a_plan_folds_and_completes_for_clients_that_do() {
    let folder = workspace();
    let capabilities = json!({ "textDocument": {
        "hover": { "contentFormat": ["markdown"] }, "foldingRange": {}, "completion": {} } });
    let mut client = Client::start(folder.path());
    let told = client
        .ask("initialize", json!({ "rootUri": uri(folder.path()), "capabilities": capabilities }));
    let provided = &told["result"]["capabilities"];
    assert_eq!(provided["hoverProvider"], true);
    assert_eq!(provided["foldingRangeProvider"], true);
    assert_eq!(provided["completionProvider"]["triggerCharacters"], json!(["|", ":", ",", "\""]));
    client.notify("initialized", json!({}));

    let plan = format!("{}/.opencode/todo.md", uri(folder.path()));
    client.open(&plan, &format!("{PLAN}### T1.2: é😀 | depends:\n- [ ] S1.2.1: x\n"));
    let document = json!({ "uri": plan });
    let folds = client.ask("textDocument/foldingRange", json!({ "textDocument": document }));
    let lines: Vec<_> = folds["result"].as_array().unwrap().iter().collect();
    assert_eq!((lines[2]["startLine"].as_u64(), lines[2]["endLine"].as_u64()), (Some(3), Some(5)));

    let end = "### T1.2: é😀 | depends:".encode_utf16().count();
    let at = json!({ "line": 6, "character": end });
    let params = json!({ "textDocument": document, "position": at });
    let offered = client.ask("textDocument/completion", params.clone());
    assert_eq!(offered["result"][0]["label"], "T1.1");
    assert_eq!(offered["result"][0]["textEdit"]["range"], json!({ "start": at, "end": at }));
    // There is no mission yet, and nothing to be said of it.
    assert_eq!(client.ask("textDocument/hover", params)["result"], json!(null));

    // Elsewhere nothing of it is offered.
    let file = format!("{}/a.md", uri(folder.path()));
    client.open(&file, PLAN);
    let params = json!({ "textDocument": { "uri": file }, "position": at });
    assert_eq!(client.ask("textDocument/completion", params)["result"], json!(null));

    let mut other = Client::start(folder.path());
    let told =
        other.ask("initialize", json!({ "rootUri": uri(folder.path()), "capabilities": {} }));
    for provider in ["hoverProvider", "foldingRangeProvider", "completionProvider"] {
        assert_eq!(told["result"]["capabilities"].get(provider), None, "{provider}");
    }
}

#[test]
fn an_invalid_plan_is_shown_at_its_line_while_it_is_open() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    let plan = format!("{}/.opencode/todo.md", uri(folder.path()));
    let published = |client: &mut Client| {
        let params = client.wait_method("textDocument/publishDiagnostics")["params"].clone();
        assert_eq!(params["uri"], plan);
        params["diagnostics"].clone()
    };
    client.open(&plan, &format!("{PLAN}### T1.1: twice\n- [ ] S1.1.9: x\n"));
    let shown = published(&mut client);
    assert_eq!(shown[0]["source"], "orchestrator");
    assert_eq!(shown[0]["range"]["start"]["line"], 6);

    // The 😀 is two units wide to this client.
    let change = |start: u32, end: u32, text: &str| json!({ "range": { "start": { "line": start, "character": 0 }, "end": { "line": end, "character": 0 } }, "text": text });
    let changes = json!([change(6, 8, ""), change(0, 1, "# Mission: 😀\n")]);
    let version = json!({ "uri": plan, "version": 2 });
    client.notify(
        "textDocument/didChange",
        json!({ "textDocument": version, "contentChanges": changes }),
    );
    assert_eq!(published(&mut client), json!([]));

    client.notify(
        "textDocument/didChange",
        json!({ "textDocument": { "uri": plan, "version": 3 },
        "contentChanges": [{ "text": "## M1\n- [?] S9\n" }] }),
    );
    assert_ne!(published(&mut client), json!([]));
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": plan } }));
    assert_eq!(published(&mut client), json!([]));
}

#[test]
fn a_client_that_pulls_is_told_to_pull() {
    let folder = workspace();
    let mut client = Client::start(folder.path());
    let mut message = recorded(CLIENTS[0].0, folder.path());
    message["id"] = json!("first");
    client.send(&message);
    client.wait_for("the answer", |message| message["id"] == "first");
    client.notify("initialized", json!({}));
    let plan = format!("{}/.opencode/todo.md", uri(folder.path()));
    client.open(&plan, "## M1: a\n## M1: b\n");
    let refresh = client.wait_method("workspace/diagnostic/refresh");
    assert!(refresh.get("params").is_none());
    client.answer(&refresh, Value::Null);
    let report = client.ask("textDocument/diagnostic", json!({ "textDocument": { "uri": plan } }));
    assert_eq!(report["result"]["kind"], "full");
    assert!(!report["result"]["items"].as_array().unwrap().is_empty());
    assert!(client.unread().iter().all(|m| m["method"] != "textDocument/publishDiagnostics"));
}

#[test]
fn a_task_comment_can_be_run_from_any_file() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    let file = format!("{}/a.rs", uri(folder.path()));
    client.open(&file, "fn main() {}\n    // /task say \"hé😀\"\n");
    let actions = client.actions(&file, 1, 8);
    // This client did not declare action literals: it gets bare commands.
    assert_eq!(actions[0]["command"], "orchestrator.task");
    assert_eq!(actions[0]["arguments"], json!([{ "goal": "say \"hé😀\"" }]));

    let file = format!("{}/b.rs", uri(folder.path()));
    client.open(&file, "fn main() {} // FIXME(ann): say more\n");
    let actions = client.actions(&file, 0, 0);
    assert_eq!(actions[0]["title"], "Make it a mission: say more");
    let goal = &actions[0]["arguments"][0]["goal"];
    assert!(goal.as_str().unwrap().contains("line 1 of b.rs"), "{goal}");
}

#[test]
fn a_mission_is_shown_as_progress_that_can_be_cancelled() {
    let folder = workspace();
    let capabilities = json!({
        "window": { "workDoneProgress": true },
        "experimental": { "orchestrator": { "mission": true } } });
    let mut client = Client::initialized(folder.path(), capabilities);
    let started = client.command("orchestrator.task", json!([{ "goal": "mend\n\"all\" of it" }]));
    let mission = started["result"]["mission"].clone();
    assert!(mission.is_string(), "{started}");
    let view = client.wait_method("orchestrator/mission");
    assert_eq!(
        (&view["params"]["id"], &view["params"]["goal"]),
        (&mission, &json!("mend\n\"all\" of it"))
    );

    let create = client.wait_method("window/workDoneProgress/create");
    let token = create["params"]["token"].clone();
    client.answer(&create, Value::Null);
    let begin = client.wait_method("$/progress")["params"].clone();
    assert_eq!((&begin["token"], &begin["value"]["kind"]), (&token, &json!("begin")));
    assert_eq!(begin["value"]["title"], "Mission: mend");
    assert_eq!(
        (&begin["value"]["percentage"], &begin["value"]["cancellable"]),
        (&json!(0), &json!(true))
    );

    client.notify("window/workDoneProgress/cancel", json!({ "token": token }));
    client.wait_for("the end of progress", |message| message["params"]["value"]["kind"] == "end");
    let message = client.wait_method("window/showMessage");
    assert_eq!(message["params"]["message"], "Mission cancelled: mend");
    let status = client.command("orchestrator.status", json!([]));
    assert_eq!(status["result"]["missions"][0]["state"], "cancelled");
    let again = client.command("orchestrator.cancel", json!([]));
    assert_eq!(again["error"]["code"], -32803, "{again}");
}

#[test]
fn a_client_that_declares_nothing_is_sent_nothing_but_messages() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    let started = client.command("orchestrator.task", json!(["mend it"]));
    let cancelled = client.command("orchestrator.cancel", json!([started["result"]]));
    assert_eq!(cancelled["result"], started["result"]);
    client.wait_method("window/showMessage");
    let unasked = client.unread().iter().filter_map(|message| message["method"].as_str());
    assert_eq!(unasked.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// Before a person trusts the workspace nothing of it runs: no mission begins, none is taken up, no journal is made.
#[test]
fn an_untrusted_workspace_runs_nothing_until_it_is_trusted() {
    let folder = workspace();
    let mut client = Client::start(folder.path());
    let params = json!({
        "processId": null, "rootUri": uri(folder.path()), "capabilities": {},
        "initializationOptions": {"trusted": false},
    });
    client.ask("initialize", params);
    client.notify("initialized", json!({}));
    let refused = client.command("orchestrator.task", json!(["mend it"]));
    let why = refused["error"]["message"].as_str().unwrap();
    assert!(why.contains("not trusted") && why.contains("orchestrator.trust"), "{why}");
    assert!(!folder.path().join(".opencode").exists());
    assert_eq!(client.command("orchestrator.trust", json!([]))["result"], json!({"trusted": true}));
    let begun = client.command("orchestrator.task", json!(["mend it"]));
    assert!(begun["result"]["mission"].is_string(), "{begun}");
}
