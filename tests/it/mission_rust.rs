//! The symbolic engine on a Rust project with real errors and warnings, with the real compiler and rust-analyzer.

use std::process::Command;

use serde_json::Value;

use crate::support::project::{Project, path_with};
use crate::support::tools;

#[test]
fn fix_all_diagnostics_seals_a_rust_project() {
    let server = tools::rust_analyzer();
    let path = path_with(&[server.parent().unwrap().to_owned()]);
    let project = Project::copy_of("rust_diagnostics").with("PATH", path);
    let before = project.bytes();
    assert!(!check(&project).0, "the fixture must not compile");

    let said = project.run(&["task", "fix all diagnostics", "--json"]);
    assert_eq!(said.code, 0, "{}", said.out);
    let end = &said.last()["end"];
    assert_eq!(end["state"], "sealed");
    assert_eq!(end["spent"]["usage"]["input"], 0, "no model is asked");
    let receipts = end["receipts"].as_array().unwrap();
    assert!(receipts.len() >= 10, "one item per cluster: {}", receipts.len());
    assert!(receipts.iter().all(|r| summary(r).contains("servers ok, tools ok")), "{receipts:#?}");

    let (clean, errors) = check(&project);
    assert!(clean && !errors.contains("warning"), "{errors}");
    only_hunks_changed(&before, &project);
    assert_eq!(project.run(&["verify"]).code, 0);
    let again = project.run(&["verify", "--rerun"]);
    assert_eq!(again.code, 0, "{}", again.out);
    assert!(!project.root().join("target").exists(), "the user's target is not touched");
    let todo = project.read(".opencode/todo.md");
    assert!(todo.contains("- [x] S1.1.1:") && !todo.contains("- [ ]"), "{todo}");
}

fn summary(receipt: &Value) -> &str {
    receipt["summary"].as_str().unwrap_or_default()
}

fn check(project: &Project) -> (bool, String) {
    let target = tempfile::tempdir().unwrap();
    let output = Command::new("cargo")
        .args(["check", "--all-targets", "--quiet", "--target-dir"])
        .arg(target.path())
        .current_dir(project.root())
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Line ends stay what they were, and what no diagnostic was about stays byte for byte.
pub fn only_hunks_changed(before: &std::collections::BTreeMap<String, Vec<u8>>, project: &Project) {
    let after = project.bytes();
    let names = |files: &std::collections::BTreeMap<String, Vec<u8>>| -> Vec<String> {
        files.keys().filter(|name| !name.ends_with("Cargo.lock")).cloned().collect()
    };
    assert_eq!(names(before), names(&after), "no file comes or goes");
    for (name, old) in before {
        let (old, new) = (text(old), text(&after[name]));
        let crlf = |text: &str| text.matches("\r\n").count();
        let lf = |text: &str| text.matches('\n').count();
        if crlf(&old) > 0 {
            assert_eq!(crlf(&new), lf(&new), "{name} keeps its line ends");
        } else {
            assert_eq!(crlf(&new), 0, "{name} keeps its line ends");
        }
        assert_eq!(old.ends_with('\n'), new.ends_with('\n'), "{name}");
        let diff = similar::TextDiff::from_lines(old.as_str(), new.as_str());
        let gone =
            diff.iter_all_changes().filter(|c| c.tag() == similar::ChangeTag::Delete).count();
        assert!(gone <= 12, "{name}: {gone} lines were replaced");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
