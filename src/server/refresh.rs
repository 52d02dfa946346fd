//! Tells the client to ask again for what it was told: diagnostics that it pulls, and the lenses of plans and accepted changes. Sessions
//! change what they do many times a second: of lenses the client hears once a second at most.

use std::time::{Duration, Instant};

use tower_lsp::lsp_types::request::{CodeLensRefresh, Request};

use super::session::Session;
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
        if !session.client().refreshes_lenses {
            return;
        }
        let plan = session.shown().filter(|_| is_plan_open(session));
        let mut now = plan.map_or(String::new(), |view| said(&view));
        for view in session.views().iter() {
            let changes = session.changes.shown(view).into_iter().map(|change| change.receipt);
            now.extend(changes.map(|receipt| format!(" {}:{receipt}", view.id)));
        }
        self.is_behind = now != self.told;
        if self.is_behind && self.due <= Instant::now() {
            self.told = now;
            self.is_behind = false;
            self.due = Instant::now() + PAUSE;
            refresh::<CodeLensRefresh>(session);
        }
    }
}

fn is_plan_open(session: &Session) -> bool {
    session.documents.all().iter().any(|document| session.is_plan(&document.uri))
}

/// All that a lens takes from the view, but what only grows.
fn said(view: &MissionView) -> String {
    let sessions = view.sessions.iter().map(|s| (&s.item, s.role, &s.activity));
    format!("{} {:?} {:?}", view.id, (view.outcome(), view.progress), sessions.collect::<Vec<_>>())
}

/// Asks the client to ask again. Nobody needs its answer.
pub fn refresh<R: Request<Params = ()> + 'static>(session: &Session)
where
    R::Result: Send,
{
    let answer = session.peer.request::<R>(&(), LIMIT);
    tokio::spawn(async move {
        if let Err(error) = answer.await {
            tracing::debug!("{}: {error}", R::METHOD);
        }
    });
}
