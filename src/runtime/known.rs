//! A mission that this process knows: its state, and what of it is under way here.

use std::collections::BTreeSet;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::journal::Record;
use crate::mission::event::EffectId;
use crate::mission::{Effect, Event, Mission, step};

/// A mission that this process knows.
pub(super) struct Known {
    pub mission: Mission,
    /// The number of its next event.
    pub seq: u64,
    /// Cancelled when the mission ends; every effect but an application watches it.
    pub stop: CancellationToken,
    /// Whether it is paused; a turn that was not sent yet watches it.
    pub held: watch::Sender<bool>,
    /// Whether this process carries it on.
    pub awake: bool,
    /// Whether this process has written of it; what it writes first says so.
    pub taken: bool,
    /// The effects that this process has begun, and that have not ended.
    pub begun: BTreeSet<EffectId>,
}

impl Known {
    /// A mission that was read, or is about to begin.
    pub fn new(mission: Mission, seq: u64, awake: bool) -> Known {
        let (stop, begun) = (CancellationToken::new(), BTreeSet::new());
        let held = watch::Sender::new(mission.paused);
        Known { mission, seq, stop, held, awake, taken: seq == 0, begun }
    }

    /// Steps the mission. Answers with the effects, and whether it has ended, where that changed.
    pub fn take(&mut self, record: &Record) -> (Vec<Effect>, Option<bool>) {
        if let Event::Finished { effect, .. } = &record.event {
            self.begun.remove(effect);
        }
        let was_ended = self.mission.ended.is_some();
        let mission = std::mem::replace(&mut self.mission, Mission::new(record.mission.clone()));
        let (mission, effects) = step(mission, record.at, &record.event);
        self.mission = mission;
        let paused = self.mission.paused;
        self.held.send_if_modified(|held| std::mem::replace(held, paused) != paused);
        let is_ended = self.mission.ended.is_some();
        (effects, (is_ended != was_ended).then_some(is_ended))
    }

    /// Whether something is under way, or was when its process ended. A mission that has ended can still be applying
    /// its last change-set, which must be let end, or it is left half done.
    pub fn is_left_open(&self) -> bool {
        self.mission.pending().next().is_some()
    }
}
