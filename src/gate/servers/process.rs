//! A downstream server as a process: its environment, its process group, its end.
//!
//! It must not know what is said over the pipes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Stdio;

use crate::gate::tools::process::{Scratch, allowed_environment};
use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

/// A running child and all that it starts; dropping it kills them.
#[derive(Debug)]
pub struct Process {
    child: Box<dyn ChildWrapper>,
    /// Goes after the child was killed.
    _scratch: Scratch,
}

/// The three ends of a child's pipes.
pub struct Pipes {
    /// What it reads.
    pub stdin: ChildStdin,
    /// What it says.
    pub stdout: ChildStdout,
    /// What it says to people.
    pub stderr: ChildStderr,
}

impl Process {
    /// Starts `program` in `folder`, with the allowed part of our environment, `path` as its PATH and `extra` on top.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(
        program: &Path,
        args: &[String],
        folder: &Path,
        path: &OsStr,
        extra: &BTreeMap<String, String>,
    ) -> io::Result<(Process, Pipes)> {
        let scratch = Scratch::new()?;
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(folder)
            .env_clear()
            .envs(allowed_environment())
            .env("PATH", path)
            .envs(scratch.environment())
            .envs(extra)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut wrap = CommandWrap::from(command);
        #[cfg(unix)]
        wrap.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        wrap.wrap(process_wrap::tokio::JobObject);
        let mut child = wrap.spawn()?;
        let pipes = child.stdin().take().zip(child.stdout().take()).zip(child.stderr().take());
        let process = Process { child, _scratch: scratch };
        let ((stdin, stdout), stderr) =
            pipes.ok_or_else(|| io::Error::other("a pipe is missing"))?;
        Ok((process, Pipes { stdin, stdout, stderr }))
    }

    /// The process id of the group's leader, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the end of the whole group.
    ///
    /// # Errors
    /// When the system will not say.
    pub async fn wait(&mut self) -> io::Result<()> {
        self.child.wait().await.map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails when the group is gone already, which is what was wanted.
        if let Err(error) = self.child.start_kill() {
            tracing::debug!("failed to kill a server: {error}");
        }
    }
}
