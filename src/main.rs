//! The command line (stands in until it lands): `orchestrator lsp`.

use std::process::ExitCode;
use std::sync::Arc;

use orchestrator_lsp::{runtime, server};

fn main() -> ExitCode {
    let Ok(threads) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    let connect = Box::new(|_: &std::path::Path, _| Ok(runtime::Handle::stand_in()));
    let doctor: server::Doctor = Arc::new(|_| "nothing is examined yet".to_owned());
    let session = server::serve(connect, doctor, tokio::io::stdin(), tokio::io::stdout());
    let end = threads.block_on(session);
    // A read of standard input may still be waiting; it must not keep the process.
    threads.shutdown_background();
    ExitCode::from(end.code())
}
