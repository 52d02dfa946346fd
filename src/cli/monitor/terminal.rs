//! The real terminal: it is given back as it was, whatever ends the dashboard but a kill.

use std::io::{BufWriter, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};

use super::frame::Theme;
use super::live::{Live, Surroundings};
use super::observer::Observer;
use super::open;
use super::screen::{Place, Screen};
use super::{CliError, environment};

/// Each frame is written at once.
type Out = CrosstermBackend<BufWriter<Stdout>>;

pub(super) fn run(observer: Observer, screen: Screen, theme: Theme) -> Result<u8, CliError> {
    let mut around = Person { over: ended_by_the_system()? };
    let _taken = Taken::take()?;
    let backend = CrosstermBackend::new(BufWriter::new(std::io::stdout()));
    let terminal = Terminal::new(backend).map_err(broken)?;
    Live::new(observer, screen, theme, terminal).run(&mut around)?;
    Ok(0)
}

fn broken(error: impl std::fmt::Display) -> CliError {
    environment(format!("failed to use the terminal: {error}"))
}

/// The terminal while it is ours: raw, on its other screen. Dropping it gives it back.
struct Taken;

impl Taken {
    fn take() -> Result<Taken, CliError> {
        enable_raw_mode().map_err(broken)?;
        let taken = Taken;
        execute!(std::io::stdout(), EnterAlternateScreen, cursor::Hide).map_err(broken)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = execute!(std::io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

/// Becomes true when the system asks the process to end.
fn ended_by_the_system() -> Result<Arc<AtomicBool>, CliError> {
    let over = Arc::new(AtomicBool::new(false));
    let told = over.clone();
    let tokio =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(environment)?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            tokio.block_on(crate::server::parent::terminated());
            told.store(true, Ordering::Relaxed);
        })
        .map_err(environment)?;
    Ok(over)
}

/// The person at the terminal.
struct Person {
    over: Arc<AtomicBool>,
}

impl Surroundings<Out> for Person {
    fn wait(&mut self, within: Duration) -> Result<Option<Event>, CliError> {
        let heard = event::poll(within).and_then(|is_there| match is_there {
            true => event::read().map(Some),
            false => Ok(None),
        });
        match heard {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
            heard => heard.map_err(broken),
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn open(&mut self, terminal: &mut Terminal<Out>, observer: &Observer, place: &Place) -> String {
        let Some(editor) = open::editor() else {
            return format!("{place} (set $VISUAL or $EDITOR to have it opened)");
        };
        let Some(mut command) = open::command(&editor, &observer.world.root, place) else {
            return place.to_string();
        };
        let lent = lend(terminal, || command.status());
        match lent {
            Ok(Ok(status)) if status.success() => format!("{place} was opened"),
            Ok(Ok(status)) => format!("{place}: the editor `{editor}` ended with {status}"),
            Ok(Err(error)) => format!("{place}: failed to run the editor `{editor}`: {error}"),
            Err(error) => format!("{place}: failed to use the terminal: {error}"),
        }
    }
}

/// Lends the terminal to somebody, and takes it again.
fn lend<T>(terminal: &mut Terminal<Out>, to: impl FnOnce() -> T) -> std::io::Result<T> {
    terminal.backend_mut().flush()?;
    execute!(std::io::stdout(), LeaveAlternateScreen, cursor::Show)?;
    disable_raw_mode()?;
    let result = to();
    enable_raw_mode()?;
    execute!(std::io::stdout(), EnterAlternateScreen, cursor::Hide)?;
    terminal.clear()?;
    Ok(result)
}
