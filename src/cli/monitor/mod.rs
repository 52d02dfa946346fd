//! `orchestrator monitor`: the missions of a workspace on a full screen.
//!
//! It is an observer: it reads the journal's events and folds them like everybody else, and posts letters to the journal's
//! inbox. It never takes the workspace's lock, wakes no mission and performs no effect; being closed or killed changes
//! nothing. `frame` is a pure function of what is seen; `live` reads, draws and takes keys.

mod figures;
mod frame;
mod live;
mod observer;
mod open;
mod panes;
mod screen;
mod terminal;
mod text;
pub(super) mod unseen;
mod values;

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ratatui::layout::Rect;

use super::watch::Output;
use super::{CliError, environment};
use crate::mission::MissionId;
use frame::{Theme, frame};
use observer::Observer;
use screen::Screen;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The mission to show first (default: one that goes on, or the newest).
    mission: Option<String>,
    /// Print one frame and end. With `--json` that is one value.
    #[arg(long)]
    once: bool,
    /// The size of that frame, in columns and rows (default: the terminal's, or 80x24).
    #[arg(long, value_name = "WxH", value_parser = size, requires = "once")]
    size: Option<Size>,
    /// Plain ASCII, also where the locale knows more.
    #[arg(long)]
    ascii: bool,
}

/// Columns and rows.
#[derive(Debug, Clone, Copy)]
struct Size(u16, u16);

/// The most columns or rows.
const LARGEST: u16 = 1_000;
/// How long all that is written may take to be read, for one frame.
const PATIENCE: Duration = Duration::from_secs(60);

fn size(text: &str) -> Result<Size, String> {
    let read = |number: &str| number.parse().ok().filter(|n| (1..=LARGEST).contains(n));
    let size = text.split_once('x').and_then(|(w, h)| Some(Size(read(w)?, read(h)?)));
    size.ok_or_else(|| format!("a size is 80x24 or the like, of at most {LARGEST} each"))
}

pub(super) fn monitor(root: &Path, args: &Args, out: &Output) -> Result<u8, CliError> {
    let mut observer = Observer::new(root);
    let screen = Screen::new(args.mission.clone().map(MissionId));
    if args.once || out.is_json() {
        read_all(&mut observer)?;
        known(&observer, screen.mission.as_ref())?;
        return once(&observer, &screen, args, out);
    }
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(CliError::User(
            "the dashboard needs a terminal; `--once` prints one frame, `--json` a value".into(),
        ));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(environment("the terminal (TERM=dumb) shows no dashboard; see `--once`"));
    }
    terminal::run(observer, screen, theme(out.paint.is_on(), args.ascii))
}

/// One frame, as text or as a value.
fn once(observer: &Observer, screen: &Screen, args: &Args, out: &Output) -> Result<u8, CliError> {
    let clock = clock();
    if out.is_json() {
        out.value(&values::of(&observer.world, screen.mission.as_ref(), clock));
        return Ok(0);
    }
    let Size(width, height) = args.size.unwrap_or_else(|| {
        let own = ratatui::crossterm::terminal::size().ok();
        // A pipe has no size, and some terminals say none.
        let own = own.filter(|(w, h)| *w > 0 && *h > 0 && std::io::stdout().is_terminal());
        own.map_or(Size(80, 24), |(w, h)| Size(w.min(LARGEST), h.min(LARGEST)))
    });
    let area = Rect::new(0, 0, width, height);
    let frame = frame(&observer.world, screen, area, clock, theme(false, args.ascii));
    out.line(text::lines(&frame).trim_end_matches('\n'));
    Ok(0)
}

/// Reads until nothing is left, or for as long as a person waits.
fn read_all(observer: &mut Observer) -> Result<(), CliError> {
    let until = Instant::now() + PATIENCE;
    loop {
        observer.look(PATIENCE);
        if let Some(trouble) = &observer.world.trouble {
            return Err(environment(trouble));
        }
        if observer.has_all() || Instant::now() >= until {
            return Ok(());
        }
    }
}

/// Whether the mission that was named is there.
fn known(observer: &Observer, mission: Option<&MissionId>) -> Result<(), CliError> {
    let is_there =
        |id: &&MissionId| observer.world.missions.iter().any(|watched| watched.mission.id == **id);
    match mission.filter(|id| !is_there(id)) {
        Some(id) => Err(CliError::User(format!(
            "mission {id} is not in sight; `orchestrator status --all` lists every one"
        ))),
        None => Ok(()),
    }
}

fn theme(colour: bool, ascii: bool) -> Theme {
    Theme { colour, ascii: ascii || !is_utf8(|name| std::env::var(name).ok()) }
}

/// Whether the locale says that the terminal knows more than ASCII. Where there are no locales, it does.
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let mut said = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable);
    let locale = said.find(|locale| !locale.is_empty()).unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8") || cfg!(windows)
}

/// The wall clock, milliseconds since the epoch.
fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_that_is_set_counts() {
        let locale = |set: &'static [(&str, &str)]| {
            is_utf8(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert!(locale(&[("LANG", "de_DE.UTF-8")]) && locale(&[("LC_ALL", "C.utf8")]));
        if cfg!(unix) {
            assert!(!locale(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]) && !locale(&[]));
            assert!(locale(&[("LC_ALL", ""), ("LANG", "de_DE.UTF-8")]));
        }
    }

    #[test]
    fn sizes_are_read_and_bounded() {
        assert!(size("120x40").is_ok());
        for wrong in ["", "80", "0x24", "80x0", "1001x24", "x", "80x24x2", "-1x5"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
