//! A report as one page of HTML that needs nothing else: no script, no picture, no font from anywhere, which it also
//! forbids itself.

use std::fmt::Write as _;

use super::page::{Chart, Page, Part, lined, quoted};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: light-dark(#1d2430, #dfe5ee); --paper: light-dark(#fff, #14181f);
  --line: light-dark(#d8dde6, #333b47); --soft: light-dark(#5b6675, #97a3b3);
  --s0: #3f7fd1; --s1: #e0903a; --s2: #b9475f; --s3: #8a93a1; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; } th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--line); padding-left: .8rem; font-size: .85rem; }
figure { margin: 1.2rem 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .9em; } .key svg { vertical-align: baseline; }
";

pub(super) fn render(page: &Page) -> String {
    let title = text(&page.title);
    let mut said = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    page.parts.iter().for_each(|one| part(&mut said, one));
    said.push_str("</body>\n</html>\n");
    said
}

fn part(said: &mut String, part: &Part) {
    let _ = match part {
        Part::Heading(heading) => writeln!(said, "<h2>{}</h2>", text(heading)),
        Part::Words(words) => writeln!(said, "<p>{}</p>", text(words)),
        Part::List(items) => {
            let items: String =
                items.iter().map(|item| format!("<li>{}</li>\n", text(item))).collect();
            writeln!(said, "<ul>\n{items}</ul>")
        }
        Part::Table { head, rows } => {
            let cells = |cells: &[String], tag: &str| {
                let all = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", text(cell)));
                format!("<tr>{}</tr>\n", all.collect::<String>())
            };
            let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
            let rows: String = rows.iter().map(|row| cells(row, "td")).collect();
            writeln!(said, "<table>\n{}{rows}</table>", cells(&head, "th"))
        }
        Part::Quote(what, words) => {
            writeln!(said, "<p>{}</p>\n<pre>{}</pre>", text(what), escaped(&quoted(words)))
        }
        Part::Chart(one) => chart(said, one),
    };
}

/// The drawing's measures: width, room for names, room for what a bar says, height of a bar's line.
const WIDTH: f64 = 760.0;
const NAMES: f64 = 190.0;
const SAID: f64 = 130.0;
const STEP: usize = 24;
/// The most characters of a bar's name that find room.
const NAME: usize = 28;

fn chart(said: &mut String, chart: &Chart) -> std::fmt::Result {
    let end = |bar: &super::page::Bar| {
        bar.pieces.iter().fold(bar.from, |sum, piece| sum.saturating_add(*piece))
    };
    let greatest = chart.bars.iter().map(end).max().unwrap_or(0).max(1) as f64;
    let wide = |value: u64| value as f64 / greatest * (WIDTH - NAMES - SAID);
    let height = chart.bars.len() * STEP;
    writeln!(said, "<figure>\n<figcaption>{}{}</figcaption>", text(chart.title), key(chart))?;
    writeln!(
        said,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">",
        text(chart.title)
    )?;
    for (row, bar) in chart.bars.iter().enumerate() {
        let (top, middle) = (row * STEP + 4, row * STEP + 16);
        let name: String = lined(&bar.name).chars().take(NAME).collect();
        writeln!(said, "<text x=\"0\" y=\"{middle}\">{}</text>", escaped(&name))?;
        let mut from = bar.from;
        for (at, piece) in bar.pieces.iter().enumerate().filter(|(_, piece)| **piece > 0) {
            let (x, width) = (NAMES + wide(from), wide(*piece).max(1.0));
            let shade = at % 4;
            writeln!(
                said,
                "<rect class=\"s{shade}\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"16\"/>"
            )?;
            from = from.saturating_add(*piece);
        }
        let x = NAMES + wide(from) + 6.0;
        writeln!(said, "<text x=\"{x:.1}\" y=\"{middle}\">{}</text>", text(&bar.says))?;
    }
    writeln!(said, "</svg>\n</figure>")
}

/// What the shades stand for, where there are several.
fn key(chart: &Chart) -> String {
    if chart.series.len() < 2 {
        return String::new();
    }
    let one = |(at, name): (usize, &&str)| {
        let shade = at % 4;
        format!(
            "<span class=\"key\"><svg viewBox=\"0 0 10 10\"><rect class=\"s{shade}\" width=\"10\" height=\"10\"/></svg></span>{}",
            text(name)
        )
    };
    chart.series.iter().enumerate().map(one).collect()
}

fn text(words: &str) -> String {
    escaped(&lined(words))
}

/// As a text, and as the value of an attribute in double quotes.
fn escaped(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => said.push_str("&amp;"),
            '<' => said.push_str("&lt;"),
            '>' => said.push_str("&gt;"),
            '"' => said.push_str("&quot;"),
            '\'' => said.push_str("&#39;"),
            _ => said.push(c),
        }
    }
    said
}
