//! The readable projections of the journal: `.opencode/todo.md` and `.opencode/mission_loop.json`.
//!
//! A `todo.md` that somebody else wrote or edited is never lost: it is set aside before it is written over.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::store::now_ms;
use crate::disk;
use crate::mission::plan::{Plan, render};
use crate::mission::view::{is_running, state};
use crate::mission::{End, Mission, MissionId};
use crate::workspace::hash::sha256;

/// How often the snapshot is written while nothing but counts and times change.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Projection {
    folder: PathBuf,
    /// The hash of the `todo.md` that was written last, perhaps by an earlier process.
    todo: Option<String>,
    /// The plan that it shows; `None` before this process has written one.
    plan: Option<Plan>,
    snapshot: Option<Snapshot>,
    /// Whether a newer snapshot waits for its time.
    waiting: bool,
    complained: bool,
}

/// What was written last, and when.
struct Snapshot {
    of: (MissionId, &'static str, (usize, usize), Option<String>),
    at: Instant,
}

impl Projection {
    pub fn new(root: &Path) -> Projection {
        let folder = root.join(".opencode");
        let todo = std::fs::read_to_string(folder.join("mission_loop.json"))
            .ok()
            .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
            .and_then(|snapshot| snapshot["todoHash"].as_str().map(str::to_owned));
        Projection { folder, todo, plan: None, snapshot: None, waiting: false, complained: false }
    }

    /// Writes what changed of a mission that has so many events. Answers what a person should know: that a file was set aside, that one cannot be written.
    pub fn write(&mut self, mission: &Mission, events: u64) -> Vec<String> {
        let mut notices = Vec::new();
        let written = self
            .write_plan(mission, &mut notices)
            .and_then(|()| self.write_snapshot(mission, events));
        match written {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                self.waiting = true;
                notices.push(format!(
                    "failed to write {}: {error}; the journal is not affected",
                    self.folder.display()
                ));
            }
            Err(_) => self.waiting = true,
        }
        notices
    }

    /// Whether what is shown is behind: it was held back, or could not be written.
    pub fn is_behind(&self) -> bool {
        self.waiting
    }

    /// Whether what is shown is behind, and its time has come.
    pub fn is_due(&self) -> bool {
        self.waiting && self.snapshot.as_ref().is_none_or(|last| last.at.elapsed() >= PAUSE)
    }

    fn write_plan(&mut self, mission: &Mission, notices: &mut Vec<String>) -> std::io::Result<()> {
        let Some(plan) = mission.plan.as_ref().filter(|plan| self.plan.as_ref() != Some(plan))
        else {
            return Ok(());
        };
        self.write_todo(&render(plan), notices)?;
        self.plan = Some(plan.clone());
        Ok(())
    }

    fn write_todo(&mut self, text: &str, notices: &mut Vec<String>) -> std::io::Result<()> {
        let hash = sha256(text.as_bytes());
        if self.todo.as_ref() == Some(&hash) {
            return Ok(());
        }
        let path = self.folder.join("todo.md");
        if let Some(aside) = self.set_aside(&path, &hash)? {
            notices.push(format!(
                "todo.md was changed by somebody else; their text is kept as {}",
                aside.display()
            ));
        }
        disk::replace(&path, text.as_bytes())?;
        self.todo = Some(hash);
        Ok(())
    }

    /// Moves a `todo.md` away that is neither what was written last nor what is to be written.
    fn set_aside(&self, path: &Path, wanted: &str) -> std::io::Result<Option<PathBuf>> {
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let found = std::fs::read(path).map(|bytes| sha256(&bytes)).ok();
        if found.is_some() && (found.as_deref() == Some(wanted) || found == self.todo) {
            return Ok(None);
        }
        let archive = self.folder.join("archive");
        disk::create_dir_all(&archive)?;
        let aside = (now_ms()..)
            .map(|number| archive.join(format!("todo-{number}.md")))
            .find(|free| std::fs::symlink_metadata(free).is_err())
            .unwrap_or_else(|| archive.join("todo.md"));
        disk::rename(path, &aside)?;
        Ok(Some(aside))
    }

    fn write_snapshot(&mut self, mission: &Mission, events: u64) -> std::io::Result<()> {
        let progress = mission.plan.as_ref().map_or((0, 0), Plan::progress);
        let of = (mission.id.clone(), state(mission), progress, self.todo.clone());
        let same = |last: &Snapshot| last.of == of && last.at.elapsed() < PAUSE;
        self.waiting = self.snapshot.as_ref().is_some_and(same);
        if self.waiting {
            return Ok(());
        }
        let text = self.snapshot_of(mission, events);
        disk::replace(&self.folder.join("mission_loop.json"), text.as_bytes())?;
        self.snapshot = Some(Snapshot { of, at: Instant::now() });
        Ok(())
    }

    fn snapshot_of(&self, mission: &Mission, events: u64) -> String {
        let snapshot = json!({
            "active": is_running(mission),
            "state": state(mission),
            "iteration": mission.spent.calls,
            "maxIterations": mission.limits.calls,
            "prompt": mission.goal,
            "sessionID": mission.id,
            "events": events,
            "startedAt": mission.started_at,
            "lastActivity": mission.now,
            "progress": mission.plan.as_ref().map_or((0, 0), Plan::progress),
            "needs": match &mission.ended { Some(End::Blocked { needs }) => Some(needs), _ => None },
            "todoHash": self.todo,
        });
        format!("{snapshot:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_todo_of_somebody_else_is_set_aside() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".opencode");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("todo.md"), b"\xff mine").unwrap();
        let mut projection = Projection::new(root.path());
        let mut notices = Vec::new();
        projection.write_todo("# Mission: a\n", &mut notices).unwrap();
        assert_eq!(notices.len(), 1);
        let kept = std::fs::read_dir(folder.join("archive")).unwrap().next().unwrap().unwrap();
        assert_eq!(std::fs::read(kept.path()).unwrap(), b"\xff mine");
        projection.write_todo("# Mission: b\n", &mut notices).unwrap();
        assert_eq!(notices.len(), 1, "our own text is not set aside");
        std::fs::write(folder.join("todo.md"), "typed").unwrap();
        projection.write_todo("# Mission: c\n", &mut notices).unwrap();
        assert_eq!(notices.len(), 2);
        assert_eq!(std::fs::read_to_string(folder.join("todo.md")).unwrap(), "# Mission: c\n");
    }

    #[test]
    fn counts_alone_do_not_write_the_snapshot_again_at_once() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".opencode")).unwrap();
        let path = root.path().join(".opencode/mission_loop.json");
        let mut projection = Projection::new(root.path());
        let mut mission = Mission::new(MissionId("m".into()));
        assert!(projection.write(&mission, 1).is_empty());
        let first = std::fs::read_to_string(&path).unwrap();
        mission.spent.calls = 7;
        projection.write(&mission, 1);
        assert!(projection.waiting || std::fs::read_to_string(&path).unwrap() != first);
        mission.ended = Some(End::Cancelled);
        projection.write(&mission, 1);
        let last = std::fs::read_to_string(&path).unwrap();
        assert!(last.contains("cancelled") && last.contains(": 7"), "{last}");
        assert!(!projection.is_due());
    }
}
