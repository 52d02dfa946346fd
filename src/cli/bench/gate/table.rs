//! The rows as tables for people and as data for programs. It must not judge.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::super::quantile;
use super::edits::Kind;
use super::oracle::Ruling;
use super::row::{Judgement, Row};
use crate::gate::{Stage, Verdict};

/// All that a run found.
#[derive(Debug, Default)]
pub struct Results {
    pub repository: String,
    pub seed: u64,
    pub files: usize,
    pub lines: usize,
    pub rows: Vec<Row>,
    /// Commits that could not be judged, and why.
    pub skipped: Vec<String>,
    /// Figures that are no row: name, value, unit.
    pub figures: Vec<(String, f64, &'static str)>,
}

const STAGES: [Stage; 5] =
    [Stage::Apply, Stage::Syntax, Stage::Rules, Stage::Servers, Stage::Tools];

fn stage_name(stage: Stage) -> String {
    format!("{stage:?}").to_lowercase()
}

/// The rows of one class, counted.
#[derive(Debug, Default)]
struct Count {
    edits: usize,
    breaks: usize,
    caught: BTreeMap<Stage, usize>,
    by: BTreeMap<&'static str, usize>,
}

impl Count {
    fn add(&mut self, row: &Row) {
        self.edits += 1;
        self.breaks += usize::from(row.breaks());
        let name = match row.judgement() {
            Judgement::Caught => {
                *self.caught.entry(row.stage.unwrap_or(Stage::Apply)).or_default() += 1;
                return;
            }
            Judgement::Missed => "missed",
            Judgement::Accepted => "accepted",
            Judgement::FalseRefusal => "false",
            Judgement::ByRule => "by-rule",
            Judgement::Unverified => "unverified",
        };
        *self.by.entry(name).or_default() += 1;
    }

    fn numbers(&self) -> Vec<(String, usize)> {
        let mut all = vec![("edits".to_owned(), self.edits), ("break".to_owned(), self.breaks)];
        let stage = |stage| (stage_name(stage), self.caught.get(&stage).copied().unwrap_or(0));
        all.extend(STAGES.map(stage));
        let names = ["missed", "accepted", "false", "by-rule", "unverified"];
        all.extend(names.map(|name| (name.to_owned(), self.by.get(name).copied().unwrap_or(0))));
        all
    }
}

impl Results {
    /// Whether nothing wrong was accepted and nothing right refused.
    pub fn is_good(&self) -> bool {
        !self.rows.iter().any(Row::is_failure)
    }

    fn counts(&self) -> BTreeMap<(Kind, &str), Count> {
        let mut counts: BTreeMap<(Kind, &str), Count> = BTreeMap::new();
        for row in &self.rows {
            counts.entry((row.kind, &row.class)).or_default().add(row);
            counts.entry((row.kind, "")).or_default().add(row);
        }
        counts
    }

    /// Milliseconds by name: each stage, and the whole for what was refused and accepted.
    fn latencies(&self) -> Vec<(String, Vec<f64>)> {
        let ms = |us: u64| us as f64 / 1000.0;
        let mut all: Vec<(String, Vec<f64>)> = Vec::new();
        for stage in STAGES {
            let times = self.rows.iter().flat_map(|row| &row.stages);
            let times = times.filter(|(found, _)| *found == stage).map(|(_, us)| ms(*us));
            all.push((format!("stage {}", stage_name(stage)), times.collect()));
        }
        let whole = |which: &dyn Fn(&&Row) -> bool| {
            self.rows.iter().filter(which).map(|row| ms(row.us)).collect::<Vec<f64>>()
        };
        all.push(("refused, own file".to_owned(), whole(&|row| row.own_file)));
        all.push(("refused".to_owned(), whole(&|row| row.verdict == Verdict::Refused)));
        all.push(("accepted".to_owned(), whole(&|row| row.verdict == Verdict::Accepted)));
        all.push(("unverified".to_owned(), whole(&|row| row.verdict == Verdict::Unverified)));
        all
    }

    /// How much longer the servers' verdict on a candidate takes than the servers themselves.
    fn ratios(&self) -> Vec<f64> {
        let of = |row: &Row| {
            let asked = row.asked?;
            Some(asked.us as f64 / asked.server_us as f64)
        };
        self.rows.iter().filter_map(of).collect()
    }

    fn unproved(&self) -> usize {
        self.rows.iter().filter(|row| row.unproved).count()
    }

    /// As tables.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{}: {} files, {} lines, seed {}\n\n",
            self.repository, self.files, self.lines, self.seed
        );
        self.write_classes(&mut text);
        self.write_latencies(&mut text);
        for (name, value, unit) in &self.figures {
            let _ = writeln!(text, "{name:<44} {value:>10.1} {unit}");
        }
        let _ = writeln!(text, "{:<44} {:>10}", "accepted without proof", self.unproved());
        self.write_remarks(&mut text);
        text
    }

    fn write_classes(&self, text: &mut String) {
        for (at, ((kind, class), count)) in self.counts().into_iter().enumerate() {
            if at == 0 {
                let _ = write!(text, "{:<28}", "class");
                for (name, _) in count.numbers() {
                    let _ = write!(text, " {name:>10}");
                }
                text.push('\n');
            }
            let name = if class.is_empty() { "all" } else { class };
            let _ = write!(text, "{:<28}", format!("{} {name}", kind.name()));
            for (_, number) in count.numbers() {
                let _ = write!(text, " {number:>10}");
            }
            text.push('\n');
        }
    }

    fn write_latencies(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n{:<28} {:>10} {:>10} {:>10} {:>10}",
            "milliseconds", "count", "p50", "p95", "p99"
        );
        for (name, mut times) in self.latencies() {
            let count = times.len();
            let at = [0.5, 0.95, 0.99].map(|q| quantile(&mut times, q));
            let _ = writeln!(
                text,
                "{name:<28} {count:>10} {:>10.1} {:>10.1} {:>10.1}",
                at[0], at[1], at[2]
            );
        }
        let mut ratios = self.ratios();
        if !ratios.is_empty() {
            let at = [0.5, 0.95, 0.99].map(|q| quantile(&mut ratios, q));
            let _ = writeln!(
                text,
                "{:<28} {:>10} {:>10.2} {:>10.2} {:>10.2}",
                "servers' verdict / server's own",
                ratios.len(),
                at[0],
                at[1],
                at[2]
            );
        }
        text.push('\n');
    }

    /// What a person should look at, each with what makes it again.
    fn write_remarks(&self, text: &mut String) {
        let worth = |row: &&Row| {
            row.is_failure() || matches!(row.judgement(), Judgement::ByRule | Judgement::Unverified)
        };
        for row in self.rows.iter().filter(worth) {
            let _ = writeln!(text, "{}", remark(row));
        }
        for skipped in &self.skipped {
            let _ = writeln!(text, "skipped {skipped}");
        }
        let again = "again: orchestrator bench gate --repo … --seed";
        if !self.is_good() {
            let _ = writeln!(text, "{again} {} --only CLASS#N", self.seed);
        }
    }

    /// As data.
    pub fn json(&self) -> Value {
        let classes = self.counts().into_iter().map(|((kind, class), count)| {
            let numbers: BTreeMap<String, usize> = count.numbers().into_iter().collect();
            json!({"kind": kind.name(), "class": class, "counts": numbers})
        });
        let latencies = self.latencies().into_iter().map(|(name, mut times)| {
            let at = [0.5, 0.95, 0.99].map(|q| quantile(&mut times, q));
            json!({"what": name, "count": times.len(), "p50": at[0], "p95": at[1], "p99": at[2], "unit": "ms"})
        });
        let figures = self
            .figures
            .iter()
            .map(|(name, value, unit)| json!({"what": name, "value": value, "unit": unit}));
        let mut ratios = self.ratios();
        json!({
            "repository": self.repository,
            "seed": self.seed,
            "files": self.files,
            "lines": self.lines,
            "classes": classes.collect::<Vec<_>>(),
            "latencies": latencies.collect::<Vec<_>>(),
            "figures": figures.collect::<Vec<_>>(),
            "servers_ratio_p50": quantile(&mut ratios, 0.5),
            "accepted_without_proof": self.unproved(),
            "edits": self.rows.iter().map(row_json).collect::<Vec<_>>(),
            "skipped": self.skipped,
            "good": self.is_good(),
        })
    }
}

/// One line on one edit.
pub fn remark(row: &Row) -> String {
    let compiler = match &row.ruling {
        Some(Ruling::Breaks(count, first)) => format!("; the compiler: {count} new, {first}"),
        Some(Ruling::Compiles) => "; the compiler accepts it".to_owned(),
        None => String::new(),
    };
    let judgement = match row.judgement() {
        Judgement::Caught => "caught",
        Judgement::Missed => "MISSED",
        Judgement::Accepted => "accepted",
        Judgement::FalseRefusal => "FALSE REFUSAL",
        Judgement::ByRule => "by rule",
        Judgement::Unverified => "unverified",
    };
    let stage = row.stage.map(|stage| format!(" by {}", stage_name(stage))).unwrap_or_default();
    format!("{} {judgement}{stage}: {}{compiler}", row.id(), row.detail)
}

fn row_json(row: &Row) -> Value {
    let stages: BTreeMap<String, u64> =
        row.stages.iter().map(|(stage, us)| (stage_name(*stage), *us)).collect();
    json!({
        "id": row.id(),
        "kind": row.kind.name(),
        "judgement": row.judgement(),
        "verdict": row.verdict,
        "stage": row.stage,
        "breaks": row.breaks(),
        "us": row.us,
        "stages_us": stages,
        "detail": row.detail,
    })
}
