//! The milestones and tasks of `todo.md` as what can be folded.

use tower_lsp::lsp_types::FoldingRange;

use super::outline::outline;
use crate::server::text::{Encoding, Lines};

/// What of `text` can be folded: every item that stands on more than one line.
pub fn ranges(text: &str) -> Vec<FoldingRange> {
    // Lines are the same in every encoding.
    let lines = Lines::new(text, Encoding::Utf8);
    let items = outline(text);
    let folds = items.iter().map(|item| (item.line, lines.position(item.end).line));
    folds
        .filter(|(first, last)| first < last)
        .map(|(start_line, end_line)| FoldingRange { start_line, end_line, ..Default::default() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::outline::tests::PLAN;
    use super::*;

    #[test]
    fn whatever_has_items_beneath_it_folds() {
        let lines: Vec<_> = ranges(PLAN).iter().map(|r| (r.start_line, r.end_line)).collect();
        assert_eq!(lines, [(0, 8), (2, 8), (3, 5), (6, 8)]);
    }
}
