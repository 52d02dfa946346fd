//! The VS Code extension: its own types, lints and unit tests, with the packages of its lock file.

use std::process::Command;

use crate::support::tools::checkout;

#[test]
fn the_extension_is_sound() {
    let folder = checkout().join("editors/vscode");
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    for arguments in
        [&["ci", "--no-audit", "--no-fund"][..], &["run", "lint"], &["run", "check"], &["test"]]
    {
        let output = Command::new(npm).args(arguments).current_dir(&folder).output();
        let output = output
            .unwrap_or_else(|e| panic!("npm cannot be run (is node 20 or later on PATH?): {e}"));
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "npm {}:\n{}",
            arguments.join(" "),
            String::from_utf8_lossy(&said)
        );
    }
}
