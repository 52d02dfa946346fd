//! How long verdicts take on a real repository, and shadow copies of a large one. Nothing is asserted of it; it prints.
//!
//! `ORCHESTRATOR_SPEED=/a/repository cargo test --test it -- --ignored --nocapture gate_servers::speed`

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;

/// How many edits are asked about, unless `ORCHESTRATOR_EDITS` says so.
const EDITS: usize = 60;

fn percentile(times: &mut [u64], percent: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default() as f64 / 1000.0
}

fn sources(root: &Path, language: &Language) -> Vec<RelPath> {
    let found = orchestrator_lsp::workspace::Workspace::open(root).unwrap();
    let tree = found.scan(&Default::default()).unwrap();
    let speaks = |path: &&RelPath| {
        path.extension().is_some_and(|e| language.extensions.iter().any(|own| own == e))
    };
    tree.files.keys().filter(speaks).cloned().collect()
}

#[derive(Default)]
struct Times {
    verdict: Vec<u64>,
    raw: Vec<u64>,
}

impl Times {
    fn add(&mut self, began: Instant, answer: &Answer) {
        let Answer::Diagnosed { raw_us, .. } = answer else { panic!("{answer:?}") };
        self.verdict.push(u64::try_from(began.elapsed().as_micros()).unwrap());
        self.raw.push(*raw_us);
    }

    #[expect(clippy::print_stdout, reason = "it is there to print")]
    fn print(&mut self, what: &str) {
        let p = percentile;
        println!(
            "{what:24} verdict p50 {:8.1} p99 {:8.1} ms   raw p50 {:8.1} p99 {:8.1} ms   ratio of sums {:.3}",
            p(&mut self.verdict, 50),
            p(&mut self.verdict, 99),
            p(&mut self.raw, 50),
            p(&mut self.raw, 99),
            self.verdict.iter().sum::<u64>() as f64 / self.raw.iter().sum::<u64>() as f64,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; needs a repository"]
async fn verdicts_are_as_fast_as_the_server() {
    let root = PathBuf::from(std::env::var_os("ORCHESTRATOR_SPEED").expect("a repository"));
    let rust = root.join("Cargo.toml").exists();
    let name = if rust { "rust" } else { "typescript" };
    let mut language =
        orchestrator_lsp::gate::language::all().iter().find(|l| l.name == name).unwrap().clone();
    let project = if rust { root.clone() } else { tools::typescript7() };
    if rust {
        language.servers[0].command[0] = tools::rust_analyzer().to_str().unwrap().to_owned();
    }
    let servers = alone(Servers::new(root.clone(), project));
    let files = sources(&root, &language);
    let began = Instant::now();
    let first = servers.diagnose(&language, &Overlay::new(), &files, PATIENCE * 5).await;
    println!("{} files, start and first answer {:?}", files.len(), began.elapsed());
    println!("{} errors stand", errors(&first).len());
    let (mut own, mut all, mut proof) = (Times::default(), Times::default(), Times::default());
    let edits = std::env::var("ORCHESTRATOR_EDITS").ok().and_then(|text| text.parse().ok());
    for round in 0..edits.unwrap_or(EDITS) {
        let path = &files[round * 37 % files.len()];
        let text = std::fs::read_to_string(path.in_root(&root)).unwrap();
        let edit = if rust {
            "\nfn edited() -> u8 {\n    \"\"\n}\n"
        } else {
            "\nconst edited: number = \"\"\n"
        };
        let overlay = Overlay::from([(path.clone(), Some(format!("{text}{edit}")))]);
        let began = Instant::now();
        let file = std::slice::from_ref(path);
        let shown = Overlay::from([(path.clone(), Some(text.clone()))]);
        let base = servers.diagnose(&language, &shown, file, PATIENCE).await;
        if let Answer::Unverified { reason } = &base {
            println!("{reason}");
            continue;
        }
        proof.add(began, &base);
        let began = Instant::now();
        let answer = servers.diagnose(&language, &overlay, file, PATIENCE).await;
        own.add(began, &answer);
        let overlay = Overlay::from([(path.clone(), Some(format!("{text}\n")))]);
        let began = Instant::now();
        let answer = servers.diagnose(&language, &overlay, &files, PATIENCE).await;
        all.add(began, &answer);
    }
    proof.print("proof and baseline");
    own.print("own file");
    all.print("all files");
    println!("{:?}", servers.running().await);
    servers.shutdown().await;
}

#[test]
#[ignore = "measures"]
fn shadow_copies_of_two_thousand_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    for number in 0..2000 {
        let place = root.join(format!("src/m{}/f{number}.ts", number % 40));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, format!("export const a{number} = 1;\n").repeat(200)).unwrap();
    }
    let root = root.canonicalize().unwrap();
    let workspace = orchestrator_lsp::workspace::Workspace::open(&root).unwrap();
    let mut shadow =
        orchestrator_lsp::gate::shadow::Shadow::open(&folder.path().join("cache"), &root).unwrap();
    let tree = workspace.scan(&Default::default()).unwrap();
    for what in ["first", "again", "again", "again"] {
        let began = Instant::now();
        let written = shadow.tools.sync(&tree, &Default::default()).unwrap().len();
        println!("sync {what}: {written} files, {:?}", began.elapsed());
    }
}
