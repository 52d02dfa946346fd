//! `update_todo`: a Worker says where the steps of its own task stand, item by item.
//!
//! It may say that a step is in progress or has failed, and leave a note. That a step is done is for the gate's and the
//! Reviewer's evidence to say, and for nobody else. Who names a version changes an item only as they saw it.

use super::control::UpdateTodo;
use super::event::SessionId;
use super::plan::{ItemId, Level, Mark, Plan, one_line};
use super::state::Mission;

/// The longest note, in characters.
const MAX_NOTE: usize = 500;

/// Serves the call; the answer is the item's state, or why nothing was changed.
pub(super) fn update(m: &mut Mission, id: SessionId, index: usize, call: &UpdateTodo) {
    let own = m.sessions.get(&id).and_then(|session| session.item.clone());
    let (text, is_error) = match updated(m, own.as_ref(), call) {
        Ok(text) => (text, false),
        Err(why) => (why, true),
    };
    if let Some(session) = m.sessions.get_mut(&id) {
        session.answer(index, text, is_error);
    }
}

fn updated(m: &mut Mission, own: Option<&ItemId>, call: &UpdateTodo) -> Result<String, String> {
    let item = ItemId::parse(call.item.trim())
        .ok_or_else(|| format!("`{}` is no id of a task or step", one_line(&call.item)))?;
    let own = own.ok_or("this session has no task")?;
    let plan = m.plan.as_mut().ok_or("there is no plan")?;
    let task = plan.task_of(&item).ok_or_else(|| format!("there is no {item} in the plan"))?;
    if &task.id != own {
        return Err(format!("{item} is of {}; you may update the steps of {own}", task.id));
    }
    let state = state(plan, &item);
    if call.version.as_ref().is_some_and(|v| Some(v) != plan.version(&item).as_ref()) {
        return Err(format!("nothing was changed: it is no longer that version. Now: {state}"));
    }
    let mark = match call.mark.as_deref() {
        None => None,
        Some(word) => Some(mark(word)?),
    };
    let note = call.note.as_deref().map(one_line).filter(|note| !note.is_empty());
    if note.is_some() && item.level() != Level::Step {
        return Err(format!("a note stands at a step, not at {item}"));
    }
    let steps = plan.task_mut(own).map(|task| &mut task.steps).into_iter().flatten();
    let mut is_changed = false;
    for step in steps.filter(|s| &s.id == own || s.id == item || item.level() == Level::Task) {
        if let Some(note) = &note {
            let note: String = note.chars().take(MAX_NOTE).collect();
            step.note = Some(note.trim_end().to_owned());
            is_changed = true;
        }
        match mark {
            Some(_) if step.mark == Mark::Done && item.level() == Level::Step => {
                return Err(format!("{item} is done, by its evidence: {state}"));
            }
            Some(mark) if step.mark != Mark::Done => {
                step.mark = mark;
                is_changed = true;
            }
            _ => {}
        }
    }
    // A call that only looks is answered with what it would see anyway.
    Ok(if is_changed { self::state(plan, &item) } else { state })
}

/// The mark that a Worker may set.
fn mark(word: &str) -> Result<Mark, String> {
    match word {
        "active" | "/" | "[/]" => Ok(Mark::Active),
        "failed" | "-" | "[-]" => Ok(Mark::Failed),
        "done" | "x" | "[x]" => Err("only the gate's and the Reviewer's evidence set [x]: call `done` when the task is done".to_owned()),
        _ => Err("`mark` is active or failed".to_owned()),
    }
}

/// An item in a few words: its marks, and its version.
fn state(plan: &Plan, item: &ItemId) -> String {
    let mut out = item.to_string();
    if let Some(task) = plan.task_of(item) {
        let steps = task.steps.iter().filter(|s| &task.id == item || &s.id == item);
        for step in steps {
            match item.level() {
                Level::Step => out += &format!(" [{}]", step.mark.symbol()),
                _ => out += &format!(" {}[{}]", step.id, step.mark.symbol()),
            }
        }
    }
    out + &format!(" version {}", plan.version(item).unwrap_or_default())
}

/// A step that the Worker itself says has failed: then its task is not done.
pub(super) fn failed_step(m: &Mission, id: SessionId) -> Option<ItemId> {
    let item = m.sessions.get(&id)?.item.as_ref()?;
    let task = m.plan.as_ref()?.task(item)?;
    task.steps.iter().find(|step| step.mark == Mark::Failed).map(|step| step.id.clone())
}

/// The Worker's session is over: what it called failed is to be tried again by the next one.
pub(super) fn forget_failed(m: &mut Mission, item: &ItemId) {
    let steps = m.plan.as_mut().and_then(|plan| plan.task_mut(item)).map(|task| &mut task.steps);
    for step in steps.into_iter().flatten().filter(|step| step.mark == Mark::Failed) {
        step.mark = Mark::Active;
    }
}
