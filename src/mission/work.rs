//! The hand-offs between the roles: triage, plan, attempt, review, and what becomes of each when it goes wrong.

use super::brief;
use super::control::{Decision, Done, Triage, Verdict};
use super::conversation::Role;
use super::event::{Gravity, Mode, NewFinding, SessionId, TestVerdict};
use super::plan::{self, ItemId, Mark, Milestone, Plan, Step, Task};
use super::progress;
use super::state::{End, FoundBy, LineKind, Mission, Phase};
use super::todo;

pub(super) fn triaged(m: &mut Mission, id: SessionId, triage: Triage) {
    m.sessions.remove(&id);
    m.brief = triage.brief;
    match triage.decision {
        Decision::Decline => m.block(&triage.needs),
        Decision::Direct if m.mode == Mode::Task => {
            m.tell(LineKind::Step, Some(Role::Commander), None, "one small task: no plan needed");
            m.direct = true;
            adopt(m, single_task(&m.goal.clone()));
        }
        Decision::Direct | Decision::Plan => {
            m.tell(LineKind::Step, Some(Role::Commander), None, "hands the goal to the Planner");
            m.phase = Phase::Planning;
        }
    }
}

/// The most errors of a plan that are shown at once.
const ERRORS: usize = 50;

/// A plan of one task, for goals that need no ceremony.
fn single_task(goal: &str) -> Plan {
    let title: String = plan::one_line(goal).chars().take(200).collect();
    let milestone = ItemId::milestone(1);
    let task = milestone.child(1);
    let step = new_step(task.child(1), title.clone());
    Plan {
        goal: title.clone(),
        milestones: vec![Milestone {
            id: milestone,
            title: title.clone(),
            depends: Vec::new(),
            tasks: vec![new_task(task, title, vec![step])],
        }],
    }
}

fn new_step(id: ItemId, title: String) -> Step {
    Step {
        id,
        title,
        mark: Mark::Pending,
        size: None,
        files: Vec::new(),
        issue: None,
        evidence: None,
        note: None,
    }
}

fn new_task(id: ItemId, title: String, steps: Vec<Step>) -> Task {
    Task { id, title, agent: None, depends: Vec::new(), steps }
}

/// The highest number of a milestone that a Planner may choose: there is room above for what comes later.
const HIGHEST: u32 = 9_999;

/// A plan came: the first one, the parts of a task, or what is left planned anew.
pub(super) fn planned(m: &mut Mission, id: SessionId, index: usize, todo: &str) {
    let item = m.sessions.get(&id).and_then(|session| session.item.clone());
    let taken = read_plan(m, todo).and_then(|plan| match item {
        Some(item) => progress::split(m, &item, plan),
        None if m.plan.is_some() => progress::replanned(m, plan),
        None => {
            adopt(m, plan);
            Ok(())
        }
    });
    match taken {
        Ok(()) => {
            m.sessions.remove(&id);
        }
        Err(why) => plan_refused(m, id, index, &why),
    }
}

fn read_plan(m: &Mission, todo: &str) -> Result<Plan, String> {
    let mut plan = plan::parse(todo).map_err(|errors| {
        let lines: Vec<String> = errors.iter().take(ERRORS).map(ToString::to_string).collect();
        lines.join("\n")
    })?;
    if plan.milestones.iter().any(|x| x.id.milestone_number() > HIGHEST) {
        return Err(format!("the number of a milestone is at most {HIGHEST}"));
    }
    plan.goal = plan::one_line(&m.goal);
    // Only the gate and the Reviewer's evidence close a step, whatever a plan says of itself.
    for step in plan.milestones.iter_mut().flat_map(|x| &mut x.tasks).flat_map(|t| &mut t.steps) {
        (step.mark, step.evidence) = (Mark::Pending, None);
    }
    Ok(plan)
}

fn plan_refused(m: &mut Mission, id: SessionId, index: usize, why: &str) {
    let first = why.lines().next().unwrap_or_default();
    let told = format!("the plan is not valid: {first}");
    m.tell(LineKind::Refused, Some(Role::Planner), None, told);
    let allowed = m.limits.refusals;
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    session.refusals += 1;
    if session.refusals > allowed {
        let why = format!("{} plans were not valid, last: {first}", session.refusals);
        return session_failed(m, id, &why);
    }
    let text = format!("the plan is not valid; mend it and send it whole:\n{why}");
    session.answer(index, text, true);
}

fn adopt(m: &mut Mission, plan: Plan) {
    let (tasks, steps) = (plan.tasks().count(), plan.progress().1);
    m.tell(
        LineKind::Good,
        Some(Role::Planner),
        None,
        format!("plan: {tasks} tasks, {steps} steps"),
    );
    m.plan = Some(plan);
    progress::grown(m);
    m.phase = match m.mode {
        Mode::Task => Phase::Working,
        Mode::Plan => {
            m.tell(
                LineKind::Step,
                None,
                None,
                "the plan waits: resume the mission, or run an item",
            );
            Phase::Planned
        }
    };
}

pub(super) fn done(m: &mut Mission, id: SessionId, done: Done) {
    let Some(item) = m.sessions.remove(&id).and_then(|s| s.item) else {
        return;
    };
    let text = plan::one_line(&done.summary);
    m.tell(LineKind::Step, Some(Role::Worker), Some(&item), format!("done: {}", shorten(&text)));
    m.untested.insert(item.clone());
    let work = m.work.entry(item).or_default();
    work.notes = done.notes;
    work.summary = Some(done.summary);
    work.tested = None;
}

/// The tests have spoken: a review is due, or another attempt.
pub(super) fn tested(m: &mut Mission, item: &ItemId, verdict: &TestVerdict) {
    let (kind, told) = match verdict {
        TestVerdict::Passed { summary } => (LineKind::Step, format!("tests: {summary}")),
        TestVerdict::Unverified { reason } => {
            (LineKind::Warning, format!("tests were not run: {reason}"))
        }
        TestVerdict::Failed { report } => {
            let first = report.lines().next().unwrap_or_default();
            let text = format!("tests fail that passed before: {}", shorten(first));
            m.tell(LineKind::Refused, None, Some(item), text);
            let feedback = format!("Tests fail that passed before:\n{report}");
            return attempt_failed(m, item, feedback);
        }
    };
    m.tell(kind, None, Some(item), shorten(&plan::one_line(&told)));
    if let Some(work) = m.work.get_mut(item) {
        work.tested = Some(told);
    }
}

pub(super) fn gave_up(m: &mut Mission, id: SessionId, reason: &str) {
    let Some(session) = m.sessions.remove(&id) else {
        return;
    };
    match session.item {
        Some(item) if session.role == Role::Planner => {
            m.tell(
                LineKind::Refused,
                Some(Role::Planner),
                Some(&item),
                format!("no split: {reason}"),
            );
            progress::not_split(m, &item);
        }
        None if m.plan.is_some() => progress::not_replanned(m, reason),
        Some(item) => {
            m.tell(
                LineKind::Refused,
                Some(Role::Worker),
                Some(&item),
                format!("gives up: {reason}"),
            );
            defer(m, &item, reason);
        }
        None => m.block(reason),
    }
}

/// What could not be done now may be possible once other tasks are done; until then the task waits. It counts as an
/// attempt, so this ends.
fn defer(m: &mut Mission, item: &ItemId, reason: &str) {
    let (accepted, allowed) = (m.receipts.len(), m.limits.attempts);
    let work = m.work.entry(item.clone()).or_default();
    work.feedback = reason.to_owned();
    work.failed += 1;
    if work.failed >= allowed {
        return progress::used_up(m, item);
    }
    work.deferred = Some(accepted);
    m.close_findings(Some(item), FoundBy::Gate);
    if let Some(task) = m.plan.as_mut().and_then(|p| p.task_mut(item)) {
        task.set_open_steps(Mark::Pending);
    }
    progress::round_failed(m, Some(item));
}

/// Takes up again what was given up before something else was accepted; the rest is split, or has failed. Says whether there is
/// something to take up.
pub(super) fn revive(m: &mut Mission) -> bool {
    let accepted = m.receipts.len();
    let deferred: Vec<(ItemId, usize)> =
        m.work.iter().filter_map(|(id, work)| Some((id.clone(), work.deferred?))).collect();
    let (again, over): (Vec<_>, Vec<_>) = deferred.into_iter().partition(|(_, at)| *at < accepted);
    for (id, _) in again.iter().chain(if again.is_empty() { &over[..] } else { &[] }) {
        if let Some(work) = m.work.get_mut(id) {
            work.deferred = None;
        }
    }
    if !again.is_empty() {
        return true;
    }
    over.iter().for_each(|(id, _)| progress::used_up(m, id));
    over.iter().any(|(id, _)| m.work.get(id).is_some_and(|work| work.split_due))
}

pub(super) fn task_failed(m: &mut Mission, item: &ItemId) {
    m.close_findings(Some(item), FoundBy::Gate);
    m.work.entry(item.clone()).or_default().used_up = true;
    if let Some(task) = m.plan.as_mut().and_then(|p| p.task_mut(item)) {
        task.set_open_steps(Mark::Failed);
    }
}

/// An attempt at a task came to nothing.
fn attempt_failed(m: &mut Mission, item: &ItemId, feedback: String) {
    let allowed = m.limits.attempts;
    let work = m.work.entry(item.clone()).or_default();
    work.failed += 1;
    work.feedback = feedback;
    work.summary = None;
    let failed = work.failed;
    m.close_findings(Some(item), FoundBy::Gate);
    if failed >= allowed {
        m.tell(LineKind::Refused, None, Some(item), format!("failed after {failed} attempts"));
        return progress::used_up(m, item);
    }
    progress::round_failed(m, Some(item));
}

/// A session ends without the call that should end it.
pub(super) fn session_failed(m: &mut Mission, id: SessionId, why: &str) {
    let Some(session) = m.sessions.remove(&id) else {
        return;
    };
    m.proposals.retain(|p| p.session != id || p.stage != super::state::ProposalStage::Queued);
    m.tell(
        LineKind::Warning,
        Some(session.role),
        session.item.as_ref(),
        format!("session given up: {why}"),
    );
    match (session.role, session.item) {
        (Role::Commander, _) => m.phase = Phase::Planning,
        (Role::Planner, Some(item)) => progress::not_split(m, &item),
        (Role::Planner, _) => {
            m.plannings += 1;
            m.brief = format!("An earlier attempt at the plan failed: {why}.");
            if m.plannings < m.limits.attempts {
                return;
            }
            if m.plan.is_some() {
                progress::not_replanned(m, why);
            } else {
                m.end(End::Failed {
                    reason: format!("no valid plan after {} attempts: {why}", m.plannings),
                });
            }
        }
        (Role::Worker, Some(item)) => {
            todo::forget_failed(m, &item);
            attempt_failed(m, &item, format!("The last attempt ended because {why}."))
        }
        (Role::Reviewer, Some(item)) => {
            let work = m.work.entry(item.clone()).or_default();
            work.unjudged += 1;
            if work.unjudged >= m.limits.attempts {
                m.end(End::Blocked {
                    needs: format!(
                        "a person to judge {item}: the Reviewer came to no verdict ({why})"
                    ),
                });
            }
        }
        (Role::Worker | Role::Reviewer, None) => {
            m.rounds += 1;
            if m.rounds > m.limits.rounds {
                m.end(End::Blocked {
                    needs: format!(
                        "a person to judge the mission: the Reviewer came to no verdict ({why})"
                    ),
                });
            }
        }
    }
}

pub(super) fn judged(m: &mut Mission, id: SessionId, verdict: Verdict) {
    match m.sessions.remove(&id).and_then(|s| s.item) {
        Some(item) => task_judged(m, &item, verdict),
        None => mission_judged(m, verdict),
    }
}

fn task_judged(m: &mut Mission, item: &ItemId, verdict: Verdict) {
    m.close_findings(Some(item), FoundBy::Reviewer);
    m.close_findings(Some(item), FoundBy::Gate);
    let feedback = brief::findings(&verdict.findings);
    for finding in verdict.findings {
        m.find(Some(item), FoundBy::Reviewer, finding);
    }
    if !verdict.pass {
        let text = format!("review failed: {}", shorten(&plan::one_line(&feedback)));
        m.tell(LineKind::Refused, Some(Role::Reviewer), Some(item), text);
        return attempt_failed(m, item, format!("The Reviewer refused it:\n{feedback}"));
    }
    let evidence = plan::one_line(&verdict.evidence.join("; "));
    m.tell(
        LineKind::Good,
        Some(Role::Reviewer),
        Some(item),
        format!("passed: {}", shorten(&evidence)),
    );
    let notes = m.work.get_mut(item).map(|w| std::mem::take(&mut w.notes)).unwrap_or_default();
    for mut note in notes {
        note.severity = Gravity::Info;
        m.find(Some(item), FoundBy::Worker, note);
    }
    close_steps(m, item, &evidence);
    if m.direct {
        // One task is the whole mission: its review was the review of the whole.
        m.phase = Phase::Sealing;
    }
}

fn close_steps(m: &mut Mission, item: &ItemId, evidence: &str) {
    if let Some(work) = m.work.get_mut(item) {
        work.summary = None;
    }
    let Some(task) = m.plan.as_mut().and_then(|p| p.task_mut(item)) else {
        return;
    };
    for step in &mut task.steps {
        step.mark = Mark::Done;
        step.evidence.get_or_insert_with(|| evidence.to_owned());
    }
}

fn mission_judged(m: &mut Mission, verdict: Verdict) {
    m.close_findings(None, FoundBy::Reviewer);
    for finding in verdict.findings.iter().filter(|f| f.severity != Gravity::Error || !verdict.pass)
    {
        m.find(None, FoundBy::Reviewer, finding.clone());
    }
    if verdict.pass {
        let evidence = plan::one_line(&verdict.evidence.join("; "));
        m.tell(
            LineKind::Good,
            Some(Role::Reviewer),
            None,
            format!("mission passed: {}", shorten(&evidence)),
        );
        m.phase = Phase::Sealing;
        return;
    }
    let text = format!("mission review: {} findings", verdict.findings.len());
    m.tell(LineKind::Refused, Some(Role::Reviewer), None, text);
    another_round(m, "review", &verdict.findings);
}

/// Makes tasks of what is wrong with the mission as a whole, as long as there are rounds left.
pub(super) fn another_round(m: &mut Mission, what: &str, findings: &[NewFinding]) {
    m.rounds += 1;
    if m.rounds > m.limits.rounds {
        let limit = format!(
            "{} rounds; still open: {}",
            m.limits.rounds,
            shorten(&plan::one_line(&brief::findings(findings)))
        );
        return m.end(End::Exhausted { limit });
    }
    m.direct = false;
    let title = format!("Round {} after {what}", m.rounds);
    add_tasks(m, title, findings);
    m.phase = Phase::Working;
}

/// Adds a milestone with one task for each file that the findings name.
pub(super) fn add_tasks(m: &mut Mission, title: String, findings: &[NewFinding]) {
    let findings: Vec<NewFinding> = findings.iter().cloned().map(NewFinding::tidy).collect();
    let milestone = ItemId::milestone(m.next_milestone());
    let Some(plan) = &mut m.plan else {
        return;
    };
    type Group<'a> = ((Option<String>, Option<String>), Vec<&'a NewFinding>);
    let mut groups: Vec<Group<'_>> = Vec::new();
    for finding in &findings {
        let key = (finding.file.clone(), finding.kind.clone());
        match groups.iter_mut().find(|(k, _)| *k == key) {
            Some((_, group)) => group.push(finding),
            None => groups.push((key, vec![finding])),
        }
    }
    let tasks = (1..).zip(&groups).map(|(n, ((file, _), group))| {
        let id = milestone.child(n);
        let title = match (file, group.as_slice()) {
            (_, [one]) => plan::one_line(&one.message),
            (Some(file), many) => format!("Mend {} findings in {file}", many.len()),
            (None, many) => format!("Mend {} findings", many.len()),
        };
        let steps = (1..).zip(group).map(|(s, finding)| step_for(id.child(s), finding));
        new_task(id.clone(), title.chars().take(300).collect(), steps.collect())
    });
    let tasks = tasks.collect();
    plan.milestones.push(Milestone { id: milestone, title, depends: Vec::new(), tasks });
    progress::grown(m);
}

fn step_for(id: ItemId, finding: &NewFinding) -> Step {
    let place = finding.line.map_or(String::new(), |line| format!(" (line {line})"));
    let fix = finding.fix.as_ref().map_or(String::new(), |fix| format!(": {fix}"));
    let title = plan::one_line(&format!("{}{place}{fix}", finding.message));
    let mut step = new_step(id, title.chars().take(900).collect());
    step.files = finding.file.iter().cloned().collect();
    step.issue = finding.kind.clone();
    step
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
