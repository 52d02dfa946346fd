//! Who answers a mission's turns, and how well: what is counted are turns that were got and turns that never came, not
//! decisions to ask again.
//!
//! A turn that a mission wants ends in one of two ways: it comes, perhaps after faults (then it was *recovered*), or the
//! session or the mission is given up for want of it (then it *failed*). Nothing here knows of HTTP, addresses or keys.

use serde::{Deserialize, Serialize};

use super::conversation::Role;
use super::event::{Fault, SessionId};
use super::state::{LineKind, Mission};

/// Who was asked for a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its name, for people: the model and the host.
    pub name: String,
    /// Whether it stands in for the model that is configured for the role.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_fallback: bool,
}

/// What one provider did for a mission.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests that went out to it.
    pub requests: u64,
    /// Turns that it gave.
    pub turns: u64,
    /// Those of them that came after one or more faults, its own or those of the provider that it stands in for.
    pub recovered: u64,
    /// Turns that never came: a session or the mission was given up at a fault of this provider.
    pub failed: u64,
}

impl Tally {
    /// Turns that came, of those that were wanted, from 0 to 1; `None` before the first is decided.
    pub fn rate(&self) -> Option<f64> {
        let wanted = self.turns.saturating_add(self.failed);
        (wanted > 0).then(|| self.turns as f64 / wanted as f64)
    }
}

impl Mission {
    fn tally(&mut self, server: &Server) -> &mut Tally {
        self.providers.entry(server.name.clone()).or_default()
    }
}

/// A turn came from `server`, after faults or not.
pub(super) fn served(m: &mut Mission, role: Role, server: Option<&Server>, after_faults: bool) {
    let Some(server) = server else {
        return;
    };
    let tally = m.tally(server);
    tally.requests += 1;
    tally.turns += 1;
    tally.recovered += u64::from(after_faults);
    let changed = match server.is_fallback {
        true => m.on_fallback.insert(role),
        false => m.on_fallback.remove(&role),
    };
    if changed {
        let (kind, text) = match server.is_fallback {
            true => (LineKind::Warning, format!("answered by the fallback model {}", server.name)),
            false => (LineKind::Step, format!("answered by {} again", server.name)),
        };
        m.tell(kind, Some(role), None, text);
    }
}

/// A fault was met. What was counted for the turn before it was asked for is given back where nothing went out.
pub(super) fn asked_in_vain(m: &mut Mission, fault: &Fault) {
    if fault.unsent {
        m.spent.calls = m.spent.calls.saturating_sub(1);
    } else if let Some(server) = &fault.by {
        m.tally(server).requests += 1;
    }
}

/// Counts the turn as failed, where the fault has ended its session.
pub(super) fn conclude(m: &mut Mission, id: SessionId, fault: &Fault) {
    if let Some(server) = fault.by.as_ref().filter(|_| !m.sessions.contains_key(&id)) {
        m.tally(server).failed += 1;
    }
}
