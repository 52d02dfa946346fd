//! Tells the client that the lenses of an open plan say something else by now. Sessions change what they do many times a
//! second: the client hears of it once a second at most.

use std::time::{Duration, Instant};

use tower_lsp::lsp_types::request::CodeLensRefresh;

use super::session::Session;
use super::todo::TODO_PATH;
use crate::mission::view::MissionView;

/// How often it is told at most.
const PAUSE: Duration = Duration::from_secs(1);
/// How long its answer is waited for, which nobody needs.
const LIMIT: Duration = Duration::from_secs(10);

/// What the lenses said when the client was last told.
#[derive(Debug)]
pub struct Lenses {
    told: String,
    is_behind: bool,
    due: Instant,
}

impl Lenses {
    /// Nothing was told yet.
    pub fn new() -> Lenses {
        Lenses { told: String::new(), is_behind: false, due: Instant::now() }
    }

    /// When the client is to be told, where something changed that it was not told yet.
    pub fn due(&self) -> Option<Instant> {
        self.is_behind.then_some(self.due)
    }

    /// The missions changed.
    pub fn follow(&mut self, session: &Session) {
        if !session.client().refreshes_lenses || !is_plan_open(session) {
            return;
        }
        let now = session.newest().map_or(String::new(), |view| said(&view));
        self.is_behind = now != self.told;
        if self.is_behind && self.due <= Instant::now() {
            self.told = now;
            self.is_behind = false;
            self.due = Instant::now() + PAUSE;
            tell(session);
        }
    }
}

fn is_plan_open(session: &Session) -> bool {
    let Some(root) = session.root() else { return false };
    let is_plan = |uri| root.rel(uri).is_some_and(|path| path.as_str() == TODO_PATH);
    session.documents.all().iter().any(|document| is_plan(&document.uri))
}

/// All that a lens takes from the view, but what only grows.
fn said(view: &MissionView) -> String {
    let sessions = view.sessions.iter().map(|s| (&s.item, s.role, &s.activity));
    format!("{} {:?} {:?}", view.id, (view.outcome(), view.progress), sessions.collect::<Vec<_>>())
}

fn tell(session: &Session) {
    let answer = session.peer.request::<CodeLensRefresh>(&(), LIMIT);
    tokio::spawn(async move {
        if let Err(error) = answer.await {
            tracing::debug!("failed to refresh lenses: {error}");
        }
    });
}
