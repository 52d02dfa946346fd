//! The folders that are open in the client, each a workspace with a session of its own: its missions, its documents, its
//! findings. A message belongs to the folder of its document or its mission; one that says neither belongs to the folder
//! that the person last worked in.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tower_lsp::lsp_types::Uri;

use super::client::Client;
use super::peer::Peer;
use super::root::{Root, file_path};
use super::session::Session;
use super::{Connect, diagnostics};
use crate::mission::MissionId;

/// All of them.
pub struct Folders {
    peer: Peer,
    connect: Connect,
    open: Mutex<Open>,
}

struct Open {
    /// Never empty: without a folder there is one session, and it says so.
    sessions: Vec<Arc<Session>>,
    /// The one that the person last worked in.
    latest: usize,
}

impl Folders {
    /// One session, before `initialize`.
    pub fn new(peer: Peer, connect: Connect) -> Folders {
        let first = Arc::new(Session::new(peer.clone(), connect.clone()));
        let open = Mutex::new(Open { sessions: vec![first], latest: 0 });
        Folders { peer, connect, open }
    }

    /// Keeps what `initialize` said.
    pub fn introduce(&self, client: Client) {
        let mut open = self.lock();
        let (first, others) = match client.roots.split_first() {
            Some((first, others)) => (Some(first), others),
            None => (None, &[][..]),
        };
        open.sessions[0].introduce(client.clone(), first.cloned());
        let more = others.iter().map(|root| self.session(&client, root.clone()));
        open.sessions.extend(more);
    }

    fn session(&self, client: &Client, root: PathBuf) -> Arc<Session> {
        let session = Arc::new(Session::new(self.peer.clone(), self.connect.clone()));
        session.introduce(client.clone(), Some(root));
        session
    }

    /// The one that was there first: for what concerns the client as such.
    pub fn first(&self) -> Arc<Session> {
        Arc::clone(&self.lock().sessions[0])
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.lock().sessions.clone()
    }

    /// The one that a document belongs to, which the person works at now.
    pub fn of(&self, uri: &Uri) -> Arc<Session> {
        let mut open = self.lock();
        if let Some(at) = innermost(&open.sessions, uri) {
            open.latest = at;
            return Arc::clone(&open.sessions[at]);
        }
        // Of no folder: it stays where it was opened.
        let has = |session: &&Arc<Session>| session.documents.get(uri).is_some();
        Arc::clone(open.sessions.iter().find(has).unwrap_or(&open.sessions[0]))
    }

    /// The one that has the mission.
    pub fn with_mission(&self, mission: &MissionId) -> Option<Arc<Session>> {
        let has = |session: &&Arc<Session>| session.views().iter().any(|view| view.id == *mission);
        self.lock().sessions.iter().find(has).cloned()
    }

    /// The one that a command means: that of its `mission`, that of its `folder` (a URI or a path), else the latest.
    pub fn meant(&self, argument: Option<&Value>) -> Arc<Session> {
        let said = |name: &str| argument.and_then(|argument| argument.get(name)?.as_str());
        let by_mission =
            said("mission").and_then(|id| self.with_mission(&MissionId(id.to_owned())));
        let by_folder = || {
            let folder = said("folder")?;
            let path = folder.parse().ok().and_then(|uri: Uri| file_path(&uri));
            let path = path.unwrap_or_else(|| PathBuf::from(folder));
            self.all().into_iter().find(|session| is_at(session, &path))
        };
        by_mission.or_else(by_folder).unwrap_or_else(|| {
            let open = self.lock();
            Arc::clone(&open.sessions[open.latest])
        })
    }

    /// Opens and closes folders. What was open in the editor goes to the session that it belongs to now.
    pub async fn change(&self, added: Vec<PathBuf>, removed: Vec<PathBuf>, limit: Duration) {
        let client = self.first().client().clone();
        let (gone, come) = {
            let mut open = self.lock();
            let is_gone = |session: &Arc<Session>| removed.iter().any(|path| is_at(session, path));
            let (mut gone, mut left): (Vec<_>, Vec<_>) = open.sessions.drain(..).partition(is_gone);
            let is_new = |root: &&PathBuf| !left.iter().any(|session| is_at(session, root));
            let new: Vec<PathBuf> = added.iter().filter(is_new).cloned().collect();
            let come: Vec<_> = new.into_iter().map(|root| self.session(&client, root)).collect();
            // A session without a folder has nothing to do once there is one.
            if !come.is_empty() && left.iter().all(|session| session.root().is_none()) {
                gone.append(&mut left);
            }
            left.extend(come.iter().cloned());
            if left.is_empty() {
                let none = Arc::new(Session::new(self.peer.clone(), self.connect.clone()));
                none.introduce(client, None);
                left.push(none);
            }
            (open.sessions, open.latest) = (left, 0);
            (gone, come)
        };
        self.sort_documents(&gone);
        for session in &come {
            session.start();
        }
        for session in gone {
            diagnostics::withdraw(&session);
            session.stop(limit).await;
        }
    }

    /// Gives every open document to the session of its folder.
    fn sort_documents(&self, gone: &[Arc<Session>]) {
        let sessions = self.all();
        for from in sessions.iter().chain(gone) {
            for document in from.documents.all() {
                let to = match innermost(&sessions, &document.uri) {
                    Some(at) => &sessions[at],
                    None if gone.iter().any(|session| Arc::ptr_eq(session, from)) => &sessions[0],
                    None => continue,
                };
                if !Arc::ptr_eq(from, to) {
                    from.documents.close(&document.uri);
                    let text = document.text.to_string();
                    to.documents.open(document.uri, document.version, text);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_at(session: &Session, path: &Path) -> bool {
    session.root().is_some_and(|root| *root == Root::new(path.to_owned()))
}

/// Of folders within each other the inner one.
fn innermost(sessions: &[Arc<Session>], uri: &Uri) -> Option<usize> {
    let depth = |session: &Arc<Session>| {
        let root = session.root()?;
        root.rel(uri).map(|_| root.path().components().count())
    };
    let inside = sessions.iter().enumerate().filter_map(|(at, one)| Some((depth(one)?, at)));
    inside.max_by_key(|(depth, at)| (*depth, std::cmp::Reverse(*at))).map(|(_, at)| at)
}
