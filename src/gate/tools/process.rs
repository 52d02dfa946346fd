//! One child process from start to end: found, started in a group of its own, bounded in time and output, and never left
//! behind. It knows nothing of what the program says.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStderr, ChildStdout};

use crate::telemetry;

/// Output beyond this is read and dropped (bytes, per stream).
const MAX_OUTPUT: usize = 64 * 1024 * 1024;

/// Variables that a compiler needs; everything else (tokens, keys) stays here.
const ALLOWED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "TERM",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "PKG_CONFIG_PATH",
    "SDKROOT",
    "DEVELOPER_DIR",
    "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "VOLTA_HOME",
    "GOPATH",
    "GOCACHE",
    "GOMODCACHE",
    "GOROOT",
    "GOTOOLCHAIN",
    "GOPROXY",
    "GOSUMDB",
    "GOPRIVATE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOOS",
    "GOARCH",
    "CGO_ENABLED",
];

/// Families of variables that configure cargo's sources and network, none of which holds a secret.
const ALLOWED_PREFIXES: &[&str] = &["CARGO_HTTP_", "CARGO_NET_", "CARGO_SOURCE_"];

/// The part of this process's environment that a child may see.
pub fn allowed_environment() -> Vec<(OsString, OsString)> {
    let allowed = |name: &OsStr| {
        let name = name.to_string_lossy();
        let name = if cfg!(windows) { name.to_uppercase() } else { name.into_owned() };
        ALLOWED.contains(&name.as_str())
            || ALLOWED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    std::env::vars_os().filter(|(name, _)| allowed(name)).collect()
}

/// A folder for what a child calls temporary. Children that are killed leave such files behind; they go with this.
#[derive(Debug)]
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// Makes one below this process's own temporary folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> std::io::Result<Scratch> {
        tempfile::Builder::new().prefix("orchestrator-").tempdir().map(Scratch)
    }

    /// The variables that name it, on every platform.
    pub fn environment(&self) -> [(&'static str, &Path); 3] {
        ["TMPDIR", "TEMP", "TMP"].map(|name| (name, self.0.path()))
    }
}

/// Looks for a program in `first`, then on `path` (this process's PATH when `None`).
pub fn find(name: &str, first: &[PathBuf], path: Option<&OsStr>) -> Option<PathBuf> {
    let given = Path::new(name);
    if given.components().count() > 1 {
        return given.is_file().then(|| given.to_owned());
    }
    let own = std::env::var_os("PATH");
    let path = path.or(own.as_deref()).unwrap_or_default();
    let folders = first.iter().cloned().chain(std::env::split_paths(path));
    // A relative entry would be looked up in whatever folder the child is run in.
    let absolute = folders.filter(|folder| folder.is_absolute());
    absolute.flat_map(|folder| spellings(&folder, name)).find(|file| is_program(file))
}

/// The programs of the Python environments that a folder holds.
pub fn virtual_environments(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let programs = if cfg!(windows) { "Scripts" } else { "bin" };
    let environments = [".venv", "venv"].map(|name| folder.join(name));
    let real = environments.into_iter().filter(|place| place.join("pyvenv.cfg").is_file());
    real.map(move |place| place.join(programs))
}

/// A search path with `first` before `path` (this process's PATH when `None`).
pub fn path_with(first: impl Iterator<Item = PathBuf>, path: Option<&OsStr>) -> OsString {
    let own = std::env::var_os("PATH");
    let path = path.or(own.as_deref()).unwrap_or_default();
    // A folder whose name cannot stand in a search path is left out with the others before it.
    std::env::join_paths(first.chain(std::env::split_paths(path))).unwrap_or_else(|_| path.into())
}

#[cfg(windows)]
fn spellings(folder: &Path, name: &str) -> Vec<PathBuf> {
    ["exe", "cmd", "bat"].iter().map(|end| folder.join(format!("{name}.{end}"))).collect()
}

#[cfg(not(windows))]
fn spellings(folder: &Path, name: &str) -> Vec<PathBuf> {
    vec![folder.join(name)]
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Request {
    /// The program, found.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder it runs in.
    pub folder: PathBuf,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// How long it may take.
    pub deadline: Duration,
}

/// A process that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Whether its exit status is 0.
    pub success: bool,
    /// The exit status, for people.
    pub status: String,
    /// What it wrote, bounded; bad UTF-8 is replaced.
    pub stdout: String,
    /// What it complained, bounded likewise.
    pub stderr: String,
    /// When it was started.
    pub began: SystemTime,
}

impl Ended {
    /// The end of what it complained, for people.
    pub fn last_words(&self) -> String {
        let text = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let tail = lines[lines.len().saturating_sub(12)..].join("\n");
        let shown: String = tail.chars().take(2000).collect();
        if shown.is_empty() { format!("it ended with {}", self.status) } else { shown }
    }
}

/// Runs `request` to its end. Dropping the future kills the whole process group.
///
/// # Errors
/// The reason, for people: it did not start, or not end in time.
pub async fn run(name: &str, request: &Request) -> Result<Ended, String> {
    let began = SystemTime::now();
    let mut running =
        Running::start(request).map_err(|error| format!("{name} did not start: {error}"))?;
    let (stdout, stderr) = running.output();
    let ended = tokio::time::timeout(request.deadline, async {
        tokio::join!(drain(stdout), drain(stderr), running.wait())
    })
    .await;
    let Ok((stdout, stderr, status)) = ended else {
        return Err(format!(
            "{name} did not end within {} s and was stopped",
            request.deadline.as_secs()
        ));
    };
    let status = status.map_err(|error| format!("{name} was lost: {error}"))?;
    Ok(Ended { success: status.success(), status: status.to_string(), stdout, stderr, began })
}

/// A process that is under way, in a group of its own. Dropping it kills the whole group.
#[derive(Debug)]
pub struct Running {
    child: Group,
    // After the child, so that it is dropped after it.
    _scratch: Scratch,
}

impl Running {
    /// Starts `request`; its deadline is the caller's to keep.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(request: &Request) -> std::io::Result<Running> {
        let scratch = Scratch::new()?;
        Ok(Running { child: Group(spawn(request, &scratch)?), _scratch: scratch })
    }

    /// What it writes and complains; each is handed out once.
    pub fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.0.stdout().take(), self.child.0.stderr().take())
    }

    /// Its group, to be ended from elsewhere.
    pub fn group(&self) -> Option<GroupId> {
        self.child.0.id().map(GroupId)
    }

    /// Waits for the end of the process itself; others of its group may live on until this is dropped.
    ///
    /// # Errors
    /// What the system says.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.0.wait().await
    }
}

/// A process group by its number, as long as its first process was not waited for.
#[derive(Debug, Clone, Copy)]
pub struct GroupId(u32);

impl GroupId {
    /// Kills all of it, at once. Where the system has no such groups, that is left to [`Running`].
    pub fn kill(self) {
        #[cfg(unix)]
        if let Ok(id @ 2..) = i32::try_from(self.0) {
            use nix::sys::signal::{Signal, killpg};
            // Fails when the group has ended already, which is what is wanted.
            if let Err(error) = killpg(nix::unistd::Pid::from_raw(id), Signal::SIGKILL) {
                tracing::trace!(%error, "the process group had ended");
            }
        }
        #[cfg(not(unix))]
        let _ = self.0;
    }
}

fn spawn(request: &Request, scratch: &Scratch) -> std::io::Result<Box<dyn ChildWrapper>> {
    let mut command = CommandWrap::with_new(&request.program, |command| {
        command
            .args(&request.arguments)
            .current_dir(&request.folder)
            .env_clear()
            .envs(request.environment.iter().map(|(name, value)| (name, value)))
            .envs(scratch.environment())
            // It is a part of what it was started for.
            .envs(telemetry::for_children())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    });
    command.wrap(KillOnDrop);
    #[cfg(unix)]
    command.wrap(process_wrap::tokio::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(process_wrap::tokio::JobObject);
    command.spawn()
}

/// A child whose whole group ends with it.
#[derive(Debug)]
struct Group(Box<dyn ChildWrapper>);

impl Drop for Group {
    fn drop(&mut self) {
        // Fails when the group has ended already, which is what is wanted.
        if let Err(error) = self.0.start_kill() {
            tracing::trace!(%error, "the process group had ended");
        }
    }
}

/// Everything that a pipe gives, the first [`MAX_OUTPUT`] bytes of it kept.
async fn drain<R: AsyncRead + Unpin>(pipe: Option<R>) -> String {
    let Some(mut pipe) = pipe else {
        return String::new();
    };
    let mut kept = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let room = MAX_OUTPUT.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_here() {
        for name in
            ["ANTHROPIC_API_KEY", "GITHUB_TOKEN", "CARGO_REGISTRY_TOKEN", "AWS_SECRET_ACCESS_KEY"]
        {
            assert!(!ALLOWED.contains(&name));
            assert!(!ALLOWED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert_eq!(find("cargo", &[], Some(OsStr::new(""))), None);
        assert_eq!(find("no-such-program", &[], None), None);
        assert!(find("cargo", &[], None).is_some());
    }

    #[cfg(unix)]
    fn shell(script: &str, deadline: Duration) -> Request {
        Request {
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            folder: std::env::temp_dir(),
            environment: allowed_environment(),
            deadline,
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn output_and_status_come_back() {
        let ended =
            run("sh", &shell("echo out; echo err >&2; exit 3", Duration::from_secs(60))).await;
        let ended = ended.expect("it runs");
        assert_eq!(
            (ended.success, ended.stdout.as_str(), ended.stderr.as_str()),
            (false, "out\n", "err\n")
        );
        assert_eq!(ended.last_words(), "err");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_a_child_calls_temporary_goes_with_it() {
        let hang = "touch $TMPDIR/left; echo $TMPDIR; exec >&-; sleep 600";
        for script in ["touch $TMPDIR/left; echo $TMPDIR >&2; exit 1", hang] {
            let folder = tempfile::tempdir().expect("a folder");
            let told = folder.path().join("told");
            let script = format!("echo $TMPDIR > {}; {script}", told.display());
            let _ = run("sh", &shell(&script, Duration::from_millis(300))).await;
            let scratch = std::fs::read_to_string(told).expect("it ran");
            assert!(scratch.contains("orchestrator-"), "{scratch}");
            assert!(!Path::new(scratch.trim()).exists(), "{scratch}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_hang_is_stopped_with_all_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("alive");
        // The grandchild holds the pipe open for writing for as long as it lives.
        let script = format!("mkfifo {0}; (exec 3<>{0}; sleep 600 3>&3) & wait", pipe.display());
        let error =
            run("sh", &shell(&script, Duration::from_millis(300))).await.expect_err("it hangs");
        assert!(error.contains("did not end within"), "{error}");
    }
}
