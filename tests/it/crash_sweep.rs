//! A mission survives anything: one run for every change of a disk and every kind of fault, and kills at random moments.
//! Both are commands of the binary; the tests run them whole and look at what they say.

use std::path::Path;

use serde_json::Value;

use crate::support::project::Project;

/// Faults and kills of a process do not depend on a disk's speed: where there is a folder in memory it is used.
fn quick(project: Project) -> Project {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { project.with("TMPDIR", memory) } else { project }
}

fn bench(arguments: &[&str]) -> Value {
    let project = quick(Project::empty());
    // A mission waits for its disk and its model, too: one more than there are processors.
    let parallel = std::thread::available_parallelism().map_or(2, |n| n.get() + 1).to_string();
    let all = [&["bench", "crash", "--json", "--parallel", &parallel], arguments].concat();
    let said = project.run(&all);
    let figures = said.last();
    assert_eq!(figures["failures"], serde_json::json!([]), "{figures:#}");
    assert_eq!(said.code, 0, "{said:?}");
    figures
}

fn number(figures: &Value, name: &str) -> u64 {
    figures[name].as_u64().unwrap_or_else(|| panic!("no {name}: {figures}"))
}

#[test]
fn every_change_of_a_disk_can_be_the_last_one_or_fail() {
    let figures = bench(&["--sweep"]);
    let points = number(&figures, "points");
    assert!(points >= 200, "a mission has only {points} points: {figures}");
    for operation in ["create", "write", "sync", "rename", "truncate", "enlarge", "remove"] {
        assert!(figures["operations"][operation].as_u64() > Some(0), "no {operation}: {figures}");
    }
    let files = figures["files"].to_string();
    for file in [
        "journal.db",
        "journal.db-wal",
        "journal.db-shm",
        "owner.lock",
        ".gitignore",
        "todo.md",
        "mission_loop.json",
        "first.txt",
        "why.txt",
        "gone.txt",
        "moved.txt",
    ] {
        assert!(files.contains(&format!("\"{file}\"")), "no point at {file}: {files}");
    }
    for kind in ["kill", "eio"] {
        assert_eq!(number(&figures["kinds"], kind), points);
    }
    let writes = number(&figures["operations"], "write");
    for kind in ["tear", "enospc"] {
        assert_eq!(number(&figures["kinds"], kind), writes);
    }
    // Threads pass each other: the last few points of the longest mission are not in every one.
    let (held, runs) = (number(&figures, "held"), number(&figures, "runs"));
    assert!(held * 100 >= runs * 97, "only {held} of {runs} faults struck");
}

#[test]
fn three_hundred_kills_are_survived() {
    let figures = bench(&["--kills", "300", "--seed", "7"]);
    assert!(number(&figures, "kills") >= 300, "{figures}");
    assert!(number(&figures, "missions") > 0, "{figures}");
    assert!(number(&figures, "moments") >= 15, "too few distinct moments: {figures}");
}

#[test]
fn a_fault_is_armed_by_the_environment_alone_and_a_wrong_one_is_said() {
    let project = Project::empty();
    for name in [".env", ".envrc", ".opencode/.env"] {
        project.write(name, "ORCHESTRATOR_FAULT=kill@1\n");
    }
    project.write(".opencode/config.toml", "fault = \"kill@1\"\nORCHESTRATOR_FAULT = \"kill@1\"\n");
    let declined = project.run(&["task", "write a poem", "--json"]);
    assert_eq!(declined.last()["end"]["state"], "blocked", "{declined:?}");
    let wrong = Project::empty().with("ORCHESTRATOR_FAULT", "melt@3").run(&["status"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("kill@N"), "{wrong:?}");
    let armed = Project::empty().with("ORCHESTRATOR_FAULT", "kill@1").run(&["task", "a poem"]);
    assert_eq!(armed.code, -1, "it dies: {armed:?}");
    assert!(armed.err.starts_with("fault point 1 create .opencode"), "{armed:?}");
}
