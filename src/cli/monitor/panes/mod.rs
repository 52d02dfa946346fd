//! The panes: of each, how many rows it has, which of them it shows by itself, and what a row says. A row is made only when
//! it is drawn, so a frame costs what is seen of it, not what is there.

mod ledger;
mod plan;
mod story;

use std::ops::Range;

use ratatui::text::Line;

use super::frame::Theme;
use super::observer::{Watched, World};

pub(super) use ledger::{finding, proof};
pub(super) use plan::item;
pub(super) use story::tone;

/// A part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Missions,
    Sessions,
    Plan,
    Gate,
    Models,
    Findings,
    Log,
}

impl Pane {
    /// In the order of the keys that lead to them.
    pub const ALL: [Pane; 7] = [
        Pane::Missions,
        Pane::Sessions,
        Pane::Plan,
        Pane::Gate,
        Pane::Models,
        Pane::Findings,
        Pane::Log,
    ];
    /// Those that share one place on a small screen.
    pub const SHARED: [Pane; 4] = [Pane::Gate, Pane::Models, Pane::Findings, Pane::Log];

    pub fn name(self) -> &'static str {
        match self {
            Pane::Missions => "missions",
            Pane::Sessions => "sessions",
            Pane::Plan => "plan",
            Pane::Gate => "gate",
            Pane::Models => "models",
            Pane::Findings => "findings",
            Pane::Log => "log",
        }
    }

    /// The key that leads to it.
    pub fn key(self) -> usize {
        self as usize + 1
    }

    pub fn next(self, by: isize) -> Pane {
        let count = Pane::ALL.len() as isize;
        Pane::ALL[(self as isize + by).rem_euclid(count) as usize]
    }
}

/// The rows of a pane. Those of the log are numbered as its lines are, which leave it at its beginning.
pub(super) fn rows(pane: Pane, watched: &Watched) -> Range<usize> {
    let mission = &watched.mission;
    match pane {
        Pane::Missions => 0..0,
        Pane::Sessions => 0..mission.sessions().count(),
        Pane::Plan => 0..mission.plan.as_ref().map_or(0, plan::rows),
        Pane::Gate => 0..ledger::proofs(watched),
        Pane::Models => 0..ledger::models(watched),
        Pane::Findings => 0..mission.findings.len(),
        Pane::Log => {
            let told = mission.told as usize;
            told.saturating_sub(mission.story.len())..told
        }
    }
}

/// The row that a pane shows by itself: what is worked on, or the newest line.
pub(super) fn natural(pane: Pane, watched: &Watched) -> usize {
    match pane {
        Pane::Plan => watched.mission.plan.as_ref().map_or(0, plan::active),
        Pane::Log => rows(Pane::Log, watched).end.saturating_sub(1),
        _ => 0,
    }
}

/// What stands beside a pane's name.
pub(super) fn title(pane: Pane, world: &World, watched: Option<&Watched>) -> String {
    let Some(watched) = watched else {
        return String::new();
    };
    match pane {
        Pane::Missions => world.missions.len().to_string(),
        Pane::Sessions => watched.mission.sessions().count().to_string(),
        Pane::Plan => plan::title(watched),
        Pane::Gate => ledger::gate(watched),
        Pane::Models => ledger::book(watched),
        Pane::Findings => ledger::open(watched),
        Pane::Log => String::new(),
    }
}

/// A row of a pane, at the time `now`.
pub(super) fn row(
    pane: Pane,
    watched: &Watched,
    row: usize,
    width: usize,
    now: u64,
    theme: Theme,
) -> Line<'static> {
    match pane {
        Pane::Missions => story::mission(watched, width, theme),
        Pane::Sessions => story::session(watched, row, width, now, theme),
        Pane::Plan => plan::row(watched, row, width, theme),
        Pane::Gate => ledger::verdict(watched, row, now, theme),
        Pane::Models => ledger::model(watched, row, width, theme),
        Pane::Findings => ledger::note(watched, row, theme),
        Pane::Log => story::line(watched, row, theme),
    }
}

/// What an empty pane says.
pub(super) fn nothing(pane: Pane, watched: &Watched) -> &'static str {
    match pane {
        Pane::Missions => "no missions",
        Pane::Sessions if watched.mission.ended.is_some() => "none: the mission has ended",
        Pane::Sessions => "none at present",
        Pane::Plan => "no plan yet",
        Pane::Gate => "nothing was proved yet",
        Pane::Models if watched.mission.engine == crate::mission::SYMBOLIC => {
            "none: the symbolic engine asks no model"
        }
        Pane::Models => "no turn came yet",
        Pane::Findings => "none",
        Pane::Log => "nothing was told yet",
    }
}

/// A text of exactly so many columns, or as near as wide characters come: cut, or filled with blanks.
fn fit(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut left = width;
    let is_cut = ratatui::text::Span::raw(text).width() > width;
    let room = if is_cut { width.saturating_sub(1) } else { width };
    let mut used = 0;
    for c in text.chars() {
        let wide = ratatui::text::Span::raw(c.to_string()).width();
        if used + wide > room {
            break;
        }
        out.push(c);
        used += wide;
    }
    left -= used.min(left);
    if is_cut && left > 0 {
        out.push('…');
        left -= 1;
    }
    out + &" ".repeat(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_and_filled_by_columns() {
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("日本語", 4), "日… ");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn the_keys_go_around() {
        assert_eq!(Pane::Log.next(1), Pane::Missions);
        assert_eq!(Pane::Missions.next(-1), Pane::Log);
        assert_eq!(Pane::ALL.map(Pane::key), [1, 2, 3, 4, 5, 6, 7]);
    }
}
