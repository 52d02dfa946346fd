//! What is fixed for one mission before it begins: its limits, its plan, the characters of its agents, and how often
//! things go wrong around it.

use super::super::Context;
use super::super::conversation::Role;
use super::super::fuel::{Limits, Price, Prices};
use super::super::{Event, Mode};
use super::model::Character;
use super::random::Dice;

/// The circumstances of one mission.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub mode: Mode,
    pub limits: Limits,
    /// Who plays which role, in the order of [`Role::ALL`].
    pub agents: [Character; 4],
    /// Of a hundred turns, how many are faults.
    pub faults: u64,
    /// Of a hundred verdicts of gate, tests and seal, how many are bad.
    pub refusals: u64,
    /// Whether providers claim numbers of tokens that cannot be.
    pub absurd_usage: bool,
    /// Whether the dear checks are made at the end.
    pub is_looked_at_closely: bool,
    /// How often a person speaks, a process dies, or a clock jumps.
    pub commands: u32,
}

impl Scenario {
    pub fn of(seed: u64) -> Scenario {
        let dice = &mut Dice::new(seed);
        let agents = match dice.roll(4) {
            // Everybody is good, or one is not, or nobody is.
            0 => [Character::Honest; 4],
            1 | 2 => {
                let mut agents = [Character::Honest; 4];
                if let Some(one) = agents.get_mut(dice.roll(4) as usize) {
                    *one = Character::any(dice);
                }
                agents
            }
            _ => [(); 4].map(|()| Character::any(dice)),
        };
        let mut scenario = Scenario {
            mode: if dice.once_in(4) { Mode::Plan } else { Mode::Task },
            limits: limits(dice),
            agents,
            faults: dice.pick(&[0, 0, 2, 10, 40], 0),
            refusals: dice.pick(&[0, 5, 20, 60, 100], 0),
            absurd_usage: dice.once_in(20),
            is_looked_at_closely: dice.once_in(16),
            commands: dice.pick(&[0, 0, 3, 8, 16], 0),
        };
        // The marks are small enough to be reached.
        let (high, low) = dice.pick(&[(0, 0), (60, 20), (400, 100), (1, 1)], (0, 0));
        scenario.limits.context = Context { recall: dice.once_in(2), high, low };
        scenario
    }

    pub fn started(&self) -> Event {
        Event::Started {
            goal: "mend a.rs | it is\n## M1: broken".to_owned(),
            mode: self.mode,
            engine: "a model".to_owned(),
            limits: self.limits.clone(),
            rules: crate::RULES,
        }
    }

    pub fn agent(&self, role: Role) -> Character {
        self.agents.get(role as usize).copied().unwrap_or(Character::Honest)
    }

    /// The most moves until it has ended: each call brings at most so many effects, and each effect ends once.
    pub fn bound(&self) -> usize {
        let (calls, commands) = (self.limits.calls as usize, self.commands as usize);
        200 + 12 * (super::model::CALLS + 1) * calls + 20 * commands
    }
}

/// Limits small enough to be reached.
fn limits(dice: &mut Dice) -> Limits {
    let price = Price { input: 3_000_000, output: 15_000_000, cached: 300_000 };
    let prices = match dice.roll(3) {
        0 => Prices {
            of: Role::ALL.iter().map(|role| (*role, price)).collect(),
            ..Prices::default()
        },
        1 => Prices { unknown: vec!["m".to_owned()], ..Prices::default() },
        _ => Prices::default(),
    };
    // One limit in eight is tight: tight ones alone would end everything before it has begun.
    let mut tight = |some: &[u64], roomy: u64| match dice.once_in(8) {
        true => dice.pick(some, roomy),
        false => roomy,
    };
    Limits {
        calls: tight(&[0, 1, 7, 20], 40),
        tokens: tight(&[1, 20_000, 60_000, 200_000], 4_000_000),
        micro_usd: tight(&[0, 100_000, 400_000], 20_000_000),
        wall_ms: tight(&[0, 1_000, 60_000], 14_400_000),
        attempts: tight(&[0, 1, 3], 2) as u32,
        refusals: tight(&[0, 1, 6], 3) as u32,
        turns: tight(&[0, 1, 4], 20) as u32,
        rounds: tight(&[0, 1, 5], 2) as u32,
        repeats: tight(&[0, 1, 2], 3) as u32,
        faults: tight(&[0, 1, 6], 3) as u32,
        wait_ms: tight(&[0, 4_000], 600_000),
        stalls: tight(&[0, 1, 2], 6) as u32,
        replans: tight(&[0, 2, 3], 1) as u32,
        questions: tight(&[0, 1], 3) as u32,
        answer_ms: tight(&[0, 1_000], 1_800_000),
        parallel: tight(&[0, 1, 2], 4) as u32,
        prices,
        context: Context::default(),
    }
}

/// Names that several tasks may share.
const FILES: [&str; 4] = ["a.rs", "b.rs", "src/c.rs", "d e.rs"];
const TITLES: [&str; 6] =
    ["mend it", "a \\| b", "ä 漢字 🦀", "done: all of it", "widen `area()`", "rename `Shop::open`"];

/// A valid plan: some milestones with some tasks, each of which may wait for an earlier one and declare files.
pub(super) fn plan(dice: &mut Dice) -> String {
    let mut text = "# Mission: g\n".to_owned();
    let mut earlier: Vec<String> = Vec::new();
    for m in 1..=1 + dice.roll(2) {
        text += &format!("## M{m}: {}\n", dice.pick(&TITLES, ""));
        let mut tasks: Vec<String> = Vec::new();
        for t in 1..=1 + dice.roll(2 + m % 2) {
            let before = match earlier.len() + tasks.len() {
                0 => None,
                count => earlier.iter().chain(&tasks).nth(dice.roll(2 * count as u64) as usize),
            };
            let depends = before.map_or(String::new(), |id| format!(" | depends:{id}"));
            text += &format!("### T{m}.{t}: {}{depends}\n", dice.pick(&TITLES, ""));
            for s in 1..=1 + dice.roll(2) {
                let file = match dice.once_in(2) {
                    true => format!(" | file:{}", dice.pick(&FILES, "a.rs")),
                    false => String::new(),
                };
                text += &format!("- [x] S{m}.{t}.{s}: {}{file}\n", dice.pick(&TITLES, ""));
            }
            tasks.push(format!("T{m}.{t}"));
        }
        earlier.append(&mut tasks);
        earlier.push(format!("M{m}"));
    }
    text
}
