//! Performs effects: each answers with one outcome. Nothing here knows what a mission makes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::custom::{self, Right};
use super::editors::Editors;
use super::prove::unlaid;
use super::settings::TestsWhen;
use super::{Editor, Settings, StartError, baseline, seal};
use crate::agents::{self, Agent, Ask, Waits};
use crate::extensions::plugins::{Remark, Who};
use crate::gate::gate::OpenServers;
use crate::gate::servers::Servers;
use crate::gate::{self, Baseline, Gate};
use crate::journal::Journal;
use crate::memory::{self, Question, Recalled, Store};
use crate::mission::control::RUN;
use crate::mission::conversation::{Message, Role, ToolCall, Usage};
use crate::mission::event::{Fault, FaultKind, SealVerdict, SessionId, Uses};
use crate::mission::plan::{ItemId, render};
use crate::mission::{Accepted, Act, Back, Mission, MissionId, Outcome, Session};
use crate::tools::{Caller, Toolbox};
use crate::workspace::OpenTexts;
use crate::workspace::hash::sha256;

/// An effect with all that it needs, taken from the mission when it begins.
pub(super) enum Job {
    Recall {
        question: Box<Question>,
        role: Role,
        who: Who,
    },
    Ask(Box<Ask>),
    Tool {
        caller: Caller,
        call: ToolCall,
        agent: Option<String>,
    },
    Check {
        mission: MissionId,
        session: SessionId,
        item: ItemId,
        call: ToolCall,
        merge: Option<String>,
        agent: Option<String>,
        links: usize,
    },
    Apply {
        mission: MissionId,
        receipt: u64,
    },
    Undo {
        mission: MissionId,
        number: u64,
        back: Back,
        merge: bool,
    },
    Baseline,
    Foresee {
        names: Vec<String>,
    },
    Test {
        baseline: Baseline,
    },
    Seal {
        mission: MissionId,
        plan: String,
        links: usize,
        baseline: Baseline,
    },
    Wait(Duration),
    /// The state and the effect do not fit, which is a defect.
    Impossible,
}

impl Job {
    fn lands(&self) -> bool {
        matches!(self, Job::Apply { .. } | Job::Undo { .. })
    }

    /// `held` is true while the mission is paused.
    pub fn of(m: &Mission, act: &Act, held: &watch::Receiver<bool>) -> Job {
        let links = m.receipts.len();
        match act {
            Act::Recall { session } => {
                let role = m.session(*session).map(|session| session.role);
                let asked = question(m, *session).map(Box::new).zip(role);
                asked.map_or(Job::Impossible, |(question, role)| {
                    let agent = question.task.as_ref().and_then(|task| task.agent.clone());
                    let who = who(&m.id, *session, role, agent);
                    Job::Recall { question, role, who }
                })
            }
            Act::Ask { session } => {
                ask(m, *session, held).map_or(Job::Impossible, |ask| Job::Ask(Box::new(ask)))
            }
            Act::Tool { session, call, .. } => m.session(*session).map_or(Job::Impossible, |s| {
                let agent = s.item.as_ref().and_then(|item| agent_of(m, item));
                Job::Tool { caller: caller(m, s, call), call: call.clone(), agent }
            }),
            Act::Check { session, item, call, merge } => {
                let (mission, item, call) = (m.id.clone(), item.clone(), call.clone());
                let (merge, agent) = (merge.clone(), agent_of(m, &item));
                Job::Check { mission, session: *session, item, call, merge, agent, links }
            }
            Act::Apply { receipt } => Job::Apply { mission: m.id.clone(), receipt: *receipt },
            Act::Undo { number, back, merge } => Job::Undo {
                mission: m.id.clone(),
                number: *number,
                back: back.clone(),
                merge: *merge,
            },
            Act::Baseline => Job::Baseline,
            Act::Foresee { names } => Job::Foresee { names: names.clone() },
            Act::Test { .. } => Job::Test { baseline: baseline::of(m) },
            Act::Seal => {
                let plan = m.plan.as_ref().map(render).unwrap_or_default();
                let (mission, plan) = (m.id.clone(), sha256(plan.as_bytes()));
                Job::Seal { mission, plan, links, baseline: baseline::of(m) }
            }
            Act::Wait { ms, .. } => Job::Wait(Duration::from_millis(*ms)),
        }
    }
}

/// Who acts, as plugins are told.
fn who(mission: &MissionId, session: SessionId, role: Role, agent: Option<String>) -> Who {
    let session = format!("{mission}/{session}");
    Who { session, agent: agent.unwrap_or_else(|| role.to_string()) }
}

/// The project's agent that a task is given to.
fn agent_of(m: &Mission, item: &ItemId) -> Option<String> {
    m.plan.as_ref()?.task(item)?.agent.clone()
}

fn caller(m: &Mission, s: &Session, call: &ToolCall) -> Caller {
    let own = m.receipts.iter().enumerate().filter(|(_, r)| Some(&r.item) == s.item.as_ref());
    let files = |(number, r): (usize, &Accepted)| {
        r.files.iter().map(move |file| (number, file.clone())).collect::<Vec<_>>()
    };
    // Only commands ask.
    let is_run = call.name == RUN;
    Caller {
        mission: m.id.clone(),
        session: s.id,
        role: s.role,
        item: s.item.clone(),
        applied: m.receipts.len(),
        settled: if is_run { own.flat_map(files).collect() } else { Vec::new() },
        has_run: is_run && has_run_before(&s.messages, call),
        open: OpenTexts::new(),
    }
}

/// Whether a command comes before that call, which is one of the newest answer's.
fn has_run_before(messages: &[Message], call: &ToolCall) -> bool {
    let answers = messages.iter().rev().filter_map(|message| match message {
        Message::Assistant { calls, .. } => Some(calls),
        _ => None,
    });
    answers.enumerate().any(|(back, calls)| {
        let before = calls.iter().take_while(|other| back > 0 || other.id != call.id);
        before.into_iter().any(|other| other.name == RUN)
    })
}

fn question(m: &Mission, session: u32) -> Option<Question> {
    let s = m.session(session)?;
    Some(Question {
        goal: m.goal.clone(),
        task: s.item.as_ref().and_then(|id| m.plan.as_ref()?.task(id)).cloned(),
        notes: m.notes.clone(),
        weights: m.weights.clone(),
        core: m.core(session),
    })
}

fn ask(m: &Mission, session: u32, held: &watch::Receiver<bool>) -> Option<Ask> {
    let s = m.session(session)?;
    let task = s.item.as_ref().and_then(|id| m.plan.as_ref()?.task(id)).cloned();
    Some(Ask {
        mission: m.id.clone(),
        session,
        role: s.role,
        goal: m.goal.clone(),
        task,
        pinned: s.pinned,
        messages: s.messages.clone(),
        offered: Arc::default(),
        blocks: s.item.as_ref().zip(m.plan.as_ref()).map_or(0, |(id, plan)| plan.waiting_for(id)),
        open: OpenTexts::new(),
        held: held.clone(),
    })
}

/// Who is told what happens meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    /// That a turn waits for a slot, and that it no longer does.
    pub waits: Waits<'a>,
    /// What did not work around it.
    pub remark: Remark<'a>,
}

pub(super) struct Performer {
    pub(super) root: PathBuf,
    pub(super) gate: Arc<Gate>,
    agent: Arc<dyn Agent>,
    label: String,
    pub(super) toolbox: Toolbox,
    pub(super) journal: Arc<Mutex<Journal>>,
    pub(super) mutants: Option<Duration>,
    pub(super) tests: TestsWhen,
    /// All editors of the workspace, as one.
    pub(super) editor: Option<Arc<dyn Editor>>,
    pub(super) editors: Arc<Editors>,
}

impl Performer {
    pub fn new(
        root: &Path,
        settings: &Settings,
        journal: Arc<Mutex<Journal>>,
        editors: Arc<Editors>,
    ) -> Result<Performer, StartError> {
        let gate = Arc::new(Gate::open(root, with_servers(settings.gate.clone(), root))?);
        let agent = agents::choose(&settings.models, &gate)?;
        Ok(Performer {
            root: gate.workspace().root().to_path_buf(),
            toolbox: Toolbox::new(
                gate.clone(),
                journal.clone(),
                settings.fetch.clone(),
                settings.own.as_deref(),
            ),
            label: agent.name(),
            gate,
            agent,
            journal,
            mutants: settings.mutants,
            tests: settings.tests,
            editor: Some(editors.clone()),
            editors,
        })
    }

    /// Who answers the turns.
    pub fn engine(&self) -> &str {
        &self.label
    }

    pub(super) fn open_texts(&self) -> OpenTexts {
        self.editor.as_ref().map(|e| e.open_texts()).unwrap_or_default()
    }

    /// What cannot be read is not remembered; a session begins all the same.
    async fn recall(&self, question: Question, role: Role, who: &Who, told: Told<'_>) -> Outcome {
        self.look_at_extensions(told.remark).await;
        let goal = match self.goal(&question.goal, role, who, told.remark).await {
            Ok(goal) => goal,
            Err(taken) => {
                return Outcome::Faulted { fault: Fault::new(FaultKind::NeedsHuman, taken) };
            }
        };
        let (gate, root) = (self.gate.clone(), self.root.clone());
        let recalled = tokio::task::spawn_blocking(move || {
            let agent = question.task.as_ref().and_then(|task| task.agent.as_deref());
            let more = custom::told(&root, role, agent);
            let store = Store::load(gate.workspace().root()).unwrap_or_else(|error| {
                tracing::warn!(%error, "no notes of earlier missions");
                Store::default()
            });
            (memory::recall(gate.workspace(), &store, &question), more)
        });
        let (Recalled { shared, own, weighed }, more) = recalled.await.unwrap_or_default();
        Outcome::Recalled { shared, own: own + &more + &goal, weighed }
    }

    /// What plugins make of the goal, for the Commander; empty where nothing.
    async fn goal(
        &self,
        goal: &str,
        role: Role,
        who: &Who,
        remark: Remark<'_>,
    ) -> Result<String, String> {
        if role != Role::Commander {
            return Ok(String::new());
        }
        let plugins = &self.toolbox.extensions().plugins;
        let changed = plugins.goal(goal, who, remark).await?;
        let told = |text: String| {
            let text = text.replace("</goal>", "");
            format!(
                "\n<goal from=\"the project's plugins\">\nThe project puts the goal so:\n{text}\n</goal>"
            )
        };
        Ok(changed.map(told).unwrap_or_default())
    }

    /// What has changed of them is taken up; what stands there and is not in force is said.
    async fn look_at_extensions(&self, remark: Remark<'_>) {
        let extensions = self.toolbox.extensions();
        extensions.refresh().await;
        extensions.idle().into_iter().for_each(remark);
    }

    /// A turn, with what plugins say to it.
    async fn turn(&self, mut ask: Ask, told: Told<'_>) -> Outcome {
        ask.open = self.open_texts();
        ask.offered = self.toolbox.offered(&ask.mission, ask.session, ask.role);
        let mut turn = match self.agent.turn(&ask, told.waits).await {
            Ok(turn) if turn.calls.iter().any(is_deep) => {
                let fault = Fault { by: turn.by, ..too_deep(turn.usage) };
                return Outcome::Faulted { fault };
            }
            Ok(turn) => turn,
            Err(fault) => return Outcome::Faulted { fault },
        };
        let agent = ask.task.as_ref().and_then(|task| task.agent.clone());
        let who = who(&ask.mission, ask.session, ask.role, agent);
        match self.toolbox.extensions().plugins.done(&turn.text, &who, told.remark).await {
            Ok(prompts) => turn.prompts = prompts.into(),
            Err(why) => {
                let fault = Fault::new(FaultKind::NeedsHuman, why);
                return Outcome::Faulted {
                    fault: Fault { usage: turn.usage, by: turn.by, ..fault },
                };
            }
        }
        Outcome::Answered { turn }
    }

    /// Performs it.
    pub async fn perform(&self, job: Job, told: Told<'_>) -> Outcome {
        if job.lands() {
            // Before bytes land, every editor says what is open in it right now.
            self.editors.look().await;
        }
        match job {
            Job::Recall { question, role, who } => self.recall(*question, role, &who, told).await,
            Job::Ask(ask) => self.turn(*ask, told).await,
            Job::Tool { mut caller, call, agent } => {
                if let Some(content) = self.forbids(agent.clone(), Right::of_tool(&call.name)) {
                    return Outcome::Called { content, is_error: true };
                }
                caller.open = self.open_texts();
                let who = who(&caller.mission, caller.session, caller.role, agent);
                // Servers are looked at when a session begins, and for their own tools.
                self.toolbox.extensions().plugins.refresh().await;
                match self.toolbox.call(caller, call, &who, told.remark).await {
                    Ok(content) => Outcome::Called { content, is_error: false },
                    Err(content) => Outcome::Called { content, is_error: true },
                }
            }
            Job::Check { mission, session, item, mut call, merge, agent, links } => {
                if let Some(why) = self.forbids(agent.clone(), Some(Right::Write)) {
                    return Outcome::Checked { verdict: unlaid(why) };
                }
                let who = who(&mission, session, Role::Worker, agent);
                let plugins = &self.toolbox.extensions().plugins;
                call.arguments =
                    match plugins.before(&call.name, call.arguments, &who, told.remark).await {
                        Ok(arguments) => arguments,
                        Err(why) => return Outcome::Checked { verdict: unlaid(why) },
                    };
                let proposed = (&call, merge.as_deref());
                let verdict = self.check((&mission, session), &item, proposed, links).await;
                Outcome::Checked { verdict }
            }
            Job::Apply { mission, receipt } => self.apply(&mission, receipt).await,
            Job::Undo { mission, number, back, merge } => {
                self.undo(&mission, number, &back, merge).await
            }
            Job::Baseline => Outcome::Baselined { baseline: self.baseline().await },
            Job::Foresee { names } => Outcome::Foreseen { uses: self.foresee(names).await },
            Job::Test { baseline } => Outcome::Tested { verdict: self.test(&baseline).await },
            Job::Seal { mission, plan, links, baseline } => {
                let verdict = seal::seal(self, &mission, plan, links, &baseline).await;
                Outcome::Sealed {
                    verdict: verdict.unwrap_or_else(|reason| SealVerdict::Unverified { reason }),
                }
            }
            Job::Wait(time) => {
                tokio::time::sleep(time).await;
                Outcome::Waited
            }
            Job::Impossible => Outcome::Aborted,
        }
    }
}

impl Performer {
    /// Where nothing can be found out, nothing is foreseen: the gate notices what gets into another's way.
    async fn foresee(&self, names: Vec<String>) -> BTreeMap<String, Vec<Uses>> {
        match self.gate.uses(names, &self.open_texts()).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "it cannot be foreseen which tasks touch the same files");
                BTreeMap::new()
            }
        }
    }
}

/// The built-in downstream servers, unless the settings bring others.
pub(crate) fn with_servers(mut settings: gate::Settings, root: &Path) -> gate::Settings {
    let project = root.to_path_buf();
    let built_in: OpenServers = Arc::new(move |shadow: &Path| {
        Arc::new(Servers::new(shadow.to_path_buf(), project.clone()))
    });
    settings.servers.get_or_insert(built_in);
    settings
}

/// How deep the arguments of a call may nest. What is kept must be read again, and readers have a limit.
const MAX_DEPTH: usize = 64;

fn is_deep(call: &ToolCall) -> bool {
    fn exceeds(value: &serde_json::Value, left: usize) -> bool {
        let Some(left) = left.checked_sub(1) else {
            return true;
        };
        match value {
            serde_json::Value::Array(items) => items.iter().any(|v| exceeds(v, left)),
            serde_json::Value::Object(fields) => fields.values().any(|v| exceeds(v, left)),
            _ => false,
        }
    }
    call.arguments.values().any(|value| exceeds(value, MAX_DEPTH))
}

fn too_deep(usage: Usage) -> Fault {
    let message = format!("the arguments of a call nest deeper than {MAX_DEPTH} levels");
    Fault { usage, ..Fault::new(FaultKind::BadAnswer, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_nest_too_deep_to_be_read_again_are_refused() {
        let nested = |depth: usize| {
            let value =
                (0..depth).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
            let arguments = serde_json::Map::from_iter([("a".to_owned(), value)]);
            ToolCall { id: "1".into(), name: "read".into(), arguments: arguments.into() }
        };
        assert!(!is_deep(&nested(20)));
        assert!(is_deep(&nested(100)));
    }
}
