//! Proves a change-set: the gate is asked, and what it accepts is kept with its receipt before anybody may apply it.

use super::laying::OnTree;
use super::meeting::is_unlaid;
use super::perform::Performer;
use super::spans;
use super::store::{chain, locked, now_ms};
use super::trees;
use crate::gate::GateError;
use crate::gate::report::receipt::{Proof, Receipt};
use crate::gate::report::{Report, Verdict};
use crate::gate::{self, Checked, Judged};
use crate::mission::MissionId;
use crate::mission::conversation::ToolCall;
use crate::mission::event::{GateVerdict, NewFinding, SessionId};
use crate::mission::plan::ItemId;
use crate::workspace::hash::sha256;
use crate::workspace::{OpenTexts, RelPath, Tree};

impl Performer {
    pub(super) async fn check(
        &self,
        (mission, session): (&MissionId, SessionId),
        item: &ItemId,
        (call, merge): (&ToolCall, Option<&str>),
        links: usize,
    ) -> GateVerdict {
        let mut tries = 0;
        let (open, checked, notes) = loop {
            let open = self.open_texts();
            let laid = match merge {
                Some(change) => self.lay_merged(mission, change, &open),
                None => self.lay((mission, session), call, &open).await,
            };
            let laid = match laid {
                Ok(laid) => laid,
                Err(refused) => return refused,
            };
            let judged = match merge {
                Some(_) => self.gate.check_proposal(&laid.proposal, &open).await.map(|j| (open, j)),
                None => self.judge(&laid, open).await,
            };
            let (open, Judged { checked, notes }) = match judged {
                Ok(judged) => judged,
                Err(error) => return GateVerdict::Unverified { reason: error.to_string() },
            };
            if !laid.is_outdated(&checked.report) {
                break (open, checked, notes);
            }
            tries += 1;
            if tries == TRIES {
                return unlaid("the files keep changing while they are merged".to_owned());
            }
        };
        spans::stages(&checked.report.stages);
        match checked.report.verdict {
            Verdict::Accepted => self
                .accept(mission, item, checked, &notes, &open, links)
                .await
                .unwrap_or_else(|reason| GateVerdict::Unverified { reason }),
            Verdict::Refused => refused(&checked.report, &notes),
            Verdict::Unverified => {
                GateVerdict::Unverified { reason: gate::words::unverified(&checked.report) }
            }
        }
    }

    /// What the gate says, and for which open texts.
    async fn judge(
        &self,
        laid: &OnTree,
        open: OpenTexts,
    ) -> Result<(OpenTexts, Judged), GateError> {
        let saved = self.without_typing(laid, &open);
        if saved.len() == open.len() {
            let judged = self.gate.check_proposal(&laid.proposal, &open).await?;
            return Ok((open, judged));
        }
        if laid.replaces_typing(&open, &saved) {
            return self.beside_typing(&laid.proposal, open, saved).await;
        }
        let judged = self.gate.check_proposal(&laid.proposal, &open).await?;
        if !is_unlaid(&judged.checked.report) {
            return Ok((open, judged));
        }
        let rebased = self.beside_typing(&laid.proposal, open.clone(), saved).await?;
        match rebased.1.checked.report.verdict {
            // Typing is not the reason: what is wrong with it is what is wrong with it on the texts of now.
            Verdict::Accepted => Ok(rebased),
            _ => Ok((open, judged)),
        }
    }

    /// Keeps the receipt and the bytes that it names; from then on they may be applied.
    async fn accept(
        &self,
        mission: &MissionId,
        item: &ItemId,
        mut checked: Checked,
        notes: &[String],
        open: &OpenTexts,
        links: usize,
    ) -> Result<GateVerdict, String> {
        let mut bytes: Vec<(String, Vec<u8>)> = Vec::new();
        for file in &checked.contents {
            bytes.extend(file.result.iter().map(|b| (sha256(b), b.clone())));
            bytes.extend(self.base_bytes(&file.path, open).map(|b| (sha256(&b), b)));
        }
        let tree = match checked.base.take() {
            Some(tree) => Some(self.keep_tree(mission, links, tree, open).await),
            None => None,
        };
        let mut journal = locked(&self.journal);
        let chain = chain(&journal, mission)?;
        let mut summary = gate::words::accepted(&checked.report);
        notes.iter().for_each(|note| summary += &format!("; {note}"));
        let files = checked.report.files.iter().map(|f| f.path.to_string()).collect();
        let proof = Proof::Change { item: item.to_string(), tree, report: checked.report };
        let prev = links.checked_sub(1).and_then(|at| chain.get(at));
        let receipt = Receipt::next(prev, &mission.0, proof, now_ms());
        journal
            .put_receipt(mission, receipt.seq, &receipt.to_json(), &bytes)
            .map_err(|error| error.to_string())?;
        Ok(GateVerdict::Accepted { receipt: receipt.seq, files, summary })
    }

    /// Keeps what is needed to build the tree of the next receipt again, and answers with its hash. Where that fails the
    /// receipt stands all the same; it only cannot be proved again.
    pub(super) async fn keep_tree(
        &self,
        mission: &MissionId,
        links: usize,
        tree: Tree,
        open: &OpenTexts,
    ) -> String {
        let hash = tree.hash();
        let (journal, root) = (self.journal.clone(), self.root.clone());
        let (mission, open, seq) = (mission.clone(), open.clone(), links as u64 + 1);
        let kept = tokio::task::spawn_blocking(move || {
            trees::keep(&journal, &mission, seq, &tree, &root, &open)
        });
        if let Err(error) = kept.await.map_err(|e| e.to_string()).flatten() {
            tracing::warn!(%error, "the tree of a receipt could not be kept");
        }
        hash
    }

    pub(super) fn base_bytes(&self, path: &RelPath, open: &OpenTexts) -> Option<Vec<u8>> {
        match open.get(path) {
            Some(open) => Some(open.text.clone().into_bytes()),
            None => std::fs::read(path.in_root(&self.root)).ok(),
        }
    }
}

/// How often a change-set is merged again because a file changed between its merge and its proof.
const TRIES: u32 = 3;

pub(super) fn malformed(error: &str) -> GateVerdict {
    unlaid(format!("the arguments of `propose` do not fit: {error}"))
}

/// The refusal of a change-set that does not fit the tree.
pub(super) fn unlaid(report: String) -> GateVerdict {
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

fn refused(report: &Report, notes: &[String]) -> GateVerdict {
    let stage = report
        .problems
        .first()
        .map_or("apply".to_owned(), |p| format!("{:?}", p.stage).to_lowercase());
    let shown = report.problems.iter().take(SHOWN).map(|p| {
        let d = &p.diagnostic;
        let code = d.code.as_ref().map_or(String::new(), |code| format!(" [{code}]"));
        format!("{}:{}:{code} {}\n{}", d.path, d.range.start.line + 1, d.message, p.frame)
    });
    let mut text = notes.iter().cloned().chain(shown).collect::<Vec<_>>().join("\n");
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
}
