//! `orchestrator bench crash`: a mission survives anything.
//!
//! `--kills N` kills the real binary at random moments of whole missions, N times, and lets the next process take each
//! mission up. `--sweep` does so at every single change of a disk, SQLite's own included, and makes each of them fail, too.
//! After each: the journal is whole, nothing that was said is lost, nothing was done twice, no file is torn, and the mission
//! ends with the very same tree.

mod check;
mod kills;
mod mission;
mod place;
mod sweep;

use serde_json::Value;

use super::super::{CliError, environment};
use crate::model::replay::ReplayServer;
use check::Reference;
use place::Place;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Kill at random moments, so many times.
    #[arg(long, value_name = "N", default_value_t = 300)]
    kills: usize,
    /// Where the random moments come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Instead: one run for every change of a disk and every kind of fault.
    #[arg(long)]
    sweep: bool,
    /// With `--sweep`: only this point.
    #[arg(long, value_name = "N")]
    point: Option<u64>,
    /// With `--sweep`: only this kind of fault: kill, tear, cut, eio or enospc.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// How many processes at once.
    #[arg(long, default_value_t = 2)]
    parallel: usize,
}

pub(super) fn run(args: &Args, json: bool) -> Result<u8, CliError> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(environment)?;
    let _inside = tokio.enter();
    let model = ReplayServer::with_handler(mission::model()).map_err(environment)?;
    let figures = match args.sweep {
        true => sweep::run(args, model.base_url())?,
        false => kills::run(args, model.base_url())?,
    };
    let mut out = std::io::stdout();
    let text = if json { figures.json.to_string() } else { figures.text };
    std::io::Write::write_all(&mut out, format!("{}\n", text.trim_end()).as_bytes())
        .map_err(environment)?;
    Ok(if figures.failed { 6 } else { 0 })
}

/// What came of it.
struct Figures {
    text: String,
    json: Value,
    failed: bool,
}

/// A mission that nobody disturbs.
fn reference(model: &str) -> Result<Reference, CliError> {
    let place = Place::new(model)?;
    let ended = place.run(&["task", mission::GOAL], None)?;
    if ended.code != Some(0) {
        return Err(environment(format!(
            "the undisturbed mission ended with {:?}: {} {}",
            ended.code,
            ended.lines.last().map_or("", String::as_str),
            ended.complaints
        )));
    }
    let reference = Reference::of(&place).map_err(environment)?;
    reference.at_the_end(&place, true).map_err(environment)?;
    Ok(reference)
}
