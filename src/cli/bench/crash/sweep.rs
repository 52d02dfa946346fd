//! The sweep: one run for every point and every kind of fault.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;

use super::super::super::{CliError, environment};
use super::check::Reference;
use super::place::{Ended, Place};
use super::{Args, Figures, mission, reference};

/// How often a mission may have to be resumed before it counts as stuck.
const RESUMES: usize = 4;
/// How many missions are counted.
const COUNTED: usize = 5;
/// How many failures are told in full.
const TOLD: usize = 20;
const KINDS: [&str; 5] = ["kill", "tear", "cut", "eio", "enospc"];
/// Those after which the process is dead.
const DEATHS: [&str; 3] = ["kill", "tear", "cut"];

/// One run to be made.
#[derive(Debug, Clone)]
struct Fault {
    kind: &'static str,
    point: u64,
}

/// How one went.
enum Went {
    /// The fault struck, and everything held.
    Held,
    /// The process ended before that point was reached.
    NotReached,
    /// Something did not hold.
    Failed(String),
}

pub(super) fn run(args: &Args, model: &str) -> Result<Figures, CliError> {
    let reference = reference(model)?;
    let points = points(model)?;
    let began = Instant::now();
    let wanted = faults(args, &points);
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(Fault, Went)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..args.parallel.max(1) {
            scope.spawn(|| {
                while let Some(fault) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let went = one(&reference, model, fault, args.point.is_some())
                        .unwrap_or_else(|error| Went::Failed(error.to_string()));
                    let mut results =
                        results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    results.push((fault.clone(), went));
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(figures(&points, &results, began.elapsed().as_secs_f64()))
}

/// The points of undisturbed missions, in the order in which they are passed: what is done, and to which file. Threads
/// pass each other, so that a mission can have a few more or less than the one before: the longest of some counts.
fn points(model: &str) -> Result<Vec<(String, String)>, CliError> {
    let mut longest = Vec::new();
    for _ in 0..COUNTED {
        let points = counted(model)?;
        if points.len() > longest.len() {
            longest = points;
        }
    }
    Ok(longest)
}

fn counted(model: &str) -> Result<Vec<(String, String)>, CliError> {
    let place = Place::new(model)?;
    let ended = place.run(&["task", mission::GOAL], Some("count"))?;
    let points: Vec<(String, String)> = ended
        .complaints
        .lines()
        .filter_map(|line| line.strip_prefix("fault point "))
        .filter_map(|line| {
            let mut words = line.splitn(3, ' ').skip(1);
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .collect();
    match points.is_empty() {
        true => Err(environment(format!("no point was passed: {}", ended.complaints))),
        false => Ok(points),
    }
}

/// Every point can be the last one, or fail; only a write can be torn, or run out of space half-way; and most is lost by a
/// power cut right before something is flushed, or gets its name.
fn faults(args: &Args, points: &[(String, String)]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, (operation, _)) in points.iter().enumerate() {
        let point = index as u64 + 1;
        for kind in KINDS {
            let fits = match kind {
                "kill" | "eio" => true,
                "cut" => ["sync", "rename", "remove"].contains(&operation.as_str()),
                _ => operation == "write",
            };
            let chosen = args.kind.as_deref().is_none_or(|wanted| wanted == kind)
                && args.point.is_none_or(|wanted| wanted == point);
            if fits && chosen {
                faults.push(Fault { kind, point });
            }
        }
    }
    faults
}

/// Runs to the fault, checks, resumes to the end, checks again.
fn one(reference: &Reference, model: &str, fault: &Fault, keep: bool) -> Result<Went, CliError> {
    let place = Place::new(model)?;
    let armed = match fault.kind {
        // A disk that is full stays full until somebody makes room.
        "enospc" => format!("enospc@{}+", fault.point),
        kind => format!("{kind}@{}", fault.point),
    };
    let first = place.run(&["task", mission::GOAL], Some(&armed))?;
    if !first.complaints.contains("fault point ") {
        return Ok(Went::NotReached);
    }
    let kills = DEATHS.contains(&fault.kind);
    let went = match judge(reference, &place, &first, kills) {
        Ok(()) => Went::Held,
        Err(why) => {
            Went::Failed(format!("{why}\n    {}", first.complaints.trim().replace('\n', "\n    ")))
        }
    };
    if keep {
        tracing::error!(folder = %place.keep().display(), "the workspace is kept");
    }
    Ok(went)
}

fn judge(reference: &Reference, place: &Place, first: &Ended, kills: bool) -> Result<(), String> {
    if kills && first.code.is_some() {
        return Err(format!("it was to die and ended with {:?}", first.code));
    }
    let mut told = reference.after_death(place, first)?;
    if !kills && first.code != Some(0) && !gives_a_reason(first) {
        return Err(format!("it ended with {:?} and no reason", first.code));
    }
    let mut code = first.code;
    for _ in 0..RESUMES {
        let arguments: &[&str] = match &told {
            None => &["task", mission::GOAL],
            Some(told) if told.mission.ended.as_ref().is_some_and(|end| end.name() == "sealed") => {
                break;
            }
            Some(_) => &["resume"],
        };
        let next = place.run(arguments, None).map_err(|e| e.to_string())?;
        told = reference.after_death(place, &next)?;
        code = next.code;
        if kills && next.code != Some(0) {
            return Err(format!(
                "it was taken up and ended with {:?}: {} {}",
                next.code,
                next.lines.last().map_or("", String::as_str),
                next.complaints
            ));
        }
    }
    if code != Some(0) || could_not_show(first) {
        // It was over already, and perhaps not shown.
        place.look().map_err(|e| e.to_string())?;
    }
    reference.at_the_end(place, kills).map(drop)
}

/// Whether a process that failed said why: on standard error, or as the end of its mission.
fn gives_a_reason(ended: &Ended) -> bool {
    let complained = ended.complaints.lines().any(|line| line.starts_with("orchestrator: "));
    complained || ended.lines.last().is_some_and(|line| line.contains("\"needs\""))
}

/// Whether it said that the readable files could not be written: the journal has the end, and the next process shows it.
fn could_not_show(ended: &Ended) -> bool {
    let of_files = |line: &String| line.contains("\"notice\"") && line.contains("failed to write");
    ended.lines.iter().any(of_files)
}

fn figures(points: &[(String, String)], results: &[(Fault, Went)], seconds: f64) -> Figures {
    let count = |wanted: fn(&Went) -> bool| results.iter().filter(|(_, w)| wanted(w)).count();
    let held = count(|went| matches!(went, Went::Held));
    let unreached = count(|went| matches!(went, Went::NotReached));
    let failures: Vec<(String, &String)> = results
        .iter()
        .filter_map(|(fault, went)| match went {
            Went::Failed(why) => Some((format!("{}@{}", fault.kind, fault.point), why)),
            _ => None,
        })
        .collect();
    let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
    let mut operations: BTreeMap<String, usize> = BTreeMap::new();
    results.iter().for_each(|(fault, _)| *by_kind.entry(fault.kind).or_default() += 1);
    points.iter().for_each(|(what, _)| *operations.entry(what.clone()).or_default() += 1);
    let mut text = format!(
        "{} points ({}), {} runs ({}), {seconds:.0} s: {held} held, {unreached} not reached, {} failed\n",
        points.len(),
        list(&operations),
        results.len(),
        list(&by_kind),
        failures.len()
    );
    for (fault, why) in failures.iter().take(TOLD) {
        text += &format!("  {fault}: {why}\n");
    }
    let told: Vec<_> =
        failures.iter().map(|(fault, why)| json!({"fault": fault, "why": why})).collect();
    let files: std::collections::BTreeSet<&String> = points.iter().map(|(_, file)| file).collect();
    let json = json!({
        "points": points.len(), "operations": operations, "files": files, "runs": results.len(), "kinds": by_kind,
        "held": held, "notReached": unreached, "failures": told, "seconds": seconds,
    });
    Figures { text, json, failed: !failures.is_empty() }
}

fn list(counts: &BTreeMap<impl std::fmt::Display, usize>) -> String {
    let words = counts.iter().map(|(name, count)| format!("{count} {name}"));
    words.collect::<Vec<_>>().join(", ")
}
