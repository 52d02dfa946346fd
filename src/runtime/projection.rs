//! The readable projections of the journal: `.opencode/todo.md` and `.opencode/mission_loop.json`.
//!
//! A `todo.md` that somebody else wrote or edited is never lost: it is set aside before it is written over.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::store::now_ms;
use crate::mission::plan::render;
use crate::mission::view::MissionView;
use crate::mission::{End, Mission};
use crate::workspace::hash::sha256;

pub(super) struct Projection {
    folder: PathBuf,
    todo: Option<String>,
    snapshot: Option<String>,
    complained: bool,
}

impl Projection {
    pub fn new(root: &Path) -> Projection {
        let folder = root.join(".opencode");
        let todo = std::fs::read_to_string(folder.join("mission_loop.json"))
            .ok()
            .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
            .and_then(|snapshot| snapshot["todoHash"].as_str().map(str::to_owned));
        Projection { folder, todo, snapshot: None, complained: false }
    }

    /// Writes what changed. Answers what a person should know: that a file was set aside, that one cannot be written.
    pub fn write(&mut self, mission: &Mission) -> Vec<String> {
        let mut notices = Vec::new();
        let todo = mission.plan.as_ref().map(render);
        let written = self
            .write_todo(todo.as_deref(), &mut notices)
            .and_then(|()| self.write_snapshot(mission));
        match written {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                notices.push(format!(
                    "failed to write {}: {error}; the journal is not affected",
                    self.folder.display()
                ));
            }
            Err(_) => {}
        }
        notices
    }

    fn write_todo(&mut self, text: Option<&str>, notices: &mut Vec<String>) -> std::io::Result<()> {
        let Some(text) = text else {
            return Ok(());
        };
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
        replace(&path, text.as_bytes())?;
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
        std::fs::create_dir_all(&archive)?;
        let aside = archive.join(format!("todo-{}.md", now_ms()));
        std::fs::rename(path, &aside)?;
        Ok(Some(aside))
    }

    fn write_snapshot(&mut self, mission: &Mission) -> std::io::Result<()> {
        let text = self.snapshot_of(mission);
        if self.snapshot.as_ref() == Some(&text) {
            return Ok(());
        }
        replace(&self.folder.join("mission_loop.json"), text.as_bytes())?;
        self.snapshot = Some(text);
        Ok(())
    }

    fn snapshot_of(&self, mission: &Mission) -> String {
        let view = MissionView::of(mission);
        let snapshot = json!({
            "active": view.is_running(),
            "state": view.state,
            "iteration": view.spent.calls,
            "maxIterations": mission.limits.calls,
            "prompt": view.goal,
            "sessionID": view.id,
            "startedAt": view.started_at,
            "lastActivity": view.now,
            "progress": view.progress,
            "needs": match &view.end { Some(End::Blocked { needs }) => Some(needs), _ => None },
            "todoHash": self.todo,
        });
        format!("{snapshot:#}\n")
    }
}

/// Atomic replacement. Not synchronised: a projection can always be made again from the journal.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".orchestrator-").tempfile_in(folder)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
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
        projection.write_todo(Some("# Mission: a\n"), &mut notices).unwrap();
        assert_eq!(notices.len(), 1);
        let kept = std::fs::read_dir(folder.join("archive")).unwrap().next().unwrap().unwrap();
        assert_eq!(std::fs::read(kept.path()).unwrap(), b"\xff mine");
        projection.write_todo(Some("# Mission: b\n"), &mut notices).unwrap();
        assert_eq!(notices.len(), 1, "our own text is not set aside");
        std::fs::write(folder.join("todo.md"), "typed").unwrap();
        projection.write_todo(Some("# Mission: c\n"), &mut notices).unwrap();
        assert_eq!(notices.len(), 2);
        assert_eq!(std::fs::read_to_string(folder.join("todo.md")).unwrap(), "# Mission: c\n");
    }
}
