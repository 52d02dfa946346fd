//! A whole mission in an editor with unsaved text: accepted changes reach open files as one versioned edit each, closed
//! files on the disk; refusals are diagnostics; progress ends; the seal is told. The conversation is the demo's replay.

use std::collections::BTreeMap;
use std::path::Path;

use orchestrator_lsp::server::text::{Encoding, Lines};
use serde_json::{Value, json};
use tower_lsp::lsp_types::TextEdit;

use crate::support::client::{Client, uri};

const GOAL: &str = "Add --ignore-case, and sort words of equal count by name";
const UNSAVED: &str = "// ü😀 not saved yet\n";

/// What an editor does with the messages of a mission.
struct Editor {
    client: Client,
    /// Version and text by URI.
    open: BTreeMap<String, (i64, String)>,
    /// The files of each edit that was applied.
    applied: Vec<Vec<String>>,
    progress: Vec<String>,
    sources: Vec<String>,
    /// Edits that are still to be refused, as if the user had typed in between.
    refuse: usize,
}

impl Editor {
    fn open(&mut self, uri: &str, text: String) {
        self.client.open(uri, &text);
        self.open.insert(uri.to_owned(), (1, text));
    }

    /// Serves the server until the mission has ended; its last words.
    fn follow(&mut self) -> String {
        loop {
            let message = self.client.wait_for("a message", |_| true);
            match message["method"].as_str() {
                Some("workspace/applyEdit") => self.apply(&message),
                Some("window/workDoneProgress/create") => self.client.answer(&message, Value::Null),
                Some("$/progress") => {
                    let kind = message["params"]["value"]["kind"].as_str().unwrap();
                    self.progress.push(kind.to_owned());
                }
                Some("textDocument/publishDiagnostics") => {
                    let shown = message["params"]["diagnostics"].as_array().unwrap().clone();
                    self.sources
                        .extend(shown.iter().map(|d| format!("{} {}", d["source"], d["code"])));
                }
                Some("window/showMessage") => {
                    return message["params"]["message"].as_str().unwrap().to_owned();
                }
                _ => {}
            }
        }
    }

    fn apply(&mut self, request: &Value) {
        let changes = request["params"]["edit"]["documentChanges"].as_array().unwrap().clone();
        if self.refuse > 0 {
            self.refuse -= 1;
            let answer = json!({ "applied": false, "failureReason": "the text went on" });
            return self.client.answer(request, answer);
        }
        let mut files = Vec::new();
        for change in changes {
            let name = change["textDocument"]["uri"].as_str().unwrap().to_owned();
            let (version, text) = self.open.get_mut(&name).expect("only open files are edited");
            assert_eq!(change["textDocument"]["version"], *version);
            let edits: Vec<TextEdit> = serde_json::from_value(change["edits"].clone()).unwrap();
            let lines = Lines::new(text, Encoding::Utf16);
            let mut changed = text.clone();
            for edit in edits.iter().rev() {
                let (start, end) = (lines.offset(edit.range.start), lines.offset(edit.range.end));
                changed.replace_range(start..end, &edit.new_text);
            }
            (*version, *text) = (*version + 1, changed.clone());
            let document = json!({ "uri": name, "version": *version });
            let params =
                json!({ "textDocument": document, "contentChanges": [{ "text": changed }] });
            self.client.notify("textDocument/didChange", params);
            files.push(name);
        }
        self.applied.push(files);
        self.client.answer(request, json!({ "applied": true }));
    }
}

fn lay_out(root: &Path) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/demo");
    std::fs::create_dir_all(root.join("src")).unwrap();
    for name in [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "src/count.rs",
        "src/lib.rs",
        "src/main.rs",
        "src/options.rs",
        "src/report.rs",
    ] {
        std::fs::copy(fixture.join(name), root.join(name)).unwrap();
    }
    let script = std::fs::read_to_string(fixture.join("replay.json")).unwrap();
    let mut script: Value = serde_json::from_str(&script).unwrap();
    for turn in script.as_array_mut().unwrap() {
        turn["delay_ms"] = json!(0);
    }
    std::fs::write(root.join("../replay.json"), script.to_string()).unwrap();
}

fn editor(folder: &Path, refuse: usize) -> Editor {
    let root = folder.join("tally");
    lay_out(&root);
    let script = format!("replay:{}", folder.join("replay.json").display());
    let cache = folder.join("cache").display().to_string();
    let environment = [
        ("ORCHESTRATOR_MODEL", script.as_str()),
        ("ORCHESTRATOR_BASE_URL", ""),
        ("ORCHESTRATOR_CACHE_DIR", &cache),
    ];
    let mut client = Client::start_with(&root, &environment);
    let capabilities = json!({
        "window": { "workDoneProgress": true },
        "textDocument": { "hover": { "contentFormat": ["plaintext", "markdown"] } },
        "workspace": { "applyEdit": true, "workspaceEdit": { "documentChanges": true } } });
    client.ask("initialize", json!({ "rootUri": uri(&root), "capabilities": capabilities }));
    client.notify("initialized", json!({}));
    let mut editor = Editor {
        client,
        open: BTreeMap::new(),
        applied: Vec::new(),
        progress: Vec::new(),
        sources: Vec::new(),
        refuse,
    };
    for name in ["src/main.rs", "src/count.rs"] {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        editor.open(&uri(&root.join(name)), format!("{text}{UNSAVED}"));
    }
    editor
}

#[test]
fn open_files_change_in_the_editor_and_closed_ones_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let mut editor = editor(&root, 0);
    let root = root.join("tally");
    let started = editor.client.command("orchestrator.task", json!([GOAL]));
    assert!(started["result"]["mission"].is_string(), "{started}");
    let last = editor.follow();
    assert!(last.starts_with("Mission sealed"), "{last}\n{:?}", editor.sources);

    let (main, count) = (uri(&root.join("src/main.rs")), uri(&root.join("src/count.rs")));
    let both = vec![count.clone(), main.clone()];
    assert_eq!(editor.applied, [both, vec![main.clone()]], "one edit for each acceptance");
    for (name, holds) in [(&main, "options.case"), (&count, "Case::Folded")] {
        let text = &editor.open[name].1;
        assert!(text.contains(holds) && text.ends_with(UNSAVED), "{text}");
    }
    let on_disk = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    assert!(!on_disk("src/main.rs").contains("Case"), "an open file is the editor's to save");
    assert!(on_disk("README.md").contains("--ignore-case"));
    assert!(
        editor.sources.contains(&"\"orchestrator\" \"gate\"".to_owned()),
        "{:?}",
        editor.sources
    );
    assert_eq!(editor.progress.first().map(String::as_str), Some("begin"));

    let changes = editor.client.command("orchestrator.change.show", json!([]));
    assert_eq!(changes["result"]["changes"].as_array().unwrap().len(), 3, "{changes}");
    the_plan_explains_itself(&mut editor.client, &root);
    assert_eq!(editor.client.leave(), 0);
}

/// What was proved of a task is said at its line, and the lens says what all of it came to.
fn the_plan_explains_itself(client: &mut Client, root: &Path) {
    let plan = root.join(".opencode/todo.md");
    let text = std::fs::read_to_string(&plan).unwrap();
    client.open(&uri(&plan), &text);
    let document = json!({ "uri": uri(&plan) });
    let lenses = client.ask("textDocument/codeLens", json!({ "textDocument": document }));
    let title = lenses["result"][0]["command"]["title"].as_str().unwrap();
    assert!(title.contains(" · sealed · ") && title.contains(" requests, "), "{title}");
    let mut said = Vec::new();
    for (line, content) in text.lines().enumerate().filter(|(_, line)| line.starts_with("### ")) {
        let at = json!({ "line": line, "character": 5 });
        let params = json!({ "textDocument": document, "position": at });
        let hover = client.ask("textDocument/hover", params);
        assert_eq!(hover["result"]["range"]["start"]["line"], line);
        let value = hover["result"]["contents"]["value"].as_str().unwrap().to_owned();
        let id = content.trim_start_matches("### ").split(':').next().unwrap();
        assert!(value.starts_with(&format!("**{id}: ")), "{value}");
        said.push(value);
    }
    let all = said.join("\n");
    assert!(all.contains("change 1: ") && all.contains("README.md"), "{all}");
}

#[test]
fn an_edit_that_the_editor_refuses_once_is_proved_again_and_lands_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let mut editor = editor(&root, 1);
    editor.client.command("orchestrator.task", json!([GOAL]));
    let last = editor.follow();
    assert!(last.starts_with("Mission sealed"), "{last}\n{:?}", editor.sources);
    assert_eq!((editor.refuse, editor.applied.len()), (0, 2));
    assert_eq!(editor.client.leave(), 0);
}

/// Takes a change back and says what the story tells of it.
fn take_back(client: &mut Client, arguments: Value) -> String {
    let told = |client: &mut Client| {
        let status = client.command("orchestrator.status", json!([]));
        status["result"]["missions"][0]["story"].as_array().unwrap().last().unwrap().clone()
    };
    let before = told(client)["number"].clone();
    let answer = client.command("orchestrator.change.undo", arguments);
    assert!(answer["result"]["receipt"].is_number(), "{answer}");
    for _ in 0..2_000 {
        let line = told(client);
        if line["number"] != before {
            return line["text"].as_str().unwrap().to_owned();
        }
        std::thread::yield_now();
    }
    panic!("nothing came of {answer}");
}

#[test]
fn accepted_changes_are_taken_back_newest_first_and_never_over_an_edit() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let mut editor = editor(&root, 0);
    let root = root.join("tally");
    for name in ["src/main.rs", "src/count.rs"] {
        let document = json!({"textDocument": {"uri": uri(&root.join(name))}});
        editor.client.notify("textDocument/didClose", document);
    }
    let files = ["README.md", "src/count.rs", "src/main.rs", "src/options.rs", "src/report.rs"];
    let bytes = || files.map(|name| std::fs::read(root.join(name)).unwrap());
    let before = bytes();
    editor.client.command("orchestrator.task", json!([GOAL]));
    assert!(editor.follow().starts_with("Mission sealed"));
    let after = bytes();
    assert!(before != after);

    std::fs::write(root.join("README.md"), "mine").unwrap();
    let refused = take_back(&mut editor.client, json!([]));
    assert!(refused.contains("was not taken back") && refused.contains("README.md"), "{refused}");
    assert_eq!(std::fs::read(root.join("src/options.rs")).unwrap(), after[3], "all or nothing");
    std::fs::write(root.join("README.md"), &after[0]).unwrap();
    for _ in 0..3 {
        let line = take_back(&mut editor.client, json!([]));
        assert!(line.contains("was taken back"), "{line}");
    }
    assert!(bytes() == before, "byte for byte");
    let nothing = editor.client.command("orchestrator.change.undo", json!([]));
    assert!(nothing["error"]["message"].as_str().unwrap().contains("nothing"), "{nothing}");
}
