//! Random missions: agents, gate, disk and person under dice, the process dying in between; each from its seed.

use serde_json::json;

use super::*;
use crate::mission::provider::Server;

/// xorshift: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn random_calls(dice: &mut Dice) -> Vec<ToolCall> {
    let some = [
        call("triage", json!({"decision": "plan"})),
        call("triage", json!({"decision": "direct"})),
        call("plan", json!({"todo": PLAN})),
        call("plan", json!({"todo": "nonsense"})),
        call("propose", json!({"changes": []})),
        call("done", json!({"summary": "s", "notes": [{"message": "n"}]})),
        call("done", json!({})),
        call("give_up", json!({"reason": "r"})),
        call("verdict", json!({"pass": true, "evidence": ["e"]})),
        call("verdict", json!({"pass": false, "findings": [{"message": "bad", "file": "a.rs"}]})),
        call("read", json!({"path": "a"})),
        call("rm -rf", json!({})),
    ];
    (0..dice.roll(4)).map(|_| some[dice.roll(some.len() as u64) as usize].clone()).collect()
}

fn server(is_fallback: bool) -> Server {
    Server { name: format!("model {is_fallback}"), is_fallback }
}

fn random_outcome(dice: &mut Dice, act: &Act, receipts: u64) -> Outcome {
    let kinds =
        [FaultKind::Transient, FaultKind::BadAnswer, FaultKind::Overflow, FaultKind::NeedsHuman];
    match (act, dice.roll(40)) {
        (_, 0) => Outcome::Aborted,
        (Act::Ask { .. }, n @ 1..=6) => Outcome::Faulted {
            fault: Fault {
                by: (n != 4).then(|| Box::new(server(n == 5))),
                unsent: n == 6,
                instead: (n == 3).then(|| "another".to_owned()),
                jitter: dice.roll(1000) as u32,
                ..Fault::new(kinds[if n == 1 { 3 } else { n as usize % 3 }], "f")
            },
        },
        (Act::Ask { .. }, _) => turn(random_calls(dice)),
        (Act::Tool { .. }, n) => Outcome::Called { content: "c".repeat(900), is_error: n > 20 },
        (Act::Check { .. }, 1) => {
            Outcome::Checked { verdict: GateVerdict::Unverified { reason: "r".into() } }
        }
        (Act::Check { .. }, 2..=12) => Outcome::Checked {
            verdict: GateVerdict::Refused {
                stage: "rules".into(),
                report: "r".into(),
                problems: vec![],
            },
        },
        (Act::Check { .. }, _) => accepted(receipts + 1),
        (Act::Undo { .. }, 1..=3) => {
            Outcome::Edited { reason: "r".into(), files: vec!["f".into()], diff: "d".into() }
        }
        (Act::Undo { .. }, 4..=9) => Outcome::Stale { reason: "s".into() },
        (Act::Undo { .. }, _) => Outcome::Applied,
        (Act::Apply { .. }, 1..=4) => Outcome::Stale { reason: "s".into() },
        (Act::Apply { .. }, 5) => Outcome::NotApplied { reason: "n".into() },
        (Act::Apply { .. }, _) => Outcome::Applied,
        (Act::Baseline, _) => Outcome::Baselined { baseline: "b".into() },
        (Act::Test { .. }, 1..=9) => tested(TestVerdict::Failed { report: "r".into() }),
        (Act::Test { .. }, 10..=14) => tested(TestVerdict::Unverified { reason: "r".into() }),
        (Act::Test { .. }, _) => tested(TestVerdict::Passed { summary: "s".into() }),
        (Act::Seal, 1..=15) => Outcome::Sealed { verdict: SealVerdict::Red { report: "r".into() } },
        (Act::Seal, _) => Outcome::Sealed {
            verdict: SealVerdict::Green {
                hash: "h".into(),
                summary: "s".into(),
                hints: Vec::new(),
            },
        },
        (Act::Wait { .. }, _) => Outcome::Waited,
    }
}

/// What a person may say at any moment, sense or nonsense.
fn random_command(dice: &mut Dice) -> Command {
    let ids = ["T1.1", "S1.1.1", "T1.2", "S1.2.1", "T2.1", "M1", "T9.9"];
    let item = plan::ItemId::parse(ids[dice.roll(ids.len() as u64) as usize]).unwrap();
    let finding = dice.roll(6) as u32;
    let marks = [plan::Mark::Pending, plan::Mark::Active, plan::Mark::Done, plan::Mark::Failed];
    match dice.roll(40) {
        0 => Command::Cancel,
        1..=8 => Command::Pause,
        9..=16 => Command::Resume,
        17..=22 => Command::RunItem { item },
        23..=30 => {
            let mark = marks[dice.roll(4) as usize];
            Command::SetItem { item, mark, evidence: None }
        }
        31..=33 => Command::FixFinding { finding },
        34 => Command::Undo { receipt: None, merge: true },
        35 => Command::Undo { receipt: Some(u64::from(finding)), merge: false },
        36 => Command::Redo { merge: false },
        _ => Command::DismissFinding { finding, reason: "r".into() },
    }
}

/// A mission under the dice: the events so far, and the effects that a process has begun.
struct World {
    dice: Dice,
    m: Mission,
    events: Vec<Event>,
    open: Vec<Effect>,
    applied: usize,
    proved: Option<u64>,
    seed: u64,
}

impl World {
    fn new(seed: u64, mode: Mode, limits: fuel::Limits) -> World {
        let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let m = Mission::new(MissionId("m".into()));
        let mut world =
            World { dice, m, events: vec![], open: vec![], applied: 0, proved: None, seed };
        world.happen(Event::Started { goal: "g".into(), mode, engine: "test".into(), limits });
        world
    }

    fn happen(&mut self, event: Event) {
        let (was, seed) = (self.m.ended.clone(), self.seed);
        let m = std::mem::replace(&mut self.m, Mission::new(MissionId("m".into())));
        let (m, more) = step(m, self.events.len() as u64, &event);
        self.events.push(event);
        self.open.extend(more);
        self.m = m;
        if was.is_none() && matches!(self.m.ended, Some(End::Sealed { .. })) {
            assert_eq!(self.m.obligations(), 0, "seed {seed}: sealed with obligations open");
        }
        let begun = |id: &EffectId| self.open.iter().any(|effect| effect.id == *id);
        assert!(self.m.pending.keys().all(begun), "seed {seed}: an effect that nobody begins");
        assert!(
            self.m.is_idle() || !self.m.pending.is_empty(),
            "seed {seed}: nothing under way, and not ended ({:?})",
            self.m.phase
        );
    }

    /// One effect ends, whichever; one that was dropped in the meantime may still answer.
    fn answer(&mut self) {
        let at = self.dice.roll(self.open.len() as u64) as usize;
        let effect = self.open.swap_remove(at);
        let is_pending = self.m.is_pending(effect.id);
        let outcome = random_outcome(&mut self.dice, &effect.act, self.m.receipts.len() as u64);
        if let (Act::Apply { receipt }, true) = (&effect.act, is_pending) {
            assert_eq!(self.proved.take(), Some(*receipt), "seed {}: no receipt", self.seed);
            self.applied += usize::from(outcome == Outcome::Applied);
        }
        if let (Outcome::Checked { verdict: GateVerdict::Accepted { receipt, .. } }, true) =
            (&outcome, is_pending)
        {
            self.proved = Some(*receipt);
        }
        self.happen(Event::Finished { effect: effect.id, outcome });
    }

    /// The process dies; another one folds the events and begins again what was under way.
    fn crash(&mut self) {
        let again = self.replay();
        assert_eq!(
            view::MissionView::of(&again),
            view::MissionView::of(&self.m),
            "seed {}",
            self.seed
        );
        assert_eq!(again.pending, self.m.pending, "seed {}", self.seed);
        self.open = again.pending().collect();
        self.m = again;
        if !self.open.is_empty() {
            self.happen(Event::Woken);
        }
    }

    fn replay(&self) -> Mission {
        let begin = Mission::new(MissionId("m".into()));
        (0u64..).zip(&self.events).fold(begin, |m, (at, e)| step(m, at, e).0)
    }

    /// Runs to the end. `commands` and crashes are thrown in for as long as they last; afterwards a person only
    /// resumes what waits for one.
    fn run(&mut self, mut commands: u32) {
        for _ in 0..5_000 {
            let at_rest = self.open.is_empty();
            if commands > 0 && (at_rest || self.dice.roll(8) == 0) {
                commands -= 1;
                match self.dice.roll(6) {
                    0 => self.crash(),
                    _ => {
                        let command = random_command(&mut self.dice);
                        self.happen(Event::Commanded { command });
                    }
                }
            } else if !at_rest {
                self.answer();
            } else if self.m.ended.is_some() {
                return;
            } else {
                self.happen(Event::Commanded { command: Command::Resume });
            }
        }
        panic!("seed {}: not ended, {:?}", self.seed, self.m.phase);
    }
}

/// Whatever the agents, the gate, the disk and a person do, and whenever the process dies: a mission ends, it is never
/// stuck, seals nothing that is open, spends no more than it may, and replaying its events gives the same mission.
#[test]
fn every_mission_ends_and_replays() {
    for seed in 1..=2_500u64 {
        let limits = fuel::Limits { calls: 120, ..Default::default() };
        let (mode, commands) = match seed % 3 {
            0 => (Mode::Task, 0),
            1 => (Mode::Task, 25),
            _ => (Mode::Plan, 25),
        };
        let mut world = World::new(seed, mode, limits.clone());
        world.run(commands);
        let m = &world.m;
        assert!(m.spent.calls <= limits.calls, "seed {seed}: {} calls", m.spent.calls);
        assert_eq!(m.receipts.len(), world.applied, "seed {seed}");
        assert!(m.pending.is_empty() && m.proposals.is_empty(), "seed {seed}: left behind");
        if let Some(plan) = &m.plan {
            plan::parse(&plan::render(plan)).unwrap();
        }
        assert_eq!(view::MissionView::of(&world.replay()), view::MissionView::of(m), "seed {seed}");
    }
}
