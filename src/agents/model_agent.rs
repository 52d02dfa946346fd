//! A model behind its role's prompt. The prefix of a session (prompt, tools, messages so far) is byte-identical from turn
//! to turn, because all of it is either constant or only ever grows.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Agent, Ask, Waits};
use crate::mission::conversation::{Role, Turn};
use crate::mission::event::{Fault, FaultKind};
use crate::model::{self, Client, Progress, Reaction, Request, ToolSpec};
use crate::tools;

/// The instructions of a role.
pub fn instructions(role: Role) -> &'static str {
    match role {
        Role::Commander => include_str!("prompts/commander.md"),
        Role::Planner => include_str!("prompts/planner.md"),
        Role::Worker => include_str!("prompts/worker.md"),
        Role::Reviewer => include_str!("prompts/reviewer.md"),
    }
}

pub(super) struct ModelAgent {
    client: Client,
    /// The tools of each role, made once, in the order of [`Role::ALL`].
    tools: Vec<Vec<ToolSpec>>,
}

impl ModelAgent {
    pub fn new(settings: &model::Settings) -> Result<ModelAgent, model::ModelError> {
        let tools = Role::ALL.iter().map(|role| tools::specs(*role)).collect();
        Ok(ModelAgent { client: Client::new(settings)?, tools })
    }

    async fn complete(&self, ask: &Ask, waits: Waits<'_>) -> Result<Turn, Fault> {
        let session = format!("{}/{}", ask.mission, ask.session);
        let own = self.tools.get(ask.role as usize).map_or(&[][..], Vec::as_slice);
        let all = (!ask.offered.is_empty()).then(|| [own, &*ask.offered].concat());
        let tools = all.as_deref().unwrap_or(own);
        let request = Request {
            role: ask.role,
            blocks: ask.blocks,
            session: &session,
            system: instructions(ask.role),
            tools,
            pinned: ask.pinned,
            messages: &ask.messages,
            held: Some(&ask.held),
        };
        let mut told = |progress: Progress<'_>| match progress {
            Progress::Waits => waits(true),
            Progress::Goes => waits(false),
            _ => {}
        };
        self.client.complete(&request, &mut told).await.map_err(fault)
    }
}

impl Agent for ModelAgent {
    fn turn<'a>(&'a self, ask: &'a Ask, waits: Waits<'a>) -> BoxFuture<'a, Result<Turn, Fault>> {
        self.complete(ask, waits).boxed()
    }

    fn name(&self) -> String {
        let info = Role::ALL.iter().find_map(|role| self.client.info(*role));
        info.map_or_else(|| "a model".to_owned(), |info| info.label)
    }
}

/// The fault as the mission takes it. Where another model stands in, nobody has to mend this one first.
fn fault(fault: model::Fault) -> Fault {
    let kind = match fault.reaction() {
        Reaction::Human if fault.instead.is_some() => FaultKind::Transient,
        Reaction::Retry => FaultKind::Transient,
        Reaction::Compact => FaultKind::Overflow,
        Reaction::Correct => FaultKind::BadAnswer,
        Reaction::Human => FaultKind::NeedsHuman,
    };
    Fault {
        kind,
        message: fault.message,
        retry_after_ms: fault.retry_after_ms,
        usage: fault.usage.unwrap_or_default(),
        by: fault.by,
        unsent: fault.unsent,
        instead: fault.instead,
        jitter: chance(),
    }
}

/// A number from 0 to 999 that nobody can foresee. It is drawn here and journaled with the fault, so that the mission
/// itself stays a function of its events.
fn chance() -> u32 {
    // Every state of the standard library's hasher begins with keys of its own.
    let drawn = RandomState::new().build_hasher().finish();
    (drawn % 1000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory;

    /// The tier of the system, by the exact count.
    #[test]
    fn instructions_stay_within_their_tier() {
        for role in Role::ALL {
            let tokens = memory::tokens::exact(instructions(role)).unwrap();
            assert!(tokens <= memory::Tier::System.budget(), "{role}: {tokens}");
        }
    }

    /// About four bytes a token: a role's instructions stay under 1,200 tokens.
    #[test]
    fn instructions_are_short() {
        for role in Role::ALL {
            assert!(instructions(role).len() < 4_000, "{role}: {}", instructions(role).len());
        }
    }

    /// A worker's first request is small: instructions, tools, and a brief of ordinary length.
    #[test]
    fn instructions_and_tools_are_small_together() {
        for role in Role::ALL {
            let tools = serde_json::to_string(&tools::specs(role)).unwrap();
            assert!(instructions(role).len() + tools.len() < 9_000, "{role}");
        }
    }
}
