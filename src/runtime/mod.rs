//! (stands in until the runtime lands)
#![allow(missing_docs)]
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;

use crate::mission::view::MissionView;
use crate::mission::{Command, MissionId, Mode};
use crate::workspace::path::RelPath;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

#[derive(Debug, Clone)]
pub struct Update {
    pub mission: MissionId,
}

#[derive(Debug, Clone)]
pub struct OpenText {
    pub version: i32,
    pub text: String,
}

#[derive(Debug, Clone)]
pub struct VersionedEdit {
    pub path: RelPath,
    pub version: i32,
    pub new_text: String,
}

pub trait Editor: Send + Sync {
    fn open_texts(&self) -> BTreeMap<RelPath, OpenText>;
    fn apply(&self, edits: Vec<VersionedEdit>) -> BoxFuture<'static, Result<(), String>>;
}

#[derive(Clone)]
pub struct Handle {
    views: Arc<Mutex<Vec<Arc<MissionView>>>>,
    updates: tokio::sync::broadcast::Sender<Update>,
}

impl Handle {
    pub fn stand_in() -> Handle {
        Handle { views: Arc::default(), updates: tokio::sync::broadcast::channel(64).0 }
    }
    pub fn start(&self, goal: &str, mode: Mode) -> Result<MissionId, Refused> {
        let id = MissionId("m1".into());
        let mut mission = crate::mission::Mission::new(id.clone());
        goal.clone_into(&mut mission.goal);
        mission.mode = mode;
        if let Ok(mut views) = self.views.lock() {
            views.push(Arc::new(MissionView::of(&mission)));
        }
        let _ = self.updates.send(Update { mission: id.clone() });
        Ok(id)
    }
    pub fn command(&self, mission: &MissionId, _command: Command) -> Result<(), Refused> {
        let _ = self.updates.send(Update { mission: mission.clone() });
        Ok(())
    }
    pub fn views(&self) -> Arc<[Arc<MissionView>]> {
        self.views.lock().map(|views| views.clone().into()).unwrap_or_else(|_| Arc::from([]))
    }
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Update> {
        self.updates.subscribe()
    }
}
