//! The command line: a face for people and scripts. It translates; it decides nothing.
//!
//! Data goes to standard output, messages to standard error. Exit codes:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done: the mission is sealed, the plan is made, the chain holds |
//! | 1 | the environment or the configuration does not allow it |
//! | 2 | the command line is wrong (also: an empty or too long goal) |
//! | 3 | blocked: a person is needed |
//! | 4 | exhausted: a limit was reached |
//! | 5 | cancelled |
//! | 6 | failed |
//! | 7 | verification found a broken chain, or a receipt that does not hold when it is proved again |
//! | 8 | `check`: the change-set is refused |
//! | 9 | `check`: nothing was able to prove the change-set |
//! | 10 | `verify --rerun`: a receipt cannot be proved again, because its tree cannot be rebuilt |
//! | 11 | `undo`, `redo`: nothing was taken back; the reason is told, and a merge offered where one can be made |
//! | 12 | `todo set`, `answer`: nothing was set or answered; the reason is told |
//! | 130 | interrupted; the mission can be resumed |

mod accounts;
mod acp;
mod bench;
mod check;
mod control;
mod demo;
mod doctor;
mod lsp;
mod mcp;
mod monitor;
mod paint;
mod report;
mod schema;
mod setup;
mod shell;
mod todo;
mod trust;
mod undo;
mod verify;
mod watch;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::disk::fault;
use crate::mission::Mode;
use crate::mission::view::MissionView;
use crate::runtime::{Handle, Refused, Settings, StartError, Wake};
use crate::telemetry;

/// Missions for your code: planned, proved before they land, and sealed.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version, about, disable_help_subcommand = true)]
struct Cli {
    /// The workspace (default: the current folder).
    #[arg(long, global = true, value_name = "FOLDER")]
    root: Option<PathBuf>,
    /// JSON on standard output, one value a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve an editor over standard input and output.
    Lsp(lsp::Args),
    /// Serve an agent panel (Agent Client Protocol) over standard input and output.
    Acp,
    /// Serve other agents (Model Context Protocol) over standard input and output: the gate, the plan, missions.
    Mcp,
    /// Start a mission and follow it to its end.
    Task {
        /// What is to be reached.
        #[arg(required = true)]
        goal: Vec<String>,
    },
    /// Make a plan for a goal and stop there; `resume` carries it out.
    Plan {
        /// What is to be reached.
        #[arg(required = true)]
        goal: Vec<String>,
    },
    /// Show the missions of this workspace.
    Status {
        /// Only this mission, archived or not (default: those that are open, and the newest that have ended).
        mission: Option<String>,
        /// Every mission, the archived ones too.
        #[arg(long)]
        all: bool,
    },
    /// Show the missions of this workspace on a full screen, live, and steer them; they go on without it.
    Monitor(monitor::Args),
    /// Tell a mission from its goal to its end: verdicts, times, cost, and what fell short.
    Report(report::Args),
    /// Stop a mission for good; what was accepted stays.
    Cancel {
        /// The mission (default: every one that is open).
        mission: Option<String>,
    },
    /// Let a mission begin nothing new; what is under way ends and is kept. `resume` goes on.
    Pause {
        /// The mission (default: every one that is open).
        mission: Option<String>,
    },
    /// Go on with a mission that was interrupted, paused, planned or blocked.
    Resume {
        /// The mission (default: every one that is open).
        mission: Option<String>,
    },
    /// Show the plan's items, or mark one by hand.
    #[command(subcommand)]
    Todo(todo::Todo),
    /// Answer what an agent asks; a mission that was blocked for it goes on with `resume` or where it runs.
    Answer(todo::Reply),
    /// Take back what a mission did, byte for byte; where you have edited since it shows a merge instead.
    Undo(undo::Undo),
    /// Take the newest undo back.
    Redo(undo::Redo),
    /// Show what of a workspace wants to run, plugins and servers of tools, and trust it as it is now.
    Trust(trust::Args),
    /// Say what is here: compilers, language servers, models, and how to get what is missing.
    Doctor,
    /// Print the JSON schema of a file: the configuration, or a project's agents.
    Schema {
        /// Which file.
        #[arg(value_enum, default_value_t)]
        of: schema::Of,
    },
    /// Tell an editor of this program, in its own file, or take that out again.
    Setup(setup::Args),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write a page of each command.
    Man(shell::ManArgs),
    /// Run a whole mission on a small project in a temporary folder, with a replayed conversation.
    Demo {
        /// Leave the folder in place.
        #[arg(long)]
        keep: bool,
    },
    /// Prove a change-set that is read as JSON from standard input; without a mission.
    Check(check::Args),
    /// Check the receipts of a mission, offline.
    Verify {
        /// The mission (default: all).
        mission: Option<String>,
        /// Prove every receipt again, in a clean checkout in a temporary folder.
        #[arg(long)]
        rerun: bool,
    },
    /// Measure on this machine.
    #[command(subcommand)]
    Bench(bench::Bench),
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// The caller's to mend.
    #[error("{0}")]
    User(String),
    /// The machine's or the configuration's.
    #[error("{0}")]
    Environment(String),
}

impl CliError {
    fn code(&self) -> u8 {
        match self {
            CliError::User(_) => 2,
            CliError::Environment(_) => 1,
        }
    }
}

impl From<Refused> for CliError {
    fn from(refused: Refused) -> CliError {
        match refused {
            Refused::Halted(_) => CliError::Environment(refused.to_string()),
            other => CliError::User(other.to_string()),
        }
    }
}

/// Errors that are not the caller's: they name what to do about the machine or the configuration.
fn environment(error: impl std::fmt::Display) -> CliError {
    CliError::Environment(error.to_string())
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> CliError {
        environment(error)
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::install_log();
    let code = fault::arm().map_err(CliError::User).and_then(|()| run(cli));
    let code = code.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "orchestrator: {error}");
        error.code()
    });
    telemetry::end();
    ExitCode::from(code)
}

fn run(cli: Cli) -> Result<u8, CliError> {
    let out = watch::Output::new(cli.json);
    if let Command::Lsp(args) = cli.command {
        return lsp::serve(args);
    }
    if let Command::Acp = cli.command {
        return acp::serve();
    }
    if let Command::Bench(bench) = cli.command {
        return bench::run(bench, cli.json);
    }
    let root = root(cli.root.as_deref())?;
    match cli.command {
        Command::Mcp => mcp::serve(&root),
        Command::Task { goal } => mission(&root, &goal.join(" "), Mode::Task, &out),
        Command::Plan { goal } => mission(&root, &goal.join(" "), Mode::Plan, &out),
        Command::Status { mission, all } => control::status(&root, mission.as_deref(), all, &out),
        Command::Monitor(args) => monitor::monitor(&root, &args, &out),
        Command::Report(args) => report::report(&root, &args, &out),
        Command::Cancel { mission } => control::cancel(&root, mission.as_deref(), &out),
        Command::Pause { mission } => control::pause(&root, mission.as_deref(), &out),
        Command::Resume { mission } => control::resume(&root, mission.as_deref(), &out),
        Command::Todo(args) => todo::todo(&root, &args, &out),
        Command::Answer(args) => todo::answer(&root, &args, &out),
        Command::Undo(args) => undo::undo(&root, &args, &out),
        Command::Redo(args) => undo::redo(&root, &args, &out),
        Command::Check(args) => check::check(&root, &args, &out),
        Command::Trust(args) => trust::trust(&root, &args, &out),
        Command::Doctor => doctor::doctor(&root, &out),
        Command::Schema { of } => schema::print(of, &out),
        Command::Setup(args) => setup::setup(&root, &args, &out),
        Command::Completions { shell } => Ok(shell::completions(shell, &out)),
        Command::Man(args) => shell::man(&args, &out),
        Command::Demo { keep } => demo::demo(keep, &out),
        Command::Verify { mission, rerun } => {
            verify::verify(&root, mission.as_deref(), rerun, &out)
        }
        Command::Lsp(_) | Command::Acp | Command::Bench(_) => Ok(0),
    }
}

fn root(given: Option<&Path>) -> Result<PathBuf, CliError> {
    let root = match given {
        Some(root) => root.to_path_buf(),
        None => std::env::current_dir().map_err(environment)?,
    };
    let root = root.canonicalize().map_err(|e| {
        CliError::User(format!("failed to open the workspace {}: {e}", root.display()))
    })?;
    if !root.is_dir() {
        return Err(CliError::User(format!("{} is not a folder", root.display())));
    }
    Ok(root)
}

/// Runs `work` on an asynchronous runtime, and ends what is left of it within a moment.
fn asynchronously<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(environment)?;
    let result = tokio.block_on(work);
    tokio.shutdown_timeout(Duration::from_secs(2));
    result
}

fn mission(root: &Path, goal: &str, mode: Mode, out: &watch::Output) -> Result<u8, CliError> {
    let settings = Settings { wake: Wake::Inherited, ..Settings::load().map_err(environment)? };
    asynchronously(async {
        let handle = Handle::open(root, settings, None)?;
        handle.wait_until_read();
        let id = handle.start(goal, mode)?;
        let code = watch::follow(&handle, &[id], out).await;
        handle.stop();
        code
    })
}

/// The exit code that tells how a mission stands.
fn exit_code(view: &MissionView) -> u8 {
    match view.state.as_str() {
        "blocked" => 3,
        "exhausted" => 4,
        "cancelled" => 5,
        "failed" => 6,
        _ => 0,
    }
}
