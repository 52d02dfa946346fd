//! An editor with one open file: a person types in it, and it takes the server's edits.

use std::path::Path;

use orchestrator_lsp::server::text::{Encoding, Lines};
use serde_json::json;
use tower_lsp::lsp_types::TextEdit;

use super::client::{Client, uri};

pub struct Editor {
    pub client: Client,
    pub uri: String,
    pub text: String,
    version: i64,
}

impl Editor {
    /// Opens a file in it.
    pub fn open(mut client: Client, path: &Path) -> Editor {
        let (uri, text) = (uri(path), std::fs::read_to_string(path).unwrap());
        client.open(&uri, &text);
        Editor { client, uri, text, version: 1 }
    }

    /// A person replaces a text that stands there.
    pub fn types(&mut self, old: &str, new: &str) {
        assert!(self.text.contains(old), "{}", self.text);
        self.text = self.text.replace(old, new);
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        let changes = json!([{ "text": self.text }]);
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.client.notify("textDocument/didChange", params);
    }

    /// Takes the server's edit of the one open file.
    pub fn takes_edit(&mut self) {
        let request = self.client.wait_method("workspace/applyEdit");
        let changes = request["params"]["edit"]["documentChanges"].as_array().unwrap();
        assert_eq!(changes.len(), 1, "{request}");
        assert_eq!(changes[0]["textDocument"]["version"], self.version, "{request}");
        let edits: Vec<TextEdit> = serde_json::from_value(changes[0]["edits"].clone()).unwrap();
        let mut changed = self.text.clone();
        for edit in edits.iter().rev() {
            let lines = Lines::new(&self.text, Encoding::Utf16);
            let (start, end) = (lines.offset(edit.range.start), lines.offset(edit.range.end));
            changed.replace_range(start..end, &edit.new_text);
        }
        let old = self.text.clone();
        self.types(&old, &changed);
        self.client.answer(&request, json!({ "applied": true }));
    }
}
