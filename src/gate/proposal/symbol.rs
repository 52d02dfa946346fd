//! Edits that name an item of the file: the item whole, a text within it, or new code beside it.
//!
//! What stands before an item (comments, attributes) is kept, unless the new code brings its own. New code that was written
//! at another depth is moved to the item's.

use super::Side;
use crate::gate::code::line_at;
use crate::gate::code::outline::{Symbol, find, outline};
use crate::workspace::Edit;
use crate::workspace::path::RelPath;
use crate::workspace::resolve::anchor::Miss;
use crate::workspace::resolve::find_text;

/// The edit as bytes of `text`.
pub(super) fn edit(
    path: &RelPath,
    text: &str,
    name: &str,
    old: Option<&str>,
    at: Option<Side>,
    new: &str,
) -> Result<Edit, String> {
    let symbols = outline(path, text)
        .ok_or_else(|| "the items of this kind of file are not known; use `old`".to_owned())?;
    let symbol = find(&symbols, name, text)?;
    match (old, at) {
        (Some(old), None) => within(text, symbol, old, new),
        (None, Some(side)) => Ok(beside(text, symbol, side, new)),
        (None, None) => replaced(text, &symbols, symbol, new),
        (Some(_), Some(_)) => Err("an edit has `old` or `at`, not both".to_owned()),
    }
}

fn within(text: &str, symbol: &Symbol, old: &str, new: &str) -> Result<Edit, String> {
    let (label, from) = (symbol.label(), symbol.whole.start);
    let start = text[..from].rfind('\n').map_or(0, |end| end + 1);
    let first = line_at(text, start);
    match find_text(&text[start..symbol.whole.end], old, new) {
        Ok(hunks) => match <[_; 1]>::try_from(hunks) {
            Ok([hunk]) if hunk.start + start >= from => {
                Ok(Edit::Span { start: hunk.start + start, end: hunk.end + start, new: hunk.new })
            }
            _ => Err(format!("`old` is not one place within {label}")),
        },
        Err(Miss::Ambiguous { lines }) => {
            let lines: Vec<String> = lines.iter().map(|line| (line + first).to_string()).collect();
            Err(format!(
                "`old` stands {} times in {label}, at lines {}; add lines around it",
                lines.len(),
                lines.join(", ")
            ))
        }
        Err(Miss::Empty) => {
            Err("`old` is empty; leave it out to replace the whole item".to_owned())
        }
        Err(_) => Err(format!(
            "`old` does not stand in {label}; read it with `symbol` and copy the lines"
        )),
    }
}

fn replaced(text: &str, symbols: &[Symbol], symbol: &Symbol, new: &str) -> Result<Edit, String> {
    let shares = |other: &&Symbol| other.core == symbol.core && other.name != symbol.name;
    if let Some(other) = symbols.iter().find(shares) {
        return Err(format!(
            "{} is declared together with {}; use `old`",
            symbol.label(),
            other.label()
        ));
    }
    let new = new.trim_matches(['\n', '\r']).trim_end();
    let range = if brings_marks(new) { symbol.whole.clone() } else { symbol.core.clone() };
    // One that is taken away goes with its marks and its lines.
    if new.is_empty() {
        return Ok(Edit::Span {
            start: line_start(text, symbol.whole.start),
            end: line_end(text, symbol.whole.end),
            new: String::new(),
        });
    }
    let new = at_depth(new, indent(text, range.start));
    let new = new.trim_start_matches([' ', '\t']).to_owned();
    Ok(Edit::Span { start: range.start, end: range.end, new })
}

fn beside(text: &str, symbol: &Symbol, side: Side, new: &str) -> Edit {
    let new = new.trim_matches(['\n', '\r']).trim_end();
    let code = at_depth(new, indent(text, symbol.core.start));
    let is_long = new.contains('\n') || text[symbol.whole.clone()].contains('\n');
    let gap = if is_long { "\n\n" } else { "\n" };
    match side {
        Side::Before => {
            let at = line_start(text, symbol.whole.start);
            Edit::Span { start: at, end: at, new: format!("{code}{gap}") }
        }
        Side::After => {
            let at = symbol.whole.end + rest_of_item(&text[symbol.whole.end..]);
            Edit::Span { start: at, end: at, new: format!("{gap}{code}") }
        }
    }
}

/// How much of what follows an item in its line still belongs to it: `;` or `,`.
fn rest_of_item(after: &str) -> usize {
    after.len() - after.trim_start_matches([';', ',']).len()
}

/// Whether new code begins with comments, attributes or decorators of its own.
fn brings_marks(new: &str) -> bool {
    ["//", "/*", "#", "@"].iter().any(|mark| new.trim_start().starts_with(mark))
}

/// Where the line of an offset starts, if nothing but blanks stands before it there; else the offset.
fn line_start(text: &str, at: usize) -> usize {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    if text[start..at].trim().is_empty() { start } else { at }
}

/// Past the line end after an offset, if nothing but blanks stands before that; else the offset.
fn line_end(text: &str, at: usize) -> usize {
    let at = at + rest_of_item(&text[at..]);
    let rest = &text[at..];
    let line = rest.find('\n').map_or(rest.len(), |end| end + 1);
    if rest[..line].trim().is_empty() { at + line } else { at }
}

fn indent(text: &str, at: usize) -> &str {
    let start = line_start(text, at);
    if start == at { "" } else { &text[start..at] }
}

/// New code moved to a depth, unless it was written there. Of code whose first line alone was cut short the rest stays.
fn at_depth(new: &str, depth: &str) -> String {
    let blanks = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let lines = || new.lines().filter(|line| !line.trim().is_empty());
    let first = lines().next().map_or(0, blanks);
    let rest = lines().skip(1).map(blanks).min();
    let last = lines().skip(1).last().unwrap_or_default();
    let closes = last.trim_start().starts_with(['}', ')', ']']) && blanks(last) == depth.len();
    if first == 0 && rest.is_some_and(|rest| rest > depth.len() || closes) && !depth.is_empty() {
        return format!("{depth}{new}");
    }
    let own = rest.map_or(first, |rest| rest.min(first));
    let moved = new.lines().map(|line| match line.trim().is_empty() {
        true => String::new(),
        false => format!("{depth}{}", line.get(own..).unwrap_or_default()),
    });
    moved.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "/// Adds.\n#[must_use]\npub fn add(a: u8) -> u8 {\n    a\n}\n\nimpl T {\n    /// Gets.\n    fn get(&self) -> u8 {\n        let x = 1;\n        x\n    }\n\n    fn set(&self) {}\n}\n\nconst A: u8 = 1;\n";

    fn run(name: &str, old: Option<&str>, at: Option<Side>, new: &str) -> Result<String, String> {
        let path = RelPath::new("a.rs").unwrap();
        match edit(&path, TEXT, name, old, at, new)? {
            Edit::Span { start, end, new } => {
                let mut text = TEXT.to_owned();
                text.replace_range(start..end, &new);
                Ok(text)
            }
            Edit::Text { .. } => panic!("bytes are given"),
        }
    }

    #[test]
    fn an_item_is_replaced_whole_and_keeps_its_marks() {
        let new = run("add", None, None, "pub fn add(a: u16) -> u16 {\n    a\n}\n").unwrap();
        assert_eq!(new, TEXT.replace("u8 {\n    a", "u16 {\n    a").replacen("a: u8", "a: u16", 1));
        let new = run("add", None, None, "/// Takes.\npub fn add() {}").unwrap();
        assert!(new.starts_with("/// Takes.\npub fn add() {}\n\nimpl"), "{new}");
        assert_eq!(
            run("T::set", None, None, "").unwrap(),
            TEXT.replace("    fn set(&self) {}\n", "")
        );
    }

    #[test]
    fn new_code_is_moved_to_its_depth() {
        let want = TEXT.replace("        let x = 1;\n        x\n", "        2\n");
        for new in [
            "fn get(&self) -> u8 {\n    2\n}",
            "    fn get(&self) -> u8 {\n        2\n    }\n",
            "fn get(&self) -> u8 {\n        2\n    }",
            "\n        fn get(&self) -> u8 {\n            2\n        }",
        ] {
            assert_eq!(run("T::get", None, None, new).unwrap(), want, "{new}");
        }
        assert_eq!(at_depth("def f():\n    pass", "    "), "    def f():\n        pass");
        assert_eq!(at_depth("def f():\n        pass", "    "), "    def f():\n        pass");
    }

    #[test]
    fn code_is_put_beside_an_item() {
        let new = run("T::set", None, Some(Side::Before), "fn one(&self) {\n    1;\n}").unwrap();
        assert_eq!(
            new,
            TEXT.replace("    fn set", "    fn one(&self) {\n        1;\n    }\n\n    fn set")
        );
        let new = run("T::get", None, Some(Side::Before), "fn one() {}").unwrap();
        assert_eq!(new, TEXT.replace("    /// Gets.", "    fn one() {}\n\n    /// Gets."));
        let new = run("A", None, Some(Side::After), "const B: u8 = 2;").unwrap();
        assert_eq!(new, format!("{TEXT}const B: u8 = 2;\n"));
        let new = run("add", None, Some(Side::After), "fn more() {}").unwrap();
        assert_eq!(new, TEXT.replace("    a\n}\n", "    a\n}\n\nfn more() {}\n"));
    }

    #[test]
    fn a_text_is_found_within_an_item_alone() {
        let new = run("T::get", Some("u8"), None, "u16").unwrap();
        assert_eq!(new, TEXT.replace("self) -> u8", "self) -> u16"));
        let new = run("T::get", Some("let x = 1;\nx\n"), None, "3\n").unwrap();
        assert_eq!(new, TEXT.replace("        let x = 1;\n        x\n", "        3\n"));
        let why = run("add", Some("u8"), None, "u16").unwrap_err();
        assert!(why.contains("2 times in add, at lines 3, 3"), "{why}");
        assert!(
            run("T::get", Some("must_use"), None, "")
                .unwrap_err()
                .contains("does not stand in T::get")
        );
        assert!(run("get", Some("x"), Some(Side::After), "").is_err());
    }
}
