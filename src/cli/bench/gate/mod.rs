//! `orchestrator bench gate`: how well and how fast the gate tells sound edits from broken ones, on any repository.
//!
//! Edits are derived from a seed, the project's own compiler is the oracle, and everything happens in copies.

mod commits;
mod copy;
mod edits;
mod memory;
mod oracle;
pub(super) mod random;
mod row;
mod run;
mod speed;
mod table;

use std::path::PathBuf;

use super::super::{CliError, asynchronously, environment, root};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A Rust or TypeScript repository (default: the current folder). It is only read.
    #[arg(long, value_name = "FOLDER")]
    repo: Option<PathBuf>,
    /// The same seed makes the same edits.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Edits of each class that is to be refused.
    #[arg(long, default_value_t = 4)]
    edits: usize,
    /// Sound edits, of all classes together.
    #[arg(long, default_value_t = 45)]
    sound: usize,
    /// Real commits to replay, newest first.
    #[arg(long, default_value_t = 0)]
    commits: usize,
    /// Only these classes, or one edit of them: `typo,secret`, `typo#3`, `commit#1a2b3c`.
    #[arg(long, value_name = "CLASS#N", value_delimiter = ',')]
    only: Vec<String>,
    /// Where copies, build caches and failing edits are kept for the next run (default: a temporary folder).
    #[arg(long, value_name = "FOLDER")]
    work: Option<PathBuf>,
    /// Do not ask the compiler about sound edits that the gate accepts.
    #[arg(long)]
    trust_accepts: bool,
}

pub(super) fn run(args: &Args, json: bool) -> Result<u8, CliError> {
    let repo = root(args.repo.as_deref())?;
    let temporary = tempfile::tempdir().map_err(environment)?;
    let work = args.work.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(work).map_err(environment)?;
    let work = work.canonicalize().map_err(environment)?;
    let failures = match args.work {
        Some(_) => work.join("failures"),
        None => std::env::temp_dir().join(format!("orchestrator-bench-{}", std::process::id())),
    };
    let results = asynchronously(run::run(args, &repo, &work, &failures))?;
    let text = if json { results.json().to_string() } else { results.table() };
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, format!("{text}\n").as_bytes()).map_err(environment)?;
    Ok(u8::from(!results.is_good()))
}
