//! The Worker's turns: a remedy is proposed; when the gate refuses it the next one is; when none is left, it says so.

use serde_json::{Value, json};

use super::turns::{call, cluster_of, is_confirmation};
use super::{Live, Remedies};
use crate::agents::Ask;
use crate::agents::symbolic::{Candidate, Note, propose};
use crate::mission::control::PROPOSE;
use crate::mission::conversation::{Message, ToolCall, Turn};
use crate::mission::plan::Task;

/// Remedies that are tried before the task is given up; fewer than the refusals that an attempt allows.
const TRIES: usize = 6;

pub(super) async fn worker(ask: &Ask, task: &Task, live: &Live<'_>) -> Turn {
    let Some(cluster) = cluster_of(task) else {
        return match is_confirmation(task) {
            true => call(ask, "done", json!({"summary": "There is nothing to fix."})),
            false => call(
                ask,
                "give_up",
                json!({"reason": "there is no symbolic remedy for this; it needs a model or a person"}),
            ),
        };
    };
    let (accepted, refused) = proposals(&ask.messages);
    let current = live.diagnostics().await;
    let open = cluster.open(&current);
    if open.is_empty() {
        return call(
            ask,
            "done",
            json!({"summary": summary(&accepted), "notes": notes(&accepted)}),
        );
    }
    let left = open.iter().map(|d| {
        let message = d.message.lines().next().unwrap_or_default();
        format!("{}:{}: {message}", d.path, d.range.start.line + 1)
    });
    let left: Vec<String> = left.collect();
    let candidates = if refused.len() < TRIES { propose(&cluster, live).await } else { Vec::new() };
    let tried =
        |change: &Value| refused.iter().any(|call| call.arguments.get("changes") == Some(change));
    let next =
        candidates.iter().map(|c| (c, json!(c.change.changes))).find(|(_, change)| !tried(change));
    match next {
        Some((candidate, changes)) => call(
            ask,
            PROPOSE,
            json!({
                "changes": changes,
                "why": candidate.title,
                "notes": notes_of(candidate),
            }),
        ),
        None => call(ask, "give_up", json!({"reason": reason(refused.len(), &left)})),
    }
}

fn reason(tried: usize, left: &[String]) -> String {
    let left = left.join("; ");
    match tried {
        0 => format!("neither the compiler nor the language server offers a remedy for {left}"),
        n => format!("the gate refused all {n} remedies for {left}"),
    }
}

/// The proposals of the session so far: those that were accepted, and those that were refused.
fn proposals(messages: &[Message]) -> (Vec<&ToolCall>, Vec<&ToolCall>) {
    let calls = messages.iter().flat_map(|message| match message {
        Message::Assistant { calls, .. } => calls.as_slice(),
        _ => &[],
    });
    let failed = |id: &str| {
        messages
            .iter()
            .any(|m| matches!(m, Message::Tool { call_id, is_error: true, .. } if call_id == id))
    };
    calls.filter(|call| call.name == PROPOSE).partition(|call| !failed(&call.id))
}

fn summary(accepted: &[&ToolCall]) -> String {
    let titles: Vec<&str> =
        accepted.iter().filter_map(|call| call.arguments.get("why")?.as_str()).collect();
    if titles.is_empty() { "It was mended already.".to_owned() } else { titles.join("; ") }
}

fn notes(accepted: &[&ToolCall]) -> Vec<Value> {
    let of_call = |call: &&ToolCall| call.arguments.get("notes").and_then(Value::as_array).cloned();
    accepted.iter().filter_map(of_call).flatten().collect()
}

fn notes_of(candidate: &Candidate) -> Vec<Value> {
    let note = |note: &Note| json!({"file": note.path, "line": note.place.line + 1, "severity": "info", "message": note.text});
    candidate.notes.iter().map(note).collect()
}
