//! Models that lie, loop, flood or attack, over real HTTP: each mission ends within its limits, in the right state, with
//! the right reason, and nothing wrong is in the tree.

mod floods;
mod loops;
mod planners;
mod reviewers;
mod workers;

use std::collections::BTreeMap;

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::model::{Asked, LocalModel};
use crate::support::project::{Project, Said};

/// The limit of model calls of every mission here.
const CALLS: usize = 40;

/// What every mission here may spend: little, so that each limit is met soon, and no limit is the wall clock's.
const LIMITS: &str = "[limits]\ncalls = 40\ntokens = 3000000\nturns = 12\nattempts = 2\nrefusals = 3\nrounds = 2\nrepeats = 3\nfaults = 2\nparallel = 2\nwall_ms = 240000\n\n[seal]\nmutants = 0\n";

/// How a mission ended.
struct Ended {
    state: String,
    /// What it says of its end.
    why: String,
    /// How many requests the model has seen.
    requests: usize,
    receipts: usize,
    said: Said,
}

impl Ended {
    /// The mission ended in one of these states, for one of these reasons.
    fn is(&self, states: &[&str], reasons: &[&str]) -> &Ended {
        assert!(
            states.contains(&self.state.as_str()),
            "{}: {}\n{}",
            self.state,
            self.why,
            self.said.out
        );
        let told = reasons.iter().any(|reason| self.why.contains(reason));
        assert!(told, "{}: {}\nnone of {reasons:?}", self.state, self.why);
        self
    }
}

/// A project of texts, which needs no compiler.
fn notes() -> Project {
    let project = Project::empty();
    project.write("notes.md", "# Notes\n\none\ntwo\n");
    project.write("src/other.txt", "other\n");
    project
}

/// Runs a mission to its end, under [`LIMITS`]: it ends, and asks no more than it may.
fn mission(model: &LocalModel, project: Project) -> (Ended, Project) {
    let config = project.root().join("../limits.toml");
    std::fs::write(&config, LIMITS).unwrap();
    let project = model.serving(project).with("ORCHESTRATOR_CONFIG", config);
    let said = project.run(&["task", "mend the notes", "--json"]);
    let end = said.last()["end"].clone();
    assert!(end["end"].is_object(), "it did not end: {said:?}");
    let why = ["needs", "limit", "reason", "hash"].iter().find_map(|key| end["end"][key].as_str());
    let ended = Ended {
        state: end["state"].as_str().unwrap().to_owned(),
        why: why.unwrap_or_default().to_owned(),
        requests: model.arrivals().len(),
        receipts: end["receipts"].as_array().unwrap().len(),
        said,
    };
    assert!(ended.requests <= CALLS + 1, "{} requests: {}", ended.requests, ended.why);
    assert!(!ended.why.contains("wall time"), "no other limit was met: {}", ended.why);
    (ended, project)
}

/// As [`mission`]; in the end every byte is what it was, and nothing was accepted.
fn fruitless(model: &LocalModel, project: Project) -> Ended {
    let before: BTreeMap<String, Vec<u8>> = project.bytes();
    let (ended, project) = mission(model, project);
    assert_eq!(project.bytes(), before, "{}", ended.why);
    assert_eq!(ended.receipts, 0);
    ended
}

/// What a well-behaved model says, with one small task.
fn honest(asked: &Asked) -> (&'static str, Value) {
    match (asked.role, asked.turns) {
        (Role::Commander, _) => ("triage", json!({"decision": "direct"})),
        (Role::Planner, _) => ("plan", json!({ "todo": PLAN })),
        (Role::Worker, 0) => ("propose", replacing("notes.md", "two", "three")),
        (Role::Worker, _) => ("done", json!({"summary": "it is mended"})),
        (Role::Reviewer, _) => ("verdict", json!({"pass": true, "evidence": ["read it"]})),
    }
}

const PLAN: &str =
    "# Mission: g\n## M1: notes\n### T1.1: mend the notes\n- [ ] S1.1.1: they are mended\n";

fn replacing(path: &str, old: &str, new: &str) -> Value {
    let edits = json!([{"old": old, "new": new}]);
    json!({"changes": [{"op": "edit", "path": path, "edits": edits}]})
}

/// The limits themselves hinder nobody.
#[test]
fn an_honest_model_is_sealed_under_the_same_limits() {
    let model = LocalModel::calling(honest);
    let (ended, project) = mission(&model, notes());
    assert_eq!(ended.state, "sealed", "{}", ended.said.out);
    assert!(project.read("notes.md").contains("three"));
}
