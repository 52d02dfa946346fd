//! What the core does not count, derived while a mission is folded: how long the gate and the tests took, how each of a
//! model's last turns went, and what each open session did last. Time is the stamps of the events alone: an effect begins
//! with the event that causes it, and ends with its own. Nothing here is kept anywhere.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use super::text::clean;
use crate::mission::conversation::{ToolCall, Turn};
use crate::mission::event::{Fault, GateVerdict, SealVerdict, TestVerdict};
use crate::mission::plan::ItemId;
use crate::mission::{Act, Effect, EffectId, Event, Mission, Outcome, SessionId};

/// How many proofs are kept, and how many turns of each model.
const PROOFS: usize = 200;
const BEATS: usize = 120;
/// The most models of which turns are kept; a model's name comes with its answers.
const MODELS: usize = 50;
/// The longest words of an action, in characters.
const ACTION: usize = 160;

/// The figures of one mission.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Effects that were begun and have not ended, with the stamp of their beginning.
    under_way: BTreeMap<EffectId, (u64, What)>,
    /// The newest proofs, the newest last.
    pub proofs: VecDeque<Proof>,
    /// How change-sets fared at the gate.
    pub gate: Gate,
    /// The newest turns of each model, the newest last.
    pub models: BTreeMap<String, VecDeque<Beat>>,
    /// What each open session does.
    pub sessions: BTreeMap<SessionId, Doing>,
}

/// An effect, as far as it is watched.
#[derive(Debug, Clone)]
enum What {
    Ask(SessionId),
    Tool(SessionId),
    Proof(Kind, Option<ItemId>),
    Other,
}

/// What is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Baseline,
    Change,
    Tests,
    Seal,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Baseline => "baseline",
            Kind::Change => "change",
            Kind::Tests => "tests",
            Kind::Seal => "seal",
        }
    }
}

/// How a proof ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Good,
    Refused,
    Unverified,
}

/// A proof that has ended.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Proof {
    pub kind: Kind,
    pub item: Option<ItemId>,
    pub verdict: Verdict,
    /// The verdict in a word or two: `accepted`, `refused at tools`, `failed`.
    pub word: String,
    /// One line of why.
    pub text: String,
    pub took_ms: u64,
    /// When it ended, milliseconds since the epoch.
    pub at: u64,
}

/// How change-sets fared at the gate.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Gate {
    pub accepted: u64,
    pub refused: u64,
    pub unverified: u64,
}

/// A turn of a model: how long it took, where it says so, or that it did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Beat {
    Ms(u64),
    Fault,
}

/// What a session does.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Doing {
    /// Who gave its last turn.
    pub model: Option<String>,
    /// What it did last, in words.
    pub last: String,
    /// Since when it does what it does now, milliseconds since the epoch.
    pub since: u64,
}

impl Figures {
    /// Looks at an event before the mission takes it.
    pub fn see(&mut self, at: u64, event: &Event) {
        match event {
            Event::Finished { effect, outcome } => {
                if let Some((began, what)) = self.under_way.remove(effect) {
                    self.ended(at, at.saturating_sub(began), what, outcome);
                }
            }
            // What was under way is begun again.
            Event::Woken => self.under_way.values_mut().for_each(|(began, _)| *began = at),
            _ => {}
        }
    }

    /// Looks at what came of it.
    pub fn begun(&mut self, at: u64, effects: &[Effect], mission: &Mission) {
        for effect in effects {
            self.under_way.insert(effect.id, (at, self::what(&effect.act)));
            if let Act::Ask { session } | Act::Check { session, .. } = effect.act {
                self.sessions.entry(session).or_default().since = at;
            }
        }
        if mission.ended.is_some() {
            self.under_way.retain(|effect, _| mission.is_pending(*effect));
            self.sessions.clear();
        } else if self.sessions.len() > 2 * mission.sessions().count() + 8 {
            self.sessions.retain(|id, _| mission.session(*id).is_some());
        }
    }

    /// The proofs that are under way, with the stamps of their beginnings.
    pub fn proving(&self, mission: &Mission) -> Vec<(Kind, Option<&ItemId>, u64)> {
        let proofs = self.under_way.iter().filter_map(|(effect, (began, what))| match what {
            What::Proof(kind, item) if mission.is_pending(*effect) => {
                Some((*kind, item.as_ref(), *began))
            }
            _ => None,
        });
        proofs.collect()
    }

    /// How long the gate took for the changes among the newest proofs: the middle, and what 95 of 100 stay below; in
    /// milliseconds.
    pub fn gate_took(&self) -> Option<[u64; 2]> {
        let changes = self.proofs.iter().filter(|proof| proof.kind == Kind::Change);
        let mut took: Vec<u64> = changes.map(|proof| proof.took_ms).collect();
        took.sort_unstable();
        let last = took.len().checked_sub(1)?;
        Some([50, 95].map(|percent| took[(last * percent).div_ceil(100)]))
    }

    fn ended(&mut self, at: u64, took_ms: u64, what: What, outcome: &Outcome) {
        match (what, outcome) {
            (What::Ask(session), Outcome::Answered { turn }) => self.answered(at, session, turn),
            (What::Ask(session), Outcome::Faulted { fault }) => self.faulted(at, session, fault),
            (What::Tool(session), Outcome::Called { is_error: true, .. }) => {
                let doing = self.sessions.entry(session).or_default();
                if !doing.last.ends_with(FAILED) {
                    doing.last.push_str(FAILED);
                }
            }
            (What::Proof(kind, item), outcome) => {
                if let Some((verdict, word, text)) = judged(outcome) {
                    self.count(kind, verdict);
                    keep(
                        &mut self.proofs,
                        PROOFS,
                        Proof { kind, item, verdict, word, text, took_ms, at },
                    );
                }
            }
            _ => {}
        }
    }

    fn count(&mut self, kind: Kind, verdict: Verdict) {
        if kind != Kind::Change {
            return;
        }
        *match verdict {
            Verdict::Good => &mut self.gate.accepted,
            Verdict::Refused => &mut self.gate.refused,
            Verdict::Unverified => &mut self.gate.unverified,
        } += 1;
    }

    fn answered(&mut self, at: u64, session: SessionId, turn: &Turn) {
        let name = turn.by.as_ref().map(|by| by.name.as_str());
        // What took no time was not measured.
        if let Some(name) = name.filter(|_| turn.took_ms > 0) {
            self.beat(name, Beat::Ms(turn.took_ms));
        }
        let last = turn.calls.last().map_or_else(|| clean(&turn.text), action);
        let doing = Doing { model: name.map(clean), last: short(&last), since: at };
        self.sessions.insert(session, doing);
    }

    fn faulted(&mut self, at: u64, session: SessionId, fault: &Fault) {
        if let Some(by) = &fault.by {
            self.beat(&by.name, Beat::Fault);
        }
        let doing = self.sessions.entry(session).or_default();
        (doing.last, doing.since) = (short(&format!("fault: {}", clean(&fault.message))), at);
    }

    fn beat(&mut self, name: &str, beat: Beat) {
        if !self.models.contains_key(name) && self.models.len() >= MODELS {
            return;
        }
        keep(self.models.entry(name.to_owned()).or_default(), BEATS, beat);
    }
}

const FAILED: &str = " (failed)";

fn keep<T>(all: &mut VecDeque<T>, most: usize, one: T) {
    if all.len() == most {
        all.pop_front();
    }
    all.push_back(one);
}

fn short(text: &str) -> String {
    text.chars().take(ACTION).collect()
}

fn what(act: &Act) -> What {
    match act {
        Act::Ask { session } => What::Ask(*session),
        Act::Tool { session, .. } => What::Tool(*session),
        Act::Check { item, .. } => What::Proof(Kind::Change, Some(item.clone())),
        Act::Test { item } => What::Proof(Kind::Tests, Some(item.clone())),
        Act::Baseline => What::Proof(Kind::Baseline, None),
        Act::Seal => What::Proof(Kind::Seal, None),
        Act::Recall { .. }
        | Act::Apply { .. }
        | Act::Undo { .. }
        | Act::Foresee { .. }
        | Act::Wait { .. } => What::Other,
    }
}

/// A verdict, the word for it, and one line of why; `None` where there is none.
fn judged(outcome: &Outcome) -> Option<(Verdict, String, String)> {
    let good = |word: &str, text: &str| (Verdict::Good, word.to_owned(), clean(text));
    let refused = |word: String, text: &str| (Verdict::Refused, word, clean(text));
    let unverified = |text: &str| (Verdict::Unverified, "unverified".to_owned(), clean(text));
    Some(match outcome {
        Outcome::Checked { verdict: GateVerdict::Accepted { files, summary, .. } } => {
            good("accepted", &format!("{}: {summary}", files.join(", ")))
        }
        Outcome::Checked { verdict: GateVerdict::Refused { stage, report, problems } } => {
            let text = problems.first().map_or(report, |problem| &problem.message);
            refused(format!("refused at {}", clean(stage)), text)
        }
        Outcome::Checked { verdict: GateVerdict::Unverified { reason } }
        | Outcome::Tested { verdict: TestVerdict::Unverified { reason } }
        | Outcome::Sealed { verdict: SealVerdict::Unverified { reason } } => unverified(reason),
        Outcome::Tested { verdict: TestVerdict::Passed { summary } } => good("passed", summary),
        Outcome::Tested { verdict: TestVerdict::Failed { report } } => {
            refused("failed".to_owned(), report)
        }
        Outcome::Sealed { verdict: SealVerdict::Green { summary, .. } } => good("green", summary),
        Outcome::Sealed { verdict: SealVerdict::Red { report } } => {
            refused("red".to_owned(), report)
        }
        Outcome::Baselined { baseline } => match baseline.is_empty() {
            true => unverified("nothing could be found out"),
            false => good("known", "what was wrong before the mission is known"),
        },
        _ => return None,
    })
}

/// The arguments that say most of a call, in the order of what they say.
const TELLING: [&str; 10] =
    ["item", "path", "pattern", "query", "glob", "command", "url", "name", "decision", "summary"];

/// A call in a few words: its name, and what it is about.
fn action(call: &ToolCall) -> String {
    let about = TELLING.iter().find_map(|name| call.arguments.get(*name));
    let about = about.or_else(|| call.arguments.get("changes").and_then(first_place));
    let about = match about {
        Some(Value::String(text)) => clean(text),
        Some(Value::Array(all)) => {
            clean(&all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
        }
        _ => String::new(),
    };
    format!("{} {about}", clean(&call.name)).trim_end().to_owned()
}

/// The first file of a change-set.
fn first_place(changes: &Value) -> Option<&Value> {
    changes.as_array()?.first()?.get("path")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::provider::Server;

    fn turn(took_ms: u64) -> Event {
        let by = Server { name: "m".into(), is_fallback: false };
        let arguments = serde_json::json!({"changes": [{"op": "write", "path": "a\u{1b}.rs"}]});
        let arguments = arguments.as_object().cloned().unwrap_or_default().into();
        let call = ToolCall { id: "1".into(), name: "propose".into(), arguments };
        let turn =
            Turn { calls: vec![call], by: Some(Box::new(by)), took_ms, ..Default::default() };
        Event::Finished { effect: 1, outcome: Outcome::Answered { turn } }
    }

    #[test]
    fn a_turn_says_who_gave_it_how_long_it_took_and_what_was_done() {
        let (mut figures, mission) =
            (Figures::default(), Mission::new(crate::mission::MissionId("m".into())));
        figures.begun(5, &[Effect { id: 1, act: Act::Ask { session: 3 } }], &mission);
        assert_eq!(figures.sessions[&3].since, 5);
        figures.see(9, &turn(4));
        assert_eq!(figures.models["m"], [Beat::Ms(4)]);
        let doing = &figures.sessions[&3];
        assert_eq!(
            (doing.model.as_deref(), doing.last.as_str(), doing.since),
            (Some("m"), "propose a .rs", 9)
        );
        figures.see(10, &turn(4));
        assert_eq!(figures.models["m"].len(), 1, "an effect ends once");
    }

    #[test]
    fn a_proof_takes_from_its_beginning_or_from_the_restart_to_its_verdict() {
        let (mut figures, mission) =
            (Figures::default(), Mission::new(crate::mission::MissionId("m".into())));
        let item = ItemId::milestone(1).child(1);
        let call =
            ToolCall { id: "1".into(), name: "propose".into(), arguments: Default::default() };
        let check = Act::Check { session: 3, item, call, merge: None };
        let ended = |effect| {
            let (receipt, files, summary) = (1, vec!["a.rs".to_owned()], "syntax ok".to_owned());
            let verdict = GateVerdict::Accepted { receipt, files, summary };
            Event::Finished { effect, outcome: Outcome::Checked { verdict } }
        };
        figures.begun(100, &[Effect { id: 1, act: check.clone() }], &mission);
        figures.see(350, &ended(1));
        figures.begun(400, &[Effect { id: 2, act: check }], &mission);
        figures.see(9_000, &Event::Woken);
        figures.see(9_040, &ended(2));
        let took: Vec<u64> = figures.proofs.iter().map(|proof| proof.took_ms).collect();
        assert_eq!(took, [250, 40]);
        assert_eq!((figures.gate.accepted, figures.gate_took()), (2, Some([250, 250])));
        assert_eq!(figures.proofs[0].text, "a.rs: syntax ok");
    }
}
