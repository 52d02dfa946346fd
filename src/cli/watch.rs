//! Follows missions to their end: lines as they happen, and on a terminal a bar beneath them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::paint::{Colour, Paint};
use super::{CliError, accounts, exit_code};
use crate::mission::view::MissionView;
use crate::mission::{FindingStatus, Line, LineKind, MissionId};
use crate::runtime::{Handle, Update, lines_after};

/// How often the bar moves while nothing happens.
const TICK: Duration = Duration::from_millis(120);
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Where a command writes: JSON lines, plain lines, or lines with a bar.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    bar: bool,
    pub paint: Paint,
    shown: Mutex<bool>,
}

impl Output {
    pub fn new(json: bool) -> Output {
        let bar = !json && std::io::stdout().is_terminal();
        Output { json, bar, paint: Paint::stdout(), shown: Mutex::new(false) }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A line of data.
    pub fn line(&self, text: &str) {
        self.clear();
        // A closed pipe is the reader's choice, not an error of ours.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// A line for people; nothing in JSON.
    pub fn say(&self, text: &str) {
        if !self.json {
            self.line(text);
        }
    }

    pub fn value(&self, value: &serde_json::Value) {
        self.line(&value.to_string());
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, bool> {
        self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn clear(&self) {
        if std::mem::take(&mut *self.shown()) {
            let _ = write!(std::io::stdout(), "\r\u{1b}[2K");
        }
    }

    fn bar(&self, text: &str) {
        if self.bar {
            self.clear();
            let mut out = std::io::stdout();
            let _ = write!(out, "{text}").and_then(|()| out.flush());
            *self.shown() = true;
        }
    }
}

/// Follows `missions` until none of them goes on by itself; answers with the exit code of the first that did not end
/// well. An interrupt leaves them resumable.
pub(super) async fn follow(
    handle: &Handle,
    missions: &[MissionId],
    out: &Output,
) -> Result<u8, CliError> {
    let mut updates = handle.subscribe();
    let mut watch = Watch { seen: BTreeMap::new(), noticed: BTreeSet::new(), out, tick: 0 };
    handle.notices().iter().for_each(|text| watch.notice(text));
    let interrupt = async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = crate::server::parent::terminated() => {}
        }
    };
    tokio::pin!(interrupt);
    let mut timer = tokio::time::interval(TICK);
    loop {
        let views: Vec<_> = missions.iter().filter_map(|id| handle.view(id)).collect();
        for view in &views {
            watch.tell(view);
        }
        if views.len() == missions.len() && views.iter().all(|view| !view.is_running()) {
            watch.heard(&mut updates);
            views.iter().for_each(|view| watch.end(view));
            return Ok(views
                .iter()
                .map(|view| exit_code(view))
                .find(|code| *code != 0)
                .unwrap_or(0));
        }
        if let Some(why) = handle.halted() {
            return Err(CliError::Environment(format!("missions cannot go on: {why}")));
        }
        tokio::select! {
            update = updates.recv() => match update {
                Ok(Update::Notice(text)) => watch.notice(&text),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(CliError::Environment("the mission loop has ended".into())),
            },
            _ = timer.tick() => watch.draw(&views),
            _ = &mut interrupt => {
                out.clear();
                let _ = writeln!(std::io::stderr(), "interrupted: `orchestrator resume` goes on, `orchestrator cancel` ends it");
                return Ok(130);
            }
        }
    }
}

struct Watch<'a> {
    seen: BTreeMap<MissionId, u64>,
    noticed: BTreeSet<String>,
    out: &'a Output,
    tick: usize,
}

impl Watch<'_> {
    fn tell(&mut self, view: &MissionView) {
        let seen = self.seen.entry(view.id.clone()).or_default();
        for line in lines_after(view, *seen) {
            *seen = line.number;
            match self.out.json {
                true => self.out.value(&json!({"mission": view.id, "line": line})),
                false => self.out.line(&words(view, line, self.out.paint)),
            }
        }
    }

    /// What was said before the end and not heard yet.
    fn heard(&mut self, updates: &mut Receiver<Update>) {
        loop {
            match updates.try_recv() {
                Ok(Update::Notice(text)) => self.notice(&text),
                Ok(_) | Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn notice(&mut self, text: &str) {
        if !self.noticed.insert(text.to_owned()) {
            return;
        }
        match self.out.json {
            true => self.out.value(&json!({"notice": text})),
            false => self.out.line(&self.out.paint.paint(Colour::Yellow, text)),
        }
    }

    fn end(&self, view: &MissionView) {
        if self.out.json {
            return self.out.value(&json!({"mission": view.id, "end": view}));
        }
        let paint = self.out.paint;
        let spent = &view.spent;
        let tokens = spent.usage.input + spent.usage.output;
        let took = view.now.saturating_sub(view.started_at) as f64 / 1000.0;
        let (done, all) = view.progress;
        let colour = match exit_code(view) {
            0 if view.sealed_but().is_some() => Colour::Yellow,
            0 => Colour::Green,
            _ => Colour::Red,
        };
        let state = paint.paint(colour, &view.outcome());
        self.out.line(&format!(
            "\n{state}: {done} of {all} steps, {} change-sets accepted, {} turns, {tokens} tokens, {took:.1} s ({})",
            view.receipts.len(), spent.calls, view.id
        ));
        accounts::lines(view).iter().for_each(|line| self.out.line(line));
        notes(view).for_each(|note| self.out.line(&note));
    }

    fn draw(&mut self, views: &[std::sync::Arc<MissionView>]) {
        self.tick += 1;
        let Some(view) = views.iter().find(|v| v.is_running()) else {
            return;
        };
        let spinner = SPINNER[self.tick % SPINNER.len()];
        let (done, all) = view.progress;
        let full = (done * 20).checked_div(all).unwrap_or(0);
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(20 - full));
        let busy: Vec<String> = view
            .sessions
            .iter()
            .map(|s| {
                let item = s.item.as_ref().map_or(String::new(), |id| format!(" {id}"));
                format!("{}{item} {}", s.role, s.activity)
            })
            .collect();
        let text = format!("{spinner} {bar} {done}/{all} {} {}", view.state, busy.join(", "));
        self.out.bar(&text.chars().take(100).collect::<String>());
    }
}

/// What agents ask, a line each.
pub(super) fn questions(view: &MissionView) -> impl Iterator<Item = String> {
    view.questions.iter().map(|question| {
        let item = question.item.as_ref().map_or(String::new(), |item| format!(" ({item})"));
        let (number, role) = (question.number, question.role);
        format!(
            "  question {number} of the {role}{item}: {question}; `orchestrator answer` answers it"
        )
    })
}

/// The open findings of a mission, a line each.
pub(super) fn notes(view: &MissionView) -> impl Iterator<Item = String> {
    let open = view.findings.iter().filter(|f| f.status == FindingStatus::Open);
    open.map(|finding| {
        let place = match (&finding.what.file, finding.what.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            (Some(file), None) => format!("{file}: "),
            _ => String::new(),
        };
        format!("  note: {place}{}", finding.what.message)
    })
}

/// A line of the story, for a terminal or a log.
fn words(view: &MissionView, line: &Line, paint: Paint) -> String {
    let (mark, colour) = match line.kind {
        LineKind::Step => ("·", Colour::Dim),
        LineKind::Accepted => ("+", Colour::Green),
        LineKind::Refused => ("x", Colour::Red),
        LineKind::Good => ("ok", Colour::Green),
        LineKind::Warning => ("!", Colour::Yellow),
        LineKind::End => ("=", Colour::Bold),
    };
    let time = line.at.saturating_sub(view.started_at) as f64 / 1000.0;
    let role = line.role.map_or("", crate::mission::conversation::Role::name);
    let item = line.item.as_ref().map_or(String::new(), |id| format!("{id} "));
    let who = paint.paint(Colour::Cyan, &format!("{role:<9}"));
    let time = paint.paint(Colour::Dim, &format!("{time:>7.2}s"));
    format!("{time} {} {who} {item}{}", paint.paint(colour, &format!("{mark:>2}")), line.text)
}
