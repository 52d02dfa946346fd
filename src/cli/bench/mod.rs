//! `orchestrator bench`: figures of this machine, each beside a baseline of the same run.

mod attach;
mod crash;
mod gate;
mod journal;
mod monitor;
mod process;
mod sessions;
mod simulate;
mod tokens;
mod turns;

use clap::Subcommand;

use super::CliError;

#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// Start-up, own time per model turn, request size and memory, against a local model without latency.
    Turns(turns::Args),
    /// How fast several processes of one workspace hear of each other, and what waiting costs.
    Attach(attach::Args),
    /// How well and how fast the gate tells sound edits of a repository from broken ones.
    Gate(gate::Args),
    /// Kills and faults at every change of a disk, or at random moments: every mission ends as if nothing had happened.
    Crash(crash::Args),
    /// How fast events become durable, and a long mission is folded from them again, beside SQLite itself.
    Journal(journal::Args),
    /// Many sessions at once: throughput, processor time and memory of each, overlap, and slots that come back.
    Sessions(sessions::Args),
    /// The model server of `sessions`, in a process of its own.
    #[command(hide = true)]
    Model(sessions::model::Args),
    /// The bare client of `sessions`, in a process of its own.
    #[command(hide = true)]
    Bare(sessions::bare::Args),
    /// What the dashboard costs beside a hundred sessions and a thousand events a second, and what it costs them.
    Monitor(monitor::Args),
    /// The dashboard of `monitor` without a terminal, in a process of its own.
    #[command(hide = true)]
    Dashboard(monitor::Dashboard),
    /// Input tokens of recorded missions, with and without each way of keeping them few, and how many a cache serves.
    Tokens(tokens::Args),
    /// Random missions by the thousand through the core: does each of them end, and hold every rule?
    Simulate(simulate::Args),
}

pub(super) fn run(bench: Bench, json: bool) -> Result<u8, CliError> {
    match bench {
        Bench::Turns(args) => turns::run(&args, json),
        Bench::Attach(args) => attach::run(&args, json),
        Bench::Gate(args) => gate::run(&args, json),
        Bench::Crash(args) => crash::run(&args, json),
        Bench::Journal(args) => journal::run(&args, json),
        Bench::Sessions(args) => sessions::run(&args, json),
        Bench::Model(args) => sessions::model::run(&args),
        Bench::Bare(args) => sessions::bare::run(&args),
        Bench::Monitor(args) => monitor::run(&args, json),
        Bench::Dashboard(args) => monitor::dashboard(&args),
        Bench::Tokens(args) => tokens::run(&args, json),
        Bench::Simulate(args) => simulate::run(&args, json),
    }
}

/// The `q`th quantile (0 to 1) of `values`; 0 where there are none.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len().saturating_sub(1)) as f64 * q).round() as usize;
    values.get(at).copied().unwrap_or(0.0)
}
