//! The stages that ask nobody: apply, syntax and rules. They read the workspace and write nothing.

pub mod pair;
pub mod syntax;

use std::collections::BTreeMap;
use std::time::Instant;

use super::diagnostic::{Diagnostic, Place, Range, Severity};
use super::error::GateError;
use super::languages::{self, Languages};
use super::prove::elapsed_us;
use super::report::frame::frame;
use super::report::{FileProof, Problem, Report, Stage, StageReport, StageVerdict, Verdict};
use super::rules::{self, Around, Project};
use pair::{Known, Pair};

use super::workbench::Layout;
use crate::workspace::change::ChangeSet;
use crate::workspace::hash::sha256;
use crate::workspace::resolve::{ApplyProblem, Overlaid, Resolved, ResolvedFile, resolve};
use crate::workspace::{OpenTexts, RelPath, Tree, Workspace};

/// How often a tree that changes while it is read is read again.
const ATTEMPTS: usize = 4;

/// A change-set fitted to its base, and all that the cheap stages said.
pub(super) struct Prepared {
    pub(super) report: Report,
    pub(super) resolved: Resolved,
    pub(super) base: Layout,
    /// What a grammar alone suspects; see [`syntax`].
    pub(super) suspects: Vec<Problem>,
}

/// The whole tree, with those ignored files that compilers need all the same.
pub(super) fn scan(
    workspace: &Workspace,
    languages: Languages,
    open: &OpenTexts,
) -> Result<Layout, GateError> {
    let mut tree = workspace.scan(open)?;
    for language in languages.all() {
        for folder in languages::project_folders(language, tree.files.keys()) {
            for name in &language.needs {
                let path =
                    if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                let Ok(path) = RelPath::new(&path) else {
                    continue;
                };
                if let Some(hash) = workspace.hash_of(&path)? {
                    tree.files.entry(path).or_insert(hash);
                }
            }
        }
    }
    let mut texts: BTreeMap<RelPath, String> =
        open.iter().map(|(path, open)| (path.clone(), open.text.clone())).collect();
    for (link, target) in &tree.links {
        if let Some(text) = texts.get(target).cloned() {
            texts.insert(link.clone(), text);
        }
    }
    Ok(Layout::new(tree, texts))
}

/// The base with the candidate's files in place of its own.
pub(super) fn lay_over(base: &Layout, resolved: &Resolved) -> Layout {
    let mut tree: Tree = base.tree.clone();
    let mut texts: BTreeMap<RelPath, String> = base.texts.clone();
    for file in &resolved.files {
        // What leads to a file by a symbolic link changes with it.
        let links = base.tree.links.iter().filter(|(_, target)| **target == file.path);
        for path in std::iter::once(&file.path).chain(links.map(|(link, _)| link)) {
            match &file.result {
                Some(text) => {
                    tree.files.insert(path.clone(), sha256(text.as_bytes()));
                    texts.insert(path.clone(), text.clone());
                }
                None => {
                    tree.files.remove(path);
                    texts.remove(path);
                }
            }
        }
    }
    Layout::new(tree, texts)
}

/// Runs the three stages; a refusal is in the report.
pub(super) fn prepare(
    workspace: &Workspace,
    languages: Languages,
    change: &ChangeSet,
    open: &OpenTexts,
) -> Result<Prepared, GateError> {
    let began = Instant::now();
    let (resolved, base) = match fit(workspace, languages, change, open)? {
        Ok(fitted) => fitted,
        Err(problems) => {
            return Ok(Prepared {
                report: unfit(problems, began),
                resolved: Resolved::default(),
                base: Layout::default(),
                suspects: Vec::new(),
            });
        }
    };
    let mut report = empty();
    let detail = format!("{} files fit their base", resolved.files.len());
    report.stages.push(cheap(Stage::Apply, StageVerdict::Passed, detail, began));
    report.files = resolved.files.iter().map(proof_of).collect();
    let began = Instant::now();
    let pairs: Vec<Pair<'_>> = resolved.files.iter().zip(&report.files).map(pair).collect();
    let suspects = suspects(&pairs);
    report.stages.push(syntax_report(&pairs, suspects.len(), began));
    let began = Instant::now();
    let around = Unchanged { workspace, base: &base, pairs: &pairs };
    let ruled = rules::check(&pairs, &Project::read(workspace.root()), &around)?;
    let breaches = problems(Stage::Rules, ruled.breaches, &pairs);
    let rules = rules_report(&breaches, &ruled.faults, began);
    if rules.verdict == StageVerdict::Refused {
        report.verdict = Verdict::Refused;
        report.problems = suspects.iter().cloned().chain(breaches).collect();
    }
    report.stages.push(rules);
    Ok(Prepared { report, resolved, base, suspects })
}

fn empty() -> Report {
    Report {
        verdict: Verdict::Unverified,
        stages: Vec::new(),
        files: Vec::new(),
        problems: Vec::new(),
        revealed: Vec::new(),
        repairs: Vec::new(),
    }
}

/// The refusal of what does not fit its base.
pub(super) fn unfit(problems: Vec<ApplyProblem>, began: Instant) -> Report {
    let detail = format!("{} changes do not fit", problems.len());
    let stage = cheap(Stage::Apply, StageVerdict::Refused, detail, began);
    let problems = problems.into_iter().map(not_fitting).collect();
    Report { verdict: Verdict::Refused, stages: vec![stage], problems, ..empty() }
}

fn syntax_report(pairs: &[Pair<'_>], doubts: usize, began: Instant) -> StageReport {
    let looked_at = pairs.iter().filter(|pair| pair.grammar.is_some() && pair.after.is_some());
    let (verdict, detail) = match (looked_at.count(), doubts) {
        (0, _) => (StageVerdict::NotApplicable, "no file of a known grammar".to_owned()),
        (files, 0) => (StageVerdict::Passed, format!("{files} files parse as well as before")),
        (_, places) => (StageVerdict::Unverified, format!("the grammar doubts {places} places")),
    };
    cheap(Stage::Syntax, verdict, detail, began)
}

/// A rule of the project that cannot be used refuses nothing, and is told in every report.
fn rules_report(breaches: &[Problem], faults: &[String], began: Instant) -> StageReport {
    let refuses = breaches.iter().any(|problem| problem.diagnostic.severity == Severity::Error);
    let verdict = if refuses { StageVerdict::Refused } else { StageVerdict::Passed };
    let mut detail = vec![format!("{} breaches", breaches.len())];
    detail.extend_from_slice(faults);
    cheap(Stage::Rules, verdict, detail.join("; "), began)
}

type Fitted = Result<(Resolved, Layout), Vec<ApplyProblem>>;

/// Resolves `change` on a tree that stood still meanwhile.
fn fit(
    workspace: &Workspace,
    languages: Languages,
    change: &ChangeSet,
    open: &OpenTexts,
) -> Result<Fitted, GateError> {
    let mut moving = None;
    for _ in 0..ATTEMPTS {
        let base = scan(workspace, languages, open)?;
        let resolved = match resolve(change, &Overlaid { workspace, open }) {
            Ok(resolved) => resolved,
            Err(problems) => return Ok(Err(problems)),
        };
        if resolved.files.is_empty() {
            return Ok(Err(vec![empty_change()?]));
        }
        let moved = resolved.files.iter().find(|file| {
            let scanned = base.tree.files.get(&file.path);
            scanned.is_some() && scanned != file.base.as_ref().map(|base| &base.hash)
        });
        match moved {
            None => return Ok(Ok((resolved, base))),
            Some(file) => moving = Some(file.path.clone()),
        }
    }
    match moving {
        Some(path) => Err(GateError::Moving { path }),
        None => Err(GateError::Internal { why: "no attempt was made to read the tree".to_owned() }),
    }
}

fn empty_change() -> Result<ApplyProblem, GateError> {
    let path = RelPath::new("change-set")
        .map_err(|error| GateError::Internal { why: error.to_string() })?;
    Ok(ApplyProblem {
        path,
        line: 0,
        message: "the change-set is empty; say at least one change".to_owned(),
        frame: String::new(),
    })
}

pub(super) fn cheap(
    stage: Stage,
    verdict: StageVerdict,
    detail: String,
    began: Instant,
) -> StageReport {
    StageReport { stage, verdict, detail, tools: Vec::new(), us: elapsed_us(began), asked: None }
}

fn not_fitting(problem: ApplyProblem) -> Problem {
    let place = Place { line: problem.line, column: 0 };
    Problem {
        stage: Stage::Apply,
        diagnostic: Diagnostic {
            path: problem.path,
            range: Range { start: place, end: place },
            severity: Severity::Error,
            code: None,
            message: problem.message,
            source: "apply".to_owned(),
            remedies: Vec::new(),
        },
        frame: problem.frame,
    }
}

fn proof_of(file: &ResolvedFile) -> FileProof {
    FileProof {
        path: file.path.clone(),
        base: file.base.as_ref().map(|base| base.hash.clone()),
        result: file.result.as_ref().map(|text| sha256(text.as_bytes())),
    }
}

/// A file as the cheap stages read it. One that was renamed is compared with the text that it had under its old name,
/// which a rename does not change.
fn pair<'a>((file, proof): (&'a ResolvedFile, &'a FileProof)) -> Pair<'a> {
    fn known<'a>(text: Option<&'a str>, hash: &'a Option<String>) -> Option<Known<'a>> {
        Some(Known { text: text?, hash: hash.as_deref()? })
    }
    let after = known(file.result.as_deref(), &proof.result);
    match &file.renamed_from {
        Some(_) => Pair { moved: true, ..Pair::new(&file.path, after, after) },
        None => {
            let before = file.base.as_ref().map(|base| base.text.as_str());
            Pair::new(&file.path, known(before, &proof.base), after)
        }
    }
}

/// What the grammars doubt.
fn suspects(pairs: &[Pair<'_>]) -> Vec<Problem> {
    problems(Stage::Syntax, pairs.iter().flat_map(syntax::new_errors).collect(), pairs)
}

/// The files that the change-set leaves alone.
struct Unchanged<'a> {
    workspace: &'a Workspace,
    base: &'a Layout,
    pairs: &'a [Pair<'a>],
}

impl Around for Unchanged<'_> {
    fn has(&self, path: &str) -> bool {
        match self.pairs.iter().find(|pair| pair.path.as_str() == path) {
            Some(pair) => pair.after.is_some(),
            None => RelPath::new(path).is_ok_and(|path| self.base.tree.files.contains_key(&path)),
        }
    }

    fn paths(&self) -> Vec<RelPath> {
        let changes = |path: &RelPath| self.pairs.iter().any(|pair| pair.path == path);
        self.base.tree.files.keys().filter(|path| !changes(path)).cloned().collect()
    }

    fn text(&self, path: &RelPath) -> Option<String> {
        match self.base.texts.get(path) {
            Some(text) => Some(text.clone()),
            // What cannot be read as text imports nothing that a grammar would see.
            None => self.workspace.read(path).ok()?.map(|file| file.text),
        }
    }
}

/// Findings with the code around them, as it would be after the change.
fn problems(stage: Stage, found: Vec<Diagnostic>, pairs: &[Pair<'_>]) -> Vec<Problem> {
    let text = |diagnostic: &Diagnostic| {
        pairs.iter().find(|pair| *pair.path == diagnostic.path).and_then(|pair| pair.after)
    };
    let framed = found.into_iter().map(|found| {
        let text = text(&found).unwrap_or_default();
        problem(stage, found, text)
    });
    framed.collect()
}

pub(super) fn problem(stage: Stage, diagnostic: Diagnostic, text: &str) -> Problem {
    let frame = frame(text, diagnostic.range);
    Problem { stage, diagnostic, frame }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
