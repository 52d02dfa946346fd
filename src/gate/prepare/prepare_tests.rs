//! What the cheap stages cost on a long file, and that they refuse what they should, on a real folder.

use std::fmt::Write as _;
use std::fs;

use super::*;
use crate::workspace::change::{Change, Edit};

/// A source file of 11 lines a piece, tests among them.
fn long(extension: &str, pieces: usize) -> String {
    let mut text = String::new();
    for n in 0..pieces {
        let piece = match extension {
            "rs" => format!(
                "/// Adds {n}.\npub fn add_{n}(value: u32) -> u32 {{\n    let more = value + {n};\n    \
                 if more > 10 {{\n        return more * 2;\n    }}\n    more\n}}\n\n#[test]\nfn \
                 adds_{n}() {{ assert_eq!(add_{n}(1), {n}); }}\n"
            ),
            _ => format!(
                "/** Adds {n}. */\nexport function add{n}(value: number): number {{\n  const more = \
                 value + {n}\n  if (more > 10) {{\n    return more * 2\n  }}\n  return more\n}}\n\n\
                 it('adds {n}', () => {{\n  expect(add{n}(1)).toBe({n})\n}})\n"
            ),
        };
        let _ = write!(text, "{piece}");
    }
    text
}

fn edit(path: &str, old: &str, new: &str) -> ChangeSet {
    let path = RelPath::new(path).expect("a good path");
    let edits = vec![Edit::Text { old: old.to_owned(), new: new.to_owned() }];
    ChangeSet { changes: vec![Change::Edit { path, edits }] }
}

fn stage(prepared: &Prepared, stage: Stage) -> &StageReport {
    prepared.report.stages.iter().find(|found| found.stage == stage).expect("the stage ran")
}

/// Prints what small edits of a long file cost; `cargo test --release --lib gate::prepare -- --nocapture`.
#[test]
fn small_edits_of_a_long_file_are_looked_at_in_place() {
    for extension in ["rs", "ts"] {
        let root = tempfile::tempdir().expect("a folder");
        let name = format!("long.{extension}");
        let text = long(extension, 1000);
        fs::write(root.path().join(&name), &text).expect("written");
        let workspace = Workspace::open(root.path()).expect("a workspace");
        let mut costs: [Vec<u64>; 3] = Default::default();
        for n in (0..1000).step_by(if cfg!(debug_assertions) { 300 } else { 10 }) {
            let old = format!("value + {n}\n")
                .replace('\n', if extension == "rs" { ";\n" } else { "\n" });
            let new = old.replace("value +", "1 + value +");
            let prepared = prepare(
                &workspace,
                Languages::default(),
                &edit(&name, &old, &new),
                &OpenTexts::new(),
            )
            .expect("prepared");
            assert_ne!(prepared.report.verdict, Verdict::Refused);
            assert!(prepared.suspects.is_empty());
            for (costs, of) in costs.iter_mut().zip([Stage::Apply, Stage::Syntax, Stage::Rules]) {
                costs.push(stage(&prepared, of).us);
            }
        }
        let mut line = format!("{name}, {} lines:", text.lines().count());
        for (costs, of) in costs.iter_mut().zip(["apply", "syntax", "rules"]) {
            costs.sort_unstable();
            let at = |share: usize| costs[(costs.len() - 1) * share / 100];
            let _ = write!(line, " {of} p50 {} µs, p95 {} µs;", at(50), at(95));
        }
        println!("{line}");
    }
}

#[test]
fn a_breach_is_found_by_the_edited_lines() {
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join("long.rs"), long("rs", 30)).expect("written");
    let workspace = Workspace::open(root.path()).expect("a workspace");
    let codes = |old: &str, new: &str| -> Vec<String> {
        let change = edit("long.rs", old, new);
        let prepared = prepare(&workspace, Languages::default(), &change, &OpenTexts::new())
            .expect("prepared");
        let problems = prepared.report.problems.into_iter();
        problems.filter_map(|problem| problem.diagnostic.code).collect()
    };
    assert_eq!(
        codes("fn adds_7() { assert_eq!(add_7(1), 7); }", "fn adds_7() {}"),
        ["emptied-test"]
    );
    assert_eq!(codes("assert_eq!(add_7(1), 7);", "assert!(true);"), ["weakened-assertion"]);
    assert_eq!(codes("#[test]\nfn adds_7()", "#[test]\n#[ignore]\nfn adds_7()"), ["ignored-test"]);
    assert_eq!(
        codes("#[test]\nfn adds_7() { assert_eq!(add_7(1), 7); }\n", "\n"),
        ["deleted-test"]
    );
    assert_eq!(codes("#[test]\nfn adds_7()", "fn adds_7()"), ["deleted-test"]);
    assert_eq!(codes("    let more = value + 7;\n", "    todo!();\n"), ["placeholder"]);
}

#[test]
fn a_secret_stays_out_of_the_report_and_a_bad_rule_is_told() {
    let root = tempfile::tempdir().expect("a folder");
    let rules = root.path().join(".opencode/rules/rust");
    fs::create_dir_all(&rules).expect("a folder");
    fs::write(rules.join("bad.scm"), "; message: bad\n(nothing\n").expect("written");
    fs::write(root.path().join("a.rs"), "fn a() {}\n").expect("written");
    let workspace = Workspace::open(root.path()).expect("a workspace");
    let secret = ["AKIA", "Z7QW3NBV", "K2MTXRLD"].concat();
    let change = edit("a.rs", "fn a() {}", &format!("fn a() {{ sign(\"{secret}\") }}\nfn b( {{}}"));
    let prepared =
        prepare(&workspace, Languages::default(), &change, &OpenTexts::new()).expect("prepared");
    assert_eq!(prepared.report.verdict, Verdict::Refused);
    let told = format!("{:?}{:?}", prepared.report, prepared.suspects);
    assert!(told.contains("leaked-secret") && !told.contains(&secret), "{told}");
    assert!(!prepared.suspects.is_empty());
    let detail = &stage(&prepared, Stage::Rules).detail;
    assert!(detail.contains(".opencode/rules/rust/bad.scm:2: "), "{detail}");
}
