//! A server as a process: what it may see, its group, its end, and bounds of what it may write. It must not know what is
//! said over the pipes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, ReadBuf};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

/// Variables that a program needs to be found, to run and to reach the network; everything else (tokens, keys) stays here.
const ALLOWED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "TERM",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "VIRTUAL_ENV",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "VOLTA_HOME",
];

/// The longest message that is read, in bytes. What is longer ends the server.
pub const LONGEST_MESSAGE: usize = 8 * 1024 * 1024;
/// Bytes and messages that a server may write in [`WINDOW`]; more is a flood, and ends it.
const MOST_BYTES: usize = 64 * 1024 * 1024;
const MOST_MESSAGES: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(10);
/// Bytes of its complaints that are logged; the rest is read and dropped.
const MOST_LOGGED: usize = 64 * 1024;
const LONGEST_LINE: usize = 500;

fn allowed_environment() -> impl Iterator<Item = (OsString, OsString)> {
    let is_allowed = |name: &str| {
        let name = if cfg!(windows) { name.to_uppercase() } else { name.to_owned() };
        ALLOWED.contains(&name.as_str())
    };
    std::env::vars_os().filter(move |(name, _)| name.to_str().is_some_and(is_allowed))
}

/// What is started.
#[derive(Debug)]
pub struct Start<'a> {
    /// The program and its arguments; never empty.
    pub command: &'a [String],
    /// Its own variables.
    pub environment: &'a BTreeMap<String, String>,
    /// The folder it runs in.
    pub folder: PathBuf,
    /// The workspace's root, where a relative program lies.
    pub root: &'a Path,
}

/// A running server and all that it starts; dropping it kills them.
#[derive(Debug)]
pub struct Process(Box<dyn ChildWrapper>);

/// The ends of its pipes.
pub struct Pipes {
    /// What it reads.
    pub stdin: ChildStdin,
    /// What it says, within bounds.
    pub stdout: Bounded<ChildStdout>,
    /// What it says to people.
    pub stderr: ChildStderr,
}

impl Process {
    /// Starts it, with the allowed part of our environment and its own variables.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(start: &Start<'_>) -> io::Result<(Process, Pipes)> {
        let (program, args) = start.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let path = Path::new(program);
        let is_relative = path.is_relative() && path.components().count() > 1;
        let program = if is_relative { start.root.join(path) } else { path.to_owned() };
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(&start.folder)
            .env_clear()
            .envs(allowed_environment())
            .envs(start.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut wrap = CommandWrap::from(command);
        wrap.wrap(KillOnDrop);
        #[cfg(unix)]
        wrap.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        wrap.wrap(process_wrap::tokio::JobObject);
        let mut child = wrap.spawn()?;
        let pipes = child.stdin().take().zip(child.stdout().take()).zip(child.stderr().take());
        let process = Process(child);
        let ((stdin, stdout), stderr) =
            pipes.ok_or_else(|| io::Error::other("a pipe is missing"))?;
        Ok((process, Pipes { stdin, stdout: Bounded::new(stdout), stderr }))
    }

    /// Waits for the end, for a moment, and kills what is left of the group; how it ended, where it did by itself.
    pub async fn ended(mut self) -> Option<ExitStatus> {
        let ended = tokio::time::timeout(Duration::from_millis(500), self.0.wait()).await;
        ended.ok()?.ok()
    }

    /// Kills the group and waits for its end, for a moment.
    pub async fn kill(mut self) {
        self.end();
        if tokio::time::timeout(Duration::from_secs(2), self.0.wait()).await.is_err() {
            tracing::warn!("a server of the workspace was killed and has not ended yet");
        }
    }

    fn end(&mut self) {
        // It fails when the group is gone already, which is what was wanted.
        if let Err(error) = self.0.start_kill() {
            tracing::debug!("failed to kill a server: {error}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Why a server's output was cut off, where it was.
pub type Excess = Arc<Mutex<Option<String>>>;

/// What a server writes, as long as it keeps within bounds: then an error, and nothing more.
pub struct Bounded<R> {
    inner: R,
    excess: Excess,
    /// Bytes since the last line end.
    line: usize,
    since: Instant,
    bytes: usize,
    messages: usize,
}

impl<R> Bounded<R> {
    fn new(inner: R) -> Bounded<R> {
        let excess = Excess::default();
        Bounded { inner, excess, line: 0, since: Instant::now(), bytes: 0, messages: 0 }
    }

    /// Where it is told why.
    pub fn excess(&self) -> Excess {
        Arc::clone(&self.excess)
    }

    fn look_at(&mut self, read: &[u8]) -> Result<(), String> {
        if self.since.elapsed() > WINDOW {
            (self.since, self.bytes, self.messages) = (Instant::now(), 0, 0);
        }
        self.bytes += read.len();
        let mut lines = read.split(|byte| *byte == b'\n');
        let mut longest = self.line + lines.next().map_or(0, <[u8]>::len);
        self.line = longest;
        for line in lines {
            self.line = line.len();
            longest = longest.max(line.len());
            self.messages += 1;
        }
        if longest > LONGEST_MESSAGE {
            return Err(format!("it sent a message of more than {} MiB", LONGEST_MESSAGE >> 20));
        }
        if self.bytes > MOST_BYTES || self.messages > MOST_MESSAGES {
            return Err(format!("it flooded its output in less than {} s", WINDOW.as_secs()));
        }
        Ok(())
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Bounded<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
        let checked = this.look_at(&buffer.filled()[before..]);
        Poll::Ready(checked.map_err(|why| {
            *this.excess.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
            io::Error::other(why)
        }))
    }
}

/// Logs what a server says to people, bounded, and keeps its last line.
pub async fn heed(name: String, stderr: ChildStderr, last: Arc<Mutex<String>>) {
    let mut reader = BufReader::new(stderr);
    let mut logged = 0;
    loop {
        let mut line = Vec::new();
        match (&mut reader).take(LONGEST_LINE as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        logged += line.len();
        if logged <= MOST_LOGGED {
            tracing::debug!("server `{name}`: {text}");
        }
        if !text.is_empty() {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_here() {
        for name in ["ANTHROPIC_API_KEY", "GITHUB_TOKEN", "ORCHESTRATOR_API_KEY", "SSH_AUTH_SOCK"] {
            assert!(!ALLOWED.contains(&name));
        }
    }

    #[test]
    fn long_messages_and_floods_are_noticed() {
        let long = vec![b'x'; LONGEST_MESSAGE];
        let mut output = Bounded::new(());
        assert_eq!(output.look_at(&long), Ok(()));
        assert!(output.look_at(b"x").is_err_and(|why| why.contains("8 MiB")));
        let mut output = Bounded::new(());
        assert_eq!(output.look_at(&b"x\n".repeat(MOST_MESSAGES)), Ok(()));
        assert!(output.look_at(b"\n").is_err_and(|why| why.contains("flooded")));
        let mut output = Bounded::new(());
        let mut said = Ok(());
        for _ in 0..=MOST_BYTES / long.len() {
            said = said.and_then(|()| output.look_at(b"\n")).and_then(|()| output.look_at(&long));
        }
        assert!(said.is_err_and(|why| why.contains("flooded")));
    }
}
