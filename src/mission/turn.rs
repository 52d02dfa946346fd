//! An agent's turn: its calls are answered, its decisions taken, its faults survived.

use super::brief;
use super::compact;
use super::context;
use super::control::{self, Control};
use super::conversation::{Role, Turn, Usage};
use super::event::{Fault, FaultKind, SessionId};
use super::fuel::{Reserve, backoff_ms};
use super::provider::{self, Served};
use super::question;
use super::repetition;
use super::session::{OpenCall, SessionState};
use super::state::{End, LineKind, Mission, Proposal, ProposalStage};
use super::todo;
use super::work;

/// Answers that could not be used, in a row, before a session is given up.
const NUDGES: u32 = 3;
/// The longest wait that was kept before `limits.wait_ms` was a limit.
const OLD_WAIT_MS: u64 = 10 * 60 * 1000;
/// Calls of one answer that are served.
const CALLS: usize = 64;

pub(super) fn answered(m: &mut Mission, id: SessionId, turn: Turn) {
    pay(m, turn.usage);
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    let (role, troubled) = (session.role, session.troubled);
    let calls = turn.calls.len();
    session.hear(turn.text, turn.calls);
    session.prompts = turn.prompts.into_vec();
    session.count(&turn.usage);
    let (by, usage, took_ms) = (turn.by, turn.usage, turn.took_ms);
    provider::served(m, id, role, &Served { by, usage, took_ms, after_faults: troubled });
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    if calls == 0 {
        return unusable(m, id, "That answer called no tool.");
    }
    session.nudges = 0;
    for index in CALLS..calls {
        session.answer(index, format!("not served: an answer may have {CALLS} calls"), true);
    }
    settle(m, id);
}

/// Answers the calls that can be answered now. Control calls wait until the calls before them are answered, because
/// what they decide may rest on the results.
pub(super) fn settle(m: &mut Mission, id: SessionId) {
    let takes_notes = m.limits.context.recall;
    loop {
        let Some(session) = m.sessions.get_mut(&id) else {
            return;
        };
        let role = session.role;
        let calls = session.calls_mut();
        let Some(index) = calls.iter().position(|c| c.result.is_none() && !c.begun) else {
            break;
        };
        let name = calls[index].call.name.as_str();
        if control::is_control(name) {
            if calls[..index].iter().any(|c| c.result.is_none()) {
                break;
            }
            let call = calls[index].call.clone();
            let refused = |c: &OpenCall| c.call.name == control::PROPOSE && c.is_refused();
            if call.name == control::DONE && calls[..index].iter().any(refused) {
                session.answer(index, "not taken: a change-set of this answer was refused", true);
                continue;
            }
            match control::read(role, &call) {
                Ok(decision) => decide(m, id, index, decision),
                Err(refusal) => session.answer(index, refusal, true),
            }
        } else if name == control::PROPOSE {
            if waits_for_a_command(calls, index) {
                break;
            }
            propose(m, id, index);
        } else if takes_notes && name == control::NOTE {
            context::note(m, id, index);
        } else {
            break;
        }
    }
    conclude(m, id);
}

/// Whether a command of the same answer, before that call, has not ended: what it does to the worktree comes first.
pub(super) fn waits_for_a_command(calls: &[OpenCall], index: usize) -> bool {
    calls[..index].iter().any(|c| c.call.name == control::RUN && c.result.is_none())
}

fn conclude(m: &mut Mission, id: SessionId) {
    let turns = m.limits.turns;
    if let Some(why) = repetition::judge(m, id) {
        return work::session_failed(m, id, &why);
    }
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    session.conclude_calls();
    if session.state == SessionState::Ready && session.turns >= turns {
        work::session_failed(m, id, &format!("it used all {turns} turns of its session"));
    }
}

fn propose(m: &mut Mission, id: SessionId, index: usize) {
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    let (role, item) = (session.role, session.item.clone());
    let Some(open) = session.calls_mut().get_mut(index) else {
        return;
    };
    match (role, item) {
        (Role::Worker, Some(item)) => {
            open.begun = true;
            let call = open.call.clone();
            m.proposals.push_back(Proposal {
                session: id,
                index,
                item,
                call,
                stale: 0,
                merge: None,
                stage: ProposalStage::Queued,
            });
        }
        _ => session.answer(index, format!("`propose` is not a tool of the {role}"), true),
    }
}

fn decide(m: &mut Mission, id: SessionId, index: usize, decision: Control) {
    match decision {
        Control::Triage(triage) => work::triaged(m, id, triage),
        Control::Plan(text) => work::planned(m, id, index, &text.todo),
        Control::Done(done) => match todo::failed_step(m, id) {
            Some(step) => {
                let text = format!(
                    "not taken: you marked {step} as failed; mend it and mark it active, or give up"
                );
                if let Some(session) = m.sessions.get_mut(&id) {
                    session.answer(index, text, true);
                }
            }
            None => work::done(m, id, done),
        },
        Control::GiveUp(why) => work::gave_up(m, id, &why.reason),
        Control::Verdict(verdict) => work::judged(m, id, verdict),
        Control::UpdateTodo(call) => todo::update(m, id, index, &call),
        Control::Ask(call) => question::ask(m, id, index, &call),
    }
}

/// The tool's result came in.
pub(super) fn called(
    m: &mut Mission,
    id: SessionId,
    index: usize,
    content: String,
    is_error: bool,
) {
    if let Some(session) = m.sessions.get_mut(&id) {
        session.answer(index, content, is_error);
        settle(m, id);
    }
}

/// What a call came to, once that is known.
fn pay(m: &mut Mission, usage: Usage) {
    m.spent.usage += usage;
    m.greatest = m.greatest.max(Reserve::used(&usage));
}

fn unusable(m: &mut Mission, id: SessionId, why: &str) {
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    session.nudges += 1;
    if session.nudges > NUDGES {
        return work::session_failed(m, id, &format!("{NUDGES} reminders did not help: {why}"));
    }
    let prompts = std::mem::take(&mut session.prompts);
    let nudge = brief::nudge(session.role, why);
    session.say(prompts.into_iter().chain([nudge]).collect::<Vec<_>>().join("\n\n"));
    conclude(m, id);
}

pub(super) fn faulted(m: &mut Mission, id: SessionId, fault: &Fault) {
    pay(m, fault.usage);
    provider::asked_in_vain(m, id, fault);
    let role = m.sessions.get(&id).map(|session| session.role);
    if let Some(session) = m.sessions.get_mut(&id) {
        session.troubled = true;
        let role = session.role;
        match fault.kind {
            FaultKind::Transient => ask_again(m, id, fault),
            FaultKind::BadAnswer => {
                m.tell(LineKind::Warning, Some(role), None, fault.message.clone());
                unusable(m, id, &format!("That answer could not be used: {}.", fault.message));
            }
            FaultKind::Overflow if fault.is_of_old() => {
                work::session_failed(m, id, "the conversation grew too long for the model");
            }
            FaultKind::Overflow => ask_shorter(m, id, &fault.message),
            FaultKind::NeedsHuman => m.block(&fault.message),
        }
    }
    provider::conclude(m, id, role, fault);
}

/// The same turn is asked for again: at once where another model stands in, else after a wait.
fn ask_again(m: &mut Mission, id: SessionId, fault: &Fault) {
    let (allowed, longest) = (m.limits.faults, m.limits.wait_ms);
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    // What was not sent was no try: many sessions wait while one of them, or of another mission, finds out whether the
    // provider answers again. That one's tries, and the mission's time, bound the wait.
    let is_try = !fault.unsent || fault.instead.is_some() || fault.is_of_old();
    if is_try && session.faults >= allowed {
        let tries = allowed.saturating_add(1);
        let needs = format!("the model gave no answer in {tries} tries: {}", fault.message);
        return m.end(End::Blocked { needs });
    }
    session.faults += u32::from(is_try);
    let role = session.role;
    if let Some(instead) = &fault.instead {
        session.state = SessionState::Ready;
        let text = format!("{} — asking the fallback model {instead}", fault.message);
        return m.tell(LineKind::Warning, Some(role), None, text);
    }
    let wish = fault.retry_after_ms.unwrap_or(0);
    let wish = if fault.is_of_old() { wish.min(OLD_WAIT_MS) } else { wish };
    if wish > longest {
        let needs = format!(
            "to be resumed later: the provider asks for a wait of {} s, and a mission waits {} s at most (limits.wait_ms): {}",
            wish.div_ceil(1000),
            longest / 1000,
            fault.message
        );
        return m.end(End::Blocked { needs });
    }
    let ms = wish.max(backoff_ms(session.faults, fault.jitter));
    session.state = SessionState::Resting(ms);
    let text = format!("{} — asking again in {:.1} s", fault.message, ms as f64 / 1000.0);
    m.tell(LineKind::Warning, Some(role), None, text);
}

/// The conversation is too long for the model: it is asked again with a shorter one, while there is a shorter one.
fn ask_shorter(m: &mut Mission, id: SessionId, why: &str) {
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    let role = session.role;
    let Some(pieces) = compact::shorten(session) else {
        let text = format!(
            "the conversation is too long for the model, in its shortest form as well ({why})"
        );
        return work::session_failed(m, id, &text);
    };
    session.state = SessionState::Ready;
    context::renew(m, id);
    let text = format!(
        "the conversation is too long for the model: {pieces} old pieces of it give way to notes"
    );
    m.tell(LineKind::Warning, Some(role), None, text);
}
