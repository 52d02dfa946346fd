//! Real servers, over pipes and over HTTP, as the library uses them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use orchestrator_lsp::extensions::mcp::{Servers, State};
use serde_json::{Map, Value, json};

use crate::support::project::Project;
use crate::support::tools;

/// The workspace's servers, all of its files trusted.
pub fn trusted(project: &Project) -> Servers {
    Servers::new(project.root(), Arc::new(|_, _| true))
}

/// A project whose `.mcp.json` names these servers.
pub fn project(servers: Value) -> Project {
    let project = Project::empty();
    name(&project, servers);
    project
}

pub fn name(project: &Project, servers: Value) {
    project.write(".mcp.json", json!({ "mcpServers": servers }).to_string());
}

pub async fn call(servers: &Servers, name: &str, arguments: Value) -> Result<String, String> {
    let Value::Object(arguments) = arguments else { panic!("{arguments}") };
    let called = servers.call(name, arguments).await;
    called.unwrap_or_else(|| panic!("there is no tool {name}: {:?}", servers.states()))
}

pub fn words(servers: &Servers) -> Vec<(String, String)> {
    let words = |state: State| (state.name, state.words);
    servers.states().into_iter().map(words).collect()
}

pub fn names(servers: &Servers) -> Vec<String> {
    servers.offers().into_iter().map(|offer| offer.name).collect()
}

/// Refreshes until it holds.
pub async fn until(servers: &Servers, what: &str, holds: impl Fn(&Servers) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds(servers) {
        assert!(Instant::now() < deadline, "{what}: {:?}", servers.states());
        servers.refresh().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn script(package: &str) -> String {
    let path = tools::mcp().join("node_modules/@modelcontextprotocol").join(package);
    path.join("dist/index.js").to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_is_used_over_pipes() {
    let project = project(json!({
        "every": { "command": "node", "args": [script("server-everything")], "env": { "TOKEN": "${HOME:-x}" } },
    }));
    let files = json!({ "mcp": { "files": {
        "type": "local", "command": ["node", script("server-filesystem"), "."], "enabled": true,
    } } });
    project.write(".opencode/mcp.json", files.to_string());
    project.write("held.txt", "what the file holds");
    let servers = trusted(&project);
    assert_eq!(words(&servers), [], "nothing is started before it is asked for");
    until(&servers, "both are up", |s| s.states().iter().filter(|s| s.is_up).count() == 2).await;

    let offers = servers.offers();
    let echo = offers.iter().find(|offer| offer.name == "mcp__every__echo").unwrap();
    assert!(echo.description.contains("cho") && echo.schema["properties"]["message"].is_object());
    let said = call(&servers, "mcp__every__echo", json!({ "message": "hé" })).await;
    assert_eq!(said.unwrap(), "Echo: hé");
    let wrong = call(&servers, "mcp__every__echo", json!({ "message": 1 })).await;
    assert!(wrong.unwrap_err().contains("message"));
    let image = call(&servers, "mcp__every__get-tiny-image", json!({})).await.unwrap();
    assert!(image.contains("[an image is left out: image/png"), "{image}");
    let weather = json!({ "location": "Chicago" });
    let weather = call(&servers, "mcp__every__get-structured-content", weather).await.unwrap();
    let weather: Value = serde_json::from_str(&weather).unwrap();
    assert!(weather["temperature"].is_number(), "{weather}");
    // The filesystem's server may see the folder that is our only root.
    let read = json!({ "path": project.root().join("held.txt") });
    let read = call(&servers, "mcp__files__read_text_file", read).await;
    assert!(read.unwrap().contains("what the file holds"));
    let outside = json!({ "path": "/etc/hostname" });
    let outside = call(&servers, "mcp__files__read_text_file", outside).await;
    assert!(outside.unwrap_err().contains("denied"));

    assert!(servers.call("mcp__every__nothing", Map::new()).await.is_none());
    servers.close().await;
    assert_eq!((servers.offers(), words(&servers).len()), (Vec::new(), 0));
}

/// A child that is killed when its test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The everything-server over HTTP, and its address.
fn over_http() -> (Running, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("node");
    command.arg(script("server-everything")).arg("streamableHttp").env("PORT", port.to_string());
    let mut child = Running(command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let listens = |line: std::io::Result<String>| line.is_ok_and(|line| line.contains("listening"));
    let mut lines = lines;
    assert!(lines.any(listens), "the server does not listen");
    // Its complaints are read on, so that it is not stopped by a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (child, format!("http://127.0.0.1:{port}/mcp"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_is_used_over_http() {
    let script = script("server-everything");
    assert!(Path::new(&script).is_file());
    let (server, url) = tokio::task::spawn_blocking(over_http).await.unwrap();
    let project = project(json!({
        "far": { "type": "http", "url": url, "headers": { "x-token": "${HOME:-x}" } },
        "nobody": { "type": "http", "url": "http://127.0.0.1:9/mcp" },
        "no-address": { "type": "http", "url": "file:///etc/passwd" },
    }));
    let servers = trusted(&project);
    until(&servers, "it is up", |s| names(s).contains(&"mcp__far__get-sum".to_owned())).await;
    let sum = call(&servers, "mcp__far__get-sum", json!({ "a": 2, "b": 3 })).await.unwrap();
    assert!(sum.contains('5'), "{sum}");
    let words = words(&servers);
    assert!(words[2].1.contains("http"), "{words:?}");
    assert!(words.iter().any(|(_, words)| words.contains("no address of http")), "{words:?}");

    // A server that goes is noticed by the call, and another one at its address is found.
    drop(server);
    let gone = call(&servers, "mcp__far__get-sum", json!({ "a": 2, "b": 3 })).await;
    assert!(gone.unwrap_err().contains("is gone"));
    assert!(!names(&servers).contains(&"mcp__far__get-sum".to_owned()));
    servers.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_before_its_file_is_trusted_and_changes_are_followed() {
    let project = project(
        json!({ "a": played("ok"), "wrong": {}, "unset": { "command": "${NOT_SET_AT_ALL}" } }),
    );
    project.write(".opencode/mcp.json", r#"{ "mcp": { "a": { "type": "local", "command": ["x"] }, "b": { "type": "local", "command": ["x"], "enabled": false } } }"#);
    let is_trusted = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_trusted);
    let trusts = move |path: &str, bytes: &[u8]| {
        assert!([".mcp.json", ".opencode/mcp.json"].contains(&path) && !bytes.is_empty());
        asked.load(Ordering::SeqCst)
    };
    let servers = Servers::new(project.root(), Arc::new(trusts));
    servers.refresh().await;
    assert!(
        servers.states().iter().all(|s| s.words == "not trusted" || s.words.starts_with("off"))
    );
    assert_eq!(servers.offers(), []);

    is_trusted.store(true, Ordering::SeqCst);
    until(&servers, "it is up", |s| names(s) == ["mcp__a__tool"]).await;
    let states = words(&servers);
    let of = |name: &str, file: usize| {
        states.iter().filter(|(n, _)| n == name).nth(file).unwrap().1.clone()
    };
    assert_eq!(of("a", 0), "up with 1 tool");
    assert!(of("a", 1).contains("another file") && of("b", 0).contains("not enabled"));
    assert!(of("wrong", 0).contains("is wrong"));
    assert!(of("unset", 0).contains("NOT_SET_AT_ALL is not set"), "{states:?}");

    // Another name in the file is another server; a file that goes takes its servers along.
    name(&project, json!({ "other": played("ok") }));
    until(&servers, "the other is up", |s| names(s) == ["mcp__other__tool"]).await;
    project.write(".mcp.json", "{ \"mcpServers\": ");
    servers.refresh().await;
    assert_eq!(servers.offers(), []);
    assert!(words(&servers).iter().any(|(name, _)| name == ".mcp.json"));
    servers.close().await;
    name(&project, json!({ "other": played("ok") }));
    servers.refresh().await;
    assert_eq!(servers.offers(), [], "what is closed stays closed");
}

/// A server that behaves as `mode` says.
pub fn played(mode: &str) -> Value {
    let script = tools::checkout().join("tests/fixtures/mcp/server.py");
    json!({ "command": "python3", "args": [script, mode] })
}
