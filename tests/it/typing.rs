//! A person types where a change is to land: what they typed stays, what does not meet it lands, and what does waits for
//! their word, in any editor.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::editor::Editor;
use crate::support::model::{Asked, LocalModel};
use crate::support::project::Project;
use crate::undo::{edit, notes};
use orchestrator_lsp::mission::conversation::Role;

const NOTES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

/// What the worker was told of its proposals.
type Told = Arc<Mutex<Vec<String>>>;

/// A model whose worker proposes these one after the other, and is done then.
fn worker(proposals: Vec<Value>) -> (LocalModel, Told) {
    let told = Told::default();
    let seen = told.clone();
    let model = LocalModel::calling(move |asked: &Asked| match asked.role {
        Role::Commander => ("triage", json!({ "decision": "direct" })),
        Role::Worker => {
            if asked.turns > 0 {
                seen.lock().unwrap().push(asked.last.clone());
            }
            match proposals.get(asked.turns) {
                Some(changes) => ("propose", json!({ "changes": changes })),
                None => ("done", json!({ "summary": "written" })),
            }
        }
        _ => ("verdict", json!({ "pass": true, "evidence": ["read it"] })),
    });
    (model, told)
}

/// An editor with `notes.txt` open.
fn opened(project: &Project) -> Editor {
    let capabilities = json!({
        "workspace": { "applyEdit": true, "workspaceEdit": { "documentChanges": true },
            "textDocumentContent": { "dynamicRegistration": true } },
        "textDocument": { "codeAction": { "codeActionLiteralSupport": {} },
            "publishDiagnostics": { "dataSupport": true } },
        "window": { "showDocument": { "support": true }, "showMessage": {} },
    });
    let client = Client::in_project(project, capabilities, json!({ "mission": true }));
    Editor::open(client, &project.root().join("notes.txt"))
}

impl Editor {
    fn begin(&mut self) {
        self.client.command("orchestrator.task", json!(["write the notes"]));
    }

    /// The diagnostic of a change that waits, once it is there.
    fn waiting(&mut self) -> Value {
        let shows = |message: &Value| {
            let shown = message["params"]["diagnostics"].as_array();
            shown.is_some_and(|all| all.iter().any(|shown| shown["code"] == "meets"))
        };
        let published = self.client.wait_for("a change that waits", shows);
        assert_eq!(published["params"]["uri"], self.uri);
        published["params"]["diagnostics"][0].clone()
    }

    /// Takes the code action with that title at a line.
    fn takes(&mut self, line: u64, title: &str) -> Value {
        let actions = self.client.actions(&self.uri, line, 0);
        let action = actions.iter().find(|action| action["title"] == title);
        let action = action.unwrap_or_else(|| panic!("{title} is not in {actions:#?}"));
        assert_eq!(action["kind"], "quickfix");
        let command = &action["command"];
        let done =
            self.client.command(command["command"].as_str().unwrap(), command["arguments"].clone());
        assert!(done.get("error").is_none(), "{done}");
        done["result"].clone()
    }

    fn ends(&mut self, state: &str) {
        let ended = |message: &Value| {
            message["method"] == "orchestrator/mission" && !message["params"]["end"].is_null()
        };
        let view = self.client.wait_for("the end of the mission", ended)["params"].clone();
        assert_eq!(view["state"], state, "{}", view["end"]);
        self.client.leave();
    }
}

#[test]
fn a_change_that_meets_typing_is_shown_and_lands_beside_it() {
    // The second edit does not meet what is typed.
    let change = json!([
        {"op": "edit", "path": "notes.txt", "edits": [
            {"old": "two\n", "new": "zwei\n"}, {"old": "six\n", "new": "sechs\n"}]},
        {"op": "write", "path": "more.txt", "content": "more\n"},
    ]);
    let (model, told) = worker(vec![change]);
    let project = model.serving(notes());
    let mut editor = opened(&project);
    editor.begin();
    // They type while the edit is on its way, so that the editor refuses it.
    let request = editor.client.wait_method("workspace/applyEdit");
    editor.types("two\n", "two, typed\n");
    editor.client.answer(&request, json!({ "applied": false }));

    let waiting = editor.waiting();
    assert_eq!((&waiting["severity"], &waiting["range"]["start"]["line"]), (&json!(2), &json!(1)));
    assert!(!project.root().join("more.txt").exists(), "all or nothing");
    // It moves along with the text.
    editor.types("one\n", "zero\none\n");
    let asked = editor.client.wait_method("window/showMessageRequest");
    let buttons: Vec<&str> = asked["params"]["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["title"].as_str().unwrap())
        .collect();
    assert_eq!(buttons, ["Show the Change", "Apply merged", "Discard"]);

    let line = editor.text.lines().position(|line| line == "two, typed").unwrap() as u64;
    let shown = editor.takes(line - 1, "Show the change that waits");
    assert!(shown["diff"].as_str().unwrap().contains("-two\n+zwei\n"), "{shown}");
    let show = editor.client.wait_method("window/showDocument");
    editor.client.answer(&show, json!({ "success": true }));
    let uri = json!({ "uri": show["params"]["uri"] });
    let content = editor.client.ask("workspace/textDocumentContent", uri);
    assert_eq!(content["result"]["text"], shown["diff"]);

    editor.takes(line - 1, "Apply merged: keep what I typed");
    editor.takes_edit();
    assert_eq!(editor.text, "zero\none\ntwo, typed\nthree\nfour\nfive\nsechs\nseven\n");
    editor.ends("sealed");
    assert_eq!(project.read("notes.txt"), NOTES, "an open file is the editor's to save");
    assert_eq!(project.read("more.txt"), "more\n");
    let told = told.lock().unwrap();
    assert!(told.len() == 1 && told[0].contains("accepted"), "{told:?}");
}

#[test]
fn what_was_typed_before_a_worker_wrote_is_met_too_and_the_change_can_be_discarded() {
    let change = json!([edit("notes.txt", "two\n", "zwei\n")]);
    let other = json!([edit("notes.txt", "seven\n", "sieben\n")]);
    let (model, told) = worker(vec![change, other]);
    let project = model.serving(notes());
    let mut editor = opened(&project);
    // It is not saved: a worker that wrote for the saved text does not find its place.
    editor.types("two\n", "two, typed\n");
    editor.begin();
    let asked = editor.client.wait_method("window/showMessageRequest");
    let message = asked["params"]["message"].as_str().unwrap();
    assert!(message.contains("a change meets what you typed at notes.txt:2"), "{message}");
    editor.takes(1, "Discard the change that waits");
    editor.takes_edit();
    assert_eq!(editor.text, NOTES.replace("two", "two, typed").replace("seven", "sieben"));
    editor.ends("sealed");
    let told = told.lock().unwrap();
    assert!(told[0].contains("refused by the person"), "{told:?}");
    assert!(told[1].contains("accepted"), "{told:?}");
}

#[test]
fn a_file_that_is_written_whole_never_replaces_what_was_typed() {
    let change = json!([
        {"op": "write", "path": "notes.txt", "content": NOTES.replace("two", "zwei").replace("six", "sechs")}]);
    let (model, _) = worker(vec![change]);
    let project = model.serving(notes());
    let mut editor = opened(&project);
    editor.types("seven\n", "seven, typed\n");
    editor.types("two\n", "two, typed\n");
    editor.begin();
    editor.waiting();
    editor.takes(1, "Apply merged: keep what I typed");
    editor.takes_edit();
    assert_eq!(editor.text, "one\ntwo, typed\nthree\nfour\nfive\nsechs\nseven, typed\n");
    editor.ends("sealed");
}

#[test]
fn an_edit_of_the_saved_text_is_laid_beside_what_was_typed_around_it() {
    // Its anchor takes in a line that is typed at; its change does not.
    let change = json!([edit("notes.txt", "five\nsix\nseven\n", "FIVE\nsix\nseven\n")]);
    let (model, told) = worker(vec![change]);
    let project = model.serving(notes());
    let mut editor = opened(&project);
    editor.types("seven\n", "seven, typed\n");
    editor.begin();
    editor.takes_edit();
    assert_eq!(editor.text, "one\ntwo\nthree\nfour\nFIVE\nsix\nseven, typed\n");
    editor.ends("sealed");
    let told = told.lock().unwrap();
    assert!(told.len() == 1 && told[0].contains("accepted"), "{told:?}");
}
