//! The gate end to end, with the real compiler in a real shadow copy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestrator_lsp::gate::language::Language;
use orchestrator_lsp::gate::stage::Boxed;
use orchestrator_lsp::gate::{
    Answer, Checked, Diagnostic, Gate, Overlay, Place, Range, ServerStage, Settings, Severity,
    Stage, StageVerdict, Verdict,
};
use orchestrator_lsp::workspace::{Change, ChangeSet, Edit, OpenText, OpenTexts, RelPath, apply};

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
    // A file of no known language needs no compiler.
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
    let seal = gate.whole(&none).await?;
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
    let seal = gate.whole(&none).await?;
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
    let diagnostic = |message: &&str| Diagnostic {
        path: path("src/lib.rs"),
        range: Range::default(),
        severity: Severity::Error,
        code: None,
        message: (*message).to_owned(),
        source: "stand-in".to_owned(),
        remedies: Vec::new(),
    };
    Answer::Diagnosed {
        diagnostics: messages.iter().map(diagnostic).collect(),
        server: "stand-in 1.0".to_owned(),
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
    let checked = gate.check(&change, &OpenTexts::new()).await?;
    assert_eq!(verdict_of(&checked, Stage::Servers), Some(StageVerdict::Unverified));
    accepted(&checked);
    let asked = stand_in.asked.lock().expect("no panic");
    assert_eq!(asked.len(), 3);
    assert!(asked[0].0.is_empty(), "the baseline is pulled before anything is shown");
    assert_eq!(asked[1].1, [path("src/lib.rs")]);
    Ok(())
}
