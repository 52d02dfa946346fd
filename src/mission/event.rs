//! What can happen to a mission, and what a mission can ask for. Both are values; the journal keeps the events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::context::Weighed;
use super::conversation::{Turn, Usage};
use super::edit::{Edit, Side};
pub use super::effect::{Act, Effect, EffectId};
use super::fuel::Limits;
use super::plan::{ItemId, Mark};
use super::question::Meeting;

/// The id of a mission, unique within a workspace. Made by the runtime, which may know the time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MissionId(pub String);

impl std::fmt::Display for MissionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session's number within its mission.
pub type SessionId = u32;

/// The files that one thing is declared and used in, relative to the workspace.
pub type Uses = Vec<String>;

/// How far a mission goes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// `/task`: to the seal.
    Task,
    /// `/plan`: to the plan, then it waits until it is resumed or an item is run.
    Plan,
}

/// Something that has happened. A mission is a fold over these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The mission begins; always the first event.
    Started {
        /// The goal, as it was given.
        goal: String,
        /// How far it goes.
        mode: Mode,
        /// Who answers the turns, for people: `symbolic engine`, `replay: demo.json`, a model's name.
        engine: String,
        /// What it may spend.
        limits: Limits,
        /// The number of the rules that it is folded by; 0 in journals of versions that did not say.
        #[serde(default)]
        rules: u32,
    },
    /// A person said something.
    Commanded {
        /// What.
        command: Command,
    },
    /// An effect ended. Each effect has exactly one of these.
    Finished {
        /// Which.
        effect: EffectId,
        /// How.
        outcome: Outcome,
    },
    /// A turn that was asked for waits for a slot at its provider, or has got one after such a wait. Waiting is no try and
    /// costs nothing.
    Waits {
        /// The turn's effect.
        effect: EffectId,
        /// Whether it waits.
        waits: bool,
    },
    /// Another process writes from here on; the time before is not the mission's.
    Taken {
        /// The number of the rules that it folds by.
        rules: u32,
    },
    /// A process carries on what another had left; what was under way is begun again.
    Woken,
    /// Something around the mission did not work as it should, and cost no more than itself: a plugin, a server of tools.
    Remarked {
        /// What, for people.
        text: String,
    },
    /// The wall-clock limit was reached.
    TimeUp,
    /// The journal was damaged, and this mission was recovered without what came after.
    Recovered {
        /// What was lost, for people.
        lost: String,
    },
}

impl Event {
    /// Reads an event from JSON. The same as its `Deserialize`, but the two kinds of which long missions are made are read
    /// without the detour that tagged values take: half the time of taking such a mission up again.
    ///
    /// # Errors
    /// When the text is no event.
    pub fn from_json(text: &str) -> Result<Event, serde_json::Error> {
        let tag = text.strip_prefix("{\"event\":\"finished\",\"effect\":").and_then(|rest| {
            rest.trim_start_matches(|c: char| c.is_ascii_digit())
                .strip_prefix(",\"outcome\":{\"outcome\":\"")
        });
        let (effect, outcome) = match tag {
            Some(rest) if rest.starts_with("answered\"") => {
                let read: Plain<Answered> = serde_json::from_str(text)?;
                (read.effect, Outcome::Answered { turn: read.outcome.turn })
            }
            Some(rest) if rest.starts_with("called\"") => {
                let read: Plain<Called> = serde_json::from_str(text)?;
                let Called { content, is_error } = read.outcome;
                (read.effect, Outcome::Called { content, is_error })
            }
            _ => return serde_json::from_str(text),
        };
        Ok(Event::Finished { effect, outcome })
    }
}

#[derive(Deserialize)]
struct Plain<T> {
    effect: EffectId,
    outcome: T,
}

#[derive(Deserialize)]
struct Answered {
    turn: Turn,
}

#[derive(Deserialize)]
struct Called {
    content: String,
    is_error: bool,
}

/// What a person can tell a mission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Begin nothing new.
    Pause,
    /// Go on: after a pause, after `/plan`, or after what blocked it was mended.
    Resume,
    /// Stop for good; what was accepted stays.
    Cancel,
    /// It may not begin: another mission runs, and one at a time is wanted.
    Refuse {
        /// Why, and what a person can do.
        reason: String,
    },
    /// Carry out one task of a plan that waits.
    RunItem {
        /// A task, or one of its steps.
        item: ItemId,
    },
    /// Set the mark of a task's steps, or of one step, by hand.
    SetItem {
        /// A task or a step.
        item: ItemId,
        /// The new mark.
        mark: Mark,
        /// Why, where it is set to done.
        evidence: Option<String>,
        /// The version that the item must have; see [`super::plan::Plan::version`].
        version: Option<String>,
        /// What the answer is to be known by; see [`super::Answer`].
        ask: Option<String>,
    },
    /// What a person has changed in `todo.md` since it was shown to them: all of it, each time.
    EditPlan {
        /// The items that were changed, added and removed.
        edits: Vec<Edit>,
        /// All items in their new order, where the order changed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        order: Vec<ItemId>,
    },
    /// Where a person and the mission changed an item in two ways: one of them counts.
    SettleItem {
        /// The item.
        item: ItemId,
        /// Which.
        take: Side,
    },
    /// A person renamed a file, or a folder: what is said of it is said of its new place.
    FileMoved {
        /// From the workspace's root, with `/`.
        from: String,
        /// Likewise.
        to: String,
    },
    /// Answer a question of an agent's.
    Answer {
        /// Its number; `None` for the oldest.
        question: Option<u32>,
        /// The answer.
        text: String,
        /// As for a mark.
        ask: Option<String>,
    },
    /// Take an item out of the plan, with all below it.
    SkipItem {
        /// A milestone, a task or a step.
        item: ItemId,
    },
    /// Have a task split into smaller ones.
    SplitItem {
        /// A task, or one of its steps.
        item: ItemId,
    },
    /// Make a task of an open finding.
    FixFinding {
        /// Its number.
        finding: u32,
        /// Whether a test is to show it first.
        #[serde(default)]
        test: bool,
    },
    /// Take accepted change-sets back, also after the mission has ended.
    Undo {
        /// The receipt's number; `None` for all that the mission did.
        #[serde(default)]
        receipt: Option<u64>,
        /// Where a person has edited since: keep that, and take the mission's lines back.
        #[serde(default)]
        merge: bool,
        /// What the answer is to be known by; see [`super::Answer`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<String>,
    },
    /// Take the newest undo back.
    Redo {
        /// As for an undo.
        #[serde(default)]
        merge: bool,
        /// As for an undo.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<String>,
    },
    /// Close a finding without a change.
    DismissFinding {
        /// Its number.
        finding: u32,
        /// Why.
        reason: String,
    },
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// An agent's complete turn.
    Answered {
        /// The turn.
        turn: Turn,
    },
    /// What is remembered, as a session is told it.
    Recalled {
        /// The same for all sessions at the same files; it goes before the brief.
        #[serde(default)]
        shared: String,
        /// What was chosen for this session; it goes behind its brief.
        #[serde(default)]
        own: String,
        /// How relevant each note is now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        weighed: Vec<Weighed>,
    },
    /// No usable turn.
    Faulted {
        /// Why.
        fault: Fault,
    },
    /// A tool's result.
    Called {
        /// The text for the agent.
        content: String,
        /// Whether it failed or was refused.
        is_error: bool,
    },
    /// The gate's verdict on a change-set.
    Checked {
        /// The verdict.
        verdict: GateVerdict,
    },
    /// The bytes are in the user's tree.
    Applied,
    /// The tree is no longer what was checked; nothing was changed.
    Stale {
        /// What differs.
        reason: String,
    },
    /// A person typed where the change-set changes something; nothing was changed.
    Met {
        /// Where, and what the change is.
        meeting: Meeting,
    },
    /// What is to be taken back was edited since; nothing was changed.
    Edited {
        /// What was edited.
        reason: String,
        /// The files that a merge would change; none where it could take nothing back.
        files: Vec<String>,
        /// What it would do, as a unified diff.
        diff: String,
    },
    /// The bytes could not be written; nothing was changed.
    NotApplied {
        /// Why, and what a person can do.
        reason: String,
    },
    /// What stood before the mission is known.
    Baselined {
        /// In the gate's own words, which a mission only keeps; empty when nothing could be found out.
        baseline: String,
    },
    /// Where the names stand.
    Foreseen {
        /// For each name the things that have it, each with its files; a name that stands nowhere may be left out.
        #[serde(default)]
        uses: BTreeMap<String, Vec<Uses>>,
    },
    /// The tests were run, or not.
    Tested {
        /// How they went.
        verdict: TestVerdict,
    },
    /// The whole tree was proved, or not.
    Sealed {
        /// The verdict.
        verdict: SealVerdict,
    },
    /// The time is over.
    Waited,
    /// It was dropped: the mission was cancelled or has ended.
    Aborted,
}

/// The gate's verdict, as far as a mission needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum GateVerdict {
    /// Proved; the receipt stands in the journal.
    Accepted {
        /// The receipt's number in the mission.
        receipt: u64,
        /// The files that it names.
        files: Vec<String>,
        /// One line: the stages and how each went.
        summary: String,
    },
    /// A stage refused.
    Refused {
        /// Its name.
        stage: String,
        /// The text for the worker: stage, place, message, code frame.
        report: String,
        /// The problems, as findings.
        problems: Vec<NewFinding>,
    },
    /// Nothing was able to prove it. Never the same as accepted.
    Unverified {
        /// Why, and what a person can do.
        reason: String,
    },
}

/// How the tests went, compared with the baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum TestVerdict {
    /// No test fails that passed before.
    Passed {
        /// One line: what was run, and what fails as before.
        summary: String,
    },
    /// Something that passed before the mission fails now.
    Failed {
        /// Which, and what it said.
        report: String,
    },
    /// They could not be run. Never the same as passed.
    Unverified {
        /// Why, and what a person can do.
        reason: String,
    },
}

/// The verdict on the whole tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum SealVerdict {
    /// Build and tests are green; the seal stands in the journal.
    Green {
        /// The seal's hash.
        hash: String,
        /// One line: what was run.
        summary: String,
        /// What no check would notice; worth knowing, never in the way.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hints: Vec<NewFinding>,
    },
    /// A check is red.
    Red {
        /// What failed.
        report: String,
    },
    /// A check could not be run.
    Unverified {
        /// Why, and what a person can do.
        reason: String,
    },
}

/// A problem that somebody reports, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFinding {
    /// The file, relative to the workspace.
    #[serde(default)]
    pub file: Option<String>,
    /// 1-based line, as people and models count.
    #[serde(default)]
    pub line: Option<u32>,
    /// How bad.
    #[serde(default)]
    pub severity: Gravity,
    /// What is wrong.
    pub message: String,
    /// How it could be mended.
    #[serde(default)]
    pub fix: Option<String>,
    /// The kind of problem, where its reporter has kinds.
    #[serde(default)]
    pub kind: Option<String>,
}

impl NewFinding {
    /// With a place that can be one, and something to read. What an agent reports is its own words: a file outside the
    /// workspace becomes a part of the message, line 0 none at all.
    pub(super) fn tidy(mut self) -> NewFinding {
        if self.message.trim().is_empty() {
            self.message = "a problem without a message".to_owned();
        }
        self.line = self.line.filter(|line| *line > 0);
        self.kind = self.kind.as_deref().map(super::plan::one_line);
        if let Some(file) = self.file.take_if(|file| !super::plan::is_file(file)) {
            self.line = None;
            self.message = format!("{file}: {}", self.message);
        }
        self
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// It must be mended before the seal.
    #[default]
    Error,
    /// Somebody should look.
    Warning,
    /// Worth knowing.
    #[serde(alias = "information", alias = "note", alias = "hint")]
    Info,
}

/// Why an agent gave no usable turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What can be done about it.
    pub kind: FaultKind,
    /// What happened, for people; never holds a key.
    pub message: String,
    /// How long the provider asks to be left alone, in milliseconds.
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
    /// What the failed turn used nonetheless.
    #[serde(default)]
    pub usage: Usage,
    /// Who was asked, where it was a provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<super::provider::Server>>,
    /// Nothing was asked, because nobody could be: no call was spent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// The model that stands in for this one; it can be asked at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// A number drawn by chance, from 0 to 999: by how much the wait is shortened, so that many do not come back at once.
    #[serde(default)]
    pub jitter: u32,
}

impl Fault {
    /// Whether it stands in the journal of an earlier version, where no fault says who was asked. What came of it then
    /// comes of it still, or the events that follow it would be answers to other effects.
    pub(super) fn is_of_old(&self) -> bool {
        self.by.is_none()
    }

    /// A fault of which no more is known.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Fault {
        Fault {
            kind,
            message: message.into(),
            retry_after_ms: None,
            usage: Usage::default(),
            by: None,
            unsent: false,
            instead: None,
            jitter: 0,
        }
    }
}

/// What can be done about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Ask again, later.
    Transient,
    /// The conversation is too long for the model.
    Overflow,
    /// The answer was malformed; tell the agent.
    BadAnswer,
    /// A person must change something.
    NeedsHuman,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [FaultKind; 4] =
        [FaultKind::Transient, FaultKind::Overflow, FaultKind::BadAnswer, FaultKind::NeedsHuman];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ToolCall;

    /// What earlier versions wrote is read, and is known for what it is.
    #[test]
    fn a_fault_of_an_earlier_version_is_read() {
        let text = r#"{"kind":"overflow","message":"m","retry_after_ms":null,"usage":{"input":1,"output":0,"cached":0,"micro_usd":0}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert!(fault.is_of_old() && !fault.unsent && fault.jitter == 0);
        let turn: Turn = serde_json::from_str(r#"{"text":"t","calls":[]}"#).unwrap();
        assert_eq!(turn.by, None);
    }

    #[test]
    fn an_event_is_read_the_same_way_by_either_reader() {
        let arguments = serde_json::json!({"path": "ä \"b\"", "n": [1, 2.5, null]});
        let arguments = arguments.as_object().cloned().unwrap();
        let call = ToolCall { id: "1".into(), name: "read".into(), arguments: arguments.into() };
        let turn = Turn { text: "t\n".into(), calls: vec![call], ..Turn::default() };
        let content = "{\"outcome\":\"applied\"}".to_owned();
        let finished = |outcome| Event::Finished { effect: 7, outcome };
        for event in [
            finished(Outcome::Answered { turn }),
            finished(Outcome::Called { content, is_error: true }),
            finished(Outcome::Applied),
            Event::Woken,
            Event::Commanded { command: Command::Pause },
        ] {
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(Event::from_json(&text).unwrap(), event);
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
            assert!(Event::from_json(&text[..text.len() - 1]).is_err());
        }
        // An earlier version may have written the fields in another order.
        let other = "{\"effect\":3,\"event\":\"finished\",\"outcome\":{\"outcome\":\"waited\"}}";
        let waited = Event::Finished { effect: 3, outcome: Outcome::Waited };
        assert_eq!(Event::from_json(other).unwrap(), waited);
    }
}
