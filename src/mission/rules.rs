//! Which rules a mission was begun under, and what becomes of it where they are no longer these.
//!
//! A mission is a fold over its events, so the fold is a part of what was promised: an outcome that was written under
//! other rules may not fit what these make of the events before it. Such a mission is not carried on by guess. What it
//! has done counts as it was written, so that its changes can be seen, verified and taken back; what is open of it is
//! given up, and says so.

use super::event::{GateVerdict, Outcome, SealVerdict};
use super::plan::{ItemId, Mark};
use super::state::{Accepted, End, LineKind, Mission};

/// The number of the rules by which this version folds. It grows whenever the same events may make another mission of
/// themselves: another effect, another order of effects, another count.
pub const RULES: u32 = 5;

/// A process has taken the mission up.
pub(super) fn taken(m: &mut Mission, rules: u32) {
    m.is_foreign = rules != m.rules;
    if m.is_foreign && m.ended.is_none() {
        give_up(m);
    }
}

/// Ends a mission that cannot go on here, blocked ones too.
pub(super) fn give_up(m: &mut Mission) {
    m.ended = None;
    m.end(End::Failed {
        reason: format!(
            "it was begun by another version of orchestrator, whose rules (number {}) this one does not follow, and is not carried on by guess; what was accepted stays, and can be verified or taken back: begin what is left as a new mission",
            m.rules
        ),
    });
}

/// Whether this version folds the mission by other rules than it was begun under.
pub(super) fn are_others(m: &Mission) -> bool {
    m.rules != RULES
}

/// Counts what an outcome says that was written under other rules, whether it fits or not.
pub(super) fn make_good(m: &mut Mission, outcome: &Outcome) {
    match outcome {
        Outcome::Checked { verdict: GateVerdict::Accepted { receipt, files, summary } } => {
            let (files, summary) = (files.clone(), summary.clone());
            let item = open_item(m);
            let accepted = Accepted { receipt: *receipt, item, files, summary, undone: false };
            m.proved = Some(accepted);
        }
        Outcome::Applied => {
            let proved = m.proved.take();
            let is_new = |a: &Accepted| m.receipts.iter().all(|known| known.receipt != a.receipt);
            if let Some(accepted) = proved.filter(is_new) {
                let files = accepted.files.join(", ");
                let text = format!("accepted {files} (receipt {})", accepted.receipt);
                m.tell(LineKind::Accepted, None, Some(&accepted.item), text);
                m.receipts.push(accepted);
            }
        }
        Outcome::Stale { .. }
        | Outcome::Met { .. }
        | Outcome::NotApplied { .. }
        | Outcome::Aborted => m.proved = None,
        Outcome::Sealed { verdict: SealVerdict::Green { hash, .. } }
            if !matches!(m.ended, Some(End::Sealed { .. } | End::Cancelled)) =>
        {
            m.ended = None;
            m.end(End::Sealed { hash: hash.clone() });
        }
        _ => {}
    }
}

/// The task that a change most likely belongs to.
fn open_item(m: &Mission) -> ItemId {
    let at_gate = m.proposals.front().map(|proposal| proposal.item.clone());
    let open = || {
        let mut tasks = m.plan.iter().flat_map(|plan| plan.tasks());
        tasks.find(|task| task.mark() != Mark::Done).map(|task| task.id.clone())
    };
    at_gate.or_else(open).unwrap_or_else(|| ItemId::milestone(1).child(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Act, Command, Event, MissionId, TestVerdict};
    use crate::{Effect, step};

    fn told(m: Mission, at: u64, event: Event) -> (Mission, Vec<Effect>) {
        step(m, at, &event)
    }

    fn begun(rules: u32, at: u64) -> Mission {
        let text = format!(
            r#"{{"event":"started","goal":"g","mode":"task","engine":"e","limits":{{"wall_ms":10000}},"rules":{rules}}}"#
        );
        let text = if rules == 0 { text.replace(",\"rules\":0", "") } else { text };
        told(Mission::new(MissionId("m".into())), at, serde_json::from_str(&text).unwrap()).0
    }

    #[test]
    fn the_time_in_which_no_process_was_there_is_nobodys() {
        for back in [false, true] {
            let m = begun(RULES, 1_000_000);
            let m = told(m, 1_002_000, Event::Taken { rules: RULES }).0;
            assert_eq!(m.active_ms, 0);
            // Hours later, or before: the wall clock was set in the meantime.
            let later = if back { 5_000 } else { 90_000_000 };
            let m = told(m, later, Event::Taken { rules: RULES }).0;
            let (m, _) = told(m, later, Event::Commanded { command: Command::Pause });
            let (m, _) = told(m, later + 3_000, Event::Commanded { command: Command::Resume });
            assert_eq!((m.active_ms, m.deadline()), (3_000, Some(later + 10_000)), "{back}");
        }
    }

    #[test]
    fn a_mission_of_other_rules_ends_with_the_reason_and_keeps_what_it_did() {
        let finished = |effect, outcome| Event::Finished { effect, outcome };
        let (receipt, files, summary) = (1, vec!["a".to_owned()], "s".to_owned());
        let accepted = GateVerdict::Accepted { receipt, files, summary };
        // None of these fits what these rules make of the mission, which waits for its Commander.
        let mut m = begun(0, 1);
        let passed = TestVerdict::Passed { summary: String::new() };
        for outcome in [
            Outcome::Checked { verdict: accepted },
            Outcome::Applied,
            Outcome::Tested { verdict: passed },
        ] {
            m = told(m, 2, finished(7, outcome)).0;
        }
        assert_eq!((m.receipts.len(), m.ended.clone()), (1, None));
        let (m, effects) = told(m, 3, Event::Taken { rules: RULES });
        let reason = m.ended.as_ref().map(|end| end.detail().to_owned()).unwrap();
        assert!(effects.is_empty() && reason.contains("another version"), "{reason}");
        let (m, effects) = told(m, 4, Event::Commanded { command: Command::Resume });
        assert!(effects.is_empty() && m.ended.is_some());
        let undo = Command::Undo { receipt: None, merge: false, ask: Some("q".into()) };
        let (m, effects) = told(m, 5, Event::Commanded { command: undo });
        let [Effect { id, act: Act::Undo { .. } }] = effects.as_slice() else {
            panic!("{effects:?}")
        };
        let (m, _) = told(m, 6, finished(*id, Outcome::Applied));
        assert!(m.receipts[0].undone && m.answers[0].is_done && m.answers[0].ask == "q");
    }

    #[test]
    fn a_blocked_mission_of_other_rules_is_not_opened_again() {
        let mut m = begun(0, 1);
        m.end(End::Blocked { needs: "n".into() });
        let m = told(m, 2, Event::Taken { rules: RULES }).0;
        assert_eq!(m.ended.as_ref().unwrap().name(), "blocked");
        let (m, effects) = told(m, 3, Event::Commanded { command: Command::Resume });
        assert!(effects.is_empty());
        assert_eq!(m.ended.as_ref().unwrap().name(), "failed");
    }
}
