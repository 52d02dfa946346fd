//! The face for agent panels: missions over the Agent Client Protocol, version 1, on standard input and output.
//!
//! It translates between a client (Zed, a JetBrains IDE, …) and the runtime, and decides nothing. A session of the protocol
//! is a conversation whose prompts are missions; what belongs to it is told by the missions' ids alone, so that the journal
//! is the only thing that is kept. [`transport`] is the message loop, [`agent`] knows the methods, [`turn`] carries a prompt
//! out, [`shown`] makes updates of what a mission does.
//!
//! The protocol, page by page: <https://agentclientprotocol.com/protocol/v1/overview>, `/transports`, `/initialization`,
//! `/session-setup`, `/prompt-turn`, `/content`, `/tool-calls`, `/agent-plan`, `/session-modes`, `/slash-commands`,
//! `/session-list`, `/file-system`, `/cancellation`. What of it is used, and how, stands in `docs/acp.md`.

pub mod agent;
pub mod content;
pub mod editor;
pub mod prompt;
pub mod question;
pub mod schema;
pub mod session;
pub mod shown;
pub mod transport;
pub mod turn;
pub mod update;
pub mod words;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::runtime::{Editor, Handle};
use crate::server::parent;
use agent::Agent;
pub use transport::End;

/// Opens the runtime of a workspace. Called on a thread that may block, within the asynchronous runtime's context.
pub type Connect = Arc<dyn Fn(&Path, Arc<dyn Editor>) -> Result<Handle, String> + Send + Sync>;

/// How long the missions may take to come to rest after the client's end.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Serves one client until its input ends, and stops the runtimes: missions that run go on when their workspace is opened
/// again. As with the language server, a read of standard input may still wait when this returns.
pub async fn serve<R, W>(connect: Connect, input: R, output: W) -> End
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let agent = Arc::new(Agent::new(connect));
    let end = transport::run(&agent, input, output, parent::terminated()).await;
    agent.stop(STOP_LIMIT).await;
    tracing::info!("the client has gone: {end:?}");
    end
}
