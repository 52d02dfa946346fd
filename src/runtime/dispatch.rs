//! Hands effects out to tasks, and sees to it that each comes back exactly once: done, failed, panicked or dropped.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Mail;
use super::perform::{Job, Performer, Told};
use super::spans::{self, Spans};
use crate::mission::event::{Fault, FaultKind, GateVerdict, SealVerdict, TestVerdict};
use crate::mission::{Act, Effect, Mission, Outcome};
use crate::telemetry::within;

pub(super) struct Dispatcher {
    performer: Arc<Performer>,
    spans: Spans,
    mail: Sender<Mail>,
    tokio: tokio::runtime::Handle,
    /// Cancelled when the process ends; what was under way is begun again by the next one.
    quit: CancellationToken,
    /// Every effect that is under way holds a sender; when all are gone, the receiver says so.
    alive: Sender<()>,
    gone: Receiver<()>,
}

impl Dispatcher {
    pub fn new(performer: Arc<Performer>, spans: Spans, mail: Sender<Mail>) -> Dispatcher {
        let tokio = tokio::runtime::Handle::current();
        let (alive, gone) = channel();
        let quit = CancellationToken::new();
        Dispatcher { performer, spans, mail, tokio, quit, alive, gone }
    }

    /// Drops everything that is under way, and waits until it is gone, with the processes that it has started. What is
    /// being applied is let end. All within a bound; whether nothing is left.
    pub fn end(self, bound: Duration) -> bool {
        self.quit.cancel();
        let (performer, extensions) = (self.performer.clone(), self.alive.clone());
        // Where the asynchronous runtime is gone already, so are they: the task is dropped, and with it the sender.
        self.tokio.spawn(async move {
            performer.toolbox.extensions().close().await;
            drop(extensions);
        });
        drop(self.alive);
        // Nobody ever sends: the answer is that everybody has left, or that the time is over.
        self.gone.recv_timeout(bound) != Err(RecvTimeoutError::Timeout)
    }

    /// Lets go of what belonged to sessions of the mission that have ended.
    pub fn keep_sessions(&self, mission: &Mission) {
        self.performer.toolbox.keep(&mission.id, |id| mission.session(id).is_some());
    }

    /// Tells of a mission that this process carries on, as it is now, before its effects begin.
    pub fn tell_of(&mut self, mission: &Mission) {
        self.spans.follow(mission);
    }

    /// Begins an effect. `stop` is cancelled when the mission ends, `held` is true while it is paused.
    pub fn begin(
        &self,
        mission: &Mission,
        effect: Effect,
        stop: &CancellationToken,
        held: &watch::Receiver<bool>,
    ) {
        let job = Job::of(mission, &effect.act, held);
        let (around, told) = self.spans.begin(&mission.id, &effect.act);
        let (performer, alive) = (self.performer.clone(), self.alive.clone());
        let (mail, id, number) = (self.mail.clone(), mission.id.clone(), effect.id);
        let (waiting, who) = (mail.clone(), id.clone());
        let waits = move |waits| {
            // As below: a closed mailbox means that the process ends.
            let _ = waiting.send(Mail::Waits { mission: who.clone(), effect: number, waits });
        };
        let (remarks, whose) = (mail.clone(), id.clone());
        let remark = move |text| {
            let _ = remarks.send(Mail::Remark { mission: whose.clone(), text });
        };
        // The sender goes with the work, finished or dropped.
        let work = async move {
            let _alive = alive;
            let outcome = performer.perform(job, Told { waits: &waits, remark: &remark }).await;
            told.into_iter().for_each(|work| spans::conclude(work, &outcome));
            outcome
        };
        let (stop, quit) = (stop.clone(), self.quit.clone());
        let task = self.tokio.spawn(within(around, work));
        self.tokio.spawn(async move {
            let abort = task.abort_handle();
            // What is being applied is let end, so that it can be recorded.
            let stoppable = !effect.act.lands();
            let outcome = tokio::select! {
                done = task => done.unwrap_or_else(|error| panicked(&effect.act, &error.to_string())),
                () = stop.cancelled(), if stoppable => Outcome::Aborted,
                () = quit.cancelled(), if stoppable => { abort.abort(); return; }
            };
            abort.abort();
            // A closed mailbox means that the process ends; the next one begins the effect again.
            let _ = mail.send(Mail::Finished { mission: id, effect: number, outcome });
        });
    }
}

/// The end of an effect whose task panicked: a defect here must not hold a mission up, nor let anything pass.
fn panicked(act: &Act, why: &str) -> Outcome {
    let reason = format!("internal error: {why}");
    tracing::error!(?act, why, "an effect panicked");
    match act {
        Act::Recall { .. } => {
            let (shared, own, weighed) = Default::default();
            Outcome::Recalled { shared, own, weighed }
        }
        Act::Ask { .. } => Outcome::Faulted { fault: Fault::new(FaultKind::Transient, reason) },
        Act::Tool { .. } => Outcome::Called { content: reason, is_error: true },
        Act::Check { .. } => Outcome::Checked { verdict: GateVerdict::Unverified { reason } },
        Act::Apply { .. } | Act::Undo { .. } => Outcome::NotApplied { reason },
        Act::Baseline => Outcome::Baselined { baseline: String::new() },
        // What is not foreseen, the gate notices.
        Act::Foresee { .. } => Outcome::Foreseen { uses: Default::default() },
        Act::Test { .. } => Outcome::Tested { verdict: TestVerdict::Unverified { reason } },
        Act::Seal => Outcome::Sealed { verdict: SealVerdict::Unverified { reason } },
        Act::Wait { .. } => Outcome::Waited,
    }
}
