//! A change-set's way: through the gate, into the user's tree, back to the worker as a result.

use super::conversation::Role;
use super::event::{GateVerdict, NewFinding};
use super::question::{self, Meeting};
use super::state::{Accepted, End, FoundBy, LineKind, Mission, Proposal, ProposalStage};
use super::{turn, work};

/// How often a change-set is proved again because the tree changed beneath it.
const REBASES: u32 = 3;

pub(super) fn checked(m: &mut Mission, verdict: &GateVerdict) {
    let Some(mut proposal) = m.proposals.pop_front() else {
        return;
    };
    if !m.sessions.contains_key(&proposal.session) {
        return;
    }
    match verdict {
        GateVerdict::Accepted { receipt, files, summary } => {
            proposal.stage = ProposalStage::Proved(Accepted {
                receipt: *receipt,
                item: proposal.item.clone(),
                files: files.clone(),
                summary: summary.clone(),
                undone: false,
            });
            m.proposals.push_front(proposal);
        }
        GateVerdict::Refused { stage, report, problems } => {
            refused(m, proposal, stage, report, problems)
        }
        GateVerdict::Unverified { reason } => {
            m.tell(
                LineKind::Warning,
                None,
                Some(&proposal.item),
                format!("unverified, not applied: {reason}"),
            );
            m.end(End::Blocked { needs: format!("a way to prove changes: {reason}") });
        }
    }
}

fn refused(
    m: &mut Mission,
    proposal: Proposal,
    stage: &str,
    report: &str,
    problems: &[NewFinding],
) {
    let item = proposal.item.clone();
    let first = problems.first().map_or(report, |p| &p.message);
    let place = problems.first().and_then(|p| Some((p.file.as_ref()?, p.line?)));
    let place = place.map_or(String::new(), |(file, line)| format!("{file}:{line} "));
    let text =
        format!("the gate refused at {stage}: {place}{}", first.lines().next().unwrap_or_default());
    m.tell(LineKind::Refused, Some(Role::Worker), Some(&item), text);
    m.close_findings(Some(&item), FoundBy::Gate);
    for problem in problems {
        m.find(Some(&item), FoundBy::Gate, problem.clone());
    }
    answer(m, &proposal, format!("refused at {stage}; nothing was changed.\n{report}"), true);
}

pub(super) fn applied(m: &mut Mission) {
    let Some(proposal) = m.proposals.pop_front() else {
        return;
    };
    let ProposalStage::Applying(accepted) = proposal.stage.clone() else {
        return;
    };
    let text = format!(
        "accepted {} (receipt {}): {}",
        accepted.files.join(", "),
        accepted.receipt,
        accepted.summary
    );
    m.tell(LineKind::Accepted, Some(Role::Worker), Some(&accepted.item), text);
    m.close_findings(Some(&accepted.item), FoundBy::Gate);
    let content = format!("accepted, receipt {}: {}", accepted.receipt, accepted.summary);
    m.receipts.push(accepted);
    m.tree_changed();
    answer(m, &proposal, content, false);
}

/// The tree is no longer what was checked: the change-set is proved again on the tree as it is now.
pub(super) fn stale(m: &mut Mission, reason: &str) {
    let Some(mut proposal) = m.proposals.pop_front() else {
        return;
    };
    if !m.sessions.contains_key(&proposal.session) {
        return;
    }
    proposal.stale += 1;
    if proposal.stale <= REBASES {
        m.tell(LineKind::Step, None, Some(&proposal.item), format!("{reason}; proving again"));
        proposal.stage = ProposalStage::Queued;
        m.proposals.push_front(proposal);
    } else {
        let text = format!("refused: the files keep changing ({reason}); nothing was changed");
        answer(m, &proposal, text, true);
    }
}

/// A person typed where it changes something: it waits for their word, and the others go on.
pub(super) fn met(m: &mut Mission, meeting: Meeting) {
    let Some(proposal) = m.proposals.front() else {
        return;
    };
    if !m.sessions.contains_key(&proposal.session) {
        m.proposals.pop_front();
        return;
    }
    let proposal = proposal.clone();
    if question::meets(m, &proposal, meeting) {
        m.proposals.pop_front();
    } else {
        stale(m, "what it changes was edited");
    }
}

/// The person's word on a change that met what they typed.
pub(super) fn decided(
    m: &mut Mission,
    mut proposal: Proposal,
    meeting: Option<Meeting>,
    word: &str,
) {
    if word.eq_ignore_ascii_case(question::MERGE) {
        proposal.merge = meeting.map(|meeting| meeting.change);
        proposal.stage = ProposalStage::Queued;
        m.proposals.push_back(proposal);
        return;
    }
    let why = if word.eq_ignore_ascii_case(question::DISCARD) { "" } else { word };
    let colon = if why.is_empty() { "" } else { ": " };
    let text = format!(
        "refused by the person, who edits the same lines{colon}{why}; nothing was changed. What they wrote stays: read it before you propose again"
    );
    answer(m, &proposal, text, true);
}

pub(super) fn not_applied(m: &mut Mission, reason: &str) {
    m.proposals.pop_front();
    m.end(End::Blocked { needs: format!("the change could not be written: {reason}") });
}

fn answer(m: &mut Mission, proposal: &Proposal, content: String, is_error: bool) {
    let allowed = m.limits.refusals;
    let Some(session) = m.sessions.get_mut(&proposal.session) else {
        return;
    };
    session.refusals += u32::from(is_error);
    if session.refusals > allowed {
        let why = format!("the gate refused it {} times, last: {content}", session.refusals);
        return work::session_failed(m, proposal.session, &why);
    }
    turn::called(m, proposal.session, proposal.index, content, is_error);
}
