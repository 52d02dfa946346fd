//! What is answered of missions and of the gate: all of it bounded, so that no answer drowns who asked.

use serde_json::{Value, json};

use crate::gate::Report;
use crate::mission::view::MissionView;
use crate::mission::{Answer, Finding, FindingStatus};

/// The longest text of one field, in characters, and of a diff.
const TEXT: usize = 2_000;
const DIFF: usize = 20_000;
/// The longest report, in characters.
pub const REPORT: usize = 100_000;
/// Entries of one list.
const LIST: usize = 50;
const ITEMS: usize = 500;
/// Lines of the story.
const LINES: usize = 10;

/// A text within a bound.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// How a mission stands.
pub fn status(view: &MissionView) -> Value {
    let (done, all) = view.progress;
    let story = &view.story[view.story.len().saturating_sub(LINES)..];
    let questions = view.questions.iter().take(LIST).map(|question| {
        json!({
            "question": question.number, "role": question.role, "item": question.item,
            "text": cut(&question.text, TEXT), "choices": question.choices,
        })
    });
    let open = view.findings.iter().filter(|f| f.status == FindingStatus::Open).count();
    let usage = &view.spent.usage;
    json!({
        "mission": view.id,
        "goal": cut(&view.goal, TEXT),
        "mode": view.mode,
        "engine": view.engine,
        "state": view.state,
        "is_running": view.is_running(),
        "outcome": view.outcome(),
        "why": view.end.as_ref().map(|end| cut(end.detail(), TEXT)),
        "steps": { "done": done, "all": all },
        "questions": questions.collect::<Vec<_>>(),
        "open_findings": open,
        "changes": receipts(view),
        "story": story.iter().map(|line| cut(&line.text, TEXT)).collect::<Vec<_>>(),
        "spent": {
            "turns": view.spent.calls, "tokens_in": usage.input, "tokens_cached": usage.cached,
            "tokens_out": usage.output, "us_dollars": usage.micro_usd as f64 / 1e6,
        },
    })
}

/// How missions stand, the newest first.
pub fn statuses(mut views: Vec<MissionView>) -> Value {
    views.sort_by_key(|view| std::cmp::Reverse(view.started_at));
    let shown: Vec<Value> = views.iter().take(LIST).map(status).collect();
    json!({ "missions": shown, "left_out": views.len().saturating_sub(LIST) })
}

/// The changes that were accepted, the newest last.
pub fn receipts(view: &MissionView) -> Vec<Value> {
    let newest = &view.receipts[view.receipts.len().saturating_sub(LIST)..];
    let shown = newest.iter().map(|change| {
        json!({
            "receipt": change.receipt, "item": change.item, "taken_back": change.undone,
            "files": change.files.iter().take(LIST).collect::<Vec<_>>(),
            "proved_by": cut(&change.summary, TEXT),
        })
    });
    shown.collect()
}

/// The plan's items.
pub fn plan(view: &MissionView) -> Value {
    let items: Vec<Value> = (view.plan.iter().flat_map(|plan| {
        plan.items().into_iter().map(move |item| {
            let version = plan.version(item.id());
            json!({ "item": item.id(), "version": version, "line": cut(&item.line(), TEXT) })
        })
    }))
    .collect();
    let left_out = items.len().saturating_sub(ITEMS);
    let shown: Vec<Value> = items.into_iter().take(ITEMS).collect();
    json!({ "mission": view.id, "state": view.state, "items": shown, "left_out": left_out })
}

/// What was found.
pub fn findings(view: &MissionView, closed: bool) -> Value {
    let meant = |finding: &&Finding| closed || finding.status == FindingStatus::Open;
    let meant: Vec<&Finding> = view.findings.iter().filter(meant).collect();
    let shown = meant.iter().take(ITEMS).map(|finding| {
        let what = &finding.what;
        json!({
            "finding": finding.id, "item": finding.item, "by": finding.by, "status": finding.status,
            "file": what.file, "line": what.line, "severity": what.severity, "kind": what.kind,
            "message": cut(&what.message, TEXT),
            "fix": what.fix.as_ref().map(|fix| cut(fix, TEXT)),
        })
    });
    let shown: Vec<Value> = shown.collect();
    let left_out = meant.len().saturating_sub(ITEMS);
    json!({ "mission": view.id, "findings": shown, "left_out": left_out })
}

/// What became of what a mission was told.
pub fn answer(view: &MissionView, answer: &Answer) -> Value {
    let said: Vec<String> = answer.said.iter().take(LIST).map(|line| cut(line, TEXT)).collect();
    let offer = view.offer.as_ref().filter(|_| !answer.is_done).map(|offer| {
        let files: Vec<&String> = offer.files.iter().take(LIST).collect();
        json!({ "reason": cut(&offer.reason, TEXT), "files": files, "diff": cut(&offer.diff, DIFF) })
    });
    json!({ "mission": view.id, "done": answer.is_done, "said": said, "merge": offer })
}

/// What the gate says.
pub fn report(report: &Report, notes: &[String]) -> Value {
    let stages: Vec<Value> = (report.stages.iter())
        .map(|stage| {
            json!({
                "stage": stage.stage, "verdict": stage.verdict, "detail": cut(&stage.detail, TEXT),
                "tools": stage.tools, "ms": stage.us / 1000,
            })
        })
        .collect();
    let problems: Vec<Value> = (report.problems.iter().take(LIST))
        .map(|problem| {
            let at = &problem.diagnostic;
            json!({
                "stage": problem.stage, "file": at.path, "line": at.range.start.line + 1,
                "column": at.range.start.column + 1, "code": at.code,
                "message": cut(&at.message, TEXT), "frame": cut(&problem.frame, TEXT),
            })
        })
        .collect();
    let repairs = report.repairs.iter().take(LIST).map(|repair| {
        json!({ "file": repair.path, "message": cut(&repair.message, TEXT), "by": repair.title })
    });
    json!({
        "verdict": report.verdict,
        "stages": stages,
        "problems": problems,
        "problems_left_out": report.problems.len().saturating_sub(LIST),
        "repairs": repairs.collect::<Vec<_>>(),
        "files": report.files.iter().take(ITEMS).map(|file| &file.path).collect::<Vec<_>>(),
        "notes": notes.iter().take(LIST).map(|note| cut(note, TEXT)).collect::<Vec<_>>(),
    })
}
