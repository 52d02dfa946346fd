//! Where an anchor text stands. Exactly first; then forgiving one kind of slip after the other, each only where the
//! place is the only one.

use std::ops::Range;

use super::text::{BOM, with_line_ends_of};

/// A replacement by byte offsets of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What takes its place, in the file's own line ends.
    pub new: String,
}

/// Why an anchor does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// The anchor is empty.
    Empty,
    /// Byte offsets outside the text or inside a character.
    BadSpan,
    /// It stands nowhere; the 0-based lines where it fits best.
    Stale {
        /// The lines.
        near: Range<usize>,
    },
    /// It stands in more than one place; the 0-based lines where it begins.
    Ambiguous {
        /// The lines.
        lines: Vec<usize>,
    },
}

/// Finds the one place of `old` in `base`, and fits `new` to it.
///
/// # Errors
/// See [`Miss`]; at the first kind of leniency that finds anything, more than one place is ambiguous.
pub fn find(base: &str, old: &str, new: &str) -> Result<Hunk, Miss> {
    if old.is_empty() {
        return Err(Miss::Empty);
    }
    let exact = Hunk::at_all(base, old, new);
    if !exact.is_empty() {
        return only(base, exact);
    }
    let ends = by_line_ends(base, old, new);
    if !ends.is_empty() {
        return only(base, ends);
    }
    let lines = by_lines(base, old, new);
    if !lines.is_empty() {
        return only(base, lines);
    }
    Err(Miss::Stale { near: best_guess(base, old) })
}

impl Hunk {
    /// Every place of `old`, overlapping ones too.
    fn at_all(base: &str, old: &str, new: &str) -> Vec<Hunk> {
        places(base, old)
            .into_iter()
            .map(|start| Hunk {
                start: whole_line_end(base, old, start),
                end: start + old.len(),
                new: with_line_ends_of(base, new),
            })
            .collect()
    }
}

/// Where an anchor that begins with a line end really starts: never between the CR and the LF of one.
fn whole_line_end(base: &str, old: &str, start: usize) -> usize {
    let cut = old.starts_with('\n') && start > 0 && base.as_bytes()[start - 1] == b'\r';
    if cut { start - 1 } else { start }
}

fn only(base: &str, mut hunks: Vec<Hunk>) -> Result<Hunk, Miss> {
    match hunks.pop() {
        Some(hunk) if hunks.is_empty() => Ok(hunk),
        last => {
            let starts = hunks.iter().chain(last.iter()).map(|hunk| hunk.start);
            let lines = starts.map(|start| base[..start].matches('\n').count()).collect();
            Err(Miss::Ambiguous { lines })
        }
    }
}

/// Every offset at which `old` stands, overlapping ones too; at most 1,000.
fn places(base: &str, old: &str) -> Vec<usize> {
    let step = old.chars().next().map_or(1, char::len_utf8);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = base.get(from..).and_then(|rest| rest.find(old)) {
        found.push(from + at);
        from += at + step;
        if found.len() >= 1000 {
            break;
        }
    }
    found
}

/// As if both texts ended their lines with LF.
fn by_line_ends(base: &str, old: &str, new: &str) -> Vec<Hunk> {
    if !base.contains('\r') && !old.contains('\r') {
        return Vec::new();
    }
    let mut flat = String::with_capacity(base.len());
    // Offset in `base` of each byte of `flat`, and of its end.
    let mut origin = Vec::with_capacity(base.len() + 1);
    for (at, byte) in base.char_indices() {
        if byte == '\r' && base[at + 1..].starts_with('\n') {
            continue;
        }
        origin.extend((0..byte.len_utf8()).map(|offset| at + offset));
        flat.push(byte);
    }
    origin.push(base.len());
    let old = old.replace("\r\n", "\n");
    places(&flat, &old)
        .into_iter()
        .map(|start| {
            let end = start + old.len();
            // Its end is one past its last byte, so that it never takes the CR of a line end that it does not hold.
            let end = if end == start { origin[end] } else { origin[end - 1] + 1 };
            Hunk {
                start: whole_line_end(base, &old, origin[start]),
                end,
                new: with_line_ends_of(base, new),
            }
        })
        .collect()
}

/// A line of the base: its bytes without the line end, and where its line end stops.
struct Line<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

fn lines_of(base: &str) -> Vec<Line<'_>> {
    let mut start = if base.starts_with(BOM) { BOM.len_utf8() } else { 0 };
    base[start..]
        .split_inclusive('\n')
        .map(|line| {
            let text = line.strip_suffix('\n').unwrap_or(line);
            let text = text.strip_suffix('\r').unwrap_or(text);
            let from = start;
            start += line.len();
            Line { text, start: from, end: start }
        })
        .collect()
}

/// How the lines of an anchor are moved sideways to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shift {
    None,
    /// The file has these blanks before each line of the anchor.
    In(String),
    /// The anchor has these blanks before each line of the file.
    Out(String),
}

/// Whole lines, forgiving blanks at their ends and a uniform difference of indentation.
fn by_lines(base: &str, old: &str, new: &str) -> Vec<Hunk> {
    let wanted: Vec<&str> = old.lines().map(str::trim_end).collect();
    if wanted.iter().all(|line| line.is_empty()) {
        return Vec::new();
    }
    let lines = lines_of(base);
    let mut same = Vec::new();
    let mut shifted = Vec::new();
    for window in lines.windows(wanted.len()) {
        let Some(shift) = shift_of(window, &wanted) else {
            continue;
        };
        let found = hunk_of(base, window, old, new, &shift);
        if shift == Shift::None {
            same.extend(found);
        } else {
            shifted.extend(found);
        }
    }
    if same.is_empty() { shifted } else { same }
}

/// The one shift that makes all lines equal.
fn shift_of(window: &[Line<'_>], wanted: &[&str]) -> Option<Shift> {
    let pairs = || window.iter().map(|line| line.text.trim_end()).zip(wanted.iter().copied());
    let (have, want) = pairs().find(|(_, want)| !want.is_empty())?;
    let shift = if have == want {
        Shift::None
    } else if let Some(more) = have.strip_suffix(want) {
        Shift::In(more.to_owned())
    } else {
        Shift::Out(want.strip_suffix(have).filter(|_| !have.is_empty())?.to_owned())
    };
    let blanks = |text: &str| text.chars().all(|c| c == ' ' || c == '\t');
    let fits = pairs().all(|(have, want)| match &shift {
        _ if have.is_empty() || want.is_empty() => have == want,
        Shift::None => have == want,
        Shift::In(more) => blanks(more) && have.strip_prefix(more.as_str()) == Some(want),
        Shift::Out(less) => blanks(less) && want.strip_prefix(less.as_str()) == Some(have),
    });
    fits.then_some(shift)
}

/// The hunk that replaces the lines of `window`; `None` when `new` cannot be shifted likewise.
fn hunk_of(base: &str, window: &[Line<'_>], old: &str, new: &str, shift: &Shift) -> Option<Hunk> {
    let (first, last) = (window.first()?, window.last()?);
    let mut new = shifted(new, shift)?;
    let takes_line_end = old.ends_with('\n');
    let end = if takes_line_end { last.end } else { last.start + last.text.len() };
    if takes_line_end && !base[last.start..last.end].ends_with('\n') {
        // The file's last line has no line end, and keeps none.
        if let Some(short) = new.strip_suffix('\n') {
            new = short.strip_suffix('\r').unwrap_or(short).to_owned();
        }
    }
    Some(Hunk { start: first.start, end, new: with_line_ends_of(base, &new) })
}

fn shifted(new: &str, shift: &Shift) -> Option<String> {
    let mut out = String::with_capacity(new.len());
    for line in new.split_inclusive('\n') {
        let empty = line.trim().is_empty();
        match shift {
            Shift::In(more) if !empty => {
                out.push_str(more);
                out.push_str(line);
            }
            Shift::Out(less) if !empty => out.push_str(line.strip_prefix(less.as_str())?),
            _ => out.push_str(line),
        }
    }
    Some(out)
}

/// The 0-based lines of `base` most like `old`, with two lines around them.
fn best_guess(base: &str, old: &str) -> Range<usize> {
    let wanted: Vec<&str> = old.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let lines: Vec<&str> = base.lines().map(str::trim).collect();
    let height = old.lines().count().max(1);
    let score = |start: usize| {
        let window = &lines[start..lines.len().min(start + height)];
        wanted.iter().filter(|line| window.contains(line)).count()
    };
    // Anchors of thousands of lines against files of thousands: the product is bounded.
    let starts = lines.len().min(2_000_000 / height.max(1) / wanted.len().max(1) + 1);
    let best = (0..starts)
        .map(|start| (score(start), start))
        .fold((0, 0), |best, next| if next.0 > best.0 { next } else { best });
    let start = if best.0 > 0 { best.1 } else { most_similar(&lines, &wanted) };
    start.saturating_sub(2)..(start + height + 2).min(lines.len())
}

/// The line most like the longest wanted one, by shared words.
fn most_similar(lines: &[&str], wanted: &[&str]) -> usize {
    let words = |line: &str| -> Vec<String> {
        line.split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let longest = words(wanted.iter().max_by_key(|line| line.len()).copied().unwrap_or_default());
    let score = |line: &str| words(line).iter().filter(|word| longest.contains(word)).count();
    let best = lines.iter().enumerate().map(|(index, line)| (score(line), index));
    best.fold((0, 0), |best, next| if next.0 > best.0 { next } else { best }).1
}
