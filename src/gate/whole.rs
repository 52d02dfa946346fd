//! The whole tree, at rest: what the native tools and the tests say of it, and how that compares with what stood before.

use std::collections::BTreeSet;
use std::time::Instant;

use super::diagnostic::Diagnostic;
use super::error::GateError;
use super::gate::{Diagnosis, Gate};
use super::language::{Purpose, ToolSpec};
use super::languages::{self, Languages};
use super::newness::baseline::Baseline;
use super::prepare::cheap;
use super::report::{Stage, StageReport, StageVerdict};
use super::tools::suite::Suite;
use super::tools::{Answered, Outcome};
use super::workbench::{Layout, Workbench};
use crate::workspace::OpenTexts;

/// Every test tool's word on one tree.
#[derive(Debug, Default)]
struct Suites {
    run: Vec<(String, Suite)>,
    /// Those of projects that have nothing to run.
    none: Vec<String>,
    unverified: Vec<String>,
}

impl Gate {
    /// What the native tools say of the tree as it is, from memory when they said it of this very tree before.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn diagnose(&self, open: &OpenTexts) -> Result<Diagnosis, GateError> {
        let layout = self.layout(open).await?;
        let mut bench = self.bench().await?;
        let (answered, unverified) = survey(&mut bench, self.languages, &layout).await?;
        let mut diagnostics: Vec<Diagnostic> =
            answered.found.into_iter().map(|found| found.diagnostic).collect();
        diagnostics
            .sort_by(|a, b| (&a.path, a.range, &a.message).cmp(&(&b.path, b.range, &b.message)));
        Ok(Diagnosis { diagnostics, unverified })
    }

    /// What is wrong with the tree as it is: errors and failing tests.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn baseline(&self, open: &OpenTexts) -> Result<Baseline, GateError> {
        let layout = self.layout(open).await?;
        let mut bench = self.bench().await?;
        let (answered, _) = survey(&mut bench, self.languages, &layout).await?;
        let suites = suites(&mut bench, self.languages, &layout).await?;
        Ok(Baseline::of(&answered, &suites.run))
    }

    /// The tests of the tree as it is. A test that passed in `baseline` and fails refuses; one that is new and fails is told.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn tests(
        &self,
        open: &OpenTexts,
        baseline: &Baseline,
    ) -> Result<StageReport, GateError> {
        let layout = self.layout(open).await?;
        let mut bench = self.bench().await?;
        let began = Instant::now();
        let suites = suites(&mut bench, self.languages, &layout).await?;
        Ok(tests_report(&suites, baseline, Strictness::Item, began))
    }

    /// The stages of a seal over the whole tree as it is: native tools and tests. An error or a failing test refuses, unless
    /// it stands in `baseline`.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn whole(
        &self,
        open: &OpenTexts,
        baseline: &Baseline,
    ) -> Result<Vec<StageReport>, GateError> {
        let layout = self.layout(open).await?;
        let mut bench = self.bench().await?;
        let began = Instant::now();
        let (answered, unverified) = survey(&mut bench, self.languages, &layout).await?;
        let tools = tools_report(&answered, &unverified, baseline, &layout, began);
        let began = Instant::now();
        let suites = suites(&mut bench, self.languages, &layout).await?;
        Ok(vec![tools, tests_report(&suites, baseline, Strictness::Seal, began)])
    }
}

/// Every tool of a purpose that a tree uses, with the folder of each project.
async fn used(
    bench: &Workbench,
    languages: Languages,
    layout: &Layout,
    purpose: Purpose,
) -> Result<Vec<(&'static ToolSpec, String)>, GateError> {
    let mut used = Vec::new();
    for language in languages.all() {
        let folders = languages::project_folders(language, layout.tree.files.keys());
        for spec in language.tools.iter().filter(|spec| spec.purpose == purpose) {
            for folder in &folders {
                if bench.is_used(spec, folder, layout).await? {
                    used.push((spec, folder.clone()));
                }
            }
        }
    }
    Ok(used)
}

/// Every check tool's word on one tree: what it found, and what kept it from answering.
async fn survey(
    bench: &mut Workbench,
    languages: Languages,
    layout: &Layout,
) -> Result<(Answered, Vec<String>), GateError> {
    let mut all = Answered::default();
    let mut unverified = Vec::new();
    let mut tools = BTreeSet::new();
    for (spec, folder) in used(bench, languages, layout, Purpose::Check).await? {
        match bench.ask_tool(spec, &folder, layout).await? {
            Outcome::Answered(answered) => {
                all.found.extend(answered.found);
                tools.insert(answered.tool);
            }
            Outcome::Missing(reason) | Outcome::Failed(reason) => unverified.push(reason),
        }
    }
    all.tool = Vec::from_iter(tools).join("\n");
    Ok((all, unverified))
}

async fn suites(
    bench: &mut Workbench,
    languages: Languages,
    layout: &Layout,
) -> Result<Suites, GateError> {
    let mut suites = Suites::default();
    for (spec, folder) in used(bench, languages, layout, Purpose::Test).await? {
        let name = match folder.as_str() {
            "" => spec.name.clone(),
            _ => format!("{} in {folder}", spec.name),
        };
        match bench.run_tests(spec, &folder, layout).await? {
            Some(Ok(suite)) => suites.run.push((name, suite)),
            Some(Err(reason)) => suites.unverified.push(reason),
            None => suites.none.push(name),
        }
    }
    Ok(suites)
}

fn tools_report(
    answered: &Answered,
    unverified: &[String],
    baseline: &Baseline,
    layout: &Layout,
    began: Instant,
) -> StageReport {
    let errors = || {
        let all = answered.found.iter().map(|found| &found.diagnostic);
        all.filter(|diagnostic| diagnostic.is_error())
    };
    let new = baseline.new_errors(errors(), |path| layout.tree.files.contains_key(path));
    let (verdict, detail) = if let Some(first) = new.first() {
        let place = format!("{}:{}", first.path, first.range.start.line + 1);
        let message = first.message.lines().next().unwrap_or_default();
        let detail = format!("{} errors, the first at {place}: {message}", new.len());
        (StageVerdict::Refused, detail)
    } else if !unverified.is_empty() {
        (StageVerdict::Unverified, unverified.join("; "))
    } else if answered.tool.is_empty() {
        (StageVerdict::NotApplicable, "nothing here to check".to_owned())
    } else {
        let detail = match errors().count() {
            0 => "no error in the whole tree".to_owned(),
            stood => format!("no new error in the whole tree; {stood} stood before"),
        };
        (StageVerdict::Passed, detail)
    };
    StageReport {
        tools: answered.tool.lines().map(str::to_owned).collect(),
        ..cheap(Stage::Tools, verdict, detail, began)
    }
}

/// What a failing test that nobody knows from before means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// A test may be written before what it tests.
    Item,
    /// At the end it passes.
    Seal,
}

fn tests_report(
    suites: &Suites,
    baseline: &Baseline,
    strictness: Strictness,
    began: Instant,
) -> StageReport {
    let mut red = Vec::new();
    let mut unknown = suites.unverified.clone();
    let mut notes = Vec::new();
    let gone = suites.none.iter().filter(|name| baseline.knows(name));
    unknown.extend(gone.map(|name| format!("{name} was run before, and is not there any more")));
    for (name, suite) in &suites.run {
        let compared = baseline.compare(name, suite);
        let fresh_is_red = strictness == Strictness::Seal && !compared.fresh.is_empty();
        if !compared.broken.is_empty() || fresh_is_red {
            let fresh = compared.fresh.iter().filter(|_| fresh_is_red);
            let failing: Vec<&str> =
                compared.broken.iter().chain(fresh).map(String::as_str).collect();
            red.push(format!("{name}: {}\n{}", failing.join(", "), suite.words));
        }
        unknown.extend(compared.unknown.iter().map(|why| format!("{name}: {why}")));
        let mut note = format!("{name}: {} passed", suite.passed.len());
        for (count, what) in [
            (compared.stood, "failed before and fail still"),
            (compared.fresh.len(), "are new and fail"),
            (compared.gone, "passed before and are not there any more"),
        ] {
            if count > 0 {
                note.push_str(&format!(", {count} {what}"));
            }
        }
        notes.push(note);
    }
    let (verdict, detail) = if !red.is_empty() {
        (StageVerdict::Refused, red.join("\n"))
    } else if !unknown.is_empty() {
        (StageVerdict::Unverified, unknown.join("; "))
    } else if notes.is_empty() {
        (StageVerdict::NotApplicable, "nothing here to test".to_owned())
    } else {
        (StageVerdict::Passed, notes.join("; "))
    };
    let tools = suites.run.iter().map(|(_, suite)| suite.tool.clone());
    StageReport { tools: tools.collect(), ..cheap(Stage::Tests, verdict, detail, began) }
}
