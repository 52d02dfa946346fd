//! Many sessions at once, over real HTTP: slots that are waited for and come back, sessions that know nothing of each other,
//! accounts that add up.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};

use orchestrator_lsp::mission::conversation::Role;
use orchestrator_lsp::model::replay::{Answer, ScriptedCall, ScriptedTurn};
use orchestrator_lsp::model::{Client, FaultKind, ModelSettings, Settings, Slots};
use serde_json::{Value, json};

use crate::support::client::{Client as Editor, DEADLINE};
use crate::support::model::LocalModel;
use crate::support::project::Project;
use crate::support::provider::{Provider, Reply, Request};
use crate::support::stage::until;
use crate::support::wire::{KEY, RawServer, always, ask, status};

/// A plan of so many tasks.
fn plan(tasks: usize, title: impl Fn(usize) -> String) -> Value {
    let task = |n| format!("### T1.{n}: {}\n- [ ] S1.{n}.1: it is read | size:S\n", title(n));
    let tasks: String = (1..=tasks).map(task).collect();
    json!({ "todo": format!("# Mission: read\n\n## M1: all is read\n{tasks}") })
}

/// The task that a brief is about; 0 where it is about none.
fn task_of(brief: &str) -> usize {
    let number = brief.split("task T1.").nth(1).unwrap_or_default();
    number.split(':').next().unwrap_or_default().parse().unwrap_or(0)
}

fn configured(project: Project, config: &str) -> Project {
    let path = project.root().parent().unwrap().join("user.toml");
    std::fs::write(&path, config).unwrap();
    project.with("ORCHESTRATOR_CONFIG", path)
}

fn state(project: &Project) -> Value {
    project.run(&["status", "--json"]).last()[0].clone()
}

/// An honest team that reads what it is told to.
fn honest(asked: &Request) -> Reply {
    match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({"decision": "plan"})),
        (Role::Planner, _) => Reply::Call("plan", plan(3, |n| format!("part {n}"))),
        (Role::Worker, 0) => Reply::Call("list", json!({})),
        (Role::Worker, _) => Reply::Call("done", json!({"summary": "read it"})),
        _ => Reply::Call("verdict", json!({"pass": true, "evidence": ["read it"]})),
    }
}

/// The plan, with the evidence in it, is everybody's: it is the mission's, and no session's.
fn without_plan(body: &str) -> String {
    match (body.find("<plan>"), body.find("</plan>")) {
        (Some(begin), Some(end)) if begin < end => format!("{}{}", &body[..begin], &body[end..]),
        _ => body.to_owned(),
    }
}

/// No request of a session holds a word of another one's conversation: a task's text, a tool's result, an answer.
#[test]
fn a_later_session_shows_no_trace_of_an_earlier_one() {
    const TASKS: usize = 3;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let requests = seen.clone();
    let model = LocalModel::answering(move |asked| {
        let task = task_of(&asked.brief);
        requests.lock().unwrap().push((asked.role, task, asked.turns, without_plan(&asked.body)));
        let (name, arguments) = match (asked.role, asked.turns) {
            (Role::Commander, _) => ("triage", json!({"decision": "plan"})),
            (Role::Planner, _) => ("plan", plan(TASKS, |n| format!("CANARY-TASK-{n}"))),
            (Role::Worker, 0) => ("read", json!({"path": format!("{task}.txt")})),
            (Role::Worker, _) => ("done", json!({"summary": format!("CANARY-SUMMARY-{task}")})),
            _ => ("verdict", json!({"pass": true, "evidence": [format!("CANARY-VERDICT-{task}")]})),
        };
        let arguments = arguments.as_object().cloned().unwrap();
        let text = format!("CANARY-SAID-{:?}-{task}", asked.role);
        let calls = vec![ScriptedCall { name: name.to_owned(), arguments }];
        Answer::Turn(ScriptedTurn { text, calls, ..ScriptedTurn::default() })
    });
    let project = configured(model.serving(Project::empty()), "[limits]\nparallel = 1\n");
    (1..=TASKS).for_each(|n| project.write(&format!("{n}.txt"), format!("CANARY-FILE-{n}\n")));
    assert_eq!(project.run(&["task", "--json", "read them"]).last()["end"]["state"], "sealed");

    let requests = seen.lock().unwrap();
    let others = |own: usize| (1..=TASKS).filter(move |other| *other != own);
    let mut checked = 0;
    for (role, task, turns, body) in requests.iter() {
        let holds = |canary: String| body.contains(&canary);
        let own_words = format!("CANARY-SAID-{role:?}-{task}");
        assert_eq!(holds(own_words), *turns > 0, "its own words, and only those: {role} {body}");
        for other in Role::ALL.into_iter().filter(|other| other != role) {
            assert!(!holds(format!("CANARY-SAID-{other:?}")), "{role}: {body}");
        }
        for n in 1..=TASKS {
            let read = *role == Role::Worker && n == *task && *turns > 0;
            assert_eq!(holds(format!("CANARY-FILE-{n}")), read, "{role} {task}: {body}");
            assert!(!holds(format!("CANARY-VERDICT-{n}")), "{role}: {body}");
            let judged = *role == Role::Reviewer && n == *task;
            assert_eq!(holds(format!("CANARY-SUMMARY-{n}")), judged, "{role} {task}: {body}");
        }
        if *task > 0 {
            assert!(holds(format!("CANARY-TASK-{task}")));
            assert!(!others(*task).any(|n| holds(format!("CANARY-TASK-{n}"))), "{role}: {body}");
            checked += 1;
        }
    }
    assert_eq!(checked, TASKS * 3, "two turns of each worker, one of each reviewer");
}

/// Sessions of a role begin with the same bytes, whatever they are about: that is what a provider's cache reuses.
#[test]
fn sessions_of_a_role_share_their_beginning() {
    let provider = Provider::answering(honest);
    let project = provider.serving(Project::empty());
    assert_eq!(project.run(&["task", "--json", "read them"]).last()["end"]["state"], "sealed");
    for role in [Role::Worker, Role::Reviewer] {
        let all = provider.requests();
        let bodies = all.iter().filter(|request| request.role == role);
        let beginnings: BTreeSet<&str> =
            bodies.map(|r| r.body.split("{\"role\":\"user\"").next().unwrap()).collect();
        assert_eq!(beginnings.len(), 1, "{role}: {beginnings:#?}");
        assert!(beginnings.iter().all(|text| text.contains("\"system\"") && text.len() > 1000));
    }
}

/// Holds workers back until they are let go.
#[derive(Default)]
struct Brake(Mutex<bool>, Condvar);

impl Brake {
    fn hold(&self) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |free| !*free).unwrap());
    }

    fn release(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

/// Two workers and one slot, and a brake on the one that has it.
fn one_slot() -> (Arc<Brake>, Provider, Project) {
    let brake = Arc::new(Brake::default());
    let held = brake.clone();
    let provider = Provider::answering(move |asked| {
        if asked.role == Role::Worker {
            held.hold();
        }
        honest(asked)
    });
    let config = "[limits]\nparallel = 2\n[slots]\nprovider = 1\n";
    let project = configured(provider.serving(Project::empty()), config);
    (brake, provider, project)
}

/// Two workers and one slot: one thinks, one waits and says so. Killed and taken up again, nobody pays for having waited.
#[test]
fn who_waits_for_a_slot_says_so_and_pays_nothing() {
    let (brake, provider, project) = one_slot();
    let mut child = project
        .command(&["task", "--json", "read"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let activities = || {
        let sessions = state(&project)["sessions"].as_array().cloned().unwrap_or_default();
        let names = sessions.iter().map(|one| one["activity"].as_str().unwrap().to_owned());
        names.collect::<BTreeSet<String>>()
    };
    let both: BTreeSet<String> = ["thinking".to_owned(), "waiting for a slot".to_owned()].into();
    until("one who waits", || activities() == both);
    let text = project.run(&["status"]).out;
    assert!(text.contains("waiting for a slot") && text.contains("thinking"), "{text}");
    child.kill().unwrap();
    child.wait().unwrap();
    brake.release();
    assert_eq!(project.run(&["resume", "--json"]).last()["end"]["state"], "sealed");
    let (requests, view) = (provider.requests(), state(&project));
    assert_eq!(view["spent"]["calls"], requests.len(), "the one that was killed was asked twice");
    let workers = requests.iter().filter(|request| request.role == Role::Worker).count();
    assert_eq!(workers, 3 * 2 + 1);
}

/// Two workers and one slot again: in a pause the one that waits is not sent, also when the slot becomes free.
#[test]
fn who_waits_for_a_slot_is_not_sent_in_a_pause() {
    let (brake, provider, project) = one_slot();
    // The process of an editor stays in a pause; that of `orchestrator task` would end.
    let mut editor = Editor::in_project(&project, json!({}), json!(null));
    editor.command("orchestrator.task", json!(["read"]));
    let waits = || {
        let sessions = state(&project)["sessions"].as_array().cloned().unwrap_or_default();
        sessions.iter().any(|one| one["activity"] == "waiting for a slot")
    };
    until("one who waits", waits);
    assert_eq!(project.run(&["pause"]).code, 0);
    brake.release();
    until("the answer of the one that was sent", || {
        state(&project)["account"]["turns"].as_u64() >= Some(3)
    });
    // What goes wrong would go wrong at once: the slot is free.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let workers = || provider.requests().iter().filter(|one| one.role == Role::Worker).count();
    assert!(waits(), "{:#}", state(&project)["sessions"]);
    assert_eq!(workers(), 1);
    editor.command("orchestrator.resume", json!([]));
    until("the end", || state(&project)["state"] == "sealed");
    assert_eq!((workers(), editor.leave()), (3 * 2, 0));
}

/// As many workers as there are slots are at the provider at once: each of them waits there for all the others.
#[test]
fn workers_are_at_work_at_once() {
    const WORKERS: usize = 12;
    let (all, come) = (Mutex::new(0), Condvar::new());
    let provider = Provider::answering(move |asked| {
        if (asked.role, asked.turns) == (Role::Worker, 0) {
            let mut count = all.lock().unwrap();
            *count += 1;
            come.notify_all();
            let waited = come.wait_timeout_while(count, DEADLINE, |count| *count < WORKERS);
            if waited.unwrap().1.timed_out() {
                return Reply::Call("give_up", json!({"reason": "the others never came"}));
            }
        }
        match asked.role {
            Role::Planner => Reply::Call("plan", plan(WORKERS, |n| format!("part {n}"))),
            _ => honest(asked),
        }
    });
    let project = configured(provider.serving(Project::empty()), "[limits]\nparallel = 12\n");
    assert_eq!(project.run(&["task", "--json", "read"]).last()["end"]["state"], "sealed");
    let requests = provider.requests();
    let of = |role| requests.iter().filter(|request| request.role == role).count();
    assert_eq!((of(Role::Worker), of(Role::Planner), of(Role::Commander)), (24, 1, 1));
}

/// Accounts add up, by whatever they are cut, and are the same when they are folded again.
#[test]
fn accounts_add_up() {
    let provider = Provider::answering(honest);
    let project = configured(
        provider.serving(Project::empty()),
        "[model]\nprice = { input = 0.1, output = 1.0 }\n",
    );
    let told = project.run(&["task", "--json", "read"]).last()["end"].clone();
    let view = state(&project);
    for part in ["account", "roles", "providers", "spent"] {
        assert_eq!(view[part], told[part], "{part}: as it was told, so it is read");
    }
    let requests = provider.requests().len() as u64;
    let sum = |part: &str, field: &str| {
        let all = view[part].as_object().unwrap().values();
        all.map(|account| account[field].as_u64().unwrap()).sum::<u64>()
    };
    for field in ["requests", "turns", "input", "output", "micro_usd", "cached", "failed"] {
        let total = view["account"][field].as_u64().unwrap();
        assert_eq!((sum("roles", field), sum("providers", field)), (total, total), "{field}");
    }
    assert_eq!(view["account"]["requests"], requests);
    assert_eq!(view["account"]["latency"]["turns"], requests);
    // Ten tokens in and two out for each answer.
    assert_eq!((sum("roles", "input"), sum("roles", "output")), (10 * requests, 2 * requests));
    assert_eq!(sum("roles", "micro_usd"), 3 * requests);
    assert_eq!(view["roles"]["worker"]["requests"], 6);
    assert_eq!(view["spent"]["usage"]["input"], view["account"]["input"]);
    let text = project.run(&["status"]).out;
    assert!(
        text.contains("worker: 6 requests, 6 turns (0 recovered), 0 failed, 100.0 %"),
        "{text}"
    );
    assert!(text.contains("(p95)"), "{text}");
}

/// When a provider asks to be left alone, nobody asks it: not another session, not another model of it.
#[tokio::test]
async fn a_wish_to_be_left_alone_is_honoured_by_every_session() {
    let server = RawServer::start(always(status(429, "retry-after: 3600\r\n", "{}"))).await;
    let model = |name: &str| -> ModelSettings {
        let settings =
            json!({"provider": "openai", "base_url": server.url, "model": name, "api_key": KEY});
        serde_json::from_value(settings).unwrap()
    };
    let settings = Settings { default: Some(model("m-1")), ..Settings::default() };
    let client = Client::new(&settings).unwrap();
    let first = ask(&client, &[], &[]).await.unwrap_err();
    assert_eq!((first.kind, first.unsent), (FaultKind::RateLimited, false));
    for _ in 0..5 {
        let fault = ask(&client, &[], &[]).await.unwrap_err();
        assert_eq!((fault.kind, fault.unsent), (FaultKind::Held, true));
        let wait = fault.retry_after_ms.unwrap();
        assert!((3_000_000..=3_600_000).contains(&wait), "{wait}");
    }
    assert_eq!(server.requests.lock().unwrap().len(), 1);
    assert_idle(&client.slots());
}

fn assert_idle(slots: &[Slots]) {
    assert!(slots.iter().all(|one| (one.held, one.waiting) == (0, 0)), "{slots:?}");
}

/// The bench itself, small: what it counts is right, and every slot comes back from errors, timeouts and cancels.
#[test]
fn the_bench_counts_what_there_is_to_count() {
    let said = Project::empty().run(&[
        "bench",
        "sessions",
        "--json",
        "--at-once",
        "10",
        "--latency",
        "20",
        "--requests",
        "3",
        "--twelve",
        "0",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    let result = said.last();
    let row = &result["rows"][0];
    // Three of each worker and one of each reviewer; triage, plan, and the last word.
    assert_eq!(row["record"]["requests"], 10 * 3 + 10 + 3, "{result:#}");
    assert_eq!(row["record"]["workers"], 30);
    assert!(row["record"]["most"].as_u64().unwrap() <= 10 + 1);
    assert_eq!(row["bare"]["requests"], 30);
    let slots = &result["slots"];
    assert_eq!((&slots["held"], &slots["waiting"]), (&json!(0), &json!(0)), "{slots}");
    assert!(slots["most"].as_u64() <= slots["slots"].as_u64(), "{slots}");
    let ended = ["answered", "faulted", "cancelled"].map(|name| slots[name].as_u64().unwrap());
    assert_eq!(ended.iter().sum::<u64>(), 250, "each ended once: {slots}");
    assert!(ended.iter().all(|count| *count > 0), "each way to end was met: {slots}");
}
