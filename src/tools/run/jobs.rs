//! Background commands of a session, by their numbers. Each ends with its session at the latest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::output::Output;
use super::shell;
use crate::gate::tools::process::{GroupId, Running};
use crate::tools::sessions::locked;

/// How many may run at once.
const RUNNING: usize = 8;
/// The bytes of an output that are kept, and those that are handed back at a time.
const KEPT: usize = 256 * 1024;
const SHOWN: usize = 16 * 1024;
/// How long news of an output is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The jobs of one session.
#[derive(Debug, Default)]
pub(in crate::tools) struct Jobs(BTreeMap<u32, Arc<Job>>);

/// One job.
#[derive(Debug)]
pub(super) struct Job {
    number: u32,
    root: PathBuf,
    began: Instant,
    output: Output,
    /// How it ended.
    end: Mutex<Option<String>>,
    group: Option<GroupId>,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Jobs {
    /// Takes a process that was started.
    pub(super) fn begin(
        &mut self,
        running: Running,
        root: &Path,
        limit: Option<Duration>,
    ) -> Result<u32, String> {
        if self.0.values().filter(|job| !job.ended.is_cancelled()).count() >= RUNNING {
            return Err(format!("{RUNNING} jobs run already; stop one first"));
        }
        let number = self.0.len() as u32 + 1;
        let job = Arc::new(Job {
            number,
            root: root.to_owned(),
            began: Instant::now(),
            output: Output::new(0, KEPT),
            end: Mutex::default(),
            group: running.group(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        self.0.insert(number, job.clone());
        tokio::spawn(async move { job.see_to_its_end(running, limit).await });
        Ok(number)
    }

    pub(super) fn get(&self, number: u32) -> Result<Arc<Job>, String> {
        self.0.get(&number).cloned().ok_or_else(|| {
            format!("there is no job {number}; jobs end with their session, and with the program")
        })
    }

    /// Ends all of them, at once: who calls this may be the last one to do anything.
    pub(in crate::tools) fn stop_all(&mut self) {
        self.0.values().for_each(|job| job.stop());
    }
}

impl Job {
    async fn see_to_its_end(&self, mut running: Running, limit: Option<Duration>) {
        let limit = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let how = tokio::select! {
            status = shell::follow(&mut running, &self.output) => status.unwrap_or_else(|why| why),
            () = limit => "stopped at its time limit".to_owned(),
            () = self.stop.cancelled() => "stopped".to_owned(),
        };
        drop(running);
        *locked(&self.end) = Some(how);
        self.ended.cancel();
    }

    /// Kills its processes.
    pub(super) fn stop(&self) {
        self.stop.cancel();
        let end = locked(&self.end);
        if let (Some(group), None) = (self.group, &*end) {
            group.kill();
        }
    }

    pub(super) async fn until_ended(&self) {
        self.ended.cancelled().await;
    }

    pub(super) fn status(&self) -> String {
        let state = match &*locked(&self.end) {
            Some(how) => how.clone(),
            None => format!("running for {} s", self.began.elapsed().as_secs()),
        };
        format!("job {}: {state}; {} bytes of output", self.number, self.output.total())
    }

    /// Its output from byte `since` on; where there is none yet, it is waited for a while.
    pub(super) async fn output(&self, since: u64) -> String {
        let news = self.output.news.notified();
        if self.output.total() <= since && !self.ended.is_cancelled() {
            let ended = self.ended.cancelled();
            let some = async {
                tokio::select! { () = news => {}, () = ended => {} }
            };
            // Nothing came: that is told, too.
            let _ = tokio::time::timeout(PATIENCE, some).await;
        }
        let (from, text, next) = self.output.since(since, SHOWN);
        let text = shell::in_own_words(&text, &self.root);
        format!("{}; bytes {from} to {next}:\n{text}", self.status())
    }
}
