//! The first mission in a real Neovim: tests/editors/neovim.lua runs in it, with the plugin as it is shipped.

use std::path::PathBuf;
use std::process::Command;

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

#[test]
fn a_task_reaches_its_seal_and_each_acceptance_is_one_undo_step() {
    let neovim = neovim();
    let script = std::fs::read_to_string(checkout().join("tests/fixtures/demo/replay.json"));
    let project = Project::copy_of("demo").replaying(&script.unwrap());
    let server = project.command(&[]);
    let mut editor = Command::new(neovim);
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => editor.env(name, value),
            None => editor.env_remove(name),
        };
    }
    // The script's own waits are bounded, so that the editor ends by itself.
    let output = editor
        .args(["--headless", "--clean", "-n", "-c"])
        .arg(format!("luafile {}", checkout().join("tests/editors/neovim.lua").display()))
        .env("ORCHESTRATOR_SERVER", server.get_program())
        .env("EDITOR_FOLDER", checkout().join("editors/neovim"))
        .current_dir(project.root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("passed"), "{said}\n{log}");
}
