//! What was proved, who was asked, and what was found: the gate's verdicts with their times, the models with theirs, and the
//! findings.

use ratatui::text::{Line, Span};

use super::super::figures::{Proof, Verdict};
use super::super::frame::{Theme, Tone};
use super::super::observer::Watched;
use super::super::text::{clean, count, duration, money, share, sparkline};
use super::fit;
use crate::mission::accounts::Account;
use crate::mission::event::Gravity;
use crate::mission::{Finding, FindingStatus};

/// What is under way comes first, then what has ended, the newest first.
pub(super) fn proofs(watched: &Watched) -> usize {
    watched.figures.proving(&watched.mission).len() + watched.figures.proofs.len()
}

/// The proof of a row; none of what is under way.
pub(in super::super) fn proof(watched: &Watched, row: usize) -> Option<&Proof> {
    let row = row.checked_sub(watched.figures.proving(&watched.mission).len())?;
    watched.figures.proofs.iter().rev().nth(row)
}

pub(super) fn gate(watched: &Watched) -> String {
    let gate = watched.figures.gate;
    let mut text = format!("{} accepted, {} refused", gate.accepted, gate.refused);
    if gate.unverified > 0 {
        text += &format!(", {} unverified", gate.unverified);
    }
    if let Some([p50, p95]) = watched.figures.gate_took().map(|took| took.map(duration)) {
        text += &format!("; p50 {p50}, p95 {p95}");
    }
    text
}

pub(super) fn verdict(watched: &Watched, row: usize, now: u64, theme: Theme) -> Line<'static> {
    let proving = watched.figures.proving(&watched.mission);
    if let Some((kind, item, began)) = proving.get(row) {
        let item = item.map_or(String::new(), ToString::to_string);
        return Line::from(vec![
            format!("{:<9}{} ", kind.name(), fit(&item, 6)).into(),
            Span::styled(fit("is proved", 19), theme.tone(Tone::Live)),
            duration(now.saturating_sub(*began)).into(),
        ]);
    }
    let Some(proof) = proof(watched, row) else {
        return Line::default();
    };
    let tone = match proof.verdict {
        Verdict::Good => Tone::Good,
        Verdict::Refused => Tone::Bad,
        Verdict::Unverified => Tone::Warn,
    };
    let item = proof.item.as_ref().map_or(String::new(), ToString::to_string);
    Line::from(vec![
        format!("{:<9}{} ", proof.kind.name(), fit(&item, 6)).into(),
        Span::styled(fit(&proof.word, 19), theme.tone(tone)),
        format!("{}  {}", duration(proof.took_ms), proof.text).into(),
    ])
}

pub(super) fn models(watched: &Watched) -> usize {
    watched.mission.accounts.by_model().len()
}

/// What the whole mission's requests came to.
pub(super) fn book(watched: &Watched) -> String {
    let total = watched.mission.accounts.total();
    let rate = share(total.rate());
    format!("{} turns, {} of those wanted, {} failed", total.turns, rate.trim(), total.failed)
}

/// A model: its turns, how many of those that were wanted came, how long they took, and the newest of them one by one.
pub(super) fn model(watched: &Watched, row: usize, width: usize, theme: Theme) -> Line<'static> {
    let Some((name, account)) = watched.mission.accounts.by_model().into_iter().nth(row) else {
        return Line::default();
    };
    let Account { turns, failed, latency, usage, .. } = account;
    let [p50, p95] = [0.5, 0.95].map(|q| match latency.turns() {
        0 => "     -".to_owned(),
        _ => duration(latency.quantile_ms(q)),
    });
    let cost = match width {
        100.. => {
            let (tokens, price) = (usage.input.saturating_add(usage.output), usage.micro_usd);
            format!("{} tok {}  ", count(tokens), money(price))
        }
        _ => String::new(),
    };
    let rate = account.rate();
    let tone = if failed > 0 { Tone::Bad } else { Tone::Good };
    let head = format!("{} {} turns ", fit(&clean(&name), (width / 4).max(10)), count(turns));
    let times = format!("  p50 {p50}  p95 {p95}  {cost}");
    let used = head.chars().count() + 4 + times.chars().count();
    let beats = watched.figures.models.get(&name).into_iter().flatten();
    Line::from(vec![
        head.into(),
        Span::styled(share(rate), theme.tone(tone)),
        times.into(),
        Span::styled(sparkline(beats, width.saturating_sub(used)), theme.tone(Tone::Live)),
    ])
}

pub(super) fn open(watched: &Watched) -> String {
    let all = &watched.mission.findings;
    let open = all.iter().filter(|finding| finding.status == FindingStatus::Open).count();
    format!("{open} open of {}", all.len())
}

/// The finding of a row: the open ones first, and of each kind the newest first.
pub(in super::super) fn finding(watched: &Watched, row: usize) -> Option<&Finding> {
    let all = || watched.mission.findings.iter().rev();
    let is_open = |finding: &&Finding| finding.status == FindingStatus::Open;
    all().filter(is_open).chain(all().filter(move |finding| !is_open(finding))).nth(row)
}

pub(super) fn note(watched: &Watched, row: usize, theme: Theme) -> Line<'static> {
    let Some(finding) = finding(watched, row) else {
        return Line::default();
    };
    let status = match &finding.status {
        FindingStatus::Open => "open",
        FindingStatus::Closed => "closed",
        FindingStatus::Dismissed(_) => "dismissed",
    };
    let (gravity, tone) = match finding.what.severity {
        Gravity::Error => ("error", Tone::Bad),
        Gravity::Warning => ("warning", Tone::Warn),
        Gravity::Info => ("info", Tone::Plain),
    };
    let place = match (&finding.what.file, finding.what.line) {
        (Some(file), Some(line)) => format!("{}:{line}: ", clean(file)),
        (Some(file), None) => format!("{}: ", clean(file)),
        _ => String::new(),
    };
    let item = finding.item.as_ref().map_or(String::new(), ToString::to_string);
    Line::from(vec![
        format!("{:>3} {status:<10}", finding.id).into(),
        Span::styled(format!("{gravity:<8}"), theme.tone(tone)),
        format!("{} {place}{}", fit(&item, 6), clean(&finding.what.message)).into(),
    ])
}
