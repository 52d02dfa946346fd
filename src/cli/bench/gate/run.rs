//! The run: copies, oracle and gate are set up, each edit is judged by both, and what came of it is handed back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::super::super::{CliError, environment};
use super::Args;
use super::commits::{self, Commit};
use super::copy::Copy;
use super::edits::{Kind, Operator, Project, Proposal, operators};
use super::memory;
use super::oracle::Oracle;
use super::row::Row;
use super::speed;
use super::table::{Results, remark};
use crate::gate::{Gate, Settings, Stage};
use crate::runtime::with_servers;
use crate::workspace::{Change, ChangeSet, OpenTexts};

/// A repository's copies with everything that judges.
struct Bench {
    copy: Copy,
    gate: Arc<Gate>,
    oracle: Oracle,
    failures: PathBuf,
    trust_accepts: bool,
    results: Results,
}

/// Runs the whole bench on the repository at `repo`; all that it writes is below `work`, failing edits below `failures`.
pub async fn run(
    args: &Args,
    repo: &Path,
    work: &Path,
    failures: &Path,
) -> Result<Results, CliError> {
    let only = only(&args.only)?;
    let mut bench = Bench::open(args, repo, work, failures)?;
    let project = Project::new(&bench.copy.root, bench.oracle.base().read.iter().cloned());
    bench.results.files = project.sources.len();
    bench.results.lines = project.lines();
    if project.sources.is_empty() {
        return Err(CliError::User("the compiler reads no file that could be edited".to_owned()));
    }
    bench.warm_up(&project).await?;
    for operator in operators() {
        let (mut count, mut number) = (wanted(args, &operator), None);
        if !only.is_empty() {
            let Some((_, which)) = only.iter().find(|(class, _)| *class == operator.name) else {
                continue;
            };
            number = which.parse().ok();
            count = count.max(number.unwrap_or(0));
        }
        let edits = operator.edits(&project, args.seed, count).into_iter().enumerate();
        for (at, proposal) in edits.filter(|(at, _)| number.is_none_or(|n| n == at + 1)) {
            bench.try_edit(&project, &operator, at + 1, &proposal).await?;
        }
    }
    bench.weigh_servers();
    let commits = only.iter().find(|(class, _)| *class == COMMIT);
    if bench.copy.is_git && (only.is_empty() || commits.is_some()) {
        let id = commits.map(|(_, id)| *id).filter(|id| !id.is_empty());
        bench.replay(args.commits, id).await?;
    }
    if only.is_empty() {
        let figures = speed::cheap_stages(work).await?;
        bench.results.figures.extend(figures);
    }
    Ok(bench.results)
}

/// The class of real commits.
const COMMIT: &str = "commit";

/// The classes of `--only`, each with the number after `#`, which may be empty.
fn only(list: &[String]) -> Result<Vec<(&str, &str)>, CliError> {
    let mut names: Vec<&str> = operators().iter().map(|operator| operator.name).collect();
    names.push(COMMIT);
    let pairs = list.iter().map(|only| only.split_once('#').unwrap_or((only, "")));
    let pairs: Vec<(&str, &str)> = pairs.collect();
    match pairs.iter().find(|(class, _)| !names.contains(class)) {
        Some((class, _)) => {
            Err(CliError::User(format!("no class `{class}`; there are {}", names.join(", "))))
        }
        None => Ok(pairs),
    }
}

/// How many edits of a class are made: `--sound` is shared out among the sound ones.
fn wanted(args: &Args, operator: &Operator) -> usize {
    let sound = operators().iter().filter(|operator| operator.kind == Kind::Sound).count().max(1);
    match operator.kind {
        Kind::Sound => args.sound.div_ceil(sound),
        _ => args.edits,
    }
}

impl Bench {
    fn open(args: &Args, repo: &Path, work: &Path, failures: &Path) -> Result<Bench, CliError> {
        let began = Instant::now();
        say("copying the repository, asking its compilers");
        let copy = Copy::make(repo, &work.join("repository"))?;
        let oracle =
            Oracle::open(Copy::make(repo, &work.join("oracle"))?, &work.join("oracle-target"))?;
        // What is refused is to be seen, not mended.
        let cache_dir = Some(work.join("cache"));
        let settings = Settings { cache_dir, repair_rounds: 0, ..Settings::default() };
        let settings = with_servers(settings, &copy.root);
        let gate = Arc::new(Gate::open(&copy.root, settings).map_err(environment)?);
        let mut results = Results {
            repository: repo.display().to_string(),
            seed: args.seed,
            ..Results::default()
        };
        let stood = oracle.base().errors.values().sum::<usize>();
        results.figures.push(("errors that stand in the repository".to_owned(), stood as f64, ""));
        results.figures.push(("oracle's start".to_owned(), began.elapsed().as_secs_f64(), "s"));
        let failures = failures.to_path_buf();
        Ok(Bench { copy, gate, oracle, failures, trust_accepts: args.trust_accepts, results })
    }

    /// A remark in a file of each language: servers start, compilers fill their caches.
    async fn warm_up(&mut self, project: &Project) -> Result<(), CliError> {
        for is_rust in [true, false] {
            let Some(source) = project.sources.iter().find(|source| source.is_rust == is_rust)
            else {
                continue;
            };
            let content = format!("{}\n// Warm.\n", source.text);
            let change = Change::Write { path: source.path.clone(), content };
            let (checked, us) = self.ask(&ChangeSet { changes: vec![change] }).await;
            let checked = checked.map_err(environment)?;
            let language = if is_rust { "Rust" } else { "TypeScript" };
            let verdict = format!("{:?}", checked.report.verdict).to_lowercase();
            say(&format!("{language} is warm after {:.1} s: {verdict}", us as f64 / 1e6));
            self.results.figures.push((format!("warm-up, {language}"), us as f64 / 1e6, "s"));
        }
        Ok(())
    }

    async fn ask(
        &self,
        change: &ChangeSet,
    ) -> (Result<crate::gate::Checked, crate::gate::GateError>, u64) {
        let began = Instant::now();
        let checked = self.gate.check(change, &OpenTexts::new()).await;
        (checked, u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    async fn try_edit(
        &mut self,
        project: &Project,
        operator: &Operator,
        number: usize,
        proposal: &Proposal,
    ) -> Result<(), CliError> {
        let change = proposal.change();
        let (checked, us) = self.ask(&change).await;
        let is_accepted = checked.as_ref().is_ok_and(|checked| !checked.contents.is_empty());
        let trusted = self.trust_accepts && is_accepted && operator.kind == Kind::Sound;
        let ruling = match operator.kind {
            Kind::Policy => None,
            _ if trusted => None,
            _ => Some(self.oracle.judge(&proposal.texts(project))?),
        };
        let label = (operator.name, number.to_string(), operator.kind);
        self.keep(Row::new(label, ruling, checked, us), &change)
    }

    /// Keeps a row, tells of it, and writes an edit down on which the gate was wrong.
    fn keep(&mut self, row: Row, change: &ChangeSet) -> Result<(), CliError> {
        say(&format!("{} ({})", remark(&row), times(&row)));
        if row.is_failure() {
            std::fs::create_dir_all(&self.failures).map_err(environment)?;
            let file = self.failures.join(format!("{}.json", row.id().replace('#', "-")));
            let text = serde_json::to_string_pretty(change).map_err(environment)?;
            std::fs::write(&file, text).map_err(environment)?;
            say(&format!("the edit is in {}", file.display()));
        }
        self.results.rows.push(row);
        Ok(())
    }

    fn weigh_servers(&mut self) {
        for (name, kb) in memory::of_children() {
            self.results.figures.push((format!("memory, {name}"), kb as f64 / 1024.0, "MB"));
        }
    }

    /// Replays the newest commits, or the one with this id.
    async fn replay(&mut self, count: usize, id: Option<&str>) -> Result<(), CliError> {
        let commits = match id {
            Some(id) => {
                let found = commits::commit(&self.copy.root, id, &format!("{id}^"))?;
                found.into_iter().collect()
            }
            None => {
                let read = self.oracle.base().read.iter();
                let extensions: BTreeSet<&str> = read.filter_map(|path| path.extension()).collect();
                commits::newest(&self.copy.root, count, &extensions)?
            }
        };
        for commit in commits {
            self.replay_one(&commit).await?;
        }
        Ok(())
    }

    async fn replay_one(&mut self, commit: &Commit) -> Result<(), CliError> {
        let short: String = commit.id.chars().take(10).collect();
        let Some(ruling) = self.oracle.judge_commit(&commit.parent, &commit.id)? else {
            let skipped = format!("{COMMIT}#{short}: its compilers do not run");
            say(&format!("skipped {skipped}"));
            self.results.skipped.push(skipped);
            return Ok(());
        };
        self.copy.check_out(&commit.parent)?;
        let (checked, us) = self.ask(&commit.change).await;
        let label = (COMMIT, short, Kind::Commit);
        self.keep(Row::new(label, Some(ruling), checked, us), &commit.change)
    }
}

/// Milliseconds in whole, and of the stages that ask others.
fn times(row: &Row) -> String {
    let ms = |us: u64| us as f64 / 1000.0;
    let slow = row.stages.iter().filter(|(stage, _)| *stage >= Stage::Servers);
    let parts = slow.map(|(stage, us)| format!(", {stage:?} {:.0}", ms(*us)).to_lowercase());
    format!("{:.0} ms{}", ms(row.us), parts.collect::<String>())
}

/// Progress goes to standard error; the result alone to standard output.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "bench gate: {line}");
}
