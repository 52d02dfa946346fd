//! Replays: scripted sessions through the very client that talks to models.

#![expect(clippy::unwrap_used, reason = "tests and what they share")]

use std::sync::Arc;

use orchestrator_lsp::mission::conversation::{Message, Role, Turn};
use orchestrator_lsp::model::replay::{Answer, ReplayServer, ScriptedTurn};
use orchestrator_lsp::model::{Client, Fault, FaultKind, ModelSettings, Request, Settings};
use serde_json::json;

use crate::support::wire::{result, user};

const SCRIPT: &str = r#"[
    {"role": "planner", "text": "The plan: 世界 🦀."},
    {"role": "worker", "when": "T1.1", "calls": [{"name": "read", "arguments": {"path": "a.rs"}}, {"name": "read"}]},
    {"role": "worker", "when": "T1.2", "text": "other"},
    {"role": "worker", "when": "T1.1", "expect": "contents", "text": "done", "delay_ms": 1, "usage": {"input": 900, "output": 40, "cached": 800}},
    {"role": "reviewer", "expect": "evidence", "text": "PASS"}
]"#;

fn settings(model: &str, base_url: Option<&str>) -> Settings {
    let default = ModelSettings {
        model: Some(model.into()),
        base_url: base_url.map(Into::into),
        ..ModelSettings::default()
    };
    Settings { default: Some(default), ..Settings::default() }
}

fn play(script: &str) -> (tempfile::TempDir, Client) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.json");
    std::fs::write(&path, script).unwrap();
    let client = Client::new(&settings(&format!("replay:{}", path.display()), None)).unwrap();
    (folder, client)
}

async fn ask(
    client: &Client,
    role: Role,
    session: &str,
    messages: &[Message],
) -> Result<Turn, Fault> {
    let request = Request {
        role,
        blocks: 0,
        session,
        system: "You are one of four.",
        tools: &[],
        pinned: 0,
        messages,
        held: None,
    };
    client.complete(&request, &mut |_| {}).await
}

#[tokio::test]
async fn sessions_of_a_script_run_side_by_side() {
    let (_folder, client) = play(SCRIPT);
    assert!(client.info(Role::Worker).unwrap().is_replay);
    let plan = ask(&client, Role::Planner, "p", &[user("the goal")]).await.unwrap();
    assert_eq!(plan.text, "The plan: 世界 🦀.");
    assert!(!plan.usage.estimated && plan.usage.input > 0);
    // The second worker is first: `when` finds its entry all the same.
    let (two, one) = ([user("do T1.2")], vec![user("do T1.1")]);
    let (two, one_turn) = tokio::join!(
        ask(&client, Role::Worker, "w2", &two),
        ask(&client, Role::Worker, "w1", &one)
    );
    assert_eq!(two.unwrap().text, "other");
    let first = one_turn.unwrap();
    assert_eq!(first.calls.len(), 2);
    let again = ask(&client, Role::Worker, "w1", &one).await.unwrap();
    let again = Turn { took_ms: first.took_ms, ..again };
    assert_eq!(first, again, "asked again, answered the same");
    let id = first.calls[0].id.clone();
    let next = [
        one[0].clone(),
        Message::Assistant { text: String::new(), calls: first.calls },
        result(&id, "contents of a.rs"),
    ];
    let last = ask(&client, Role::Worker, "w1", &next).await.unwrap();
    assert_eq!((last.text.as_str(), last.usage.input, last.usage.cached), ("done", 900, 800));
}

#[tokio::test]
async fn a_script_that_does_not_fit_says_why() {
    let (_folder, client) = play(SCRIPT);
    let fault = ask(&client, Role::Reviewer, "r", &[user("look")]).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Server);
    assert!(
        fault.message.contains("expects `evidence`") && fault.message.contains("look"),
        "{fault}"
    );
    let fault = ask(&client, Role::Commander, "c-7", &[user("go")]).await.unwrap_err();
    for part in ["run out", "commander", "c-7", "turn 1"] {
        assert!(fault.message.contains(part), "{part}: {fault}");
    }
}

#[tokio::test]
async fn a_session_met_in_the_middle_goes_on_where_it_was() {
    let (_folder, client) = play(SCRIPT);
    let messages = [
        user("do T1.1"),
        Message::Assistant { text: "earlier".into(), calls: vec![] },
        user("contents"),
    ];
    assert_eq!(ask(&client, Role::Worker, "w1", &messages).await.unwrap().text, "done");
}

#[tokio::test]
async fn a_script_with_an_error_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        ("[{", "line 1"),
        (r#"[{"role": "worker", "txt": "x"}]"#, "entry 1 has an unknown field `txt`"),
        (r#"[{"role": "boss"}]"#, "entry 1: unknown variant `boss`"),
    ] {
        let path = folder.path().join("bad.json");
        std::fs::write(&path, text).unwrap();
        let error = Client::new(&settings(&format!("replay:{}", path.display()), None))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected) && error.contains("bad.json"), "{error}");
    }
    assert!(Client::new(&settings("replay:/nowhere.json", None)).is_err());
}

#[tokio::test]
async fn a_function_can_answer_and_arrivals_are_recorded() {
    let server = ReplayServer::with_handler(Arc::new(|request| {
        let body = request.json().unwrap();
        match body["messages"][1]["content"].as_str() {
            Some("hang") => Answer::Hang,
            Some("raw") => Answer::Raw(b"data: [DONE]\n\n".to_vec()),
            text => Answer::Turn(ScriptedTurn {
                text: format!("{:?} said {}", request.role, text.unwrap()),
                ..ScriptedTurn::default()
            }),
        }
    }))
    .unwrap();
    let mut settings = settings("m", Some(server.base_url()));
    settings.default.as_mut().unwrap().provider = Some(orchestrator_lsp::model::Provider::Replay);
    settings.default.as_mut().unwrap().idle_timeout_ms = Some(200);
    let client = Client::new(&settings).unwrap();
    let turn = ask(&client, Role::Worker, "w", &[user("hi")]).await.unwrap();
    assert_eq!(turn.text, "Some(Worker) said hi");
    assert_eq!(
        ask(&client, Role::Worker, "w", &[user("raw")]).await.unwrap_err().kind,
        FaultKind::EmptyAnswer
    );
    assert_eq!(
        ask(&client, Role::Worker, "w", &[user("hang")]).await.unwrap_err().kind,
        FaultKind::Stalled
    );
    let arrivals = server.arrivals();
    assert_eq!(arrivals.len(), 3);
    assert!(
        arrivals[0].body_bytes > 100
            && arrivals[0].session.as_deref() == Some("w")
            && arrivals[0].at <= arrivals[1].at
    );
}

#[tokio::test]
async fn a_long_turn_arrives_whole() {
    let text: String = (0..40_000).map(|n| format!("äöü🦀 {n} ")).collect();
    let script = json!([{"role": "worker", "text": text, "calls": [{"name": "write", "arguments": {"text": text}}]}]);
    let (_folder, client) = play(&script.to_string());
    let turn = ask(&client, Role::Worker, "w", &[user("go")]).await.unwrap();
    assert_eq!(turn.text, text);
    assert_eq!(turn.calls[0].arguments["text"], json!(text));
}
