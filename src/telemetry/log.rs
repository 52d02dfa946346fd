//! Messages of the program: to standard error, and where it is wanted to files of a day each in the user's state folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// `[log]`: files of messages. What goes to standard error is set by `ORCHESTRATOR_LOG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileSettings {
    /// Write files of messages, one a day, which only you can read.
    pub file: bool,
    /// What is written there: `error`, `warn`, `info`, `debug` or `trace`, also for single modules (`info,orchestrator_lsp::gate=debug`).
    pub level: String,
    /// The most files that are kept.
    #[schemars(range(min = 1))]
    pub keep: usize,
}

impl Default for FileSettings {
    fn default() -> FileSettings {
        FileSettings { file: false, level: "info".to_owned(), keep: 7 }
    }
}

/// Where files are written to, once they are wanted.
static FILES: OnceLock<NonBlocking> = OnceLock::new();
/// Ends the thread that writes, when all is written.
static GUARD: Mutex<Option<WorkerGuard>> = Mutex::new(None);
/// What goes into files; nothing, before they are wanted.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Messages go to standard error from here on: errors, or what `ORCHESTRATOR_LOG` says.
pub fn install() {
    let filter =
        EnvFilter::try_from_env("ORCHESTRATOR_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    let people = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(filter);
    let (wanted, handle) = reload::Layer::new(EnvFilter::new("off"));
    let files =
        tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer).with_filter(wanted);
    if tracing_subscriber::registry().with(files).with(people).try_init().is_ok() {
        let _ = FILTER.set(handle);
    }
}

fn writer() -> Box<dyn Write> {
    match FILES.get() {
        Some(files) => Box::new(files.clone()),
        None => Box::new(std::io::sink()),
    }
}

/// The folder of the log files: `orchestrator/log` in the platform's folder for state.
pub fn folder(lookup: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let state = if cfg!(windows) {
        PathBuf::from(lookup("LOCALAPPDATA")?)
    } else if let Some(folder) = lookup("XDG_STATE_HOME") {
        PathBuf::from(folder)
    } else {
        Path::new(&lookup("HOME")?).join(".local").join("state")
    };
    Some(state.join("orchestrator").join("log"))
}

pub(super) fn to_files(settings: &FileSettings) -> Result<(), String> {
    let Some(filter) = FILTER.get().filter(|_| settings.file) else {
        return Ok(());
    };
    let wanted = EnvFilter::try_new(&settings.level)
        .map_err(|error| format!("[log] level is not understood: {error}"))?;
    let lookup = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let folder = folder(lookup).ok_or("there is no home folder (HOME)")?;
    let said =
        |error: &dyn std::fmt::Display| format!("failed to write to {}: {error}", folder.display());
    own_folder(&folder).map_err(|error| said(&error))?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("orchestrator")
        .filename_suffix("log")
        .max_log_files(settings.keep.max(1))
        .build(&folder)
        .map_err(|error| said(&error))?;
    let (files, guard) = tracing_appender::non_blocking(appender);
    let _ = FILES.set(files);
    *GUARD.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(guard);
    filter.reload(wanted).map_err(|error| said(&error))
}

/// Makes the folder, and keeps everybody else out of it: the files of each day are made by then.
fn own_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

pub(super) fn end() {
    drop(GUARD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
}
