//! The model of the bench: a server in a process of its own, so that its processor time and memory are nobody else's. It
//! answers after a time that depends on the session and the turn alone, knows what a mission of so many tasks wants to
//! hear, and keeps a record of what it was asked. It ends with its standard input.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::super::{CliError, asynchronously, environment};
use super::super::quantile;
use super::super::turns::ms;
use crate::mission::conversation::Role;
use crate::model::replay::{
    Answer, Arrival, ReceivedRequest, ReplayServer, ScriptedCall, ScriptedTurn,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Milliseconds until an answer.
    #[arg(long)]
    latency: u64,
    /// By how much of it answers take longer or shorter, in percent.
    #[arg(long, default_value_t = 0)]
    spread: u64,
    /// Requests of one worker.
    #[arg(long)]
    requests: usize,
}

/// What the server was asked since it began.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct Record {
    /// All requests.
    pub requests: usize,
    /// The bytes of their bodies.
    pub bytes: usize,
    /// The most that were under way at once.
    pub most: usize,
    /// From the first request to the last answer, in milliseconds.
    pub wall_ms: f64,
    /// The same of the workers alone.
    pub workers: usize,
    pub workers_most: usize,
    pub workers_ms: f64,
    /// From the end of an answer to the next request of the same worker, in milliseconds: the tool call, two durable
    /// events, and all the time that the request waited for its turn.
    pub gap_p50: f64,
    pub gap_p95: f64,
}

/// The server's process: says where it is, and answers each line of its input with a record.
pub(in crate::cli) fn run(args: &Args) -> Result<u8, CliError> {
    let (latency, spread, requests) = (args.latency, args.spread.min(100), args.requests);
    asynchronously(async move {
        let handler = Arc::new(move |request: &ReceivedRequest| {
            answer(
                request,
                |turn| delay(latency, spread, request.session.as_deref(), turn),
                requests,
            )
        });
        let server = ReplayServer::with_handler(handler).map_err(environment)?;
        say(server.base_url())?;
        let talk = tokio::task::spawn_blocking(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                let record = record(&server.arrivals());
                let text = serde_json::to_string(&record).map_err(environment)?;
                if line.is_empty() {
                    break;
                }
                say(&text)?;
            }
            Ok(0)
        });
        talk.await.map_err(environment)?
    })
}

fn say(line: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).map_err(environment)
}

/// Models do not answer in step: from `latency` less `spread` percent to as much more, the same in every run.
fn delay(latency: u64, spread: u64, session: Option<&str>, turn: usize) -> u64 {
    // Missions are named at random, and their sessions are numbered.
    let number = session.and_then(|name| name.rsplit('/').next());
    let mut hasher = DefaultHasher::new();
    (number, turn).hash(&mut hasher);
    let part = hasher.finish() % 201;
    (latency * (100 - spread) + latency * spread * part / 100) / 100
}

/// A mission whose goal ends with the number of its tasks; each worker reads some lines of a file, and is done.
fn answer(request: &ReceivedRequest, delay: impl Fn(usize) -> u64, requests: usize) -> Answer {
    let body = request.json().unwrap_or_default();
    let messages = body["messages"].as_array().map_or(0, Vec::len);
    // The system's words and the brief come first; then each turn and its result.
    let turn = messages.saturating_sub(2) / 2;
    let (name, arguments) = match request.role {
        Some(Role::Commander) => ("triage", json!({"decision": "plan"})),
        Some(Role::Planner) => {
            let goal = body["messages"][1]["content"].as_str().unwrap_or_default();
            ("plan", json!({"todo": plan(tasks(goal))}))
        }
        Some(Role::Worker) if turn + 1 < requests => {
            ("read", json!({"path": "notes.txt", "from": turn + 1, "to": turn + 3}))
        }
        Some(Role::Worker) => ("done", json!({"summary": "read it"})),
        _ => ("verdict", json!({"pass": true, "evidence": ["read it"]})),
    };
    let arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
    let call = ScriptedCall { name: name.to_owned(), arguments };
    Answer::Turn(ScriptedTurn {
        calls: vec![call],
        delay_ms: delay(turn),
        ..ScriptedTurn::default()
    })
}

fn tasks(goal: &str) -> usize {
    let goal = goal.split("</goal>").next().unwrap_or_default();
    goal.split_whitespace().last().and_then(|number| number.parse().ok()).unwrap_or(1)
}

fn plan(tasks: usize) -> String {
    let task = |n| {
        format!("### T1.{n}: read part {n}\n- [ ] S1.1.1: part {n} is read | size:S\n")
            .replace("S1.1.1", &format!("S1.{n}.1"))
    };
    format!("# Mission: read\n\n## M1: all is read\n{}", (1..=tasks).map(task).collect::<String>())
}

fn record(arrivals: &[Arrival]) -> Record {
    let workers: Vec<&Arrival> =
        arrivals.iter().filter(|arrival| arrival.role == Some(Role::Worker)).collect();
    let all: Vec<&Arrival> = arrivals.iter().collect();
    let mut gaps = gaps(&workers);
    Record {
        requests: all.len(),
        bytes: all.iter().map(|arrival| arrival.body_bytes).sum(),
        most: most(&all),
        wall_ms: span(&all),
        workers: workers.len(),
        workers_most: most(&workers),
        workers_ms: span(&workers),
        gap_p50: quantile(&mut gaps, 0.5),
        gap_p95: quantile(&mut gaps, 0.95),
    }
}

/// The most requests that were under way at once.
fn most(arrivals: &[&Arrival]) -> usize {
    let begins = arrivals.iter().map(|arrival| (arrival.at, 1));
    let ends = arrivals.iter().filter_map(|arrival| Some((arrival.answered?, -1)));
    let mut moments: Vec<(Instant, i64)> = begins.chain(ends).collect();
    moments.sort();
    let at_once = moments.iter().scan(0i64, |count, (_, change)| {
        *count += change;
        Some(*count)
    });
    at_once.max().unwrap_or(0).unsigned_abs() as usize
}

fn span(arrivals: &[&Arrival]) -> f64 {
    let first = arrivals.iter().map(|arrival| arrival.at).min();
    let last = arrivals.iter().filter_map(|arrival| arrival.answered).max();
    first.zip(last).map_or(0.0, |(first, last)| ms(last.saturating_duration_since(first)))
}

fn gaps(workers: &[&Arrival]) -> Vec<f64> {
    let mut answered: HashMap<&str, Instant> = HashMap::new();
    let mut gaps = Vec::new();
    for arrival in workers {
        let Some(session) = arrival.session.as_deref() else {
            continue;
        };
        if let Some(before) = answered.remove(session) {
            gaps.push(ms(arrival.at.saturating_duration_since(before)));
        }
        answered.extend(arrival.answered.map(|at| (session, at)));
    }
    gaps
}

/// The server, as the bench sees it. Dropping it ends it.
pub(super) struct Model {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub url: String,
}

impl Model {
    /// Starts a server that answers after so many milliseconds, give or take `spread` percent.
    pub fn start(latency: u64, spread: u64, requests: usize) -> Result<Model, CliError> {
        let mut child = Command::new(std::env::current_exe().map_err(environment)?)
            .args(["bench", "model"])
            .args(["--latency", &latency.to_string(), "--spread", &spread.to_string()])
            .args(["--requests", &requests.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(environment)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(environment("the model's process has no pipes"));
        };
        let mut model = Model { child, stdin, stdout: BufReader::new(stdout), url: String::new() };
        model.url = model.line()?;
        Ok(model)
    }

    /// What it was asked so far.
    pub fn record(&mut self) -> Result<Record, CliError> {
        self.stdin.write_all(b"record\n").map_err(environment)?;
        serde_json::from_str(&self.line()?).map_err(environment)
    }

    fn line(&mut self) -> Result<String, CliError> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).map_err(environment)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_spread_around_the_latency() {
        let all: Vec<u64> = (0..500).map(|turn| delay(200, 50, Some("m/7"), turn)).collect();
        assert!(all.iter().all(|ms| (100..=300).contains(ms)));
        let mean = all.iter().sum::<u64>() / 500;
        assert!((180..=220).contains(&mean), "{mean}");
        assert_eq!(delay(200, 0, Some("m/7"), 1), 200);
        assert_eq!(delay(200, 50, Some("m/7"), 1), delay(200, 50, Some("n/7"), 1));
    }

    #[test]
    fn the_plan_is_one_that_a_mission_takes() {
        assert_eq!(tasks("<goal>\nread parts: 12\n</goal>\n<commander>x</commander>"), 12);
        let plan = crate::mission::plan::parse(&plan(12)).unwrap();
        assert_eq!(plan.tasks().count(), 12);
    }
}
