//! `run` and `job`: commands in the session's own worktree, in the foreground and in the background.

pub(super) mod jobs;
mod output;
mod shell;

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use self::output::Output;
use super::schema::{Tool, WORKER_AND_REVIEWER, small};
use super::sessions::{Ready, Session, Sessions, locked};
use super::{Caller, ToolResult};
use crate::gate::Gate;
use crate::mission::control;

/// How long a command may take that says nothing of it (seconds).
const TIMEOUT: u64 = 300;
/// The longest that one may ask for (seconds).
const MAX_TIMEOUT: u64 = 3600;
/// How much of the output is handed back: from its beginning, and from its end (bytes).
const SHOWN: (usize, usize) = (4 * 1024, 12 * 1024);

pub(super) const RUN: Tool = Tool {
    name: control::RUN,
    description: "Shell command in your own copy of the tree.",
    schema: run_schema,
    roles: WORKER_AND_REVIEWER,
    repeatable: false,
};
pub(super) const JOB: Tool = Tool {
    name: "job",
    description: "A background run.",
    schema: job_schema,
    roles: WORKER_AND_REVIEWER,
    // To look again, or to stop what is stopped, changes nothing.
    repeatable: true,
};

fn run_schema() -> Value {
    let properties = json!({"command": {"type": "string"}, "timeout_s": {"type": "integer"}, "background": {"type": "boolean"}});
    small(properties, &["command"])
}

fn job_schema() -> Value {
    let properties = json!({"job": {"type": "integer"}, "op": {"enum": ["status", "output", "stop"]}, "since": {"type": "integer"}});
    small(properties, &["job", "op"])
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunArgs {
    command: String,
    timeout_s: Option<u64>,
    #[serde(default)]
    background: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobArgs {
    job: u32,
    op: JobOp,
    #[serde(default)]
    since: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum JobOp {
    Status,
    Output,
    Stop,
}

/// Runs a command. Dropping the future kills all its processes.
pub(super) async fn run(
    sessions: &Sessions,
    gate: &Gate,
    caller: &Caller,
    args: RunArgs,
) -> ToolResult {
    if args.command.trim().is_empty() {
        return Err("the command is empty".to_owned());
    }
    let session = sessions.of(caller)?;
    let ready = tokio::select! {
        ready = session.ready(gate, caller) => ready?,
        () = session.ended.cancelled() => return Err(ENDED.to_owned()),
    };
    let seconds = args.timeout_s.unwrap_or(TIMEOUT).clamp(1, MAX_TIMEOUT);
    match args.background {
        true => {
            let limit = args.timeout_s.map(|_| Duration::from_secs(seconds));
            begin(&session, ready, &args.command, limit)
        }
        false => foreground(&session, ready, &args.command, Duration::from_secs(seconds)).await,
    }
}

const ENDED: &str = "the session has ended";

async fn foreground(session: &Session, ready: Ready, command: &str, limit: Duration) -> ToolResult {
    let mut running = shell::start(command, ready.own.root())?;
    let output = Output::new(SHOWN.0, SHOWN.1);
    let status = tokio::select! {
        status = shell::follow(&mut running, &output) => Some(status),
        () = tokio::time::sleep(limit) => None,
        () = session.ended.cancelled() => return Err(ENDED.to_owned()),
    };
    // With it go the processes that the command left in the background.
    drop(running);
    let text = shell::in_own_words(&output.text(), ready.own.root());
    match status {
        Some(status) => Ok(format!("{}\n{}{text}", status?, ready.notes)),
        None => Err(format!(
            "stopped after {} s with all its processes: it had not ended (timeout_s sets the limit, background = true needs none)\n{}{text}",
            limit.as_secs(),
            ready.notes
        )),
    }
}

fn begin(session: &Session, ready: Ready, command: &str, limit: Option<Duration>) -> ToolResult {
    let root = ready.own.root();
    let running = shell::start(command, root)?;
    let number = locked(&session.jobs).begin(running, root, limit)?;
    Ok(format!("job {number} has begun; `job` tells of it\n{}", ready.notes))
}

/// Tells of a job, or stops it. What there is to be seen of its output is waited for a moment.
pub(super) async fn job(sessions: &Sessions, caller: &Caller, args: JobArgs) -> ToolResult {
    let session = sessions.of(caller)?;
    let job = locked(&session.jobs).get(args.job)?;
    match args.op {
        JobOp::Status => Ok(job.status()),
        JobOp::Output => Ok(job.output(args.since).await),
        JobOp::Stop => {
            job.stop();
            job.until_ended().await;
            Ok(job.status())
        }
    }
}
