//! From what the stages found to the whole verdict. Pure: nothing is read, asked or written here.

use super::{Problem, Report, Stage, StageVerdict, Verdict};
use crate::gate::gate::Checked;
use crate::gate::prepare::problem;
use crate::gate::prove::{self, Case, Findings};
use crate::workspace::FileWrite;
use crate::workspace::resolve::Resolved;

/// Puts what a stage found into the report, each with the code as it would be after the change.
pub(in crate::gate) fn add_problems(
    report: &mut Report,
    stage: Stage,
    findings: &Findings,
    resolved: &Resolved,
) {
    for diagnostic in &findings.new {
        let changed = resolved.files.iter().find(|file| file.path == diagnostic.path);
        let text = match changed {
            Some(file) => file.result.clone().unwrap_or_default(),
            None => findings.texts.get(&diagnostic.path).cloned().unwrap_or_default(),
        };
        report.problems.push(problem(stage, diagnostic.clone(), &text));
    }
}

pub(in crate::gate) fn refused(mut report: Report) -> Checked {
    report.verdict = Verdict::Refused;
    let doubted = report.problems.iter().any(|problem| problem.stage == Stage::Syntax);
    if doubted {
        set_verdict(&mut report, Stage::Syntax, StageVerdict::Refused, "");
    }
    Checked { report, contents: Vec::new(), base: None }
}

fn set_verdict(report: &mut Report, stage: Stage, verdict: StageVerdict, more: &str) {
    for found in report.stages.iter_mut().filter(|found| found.stage == stage) {
        found.verdict = verdict;
        found.detail.push_str(more);
    }
}

/// The verdict where no stage refused: every changed file of a known language must have been proved by somebody.
pub(in crate::gate) fn conclude(
    mut report: Report,
    case: &Case<'_>,
    suspects: Vec<Problem>,
    findings: &[Findings],
) -> Checked {
    let is_proved = |name: &str| findings.iter().any(|found| found.proved.contains(name));
    let proved = prove::touched(case).iter().all(|language| is_proved(&language.name));
    if !suspects.is_empty() {
        if !proved {
            report.problems = suspects;
            return refused(report);
        }
        set_verdict(
            &mut report,
            Stage::Syntax,
            StageVerdict::Passed,
            "; the compiler does not, and it decides",
        );
    }
    if !proved || findings.iter().any(|found| found.cut_short) {
        report.verdict = Verdict::Unverified;
        return Checked { report, contents: Vec::new(), base: None };
    }
    report.verdict = Verdict::Accepted;
    let contents = case.resolved.files.iter().map(|file| FileWrite {
        path: file.path.clone(),
        expect: file.base.as_ref().map(|base| base.hash.clone()),
        result: file.result.as_ref().map(|text| text.clone().into_bytes()),
    });
    Checked { contents: contents.collect(), base: Some(case.base.tree.clone()), report }
}
