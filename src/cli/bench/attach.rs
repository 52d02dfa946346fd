//! `orchestrator bench attach`: how fast processes that share a workspace hear of each other, and what waiting costs.
//!
//! Two servers stand on one workspace; the first owns it and asks a model that never answers. Everything between them goes
//! through the journal on this disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{CliError, asynchronously, environment};
use super::process::{Server, cpu_seconds};
use super::turns::{Figure, ms, print, variables};
use crate::model::replay::{Answer, ReplayServer};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Pairs of servers.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Commands for each pair.
    #[arg(long, default_value_t = 10)]
    commands: usize,
    /// For how long idle servers are watched, in seconds.
    #[arg(long, default_value_t = 5)]
    idle: u64,
}

/// How long one figure may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn run(args: &Args, json: bool) -> Result<u8, CliError> {
    print(&asynchronously(measure(args))?, json)
}

#[derive(Default)]
struct Times {
    alone: Vec<f64>,
    attached: Vec<f64>,
    own: Vec<f64>,
    there: Vec<f64>,
    back: Vec<f64>,
    taken: Vec<f64>,
    idle: Vec<f64>,
    guest: Vec<f64>,
}

async fn measure(args: &Args) -> Result<Vec<Figure>, CliError> {
    let model = ReplayServer::with_handler(Arc::new(|_| Answer::Hang)).map_err(environment)?;
    let mut times = Times::default();
    for round in 0..args.rounds {
        let folder = tempfile::tempdir().map_err(environment)?;
        let workspace = folder.path().join("workspace");
        std::fs::create_dir(&workspace).map_err(environment)?;
        let variables = variables(&model, folder.path());
        let began = Instant::now();
        let mut first = Server::start(&workspace, &variables)?;
        times.alone.push(ms(began.elapsed()));
        if round == 0 {
            times.idle.push(idle(&first, args.idle));
        }
        first.task("wait")?;
        let began = Instant::now();
        let mut second = Server::start(&workspace, &variables)?;
        times.attached.push(ms(began.elapsed()));
        if round == 0 {
            times.guest.push(idle(&second, args.idle));
        }
        for _ in 0..args.commands {
            commands(&mut first, &mut second, &mut times)?;
        }
        drop(first);
        let began = Instant::now();
        second.wait_for_view(PATIENCE, |view| {
            view["story"].to_string().contains("goes on after a restart")
        })?;
        times.taken.push(ms(began.elapsed()));
        second.stop();
    }
    Ok(figures(times))
}

/// The same pair of commands by the owner, and by the attached server.
fn commands(first: &mut Server, second: &mut Server, times: &mut Times) -> Result<(), CliError> {
    let pause = ("orchestrator.pause", "paused");
    let resume = ("orchestrator.resume", "triage");
    let is = |state: &'static str| move |view: &Value| view["state"] == state;
    let mut tell = |who: usize, sees: usize, (command, state): (&str, &'static str)| {
        let servers = [&mut *first, &mut *second];
        let began = Instant::now();
        servers[who].command(command, json!([]))?;
        servers[sees].wait_for_view(PATIENCE, is(state))?;
        let took = ms(began.elapsed());
        // The other one has seen it too before the next begins.
        servers[1 - sees].wait_for_view(PATIENCE, is(state))?;
        Ok::<f64, CliError>(took)
    };
    times.own.push(tell(0, 0, pause)?);
    times.there.push(tell(1, 0, resume)?);
    times.back.push(tell(1, 1, pause)?);
    tell(1, 1, resume)?;
    Ok(())
}

/// How much of a processor an idle server takes, in percent.
fn idle(server: &Server, seconds: u64) -> f64 {
    let before = cpu_seconds(server.id());
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs(seconds));
    let used = cpu_seconds(server.id()).zip(before).map_or(0.0, |(now, before)| now - before);
    100.0 * used / began.elapsed().as_secs_f64().max(0.001)
}

fn figures(times: Times) -> Vec<Figure> {
    vec![
        Figure::of("process start to the first answer, owning", "ms", times.alone, ""),
        Figure::of("process start to the first answer, attached", "ms", times.attached, ""),
        Figure::of("baseline: a command to the owner, until it shows", "ms", times.own, ""),
        Figure::of(
            "a command to the attached one, until the owner shows it",
            "ms",
            times.there,
            "100",
        ),
        Figure::of("a command to the attached one, until itself shows it", "ms", times.back, "100"),
        Figure::of("kill -9 of the owner, until the other carries on", "ms", times.taken, "200"),
        Figure::of("an idle owner's share of a processor", "%", times.idle, "1"),
        Figure::of("an idle attached server's share of a processor", "%", times.guest, "1"),
    ]
}
