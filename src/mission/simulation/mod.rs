//! The simulator: whole missions under dice, each reproducible from its seed.
//!
//! It drives the pure core with random plans, agents of every character, faults, verdicts, crashes and interleavings,
//! and checks after every event what must always hold (`invariants`). A mission that breaks a rule, or does not end
//! within the bound that its limits give it, is shrunk to the few moves that show it (`shrink`). It knows nothing of
//! the runtime: a process that dies is a state that is folded again from its events.

mod invariants;
mod model;
mod random;
mod scenario;
mod shrink;
mod surroundings;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeMap;

use super::{Act, Effect, Event, Mission};
use invariants::Violation;
pub use random::{Dice, split_mix};
use scenario::Scenario;
use world::{Move, World};

/// The transition function under test; another one shows that the simulator finds what is wrong with it.
type Step = fn(Mission, u64, &Event) -> (Mission, Vec<Effect>);

/// What some missions came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Missions, by how they ended.
    pub ends: BTreeMap<&'static str, u64>,
    /// Events of all of them.
    pub events: u64,
    /// Model calls.
    pub calls: u64,
    /// Processes that died on the way.
    pub crashes: u64,
}

impl Tally {
    /// Takes in what other missions came to.
    pub fn add(&mut self, other: &Tally) {
        for (end, count) in &other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        self.events += other.events;
        self.calls += other.calls;
        self.crashes += other.crashes;
    }
}

/// A mission that broke a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The seed that shows it.
    pub seed: u64,
    /// The rule.
    pub rule: &'static str,
    /// What was seen.
    pub detail: String,
    /// How many moves the mission had taken.
    pub moves: usize,
    /// The fewest moves found that still break the rule, a line each; the mission's start comes first.
    pub trace: Vec<String>,
}

/// Runs the mission of a seed to its end.
///
/// # Errors
/// The rule that it broke, with a shrunk trace.
pub fn simulate(seed: u64) -> Result<Tally, Box<Found>> {
    simulate_with(super::step, seed)
}

fn simulate_with(step: Step, seed: u64) -> Result<Tally, Box<Found>> {
    let scenario = Scenario::of(seed);
    let dice = Dice::new(seed.rotate_left(32) ^ 0x0DDB_1A5E);
    let mut run = Run { dice: dice.clone(), taken: 0, record: None };
    run.play(step, &scenario).map_err(|violation| {
        // The same mission once more, move by move.
        let mut again = Run { dice, taken: 0, record: Some(Vec::new()) };
        let violation = again.play(step, &scenario).err().unwrap_or(violation);
        let moves = again.record.unwrap_or_default();
        shrink::shrink(step, seed, &scenario, moves, violation)
    })
}

/// One mission on its way.
struct Run {
    dice: Dice,
    taken: usize,
    /// The moves, where somebody wants to see them.
    record: Option<Vec<Move>>,
}

/// Moves after the end: late answers, and a person who does not notice.
const AFTERWARDS: u32 = 5;

impl Run {
    fn play(&mut self, step: Step, scenario: &Scenario) -> Result<Tally, Violation> {
        let mut world = World::new(step, scenario)?;
        let bound = scenario.bound();
        let (mut spoken, mut after) = (0, 0);
        while after < AFTERWARDS {
            let is_over = spoken >= scenario.commands || world.is_over();
            after += u32::from(world.m.ended.is_some() && is_over && world.open.is_empty());
            if self.taken > bound {
                let detail = format!("{} moves, and still {:?}", self.taken, world.m.phase);
                return Err(Violation { rule: "every mission ends within its bound", detail });
            }
            let Some(next) = self.next(&world, scenario, &mut spoken, after > 0) else {
                break;
            };
            self.taken += 1;
            if let Some(record) = &mut self.record {
                record.push(next.clone());
            }
            world.take(next)?;
        }
        world.last_checks(scenario)?;
        Ok(world.tally())
    }

    /// What happens next: a person speaks, the process dies, time passes, or an effect ends.
    fn next(
        &mut self,
        world: &World,
        scenario: &Scenario,
        spoken: &mut u32,
        is_over: bool,
    ) -> Option<Move> {
        let dice = &mut self.dice;
        let at_rest = world.open.is_empty();
        if *spoken < scenario.commands && (at_rest || dice.once_in(8)) {
            *spoken += 1;
            return Some(match dice.roll(8) {
                0 => Move::Crash,
                1 => Move::Pass { ms: surroundings::time(dice) },
                2 => Move::Again,
                _ => Move::Tell { command: surroundings::command(dice, world) },
            });
        }
        if !at_rest {
            let which = dice.roll(world.open.len() as u64);
            let effect = world.open.get(which as usize)?;
            if matches!(effect.act, Act::Ask { .. }) && dice.once_in(16) {
                return Some(Move::Queue { which, waits: dice.once_in(2) });
            }
            let outcome = surroundings::outcome(dice, scenario, world, effect);
            return Some(Move::Finish { which, outcome });
        }
        match world.m.ended {
            Some(_) if is_over => {
                Some(Move::Tell { command: surroundings::command_after(dice, world) })
            }
            Some(_) => Some(Move::Pass { ms: 1 }),
            // Nobody answers what was asked.
            None => Some(match world.until_deadline() {
                // Nobody answers what was asked.
                Some(ms) => Move::Pass { ms },
                None => Move::Tell { command: super::Command::Resume },
            }),
        }
    }
}
