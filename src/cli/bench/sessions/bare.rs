//! The baseline: a bare HTTP client that makes the same requests, as many at once, in a process of its own.

use std::time::Instant;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::super::{CliError, asynchronously, environment};
use super::super::process::{cpu_used, memory_kb};
use super::super::turns::ms;
use crate::model;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The model's address.
    #[arg(long)]
    url: String,
    /// How many ask at once.
    #[arg(long)]
    sessions: usize,
    /// How often each of them asks.
    #[arg(long)]
    requests: usize,
    /// The size of a request.
    #[arg(long)]
    bytes: usize,
}

/// What it took.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Took {
    pub requests: usize,
    pub wall_ms: f64,
    pub cpu_ms: f64,
    pub peak_kb: u64,
}

pub(in crate::cli) fn run(args: &Args) -> Result<u8, CliError> {
    let took = asynchronously(ask(args))?;
    let text = serde_json::to_string(&took).map_err(environment)?;
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes()).map_err(environment)?;
    Ok(0)
}

async fn ask(args: &Args) -> Result<Took, CliError> {
    model::install_crypto();
    let client = reqwest::Client::builder().no_proxy().build().map_err(environment)?;
    let url = format!("{}/chat/completions", args.url);
    let filler = "x".repeat(args.bytes);
    let body = json!({"messages": [{"role": "user", "content": filler}]}).to_string();
    let began = Instant::now();
    let sessions = (0..args.sessions).map(|_| {
        let (client, url, body) = (client.clone(), url.clone(), body.clone());
        let requests = args.requests;
        tokio::spawn(async move {
            for _ in 0..requests {
                client.post(&url).body(body.clone()).send().await?.bytes().await?;
            }
            Ok::<(), reqwest::Error>(())
        })
    });
    for session in join_all(sessions).await {
        session.map_err(environment)?.map_err(environment)?;
    }
    let own = std::process::id();
    Ok(Took {
        requests: args.sessions * args.requests,
        wall_ms: ms(began.elapsed()),
        cpu_ms: cpu_used(own).unwrap_or(0.0) * 1000.0,
        peak_kb: memory_kb(own, "VmHWM").unwrap_or(0),
    })
}
