//! The gate end to end, with the real compiler in a real shadow copy.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestrator_lsp::gate::language::Language;
use orchestrator_lsp::gate::servers::Servers;
use orchestrator_lsp::gate::stage::Boxed;
use orchestrator_lsp::gate::{
    Answer, Baseline, Checked, Diagnostic, Gate, Overlay, Place, Range, ServerStage, Settings,
    Severity, Stage, StageVerdict, Verdict,
};
use orchestrator_lsp::workspace::{Change, ChangeSet, Edit, OpenText, OpenTexts, RelPath, apply};

use crate::support::tools;

mod attacks;
mod repair;
mod review;
mod rows;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIB: &str = "mod shapes;\n\npub fn total(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn area() -> u32 {\n    shapes::square(3)\n}\n";
const SHAPES: &str = "pub fn square(side: u32) -> u32 {\n    side * side\n}\n";

/// A project in a temporary folder, with a cache of its own.
struct Project {
    _folder: tempfile::TempDir,
    root: PathBuf,
    settings: Settings,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Result<Project, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("project");
        for (path, text) in files {
            let place = root.join(path);
            fs::create_dir_all(place.parent().ok_or("below the root")?)?;
            fs::write(place, text)?;
        }
        let settings =
            Settings { cache_dir: Some(folder.path().join("cache")), ..Settings::default() };
        Ok(Project { root, settings, _folder: folder })
    }

    fn tiny() -> Result<Project, Box<dyn std::error::Error>> {
        Project::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", LIB), ("src/shapes.rs", SHAPES)])
    }

    fn gate(&self) -> Result<Gate, Box<dyn std::error::Error>> {
        Ok(Gate::open(&self.root, self.settings.clone())?)
    }

    async fn check(&self, changes: Vec<Change>) -> Result<Checked, Box<dyn std::error::Error>> {
        let before = tree(&self.root);
        let checked = self.gate()?.check(&ChangeSet { changes }, &OpenTexts::new()).await?;
        assert_eq!(tree(&self.root), before, "a check only reads the user's tree");
        Ok(checked)
    }
}

/// Every file below `root` with its bytes.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let walk = ignore::WalkBuilder::new(root).standard_filters(false).build();
    let files = walk.flatten().filter(|entry| entry.path().is_file());
    files
        .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).expect("readable")))
        .collect()
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a good path")
}

fn edit(file: &str, old: &str, new: &str) -> Change {
    Change::Edit {
        path: path(file),
        edits: vec![Edit::Text { old: old.to_owned(), new: new.to_owned() }],
    }
}

fn write(file: &str, content: &str) -> Change {
    Change::Write { path: path(file), content: content.to_owned() }
}

fn verdict_of(checked: &Checked, stage: Stage) -> Option<StageVerdict> {
    checked.report.stages.iter().find(|report| report.stage == stage).map(|report| report.verdict)
}

fn refused_by(checked: &Checked, stage: Stage) {
    assert_eq!(checked.report.verdict, Verdict::Refused, "{:#?}", checked.report);
    assert!(
        checked.report.problems.iter().any(|problem| problem.stage == stage),
        "{:#?}",
        checked.report
    );
    assert!(checked.contents.is_empty());
}

fn accepted(checked: &Checked) {
    assert_eq!(checked.report.verdict, Verdict::Accepted, "{:#?}", checked.report);
}

#[tokio::test]
async fn a_good_edit_is_accepted_and_lands_byte_for_byte() -> Outcome {
    let project = Project::tiny()?;
    let checked =
        project.check(vec![edit("src/lib.rs", "    a + b", "    a.saturating_add(b)")]).await?;
    accepted(&checked);
    assert_eq!(verdict_of(&checked, Stage::Tools), Some(StageVerdict::Passed));
    assert_eq!(verdict_of(&checked, Stage::Servers), Some(StageVerdict::Unverified));
    let tools =
        checked.report.stages.iter().find(|stage| stage.stage == Stage::Tools).ok_or("tools")?;
    assert!(tools.tools.iter().any(|tool| tool.starts_with("cargo 1.")), "{tools:?}");
    apply(&project.root, &checked.contents)?;
    assert_eq!(
        fs::read_to_string(project.root.join("src/lib.rs"))?,
        LIB.replace("a + b", "a.saturating_add(b)")
    );
    assert!(!project.root.join("target").exists(), "the user's target folder is not ours");
    Ok(())
}

#[tokio::test]
async fn a_type_error_in_another_file_is_refused_with_its_frame() -> Outcome {
    let project = Project::tiny()?;
    let checked =
        project.check(vec![edit("src/shapes.rs", "side: u32)", "side: u32, height: u32)")]).await?;
    refused_by(&checked, Stage::Tools);
    let problem = checked
        .report
        .problems
        .iter()
        .find(|p| p.diagnostic.path.as_str() == "src/lib.rs")
        .ok_or("lib.rs")?;
    assert_eq!(problem.diagnostic.code.as_deref(), Some("E0061"));
    assert!(problem.frame.contains("8 |     shapes::square(3)\n"), "{}", problem.frame);
    assert!(problem.frame.contains('^'), "{}", problem.frame);
    Ok(())
}

#[tokio::test]
async fn what_is_no_work_done_is_refused_by_the_rules() -> Outcome {
    let project = Project::tiny()?;
    for new in ["    // ... rest of the code\n    a + b", "    todo!()", "<<<<<<< ours\n    a + b"]
    {
        let checked = project.check(vec![edit("src/lib.rs", "    a + b", new)]).await?;
        refused_by(&checked, Stage::Rules);
        assert_eq!(verdict_of(&checked, Stage::Tools), None, "nothing slow is run for it");
    }
    Ok(())
}

#[tokio::test]
async fn a_stale_anchor_is_refused_with_the_current_text() -> Outcome {
    let project = Project::tiny()?;
    let checked = project.check(vec![edit("src/lib.rs", "    a - b", "    a * b")]).await?;
    refused_by(&checked, Stage::Apply);
    assert!(
        checked.report.problems[0].frame.contains("|     a + b"),
        "{:?}",
        checked.report.problems
    );
    Ok(())
}

#[tokio::test]
async fn a_dropped_brace_is_refused() -> Outcome {
    let project = Project::tiny()?;
    let checked = project.check(vec![edit("src/lib.rs", "    a + b\n}", "    a + b\n")]).await?;
    refused_by(&checked, Stage::Syntax);
    assert_eq!(verdict_of(&checked, Stage::Syntax), Some(StageVerdict::Refused));
    Ok(())
}

#[tokio::test]
async fn an_error_that_stood_before_does_not_block_but_pays_for_nothing() -> Outcome {
    let broken = LIB.replace("shapes::square(3)", "shapes::square(\"3\")");
    let project = Project::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", &broken),
        ("src/shapes.rs", SHAPES),
    ])?;
    let harmless = edit("src/lib.rs", "    a + b", "    // Sums.\n    b + a");
    accepted(&project.check(vec![harmless]).await?);
    // The old error is mended and one of the same kind made elsewhere.
    let swapped = Change::Edit {
        path: path("src/lib.rs"),
        edits: vec![
            Edit::Text { old: "square(\"3\")".to_owned(), new: "square(3)".to_owned() },
            Edit::Text {
                old: "    a + b".to_owned(),
                new: "    shapes::square(\"4\") + a + b".to_owned(),
            },
        ],
    };
    refused_by(&project.check(vec![swapped]).await?, Stage::Tools);
    accepted(&project.check(vec![edit("src/lib.rs", "square(\"3\")", "square(3)")]).await?);
    Ok(())
}

#[tokio::test]
async fn an_error_that_the_base_hid_is_revealed_not_new() -> Outcome {
    let lib = "fn broken( {}\n";
    let lib = format!(
        "{lib}\npub fn moved() -> usize {{\n    let text = String::new();\n    drop(text);\n    text.len()\n}}\n"
    );
    let project = Project::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", &lib)])?;
    let checked =
        project.check(vec![edit("src/lib.rs", "fn broken( {}", "pub fn mended() {}")]).await?;
    accepted(&checked);
    assert_eq!(checked.report.revealed.len(), 1, "{:#?}", checked.report);
    assert_eq!(checked.report.revealed[0].code.as_deref(), Some("E0382"));
    Ok(())
}

#[tokio::test]
async fn files_come_and_go_only_as_a_whole() -> Outcome {
    let project = Project::tiny()?;
    let linked = vec![
        write("src/more.rs", "pub fn more() -> u32 {\n    1\n}\n"),
        edit("src/lib.rs", "mod shapes;", "pub mod more;\nmod shapes;"),
    ];
    accepted(&project.check(linked).await?);
    // A module that nothing names is not compiled, and so not proved.
    let unlinked =
        project.check(vec![write("src/more.rs", "pub fn more() -> u32 {\n    \"1\"\n}\n")]).await?;
    assert_eq!(unlinked.report.verdict, Verdict::Unverified, "{:#?}", unlinked.report);
    assert!(unlinked.contents.is_empty());
    let deleted = project.check(vec![Change::Delete { path: path("src/shapes.rs") }]).await?;
    refused_by(&deleted, Stage::Tools);
    let moved = Change::Rename { path: path("src/shapes.rs"), to: path("src/forms.rs") };
    refused_by(&project.check(vec![moved.clone()]).await?, Stage::Tools);
    let followed = Change::Edit {
        path: path("src/lib.rs"),
        edits: vec![
            Edit::Text { old: "mod shapes;".to_owned(), new: "mod forms;".to_owned() },
            Edit::Text { old: "shapes::square".to_owned(), new: "forms::square".to_owned() },
        ],
    };
    accepted(&project.check(vec![moved, followed]).await?);
    Ok(())
}

#[tokio::test]
async fn a_manifest_that_the_change_breaks_is_refused() -> Outcome {
    let project = Project::tiny()?;
    let checked =
        project.check(vec![edit("Cargo.toml", "version = \"0.1.0\"", "version = ")]).await?;
    refused_by(&checked, Stage::Tools);
    assert_eq!(checked.report.problems[0].diagnostic.path.as_str(), "Cargo.toml");
    // Where it was broken before, nothing can be proved, and nothing is accepted.
    let broken = MANIFEST.replace("\"0.1.0\"", "");
    let project =
        Project::new(&[("Cargo.toml", &broken), ("src/lib.rs", LIB), ("src/shapes.rs", SHAPES)])?;
    let checked = project.check(vec![edit("src/lib.rs", "a + b", "b + a")]).await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    // Mending it is proved.
    accepted(&project.check(vec![edit("Cargo.toml", "version = ", "version = \"0.2.0\"")]).await?);
    Ok(())
}

#[tokio::test]
async fn without_a_compiler_nothing_is_accepted() -> Outcome {
    let mut project = Project::tiny()?;
    let empty = tempfile::tempdir()?;
    project.settings.path = Some(empty.path().as_os_str().to_owned());
    let checked = project.check(vec![edit("src/lib.rs", "a + b", "b + a")]).await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    assert_eq!(verdict_of(&checked, Stage::Tools), Some(StageVerdict::Unverified));
    let tools =
        checked.report.stages.iter().find(|stage| stage.stage == Stage::Tools).ok_or("tools")?;
    assert!(tools.detail.contains("rustup.rs"), "it says how to get it: {}", tools.detail);
    // A file of no known language needs no compiler, and a package without TypeScript no tsc.
    accepted(&project.check(vec![write("package.json", "{}\n")]).await?);
    accepted(&project.check(vec![write("NOTES.md", "Notes.\n")]).await?);
    Ok(())
}

#[tokio::test]
async fn unsaved_text_is_the_base() -> Outcome {
    let project = Project::tiny()?;
    let text = LIB.replace("a + b", "a * b");
    let open = OpenTexts::from([(path("src/lib.rs"), OpenText { version: 7, text })]);
    let gate = project.gate()?;
    let change = ChangeSet { changes: vec![edit("src/lib.rs", "a * b", "b * a")] };
    accepted(&gate.check(&change, &open).await?);
    refused_by(&gate.check(&change, &OpenTexts::new()).await?, Stage::Apply);
    Ok(())
}

#[tokio::test]
async fn one_gate_proves_a_series_of_changes() -> Outcome {
    let project = Project::tiny()?;
    let gate = project.gate()?;
    let none = OpenTexts::new();
    for (old, new) in [("a + b", "a - b"), ("a - b", "a * b"), ("a * b", "a + b")] {
        // A wrong one in between must leave no trace in the verdict of the right one.
        let wrong = ChangeSet { changes: vec![edit("src/lib.rs", old, "a + \"b\"")] };
        refused_by(&gate.check(&wrong, &none).await?, Stage::Tools);
        let right = ChangeSet { changes: vec![edit("src/lib.rs", old, new)] };
        let checked = gate.check(&right, &none).await?;
        accepted(&checked);
        apply(&project.root, &checked.contents)?;
    }
    // The wrong one is refused still, though the shadow has seen its very text before.
    let wrong = ChangeSet { changes: vec![edit("src/lib.rs", "a + b", "a + \"b\"")] };
    refused_by(&gate.check(&wrong, &none).await?, Stage::Tools);
    Ok(())
}

#[tokio::test]
async fn the_whole_tree_is_diagnosed_with_remedies_and_sealed() -> Outcome {
    let lib = "use std::collections::BTreeMap;\n\npub fn map() -> usize {\n    let mut n = HashMap::<u32, u32>::new().len();\n    n\n}\n";
    let project = Project::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", lib)])?;
    let gate = project.gate()?;
    let none = OpenTexts::new();
    let diagnosis = gate.diagnose(&none).await?;
    assert!(diagnosis.unverified.is_empty(), "{diagnosis:?}");
    let errors: Vec<&Diagnostic> =
        diagnosis.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let place = Place { line: 3, column: 16 };
    assert_eq!((errors[0].code.as_deref(), errors[0].range.start), (Some("E0433"), place));
    let remedy = errors[0]
        .remedies
        .iter()
        .find(|remedy| remedy.title.contains("std::collections::HashMap"))
        .ok_or("a remedy")?;
    assert_eq!(gate.diagnose(&none).await?, diagnosis);
    let seal = gate.whole(&none, &Baseline::default()).await?;
    assert_eq!(seal[0].verdict, StageVerdict::Refused, "{seal:#?}");
    let checked = gate.check(&remedy.change, &none).await?;
    accepted(&checked);
    apply(&project.root, &checked.contents)?;
    // Warnings that were there or show up now have certain remedies; they are taken until none is left.
    for _ in 0..4 {
        let diagnosis = gate.diagnose(&none).await?;
        let Some(remedy) =
            diagnosis.diagnostics.iter().flat_map(|d| &d.remedies).find(|remedy| remedy.certain)
        else {
            break;
        };
        let checked = gate.check(&remedy.change, &none).await?;
        accepted(&checked);
        apply(&project.root, &checked.contents)?;
    }
    assert!(gate.diagnose(&none).await?.diagnostics.is_empty());
    let seal = gate.whole(&none, &Baseline::default()).await?;
    assert!(seal.iter().all(|stage| stage.verdict == StageVerdict::Passed), "{seal:#?}");
    Ok(())
}

/// A servers stage that says what it is told to, and remembers what it was asked.
struct StandIn {
    answers: Mutex<Vec<Answer>>,
    asked: Mutex<Vec<(Overlay, Vec<RelPath>)>>,
}

impl ServerStage for StandIn {
    fn diagnose<'a>(
        &'a self,
        _: &'a Language,
        overlay: &'a Overlay,
        files: &'a [RelPath],
        _: Duration,
    ) -> Boxed<'a, Answer> {
        self.asked.lock().expect("no panic").push((overlay.clone(), files.to_vec()));
        let answer = self.answers.lock().expect("no panic").remove(0);
        Box::pin(std::future::ready(answer))
    }
}

fn diagnosed(messages: &[&str]) -> Answer {
    // In the line that the change writes: elsewhere the compiler decides.
    let place = Place { line: 3, column: 4 };
    let diagnostic = |message: &&str| Diagnostic {
        path: path("src/lib.rs"),
        range: Range { start: place, end: place },
        severity: Severity::Error,
        code: None,
        message: (*message).to_owned(),
        source: "stand-in".to_owned(),
        remedies: Vec::new(),
    };
    Answer::Diagnosed {
        diagnostics: messages.iter().map(diagnostic).collect(),
        server: "stand-in 1.0".to_owned(),
        raw_us: 0,
    }
}

#[tokio::test]
async fn servers_refuse_early_and_never_by_silence() -> Outcome {
    let mut project = Project::tiny()?;
    let stand_in = Arc::new(StandIn {
        answers: Mutex::new(vec![
            diagnosed(&["old"]),
            diagnosed(&["old", "new"]),
            // The baseline is remembered: one answer is enough for the next.
            Answer::Unverified { reason: "it crashed".to_owned() },
        ]),
        asked: Mutex::default(),
    });
    let shared = Arc::clone(&stand_in);
    project.settings.servers = Some(Arc::new(move |root: &Path| {
        assert!(root.is_dir());
        Arc::clone(&shared) as Arc<dyn ServerStage>
    }));
    let gate = project.gate()?;
    let change = ChangeSet { changes: vec![edit("src/lib.rs", "a + b", "b + a")] };
    let checked = gate.check(&change, &OpenTexts::new()).await?;
    refused_by(&checked, Stage::Servers);
    assert_eq!(checked.report.problems.len(), 1);
    assert_eq!(verdict_of(&checked, Stage::Tools), None);
    // What was said of a tree is remembered; of another it is asked.
    refused_by(&gate.check(&change, &OpenTexts::new()).await?, Stage::Servers);
    let change = ChangeSet { changes: vec![edit("src/lib.rs", "a + b", "b * a")] };
    let checked = gate.check(&change, &OpenTexts::new()).await?;
    assert_eq!(verdict_of(&checked, Stage::Servers), Some(StageVerdict::Unverified));
    accepted(&checked);
    let asked = stand_in.asked.lock().expect("no panic");
    assert_eq!(asked.len(), 3);
    let shown = asked[0].0.get(&path("src/lib.rs"));
    assert_eq!(shown, Some(&Some(LIB.to_owned())), "the baseline is pulled before the candidate");
    assert_eq!(asked[1].1, [path("src/lib.rs")]);
    Ok(())
}

/// PATH with the programs of TypeScript 7 before all others.
fn path_with_typescript() -> Result<OsString, Box<dyn std::error::Error>> {
    let bin = tools::typescript7().join("node_modules").join(".bin");
    let own = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&own)))?)
}

const TSCONFIG: &str = "{ \"compilerOptions\": { \"strict\": true, \"noEmit\": true, \"types\": [] }, \"include\": [\"src\"] }\n";

fn typescript() -> Result<Project, Box<dyn std::error::Error>> {
    let mut project = Project::new(&[
        ("tsconfig.json", TSCONFIG),
        ("src/sum.ts", "export function sum(a: number, b: number): number {\n  return a + b;\n}\n"),
        (
            "src/use.ts",
            "import { sum } from \"./sum\";\n\nexport const three = /* ü */ sum(1, 2);\n",
        ),
    ])?;
    project.settings.path = Some(path_with_typescript()?);
    Ok(project)
}

#[tokio::test]
async fn tsc_proves_typescript() -> Outcome {
    let project = typescript()?;
    accepted(&project.check(vec![edit("src/sum.ts", "a + b", "b + a")]).await?);
    let checked = project.check(vec![edit("src/sum.ts", "b: number)", "b: string)")]).await?;
    refused_by(&checked, Stage::Tools);
    let found = |file: &str| {
        checked.report.problems.iter().find(|problem| problem.diagnostic.path.as_str() == file)
    };
    let caller = found("src/use.ts").ok_or("the caller in another file")?;
    assert_eq!(caller.diagnostic.code.as_deref(), Some("TS2345"));
    // One byte further than tsc's own column: the text before it holds a two-byte character.
    assert_eq!(caller.diagnostic.range.start, Place { line: 2, column: 37 });
    assert!(caller.frame.contains("3 | export const three"), "{}", caller.frame);
    let deleted = project.check(vec![Change::Delete { path: path("src/sum.ts") }]).await?;
    // A rule sees the import that is left before the compiler is asked.
    refused_by(&deleted, Stage::Rules);
    // What tsconfig leaves out is not checked, and so not proved.
    let outside =
        project.check(vec![write("scripts/run.ts", "export const a: number = \"1\";\n")]).await?;
    assert_eq!(outside.report.verdict, Verdict::Unverified, "{:#?}", outside.report);
    Ok(())
}

/// With the real servers stage.
fn with_servers(mut project: Project, path: Option<OsString>) -> Project {
    let root = project.root.clone();
    project.settings.servers = Some(Arc::new(move |shadow: &Path| {
        let servers = Servers::new(shadow.to_owned(), root.clone());
        let servers = match &path {
            Some(path) => servers.with_path(path.clone()),
            None => servers,
        };
        Arc::new(servers) as Arc<dyn ServerStage>
    }));
    project
}

#[tokio::test]
async fn the_servers_see_a_caller_in_another_file_before_any_tool_is_run() -> Outcome {
    let project = with_servers(typescript()?, Some(path_with_typescript()?));
    let gate = project.gate()?;
    let none = OpenTexts::new();
    let sum = "export function sum(a: number, b: string): number {\n  return a + Number(b);\n}\n";
    let wrong = ChangeSet { changes: vec![write("src/sum.ts", sum)] };
    let checked = gate.check(&wrong, &none).await?;
    refused_by(&checked, Stage::Servers);
    assert!(
        checked
            .report
            .problems
            .iter()
            .any(|problem| problem.diagnostic.path.as_str() == "src/use.ts")
    );
    let right = ChangeSet { changes: vec![edit("src/sum.ts", "a + b", "b + a")] };
    for _ in 0..2 {
        let checked = gate.check(&right, &none).await?;
        accepted(&checked);
        assert_eq!(verdict_of(&checked, Stage::Servers), Some(StageVerdict::Passed));
        // The server is the compiler.
        assert_eq!(verdict_of(&checked, Stage::Tools), Some(StageVerdict::NotApplicable));
    }
    Ok(())
}

#[tokio::test]
async fn rust_analyzer_and_cargo_agree_over_a_series() -> Outcome {
    tools::rust_analyzer();
    let project = with_servers(Project::tiny()?, None);
    let gate = project.gate()?;
    let none = OpenTexts::new();
    let mut old = "a + b".to_owned();
    for new in ["a - b", "a * b"] {
        let wrong = ChangeSet { changes: vec![edit("src/lib.rs", &old, "a + \"b\"")] };
        assert_eq!(gate.check(&wrong, &none).await?.report.verdict, Verdict::Refused);
        let right = ChangeSet { changes: vec![edit("src/lib.rs", &old, new)] };
        let checked = gate.check(&right, &none).await?;
        accepted(&checked);
        assert_eq!(
            verdict_of(&checked, Stage::Servers),
            Some(StageVerdict::Passed),
            "{:#?}",
            checked.report
        );
        apply(&project.root, &checked.contents)?;
        old = new.to_owned();
    }
    Ok(())
}

#[tokio::test]
async fn every_kind_of_target_of_a_workspace_is_proved() -> Outcome {
    let member = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{more}")
    };
    let project = Project::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n"),
        ("crates/the-core/Cargo.toml", &member("the-core", "")),
        (
            "crates/the-core/build.rs",
            "fn main() {\n    let n = 1;\n    println!(\"cargo:rustc-env=N={n}\");\n}\n",
        ),
        ("crates/the-core/src/lib.rs", "pub mod deep;\n"),
        ("crates/the-core/src/deep/mod.rs", "pub fn one() -> u32 {\n    1\n}\n"),
        (
            "crates/the-core/tests/it.rs",
            "#[test]\nfn one() {\n    assert_eq!(the_core::deep::one(), 1);\n}\n",
        ),
        (
            "crates/the-core/examples/show.rs",
            "fn main() {\n    println!(\"{}\", the_core::deep::one());\n}\n",
        ),
        (
            "crates/tool/Cargo.toml",
            &member("tool", "[dependencies]\nthe-core = { path = \"../the-core\" }\n"),
        ),
        (
            "crates/tool/src/main.rs",
            "fn main() {\n    println!(\"{}\", the_core::deep::one());\n}\n",
        ),
        ("crates/tool/src/bin/other-tool.rs", "fn main() {\n    println!(\"{}\", 1);\n}\n"),
    ])?;
    let gate = project.gate()?;
    let none = OpenTexts::new();
    for (file, old, new) in [
        ("crates/the-core/build.rs", "let n = 1;", "let n = 2;"),
        ("crates/the-core/src/deep/mod.rs", "    1\n", "    2\n"),
        ("crates/the-core/tests/it.rs", ", 1);", ", 2);"),
        ("crates/the-core/examples/show.rs", "\"{}\"", "\"one: {}\""),
        ("crates/tool/src/main.rs", "\"{}\"", "\"one: {}\""),
        ("crates/tool/src/bin/other-tool.rs", "\"{}\"", "\"one: {}\""),
    ] {
        let change = ChangeSet { changes: vec![edit(file, old, new)] };
        accepted(&gate.check(&change, &none).await?);
        let change = ChangeSet { changes: vec![edit(file, old, &format!("{new} let () = 1;"))] };
        assert_eq!(gate.check(&change, &none).await?.report.verdict, Verdict::Refused, "{file}");
    }
    // A signature changes; its callers are in another crate, in tests and in examples.
    let signature = ChangeSet {
        changes: vec![edit("crates/the-core/src/deep/mod.rs", "one()", "one(_more: u32)")],
    };
    let checked = gate.check(&signature, &none).await?;
    refused_by(&checked, Stage::Tools);
    let places: Vec<&str> =
        checked.report.problems.iter().map(|problem| problem.diagnostic.path.as_str()).collect();
    assert_eq!(places.len(), 3, "{places:?}");
    Ok(())
}

#[tokio::test]
async fn what_a_syntax_error_hides_is_not_proved() -> Outcome {
    let lib = "mod bad;\npub fn total(a: u32, b: u32) -> u32 {\n    a + b\n}\n";
    let project = Project::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", lib),
        ("src/bad.rs", "fn bad( {}\n"),
    ])?;
    let wrong = edit("src/lib.rs", "a + b", "a + \"b\"");
    let checked = project.check(vec![wrong.clone()]).await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    let mended = edit("src/bad.rs", "fn bad( {}", "pub fn bad() {}");
    refused_by(&project.check(vec![wrong, mended.clone()]).await?, Stage::Tools);
    accepted(&project.check(vec![mended]).await?);

    let mut project = typescript()?;
    fs::write(project.root.join("src/bad.ts"), "export const b = (;\n")?;
    let wrong = edit("src/sum.ts", "b: number)", "b: string)");
    let checked = project.check(vec![wrong]).await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    let mended = edit("src/bad.ts", "(;", "1;");
    accepted(&project.check(vec![mended]).await?);
    // The server looks at each file for itself and can prove what tsc cannot.
    project = with_servers(project, Some(path_with_typescript()?));
    accepted(&project.check(vec![edit("src/sum.ts", "a + b", "b + a")]).await?);
    Ok(())
}
