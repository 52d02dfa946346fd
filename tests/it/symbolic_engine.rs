//! The symbolic engine on the fixtures: real compilers, real servers, the real gate, no model.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator_lsp::agents::symbolic::{Cluster, Goal, Remedies, plan, propose};
use orchestrator_lsp::gate::diagnostic::{Diagnostic, Remedy};
use orchestrator_lsp::gate::language::{self, Language};
use orchestrator_lsp::gate::servers::Servers;
use orchestrator_lsp::gate::stage::Boxed;
use orchestrator_lsp::gate::{Gate, Overlay, Settings, Verdict};
use orchestrator_lsp::workspace::apply::apply;
use tempfile::TempDir;

use crate::support::project::copy;
use crate::support::tools;

/// A copy of a fixture, with what a mission would have at hand.
struct Bench {
    folder: TempDir,
    cache: TempDir,
    servers: Servers,
}

impl Bench {
    fn new(fixture: &str, bins: &[PathBuf]) -> (Bench, OsString) {
        let folder = tempfile::tempdir().unwrap();
        copy(&tools::checkout().join("tests/fixtures").join(fixture), folder.path());
        let own = std::env::var_os("PATH").unwrap();
        let path =
            std::env::join_paths(bins.iter().cloned().chain(std::env::split_paths(&own))).unwrap();
        let servers = Servers::new(folder.path().to_owned(), folder.path().to_owned())
            .with_path(path.clone());
        (Bench { folder, cache: tempfile::tempdir().unwrap(), servers }, path)
    }
}

struct Live<'a> {
    language: &'a Language,
    servers: &'a Servers,
    current: Vec<Diagnostic>,
}

impl Remedies for Live<'_> {
    fn diagnostics(&self) -> Boxed<'_, Vec<Diagnostic>> {
        Box::pin(async { self.current.clone() })
    }

    fn quick_fixes<'a>(&'a self, diagnostic: &'a Diagnostic) -> Boxed<'a, Vec<Remedy>> {
        Box::pin(async { self.servers.remedies(self.language, &Overlay::new(), diagnostic).await })
    }
}

/// Proposes, proves and applies until nothing is left or nothing helps; what is left, and what was done.
async fn work(
    bench: &Bench,
    language: &Language,
    path: OsString,
    goal: &Goal,
) -> (Vec<Diagnostic>, Vec<String>) {
    let project = bench.folder.path().to_owned();
    let shown = path.clone();
    let open = move |root: &Path| -> Arc<dyn orchestrator_lsp::gate::ServerStage> {
        Arc::new(Servers::new(root.to_owned(), project.clone()).with_path(shown.clone()))
    };
    let settings = Settings {
        cache_dir: Some(bench.cache.path().to_owned()),
        path: Some(path),
        servers: Some(Arc::new(open)),
        ..Settings::default()
    };
    let gate = Gate::open(bench.folder.path(), settings).unwrap();
    let mut done = Vec::new();
    // Every round mends something, so this ends; the bound is for the day when it does not.
    for _ in 0..60 {
        let survey = gate.diagnose(&Default::default()).await.unwrap();
        assert_eq!(survey.unverified, Vec::<String>::new());
        let current: Vec<Diagnostic> =
            survey.diagnostics.into_iter().filter(|one| goal.covers(one)).collect();
        let live = Live { language, servers: &bench.servers, current };
        let mut mended = None;
        for cluster in plan(&live.current) {
            mended = mend(bench, &gate, &cluster, &live).await;
            if mended.is_some() {
                break;
            }
        }
        match mended {
            Some(title) => done.push(title),
            None => return (live.current, done),
        }
    }
    panic!("no end: {done:#?}");
}

async fn mend(bench: &Bench, gate: &Gate, cluster: &Cluster, live: &Live<'_>) -> Option<String> {
    for candidate in propose(cluster, live).await {
        let checked = gate.check(&candidate.change, &Default::default()).await.unwrap();
        if checked.report.verdict != Verdict::Accepted {
            continue;
        }
        apply(bench.folder.path(), &checked.contents).unwrap();
        let paths: Vec<_> = checked.contents.iter().map(|write| write.path.clone()).collect();
        bench.servers.disk_changed(&paths).await;
        // Compilers and servers change their words; the clusters are ours.
        let noted = if candidate.notes.is_empty() { "" } else { " (noted)" };
        return Some(format!("{}{noted}", cluster.title));
    }
    None
}

#[tokio::test]
async fn the_rust_fixture_is_mended() {
    let rust_analyzer = tools::rust_analyzer();
    let bins = [rust_analyzer.parent().unwrap().to_owned()];
    let (bench, path) = Bench::new("rust_diagnostics", &bins);
    let rust = language::all().iter().find(|language| language.name == "rust").unwrap();
    let (left, done) = work(&bench, rust, path, &Goal::read("fix all diagnostics").unwrap()).await;
    assert_eq!(left, [], "{done:#?}");
    insta::assert_snapshot!(done.join("\n"));
    let text = |path: &str| std::fs::read_to_string(bench.folder.path().join(path)).unwrap();
    let report = text("src/report.rs");
    assert_eq!(
        report.matches('\n').count(),
        report.matches("\r\n").count(),
        "line ends are kept: {report:?}"
    );
    assert!(text("src/parse.rs").contains("Crème brûlée 🍮"));
    let tests = std::process::Command::new("cargo")
        .args(["test", "--quiet"])
        .current_dir(bench.folder.path())
        .output()
        .unwrap();
    assert!(tests.status.success(), "{}", String::from_utf8_lossy(&tests.stdout));
}

#[tokio::test]
async fn the_typescript_fixture_is_mended() {
    let bins = [tools::typescript7(), tools::typescript_language_server()]
        .map(|folder| folder.join("node_modules/.bin"));
    let (bench, path) = Bench::new("ts_diagnostics", &bins);
    let typescript = language::all().iter().find(|language| language.name == "typescript").unwrap();
    let (left, done) =
        work(&bench, typescript, path, &Goal::read("fix all diagnostics").unwrap()).await;
    assert_eq!(left, [], "{done:#?}");
    insta::assert_snapshot!(done.join("\n"));
    let tsc = bins[0].join(if cfg!(windows) { "tsc.cmd" } else { "tsc" });
    for (program, args) in [(tsc, vec![]), (PathBuf::from("node"), vec!["--test", "test/"])] {
        let output = std::process::Command::new(program)
            .args(args)
            .current_dir(bench.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let report = std::fs::read_to_string(bench.folder.path().join("src/receipt.ts")).unwrap();
    assert_eq!(
        report.matches('\n').count(),
        report.matches("\r\n").count(),
        "line ends are kept: {report:?}"
    );
}
