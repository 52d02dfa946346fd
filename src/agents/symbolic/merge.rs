//! Several remedies as one change-set, as long as they do not touch the same bytes.
//!
//! Pure. It must not know what the remedies are for.

use std::collections::BTreeMap;

use crate::workspace::change::{Change, ChangeSet, Edit};
use crate::workspace::path::RelPath;

/// First byte, one past the last, what takes their place.
type Span = (usize, usize, String);

/// A change-set that grows.
#[derive(Debug, Default, Clone)]
pub struct Merged {
    edits: BTreeMap<RelPath, Vec<Span>>,
    /// How many change-sets it holds.
    pub count: usize,
}

impl Merged {
    /// Takes `change` in, or leaves everything as it is when that would touch bytes twice, or is no edit by byte spans.
    /// What is there already need not be added again: two unknown names may want the same import.
    pub fn add(&mut self, change: &ChangeSet) -> bool {
        let Some(new) = spans(change) else {
            return false;
        };
        let mut fresh = Vec::new();
        for (path, span) in new {
            let there = self.edits.get(path).map(Vec::as_slice).unwrap_or_default();
            if there.contains(&span) {
                continue;
            }
            if there.iter().any(|other| clash(other, &span)) {
                return false;
            }
            fresh.push((path.clone(), span));
        }
        for (path, span) in fresh {
            self.edits.entry(path).or_default().push(span);
        }
        self.count += 1;
        true
    }

    /// The whole, with insertions at one place melted into one, in the order in which they came.
    pub fn into_change(self) -> ChangeSet {
        let changes = self.edits.into_iter().map(|(path, mut spans)| {
            spans.sort_by_key(|(start, end, _)| (*start, *end));
            let mut edits: Vec<Edit> = Vec::new();
            for (start, end, new) in spans {
                match edits.last_mut() {
                    Some(Edit::Span { start: s, end: e, new: text })
                        if *s == start && *e == start && end == start =>
                    {
                        text.push_str(&new);
                    }
                    _ => edits.push(Edit::Span { start, end, new }),
                }
            }
            Change::Edit { path, edits }
        });
        ChangeSet { changes: changes.collect() }
    }
}

fn spans(change: &ChangeSet) -> Option<Vec<(&RelPath, Span)>> {
    let mut spans = Vec::new();
    for change in &change.changes {
        let Change::Edit { path, edits } = change else {
            return None;
        };
        for edit in edits {
            let Edit::Span { start, end, new } = edit else {
                return None;
            };
            spans.push((path, (*start, *end, new.clone())));
        }
    }
    Some(spans)
}

/// Insertions at one place do not clash, an insertion at the edge of a replacement does: who comes first is not known.
fn clash(a: &Span, b: &Span) -> bool {
    let insertions = a.0 == a.1 && b.0 == b.1;
    !insertions
        && a.0 <= b.1
        && b.0 <= a.1
        && !(a.0 < a.1 && b.0 < b.1 && (a.1 == b.0 || b.1 == a.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(spans: &[(usize, usize, &str)]) -> ChangeSet {
        let edit = |(start, end, new): &(usize, usize, &str)| Edit::Span {
            start: *start,
            end: *end,
            new: (*new).into(),
        };
        let path = RelPath::new("a.rs").unwrap();
        ChangeSet { changes: vec![Change::Edit { path, edits: spans.iter().map(edit).collect() }] }
    }

    #[test]
    fn remedies_that_agree_are_taken_together() {
        let mut merged = Merged::default();
        assert!(merged.add(&change(&[(0, 0, "use a;\n")])));
        assert!(merged.add(&change(&[(0, 0, "use a;\n")])), "the same import again");
        assert!(merged.add(&change(&[(0, 0, "use b;\n")])));
        assert!(merged.add(&change(&[(9, 12, "x")])));
        assert!(merged.add(&change(&[(12, 14, "")])), "they only touch");
        assert!(!merged.add(&change(&[(11, 13, "y"), (20, 21, "z")])), "half of one is none of it");
        assert!(!merged.add(&change(&[(9, 9, "y")])));
        let expected = change(&[(0, 0, "use a;\nuse b;\n"), (9, 12, "x"), (12, 14, "")]);
        assert_eq!(merged.into_change(), expected);
    }
}
