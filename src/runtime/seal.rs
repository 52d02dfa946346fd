//! The seal: the whole tree is proved, and the last link of the receipt chain is written.

use std::collections::BTreeMap;
use std::time::Duration;

use super::perform::Performer;
use super::spans;
use super::store::{chain, locked, now_ms};
use crate::gate::Baseline;
use crate::gate::mutants::mutate::AcceptedFile;
use crate::gate::mutants::{Budget, Mutation};
use crate::gate::report::StageVerdict;
use crate::gate::report::receipt::{Proof, Receipt, verify_chain};
use crate::gate::{Diagnostic, words};
use crate::mission::MissionId;
use crate::mission::event::{Gravity, NewFinding, SealVerdict};
use crate::workspace::{OpenTexts, RelPath};

/// The most mutants of one seal, and so the most hints.
const MUTANTS: usize = 200;

pub(super) async fn seal(
    performer: &Performer,
    mission: &MissionId,
    plan: String,
    links: usize,
    baseline: &Baseline,
) -> Result<SealVerdict, String> {
    let open = performer.open_texts();
    let before = performer.gate.tree_hash(&open).await.map_err(|e| e.to_string())?;
    let stages = performer.gate.whole(&open, baseline).await.map_err(|e| e.to_string())?;
    spans::stages(&stages);
    if let Some(red) = stages.iter().find(|s| s.verdict == StageVerdict::Refused) {
        return Ok(SealVerdict::Red { report: red.detail.clone() });
    }
    if let Some(open) = stages.iter().find(|s| s.verdict == StageVerdict::Unverified) {
        return Ok(SealVerdict::Unverified { reason: open.detail.clone() });
    }
    let tree = performer.gate.tree(&performer.open_texts()).await.map_err(|e| e.to_string())?;
    if tree.hash() != before {
        return Ok(SealVerdict::Red {
            report: "files changed while the whole was being proved".to_owned(),
        });
    }
    // What is tried is the tree that was proved; what is typed meanwhile is no part of it.
    let mutants = match performer.mutants {
        Some(time) => Some(mutants(performer, mission, links, &open, time).await?),
        None => None,
    };
    let tree = performer.keep_tree(mission, links, tree, &open).await;
    write(performer, mission, links, Proof::Seal { plan, tree, stages, mutants })
}

/// Tries mutants of the mission's lines. A gate that cannot do it keeps nothing from being sealed; the reason is recorded.
async fn mutants(
    performer: &Performer,
    mission: &MissionId,
    links: usize,
    open: &OpenTexts,
    time: Duration,
) -> Result<Mutation, String> {
    let files = accepted(performer, mission, links, open)?;
    let tried = performer.gate.mutants(&files, open, Budget { time, most: MUTANTS }).await;
    Ok(tried.unwrap_or_else(|error| Mutation {
        reason: Some(error.to_string()),
        ..Mutation::default()
    }))
}

/// Every file of the mission's receipts: as it was before the first of them, and as it is.
fn accepted(
    performer: &Performer,
    mission: &MissionId,
    links: usize,
    open: &OpenTexts,
) -> Result<Vec<AcceptedFile>, String> {
    let journal = locked(&performer.journal);
    let mut bases: BTreeMap<RelPath, Option<String>> = BTreeMap::new();
    for receipt in chain(&journal, mission)?.into_iter().take(links) {
        if let Proof::Change { report, .. } = receipt.proof {
            for file in report.files {
                bases.entry(file.path).or_insert(file.base);
            }
        }
    }
    let mut files = Vec::new();
    for (path, hash) in bases {
        let text = match open.get(&path) {
            Some(open) => Some(open.text.clone()),
            // What is no text any more has no lines to mutate.
            None => performer.gate.workspace().read(&path).ok().flatten().map(|file| file.text),
        };
        let base = match hash {
            Some(hash) => Some(journal.bytes(&hash).map_err(|e| e.to_string())?),
            None => None,
        };
        let base = base.map(|bytes| bytes.and_then(|bytes| String::from_utf8(bytes).ok()));
        if let (Some(after), Some(base)) = (text, base.map_or(Some(None), |base| base.map(Some))) {
            files.push(AcceptedFile { path, base, after });
        }
    }
    Ok(files)
}

fn write(
    performer: &Performer,
    mission: &MissionId,
    links: usize,
    proof: Proof,
) -> Result<SealVerdict, String> {
    let (mut summary, hints) = told(&proof);
    let mut journal = locked(&performer.journal);
    let mut chain = chain(&journal, mission)?;
    chain.truncate(links);
    verify_chain(&chain).map_err(|e| e.to_string())?;
    if chain.is_empty() {
        summary.insert_str(0, "nothing was changed; as it stands: ");
    }
    let seal = Receipt::next(chain.last(), &mission.0, proof, now_ms());
    journal.put_receipt(mission, seal.seq, &seal.to_json(), &[]).map_err(|e| e.to_string())?;
    Ok(SealVerdict::Green { hash: seal.hash, summary, hints })
}

/// What a mission is told of its seal: one line, and the hints.
fn told(proof: &Proof) -> (String, Vec<NewFinding>) {
    let Proof::Seal { stages, mutants, .. } = proof else {
        return (String::new(), Vec::new());
    };
    let mut summary = words::stages(stages);
    let Some(mutants) = mutants else {
        return (summary, Vec::new());
    };
    if mutants.tried > 0 {
        let (killed, tried) = (mutants.killed, mutants.tried);
        summary.push_str(&format!(", {killed} of {tried} mutants noticed"));
    }
    (summary, mutants.survived.iter().map(hint).collect())
}

fn hint(survivor: &Diagnostic) -> NewFinding {
    NewFinding {
        file: Some(survivor.path.to_string()),
        line: Some(survivor.range.start.line + 1),
        severity: Gravity::Info,
        message: survivor.message.clone(),
        fix: None,
        kind: survivor.code.clone(),
    }
}
