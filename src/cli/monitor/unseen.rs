//! The dashboard without a terminal, for who measures it: the same reading, drawing and encoding, into nothing.

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::Event;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::frame::Theme;
use super::live::{Live, Surroundings};
use super::observer::Observer;
use super::screen::{Place, Screen};
use super::{CliError, environment};

/// What was drawn until standard input ended.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Drawn {
    /// Frames.
    pub frames: u64,
    /// Bytes that a terminal would have got.
    pub bytes: u64,
}

/// Watches the workspace at `root` until a line comes on standard input, or its end.
///
/// # Errors
/// When a thread cannot be started.
pub(in super::super) fn run(root: &Path, (width, height): (u16, u16)) -> Result<Drawn, CliError> {
    let bytes = Arc::new(AtomicU64::new(0));
    let (sender, ended) = channel();
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let _ = std::io::stdin().lock().read_line(&mut String::new());
            drop(sender);
        })
        .map_err(environment)?;
    let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
    let backend = CrosstermBackend::new(Counted(bytes.clone()));
    let terminal =
        Terminal::with_options(backend, TerminalOptions { viewport }).map_err(environment)?;
    let theme = Theme { colour: true, ascii: false };
    let live = Live::new(Observer::new(root), Screen::new(None), theme, terminal);
    let frames = live.run(&mut Nobody { ended, is_over: false })?;
    Ok(Drawn { frames, bytes: bytes.load(Ordering::Relaxed) })
}

/// Where frames go: they are counted.
struct Counted(Arc<AtomicU64>);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Nobody is there.
struct Nobody {
    ended: Receiver<()>,
    is_over: bool,
}

impl Surroundings<CrosstermBackend<Counted>> for Nobody {
    fn wait(&mut self, within: Duration) -> Result<Option<Event>, CliError> {
        self.is_over = self.ended.recv_timeout(within) != Err(RecvTimeoutError::Timeout);
        Ok(None)
    }

    fn is_over(&self) -> bool {
        self.is_over
    }

    fn open(
        &mut self,
        _terminal: &mut Terminal<CrosstermBackend<Counted>>,
        _observer: &Observer,
        place: &Place,
    ) -> String {
        place.to_string()
    }
}
