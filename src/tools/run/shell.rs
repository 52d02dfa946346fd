//! The one place where an agent's command line becomes a process: what may be run, and what confines it, belongs into
//! [`start`]. It runs in its worktree, in a group of its own, with an allow-list of the environment.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::output::Output;
use crate::gate::tools::process::{
    self, Request, Running, allowed_environment, path_with, virtual_environments,
};

/// What is set for every command: nobody answers a question, nobody looks at colours, and nothing is left beside sources.
const SET: &[(&str, &str)] = &[
    ("NO_COLOR", "1"),
    ("TERM", "dumb"),
    ("CARGO_TERM_COLOR", "never"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
];

/// Starts a command line in the folder `root`.
pub(super) fn start(command: &str, root: &Path) -> Result<Running, String> {
    let (program, arguments) = line(command)?;
    let request = Request {
        program,
        arguments,
        folder: root.to_owned(),
        environment: environment(root),
        // Whoever follows it keeps the time.
        deadline: Duration::MAX,
    };
    Running::start(&request).map_err(|error| format!("the shell did not start: {error}"))
}

#[cfg(unix)]
fn line(command: &str) -> Result<(std::path::PathBuf, Vec<String>), String> {
    let shell = process::find("sh", &[], None).ok_or("there is no `sh` on the PATH")?;
    // Both streams are one, so that what is written stays in its order.
    let arguments = ["-c", "exec sh -c \"$1\" 2>&1", "sh", command].map(str::to_owned);
    Ok((shell, arguments.into()))
}

#[cfg(windows)]
fn line(command: &str) -> Result<(std::path::PathBuf, Vec<String>), String> {
    let shell = process::find("cmd", &[], None).ok_or("there is no `cmd` on the PATH")?;
    Ok((shell, ["/D", "/C", command].map(str::to_owned).into()))
}

fn environment(root: &Path) -> Vec<(OsString, OsString)> {
    let mut environment = allowed_environment();
    let mut set = |name: &str, value: OsString| {
        environment.retain(|(known, _)| known != name);
        environment.push((name.into(), value));
    };
    SET.iter().for_each(|(name, value)| set(name, value.into()));
    set("PATH", path_with(virtual_environments(root), None));
    // A worktree is no repository, and none that it may lie in is meant.
    set("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root).into());
    environment
}

/// Takes the output until the command ends; how that was.
pub(super) async fn follow(running: &mut Running, output: &Output) -> Result<String, String> {
    let (stdout, stderr) = running.output();
    let mut drained = std::pin::pin!(async {
        tokio::join!(output.take(stdout), output.take(stderr));
    });
    let (status, is_drained) = {
        let mut ended = std::pin::pin!(running.wait());
        tokio::select! {
            status = &mut ended => (status, false),
            () = &mut drained => (ended.await, true),
        }
    };
    if !is_drained {
        // What the command left in the background may hold the pipes for as long as it likes.
        let _ = tokio::time::timeout(LAST, drained).await;
    }
    let status = status.map_err(|error| format!("the command was lost: {error}"))?;
    Ok(match status.code() {
        Some(code) => format!("exit {code}"),
        None => status.to_string(),
    })
}

/// How long the last words of a command are waited for, once it has ended.
const LAST: Duration = Duration::from_millis(500);

/// A text with paths below the worktree as they are in the project.
pub(super) fn in_own_words(text: &str, root: &Path) -> String {
    let root = root.to_string_lossy();
    let inside = format!("{root}{}", std::path::MAIN_SEPARATOR);
    text.replace(&inside, "").replace(&*root, ".")
}
