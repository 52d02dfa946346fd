//! What is around the agents: the gate, the tests, the disk, the clock, and a person who may say anything at any time.

use super::super::event::{GateVerdict, Gravity, NewFinding, SealVerdict, TestVerdict};
use super::super::plan::{ItemId, Mark, Plan};
use super::super::question::{DISCARD, MERGE, Meeting, Place};
use super::super::{Act, Command, Effect, Outcome, Weighed};
use super::model;
use super::random::Dice;
use super::scenario::Scenario;
use super::world::World;

/// How an effect ends.
pub(super) fn outcome(
    dice: &mut Dice,
    scenario: &Scenario,
    world: &World,
    effect: &Effect,
) -> Outcome {
    let is_dropped = !world.m.is_pending(effect.id);
    if is_dropped && dice.once_in(2) {
        return Outcome::Aborted;
    }
    let bad = dice.roll(100) < scenario.refusals;
    let reason = || "a reason".to_owned();
    match &effect.act {
        Act::Ask { session } => model::turn(dice, scenario, world.m.session(*session)),
        Act::Recall { .. } => recalled(dice),
        Act::Tool { .. } => {
            let content = format!("content {}", dice.roll(2));
            Outcome::Called { content, is_error: dice.once_in(6) }
        }
        Act::Check { .. } => Outcome::Checked { verdict: verdict(dice, world, bad) },
        Act::Undo { merge: false, .. } if dice.once_in(6) => {
            Outcome::Edited { reason: reason(), files: vec!["a.rs".into()], diff: "-x".into() }
        }
        Act::Apply { .. } if dice.once_in(8) => Outcome::Met { meeting: meeting() },
        Act::Apply { .. } | Act::Undo { .. } => match dice.roll(12) {
            0 | 1 if bad => Outcome::NotApplied { reason: reason() },
            0..=3 => Outcome::Stale { reason: reason() },
            _ => Outcome::Applied,
        },
        Act::Baseline => Outcome::Baselined { baseline: String::new() },
        Act::Foresee { names } => {
            // Some stand nowhere.
            let known = names.iter().filter(|_| !dice.once_in(3)).cloned().collect::<Vec<_>>();
            let file = |dice: &mut Dice| dice.pick(&["a.rs", "b.rs", "../x"], "").to_owned();
            let thing = |dice: &mut Dice| vec![file(dice), file(dice)];
            let things = |dice: &mut Dice| (0..=dice.roll(2)).map(|_| thing(dice)).collect();
            let uses = known.into_iter().map(|name| (name, things(dice))).collect();
            Outcome::Foreseen { uses }
        }
        Act::Test { .. } => Outcome::Tested { verdict: tests(dice, bad) },
        Act::Seal => Outcome::Sealed { verdict: seal(dice, bad) },
        Act::Wait { .. } => Outcome::Waited,
    }
}

fn meeting() -> Meeting {
    let places = vec![Place { file: "a.rs".to_owned(), line: 3 }];
    Meeting { change: "meets-1".to_owned(), places, diff: "+x".to_owned() }
}

fn recalled(dice: &mut Dice) -> Outcome {
    let text = |is_there: bool| if is_there { "remembered\n".to_owned() } else { String::new() };
    let weighed =
        Weighed { key: "m:0".into(), score: dice.roll(1001) as u16, open: dice.once_in(2) };
    Outcome::Recalled {
        shared: text(dice.once_in(2)),
        own: text(dice.once_in(2)),
        weighed: vec![weighed],
    }
}

fn problem(dice: &mut Dice) -> NewFinding {
    let message = dice.pick(&["mismatched types", "", "a\nb"], "").to_owned();
    let file = dice.once_in(2).then(|| dice.pick(&["a.rs", "../x", "b.rs"], "").to_owned());
    let severity = dice.pick(&[Gravity::Error, Gravity::Warning, Gravity::Info], Gravity::Error);
    NewFinding { file, line: Some(3), severity, message, fix: None, kind: None }
}

fn verdict(dice: &mut Dice, world: &World, bad: bool) -> GateVerdict {
    match bad {
        true if dice.once_in(12) => GateVerdict::Unverified { reason: "no compiler".to_owned() },
        true => {
            let problems = (0..dice.roll(3)).map(|_| problem(dice)).collect();
            let (stage, report) = ("rules".to_owned(), format!("report {}", dice.roll(2)));
            GateVerdict::Refused { stage, report, problems }
        }
        false => {
            let (files, summary) = (vec!["a.rs".to_owned()], "ok".to_owned());
            GateVerdict::Accepted { receipt: world.next_receipt(), files, summary }
        }
    }
}

fn tests(dice: &mut Dice, bad: bool) -> TestVerdict {
    match bad {
        true if dice.once_in(3) => TestVerdict::Unverified { reason: "no runner".to_owned() },
        true => TestVerdict::Failed { report: "adds::carries".to_owned() },
        false => TestVerdict::Passed { summary: "1 passed".to_owned() },
    }
}

fn seal(dice: &mut Dice, bad: bool) -> SealVerdict {
    match bad {
        true if dice.once_in(5) => SealVerdict::Unverified { reason: "no compiler".to_owned() },
        true => SealVerdict::Red { report: "a test fails".to_owned() },
        false => {
            let hints =
                (0..dice.roll(2)).map(|_| NewFinding { severity: Gravity::Info, ..problem(dice) });
            let (hash, summary) = ("5ea1".repeat(16), "ok".to_owned());
            SealVerdict::Green { hash, summary, hints: hints.collect() }
        }
    }
}

/// A moment, an hour, or a clock that was set back (as a difference that wraps).
pub(super) fn time(dice: &mut Dice) -> i64 {
    dice.pick(&[1, 5_000, 3_600_000, -7_200_000], 1)
}

fn item(dice: &mut Dice, world: &World) -> ItemId {
    let count = world.m.plan.as_ref().map_or(0, |plan| plan.tasks().count());
    let task = world.m.plan.iter().flat_map(Plan::tasks).nth(dice.roll(count as u64 + 1) as usize);
    match task {
        Some(task) if dice.once_in(2) => task.id.clone(),
        Some(task) => task.steps.first().map_or(task.id.clone(), |step| step.id.clone()),
        None => ItemId::milestone(1).child(dice.roll(3) as u32),
    }
}

/// What a person may say at any moment, sense or nonsense.
pub(super) fn command(dice: &mut Dice, world: &World) -> Command {
    let finding = dice.roll(world.m.findings.len() as u64 + 2) as u32;
    match dice.roll(40) {
        0 => Command::Cancel,
        1..=7 => Command::Pause,
        8..=17 => Command::Resume,
        18..=22 => Command::RunItem { item: item(dice, world) },
        23..=24 => {
            let text = dice.pick(&["yes", MERGE, MERGE, DISCARD], "").to_owned();
            Command::Answer { question: None, text, ask: None }
        }
        25..=29 => {
            let mark = dice.pick(
                &[Mark::Pending, Mark::Active, Mark::Done, Mark::Done, Mark::Failed],
                Mark::Done,
            );
            let evidence = dice.once_in(2).then(|| "saw it | \n".to_owned());
            let item = item(dice, world);
            Command::SetItem { item, mark, evidence, version: None, ask: None }
        }
        30 => match dice.roll(3) {
            0 => Command::SkipItem { item: item(dice, world) },
            1 => Command::SplitItem { item: item(dice, world) },
            _ => Command::FixFinding { finding, test: true },
        },
        31..=32 => Command::FixFinding { finding, test: false },
        33 => Command::Undo { receipt: None, merge: dice.once_in(2), ask: None },
        34..=35 => {
            let receipt = Some(dice.roll(world.next_receipt() + 1));
            Command::Undo { receipt, merge: dice.once_in(2), ask: None }
        }
        36 => Command::Redo { merge: dice.once_in(2), ask: None },
        _ => Command::DismissFinding { finding, reason: "r".to_owned() },
    }
}

/// What a person may say to a mission that has ended, without meaning to take it up again.
pub(super) fn command_after(dice: &mut Dice, world: &World) -> Command {
    match command(dice, world) {
        Command::Resume | Command::Answer { .. } => Command::Pause,
        other => other,
    }
}
