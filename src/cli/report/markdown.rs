//! A report as Markdown. Charts are left out: the tables beside them say the same.

use std::fmt::Write as _;

use super::page::{Page, Part, lined, quoted};
use crate::mission::report::plain;

pub(super) fn render(page: &Page) -> String {
    let mut said = format!("# {}\n", text(&page.title));
    for part in &page.parts {
        match part {
            Part::Heading(heading) => {
                let _ = write!(said, "\n## {}\n", text(heading));
            }
            Part::Words(words) => {
                let _ = write!(said, "\n{}\n", text(words));
            }
            Part::List(items) => {
                said.push('\n');
                items.iter().for_each(|item| {
                    let _ = writeln!(said, "- {}", text(item));
                });
            }
            Part::Table { head, rows } => table(&mut said, head, rows),
            Part::Quote(what, words) => quote(&mut said, what, words),
            Part::Chart(_) => {}
        }
    }
    said
}

fn text(words: &str) -> String {
    // An `&` could begin the name of another character.
    plain(&lined(words)).replace('&', "&amp;")
}

fn table(said: &mut String, head: &[&str], rows: &[Vec<String>]) {
    let _ = write!(said, "\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| text(cell)).collect();
        let _ = writeln!(said, "| {} |", cells.join(" | "));
    }
}

/// A block of code, with a fence that is longer than any within.
fn quote(said: &mut String, what: &str, words: &str) {
    let words = quoted(words);
    let (mut longest, mut run) = (0, 0);
    for c in words.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat((longest + 1).max(3));
    let _ = write!(said, "\n{}\n\n{fence}text\n{}\n{fence}\n", text(what), words.trim_end());
}
