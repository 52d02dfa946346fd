//! What missions noted for later ones: `.opencode/memory.json`.
//!
//! It is made of the missions' states, which are made of their events: absorbing a mission twice changes nothing, and
//! what is missing of a mission that still stands in the journal is absorbed again. The file is there for missions that
//! have left it, and for people: they may read it, correct it, or delete it, whole or in parts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::mission::{Keep, Mission, Weight};
use crate::workspace::hash::sha256;

/// The most notes that are kept; those of least weight go first.
const NOTES: usize = 200;
/// The most missions of which is known how much was absorbed.
const MISSIONS: usize = 500;
/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// The longest note that is taken from the file, in characters: people may have edited it.
const NOTE_CHARS: usize = 1_000;

/// The notes of a project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Store {
    /// By their keys.
    pub(super) notes: BTreeMap<String, Kept>,
    /// How many notes of each mission were absorbed: what a person deleted since stays deleted.
    read: BTreeMap<String, usize>,
}

/// A note that outlives its mission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub text: String,
    /// The mission that noted it.
    #[serde(default)]
    pub mission: String,
    /// When, milliseconds since the epoch.
    #[serde(default)]
    pub at: u64,
    #[serde(default)]
    pub weight: Option<Weight>,
}

/// Why the notes cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk's fault.
    #[error("failed to use {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what was written.
    #[error("{path} is not understood ({why}); mend it, or delete it: no note is kept until then")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        why: String,
    },
}

/// What a note of a project is called: the same words have the same key.
pub(super) fn key(text: &str) -> String {
    let words = text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    format!("p:{}", &sha256(words.as_bytes())[..16])
}

fn path(root: &Path) -> PathBuf {
    root.join(".opencode").join("memory.json")
}

impl Store {
    /// Reads the notes of the workspace at `root`; there are none where there is no file.
    ///
    /// # Errors
    /// When the file cannot be read, or is not what was written.
    pub fn load(root: &Path) -> Result<Store, StoreError> {
        let path = path(root);
        let not_read = |source| StoreError::Io { path: path.clone(), source };
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Store::default());
            }
            Err(error) => return Err(not_read(error)),
            Ok(file) if !file.is_file() || file.len() > MAX_BYTES => {
                let why = format!("it is no file, or larger than {MAX_BYTES} bytes");
                return Err(StoreError::Parse { path, why });
            }
            Ok(_) => {}
        }
        let text = std::fs::read(&path).map_err(not_read)?;
        let mut store: Store = serde_json::from_slice(&text)
            .map_err(|error| StoreError::Parse { path: path.clone(), why: error.to_string() })?;
        store.notes.retain(|_, kept| kept.text.chars().count() <= NOTE_CHARS);
        Ok(store)
    }

    /// Takes up what a mission noted for later ones, and how relevant notes were to its sessions. Says whether that
    /// changed anything.
    pub fn absorb(&mut self, mission: &Mission) -> bool {
        let before = self.clone();
        let notes: Vec<_> = mission.notes.iter().filter(|n| n.keep == Keep::Project).collect();
        let id = mission.id.0.clone();
        if notes.len() > self.read.get(&id).copied().unwrap_or(0) {
            self.read.insert(id.clone(), notes.len());
            for note in notes {
                let kept = Kept {
                    text: note.text.clone(),
                    mission: id.clone(),
                    at: note.at,
                    weight: None,
                };
                self.notes.entry(key(&note.text)).or_insert(kept);
            }
        }
        for (key, weight) in &mission.weights {
            if let Some(kept) = self.notes.get_mut(key) {
                let is_newer = kept.weight.is_none_or(|known| known.at < weight.at);
                kept.weight = if is_newer { Some(*weight) } else { kept.weight };
            }
        }
        self.bound();
        *self != before
    }

    fn bound(&mut self) {
        while self.notes.len() > NOTES {
            let worth = |kept: &Kept| (kept.weight.map_or(1000, |w| w.score), kept.at);
            let least = self.notes.iter().min_by_key(|(_, kept)| worth(kept));
            let Some(least) = least.map(|(key, _)| key.clone()) else {
                return;
            };
            self.notes.remove(&least);
        }
        while self.read.len() > MISSIONS {
            // Ids begin with their time: the first is the oldest.
            self.read.pop_first();
        }
    }

    /// Writes the notes of the workspace at `root`.
    ///
    /// # Errors
    /// When the disk refuses; the file is as it was then.
    pub fn save(&self, root: &Path) -> Result<(), StoreError> {
        let path = path(root);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| StoreError::Parse { path: path.clone(), why: error.to_string() })?;
        disk::replace(&path, format!("{text}\n").as_bytes())
            .map_err(|source| StoreError::Io { path, source })
    }

    /// How many notes there are.
    pub fn len(&self) -> usize {
        self.notes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::conversation::Role;
    use crate::mission::{MissionId, Note};

    fn mission(id: &str, notes: &[&str]) -> Mission {
        let mut mission = Mission::new(MissionId(id.to_owned()));
        mission.notes = notes
            .iter()
            .map(|text| Note {
                text: (*text).to_owned(),
                keep: Keep::Project,
                role: Role::Worker,
                item: None,
                at: 5,
            })
            .collect();
        mission
    }

    #[test]
    fn absorbing_again_changes_nothing_and_what_was_deleted_stays_so() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".opencode")).unwrap();
        let mut store = Store::load(root.path()).unwrap();
        let one = mission("1", &["the parser is generated", "Use  the cache"]);
        assert!(store.absorb(&one) && !store.absorb(&one));
        assert!(store.absorb(&mission("2", &["use the CACHE"])));
        assert_eq!(store.len(), 2, "the same words are one note");
        store.save(root.path()).unwrap();
        let mut read = Store::load(root.path()).unwrap();
        assert_eq!(read, store);
        read.notes.clear();
        assert!(!read.absorb(&one) && read.is_empty());
    }

    #[test]
    fn the_newest_weight_counts_whatever_the_order() {
        let text = "the parser is generated";
        let weighed = |id: &str, score: u16, at: u64| {
            let mut mission = mission(id, &[text]);
            mission.weights.insert(key(text), Weight { score, open: true, at });
            mission
        };
        let (early, late) = (weighed("1", 900, 10), weighed("2", 300, 20));
        for order in [[&early, &late], [&late, &early]] {
            let mut store = Store::default();
            order.iter().for_each(|mission| {
                store.absorb(mission);
            });
            assert_eq!(store.notes[&key(text)].weight.unwrap().score, 300);
        }
    }

    #[test]
    fn the_store_is_bounded_and_a_broken_file_is_said_and_kept() {
        let mut store = Store::default();
        for number in 0..3 {
            let notes: Vec<String> = (0..100).map(|n| format!("note {number} {n}")).collect();
            store.absorb(&mission(
                &number.to_string(),
                &notes.iter().map(String::as_str).collect::<Vec<_>>(),
            ));
        }
        assert_eq!(store.len(), NOTES);
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".opencode");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("memory.json"), "{mine").unwrap();
        let error = Store::load(root.path()).unwrap_err().to_string();
        assert!(error.contains("mend it, or delete it"), "{error}");
    }
}
