//! A project whose compiler and tests are a script that a test can stop at every stage of a mission, with a grandchild
//! that ignores polite signals; and an honest team that writes one file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use orchestrator_lsp::mission::conversation::Role;
use serde_json::json;

use super::client::DEADLINE;
use super::project::Project;
use super::provider::{Provider, Reply, Request};

/// The file that the mission writes.
pub const FILE: &str = "alpha.st";

const SCRIPT: &str = r#"#!/bin/sh
# Says at which stage of a mission it was called, and waits there while it is told to.
here=$(dirname "$0")
if [ ! -f alpha.st ] && ! grep -q 'All new' first.st; then stage=baseline
elif [ "$1" = test ]; then stage=tests
else stage=gate
fi
echo "$stage" >> "$here/stages"
if [ -f "$here/hold-$stage" ]; then
    (trap '' TERM INT HUP; while [ -f "$here/hold-$stage" ]; do echo >> "$here/beats"; sleep 0.02; done) &
    echo $! > "$here/pids.new"
    echo $$ >> "$here/pids.new"
    mv "$here/pids.new" "$here/pids"
    wait
fi
exit 0
"#;

/// A project in a folder with its script.
pub struct Stage {
    pub project: Project,
    folder: PathBuf,
}

impl Stage {
    pub fn new(provider: &Provider) -> Stage {
        let project = provider.serving(Project::empty());
        let folder = project.root().parent().unwrap().to_owned();
        let script = folder.join("stage.sh");
        std::fs::write(&script, SCRIPT).unwrap();
        make_program(&script);
        let tool = |name: &str| {
            format!(
                "[[gate.languages.tools]]\nname = \"{name}\"\ncommand = [{:?}, \"{name}\"]\noutput = \"exit-status\"\npurpose = \"{name}\"\ncovers = \"everything\"\nversion = []\n",
                script.to_str().unwrap()
            )
        };
        let config = folder.join("config.toml");
        let language = "[[gate.languages]]\nname = \"stage\"\nextensions = [\"st\"]\nroots = [\"stage.txt\"]\n";
        std::fs::write(&config, format!("{language}{}{}", tool("check"), tool("test"))).unwrap();
        project.write("stage.txt", "");
        project.write("first.st", "There was a note.\n");
        Stage { project: project.with("ORCHESTRATOR_CONFIG", config), folder }
    }

    /// Adds to the configuration.
    pub fn configure(&self, more: &str) {
        let config = self.folder.join("config.toml");
        let before = std::fs::read_to_string(&config).unwrap();
        std::fs::write(config, format!("{more}\n{before}")).unwrap();
    }

    /// Stops the script at a stage: `baseline`, `gate`, `tests`; or `seal`, which runs the tests when nothing else does.
    pub fn hold(&self, stage: &str) {
        if stage == "seal" {
            self.configure("[seal]\ntests = \"at-the-seal\"");
            return self.hold("tests");
        }
        std::fs::write(self.folder.join(format!("hold-{stage}")), "").unwrap();
    }

    pub fn release(&self, stage: &str) {
        let stage = if stage == "seal" { "tests" } else { stage };
        let _ = std::fs::remove_file(self.folder.join(format!("hold-{stage}")));
        let _ = std::fs::remove_file(self.folder.join("pids"));
    }

    /// Waits until the script is held; the processes of it: a grandchild, and its parent.
    pub fn until_held(&self) -> Vec<u32> {
        let pids = self.folder.join("pids");
        let called = || format!("the script's halt (it was called at {:?})", self.stages());
        until_so(called, || pids.exists());
        let text = std::fs::read_to_string(pids).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// How often the script's grandchild has shown that it lives.
    pub fn beats(&self) -> u64 {
        self.folder.join("beats").metadata().map_or(0, |data| data.len())
    }

    /// The stages at which the script was called.
    pub fn stages(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("stages")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn make_program(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits, within the deadline of the tests.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    until_so(|| what.to_owned(), holds);
}

fn until_so(what: impl Fn() -> String, holds: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "{} did not come", what());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Whether that process lives; one that has ended and was not collected does not.
pub fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// What an honest team answers.
pub fn honest(asked: &Request) -> Reply {
    honest_in(FILE, asked)
}

/// What an honest team answers that writes `file`.
pub fn honest_in(file: &str, asked: &Request) -> Reply {
    let plan = format!(
        "# Mission: g\n## M1: notes\n### T1.1: write a note\n- [ ] S1.1.1: the note is there | file:{file}\n"
    );
    let write = json!({"changes": [{"op": "write", "path": file, "content": "A note.\n"}]});
    match (asked.role, asked.turns) {
        (Role::Commander, _) => Reply::Call("triage", json!({"decision": "plan"})),
        (Role::Planner, _) => Reply::Call("plan", json!({ "todo": plan })),
        (Role::Worker, 0) => Reply::Call("list", json!({"glob": "*.st"})),
        (Role::Worker, 1) => Reply::Call("propose", write),
        (Role::Worker, _) => Reply::Call("done", json!({"summary": "written"})),
        (Role::Reviewer, _) => {
            Reply::Call("verdict", json!({"pass": true, "evidence": ["read it"]}))
        }
    }
}

/// Where the conversation of a mission can be stopped: at a role's turn, in the middle of the answer.
pub type Place = (Role, usize);

/// A provider of the honest team, that stops in the middle of the answer of `held` while there is one.
pub fn provider(held: std::sync::Arc<std::sync::Mutex<Option<Place>>>) -> Provider {
    Provider::answering(move |asked| match *held.lock().unwrap() {
        Some(place) if place == (asked.role, asked.turns) => Reply::Half,
        _ => honest(asked),
    })
}
