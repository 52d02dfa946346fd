//! The plan in the hands of many: agents, the command line, other processes, and a person who types in `todo.md`. No
//! update is lost and no keystroke, and what meets is shown.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use orchestrator_lsp::mission::conversation::Role;
use orchestrator_lsp::mission::plan::{ItemId, Mark, Plan, parse};
use orchestrator_lsp::server::text::{Encoding, Lines};
use serde_json::{Value, json};
use tower_lsp::lsp_types::TextEdit;

use crate::support::client::{Client, DEADLINE, uri};
use crate::support::project::Project;
use crate::support::provider::{Provider, Reply};

/// Eleven tasks with five steps each: T1.1 to T1.11.
fn plan_text() -> String {
    let mut text = "# Mission: g\n\n## M1: all\n".to_owned();
    for task in 1..=11 {
        text += &format!("\n### T1.{task}: task {task}\n");
        for step in 1..=5 {
            text += &format!("- [ ] S1.{task}.{step}: step {step}\n");
        }
    }
    text
}

/// A project whose mission has its plan, and waits with it.
fn planned() -> (Project, Provider) {
    let provider = Provider::answering(|asked| match asked.role {
        Role::Commander => Reply::Call("triage", json!({"decision": "plan"})),
        Role::Planner => Reply::Call("plan", json!({ "todo": plan_text() })),
        _ => Reply::Half,
    });
    let project = provider.serving(Project::empty());
    let said = project.run(&["plan", "g"]);
    assert_eq!(said.code, 0, "{said:?}");
    (project, provider)
}

/// An editor with `todo.md` open. It takes an edit for the version that it has, and no other.
struct Editor {
    client: Client,
    uri: String,
    text: String,
    version: i64,
    /// Edits are refused, as if a key had been pressed in that moment.
    refuses: bool,
    diagnostics: Vec<Value>,
    questions: Vec<Value>,
}

impl Editor {
    fn start(project: &Project) -> Editor {
        let capabilities = json!({ "workspace": {
            "applyEdit": true, "workspaceEdit": { "documentChanges": true } } });
        let client = Client::in_project(project, capabilities, json!(null));
        let uri = uri(&project.root().join(".opencode/todo.md"));
        Editor {
            client,
            uri,
            text: String::new(),
            version: 1,
            refuses: false,
            diagnostics: Vec::new(),
            questions: Vec::new(),
        }
    }

    fn open(project: &Project) -> Editor {
        let mut editor = Editor::start(project);
        editor.text = project.read(".opencode/todo.md");
        editor.client.open(&editor.uri, &editor.text);
        editor
    }

    /// Presses keys: what stands at `at` (bytes) is replaced.
    fn types(&mut self, at: std::ops::Range<usize>, new: &str) {
        let lines = Lines::new(&self.text, Encoding::Utf16);
        let range = lines.range(at.start, at.end);
        self.text.replace_range(at, new);
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        let changes = json!([{ "range": range, "text": new }]);
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.client.notify("textDocument/didChange", params);
    }

    fn replaces(&mut self, old: &str, new: &str) {
        let at = self.text.find(old).unwrap_or_else(|| panic!("{old} is not in {}", self.text));
        self.types(at..at + old.len(), new);
    }

    /// Serves what the server has said by now.
    fn serves(&mut self) {
        self.client.unread();
        loop {
            let next = self.client.unread().first().cloned();
            let Some(next) = next else { return };
            let message = self.client.wait_for("it", |message| *message == next);
            match message["method"].as_str() {
                Some("workspace/applyEdit") => self.takes(&message),
                Some("textDocument/publishDiagnostics") if message["params"]["uri"] == self.uri => {
                    self.diagnostics = message["params"]["diagnostics"].as_array().unwrap().clone();
                }
                Some("window/showMessageRequest") => self.questions.push(message),
                _ => {}
            }
        }
    }

    fn takes(&mut self, request: &Value) {
        let change = &request["params"]["edit"]["documentChanges"][0];
        assert_eq!(change["textDocument"]["uri"], self.uri);
        if self.refuses || change["textDocument"]["version"] != self.version {
            return self.client.answer(request, json!({ "applied": false }));
        }
        let edits: Vec<TextEdit> = serde_json::from_value(change["edits"].clone()).unwrap();
        for edit in edits.iter().rev() {
            let lines = Lines::new(&self.text, Encoding::Utf16);
            let (start, end) = (lines.offset(edit.range.start), lines.offset(edit.range.end));
            assert!(end - start < 200, "a small edit, not the whole text: {edit:?}");
            self.types(start..end, &edit.new_text);
        }
        self.client.answer(request, json!({ "applied": true }));
    }

    fn until(&mut self, what: &str, holds: impl Fn(&mut Editor) -> bool) {
        let end = Instant::now() + DEADLINE;
        loop {
            self.serves();
            if holds(self) {
                return;
            }
            assert!(
                Instant::now() < end,
                "{what} did not come: {} {:#?}",
                self.text,
                self.diagnostics
            );
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn plan(&mut self) -> Plan {
        let status = self.client.command("orchestrator.status", json!([]));
        serde_json::from_value(status["result"]["missions"][0]["plan"].clone()).unwrap()
    }

    fn actions(&mut self, line: u64) -> Vec<Value> {
        self.client.actions(&self.uri, line, 0)
    }
}

fn id(text: &str) -> ItemId {
    ItemId::parse(text).unwrap()
}

fn mark(plan: &Plan, item: &str) -> Option<Mark> {
    plan.item(&id(item)).and_then(|item| item.mark())
}

/// Fifty updates, 25 of either process, each for the version that it saw, while a person types.
#[test]
fn fifty_updates_and_a_typing_user_lose_nothing() {
    let (project, _provider) = planned();
    let before = parse(&project.read(".opencode/todo.md")).unwrap();
    let mut editor = Editor::open(&project);
    let is_done = AtomicBool::new(false);
    let typed = "a line that is typed while others update the plan: é😀 to its very end";
    let at = editor.text.find("\n## M1").unwrap();
    editor.types(at..at, "\n");
    let mut keys = typed.chars().cycle();
    let mut written = String::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = [1..=5u32, 6..=10]
            .into_iter()
            .map(|tasks| {
                let (project, before) = (&project, &before);
                scope.spawn(move || {
                    for task in tasks {
                        let five: Vec<_> = (1..=5)
                            .map(|step| {
                                let item = format!("S1.{task}.{step}");
                                let version = before.version(&id(&item)).unwrap();
                                let arguments =
                                    ["todo", "set", &item, "done", "--version", &version];
                                project.command(&arguments).stdout(Stdio::null()).spawn().unwrap()
                            })
                            .collect();
                        for mut one in five {
                            assert_eq!(one.wait().unwrap().code(), Some(0));
                        }
                    }
                })
            })
            .collect();
        let done = &is_done;
        scope.spawn(move || {
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            done.store(true, Ordering::SeqCst);
        });
        // Types until they are through, and the line to its end.
        while !is_done.load(Ordering::SeqCst)
            || !written.chars().count().is_multiple_of(typed.chars().count())
        {
            let key = keys.next().unwrap();
            let place = editor.text.find("\n\n## M1").unwrap();
            editor.types(place..place, &key.to_string());
            written.push(key);
            editor.serves();
            std::thread::park_timeout(Duration::from_millis(15));
        }
    });
    editor.until("every mark in the buffer", |editor| editor.text.matches("- [x] ").count() == 50);
    let (plan, buffer) = (editor.plan(), parse(&editor.text).unwrap());
    assert_eq!(plan.progress(), (50, 55));
    assert_eq!(buffer, plan);
    let line = editor.text.lines().find(|line| line.contains(written.as_str()));
    assert!(line.is_some(), "{written} is not in {}", editor.text);
    assert!(mark(&plan, "S1.11.1") == Some(Mark::Pending));

    // A version that was seen before counts no more, and the asker hears how it stands.
    let stale = before.version(&id("S1.1.1")).unwrap();
    let said = project.run(&["todo", "set", "S1.1.1", "failed", "--version", &stale, "--json"]);
    assert_eq!(said.code, 12, "{said:?}");
    let now = plan.version(&id("S1.1.1"));
    assert_eq!(said.last()["version"], json!(now), "{said:?}");
}

/// What is written into the buffer, saved or not, becomes the plan's; T1.1 is not T1.10.
#[test]
fn what_a_person_types_becomes_the_plans() {
    let (project, _provider) = planned();
    let mut editor = Editor::open(&project);
    editor.replaces("### T1.1: task 1 ", "<!-- mine -->\n### T1.1: another title ");
    editor.replaces("- [ ] S1.2.1", "- [x] S1.2.1");
    editor.replaces("- [ ] S1.3.5: step 5\n", "- [ ] a new one\n");
    editor.until("the id of the new step", |e| e.text.contains("- [ ] S1.3.6: a new one\n"));
    editor.until("the plan", |e| mark(&e.plan(), "S1.2.1") == Some(Mark::Done));
    let plan = editor.plan();
    let title = |item: &str| plan.task(&id(item)).unwrap().title.clone();
    assert_eq!((title("T1.1").as_str(), title("T1.10").as_str()), ("another title", "task 10"));
    editor.until("the evidence", |e| e.text.contains("evidence:by hand: marked in todo.md"));
    assert!(editor.text.contains("<!-- mine -->\n### T1.1: another title"));
    editor.until("what both have", |e| parse(&e.text).is_ok_and(|text| text == e.plan()));

    // What is not valid is shown at its line, and the mission goes on with what it has.
    editor.replaces("### T1.2: task 2", "### T1.2: task 2 | depends:T9.9");
    editor.until("the diagnostic", |e| {
        e.diagnostics.iter().any(|d| d["message"].as_str().unwrap().contains("T9.9"))
    });
    let said = project.run(&["todo", "set", "S1.11.1", "done"]);
    assert_eq!(said.code, 0, "{said:?}");
    editor.until("the mark", |e| e.text.contains("- [x] S1.11.1"));
    assert!(editor.text.contains("depends:T9.9"));
    editor.replaces(" | depends:T9.9", " | depends:T1.3");
    editor.until("the plan", |e| e.plan().task(&id("T1.2")).unwrap().depends == [id("T1.3")]);
}

/// No editor has it open: the file itself is merged, whichever tool wrote it.
#[test]
fn what_any_tool_writes_into_the_file_becomes_the_plans() {
    let (project, _provider) = planned();
    let mut editor = Editor::start(&project);
    editor.plan();
    let text = project.read(".opencode/todo.md").replace("S1.4.4: step 4", "S1.4.4: step four");
    project.write(".opencode/todo.md", &text);
    editor.until("the plan", |e| {
        matches!(e.plan().item(&id("S1.4.4")), Some(orchestrator_lsp::mission::plan::Item::Step(s)) if s.title == "step four")
    });
    assert_eq!(project.run(&["todo", "set", "S1.4.4", "-"]).code, 0);
    let wanted = text.replace("[ ] S1.4.4", "[-] S1.4.4");
    editor.until("the file", |_| project.read(".opencode/todo.md") == wanted);
}

/// Both sides mark one step: that is shown at its line, and either can be taken.
#[test]
fn a_conflict_is_a_diagnostic_and_ends_with_a_code_action() {
    for (title, symbol) in [("as the mission has it", "x"), ("as it is here", "-")] {
        let (project, _provider) = planned();
        let mut editor = Editor::open(&project);
        editor.plan();
        editor.refuses = true;
        assert_eq!(project.run(&["todo", "set", "S1.1.2", "done"]).code, 0);
        editor.replaces("- [ ] S1.1.2", "- [-] S1.1.2");
        let is_conflict = |d: &Value| d["code"] == "conflict";
        editor.until("the conflict", |e| e.diagnostics.iter().any(is_conflict));
        let conflict = editor.diagnostics.iter().find(|d| is_conflict(d)).unwrap().clone();
        let line = conflict["range"]["start"]["line"].as_u64().unwrap();
        assert!(editor.text.lines().nth(line as usize).unwrap().starts_with("- [-] S1.1.2"));
        assert!(conflict["message"].as_str().unwrap().contains("[x] S1.1.2"), "{conflict}");
        assert_eq!(mark(&editor.plan(), "S1.1.2"), Some(Mark::Done), "nothing is lost of either");
        editor.refuses = false;
        let actions = editor.actions(line);
        let is_it = |a: &&Value| a["title"].as_str().unwrap().ends_with(title);
        let action = actions.iter().find(is_it).unwrap_or_else(|| panic!("{actions:#?}"));
        // Without action literals an action is its command.
        let (name, arguments) =
            (action["command"].as_str().unwrap().to_owned(), action["arguments"].clone());
        let taken = editor.client.command(&name, arguments);
        assert!(taken.get("result").is_some(), "{taken}");
        let wanted = format!("- [{symbol}] S1.1.2");
        editor.until("one side", |e| {
            e.text.contains(&wanted) && !e.diagnostics.iter().any(is_conflict)
        });
        let plan = editor.plan();
        assert_eq!(mark(&plan, "S1.1.2").map(Mark::symbol), symbol.chars().next());
        editor.until("what both have", |e| parse(&e.text).is_ok_and(|text| text == plan));
    }
}

/// A provider whose Worker asks, and then gives up; it stops there.
fn asking() -> Provider {
    Provider::answering(|asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({"decision": "direct"})),
        (Role::Worker, 0) if !asked.brief.contains("<answers>") => Reply::Call(
            "ask",
            json!({"question": "tabs or spaces?", "choices": ["tabs", "spaces"]}),
        ),
        (Role::Worker | Role::Planner, _) => {
            Reply::Call("give_up", json!({"reason": "that was all"}))
        }
        _ => Reply::Half,
    })
}

fn heard(provider: &Provider, text: &str) {
    provider.until_asked(|all| all.iter().any(|r| r.role == Role::Worker && r.body.contains(text)));
}

#[test]
fn a_question_is_a_message_with_buttons_in_the_editor() {
    let provider = asking();
    let project = provider.serving(Project::empty());
    let mut editor = Editor::start(&project);
    editor.client.command("orchestrator.task", json!(["g"]));
    editor.until("the question", |e| !e.questions.is_empty());
    let question = editor.questions.remove(0);
    assert_eq!(question["params"]["message"], "The worker (T1.1) asks: tabs or spaces?");
    let titles: Vec<&Value> =
        question["params"]["actions"].as_array().unwrap().iter().map(|a| &a["title"]).collect();
    assert_eq!(titles, ["tabs", "spaces"]);
    // Nothing waits for it.
    let status = editor.client.command("orchestrator.status", json!([]));
    assert_eq!(status["result"]["missions"][0]["questions"][0]["text"], "tabs or spaces?");
    editor.client.answer(&question, json!({ "title": "spaces" }));
    heard(&provider, "\"content\":\"spaces\"");
}

/// The process dies while the question is open: the question does not, and the command line answers it.
#[test]
fn a_question_outlives_its_process_and_is_answered_on_the_command_line() {
    let provider = asking();
    let project = provider.serving(Project::empty());
    let mut first = project.command(&["task", "g"]).stdout(Stdio::null()).spawn().unwrap();
    let status = || project.run(&["status", "--json"]).last()[0].clone();
    let end = Instant::now() + DEADLINE;
    while status()["questions"].as_array().is_none_or(Vec::is_empty) {
        assert!(Instant::now() < end, "no question came: {:#}", status());
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let shown = project.run(&["status"]);
    assert!(
        shown.out.contains("question 1 of the worker (T1.1): tabs or spaces? (tabs / spaces)"),
        "{shown:?}"
    );
    let asked = provider.requests().len();
    let said = project.run(&["answer", "spaces"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("question 1 is answered: spaces"), "{said:?}");
    assert_eq!(project.run(&["answer", "tabs"]).code, 2, "nothing is asked any more");
    let resumed = project.run(&["resume"]);
    assert_eq!(resumed.code, 3, "the Worker gave up: {resumed:?}");
    heard(&provider, "\"content\":\"spaces\"");
    assert!(provider.requests().len() > asked);
}

#[test]
fn a_mission_that_gets_no_answer_is_blocked_by_its_question_and_goes_on_with_the_answer() {
    let provider = asking();
    let project = provider.serving(Project::empty());
    project.write("../config.toml", "[limits]\nanswer_ms = 200\n");
    let config = project.root().join("../config.toml");
    let project = project.with("ORCHESTRATOR_CONFIG", config);
    let ended = project.run(&["task", "g"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(
        ended.out.contains("an answer to question 1 of the worker (T1.1): tabs or spaces?"),
        "{ended:?}"
    );
    let said = project.run(&["answer", "tabs"]);
    assert_eq!(said.code, 0, "{said:?}");
    project.run(&["resume"]);
    heard(&provider, "tabs or spaces?\\n  tabs");
}
