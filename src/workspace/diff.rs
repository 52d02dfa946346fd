//! Unified diffs, for people and reviewers. Nothing is ever applied from them.

use std::collections::BTreeSet;
use std::ops::Range;

use similar::TextDiff;

use super::path::RelPath;

/// Bytes that are compared at a time.
const BLOCK: usize = 256;

/// The unified diff of one file, three lines of context; `None` stands for a file that does not exist.
/// Empty when both sides are equal.
pub fn unified(path: &RelPath, before: Option<&str>, after: Option<&str>) -> String {
    if before == after {
        return String::new();
    }
    let old = before.map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{path}"));
    let new = after.map_or_else(|| "/dev/null".to_owned(), |_| format!("b/{path}"));
    let diff = TextDiff::from_lines(before.unwrap_or_default(), after.unwrap_or_default());
    diff.unified_diff().context_radius(3).header(&old, &new).to_string()
}

/// A run of whole lines on one side of a [`Hunk`]; empty where the other side's lines were inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// 0-based line numbers, half-open. A line ends with `\n` and nothing else.
    pub lines: Range<usize>,
    /// The same in bytes.
    pub bytes: Range<usize>,
}

/// Lines of one text that stand in the place of lines of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// What stood there.
    pub before: Span,
    /// What stands there now.
    pub after: Span,
}

/// Where two texts differ, in order. What both begin and end with is never looked at line by line.
pub fn hunks(before: &str, after: &str) -> Vec<Hunk> {
    if before == after {
        return Vec::new();
    }
    let start = common_start(before.as_bytes(), after.as_bytes());
    let end = common_end(&before.as_bytes()[start..], &after.as_bytes()[start..]);
    let first = newlines(&before[..start]);
    let old = Lines::of(&before[start..before.len() - end], first, start);
    let new = Lines::of(&after[start..after.len() - end], first, start);
    similar::capture_diff_slices(similar::Algorithm::Myers, &old.lines, &new.lines)
        .into_iter()
        .filter(|op| op.tag() != similar::DiffTag::Equal)
        .map(|op| Hunk { before: old.span(op.old_range()), after: new.span(op.new_range()) })
        .collect()
}

/// The lines of a piece of text, and where each begins in the whole.
struct Lines<'a> {
    lines: Vec<&'a str>,
    starts: Vec<usize>,
    first: usize,
}

impl<'a> Lines<'a> {
    fn of(piece: &'a str, first: usize, offset: usize) -> Lines<'a> {
        let lines: Vec<&str> = piece.split_inclusive('\n').collect();
        let mut starts = Vec::with_capacity(lines.len() + 1);
        let mut at = offset;
        starts.push(at);
        for line in &lines {
            at += line.len();
            starts.push(at);
        }
        Lines { lines, starts, first }
    }

    fn span(&self, lines: Range<usize>) -> Span {
        Span {
            bytes: self.starts[lines.start]..self.starts[lines.end],
            lines: self.first + lines.start..self.first + lines.end,
        }
    }
}

/// The length of the whole lines that both texts begin with.
fn common_start(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks(BLOCK).zip(b.chunks(BLOCK)).take_while(|(a, b)| a == b);
    let known: usize = blocks.map(|(block, _)| block.len()).sum();
    let same = a[known..].iter().zip(&b[known..]).take_while(|(a, b)| a == b).count();
    let same = known + same;
    a[..same].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

/// The length of the whole lines that both texts end with; both begin at the start of a line.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.rchunks(BLOCK).zip(b.rchunks(BLOCK)).take_while(|(a, b)| a == b);
    let known: usize = blocks.map(|(block, _)| block.len()).sum();
    let (rest_a, rest_b) = (&a[..a.len() - known], &b[..b.len() - known]);
    let same = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(a, b)| a == b).count();
    let same = known + same;
    let starts_a_line = |text: &[u8]| text.len() == same || text[text.len() - same - 1] == b'\n';
    if starts_a_line(a) && starts_a_line(b) {
        return same;
    }
    let tail = &a[a.len() - same..];
    tail.iter().position(|byte| *byte == b'\n').map_or(0, |at| same - at - 1)
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The 0-based lines of `after` that differ from `before`. A pure removal marks the line that now stands in its place.
pub fn changed_lines(before: &str, after: &str) -> BTreeSet<u32> {
    lines_of(&hunks(before, after))
}

/// The 0-based lines of the new text that some hunks wrote, as [`changed_lines`] counts them.
pub fn lines_of(hunks: &[Hunk]) -> BTreeSet<u32> {
    let ranges = hunks.iter().map(|hunk| &hunk.after.lines);
    let lines = ranges.flat_map(|lines| lines.start..lines.end.max(lines.start + 1));
    lines.filter_map(|line| u32::try_from(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_like_diff_u() -> Result<(), super::super::path::BadPath> {
        let path = RelPath::new("a.txt")?;
        let text = unified(&path, Some("one\ntwo\n"), Some("one\n2\n"));
        assert_eq!(text, "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n");
        assert!(unified(&path, None, Some("x\n")).starts_with("--- /dev/null\n+++ b/a.txt\n"));
        assert_eq!(unified(&path, Some("x"), Some("x")), "");
        Ok(())
    }

    #[test]
    fn changed_lines_are_of_the_new_text() {
        let lines: Vec<u32> = changed_lines("a\nb\nc\n", "a\nX\nY\nc\n").into_iter().collect();
        assert_eq!(lines, [1, 2]);
        assert_eq!(changed_lines("a\nb\nc\n", "a\nc\n").into_iter().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn hunks_say_what_became_of_what() {
        let (before, after) = ("a\nb\nc\nd\ne", "a\nB\nc\nd\nd\ne");
        let found = hunks(before, after);
        let pieces: Vec<(&str, &str)> = found
            .iter()
            .map(|h| (&before[h.before.bytes.clone()], &after[h.after.bytes.clone()]))
            .collect();
        assert_eq!(pieces, [("b\n", "B\n"), ("", "d\n")]);
        assert_eq!(found[0].before.lines, 1..2);
        assert_eq!(found[1].before.lines.len(), 0);
    }

    proptest::proptest! {
        /// The hunks alone make the one text of the other.
        #[test]
        fn hunks_are_all_of_the_difference(before in "[ab\n]{0,12}", after in "[ab\n]{0,12}") {
            let mut made = String::new();
            let mut at = 0;
            for hunk in hunks(&before, &after) {
                made.push_str(&before[at..hunk.before.bytes.start]);
                made.push_str(&after[hunk.after.bytes.clone()]);
                at = hunk.before.bytes.end;
                let lines = newlines(&after[..hunk.after.bytes.start]);
                proptest::prop_assert_eq!(lines, hunk.after.lines.start);
            }
            made.push_str(&before[at..]);
            proptest::prop_assert_eq!(made, after);
        }
    }
}
