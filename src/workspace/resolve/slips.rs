//! Edits that were pasted in another notation: with line numbers in front, in a code fence, as a hunk of a unified diff, as
//! a search-and-replace block. Each is read as the plain anchors that it stands for.
//!
//! It is asked only about an anchor that stands nowhere as it is, and decides nothing about places: what it reads must be
//! found like any other anchor, in one place only.

/// An anchor and what takes its place.
pub(super) type Plain = (String, String);

/// What `old` and `new` stand for in another notation; `None` when they are no such notation.
pub(super) fn read(old: &str, new: &str) -> Option<Vec<Plain>> {
    whole_notation(old, new).or_else(|| side_by_side(old, new)).or_else(|| unwrapped(old, new))
}

/// One of the two texts holds all of the edit; the other is empty or the same again.
fn whole_notation(old: &str, new: &str) -> Option<Vec<Plain>> {
    let text = match (old.trim().is_empty(), new.trim().is_empty()) {
        (false, true) => old,
        (true, false) => new,
        (false, false) if old == new => old,
        _ => return None,
    };
    let text = unfenced(text).unwrap_or_else(|| text.to_owned());
    blocks(&text).or_else(|| hunks(&text))
}

/// `<<<<<<< SEARCH`, `=======`, `>>>>>>> REPLACE`, once or more; nothing else but blanks may stand around them.
fn blocks(text: &str) -> Option<Vec<Plain>> {
    enum At {
        Outside,
        Old,
        New,
    }
    let (mut at, mut found) = (At::Outside, Vec::new());
    let (mut old, mut new) = (String::new(), String::new());
    for line in text.split_inclusive('\n') {
        let mark = line.trim_end();
        match at {
            At::Outside if mark.is_empty() => {}
            At::Outside if is_mark(mark, '<') => at = At::Old,
            At::Outside => return None,
            At::Old if is_mark(mark, '=') => at = At::New,
            At::Old => old.push_str(line),
            At::New if is_mark(mark, '>') => {
                found.push((std::mem::take(&mut old), std::mem::take(&mut new)));
                at = At::Outside;
            }
            At::New => new.push_str(line),
        }
    }
    (matches!(at, At::Outside) && !found.is_empty()).then_some(found)
}

/// Five or more of the sign, then nothing or a word.
fn is_mark(line: &str, sign: char) -> bool {
    let rest = line.trim_start_matches(sign);
    line.len() - rest.len() >= 5 && (rest.is_empty() || rest.starts_with(' '))
}

/// The hunks of a unified diff of one file. Its line numbers are not believed.
fn hunks(text: &str) -> Option<Vec<Plain>> {
    let mut found: Vec<Plain> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with("@@") {
            found.push(Plain::default());
            continue;
        }
        let Some((old, new)) = found.last_mut() else {
            let heads = ["--- ", "+++ ", "diff ", "index "];
            match heads.iter().any(|head| line.starts_with(head)) || line.trim().is_empty() {
                true => continue,
                false => return None,
            }
        };
        match line.as_bytes().first() {
            Some(b'-') => old.push_str(&line[1..]),
            Some(b'+') => new.push_str(&line[1..]),
            Some(b'\\') => {}
            // Editors take the blank of an empty line away.
            Some(b'\n' | b'\r') => [old, new].into_iter().for_each(|side| side.push_str(line)),
            Some(b' ') => [old, new].into_iter().for_each(|side| side.push_str(&line[1..])),
            _ => return None,
        }
    }
    let changes = |(old, new): &Plain| old != new;
    (!found.is_empty() && found.iter().all(changes)).then_some(found)
}

/// `old` as the `-` lines of a diff and `new` as its `+` lines. Without those it may be a list as well.
fn side_by_side(old: &str, new: &str) -> Option<Vec<Plain>> {
    let side = |text: &str, sign: char| -> Option<String> {
        let marked = text.lines().any(|line| line.starts_with(sign));
        let lines = text.split_inclusive('\n').map(|line| {
            let plain = line.strip_prefix(sign).or_else(|| line.strip_prefix(' '));
            plain.or_else(|| line.trim().is_empty().then_some(line))
        });
        lines.collect::<Option<String>>().filter(|_| marked)
    };
    Some(vec![(side(old, '-')?, side(new, '+')?)])
}

/// Without the fence around them, or without the numbers before their lines.
fn unwrapped(old: &str, new: &str) -> Option<Vec<Plain>> {
    let strip = |text: &str| unfenced(text).or_else(|| unnumbered(text));
    let bare = strip(old)?;
    Some(vec![(bare, strip(new).unwrap_or_else(|| new.to_owned()))])
}

/// The text between the lines of a Markdown fence.
fn unfenced(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix("```")?.strip_suffix("```")?;
    let (language, code) = inner.split_once('\n')?;
    let is_word = !language.trim().contains(char::is_whitespace);
    (is_word && !code.contains("```")).then(|| code.to_owned())
}

/// The text without line numbers, where every line has one, each one higher than the one before.
fn unnumbered(text: &str) -> Option<String> {
    let mut before: Option<u64> = None;
    let mut bare = String::new();
    for line in text.split_inclusive('\n') {
        let (number, rest) = numbered(line)?;
        if before.is_some_and(|before| before.checked_add(1) != Some(number)) {
            return None;
        }
        before = Some(number);
        bare.push_str(rest);
    }
    before.map(|_| bare)
}

/// `  12 | text`, `12: text`, `12→text`, `12<tab>text`.
fn numbered(line: &str) -> Option<(u64, &str)> {
    let start = line.trim_start_matches([' ', '\t']);
    let digits = start.len() - start.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number = start[..digits].parse().ok()?;
    let rest = &start[digits..];
    if let Some(rest) = rest.strip_prefix('\t').or_else(|| rest.strip_prefix('→')) {
        return Some((number, rest));
    }
    let rest = rest.trim_start_matches(' ');
    let rest = rest.strip_prefix('|').or_else(|| rest.strip_prefix(':'))?;
    Some((number, rest.strip_prefix(' ').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(old: &str, new: &str) -> Option<(String, String)> {
        let mut read = read(old, new)?;
        assert_eq!(read.len(), 1);
        read.pop()
    }

    fn pair(old: &str, new: &str) -> Option<(String, String)> {
        Some((old.to_owned(), new.to_owned()))
    }

    #[test]
    fn numbers_are_taken_off_where_all_lines_have_them() {
        let want = pair("fn a() {\n    b\n}", "fn a() {}");
        assert_eq!(one("   9 | fn a() {\n  10 |     b\n  11 | }", "fn a() {}"), want);
        assert_eq!(one("9: fn a() {\n10:     b\n11: }", "9: fn a() {}"), want);
        assert_eq!(one("9\tfn a() {\n10\t    b\n11\t}", "fn a() {}"), want);
        assert_eq!(one("  9→fn a() {\n 10→    b\n 11→}", "  9→fn a() {}"), want);
        assert_eq!(one("1: a\n3: b", "c"), None, "no lines that follow each other");
        assert_eq!(one("1: a\nb", "c"), None);
        assert_eq!(one("plain", "c"), None);
    }

    #[test]
    fn a_pasted_diff_is_read_hunk_by_hunk() {
        let diff =
            "--- a/x.rs\n+++ b/x.rs\n@@ -1,3 +1,3 @@ fn x()\n a\n-b\n+B\n\n@@ -9 +9 @@\n-c\n+C\n";
        let want = vec![("a\nb\n\n".into(), "a\nB\n\n".into()), ("c\n".into(), "C\n".into())];
        assert_eq!(read(diff, ""), Some(want.clone()));
        assert_eq!(read("", diff), Some(want.clone()));
        assert_eq!(read(&format!("```diff\n{diff}```"), ""), Some(want));
        assert_eq!(one("-a\n b\n", "+A\n b\n"), pair("a\nb\n", "A\nb\n"));
        assert_eq!(read("- a\n", ""), None, "it may be a list");
        assert_eq!(read("@@ -1 +1 @@\n a\n", ""), None, "it changes nothing");
        assert_eq!(read("@@ -1 +1 @@\n-a\nstray\n", ""), None);
    }

    #[test]
    fn a_pasted_block_is_read() {
        let block = "<<<<<<< SEARCH\na\n=======\nb\nc\n>>>>>>> REPLACE\n";
        assert_eq!(one(block, ""), pair("a\n", "b\nc\n"));
        assert_eq!(one(block, block), pair("a\n", "b\nc\n"));
        assert_eq!(read(&block.repeat(2), "").map(|found| found.len()), Some(2));
        assert_eq!(read(block, "something else"), None, "which of the two is meant?");
        assert_eq!(read("<<<<<<< SEARCH\na\n=======\nb\n", ""), None);
        assert_eq!(read(&format!("words\n{block}"), ""), None);
    }

    #[test]
    fn a_fence_is_taken_off() {
        assert_eq!(one("```rust\na\n```", "```rust\nb\n```"), pair("a\n", "b\n"));
        assert_eq!(one("```\na\n```", "b\n"), pair("a\n", "b\n"));
    }
}
