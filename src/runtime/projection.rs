//! The readable projections of the journal: `.opencode/todo.md` and `.opencode/mission_loop.json`.
//!
//! A `todo.md` that a person edits is merged with the plan, see [`super::replicas`]; one that was nobody's plan here is
//! set aside before it is written over.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Mail;
use super::editors::Editors;
use super::replicas::Replicas;
use crate::disk;
use crate::mission::plan::Plan;
use crate::mission::view::{is_running, state};
use crate::mission::{Command, End, Mission, MissionId};

/// How often the snapshot is written while nothing but counts and times change.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Projection {
    folder: PathBuf,
    replicas: Replicas,
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
    pub fn new(
        root: &Path,
        editors: Arc<Editors>,
        tokio: tokio::runtime::Handle,
        mail: Sender<Mail>,
    ) -> Projection {
        let folder = root.join(".opencode");
        let replicas = Replicas::new(&folder, editors, tokio, mail);
        Projection { folder, replicas, snapshot: None, waiting: false, complained: false }
    }

    /// Writes what changed of a mission that has so many events. Answers what a person should know: that a file was set aside, that one cannot be written.
    pub fn write(&mut self, mission: &Mission, events: u64) -> Vec<String> {
        let mut notices = Vec::new();
        let written = self
            .replicas
            .write(mission, &mut notices)
            .and_then(|()| self.write_snapshot(mission, events));
        match written {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                self.waiting = true;
                self.replicas.again();
                notices.push(format!(
                    "failed to write {}: {error}; the journal is not affected",
                    self.folder.display()
                ));
            }
            Err(_) => {
                self.waiting = true;
                self.replicas.again();
            }
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

    /// Looks whether somebody changed `todo.md`, and brings it to the plan. Answers as [`Projection::write`].
    pub fn look(&mut self, mission: &Mission) -> Vec<String> {
        let mut notices = Vec::new();
        if self.replicas.write(mission, &mut notices).is_err() {
            // It is said when the mission is shown, and tried again.
            self.waiting = true;
            self.replicas.again();
        }
        notices
    }

    /// Takes note of an editor's answer.
    pub fn edited(&mut self, who: &str, text: Option<&str>, plan: Option<&Plan>) {
        self.replicas.edited(who, text, plan);
    }

    /// What a person has changed in `todo.md`, where that is news.
    pub fn edits(&mut self, mission: &Mission) -> Option<Command> {
        self.replicas.edits(mission)
    }

    fn write_snapshot(&mut self, mission: &Mission, events: u64) -> std::io::Result<()> {
        let progress = mission.plan.as_ref().map_or((0, 0), Plan::progress);
        let of =
            (mission.id.clone(), state(mission), progress, self.replicas.hash().map(str::to_owned));
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
            "todoHash": self.replicas.hash(),
        });
        format!("{snapshot:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::plan::parse;

    const PLAN: &str = "# Mission: g\n\n## M1: a\n\n### T1.1: b | agent:Worker\n- [ ] S1.1.1: c\n- [ ] S1.1.2: d\n";

    fn projection(root: &Path) -> Projection {
        let (mail, _) = std::sync::mpsc::channel();
        let editors = Arc::new(Editors::new(root, None));
        Projection::new(root, editors, tokio::runtime::Handle::current(), mail)
    }

    fn mission() -> Mission {
        let mut mission = Mission::new(MissionId("m".into()));
        mission.plan = Some(parse(PLAN).unwrap());
        mission
    }

    fn todo(root: &Path) -> PathBuf {
        root.join(".opencode/todo.md")
    }

    fn folder() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".opencode")).unwrap();
        root
    }

    #[tokio::test]
    async fn a_todo_that_was_nobodys_plan_is_set_aside() {
        let root = folder();
        std::fs::write(todo(root.path()), b"\xff mine").unwrap();
        let mut projection = projection(root.path());
        assert_eq!(projection.write(&mission(), 1).len(), 1);
        let archive = root.path().join(".opencode/archive");
        let kept = std::fs::read_dir(archive).unwrap().next().unwrap().unwrap();
        assert_eq!(std::fs::read(kept.path()).unwrap(), b"\xff mine");
        assert_eq!(std::fs::read_to_string(todo(root.path())).unwrap(), PLAN);
    }

    /// Waits until what was written into the file is taken for said.
    fn said(projection: &mut Projection, mission: &Mission) -> Command {
        for _ in 0..10_000 {
            projection.write(mission, 1);
            if let Some(command) = projection.edits(mission) {
                return command;
            }
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(5));
        }
        panic!("nothing was heard");
    }

    #[tokio::test]
    async fn what_a_person_wrote_stays_and_what_they_changed_is_said_also_to_the_next_process() {
        for restarts in [false, true] {
            let root = folder();
            let mut first = projection(root.path());
            let mut mission = mission();
            assert!(first.write(&mission, 1).is_empty());
            let theirs =
                PLAN.replace("S1.1.1: c", "S1.1.1: C").replace("## M1", "my own line\n## M1");
            std::fs::write(todo(root.path()), &theirs).unwrap();
            // Meanwhile the mission goes on.
            let id = crate::mission::plan::ItemId::parse("T1.1").unwrap();
            mission.plan.as_mut().unwrap().task_mut(&id).unwrap().steps[1].mark =
                crate::mission::plan::Mark::Active;
            let mut second = if restarts { projection(root.path()) } else { first };
            assert!(second.write(&mission, 1).is_empty());
            let now = std::fs::read_to_string(todo(root.path())).unwrap();
            assert_eq!(now, theirs.replace("[ ] S1.1.2", "[/] S1.1.2"), "{restarts}");
            let Command::EditPlan { edits, order } = said(&mut second, &mission) else { panic!() };
            let items: Vec<String> = edits.iter().map(|edit| edit.item.to_string()).collect();
            assert_eq!((items, order.len()), (vec!["S1.1.1".to_owned()], 0));
            assert!(!root.path().join(".opencode/archive").exists());
        }
    }

    #[tokio::test]
    async fn counts_alone_do_not_write_the_snapshot_again_at_once() {
        let root = folder();
        let path = root.path().join(".opencode/mission_loop.json");
        let mut projection = projection(root.path());
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
