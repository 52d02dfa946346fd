//! Typing and accepted changes, interleaved at random: an editor in small at the other end of a real session, with both
//! directions delayed as they like. No keystroke is lost, an accepted change lands on the text that it was made for or
//! not at all, and the server's picture of the text is the editor's once all is told.

use std::collections::VecDeque;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tower_lsp::lsp_types::{TextDocumentContentChangeEvent, TextEdit, Uri};

use super::editor::OpenEditor;
use super::editor::tests::{URI, session_with};
use super::text::{Encoding, Lines};
use crate::mission::simulation::Dice;
use crate::runtime::{Editor, VersionedEdit};
use crate::wire::{Id, Response};
use crate::workspace::{BaseTexts, Change, ChangeSet, Edit, FileText, ReadError, RelPath, resolve};

const FILE: &str = "src/a.rs";
const CHANGES: usize = 3;
const LINES: usize = 30;

/// One of so many places.
fn one_of(dice: &mut Dice, count: usize) -> usize {
    dice.roll(count as u64) as usize
}

/// What the editor tells the server, in order.
enum Told {
    Change { version: i32, change: TextDocumentContentChangeEvent },
    Answer { id: i64, applied: bool },
}

/// An editor with one open document, and a person who types in it.
struct Typist {
    text: String,
    version: i32,
    encoding: Encoding,
    told: VecDeque<Told>,
    /// Keystrokes so far, each a character that nobody else has.
    typed: u32,
    applied: usize,
    refused: usize,
}

fn is_keystroke(c: char) -> bool {
    ('\u{E000}'..='\u{F8FF}').contains(&c)
}

fn keystrokes(text: &str) -> String {
    let mut all: Vec<char> = text.chars().filter(|c| is_keystroke(*c)).collect();
    all.sort_unstable();
    all.into_iter().collect()
}

impl Typist {
    /// The places between characters; a line end has none inside.
    fn places(&self) -> Vec<usize> {
        let text = &self.text;
        let whole = |at: &usize| !(text[..*at].ends_with('\r') && text[*at..].starts_with('\n'));
        let places = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        places.filter(whole).collect()
    }

    fn change(&mut self, start: usize, end: usize, new: &str) {
        let range = Some(Lines::new(&self.text, self.encoding).range(start, end));
        self.text.replace_range(start..end, new);
        self.version += 1;
        let change =
            TextDocumentContentChangeEvent { range, range_length: None, text: new.to_owned() };
        self.told.push_back(Told::Change { version: self.version, change });
    }

    fn types(&mut self, dice: &mut Dice) {
        let places = self.places();
        let at = places[one_of(dice, places.len())];
        // Now and then a character of the file is taken away, never a keystroke.
        let next = places.iter().find(|place| **place > at).copied();
        if let Some(next) = next.filter(|_| dice.once_in(4))
            && !self.text[at..next].contains(is_keystroke)
        {
            return self.change(at, next, "");
        }
        let key = char::from_u32(0xE000 + self.typed).unwrap();
        self.typed += 1;
        self.change(at, at, &key.to_string());
    }

    /// Takes the server's edit, where it is for the text that there is.
    fn takes(&mut self, request: &Value, wanted: &str) {
        let id = request["id"].as_i64().unwrap();
        let file = &request["params"]["edit"]["documentChanges"][0];
        if file["textDocument"]["version"] != self.version {
            self.refused += 1;
            return self.told.push_back(Told::Answer { id, applied: false });
        }
        let edits: Vec<TextEdit> = serde_json::from_value(file["edits"].clone()).unwrap();
        let before = keystrokes(&self.text);
        let lines = Lines::new(&self.text, self.encoding);
        let mut text = self.text.clone();
        for edit in edits.iter().rev() {
            let (start, end) = (lines.offset(edit.range.start), lines.offset(edit.range.end));
            text.replace_range(start..end, &edit.new_text);
        }
        assert_eq!(text, wanted, "what was accepted is what lands");
        assert_eq!(keystrokes(&text), before, "no keystroke is lost");
        self.text = text.clone();
        self.version += 1;
        self.applied += 1;
        let change = TextDocumentContentChangeEvent { range: None, range_length: None, text };
        self.told.push_back(Told::Change { version: self.version, change });
        self.told.push_back(Told::Answer { id, applied: true });
        if self.version % 2 == 0 {
            // Some editors answer first.
            let last = self.told.len() - 1;
            self.told.swap(last - 1, last);
        }
    }
}

/// The file as the server knows it.
struct Base<'a>(&'a str);

impl BaseTexts for Base<'_> {
    fn read(&self, _: &RelPath) -> Result<Option<FileText>, ReadError> {
        Ok(Some(FileText::new(self.0.to_owned())))
    }

    fn twin(&self, _: &RelPath) -> Option<RelPath> {
        None
    }
}

fn line(number: usize) -> String {
    format!("line {number} é😀 {}", "x".repeat(number))
}

/// What a Worker wants of a line, whatever is typed elsewhere; `None` where the line is no longer there.
fn worker(number: usize, text: &str) -> Option<String> {
    let new = format!("LINE {number} 𝄞\nand one more");
    let edits = vec![Edit::Text { old: line(number), new }];
    let path = RelPath::new(FILE).unwrap();
    let change = ChangeSet { changes: vec![Change::Edit { path, edits }] };
    resolve(&change, &Base(text)).ok()?.files.pop()?.result
}

/// What became of the changes of one run: applied, refused for a text that went on, given up.
#[derive(Debug, Default)]
struct Came {
    applied: usize,
    refused: usize,
    given_up: usize,
}

fn run(seed: u64) -> Came {
    let mut dice = Dice::new(seed);
    let (name, encoding) =
        [("utf-8", Encoding::Utf8), ("utf-16", Encoding::Utf16), ("utf-32", Encoding::Utf32)]
            [one_of(&mut dice, 3)];
    let end = ["\n", "\r\n"][one_of(&mut dice, 2)];
    let text: String = (0..LINES).map(|number| line(number) + end).collect();
    let capabilities = json!({ "general": { "positionEncodings": [name] }, "workspace": {
        "applyEdit": true, "workspaceEdit": { "documentChanges": true } } });
    let session = session_with(capabilities, 1, &text);
    let (uri, path): (Uri, _) = (URI.parse().unwrap(), RelPath::new(FILE).unwrap());
    let editor = OpenEditor::new(&session);
    let (told, version) = (VecDeque::new(), 1);
    let mut typist = Typist { text, version, encoding, told, typed: 0, applied: 0, refused: 0 };
    let mut wanted = String::new();
    let mut applying: Option<BoxFuture<'_, Result<(), String>>> = None;
    let mut requests: VecDeque<Value> = VecDeque::new();
    let (mut open, mut given_up, mut keys) = (CHANGES, 0, 12 + dice.roll(20));
    while open > 0 || applying.is_some() || !requests.is_empty() || !typist.told.is_empty() {
        match dice.roll(6) {
            0 | 1 if keys > 0 => {
                keys -= 1;
                typist.types(&mut dice);
            }
            2 => match typist.told.pop_front() {
                Some(Told::Change { version, change }) => {
                    assert!(session.documents.change(&uri, version, vec![change], encoding));
                }
                Some(Told::Answer { id, applied }) => {
                    let outcome = Ok(json!({ "applied": applied }));
                    session.peer.settle(Response { id: Some(Id::Number(id)), outcome });
                }
                None => {}
            },
            3 => {
                if let Some(request) = requests.pop_front() {
                    typist.takes(&request, &wanted);
                }
            }
            4 if applying.is_none() && open > 0 => {
                let known = editor.open_texts().remove(&path).unwrap();
                match worker(2 * open - 1, &known.text) {
                    Some(after) => {
                        wanted.clone_from(&after);
                        let (path, version) = (path.clone(), known.version);
                        let edit = VersionedEdit { path, version, before: known.text, after };
                        // It is polled more often than a task that yields would be.
                        let apply = tokio::task::unconstrained(editor.apply(vec![edit]));
                        applying = Some(apply.boxed());
                    }
                    None => {
                        // Somebody typed into its very line.
                        open -= 1;
                        given_up += 1;
                    }
                }
            }
            _ => {
                if let Some(waiting) = &mut applying
                    && let Some(done) = waiting.now_or_never()
                {
                    applying = None;
                    open -= usize::from(done.is_ok());
                }
                let batch = tokio::task::unconstrained(session.peer.outbox().next_batch());
                let sent = batch.now_or_never().flatten();
                let read = |body: Vec<u8>| serde_json::from_slice(&body).unwrap();
                requests.extend(sent.into_iter().flatten().map(read));
            }
        }
    }
    let known = session.documents.get(&uri).unwrap();
    assert_eq!(*known.text, typist.text, "the server knows what the editor shows");
    assert_eq!(known.version, typist.version);
    assert_eq!(keystrokes(&typist.text).chars().count() as u32, typist.typed);
    assert_eq!(typist.applied + given_up, CHANGES, "each change lands once, or is given up");
    Came { applied: typist.applied, refused: typist.refused, given_up }
}

fn runs(seeds: std::ops::Range<u64>) {
    let mut all = Came::default();
    for seed in seeds {
        let came = run(seed);
        all.applied += came.applied;
        all.refused += came.refused;
        all.given_up += came.given_up;
    }
    let each = [all.applied, all.refused, all.given_up];
    assert!(each.iter().all(|count| *count > 1_000), "each of them was met: {all:?}");
}

#[tokio::test]
async fn no_keystroke_is_lost_in_five_thousand_interleavings() {
    runs(0..5_000);
}

#[tokio::test]
#[ignore = "a hundred thousand of them, by hand"]
async fn no_keystroke_is_lost_in_a_hundred_thousand_interleavings() {
    runs(0..100_000);
}
