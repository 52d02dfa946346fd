//! The change-set of a `propose` call on the tree of now: its own edits, and what it takes from its session's worktree.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::perform::Performer;
use super::prove::{malformed, unlaid};
use crate::gate::proposal::{Operation, Proposal};
use crate::gate::report::{Report, Verdict};
use crate::mission::MissionId;
use crate::mission::conversation::ToolCall;
use crate::mission::event::{GateVerdict, SessionId};
use crate::workspace::{OpenTexts, RelPath};

/// A change-set, and what it was made for.
#[derive(Default)]
pub(super) struct OnTree {
    pub proposal: Proposal,
    /// The hashes of the files that a worktree's changes were merged onto; `None` where there was no file.
    pub onto: BTreeMap<RelPath, Option<String>>,
}

/// As it is written: `{"op": "from_worktree", "path"?: …}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromWorktree {
    #[serde(rename = "op")]
    _op: String,
    path: Option<RelPath>,
}

impl OnTree {
    /// Whether it was accepted for files that had changed since they were merged onto: it would take them back.
    pub fn is_outdated(&self, report: &Report) -> bool {
        let moved = |path: &RelPath, base: &Option<String>| {
            self.onto.get(path).is_some_and(|known| known != base)
        };
        report.verdict == Verdict::Accepted
            && report.files.iter().any(|file| moved(&file.path, &file.base))
    }
}

impl Performer {
    /// Reads the call.
    pub(super) async fn lay(
        &self,
        (mission, session): (&MissionId, SessionId),
        call: &ToolCall,
        open: &OpenTexts,
    ) -> Result<OnTree, GateVerdict> {
        let mut arguments = (*call.arguments).clone();
        let from_worktree = |change: &Value| change["op"] == "from_worktree";
        let named = arguments.get_mut("changes").and_then(Value::as_array_mut);
        let taken: Vec<Value> =
            named.map_or_else(Vec::new, |all| all.extract_if(.., |c| from_worktree(c)).collect());
        let own = serde_json::from_value(Value::Object(arguments));
        let mut proposal: Proposal = own.map_err(|error| malformed(&error.to_string()))?;
        let mut onto = BTreeMap::new();
        for one in taken {
            let one: FromWorktree =
                serde_json::from_value(one).map_err(|error| malformed(&error.to_string()))?;
            let laid =
                self.toolbox.from_worktree(mission, session, one.path.clone(), open.clone()).await;
            let laid = laid.map_err(unlaid)?;
            if laid.changes.is_empty() {
                let place = one.path.map_or(String::new(), |path| format!(" at {path}"));
                return Err(unlaid(format!(
                    "your worktree differs in nothing from the project{place}"
                )));
            }
            proposal.changes.extend(laid.changes.into_iter().map(Operation::from));
            onto.extend(laid.onto);
        }
        Ok(OnTree { proposal, onto })
    }
}
