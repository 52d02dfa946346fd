//! A merge of three texts, line by line: one side's changes are made on the other's text, where both do not meet.

use super::diff::{Hunk, hunks};

/// What came of a merge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// `mine`, with all changes of `theirs` that do not meet one of its own.
    pub text: String,
    /// 0-based lines of `mine` at which a change of `theirs` was left out, because both changed them.
    pub left: Vec<usize>,
}

/// Makes the changes from `base` to `theirs` on `mine`, which was made from `base`, too. A change that meets one of
/// `mine` is left out and named: what a person wrote is never replaced.
pub fn merge(base: &str, mine: &str, theirs: &str) -> Merged {
    let (own, other) = (hunks(base, mine), hunks(base, theirs));
    let mut merged = Merged::default();
    let mut at = 0;
    for change in &other {
        let new = &theirs[change.after.bytes.clone()];
        let meeting: Vec<&Hunk> = own.iter().filter(|hunk| meet(hunk, change)).collect();
        match meeting.as_slice() {
            [] => {
                let shift = |offset: usize| offset + grown(&own, change).0 - grown(&own, change).1;
                let place = shift(change.before.bytes.start)..shift(change.before.bytes.end);
                merged.text.push_str(&mine[at..place.start]);
                merged.text.push_str(new);
                at = place.end;
            }
            // Both did the same.
            [one] if one.before == change.before && mine[one.after.bytes.clone()] == *new => {}
            [first, ..] => merged.left.push(first.after.lines.start),
        }
    }
    merged.text.push_str(&mine[at..]);
    merged.left.dedup();
    merged
}

/// How many bytes the hunks before `change` wrote, and how many they replaced.
fn grown(own: &[Hunk], change: &Hunk) -> (usize, usize) {
    let before = own.iter().filter(|h| h.before.bytes.end <= change.before.bytes.start);
    before.fold((0, 0), |(new, old), h| (new + h.after.bytes.len(), old + h.before.bytes.len()))
}

/// Whether two changes of the same text share a line, or the place of an insertion.
fn meet(a: &Hunk, b: &Hunk) -> bool {
    let (a, b) = (&a.before.lines, &b.before.lines);
    if a.is_empty() || b.is_empty() {
        return a.start <= b.end && b.start <= a.end;
    }
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, mine: &str, theirs: &str) -> (String, usize) {
        let merged = merge(base, mine, theirs);
        (merged.text, merged.left.len())
    }

    #[test]
    fn both_sides_are_kept_where_they_do_not_meet() {
        let base = "a\nb\nc\nd\ne\n";
        assert_eq!(
            merged(base, "A\nb\nc\nd\ne\n", "a\nb\nc\nD\ne\n"),
            ("A\nb\nc\nD\ne\n".into(), 0)
        );
        assert_eq!(
            merged(base, "x\na\nb\nc\nd\ne\n", "a\nb\nd\ne\n"),
            ("x\na\nb\nd\ne\n".into(), 0)
        );
        assert_eq!(merged(base, base, "a\n"), ("a\n".into(), 0));
        assert_eq!(merged(base, "a\n", base), ("a\n".into(), 0));
        assert_eq!(merged(base, "a\nX\nc\nd\ne", "a\nX\nc\nd\nE\n").1, 1, "the last line's end");
    }

    #[test]
    fn what_meets_is_left_as_mine() {
        let merged = merge("a\nb\nc\nd\n", "a\nmine\nc\nd\n", "a\ntheirs\nc\nD\n");
        assert_eq!(merged.text, "a\nmine\nc\nD\n");
        assert_eq!(merged.left, [1]);
        assert_eq!(merge("a\nb\n", "a\nx\nb\n", "a\ny\nb\n").left, [1]);
        let same = merge("a\nb\n", "a\nB\n", "a\nB\n");
        assert_eq!((same.text.as_str(), same.left.len()), ("a\nB\n", 0));
    }

    proptest::proptest! {
        /// With one side unchanged the other is the result; and nothing of mine is lost where both changed.
        #[test]
        fn a_side_that_did_nothing_yields(base in "([ab]{0,2}\n){0,8}", other in "([ab]{0,2}\n?){0,8}") {
            proptest::prop_assert_eq!(merged(&base, &base, &other), (other.clone(), 0));
            proptest::prop_assert_eq!(merged(&base, &other, &base), (other.clone(), 0));
            proptest::prop_assert_eq!(merged(&base, &other, &other), (other.clone(), 0));
        }

        /// Lines that only one side wrote stand in the result, unless they were left out and named.
        #[test]
        fn any_three_texts_merge(base in "([ab]\n){0,6}", mine in "([abm]\n){0,6}", theirs in "([abt]\n){0,6}") {
            let merged = merge(&base, &mine, &theirs);
            let count = |text: &str, c: char| text.matches(c).count();
            proptest::prop_assert_eq!(count(&merged.text, 'm'), count(&mine, 'm'));
            if merged.left.is_empty() {
                proptest::prop_assert_eq!(count(&merged.text, 't'), count(&theirs, 't'));
            }
        }
    }
}
