//! Spans of a real mission at a real collector, over HTTP: their names, their parents and their attributes, as the semantic
//! conventions for generative AI want them; and log files.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::json;

use crate::support::client::{Client, uri};
use crate::support::collector::{Collector, Span};
use crate::support::model::{Asked, LocalModel, turn};
use crate::support::project::{Project, Said};

const NOTES: &str = "one\ntwo\nthree MARK-OF-THE-FILE\n";
const GOAL: &str = "mend the MARK-OF-THE-GOAL";
const KEY: &str = "MARK-OF-THE-KEY";

/// A language whose compiler writes down what trace it is part of.
fn language(traces: &std::path::Path) -> String {
    let script = format!("echo $TRACEPARENT >> {}", traces.display());
    format!(
        "[[gate.languages]]\nname = \"notes\"\nextensions = [\"nt\"]\nroots = [\"notes.txt\"]\n[[gate.languages.tools]]\nname = \"probe\"\ncommand = [\"sh\", \"-c\", {script:?}]\noutput = \"exit-status\"\npurpose = \"check\"\ncovers = \"everything\"\nversion = []\n"
    )
}

/// A project with that configuration before the language's, and the file where traces are written down.
fn project(config: &str) -> Project {
    let project = Project::empty();
    project.write("notes.txt", "");
    project.write("first.nt", NOTES);
    let folder = project.root().parent().unwrap().to_owned();
    let text = format!("{config}\n[seal]\nmutants = 0\n{}", language(&folder.join("traces")));
    std::fs::write(folder.join("config.toml"), text).unwrap();
    project.with("ORCHESTRATOR_CONFIG", folder.join("config.toml")).with("XDG_STATE_HOME", folder)
}

/// A Worker that reads, runs a command, is refused once, and proposes what is right.
fn model() -> LocalModel {
    model_telling(&Arc::default())
}

/// The same, which tells what the Worker was last told at each turn.
fn model_telling(seen: &Arc<Mutex<Vec<String>>>) -> LocalModel {
    let seen = seen.clone();
    let edit = |old: &str, new: &str| {
        let edit = json!({"op": "edit", "path": "first.nt", "edits": [{"old": old, "new": new}]});
        ("propose", json!({"changes": [edit]}))
    };
    LocalModel::answering(move |asked: &Asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => turn(&[("triage", json!({"decision": "direct"}))]),
        (Role::Worker, 0) => turn(&[
            ("run", json!({"command": "echo trace=$TRACEPARENT"})),
            ("read", json!({"path": "no-such.nt"})),
        ]),
        (Role::Worker, 1) => {
            seen.lock().unwrap().push(asked.body.clone());
            turn(&[edit("nowhere", "x")])
        }
        (Role::Worker, 2) => turn(&[edit("two", "TWO")]),
        (Role::Worker, _) => turn(&[("done", json!({"summary": "it is done"}))]),
        _ => turn(&[("verdict", json!({"pass": true, "evidence": ["read it"]}))]),
    })
}

fn task(model: &LocalModel, project: Project) -> (Said, Project) {
    let project = model.serving(project).with("ORCHESTRATOR_API_KEY", KEY);
    let said = project.run(&["task", GOAL, "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(project.read("first.nt").contains("TWO"));
    (said, project)
}

fn has_mission(spans: &[Span]) -> bool {
    spans.iter().any(|span| span.name == "invoke_workflow mission")
}

/// The conventions: what each operation's span is called, of which kind it is, and what it must say.
const CONVENTIONS: &[(&str, &str, u64, &[&str])] = &[
    ("invoke_workflow", "gen_ai.workflow.name", 1, &["gen_ai.usage.input_tokens"]),
    (
        "invoke_agent",
        "gen_ai.agent.name",
        1,
        &["gen_ai.provider.name", "gen_ai.request.model", "gen_ai.conversation.id"],
    ),
    (
        "chat",
        "gen_ai.request.model",
        3,
        &[
            "gen_ai.provider.name",
            "gen_ai.conversation.id",
            "gen_ai.agent.name",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "gen_ai.response.finish_reasons",
            "gen_ai.request.stream",
            "server.address",
            "server.port",
        ],
    ),
    (
        "execute_tool",
        "gen_ai.tool.name",
        1,
        &["gen_ai.tool.call.id", "gen_ai.tool.type", "gen_ai.conversation.id"],
    ),
];

#[test]
fn a_mission_is_told_as_the_conventions_want_it_and_nothing_that_was_said_in_it() {
    let seen = Arc::default();
    let (collector, model) = (Collector::start(), model_telling(&seen));
    let config = format!(
        "[telemetry]\nendpoint = {:?}\nheaders = {{ x-key = \"MARK-OF-THE-COLLECTOR\" }}",
        collector.url()
    );
    let traces = "4bf92f3577b34da6a3ce929d0e0e4736";
    let project = project(&config)
        .with("TRACEPARENT", format!("00-{traces}-00f067aa0ba902b7-01"))
        .with("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
    let (said, project) = task(&model, project);
    let spans = collector.until(has_mission);

    for (operation, name, kind, attributes) in CONVENTIONS {
        let is_one = |span: &&Span| {
            span.attributes.get("gen_ai.operation.name").is_some_and(|is| is == operation)
        };
        let all: Vec<&Span> = spans.iter().filter(is_one).collect();
        assert!(!all.is_empty(), "{operation}");
        for span in all {
            assert_eq!(span.name, format!("{operation} {}", span.has(name)));
            assert_eq!(span.kind, *kind, "{}", span.name);
            attributes.iter().for_each(|key| assert!(!span.has(key).is_empty(), "{key}"));
            let is_error = span.attributes.contains_key("error.type");
            assert_eq!(span.status == 2, is_error, "{span:#?}");
        }
    }

    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    let parent = |span: &Span| by_id.get(span.parent.as_str()).map_or("", |found| &found.name);
    for span in &spans {
        assert_eq!(span.trace, traces, "{}", span.name);
        assert!(span.start <= span.end, "{}", span.name);
        let expected: &[&str] = match span.name.split(' ').next().unwrap() {
            "invoke_workflow" => &[""],
            "invoke_agent" | "apply" => &["invoke_workflow mission"],
            "recall" | "chat" | "execute_tool" => {
                &["invoke_agent commander", "invoke_agent worker", "invoke_agent reviewer"]
            }
            _ => &["invoke_workflow mission", "execute_tool propose", "gate seal"],
        };
        assert!(expected.contains(&parent(span)), "{} is a part of {}", span.name, parent(span));
    }
    let mission = spans.iter().find(|s| s.name == "invoke_workflow mission").unwrap();
    assert_eq!(mission.parent, "00f067aa0ba902b7");
    assert_eq!(mission.has("orchestrator.mission.outcome"), "sealed");
    assert_eq!(mission.has("orchestrator.mission.id"), said.last()["mission"].as_str().unwrap());
    let requests = spans.iter().filter(|span| span.name == "chat local").count();
    assert_eq!(requests, model.arrivals().len(), "a span for each request");
    for name in ["gate baseline", "gate apply", "gate tools", "gate seal", "apply"] {
        assert!(spans.iter().any(|span| span.name == name), "{name}");
    }
    let errors = |name: &str| {
        let of = spans.iter().filter(|span| span.name == name);
        of.map(|span| span.attributes.get("error.type").cloned()).collect::<Vec<_>>()
    };
    assert_eq!(errors("execute_tool read"), [Some("tool_error".to_owned())]);
    assert_eq!(errors("execute_tool propose"), [Some("refused".to_owned()), None]);

    let (resource, heads) = (&collector.resources()[0], collector.heads());
    assert_eq!(resource["service.name"], "orchestrator");
    assert_eq!(resource["deployment.environment.name"], "test");
    assert!(heads[0].starts_with("post /v1/traces ") && heads[0].contains("x-key: mark-of"));
    let bytes = String::from_utf8_lossy(&collector.bytes()).into_owned();
    assert!(!bytes.contains("MARK-OF"), "what was said, or a key, stands in a span");

    // A command and the gate's programs are part of the span that they are run in.
    let seen = seen.lock().unwrap()[0].clone();
    let span = seen.split_once("trace=00-").unwrap().1.split('-').nth(1).unwrap();
    assert_eq!(by_id[span].name, "execute_tool run");
    let traces = std::fs::read_to_string(project.root().join("../traces")).unwrap();
    for line in traces.lines() {
        let name = &by_id[line.split('-').nth(2).unwrap()].name;
        let may = ["gate baseline", "execute_tool propose", "gate test", "gate seal"];
        assert!(may.contains(&name.as_str()), "{name}");
    }
    assert!(traces.lines().count() > 1, "{traces}");
}

#[test]
fn nothing_is_sent_that_is_not_wanted_but_the_trace_of_outside_goes_on() {
    let (collector, model) = (Collector::start(), model());
    let config = format!("[telemetry]\nendpoint = {:?}", collector.url());
    let project = project(&config)
        .with("OTEL_SDK_DISABLED", "true")
        .with("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let (_, project) = task(&model, project);
    assert_eq!(collector.connections(), 0);
    let traces = std::fs::read_to_string(project.root().join("../traces")).unwrap();
    assert!(traces.lines().all(|line| line.contains("-00f067aa0ba902b7-")), "{traces}");
}

#[test]
fn without_a_word_of_it_no_child_is_traced() {
    let (said, project) = task(&model(), project(""));
    let traces = std::fs::read_to_string(project.root().join("../traces")).unwrap();
    assert!(traces.lines().all(str::is_empty), "{traces}");
    assert!(!project.root().join("../orchestrator").exists(), "{said:?}");
}

#[test]
fn a_collector_that_does_not_answer_or_is_not_there_delays_nothing() {
    let silent = Collector::silent();
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (url, says) in [(silent.url(), "the last spans were not sent"), (&gone, "spans are lost")] {
        let project = project("")
            .with("OTEL_EXPORTER_OTLP_ENDPOINT", url)
            .with("OTEL_SERVICE_NAME", "mine")
            .with("ORCHESTRATOR_LOG", "orchestrator_lsp::telemetry=warn");
        let (said, _) = task(&model(), project);
        // The end of a request would take ten seconds to be given up, and is not waited for.
        assert!(said.err.contains(says), "{said:?}");
    }
    assert!(silent.connections() > 0);
}

#[test]
fn an_address_that_is_none_is_said_with_its_place() {
    let said = project("[telemetry]\nendpoint = \"localhost:4318\"").run(&["task", "x"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("[telemetry] endpoint"), "{said:?}");
    // The environment may mean other programs: it is said, and the mission goes on.
    let project = project("").with("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317");
    let (said, _) = task(&model(), project);
    assert!(said.err.contains("no spans are sent: OTEL_EXPORTER_OTLP_ENDPOINT"), "{said:?}");
}

/// The certificate is the collector's; that TLS is spoken at all is this program's.
#[test]
fn https_is_spoken() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let first = std::thread::spawn(move || {
        use std::io::Read;
        let mut byte = [0];
        listener.accept().unwrap().0.read_exact(&mut byte).unwrap();
        byte[0]
    });
    task(&model(), project("").with("OTEL_EXPORTER_OTLP_ENDPOINT", url));
    assert_eq!(first.join().unwrap(), 0x16, "a handshake of TLS");
}

#[test]
fn an_editors_server_tells_all_before_it_ends() {
    let (collector, model) = (Collector::start(), model());
    let project = model.serving(project(""));
    let settings = json!({"settings": {"telemetry": {"endpoint": collector.url()}}});
    let mut client = Client::in_project(&project, json!({}), settings);
    client.open(&uri(&project.root().join("first.nt")), NOTES);
    client.command("orchestrator.plan", json!([GOAL]));
    collector_waits(&model);
    assert_eq!(client.leave(), 0);
    let spans = collector.until(has_mission);
    let mission = spans.iter().find(|span| span.name == "invoke_workflow mission").unwrap();
    // It is not over: the next process takes it up.
    assert_eq!(mission.has("error.type"), "abandoned");
}

fn collector_waits(model: &LocalModel) {
    let end = std::time::Instant::now() + crate::support::client::DEADLINE;
    while model.arrivals().is_empty() {
        assert!(std::time::Instant::now() < end, "the model is not asked");
        std::thread::yield_now();
    }
}

#[cfg(unix)]
#[test]
fn messages_go_to_files_that_are_yours_alone_and_not_too_many() {
    use std::os::unix::fs::PermissionsExt;
    let project = project("[log]\nfile = true\nlevel = \"debug\"\nkeep = 3\n");
    let folder = project.root().join("../orchestrator/log");
    std::fs::create_dir_all(&folder).unwrap();
    for day in 1..=9 {
        std::fs::write(folder.join(format!("orchestrator.2020-01-0{day}.log")), "old\n").unwrap();
    }
    let (_, _project) = task(&model(), project);
    let mode = folder.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(files.len() <= 3, "{files:?}");
    let newest = files.iter().max().unwrap();
    let text = std::fs::read_to_string(newest).unwrap();
    assert!(text.contains("DEBUG") && !text.contains('\u{1b}'), "{text}");
    assert!(!text.contains(KEY));
}
