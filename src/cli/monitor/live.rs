//! The dashboard's loop: looks for what is new, draws when something has changed, takes keys. It knows no real terminal: the
//! keys, and where the frames go, are given to it.

use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::crossterm::event::{Event, KeyEventKind};

use super::frame::{Theme, frame};
use super::observer::Observer;
use super::screen::{Place, Screen, Wish};
use super::{CliError, clock, environment};

/// How often it is looked for news; a frame is drawn no more often than that, and only when something has changed.
const LOOK: Duration = Duration::from_millis(100);
/// For how long news are read before keys are looked at again.
const BUDGET: Duration = Duration::from_millis(50);
/// How often times move on the screen while a mission goes on.
const TICK: Duration = Duration::from_secs(1);

/// Where keys come from and what happens outside of the frame.
pub(super) trait Surroundings<B: Backend> {
    /// What the person did within a time; `None` for nothing.
    ///
    /// # Errors
    /// When nobody can do anything any more.
    fn wait(&mut self, within: Duration) -> Result<Option<Event>, CliError>;

    /// Whether the process is to end.
    fn is_over(&self) -> bool;

    /// Opens a file, and says what became of it.
    fn open(&mut self, terminal: &mut Terminal<B>, observer: &Observer, place: &Place) -> String;
}

/// The dashboard while it runs.
pub(super) struct Live<B: Backend> {
    observer: Observer,
    screen: Screen,
    theme: Theme,
    terminal: Terminal<B>,
    is_changed: bool,
    frames: u64,
}

impl<B: Backend> Live<B> {
    pub fn new(observer: Observer, screen: Screen, theme: Theme, terminal: Terminal<B>) -> Live<B> {
        Live { observer, screen, theme, terminal, is_changed: true, frames: 0 }
    }

    /// Runs until a person quits, or is gone; how many frames were drawn.
    ///
    /// # Errors
    /// When the terminal cannot be written or read.
    pub fn run(mut self, around: &mut impl Surroundings<B>) -> Result<u64, CliError> {
        let (mut next_look, mut next_tick) = (Instant::now(), Instant::now() + TICK);
        loop {
            if Instant::now() >= next_look {
                self.is_changed |= self.observer.look(BUDGET);
                next_look = Instant::now() + LOOK;
                if Instant::now() >= next_tick {
                    self.is_changed |= self.observer.world.is_live();
                    next_tick = Instant::now() + TICK;
                }
                if std::mem::take(&mut self.is_changed) {
                    self.draw()?;
                }
            }
            let left = next_look.saturating_duration_since(Instant::now());
            let event = around.wait(left)?;
            let is_over = event.is_some_and(|event| self.take(&event, around));
            if is_over || around.is_over() {
                return Ok(self.frames);
            }
        }
    }

    fn draw(&mut self) -> Result<(), CliError> {
        self.frames += 1;
        let (world, screen, theme) = (&self.observer.world, &self.screen, self.theme);
        let draw = |to: &mut ratatui::Frame<'_>| {
            let area = to.area();
            *to.buffer_mut() = frame(world, screen, area, clock(), theme);
        };
        self.terminal
            .draw(draw)
            .map(|_| ())
            .map_err(|error| environment(format!("failed to write to the terminal: {error}")))
    }

    /// Takes what a person did; whether they want to quit.
    fn take(&mut self, event: &Event, around: &mut impl Surroundings<B>) -> bool {
        self.is_changed = true;
        let key = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => *key,
            _ => return false,
        };
        match self.screen.press(key, &self.observer.world) {
            Wish::Nothing => {}
            Wish::Quit => return true,
            Wish::Tell(mission, command) => {
                if let Err(why) = self.observer.tell(&mission, command) {
                    self.screen.said = format!("not said: {why}");
                }
            }
            Wish::Open(place) => {
                self.screen.said = around.open(&mut self.terminal, &self.observer, &place);
            }
        }
        false
    }
}
