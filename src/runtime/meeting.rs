//! A change-set that meets what a person types in an open file: what is kept of it while it waits for their word, and what
//! of it lands beside what they typed. Nothing of theirs is ever replaced. It decides nothing, and knows nothing of roles.

use serde::{Deserialize, Serialize};

use super::land::kept;
use super::laying::OnTree;
use super::perform::Performer;
use super::prove::unlaid;
use super::store::locked;
use crate::gate::GateError;
use crate::gate::Judged;
use crate::gate::proposal::{Operation, Proposal};
use crate::gate::report::Stage;
use crate::gate::report::{Report, Verdict};
use crate::mission::event::GateVerdict;
use crate::mission::{Meeting, MissionId, Outcome, Place};
use crate::workspace::diff::unified;
use crate::workspace::hash::sha256;
use crate::workspace::merge::{Merged, merge};
use crate::workspace::{FileWrite, OpenTexts, RelPath};

/// One file of a change that waits: the hashes of what it was and is to be; `None` stands for no file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    path: RelPath,
    was: Option<String>,
    is: Option<String>,
}

/// What stands in `mine` beside the change from `base` to `result`; `None` where that is no matter of text.
fn beside(base: Option<&[u8]>, mine: &[u8], result: Option<&[u8]>) -> Option<Merged> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some(merge(text(base?)?, text(mine)?, text(result?)?))
}

impl Performer {
    /// What becomes of a change that was proved for another text: where it meets typing in an open file it is kept until
    /// the person has decided, anything else is proved again.
    pub(super) fn met(&self, mission: &MissionId, receipt: u64, reason: String) -> Outcome {
        match self.meeting(mission, receipt) {
            Ok(Some(meeting)) => Outcome::Met { meeting },
            Ok(None) => Outcome::Stale { reason },
            Err(error) => {
                tracing::warn!("what a change meets could not be found out: {error}");
                Outcome::Stale { reason }
            }
        }
    }

    fn meeting(&self, mission: &MissionId, receipt: u64) -> Result<Option<Meeting>, String> {
        let (writes, open) = (self.writes(mission, receipt)?, self.open_texts());
        let mut journal = locked(&self.journal);
        let (mut places, mut diff, mut parts, mut blobs) = (vec![], String::new(), vec![], vec![]);
        for FileWrite { path, expect, result } in writes {
            let base = expect.as_ref().map(|hash| kept(&journal, hash, &path)).transpose()?;
            let (was, is) = (base.as_deref(), result.as_deref());
            let mine = open.get(&path).map(|buffer| buffer.text.as_bytes());
            let merged = mine.filter(|mine| Some(*mine) != is).and_then(|m| beside(was, m, is));
            places.extend(merged.iter().flat_map(|merged| &merged.left).map(|line| Place {
                file: path.to_string(),
                line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            }));
            let shown = [was, is].map(|side| side.map(String::from_utf8_lossy));
            diff += &unified(&path, shown[0].as_deref(), shown[1].as_deref());
            let is = result.as_deref().map(sha256);
            let sides = [(&expect, base), (&is, result)].into_iter();
            blobs.extend(sides.filter_map(|(hash, bytes)| Some((hash.clone()?, bytes?))));
            parts.push(Part { path, was: expect, is });
        }
        if places.is_empty() {
            return Ok(None);
        }
        let body = serde_json::to_string(&parts).map_err(|error| error.to_string())?;
        let change = format!("meets-{}", &sha256(body.as_bytes())[..16]);
        let put = journal.put_checkpoint(mission, &change, &body, &blobs);
        put.map_err(|error| error.to_string())?;
        Ok(Some(Meeting { change, places, diff }))
    }

    /// A change that waited, on the tree of now: all of it but what meets what was typed.
    pub(super) fn lay_merged(
        &self,
        mission: &MissionId,
        change: &str,
        open: &OpenTexts,
    ) -> Result<OnTree, GateVerdict> {
        let journal = locked(&self.journal);
        let body = journal.checkpoint(mission, change).map_err(|e| unlaid(e.to_string()))?;
        let gone = || unlaid("the change that waited is not in the journal any more".to_owned());
        let parts: Vec<Part> =
            serde_json::from_str(&body.ok_or_else(gone)?).map_err(|e| unlaid(e.to_string()))?;
        let mut laid = OnTree::default();
        for Part { path, was, is } in parts {
            let side = |hash: Option<String>| {
                hash.map(|hash| kept(&journal, &hash, &path)).transpose().map_err(unlaid)
            };
            let (was, is) = (side(was)?, side(is)?);
            let now = self.base_bytes(&path, open);
            let operation = on_top(&path, was.as_deref(), now.as_deref(), is.as_deref());
            if let Some(operation) = operation.map_err(unlaid)? {
                laid.onto.insert(path, now.as_deref().map(sha256));
                laid.proposal.changes.push(operation);
            }
        }
        if laid.proposal.changes.is_empty() {
            let why = "what the person wrote stands in the place of the whole change";
            return Err(unlaid(format!("{why}; nothing is left of it to apply")));
        }
        Ok(laid)
    }

    /// A proposal that a person has typed over is one on the saved texts: proved there, and then laid beside what was typed.
    /// Where both meet, it stays what it is on the saved texts, so that the person can decide.
    pub(super) async fn beside_typing(
        &self,
        proposal: &Proposal,
        open: OpenTexts,
        saved: OpenTexts,
    ) -> Result<(OpenTexts, Judged), GateError> {
        let judged = self.gate.check_proposal(proposal, &saved).await?;
        if judged.checked.report.verdict != Verdict::Accepted {
            return Ok((saved, judged));
        }
        let mut beside_typing = Proposal::default();
        for file in &judged.checked.contents {
            let was = self.base_bytes(&file.path, &saved);
            let now = self.base_bytes(&file.path, &open);
            let (was, now, is) = (was.as_deref(), now.as_deref(), file.result.as_deref());
            let meets = now.filter(|_| was != now).and_then(|mine| beside(was, mine, is));
            let is_free = meets.is_none_or(|merged| merged.left.is_empty());
            match on_top(&file.path, was, now, is) {
                Ok(operation) if is_free => beside_typing.changes.extend(operation),
                _ => return Ok((saved, judged)),
            }
        }
        let judged = self.gate.check_proposal(&beside_typing, &open).await?;
        Ok((open, judged))
    }

    /// What is open, without the unsaved texts of files that the proposal edits or replaces.
    pub(super) fn without_typing(&self, laid: &OnTree, open: &OpenTexts) -> OpenTexts {
        let mut saved = open.clone();
        for change in &laid.proposal.changes {
            let (Operation::Edit { path, .. } | Operation::Write { path, .. }) = change else {
                continue;
            };
            // What comes from a worktree was merged with the texts of now already.
            let Some(buffer) = open.get(path).filter(|_| !laid.onto.contains_key(path)) else {
                continue;
            };
            let on_disk = std::fs::read(path.in_root(&self.root));
            if on_disk.is_ok_and(|bytes| bytes != buffer.text.as_bytes()) {
                saved.remove(path);
            }
        }
        saved
    }
}

impl OnTree {
    /// Whether a whole text takes the place of one that a person typed at: who wrote it may not know theirs.
    pub(super) fn replaces_typing(&self, open: &OpenTexts, saved: &OpenTexts) -> bool {
        let is_typed = |path: &RelPath| open.contains_key(path) && !saved.contains_key(path);
        let mut changes = self.proposal.changes.iter();
        changes.any(|change| matches!(change, Operation::Write { path, .. } if is_typed(path)))
    }
}

/// Whether it was refused because it does not fit the texts.
pub(super) fn is_unlaid(report: &Report) -> bool {
    report.verdict == Verdict::Refused
        && report.problems.first().is_some_and(|problem| problem.stage == Stage::Apply)
}

/// What makes the change from `was` to `is` on the file as it is now; `None` where that is done already.
fn on_top(
    path: &RelPath,
    was: Option<&[u8]>,
    now: Option<&[u8]>,
    is: Option<&[u8]>,
) -> Result<Option<Operation>, String> {
    if now == is {
        return Ok(None);
    }
    let moved = || format!("{path} was changed since, and cannot be merged");
    let result = if now == was {
        is.map(|bytes| String::from_utf8(bytes.to_owned()).map_err(|_| moved())).transpose()?
    } else {
        let merged = now.and_then(|now| beside(was, now, is)).ok_or_else(moved)?;
        Some(merged.text)
    };
    Ok(match result {
        Some(text) if Some(text.as_bytes()) == now => None,
        Some(content) => Some(Operation::Write { path: path.clone(), content }),
        None => Some(Operation::Delete { path: path.clone() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_stays_and_the_rest_lands() {
        let path = RelPath::new("a").unwrap();
        let on = |now: Option<&str>, is: Option<&str>| {
            let bytes = |text: Option<&'static str>| text.map(str::as_bytes);
            let was = bytes(Some("a\nb\nc\nd\n"));
            on_top(&path, was, now.map(str::as_bytes), is.map(str::as_bytes))
        };
        let written = |content: &str| {
            Ok(Some(Operation::Write { path: path.clone(), content: content.to_owned() }))
        };
        let is = Some("a\nB\nc\nD\n");
        assert_eq!(on(Some("a\nb\nc\nd\n"), is), written("a\nB\nc\nD\n"));
        assert_eq!(on(Some("a\nmine\nc\nd\n"), is), written("a\nmine\nc\nD\n"));
        assert_eq!(on(Some("a\nmine\nc\nmine\n"), is), Ok(None), "nothing is left");
        assert_eq!(on(is, is), Ok(None), "it is there");
        assert!(on(None, is).is_err() && on(Some("mine\n"), None).is_err());
        let delete = Operation::Delete { path: path.clone() };
        assert_eq!(on(Some("a\nb\nc\nd\n"), None), Ok(Some(delete)));
    }
}
