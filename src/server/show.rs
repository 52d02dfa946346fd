//! Opens documents in the editor (`window/showDocument`), and tells it which documents are ours. Nobody waits for either.

use std::time::Duration;

use serde_json::json;
use tower_lsp::lsp_types::request::{RegisterCapability, Request, ShowDocument};
use tower_lsp::lsp_types::{Registration, RegistrationParams, ShowDocumentParams, Uri};

use super::changes::{Content, SCHEME};
use super::session::Session;
use super::todo::TODO_PATH;
use crate::mission::MissionId;
use crate::workspace::RelPath;

/// How long an answer is waited for, which nobody needs.
const LIMIT: Duration = Duration::from_secs(10);

/// Announces the documents that the client can ask the text of. It has to be able to: the protocol has no other way that
/// clients of today know.
pub fn announce(session: &Session) {
    if !session.client().contents {
        return;
    }
    let method = "workspace/textDocumentContent".to_owned();
    let register_options = Some(json!({ "schemes": [SCHEME] }));
    let registration = Registration { id: method.clone(), method, register_options };
    let params = RegistrationParams { registrations: vec![registration] };
    send::<RegisterCapability>(session, &params, "does not show documents of ours");
}

/// Shows a change as a diff, where the client can.
pub fn change(session: &Session, mission: &MissionId, receipt: u64) {
    content(session, &Content::Diff { mission: mission.clone(), receipt });
}

/// Shows a change that waits with a question, where the client can.
pub fn waiting(session: &Session, mission: &MissionId, question: u32) {
    content(session, &Content::Waiting { mission: mission.clone(), question });
}

fn content(session: &Session, content: &Content) {
    if let Some(uri) = content.uri().filter(|_| session.client().contents) {
        open(session, uri);
    }
}

/// Shows the plan, where the client can.
pub fn plan(session: &Session) {
    let path = RelPath::new(TODO_PATH).ok();
    let uri = session.root().zip(path).and_then(|(root, path)| root.uri(&path));
    if let Some(uri) = uri {
        open(session, uri);
    }
}

fn open(session: &Session, uri: Uri) {
    if !session.client().show_document {
        return;
    }
    let params =
        ShowDocumentParams { uri, external: None, take_focus: Some(true), selection: None };
    send::<ShowDocument>(session, &params, "did not show a document");
}

/// Sends a request whose answer nobody needs; `failed` says what the editor then did not do.
fn send<R: Request + 'static>(session: &Session, params: &R::Params, failed: &'static str)
where
    R::Result: Send,
{
    let answer = session.peer.request::<R>(params, LIMIT);
    tokio::spawn(async move {
        if let Err(error) = answer.await {
            tracing::warn!("the editor {failed}: {error}");
        }
    });
}
