//! What a person has chosen to look at, and what their keys mean. It reads nothing and draws nothing: a key becomes a change
//! of the choice, or a wish that somebody else fulfils.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::observer::{Watched, World};
use super::panes::{self, Pane};
use crate::mission::plan::Plan;
use crate::mission::{Command, End, Finding, MissionId};

/// What a person has chosen.
#[derive(Debug)]
pub(super) struct Screen {
    /// The mission that is shown; `None` for the one that goes on, or is the newest.
    pub mission: Option<MissionId>,
    pub focus: Pane,
    /// Whether the pane in focus has the whole screen.
    pub zoomed: bool,
    pub help: bool,
    /// The mission whose cancellation is to be confirmed.
    pub asks: Option<MissionId>,
    /// What became of the last key.
    pub said: String,
    /// The row of each pane that a person has gone to; `None` where the pane goes by itself.
    pub cursors: [Option<usize>; Pane::ALL.len()],
}

/// What a key wants of somebody else.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Quit,
    Tell(MissionId, Command),
    Open(Place),
}

/// A file, relative to the workspace, and a 1-based line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub file: String,
    pub line: Option<u32>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// By how many rows the page keys move.
const PAGE: isize = 10;

impl Screen {
    pub fn new(mission: Option<MissionId>) -> Screen {
        Screen {
            mission,
            focus: Pane::Plan,
            zoomed: false,
            help: false,
            asks: None,
            said: String::new(),
            cursors: Default::default(),
        }
    }

    /// The row that a person has gone to in a pane.
    pub fn cursor(&self, pane: Pane) -> Option<usize> {
        self.cursors[pane as usize]
    }

    /// Takes a key.
    pub fn press(&mut self, key: KeyEvent, world: &World) -> Wish {
        self.said.clear();
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Wish::Quit;
        }
        if let Some(mission) = self.asks.take() {
            return match key.code {
                KeyCode::Char('y' | 'Y') => Wish::Tell(mission, Command::Cancel),
                _ => self.say("not cancelled"),
            };
        }
        if std::mem::take(&mut self.help) {
            return Wish::Nothing;
        }
        match key.code {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('p') => return self.tell(world, Command::Pause),
            KeyCode::Char('r') => return self.tell(world, Command::Resume),
            KeyCode::Char('c') => return self.tell(world, Command::Cancel),
            KeyCode::Char('o') | KeyCode::Enter => return self.open(world),
            KeyCode::Char('z') => self.zoomed = !self.zoomed,
            KeyCode::Esc if self.zoomed => self.zoomed = false,
            KeyCode::Esc => self.cursors = Default::default(),
            KeyCode::Tab => self.focus = self.focus.next(1),
            KeyCode::BackTab => self.focus = self.focus.next(-1),
            KeyCode::Char(digit @ '1'..='7') => {
                self.focus = Pane::ALL[digit as usize - '1' as usize];
            }
            KeyCode::Left | KeyCode::Char('[') => self.switch(world, -1),
            KeyCode::Right | KeyCode::Char(']') => self.switch(world, 1),
            KeyCode::Down | KeyCode::Char('j') => self.go(world, 1),
            KeyCode::Up | KeyCode::Char('k') => self.go(world, -1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.go(world, PAGE),
            KeyCode::PageUp => self.go(world, -PAGE),
            KeyCode::Home | KeyCode::Char('g') => self.go(world, isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.go(world, isize::MAX),
            _ => {}
        }
        Wish::Nothing
    }

    fn say(&mut self, text: impl Into<String>) -> Wish {
        self.said = text.into();
        Wish::Nothing
    }

    /// Another mission is shown.
    fn switch(&mut self, world: &World, by: isize) {
        let shown = world.shown(self.mission.as_ref()).map(|watched| &watched.mission.id);
        let at = world.missions.iter().position(|watched| Some(&watched.mission.id) == shown);
        let to = at.unwrap_or(0).saturating_add_signed(by).min(world.missions.len().max(1) - 1);
        let id = world.missions.get(to).map(|watched| watched.mission.id.clone());
        if id.as_ref() != shown {
            self.cursors = Default::default();
        }
        self.mission = id;
    }

    /// Moves in the pane in focus.
    fn go(&mut self, world: &World, by: isize) {
        if self.focus == Pane::Missions {
            return self.switch(world, by);
        }
        let Some(watched) = world.shown(self.mission.as_ref()) else {
            return;
        };
        let rows = panes::rows(self.focus, watched);
        let from = self.cursor(self.focus).unwrap_or_else(|| panes::natural(self.focus, watched));
        let to = from.saturating_add_signed(by).clamp(rows.start, rows.end.max(rows.start + 1) - 1);
        // At the newest line of the log, it goes on by itself.
        let is_end = self.focus == Pane::Log && to + 1 >= rows.end;
        self.cursors[self.focus as usize] = (!is_end).then_some(to);
    }

    /// Tells the mission that is shown something, where it can be told; a cancel is asked about first.
    fn tell(&mut self, world: &World, command: Command) -> Wish {
        let Some(watched) = world.shown(self.mission.as_ref()) else {
            return self.say("there is no mission");
        };
        let mission = &watched.mission;
        let id = mission.id.clone();
        match (&mission.ended, &command) {
            (Some(End::Blocked { .. }), Command::Resume) => Wish::Tell(id, command),
            (Some(end), _) => self.say(format!("the mission is {}", end.name())),
            (None, Command::Pause) if mission.paused => self.say("the mission is paused already"),
            (None, Command::Cancel) => {
                self.asks = Some(id);
                Wish::Nothing
            }
            (None, _) => Wish::Tell(id, command),
        }
    }

    /// The file of what the cursor stands at.
    fn open(&mut self, world: &World) -> Wish {
        let Some(watched) = world.shown(self.mission.as_ref()) else {
            return self.say("there is no mission");
        };
        let row = self.cursor(self.focus);
        let row = row.unwrap_or_else(|| panes::natural(self.focus, watched));
        match place(self.focus, watched, row) {
            Some(place) => Wish::Open(place),
            None => self.say("no file stands there; go to a finding, or to an item of the plan"),
        }
    }
}

/// The file that a row speaks of.
fn place(pane: Pane, watched: &Watched, row: usize) -> Option<Place> {
    match pane {
        Pane::Findings => {
            let Finding { what, .. } = panes::finding(watched, row)?;
            Some(Place { file: what.file.clone()?, line: what.line })
        }
        Pane::Plan => {
            let plan = watched.mission.plan.as_ref()?;
            let file = files(plan, &panes::item(plan, row)?).next()?.to_owned();
            Some(Place { file, line: None })
        }
        Pane::Gate => {
            let item = panes::proof(watched, row)?.item.as_ref()?;
            let file = files(watched.mission.plan.as_ref()?, item).next()?.to_owned();
            Some(Place { file, line: None })
        }
        Pane::Missions | Pane::Sessions | Pane::Models | Pane::Log => None,
    }
}

/// The files that an item, and what stands beneath it, declares.
fn files<'a>(
    plan: &'a Plan,
    item: &'a crate::mission::plan::ItemId,
) -> impl Iterator<Item = &'a str> {
    let steps = plan.milestones.iter().flat_map(|milestone| {
        milestone.tasks.iter().flat_map(move |task| {
            task.steps.iter().map(move |step| ([&milestone.id, &task.id, &step.id], step))
        })
    });
    let own = steps.filter(move |(ids, _)| ids.contains(&item));
    own.flat_map(|(_, step)| step.files.iter().map(String::as_str))
}
