//! `orchestrator verify`: the receipts of a mission are checked offline, link by link, and held against the files; with
//! `--rerun` they are also proved again.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::control::known;
use super::paint::Colour;
use super::watch::Output;
use super::{CliError, asynchronously, environment};
use crate::gate::report::receipt::{Proof, Receipt, verify_chain};
use crate::gate::{Gate, words};
use crate::journal::{self, Journal, JournalError};
use crate::mission::MissionId;
use crate::runtime::rerun::{self, Again, Repeated};
use crate::runtime::{Seen, Settings};
use crate::workspace::hash::sha256;
use crate::workspace::{OpenTexts, RelPath};

/// What was found of one mission.
struct Finding {
    mission: MissionId,
    receipts: usize,
    sealed: Option<String>,
    /// Why the chain does not hold.
    broken: Option<String>,
    /// Files that are no longer what the last receipt left.
    changed: Vec<String>,
    /// Whether the whole tree is the one that was sealed.
    tree_stands: bool,
}

pub(super) fn verify(
    root: &Path,
    mission: Option<&str>,
    rerun: bool,
    out: &Output,
) -> Result<u8, CliError> {
    // Reading the missions mends a damaged journal, and the loss is told; the receipts are looked at here.
    known(root, None, Seen::Recent)?;
    let journal = Journal::open_existing(root).map_err(environment)?;
    let rows = journal.as_ref().map(Journal::missions).transpose().map_err(environment)?;
    let live: Vec<MissionId> = rows.into_iter().flatten().map(|row| row.id).collect();
    let mut ids = journal::archived(root).map_err(environment)?;
    ids.retain(|id| !live.contains(id));
    ids.extend(live.iter().cloned());
    if ids.is_empty() && journal.is_none() {
        return Err(CliError::User(
            "there is no journal in this workspace, so nothing to verify".into(),
        ));
    }
    ids.retain(|id| mission.is_none_or(|m| m == id.0));
    if ids.is_empty() {
        return Err(CliError::User(
            "there is no such mission; `orchestrator status --all` lists them".into(),
        ));
    }
    let mut code = 0;
    for id in ids {
        let finding = check(root, journal.as_ref(), id)?;
        show(&finding, out);
        if finding.broken.is_some() {
            code = 7;
        } else if rerun {
            code = match live.contains(&finding.mission) {
                true => worse(code, prove_again(root, &finding.mission, out)?),
                false => worse(code, archived(&finding.mission, out)),
            };
        }
    }
    Ok(code)
}

/// A receipt that does not hold is worse than one that cannot be tried.
fn worse(a: u8, b: u8) -> u8 {
    if a == 7 || b == 7 { 7 } else { a.max(b) }
}

fn prove_again(root: &Path, mission: &MissionId, out: &Output) -> Result<u8, CliError> {
    let mut code = 0;
    asynchronously(async {
        let tell = |repeated: &Repeated| {
            code = worse(code, code_of(&repeated.again));
            show_again(mission, repeated, out);
        };
        let settings = Settings::load().map_err(environment)?.gate;
        rerun::rerun(root, mission, settings, tell).await.map_err(environment)
    })?;
    Ok(code)
}

/// The trees of an archived mission are not kept.
fn archived(mission: &MissionId, out: &Output) -> u8 {
    let why = "the mission is archived, and its trees are no longer kept".to_owned();
    let (seq, what) = (0, "all".to_owned());
    show_again(mission, &Repeated { seq, what, again: Again::NotRepeatable(why) }, out);
    10
}

fn code_of(again: &Again) -> u8 {
    match again {
        Again::Holds => 0,
        Again::Fails(_) => 7,
        Again::NotRepeatable(_) => 10,
    }
}

fn show_again(mission: &MissionId, repeated: &Repeated, out: &Output) {
    let (word, colour, why) = match &repeated.again {
        Again::Holds => ("proved again", Colour::Green, None),
        Again::Fails(why) => ("fails", Colour::Red, Some(why)),
        Again::NotRepeatable(why) => ("not repeatable", Colour::Yellow, Some(why)),
    };
    if out.is_json() {
        return out.value(&json!({
            "mission": mission,
            "receipt": repeated.seq,
            "what": repeated.what,
            "again": word,
            "why": why,
        }));
    }
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let word = out.paint.paint(colour, word);
    out.line(&format!("  receipt {} ({}): {word}{why}", repeated.seq, repeated.what));
}

/// A mission's receipts, wherever they are. What is not what was written is no chain, and the mission says so.
fn receipts(
    root: &Path,
    journal: Option<&Journal>,
    mission: &MissionId,
) -> Result<Vec<String>, JournalError> {
    let kept = journal.map(|journal| journal.receipts(mission)).transpose()?.unwrap_or_default();
    if !kept.is_empty() {
        return Ok(kept);
    }
    Ok(journal::read_archived(root, mission)?.map(|archived| archived.receipts).unwrap_or_default())
}

fn check(root: &Path, journal: Option<&Journal>, mission: MissionId) -> Result<Finding, CliError> {
    let texts = receipts(root, journal, &mission);
    let mut finding = Finding {
        mission,
        receipts: 0,
        sealed: None,
        broken: None,
        changed: Vec::new(),
        tree_stands: false,
    };
    let texts = match texts {
        Err(error) if error.is_damage() => {
            finding.broken = Some(error.to_string());
            return Ok(finding);
        }
        other => other.map_err(environment)?,
    };
    let read: Result<Vec<Receipt>, _> = texts.iter().map(|text| Receipt::from_json(text)).collect();
    let chain = match read.and_then(|chain| verify_chain(&chain).map(|()| chain)) {
        Ok(chain) => chain,
        Err(error) => {
            finding.broken = Some(error.to_string());
            return Ok(finding);
        }
    };
    finding.receipts = chain.len();
    let mut last: BTreeMap<RelPath, Option<String>> = BTreeMap::new();
    for receipt in &chain {
        match &receipt.proof {
            Proof::Change { report, .. } => {
                last.extend(report.files.iter().map(|f| (f.path.clone(), f.result.clone())));
            }
            Proof::Seal { tree, stages, .. } => {
                finding.sealed = Some(format!("{} ({})", receipt.hash, words::stages(stages)));
                let settings = Settings::load().map_err(environment)?.gate;
                let gate = Gate::open(root, settings).map_err(environment)?;
                let now = asynchronously(async {
                    gate.tree_hash(&OpenTexts::new()).await.map_err(environment)
                })?;
                finding.tree_stands = *tree == now;
            }
        }
    }
    for (path, result) in last {
        let found = std::fs::read(path.in_root(root)).ok().map(|bytes| sha256(&bytes));
        if found != result {
            finding.changed.push(path.to_string());
        }
    }
    Ok(finding)
}

fn show(finding: &Finding, out: &Output) {
    if out.is_json() {
        return out.value(&json!({
            "mission": finding.mission,
            "receipts": finding.receipts,
            "seal": finding.sealed,
            "broken": finding.broken,
            "changedSince": finding.changed,
            "treeAsSealed": finding.tree_stands,
        }));
    }
    let id = &finding.mission;
    match (&finding.broken, &finding.sealed) {
        (Some(why), _) => {
            out.line(&format!("{id}: {}: {why}", out.paint.paint(Colour::Red, "broken")))
        }
        (None, Some(seal)) => {
            let holds = out.paint.paint(Colour::Green, "holds");
            let changed = if finding.receipts > 1 { "" } else { "; nothing was changed" };
            out.line(&format!(
                "{id}: the chain of {} links {holds}, sealed {seal}{changed}",
                finding.receipts
            ));
            let tree = if finding.tree_stands {
                "the tree is the one that was sealed"
            } else {
                "the tree has changed since the seal"
            };
            out.line(&format!("  {tree}"));
        }
        (None, None) => {
            out.line(&format!("{id}: the chain of {} links holds, not sealed", finding.receipts));
        }
    }
    for path in &finding.changed {
        out.line(&format!("  changed since its receipt: {path}"));
    }
}
