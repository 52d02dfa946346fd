//! The VS Code extension: its own types, lints, unit tests and package, and missions in a real VS Code (tests/editors/vscode).
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::ended::succeeds;
use crate::support::project::Project;
use crate::support::tools::checkout;

/// Without a server inside.
const MOST_BYTES: u64 = 300_000;

fn npm(arguments: &[&str]) -> String {
    let mut npm = Command::new("npm");
    npm.args(arguments).current_dir(checkout().join("editors/vscode"));
    succeeds(&mut npm)
}

/// The package of the extension, made once, as its README says.
fn packaged() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(package)
}

fn package() -> PathBuf {
    npm(&["ci", "--no-audit", "--no-fund"]);
    npm(&["run", "package"]);
    let package = checkout().join("editors/vscode/orchestrator-0.1.0.vsix");
    let size = std::fs::metadata(&package).unwrap().len();
    assert!(size < MOST_BYTES, "{} has {size} bytes", package.display());
    package
}

#[test]
fn the_extension_is_sound() {
    let package = packaged();
    for script in ["lint", "check", "test"] {
        npm(&["run", script]);
    }
    a_package_for_one_platform_has_its_server(package);
}

/// It installs 1 GB into `.tools/vscode` the first time. Pictures of each step are left in `target/artefacts/vscode`.
#[test]
fn missions_run_in_a_real_vs_code() {
    let package = packaged();
    let scripts = checkout().join("tests/editors/vscode");
    let mut install = Command::new("node");
    install.arg(scripts.join("install.mjs")).arg(checkout().join(".tools/vscode"));
    let editor = succeeds(&mut install);

    // The demo's mission first, then those of the journey.
    let turns = |path: &Path| -> Vec<Value> {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let mut script = turns(&checkout().join("tests/fixtures/demo/replay.json"));
    script.extend(turns(&scripts.join("replay.json")));
    let project = Project::copy_of("demo").replaying(&serde_json::to_string(&script).unwrap());
    let scratch = tempfile::tempdir().unwrap();

    let server = project.command(&[]);
    let mut journey = Command::new("node");
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => journey.env(name, value),
            None => journey.env_remove(name),
        };
    }
    journey
        .arg(scripts.join("journey.mjs"))
        .env("EDITOR", editor.trim())
        .env("EXTENSION", package)
        .env("ORCHESTRATOR_SERVER", server.get_program())
        .env("ARTEFACTS", checkout().join("target/artefacts/vscode"))
        .env("SCRATCH", scratch.path())
        .current_dir(project.root());
    let said = succeeds(&mut journey);
    assert!(said.contains("passed"), "{said}");
}

/// What stands in for the server is in the package for a platform, and in no other.
fn a_package_for_one_platform_has_its_server(without: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let server = folder.path().join("orchestrator");
    std::fs::write(&server, vec![b'#'; 100_000]).unwrap();
    npm(&["run", "package", "--", "--target", "linux-x64", "--server", server.to_str().unwrap()]);
    let package = without.with_file_name("orchestrator-linux-x64-0.1.0.vsix");
    let bytes = std::fs::read(&package).unwrap();
    let name = b"extension/server/orchestrator";
    assert!(bytes.windows(name.len()).any(|window| window == name), "no server is inside");
    let bytes = std::fs::read(without).unwrap();
    assert!(!bytes.windows(name.len()).any(|window| window == name), "a server is inside");
}
