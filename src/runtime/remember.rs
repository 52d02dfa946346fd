//! Keeps what missions note for later ones: when a mission has noted something, and when it ends. The journal is what
//! counts: what a process that died did not come to write is absorbed by the next one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::memory::{Store, StoreError};
use crate::mission::{Keep, Mission, MissionId};

pub(super) struct Memory {
    root: PathBuf,
    /// What was absorbed of each mission: its notes for later ones, and whether it had ended.
    seen: BTreeMap<MissionId, (usize, bool)>,
    complained: bool,
}

impl Memory {
    pub fn new(root: PathBuf) -> Memory {
        Memory { root, seen: BTreeMap::new(), complained: false }
    }

    /// Absorbs what is new of these missions. Answers what a person should know, once.
    pub fn keep<'a>(&mut self, missions: impl Iterator<Item = &'a Mission>) -> Option<String> {
        let news: Vec<&Mission> = missions.filter(|mission| self.is_news(mission)).collect();
        if news.is_empty() {
            return None;
        }
        match self.absorb(&news) {
            Ok(()) => {
                self.complained = false;
                None
            }
            Err(error) => {
                (!std::mem::replace(&mut self.complained, true)).then(|| error.to_string())
            }
        }
    }

    fn is_news(&mut self, mission: &Mission) -> bool {
        let notes = mission.notes.iter().filter(|note| note.keep == Keep::Project).count();
        let state = (notes, mission.ended.is_some());
        if state.0 == 0 && mission.weights.keys().all(|key| key.starts_with("m:")) {
            return false;
        }
        self.seen.insert(mission.id.clone(), state) != Some(state)
    }

    fn absorb(&self, missions: &[&Mission]) -> Result<(), StoreError> {
        // Read anew each time: a person may have corrected it.
        let mut store = Store::load(&self.root)?;
        let changed = missions.iter().filter(|mission| store.absorb(mission)).count();
        if changed > 0 { store.save(&self.root) } else { Ok(()) }
    }
}
