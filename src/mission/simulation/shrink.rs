//! Makes a failing mission small: moves are left out, and turns and plans cut down, while the same rule is broken.

use std::sync::Arc;

use super::super::Outcome;
use super::invariants::Violation;
use super::scenario::Scenario;
use super::world::{Move, World};
use super::{Found, Step};

/// The most missions that are run to make one small.
const TRIES: usize = 5_000;

pub(super) fn shrink(
    step: Step,
    seed: u64,
    scenario: &Scenario,
    moves: Vec<Move>,
    violation: Violation,
) -> Box<Found> {
    let count = moves.len();
    let mut shrinking = Shrinking { step, scenario, rule: violation.rule, best: moves, tries: 0 };
    // What only shows at the end of everything (a mission that goes on for ever) is shown as it is.
    let again = shrinking.broken_by(&shrinking.best.clone());
    let detail = match again {
        Some((violation, used)) => {
            shrinking.best.truncate(used);
            while shrinking.leave_out() | shrinking.cut_down() {}
            let moves = shrinking.best.clone();
            shrinking.broken_by(&moves).map_or(violation.detail, |(smaller, _)| smaller.detail)
        }
        None => violation.detail,
    };
    let start = serde_json::to_string(&scenario.started()).unwrap_or_default();
    let lines = shrinking.best.iter().map(|one| serde_json::to_string(one).unwrap_or_default());
    let trace = std::iter::once(start).chain(lines).map(|line| shorten(&line)).collect();
    Box::new(Found { seed, rule: violation.rule, detail, moves: count, trace })
}

/// The longest line of a trace, in characters.
const LINE: usize = 600;

fn shorten(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

struct Shrinking<'a> {
    step: Step,
    scenario: &'a Scenario,
    rule: &'static str,
    best: Vec<Move>,
    tries: usize,
}

impl Shrinking<'_> {
    /// How these moves break the rule, and how many of them it takes.
    fn broken_by(&mut self, moves: &[Move]) -> Option<(Violation, usize)> {
        self.tries += 1;
        let same = |violation: Violation| (violation.rule == self.rule).then_some(violation);
        let mut world = match World::new(self.step, self.scenario) {
            Ok(world) => world,
            Err(violation) => return same(violation).map(|violation| (violation, 0)),
        };
        for (at, next) in moves.iter().enumerate() {
            if let Err(violation) = world.take(next.clone()) {
                return same(violation).map(|violation| (violation, at + 1));
            }
        }
        let violation = world.last_checks(self.scenario).err()?;
        same(violation).map(|violation| (violation, moves.len()))
    }

    fn keep_if_broken(&mut self, moves: Vec<Move>) -> bool {
        if self.tries >= TRIES {
            return false;
        }
        match self.broken_by(&moves) {
            Some((_, used)) => {
                self.best = moves;
                self.best.truncate(used);
                true
            }
            None => false,
        }
    }

    /// Leaves out moves, many at once first.
    fn leave_out(&mut self) -> bool {
        let mut any = false;
        let mut size = self.best.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < self.best.len() {
                let mut fewer = self.best.clone();
                fewer.drain(at..(at + size).min(fewer.len()));
                match self.keep_if_broken(fewer) {
                    true => any = true,
                    false => at += size,
                }
            }
            size /= 2;
        }
        any
    }

    /// Leaves calls out of turns, and lines out of plans.
    fn cut_down(&mut self) -> bool {
        let mut any = false;
        for at in (0..self.best.len()).rev() {
            for smaller in self.best.get(at).map(smaller).unwrap_or_default() {
                let mut moves = self.best.clone();
                if let Some(place) = moves.get_mut(at) {
                    *place = smaller;
                }
                if self.keep_if_broken(moves) {
                    any = true;
                    break;
                }
            }
        }
        any
    }
}

/// The ways to make one move a little smaller.
fn smaller(one: &Move) -> Vec<Move> {
    let Move::Finish { which, outcome: Outcome::Answered { turn } } = one else {
        return Vec::new();
    };
    let mut ways = Vec::new();
    let mut way =
        |turn| ways.push(Move::Finish { which: *which, outcome: Outcome::Answered { turn } });
    for (at, call) in turn.calls.iter().enumerate() {
        if turn.calls.len() > 1 {
            let mut fewer = turn.clone();
            fewer.calls.remove(at);
            way(fewer);
        }
        let todo =
            call.arguments.get("todo").and_then(serde_json::Value::as_str).unwrap_or_default();
        for gone in 0..todo.lines().count() {
            let kept = todo.lines().enumerate().filter(|(line, _)| *line != gone);
            let text: String = kept.map(|(_, line)| format!("{line}\n")).collect();
            let mut shorter = turn.clone();
            if let Some(call) = shorter.calls.get_mut(at) {
                Arc::make_mut(&mut call.arguments).insert("todo".to_owned(), text.into());
            }
            way(shorter);
        }
    }
    ways
}
