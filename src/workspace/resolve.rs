//! From a change-set to bytes: anchors found on a base, conflicts refused, every byte outside the hunks kept.
//!
//! It reads the base through [`BaseTexts`] and writes nothing. Leniency towards the usual slips of an author (line ends,
//! trailing blanks, indentation) lives in [`anchor`], towards other notations in `slips`; neither makes an ambiguous
//! anchor fit.

pub mod anchor;
mod slips;
mod text;

use std::collections::BTreeSet;

use super::change::{Change, ChangeSet, Edit};
use super::path::RelPath;
use super::snapshot::{FileText, OpenTexts, ReadError, Workspace, is_reserved};
use anchor::{Hunk, Miss};

/// The texts that a change-set was made for.
pub trait BaseTexts {
    /// The text of a file; `None` when there is none.
    ///
    /// # Errors
    /// When it is no text that can be edited.
    fn read(&self, path: &RelPath) -> Result<Option<FileText>, ReadError>;

    /// An existing path that differs from `path` only in case and would be the same file; `None` where case counts.
    fn twin(&self, path: &RelPath) -> Option<RelPath>;

    /// The path that `path` really is, where a symbolic link stands in its way.
    fn leads_to(&self, path: &RelPath) -> Option<RelPath> {
        let _ = path;
        None
    }
}

/// The disk with unsaved editor texts laid over it.
#[derive(Debug, Clone, Copy)]
pub struct Overlaid<'a> {
    /// The disk.
    pub workspace: &'a Workspace,
    /// The unsaved texts.
    pub open: &'a OpenTexts,
}

impl BaseTexts for Overlaid<'_> {
    fn read(&self, path: &RelPath) -> Result<Option<FileText>, ReadError> {
        match self.open.get(path) {
            Some(open) => Ok(Some(FileText::new(open.text.clone()))),
            None => self.workspace.read(path),
        }
    }

    fn twin(&self, path: &RelPath) -> Option<RelPath> {
        if !self.workspace.folds_case() {
            return None;
        }
        let wanted = path.as_str().to_lowercase();
        let paths = self.workspace.paths().unwrap_or_default();
        paths.into_iter().find(|other| other != path && other.as_str().to_lowercase() == wanted)
    }

    fn leads_to(&self, path: &RelPath) -> Option<RelPath> {
        self.workspace.leads_to(path)
    }
}

/// A change-set as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Every file that changes, in order of path; a rename is two of them.
    pub files: Vec<ResolvedFile>,
}

/// One file of a [`Resolved`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedFile {
    /// The file.
    pub path: RelPath,
    /// Its text before; `None` when there was none.
    pub base: Option<FileText>,
    /// Its text after; `None` when it goes.
    pub result: Option<String>,
    /// Where a renamed file came from.
    pub renamed_from: Option<RelPath>,
}

/// Why a change-set does not fit its base. The text is for the author of the change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ApplyProblem {
    /// The file.
    pub path: RelPath,
    /// 0-based line of the base that the problem is about; 0 where it is about the whole file.
    pub line: u32,
    /// What is wrong and what to do.
    pub message: String,
    /// The current text near the place, with 1-based line numbers; may be empty.
    pub frame: String,
}

impl ApplyProblem {
    fn whole(path: &RelPath, message: impl Into<String>) -> ApplyProblem {
        ApplyProblem { path: path.clone(), line: 0, message: message.into(), frame: String::new() }
    }
}

/// Resolves `change` against `base`.
///
/// # Errors
/// Every problem found, so that one answer mends them all. Nothing is resolved partly.
pub fn resolve(change: &ChangeSet, base: &dyn BaseTexts) -> Result<Resolved, Vec<ApplyProblem>> {
    let mut problems = conflicts(change, base);
    let mut files = Vec::new();
    for change in &change.changes {
        match resolve_one(change, base) {
            Ok(resolved) => files.extend(resolved),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    files.retain(|file| file.base.as_ref().map(|base| &base.text) != file.result.as_ref());
    if files.is_empty()
        && let Some(first) = change.changes.first()
    {
        let message = "the change-set changes nothing: its texts already stand there";
        return Err(vec![ApplyProblem::whole(first.path(), message)]);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Resolved { files })
}

/// Paths that no change may touch, and one change per path, counted without case: two spellings are one file on some
/// systems, and never meant.
fn conflicts(change: &ChangeSet, base: &dyn BaseTexts) -> Vec<ApplyProblem> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for change in &change.changes {
        let target = match change {
            Change::Rename { to, .. } => Some(to),
            _ => None,
        };
        for path in [Some(change.path()), target].into_iter().flatten() {
            if is_reserved(path) {
                let message = "it belongs to git, to the package manager or to the orchestrator, not to the project";
                problems.push(ApplyProblem::whole(path, message));
            }
            // Whoever deletes or moves a link does not mean the file behind it, and an edit of it is one of two files.
            if let Some(real) = base.leads_to(path) {
                let message =
                    format!("it is `{real}` under another name; change that path instead");
                problems.push(ApplyProblem::whole(path, message));
            }
            if !seen.insert(path.as_str().to_lowercase()) {
                let message = "the change-set names this path twice; put all of a file's edits into one change";
                problems.push(ApplyProblem::whole(path, message));
            }
        }
    }
    problems
}

fn resolve_one(
    change: &Change,
    base: &dyn BaseTexts,
) -> Result<Vec<ResolvedFile>, Vec<ApplyProblem>> {
    let path = change.path();
    let before = read(base, path)?;
    let missing = |what| ApplyProblem::whole(path, format!("there is no such file to {what}"));
    let file = |base, result| ResolvedFile { path: path.clone(), base, result, renamed_from: None };
    match (change, before) {
        (Change::Edit { edits, .. }, Some(before)) => {
            let after = edit(path, &before.text, edits)?;
            Ok(vec![file(Some(before), Some(after))])
        }
        (Change::Edit { .. }, None) => Err(vec![missing("edit; create it with a write")]),
        (Change::Write { content, .. }, before) => {
            if before.is_none() {
                free(base, path)?;
            }
            let content =
                text::in_style_of(before.as_ref().map(|before| before.text.as_str()), content);
            Ok(vec![file(before, Some(content))])
        }
        (Change::Delete { .. }, Some(before)) => Ok(vec![file(Some(before), None)]),
        (Change::Delete { .. }, None) => Err(vec![missing("delete")]),
        (Change::Rename { to, .. }, Some(before)) => {
            free(base, to)?;
            let moved = ResolvedFile {
                path: to.clone(),
                base: None,
                result: Some(before.text.clone()),
                renamed_from: Some(path.clone()),
            };
            Ok(vec![file(Some(before), None), moved])
        }
        (Change::Rename { .. }, None) => Err(vec![missing("rename")]),
    }
}

fn read(base: &dyn BaseTexts, path: &RelPath) -> Result<Option<FileText>, Vec<ApplyProblem>> {
    base.read(path).map_err(|error| vec![ApplyProblem::whole(path, error.to_string())])
}

/// A file may be made at `path`: nothing stands there, in no spelling.
fn free(base: &dyn BaseTexts, path: &RelPath) -> Result<(), Vec<ApplyProblem>> {
    if read(base, path)?.is_some() {
        let message = "a file stands there already; delete it or choose another path";
        return Err(vec![ApplyProblem::whole(path, message)]);
    }
    if let Some(twin) = base.twin(path) {
        let message =
            format!("it differs only in case from `{twin}`, which is the same file on this system");
        return Err(vec![ApplyProblem::whole(path, message)]);
    }
    Ok(())
}

/// The text after all edits of one file.
fn edit(path: &RelPath, before: &str, edits: &[Edit]) -> Result<String, Vec<ApplyProblem>> {
    let mut hunks = Vec::new();
    let mut problems = Vec::new();
    for edit in edits {
        match find(before, edit) {
            Ok(found) => hunks.extend(found),
            Err(miss) => problems.push(explain(path, before, edit, miss)),
        }
    }
    hunks.sort_by_key(|hunk| (hunk.start, hunk.end));
    for pair in hunks.windows(2) {
        if pair[1].start < pair[0].end {
            problems.push(ApplyProblem {
                path: path.clone(),
                line: text::line_of(before, pair[1].start),
                message: "two edits overlap here; make them one".to_owned(),
                frame: text::frame_of_span(before, pair[0].start, pair[1].end),
            });
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(splice(before, &hunks))
}

fn find(before: &str, edit: &Edit) -> Result<Vec<Hunk>, Miss> {
    match edit {
        Edit::Text { old, new } => find_text(before, old, new),
        Edit::Span { start, end, new } => {
            if start > end
                || *end > before.len()
                || !before.is_char_boundary(*start)
                || !before.is_char_boundary(*end)
            {
                return Err(Miss::BadSpan);
            }
            let new = text::with_line_ends_of(before, new);
            Ok(vec![Hunk { start: *start, end: *end, new }])
        }
    }
}

/// The place of an anchor, or the places of those that it stands for in another notation.
///
/// # Errors
/// See [`Miss`].
pub fn find_text(before: &str, old: &str, new: &str) -> Result<Vec<Hunk>, Miss> {
    match anchor::find(before, old, new) {
        Ok(hunk) => Ok(vec![hunk]),
        Err(miss @ (Miss::Stale { .. } | Miss::Empty)) => match slips::read(old, new) {
            Some(plain) => plain.iter().map(|(old, new)| anchor::find(before, old, new)).collect(),
            None => Err(miss),
        },
        Err(miss) => Err(miss),
    }
}

/// The base with each hunk replaced; hunks are sorted and do not overlap.
fn splice(before: &str, hunks: &[Hunk]) -> String {
    let mut after = String::with_capacity(before.len());
    let mut at = 0;
    for hunk in hunks {
        after.push_str(&before[at..hunk.start]);
        after.push_str(&hunk.new);
        at = hunk.end;
    }
    after.push_str(&before[at..]);
    after
}

fn explain(path: &RelPath, before: &str, edit: &Edit, miss: Miss) -> ApplyProblem {
    let problem =
        |line, message: String, frame| ApplyProblem { path: path.clone(), line, message, frame };
    match miss {
        Miss::Empty => problem(
            0,
            "`old` is empty; give the text to replace, or write the whole file".to_owned(),
            String::new(),
        ),
        Miss::BadSpan => {
            let Edit::Span { start, end, .. } = edit else {
                return problem(0, "the span does not fit".to_owned(), String::new());
            };
            let size = before.len();
            let message = format!(
                "the bytes {start}..{end} do not fit the text of {size} bytes, or cut a character"
            );
            problem(0, message, String::new())
        }
        Miss::Stale { near } => {
            let message = "`old` does not stand in the file; this is its current text where it fits best. Copy the \
                           lines exactly as they are";
            let frame = text::frame_of_lines(before, near.start, near.end);
            problem(u32::try_from(near.start).unwrap_or(u32::MAX), message.to_owned(), frame)
        }
        Miss::Ambiguous { lines } => ambiguous(path, before, &lines),
    }
}

/// All the places (0-based lines) of an anchor that stands more than once, the first five with their text.
fn ambiguous(path: &RelPath, before: &str, lines: &[usize]) -> ApplyProblem {
    let listed: Vec<String> = lines.iter().take(20).map(|line| (line + 1).to_string()).collect();
    let frames = lines.iter().take(5);
    let frames = frames.map(|line| text::frame_of_lines(before, line.saturating_sub(2), line + 3));
    ApplyProblem {
        path: path.clone(),
        line: u32::try_from(lines.first().copied().unwrap_or_default()).unwrap_or(u32::MAX),
        message: format!(
            "`old` stands {} times, at lines {}; add lines around it until it is unique",
            lines.len(),
            listed.join(", ")
        ),
        frame: frames.collect::<Vec<_>>().join("  …\n"),
    }
}

#[cfg(test)]
#[path = "resolve/tests.rs"]
mod tests;
