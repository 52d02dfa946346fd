//! Quick fixes: a server's code actions, resolved, as change-sets against the texts that it was shown.
//!
//! It must not know which of them is wise; that is for whoever proposes them.

use std::collections::BTreeMap;

use lsp_types::TextEdit;
use serde::Deserialize;
use serde_json::{Value, json};

use super::session::{Session, Trouble};
use super::text::Text;
use crate::gate::diagnostic::{Diagnostic, Place, Range, Remedy};
use crate::workspace::change::{Change, ChangeSet, Edit};
use crate::workspace::path::RelPath;

/// The quick fixes that `session` offers for `diagnostic`, whoever reported that.
///
/// # Errors
/// When the server refuses or ends.
pub async fn quick_fixes(
    session: &Session,
    diagnostic: &Diagnostic,
) -> Result<Vec<Remedy>, Trouble> {
    let text = session.text(&diagnostic.path).unwrap_or_default();
    let lines = Text::new(&text);
    let (range, raw) = as_reported(session, &lines, diagnostic).await?;
    let mut remedies = Vec::new();
    // Some fixes look at what stands at the cursor: for them, a cursor at the start and nothing selected.
    for range in [range, Range { start: range.start, end: range.start }] {
        let ends = [range.start, range.end].map(|place| lines.position(place, session.encoding()));
        let params = json!({
            "textDocument": { "uri": session.uri(&diagnostic.path) },
            "range": { "start": ends[0], "end": ends[1] },
            "context": { "diagnostics": [raw], "only": ["quickfix"], "triggerKind": 1 },
        });
        let actions = session.patiently("textDocument/codeAction", params).await?;
        for action in actions.as_array().into_iter().flatten() {
            if let Some(remedy) = remedy(session, action).await?
                && !remedies.contains(&remedy)
            {
                remedies.push(remedy);
            }
        }
        if !remedies.is_empty() {
            break;
        }
    }
    Ok(remedies)
}

/// The server's own report of the diagnostic where it has one (compilers differ in the ranges that they give), else ours
/// in its terms.
async fn as_reported(
    session: &Session,
    lines: &Text<'_>,
    ours: &Diagnostic,
) -> Result<(Range, Value), Trouble> {
    let found = session.diagnose(std::slice::from_ref(&ours.path)).await?;
    let alike = found.iter().filter(|found| found.diagnostic.code == ours.code);
    let near = alike.min_by_key(|found| distance(found.diagnostic.range.start, ours.range.start));
    if let Some(found) =
        near.filter(|found| found.diagnostic.range.start.line == ours.range.start.line)
    {
        return Ok((found.diagnostic.range, found.raw.clone()));
    }
    let ends =
        [ours.range.start, ours.range.end].map(|place| lines.position(place, session.encoding()));
    let raw = json!({
        "range": { "start": ends[0], "end": ends[1] },
        "severity": 1,
        "code": ours.code.as_deref().map(|code| session.raw_code(code)),
        "message": ours.message,
        "source": ours.source,
    });
    Ok((ours.range, raw))
}

fn distance(a: Place, b: Place) -> (u32, u32) {
    (a.line.abs_diff(b.line), a.column.abs_diff(b.column))
}

async fn remedy(session: &Session, action: &Value) -> Result<Option<Remedy>, Trouble> {
    let kind = action["kind"].as_str().unwrap_or_default();
    if !kind.starts_with("quickfix") || !action["disabled"].is_null() {
        return Ok(None);
    }
    let resolved;
    let edit = if action["edit"].is_object() {
        &action["edit"]
    } else if action["data"].is_null() {
        return Ok(None);
    } else {
        resolved = session.patiently("codeAction/resolve", action.clone()).await?;
        &resolved["edit"]
    };
    let title = action["title"].as_str().unwrap_or_default().to_owned();
    let certain = action["isPreferred"].as_bool().unwrap_or(false);
    Ok(change_set(session, edit).map(|change| Remedy { title, change, certain }))
}

/// A `WorkspaceEdit` as a change-set; `None` when it is empty, leaves the workspace, or does what a quick fix need not.
pub(super) fn change_set(session: &Session, edit: &Value) -> Option<ChangeSet> {
    let mut files: BTreeMap<RelPath, Vec<TextEdit>> = BTreeMap::new();
    let mut created = Vec::new();
    if let Some(changes) = edit["changes"].as_object() {
        for (uri, edits) in changes {
            files
                .entry(session.path(uri)?)
                .or_default()
                .extend(Vec::<TextEdit>::deserialize(edits).ok()?);
        }
    }
    for change in edit["documentChanges"].as_array().into_iter().flatten() {
        if change["kind"].is_null() {
            let path = session.path(change["textDocument"]["uri"].as_str()?)?;
            files
                .entry(path)
                .or_default()
                .extend(Vec::<TextEdit>::deserialize(&change["edits"]).ok()?);
        } else if change["kind"] == "create" {
            created.push(session.path(change["uri"].as_str()?)?);
        } else {
            return None;
        }
    }
    let mut changes = Vec::new();
    for path in created {
        let content =
            files.remove(&path).unwrap_or_default().into_iter().map(|edit| edit.new_text).collect();
        changes.push(Change::Write { path, content });
    }
    for (path, edits) in files {
        let text = session.text(&path)?;
        let edits = spans(session, &text, edits)?;
        changes.push(Change::Edit { path, edits });
    }
    (!changes.is_empty()).then_some(ChangeSet { changes })
}

/// Text edits as byte spans in order, those that touch melted into one; `None` when they overlap.
fn spans(session: &Session, text: &str, edits: Vec<TextEdit>) -> Option<Vec<Edit>> {
    let lines = Text::new(text);
    let offset = |position| lines.offset(position, session.encoding());
    let spans = edits
        .into_iter()
        .map(|edit| (offset(edit.range.start), offset(edit.range.end), edit.new_text));
    melt(spans.collect())
}

fn melt(mut spans: Vec<(usize, usize, String)>) -> Option<Vec<Edit>> {
    // The sort is stable: insertions at one place keep the order in which the server gave them.
    spans.sort_by_key(|(start, end, _)| (*start, *end));
    let mut melted: Vec<(usize, usize, String)> = Vec::new();
    for (start, end, new) in spans {
        match melted.last_mut() {
            _ if end < start => return None,
            Some(last) if start < last.1 => return None,
            Some(last) if start == last.1 => {
                last.1 = end;
                last.2.push_str(&new);
            }
            _ => melted.push((start, end, new)),
        }
    }
    Some(melted.into_iter().map(|(start, end, new)| Edit::Span { start, end, new }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_that_touch_become_one_and_those_that_overlap_none() {
        let edit = |start, end, new: &str| (start, end, new.to_owned());
        let melted =
            melt(vec![edit(12, 14, ""), edit(3, 3, "a"), edit(10, 12, ""), edit(3, 3, "b")]);
        let expected = vec![
            Edit::Span { start: 3, end: 3, new: "ab".into() },
            Edit::Span { start: 10, end: 14, new: String::new() },
        ];
        assert_eq!(melted, Some(expected));
        assert_eq!(melt(vec![edit(1, 4, "x"), edit(3, 5, "y")]), None);
    }
}
