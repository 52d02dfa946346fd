//! Nothing that a client does, or leaves undone, stops the reader or keeps the process alive.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use serde_json::{Value, json};

use crate::support::client::{Client, frame, uri};

fn workspace() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[cfg(debug_assertions)]
#[test]
fn a_client_that_answers_nothing_is_served_all_the_same() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    let pending: Vec<_> =
        (0..500).map(|_| client.request("orchestrator/testAsk", json!({}))).collect();
    for _ in &pending {
        client.wait_method("workspace/configuration");
    }
    let status = client.command("orchestrator.status", json!([]));
    assert!(status.get("result").is_some(), "{status}");
    for id in &pending {
        client.notify("$/cancelRequest", json!({ "id": id }));
        assert_eq!(client.response(*id)["error"]["code"], -32800);
    }
    // A late answer to a request that was given up is no harm.
    client.send(&json!({ "jsonrpc": "2.0", "id": 1, "result": [] }));
    assert_eq!(client.leave(), 0);
}

#[cfg(debug_assertions)]
#[test]
fn exit_is_heard_while_500_requests_are_in_flight() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    for _ in 0..500 {
        client.request("orchestrator/testAsk", json!({}));
    }
    // The input stays open.
    assert_eq!(client.leave(), 0);
}

#[cfg(debug_assertions)]
#[test]
fn the_end_of_input_ends_the_session_whatever_is_pending() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    client.request("orchestrator/testAsk", json!({}));
    client.wait_method("workspace/configuration");
    client.close_input();
    assert_eq!(client.wait_exit(), 1);
}

#[cfg(debug_assertions)]
#[test]
fn a_panic_costs_one_request() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    for params in [json!({}), json!({ "later": true })] {
        let error = &client.ask("orchestrator/testPanic", params.clone())["error"];
        assert_eq!(error["code"], -32603, "{error}");
        client.notify("orchestrator/testPanic", params);
        let status = client.command("orchestrator.status", json!([]));
        assert!(status.get("result").is_some(), "{status}");
    }
    assert_eq!(client.leave(), 0);
}

fn deaf(root: &std::path::Path) -> Client {
    let mut client = Client::start_deaf(root);
    client.request("initialize", json!({ "rootUri": uri(root), "capabilities": {} }));
    client.notify("initialized", json!({}));
    client
}

#[test]
fn a_client_that_stops_reading_is_given_up_after_a_bound() {
    let folder = workspace();
    let mut client = deaf(folder.path());
    let status = json!({ "jsonrpc": "2.0", "id": 9, "method": "textDocument/teleport" });
    let request = frame(status.to_string().as_bytes());
    // The reader never stops: the writes go through until the server has left.
    let mut sent = 0;
    while client.write(&request).is_ok() {
        sent += 1;
        assert!(sent < 1_000_000, "the server goes on for ever");
    }
    assert_eq!(client.wait_exit(), 1);
}

#[test]
fn a_client_that_stops_reading_can_still_leave() {
    for say_exit in [true, false] {
        let folder = workspace();
        let mut client = deaf(folder.path());
        for _ in 0..2000 {
            client.request("textDocument/teleport", json!({}));
        }
        client.request("shutdown", Value::Null);
        if say_exit {
            client.notify("exit", Value::Null);
        } else {
            client.close_input();
        }
        assert_eq!(client.wait_exit(), 0);
    }
}

#[test]
fn exit_ends_the_process_with_its_input_open() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    client.notify("exit", Value::Null);
    assert_eq!(client.wait_exit(), 1);

    let mut client = Client::start(folder.path());
    client.notify("exit", Value::Null);
    assert_eq!(client.wait_exit(), 1);
}

#[test]
fn the_end_of_input_after_shutdown_is_clean() {
    let folder = workspace();
    let mut client = Client::initialized(folder.path(), json!({}));
    client.ask("shutdown", Value::Null);
    client.close_input();
    assert_eq!(client.wait_exit(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_does_not_outlive_its_editor() {
    use std::process::{Command, Stdio};
    let folder = workspace();
    let mut editor =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut client = Client::start(folder.path());
    let root = uri(folder.path());
    client.ask(
        "initialize",
        json!({ "processId": editor.id(), "rootUri": root, "capabilities": {} }),
    );
    editor.kill().unwrap();
    editor.wait().unwrap();
    assert_eq!(client.wait_exit(), 1);
}
