//! The editor as the runtime sees it: the unsaved texts, and accepted changes to them as one undoable edit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tower_lsp::lsp_types::request::ApplyWorkspaceEdit;
use tower_lsp::lsp_types::{
    AnnotatedTextEdit, ApplyWorkspaceEditParams, ChangeAnnotation, DocumentChanges, OneOf,
    OptionalVersionedTextDocumentIdentifier, TextDocumentEdit, TextEdit, WorkspaceEdit,
};

use super::documents::Document;
use super::hunks;
use super::session::Session;
use crate::runtime::{Editor, VersionedEdit};
use crate::workspace::merge::merge;
use crate::workspace::{OpenText, OpenTexts, RelPath};

/// How long the editor may take to apply an edit.
const APPLY_LIMIT: Duration = Duration::from_secs(15);
/// How long it may take to report the new text after it said that it applied the edit.
const ECHO_LIMIT: Duration = Duration::from_secs(10);

/// The documents of one session.
pub struct OpenEditor {
    // The session holds the runtime, which holds the editor.
    session: Weak<Session>,
}

impl OpenEditor {
    /// The editor at the other end of `session`.
    pub fn new(session: &Arc<Session>) -> OpenEditor {
        OpenEditor { session: Arc::downgrade(session) }
    }
}

impl Editor for OpenEditor {
    fn open_texts(&self) -> OpenTexts {
        let Some(session) = self.session.upgrade() else { return OpenTexts::new() };
        let open = open_files(&session).into_iter();
        open.map(|(path, document)| {
            (path, OpenText { version: document.version, text: document.text.to_string() })
        })
        .collect()
    }

    fn revision(&self) -> u64 {
        self.session.upgrade().map_or(0, |session| session.documents.revision())
    }

    fn apply(&self, edits: Vec<VersionedEdit>) -> BoxFuture<'_, Result<(), String>> {
        let session = self.session.upgrade();
        async move {
            let session = session.ok_or("the editor has gone")?;
            apply(&session, edits).await
        }
        .boxed()
    }
}

/// The label of our edits.
const ANNOTATION: &str = "orchestrator";

fn open_files(session: &Session) -> BTreeMap<RelPath, Document> {
    let Some(root) = session.root() else { return BTreeMap::new() };
    let documents = session.documents.all().into_iter();
    documents.filter_map(|document| Some((root.rel(&document.uri)?, document))).collect()
}

async fn apply(session: &Session, edits: Vec<VersionedEdit>) -> Result<(), String> {
    if !session.client().apply_edit {
        return Err(
            "this editor takes no edits from a server; close the files and try again".into()
        );
    }
    let mut wanted = Vec::new();
    let mut open = open_files(session);
    for edit in edits {
        let document =
            open.remove(&edit.path).ok_or_else(|| format!("{} was closed", edit.path))?;
        if document.version != edit.version || *document.text != *edit.before {
            return Err(format!("{} was changed in the editor", edit.path));
        }
        wanted.push((document, edit.after));
    }
    let params = ApplyWorkspaceEditParams {
        label: Some("Orchestrator".to_owned()),
        edit: workspace_edit(session, &wanted),
    };
    let answer = session.peer.request::<ApplyWorkspaceEdit>(&params, APPLY_LIMIT).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if !answer.applied {
        let reason = answer.failure_reason.unwrap_or_else(|| "it gave no reason".into());
        return Err(format!("the editor did not apply the change: {reason}"));
    }
    if tokio::time::timeout(ECHO_LIMIT, echoed(session, &wanted)).await.is_err() {
        tracing::warn!("the editor applied a change, but its text is not the accepted one");
    }
    let lost = wanted.iter().find(|(document, text)| is_lost(session, document, text));
    lost.map_or(Ok(()), |(document, _)| {
        Err(format!("the editor dropped the edit of {}", document.uri.as_str()))
    })
}

/// One edit for all files. Where the client can, each names its version, so that text typed meanwhile wins.
fn workspace_edit(session: &Session, wanted: &[(Document, String)]) -> WorkspaceEdit {
    let encoding = session.client().encoding;
    let hunks = |document: &Document, text: &str| hunks::edits(&document.text, text, encoding);
    if session.client().versioned_edits {
        let edits = wanted.iter().map(|(document, text)| TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier {
                uri: document.uri.clone(),
                version: Some(document.version),
            },
            edits: hunks(document, text).into_iter().map(|edit| labelled(session, edit)).collect(),
        });
        let document_changes = Some(DocumentChanges::Edits(edits.collect()));
        let change_annotations = session.client().annotations.then(|| {
            let label = "Orchestrator: proved by the gate".to_owned();
            let annotation =
                ChangeAnnotation { label, needs_confirmation: Some(false), description: None };
            HashMap::from([(ANNOTATION.to_owned(), annotation)])
        });
        return WorkspaceEdit { document_changes, change_annotations, ..WorkspaceEdit::default() };
    }
    #[expect(clippy::mutable_key_type, reason = "the protocol type is a map by URI")]
    let changes: HashMap<_, Vec<TextEdit>> = wanted
        .iter()
        .map(|(document, text)| (document.uri.clone(), hunks(document, text)))
        .collect();
    WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
}

/// The edit, with its label where the client shows such.
fn labelled(session: &Session, edit: TextEdit) -> OneOf<TextEdit, AnnotatedTextEdit> {
    match session.client().annotations {
        true => OneOf::Right(AnnotatedTextEdit {
            text_edit: edit,
            annotation_id: ANNOTATION.to_owned(),
        }),
        false => OneOf::Left(edit),
    }
}

/// Whether the text went on without the edit, whatever the client said of it: what was typed since, and the edit, would
/// make another text. Where both touch the same lines it cannot be told, and the client's word counts.
fn is_lost(session: &Session, document: &Document, text: &str) -> bool {
    let Some(now) = session.documents.get(&document.uri) else { return false };
    if now.version == document.version || *now.text == *text {
        return false;
    }
    let merged = merge(&document.text, &now.text, text);
    if !merged.left.is_empty() || merged.text == *now.text {
        return false;
    }
    // Lines that only the edit brings: where one of them is there, it was applied.
    let (before, after): (HashSet<&str>, HashSet<&str>) =
        (document.text.lines().collect(), now.text.lines().collect());
    let brought: Vec<&str> = text.lines().filter(|line| !before.contains(line)).collect();
    !brought.is_empty() && !brought.iter().any(|line| after.contains(line))
}

/// Completes when the client has told us the texts that we asked for.
async fn echoed(session: &Session, wanted: &[(Document, String)]) {
    let mut changes = session.documents.changes();
    let is_there = |(document, text): &(Document, String)| {
        // Where the client checks versions, a later one has the edit in it, whatever was typed since.
        let is_later = |now: i32| session.client().versioned_edits && now > document.version;
        let now = session.documents.get(&document.uri);
        now.is_some_and(|now| *now.text == **text || is_later(now.version))
    };
    while !wanted.iter().all(is_there) {
        if changes.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::server::client::Client;
    use crate::server::peer::Peer;
    use crate::wire::{Id, Response};

    pub const URI: &str = "file:///w/src/a.rs";

    /// A session with such a client, which has one document open.
    pub fn session_with(capabilities: Value, version: i32, text: &str) -> Arc<Session> {
        let session = Session::new(Peer::default(), Arc::new(|_, _, _| Err("none".into())));
        let params = json!({ "rootUri": "file:///w", "capabilities": capabilities });
        session.introduce(Client::read(&params), Some("/w".into()));
        session.documents.open(URI.parse().unwrap(), version, text.into());
        Arc::new(session)
    }

    fn session(versioned: bool) -> Arc<Session> {
        let capabilities = json!({ "workspace": {
            "applyEdit": true, "workspaceEdit": { "documentChanges": versioned } } });
        session_with(capabilities, 4, "one\ntwo\n")
    }

    fn edit(version: i32) -> Vec<VersionedEdit> {
        let path = RelPath::new("src/a.rs").unwrap();
        let (before, after) = ("one\ntwo\n".to_owned(), "one\n2\n".to_owned());
        vec![VersionedEdit { path, version, before, after }]
    }

    /// What the client was sent, as one text.
    async fn sent(session: &Session) -> String {
        session.peer.outbox().close();
        let mut bytes = Vec::new();
        session.peer.outbox().clone().write_to(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }

    fn answer(session: &Session, result: Value) {
        session.peer.settle(Response { id: Some(Id::Number(1)), outcome: Ok(result) });
    }

    #[tokio::test]
    async fn an_open_file_is_changed_by_one_versioned_edit() {
        let session = session(true);
        let editor = OpenEditor::new(&session);
        assert_eq!(editor.open_texts()[&RelPath::new("src/a.rs").unwrap()].version, 4);
        let applied = editor.apply(edit(4));
        tokio::pin!(applied);
        assert!(futures_util::poll!(&mut applied).is_pending());
        answer(&session, json!({ "applied": true }));
        // It waits until the editor has told the new text.
        assert!(futures_util::poll!(&mut applied).is_pending());
        let change = tower_lsp::lsp_types::TextDocumentContentChangeEvent {
            range: None,
            range_length: None,
            text: "one\n2\n".into(),
        };
        let encoding = session.client().encoding;
        session.documents.change(&URI.parse().unwrap(), 5, vec![change], encoding);
        assert_eq!(applied.await, Ok(()));
        let sent = sent(&session).await;
        assert!(sent.contains(r#""documentChanges":[{"edits":[{"newText":"2""#), "{sent}");
        assert!(sent.contains(r#""version":4"#), "{sent}");
    }

    #[tokio::test]
    async fn an_edit_has_a_label_where_it_is_shown() {
        let session = session_with(
            json!({ "workspace": { "applyEdit": true, "workspaceEdit": {
                "documentChanges": true, "changeAnnotationSupport": {} } } }),
            4,
            "one\ntwo\n",
        );
        let editor = OpenEditor::new(&session);
        let applied = editor.apply(edit(4));
        tokio::pin!(applied);
        assert!(futures_util::poll!(&mut applied).is_pending());
        let sent = sent(&session).await;
        assert!(sent.contains(r#""changeAnnotations":{"orchestrator":{"label":"#), "{sent}");
        assert!(sent.contains(r#""annotationId":"orchestrator""#), "{sent}");
    }

    #[tokio::test]
    async fn a_text_that_went_on_is_left_alone() {
        let session = session(true);
        let editor = OpenEditor::new(&session);
        assert!(editor.apply(edit(3)).await.unwrap_err().contains("was changed in the editor"));
        session.documents.close(&URI.parse().unwrap());
        assert!(editor.apply(edit(4)).await.unwrap_err().contains("was closed"));
        assert_eq!(sent(&session).await, "");
    }

    #[tokio::test]
    async fn an_edit_that_the_editor_says_to_have_applied_and_dropped_is_no_success() {
        for (typed, lands) in
            [("mine\none\ntwo\n", false), ("mine\none\n2\n", true), ("one\n22\n", true)]
        {
            let session = session(true);
            let editor = OpenEditor::new(&session);
            let applied = editor.apply(edit(4));
            tokio::pin!(applied);
            assert!(futures_util::poll!(&mut applied).is_pending());
            let change = tower_lsp::lsp_types::TextDocumentContentChangeEvent {
                range: None,
                range_length: None,
                text: typed.into(),
            };
            let encoding = session.client().encoding;
            session.documents.change(&URI.parse().unwrap(), 6, vec![change], encoding);
            answer(&session, json!({ "applied": true }));
            assert_eq!(applied.await.is_ok(), lands, "{typed}");
        }
    }

    #[tokio::test]
    async fn a_refusal_names_its_reason() {
        let session = session(false);
        let editor = OpenEditor::new(&session);
        let applied = editor.apply(edit(4));
        tokio::pin!(applied);
        assert!(futures_util::poll!(&mut applied).is_pending());
        answer(&session, json!({ "applied": false, "failureReason": "read-only" }));
        assert!(applied.await.unwrap_err().ends_with("read-only"));
        assert!(sent(&session).await.contains(r#""changes":{"file:///w/src/a.rs""#));
    }
}
