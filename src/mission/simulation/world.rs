//! The world of one mission: its events so far, the effects that a process has begun, and the moves that change them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::frozen;
use super::super::plan;
use super::super::view::MissionView;
use super::super::{
    Act, Command, Effect, EffectId, Event, Mission, MissionId, Outcome, Phase, RULES,
};
use super::invariants::{Violation, Watch};
use super::scenario::Scenario;
use super::{Step, Tally};

/// Something that happens to a mission. Moves name effects by their place among the open ones, so that a move keeps
/// its sense when others before it are left out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Move {
    /// An effect ends; also one that was dropped in the meantime.
    Finish { which: u64, outcome: Outcome },
    /// A turn that was asked for waits for a slot, or waits no longer.
    Queue { which: u64, waits: bool },
    /// The last outcome comes a second time.
    Again,
    /// A person speaks.
    Tell { command: Command },
    /// The process dies, and another one takes the mission up.
    Crash,
    /// Time passes, or the clock is set.
    Pass { ms: i64 },
}

/// A mission and all that is around it.
pub(super) struct World {
    step: Step,
    pub m: Mission,
    events: Vec<(u64, Event)>,
    pub open: Vec<Effect>,
    /// Turns that wait for a slot: nothing was sent.
    queued: BTreeSet<EffectId>,
    /// Where the last outcome stands among the events.
    last: Option<usize>,
    now: u64,
    crashes: u64,
    watch: Watch,
    /// Whether the dear checks are made.
    is_looked_at_closely: bool,
}

fn unborn() -> Mission {
    Mission::new(MissionId("m".to_owned()))
}

impl World {
    pub fn new(step: Step, scenario: &Scenario) -> Result<World, Violation> {
        let mut world = World {
            step,
            m: unborn(),
            events: Vec::new(),
            open: Vec::new(),
            queued: BTreeSet::new(),
            last: None,
            now: 1_700_000_000_000,
            crashes: 0,
            watch: Watch::new(scenario),
            is_looked_at_closely: scenario.is_looked_at_closely,
        };
        world.happen(scenario.started())?;
        Ok(world)
    }

    /// The number that the next receipt will have.
    pub fn next_receipt(&self) -> u64 {
        self.watch.receipts + 1
    }

    /// Whether a person's word cannot take it up again.
    pub fn is_over(&self) -> bool {
        use super::super::End;
        !matches!(self.m.ended, None | Some(End::Blocked { .. }))
    }

    pub fn tally(&self) -> Tally {
        let end = self.m.ended.as_ref().map_or("open", |end| end.name());
        Tally {
            ends: [(end, 1)].into(),
            events: self.events.len() as u64,
            calls: self.watch.asks,
            crashes: self.crashes,
        }
    }

    /// How long it is until the mission's deadline, in milliseconds, where it has one; also when the clock was set back.
    pub fn until_deadline(&self) -> Option<i64> {
        let left = self.m.deadline()?.saturating_sub(self.now);
        Some(i64::try_from(left).unwrap_or(i64::MAX))
    }

    pub fn take(&mut self, next: Move) -> Result<(), Violation> {
        self.now += 10;
        if self.m.deadline().is_some_and(|at| at <= self.now) {
            self.happen(Event::TimeUp)?;
        }
        match next {
            Move::Finish { which, outcome } => self.finish(which, outcome),
            Move::Queue { which, waits } => match self.open.get(which as usize) {
                Some(effect) => {
                    let effect = effect.id;
                    match waits {
                        true => self.queued.insert(effect),
                        false => self.queued.remove(&effect),
                    };
                    self.happen(Event::Waits { effect, waits })
                }
                None => Ok(()),
            },
            Move::Again => match self.last.and_then(|at| self.events.get(at)) {
                Some((_, event)) => self.happen(event.clone()),
                None => Ok(()),
            },
            Move::Tell { command } => self.happen(Event::Commanded { command }),
            Move::Crash => self.crash(),
            Move::Pass { ms } => {
                self.now = self.now.saturating_add_signed(ms);
                Ok(())
            }
        }
    }

    fn finish(&mut self, which: u64, outcome: Outcome) -> Result<(), Violation> {
        let wanted = which as usize % self.open.len().max(1);
        let ends = |effect: &Effect| is_end_of(&effect.act, &outcome, self.m.is_pending(effect.id));
        let at = match self.open.get(wanted).is_some_and(ends) {
            true => Some(wanted),
            // In a shrunk trace another effect may stand in its place.
            false => self.open.iter().position(ends),
        };
        let Some(at) = at else {
            return Ok(());
        };
        let effect = self.open.swap_remove(at);
        self.watch.ends(&self.m, &effect, &outcome);
        self.last = Some(self.events.len());
        self.happen(Event::Finished { effect: effect.id, outcome })
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        let before = std::mem::replace(&mut self.m, unborn());
        let seen = self.watch.look(&before, &event);
        let (m, begun) = (self.step)(before, self.now, &event);
        self.events.push((self.now, event));
        self.m = m;
        self.open.extend(begun.iter().cloned());
        self.watch.check(&seen, &self.m, &begun)
    }

    /// The process dies at any moment between two events; another one folds them and begins again what was under way.
    fn crash(&mut self) -> Result<(), Violation> {
        self.crashes += 1;
        self.check_fold()?;
        if self.is_looked_at_closely {
            self.check_frozen()?;
        }
        self.open = self.m.pending().collect();
        self.last = None;
        if self.m.phase != Phase::New {
            self.happen(Event::Taken { rules: RULES })?;
        }
        if !self.open.is_empty() {
            self.happen(Event::Woken)?;
            self.open.retain(|effect| self.m.is_pending(effect.id));
            self.watch.begun_again(&self.m, &self.open, &self.queued)?;
        }
        self.queued.clear();
        Ok(())
    }

    fn check_fold(&mut self) -> Result<(), Violation> {
        let again =
            self.events.iter().fold(unborn(), |m, (at, event)| (self.step)(m, *at, event).0);
        if again != self.m {
            let detail = format!("{} events", self.events.len());
            return Err(Violation { rule: "the fold of the events is the state", detail });
        }
        self.m = again;
        Ok(())
    }

    /// Who takes the mission up may read its state instead of folding it.
    fn check_frozen(&mut self) -> Result<(), Violation> {
        let text = frozen::freeze(&self.m).unwrap_or_default();
        match frozen::thaw(&text) {
            Some(m) if m == self.m => {
                self.m = m;
                Ok(())
            }
            _ => Err(Violation { rule: "a state is frozen and thawed as it was", detail: text }),
        }
    }

    /// What is looked at once, at the end; the dear ones of it only in some missions.
    pub fn last_checks(&mut self, scenario: &Scenario) -> Result<(), Violation> {
        self.watch.at_the_end()?;
        let violated = |rule, detail| Err(Violation { rule, detail });
        if let Some(plan) = &self.m.plan {
            match plan::parse(&plan::render(plan)) {
                Ok(read) if read == *plan => {}
                Ok(_) => return violated("a plan is read back as it was written", String::new()),
                Err(errors) => {
                    return violated(
                        "a plan is read back as it was written",
                        format!("{errors:?}"),
                    );
                }
            }
        }
        if !scenario.is_looked_at_closely {
            return Ok(());
        }
        self.check_fold()?;
        self.check_frozen()?;
        for (_, event) in &self.events {
            if !reads_back(event) {
                return violated("an event is read back as it was written", format!("{event:?}"));
            }
        }
        match reads_back(&MissionView::of(&self.m)) {
            true => Ok(()),
            false => violated("a state is read back as it was written", String::new()),
        }
    }
}

fn reads_back<T: Serialize + serde::de::DeserializeOwned + PartialEq>(value: &T) -> bool {
    let text = serde_json::to_string(value).unwrap_or_default();
    serde_json::from_str::<T>(&text).is_ok_and(|read| read == *value)
}

/// Whether that outcome can be the end of that effect. A dropped one is aborted; others are not.
fn is_end_of(act: &Act, outcome: &Outcome, is_pending: bool) -> bool {
    use Outcome::*;
    match outcome {
        Aborted => !is_pending,
        Answered { .. } | Faulted { .. } => matches!(act, Act::Ask { .. }),
        Recalled { .. } => matches!(act, Act::Recall { .. }),
        Called { .. } => matches!(act, Act::Tool { .. }),
        Checked { .. } => matches!(act, Act::Check { .. }),
        Applied | Stale { .. } | NotApplied { .. } => {
            matches!(act, Act::Apply { .. } | Act::Undo { .. })
        }
        Met { .. } => matches!(act, Act::Apply { .. }),
        Edited { .. } => matches!(act, Act::Undo { .. }),
        Baselined { .. } => *act == Act::Baseline,
        Foreseen { .. } => matches!(act, Act::Foresee { .. }),
        Tested { .. } => matches!(act, Act::Test { .. }),
        Sealed { .. } => *act == Act::Seal,
        Waited => matches!(act, Act::Wait { .. }),
    }
}
