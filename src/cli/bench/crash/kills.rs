//! Kills at random moments: the process group is ended with SIGKILL, and the next process takes the mission up.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::super::CliError;
use super::super::gate::random::Random;
use super::super::quantile;
use super::check::Reference;
use super::place::Place;
use super::{Args, Figures, mission, reference};

/// How many failures are told in full.
const TOLD: usize = 20;
/// After how many kills it is said how far they are.
const EVERY: usize = 1_000;

/// What was seen so far, by all who kill.
#[derive(Default)]
struct Seen {
    kills: usize,
    missions: usize,
    /// The number of events in the journal at each death.
    moments: BTreeSet<usize>,
    /// From the start of the next process to its first word of the mission, in milliseconds.
    recovery: Vec<f64>,
    failures: Vec<String>,
}

pub(super) fn run(args: &Args, model: &str) -> Result<Figures, CliError> {
    let began = Instant::now();
    let reference = reference(model)?;
    let usual = began.elapsed();
    let began = Instant::now();
    let seen: Mutex<Seen> = Mutex::default();
    let left = AtomicUsize::new(args.kills);
    std::thread::scope(|scope| {
        for worker in 0..args.parallel.max(1) {
            let random = Random::new(args.seed, &format!("killer {worker}"));
            let (reference, left, seen) = (&reference, &left, &seen);
            scope.spawn(move || work(reference, model, usual, random, left, seen));
        }
    });
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(figures(&reference, seen, began.elapsed().as_secs_f64()))
}

/// Missions, one after the other, until there are no kills left.
fn work(
    reference: &Reference,
    model: &str,
    usual: Duration,
    mut random: Random,
    left: &AtomicUsize,
    seen: &Mutex<Seen>,
) {
    while left.load(Ordering::Relaxed) > 0 {
        let went = Place::new(model).map_err(|e| e.to_string()).and_then(|place| {
            one(reference, &place, usual, &mut random, left, seen)
                .map_err(|why| format!("{why} (kept in {})", place.keep().display()))
        });
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match went {
            Ok(()) => seen.missions += 1,
            Err(why) => {
                seen.failures.push(why);
                // A mission that fails at once must not be tried for ever.
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                    Some(n.saturating_sub(1))
                })
                .ok();
            }
        }
    }
}

/// One mission, killed again and again until it is over.
fn one(
    reference: &Reference,
    place: &Place,
    usual: Duration,
    random: &mut Random,
    left: &AtomicUsize,
    seen: &Mutex<Seen>,
) -> Result<(), String> {
    let mut arguments: &[&str] = &["task", mission::GOAL];
    let mut taken_up = false;
    loop {
        let micros = usize::try_from(usual.as_micros()).unwrap_or(usize::MAX);
        let delay = match left.load(Ordering::Relaxed) {
            0 => Duration::from_secs(60),
            _ => Duration::from_micros(random.below(micros) as u64),
        };
        let running = place.start(arguments, None).map_err(|e| e.to_string())?;
        let (killed, ended) = running.kill_after(delay).map_err(|e| e.to_string())?;
        let told = reference.after_death(place, &ended)?;
        if !killed && ended.code != Some(0) {
            return Err(format!(
                "it ended with {:?}: {} {}",
                ended.code,
                ended.lines.last().map_or("", String::as_str),
                ended.complaints
            ));
        }
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if killed {
                seen.kills += 1;
                tell(&seen, reference);
                seen.moments.insert(told.as_ref().map_or(0, |told| told.records.len()));
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                    Some(n.saturating_sub(1))
                })
                .ok();
            }
            if taken_up && let Some(time) = ended.first_line {
                seen.recovery.push(time.as_secs_f64() * 1000.0);
            }
        }
        match told {
            None => (arguments, taken_up) = (&["task", mission::GOAL], false),
            Some(told) if told.mission.ended.is_some() => {
                if killed {
                    // It was over already, and perhaps not shown.
                    place.look().map_err(|e| e.to_string())?;
                }
                break;
            }
            Some(_) => (arguments, taken_up) = (&["resume"], true),
        }
    }
    reference.at_the_end(place, true).map(drop)
}

/// Ten thousand kills take minutes: whoever waits for them sees how far they are.
fn tell(seen: &Seen, reference: &Reference) {
    if seen.kills.is_multiple_of(EVERY) {
        let text = format!(
            "{} kills, {} missions of {} events, {} failed\n",
            seen.kills,
            seen.missions,
            reference.events,
            seen.failures.len()
        );
        // Nobody may be there to read it.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

fn figures(reference: &Reference, mut seen: Seen, seconds: f64) -> Figures {
    let (p50, p95) = (quantile(&mut seen.recovery, 0.5), quantile(&mut seen.recovery, 0.95));
    let mut text = format!(
        "{} kills survived, {} missions completed ({} events each), {} distinct moments, recovery p50 {p50:.0} ms, p95 {p95:.0} ms, {} failed, {seconds:.0} s\n",
        seen.kills,
        seen.missions,
        reference.events,
        seen.moments.len(),
        seen.failures.len()
    );
    for why in seen.failures.iter().take(TOLD) {
        text += &format!("  {why}\n");
    }
    let json = json!({
        "kills": seen.kills, "missions": seen.missions, "moments": seen.moments.len(), "recoveryP50Ms": p50,
        "recoveryP95Ms": p95, "failures": seen.failures, "seconds": seconds,
    });
    Figures { text, json, failed: !seen.failures.is_empty() }
}
