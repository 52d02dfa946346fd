//! What a person sees of accepted changes and waiting plans in any editor, without a plugin: lenses, diffs, documents,
//! messages with buttons. And how soon the editor is answered while many are at work.

use std::time::{Duration, Instant};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::client::{Client, DEADLINE, uri};
use crate::support::project::Project;
use crate::support::provider::{Provider, Reply};
use crate::support::tools::checkout;

const GOAL: &str = "Add --ignore-case, and sort words of equal count by name";

fn demo() -> Project {
    let script = std::fs::read_to_string(checkout().join("tests/fixtures/demo/replay.json"));
    Project::copy_of("demo").replaying(&script.unwrap())
}

fn capabilities() -> Value {
    json!({
        "workspace": { "textDocumentContent": { "dynamicRegistration": true },
            "codeLens": { "refreshSupport": true } },
        "textDocument": { "codeLens": {}, "codeAction": { "codeActionLiteralSupport": {} } },
        "window": { "showDocument": { "support": true }, "showMessage": {} },
    })
}

/// Waits until the view says that the mission has ended so.
fn wait_end(client: &mut Client, state: &str) -> Value {
    let ended = |message: &Value| {
        message["method"] == "orchestrator/mission" && !message["params"]["end"].is_null()
    };
    let view = client.wait_for("the end of the mission", ended)["params"].clone();
    assert_eq!(view["state"], state, "{}", view["end"]);
    view
}

fn lenses(client: &mut Client, uri: &str) -> Vec<Value> {
    let answer = client.ask("textDocument/codeLens", json!({ "textDocument": { "uri": uri } }));
    answer["result"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

fn titles(lenses: &[Value]) -> Vec<&str> {
    lenses.iter().map(|lens| lens["command"]["title"].as_str().unwrap()).collect()
}

#[test]
fn an_accepted_change_is_seen_compared_kept_and_taken_back() {
    let project = demo();
    let path = project.root().join("src/main.rs");
    let before = project.read("src/main.rs");
    let mut client = Client::in_project(&project, capabilities(), json!({ "mission": true }));
    let registered = client.wait_method("client/registerCapability");
    let registration = &registered["params"]["registrations"][0];
    assert_eq!(registration["method"], "workspace/textDocumentContent");
    assert_eq!(registration["registerOptions"], json!({ "schemes": ["orchestrator"] }));
    client.answer(&registered, Value::Null);

    client.command("orchestrator.task", json!([{ "goal": GOAL }]));
    let view = wait_end(&mut client, "sealed");
    let mission = view["id"].as_str().unwrap();
    let of_main: Vec<&Value> = view["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["files"].as_array().unwrap().contains(&json!("src/main.rs")))
        .collect();
    assert_eq!(of_main.len(), 2);
    // The lenses stand where the file was changed, also when something was typed above.
    let uri = uri(&path);
    client.open(&uri, &format!("// mine\n{}", project.read("src/main.rs")));
    let shown = lenses(&mut client, &uri);
    let kinds = titles(&shown);
    assert!(kinds.len() >= 6 && kinds.len().is_multiple_of(3), "{kinds:?}");
    assert!(kinds[0].contains("proved: show") && kinds[1..3] == ["Undo", "Keep"], "{kinds:?}");
    let lines: Vec<u64> =
        shown.iter().map(|l| l["range"]["start"]["line"].as_u64().unwrap()).collect();
    assert!(lines.iter().all(|line| *line > 0), "{lines:?}");

    let receipt = shown[0]["command"]["arguments"][0]["receipt"].as_u64().unwrap();

    // The diff is opened, and its text is there to be asked for.
    let of_change = json!([{ "mission": mission, "receipt": receipt }]);
    let opened = client.command("orchestrator.change.open", of_change.clone());
    let diff = opened["result"]["diff"].as_str().unwrap_or_else(|| panic!("{opened}")).to_owned();
    assert!(diff.contains("+++ b/src/main.rs"), "{diff}");
    let show = client.wait_method("window/showDocument");
    client.answer(&show, json!({ "success": true }));
    let content = |client: &mut Client, uri: &str| {
        client.ask("workspace/textDocumentContent", json!({ "uri": uri }))
    };
    let same = content(&mut client, show["params"]["uri"].as_str().unwrap());
    assert_eq!(same["result"]["text"], json!(diff));

    // Before and after, in both ways to ask.
    let side = |side: &str| format!("orchestrator:/{mission}/change/{receipt}/{side}/src/main.rs");
    let texts = client.command(
        "orchestrator.change.text",
        json!([{ "mission": mission, "receipt": receipt, "file": "src/main.rs" }]),
    );
    for name in ["before", "after"] {
        let text = content(&mut client, &side(name))["result"]["text"].clone();
        assert_eq!(text, texts["result"][name], "{name}");
    }
    let first = of_main[0]["receipt"].as_u64().unwrap();
    let original = client.command(
        "orchestrator.change.text",
        json!([{ "mission": mission, "receipt": first, "file": "src/main.rs" }]),
    );
    assert_eq!(original["result"]["before"], json!(before));
    let missing = content(&mut client, "orchestrator:/nobody/change/1.diff");
    assert_eq!(missing["error"]["code"], json!(-32803), "{missing}");
    let odd = content(&mut client, "orchestrator:/x/../y");
    assert_eq!(odd["error"]["code"], json!(-32602), "{odd}");

    let report = client.command("orchestrator.report", json!([{ "mission": mission }]));
    let markdown = report["result"]["markdown"].as_str().unwrap().to_owned();
    assert!(markdown.starts_with("# Add --ignore-case") && markdown.contains("**sealed**"));
    let uri_of = format!("orchestrator:/{mission}/report.md");
    assert_eq!(content(&mut client, &uri_of)["result"]["text"], json!(markdown));

    // What is kept has no lens any more, nor has what was taken back.
    client.command("orchestrator.change.keep", of_change);
    let left = lenses(&mut client, &uri);
    assert!(left.len() < shown.len());
    assert!(left.iter().all(|l| l["command"]["arguments"][0]["receipt"] != json!(receipt)));
    client.command("orchestrator.change.keep", json!([{ "mission": mission }]));
    assert!(lenses(&mut client, &uri).is_empty());
    client.leave();

    // A mission that had ended before the session has none.
    let mut client = Client::in_project(&project, capabilities(), json!(null));
    client.open(&uri, &project.read("src/main.rs"));
    client.command("orchestrator.status", json!([]));
    assert!(lenses(&mut client, &uri).is_empty());
    client.leave();
}

#[test]
fn a_plan_that_waits_is_a_message_with_buttons() {
    let project = demo();
    let mut client = Client::in_project(&project, capabilities(), json!({ "mission": true }));
    client.command("orchestrator.plan", json!([{ "goal": GOAL }]));
    let asked = client.wait_method("window/showMessageRequest");
    let said = asked["params"]["message"].as_str().unwrap();
    assert!(said.starts_with("The plan is ready, "), "{said}");
    let buttons: Vec<_> = asked["params"]["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["title"].as_str().unwrap())
        .collect();
    assert_eq!(buttons, ["Carry It Out", "Open the Plan", "Cancel the Mission"]);
    client.answer(&asked, json!({ "title": "Carry It Out" }));
    wait_end(&mut client, "sealed");
    client.leave();
}

#[test]
fn a_plan_that_is_begun_elsewhere_is_asked_for_no_more() {
    let project = demo();
    let mut client = Client::in_project(&project, capabilities(), json!({ "mission": true }));
    client.command("orchestrator.plan", json!([{ "goal": GOAL }]));
    let asked = client.wait_method("window/showMessageRequest");
    client.command("orchestrator.resume", json!([]));
    let taken_back = |message: &Value| {
        message["method"] == "$/cancelRequest" && message["params"]["id"] == asked["id"]
    };
    client.wait_for("the question is taken back", taken_back);
    client.leave();
}

#[test]
fn nobody_is_asked_who_has_no_buttons() {
    let project = demo();
    let mut client = Client::in_project(&project, json!({}), json!({ "mission": true }));
    client.command("orchestrator.plan", json!([{ "goal": GOAL }]));
    let planned = |message: &Value| {
        message["method"] == "orchestrator/mission" && message["params"]["state"] == "planned"
    };
    client.wait_for("the plan", planned);
    client.command("orchestrator.status", json!([]));
    let undeclared = client.unread().iter().find(|message| {
        matches!(message["method"].as_str(), Some(method) if method.starts_with("window/showMessageR")
            || method.starts_with("client/"))
    });
    assert_eq!(undeclared, None);
    client.leave();
}

/// Ten Workers who read and read.
fn busy() -> (Project, Provider) {
    let mut plan = "# Mission: g\n## M1: all\n".to_owned();
    for task in 1..=10 {
        plan += &format!("### T1.{task}: t\n- [ ] S1.{task}.1: s | file:src/f{task}.txt\n");
    }
    let provider = Provider::answering(move |asked| match asked.role {
        Role::Commander => Reply::Call("triage", json!({"decision": "plan"})),
        Role::Planner => Reply::Call("plan", json!({ "todo": plan })),
        _ => {
            std::thread::sleep(Duration::from_millis(50));
            // Never twice the same, or it would be taken for a loop.
            let pattern = format!("word{} {}", asked.turns, asked.session);
            Reply::Call("grep", json!({ "pattern": pattern }))
        }
    });
    let project = provider.serving(Project::empty());
    let config = project.root().join("../config.toml");
    std::fs::write(&config, "[limits]\nparallel = 10\ncalls = 100000\n[slots]\nprovider = 10\n")
        .unwrap();
    for file in 0..200 {
        project.write(&format!("src/f{file}.txt"), "some words\n".repeat(200));
    }
    (project.with("ORCHESTRATOR_CONFIG", config), provider)
}

/// The 50th and 99th percentile of so many answers, in milliseconds.
fn percentiles(mut ask: impl FnMut()) -> (f64, f64) {
    let mut took: Vec<f64> = (0..300)
        .map(|_| {
            let began = Instant::now();
            ask();
            std::thread::sleep(Duration::from_millis(10));
            began.elapsed().as_secs_f64() * 1e3 - 10.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

/// A measurement, run by command: `cargo test --release --test it -- --ignored --nocapture answers_beside`
#[test]
#[ignore = "a measurement"]
fn answers_beside_ten_busy_workers() {
    let (project, _provider) = busy();
    let mut declared = capabilities();
    declared["textDocument"]["hover"] = json!({});
    let mut client = Client::in_project(&project, declared, json!({ "mission": true }));
    let registered = client.wait_method("client/registerCapability");
    client.answer(&registered, Value::Null);
    client.command("orchestrator.task", json!([{ "goal": "g" }]));
    let at_work = |message: &Value| {
        let sessions = message["params"]["sessions"].as_array();
        sessions.is_some_and(|sessions| sessions.len() >= 10)
    };
    client.wait_for("ten Workers", at_work);
    let plan = project.root().join(".opencode/todo.md");
    let end = Instant::now() + DEADLINE;
    while !plan.exists() {
        assert!(Instant::now() < end, "the plan is not written");
        std::thread::sleep(Duration::from_millis(10));
    }
    let plan = uri(&plan);
    client.open(&plan, &project.read(".opencode/todo.md"));
    let text = project.read(".opencode/todo.md");
    let line = text.lines().position(|line| line.starts_with("### T1.1")).unwrap() as u64;
    let place =
        json!({ "textDocument": { "uri": plan }, "position": { "line": line, "character": 4 } });
    let hover = percentiles(|| {
        let answer = client.ask("textDocument/hover", place.clone());
        assert!(answer["result"].is_object(), "{answer}");
    });
    let action = percentiles(|| assert!(!client.actions(&plan, line, 0).is_empty()));
    let began = Instant::now();
    client.command("orchestrator.cancel", json!([]));
    let cancel = began.elapsed().as_secs_f64() * 1e3;
    wait_end(&mut client, "cancelled");
    let ended = began.elapsed().as_secs_f64() * 1e3;
    println!("| beside ten busy workers | p50 ms | p99 ms |\n|---|---|---|");
    println!(
        "| hover | {:.1} | {:.1} |\n| code action | {:.1} | {:.1} |",
        hover.0, hover.1, action.0, action.1
    );
    println!("| cancel: answered, ended | {cancel:.1} | {ended:.1} |");
    client.leave();
}

/// The code actions of the line in the plan that holds `text`, by their titles.
fn plan_actions(client: &mut Client, project: &Project, text: &str) -> Vec<(String, Value)> {
    let plan = uri(&project.root().join(".opencode/todo.md"));
    let content = project.read(".opencode/todo.md");
    let line = content.lines().position(|line| line.contains(text)).unwrap();
    client.open(&plan, &content);
    let actions = client.actions(&plan, line as u64, 0);
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": plan } }));
    let of =
        |action: &Value| (action["title"].as_str().unwrap().to_owned(), action["command"].clone());
    actions.iter().map(of).collect()
}

fn act(client: &mut Client, actions: &[(String, Value)], title: &str) {
    let found = actions.iter().find(|(known, _)| known.starts_with(title));
    let (_, command) = found.unwrap_or_else(|| panic!("{title} is not in {actions:?}"));
    let name = command["command"].as_str().unwrap();
    let done = client.command(name, command["arguments"].clone());
    assert!(done.get("error").is_none(), "{done}");
}

/// The view, once it is as wanted.
fn seen(client: &mut Client, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let shows =
        |message: &Value| message["method"] == "orchestrator/mission" && fits(&message["params"]);
    client.wait_for(what, shows)["params"].clone()
}

#[test]
fn items_are_skipped_and_split_and_findings_are_shown_by_a_test_first() {
    let plan = "# Mission: g\n## M1: all\n### T1.1: big\n- [ ] S1.1.1: one | file:a.txt\n- [ ] S1.1.2: two | file:b.txt\n### T1.2: small\n- [ ] S1.2.1: three | file:c.txt\n";
    let parts = "# Mission: g\n## M1: parts\n### T1.1: half\n- [ ] S1.1.1: a | file:a.txt\n### T1.2: other half\n- [ ] S1.2.1: b | file:b.txt\n";
    let provider = Provider::answering(move |asked| match asked.role {
        Role::Commander => Reply::Call("triage", json!({"decision": "plan"})),
        Role::Planner if asked.brief.starts_with("Split task T1.1") => {
            Reply::Call("plan", json!({ "todo": parts }))
        }
        Role::Planner => Reply::Call("plan", json!({ "todo": plan })),
        Role::Worker => {
            let note = json!({"file": "a.txt", "line": 1, "severity": "info", "message": "odd"});
            Reply::Call("done", json!({"summary": "looked", "notes": [note]}))
        }
        Role::Reviewer => Reply::Call("verdict", json!({"pass": true, "evidence": ["read it"]})),
    });
    let project = provider.serving(Project::empty());
    project.write("a.txt", "a\n");
    let mut client = Client::in_project(&project, capabilities(), json!({ "mission": true }));
    client.command("orchestrator.plan", json!([{ "goal": "g" }]));
    seen(&mut client, "the plan", |view| view["state"] == "planned");

    let actions = plan_actions(&mut client, &project, "T1.2");
    let titles: Vec<&str> = actions.iter().map(|(title, _)| title.as_str()).collect();
    assert!(!titles.contains(&"Mark T1.2 as pending"), "it is: {titles:?}");
    act(&mut client, &actions, "Skip T1.2");
    let view = seen(&mut client, "T1.2 is gone", |view| view["progress"][1] == 2);
    assert_eq!(view["plan"]["milestones"][0]["tasks"].as_array().unwrap().len(), 1);
    let actions = plan_actions(&mut client, &project, "S1.1.2");
    act(&mut client, &actions, "Skip S1.1.2");
    seen(&mut client, "S1.1.2 is gone", |view| view["progress"][1] == 1);
    // The last step is the plan, which must not be empty.
    let actions = plan_actions(&mut client, &project, "S1.1.1");
    act(&mut client, &actions, "Skip S1.1.1");
    let told = |view: &Value| view["story"].to_string().contains("is not skipped");
    seen(&mut client, "that it stays", told);

    let actions = plan_actions(&mut client, &project, "### T1.1");
    act(&mut client, &actions, "Split T1.1 into");
    let is_split = |view: &Value| view["story"].to_string().contains("split into 2 tasks");
    let view = seen(&mut client, "the parts", is_split);
    assert_eq!(view["progress"][1], 3, "{}", project.read(".opencode/todo.md"));

    client.command("orchestrator.resume", json!([]));
    let view = wait_end(&mut client, "sealed");
    assert!(view["findings"][0]["id"].is_u64());
    let a = uri(&project.root().join("a.txt"));
    client.open(&a, "a\n");
    let titles: Vec<Value> = client.actions(&a, 0, 0).iter().map(|a| a["title"].clone()).collect();
    assert!(titles.contains(&json!("Reproduce with a test and fix: odd")), "{titles:?}");
    client.leave();
}
