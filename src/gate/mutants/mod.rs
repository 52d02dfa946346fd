//! The verifier verified: mutants of an accepted change are tried in the shadow, and those that nothing notices are told.
//!
//! What survives is a hint and never refuses anything. The user's tree is only read, as everywhere in the gate.

pub mod mutate;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::diagnostic::Diagnostic;
use super::error::GateError;
use super::gate::Gate;
use super::language::{Language, Purpose, ToolSpec};
use super::languages;
use super::newness::delta::Changes;
use super::prepare::lay_over;
use super::prove::{self, Case};
use super::workbench::Layout;
use crate::workspace::resolve::{Resolved, ResolvedFile};
use crate::workspace::{FileText, OpenTexts};
use mutate::{AcceptedFile, Mutant};

/// How much may be spent on mutants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Time for all of them, the tests without any mutant included.
    pub time: Duration,
    /// The most that are tried.
    pub most: usize,
}

/// How the mutants of a change fared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutation {
    /// Mutants that the compiler accepts and the tests were run on.
    pub tried: usize,
    /// Those that a test failed on, or did not end with.
    pub killed: usize,
    /// Those that nothing noticed, each a hint on its line, in order of path and place.
    pub survived: Vec<Diagnostic>,
    /// Mutants that were not tried: the budget was spent, or their line has a survivor already.
    pub not_run: usize,
    /// Why mutants on lines without a survivor were not tried; `None` where all of them were.
    pub reason: Option<String>,
}

/// How often the time of the tests without a mutant those with one may take: some mutants loop for ever.
const PATIENCE: u32 = 5;
/// What is added to it, for tests that take next to no time.
const GRACE: Duration = Duration::from_secs(2);

const SPENT: &str = "the budget for mutants is spent";

/// What became of one mutant.
enum Fate {
    /// The compiler or the grammar refuses it: it is none.
    NoMutant,
    Killed,
    Survived,
    /// It could not be looked at, and why.
    Unknown(String),
}

/// How the tests came out.
enum Tests {
    Green,
    /// There was none to run.
    None,
    Red(String),
    Unknown(String),
}

/// A test tool and the project that it is run in.
type Test = (ToolSpec, String);

/// The accepted tree, and how its tests are run.
struct Ground<'a> {
    files: &'a [AcceptedFile],
    accepted: Layout,
    tests: Vec<Test>,
    /// How long the tests may take.
    limit: Duration,
}

impl Gate {
    /// Tries mutants of the lines that `accepted` changed, on the disk with `open` and the accepted texts laid over it. They
    /// are tried one by one, the most telling first, so that others may ask the gate in between.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn mutants(
        &self,
        accepted: &[AcceptedFile],
        open: &OpenTexts,
        budget: Budget,
    ) -> Result<Mutation, GateError> {
        let began = Instant::now();
        let all = mutate::mutants(accepted);
        let nothing = |reason: &str| Mutation {
            not_run: all.len(),
            reason: Some(reason.to_owned()),
            ..Mutation::default()
        };
        if all.is_empty() {
            return Ok(nothing("nothing in the changed lines can be mutated"));
        }
        let mut ground = self.ground(accepted, open).await?;
        let unmutated = self.unmutated(&ground);
        let tests = match tokio::time::timeout(budget.time, unmutated).await {
            Ok(tests) => tests?,
            Err(_) => return Ok(nothing("the tests take longer than mutants may")),
        };
        match tests {
            (Tests::Green, took) => ground.limit = took * PATIENCE + GRACE,
            (Tests::None, _) => return Ok(nothing("there are no tests to run")),
            (Tests::Red(why), _) => {
                return Ok(nothing(&format!("the tests fail without any mutant: {why}")));
            }
            (Tests::Unknown(why), _) => return Ok(nothing(&why)),
        }
        self.try_all(&ground, all, began, budget).await
    }

    async fn ground<'a>(
        &self,
        files: &'a [AcceptedFile],
        open: &OpenTexts,
    ) -> Result<Ground<'a>, GateError> {
        let resolved = |file: &AcceptedFile| ResolvedFile {
            path: file.path.clone(),
            base: file.base.clone().map(FileText::new),
            result: Some(file.after.clone()),
            renamed_from: None,
        };
        let resolved = Resolved { files: files.iter().map(resolved).collect() };
        let accepted = lay_over(&self.layout(open).await?, &resolved);
        let bench = self.bench().await?;
        bench.lay_out(&accepted).await?;
        let mut tests = Vec::new();
        for language in self.languages.all() {
            let folders = languages::project_folders(language, accepted.tree.files.keys());
            for spec in language.tools.iter().filter(|spec| spec.purpose == Purpose::Test) {
                let here = folders.iter().filter(|folder| bench.runner().has_tests(spec, folder));
                tests.extend(here.map(|folder| (until_the_first_failure(spec), folder.clone())));
            }
        }
        Ok(Ground { files, accepted, tests, limit: Duration::MAX })
    }

    /// The tests of the accepted tree as it is, and how long they took once they were built.
    async fn unmutated(&self, ground: &Ground<'_>) -> Result<(Tests, Duration), GateError> {
        if let Some(why) = self.build(ground, &ground.accepted).await? {
            return Ok((Tests::Red(why), Duration::ZERO));
        }
        let began = Instant::now();
        let tests = self.run_tests(ground, &ground.accepted).await?;
        Ok((tests, began.elapsed()))
    }

    async fn try_all(
        &self,
        ground: &Ground<'_>,
        all: Vec<Mutant>,
        began: Instant,
        budget: Budget,
    ) -> Result<Mutation, GateError> {
        let mut mutation = Mutation::default();
        let mut told = BTreeSet::new();
        for (number, mutant) in all.iter().enumerate() {
            let left = budget.time.saturating_sub(began.elapsed());
            let place = (&mutant.path, mutant.range.start.line);
            if left.is_zero() || mutation.tried >= budget.most {
                mutation.not_run += all.len() - number;
                mutation.reason = Some(SPENT.to_owned());
                break;
            }
            if told.contains(&place) {
                mutation.not_run += 1;
                continue;
            }
            // What is cut short here has no fate, least of all that of being noticed.
            match tokio::time::timeout(left, self.try_one(ground, mutant)).await {
                Ok(fate) => match fate? {
                    Fate::NoMutant => {}
                    Fate::Killed => {
                        mutation.tried += 1;
                        mutation.killed += 1;
                    }
                    Fate::Survived => {
                        mutation.tried += 1;
                        told.insert(place);
                        mutation.survived.push(mutant.hint());
                    }
                    Fate::Unknown(why) => {
                        mutation.not_run += 1;
                        mutation.reason = Some(why);
                    }
                },
                Err(_) => {
                    mutation.not_run += 1;
                    mutation.reason = Some(SPENT.to_owned());
                }
            }
        }
        mutation.survived.sort_by(|a, b| (&a.path, a.range).cmp(&(&b.path, b.range)));
        Ok(mutation)
    }

    async fn try_one(&self, ground: &Ground<'_>, mutant: &Mutant) -> Result<Fate, GateError> {
        let file = ground.files.iter().find(|file| file.path == mutant.path);
        let Some((file, text)) = file.and_then(|file| Some((file, mutant.applied(&file.after)?)))
        else {
            return Ok(Fate::NoMutant);
        };
        if !mutant.parses(&file.after) {
            return Ok(Fate::NoMutant);
        }
        let resolved = ResolvedFile {
            path: file.path.clone(),
            base: Some(FileText::new(file.after.clone())),
            result: Some(text),
            renamed_from: None,
        };
        let resolved = Resolved { files: vec![resolved] };
        let candidate = lay_over(&ground.accepted, &resolved);
        if self.is_refused(ground, &resolved, &candidate).await? {
            return Ok(Fate::NoMutant);
        }
        Ok(match self.run_tests(ground, &candidate).await? {
            Tests::Red(_) => Fate::Killed,
            Tests::Green | Tests::None => Fate::Survived,
            Tests::Unknown(why) => Fate::Unknown(why),
        })
    }

    /// Whether the compiler refuses the mutant: by building the tests where that compiles the language, else by the stages
    /// that prove every change-set.
    async fn is_refused(
        &self,
        ground: &Ground<'_>,
        resolved: &Resolved,
        candidate: &Layout,
    ) -> Result<bool, GateError> {
        let path = resolved.files.first().map(|file| &file.path);
        let language = path.and_then(|path| self.languages.for_path(path));
        let builds = |language: &Language| language.tools.iter().any(|spec| !spec.build.is_empty());
        if language.is_some_and(builds) {
            return Ok(self.build(ground, candidate).await?.is_some());
        }
        let case = Case {
            languages: self.languages,
            resolved,
            changes: Changes::of(resolved),
            base: ground.accepted.clone(),
            candidate: candidate.clone(),
        };
        let mut bench = self.bench().await?;
        let servers = prove::servers(&mut bench, &case).await?;
        let proved = language.is_some_and(|language| servers.proved.contains(&language.name));
        if proved || !servers.new.is_empty() {
            return Ok(!servers.new.is_empty());
        }
        Ok(!prove::tools(&mut bench, &case, &servers.complete).await?.new.is_empty())
    }

    /// Builds the tests of a tree; why that fails, where it does.
    async fn build(
        &self,
        ground: &Ground<'_>,
        layout: &Layout,
    ) -> Result<Option<String>, GateError> {
        let bench = self.bench().await?;
        bench.lay_out(layout).await?;
        for (spec, folder) in ground.tests.iter().filter(|(spec, _)| !spec.build.is_empty()) {
            let command = spec.command.iter().chain(&spec.build).cloned().collect();
            let spec = ToolSpec { command, ..spec.clone() };
            match bench.runner().run(&spec, folder).await {
                Ok(ended) if ended.success => {}
                Ok(ended) => return Ok(Some(ended.last_words())),
                Err(why) => return Ok(Some(why)),
            }
        }
        Ok(None)
    }

    /// Runs the tests of a tree up to the first that fails.
    async fn run_tests(&self, ground: &Ground<'_>, layout: &Layout) -> Result<Tests, GateError> {
        let bench = self.bench().await?;
        bench.lay_out(layout).await?;
        let mut tests = Tests::None;
        for (spec, folder) in &ground.tests {
            let run = bench.runner().run(spec, folder);
            match tokio::time::timeout(ground.limit, run).await {
                Err(_) => return Ok(Tests::Red(format!("{} did not end", spec.name))),
                Ok(Err(why)) => return Ok(Tests::Unknown(why)),
                Ok(Ok(ended)) if !ended.success => return Ok(Tests::Red(ended.last_words())),
                Ok(Ok(ended)) if ran_none(&ended.stdout) => {}
                Ok(Ok(_)) => tests = Tests::Green,
            }
        }
        Ok(tests)
    }
}

/// One failure is enough to know.
fn until_the_first_failure(spec: &ToolSpec) -> ToolSpec {
    let command = spec.command.iter().filter(|argument| *argument != "--no-fail-fast");
    ToolSpec { command: command.cloned().collect(), ..spec.clone() }
}

/// Whether a test tool says of itself that it had nothing to run. One that says nothing did run something.
fn ran_none(stdout: &str) -> bool {
    let counts = stdout.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        match (words.next()?, words.next()?, words.next()) {
            ("running", count, Some("test" | "tests")) => count.parse::<u64>().ok(),
            ("ℹ" | "#", "tests", Some(count)) => count.parse().ok(),
            _ => None,
        }
    });
    counts.reduce(|a, b| a.saturating_add(b)) == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tests_are_told_from_some() {
        assert!(ran_none("running 0 tests\n\nrunning 0 tests\n"));
        assert!(!ran_none("running 0 tests\n\nrunning 1 test\n"));
        assert!(ran_none("ℹ tests 0\nℹ pass 0\n"));
        assert!(!ran_none("# tests 3\n"));
        assert!(!ran_none("all is well\n"));
    }
}
