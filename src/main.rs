//! `orchestrator`: the binary. It hands over to the command line at once.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator_lsp::cli::main()
}
