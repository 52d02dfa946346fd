//! Taking accepted changes back, and taking that back again. The newest comes first; what a person wrote since is never
//! replaced: then a merge is offered, and made when it is asked for.

use serde::{Deserialize, Serialize};

use super::event::{Act, Effect, EffectId, Outcome};
use super::plan::{ItemId, Mark};
use super::state::{LineKind, Mission};

/// What is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Back {
    /// Accepted change-sets, by their receipts' numbers, in order.
    Changes(Vec<u64>),
    /// An undo, by its number: what it took back is there again.
    Undo(EffectId),
}

impl std::fmt::Display for Back {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Back::Undo(number) => write!(f, "undo {number}"),
            Back::Changes(receipts) => {
                let numbers: Vec<String> = receipts.iter().map(u64::to_string).collect();
                let s = if receipts.len() == 1 { "" } else { "s" };
                write!(f, "change{s} {}", numbers.join(", "))
            }
        }
    }
}

/// A person's wish that is being served, or waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wish {
    pub back: Back,
    pub merge: bool,
    pub ask: Option<String>,
}

/// Changes that were taken back together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Its number within the mission, by which the journal has the bytes.
    pub number: EffectId,
    /// The receipts of what was taken back.
    pub receipts: Vec<u64>,
    /// Whether this undo was taken back itself.
    pub redone: bool,
    /// The steps' marks before, where they were changed.
    marks: Vec<(ItemId, Mark, Option<String>)>,
}

/// What could not be taken back exactly, and what a merge would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What was to be taken back.
    pub back: Back,
    /// What was edited since.
    pub reason: String,
    /// The files that the merge would change.
    pub files: Vec<String>,
    /// What it would do, as a unified diff.
    pub diff: String,
}

/// What became of a person's word, for who gave it: to take something back, to set a mark, an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What was given with the command.
    pub ask: String,
    /// Whether it was done.
    pub is_done: bool,
    /// What is to be said of it, a line each.
    pub said: Vec<String>,
}

/// How many answers are kept.
const ANSWERS: usize = 128;

/// Answers those who asked with what was told since line `before`.
pub(super) fn answer(
    m: &mut Mission,
    asks: impl IntoIterator<Item = String>,
    is_done: bool,
    before: u64,
) {
    let told = m.story.iter().filter(|line| line.number > before);
    let said: Vec<String> = told.map(|line| line.text.clone()).collect();
    for ask in asks {
        m.answers.push_back(Answer { ask, is_done, said: said.clone() });
    }
    let excess = m.answers.len().saturating_sub(ANSWERS);
    m.answers.drain(..excess);
}

/// Says why nothing is taken back, and answers with it.
pub(super) fn refuse(m: &mut Mission, asks: impl IntoIterator<Item = String>, text: String) {
    let before = m.told;
    m.tell(LineKind::Warning, None, None, text);
    answer(m, asks, false, before);
}

/// Takes one change back, or all that stand.
pub(super) fn undo(m: &mut Mission, receipt: Option<u64>, merge: bool, ask: Option<&str>) {
    let standing = m.receipts.iter().filter(|r| !r.undone).map(|r| r.receipt);
    let receipts: Vec<u64> = standing.filter(|n| receipt.is_none_or(|r| r == *n)).collect();
    if receipts.is_empty() {
        let which = receipt.map_or(String::new(), |number| format!(" {number}"));
        let text = format!("there is no change{which} to take back");
        return refuse(m, ask.map(str::to_owned), text);
    }
    wish(m, Back::Changes(receipts), merge, ask);
}

/// Takes the newest undo back.
pub(super) fn redo(m: &mut Mission, merge: bool, ask: Option<&str>) {
    match m.undos.iter().rev().find(|undo| !undo.redone) {
        Some(undo) => wish(m, Back::Undo(undo.number), merge, ask),
        None => {
            let text = "there is no undo to take back".to_owned();
            refuse(m, ask.map(str::to_owned), text);
        }
    }
}

fn wish(m: &mut Mission, back: Back, merge: bool, ask: Option<&str>) {
    let ask = ask.map(str::to_owned);
    // What an earlier process had begun is what is wished: it is done once.
    let same = |act: &Act| matches!(act, Act::Undo { back: begun, .. } if *begun == back);
    if m.pending.values().any(same) {
        m.undo_asks.extend(ask);
        return;
    }
    if let Some(other) = &m.undoing {
        let text = format!("{} is being taken back; then again", other.back);
        return refuse(m, ask, text);
    }
    m.offer = None;
    m.undoing = Some(Wish { back, merge, ask });
}

/// Begins what a person wished, between two change-sets and never within one.
pub(super) fn begin(m: &mut Mission) -> Option<Effect> {
    if m.undoing.is_none() || is_at_files(m) {
        return None;
    }
    let Wish { back, merge, ask } = m.undoing.take()?;
    let Some(back) = what_stands(m, back) else {
        refuse(m, ask, "something else has taken it back already".to_owned());
        return None;
    };
    m.undo_asks.extend(ask);
    let number = m.next_effect;
    Some(m.begin(Act::Undo { number, back, merge }))
}

/// What of a wish is still to be taken back: something else may have done it while the wish waited.
fn what_stands(m: &Mission, back: Back) -> Option<Back> {
    match back {
        Back::Changes(mut receipts) => {
            receipts.retain(|n| m.receipts.iter().any(|r| r.receipt == *n && !r.undone));
            (!receipts.is_empty()).then_some(Back::Changes(receipts))
        }
        Back::Undo(number) => {
            let stands = m.undos.iter().any(|undo| undo.number == number && !undo.redone);
            stands.then_some(Back::Undo(number))
        }
    }
}

/// Whether files are being written just now.
pub(super) fn is_at_files(m: &Mission) -> bool {
    m.pending.values().any(|act| matches!(act, Act::Apply { .. } | Act::Undo { .. }))
}

/// An undo ended: who asked for it is told.
pub(super) fn ended(m: &mut Mission, number: EffectId, back: Back, outcome: &Outcome) {
    let before = m.told;
    settle(m, number, back, outcome);
    let asks = std::mem::take(&mut m.undo_asks);
    answer(m, asks, *outcome == Outcome::Applied, before);
}

fn settle(m: &mut Mission, number: EffectId, back: Back, outcome: &Outcome) {
    match (outcome, &back) {
        (Outcome::Applied, Back::Changes(receipts)) => taken_back(m, number, receipts),
        (Outcome::Applied, Back::Undo(undo)) => put_again(m, *undo),
        (Outcome::Edited { reason, files, diff }, _) => {
            let offer = match files.as_slice() {
                [] => String::new(),
                _ => format!("; a merge would keep that and change {}", files.join(", ")),
            };
            let text = format!("{back} was not taken back: {reason}{offer}");
            m.tell(LineKind::Warning, None, None, text);
            if !files.is_empty() {
                let (reason, files, diff) = (reason.clone(), files.clone(), diff.clone());
                m.offer = Some(Offer { back, reason, files, diff });
            }
        }
        (Outcome::Stale { reason } | Outcome::NotApplied { reason }, _) => {
            let text = format!("{back} was not taken back: {reason}");
            m.tell(LineKind::Warning, None, None, text);
        }
        // Dropped with its process: nothing is known to have come of it.
        _ => m.tell(LineKind::Warning, None, None, format!("{back} was not taken back")),
    }
}

/// A change's task is not done again by itself: a person did not want what it did.
fn taken_back(m: &mut Mission, number: EffectId, receipts: &[u64]) {
    let mut undone =
        Undone { number, receipts: receipts.to_vec(), redone: false, marks: Vec::new() };
    for receipt in receipts {
        let Some(taken) = m.receipts.iter_mut().find(|r| r.receipt == *receipt) else {
            continue;
        };
        taken.undone = true;
        let (item, files) = (taken.item.clone(), taken.files.join(", "));
        let text = format!("change {receipt} was taken back: {files}");
        m.tell(LineKind::Step, None, Some(&item), text);
        if m.ended.is_some() {
            continue;
        }
        m.work.entry(item.clone()).or_default().feedback =
            format!("a person took change {receipt} back");
        if let Some(task) = m.plan.as_mut().and_then(|p| p.task_mut(&item)) {
            for step in &mut task.steps {
                if undone.marks.iter().all(|(id, ..)| *id != step.id) {
                    undone.marks.push((step.id.clone(), step.mark, step.evidence.clone()));
                }
                (step.mark, step.evidence) = (Mark::Failed, None);
            }
        }
    }
    m.tree_changed();
    m.undos.push(undone);
}

fn put_again(m: &mut Mission, number: EffectId) {
    let Some(undo) = m.undos.iter_mut().find(|undo| undo.number == number) else {
        return;
    };
    undo.redone = true;
    let (receipts, marks) = (undo.receipts.clone(), std::mem::take(&mut undo.marks));
    for receipt in receipts {
        let Some(again) = m.receipts.iter_mut().find(|r| r.receipt == receipt) else {
            continue;
        };
        again.undone = false;
        let (item, files) = (again.item.clone(), again.files.join(", "));
        let text = format!("change {receipt} is there again: {files}");
        m.tell(LineKind::Step, None, Some(&item), text);
    }
    m.tree_changed();
    let tasks = m.plan.iter_mut().flat_map(|p| &mut p.milestones).flat_map(|x| &mut x.tasks);
    for step in tasks.flat_map(|task| &mut task.steps).filter(|step| step.mark == Mark::Failed) {
        if let Some((_, mark, evidence)) = marks.iter().find(|(id, ..)| *id == step.id) {
            (step.mark, step.evidence) = (*mark, evidence.clone());
        }
    }
}
