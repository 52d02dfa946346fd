//! A few lines of code around a place, with line numbers and a caret, as compilers show them.

use crate::gate::diagnostic::Range;
use crate::gate::rules::secrets::mask;

/// Lines shown before and after the place.
const AROUND: usize = 2;
/// Characters shown of a line.
const WIDTH: usize = 160;

/// The frame of `range` in `text`; empty when the range lies outside.
pub fn frame(text: &str, range: Range) -> String {
    let place = range.start.line as usize;
    let first = place.saturating_sub(AROUND);
    let shown: Vec<&str> = text.lines().skip(first).take(place - first + 1 + AROUND).collect();
    let shown = shown.join("\n");
    let mut out = String::new();
    // What a report says is kept and sent on: no secret that happens to stand there may be in it.
    for (index, line) in mask(&shown).lines().enumerate() {
        let index = first + index;
        let shown: String =
            line.chars().take(WIDTH).map(|c| if c == '\t' { ' ' } else { c }).collect();
        out.push_str(&format!("{:>5} | {shown}\n", index + 1));
        if index == place {
            out.push_str(&format!("      | {}\n", carets(line, range)));
        }
    }
    out
}

/// Blanks up to the place, carets below it, counted in characters.
fn carets(line: &str, range: Range) -> String {
    let chars_before =
        |column: usize| line.char_indices().take_while(|(at, _)| *at < column).count();
    let start = chars_before(range.start.column as usize).min(WIDTH);
    let end = if range.end.line == range.start.line {
        chars_before(range.end.column as usize)
    } else {
        line.chars().count()
    };
    let width = end.min(WIDTH).saturating_sub(start).max(1);
    format!("{}{}", " ".repeat(start), "^".repeat(width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::diagnostic::Place;

    #[test]
    fn it_points_at_the_place() {
        let start = Place { line: 1, column: 5 };
        let end = Place { line: 1, column: 7 };
        let text = "one\nä = xy;\nthree\n";
        let want = "    1 | one\n    2 | ä = xy;\n      |     ^^\n    3 | three\n";
        assert_eq!(frame(text, Range { start, end }), want);
    }

    #[test]
    fn a_place_outside_is_no_panic() {
        let start = Place { line: 9, column: 99 };
        assert_eq!(frame("a\n", Range { start, end: start }), "");
        let start = Place { line: 0, column: 99 };
        assert!(frame("a\n", Range { start, end: Place::default() }).contains('^'));
    }
}
