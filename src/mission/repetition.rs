//! Identical actions: the same call with the same arguments that brings the same result again and again.
//!
//! It is judged by the result, so that looking again at what has changed is no repetition, whoever changed it. Each
//! task keeps one ledger for all its sessions of a role; cycles of any length are seen, because every action is counted
//! by itself. A session's first look is free: it does not know what an earlier one saw. An agent that repeats itself
//! is told so once, then its call is not served, then its session ends as an attempt that failed. When the tree
//! changes, all is forgotten.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::conversation::Role;
use super::event::SessionId;
use super::plan::ItemId;
use super::state::Mission;

/// What the sessions of one role at one task have done since the tree changed, by action.
pub(super) type Ledger = BTreeMap<u64, Seen>;
/// The ledgers of a mission.
pub(super) type Ledgers = BTreeMap<(Role, Option<ItemId>), Ledger>;

/// An action that was done before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    result: u64,
    count: u32,
    session: SessionId,
}

const HINT: &str = "You have made this call before, and the result was the same. Making it again shows nothing new: go on with what you know, or try something else.";
const REFUSAL: &str = "not served: this call has brought the same result too often. Do something else; the next repetition ends your part.";

/// Counts the actions of a turn whose calls are all answered, and answers those that go round in circles as they
/// deserve. Says why, when the session is at its end.
pub(super) fn judge(m: &mut Mission, id: SessionId) -> Option<String> {
    let allowed = m.limits.repeats.max(2);
    let session = m.sessions.get_mut(&id).filter(|session| session.is_answered())?;
    let ledger = m.ledgers.entry((session.role, session.item.clone())).or_default();
    let mut this_turn: Vec<(u64, u32)> = Vec::new();
    let mut actions: Vec<u64> = Vec::new();
    for open in session.calls_mut() {
        let action = hash(&(&open.call.name, &open.call.arguments));
        actions.push(action);
        // A call that stands twice in one answer cost one turn.
        if this_turn.iter().all(|(other, _)| *other != action) {
            this_turn.push((action, note(ledger, id, action, hash(&open.result))));
        }
    }
    let most = this_turn.iter().map(|(_, count)| *count).max().filter(|most| *most >= allowed)?;
    session.strikes += 1;
    let strikes = session.strikes;
    for (open, action) in session.calls_mut().iter_mut().zip(actions) {
        let count = this_turn.iter().find(|(other, _)| *other == action);
        let is_stale = count.is_some_and(|(_, count)| *count >= allowed);
        match &mut open.result {
            Some((content, _)) if is_stale && strikes == 1 => *content += &format!("\n\n{HINT}"),
            Some(result) if is_stale => *result = (REFUSAL.to_owned(), true),
            _ => {}
        }
    }
    (strikes > 2).then(|| format!("it made the same call {most} times, with the same result"))
}

/// How often that action brought that result, as far as this session must know.
fn note(ledger: &mut Ledger, session: SessionId, action: u64, result: u64) -> u32 {
    let seen = ledger.entry(action).or_insert(Seen { result, count: 0, session });
    if seen.result != result {
        *seen = Seen { result, count: 0, session };
    }
    if seen.session != session {
        seen.session = session;
        return 1;
    }
    seen.count = seen.count.saturating_add(1);
    seen.count
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(session, action, result, count)`
    #[test]
    fn what_is_counted_is_the_same_result_again() {
        let mut ledger = Ledger::new();
        let cases = [
            (1, 7, 1, 1),
            (1, 7, 1, 2),
            (1, 8, 1, 1),
            (1, 7, 1, 3),
            (1, 7, 2, 1),
            (1, 7, 2, 2),
            // Another session looks for the first time, then goes on where the one before it ended.
            (2, 7, 2, 1),
            (2, 7, 2, 3),
            (2, 8, 1, 1),
            (2, 8, 1, 2),
        ];
        for (session, action, result, count) in cases {
            assert_eq!(note(&mut ledger, session, action, result), count, "{session} {action}");
        }
    }
}
