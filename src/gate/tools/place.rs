//! From the place that a tool names to a range of the text that it was asked about.

use std::fs;
use std::path::Path;

use crate::gate::diagnostic::{Place, Range};
use crate::workspace::path::RelPath;

/// How a tool counts columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// In UTF-16 units.
    Utf16,
    /// In UTF-8 bytes.
    Bytes,
}

/// The word at a place (both numbers 1-based), as the file below `root` has it. Most tools do not say where a place ends.
pub(super) fn word(
    root: &Path,
    path: &RelPath,
    (line, column): (u32, u32),
    columns: Columns,
) -> Range {
    let line = line.saturating_sub(1);
    let text = fs::read_to_string(path.in_root(root)).unwrap_or_default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let row = text.lines().nth(line as usize).unwrap_or_default();
    let column = column.saturating_sub(1);
    let start = match columns {
        Columns::Utf16 => utf8_column(row, column),
        Columns::Bytes => column.min(u32::try_from(row.len()).unwrap_or(u32::MAX)),
    };
    let end = start.saturating_add(word_at(row, start));
    Range { start: Place { line, column: start }, end: Place { line, column: end } }
}

/// The UTF-8 column of a UTF-16 one.
fn utf8_column(row: &str, utf16: u32) -> u32 {
    let mut units = 0;
    for (at, c) in row.char_indices() {
        if units >= utf16 as usize {
            return u32::try_from(at).unwrap_or(u32::MAX);
        }
        units += c.len_utf16();
    }
    u32::try_from(row.len()).unwrap_or(u32::MAX)
}

/// The length in bytes of the word at a column; at least the character there.
fn word_at(row: &str, start: u32) -> u32 {
    let rest = row.get(start as usize..).unwrap_or_default();
    let word =
        rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
    let width = word.max(rest.chars().next().map_or(0, char::len_utf8));
    u32::try_from(width).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_bytes_whoever_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a"), "\n\"𝄞\"; word.\n").expect("a file");
        let path = RelPath::new("a").expect("a good path");
        let columns = |place, how| {
            let range = word(folder.path(), &path, place, how);
            (range.start.line, range.start.column, range.end.column)
        };
        assert_eq!(columns((2, 7), Columns::Utf16), (1, 8, 12));
        assert_eq!(columns((2, 9), Columns::Bytes), (1, 8, 12));
        assert_eq!(columns((9, 9), Columns::Bytes), (8, 0, 0));
    }
}
