//! `orchestrator bench monitor`: what the dashboard costs while a hundred sessions make a thousand events a second, and
//! whether the missions notice it.
//!
//! The same load runs alone and with a dashboard attached, turn by turn, so that both see the same machine. The dashboard
//! is a process of its own that reads, draws and encodes as ever; its frames are counted and thrown away.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::{CliError, environment, monitor};
use super::process::{cpu_seconds, memory_kb};
use super::quantile;
use super::sessions::load::{Load, Run};
use crate::journal::Journal;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// How many sessions at once.
    #[arg(long, default_value_t = 100)]
    sessions: usize,
    /// Milliseconds that the model takes; a turn is two events.
    #[arg(long, default_value_t = 180)]
    latency: u64,
    /// Requests of each session.
    #[arg(long, default_value_t = 60)]
    requests: usize,
    /// How often the load runs alone, and with the dashboard.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The columns of the dashboard.
    #[arg(long, default_value_t = 200)]
    width: u16,
    /// Its rows.
    #[arg(long, default_value_t = 60)]
    height: u16,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Dashboard {
    /// The workspace.
    #[arg(long)]
    at: PathBuf,
    #[arg(long)]
    width: u16,
    #[arg(long)]
    height: u16,
}

/// What a dashboard says of itself at its end.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Cost {
    cpu_s: f64,
    peak_kb: u64,
    frames: u64,
    bytes: u64,
}

/// The dashboard's process: watches until its standard input ends.
pub(super) fn dashboard(args: &Dashboard) -> Result<u8, CliError> {
    let drawn = monitor::unseen::run(&args.at, (args.width, args.height))?;
    let own = std::process::id();
    let cost = Cost {
        cpu_s: cpu_seconds(own).unwrap_or(0.0),
        peak_kb: memory_kb(own, "VmHWM").unwrap_or(0),
        frames: drawn.frames,
        bytes: drawn.bytes,
    };
    let text = serde_json::to_string(&cost).map_err(environment)?;
    std::io::stdout().write_all(text.as_bytes()).map_err(environment)?;
    Ok(0)
}

/// The dashboard, as the bench sees it. Dropping it ends it.
struct Attached(Child);

impl Attached {
    fn start(args: &Args, root: &Path) -> Result<Attached, CliError> {
        let child = Command::new(std::env::current_exe().map_err(environment)?)
            .args(["bench", "dashboard", "--at"])
            .arg(root)
            .args(["--width", &args.width.to_string(), "--height", &args.height.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(environment)?;
        Ok(Attached(child))
    }

    fn end(mut self) -> Result<Cost, CliError> {
        drop(self.0.stdin.take());
        let mut text = String::new();
        if let Some(mut out) = self.0.stdout.take() {
            out.read_to_string(&mut text).map_err(environment)?;
        }
        serde_json::from_str(&text)
            .map_err(|_| environment(format!("the dashboard ended without a word: {text}")))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One side of the comparison.
#[derive(Default)]
struct Side {
    turns: Vec<f64>,
    events: Vec<f64>,
    gap: Vec<f64>,
    cpu: Vec<f64>,
}

impl Side {
    fn add(&mut self, run: &Run, events: u64) {
        let seconds = (run.record.wall_ms / 1000.0).max(0.001);
        self.turns.push(run.record.requests as f64 / seconds);
        self.events.push(events as f64 / seconds);
        self.gap.push(run.record.gap_p50);
        self.cpu.push(run.cpu_ms / run.record.requests.max(1) as f64);
    }
}

pub(super) fn run(args: &Args, json: bool) -> Result<u8, CliError> {
    let load = Load {
        sessions: args.sessions,
        requests: args.requests,
        latency: args.latency,
        spread: 50,
    };
    let (mut alone, mut beside) = (Side::default(), Side::default());
    let (mut shares, mut rates, mut bytes, mut memory) = (vec![], vec![], vec![], vec![]);
    for _ in 0..args.rounds.max(1) {
        let (run, events) = load.measure_beside(|_| Ok(()), |(), root| written(root))?;
        alone.add(&run, events);
        let begin = |root: &Path| Attached::start(args, root);
        let end = |dashboard: Attached, root: &Path| Ok((dashboard.end()?, written(root)?));
        let (run, (cost, events)) = load.measure_beside(begin, end)?;
        beside.add(&run, events);
        let seconds = (run.record.wall_ms / 1000.0).max(0.001);
        shares.push(100.0 * cost.cpu_s / seconds);
        rates.push(cost.frames as f64 / seconds);
        bytes.push(cost.bytes as f64 / 1024.0 / seconds);
        memory.push(cost.peak_kb as f64 / 1024.0);
    }
    let pair = |what, a: &mut Vec<f64>, b: &mut Vec<f64>, target| {
        (what, quantile(a, 0.5), quantile(b, 0.5), target)
    };
    let pairs = [
        pair("turns a second", &mut alone.turns, &mut beside.turns, "1.0"),
        pair("events a second", &mut alone.events, &mut beside.events, ""),
        pair("own time of a turn (p50), ms", &mut alone.gap, &mut beside.gap, "1.0"),
        pair("processor time of a turn, ms", &mut alone.cpu, &mut beside.cpu, "1.0"),
    ];
    let own = [
        ("the dashboard's share of a core, %", quantile(&mut shares, 0.5), "5"),
        ("frames a second", quantile(&mut rates, 0.5), "10"),
        ("KB a second for the terminal", quantile(&mut bytes, 0.5), ""),
        ("memory at its peak, MB", quantile(&mut memory, 0.5), ""),
    ];
    let text = if json { value(&pairs, &own) } else { table(&pairs, &own) };
    writeln!(std::io::stdout(), "{text}").map_err(environment)?;
    Ok(0)
}

/// A figure alone and beside the dashboard, with the ratio that is wanted.
type Pair = (&'static str, f64, f64, &'static str);
/// A figure of the dashboard's own, with its target.
type Own = (&'static str, f64, &'static str);

fn value(pairs: &[Pair], own: &[Own]) -> String {
    let pairs = pairs.iter().map(|(what, alone, beside, _)| {
        json!({"what": what, "alone": alone, "attached": beside, "ratio": beside / alone})
    });
    let own = own
        .iter()
        .map(|(what, value, target)| json!({"what": what, "value": value, "target": target}));
    json!(pairs.chain(own).collect::<Vec<_>>()).to_string()
}

fn table(pairs: &[Pair], own: &[Own]) -> String {
    let mut text = format!("{:<38} {:>9} {:>9} {:>7}  target", "", "alone", "attached", "ratio");
    for (what, alone, beside, target) in pairs {
        let ratio = beside / alone;
        text += &format!("\n{what:<38} {alone:>9.2} {beside:>9.2} {ratio:>7.3}  {target}");
    }
    for (what, value, target) in own {
        text += &format!("\n{what:<38} {:>9} {value:>9.2} {:>7}  {target}", "", "");
    }
    text
}

/// How many events stand in a workspace's journal.
fn written(root: &Path) -> Result<u64, CliError> {
    let Some(journal) = Journal::open_existing(root).map_err(environment)? else {
        return Ok(0);
    };
    let rows = journal.missions().map_err(environment)?;
    rows.iter().map(|row| journal.count(&row.id).map_err(environment)).sum()
}
