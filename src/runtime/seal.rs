//! The seal: the whole tree is proved, and the last link of the receipt chain is written.

use super::perform::Performer;
use super::store::{chain, locked, now_ms};
use crate::gate::Baseline;
use crate::gate::receipt::{Proof, Receipt, verify_chain};
use crate::gate::report::{StageReport, StageVerdict};
use crate::gate::words;
use crate::mission::MissionId;
use crate::mission::event::SealVerdict;

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
    if let Some(red) = stages.iter().find(|s| s.verdict == StageVerdict::Refused) {
        return Ok(SealVerdict::Red { report: red.detail.clone() });
    }
    if let Some(open) = stages.iter().find(|s| s.verdict == StageVerdict::Unverified) {
        return Ok(SealVerdict::Unverified { reason: open.detail.clone() });
    }
    let tree =
        performer.gate.tree_hash(&performer.open_texts()).await.map_err(|e| e.to_string())?;
    if tree != before {
        return Ok(SealVerdict::Red {
            report: "files changed while the whole was being proved".to_owned(),
        });
    }
    write(performer, mission, plan, tree, stages, links)
}

fn write(
    performer: &Performer,
    mission: &MissionId,
    plan: String,
    tree: String,
    stages: Vec<StageReport>,
    links: usize,
) -> Result<SealVerdict, String> {
    let summary = words::stages(&stages);
    let mut journal = locked(&performer.journal);
    let mut chain = chain(&journal, mission)?;
    chain.truncate(links);
    verify_chain(&chain).map_err(|e| e.to_string())?;
    let seal =
        Receipt::next(chain.last(), &mission.0, Proof::Seal { plan, tree, stages }, now_ms());
    journal.put_receipt(mission, seal.seq, &seal.to_json(), &[]).map_err(|e| e.to_string())?;
    Ok(SealVerdict::Green { hash: seal.hash, summary })
}
