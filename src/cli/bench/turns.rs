//! `orchestrator bench turns`: how much time and memory this program adds to a model's.
//!
//! The model is a local server that answers at once, so all that passes between two requests is ours (and that of HTTP
//! on loopback, which a bare client measures in the same run).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::{CliError, asynchronously, environment};
use super::process::{Server, measure_start, memory_kb};
use super::quantile;
use crate::mission::conversation::Role;
use crate::model;
use crate::model::replay::{
    Answer, Arrival, ReceivedRequest, ReplayServer, ScriptedCall, ScriptedTurn,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Missions of fifty tool turns.
    #[arg(long, default_value_t = 6)]
    missions: usize,
    /// Cold starts.
    #[arg(long, default_value_t = 15)]
    starts: usize,
}

/// Tool turns of a mission's worker.
const TURNS: usize = 50;
/// How long one figure may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(args: &Args, json: bool) -> Result<u8, CliError> {
    print(&asynchronously(measure(args))?, json)
}

/// Shows the figures.
pub(super) fn print(figures: &[Figure], json: bool) -> Result<u8, CliError> {
    let mut out = std::io::stdout();
    let text = match json {
        true => Value::Array(figures.iter().map(Figure::json).collect()).to_string(),
        false => table(figures),
    };
    std::io::Write::write_all(&mut out, format!("{text}\n").as_bytes()).map_err(environment)?;
    Ok(0)
}

/// One row of the result.
pub(super) struct Figure {
    what: &'static str,
    unit: &'static str,
    p50: f64,
    p95: f64,
    target: &'static str,
}

impl Figure {
    pub(super) fn of(
        what: &'static str,
        unit: &'static str,
        mut values: Vec<f64>,
        target: &'static str,
    ) -> Figure {
        let p50 = quantile(&mut values, 0.5);
        Figure { what, unit, p50, p95: quantile(&mut values, 0.95), target }
    }

    fn json(&self) -> Value {
        json!({"what": self.what, "unit": self.unit, "p50": self.p50, "p95": self.p95, "target": self.target})
    }
}

fn table(figures: &[Figure]) -> String {
    let mut text = format!("{:<58} {:>9} {:>9}  {:<5} target\n", "", "p50", "p95", "unit");
    for f in figures {
        text +=
            &format!("{:<58} {:>9.2} {:>9.2}  {:<5} {}\n", f.what, f.p50, f.p95, f.unit, f.target);
    }
    text
}

async fn measure(args: &Args) -> Result<Vec<Figure>, CliError> {
    let folder = tempfile::tempdir().map_err(environment)?;
    let workspace = folder.path().join("workspace");
    std::fs::create_dir(&workspace).map_err(environment)?;
    std::fs::write(workspace.join("notes.txt"), "A small text.\n".repeat(40))
        .map_err(environment)?;
    let model = ReplayServer::with_handler(Arc::new(answer)).map_err(environment)?;
    let variables = variables(&model, folder.path());

    let mut figures = starts(args, folder.path(), &model, &variables).await?;
    let mut server = Server::start(&workspace, &variables)?;
    let megabytes = |id, figure| memory_kb(id, figure).unwrap_or(0) as f64 / 1024.0;
    let idle = megabytes(server.id(), "VmRSS");
    let (mut first, mut gaps, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..args.missions {
        let before = model.arrivals().len();
        let asked = Instant::now();
        server.task(&format!("mission {number}"))?;
        server.wait_for_end(PATIENCE)?;
        let arrivals = model.arrivals().split_off(before);
        first.extend(arrivals.first().map(|a| ms(a.at.saturating_duration_since(asked))));
        gaps.extend(between(&arrivals));
        let worker = arrivals.iter().find(|a| a.role == Some(Role::Worker));
        bytes.extend(worker.map(|a| a.body_bytes as f64 / 1024.0));
    }
    let peak = megabytes(server.id(), "VmHWM");
    server.stop();

    let bare = bare_turns(&model, bytes.first().copied().unwrap_or(4.0)).await?;
    let baseline = quantile(&mut bare.clone(), 0.5).max(0.001);
    let own: Vec<f64> = gaps.iter().map(|gap| (gap - baseline).max(0.0)).collect();
    let ratio = quantile(&mut gaps.clone(), 0.5) / baseline;
    figures.extend([
        Figure::of("orchestrator.task to first model request", "ms", first, "10"),
        Figure::of("one turn, request to request (tool call included)", "ms", gaps, ""),
        Figure::of("baseline: the same requests by a bare HTTP client", "ms", bare, ""),
        Figure::of("own time per turn (turn less baseline)", "ms", own, "2, p95 10"),
        Figure::of("turn / baseline", "ratio", vec![ratio], ""),
        Figure::of("bytes of a worker's first request", "KB", bytes, "10"),
        Figure::of("memory, idle", "MB", vec![idle], "30"),
        Figure::of("memory, peak", "MB", vec![peak], ""),
    ]);
    Ok(figures)
}

pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Every child talks to the local model, and keeps its files in the bench's folder.
pub(super) fn variables(model: &ReplayServer, folder: &Path) -> Vec<(String, String)> {
    let text = |path: &Path| path.display().to_string();
    [
        ("ORCHESTRATOR_PROVIDER", "replay".to_owned()),
        ("ORCHESTRATOR_BASE_URL", model.base_url().to_owned()),
        ("ORCHESTRATOR_MODEL", "local".to_owned()),
        ("ORCHESTRATOR_CONFIG", text(&folder.join("none.toml"))),
        ("ORCHESTRATOR_CACHE_DIR", text(&folder.join("cache"))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

async fn starts(
    args: &Args,
    folder: &Path,
    model: &ReplayServer,
    variables: &[(String, String)],
) -> Result<Vec<Figure>, CliError> {
    let (mut version, mut nothing, mut initialize, mut cold) = (vec![], vec![], vec![], vec![]);
    for number in 0..args.starts {
        version.push(ms(measure_start(None, &["--version"], variables)?));
        nothing.extend(measure_start(Some("true"), &[], variables).ok().map(ms));
        let workspace = folder.join(format!("cold-{number}"));
        std::fs::create_dir(&workspace).map_err(environment)?;
        let began = Instant::now();
        let server = Server::start(&workspace, variables)?;
        initialize.push(ms(server.answered_at().saturating_duration_since(began)));
        drop(server);
        let before = model.arrivals().len();
        let began = Instant::now();
        let root = workspace.display().to_string();
        measure_start(None, &["--root", &root, "task", "decline this"], variables)?;
        let arrivals = model.arrivals();
        cold.extend(arrivals.get(before).map(|a| ms(a.at.saturating_duration_since(began))));
    }
    Ok(vec![
        Figure::of("--version", "ms", version, "10"),
        Figure::of("baseline: a process that does nothing (true)", "ms", nothing, ""),
        Figure::of("process start to the answer to initialize", "ms", initialize, "50"),
        Figure::of("process start to first model request (task)", "ms", cold, "100"),
    ])
}

/// The times between the requests of a worker's tool turns.
fn between(arrivals: &[Arrival]) -> Vec<f64> {
    let worker: Vec<&Arrival> = arrivals.iter().filter(|a| a.role == Some(Role::Worker)).collect();
    worker.windows(2).map(|pair| ms(pair[1].at.saturating_duration_since(pair[0].at))).collect()
}

/// What HTTP on loopback costs by itself: the same number of requests of the same size, one after the other.
async fn bare_turns(model: &ReplayServer, kb: f64) -> Result<Vec<f64>, CliError> {
    model::install_crypto();
    let client = reqwest::Client::builder().build().map_err(environment)?;
    let url = format!("{}/chat/completions", model.base_url());
    let filler = "x".repeat((kb * 1024.0) as usize);
    let body = json!({"messages": [{"role": "user", "content": filler}]}).to_string();
    let mut times = Vec::new();
    for _ in 0..TURNS {
        let began = Instant::now();
        let answer = client.post(&url).body(body.clone()).send().await.map_err(environment)?;
        answer.bytes().await.map_err(environment)?;
        times.push(ms(began.elapsed()));
    }
    Ok(times)
}

/// The local model: a direct mission whose worker reads a file fifty times, each time other lines.
fn answer(request: &ReceivedRequest) -> Answer {
    let body = request.json().unwrap_or_default();
    let messages = body["messages"].as_array().map_or(0, Vec::len);
    let goal = body["messages"][1]["content"].as_str().unwrap_or_default();
    let (name, arguments) = match request.role {
        Some(Role::Commander) if goal.contains("decline") => {
            ("triage", json!({"decision": "decline", "needs": "nothing"}))
        }
        Some(Role::Commander) => ("triage", json!({"decision": "direct"})),
        Some(Role::Worker) if messages < 2 * TURNS => {
            ("read", json!({"path": "notes.txt", "from": messages / 4 + 1, "to": messages / 4 + 3}))
        }
        Some(Role::Worker) => ("done", json!({"summary": "read it"})),
        _ => ("verdict", json!({"pass": true, "evidence": ["read it"]})),
    };
    let arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
    let call = ScriptedCall { name: name.to_owned(), arguments };
    Answer::Turn(ScriptedTurn { calls: vec![call], ..ScriptedTurn::default() })
}
