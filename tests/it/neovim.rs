//! The plugin, as it is shipped, in a real Neovim: each spec of tests/editors/neovim runs there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::ended::ended;
use crate::support::project::Project;
use crate::support::tools::checkout;

/// Neovim 0.11 or later: from PATH, else installed once into `.tools/neovim` of the checkout.
fn neovim() -> PathBuf {
    let script = checkout().join("tests/editors/neovim.sh");
    let output = Command::new("sh").arg(script).arg(checkout().join(".tools/neovim")).output();
    let output = output.expect("sh runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "Neovim cannot be had: {said}");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

fn spec(name: &str) -> PathBuf {
    checkout().join("tests/editors/neovim").join(name).with_extension("lua")
}

/// Where pictures go that a spec makes.
fn artefacts() -> PathBuf {
    let folder = checkout().join("target/artefacts");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Neovim, to be started in a project with its environment.
fn editor(project: &Project) -> Command {
    let program = neovim();
    let mut editor = Command::new(&program);
    let server = project.command(&[]);
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => editor.env(name, value),
            None => editor.env_remove(name),
        };
    }
    editor
        .env("ORCHESTRATOR_SERVER", server.get_program())
        .env("EDITOR_PROGRAM", program)
        .env("EDITOR_FOLDER", checkout().join("editors/neovim"))
        .env("EDITOR_ARTEFACTS", artefacts())
        .current_dir(project.root());
    editor
}

fn passes(mut editor: Command) {
    let Output { status, stdout, stderr } = ended(&mut editor);
    let (said, log) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && said.contains("passed"), "{said}\n{log}");
}

/// Runs a spec inside the editor.
fn inside(project: &Project, spec: &Path) {
    let mut editor = editor(project);
    editor.args(["--headless", "--clean", "-n", "-c"]).arg(format!("luafile {}", spec.display()));
    passes(editor);
}

/// Runs a spec that starts editors of its own.
fn beside(project: &Project, spec: &Path) {
    let mut editor = editor(project);
    editor.arg("-l").arg(spec);
    passes(editor);
}

#[test]
fn the_commands_of_its_readme_install_the_plugin() {
    beside(&Project::empty(), &spec("install"));
}

#[test]
fn a_task_reaches_its_seal_and_each_acceptance_is_one_undo_step() {
    let script = std::fs::read_to_string(checkout().join("tests/fixtures/demo/replay.json"));
    let project = Project::copy_of("demo").replaying(&script.unwrap());
    inside(&project, &spec("seal"));
}

#[test]
fn an_item_of_a_plan_is_run_by_its_code_action_and_the_mission_is_cancelled() {
    inside(&Project::empty(), &spec("plan"));
}

#[test]
fn a_report_and_the_sides_of_a_change_can_be_read() {
    inside(&Project::empty(), &spec("read"));
}

#[test]
fn commands_maps_help_health_and_the_view_are_as_they_say() {
    inside(&Project::empty(), &spec("plugin"));
}

/// `INTERLEAVINGS=10000` makes it ten thousand.
#[test]
fn no_keystroke_is_lost_where_typing_and_accepted_changes_meet() {
    beside(&Project::empty(), &spec("interleavings"));
}
