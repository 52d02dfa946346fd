//! `check`: a change-set is proved, and nothing is written.

use serde_json::{Map, Value};

use super::workspace::Workspace;
use super::{Refusal, shown};
use crate::gate::Proposal;
use crate::workspace::OpenTexts;

/// Proves the change-set that the arguments are. Dropping the future ends what was started for it.
///
/// # Errors
/// When it cannot be read, or the gate itself cannot work.
pub async fn check(workspace: &Workspace, given: &Map<String, Value>) -> Result<Value, Refusal> {
    let text = serde_json::to_vec(given).map_err(Refusal::arguments)?;
    let proposal = Proposal::read(&text).map_err(Refusal::arguments)?;
    if proposal.changes.is_empty() {
        return Err(Refusal::arguments("the change-set has no changes"));
    }
    let gate = workspace.gate().await?;
    let judged = gate.check_proposal(&proposal, &OpenTexts::new()).await;
    let judged = judged.map_err(Refusal::environment)?;
    Ok(shown::report(&judged.checked.report, &judged.notes))
}
