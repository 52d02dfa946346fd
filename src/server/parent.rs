//! Notices that the process that started us has gone, so that no server outlives its editor; and that the system asks us
//! to end.
//!
//! The end of standard input says the same in most cases; this is for an editor that was killed while something else
//! held its end of the pipe. Where the process cannot be seen (another namespace, another user, a platform without a
//! portable way) there is nothing to watch.

use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);

/// Completes when the process has gone; never, when there is none to watch.
pub async fn gone(watch: Option<&Watch>) {
    let Some(watch) = watch else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while watch.is_alive() {
        ticks.tick().await;
    }
}

/// Completes when the system asks this process to end, by `SIGTERM` or its like. Its children are ended first then,
/// which they are not when it just dies.
pub async fn terminated() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut asked) => {
                asked.recv().await;
                return;
            }
            Err(error) => tracing::warn!(%error, "the system's wish to end is not heard"),
        }
    }
    std::future::pending().await
}

/// A process that can be seen from here.
#[derive(Debug)]
pub enum Watch {
    /// It is our parent: when it dies we get another one.
    #[cfg(unix)]
    Parent(u32),
    /// It is visible in the process file system.
    Proc(std::path::PathBuf),
}

impl Watch {
    /// A watch of process `pid`; `None` when it cannot be seen from here, or has gone.
    pub fn new(pid: u32) -> Option<Watch> {
        #[cfg(unix)]
        if std::os::unix::process::parent_id() == pid {
            return Some(Watch::Parent(pid));
        }
        let entry = std::path::PathBuf::from(format!("/proc/{pid}"));
        (cfg!(target_os = "linux") && entry.exists()).then_some(Watch::Proc(entry))
    }

    fn is_alive(&self) -> bool {
        match self {
            #[cfg(unix)]
            Watch::Parent(pid) => std::os::unix::process::parent_id() == *pid,
            Watch::Proc(entry) => entry.exists(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn only_what_can_be_seen_is_watched() {
        assert!(gone(None).now_or_never().is_none());
        assert!(gone(Watch::new(u32::MAX).as_ref()).now_or_never().is_none());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_end_of_a_process_is_noticed() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let watch = Watch::new(child.id());
        let watched = gone(watch.as_ref());
        tokio::pin!(watched);
        assert!(futures_util::poll!(&mut watched).is_pending());
        child.kill().unwrap();
        child.wait().unwrap();
        watched.await;
    }
}
