//! The command line (stands in until it lands): `orchestrator lsp`.

use std::process::ExitCode;
use std::sync::Arc;

use orchestrator_lsp::{runtime, server};

fn main() -> ExitCode {
    let Ok(threads) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    let connect: server::Connect = Box::new(|root, editor| {
        let settings = runtime::Settings::load().map_err(|error| error.to_string())?;
        runtime::Handle::open(root, settings, Some(editor)).map_err(|error| error.to_string())
    });
    let doctor: server::Doctor = Arc::new(|_| "nothing is examined yet".to_owned());
    let session = server::serve(connect, doctor, tokio::io::stdin(), tokio::io::stdout());
    let end = threads.block_on(session);
    // A read of standard input may still be waiting; it must not keep the process.
    threads.shutdown_background();
    ExitCode::from(end.code())
}
