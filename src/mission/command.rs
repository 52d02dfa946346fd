//! What a person may tell a mission, whatever it is at. Cancel wins from every state.

use super::edit;
use super::event::{Command, Gravity};
use super::plan::{ItemId, Level, Mark, one_line};
use super::progress;
use super::question;
use super::rules;
use super::state::{End, FindingStatus, FoundBy, LineKind, Mission, Phase, ProposalStage};
use super::undo;
use super::work::add_tasks;

pub(super) fn obey(m: &mut Mission, command: &Command) {
    if let Some(request) = request(command) {
        m.request = request;
    }
    heed(m, command);
    // What a person does to the plan is no progress of the mission's.
    progress::grown(m);
}

/// What later sessions are told of a person's word, where it says what is wanted.
fn request(command: &Command) -> Option<String> {
    match command {
        Command::RunItem { item } => Some(format!("carry out {item}")),
        Command::SetItem { item, mark, evidence, .. } => {
            let why = evidence.as_ref().map_or(String::new(), |why| format!(": {why}"));
            Some(format!("{item} was marked {} by a person{why}", mark.symbol()))
        }
        Command::SkipItem { item } => Some(format!("leave {item} out")),
        Command::SplitItem { item } => Some(format!("split {item} into smaller tasks")),
        Command::FixFinding { finding, .. } => Some(format!("mend finding {finding}")),
        Command::DismissFinding { finding, reason } => {
            Some(format!("leave finding {finding} as it is: {reason}"))
        }
        Command::Answer { text, .. } => Some(text.clone()),
        _ => None,
    }
}

fn heed(m: &mut Mission, command: &Command) {
    match command {
        Command::Cancel => m.end(End::Cancelled),
        Command::Refuse { reason } => m.end(End::Failed { reason: reason.clone() }),
        Command::Resume => resume(m),
        Command::DismissFinding { finding, reason } => dismiss(m, *finding, reason),
        Command::Undo { receipt, merge, ask } => undo::undo(m, *receipt, *merge, ask.as_deref()),
        Command::Redo { merge, ask } => undo::redo(m, *merge, ask.as_deref()),
        Command::SetItem { item, mark, evidence, version, ask } => {
            let asks = ask.clone();
            let is_open = matches!(m.ended, None | Some(End::Blocked { .. }));
            let before = m.told;
            let is_done = if is_open {
                set_item_as_seen(m, item, *mark, evidence.as_deref(), version.as_deref())
            } else {
                m.tell(LineKind::Warning, None, Some(item), "the mission has ended");
                false
            };
            undo::answer(m, asks, is_done, before);
        }
        Command::Answer { question, text, ask } => {
            question::answer(m, *question, text, ask.as_deref());
        }
        Command::EditPlan { .. } | Command::SettleItem { .. } | Command::SkipItem { .. }
            if !matches!(m.ended, None | Some(End::Blocked { .. })) => {}
        Command::EditPlan { edits, order } => edit::edit_plan(m, edits, order),
        Command::SettleItem { item, take } => edit::settle(m, item, *take),
        Command::SkipItem { item } => edit::skip(m, item),
        Command::FileMoved { from, to } => follow(m, from, to),
        _ if m.ended.is_some() => {}
        Command::Pause => {
            if !m.paused {
                m.paused = true;
                m.tell(LineKind::Step, None, None, "paused");
            }
        }
        Command::RunItem { item } => run_item(m, item),
        Command::SplitItem { item } => progress::split_by_hand(m, item),
        Command::FixFinding { finding, test } => fix(m, *finding, *test),
    }
}

/// Goes on after a pause, after `/plan`, or after what blocked the mission was mended by a person.
fn resume(m: &mut Mission) {
    let held = m.paused || m.ended.is_some();
    match m.ended {
        None => {}
        Some(End::Blocked { .. }) if m.is_foreign => return rules::give_up(m),
        Some(End::Blocked { .. }) => reopen(m),
        Some(_) => return,
    }
    resumed(m, held);
}

/// Goes on after what blocked the mission was given.
pub(super) fn go_on(m: &mut Mission) {
    reopen(m);
    resumed(m, true);
}

fn resumed(m: &mut Mission, held: bool) {
    // Chosen tasks of a plan that waits were held up: they go on, and the plan still waits.
    let chosen = held && !(m.chosen.is_empty() && m.sessions.is_empty());
    if m.phase == Phase::Planned && !chosen {
        m.phase = Phase::Working;
    }
    m.paused = false;
    m.tell(LineKind::Step, None, None, "goes on");
}

fn reopen(m: &mut Mission) {
    m.ended = None;
    m.rounds = 0;
    m.plannings = 0;
    for work in m.work.values_mut() {
        (work.failed, work.unjudged, work.deferred) = (0, 0, None);
        (work.split_due, work.used_up) = (false, false);
    }
    m.progress.forgive();
    let tasks = m.plan.iter_mut().flat_map(|p| &mut p.milestones).flat_map(|x| &mut x.tasks);
    for step in tasks.flat_map(|t| &mut t.steps).filter(|s| s.mark != Mark::Done) {
        step.mark = Mark::Pending;
    }
}

fn run_item(m: &mut Mission, item: &ItemId) {
    let Some(task) = m.plan.as_ref().and_then(|p| p.task_of(item)) else {
        return m.tell(LineKind::Warning, None, Some(item), "there is no such task");
    };
    let (id, ready, mark) =
        (task.id.clone(), m.plan.as_ref().is_some_and(|p| p.is_ready(task)), task.mark());
    if !ready {
        m.tell(LineKind::Warning, None, Some(&id), "waits for what it depends on");
    } else if mark == Mark::Done {
        m.tell(LineKind::Warning, None, Some(&id), "is done already");
    } else if m.phase == Phase::Planned && !m.chosen.contains(&id) {
        reset(m, &id);
        m.chosen.push(id);
    } else {
        // Failed, or given up for now: it may be tried again.
        reset(m, &id);
    }
}

fn reset(m: &mut Mission, id: &ItemId) {
    if let Some(work) = m.work.get_mut(id) {
        (work.failed, work.deferred, work.split_due, work.used_up) = (0, None, false, false);
    }
    if let Some(task) =
        m.plan.as_mut().and_then(|p| p.task_mut(id)).filter(|t| t.mark() == Mark::Failed)
    {
        task.set_open_steps(Mark::Pending);
    }
}

/// As [`set_item`], where the item is still that version.
fn set_item_as_seen(
    m: &mut Mission,
    item: &ItemId,
    mark: Mark,
    evidence: Option<&str>,
    version: Option<&str>,
) -> bool {
    let now = m.plan.as_ref().and_then(|plan| plan.version(item));
    if let (Some(version), Some(now)) = (version, now)
        && version != now
    {
        let text = format!("was changed meanwhile, and is version {now}: nothing was marked");
        m.tell(LineKind::Warning, None, Some(item), text);
        return false;
    }
    set_item(m, item, mark, evidence)
}

/// A person's mark counts as it is; one that closes a step says why. Says whether it was set.
pub(super) fn set_item(m: &mut Mission, item: &ItemId, mark: Mark, evidence: Option<&str>) -> bool {
    let Some(id) = m.plan.as_ref().and_then(|p| p.task_of(item)).map(|t| t.id.clone()) else {
        m.tell(LineKind::Warning, None, Some(item), "there is no such task or step");
        return false;
    };
    if m.sessions.values().any(|s| s.item.as_ref() == Some(&id)) {
        if !m.paused {
            let text = "is being worked on; pause the mission first";
            m.tell(LineKind::Warning, None, Some(&id), text);
            return false;
        }
        take_over(m, &id);
    }
    let Some(task) = m.plan.as_mut().and_then(|p| p.task_mut(&id)) else {
        return false;
    };
    let whole = item.level() == Level::Task;
    for step in task.steps.iter_mut().filter(|s| whole || &s.id == item) {
        step.mark = mark;
        step.evidence = (mark == Mark::Done)
            .then(|| one_line(&format!("by hand: {}", evidence.unwrap_or("no reason given"))));
    }
    let is_done = task.mark() == Mark::Done;
    if is_done {
        if let Some(work) = m.work.get_mut(&id) {
            work.deferred = None;
        }
        m.close_findings(Some(&id), FoundBy::Gate);
        m.close_findings(Some(&id), FoundBy::Reviewer);
    } else if let Some(work) = m.work.get_mut(&id).filter(|_| mark != Mark::Done) {
        // It is to be done (again): what was said of it before does not count.
        (work.failed, work.unjudged, work.deferred, work.summary) = (0, 0, None, None);
        (work.split_due, work.used_up) = (false, false);
    }
    m.tell(LineKind::Step, None, Some(item), format!("marked [{}] by hand", mark.symbol()));
    true
}

/// A person takes a task out of the hands of the agents. What is being proved or applied is let end.
fn take_over(m: &mut Mission, id: &ItemId) {
    m.sessions.retain(|_, s| s.item.as_ref() != Some(id));
    m.proposals.retain(|p| {
        &p.item != id || matches!(p.stage, ProposalStage::Checking | ProposalStage::Applying(_))
    });
}

/// Where a file is after `from` became `to`; `None` where that is no matter of it.
pub(super) fn moved(file: &str, from: &str, to: &str) -> Option<String> {
    let rest = file.strip_prefix(from)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
}

/// What is said of a file goes with it.
fn follow(m: &mut Mission, from: &str, to: &str) {
    let named = |file: &mut String| {
        if let Some(now) = moved(file, from, to) {
            *file = now;
        }
    };
    let tasks = m.plan.iter_mut().flat_map(|p| &mut p.milestones).flat_map(|x| &mut x.tasks);
    tasks.flat_map(|task| &mut task.steps).flat_map(|step| &mut step.files).for_each(named);
    m.findings.iter_mut().filter_map(|f| f.what.file.as_mut()).for_each(named);
    question::places(m).map(|place| &mut place.file).for_each(named);
}

/// How a finding is mended that is to be shown by a test.
const TEST_FIRST: &str =
    "first a test that fails because of it, then the change that makes it pass; the test stays";

fn fix(m: &mut Mission, number: u32, test: bool) {
    let Some(finding) =
        m.findings.iter_mut().find(|f| f.id == number && f.status == FindingStatus::Open)
    else {
        return m.tell(LineKind::Warning, None, None, format!("there is no open finding {number}"));
    };
    let mut what = finding.what.clone();
    finding.status = FindingStatus::Closed;
    what.severity = Gravity::Error;
    if test {
        what.fix = Some(match what.fix {
            Some(fix) => format!("{TEST_FIRST}; {fix}"),
            None => TEST_FIRST.to_owned(),
        });
    }
    add_tasks(m, format!("Finding {number}"), &[what]);
    m.direct = false;
}

fn dismiss(m: &mut Mission, number: u32, reason: &str) {
    if let Some(finding) =
        m.findings.iter_mut().find(|f| f.id == number && f.status == FindingStatus::Open)
    {
        finding.status = FindingStatus::Dismissed(reason.to_owned());
    }
}
