//! The simulator finds what is wrong with a mission: step functions that are broken on purpose, each in one way.

use super::super::{Act, Command, step};
use super::*;

/// The first mission of some that shows what is wrong with `broken`, shrunk.
fn first(broken: Step) -> Found {
    let found = (0..5_000).find_map(|seed| simulate_with(broken, seed).err());
    let found = *found.expect("the simulator finds it");
    assert!(found.trace.len() <= found.moves + 1);
    found
}

#[test]
fn missions_of_many_seeds_hold_every_rule() {
    let mut sum = Tally::default();
    for seed in 0..2_000 {
        match simulate(seed) {
            Ok(tally) => sum.add(&tally),
            Err(found) => panic!("{found:#?}"),
        }
    }
    for end in ["sealed", "blocked", "exhausted", "cancelled", "failed"] {
        assert!(sum.ends.get(end).is_some_and(|count| *count > 20), "{sum:?}");
    }
    assert_eq!(sum.ends.len(), 5, "every mission ends: {sum:?}");
}

#[test]
fn a_seed_is_the_same_mission_every_time() {
    for seed in 0..50 {
        assert_eq!(simulate(seed), simulate(seed));
    }
}

/// Takes the limit on calls to be ten more than it is.
fn fuel_off_by_ten(m: Mission, at: u64, event: &Event) -> (Mission, Vec<Effect>) {
    match event.clone() {
        Event::Started { goal, mode, engine, mut limits, rules } => {
            limits.calls += 10;
            step(m, at, &Event::Started { goal, mode, engine, limits, rules })
        }
        other => step(m, at, &other),
    }
}

#[test]
fn fuel_that_is_off_by_ten_is_found() {
    let found = first(fuel_off_by_ten);
    assert_eq!(found.rule, "fuel is checked before it is spent");
}

/// Forgets what the calls under way may come to.
fn no_reserve(m: Mission, at: u64, event: &Event) -> (Mission, Vec<Effect>) {
    let (mut m, effects) = step(m, at, event);
    m.reserved.clear();
    (m, effects)
}

#[test]
fn sessions_that_overshoot_together_are_found() {
    let found = first(no_reserve);
    assert_eq!(found.rule, "the overshoot is at most one call");
}

fn lost_test(m: Mission, at: u64, event: &Event) -> (Mission, Vec<Effect>) {
    let (m, mut effects) = step(m, at, event);
    effects.retain(|effect| !matches!(effect.act, Act::Test { .. }));
    (m, effects)
}

#[test]
fn an_effect_that_is_lost_is_found_and_shrunk_to_its_cause() {
    let found = first(lost_test);
    assert_eq!(found.rule, "no effect is lost");
    // Triage, a turn without a call or a plan, the baseline, `done`: hardly more is needed.
    assert!(found.trace.len() < 12, "{found:#?}");
    assert!(found.trace.iter().any(|line| line.contains("\"done\"")), "{found:#?}");
    assert!(!found.trace.iter().any(|line| line.contains("\"applied\"")), "{found:#?}");
}

fn deaf_to_pauses(mut m: Mission, at: u64, event: &Event) -> (Mission, Vec<Effect>) {
    let paused = std::mem::replace(&mut m.paused, false);
    let (mut m, effects) = step(m, at, event);
    m.paused |= paused && *event != (Event::Commanded { command: Command::Resume });
    (m, effects)
}

#[test]
fn work_in_a_pause_is_found() {
    let found = first(deaf_to_pauses);
    assert_eq!(found.rule, "nothing begins after an end or in a pause");
    assert!(found.trace.iter().any(|line| line.contains("pause")), "{found:#?}");
}

/// Applies what no receipt names.
fn forged(m: Mission, at: u64, event: &Event) -> (Mission, Vec<Effect>) {
    let (mut m, mut effects) = step(m, at, event);
    for effect in &mut effects {
        if let Act::Apply { receipt } = &mut effect.act {
            *receipt += 1;
            m.pending.insert(effect.id, effect.act.clone());
        }
    }
    (m, effects)
}

#[test]
fn bytes_without_a_receipt_are_found() {
    assert_eq!(first(forged).rule, "only what a receipt names is applied");
}

thread_local! {
    static HIDDEN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Takes something into the state that no event tells.
fn hidden_state(m: Mission, at: u64, event: &Event) -> (Mission, Vec<Effect>) {
    let (mut m, effects) = step(m, at, event);
    m.told += HIDDEN.replace(HIDDEN.get() + 1);
    (m, effects)
}

#[test]
fn a_state_that_is_no_fold_of_its_events_is_found() {
    assert_eq!(first(hidden_state).rule, "the fold of the events is the state");
}

/// Never gives up on an agent, and gives it fuel without end.
fn endless(mut m: Mission, at: u64, event: &Event) -> (Mission, Vec<Effect>) {
    m.spent = Default::default();
    m.sessions.values_mut().for_each(|session| (session.nudges, session.turns) = (0, 0));
    step(m, at, event)
}

#[test]
fn a_mission_that_goes_on_for_ever_is_found() {
    let found = first(endless);
    let rules = ["fuel is checked before it is spent", "every mission ends within its bound"];
    assert!(rules.contains(&found.rule), "{found:#?}");
}
