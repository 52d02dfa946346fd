//! One server that is meant to run: a task that starts it, keeps its list of tools and sees its end. It is not started
//! again by itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::connection::{Caller, Fault, Offered, Opening, Session};
use super::process::{Excess, Process, Start, heed};
use super::servers::Limits;
use super::{Definition, Transport};

/// How long a server rests before its tools are listed again.
const REST: Duration = Duration::from_millis(200);

/// Where a server stands.
#[derive(Clone)]
pub enum Phase {
    /// It was started and has said nothing yet.
    Starting,
    /// It can be called.
    Up(Caller, Arc<Offered>),
    /// It is gone, and why.
    Ended(String, Instant),
}

/// A server that was started. Dropping it ends it.
pub struct Server {
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    name: String,
    limits: Limits,
    phase: watch::Sender<Phase>,
    /// Taken by whoever ends it.
    process: Mutex<Option<Process>>,
    /// Why it is to be ended, once a call found it broken.
    broken: Notify,
    breach: Mutex<Option<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Starts it, in a task of its own.
    pub fn start(definition: &Definition, root: &Path, limits: Limits) -> Server {
        let shared = Arc::new(Shared {
            name: definition.name.clone(),
            limits,
            phase: watch::Sender::new(Phase::Starting),
            process: Mutex::default(),
            broken: Notify::new(),
            breach: Mutex::default(),
        });
        let (ours, definition, root) =
            (Arc::clone(&shared), definition.clone(), root.to_path_buf());
        let task = tokio::spawn(async move {
            let why = ours.live(&definition, root).await;
            // Dropping it kills it.
            drop(lock(&ours.process).take());
            tracing::info!("server `{}` of the workspace: {why}", ours.name);
            ours.phase.send_replace(Phase::Ended(why, Instant::now()));
        });
        Server { shared, task: task.abort_handle() }
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.shared.phase.borrow().clone()
    }

    /// Waits until it has said something, or is gone.
    pub fn settled(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.shared.phase.subscribe();
        async move {
            // It fails where the server was ended meanwhile.
            drop(phase.wait_for(|phase| !matches!(phase, Phase::Starting)).await);
        }
    }

    /// Calls one of its tools, within the limit.
    pub fn call(
        &self,
        tool: String,
        arguments: Map<String, Value>,
    ) -> impl Future<Output = Result<String, String>> + Send + 'static {
        let (shared, phase) = (Arc::clone(&self.shared), self.phase());
        async move {
            let Phase::Up(caller, _) = phase else {
                return Err(format!("the server `{}` does not run", shared.name));
            };
            let limit = shared.limits.call;
            match tokio::time::timeout(limit, caller.call(&tool, arguments)).await {
                Ok(Ok(text)) => Ok(text),
                Ok(Err(Fault::Said(why))) => Err(why),
                Ok(Err(Fault::Broken(why))) => Err(shared.gone(why).await),
                Err(_) => Err(format!("{tool} did not answer within {limit:?} and was given up")),
            }
        }
    }

    /// Ends it and waits until it is gone, for a moment.
    pub async fn end(self) {
        self.task.abort();
        let process = lock(&self.shared.process).take();
        if let Some(process) = process {
            process.kill().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        // Dropping it kills it.
        drop(lock(&self.shared.process).take());
    }
}

impl Shared {
    /// The server's life; why it is over.
    async fn live(&self, definition: &Definition, root: PathBuf) -> String {
        let changed = Arc::new(Notify::new());
        let last = Arc::new(Mutex::new(String::new()));
        let mut heard = None;
        let mut excess = Excess::default();
        let opening = Opening { root: &root, changed: Arc::clone(&changed) };
        let opened = async {
            match &definition.transport {
                Transport::Address { url, headers } => opening.over_http(url, headers).await,
                Transport::Program { command, environment, folder } => {
                    let folder = root.join(folder);
                    let start = Start { command, environment, folder, root: &root };
                    let (process, pipes) = Process::start(&start)
                        .map_err(|error| format!("`{}` cannot be started: {error}", command[0]))?;
                    *lock(&self.process) = Some(process);
                    excess = pipes.stdout.excess();
                    let heeds = heed(self.name.clone(), pipes.stderr, Arc::clone(&last));
                    heard = Some(tokio::spawn(heeds));
                    opening.over_pipes(pipes.stdout, pipes.stdin).await
                }
            }
        };
        let limit = self.limits.start;
        let why = match tokio::time::timeout(limit, opened).await {
            Err(_) => return format!("it did not answer `initialize` within {limit:?}"),
            Ok(Err(why)) => why,
            Ok(Ok((session, caller))) => self.serve(session, caller, &changed).await,
        };
        if let Some(why) = lock(&excess).take() {
            return why;
        }
        // What a program that is gone leaves says more than that its pipe is closed.
        let process = lock(&self.process).take();
        let Some(process) = process else { return why };
        let ended = process.ended().await;
        if let Some(heard) = heard {
            // Its last words may still be in the pipe; whoever else holds that is not waited for.
            drop(tokio::time::timeout(Duration::from_secs(1), heard).await);
        }
        let last = lock(&last).clone();
        let said = if last.is_empty() { String::new() } else { format!("; it said: {last}") };
        match ended {
            Some(status) => format!("it ended ({status}){said}"),
            None => format!("{why}{said}"),
        }
    }

    /// Keeps the list of its tools until the session is over; why it is.
    async fn serve(&self, session: Session, caller: Caller, changed: &Notify) -> String {
        let ended = session.ended();
        tokio::pin!(ended);
        loop {
            let limit = self.limits.start;
            let offered = tokio::select! {
                offered = tokio::time::timeout(limit, caller.offered()) => offered,
                () = &mut ended => return "the connection was closed".to_owned(),
            };
            match offered {
                Ok(Ok(offered)) => {
                    let up = Phase::Up(caller.clone(), Arc::new(offered));
                    self.phase.send_replace(up);
                }
                Ok(Err(why)) => return why,
                Err(_) => return format!("it did not list its tools within {limit:?}"),
            }
            tokio::select! {
                () = &mut ended => return "the connection was closed".to_owned(),
                () = self.broken.notified() => {
                    let why = lock(&self.breach).take();
                    return why.unwrap_or_else(|| "the connection broke".to_owned());
                }
                () = changed.notified() => tokio::time::sleep(REST).await,
            }
        }
    }

    /// A call found that it is of no use any more; why, as far as that is found out within a moment.
    async fn gone(&self, why: String) -> String {
        *lock(&self.breach) = Some(why.clone());
        self.broken.notify_one();
        let mut phase = self.phase.subscribe();
        let ended = phase.wait_for(|phase| matches!(phase, Phase::Ended(..)));
        let known = match tokio::time::timeout(Duration::from_secs(5), ended).await {
            Ok(Ok(phase)) => match &*phase {
                Phase::Ended(why, _) => Some(why.clone()),
                _ => None,
            },
            _ => None,
        };
        format!("the server `{}` is gone: {}", self.name, known.unwrap_or(why))
    }
}
