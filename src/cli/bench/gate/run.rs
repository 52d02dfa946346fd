//! The run: copies, oracle and gate are set up, each edit is judged by both, and what came of it is handed back.

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
use crate::gate::{Gate, Settings, Stage, language};
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
    let mut bench = Bench::open(args, repo, work, failures)?;
    let (class, number) = only(args)?;
    let project = Project::new(&bench.copy.root, bench.oracle.base().read.iter().cloned());
    bench.results.files = project.sources.len();
    bench.results.lines = project.lines();
    if project.sources.is_empty() {
        return Err(CliError::User("the compiler reads no file that could be edited".to_owned()));
    }
    bench.warm_up(&project).await?;
    let counts = operators().into_iter().map(|operator| (wanted(args, &operator), operator));
    for (count, operator) in counts.filter(|(_, o)| class.as_ref().is_none_or(|c| c == o.name)) {
        let count = number.map_or(count, |number| number.max(count));
        let edits = operator.edits(&project, args.seed, count).into_iter().enumerate();
        for (at, proposal) in edits.filter(|(at, _)| number.is_none_or(|n| n == at + 1)) {
            bench.try_edit(&project, &operator, at + 1, &proposal).await?;
        }
    }
    bench.weigh_servers();
    if class.as_deref().is_none_or(|class| class == "commit") && bench.copy.is_git {
        bench.replay(args).await?;
    }
    if class.is_none() {
        let figures = speed::cheap_stages(work).await?;
        bench.results.figures.extend(figures);
    }
    Ok(bench.results)
}

/// The class and number of `--only`.
fn only(args: &Args) -> Result<(Option<String>, Option<usize>), CliError> {
    let Some(only) = &args.only else {
        return Ok((None, None));
    };
    let (class, number) = only.split_once('#').unwrap_or((only, ""));
    let known = operators().iter().any(|operator| operator.name == class);
    if !known && class != "commit" {
        let names: Vec<&str> = operators().iter().map(|operator| operator.name).collect();
        return Err(CliError::User(format!(
            "no class `{class}`; there are {} and commit",
            names.join(", ")
        )));
    }
    Ok((Some(class.to_owned()), number.parse().ok()))
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
        let settings = Settings { cache_dir: Some(work.join("cache")), ..Settings::default() };
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

    async fn replay(&mut self, args: &Args) -> Result<(), CliError> {
        for commit in self.chosen(args)? {
            let short: String = commit.id.chars().take(10).collect();
            let ruling = match self.oracle.judge_commit(&commit.parent, &commit.id)? {
                Some(ruling) => ruling,
                None => {
                    say(&format!("commit#{short} skipped: its compilers do not run"));
                    self.results.skipped.push(format!("commit#{short}: its compilers do not run"));
                    continue;
                }
            };
            self.copy.check_out(&commit.parent)?;
            let (checked, us) = self.ask(&commit.change).await;
            let label = ("commit", short, Kind::Commit);
            self.keep(Row::new(label, Some(ruling), checked, us), &commit.change)?;
        }
        Ok(())
    }

    /// The newest commits, or the one that `--only commit#ID` names.
    fn chosen(&self, args: &Args) -> Result<Vec<Commit>, CliError> {
        let only = args.only.as_deref().and_then(|only| only.strip_prefix("commit#"));
        if let Some(id) = only {
            let parent = format!("{id}^");
            return Ok(commits::commit(&self.copy.root, id, &parent)?.into_iter().collect());
        }
        let here = language::detect(&self.copy.root);
        let extensions: Vec<String> = here.iter().flat_map(|l| l.extensions.clone()).collect();
        commits::newest(&self.copy.root, args.commits, &extensions)
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
