//! The simulator finds what is wrong with a mission: step functions that are broken on purpose, each in one way.

use super::super::{Act, step};
use super::*;

/// The first mission of some that shows what is wrong with `broken`.
fn first(broken: Step) -> Found {
    let found = (0..5_000).find_map(|seed| simulate_with(broken, seed).err());
    *found.expect("the simulator finds it")
}

#[test]
fn missions_of_many_seeds_hold_every_rule() {
    for seed in 0..3_000 {
        if let Err(found) = simulate(seed) {
            panic!("{found:#?}");
        }
    }
}

#[test]
fn a_seed_is_the_same_mission_every_time() {
    for seed in 0..50 {
        assert_eq!(simulate(seed), simulate(seed));
    }
}
