//! One frame: what is seen, what a person has chosen, an area and a time, made into cells. It is a pure function.
//!
//! Nothing is said by colour alone: states and marks are words and signs, the pane in focus has a double line, the row of
//! the cursor a `>`.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::observer::{Watched, World};
use super::panes::{self, Pane};
use super::screen::Screen;
use super::text::{clean, count, duration, money, to_ascii};
use crate::mission::plan::Plan;
use crate::mission::view::state;
use crate::workspace::lock::Holder;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Theme {
    pub colour: bool,
    pub ascii: bool,
}

/// What a piece of text is, for those who see colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Good,
    Bad,
    Warn,
    Live,
}

impl Theme {
    pub fn tone(self, tone: Tone) -> Style {
        let coloured = |colour| if self.colour { Style::new().fg(colour) } else { Style::new() };
        match tone {
            Tone::Plain => Style::new(),
            Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
            Tone::Good => coloured(Color::Green),
            Tone::Bad => coloured(Color::Red),
            Tone::Warn => coloured(Color::Yellow),
            Tone::Live => coloured(Color::Cyan),
        }
    }
}

/// Where everything stands.
struct Places {
    header: Rect,
    headline: Rect,
    footer: Rect,
    panes: Vec<(Pane, Rect)>,
}

/// Draws a frame. `clock` is the time, milliseconds since the epoch.
pub(super) fn frame(
    world: &World,
    screen: &Screen,
    area: Rect,
    clock: u64,
    theme: Theme,
) -> Buffer {
    let mut buffer = Buffer::empty(area);
    let watched = world.shown(screen.mission.as_ref());
    let draw = Draw { world, screen, watched, clock, theme };
    if screen.help {
        draw.help(&mut buffer);
    } else {
        let places = places(area, screen, watched.is_some());
        draw.header(&mut buffer, places.header);
        draw.headline(&mut buffer, places.headline);
        for (pane, place) in places.panes {
            draw.pane(&mut buffer, pane, place);
        }
        draw.footer(&mut buffer, places.footer);
    }
    if theme.ascii {
        to_ascii(&mut buffer);
    }
    buffer
}

/// Of the panes that share one place, the one that is seen.
fn shared(screen: &Screen) -> Pane {
    if Pane::SHARED.contains(&screen.focus) { screen.focus } else { Pane::Log }
}

fn places(area: Rect, screen: &Screen, has_mission: bool) -> Places {
    let rows = [Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)];
    let [header, body, footer] = Layout::vertical(rows).areas(area);
    if !has_mission {
        return Places { header, headline: Rect::ZERO, footer, panes: Vec::new() };
    }
    let (headline, panes) = match (screen.zoomed, area.width, area.height) {
        (true, _, _) => zoomed(body, screen.focus),
        (_, 160.., 45..) => large(body),
        (_, 100.., 32..) => medium(body),
        _ => small(body, screen),
    };
    Places { header, headline, footer, panes }
}

type Body = (Rect, Vec<(Pane, Rect)>);

fn zoomed(body: Rect, pane: Pane) -> Body {
    let rows = [Constraint::Length(2), Constraint::Min(0)];
    let [headline, rest] = Layout::vertical(rows).areas(body);
    (headline, vec![(pane, rest)])
}

/// 80 by 24, or less: everything has the whole width, and four panes share a place.
fn small(body: Rect, screen: &Screen) -> Body {
    let rows = [
        Constraint::Length(3),
        Constraint::Length(2),
        Constraint::Fill(4),
        Constraint::Fill(5),
        Constraint::Fill(5),
    ];
    let [missions, headline, sessions, plan, rest] = Layout::vertical(rows).areas(body);
    let panes = [Pane::Missions, Pane::Sessions, Pane::Plan, shared(screen)];
    (headline, panes.into_iter().zip([missions, sessions, plan, rest]).collect())
}

fn halves(area: Rect) -> [Rect; 2] {
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    Layout::horizontal(halves).spacing(2).areas(area)
}

fn medium(body: Rect) -> Body {
    let rows = [
        Constraint::Length(4),
        Constraint::Length(2),
        Constraint::Fill(3),
        Constraint::Fill(4),
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Fill(4),
    ];
    let [missions, headline, sessions, plan, models, findings, log] =
        Layout::vertical(rows).areas(body);
    let [plan, gate] = halves(plan);
    let places = [missions, sessions, plan, gate, models, findings, log];
    (headline, Pane::ALL.into_iter().zip(places).collect())
}

fn large(body: Rect) -> Body {
    let rows = [
        Constraint::Length(5),
        Constraint::Length(2),
        Constraint::Fill(3),
        Constraint::Fill(3),
        Constraint::Fill(3),
    ];
    let [missions, headline, upper, middle, lower] = Layout::vertical(rows).areas(body);
    let [[plan, sessions], [gate, models], [findings, log]] =
        [halves(upper), halves(middle), halves(lower)];
    let places = [missions, sessions, plan, gate, models, findings, log];
    (headline, Pane::ALL.into_iter().zip(places).collect())
}

/// What a frame is drawn of.
struct Draw<'a> {
    world: &'a World,
    screen: &'a Screen,
    watched: Option<&'a Watched>,
    clock: u64,
    theme: Theme,
}

impl Draw<'_> {
    fn header(&self, buffer: &mut Buffer, area: Rect) {
        let owner = match self.world.owner {
            Holder::Process(id) => format!("process {id} runs the missions"),
            Holder::Nobody => "no process runs the missions".to_owned(),
            Holder::Unknown => String::new(),
        };
        let (root, owner_width) = (self.world.root.display().to_string(), owner.chars().count());
        put(buffer, area, &Line::styled("orchestrator", self.theme.tone(Tone::Strong)));
        let room = usize::from(area.width).saturating_sub(owner_width + 16);
        put(buffer, right_of(area, 14), &Line::raw(tail(&clean(&root), room)));
        let at = area.width.saturating_sub(owner_width as u16);
        put(buffer, right_of(area, at), &Line::raw(owner));
    }

    /// The mission that is shown: its goal, and what it has come to.
    fn headline(&self, buffer: &mut Buffer, area: Rect) {
        let Some(watched) = self.watched else {
            return;
        };
        let mission = &watched.mission;
        let goal = Line::styled(clean(&mission.goal), self.theme.tone(Tone::Strong));
        put(buffer, row(area, 0), &goal);
        let (done, all) = mission.plan.as_ref().map_or((0, 0), Plan::progress);
        let usage = &mission.spent.usage;
        let now = self.world.now(mission, self.clock);
        let took = duration(now.saturating_sub(mission.started_at));
        let tone = panes::tone(mission);
        let text = format!(
            "  {done}/{all} steps  {took}  {} turns  {} in {} out  {}  ",
            mission.spent.calls,
            count(usage.input).trim(),
            count(usage.output).trim(),
            money(usage.micro_usd).replace(' ', ""),
        );
        let rest = format!("{}  {}", mission.id, clean(&mission.engine));
        let state = Span::styled(state(mission), self.theme.tone(tone));
        put(buffer, row(area, 1), &Line::from(vec![state, text.into(), rest.into()]));
    }

    fn pane(&self, buffer: &mut Buffer, pane: Pane, area: Rect) {
        self.rule(buffer, pane, row(area, 0));
        let area =
            Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area };
        match pane {
            Pane::Missions => self.missions(buffer, area),
            _ => self.rows(buffer, pane, area),
        }
    }

    /// The line above a pane, with its name; double where it is in focus.
    fn rule(&self, buffer: &mut Buffer, pane: Pane, area: Rect) {
        if area.is_empty() {
            return;
        }
        let is_focus = self.screen.focus == pane;
        let line = if is_focus { "═" } else { "─" };
        for x in area.left()..area.right() {
            buffer.set_string(x, area.y, line, Style::new());
        }
        let style = self.theme.tone(if is_focus { Tone::Strong } else { Tone::Plain });
        let title = panes::title(pane, self.world, self.watched);
        let name = format!(" {} {} ", pane.key(), pane.name());
        let title = if title.is_empty() { String::new() } else { format!("{title} ") };
        let text = Line::from(vec![Span::styled(name, style), title.into()]);
        let width = text.width() as u16;
        let at = right_of(area, 2);
        put(buffer, at, &text);
        self.tabs(buffer, pane, right_of(at, width + 1));
    }

    /// The panes that are not seen because another one has their place.
    fn tabs(&self, buffer: &mut Buffer, pane: Pane, area: Rect) {
        let is_small = buffer.area.width < 100 || buffer.area.height < 32;
        if !is_small || self.screen.zoomed || !Pane::SHARED.contains(&pane) {
            return;
        }
        let others = Pane::SHARED.iter().filter(|other| **other != pane);
        let names: Vec<String> = others.map(|o| format!("{} {}", o.key(), o.name())).collect();
        let text = format!(" {} ", names.join("  "));
        let width = text.chars().count() as u16;
        if width < area.width {
            put(buffer, right_of(area, area.width - width), &Line::raw(text));
        }
    }

    fn missions(&self, buffer: &mut Buffer, area: Rect) {
        let all = &self.world.missions;
        let shown = self.watched.map(|watched| &watched.mission.id);
        let cursor = all.iter().position(|w| Some(&w.mission.id) == shown).unwrap_or(0);
        let from = first(cursor, usize::from(area.height), all.len());
        let width = usize::from(area.width.saturating_sub(2));
        for (at, watched) in all.iter().enumerate().skip(from).take(usize::from(area.height)) {
            let text = panes::row(Pane::Missions, watched, at, width, self.clock, self.theme);
            self.line(buffer, row(area, (at - from) as u16), at == cursor, text);
        }
    }

    fn rows(&self, buffer: &mut Buffer, pane: Pane, area: Rect) {
        let Some(watched) = self.watched else {
            return;
        };
        let rows = panes::rows(pane, watched);
        if rows.is_empty() {
            return self.line(buffer, row(area, 0), false, panes::nothing(pane, watched).into());
        }
        let height = usize::from(area.height);
        let chosen = self.screen.cursor(pane);
        let cursor = chosen.unwrap_or_else(|| panes::natural(pane, watched));
        let cursor = cursor.clamp(rows.start, rows.end - 1);
        let from = rows.start + first(cursor - rows.start, height, rows.len());
        let now = self.world.now(&watched.mission, self.clock);
        let width = usize::from(area.width.saturating_sub(2));
        // A cursor is seen where a person has one.
        let has_cursor = chosen.is_some() || self.screen.focus == pane;
        for (line, at) in (from..rows.end).take(height).enumerate() {
            let text = panes::row(pane, watched, at, width, now, self.theme);
            self.line(buffer, row(area, line as u16), has_cursor && at == cursor, text);
        }
    }

    fn line(&self, buffer: &mut Buffer, area: Rect, is_cursor: bool, text: Line<'static>) {
        let mark = Span::styled(
            if is_cursor { "> " } else { "  " },
            self.theme.tone(if is_cursor { Tone::Strong } else { Tone::Plain }),
        );
        let spans = std::iter::once(mark).chain(text.spans).collect::<Vec<_>>();
        put(buffer, area, &Line::from(spans));
    }

    fn footer(&self, buffer: &mut Buffer, area: Rect) {
        let strong = self.theme.tone(Tone::Strong);
        let warn = self.theme.tone(Tone::Warn).add_modifier(Modifier::BOLD);
        let line = if let Some(mission) = &self.screen.asks {
            Line::styled(format!("cancel {mission} for good? y: yes, any other key: no"), warn)
        } else if !self.screen.said.is_empty() {
            Line::styled(clean(&self.screen.said), strong)
        } else if let Some(trouble) = &self.world.trouble {
            Line::styled(clean(trouble), warn)
        } else if self.world.letters > 0 {
            let (count, is_alone) = (self.world.letters, self.world.owner == Holder::Nobody);
            let text = match is_alone {
                true => format!("{count} said, kept until a process runs the missions"),
                false => format!("{count} said, not heard yet"),
            };
            Line::styled(text, warn)
        } else if let Some(text) = self.needs() {
            Line::styled(text, warn)
        } else {
            Line::raw(KEYS)
        };
        put(buffer, area, &line);
    }

    /// What the mission needs of a person.
    fn needs(&self) -> Option<String> {
        let Some(watched) = self.watched else {
            return Some(EMPTY.to_owned());
        };
        if let Some(broken) = &watched.broken {
            return Some(clean(broken));
        }
        if let Some(question) = crate::mission::view::questions(&watched.mission).next() {
            let text = clean(&question.to_string());
            return Some(format!("asks: {text}; `orchestrator answer` answers"));
        }
        let end = watched.mission.ended.as_ref()?;
        matches!(end.name(), "blocked" | "failed" | "exhausted")
            .then(|| format!("{}: {}", end.name(), clean(end.detail())))
    }

    fn help(&self, buffer: &mut Buffer) {
        let area = buffer.area;
        for (at, text) in HELP.lines().enumerate().take(usize::from(area.height)) {
            put(buffer, row(area, at as u16), &Line::raw(text));
        }
    }
}

const KEYS: &str = "p pause  r resume  c cancel  o open  Tab focus  [ ] mission  ? help  q quit";
const EMPTY: &str = "no missions here; `orchestrator task \"…\"` starts one";
const HELP: &str = "\
  This shows the missions of the workspace. It takes no part in them: they go on
  when it is closed or killed.

  p         pause the mission: what is under way ends, nothing new begins
  r         resume it: after a pause, a plan, or what blocked it
  c         cancel it for good; asks first
  o Enter   open the file of a finding, a verdict or an item of the plan
            in $VISUAL or $EDITOR; without one, its path is said

  [ ] ← →   the mission before, the one after
  Tab 1-7   the pane in focus: it has the double line, and its keys are:
  j k ↑ ↓   a row down or up             PgDn PgUp   ten rows
  g G       the first or the last row    Esc         the pane goes by itself
  z         the pane in focus alone, and back

  ? h       this page                    q Ctrl-C    quit

  plan      [ ] pending  [/] in progress  [x] done  [-] failed
  log       · goes on  + accepted  x refused  ok went well  ! look  = the end
  models    a turn a bar, as high as it was long; x: it did not come

  Any key goes back.
";

/// The first row that is seen, so that the cursor is.
fn first(cursor: usize, height: usize, count: usize) -> usize {
    let last = count.saturating_sub(height);
    (cursor + 1 + height / 3).saturating_sub(height).min(last)
}

fn row(area: Rect, at: u16) -> Rect {
    let height = u16::from(at < area.height);
    Rect { y: area.y.saturating_add(at), height, ..area }
}

fn right_of(area: Rect, by: u16) -> Rect {
    let by = by.min(area.width);
    Rect { x: area.x + by, width: area.width - by, ..area }
}

/// The end of a text that is too long.
fn tail(text: &str, width: usize) -> String {
    let length = text.chars().count();
    match length > width {
        true => {
            let rest = text.chars().skip(length - width.saturating_sub(1).min(length));
            std::iter::once('…').chain(rest).take(width).collect()
        }
        false => text.to_owned(),
    }
}

/// A line in the first row of an area; one that is too long ends with `…`.
fn put(buffer: &mut Buffer, area: Rect, line: &Line<'_>) {
    if area.is_empty() {
        return;
    }
    buffer.set_line(area.x, area.y, line, area.width);
    if line.width() > usize::from(area.width) {
        buffer.set_string(area.right() - 1, area.y, "…", Style::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::{Command, Event, Mode, RULES};

    /// A world with a mission that was told a lot.
    fn world() -> World {
        let mut world = World::new(std::path::Path::new("/a/workspace"));
        let mut watched = Watched::new(crate::mission::MissionId("m1".into()));
        let (goal, engine) = ("日本 \u{1b}[2J a goal".repeat(9), "a model".to_owned());
        let limits = crate::mission::fuel::Limits::default();
        watched.take(5, Event::Started { goal, mode: Mode::Task, engine, limits, rules: RULES });
        for number in 0..99 {
            let command = if number % 2 == 0 { Command::Pause } else { Command::Resume };
            watched.take(6 + number, Event::Commanded { command });
        }
        world.missions.push(watched);
        world
    }

    fn drawn(screen: &Screen, (width, height): (u16, u16), theme: Theme) -> Buffer {
        frame(&world(), screen, Rect::new(0, 0, width, height), 99_999, theme)
    }

    #[test]
    fn a_frame_fits_any_area() {
        let theme = Theme { colour: true, ascii: true };
        let mut screen = Screen::new(None);
        for (number, pane) in Pane::ALL.into_iter().enumerate() {
            screen.focus = pane;
            (screen.zoomed, screen.help) = (number % 2 == 1, number == 4);
            screen.cursors = [Some(usize::MAX); Pane::ALL.len()];
            for size in [(0, 0), (1, 1), (2, 3), (13, 7), (80, 24), (120, 40), (200, 60), (3, 99)] {
                let frame = drawn(&screen, size, theme);
                assert!(frame.content.iter().all(|cell| cell.symbol().is_ascii()));
            }
        }
    }

    #[test]
    fn a_frame_is_a_function_of_what_is_seen_and_says_nothing_by_colour_alone() {
        let screen = Screen::new(None);
        let [colour, plain] =
            [true, false].map(|colour| drawn(&screen, (80, 24), Theme { colour, ascii: false }));
        let text = super::super::text::lines(&plain);
        assert_eq!(super::super::text::lines(&colour), text);
        assert!(text.contains("paused") || text.contains("triage"), "{text}");
        assert!(
            plain.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
        );
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn the_cursor_is_seen_and_the_window_is_full() {
        for height in 1..9 {
            for cursor in 0..20 {
                let from = first(cursor, height, 20);
                assert!(from <= cursor && cursor < from + height, "{cursor} in {from}+{height}");
                assert!(from + height <= 20);
            }
        }
        assert_eq!(first(0, 9, 3), 0);
        assert_eq!(
            (tail("abcdef", 3), tail("abc", 3), tail("abc", 0)),
            ("…ef".into(), "abc".into(), String::new())
        );
    }
}
