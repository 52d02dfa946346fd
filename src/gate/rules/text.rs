//! Rules about any file, whatever its language: conflict markers, secrets, and manifests that turn tests off.

use super::super::diagnostic::{Diagnostic, Place, Range, Severity};
use super::hits::finding;
use super::{manifests, secrets};
use crate::gate::prepare::pair::Pair;

/// The new breaches in one file of a change-set.
pub fn breaches(file: &Pair<'_>, files: &[Pair<'_>]) -> Vec<Diagnostic> {
    let Some(after) = file.after else { return Vec::new() };
    let mut found = conflict_markers(file, after);
    found.extend(leaked_secrets(file, after, files));
    found.extend(manifests::breaches(file));
    found
}

/// Conflict markers at the starts of lines that the change wrote.
fn conflict_markers(file: &Pair<'_>, after: &str) -> Vec<Diagnostic> {
    let is_marker =
        |line: &str| ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|mark| line.starts_with(mark));
    let old: Vec<&str> =
        file.before.unwrap_or_default().lines().filter(|line| is_marker(line)).collect();
    let mut found = Vec::new();
    for hunk in &file.hunks {
        let lines = after[hunk.after.bytes.clone()].lines().zip(hunk.after.lines.clone());
        for (line, number) in lines.filter(|(line, _)| is_marker(line) && !old.contains(line)) {
            let range = Range { start: place(number, 0), end: place(number, line.len()) };
            let message = "a conflict marker was left in the file; resolve the conflict";
            found.push(finding(file.path, range, "conflict-marker", Severity::Error, message));
        }
    }
    found
}

/// Secrets in lines that the change wrote. One that a file of the change-set held before was not leaked by it.
fn leaked_secrets(file: &Pair<'_>, after: &str, files: &[Pair<'_>]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for hunk in &file.hunks {
        let piece = &after[hunk.after.bytes.clone()];
        for secret in secrets::find(Some(file.path.as_str()), piece) {
            let text = &piece[secret.bytes.clone()];
            if files.iter().any(|file| file.before.is_some_and(|before| before.contains(text))) {
                continue;
            }
            let at = |byte: usize| {
                let above = &piece[..byte];
                let line = above.bytes().filter(|byte| *byte == b'\n').count();
                place(hunk.after.lines.start + line, byte - above.rfind('\n').map_or(0, |n| n + 1))
            };
            let range = Range { start: at(secret.bytes.start), end: at(secret.bytes.end) };
            let message = format!(
                "{} stands here; take it out of the text, read it from the environment, and have it replaced if it is real",
                secret.name
            );
            found.push(finding(file.path, range, secrets::CODE, Severity::Error, &message));
        }
    }
    found
}

fn place(line: usize, column: usize) -> Place {
    Place {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}
