//! `orchestrator mcp`: the gate, the plan and missions for other agents (Model Context Protocol).

use std::path::Path;
use std::time::Duration;

use super::{CliError, environment};
use crate::mcp;

pub(super) fn serve(root: &Path) -> Result<u8, CliError> {
    let tokio = tokio::runtime::Runtime::new().map_err(environment)?;
    tokio.block_on(mcp::serve(root, tokio::io::stdin(), tokio::io::stdout()));
    // What is under way is dropped, and its children end with it; a read of standard input that still waits keeps nothing.
    tokio.shutdown_timeout(Duration::from_secs(2));
    Ok(0)
}
