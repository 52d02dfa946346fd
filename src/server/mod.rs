//! The language-server face: it translates between an editor and the runtime, and decides nothing.
//!
//! [`serve`] is the way in. The message loop is [`transport`]; what is sent goes through [`outbox`]; one file per feature.

pub mod actions;
pub mod anchors;
pub mod approval;
pub mod ask;
pub mod board;
pub mod changes;
pub mod client;
pub mod commands;
mod described;
pub mod diagnostics;
pub mod documents;
pub mod editor;
pub mod face;
mod folders;
pub mod hunks;
#[cfg(test)]
mod interleavings;
mod meetings;
pub mod outbox;
pub mod parent;
pub mod peer;
#[cfg(debug_assertions)]
mod probe;
pub mod progress;
pub mod question;
pub mod raw;
mod refresh;
pub mod root;
pub mod session;
mod show;
pub mod text;
pub mod todo;
pub mod transport;
mod trusted;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_lsp::LspService;

use crate::runtime::{Editor, Handle};
use face::Face;
use folders::Folders;
use transport::End;

/// Makes the runtime of a workspace, once the client has said which, with what the person has set in the editor. Called on a thread that may block, within the
/// asynchronous runtime's context.
pub type Connect =
    Arc<dyn Fn(&Path, Arc<dyn Editor>, Option<&Value>) -> Result<Handle, String> + Send + Sync>;

/// Examines the machine (and the workspace, if one is open) and reports in words. May block.
pub type Doctor = Arc<dyn Fn(Option<&Path>) -> String + Send + Sync>;

/// How long the missions may take to come to rest after the session's end.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Serves one client until its session ends, and stops the runtime. Nothing heavy happens before `initialize` is answered: `connect` is called
/// after `initialized`.
///
/// With the process's own standard streams, leave by `shutdown_background` of the asynchronous runtime (or by exiting the
/// process): a read of standard input that is still waiting cannot be taken back.
pub async fn serve<R, W>(connect: Connect, doctor: Doctor, input: R, output: W) -> End
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let peer = peer::Peer::default();
    let folders = Arc::new(Folders::new(peer.clone(), connect));
    let face = Face::new(Arc::clone(&folders), doctor);
    // What the framework's own client would send is nothing: ours does not wait for a place in a channel.
    let service = LspService::build(|_| face)
        .custom_method("window/workDoneProgress/cancel", Face::cancel_progress)
        .custom_method("$/setTrace", Face::set_trace)
        .custom_method("workspace/textDocumentContent", Face::text_document_content);
    #[cfg(debug_assertions)]
    let service = service
        .custom_method("orchestrator/testPanic", Face::test_panic)
        .custom_method("orchestrator/testAsk", Face::test_ask);
    let (service, _socket) = service.finish();
    let gone = {
        let session = folders.first();
        async move {
            tokio::select! {
                () = session.client_gone() => {}
                () = parent::terminated() => {}
            }
        }
    };
    let end = transport::run(service, peer, input, output, gone).await;
    let sessions = folders.all();
    let stops = sessions.iter().map(|session| session.stop(STOP_LIMIT));
    futures_util::future::join_all(stops).await;
    tracing::info!("the session ended: {end:?}");
    end
}
