//! The transition function: `step(mission, at, event) -> (mission, effects)`.

use super::advance::{advance, is_all_done};
use super::command;
use super::event::{Act, Effect, EffectId, Event, Outcome, SealVerdict};
use super::session::SessionState;
use super::state::{End, FoundBy, LineKind, Mission, Phase};
use super::{context, edit, foresight, progress, proposal, question, rules, turn, undo, work};

/// Applies one event, stamped with the milliseconds since the epoch, and says what is to be done next.
///
/// The same events in the same order give the same mission and the same effects, whenever and wherever they are applied.
pub fn step(mission: Mission, at: u64, event: &Event) -> (Mission, Vec<Effect>) {
    take(mission, at, event.clone())
}

/// [`step`] for an event that nobody needs any more: what was said moves into the conversation.
pub fn take(mut mission: Mission, at: u64, event: Event) -> (Mission, Vec<Effect>) {
    let m = &mut mission;
    let since = at.saturating_sub(m.stamp);
    m.stamp = at;
    m.now = m.now.max(at);
    let is_gap = is_gap(&event);
    if m.phase != Phase::New && !m.is_idle() && !is_gap {
        m.active_ms += since;
    }
    match event {
        Event::Started { goal, mode, engine, limits, rules } if m.phase == Phase::New => {
            m.rules = rules;
            m.started_at = m.now;
            m.phase = Phase::Triage;
            m.tell(LineKind::Step, None, None, format!("mission begins ({engine})"));
            (m.goal, m.mode, m.engine, m.limits) = (goal, mode, engine, limits);
            unpriced(m);
        }
        Event::Started { .. } => {}
        Event::Commanded { command } => command::obey(m, &command),
        Event::Finished { effect, outcome } => {
            let known = rules::are_others(m).then(|| outcome.clone());
            finished(m, effect, outcome);
            if let Some(outcome) = known {
                rules::make_good(m, &outcome);
            }
        }
        Event::Waits { effect, waits } => queued(m, effect, waits),
        Event::Taken { rules } => rules::taken(m, rules),
        Event::Woken => woken(m),
        Event::Recovered { lost } => recovered(m, &lost),
        Event::Remarked { text } => m.remark(text),
        Event::TimeUp if question::time_up(m) => {}
        Event::TimeUp => {
            let limit = format!("{} seconds of wall time", m.limits.wall_ms / 1000);
            m.end(End::Exhausted { limit });
        }
    }
    edit::retry(m);
    progress::observe(m);
    let mut effects = advance(m);
    if is_gap {
        m.waits_since = None;
    }
    question::observe(m);
    effects.retain(|effect| m.pending.contains_key(&effect.id));
    (mission, effects)
}

/// Whether the time before an event was spent by nobody: no process was there.
fn is_gap(event: &Event) -> bool {
    matches!(event, Event::Taken { .. } | Event::Woken | Event::Recovered { .. })
}

/// What was lost may have been a person's word to stop, so nothing new is begun before they say so.
fn recovered(m: &mut Mission, lost: &str) {
    let text = format!("the journal was damaged; lost of this mission: {lost}");
    m.tell(LineKind::Warning, None, None, text);
    m.paused = m.ended.is_none();
}

/// A limit on money that cannot be checked is said once.
fn unpriced(m: &mut Mission) {
    if m.limits.prices.unknown.is_empty() {
        return;
    }
    let names = m.limits.prices.unknown.join(", ");
    let text = format!(
        "no price is known for {names}: the limit on money cannot be checked; set `price` or `[prices]`"
    );
    m.tell(LineKind::Warning, None, None, text);
}

/// What was under way is begun again: a turn that was asked for is asked for, and paid for, once more.
fn woken(m: &mut Mission) {
    if m.ended.is_some() {
        return;
    }
    m.tell(LineKind::Step, None, None, "goes on after a restart");
    // Nobody waits any more for what a session had begun that is over.
    let sessions = &m.sessions;
    m.pending.retain(|_, act| match act {
        Act::Recall { session }
        | Act::Ask { session }
        | Act::Tool { session, .. }
        | Act::Wait { session, .. } => sessions.contains_key(session),
        _ => true,
    });
    let pending = &m.pending;
    m.reserved.retain(|effect, _| pending.contains_key(effect));
    for _ in 0..asked_again(m) {
        if let Some(limit) = m.limits.forbids(&m.spent, m.active_ms) {
            return m.end(End::Exhausted { limit });
        }
        m.spent.calls += 1;
    }
}

/// How many turns are asked for once more. What still waited for a slot had not gone out: it was paid for, and is not
/// paid for twice.
fn asked_again(m: &mut Mission) -> usize {
    let mut count = 0;
    for act in m.pending.values() {
        let Act::Ask { session } = act else {
            continue;
        };
        match m.sessions.get_mut(session).map(|session| &mut session.state) {
            Some(state @ SessionState::Queued) => *state = SessionState::Waiting,
            _ => count += 1,
        }
    }
    count
}

/// A turn that was asked for waits for a slot, or waits no longer.
fn queued(m: &mut Mission, effect: EffectId, waits: bool) {
    let Some(Act::Ask { session }) = m.pending.get(&effect) else {
        return;
    };
    if let Some(session) = m.sessions.get_mut(session) {
        session.state = if waits { SessionState::Queued } else { SessionState::Waiting };
    }
}

/// An effect ended. Only what is pending can end, and it ends once: a second outcome changes nothing.
fn finished(m: &mut Mission, effect: EffectId, outcome: Outcome) {
    let Some(act) = m.pending.remove(&effect) else {
        return;
    };
    m.reserved.remove(&effect);
    match (act, outcome) {
        (Act::Apply { .. }, Outcome::Applied) => proposal::applied(m),
        (Act::Apply { .. }, _) if m.ended.is_some() => m.proposals.clear(),
        (Act::Undo { number, back, .. }, outcome) => undo::ended(m, number, back, &outcome),
        _ if m.ended.is_some() => {}
        (Act::Recall { session }, Outcome::Recalled { shared, own, weighed }) => {
            let told = context::Told { shared: &shared, own: &own };
            context::recalled(m, session, &told, weighed);
        }
        // Somebody took the goal over before anybody was asked.
        (Act::Recall { .. }, Outcome::Faulted { fault }) => m.block(&fault.message),
        (Act::Ask { session }, Outcome::Answered { turn }) => turn::answered(m, session, turn),
        (Act::Ask { session }, Outcome::Faulted { fault }) => turn::faulted(m, session, &fault),
        (Act::Tool { session, index, .. }, Outcome::Called { content, is_error }) => {
            turn::called(m, session, index, content, is_error);
        }
        (Act::Check { .. }, Outcome::Checked { verdict }) => proposal::checked(m, &verdict),
        (Act::Apply { .. }, Outcome::Stale { reason }) => proposal::stale(m, &reason),
        (Act::Apply { .. }, Outcome::Met { meeting }) => proposal::met(m, meeting),
        (Act::Apply { .. }, Outcome::NotApplied { reason }) => proposal::not_applied(m, &reason),
        (Act::Baseline, Outcome::Baselined { baseline }) => m.baseline = Some(baseline),
        (Act::Foresee { names }, Outcome::Foreseen { uses }) => foresight::seen(m, names, uses),
        (Act::Test { item }, Outcome::Tested { verdict }) => work::tested(m, &item, &verdict),
        (Act::Seal, Outcome::Sealed { verdict }) => sealed(m, &verdict),
        (Act::Wait { session, .. }, Outcome::Waited) => {
            if let Some(session) = m.sessions.get_mut(&session) {
                session.state = SessionState::Ready;
            }
        }
        _ if rules::are_others(m) => {}
        (act, outcome) => m.end(End::Failed {
            reason: format!("internal error: {} cannot be the end of {act:?}", name(&outcome)),
        }),
    }
}

fn sealed(m: &mut Mission, verdict: &SealVerdict) {
    match verdict {
        SealVerdict::Green { summary, .. } if m.obligations() > 0 => {
            m.tell(LineKind::Good, None, None, format!("green: {summary}"));
            unsettled(m);
        }
        SealVerdict::Green { hash, summary, hints } => {
            m.tell(LineKind::Good, None, None, format!("green: {summary}"));
            for hint in hints {
                m.find(None, FoundBy::Gate, hint.clone());
            }
            m.end(End::Sealed { hash: hash.clone() });
        }
        SealVerdict::Red { report } => {
            m.tell(LineKind::Refused, None, None, "a check is red; the mission is not sealed");
            let finding = super::event::NewFinding {
                file: None,
                line: None,
                severity: super::event::Gravity::Error,
                message: report.clone(),
                fix: None,
                kind: None,
            };
            work::another_round(m, "a red check", &[finding]);
        }
        SealVerdict::Unverified { reason } => {
            m.end(End::Blocked { needs: format!("the whole could not be proved: {reason}") })
        }
    }
}

/// A person added work, or left findings open, while the whole was being proved: it is not sealed over their head.
fn unsettled(m: &mut Mission) {
    if !is_all_done(m) {
        m.direct = false;
        m.phase = Phase::Working;
        return;
    }
    let open = m.findings.iter().filter(|f| f.is_obligation()).map(|f| f.id.to_string());
    let numbers = open.collect::<Vec<_>>().join(", ");
    m.end(End::Blocked {
        needs: format!("a person to fix or dismiss the open findings {numbers}"),
    });
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answered { .. } => "an answer",
        Outcome::Recalled { .. } => "what is remembered",
        Outcome::Faulted { .. } => "a fault",
        Outcome::Called { .. } => "a tool result",
        Outcome::Checked { .. } => "a gate verdict",
        Outcome::Applied => "an application",
        Outcome::Stale { .. } => "a stale base",
        Outcome::Met { .. } => "a change that meets what is typed",
        Outcome::NotApplied { .. } => "a failed application",
        Outcome::Edited { .. } => "an undo that needs a merge",
        Outcome::Baselined { .. } => "a baseline",
        Outcome::Foreseen { .. } => "a foresight",
        Outcome::Tested { .. } => "a test verdict",
        Outcome::Sealed { .. } => "a seal verdict",
        Outcome::Waited => "the end of a wait",
        Outcome::Aborted => "an abort",
    }
}
