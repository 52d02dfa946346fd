//! The tree between base and candidate: the base with its gone errors mended, and as little else of the change as can be.
//! Pure: it lays out and asks nobody.

use std::collections::BTreeSet;

use similar::TextDiff;

use crate::gate::diagnostic::Diagnostic;
use crate::gate::prepare::lay_over;
use crate::gate::prove::Case;
use crate::gate::workbench::Layout;
use crate::workspace::FileText;
use crate::workspace::resolve::{Resolved, ResolvedFile};

/// What of the change is left to do on that tree, and the tree. It has the candidate's new files and descriptions of
/// projects, and of an edited file the hunks that touch a gone error, or with `whole_files` all of them. Only a file that
/// had such an error goes.
pub(in crate::gate) fn between(
    case: &Case<'_>,
    gone: &[Diagnostic],
    whole_files: bool,
) -> (Resolved, Layout) {
    let mut done = Resolved::default();
    let mut left = Resolved::default();
    for file in &case.resolved.files {
        let text = match case.languages.described_by(&file.path) {
            Some(_) => file.result.clone(),
            None => mended(file, gone, whole_files),
        };
        done.files.push(ResolvedFile { result: text.clone(), ..file.clone() });
        left.files.push(ResolvedFile {
            path: file.path.clone(),
            base: text.map(FileText::new),
            result: file.result.clone(),
            renamed_from: file.renamed_from.clone(),
        });
    }
    let layout = lay_over(&case.base, &done);
    (left, layout)
}

fn mended(file: &ResolvedFile, gone: &[Diagnostic], whole_files: bool) -> Option<String> {
    let Some(base) = &file.base else {
        return file.result.clone();
    };
    let lines: BTreeSet<usize> = gone
        .iter()
        .filter(|diagnostic| diagnostic.path == file.path)
        .flat_map(|diagnostic| diagnostic.range.start.line..=diagnostic.range.end.line)
        .map(|line| line as usize)
        .collect();
    match &file.result {
        _ if lines.is_empty() => Some(base.text.clone()),
        Some(result) if !whole_files => Some(with_hunks_at(&base.text, result, &lines)),
        result => result.clone(),
    }
}

/// `base` with those hunks of its difference from `result` that touch one of the 0-based `lines`, or stand right beside.
fn with_hunks_at(base: &str, result: &str, lines: &BTreeSet<usize>) -> String {
    let diff = TextDiff::from_lines(base, result);
    let mut text = String::with_capacity(result.len());
    for op in diff.ops() {
        let (before, after) = (op.old_range(), op.new_range());
        let near = before.start.saturating_sub(1)..before.end + 1;
        if lines.range(near).next().is_some() {
            text.extend(after.filter_map(|at| diff.new_slice(at)).map(AsRef::<str>::as_ref));
        } else {
            text.extend(before.filter_map(|at| diff.old_slice(at)).map(AsRef::<str>::as_ref));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hunks_at_the_lines_are_taken() {
        let base = "a\nb\nc\nd\ne\nf\n";
        let result = "A\nb\nc\nd\ne\nF\n";
        assert_eq!(with_hunks_at(base, result, &BTreeSet::from([0])), "A\nb\nc\nd\ne\nf\n");
        assert_eq!(with_hunks_at(base, result, &BTreeSet::from([5])), "a\nb\nc\nd\ne\nF\n");
        assert_eq!(with_hunks_at(base, result, &BTreeSet::from([2])), base);
    }
}
