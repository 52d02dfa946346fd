//! Who answers a mission's turns, and how well: what is counted are turns that were got and turns that never came, not
//! decisions to ask again.
//!
//! A turn that a mission wants ends in one of two ways: it comes, perhaps after faults (then it was *recovered*), or the
//! session or the mission is given up for want of it (then it *failed*). Nothing here knows of HTTP, addresses or keys.

use serde::{Deserialize, Serialize};

use super::accounts::Account;
use super::conversation::{Role, Usage};
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

/// A turn that came, as far as it is counted.
pub(super) struct Served {
    pub by: Option<Box<Server>>,
    pub usage: Usage,
    pub took_ms: u64,
    pub after_faults: bool,
}

/// Counts in the session's account, while it is open, and in the book.
fn count(m: &mut Mission, (id, role): (SessionId, Role), by: &Server, add: impl Fn(&mut Account)) {
    if let Some(session) = m.sessions.get_mut(&id) {
        add(&mut session.account);
    }
    add(m.accounts.of(role, &by.name));
}

/// A turn came, after faults or not.
pub(super) fn served(m: &mut Mission, id: SessionId, role: Role, turn: &Served) {
    let Some(server) = &turn.by else {
        return;
    };
    count(m, (id, role), server, |account| {
        account.requests += 1;
        account.turns += 1;
        account.recovered += u64::from(turn.after_faults);
        account.usage += turn.usage;
        account.latency.count(turn.took_ms);
    });
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
pub(super) fn asked_in_vain(m: &mut Mission, id: SessionId, fault: &Fault) {
    if fault.unsent {
        m.spent.calls = m.spent.calls.saturating_sub(1);
        return;
    }
    let role = m.sessions.get(&id).map(|session| session.role);
    if let (Some(server), Some(role)) = (&fault.by, role) {
        count(m, (id, role), server, |account| {
            account.requests += 1;
            account.usage += fault.usage;
        });
    }
}

/// Counts the turn as failed, where the fault has ended its session, which played that role.
pub(super) fn conclude(m: &mut Mission, id: SessionId, role: Option<Role>, fault: &Fault) {
    let server = fault.by.as_ref().filter(|_| !m.sessions.contains_key(&id));
    if let (Some(server), Some(role)) = (server, role) {
        m.accounts.of(role, &server.name).failed += 1;
    }
}
