//! The board: what everybody may read at any time. The loop writes it; nobody waits for anybody.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::broadcast;

use crate::mission::MissionId;
use crate::mission::view::MissionView;

/// How many updates a slow receiver may lag behind before it must look at the views again.
const BACKLOG: usize = 1024;

/// Something changed.
#[derive(Debug, Clone)]
pub enum Update {
    /// A mission took a step.
    Mission(Arc<MissionView>),
    /// Something that a person should know and that belongs to no mission.
    Notice(String),
    /// The loop has stopped for good, with the reason.
    Halted(String),
}

/// How far the loop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reached {
    /// Nothing is known yet.
    Begun,
    /// What the journal holds is shown.
    Read,
    /// It has ended.
    Stopped,
}

#[derive(Debug)]
pub(super) struct Board {
    views: RwLock<Arc<[Arc<MissionView>]>>,
    updates: broadcast::Sender<Update>,
    /// What was said to everybody and stays true.
    notices: Mutex<Vec<String>>,
    halted: Mutex<Option<String>>,
    reached: (Mutex<Reached>, Condvar),
    /// Missions that were begun here and may not have a view yet.
    begun: Mutex<Vec<MissionId>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub fn new() -> Board {
        Board {
            views: RwLock::new(Arc::new([])),
            updates: broadcast::channel(BACKLOG).0,
            notices: Mutex::new(Vec::new()),
            halted: Mutex::new(None),
            reached: (Mutex::new(Reached::Begun), Condvar::new()),
            begun: Mutex::new(Vec::new()),
        }
    }

    pub fn views(&self) -> Arc<[Arc<MissionView>]> {
        self.views.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Update> {
        self.updates.subscribe()
    }

    /// Shows a mission; the newest stands last.
    pub fn show(&self, view: MissionView) {
        let view = Arc::new(view);
        let mut all = self.views().to_vec();
        match all.iter_mut().find(|v| v.id == view.id) {
            Some(place) => *place = view.clone(),
            None => all.push(view.clone()),
        }
        *self.views.write().unwrap_or_else(PoisonError::into_inner) = all.into();
        self.tell(Update::Mission(view));
    }

    pub fn begun(&self, mission: &MissionId) {
        lock(&self.begun).push(mission.clone());
    }

    pub fn has_begun(&self, mission: &MissionId) -> bool {
        lock(&self.begun).contains(mission)
    }

    pub fn tell(&self, update: Update) {
        // No receiver is no error: nobody is looking.
        let _ = self.updates.send(update);
    }

    /// Says something that whoever comes later must know too.
    pub fn keep_telling(&self, notice: String) {
        let mut notices = lock(&self.notices);
        if !notices.contains(&notice) {
            notices.push(notice.clone());
            drop(notices);
            self.tell(Update::Notice(notice));
        }
    }

    pub fn notices(&self) -> Vec<String> {
        lock(&self.notices).clone()
    }

    pub fn halt(&self, why: String) {
        *lock(&self.halted) = Some(why.clone());
        self.tell(Update::Halted(why));
    }

    pub fn halted(&self) -> Option<String> {
        lock(&self.halted).clone()
    }

    /// Notes how far the loop has come; it never goes back.
    pub fn reached(&self, point: Reached) {
        let mut reached = lock(&self.reached.0);
        *reached = point.max(*reached);
        self.reached.1.notify_all();
    }

    /// Waits until the loop has come that far. Not for handlers.
    pub fn wait_until(&self, point: Reached) {
        let guard = lock(&self.reached.0);
        let _there = self.reached.1.wait_while(guard, |reached| *reached < point);
    }
}
