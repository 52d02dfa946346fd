//! The symbolic engine on a TypeScript project with real errors, with the real compiler and language servers.

use std::path::Path;
use std::process::Command;

use crate::mission_rust::only_hunks_changed;
use crate::support::project::{Project, path_with};
use crate::support::tools;

#[test]
fn fix_all_diagnostics_seals_a_typescript_project() {
    let proves = tools::typescript7().join("node_modules/.bin");
    let mends = tools::typescript_language_server().join("node_modules/.bin");
    // A project of its own in git, as most are.
    let project =
        Project::copy_of("ts_diagnostics").with("PATH", path_with(&[proves.clone(), mends]));
    git(&project.root());
    let before = project.bytes();
    assert!(!tsc(&proves, &project).0, "the fixture must not compile");

    let said = project.run(&["task", "fix", "all", "diagnostics", "--json"]);
    assert_eq!(said.code, 0, "{}", said.out);
    let end = &said.last()["end"];
    assert_eq!(end["state"], "sealed");
    let receipts = end["receipts"].as_array().unwrap();
    assert!(receipts.len() >= 8, "one item per cluster: {}", receipts.len());

    let (clean, errors) = tsc(&proves, &project);
    assert!(clean, "{errors}");
    only_hunks_changed(&before, &project);
    assert_eq!(project.run(&["verify"]).code, 0);
    let again = project.run(&["verify", "--rerun"]);
    assert_eq!(again.code, 0, "{}", again.out);
}

fn git(root: &Path) {
    let ended = Command::new("git").args(["init", "--quiet"]).current_dir(root).status().unwrap();
    assert!(ended.success());
}

fn tsc(bin: &Path, project: &Project) -> (bool, String) {
    let name = if cfg!(windows) { "tsc.cmd" } else { "tsc" };
    let output =
        Command::new(bin.join(name)).arg("--noEmit").current_dir(project.root()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}
