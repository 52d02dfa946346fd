//! `orchestrator bench simulate`: random missions through the pure core, over all processors. It only counts and
//! prints; what a mission must hold is said in `mission::simulation`.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::{CliError, environment};
use crate::mission::simulation::{Found, Tally, simulate};

/// The exit code of a run in which a mission broke a rule.
const BROKEN: u8 = 6;
/// How many seeds a thread takes at once.
const PORTION: u64 = 64;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// How many missions.
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// The first seed; the others follow it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) fn run(args: &Args, json: bool) -> Result<u8, CliError> {
    let began = Instant::now();
    let (tally, found) = all(args);
    let took = began.elapsed();
    match (&found, json) {
        (_, true) => print(&as_json(args, &tally, found.as_deref(), took))?,
        (None, false) => print(&as_text(args, &tally, took))?,
        (Some(found), false) => print(&broken(found))?,
    }
    Ok(if found.is_some() { BROKEN } else { 0 })
}

fn print(text: &str) -> Result<(), CliError> {
    writeln!(std::io::stdout(), "{text}").map_err(environment)
}

/// Runs every seed, until one breaks a rule; then the lowest such seed that was met.
fn all(args: &Args) -> (Tally, Option<Box<Found>>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, stop) = (AtomicU64::new(0), AtomicU64::new(args.seeds));
    let work = || {
        let mut tally = Tally::default();
        loop {
            let begin = next.fetch_add(PORTION, Ordering::Relaxed);
            if begin >= stop.load(Ordering::Relaxed) {
                return (tally, None);
            }
            for number in begin..(begin + PORTION).min(args.seeds) {
                match simulate(args.seed.wrapping_add(number)) {
                    Ok(one) => tally.add(&one),
                    Err(found) => {
                        stop.store(0, Ordering::Relaxed);
                        return (tally, Some((number, found)));
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut sum = Tally::default();
        let mut first: Option<(u64, Box<Found>)> = None;
        for handle in handles {
            // A panic of the core is a panic here: its message has been printed.
            let (tally, found) =
                handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            sum.add(&tally);
            first = [first, found].into_iter().flatten().min_by_key(|(number, _)| *number);
        }
        (sum, first.map(|(_, found)| found))
    })
}

fn as_text(args: &Args, tally: &Tally, took: Duration) -> String {
    let ends: Vec<String> =
        tally.ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
    format!(
        "{} missions from seed {}, every rule held: {}\n{} events, {} model calls, {} crashes in {:.1} s",
        args.seeds,
        args.seed,
        ends.join(", "),
        tally.events,
        tally.calls,
        tally.crashes,
        took.as_secs_f64()
    )
}

fn broken(found: &Found) -> String {
    let trace: Vec<String> = found
        .trace
        .iter()
        .enumerate()
        .map(|(number, line)| format!("{number:>4}  {line}"))
        .collect();
    format!(
        "seed {} breaks a rule: {}\n{}\n{} moves, shrunk to {}:\n{}\nagain: orchestrator bench simulate --seeds 1 --seed {}",
        found.seed,
        found.rule,
        found.detail,
        found.moves,
        found.trace.len().saturating_sub(1),
        trace.join("\n"),
        found.seed
    )
}

fn as_json(args: &Args, tally: &Tally, found: Option<&Found>, took: Duration) -> String {
    let found = found.map(|found| {
        json!({
            "seed": found.seed,
            "rule": found.rule,
            "detail": found.detail,
            "moves": found.moves,
            "trace": found.trace,
        })
    });
    json!({
        "seeds": args.seeds,
        "seed": args.seed,
        "ends": tally.ends,
        "events": tally.events,
        "calls": tally.calls,
        "crashes": tally.crashes,
        "seconds": took.as_secs_f64(),
        "found": found,
    })
    .to_string()
}
