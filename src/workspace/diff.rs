//! Unified diffs, for people and reviewers. Nothing is ever applied from them.

use similar::TextDiff;

use super::path::RelPath;

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

/// The 0-based lines of `after` that differ from `before`. A pure removal marks the line that now stands in its place.
pub fn changed_lines(before: &str, after: &str) -> std::collections::BTreeSet<u32> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = std::collections::BTreeSet::new();
    for op in diff.ops() {
        if op.tag() == similar::DiffTag::Equal {
            continue;
        }
        let range = op.new_range();
        let end = range.end.max(range.start + 1);
        lines.extend((range.start..end).filter_map(|line| u32::try_from(line).ok()));
    }
    lines
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
}
