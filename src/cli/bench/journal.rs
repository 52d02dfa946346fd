//! `orchestrator bench journal`: how fast events become durable, and how fast a long mission is folded from them again,
//! each beside SQLite itself with the same settings, on the same disk, in the same run.

mod story;

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::super::{CliError, environment};
use super::quantile;
use crate::journal::{Journal, Record};
use crate::mission::{Event, Mission, MissionId, take};
use crate::runtime::{STATE_EVERY, fold, keep_state};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Events of the mission that is folded.
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// How often each figure is taken.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// How many events are written together: one after the other, a handful, and as many as the loop takes at most.
const GROUPS: [(usize, &str); 3] = [(1, ""), (16, ""), (256, "5000")];
/// How many transactions are measured for each.
const COMMITS: usize = 100;

pub(super) fn run(args: &Args, json: bool) -> Result<u8, CliError> {
    let folder = tempfile::tempdir().map_err(environment)?;
    let events = story::events(args.events.max(2));
    let mut figures = Vec::new();
    for (group, target) in GROUPS {
        figures.push(durable(folder.path(), &events, group, target, args.rounds)?);
    }
    for keeps in [true, false] {
        figures.push(rehydrated(folder.path(), &events, keeps, args.rounds)?);
    }
    let text = match json {
        true => Value::Array(figures.iter().map(Figure::json).collect()).to_string(),
        false => table(&figures),
    };
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, format!("{text}\n").as_bytes()).map_err(environment)?;
    Ok(0)
}

/// One row of the result: ours and SQLite's own.
struct Figure {
    what: String,
    unit: &'static str,
    ours: f64,
    raw: f64,
    target: &'static str,
}

impl Figure {
    fn json(&self) -> Value {
        json!({
            "what": self.what, "unit": self.unit, "ours": self.ours, "sqlite": self.raw,
            "ratio": self.ours / self.raw, "target": self.target,
        })
    }
}

fn table(figures: &[Figure]) -> String {
    let mut text =
        format!("{:<56} {:>10} {:>10} {:>7}  {:<8} target", "", "ours", "SQLite", "ratio", "unit");
    for f in figures {
        let (what, ratio) = (&f.what, f.ours / f.raw);
        text += &format!(
            "\n{what:<56} {:>10.1} {:>10.1} {ratio:>7.2}  {:<8} {}",
            f.ours, f.raw, f.unit, f.target
        );
    }
    text
}

/// Durable events a second, `group` of them in each transaction.
fn durable(
    folder: &Path,
    events: &[(u64, Event)],
    group: usize,
    target: &'static str,
    rounds: usize,
) -> Result<Figure, CliError> {
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for round in 0..rounds.max(1) {
        let root = folder.join(format!("durable-{group}-{round}"));
        let groups = parcels(events, group, COMMITS);
        let count = groups.iter().map(Vec::len).sum::<usize>() as f64;
        let mut journal = Journal::open(&root).map_err(environment)?;
        let began = Instant::now();
        for records in &groups {
            journal.append(records).map_err(environment)?;
        }
        ours.push(count / began.elapsed().as_secs_f64());
        let mut db = Raw::open(&root.join("raw.db"))?;
        let began = Instant::now();
        for records in &groups {
            db.append(records)?;
        }
        raw.push(count / began.elapsed().as_secs_f64());
    }
    let what = format!("durable events, {group} in a transaction");
    let (ours, raw) = (quantile(&mut ours, 0.5), quantile(&mut raw, 0.5));
    Ok(Figure { what, unit: "events/s", ours, raw, target })
}

/// From an unopened journal to a mission that can go on; beside it, SQLite reading the same texts and no more.
/// `keeps`: with the copies of its state that the loop keeps of a long mission.
fn rehydrated(
    folder: &Path,
    events: &[(u64, Event)],
    keeps: bool,
    rounds: usize,
) -> Result<Figure, CliError> {
    let root = folder.join(if keeps { "kept" } else { "rehydrated" });
    let mut journal = Journal::open(&root).map_err(environment)?;
    let mut db = Raw::open(&root.join("raw.db"))?;
    let mut mission = Mission::new(id());
    for records in parcels(events, 256, usize::MAX) {
        journal.append(&records).map_err(environment)?;
        db.append(&records)?;
        for record in records.into_iter().filter(|_| keeps) {
            mission = take(mission, record.at, record.event).0;
            // As the loop does it.
            if (record.seq + 1).is_multiple_of(STATE_EVERY) {
                keep_state(&mut journal, &mission, record.seq + 1).map_err(environment)?;
            }
        }
    }
    drop((journal, db));
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        let began = Instant::now();
        let journal = Journal::open(&root).map_err(environment)?;
        let (mission, next) = fold(&journal, &id()).map_err(environment)?;
        ours.push(began.elapsed().as_secs_f64() * 1e3);
        if next != events.len() as u64 || mission.started_at == 0 {
            return Err(environment(format!("{next} events were read, not {}", events.len())));
        }
        let began = Instant::now();
        let bytes = Raw::open(&root.join("raw.db"))?.read()?;
        raw.push(began.elapsed().as_secs_f64() * 1e3);
        if bytes == 0 {
            return Err(environment("SQLite read nothing"));
        }
    }
    let without = if keeps { "" } else { ", without a kept state" };
    let what = format!("rehydrating {} events{without}", events.len());
    let (ours, raw) = (quantile(&mut ours, 0.5), quantile(&mut raw, 0.5));
    let target = if keeps && events.len() == 100_000 { "200" } else { "" };
    Ok(Figure { what, unit: "ms", ours, raw, target })
}

fn id() -> MissionId {
    MissionId("bench".to_owned())
}

/// The first `most` groups of the events, as records.
fn parcels(events: &[(u64, Event)], group: usize, most: usize) -> Vec<Vec<Record>> {
    let record = |(seq, (at, event)): (u64, &(u64, Event))| Record {
        mission: id(),
        seq,
        at: *at,
        event: event.clone(),
    };
    let parcel = |(number, events): (usize, &[(u64, Event)])| {
        ((number * group) as u64..).zip(events).map(record).collect()
    };
    events.chunks(group).enumerate().take(most).map(parcel).collect()
}

/// SQLite with the journal's settings and a plain table.
struct Raw(Connection);

impl Raw {
    fn open(path: &Path) -> Result<Raw, CliError> {
        let open = || -> Result<Connection, rusqlite::Error> {
            let db = Connection::open(path)?;
            db.pragma_update(None, "journal_mode", "wal")?;
            db.pragma_update(None, "synchronous", "full")?;
            db.execute_batch(
                "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at INTEGER, body TEXT)",
            )?;
            Ok(db)
        };
        open().map(Raw).map_err(environment)
    }

    fn append(&mut self, records: &[Record]) -> Result<(), CliError> {
        let mut write = || -> Result<(), rusqlite::Error> {
            let transaction = self.0.transaction()?;
            {
                let mut insert = transaction
                    .prepare_cached("INSERT INTO events (seq, at, body) VALUES (?1, ?2, ?3)")?;
                for record in records {
                    let body = serde_json::to_string(&record.event)
                        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
                    insert.execute(params![record.seq as i64, record.at as i64, body])?;
                }
            }
            transaction.commit()
        };
        write().map_err(environment)
    }

    /// The bytes of all texts.
    fn read(&self) -> Result<usize, CliError> {
        let read = || -> Result<usize, rusqlite::Error> {
            let mut query = self.0.prepare("SELECT seq, at, body FROM events ORDER BY seq")?;
            let mut rows = query.query([])?;
            let mut bytes = 0;
            while let Some(row) = rows.next()? {
                bytes += row.get_ref(2)?.as_str()?.len();
            }
            Ok(bytes)
        };
        read().map_err(environment)
    }
}
