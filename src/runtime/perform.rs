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
use crate::mission::conversation::{ToolCall, Usage};
use crate::mission::event::{Fault, FaultKind, GateVerdict, NewFinding, SealVerdict};
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
    Undo {
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
                        applied: links,
                        open: OpenTexts::new(),
                    },
                    call: call.clone(),
                })
            }
            Act::Check { item, call, .. } => {
                Job::Check { mission: m.id.clone(), item: item.clone(), call: call.clone(), links }
            }
            Act::Apply { receipt } => Job::Apply { mission: m.id.clone(), receipt: *receipt },
            Act::Undo { receipt } => Job::Undo { mission: m.id.clone(), receipt: *receipt },
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
                    Ok(turn) if turn.calls.iter().any(is_deep) => {
                        Outcome::Faulted { fault: too_deep(turn.usage) }
                    }
                    Ok(turn) => Outcome::Answered { turn },
                    Err(fault) => Outcome::Faulted { fault },
                }
            }
            Job::Tool { mut caller, call } => {
                caller.open = self.open_texts();
                match self.toolbox.call(caller, call).await {
                    Ok(content) => Outcome::Called { content, is_error: false },
                    Err(content) => Outcome::Called { content, is_error: true },
                }
            }
            Job::Check { mission, item, call, links } => {
                Outcome::Checked { verdict: self.check(&mission, &item, &call, links).await }
            }
            Job::Apply { mission, receipt } => match self.writes(&mission, receipt) {
                Ok(writes) => self.land(writes).await,
                Err(reason) => Outcome::NotApplied { reason },
            },
            Job::Undo { mission, receipt } => match self.unwrites(&mission, receipt) {
                Ok(writes) => self.land(writes).await,
                Err(reason) => Outcome::NotApplied { reason },
            },
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

    /// Lets exactly these bytes land, where the files are still what they are expected to be: through the editor where
    /// they are open, on the disk else. A second time changes nothing.
    async fn land(&self, writes: Vec<FileWrite>) -> Outcome {
        let open = self.open_texts();
        let (buffers, files): (Vec<_>, Vec<_>) =
            writes.into_iter().partition(|w| open.contains_key(&w.path));
        let edits = match edits(buffers, &open) {
            Ok(edits) => edits,
            Err(reason) => return Outcome::Stale { reason },
        };
        // An earlier process may have been killed between two renames: what it left is finished.
        let left = files.iter().filter(|file| !is_applied(&self.root, file)).cloned().collect();
        match self.put(left).await {
            Ok(()) => {}
            Err(Unput::Stale(reason)) => return Outcome::Stale { reason },
            Err(Unput::Failed(reason)) => return Outcome::NotApplied { reason },
        }
        if let (Some(editor), false) = (&self.editor, edits.is_empty())
            && let Err(reason) = editor.apply(edits).await
        {
            return self.take_back(&files, reason).await;
        }
        Outcome::Applied
    }

    /// Writes closed files, all of them or none, off the async threads.
    async fn put(&self, files: Vec<FileWrite>) -> Result<(), Unput> {
        if files.is_empty() {
            return Ok(());
        }
        let root = self.root.clone();
        match tokio::task::spawn_blocking(move || apply(&root, &files)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error @ ApplyError::Stale { .. })) => Err(Unput::Stale(error.to_string())),
            Ok(Err(error)) => Err(Unput::Failed(error.to_string())),
            Err(panic) => Err(Unput::Failed(format!("internal error: {panic}"))),
        }
    }

    /// All or nothing: the editor did not take its part, so what was written to the disk is taken back.
    async fn take_back(&self, files: &[FileWrite], reason: String) -> Outcome {
        let undo = undo(&locked(&self.journal), files);
        let undone = match undo {
            Ok(undo) => self.put(undo).await,
            Err(error) => Err(Unput::Failed(error)),
        };
        match undone {
            Ok(()) => Outcome::Stale { reason },
            Err(Unput::Stale(error) | Unput::Failed(error)) => {
                Outcome::NotApplied { reason: format!("{reason}; {error}") }
            }
        }
    }

    /// The writes that take back what a receipt names.
    fn unwrites(&self, mission: &MissionId, number: u64) -> Result<Vec<FileWrite>, String> {
        let writes = self.writes(mission, number)?;
        undo(&locked(&self.journal), &writes)
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
            let bytes = file.result.as_ref().map(|hash| kept(&journal, hash, &file.path));
            let result = bytes.transpose()?;
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

/// Why files were not written.
enum Unput {
    /// They are no longer what was proved.
    Stale(String),
    /// They cannot be written.
    Failed(String),
}

/// Whether the file is what it is to become. What cannot be read is not.
fn is_applied(root: &Path, file: &FileWrite) -> bool {
    match std::fs::read(file.path.in_root(root)) {
        Ok(found) => file.result.as_ref() == Some(&found),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound && file.result.is_none(),
    }
}

/// The writes that take `files` back, from the bases that were kept with their receipt.
fn undo(journal: &Journal, files: &[FileWrite]) -> Result<Vec<FileWrite>, String> {
    let base = |file: &FileWrite| match &file.expect {
        None => Ok(None),
        Some(hash) => kept(journal, hash, &file.path).map(Some),
    };
    let back = |file: &FileWrite| {
        let expect = file.result.as_deref().map(sha256);
        Ok(FileWrite { path: file.path.clone(), expect, result: base(file)? })
    };
    files.iter().map(back).collect()
}

/// Bytes from the journal, looked at once more.
fn kept(journal: &Journal, hash: &str, path: &RelPath) -> Result<Vec<u8>, String> {
    let bytes = journal.bytes(hash).map_err(|e| e.to_string())?;
    bytes
        .filter(|b| sha256(b) == *hash)
        .ok_or_else(|| format!("the journal lacks the bytes of {path}"))
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
    Fault { kind: FaultKind::BadAnswer, message, retry_after_ms: None, usage }
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
/// The most findings that one refusal makes.
const FINDINGS: usize = 100;

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
    let problems = report.problems.iter().take(FINDINGS).map(|p| {
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
    fn arguments_that_nest_too_deep_to_be_read_again_are_refused() {
        let nested = |depth: usize| {
            let value =
                (0..depth).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
            let arguments = serde_json::Map::from_iter([("a".to_owned(), value)]);
            ToolCall { id: "1".into(), name: "read".into(), arguments }
        };
        assert!(!is_deep(&nested(20)));
        assert!(is_deep(&nested(100)));
    }

    #[test]
    fn what_was_applied_can_be_taken_back_from_the_journal() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        let (base, result) = (b"base".to_vec(), b"result".to_vec());
        let kept = [(sha256(&base), base.clone())];
        journal.put_receipt(&MissionId("m".into()), 1, "{}", &kept).unwrap();
        let write = |path: &str, expect: Option<&[u8]>| FileWrite {
            path: RelPath::new(path).unwrap(),
            expect: expect.map(sha256),
            result: Some(result.clone()),
        };
        let files = [write("old", Some(&base)), write("new", None)];
        std::fs::write(root.path().join("old"), &base).unwrap();
        assert!(!is_applied(root.path(), &files[0]));
        apply(root.path(), &files).unwrap();
        assert!(files.iter().all(|file| is_applied(root.path(), file)));
        apply(root.path(), &undo(&journal, &files).unwrap()).unwrap();
        assert_eq!(std::fs::read(root.path().join("old")).unwrap(), base);
        assert!(!root.path().join("new").exists());
        assert!(undo(&journal, &[write("x", Some(b"unknown"))]).is_err());
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
