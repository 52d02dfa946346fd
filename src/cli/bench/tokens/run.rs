//! Sends a recorded mission one way: the mission core asks, the recording answers, and every request of the Worker is
//! counted before it is answered. What the provider would count is what the core is told, as in life.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::cache::{Cache, Piece};
use super::corpus;
use super::recording::{Recording, Reply, Turn as Recorded};
use crate::agents::instructions;
use crate::memory::{self, Question, Recalled, Store, tokens};
use crate::mission::conversation::{Message, Role, ToolCall, Turn, Usage};
use crate::mission::event::{GateVerdict, TestVerdict};
use crate::mission::fuel::Limits;
use crate::mission::{
    Act, Command, Context, Effect, Event, Keep, Mission, MissionId, Mode, Note, Outcome, RULES,
    Session, step,
};
use crate::tools;
use crate::workspace::Workspace;

/// What is done to keep tokens few.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ways {
    /// Notes and documents within their budgets, chosen by relevance; without, all of them.
    pub gating: bool,
    /// The marks of a cut; 0: no cut.
    pub marks: (u32, u32),
    /// One item of the list at a time; without, the whole list.
    pub items: bool,
    /// One function at a time; without, files.
    pub symbols: bool,
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub requests: u64,
    pub tokens: u64,
    pub cached: u64,
    /// Requests that did not go on where the last one ended.
    pub cuts: u64,
    /// The largest request.
    pub greatest: u64,
    /// How often something pinned was looked for in a request, and not found.
    pub facts: u64,
    pub lost: u64,
}

impl Sent {
    pub fn share(&self) -> f64 {
        100.0 * self.cached as f64 / self.tokens.max(1) as f64
    }
}

/// When a person says something.
const WORD: &str = "leave the journal's own words as they are";

struct Run<'a> {
    recording: &'a Recording,
    turns: Vec<&'a Recorded>,
    ways: Ways,
    workspace: Workspace,
    store: Store,
    cache: Cache,
    sent: Sent,
    head: Piece,
    receipts: u64,
    is_word_said: bool,
    /// Whether a cut has come since a person spoke: from then on their word is pinned.
    is_word_due: bool,
}

/// Sends the recording.
pub(super) fn send(recording: &Recording, ways: Ways) -> Result<Sent, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text);
    let made = std::fs::create_dir(folder.path().join(".opencode"))
        .and_then(|()| write("AGENTS.md", corpus::RULES))
        .and_then(|()| write(".opencode/context.md", &corpus::context()));
    made.map_err(|error| format!("failed to write the project of the bench: {error}"))?;
    let workspace = Workspace::open(folder.path()).map_err(|error| error.to_string())?;
    let tools = serde_json::to_string(&tools::specs(Role::Worker)).map_err(|e| e.to_string())?;
    let mut cache = Cache::default();
    let head = cache.piece(&format!("{}{tools}", instructions(Role::Worker)), tokens::encode)?;
    let turns = recording.turns(ways.items, ways.symbols, ways.marks.0 > 0);
    let (store, sent) = (earlier(), Sent::default());
    let run = Run {
        recording,
        turns,
        ways,
        workspace,
        store,
        cache,
        sent,
        head,
        receipts: 0,
        is_word_said: false,
        is_word_due: false,
    };
    run.live()
}

/// What an earlier mission noted.
fn earlier() -> Store {
    let mut mission = Mission::new(MissionId("earlier".to_owned()));
    let (keep, role, item) = (Keep::Project, Role::Worker, None);
    let note = |text| Note { text, keep, role, item: item.clone(), at: 1 };
    mission.notes = corpus::notes().into_iter().map(note).collect();
    let mut store = Store::default();
    store.absorb(&mission);
    store
}

impl Run<'_> {
    fn live(mut self) -> Result<Sent, String> {
        let mut mission = Mission::new(MissionId("bench".to_owned()));
        let mut open: VecDeque<Effect> = VecDeque::new();
        let mut next = VecDeque::from([self.started()]);
        let mut at = 1_700_000_000_000;
        while let Some(event) = next.pop_front() {
            at += 1_000;
            let (stepped, effects) = step(mission, at, &event);
            mission = stepped;
            open.extend(effects);
            if !next.is_empty() {
                continue;
            }
            let Some(effect) = open.pop_front() else {
                return Err(format!("the mission stands still: {:?}", mission.ended));
            };
            let Some(outcome) = self.answer(&mission, &effect.act)? else {
                return Ok(self.sent);
            };
            next.push_back(Event::Finished { effect: effect.id, outcome });
            if !self.is_word_said && self.sent.requests >= self.turns.len() as u64 / 2 {
                self.is_word_said = true;
                next.push_front(word());
            }
        }
        Ok(self.sent)
    }

    fn started(&self) -> Event {
        let (high, low) = self.ways.marks;
        let limits = Limits {
            calls: u64::MAX,
            tokens: u64::MAX,
            micro_usd: u64::MAX,
            wall_ms: u64::MAX,
            refusals: u32::MAX,
            turns: u32::MAX,
            repeats: u32::MAX,
            stalls: u32::MAX,
            parallel: 1,
            context: Context { recall: true, high, low },
            ..Limits::default()
        };
        let goal = self.recording.goal.clone();
        Event::Started { goal, mode: Mode::Task, engine: "bench".to_owned(), limits, rules: RULES }
    }

    /// How an effect ends; `None` where the recording does.
    fn answer(&mut self, m: &Mission, act: &Act) -> Result<Option<Outcome>, String> {
        Ok(Some(match act {
            Act::Foresee { .. } => Outcome::Foreseen { uses: Default::default() },
            Act::Recall { session } => self.recall(m, *session),
            Act::Ask { session } => {
                let Some(session) = m.session(*session) else {
                    return Err("a session that is not there was asked".to_owned());
                };
                match session.role {
                    Role::Commander => said(
                        "triage",
                        &json!({"decision": "plan", "brief": self.recording.brief}),
                        0,
                        1,
                    ),
                    Role::Planner => said("plan", &json!({"todo": self.recording.plan}), 0, 1),
                    _ => match self.turns.get(self.sent.requests as usize).copied() {
                        None => return Ok(None),
                        Some(turn) => {
                            let input = self.count(session)?;
                            let number = self.sent.requests;
                            let mut outcome = said(turn.tool, &turn.arguments, number, input);
                            if let Outcome::Answered { turn: answer } = &mut outcome {
                                answer.text.clone_from(&turn.text);
                            }
                            outcome
                        }
                    },
                }
            }
            Act::Tool { .. } => match self.reply() {
                Some(Reply::Told(content)) => {
                    Outcome::Called { content: content.clone(), is_error: false }
                }
                _ => Outcome::Called { content: String::new(), is_error: true },
            },
            Act::Check { .. } => Outcome::Checked { verdict: self.verdict() },
            Act::Apply { .. } | Act::Undo { .. } => Outcome::Applied,
            Act::Baseline => Outcome::Baselined { baseline: String::new() },
            Act::Test { .. } => {
                Outcome::Tested { verdict: TestVerdict::Passed { summary: String::new() } }
            }
            Act::Seal => return Ok(None),
            Act::Wait { .. } => Outcome::Waited,
        }))
    }

    fn reply(&self) -> Option<&Reply> {
        let number = self.sent.requests.checked_sub(1)?;
        self.turns.get(number as usize).map(|turn| &turn.reply)
    }

    fn verdict(&mut self) -> GateVerdict {
        self.receipts += 1;
        let receipt = self.receipts;
        match self.reply() {
            Some(Reply::Refused(report)) => GateVerdict::Refused {
                stage: "servers".to_owned(),
                report: report.clone(),
                problems: Vec::new(),
            },
            Some(Reply::Accepted(file)) => GateVerdict::Accepted {
                receipt,
                files: vec![file.clone()],
                summary: "syntax passed, rules passed, servers passed, tools passed".to_owned(),
            },
            _ => GateVerdict::Unverified { reason: "the recording does not fit".to_owned() },
        }
    }

    fn recall(&self, m: &Mission, session: u32) -> Outcome {
        let task = m.session(session).and_then(|s| s.item.as_ref());
        let task = task.and_then(|id| m.plan.as_ref()?.task(id)).cloned();
        let question = Question {
            goal: m.goal.clone(),
            task,
            notes: m.notes.clone(),
            weights: m.weights.clone(),
            core: m.core(session),
        };
        let Recalled { shared, own, weighed } = match self.ways.gating {
            true => memory::recall(&self.workspace, &self.store, &question),
            false => everything(),
        };
        Outcome::Recalled { shared, own, weighed }
    }

    /// Counts a request as it would be sent, and looks for what must stand in it.
    fn count(&mut self, session: &Session) -> Result<u64, String> {
        let mut request = vec![self.head.clone()];
        for message in session.messages.iter() {
            request.push(self.cache.piece(&text_of(message), tokens::encode)?);
        }
        let (tokens, cached, grows) = self.cache.send(request);
        let tokens = tokens as u64;
        self.sent.requests += 1;
        self.sent.tokens += tokens;
        self.sent.cached += cached as u64;
        self.sent.cuts += u64::from(!grows);
        self.sent.greatest = self.sent.greatest.max(tokens);
        self.is_word_due |= self.is_word_said && !grows;
        self.look_for_facts(session);
        Ok(tokens)
    }

    fn look_for_facts(&mut self, session: &Session) {
        let texts: Vec<&str> = session.messages.iter().filter_map(user_text).collect();
        let steps = self.recording.plan.lines().filter_map(|line| line.strip_prefix("- [ ] "));
        let rules = corpus::RULES.lines().filter(|line| line.starts_with("- "));
        let mut facts: Vec<&str> = vec![&self.recording.goal, &self.recording.brief];
        facts.extend(rules.chain(steps));
        if self.is_word_due {
            facts.push(WORD);
        }
        let lost = facts.iter().filter(|fact| !texts.iter().any(|text| text.contains(**fact)));
        self.sent.lost += lost.count() as u64;
        self.sent.facts += facts.len() as u64;
    }
}

/// A person's word in the middle of the mission.
fn word() -> Event {
    let command = Command::DismissFinding { finding: 1, reason: WORD.to_owned() };
    Event::Commanded { command }
}

fn said(tool: &str, arguments: &Value, number: u64, input: u64) -> Outcome {
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    let call = ToolCall {
        id: format!("call_{number}"),
        name: tool.to_owned(),
        arguments: arguments.into(),
    };
    let usage = Usage { input, output: 120, ..Usage::default() };
    Outcome::Answered { turn: Turn { calls: vec![call], usage, ..Turn::default() } }
}

/// All that is there, unweighed.
fn everything() -> Recalled {
    let notes = corpus::notes().iter().map(|note| format!("- {note}\n")).collect::<String>();
    let shared = format!("<project>\n{}\n{}\n</project>\n\n", corpus::context(), corpus::RULES);
    Recalled { shared, own: format!("\n<notes>\n{notes}</notes>"), weighed: Vec::new() }
}

fn user_text(message: &Message) -> Option<&str> {
    match message {
        Message::User { text } => Some(text),
        _ => None,
    }
}

/// What a message is on the wire, in a form of which the beginning changes only where the message does.
fn text_of(message: &Message) -> String {
    match message {
        Message::User { text } => text.clone(),
        Message::Tool { content, .. } => content.clone(),
        Message::Assistant { text, calls } => {
            let calls = calls.iter().map(|call| {
                let arguments = Value::Object((*call.arguments).clone());
                format!("{} {arguments}", call.name)
            });
            format!("{text}\n{}", calls.collect::<Vec<_>>().join("\n"))
        }
    }
}
