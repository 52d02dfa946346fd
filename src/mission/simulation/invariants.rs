//! What must always hold, looked at after every event. The watch keeps its own books of calls, tokens and receipts:
//! it does not take the mission's word for them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::conversation::Role;
use super::super::event::GateVerdict;
use super::super::foresight;
use super::super::fuel::Limits;
use super::super::plan::{ItemId, Plan, Task};
use super::super::{Act, Back, Command, Effect, EffectId, End, Event, Mission, Outcome, SessionId};
use super::scenario::Scenario;

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub rule: &'static str,
    pub detail: String,
}

fn hold(holds: bool, rule: &'static str, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { rule, detail: detail() }) }
}

/// What an event finds, kept to be compared with what it leaves.
pub(super) struct Before {
    ended: Option<End>,
    paused: bool,
    resumes: bool,
    undoes: bool,
    /// The effect that the event ends, and whether it was under way.
    ends: Option<(EffectId, bool)>,
}

/// The books of the watch.
pub(super) struct Watch {
    limits: Limits,
    is_usage_honest: bool,
    /// The highest number of an effect so far.
    effects: EffectId,
    /// The highest number of a session that asked for a turn.
    sessions: SessionId,
    /// Turns that were asked for, those of a process that died included.
    pub asks: u64,
    tokens: u64,
    micro_usd: u64,
    greatest_tokens: u64,
    greatest_micro_usd: u64,
    /// The highest number of a receipt.
    pub receipts: u64,
    /// Receipts that wait to be applied.
    proved: BTreeSet<u64>,
    /// Receipts whose bytes are in the tree.
    applied: BTreeSet<u64>,
    /// What was taken back and not put again, by the number of the undo.
    undone: BTreeMap<u64, Vec<u64>>,
    /// How many were applied in all.
    applications: usize,
}

impl Watch {
    pub fn new(scenario: &Scenario) -> Watch {
        Watch {
            limits: scenario.limits.clone(),
            is_usage_honest: !scenario.absurd_usage,
            effects: 0,
            sessions: 0,
            asks: 0,
            tokens: 0,
            micro_usd: 0,
            greatest_tokens: 0,
            greatest_micro_usd: 0,
            receipts: 0,
            proved: BTreeSet::new(),
            applied: BTreeSet::new(),
            undone: BTreeMap::new(),
            applications: 0,
        }
    }

    /// An effect is about to end; the books are kept by what really happens in the world.
    pub fn ends(&mut self, m: &Mission, effect: &Effect, outcome: &Outcome) {
        if !m.is_pending(effect.id) {
            return;
        }
        match (&effect.act, outcome) {
            (Act::Ask { .. }, Outcome::Answered { turn }) => self.pays(&turn.usage),
            (Act::Ask { .. }, Outcome::Faulted { fault }) => {
                self.pays(&fault.usage);
                // What never went out is no call.
                self.asks = self.asks.saturating_sub(u64::from(fault.unsent));
            }
            (
                Act::Check { .. },
                Outcome::Checked { verdict: GateVerdict::Accepted { receipt, .. } },
            ) => {
                self.receipts = self.receipts.max(*receipt);
                self.proved.insert(*receipt);
            }
            (Act::Apply { receipt }, outcome) => {
                self.proved.remove(receipt);
                if *outcome == Outcome::Applied {
                    self.applied.insert(*receipt);
                    self.applications += 1;
                }
            }
            (Act::Undo { number, back, .. }, Outcome::Applied) => match back {
                Back::Changes(receipts) => {
                    self.applied.retain(|receipt| !receipts.contains(receipt));
                    self.undone.insert(*number, receipts.clone());
                }
                Back::Undo(undo) => {
                    self.applied.extend(self.undone.remove(undo).unwrap_or_default())
                }
            },
            _ => {}
        }
    }

    fn pays(&mut self, usage: &super::super::conversation::Usage) {
        let tokens = usage.input.saturating_add(usage.output);
        self.tokens = self.tokens.saturating_add(tokens);
        self.micro_usd = self.micro_usd.saturating_add(usage.micro_usd);
        self.greatest_tokens = self.greatest_tokens.max(tokens);
        self.greatest_micro_usd = self.greatest_micro_usd.max(usage.micro_usd);
    }

    pub fn look(&self, m: &Mission, event: &Event) -> Before {
        let command = |wanted: fn(&Command) -> bool| match event {
            Event::Commanded { command } => wanted(command),
            _ => false,
        };
        Before {
            ended: m.ended.clone(),
            paused: m.paused,
            resumes: command(|c| matches!(c, Command::Resume | Command::Answer { .. })),
            undoes: command(|c| matches!(c, Command::Undo { .. } | Command::Redo { .. })),
            ends: match event {
                Event::Finished { effect, .. } => Some((*effect, m.is_pending(*effect))),
                _ => None,
            },
        }
    }

    pub fn check(
        &mut self,
        before: &Before,
        m: &Mission,
        begun: &[Effect],
    ) -> Result<(), Violation> {
        self.check_effects(before, m, begun)?;
        self.check_end(before, m, begun)?;
        for effect in begun {
            match &effect.act {
                Act::Recall { session } => self.check_opening(m, *session)?,
                Act::Ask { session } => self.check_ask(m, *session)?,
                Act::Apply { receipt } => hold(
                    self.proved.contains(receipt),
                    "only what a receipt names is applied",
                    || format!("receipt {receipt}"),
                )?,
                Act::Undo { back, .. } => hold(
                    match back {
                        Back::Changes(receipts) => {
                            receipts.iter().all(|r| self.applied.contains(r))
                        }
                        Back::Undo(undo) => self.undone.contains_key(undo),
                    },
                    "only what was applied is taken back, and only what was taken back is put again",
                    || back.to_string(),
                )?,
                _ => {}
            }
        }
        hold(m.receipts.len() == self.applications, "what was applied is recorded, once", || {
            format!("{} receipts, {} applications", m.receipts.len(), self.applications)
        })
    }

    fn check_effects(
        &mut self,
        before: &Before,
        m: &Mission,
        begun: &[Effect],
    ) -> Result<(), Violation> {
        let known = self.effects;
        for effect in begun {
            let fresh = effect.id > self.effects && m.is_pending(effect.id);
            hold(fresh, "an effect begins once", || format!("{effect:?}"))?;
            self.effects = effect.id;
        }
        if let Some((effect, was_pending)) = before.ends {
            hold(!m.is_pending(effect), "an effect ends once", || format!("effect {effect}"))?;
            hold(was_pending || begun.is_empty(), "a second outcome changes nothing", || {
                format!("{begun:?}")
            })?;
        }
        // What is under way was begun: before, or just now.
        let lost = m.pending.keys().rev().take_while(|id| **id > known);
        let lost = lost.filter(|id| begun.iter().all(|effect| effect.id != **id)).count();
        hold(lost == 0, "no effect is lost", || format!("{lost} were not handed out"))?;
        let stuck = !m.is_idle() && m.pending.is_empty();
        hold(!stuck, "a mission that has not ended has something under way", || {
            format!("{:?}", m.phase)
        })?;
        hold(m.is_idle() || m.deadline().is_some(), "what runs has a deadline", String::new)
    }

    fn check_end(&self, before: &Before, m: &Mission, begun: &[Effect]) -> Result<(), Violation> {
        let only_undo = begun.iter().all(|effect| matches!(effect.act, Act::Undo { .. }));
        let held = m.ended.is_some() || m.paused || before.paused && !before.resumes;
        hold(!held || only_undo, "nothing begins after an end or in a pause", || {
            format!("{begun:?}")
        })?;
        if let Some(end) = &before.ended {
            let reopened = before.resumes && matches!(end, End::Blocked { .. });
            hold(reopened || m.ended.as_ref() == Some(end), "an end stands", || {
                format!("{end:?}, then {:?}", m.ended)
            })?;
            let quiet = reopened || before.undoes || before.ends.is_some() || begun.is_empty();
            hold(quiet, "nothing begins after an end or in a pause", || format!("{begun:?}"))?;
        }
        match &m.ended {
            Some(End::Sealed { .. }) if before.ended.is_none() => {
                hold(m.obligations() == 0, "nothing is sealed that is open", || {
                    format!("{} obligations", m.obligations())
                })
            }
            Some(End::Blocked { needs }) => {
                hold(!needs.trim().is_empty(), "a person is told what is needed", String::new)
            }
            Some(End::Failed { reason }) => {
                hold(!reason.contains("internal error"), "no internal error", || reason.clone())
            }
            _ => Ok(()),
        }
    }

    /// Fuel is checked before it is spent, and the overshoot is at most one call.
    fn check_ask(&mut self, m: &Mission, session: SessionId) -> Result<(), Violation> {
        self.asks += 1;
        let rule = "fuel is checked before it is spent";
        let limits = &self.limits;
        hold(self.asks <= limits.calls, rule, || format!("{} calls", self.asks))?;
        hold(self.tokens < limits.tokens, rule, || format!("{} tokens", self.tokens))?;
        let has_money = self.micro_usd < limits.micro_usd || self.micro_usd == 0;
        hold(has_money, rule, || format!("{} micro-dollars", self.micro_usd))?;
        hold(m.active_ms < limits.wall_ms, rule, || format!("{} ms", m.active_ms))?;
        self.check_opening(m, session)
    }

    /// A session begins with what is remembered for it, or with its first turn.
    fn check_opening(&mut self, m: &Mission, session: SessionId) -> Result<(), Violation> {
        let Some(open) = m.session(session) else {
            return hold(false, "a turn belongs to an open session", || format!("{session}"));
        };
        if session > self.sessions {
            self.sessions = session;
            check_side_by_side(m, &self.limits)?;
            if let (Role::Worker, Some(item)) = (open.role, &open.item) {
                check_ready(m, item)?;
            }
        }
        Ok(())
    }

    /// A process took up what another had begun: its turns are asked for once more, and are paid for; those that still
    /// were `queued` are paid for already.
    pub fn begun_again(
        &mut self,
        m: &Mission,
        open: &[Effect],
        queued: &BTreeSet<EffectId>,
    ) -> Result<(), Violation> {
        for effect in open {
            match &effect.act {
                Act::Ask { session } => {
                    self.asks += u64::from(!queued.contains(&effect.id));
                    hold(
                        self.asks <= self.limits.calls,
                        "fuel is checked before it is spent",
                        || format!("{} calls", self.asks),
                    )?;
                    check_open(m, *session)?;
                }
                Act::Tool { session, .. } => check_open(m, *session)?,
                _ => {}
            }
        }
        Ok(())
    }

    pub fn at_the_end(&self) -> Result<(), Violation> {
        let (tokens, money) = (
            self.limits.tokens.saturating_add(self.greatest_tokens),
            self.limits.micro_usd.saturating_add(self.greatest_micro_usd),
        );
        let within = self.tokens <= tokens && self.micro_usd <= money;
        hold(within || !self.is_usage_honest, "the overshoot is at most one call", || {
            format!("{} tokens, {} micro-dollars", self.tokens, self.micro_usd)
        })
    }
}

fn check_open(m: &Mission, session: SessionId) -> Result<(), Violation> {
    hold(m.session(session).is_some(), "a turn belongs to an open session", || format!("{session}"))
}

fn check_ready(m: &Mission, item: &ItemId) -> Result<(), Violation> {
    let plan = m.plan.as_ref();
    let ready = plan.is_some_and(|plan| plan.task(item).is_some_and(|task| plan.is_ready(task)));
    hold(ready, "a task waits for what it depends on", || item.to_string())
}

/// Tasks that run at once are no more than may be, and share no file, nor one in which a name of theirs stands.
fn check_side_by_side(m: &Mission, limits: &Limits) -> Result<(), Violation> {
    let items: Vec<&ItemId> = m.sessions().filter_map(|session| session.item.as_ref()).collect();
    let most = limits.parallel.max(1) as usize;
    hold(items.len() <= most, "no more tasks at once than may be", || format!("{items:?}"))?;
    let tasks =
        items.iter().filter_map(|item| m.plan.as_ref().map(|plan: &Plan| plan.task(item))?);
    let tasks: Vec<&Task> = tasks.collect();
    for (at, task) in tasks.iter().enumerate() {
        for other in tasks.iter().skip(at + 1) {
            let files = foresight::touched(m, task);
            let shared = foresight::touched(m, other).iter().any(|file| files.contains(file));
            hold(!shared && task.id != other.id, "tasks that run at once share no file", || {
                format!("{} and {}", task.id, other.id)
            })?;
        }
    }
    Ok(())
}
