//! Undo in an editor with unsaved text: open files change by one versioned edit, what was typed since is kept.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::editor::Editor;
use crate::support::ended::finished;
use crate::support::project::{Project, Said};
use crate::undo::{edit, model, notes, sealed};

/// An editor with `notes.txt` open, of a mission that was sealed.
fn opened(project: &Project) -> Editor {
    let root = project.root();
    let capabilities = json!({ "workspace": {
        "applyEdit": true, "workspaceEdit": { "documentChanges": true } } });
    let client = Client::initialized(&root, capabilities);
    let mut editor = Editor::open(client, &root.join("notes.txt"));
    editor.told("sealed");
    editor
}

impl Editor {
    /// The story's newest line, once it is one that holds `text`.
    fn told(&mut self, text: &str) -> String {
        for _ in 0..2_000 {
            let status = self.client.command("orchestrator.status", json!([]));
            let story = status["result"]["missions"][0]["story"].as_array().cloned();
            let last = story.and_then(|story| Some(story.last()?["text"].as_str()?.to_owned()));
            if let Some(last) = last.filter(|last| last.contains(text)) {
                return last;
            }
        }
        panic!("{text} was never told");
    }

    fn actions(&mut self) -> Vec<Value> {
        self.client.actions(&self.uri, 0, 0)
    }
}

#[test]
fn an_unsaved_buffer_is_taken_back_by_an_edit_and_what_was_typed_is_kept() {
    let parts = vec![json!([
        edit("notes.txt", "two\n", "zwei\n"),
        {"op": "write", "path": "made/new.txt", "content": "new\n"},
    ])];
    let model = model(parts, |_| {});
    let project = model.serving(notes());
    sealed(&project);
    let on_disk = project.read("notes.txt");
    let mut editor = opened(&project);

    // Nothing was typed: it is exact, in the buffer and on the disk.
    editor.client.command("orchestrator.change.undo", json!([]));
    editor.takes_edit();
    editor.told("change 1 was taken back");
    assert_eq!(editor.text, on_disk.replace("zwei", "two"));
    assert_eq!(project.read("notes.txt"), on_disk, "an open file is the editor's to save");
    assert!(!project.root().join("made").exists());
    editor.client.command("orchestrator.change.redo", json!([]));
    editor.takes_edit();
    editor.told("is there again");
    assert_eq!(editor.text, on_disk);
    assert_eq!(project.read("made/new.txt"), "new\n");

    // Something was typed and not saved: it is refused, and a merge is offered.
    editor.types("seven", "seven, typed");
    assert!(editor.actions().is_empty());
    editor.client.command("orchestrator.change.undo", json!([{ "receipt": 1 }]));
    let refused = editor.client.wait_for("a refusal", |message| {
        let text = message["params"]["message"].as_str();
        text.is_some_and(|text| text.contains("was not taken back"))
    });
    let refused = refused["params"]["message"].as_str().unwrap();
    assert!(refused.contains("notes.txt was edited since"), "{refused}");
    assert_eq!(project.read("made/new.txt"), "new\n", "all or nothing");
    let shown = editor.client.command("orchestrator.change.show", json!([]));
    let diff = shown["result"]["offer"]["diff"].as_str().unwrap();
    assert!(diff.contains("-zwei\n+two\n") && !diff.contains("-seven, typed"), "{diff}");
    let actions = editor.actions();
    let title = "Take change 1 back and keep what I edited";
    assert_eq!(actions.len(), 1, "{actions:#?}");
    assert_eq!(actions[0]["title"], title);
    let arguments = actions[0]["arguments"].clone();
    editor.client.command(actions[0]["command"].as_str().unwrap(), arguments);
    editor.takes_edit();
    editor.told("change 1 was taken back");
    assert_eq!(editor.text, "one\ntwo\nthree\nfour\nfive\nsix\nseven, typed\n");
    assert!(!project.root().join("made").exists());
    assert!(editor.actions().is_empty());
    let nothing = editor.client.command("orchestrator.change.undo", json!([]));
    assert!(nothing["error"]["message"].as_str().unwrap().contains("nothing"), "{nothing}");
    assert_eq!(editor.client.leave(), 0);
}

#[test]
fn what_is_open_and_would_go_is_not_removed() {
    let parts = vec![json!([{"op": "write", "path": "notes.txt", "content": "mine\n"}])];
    let model = model(parts, |_| {});
    let project = model.serving(Project::empty());
    sealed(&project);
    let mut editor = opened(&project);
    editor.client.command("orchestrator.change.undo", json!([]));
    assert!(editor.told("was not taken back").contains("close it so that it can be removed"));
    assert_eq!(project.read("notes.txt"), "mine\n");
    let (document, root) = (json!({ "uri": editor.uri }), project.root());
    editor.client.notify("textDocument/didClose", json!({ "textDocument": document }));
    editor.client.command("orchestrator.change.undo", json!([{ "all": true }]));
    editor.told("change 1 was taken back");
    assert!(!root.join("notes.txt").exists());
    assert_eq!(editor.client.leave(), 0);
}

/// The workspace is the editor's server's: what is told on the command line happens there.
#[test]
fn a_command_line_beside_the_editor_goes_through_it() {
    let model = model(vec![json!([edit("notes.txt", "two\n", "zwei\n")])], |_| {});
    let project = model.serving(notes());
    sealed(&project);
    let on_disk = project.read("notes.txt");
    let mut editor = opened(&project);
    let undo = project.command(&["undo", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    editor.takes_edit();
    let said: Said = finished(undo).into();
    assert_eq!((said.code, &said.last()["done"]), (0, &json!(true)), "{said:?}");
    assert_eq!(editor.text, on_disk.replace("zwei", "two"));
    assert_eq!(project.read("notes.txt"), on_disk);
    assert_eq!(editor.client.leave(), 0);
}
