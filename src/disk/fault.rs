//! Faults for tests: the `n`-th change of a disk fails, or the process dies there, as if by a power switch.
//!
//! Armed once, by the command line, from a variable of the environment (see [`VARIABLE`]); in any other process every
//! point is one look at an empty cell. Nothing of a workspace, no setting and no message of a client reaches it.
//! The module must not know who passes its points.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::power::Unflushed;

/// The variable of the environment that arms a fault: `count`, or `KIND@N`, or `KIND@N+`.
///
/// | kind | at the `N`-th point, counted from 1 (with `+`: at every later one, too) |
/// |---|---|
/// | `kill` | the process dies before the operation, without unwinding |
/// | `cut` | as `kill`, and all that was written and not flushed is lost, as if the power went |
/// | `tear` | as `kill`, but half of the bytes of a write are written first |
/// | `eio` | the operation is not done and fails with an input/output error |
/// | `enospc` | no space is left: nothing can be made or enlarged, and of a write only half of the bytes are written; what needs no space is done |
///
/// `count` names every point on standard error, and changes nothing.
pub const VARIABLE: &str = "ORCHESTRATOR_FAULT";

/// What is done to a disk at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A file or folder is made.
    Create,
    /// Bytes are written.
    Write,
    /// Bytes, or a folder's entries, are flushed.
    Sync,
    /// A file is moved over another one.
    Rename,
    /// A file is cut off.
    Truncate,
    /// A file gets more room.
    Enlarge,
    /// A file or folder is removed.
    Remove,
}

impl Operation {
    /// Whether a full disk keeps it from being done.
    fn needs_space(self) -> bool {
        matches!(self, Operation::Create | Operation::Write | Operation::Enlarge)
    }

    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Write => "write",
            Operation::Sync => "sync",
            Operation::Rename => "rename",
            Operation::Truncate => "truncate",
            Operation::Enlarge => "enlarge",
            Operation::Remove => "remove",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Count,
    Kill,
    Cut,
    Tear,
    Eio,
    Enospc,
}

#[derive(Debug)]
struct Plan {
    kind: Kind,
    at: u64,
    lasting: bool,
    passed: AtomicU64,
    unflushed: Mutex<Unflushed>,
}

static PLAN: OnceLock<Plan> = OnceLock::new();

/// Arms the fault that [`VARIABLE`] describes, for the rest of the process; nothing where it is not set.
///
/// # Errors
/// When it is not understood; the text says what would be.
pub fn arm() -> Result<(), String> {
    let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let plan = text.to_str().and_then(Plan::parse).ok_or_else(|| {
        format!("{VARIABLE} is not understood; it is for tests: `count`, `kill@N`, `cut@N`, `tear@N`, `eio@N` or `enospc@N`")
    })?;
    // A second call finds the first one's plan.
    let _ = PLAN.set(plan);
    Ok(())
}

/// Whether a fault is armed.
pub fn is_armed() -> bool {
    PLAN.get().is_some()
}

impl Plan {
    fn parse(text: &str) -> Option<Plan> {
        let plan = |kind, at, lasting| Plan {
            kind,
            at,
            lasting,
            passed: AtomicU64::new(0),
            unflushed: Mutex::default(),
        };
        if text == "count" {
            return Some(plan(Kind::Count, 0, false));
        }
        let (kind, number) = text.split_once('@')?;
        let kind = match kind {
            "kill" => Kind::Kill,
            "cut" => Kind::Cut,
            "tear" => Kind::Tear,
            "eio" => Kind::Eio,
            "enospc" => Kind::Enospc,
            _ => return None,
        };
        let lasting = number.ends_with('+');
        let at = number.trim_end_matches('+').parse().ok().filter(|at| *at > 0)?;
        Some(plan(kind, at, lasting))
    }

    /// What happens at the point that is passed now.
    fn strike(&self, operation: Operation, path: &Path) -> Option<Kind> {
        let number = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let struck = (number == self.at || (self.lasting && number > self.at))
            && (self.kind != Kind::Enospc || operation.needs_space());
        if self.kind == Kind::Count || struck {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let line = format!("fault point {number} {} {name}\n", operation.name());
            // One call, so that lines of several threads do not mix; a closed pipe is the test's choice.
            let _ = io::stderr().write_all(line.as_bytes());
        }
        struck.then_some(self.kind)
    }

    /// The end of the process: nothing is unwound, flushed or said. Nobody writes any more while the power goes.
    fn end(&self) -> ! {
        let mut unflushed = self.unflushed.lock().unwrap_or_else(PoisonError::into_inner);
        unflushed.cut();
        #[cfg(unix)]
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        std::process::abort()
    }

    /// What a power cut would take is remembered where one is armed.
    fn remember(&self, change: impl FnOnce(&mut Unflushed)) {
        if self.kind == Kind::Cut {
            change(&mut self.unflushed.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// An error that was put there.
#[derive(Debug)]
struct Injected(&'static str);

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (injected by {VARIABLE})", self.0)
    }
}

impl std::error::Error for Injected {}

fn no_space() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, Injected("no space left on device"))
}

fn broken() -> io::Error {
    io::Error::other(Injected("input/output error"))
}

/// Passes a point: the operation may begin when this answers `Ok`.
///
/// # Errors
/// The fault that is armed for this point.
pub fn point(operation: Operation, path: &Path) -> io::Result<()> {
    let Some(plan) = PLAN.get() else {
        return Ok(());
    };
    match plan.strike(operation, path) {
        None | Some(Kind::Count) => {
            if matches!(operation, Operation::Sync | Operation::Remove) {
                plan.remember(|unflushed| unflushed.settle(path));
            }
            Ok(())
        }
        Some(Kind::Kill | Kind::Tear | Kind::Cut) => plan.end(),
        Some(Kind::Eio) => Err(broken()),
        Some(Kind::Enospc) => Err(no_space()),
    }
}

/// Passes the point of a write to `at` (in bytes; `None`: the end): `put` gets the bytes to write, all of them where no
/// fault strikes.
///
/// # Errors
/// What `put` says, or the fault that is armed for this point.
pub fn write<E: From<io::Error>>(
    path: &Path,
    at: Option<u64>,
    bytes: &[u8],
    put: impl FnOnce(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let Some(plan) = PLAN.get() else {
        return put(bytes);
    };
    let half = &bytes[..bytes.len() / 2];
    match plan.strike(Operation::Write, path) {
        None | Some(Kind::Count) => {
            plan.remember(|unflushed| unflushed.write(path, at, bytes.len()));
            put(bytes)
        }
        Some(Kind::Kill | Kind::Cut) => plan.end(),
        Some(Kind::Tear) => {
            // Whether it was written or not, the process dies here.
            let _ = put(half);
            plan.end()
        }
        Some(Kind::Eio) => Err(broken().into()),
        Some(Kind::Enospc) => put(half).and_then(|()| Err(no_space().into())),
    }
}

/// A file got another name.
pub fn renamed(from: &Path, to: &Path) {
    if let Some(plan) = PLAN.get() {
        plan.remember(|unflushed| unflushed.rename(from, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_and_others_are_not() {
        let read = |text: &str| Plan::parse(text).map(|plan| (plan.kind, plan.at, plan.lasting));
        assert_eq!(read("count"), Some((Kind::Count, 0, false)));
        assert_eq!(read("kill@137"), Some((Kind::Kill, 137, false)));
        assert_eq!(read("enospc@2+"), Some((Kind::Enospc, 2, true)));
        for text in ["", "kill", "kill@", "kill@0", "kill@-1", "kill@x", "melt@3", "@3"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_plan_strikes_once_or_from_then_on() {
        let strikes = |text: &str| {
            let plan = Plan::parse(text).unwrap();
            let strike = |_| plan.strike(Operation::Sync, Path::new("a")).is_some();
            (1..=4).map(strike).collect::<Vec<_>>()
        };
        assert_eq!(strikes("eio@2"), [false, true, false, false]);
        assert_eq!(strikes("eio@2+"), [false, true, true, true]);
        assert_eq!(strikes("enospc@1+"), [false; 4], "flushing needs no space");
        assert_eq!(strikes("count"), [false; 4]);
    }

    #[test]
    fn without_a_plan_nothing_strikes() {
        assert!(!is_armed());
        point(Operation::Rename, Path::new("a")).unwrap();
        let mut written = Vec::new();
        write(Path::new("a"), None, b"all", |bytes| {
            written.extend_from_slice(bytes);
            Ok::<(), io::Error>(())
        })
        .unwrap();
        assert_eq!(written, b"all");
    }
}
