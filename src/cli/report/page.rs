//! A report as what it is made of: headings, words, tables, charts. Every text in it is plain; what shows it has to see to
//! it that none is taken for anything else.

/// A whole report.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub title: String,
    pub parts: Vec<Part>,
}

/// A piece of a report.
#[derive(Debug)]
pub(super) enum Part {
    Heading(String),
    Words(String),
    List(Vec<String>),
    Table {
        head: Vec<&'static str>,
        rows: Vec<Vec<String>>,
    },
    /// Words of others over several lines, with what they are.
    Quote(String, String),
    Chart(Chart),
}

/// Bars, each of some pieces.
#[derive(Debug)]
pub(super) struct Chart {
    pub title: &'static str,
    /// What the pieces stand for.
    pub series: Vec<&'static str>,
    pub bars: Vec<Bar>,
}

/// A bar of a chart.
#[derive(Debug)]
pub(super) struct Bar {
    pub name: String,
    /// Where it begins.
    pub from: u64,
    /// A value for each of the series.
    pub pieces: Vec<u64>,
    /// What it comes to, in words.
    pub says: String,
}

/// The longest text of others in a table's cell or on a line, in characters.
const LINE: usize = 400;
/// The longest quotation.
const QUOTE: usize = 4_000;

/// A text without what would steer a terminal, and not longer than a quotation.
pub(super) fn quoted(text: &str) -> String {
    let kept = text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_control(*c));
    cut(kept.collect(), QUOTE)
}

/// The same on one line.
pub(super) fn lined(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(text.chars().filter(|c| !is_control(*c)).collect(), LINE)
}

/// Besides what steers a terminal, what turns the direction of a text around, which hides what is said.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Milliseconds since the beginning, as a time of day would be written.
pub(super) fn clock(ms: u64) -> String {
    let (s, m, h) = (ms / 1_000 % 60, ms / 60_000 % 60, ms / 3_600_000);
    match h {
        0 => format!("{m}:{s:02}"),
        _ => format!("{h}:{m:02}:{s:02}"),
    }
}
