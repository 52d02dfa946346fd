//! `orchestrator bench tokens`: how many input tokens a mission sends, and how many of them a provider's cache serves.
//!
//! Recorded conversations of 5 to 500 turns go through the mission core as it is, once as plain history and once with each
//! way of keeping tokens few, alone and all together. Every request is counted with a real tokenizer. Whether anything
//! that must be pinned was ever missing from a request decides the exit code.

mod cache;
mod corpus;
mod recording;
mod run;

use serde_json::{Value, json};

use super::super::{CliError, environment};
use crate::runtime::settings::{HIGH, LOW};
use recording::Recording;
use run::{Sent, Ways};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Turns of the recorded missions.
    #[arg(long, value_delimiter = ',', default_values_t = [5, 20, 50, 100, 200, 500])]
    turns: Vec<usize>,
    /// The seed of the recordings.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The mark, in tokens, at which a conversation is cut.
    #[arg(long, default_value_t = HIGH)]
    high: u32,
    /// About how many tokens a cut leaves.
    #[arg(long, default_value_t = LOW)]
    low: u32,
    /// Other marks, high:low, on the missions of 100 turns and more.
    #[arg(long, value_delimiter = ',', value_parser = marks)]
    marks: Vec<(u32, u32)>,
}

/// The turns from which on the targets count.
const LONG: usize = 100;

fn marks(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    numbers.ok_or_else(|| "write high:low, such as 30000:6000".to_owned())
}

/// One row: a mission, sent one way.
struct Row {
    turns: usize,
    way: String,
    sent: Sent,
    plain: u64,
}

pub(super) fn run(args: &Args, json: bool) -> Result<u8, CliError> {
    let mut rows = Vec::new();
    for turns in &args.turns {
        let recording = Recording::new(args.seed, *turns);
        let send = |ways: Ways| run::send(&recording, ways).map_err(CliError::Environment);
        let plain = send(Ways::default())?;
        let baseline = plain.tokens;
        let mut add = |way: String, sent: Sent| {
            rows.push(Row { turns: *turns, way, sent, plain: baseline });
        };
        add("plain history".to_owned(), plain);
        for (name, ways) in variants(args.high, args.low) {
            add(name.to_owned(), send(ways)?);
        }
        for (high, low) in args.marks.iter().filter(|_| *turns >= LONG) {
            let ways = Ways { marks: (*high, *low), ..all(*high, *low) };
            add(format!("all, cut at {high} to {low}"), send(ways)?);
        }
    }
    let lost: u64 = rows.iter().map(|row| row.sent.lost).sum();
    let text = match json {
        true => Value::Array(rows.iter().map(Row::json).collect()).to_string(),
        false => table(&rows),
    };
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, format!("{text}\n").as_bytes()).map_err(environment)?;
    Ok(u8::from(lost > 0))
}

fn all(high: u32, low: u32) -> Ways {
    Ways { gating: true, marks: (high, low), items: true, symbols: true }
}

/// Each way alone, and all of them.
fn variants(high: u32, low: u32) -> [(&'static str, Ways); 5] {
    let none = Ways::default();
    [
        ("gated memory", Ways { gating: true, ..none }),
        ("compaction", Ways { marks: (high, low), ..none }),
        ("todo by item", Ways { items: true, ..none }),
        ("reads by symbol", Ways { symbols: true, ..none }),
        ("all", all(high, low)),
    ]
}

impl Row {
    fn fewer(&self) -> f64 {
        100.0 * (1.0 - self.sent.tokens as f64 / self.plain.max(1) as f64)
    }

    fn json(&self) -> Value {
        let Sent { requests, tokens, cached, cuts, greatest, facts, lost } = self.sent;
        json!({"turns": self.turns, "way": self.way, "requests": requests, "tokens": tokens,
            "cached": cached, "fewer_percent": self.fewer(), "cached_percent": self.sent.share(),
            "cuts": cuts, "greatest_request": greatest, "facts_looked_for": facts, "facts_missing": lost})
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:>5}  {:<28} {:>8} {:>12} {:>8} {:>9} {:>11} {:>9} {:>5} {:>7}\n",
        "turns",
        "",
        "requests",
        "tokens",
        "fewer",
        "cached",
        "not cached",
        "greatest",
        "cuts",
        "pinned"
    );
    let mut before = None;
    for row in rows {
        if before.replace(row.turns).is_some_and(|turns| turns != row.turns) {
            text.push('\n');
        }
        let s = &row.sent;
        text += &format!(
            "{:>5}  {:<28} {:>8} {:>12} {:>7.1}% {:>8.2}% {:>11} {:>9} {:>5} {:>6.1}%\n",
            row.turns,
            row.way,
            s.requests,
            s.tokens,
            row.fewer(),
            s.share(),
            s.tokens - s.cached,
            s.greatest,
            s.cuts,
            100.0 * (1.0 - s.lost as f64 / s.facts.max(1) as f64)
        );
    }
    text += "\nTargets at 100 turns and more: 60 % fewer than the plain history, 98 % cached, all that is pinned in every request.";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read() {
        assert_eq!(marks("40000:8000"), Ok((40_000, 8_000)));
        assert!(marks("40000").is_err() && marks("a:b").is_err());
    }

    /// Small marks, so that a short mission is cut, too.
    #[test]
    fn each_way_saves_tokens_nothing_pinned_is_lost_and_it_is_the_same_every_time() {
        let recording = Recording::new(7, 60);
        let plain = run::send(&recording, Ways::default()).unwrap();
        assert!(plain.requests >= 60 && plain.lost == 0 && plain.cuts == 0 && plain.facts > 60);
        for (name, ways) in variants(12_000, 4_000) {
            let sent = run::send(&recording, ways).unwrap();
            assert!(sent.tokens < plain.tokens && sent.lost == 0, "{name}: {sent:?}");
            assert_eq!(sent.cuts > 0, ways.marks.0 > 0, "{name}: {sent:?}");
            assert_eq!(run::send(&recording, ways).unwrap(), sent, "{name}");
        }
    }
}
