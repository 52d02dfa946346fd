//! The face for other agents: the gate, the plan and missions as tools of a server of the Model Context Protocol, on standard
//! input and output (<https://modelcontextprotocol.io/specification/2025-11-25>).
//!
//! It translates and decides nothing. [`face`] alone knows the protocol; [`tools`] is the table of what is offered,
//! [`missions`] and [`gate`] do what is asked, [`shown`] makes bounded answers. What is offered, and how, stands in
//! `docs/mcp.md`.

pub mod face;
pub mod gate;
pub mod missions;
pub mod shown;
pub mod tools;
pub mod workspace;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use workspace::Workspace;

/// How long the missions may take to come to rest after the client's end.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `arguments`, `unknown`, `refused`, `environment`, `unheard`.
    pub kind: &'static str,
    /// What is wrong, and what to do next.
    pub message: String,
}

impl Refusal {
    /// The caller's to mend: what was said cannot be read.
    pub fn arguments(message: impl std::fmt::Display) -> Refusal {
        Refusal { kind: "arguments", message: message.to_string() }
    }

    /// What is named is not there.
    pub fn unknown(message: impl std::fmt::Display) -> Refusal {
        Refusal { kind: "unknown", message: message.to_string() }
    }

    /// The mission does not take it.
    pub fn refused(message: impl std::fmt::Display) -> Refusal {
        Refusal { kind: "refused", message: message.to_string() }
    }

    /// The machine's or the configuration's.
    pub fn environment(message: impl std::fmt::Display) -> Refusal {
        Refusal { kind: "environment", message: message.to_string() }
    }
}

/// Serves one client at the workspace until its input ends, or the system wants this process to end, and stops the runtime:
/// missions that run go on when their workspace is opened again. A read of standard input may still wait when this returns.
pub async fn serve<R, W>(root: &Path, input: R, output: W)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let workspace = Arc::new(Workspace::new(root));
    face::run(&workspace, input, output).await;
    workspace.end(STOP_LIMIT).await;
}
