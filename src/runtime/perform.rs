//! Performs effects: asks agents, calls tools, proves and applies change-sets. Each answers with one outcome; nothing
//! here knows what a mission makes of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::engine::locked;
use super::store::now_ms;
use super::{Editor, Settings, StartError, VersionedEdit, seal};
use crate::agents::{self, Agent, Ask};
use crate::gate::gate::OpenServers;
use crate::gate::receipt::{Proof, Receipt};
use crate::gate::report::{Report, Verdict};
use crate::gate::servers::Servers;
use crate::gate::{self, Checked, Gate};
use crate::journal::Journal;
use crate::mission::conversation::ToolCall;
use crate::mission::event::{GateVerdict, NewFinding, SealVerdict};
use crate::mission::plan::{ItemId, render};
use crate::mission::{Act, Mission, MissionId, Outcome};
use crate::tools::{Caller, Toolbox};
use crate::workspace::hash::sha256;
use crate::workspace::{ApplyError, ChangeSet, FileWrite, OpenTexts, RelPath, apply};

/// An effect with all that it needs, taken from the mission when it begins.
pub(super) enum Job {
    Ask(Box<Ask>),
    Tool {
        caller: Caller,
        call: ToolCall,
    },
    Check {
        mission: MissionId,
        item: ItemId,
        call: ToolCall,
        links: usize,
    },
    Apply {
        mission: MissionId,
        receipt: u64,
    },
    Seal {
        mission: MissionId,
        plan: String,
        links: usize,
    },
    Wait(Duration),
    /// The state and the effect do not fit, which is a defect.
    Impossible,
}

impl Job {
    pub fn of(m: &Mission, act: &Act) -> Job {
        let links = m.receipts.len();
        match act {
            Act::Ask { session } => {
                ask(m, *session).map_or(Job::Impossible, |ask| Job::Ask(Box::new(ask)))
            }
            Act::Tool { session, call, .. } => {
                m.session(*session).map_or(Job::Impossible, |s| Job::Tool {
                    caller: Caller {
                        mission: m.id.clone(),
                        role: s.role,
                        item: s.item.clone(),
                        open: OpenTexts::new(),
                    },
                    call: call.clone(),
                })
            }
            Act::Check { item, call, .. } => {
                Job::Check { mission: m.id.clone(), item: item.clone(), call: call.clone(), links }
            }
            Act::Apply { receipt } => Job::Apply { mission: m.id.clone(), receipt: *receipt },
            Act::Seal => {
                let plan = m.plan.as_ref().map(render).unwrap_or_default();
                Job::Seal { mission: m.id.clone(), plan: sha256(plan.as_bytes()), links }
            }
            Act::Wait { ms, .. } => Job::Wait(Duration::from_millis(*ms)),
        }
    }
}

fn ask(m: &Mission, session: u32) -> Option<Ask> {
    let s = m.session(session)?;
    let task = s.item.as_ref().and_then(|id| m.plan.as_ref()?.task(id)).cloned();
    Some(Ask {
        mission: m.id.clone(),
        session,
        role: s.role,
        goal: m.goal.clone(),
        task,
        messages: s.messages.clone(),
        open: OpenTexts::new(),
    })
}

pub(super) struct Performer {
    root: PathBuf,
    pub(super) gate: Arc<Gate>,
    agent: Arc<dyn Agent>,
    label: String,
    toolbox: Toolbox,
    pub(super) journal: Arc<Mutex<Journal>>,
    editor: Option<Arc<dyn Editor>>,
}

impl Performer {
    pub fn new(
        root: &Path,
        settings: &Settings,
        journal: Arc<Mutex<Journal>>,
        editor: Option<Arc<dyn Editor>>,
    ) -> Result<Performer, StartError> {
        let gate = Arc::new(Gate::open(root, with_servers(settings.gate.clone(), root))?);
        let agent = agents::choose(&settings.models, &gate)?;
        Ok(Performer {
            root: gate.workspace().root().to_path_buf(),
            toolbox: Toolbox::new(gate.clone(), journal.clone()),
            label: agent.name(),
            gate,
            agent,
            journal,
            editor,
        })
    }

    /// Who answers the turns.
    pub fn engine(&self) -> &str {
        &self.label
    }

    pub(super) fn open_texts(&self) -> OpenTexts {
        self.editor.as_ref().map(|e| e.open_texts()).unwrap_or_default()
    }

    pub async fn perform(&self, job: Job) -> Outcome {
        match job {
            Job::Ask(mut ask) => {
                ask.open = self.open_texts();
                match self.agent.turn(&ask).await {
                    Ok(turn) => Outcome::Answered { turn },
                    Err(fault) => Outcome::Faulted { fault },
                }
            }
            Job::Tool { mut caller, call } => {
                caller.open = self.open_texts();
                match self.toolbox.call(&caller, &call).await {
                    Ok(content) => Outcome::Called { content, is_error: false },
                    Err(content) => Outcome::Called { content, is_error: true },
                }
            }
            Job::Check { mission, item, call, links } => {
                Outcome::Checked { verdict: self.check(&mission, &item, &call, links).await }
            }
            Job::Apply { mission, receipt } => self.apply(&mission, receipt).await,
            Job::Seal { mission, plan, links } => {
                let verdict = seal::seal(self, &mission, plan, links).await;
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

    async fn check(
        &self,
        mission: &MissionId,
        item: &ItemId,
        call: &ToolCall,
        links: usize,
    ) -> GateVerdict {
        let arguments = serde_json::Value::Object(call.arguments.clone());
        let change: ChangeSet = match serde_json::from_value(arguments) {
            Ok(change) => change,
            Err(error) => return malformed(&error.to_string()),
        };
        let open = self.open_texts();
        match self.gate.check(&change, &open).await {
            Ok(checked) => self.verdict(mission, item, checked, &open, links),
            Err(error) => GateVerdict::Unverified { reason: error.to_string() },
        }
    }

    fn verdict(
        &self,
        mission: &MissionId,
        item: &ItemId,
        checked: Checked,
        open: &OpenTexts,
        links: usize,
    ) -> GateVerdict {
        match checked.report.verdict {
            Verdict::Accepted => self
                .accept(mission, item, checked, open, links)
                .unwrap_or_else(|reason| GateVerdict::Unverified { reason }),
            Verdict::Refused => refused(&checked.report),
            Verdict::Unverified => {
                GateVerdict::Unverified { reason: gate::words::unverified(&checked.report) }
            }
        }
    }

    /// Keeps the receipt and the bytes that it names; from then on they may be applied.
    fn accept(
        &self,
        mission: &MissionId,
        item: &ItemId,
        checked: Checked,
        open: &OpenTexts,
        links: usize,
    ) -> Result<GateVerdict, String> {
        let mut bytes: Vec<(String, Vec<u8>)> = Vec::new();
        for file in &checked.contents {
            bytes.extend(file.result.iter().map(|b| (sha256(b), b.clone())));
            bytes.extend(self.base_bytes(&file.path, open).map(|b| (sha256(&b), b)));
        }
        let mut journal = locked(&self.journal);
        let chain = chain(&journal, mission)?;
        let summary = gate::words::stages(&checked.report.stages);
        let files = checked.report.files.iter().map(|f| f.path.to_string()).collect();
        let proof = Proof::Change { item: item.to_string(), report: checked.report };
        let prev = links.checked_sub(1).and_then(|at| chain.get(at));
        let receipt = Receipt::next(prev, &mission.0, proof, now_ms());
        journal
            .put_receipt(mission, receipt.seq, &receipt.to_json(), &bytes)
            .map_err(|error| error.to_string())?;
        Ok(GateVerdict::Accepted { receipt: receipt.seq, files, summary })
    }

    fn base_bytes(&self, path: &RelPath, open: &OpenTexts) -> Option<Vec<u8>> {
        match open.get(path) {
            Some(open) => Some(open.text.clone().into_bytes()),
            None => std::fs::read(path.in_root(&self.root)).ok(),
        }
    }

    /// Applies exactly the bytes that the receipt names; a second time changes nothing.
    async fn apply(&self, mission: &MissionId, number: u64) -> Outcome {
        let writes = match self.writes(mission, number) {
            Ok(writes) => writes,
            Err(reason) => return Outcome::NotApplied { reason },
        };
        let open = self.open_texts();
        let (buffers, files): (Vec<_>, Vec<_>) =
            writes.into_iter().partition(|w| open.contains_key(&w.path));
        let edits = match edits(buffers, &open) {
            Ok(edits) => edits,
            Err(reason) => return Outcome::Stale { reason },
        };
        let undo = undo(&self.root, &files);
        if !is_applied(&self.root, &files) {
            match apply(&self.root, &files) {
                Ok(_) => {}
                Err(error @ ApplyError::Stale { .. }) => {
                    return Outcome::Stale { reason: error.to_string() };
                }
                Err(error) => return Outcome::NotApplied { reason: error.to_string() },
            }
        }
        if let (Some(editor), false) = (&self.editor, edits.is_empty()) {
            if let Err(reason) = editor.apply(edits).await {
                // All or nothing: what was written to the disk is taken back.
                if let Err(error) = apply(&self.root, &undo) {
                    return Outcome::NotApplied { reason: format!("{reason}; {error}") };
                }
                return Outcome::Stale { reason };
            }
        }
        Outcome::Applied
    }

    fn writes(&self, mission: &MissionId, number: u64) -> Result<Vec<FileWrite>, String> {
        let journal = locked(&self.journal);
        let chain = chain(&journal, mission)?;
        let receipt = chain.iter().find(|r| r.seq == number);
        let Some(Receipt { proof: Proof::Change { report, .. }, .. }) = receipt else {
            return Err(format!("there is no receipt {number}; nothing is applied without one"));
        };
        let mut writes = Vec::new();
        for file in &report.files {
            let result =
                match &file.result {
                    None => None,
                    Some(hash) => {
                        let bytes = journal.bytes(hash).map_err(|e| e.to_string())?;
                        let bytes = bytes.filter(|b| sha256(b) == *hash);
                        Some(bytes.ok_or_else(|| {
                            format!("the journal lacks the bytes of {}", file.path)
                        })?)
                    }
                };
            writes.push(FileWrite { path: file.path.clone(), expect: file.base.clone(), result });
        }
        Ok(writes)
    }
}

/// The built-in downstream servers, unless the settings bring others.
fn with_servers(mut settings: gate::Settings, root: &Path) -> gate::Settings {
    let project = root.to_path_buf();
    let built_in: OpenServers = Arc::new(move |shadow: &Path| {
        Arc::new(Servers::new(shadow.to_path_buf(), project.clone()))
    });
    settings.servers.get_or_insert(built_in);
    settings
}

/// The receipts of a mission so far.
pub(super) fn chain(journal: &Journal, mission: &MissionId) -> Result<Vec<Receipt>, String> {
    let texts = journal.receipts(mission).map_err(|e| e.to_string())?;
    texts.iter().map(|text| Receipt::from_json(text).map_err(|e| e.to_string())).collect()
}

fn is_applied(root: &Path, files: &[FileWrite]) -> bool {
    files.iter().all(|file| {
        let found = std::fs::read(file.path.in_root(root)).ok();
        found.as_deref() == file.result.as_deref()
    })
}

/// The writes that take `files` back.
fn undo(root: &Path, files: &[FileWrite]) -> Vec<FileWrite> {
    let back = |file: &FileWrite| FileWrite {
        path: file.path.clone(),
        expect: file.result.as_deref().map(sha256),
        result: std::fs::read(file.path.in_root(root)).ok(),
    };
    files.iter().map(back).collect()
}

/// The edits of open buffers; a buffer that is no longer the text that was proved is stale.
fn edits(buffers: Vec<FileWrite>, open: &OpenTexts) -> Result<Vec<VersionedEdit>, String> {
    let mut edits = Vec::new();
    for file in buffers {
        let Some(buffer) = open.get(&file.path) else {
            continue;
        };
        let hash = sha256(buffer.text.as_bytes());
        let result = file.result.map(String::from_utf8);
        let after = match result {
            Some(Ok(after)) => after,
            Some(Err(_)) => {
                return Err(format!("{} is open in the editor and would not be text", file.path));
            }
            None => {
                return Err(format!(
                    "{} is open in the editor; close it so that it can be removed",
                    file.path
                ));
            }
        };
        if after == buffer.text {
            continue;
        }
        if file.expect.as_ref() != Some(&hash) {
            return Err(format!("{} was edited since", file.path));
        }
        edits.push(VersionedEdit {
            path: file.path,
            version: buffer.version,
            before: buffer.text.clone(),
            after,
        });
    }
    Ok(edits)
}

fn malformed(error: &str) -> GateVerdict {
    let report = format!("the arguments of `propose` do not fit: {error}");
    let problem = finding(None, None, report.clone());
    GateVerdict::Refused { stage: "apply".to_owned(), report, problems: vec![problem] }
}

fn finding(file: Option<String>, line: Option<u32>, message: String) -> NewFinding {
    NewFinding {
        file,
        line,
        severity: crate::mission::event::Gravity::Error,
        message,
        fix: None,
        kind: None,
    }
}

/// The most problems that a worker is shown at once.
const SHOWN: usize = 10;

fn refused(report: &Report) -> GateVerdict {
    let stage = report
        .problems
        .first()
        .map_or("apply".to_owned(), |p| format!("{:?}", p.stage).to_lowercase());
    let shown = report.problems.iter().take(SHOWN).map(|p| {
        let d = &p.diagnostic;
        let code = d.code.as_ref().map_or(String::new(), |code| format!(" [{code}]"));
        format!("{}:{}:{code} {}\n{}", d.path, d.range.start.line + 1, d.message, p.frame)
    });
    let mut text = shown.collect::<Vec<_>>().join("\n");
    if report.problems.len() > SHOWN {
        text += &format!("\n[{} more]", report.problems.len() - SHOWN);
    }
    let problems = report.problems.iter().map(|p| {
        let d = &p.diagnostic;
        finding(Some(d.path.to_string()), Some(d.range.start.line + 1), d.message.clone())
    });
    GateVerdict::Refused { stage, report: text, problems: problems.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_proposal_is_a_refusal_at_apply() {
        let verdict = malformed("missing field `path`");
        assert!(matches!(verdict, GateVerdict::Refused { stage, .. } if stage == "apply"));
    }

    #[test]
    fn a_buffer_that_was_edited_is_stale() {
        let path = RelPath::new("a").unwrap();
        let text = "typed".to_owned();
        let open =
            OpenTexts::from([(path.clone(), crate::workspace::OpenText { version: 3, text })]);
        let write = |expect: &str, result: Option<&str>| FileWrite {
            path: path.clone(),
            expect: Some(sha256(expect.as_bytes())),
            result: result.map(|r| r.as_bytes().to_vec()),
        };
        assert!(
            edits(vec![write("before", Some("after"))], &open)
                .unwrap_err()
                .contains("edited since")
        );
        assert!(edits(vec![write("typed", None)], &open).unwrap_err().contains("close it"));
        assert_eq!(edits(vec![write("typed", Some("after"))], &open).unwrap()[0].version, 3);
        assert!(edits(vec![write("before", Some("typed"))], &open).unwrap().is_empty());
    }
}
