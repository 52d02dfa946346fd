//! What to do next, read off the state: the scheduler of a mission. It begins effects; it takes no decision that an
//! event has not already made possible.

use std::collections::BTreeSet;

use super::brief;
use super::context;
use super::control;
use super::conversation::Role;
use super::event::{Act, Effect, SessionId};
use super::foresight;
use super::fuel::{Fuel, Reserve};
use super::plan::{ItemId, Mark, Task};
use super::progress;
use super::session::SessionState;
use super::state::{End, LineKind, Mission, Phase, ProposalStage, Work};
use super::turn;
use super::undo;
use super::work;

pub(super) fn advance(m: &mut Mission) -> Vec<Effect> {
    // A person's wish, whatever the mission is at; between two change-sets, never within one.
    let undo = undo::begin(m);
    if m.ended.is_some() || m.paused {
        return undo.into_iter().collect();
    }
    let mut effects = Vec::new();
    serve_gate(m, &mut effects);
    serve_tests(m, &mut effects);
    if matches!(m.phase, Phase::Planned | Phase::Working) {
        effects.extend(foresight::look(m));
    }
    open_sessions(m);
    take_baseline(m, &mut effects);
    if m.ended.is_none()
        && m.phase == Phase::Sealing
        && m.pending.is_empty()
        && m.sessions.is_empty()
    {
        m.tell(LineKind::Step, None, None, "proving the whole tree for the seal");
        let effect = m.begin(Act::Seal);
        effects.push(effect);
    }
    let ids: Vec<SessionId> = m.sessions.keys().copied().collect();
    for id in ids {
        serve_session(m, id, &mut effects);
    }
    if m.ended.is_some() {
        forget(m, &mut effects);
    }
    undo.into_iter().chain(effects).collect()
}

/// It ended while these were being begun: none of them begins, an application neither.
fn forget(m: &mut Mission, effects: &mut Vec<Effect>) {
    for effect in effects.drain(..) {
        m.pending.remove(&effect.id);
    }
    if m.pending.is_empty() {
        m.proposals.clear();
    }
}

/// What stood before is found out while the first Worker thinks: early enough, and not for goals that are declined.
fn take_baseline(m: &mut Mission, effects: &mut Vec<Effect>) {
    let is_needed = m.sessions.values().any(|session| session.role == Role::Worker);
    if is_needed && m.baseline.is_none() && !m.pending.values().any(|act| *act == Act::Baseline) {
        let effect = m.begin(Act::Baseline);
        effects.push(effect);
    }
}

/// What a Worker called done is tested before it is judged.
fn serve_tests(m: &mut Mission, effects: &mut Vec<Effect>) {
    if m.baseline.is_none() || m.untested.is_empty() {
        return;
    }
    let work = &m.work;
    m.untested.retain(|item| work.get(item).is_some_and(Work::is_untested));
    let under_test = m.pending.values().filter_map(|act| match act {
        Act::Test { item } => Some(item),
        _ => None,
    });
    let under_test: BTreeSet<&ItemId> = under_test.collect();
    let due = m.untested.iter().filter(|item| !under_test.contains(item));
    for item in due.cloned().collect::<Vec<_>>() {
        let effect = m.begin(Act::Test { item });
        effects.push(effect);
    }
}

/// The gate proves and applies one change-set at a time, and none before it knows what stood before.
fn serve_gate(m: &mut Mission, effects: &mut Vec<Effect>) {
    if m.proposals.is_empty() || m.baseline.is_none() || undo::is_at_files(m) {
        return;
    }
    let Some(first) = m.proposals.front_mut() else {
        return;
    };
    let act = match &first.stage {
        ProposalStage::Queued => {
            first.stage = ProposalStage::Checking;
            Act::Check {
                session: first.session,
                item: first.item.clone(),
                call: first.call.clone(),
                merge: first.merge.clone(),
            }
        }
        ProposalStage::Proved(accepted) => {
            let receipt = accepted.receipt;
            first.stage = ProposalStage::Applying(accepted.clone());
            Act::Apply { receipt }
        }
        ProposalStage::Checking | ProposalStage::Applying(_) => return,
    };
    let effect = m.begin(act);
    effects.push(effect);
}

fn serve_session(m: &mut Mission, id: SessionId, effects: &mut Vec<Effect>) {
    let notes = m.limits.context.recall;
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    match &mut session.state {
        SessionState::Fresh => effects.extend(context::recall(m, id)),
        SessionState::Ready => effects.extend(ask(m, id)),
        SessionState::Resting(ms) => {
            let ms = *ms;
            session.state = SessionState::Waiting;
            let effect = m.begin(Act::Wait { session: id, ms });
            effects.push(effect);
        }
        SessionState::Waiting | SessionState::Queued => {}
        SessionState::Calling(calls) => {
            let mut acts = Vec::new();
            for index in 0..calls.len() {
                let open = &calls[index];
                if open.begun || open.result.is_some() {
                    continue;
                }
                let name = open.call.name.as_str();
                if control::is_control(name) || name == control::PROPOSE {
                    // What a decision rests on comes first.
                    break;
                }
                if notes && calls[index].call.name == control::NOTE {
                    // The mission answers it, once what stands before it is answered.
                    continue;
                }
                if name == control::RUN && turn::waits_for_a_command(calls, index) {
                    // Commands run in the order in which they were asked for.
                    continue;
                }
                let open = &mut calls[index];
                open.begun = true;
                acts.push(Act::Tool { session: id, index, call: open.call.clone() });
            }
            for act in acts {
                let effect = m.begin(act);
                effects.push(effect);
            }
        }
    }
}

/// Asks for a session's next turn, when there is fuel for it beside the turns that are under way.
fn ask(m: &mut Mission, id: SessionId) -> Option<Effect> {
    context::relieve(m, id);
    let session = m.sessions.get_mut(&id)?;
    let held = (!m.reserved.is_empty()).then(|| m.reserved.values().copied().sum());
    match m.limits.fuel(&m.spent, m.active_ms, held) {
        Fuel::Enough => {}
        // It stays ready, and is looked at again when one of the others has ended.
        Fuel::Held => return None,
        Fuel::Spent(limit) => {
            m.end(End::Exhausted { limit });
            return None;
        }
    }
    session.state = SessionState::Waiting;
    let price = m.limits.prices.of.get(&session.role);
    let reserve = Reserve::of(session.weight, price, m.greatest);
    m.spent.calls += 1;
    let effect = m.begin(Act::Ask { session: id });
    m.reserved.insert(effect.id, reserve);
    Some(effect)
}

fn open_sessions(m: &mut Mission) {
    match m.phase {
        Phase::Triage if m.sessions.is_empty() => {
            let brief = brief::commander(m);
            m.open_session(Role::Commander, None, brief);
        }
        Phase::Planning if m.sessions.is_empty() => {
            m.tell(LineKind::Step, Some(Role::Planner), None, "plans");
            let brief = brief::planner(m);
            m.open_session(Role::Planner, None, brief);
        }
        Phase::Planned => open_chosen(m),
        Phase::Working => open_tasks(m),
        Phase::Judging | Phase::Sealing if !is_all_done(m) && is_quiet(m) => {
            // A person asked for more in the meantime.
            m.direct = false;
            m.phase = Phase::Working;
            open_tasks(m);
        }
        Phase::Judging if m.sessions.is_empty() => open_mission_review(m),
        _ => {}
    }
}

fn open_mission_review(m: &mut Mission) {
    let Some(plan) = &m.plan else {
        return;
    };
    let brief = brief::mission_review(m, plan);
    m.tell(LineKind::Step, Some(Role::Reviewer), None, "judges the mission");
    m.open_session(Role::Reviewer, None, brief);
}

/// While a plan waits, only the tasks that a person chose are worked on.
fn open_chosen(m: &mut Mission) {
    let chosen = m.chosen.clone();
    begin_tasks(m, |task| chosen.contains(&task.id));
    let closed = |m: &Mission, id: &ItemId| {
        let mark = m.plan.as_ref().and_then(|p| p.task(id)).map(Task::mark);
        !matches!(mark, Some(Mark::Pending | Mark::Active))
    };
    let left: Vec<ItemId> = m.chosen.iter().filter(|id| !closed(m, id)).cloned().collect();
    m.chosen = left;
    if !m.sessions.is_empty() || !m.pending.is_empty() {
        return;
    }
    // What a chosen task waits for may never come: it does not hold the plan back.
    m.chosen.clear();
    work::revive(m);
    if is_all_done(m) {
        m.phase = Phase::Working;
        open_tasks(m);
    }
}

/// Whether nothing is under way.
fn is_quiet(m: &Mission) -> bool {
    m.sessions.is_empty() && m.pending.is_empty() && m.proposals.is_empty()
}

pub(super) fn is_all_done(m: &Mission) -> bool {
    m.plan.as_ref().is_some_and(|p| p.tasks().all(|t| t.mark() == Mark::Done))
}

fn open_tasks(m: &mut Mission) {
    // What stands still is planned anew; only what a Worker called done is still judged.
    let standing = m.progress.replan_due;
    let called_done: Vec<ItemId> = match standing {
        true => {
            m.work.iter().filter(|(_, w)| w.summary.is_some()).map(|(id, _)| id.clone()).collect()
        }
        false => Vec::new(),
    };
    begin_tasks(m, |task| !standing || called_done.contains(&task.id));
    if !is_quiet(m) || m.ended.is_some() {
        return;
    }
    m.progress.replan_due = false;
    if is_all_done(m) {
        m.phase = Phase::Judging;
        return open_mission_review(m);
    }
    // What is taken up again may wait for something that is not: then it is no way on.
    while !standing && work::revive(m) {
        begin_tasks(m, |_| true);
        if !is_quiet(m) {
            return;
        }
    }
    if progress::can_replan(m) {
        progress::replan(m);
        return open_sessions(m);
    }
    let remaining = brief::remaining(m);
    let hint = if m.engine == SYMBOLIC { MODEL_HINT } else { "" };
    m.end(End::Blocked {
        needs: format!("a person for what could not be done: {remaining}{hint}"),
    });
}

/// The name of the engine that needs no model.
pub const SYMBOLIC: &str = "symbolic engine";
const MODEL_HINT: &str = ". A model may be able to: set ORCHESTRATOR_MODEL and ORCHESTRATOR_API_KEY (or ORCHESTRATOR_BASE_URL for a local one)";

fn begin_tasks(m: &mut Mission, wanted: impl Fn(&Task) -> bool) {
    let Some(plan) = &m.plan else {
        return;
    };
    let busy = m.sessions.values().filter(|s| s.item.is_some()).count();
    let mut free = (m.limits.parallel.max(1) as usize).saturating_sub(busy);
    if free == 0 {
        // Most steps of a long mission end here: looking at every task each time would cost more than all the rest.
        return;
    }
    if foresight::is_looking(m) {
        // Nobody knows yet who would get into whose way.
        free = 1usize.saturating_sub(busy);
    }
    let busy: BTreeSet<&ItemId> = m.sessions.values().filter_map(|s| s.item.as_ref()).collect();
    let at_gate: BTreeSet<&ItemId> = m.proposals.iter().map(|p| &p.item).collect();
    let open = |task: &Task| {
        let waits = m.work.get(&task.id).is_some_and(|w| w.deferred.is_some() || w.is_untested());
        let held = waits || busy.contains(&task.id) || at_gate.contains(&task.id);
        !held && matches!(task.mark(), Mark::Pending | Mark::Active) && wanted(task)
    };
    let mut open = plan.tasks().filter(|task| open(task)).peekable();
    if open.peek().is_none() {
        return;
    }
    let of_busy = plan.tasks().filter(|task| busy.contains(&task.id));
    let mut files: BTreeSet<&str> = of_busy.flat_map(|task| foresight::touched(m, task)).collect();
    let mut chosen = Vec::new();
    for task in open {
        if free == 0 {
            break;
        }
        let touched = foresight::touched(m, task);
        if touched.iter().any(|file| files.contains(file)) || !plan.is_ready(task) {
            continue;
        }
        files.extend(touched);
        chosen.push(task.clone());
        free -= 1;
    }
    for task in chosen {
        begin_task(m, &task);
    }
}

/// Opens the session that the task waits for: a Worker's, or a Reviewer's once the Worker is done.
fn begin_task(m: &mut Mission, task: &Task) {
    let work = m.work.entry(task.id.clone()).or_default();
    if work.split_due {
        let brief = brief::split(m, task);
        return m.open_session(Role::Planner, Some(task.id.clone()), brief);
    }
    if let Some(summary) = work.summary.clone() {
        let tests = work.tested.clone().unwrap_or_default();
        let brief = brief::task_review(m, task, &summary, &tests);
        m.tell(LineKind::Step, Some(Role::Reviewer), Some(&task.id), "judges the task");
        return m.open_session(Role::Reviewer, Some(task.id.clone()), brief);
    }
    let attempt = match work.failed {
        0 => String::new(),
        n => format!(" (attempt {})", n + 1),
    };
    let brief = brief::worker(m, task);
    m.tell(LineKind::Step, Some(Role::Worker), Some(&task.id), format!("{}{attempt}", task.title));
    if let Some(task) = m.plan.as_mut().and_then(|p| p.task_mut(&task.id)) {
        task.set_open_steps(Mark::Active);
    }
    m.open_session(Role::Worker, Some(task.id.clone()), brief);
}
