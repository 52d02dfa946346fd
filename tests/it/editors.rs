//! Missions in real editors, each with the settings that docs/editors.md shows, and with clients that know nothing of this
//! server: tests/editors has a script for each.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::ended::succeeds;
use crate::support::project::{Project, path_with};
use crate::support::tools::checkout;

/// Emacs, Helix, Kakoune and Vim with ALE: those of PATH that are new enough, else unpacked once into `.tools/editors`.
fn editors() -> PathBuf {
    let folder = checkout().join(".tools/editors");
    let _lock = lock(&folder);
    succeeds(Command::new("sh").arg(script("debian_editors.sh")).arg(&folder));
    folder
}

/// Python with pytest-lsp, and with a terminal that programs can read; installed once.
fn python() -> PathBuf {
    let folder = checkout().join(".tools/pytest-lsp");
    let _lock = lock(&folder);
    let (done, wanted) = (folder.join("installed"), "pytest-lsp==1.0.1 pyte==0.8.2");
    let python = folder.join("bin/python");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    succeeds(Command::new(&python).args(pip).args(wanted.split(' ')));
    fs::write(done, wanted).unwrap();
    python
}

/// Held until it is dropped, by one process at a time.
fn lock(folder: &Path) -> File {
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let file = File::create(folder.with_extension("lock")).unwrap();
    file.lock().unwrap();
    file
}

fn script(name: &str) -> PathBuf {
    checkout().join("tests/editors").join(name)
}

fn page() -> PathBuf {
    checkout().join("docs/editors.md")
}

/// A copy of the demo project, with a model whose answers come at once.
fn demo() -> Project {
    let script = fs::read_to_string(checkout().join("tests/fixtures/demo/replay.json")).unwrap();
    let mut turns: Value = serde_json::from_str(&script).unwrap();
    for turn in turns.as_array_mut().unwrap() {
        turn["delay_ms"] = 20.into();
    }
    Project::copy_of("demo").replaying(&turns.to_string())
}

/// Runs a script in a project, where `orchestrator` and the editors are on PATH. Its own waits are bounded, and it ends
/// what it started.
fn journey(project: &Project, program: impl AsRef<OsStr>, arguments: &[&OsStr]) {
    let editors = editors();
    let server = project.command(&[]);
    let built = PathBuf::from(server.get_program());
    let mut command = Command::new(program);
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .args(arguments)
        .current_dir(project.root())
        .env("PATH", path_with(&[built.parent().unwrap().to_owned(), editors.join("bin")]))
        .env("EDITORS_PAGE", page())
        .env("EDITORS_TOOLS", editors)
        .env("CLIENT_PROFILES", checkout().join("tests/fixtures/clients"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ORCHESTRATOR_SERVER", built);
    let said = succeeds(&mut command);
    assert!(said.contains("passed"), "{said}");
}

fn in_a_terminal(name: &str) {
    journey(&demo(), python(), &[script(name).as_os_str()]);
}

#[test]
fn helix_starts_a_mission_from_a_code_action() {
    in_a_terminal("helix.py");
}

#[test]
fn vim_with_ale_starts_a_mission_from_a_code_action() {
    in_a_terminal("vim.py");
}

#[test]
fn kakoune_starts_a_mission_by_its_command() {
    in_a_terminal("kakoune.py");
}

#[test]
fn eglot_starts_a_mission_from_a_code_action() {
    let project = demo();
    // Eglot takes the folder of a repository as the project's.
    succeeds(Command::new("git").args(["init", "--quiet"]).current_dir(project.root()));
    let emacs = editors().join("bin/emacs");
    let arguments = ["-Q", "--batch", "-l"].map(OsStr::new);
    let file = script("emacs.el");
    journey(&project, emacs, &[&arguments[..], &[file.as_os_str()]].concat());
}

#[test]
fn nothing_is_sent_that_a_client_did_not_declare() {
    let project = Project::empty();
    let options = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", "runs", "-o"];
    let scope = OsStr::new("asyncio_default_fixture_loop_scope=function");
    let file = script("pytest_lsp_clients.py");
    let options = options.map(OsStr::new);
    journey(&project, python(), &[&options[..], &[scope, file.as_os_str()]].concat());
}

/// The editors that are not run here read these.
#[test]
fn settings_on_the_page_are_of_their_format() {
    let page = fs::read_to_string(page()).unwrap();
    let blocks = |language: &str| -> Vec<String> {
        let opening = format!("\n```{language}\n");
        let after = page.split(opening.as_str()).skip(1);
        after.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
    };
    let agents: Vec<Value> = blocks("json")
        .iter()
        .map(|text| serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")))
        .collect();
    assert_eq!(agents.len(), 2, "Zed's and JetBrains'");
    for agent in agents {
        let server = &agent["agent_servers"]["Orchestrator"];
        assert_eq!(server["command"], "orchestrator");
        assert_eq!(server["args"], serde_json::json!(["acp"]));
    }
    let helix: Vec<toml::Table> =
        blocks("toml").iter().map(|text| toml::from_str(text).unwrap()).collect();
    assert_eq!(helix.len(), 1);
    let server = helix[0]["language-server"]["orchestrator"].as_table().unwrap();
    assert_eq!(server["args"].as_array().unwrap(), &[toml::Value::from("lsp")]);
}
