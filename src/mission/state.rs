//! The state of a mission, and the small moves that every transition is made of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use super::context::{Note, Weight};
use super::conversation::Role;
use super::edit::Held;
use super::event::{Act, Effect, EffectId, Gravity, MissionId, Mode, NewFinding, SessionId, Uses};
use super::fuel::{Limits, Reserve, Spent};
use super::plan::{ItemId, Plan};
use super::progress::Progress;
use super::question::{self, Answered, Open};
use super::repetition::Ledgers;
use super::session::{Session, SessionState};
pub use super::story::{Line, LineKind};
use super::undo::{Answer, Offer, Undone, Wish};

/// A mission: the fold of its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mission {
    /// Its id.
    pub id: MissionId,
    /// The goal, as it was given.
    pub goal: String,
    /// How far it goes by itself.
    pub mode: Mode,
    /// Who answers the turns, for people.
    pub engine: String,
    /// What it may spend.
    pub limits: Limits,
    /// What it has spent.
    pub spent: Spent,
    /// The stamp of the first event, milliseconds since the epoch.
    pub started_at: u64,
    /// The latest stamp seen; it never goes back, whatever the clock does.
    pub now: u64,
    /// The stamp of the last event, wherever the clock stood: what follows is measured from it.
    pub(super) stamp: u64,
    /// The rules that it was begun under.
    pub(super) rules: u32,
    /// Whether a process has taken it up that folds by other rules.
    pub(super) is_foreign: bool,
    /// What was proved last, in a mission of other rules.
    pub(super) proved: Option<Accepted>,
    /// For how long it has been at work, in milliseconds: neither paused, nor waiting with its plan, nor between two
    /// processes.
    pub active_ms: u64,
    /// What it is at.
    pub phase: Phase,
    /// Whether a person paused it.
    pub paused: bool,
    /// How it ended, once it has.
    pub ended: Option<End>,
    /// The plan, once there is one.
    pub plan: Option<Plan>,
    /// Findings of reviewers and refusals of the gate.
    pub findings: Vec<Finding>,
    /// The receipts of accepted change-sets, in order.
    pub receipts: Vec<Accepted>,
    /// What is being told, the newest last.
    pub story: VecDeque<Line>,
    /// How many lines were told in all.
    pub told: u64,
    /// What did not work around the mission, each thing once.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// What the Commander said to the Planner.
    pub(super) brief: String,
    /// The state of each task that was begun.
    pub(super) work: BTreeMap<ItemId, Work>,
    /// The tasks whose Workers are done and whose tests may still be due; looked at after every event, unlike all work.
    pub(super) untested: BTreeSet<ItemId>,
    /// The open sessions.
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) next_session: SessionId,
    /// The gate takes one change-set at a time, so that each is proved on the tree that it will land in.
    pub(super) proposals: VecDeque<Proposal>,
    /// Effects that were begun and have no terminal event yet.
    pub(super) pending: BTreeMap<EffectId, Act>,
    pub(super) next_effect: EffectId,
    /// What the calls under way are reckoned with.
    pub(super) reserved: BTreeMap<EffectId, Reserve>,
    /// The dearest call so far.
    pub(super) greatest: Reserve,
    /// What was done again and again.
    #[serde(with = "super::frozen::pairs")]
    pub(super) ledgers: Ledgers,
    /// How far it has got.
    pub(super) progress: Progress,
    /// The highest number that a milestone ever had.
    pub(super) milestones: u32,
    /// Tasks that a person asked for while the plan waits.
    pub(super) chosen: Vec<ItemId>,
    /// What was wrong with the tree before the mission, once that is known; nothing is proved before.
    pub(super) baseline: Option<String>,
    /// What has the names that tasks speak of, and where it is used.
    pub(super) uses: BTreeMap<String, Vec<Uses>>,
    /// What a person takes back, until that is begun.
    pub(super) undoing: Option<Wish>,
    /// Who waits for the undo that is under way.
    pub(super) undo_asks: Vec<String>,
    /// The newest answers to those who asked for an undo.
    pub answers: VecDeque<Answer>,
    /// What was taken back, in order.
    pub undos: Vec<Undone>,
    /// What could not be taken back without a merge, when that was the last that was tried.
    pub offer: Option<Offer>,
    /// What a person wrote into `todo.md` and the plan has not taken.
    pub held: Vec<Held>,
    /// The open questions, the oldest first.
    pub(super) questions: Vec<Open>,
    /// How many were asked in all.
    pub(super) asked: u32,
    /// What was answered.
    pub(super) answered: Vec<Answered>,
    /// The stamp since which nothing goes on before a person answers.
    pub(super) waits_since: Option<u64>,
    /// Attempts at the plan.
    pub(super) plannings: u32,
    /// Review rounds and red seals so far.
    pub(super) rounds: u32,
    /// Whether the Commander chose to do without a plan of its own.
    pub(super) direct: bool,
    /// What its requests came to.
    pub accounts: Accounts,
    /// What agents noted for those who come after them.
    pub notes: Vec<Note>,
    /// How relevant notes have been of late, by what the memory calls them.
    pub weights: BTreeMap<String, Weight>,
    /// The last request of a person beside the goal.
    pub(super) request: String,
    /// The roles whose turns a fallback model gives at present.
    pub(super) on_fallback: BTreeSet<Role>,
}

/// What a mission is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before its first event.
    New,
    /// The Commander decides.
    Triage,
    /// The Planner plans.
    Planning,
    /// The plan is there and waits for a person.
    Planned,
    /// Workers and Reviewers are at the tasks.
    Working,
    /// The Reviewer judges the whole.
    Judging,
    /// The whole tree is proved.
    Sealing,
}

/// How a mission ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "lowercase")]
pub enum End {
    /// Every obligation is discharged, and the build and tests are green.
    Sealed {
        /// The seal's hash.
        hash: String,
    },
    /// A person is needed.
    Blocked {
        /// What is needed, and of whom.
        needs: String,
    },
    /// The fuel is spent.
    Exhausted {
        /// Which limit.
        limit: String,
    },
    /// A person stopped it.
    Cancelled,
    /// It could not be done.
    Failed {
        /// Why.
        reason: String,
    },
}

impl End {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            End::Sealed { .. } => "sealed",
            End::Blocked { .. } => "blocked",
            End::Exhausted { .. } => "exhausted",
            End::Cancelled => "cancelled",
            End::Failed { .. } => "failed",
        }
    }

    /// What goes with it: the hash, the need, the limit, the reason.
    pub fn detail(&self) -> &str {
        match self {
            End::Sealed { hash } => hash,
            End::Blocked { needs } => needs,
            End::Exhausted { limit } => limit,
            End::Cancelled => "a person stopped it",
            End::Failed { reason } => reason,
        }
    }
}

/// A problem with a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its number within the mission, from 1.
    pub id: u32,
    /// The task that it belongs to; `None` for the mission as a whole.
    pub item: Option<ItemId>,
    /// Who found it.
    pub by: FoundBy,
    /// What it says.
    #[serde(flatten)]
    pub what: NewFinding,
    /// Where it stands.
    pub status: FindingStatus,
}

impl Finding {
    /// Whether the mission cannot be sealed before it is closed.
    pub fn is_obligation(&self) -> bool {
        self.status == FindingStatus::Open && self.what.severity == Gravity::Error
    }
}

/// Who found a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FoundBy {
    /// The gate, in a change-set that it refused.
    Gate,
    /// The Reviewer.
    Reviewer,
    /// The Worker, who points to something.
    Worker,
}

/// Where a finding stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingStatus {
    /// Open.
    Open,
    /// Mended, or no longer true.
    Closed,
    /// Closed by a person.
    Dismissed(String),
}

/// An accepted change-set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The receipt's number in the mission.
    pub receipt: u64,
    /// The task.
    pub item: ItemId,
    /// The files.
    pub files: Vec<String>,
    /// The stages, in one line.
    pub summary: String,
    /// Whether a person took it back.
    #[serde(default)]
    pub undone: bool,
}

/// What is to be said of a mission of which no change stands; `None` where one does.
pub fn nothing_stands(receipts: &[Accepted]) -> Option<&'static str> {
    match receipts {
        [] => Some("nothing was changed"),
        all if all.iter().all(|receipt| receipt.undone) => {
            Some("all that it changed was taken back")
        }
        _ => None,
    }
}

/// A task that was begun.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Work {
    /// Attempts that failed.
    pub failed: u32,
    /// Reviews that came to no verdict.
    pub unjudged: u32,
    /// Given up for now, when that many change-sets were accepted: what others do may help it.
    pub deferred: Option<usize>,
    /// What the next attempt should know.
    pub feedback: String,
    /// What the Worker said when it was done; set while a review is due.
    pub summary: Option<String>,
    /// How the tests went after that, in one line; a review waits for it.
    pub tested: Option<String>,
    /// What the Worker points to.
    pub notes: Vec<NewFinding>,
    /// The Planner is to split it into smaller tasks.
    pub split_due: bool,
    /// The number of the milestone that its parts form, once it was split.
    pub parts: Option<u32>,
    /// It failed with all its attempts, and not by a person's hand.
    pub used_up: bool,
}

impl Work {
    /// Whether the Worker is done and nobody knows yet whether its tests pass.
    pub fn is_untested(&self) -> bool {
        self.summary.is_some() && self.tested.is_none()
    }
}

/// A change-set on its way through the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Proposal {
    pub session: SessionId,
    pub index: usize,
    pub item: ItemId,
    pub call: super::conversation::ToolCall,
    /// How often the tree changed beneath it.
    pub stale: u32,
    /// The change that is merged with what a person typed, in place of what the call says; see
    /// [`Meeting::change`](super::Meeting::change).
    #[serde(default)]
    pub merge: Option<String>,
    pub stage: ProposalStage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum ProposalStage {
    Queued,
    Checking,
    /// Checked, to be applied.
    Proved(Accepted),
    Applying(Accepted),
}

impl Mission {
    /// A mission before its first event.
    pub fn new(id: MissionId) -> Mission {
        Mission {
            id,
            goal: String::new(),
            mode: Mode::Task,
            engine: String::new(),
            limits: Limits::default(),
            spent: Spent::default(),
            started_at: 0,
            now: 0,
            stamp: 0,
            rules: 0,
            is_foreign: false,
            proved: None,
            active_ms: 0,
            phase: Phase::New,
            paused: false,
            ended: None,
            plan: None,
            findings: Vec::new(),
            receipts: Vec::new(),
            story: VecDeque::new(),
            told: 0,
            remarks: Vec::new(),
            brief: String::new(),
            work: BTreeMap::new(),
            untested: BTreeSet::new(),
            sessions: BTreeMap::new(),
            next_session: 1,
            proposals: VecDeque::new(),
            pending: BTreeMap::new(),
            next_effect: 1,
            reserved: BTreeMap::new(),
            greatest: Reserve::default(),
            ledgers: Ledgers::new(),
            progress: Progress::default(),
            milestones: 0,
            chosen: Vec::new(),
            baseline: None,
            uses: BTreeMap::new(),
            undoing: None,
            undo_asks: Vec::new(),
            answers: VecDeque::new(),
            undos: Vec::new(),
            offer: None,
            held: Vec::new(),
            questions: Vec::new(),
            asked: 0,
            answered: Vec::new(),
            waits_since: None,
            plannings: 0,
            rounds: 0,
            direct: false,
            accounts: Accounts::default(),
            notes: Vec::new(),
            weights: BTreeMap::new(),
            request: String::new(),
            on_fallback: BTreeSet::new(),
        }
    }

    /// What was wrong with the tree before the mission, in the gate's words; `None` until that is known.
    pub fn baseline(&self) -> Option<&str> {
        self.baseline.as_deref()
    }

    /// The open session with that number.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// Every open session.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// The effects that were begun and have not ended, for a runtime that starts again.
    pub fn pending(&self) -> impl Iterator<Item = Effect> {
        self.pending.iter().map(|(id, act)| Effect { id: *id, act: act.clone() })
    }

    /// When the wall-clock limit strikes, or that of the wait for an answer, milliseconds since the epoch; `None` when
    /// nothing is running.
    pub fn deadline(&self) -> Option<u64> {
        if let Some(since) = self.waits_since {
            return Some(since.saturating_add(self.limits.answer_ms));
        }
        let left = self.limits.wall_ms.saturating_sub(self.active_ms);
        let running = self.phase != Phase::New && !self.is_idle();
        running.then(|| self.stamp.saturating_add(left))
    }

    /// Whether nothing will happen before a person says something.
    pub fn is_idle(&self) -> bool {
        self.ended.is_some()
            || (self.pending.is_empty() && (self.paused || self.phase == Phase::Planned))
            || question::is_waiting(self)
    }

    /// Open items, error-level findings: what stands between the mission and its seal.
    pub fn obligations(&self) -> usize {
        let items = self.plan.as_ref().map_or(0, |p| {
            let (done, all) = p.progress();
            all - done
        });
        items + self.findings.iter().filter(|f| f.is_obligation()).count()
    }

    /// Whether that effect was begun and has not ended.
    pub fn is_pending(&self, effect: EffectId) -> bool {
        self.pending.contains_key(&effect)
    }

    pub(super) fn begin(&mut self, act: Act) -> Effect {
        let id = self.next_effect;
        self.next_effect += 1;
        self.pending.insert(id, act.clone());
        Effect { id, act }
    }

    /// The number of the next milestone. A number is never used twice, for receipts and findings name tasks.
    pub(super) fn next_milestone(&mut self) -> u32 {
        let taken = self.plan.iter().flat_map(|p| &p.milestones).map(|x| x.id.milestone_number());
        self.milestones = taken.max().unwrap_or(0).max(self.milestones) + 1;
        self.milestones
    }

    /// The tree is another one: what was seen of it before may be looked at again.
    pub(super) fn tree_changed(&mut self) {
        self.ledgers.clear();
        self.sessions.values_mut().for_each(|session| session.strikes = 0);
    }

    pub(super) fn open_session(&mut self, role: Role, item: Option<ItemId>, brief: String) {
        let id = self.next_session;
        self.next_session += 1;
        let mut session = Session::new(id, role, item, brief);
        if self.limits.context.recall && self.engine != super::SYMBOLIC {
            session.state = SessionState::Fresh;
        }
        self.sessions.insert(id, session);
    }

    /// Ends the mission. What is being applied is left to end, and is recorded; every other effect is dropped, and
    /// what it may still answer changes nothing.
    pub(super) fn end(&mut self, end: End) {
        if self.ended.is_some() {
            return;
        }
        self.sessions.clear();
        self.reserved.clear();
        self.pending.retain(|_, act| matches!(act, Act::Apply { .. } | Act::Undo { .. }));
        let applying = !self.pending.is_empty();
        self.proposals.retain(|p| applying && matches!(p.stage, ProposalStage::Applying(_)));
        let text = match &end {
            End::Sealed { hash } => {
                let hash = hash.get(..12).unwrap_or(hash);
                match nothing_stands(&self.receipts) {
                    None => format!("sealed {hash}"),
                    Some(but) => format!("sealed {hash}; {but}"),
                }
            }
            End::Cancelled => "cancelled".to_owned(),
            other => format!("{}: {}", other.name(), other.detail()),
        };
        self.tell(LineKind::End, None, None, text);
        self.ended = Some(end);
    }

    /// Ends the mission until a person has done what it needs.
    pub(super) fn block(&mut self, needs: &str) {
        let needs = match needs.trim() {
            "" => "a person to say the goal another way: no reason was given".to_owned(),
            _ => needs.to_owned(),
        };
        self.end(End::Blocked { needs });
    }

    pub(super) fn find(&mut self, item: Option<&ItemId>, by: FoundBy, what: NewFinding) -> u32 {
        let id = self.findings.len() as u32 + 1;
        self.findings.push(Finding {
            id,
            item: item.cloned(),
            by,
            what: what.tidy(),
            status: FindingStatus::Open,
        });
        id
    }

    /// Closes the open findings of a task that `by` made.
    pub(super) fn close_findings(&mut self, item: Option<&ItemId>, by: FoundBy) {
        let open = |f: &&mut Finding| {
            f.status == FindingStatus::Open && f.item.as_ref() == item && f.by == by
        };
        for finding in self.findings.iter_mut().filter(open) {
            if finding.what.severity != Gravity::Info {
                finding.status = FindingStatus::Closed;
            }
        }
    }
}
