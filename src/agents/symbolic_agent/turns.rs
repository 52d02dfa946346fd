//! The turns of Commander, Planner and Reviewer: goals read, diagnostics clustered, remainders found.

use std::path::Path;

use serde_json::{Value, json};

use crate::agents::Ask;
use crate::agents::symbolic::{Cluster, Goal, Kind, plan};
use crate::gate::Diagnosis;
use crate::gate::diagnostic::{Diagnostic, Severity};
use crate::gate::languages::Languages;
use crate::mission::conversation::{ToolCall, Turn};
use crate::mission::plan::{ItemId, Mark, Milestone, Plan, Size, Step, Task, render};

/// The issue of a task that has nothing to mend, only something to confirm.
pub(super) const CONFIRM: &str = "confirm";

const MODEL: &str = "set ORCHESTRATOR_MODEL with ORCHESTRATOR_API_KEY (a hosted model) or ORCHESTRATOR_BASE_URL (a local one)";

pub(super) fn call(ask: &Ask, name: &str, arguments: Value) -> Turn {
    let arguments = match arguments {
        Value::Object(arguments) => arguments,
        _ => serde_json::Map::new(),
    };
    let id = format!("call_{}", ask.messages.len());
    let call = ToolCall { id, name: name.to_owned(), arguments: arguments.into() };
    Turn { calls: vec![call], ..Turn::default() }
}

pub(super) fn commander(ask: &Ask, root: &Path) -> Turn {
    let decline =
        |needs: String| call(ask, "triage", json!({"decision": "decline", "needs": needs}));
    if Goal::read(&ask.goal).is_none() {
        return decline(format!(
            "a model for this goal: {MODEL}. Without one, goals such as \"fix all diagnostics\", \"fix all errors in src/a.rs\" or \"remove unused imports\" are served"
        ));
    }
    if Languages::default().detect(root).is_empty() {
        let names: Vec<String> =
            Languages::default().all().iter().flat_map(|l| l.roots.clone()).collect();
        return decline(format!(
            "a project that can be checked: there is no {} in this workspace",
            names.join(" or ")
        ));
    }
    call(ask, "triage", json!({"decision": "plan"}))
}

/// The diagnostics that the goal is about.
fn covered(ask: &Ask, seen: &Diagnosis) -> Vec<Diagnostic> {
    let Some(goal) = Goal::read(&ask.goal) else {
        return Vec::new();
    };
    seen.diagnostics.iter().filter(|d| goal.covers(d)).cloned().collect()
}

pub(super) fn planner(ask: &Ask, seen: &Diagnosis) -> Turn {
    if !seen.unverified.is_empty() {
        return call(ask, "give_up", json!({"reason": seen.unverified.join("; ")}));
    }
    let clusters = plan(&covered(ask, seen));
    call(ask, "plan", json!({"todo": render(&plan_of(&ask.goal, &clusters, seen))}))
}

fn plan_of(goal: &str, clusters: &[Cluster], seen: &Diagnosis) -> Plan {
    let is_error = |cluster: &&Cluster| {
        cluster.open(&seen.diagnostics).iter().any(|d| d.severity == Severity::Error)
    };
    let (errors, warnings): (Vec<&Cluster>, Vec<&Cluster>) = clusters.iter().partition(is_error);
    let groups = [("Errors", errors), ("Warnings", warnings)];
    let filled = groups.into_iter().filter(|(_, clusters)| !clusters.is_empty());
    let mut milestones: Vec<Milestone> = (1..).zip(filled).map(milestone).collect();
    if milestones.is_empty() {
        let id = ItemId::milestone(1);
        let task = task_of(id.child(1), "Confirm that there is nothing to fix", CONFIRM, None);
        milestones.push(Milestone {
            id,
            title: "Nothing to fix".into(),
            depends: vec![],
            tasks: vec![task],
        });
    }
    Plan { goal: goal.to_owned(), milestones }
}

fn milestone((number, (title, clusters)): (u32, (&str, Vec<&Cluster>))) -> Milestone {
    let id = ItemId::milestone(number);
    let tasks = (1..).zip(clusters).map(|(n, cluster)| {
        task_of(id.child(n), &cluster.title, &kind_name(cluster.kind), Some(cluster.path.as_str()))
    });
    let tasks = tasks.collect();
    Milestone { id, title: title.to_owned(), depends: Vec::new(), tasks }
}

fn task_of(id: ItemId, title: &str, issue: &str, file: Option<&str>) -> Task {
    let step = Step {
        id: id.child(1),
        title: title.to_owned(),
        mark: Mark::Pending,
        size: Some(Size::XS),
        files: file.map(str::to_owned).into_iter().collect(),
        issue: Some(issue.to_owned()),
        evidence: None,
        note: None,
    };
    Task { id, title: title.to_owned(), agent: None, depends: Vec::new(), steps: vec![step] }
}

fn kind_name(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The cluster that a task is about; `None` for one that the engine did not plan.
pub(super) fn cluster_of(task: &Task) -> Option<Cluster> {
    let step = task.steps.first()?;
    let kind = serde_json::from_value(Value::String(step.issue.clone()?)).ok()?;
    let path = crate::workspace::RelPath::new(step.files.first()?).ok()?;
    Some(Cluster { title: task.title.clone(), path, kind, keys: Vec::new() })
}

pub(super) fn is_confirmation(task: &Task) -> bool {
    task.steps.iter().any(|step| step.issue.as_deref() == Some(CONFIRM))
}

pub(super) fn task_review(ask: &Ask, task: &Task, seen: &Diagnosis) -> Turn {
    let left: Vec<Diagnostic> = match cluster_of(task) {
        Some(cluster) => cluster.open(&seen.diagnostics).into_iter().cloned().collect(),
        None if is_confirmation(task) => covered(ask, seen),
        None => {
            seen.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned().collect()
        }
    };
    let mut findings: Vec<Value> = left.iter().map(finding).collect();
    findings.extend(unchecked(seen));
    verdict(ask, findings, "the project's own compiler reports none of these any more")
}

pub(super) fn mission_review(ask: &Ask, seen: &Diagnosis) -> Turn {
    let left = covered(ask, seen);
    let clusters = plan(&left);
    let mut findings: Vec<Value> = clusters
        .iter()
        .map(|cluster| {
            let line = cluster.open(&left).first().map(|d| d.range.start.line + 1);
            json!({"file": cluster.path, "line": line, "severity": "error", "message": cluster.title, "kind": kind_name(cluster.kind)})
        })
        .collect();
    findings.extend(unchecked(seen));
    verdict(
        ask,
        findings,
        "the project's own compiler reports nothing more of what the goal is about",
    )
}

fn finding(diagnostic: &Diagnostic) -> Value {
    let message = diagnostic.message.lines().next().unwrap_or_default();
    let line = diagnostic.range.start.line + 1;
    json!({"file": diagnostic.path, "line": line, "severity": "error", "message": message})
}

/// What could not be checked is never clean.
fn unchecked(seen: &Diagnosis) -> impl Iterator<Item = Value> {
    seen.unverified
        .iter()
        .map(|why| json!({"severity": "error", "message": format!("not checked: {why}")}))
}

fn verdict(ask: &Ask, findings: Vec<Value>, evidence: &str) -> Turn {
    match findings.is_empty() {
        true => call(ask, "verdict", json!({"pass": true, "evidence": [evidence]})),
        false => call(ask, "verdict", json!({"pass": false, "findings": findings})),
    }
}
