//! Where findings stand now: a finding names the line that it had when it was made, and the text goes on beneath it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tower_lsp::lsp_types::TextDocumentContentChangeEvent;

use crate::workspace::RelPath;

/// What has a place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A finding, by its number.
    Finding(u32),
    /// A place where a change meets what was typed: the question's number, and which of its places.
    Meeting(u32, usize),
}

/// It with its mission.
pub type Key = (String, Mark);

/// The lines of findings in files, moved along with the edits of open documents.
#[derive(Debug, Default)]
pub struct Anchors(Mutex<HashMap<Key, (RelPath, u32)>>);

impl Anchors {
    /// The line where a finding stands now, 0-based; `made_at` when it is seen for the first time.
    pub fn line(&self, key: Key, path: &RelPath, made_at: u32) -> u32 {
        self.lock().entry(key).or_insert_with(|| (path.clone(), made_at)).1
    }

    /// Moves the findings of `path` along with changes of its text. `true` when one has moved. A change of the whole text
    /// says nothing of where lines went.
    pub fn shift(&self, path: &RelPath, changes: &[TextDocumentContentChangeEvent]) -> bool {
        let mut anchors = self.lock();
        let mut moved = false;
        for (_, line) in anchors.values_mut().filter(|(file, _)| file == path) {
            let now = changes.iter().fold(*line, shifted);
            moved |= now != *line;
            *line = now;
        }
        moved
    }

    /// A file was renamed: what stands in it goes with it.
    pub fn moved(&self, from: &RelPath, to: &RelPath) {
        for (path, _) in self.lock().values_mut().filter(|(path, _)| path == from) {
            *path = to.clone();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (RelPath, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shifted(line: u32, change: &TextDocumentContentChangeEvent) -> u32 {
    let Some(range) = change.range else { return line };
    let inserted = u32::try_from(change.text.matches('\n').count()).unwrap_or(u32::MAX);
    // A change that begins at the very start of the line pushes the line itself.
    let is_behind = range.end.line < line || (range.end.line == line && range.end.character == 0);
    if is_behind {
        let end = range.start.line.saturating_add(inserted);
        end.saturating_add(line - range.end.line)
    } else {
        line.min(range.start.line)
    }
}

#[cfg(test)]
mod tests {
    use tower_lsp::lsp_types::{Position, Range};

    use super::*;

    fn after(start: (u32, u32), end: (u32, u32), text: &str) -> u32 {
        let range = Range::new(Position::new(start.0, start.1), Position::new(end.0, end.1));
        let range = Some(range);
        shifted(
            10,
            &TextDocumentContentChangeEvent { range, range_length: None, text: text.into() },
        )
    }

    #[test]
    fn a_line_moves_with_what_happens_above_it() {
        assert_eq!(after((2, 0), (2, 0), "a\nb\n"), 12);
        assert_eq!(after((2, 3), (5, 1), ""), 7);
        assert_eq!(after((10, 0), (10, 0), "new\n"), 11);
        assert_eq!(after((9, 5), (10, 0), ""), 9);
    }

    #[test]
    fn what_happens_on_it_or_below_leaves_it() {
        assert_eq!(after((10, 4), (10, 9), "x\ny"), 10);
        assert_eq!(after((11, 0), (20, 0), ""), 10);
        // It was deleted: it stands where it was cut out.
        assert_eq!(after((8, 2), (12, 0), "\n"), 8);
    }

    #[test]
    fn only_the_findings_of_the_file_move() {
        let anchors = Anchors::default();
        let (here, there) = (RelPath::new("a").unwrap(), RelPath::new("b").unwrap());
        let key = |id| ("m".to_owned(), Mark::Finding(id));
        assert_eq!(anchors.line(key(1), &here, 4), 4);
        assert_eq!(anchors.line(key(2), &there, 4), 4);
        let range = Some(Range::new(Position::new(0, 0), Position::new(0, 0)));
        let change =
            TextDocumentContentChangeEvent { range, range_length: None, text: "\n".into() };
        assert!(anchors.shift(&here, &[change]));
        assert_eq!(anchors.line(key(1), &here, 4), 5);
        assert_eq!(anchors.line(key(2), &there, 4), 4);
    }
}
