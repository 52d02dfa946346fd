//! The documents that are open in the editor: their text is the truth, not the disk's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tower_lsp::lsp_types::{TextDocumentContentChangeEvent, Uri};

use super::text::{Encoding, Lines};

/// One open document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// As the client spells it.
    pub uri: Uri,
    /// The version of the text, as the client counts.
    pub version: i32,
    /// The text, unsaved changes included.
    pub text: Arc<str>,
}

/// All open documents. Each call takes a short lock and none waits.
#[derive(Debug, Default)]
pub struct Documents {
    open: Mutex<HashMap<Uri, Document>>,
    changed: watch::Sender<()>,
    revision: AtomicU64,
}

impl Documents {
    /// Adds a document, or replaces it when the client opens it again.
    pub fn open(&self, uri: Uri, version: i32, text: String) {
        let document = Document { uri: uri.clone(), version, text: text.into() };
        self.lock().insert(uri, document);
        self.revise();
    }

    /// Applies the client's changes, in order. `false` when the document is not open.
    pub fn change(
        &self,
        uri: &Uri,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
        encoding: Encoding,
    ) -> bool {
        let mut open = self.lock();
        let Some(document) = open.get_mut(uri) else {
            return false;
        };
        let mut text = document.text.to_string();
        for change in changes {
            text = apply(text, change, encoding);
        }
        document.text = text.into();
        document.version = version;
        drop(open);
        self.revise();
        true
    }

    /// Removes a document.
    pub fn close(&self, uri: &Uri) {
        self.lock().remove(uri);
        self.revise();
    }

    /// A number that changes with every change of what is open.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    fn revise(&self) {
        self.revision.fetch_add(1, Ordering::Release);
        self.changed.send_replace(());
    }

    /// The document of `uri`, if it is open.
    pub fn get(&self, uri: &Uri) -> Option<Document> {
        self.lock().get(uri).cloned()
    }

    /// All open documents, in no order.
    pub fn all(&self) -> Vec<Document> {
        self.lock().values().cloned().collect()
    }

    /// Told of every change of a text.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uri, Document>> {
        // A change is made on a copy and put in place whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn apply(text: String, change: TextDocumentContentChangeEvent, encoding: Encoding) -> String {
    let Some(range) = change.range else {
        return change.text;
    };
    let lines = Lines::new(&text, encoding);
    let (start, end) = (lines.offset(range.start), lines.offset(range.end));
    let mut text = text;
    text.replace_range(start.min(end)..end.max(start), &change.text);
    text
}

#[cfg(test)]
mod tests {
    use tower_lsp::lsp_types::{Position, Range};

    use super::*;

    fn change(start: (u32, u32), end: (u32, u32), text: &str) -> TextDocumentContentChangeEvent {
        let range = Range::new(Position::new(start.0, start.1), Position::new(end.0, end.1));
        TextDocumentContentChangeEvent {
            range: Some(range),
            range_length: None,
            text: text.to_owned(),
        }
    }

    #[test]
    fn changes_apply_one_after_the_other() {
        let documents = Documents::default();
        let uri: Uri = "file:///a.rs".parse().unwrap();
        documents.open(uri.clone(), 1, "😀 one\ntwo\n".into());
        let changes = vec![
            change((0, 3), (0, 6), "1"),
            change((0, 4), (1, 0), ""),
            change((0, 99), (99, 0), "!"),
            change((0, 2), (0, 2), "ü"),
        ];
        assert!(documents.change(&uri, 2, changes, Encoding::Utf16));
        let document = documents.get(&uri).unwrap();
        assert_eq!((&*document.text, document.version), ("😀ü 1two!", 2));
        let whole =
            TextDocumentContentChangeEvent { range: None, range_length: None, text: "x".into() };
        assert!(documents.change(&uri, 3, vec![whole], Encoding::Utf8));
        assert_eq!(&*documents.get(&uri).unwrap().text, "x");
        documents.close(&uri);
        assert!(!documents.change(&uri, 4, vec![], Encoding::Utf8));
    }
}
