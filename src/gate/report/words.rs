//! Reports in words, for people, stories and receipts' one-line summaries.

use super::{Report, StageReport, StageVerdict};

/// The stages in one line: `apply ok, syntax ok, servers unverified, tools ok`. What does not apply is left out.
pub fn stages(stages: &[StageReport]) -> String {
    let word = |s: &StageReport| match s.verdict {
        StageVerdict::Passed => Some("ok"),
        StageVerdict::Refused => Some("refused"),
        StageVerdict::Unverified => Some("unverified"),
        StageVerdict::NotApplicable => None,
    };
    let named = stages.iter().filter_map(|s| {
        let name = format!("{:?}", s.stage).to_lowercase();
        word(s).map(|word| format!("{name} {word}"))
    });
    named.collect::<Vec<_>>().join(", ")
}

/// An accepted change-set in one line: the stages, and what was mended in it on the way.
pub fn accepted(report: &Report) -> String {
    let mut text = stages(&report.stages);
    let mended = report.repairs.iter().map(|repair| format!("{}: {}", repair.path, repair.title));
    let mended: Vec<String> = mended.collect();
    if !mended.is_empty() {
        text.push_str(&format!("; mended on the way: {}", mended.join(", ")));
    }
    text
}

/// Why nothing could prove the change-set.
pub fn unverified(report: &Report) -> String {
    let open = report.stages.iter().filter(|s| s.verdict == StageVerdict::Unverified);
    open.map(|s| s.detail.clone()).collect::<Vec<_>>().join("; ")
}
