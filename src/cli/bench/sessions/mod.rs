//! `orchestrator bench sessions`: many sessions at once.
//!
//! Three processes: the model (a local server with a given latency), the program itself (the server of an editor, which
//! is what is measured), and a bare HTTP client that makes the same requests, as the baseline. What the model's process
//! uses is nobody's figure.

pub(super) mod bare;
pub(super) mod load;
pub(super) mod model;
mod slots;

use std::io::Write;
use std::process::Command;

use serde_json::{Value, json};

use super::super::{CliError, asynchronously, environment};
use load::{Load, Run};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// How many sessions at once, for each row.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000")]
    at_once: Vec<usize>,
    /// Milliseconds that the model takes, for each row.
    #[arg(long, value_delimiter = ',', default_value = "0,200")]
    latency: Vec<u64>,
    /// By how much of that its answers take longer or shorter, in percent; with 0 all come in step.
    #[arg(long, default_value_t = 50)]
    spread: u64,
    /// Requests of each session.
    #[arg(long, default_value_t = 5)]
    requests: usize,
    /// Milliseconds that the model takes in the scenario of twelve workers with two requests each; 0: without it.
    #[arg(long, default_value_t = 3000)]
    twelve: u64,
}

pub(super) fn run(args: &Args, json: bool) -> Result<u8, CliError> {
    let mut rows = Vec::new();
    for latency in &args.latency {
        for sessions in &args.at_once {
            let (sessions, requests) = (*sessions, args.requests);
            let load = Load { sessions, requests, latency: *latency, spread: args.spread };
            rows.push(Row::measure(load)?);
        }
    }
    let twelve = match args.twelve {
        0 => None,
        latency => Some(Row::measure(Load { sessions: 12, requests: 2, latency, spread: 0 })?),
    };
    let slots = asynchronously(slots::measure())?;
    let text = match json {
        true => json!({
            "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
            "twelve": twelve.as_ref().map(Row::json),
            "slots": slots,
        })
        .to_string(),
        false => table(&rows, twelve.as_ref(), &slots),
    };
    writeln!(std::io::stdout(), "{text}").map_err(environment)?;
    Ok(u8::from(slots.held + slots.waiting > 0))
}

/// One load: the program under it, and the baseline.
struct Row {
    load: Load,
    run: Run,
    bare: bare::Took,
}

impl Row {
    fn measure(load: Load) -> Result<Row, CliError> {
        let run = load.measure()?;
        let bare = baseline(load, run.record.bytes / run.record.requests.max(1))?;
        Ok(Row { load, run, bare })
    }

    fn json(&self) -> Value {
        json!({
            "sessions": self.load.sessions,
            "requests_each": self.load.requests,
            "latency_ms": self.load.latency,
            "spread_percent": self.load.spread,
            "record": self.run.record,
            "cpu_ms": self.run.cpu_ms,
            "idle_kb": self.run.idle_kb,
            "peak_kb": self.run.peak_kb,
            "bare": self.bare,
        })
    }

    fn throughput(&self) -> f64 {
        self.run.record.requests as f64 / self.run.record.wall_ms.max(1.0) * 1000.0
    }

    fn cpu_per_turn(&self) -> f64 {
        self.run.cpu_ms / self.run.record.requests.max(1) as f64
    }

    fn kb_per_session(&self) -> f64 {
        self.run.peak_kb.saturating_sub(self.run.idle_kb) as f64 / self.load.sessions.max(1) as f64
    }
}

/// The same requests by a bare client.
fn baseline(load: Load, bytes: usize) -> Result<bare::Took, CliError> {
    let server = model::Model::start(load.latency, load.spread, load.requests)?;
    let output = Command::new(std::env::current_exe().map_err(environment)?)
        .args(["bench", "bare", "--url", &server.url])
        .args(["--sessions", &load.sessions.to_string()])
        .args(["--requests", &load.requests.to_string(), "--bytes", &bytes.to_string()])
        .output()
        .map_err(environment)?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| environment(String::from_utf8_lossy(&output.stderr)))
}

fn table(rows: &[Row], twelve: Option<&Row>, slots: &slots::Slots) -> String {
    let mut text = format!(
        "{:>8} {:>7}  {:>8} {:>7}  {:>8} {:>8}  {:>9} {:>9}  {:>7} {:>10}  {:>9} {:>9}\n",
        "sessions",
        "latency",
        "turns/s",
        "(bare)",
        "cpu/turn",
        "(bare)",
        "own p50",
        "own p95",
        "at once",
        "MB at peak",
        "KB each",
        "MB (bare)"
    );
    for row in rows {
        let (record, bare) = (&row.run.record, &row.bare);
        let requests = bare.requests.max(1) as f64;
        text += &format!(
            "{:>8} {:>4} ms  {:>8.0} {:>7.0}  {:>5.2} ms {:>5.2} ms  {:>6.2} ms {:>6.2} ms  {:>7} {:>10.0}  {:>9.0} {:>9.0}\n",
            row.load.sessions,
            row.load.latency,
            row.throughput(),
            requests / bare.wall_ms.max(1.0) * 1000.0,
            row.cpu_per_turn(),
            bare.cpu_ms / requests,
            record.gap_p50,
            record.gap_p95,
            record.most,
            row.run.peak_kb as f64 / 1024.0,
            row.kb_per_session(),
            bare.peak_kb as f64 / 1024.0,
        );
    }
    text += "own: from the end of an answer to the same worker's next request, tool call and waiting included\n";
    if let Some(row) = twelve {
        let record = &row.run.record;
        text += &format!(
            "\n12 workers of 2 requests at {} ms: {:.2} s ({:.2} s is ideal), {} at once, {} requests of the workers and {} in all, {:.2} MB sent, {:.0} MB\n",
            row.load.latency,
            record.workers_ms / 1000.0,
            row.load.latency as f64 * 2.0 / 1000.0,
            record.workers_most,
            record.workers,
            record.requests,
            record.bytes as f64 / 1e6,
            row.run.peak_kb as f64 / 1024.0,
        );
    }
    text += &format!(
        "\nslots: {} answered, {} faulted, {} cancelled; at most {} of {} held; afterwards {} held, {} waiting",
        slots.answered,
        slots.faulted,
        slots.cancelled,
        slots.most,
        slots.slots,
        slots.held,
        slots.waiting
    );
    text
}
