//! One edit, what the compiler said of it and what the gate did: and so whether the gate was right. Pure.

use serde::Serialize;

use super::edits::Kind;
use super::oracle::Ruling;
use crate::gate::report::Asked;
use crate::gate::{Checked, GateError, Report, Stage, StageReport, StageVerdict, Verdict};

/// How the gate did on one edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// Refused, and rightly so.
    Caught,
    /// Accepted, though the compiler or a rule should have kept it out.
    Missed,
    /// Accepted, and rightly so.
    Accepted,
    /// Refused, though the compiler has nothing against it.
    FalseRefusal,
    /// Refused by a rule where no rule was meant to be tried; a person judges.
    ByRule,
    /// Neither: the gate could not prove it.
    Unverified,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Row {
    pub class: String,
    /// Its number in the class from 1, or a commit.
    pub name: String,
    pub kind: Kind,
    /// `None` where the compiler was not asked.
    pub ruling: Option<Ruling>,
    pub verdict: Verdict,
    /// The stage that decided a refusal.
    pub stage: Option<Stage>,
    /// Whether a refusal names a file that the edit itself touches, before any compiler was run.
    pub own_file: bool,
    /// Whether it was accepted though neither a server nor a tool said that it passed.
    pub unproved: bool,
    /// Microseconds of each stage that was run.
    pub stages: Vec<(Stage, u64)>,
    /// What the questions put to servers took, where there were any.
    pub asked: Option<Asked>,
    /// Microseconds of the whole.
    pub us: u64,
    /// What the gate said, in one line.
    pub detail: String,
}

impl Row {
    /// An edit that was put to the gate; `us` is how long that took.
    pub fn new(
        (class, name, kind): (&str, String, Kind),
        ruling: Option<Ruling>,
        checked: Result<Checked, GateError>,
        us: u64,
    ) -> Row {
        let mut row = Row {
            class: class.to_owned(),
            name,
            kind,
            ruling,
            verdict: Verdict::Unverified,
            stage: None,
            own_file: false,
            unproved: false,
            stages: Vec::new(),
            asked: None,
            us,
            detail: String::new(),
        };
        match checked {
            Ok(checked) => row.read(&checked.report),
            Err(error) => row.detail = error.to_string(),
        }
        row
    }

    fn read(&mut self, report: &Report) {
        self.verdict = report.verdict;
        self.stages = report.stages.iter().map(|stage| (stage.stage, stage.us)).collect();
        self.asked = report.stages.iter().find_map(|stage| stage.asked);
        let mut refusing =
            report.stages.iter().rev().filter(|stage| stage.verdict == StageVerdict::Refused);
        if report.verdict == Verdict::Refused {
            self.stage = refusing.next().map(|stage| stage.stage);
        }
        let touches = |path| report.files.iter().any(|file| &file.path == path);
        self.own_file = self.stage.is_some_and(|stage| stage <= Stage::Servers)
            && report.problems.iter().any(|problem| touches(&problem.diagnostic.path));
        let proves = |stage: &StageReport| {
            stage.stage >= Stage::Servers && stage.verdict == StageVerdict::Passed
        };
        self.unproved = report.verdict == Verdict::Accepted && !report.stages.iter().any(proves);
        self.detail = said(report);
    }

    /// Whether it should have been refused.
    pub fn breaks(&self) -> bool {
        self.kind == Kind::Policy || matches!(self.ruling, Some(Ruling::Breaks(..)))
    }

    pub fn judgement(&self) -> Judgement {
        match (self.verdict, self.breaks()) {
            (Verdict::Unverified, _) => Judgement::Unverified,
            (Verdict::Accepted, true) => Judgement::Missed,
            (Verdict::Accepted, false) => Judgement::Accepted,
            (Verdict::Refused, true) => Judgement::Caught,
            (Verdict::Refused, false) => match self.stage {
                Some(Stage::Rules) if self.kind != Kind::Sound => Judgement::ByRule,
                _ => Judgement::FalseRefusal,
            },
        }
    }

    /// Whether the gate was wrong.
    pub fn is_failure(&self) -> bool {
        self.unproved || matches!(self.judgement(), Judgement::Missed | Judgement::FalseRefusal)
    }

    /// `CLASS#N`.
    pub fn id(&self) -> String {
        format!("{}#{}", self.class, self.name)
    }
}

/// The first problem, or why it was not verified.
fn said(report: &Report) -> String {
    if let Some(problem) = report.problems.first() {
        let diagnostic = &problem.diagnostic;
        let code = diagnostic.code.as_deref().unwrap_or_default();
        let message = diagnostic.message.lines().next().unwrap_or_default();
        return format!("{}:{} {code} {message}", diagnostic.path, diagnostic.range.start.line + 1);
    }
    let open = report.stages.iter().filter(|stage| stage.verdict == StageVerdict::Unverified);
    let first_line = |stage: &StageReport| stage.detail.lines().next().map(str::to_owned);
    open.filter_map(first_line).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: Kind, breaks: bool, verdict: Verdict, stage: Option<Stage>) -> Row {
        let ruling = if breaks { Ruling::Breaks(1, String::new()) } else { Ruling::Compiles };
        let error = GateError::Internal { why: String::new() };
        let blank = Row::new(("x", "1".to_owned(), kind), Some(ruling), Err(error), 0);
        Row { verdict, stage, ..blank }
    }

    #[test]
    fn only_what_the_compiler_refuses_may_be_refused() {
        use Verdict::{Accepted, Refused, Unverified};
        let tools = Some(Stage::Tools);
        let judge = |kind, breaks, verdict, stage| row(kind, breaks, verdict, stage).judgement();
        assert_eq!(judge(Kind::Broken, true, Accepted, None), Judgement::Missed);
        assert_eq!(judge(Kind::Broken, true, Refused, tools), Judgement::Caught);
        assert_eq!(judge(Kind::Broken, false, Refused, tools), Judgement::FalseRefusal);
        assert_eq!(judge(Kind::Broken, false, Refused, Some(Stage::Rules)), Judgement::ByRule);
        assert_eq!(judge(Kind::Sound, false, Refused, Some(Stage::Rules)), Judgement::FalseRefusal);
        assert_eq!(judge(Kind::Sound, true, Accepted, None), Judgement::Missed);
        assert_eq!(judge(Kind::Policy, false, Accepted, None), Judgement::Missed);
        assert_eq!(judge(Kind::Commit, false, Unverified, None), Judgement::Unverified);
    }
}
