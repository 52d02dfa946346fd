//! What was changed in a worktree as a change-set for the user's tree, which may have moved on: each file is merged onto
//! its text of now, or the whole is refused with both sides.

use std::collections::BTreeMap;

use super::{Worktree, WorktreeError};
use crate::workspace::change::Change;
use crate::workspace::diff::unified;
use crate::workspace::merge::merge;
use crate::workspace::path::RelPath;
use crate::workspace::resolve::BaseTexts;
use crate::workspace::snapshot::FileText;

/// How much of each side a refusal shows, in bytes.
const SHOWN: usize = 3_000;

/// The changes of a worktree, laid onto the user's tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Laid {
    /// One for each file that is to differ.
    pub changes: Vec<Change>,
    /// The hash of each of their files that was merged onto; `None` where there was none.
    pub onto: BTreeMap<RelPath, Option<String>>,
}

/// Why they cannot be laid onto it.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The files, each with what stands in the way: for the author of the changes.
    #[error("{}", told(.0))]
    Files(Vec<(RelPath, String)>),
    /// The worktree cannot be read.
    #[error(transparent)]
    Worktree(#[from] WorktreeError),
}

fn told(files: &[(RelPath, String)]) -> String {
    files.iter().map(|(path, why)| format!("{path}: {why}")).collect::<Vec<_>>().join("\n")
}

/// What becomes of one file.
enum Fate {
    Same,
    Becomes(Change),
    Refused(String),
}

impl Worktree {
    /// What was changed here, at `below` where that is given (a file or a folder), merged onto the texts of `now`.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing is laid then.
    pub fn lay(&self, below: Option<&RelPath>, now: &dyn BaseTexts) -> Result<Laid, Refusal> {
        let (mut laid, mut refused) = (Laid::default(), Vec::new());
        let is_wanted = |path: &RelPath| below.is_none_or(|below| is_below(path, below));
        for path in self.changed()?.into_iter().filter(is_wanted) {
            let current = match now.read(&path) {
                Ok(current) => current,
                Err(error) => {
                    refused.push((path, error.to_string()));
                    continue;
                }
            };
            match self.fate(&path, current.as_ref()) {
                Fate::Same => {}
                Fate::Becomes(change) => {
                    laid.changes.push(change);
                    laid.onto.insert(path, current.map(|file| file.hash));
                }
                Fate::Refused(why) => refused.push((path, why)),
            }
        }
        if refused.is_empty() { Ok(laid) } else { Err(Refusal::Files(refused)) }
    }

    fn fate(&self, path: &RelPath, current: Option<&FileText>) -> Fate {
        let mine = match self.own.read(path) {
            Ok(mine) => mine,
            Err(error) => return Fate::Refused(error.to_string()),
        };
        let base = self.base.get(path);
        if mine.as_ref().map(|file| &file.hash) == current.map(|file| &file.hash) {
            return Fate::Same;
        }
        let write = |content: String| Fate::Becomes(Change::Write { path: path.clone(), content });
        let is_as_brought = current.map(|file| &file.hash) == base;
        match (mine, current) {
            (Some(mine), _) if is_as_brought => write(mine.text),
            (None, _) if is_as_brought => Fate::Becomes(Change::Delete { path: path.clone() }),
            (mine, current) => {
                let base = base.and_then(|hash| self.store.text(hash));
                let (mine, now) = (mine.map(|f| f.text), current.map(|f| f.text.as_str()));
                if let (Some(mine), Some(now)) = (&mine, now) {
                    let merged = merge(base.as_deref().unwrap_or_default(), now, mine);
                    if merged.left.is_empty() {
                        return write(merged.text);
                    }
                }
                Fate::Refused(both(path, base.as_deref(), mine.as_deref(), now))
            }
        }
    }
}

fn is_below(path: &RelPath, below: &RelPath) -> bool {
    let rest = path.as_str().strip_prefix(below.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn both(path: &RelPath, base: Option<&str>, mine: Option<&str>, now: Option<&str>) -> String {
    let side = |after| shortened(unified(path, base, after));
    format!(
        "it was changed in your worktree and in the project, in the same place. Propose this file by `edit` or `write` on its text of now (`read` shows it).\nyour worktree:\n{}\nthe project:\n{}",
        side(mine),
        side(now)
    )
}

fn shortened(mut text: String) -> String {
    if text.len() > SHOWN {
        let cut = (0..=SHOWN).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let left = text.len() - cut;
        text.truncate(cut);
        text += &format!("\n[{left} more bytes]");
    }
    text
}
