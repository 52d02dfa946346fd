//! `orchestrator lsp`: the language server.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{CliError, doctor, environment};
use crate::runtime::{Editor, Handle, Settings};
use crate::server;

/// Flags that editors' client libraries append by themselves.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Speak over standard input and output; this is what happens anyway.
    #[arg(long)]
    stdio: bool,
    /// The client's process; when it is gone, the server ends.
    #[arg(long = "clientProcessId", value_name = "PID")]
    client_process_id: Option<u32>,
}

pub(super) fn serve(args: Args) -> Result<u8, CliError> {
    tracing::debug!(stdio = args.stdio, client = args.client_process_id, "serving");
    let tokio = tokio::runtime::Runtime::new().map_err(environment)?;
    let connect: server::Connect = Arc::new(open);
    let examine: server::Doctor = Arc::new(doctor::report);
    let session = server::serve(connect, examine, tokio::io::stdin(), tokio::io::stdout());
    let end = tokio.block_on(session);
    // A read of standard input may still be waiting; it must not keep the process.
    tokio.shutdown_background();
    Ok(end.code())
}

/// Opens a workspace for the editor that shows it. Blocks.
pub(super) fn open(
    root: &Path,
    editor: Arc<dyn Editor>,
    settings: Option<&Value>,
) -> Result<Handle, String> {
    let settings = Settings::load_under(settings).map_err(|e| e.to_string())?;
    let handle = Handle::open(root, settings, Some(editor)).map_err(|e| e.to_string())?;
    // The first command finds the missions that are there.
    handle.wait_until_read();
    Ok(handle)
}
