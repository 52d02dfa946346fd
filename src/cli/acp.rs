//! `orchestrator acp`: an agent for the panels of editors that speak the Agent Client Protocol.

use std::sync::Arc;

use super::{CliError, environment, lsp};
use crate::acp;

pub(super) fn serve() -> Result<u8, CliError> {
    let tokio = tokio::runtime::Runtime::new().map_err(environment)?;
    let connect: acp::Connect = Arc::new(|root, editor| lsp::open(root, editor, None));
    let end = tokio.block_on(acp::serve(connect, tokio::io::stdin(), tokio::io::stdout()));
    // A read of standard input may still be waiting; it must not keep the process.
    tokio.shutdown_background();
    Ok(end.code())
}
