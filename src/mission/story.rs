//! The story of a mission: what is told of it to people, line by line. The newest lines are kept.

use serde::{Deserialize, Serialize};

use super::conversation::Role;
use super::plan::ItemId;
use super::state::Mission;

/// How many lines of the story are kept.
const STORY_LINES: usize = 400;
/// The longest line, in characters; what an agent says may be longer.
const LINE_CHARS: usize = 4_000;

/// How many different remarks are kept for the report.
const REMARKS: usize = 50;

/// A line of the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// The stamp of the event that it tells, milliseconds since the epoch.
    pub at: u64,
    /// Who acts.
    pub role: Option<Role>,
    /// The task.
    pub item: Option<ItemId>,
    /// What sort of thing happened.
    pub kind: LineKind,
    /// In words.
    pub text: String,
}

/// What sort of thing a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    /// Something goes on.
    Step,
    /// A change-set was accepted.
    Accepted,
    /// The gate or the Reviewer refused.
    Refused,
    /// Something went well: a plan, a passed review, the seal.
    Good,
    /// Something to look at.
    Warning,
    /// The mission ended.
    End,
}

impl Mission {
    /// Something around the mission went wrong. What was said before is not said again, and not without end.
    pub(super) fn remark(&mut self, text: String) {
        if self.takes_remark(&text) {
            self.tell(LineKind::Warning, None, None, text.clone());
            self.remarks.push(text);
        }
    }

    /// Whether a remark is a new one, and there is room for it.
    pub fn takes_remark(&self, text: &str) -> bool {
        self.remarks.len() < REMARKS && !self.remarks.iter().any(|known| known == text)
    }

    pub(super) fn tell(
        &mut self,
        kind: LineKind,
        role: Option<Role>,
        item: Option<&ItemId>,
        text: impl Into<String>,
    ) {
        let mut text: String = text.into();
        if let Some((cut, _)) = text.char_indices().nth(LINE_CHARS) {
            text.truncate(cut);
            text.push('…');
        }
        self.told += 1;
        if self.story.len() == STORY_LINES {
            self.story.pop_front();
        }
        self.story.push_back(Line {
            number: self.told,
            at: self.now,
            role,
            item: item.cloned(),
            kind,
            text,
        });
    }
}
