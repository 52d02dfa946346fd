//! Who is there and what is told: the missions, the open sessions, the lines of the story.

use ratatui::text::{Line, Span};

use super::super::frame::{Theme, Tone};
use super::super::observer::Watched;
use super::super::text::{bar, clean, count, duration, money};
use super::fit;
use crate::mission::plan::Plan;
use crate::mission::view::state;
use crate::mission::{LineKind, Mission};

/// The tone of a mission's state; the state itself is always a word.
pub(in super::super) fn tone(mission: &Mission) -> Tone {
    match state(mission) {
        "sealed" => Tone::Good,
        "paused" | "planned" | "blocked" => Tone::Warn,
        "failed" | "exhausted" | "cancelled" => Tone::Bad,
        _ => Tone::Live,
    }
}

pub(super) fn mission(watched: &Watched, width: usize, theme: Theme) -> Line<'static> {
    let mission = &watched.mission;
    let (done, all) = mission.plan.as_ref().map_or((0, 0), Plan::progress);
    let state = match (&watched.broken, watched.read_percent()) {
        (Some(_), _) => "damaged".to_owned(),
        (None, Some(percent)) => format!("read {percent}%"),
        (None, None) => state(mission).to_owned(),
    };
    let sessions = match mission.sessions().count() {
        0 => String::new(),
        some => format!("{some} live"),
    };
    let head = format!(" {} {done:>3}/{all:<3} {sessions:>8}  ", bar((done, all), 10));
    let room = width.saturating_sub(10 + head.chars().count());
    Line::from(vec![
        Span::styled(fit(&state, 10), theme.tone(tone(mission))),
        head.into(),
        fit(&clean(&mission.goal), room).into(),
    ])
}

pub(super) fn session(
    watched: &Watched,
    row: usize,
    width: usize,
    now: u64,
    theme: Theme,
) -> Line<'static> {
    let Some(session) = watched.mission.sessions().nth(row) else {
        return Line::default();
    };
    let doing = watched.figures.sessions.get(&session.id);
    let item = session.item.as_ref().map_or(String::new(), ToString::to_string);
    let usage = &session.account.usage;
    let tokens = count(usage.input.saturating_add(usage.output));
    let since = doing
        .filter(|doing| doing.since > 0)
        .map_or("     -".to_owned(), |doing| duration(now.saturating_sub(doing.since)));
    let model = doing.and_then(|doing| doing.model.as_deref()).unwrap_or("-");
    let last = doing.map_or("", |doing| doing.last.as_str());
    // What it did last is worth more than many digits.
    let (room, money) = match width {
        0..100 => (11, format!("${:.2}", usage.micro_usd as f64 / 1e6)),
        100..140 => (20, money(usage.micro_usd)),
        _ => (28, money(usage.micro_usd)),
    };
    Line::from(vec![
        Span::styled(fit(session.role.name(), 10), theme.tone(Tone::Strong)),
        format!("{} ", fit(&item, 6)).into(),
        Span::styled(fit(activity(session), 13), theme.tone(Tone::Live)),
        format!("{since} {} {tokens} tok {money} {last}", fit(model, room)).into(),
    ])
}

/// What a session does, in thirteen characters.
fn activity(session: &crate::mission::Session) -> &'static str {
    match session.activity() {
        "waiting for a slot" => "wants a slot",
        other => other,
    }
}

pub(super) fn line(watched: &Watched, row: usize, theme: Theme) -> Line<'static> {
    let mission = &watched.mission;
    let first = (mission.told as usize).saturating_sub(mission.story.len());
    let Some(line) = row.checked_sub(first).and_then(|at| mission.story.get(at)) else {
        return Line::default();
    };
    let (mark, tone) = match line.kind {
        LineKind::Step => (" ·", Tone::Plain),
        LineKind::Accepted => (" +", Tone::Good),
        LineKind::Refused => (" x", Tone::Bad),
        LineKind::Good => ("ok", Tone::Good),
        LineKind::Warning => (" !", Tone::Warn),
        LineKind::End => (" =", Tone::Strong),
    };
    let role = line.role.map_or("", crate::mission::conversation::Role::name);
    let item = line.item.as_ref().map_or(String::new(), ToString::to_string);
    let time = duration(line.at.saturating_sub(mission.started_at));
    Line::from(vec![
        format!("{time} ").into(),
        Span::styled(mark, theme.tone(tone)),
        format!(" {role:<10}{} {}", fit(&item, 6), clean(&line.text)).into(),
    ])
}
