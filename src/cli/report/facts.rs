//! What a report tells of a mission, gathered from its events and its receipts. It knows nothing of how that is shown.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::{CliError, environment};
use crate::gate::report::receipt::Receipt;
use crate::journal::{self, Journal};
use crate::mission::control::ASK;
use crate::mission::conversation::{Role, ToolCall};
use crate::mission::event::{EffectId, GateVerdict, SealVerdict, TestVerdict};
use crate::mission::view::MissionView;
use crate::mission::{
    Act, Command, Event, Line, Mission, MissionId, Outcome, SessionId, SessionId as Id, take,
};

/// A mission, with all that its view does not say.
pub(super) struct Facts {
    pub view: MissionView,
    /// All lines of its story.
    pub story: Vec<Line>,
    pub receipts: Vec<Receipt>,
    pub verdicts: Vec<Verdict>,
    /// What its effects took, by their kind; some ran beside each other.
    pub times: BTreeMap<Kind, Took>,
    /// When each task was worked on: first and last stamp.
    pub items: BTreeMap<String, (u64, u64)>,
    pub questions: Vec<Asked>,
    /// Whether a provider counted no tokens, and they were estimated.
    pub is_estimated: bool,
}

/// What sort of effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Model,
    Tools,
    Gate,
    Tests,
    Seal,
    Baseline,
    Files,
    Pauses,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Model => "turns of agents",
            Kind::Tools => "tools",
            Kind::Gate => "the gate",
            Kind::Tests => "tests after tasks",
            Kind::Seal => "the seal",
            Kind::Baseline => "what stood before",
            Kind::Files => "files written",
            Kind::Pauses => "pauses after faults",
        }
    }

    fn of(act: &Act) -> Option<Kind> {
        Some(match act {
            Act::Ask { .. } => Kind::Model,
            Act::Tool { .. } => Kind::Tools,
            Act::Check { .. } => Kind::Gate,
            Act::Test { .. } => Kind::Tests,
            Act::Seal => Kind::Seal,
            Act::Baseline | Act::Foresee { .. } => Kind::Baseline,
            Act::Apply { .. } | Act::Undo { .. } => Kind::Files,
            Act::Wait { .. } => Kind::Pauses,
            Act::Recall { .. } => return None,
        })
    }
}

/// How often, and how long in all (milliseconds).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Took {
    pub count: u64,
    pub ms: u64,
}

/// A verdict of the gate.
pub(super) struct Verdict {
    /// Milliseconds since the epoch.
    pub at: u64,
    /// The task; none for the whole.
    pub item: Option<String>,
    pub of: &'static str,
    /// `accepted`, `refused`, `unverified`.
    pub is: &'static str,
    pub ms: u64,
    /// The stage that refused.
    pub stage: Option<String>,
    /// Why not, in the gate's words.
    pub why: Option<String>,
}

/// A question, or an answer.
pub(super) struct Asked {
    pub at: u64,
    /// Who asks; none where a person answers.
    pub role: Option<Role>,
    pub text: String,
}

/// Reads the mission with that id, or the newest; `None` where there is none.
pub(super) fn load(root: &Path, view: &MissionView) -> Result<Facts, CliError> {
    let id = &view.id;
    let live = Journal::open_existing(root).map_err(environment)?;
    let live = live.filter(|j| j.count(id).is_ok_and(|count| count > 0));
    let mut folding = Folding::new(id);
    let receipts = match live {
        Some(journal) => {
            for record in journal.events(id, 0).map_err(environment)? {
                folding.take(record.at, record.event);
            }
            journal.receipts(id).map_err(environment)?
        }
        None => {
            let archived = journal::read_archived(root, id).map_err(environment)?;
            let Some(archived) = archived else {
                return Err(CliError::User(format!("there is no mission {id}")));
            };
            for (at, event) in &archived.events {
                folding.take(*at, Event::from_json(event).map_err(environment)?);
            }
            archived.receipts
        }
    };
    let receipts = receipts.iter().map(|text| Receipt::from_json(text).map_err(environment));
    Ok(folding.end(view.clone(), receipts.collect::<Result<_, _>>()?))
}

/// An effect that is under way.
struct Begun {
    act: Act,
    at: u64,
    item: Option<String>,
    role: Option<Role>,
}

struct Folding {
    mission: Mission,
    begun: BTreeMap<EffectId, Begun>,
    told: u64,
    story: Vec<Line>,
    verdicts: Vec<Verdict>,
    times: BTreeMap<Kind, Took>,
    items: BTreeMap<String, (u64, u64)>,
    questions: Vec<Asked>,
    is_estimated: bool,
}

impl Folding {
    fn new(id: &MissionId) -> Folding {
        Folding {
            mission: Mission::new(id.clone()),
            begun: BTreeMap::new(),
            told: 0,
            story: Vec::new(),
            verdicts: Vec::new(),
            times: BTreeMap::new(),
            items: BTreeMap::new(),
            questions: Vec::new(),
            is_estimated: false,
        }
    }

    fn take(&mut self, at: u64, event: Event) {
        match &event {
            Event::Finished { effect, outcome } => {
                if let Some(begun) = self.begun.remove(effect) {
                    self.ended(begun, at, outcome);
                }
            }
            // What lay between two processes is nobody's work.
            Event::Woken | Event::Taken { .. } => {
                self.begun.values_mut().for_each(|begun| begun.at = at);
            }
            Event::Commanded { command: Command::Answer { text, .. } } => {
                self.questions.push(Asked { at, role: None, text: text.clone() });
            }
            _ => {}
        }
        let id = self.mission.id.clone();
        let before = std::mem::replace(&mut self.mission, Mission::new(id));
        let (mission, effects) = take(before, at, event);
        self.mission = mission;
        for effect in effects {
            let begun = self.begin(effect.act, at);
            self.begun.insert(effect.id, begun);
        }
        let new = self.mission.story.iter().filter(|line| line.number > self.told);
        self.story.extend(new.cloned());
        self.told = self.story.last().map_or(0, |line| line.number);
    }

    fn begin(&mut self, act: Act, at: u64) -> Begun {
        let session = session_of(&act).and_then(|id| self.mission.session(id));
        let item = match &act {
            Act::Test { item } => Some(item.to_string()),
            _ => session.and_then(|s| s.item.as_ref()).map(ToString::to_string),
        };
        if let Some(item) = &item {
            self.items.entry(item.clone()).or_insert((at, at));
        }
        Begun { role: session.map(|session| session.role), act, at, item }
    }

    fn ended(&mut self, begun: Begun, at: u64, outcome: &Outcome) {
        let ms = at.saturating_sub(begun.at);
        if let Some(kind) = Kind::of(&begun.act) {
            let took = self.times.entry(kind).or_default();
            took.count += 1;
            took.ms = took.ms.saturating_add(ms);
        }
        if let Some((_, last)) = begun.item.as_ref().and_then(|item| self.items.get_mut(item)) {
            *last = at;
        }
        if let Outcome::Answered { turn } = outcome {
            self.is_estimated |= turn.usage.estimated;
            let asked = turn.calls.iter().filter(|call| call.name == ASK).map(question);
            let role = begun.role;
            self.questions.extend(asked.map(|text| Asked { at, role, text }));
        }
        if let Some((of, is, stage, why)) = judged(outcome) {
            let (stage, why) = (stage.map(str::to_owned), why.map(str::to_owned));
            self.verdicts.push(Verdict { at, item: begun.item, of, is, ms, stage, why });
        }
    }

    fn end(self, view: MissionView, receipts: Vec<Receipt>) -> Facts {
        Facts {
            view,
            story: self.story,
            receipts,
            verdicts: self.verdicts,
            times: self.times,
            items: self.items,
            questions: self.questions,
            is_estimated: self.is_estimated,
        }
    }
}

fn session_of(act: &Act) -> Option<Id> {
    let id: &SessionId = match act {
        Act::Recall { session } | Act::Ask { session } => session,
        Act::Tool { session, .. } | Act::Check { session, .. } | Act::Wait { session, .. } => {
            session
        }
        _ => return None,
    };
    Some(*id)
}

fn question(call: &ToolCall) -> String {
    let text = call.arguments.get("question").and_then(|text| text.as_str());
    text.unwrap_or_default().to_owned()
}

type Judged<'a> = (&'static str, &'static str, Option<&'a str>, Option<&'a str>);

/// What was judged, how, the stage that refused, and why.
fn judged(outcome: &Outcome) -> Option<Judged<'_>> {
    Some(match outcome {
        Outcome::Checked { verdict } => match verdict {
            GateVerdict::Accepted { .. } => ("change", "accepted", None, None),
            GateVerdict::Refused { stage, report, .. } => {
                ("change", "refused", Some(stage), Some(report))
            }
            GateVerdict::Unverified { reason } => ("change", "unverified", None, Some(reason)),
        },
        Outcome::Tested { verdict } => match verdict {
            TestVerdict::Passed { .. } => ("tests", "accepted", None, None),
            TestVerdict::Failed { report } => ("tests", "refused", Some("tests"), Some(report)),
            TestVerdict::Unverified { reason } => ("tests", "unverified", None, Some(reason)),
        },
        Outcome::Sealed { verdict } => match verdict {
            SealVerdict::Green { .. } => ("the whole", "accepted", None, None),
            SealVerdict::Red { report, .. } => ("the whole", "refused", None, Some(report)),
            SealVerdict::Unverified { reason, .. } => {
                ("the whole", "unverified", None, Some(reason))
            }
        },
        _ => return None,
    })
}
