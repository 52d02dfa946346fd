//! The symbolic engine as an agent: it answers every role's turns from what compilers and language servers say, with the
//! same calls that a model would make. It keeps nothing between turns: all it knows is the tree and the conversation.

mod turns;
mod worker;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::symbolic::Remedies;
use super::{Agent, Ask, Waits};
use crate::gate::diagnostic::{Diagnostic, Remedy};
use crate::gate::stage::Boxed;
use crate::gate::{Diagnosis, Gate, Overlay, language};
use crate::mission::SYMBOLIC;
use crate::mission::conversation::{Role, Turn};
use crate::mission::event::{Fault, FaultKind};
use crate::workspace::OpenTexts;

pub(super) struct SymbolicAgent {
    gate: Arc<Gate>,
}

impl SymbolicAgent {
    pub fn new(gate: Arc<Gate>) -> SymbolicAgent {
        SymbolicAgent { gate }
    }

    async fn answer(&self, ask: &Ask) -> Result<Turn, Fault> {
        if ask.role == Role::Commander {
            return Ok(turns::commander(ask, self.gate.workspace().root()));
        }
        let seen =
            self.gate.diagnose(&ask.open).await.map_err(|error| fault(&error.to_string()))?;
        Ok(match (ask.role, &ask.task) {
            (Role::Planner, _) => turns::planner(ask, &seen),
            (Role::Worker, Some(task)) => {
                let live = Live { gate: &self.gate, open: &ask.open, seen: &seen };
                worker::worker(ask, task, &live).await
            }
            (Role::Reviewer, Some(task)) => turns::task_review(ask, task, &seen),
            _ => turns::mission_review(ask, &seen),
        })
    }
}

impl Agent for SymbolicAgent {
    fn turn<'a>(&'a self, ask: &'a Ask, _: Waits<'a>) -> BoxFuture<'a, Result<Turn, Fault>> {
        self.answer(ask).boxed()
    }

    fn name(&self) -> String {
        SYMBOLIC.to_owned()
    }
}

fn fault(message: &str) -> Fault {
    Fault::new(FaultKind::Transient, message)
}

/// The tree as it is now, and what the language servers offer for it.
struct Live<'a> {
    gate: &'a Gate,
    open: &'a OpenTexts,
    seen: &'a Diagnosis,
}

impl Remedies for Live<'_> {
    fn diagnostics(&self) -> Boxed<'_, Vec<Diagnostic>> {
        Box::pin(std::future::ready(self.seen.diagnostics.clone()))
    }

    fn quick_fixes<'a>(&'a self, diagnostic: &'a Diagnostic) -> Boxed<'a, Vec<Remedy>> {
        Box::pin(async {
            let language = language::for_path(&diagnostic.path);
            let servers = self.gate.servers(self.open).await;
            match (language, servers) {
                (Some(language), Ok(Some(servers))) => {
                    servers.remedies(language, &Overlay::new(), diagnostic).await
                }
                (_, Err(error)) => {
                    tracing::warn!(%error, "no quick fixes");
                    Vec::new()
                }
                _ => Vec::new(),
            }
        })
    }
}
