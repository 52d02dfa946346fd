//! Tests of [`super`].

use std::time::Instant;

use super::*;
use crate::gate::Settings;
use crate::mission::MissionId;
use crate::workspace::OpenText;

fn place(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Gate) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let gate = Gate::open(folder.path(), Settings::default()).unwrap();
    (folder, gate)
}

fn caller() -> Caller {
    Caller {
        mission: MissionId("m".to_owned()),
        role: crate::mission::conversation::Role::Worker,
        session: 1,
        item: None,
        applied: 0,
        settled: Vec::new(),
        has_run: false,
        open: OpenTexts::new(),
    }
}

fn run(gate: &Gate, caller: &Caller, args: Value) -> ToolResult {
    search(gate, caller, &serde_json::from_value(args).unwrap())
}

#[test]
fn several_patterns_and_globs_at_once() {
    let (_folder, gate) = place(&[
        ("src/a.rs", b"one\ntwo\nThree\n"),
        ("src/b.ts", b"two\n"),
        ("c.md", b"one\n"),
        ("binary.rs", b"one\0one\n"),
        ("latin.rs", b"one \xe9\n"),
    ]);
    let me = caller();
    let all = run(&gate, &me, json!({"patterns": ["one", "^two$"], "globs": ["*.rs", "src/*.ts"]}));
    assert_eq!(
        all.unwrap(),
        "latin.rs:1: one \u{fffd}\nsrc/a.rs:1: one\nsrc/a.rs:2: two\nsrc/b.ts:1: two"
    );
    let only = run(&gate, &me, json!({"patterns": ["one", "two"], "files_only": true})).unwrap();
    assert_eq!(only, "c.md\nlatin.rs\nsrc/a.rs\nsrc/b.ts");
    assert_eq!(run(&gate, &me, json!({"patterns": ["three"]})).unwrap(), "no matches");
    let loose = run(&gate, &me, json!({"patterns": ["three"], "ignore_case": true})).unwrap();
    assert_eq!(loose, "src/a.rs:3: Three");
    let around = run(&gate, &me, json!({"pattern": "two", "glob": "a.rs", "context": 1})).unwrap();
    assert_eq!(around, "src/a.rs-1- one\nsrc/a.rs:2: two\nsrc/a.rs-3- Three");
    for bad in [
        json!({"patterns": []}),
        json!({"patterns": ["("]}),
        json!({"patterns": ["a"], "globs": ["["]}),
        json!({"patterns": [""]}),
    ] {
        assert!(run(&gate, &me, bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn unsaved_text_counts_and_new_files_too() {
    let (_folder, gate) = place(&[("a.rs", b"saved\n")]);
    let mut me = caller();
    for name in ["a.rs", "new.rs"] {
        let text = OpenText { version: 1, text: "unsaved\n".to_owned() };
        me.open.insert(RelPath::new(name).unwrap(), text);
    }
    let found = run(&gate, &me, json!({"patterns": ["saved"]})).unwrap();
    assert_eq!(found, "a.rs:1: unsaved\nnew.rs:1: unsaved");
}

#[test]
fn what_is_cut_off_is_the_same_every_time() {
    let files: Vec<(String, Vec<u8>)> =
        (0..60).map(|n| (format!("f{n:02}.txt"), b"hit\n".repeat(10))).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let (_folder, gate) = place(&files);
    let first = run(&gate, &caller(), json!({"patterns": ["hit"]})).unwrap();
    assert!(first.ends_with("f29.txt:10: hit\n[more matches; narrow it down]"), "{first}");
    for _ in 0..20 {
        assert_eq!(run(&gate, &caller(), json!({"patterns": ["hit"]})).unwrap(), first);
    }
}

/// A measurement: `cargo test --lib -- --ignored --nocapture tools::search`.
#[test]
#[ignore = "a measurement"]
fn ten_thousand_files() {
    let files: Vec<(String, Vec<u8>)> = (0..10_000)
        .map(|n| (format!("d{}/f{n}.rs", n % 100), format!("fn f{n}() {{}}\n").repeat(100).into()))
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let (_folder, gate) = place(&files);
    let args = json!({"patterns": ["fn f9999\\b", "f5000\\(", "nowhere"], "files_only": true});
    for _ in 0..3 {
        let began = Instant::now();
        let found = run(&gate, &caller(), args.clone()).unwrap();
        let ours = began.elapsed();
        assert_eq!(found.lines().count(), 2);
        let began = Instant::now();
        let patterns =
            ["fn f9999\\b", "f5000\\(", "nowhere"].map(|p| regex::Regex::new(p).unwrap());
        let mut hits = 0;
        for path in gate.workspace().paths().unwrap() {
            let Ok(Some(file)) = gate.workspace().read(&path) else { continue };
            let hit = |line: &str| patterns.iter().any(|pattern| pattern.is_match(line));
            hits += usize::from(file.text.lines().any(hit));
        }
        assert_eq!(hits, 2);
        let naive = began.elapsed();
        let began = Instant::now();
        gate.workspace().paths().unwrap();
        println!(
            "search {ours:?}, one file after the other {naive:?}, listing alone {:?}",
            began.elapsed()
        );
    }
}
