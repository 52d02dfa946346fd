//! The smallest edits that turn one text into another, so that the editor keeps the cursor, the marks and the folds of
//! everything that did not change.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffTag, capture_diff_slices_deadline};
use tower_lsp::lsp_types::TextEdit;

use super::text::{Encoding, Lines};

/// After this long the diff is good enough: larger hunks, never wrong ones.
const PATIENCE: Duration = Duration::from_millis(200);

/// The edits from `old` to `new`: ascending, not overlapping, against `old`.
pub fn edits(old: &str, new: &str, encoding: Encoding) -> Vec<TextEdit> {
    let lines = Lines::new(old, encoding);
    let edit = |(range, text): (Range<usize>, &str)| TextEdit {
        range: lines.range(range.start, range.end),
        new_text: text.to_owned(),
    };
    hunks(old, new).into_iter().map(edit).collect()
}

/// Byte ranges of `old`, each with the text that takes its place.
fn hunks<'new>(old: &str, new: &'new str) -> Vec<(Range<usize>, &'new str)> {
    let (old_lines, new_lines) = (split(old), split(new));
    let deadline = Some(Instant::now() + PATIENCE);
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old_lines, &new_lines, deadline);
    let (old_starts, new_starts) = (starts(&old_lines), starts(&new_lines));
    let changed = ops.iter().filter(|op| op.tag() != DiffTag::Equal);
    let mut hunks: Vec<_> = changed
        .map(|op| {
            let (was, is) = (op.old_range(), op.new_range());
            let (was, is) = (
                old_starts[was.start]..old_starts[was.end],
                new_starts[is.start]..new_starts[is.end],
            );
            trim(old, was, &new[is])
        })
        .collect();
    // Two insertions at one place would be an overlap; the diff yields none, and a hunk that trims to nothing says nothing.
    hunks.retain(|(range, text)| !range.is_empty() || !text.is_empty());
    hunks
}

fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn starts(lines: &[&str]) -> Vec<usize> {
    let mut at = 0;
    let ends = lines.iter().map(|line| {
        at += line.len();
        at
    });
    std::iter::once(0).chain(ends).collect()
}

/// Leaves out what both sides of a hunk have in common at its two ends, in whole characters. A line end is never torn.
fn trim<'new>(old: &str, range: Range<usize>, text: &'new str) -> (Range<usize>, &'new str) {
    let was = &old[range.clone()];
    let common = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs
            .take_while(|(a, b)| a == b && !matches!(a, '\r' | '\n'))
            .map(|(a, _)| a.len_utf8())
            .sum()
    };
    let front = common(&mut was.chars().zip(text.chars()));
    let (was, text) = (&was[front..], &text[front..]);
    // The line end that both sides end in stays where it is, and whatever stands before it alike.
    let line_end = ["\r\n", "\n"].into_iter().find(|end| was.ends_with(end) && text.ends_with(end));
    let kept = line_end.map_or(0, str::len);
    if kept == 1 && (was.ends_with("\r\n") != text.ends_with("\r\n")) {
        return (range.start + front..range.end, text);
    }
    let (body_was, body_is) = (&was[..was.len() - kept], &text[..text.len() - kept]);
    let back = common(&mut body_was.chars().rev().zip(body_is.chars().rev()));
    let end = range.end - kept - back;
    (range.start + front..end, &body_is[..body_is.len() - back])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(old: &str, new: &str) -> String {
        let mut text = old.to_owned();
        for (range, replacement) in hunks(old, new).into_iter().rev() {
            text.replace_range(range, replacement);
        }
        text
    }

    #[test]
    fn only_what_changed_is_named() {
        let old = "use a;\nfn main() {\n    let x = 1;\n}\n";
        let new = "use a;\nfn main() {\n    let y = 1;\n}\n";
        let edits = edits(old, new, Encoding::Utf16);
        assert_eq!(edits.len(), 1);
        assert_eq!(edits[0].new_text, "y");
        assert_eq!((edits[0].range.start.line, edits[0].range.start.character), (2, 8));
        assert_eq!(edits[0].range.end.character, 9);
        assert!(hunks(old, old).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn the_edits_make_the_new_text(old in "([ab😀]{0,3}(\n|\r\n|\r)?){0,8}", new in "([ab😀]{0,3}(\n|\r\n|\r)?){0,8}") {
            proptest::prop_assert_eq!(patch(&old, &new), new.clone());
            // Positions cannot name a place inside a line end; no hunk may start or end in one.
            for (range, _) in hunks(&old, &new) {
                for at in [range.start, range.end] {
                    let torn = old[..at].ends_with('\r') && old[at..].starts_with('\n');
                    proptest::prop_assert!(!torn, "{:?} {:?}", old, new);
                }
            }
        }
    }
}
