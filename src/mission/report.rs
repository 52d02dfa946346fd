//! A mission told as Markdown, for people: what it was to reach, what came of it, what was proved and what it cost. It is
//! made of the view alone, and says nothing that the view does not.

use std::fmt::Write as _;

use super::accounts::Account;
use super::plan::Plan;
use super::state::{Finding, FindingStatus};
use super::view::MissionView;

/// The report of a mission.
pub fn markdown(view: &MissionView) -> String {
    let mut said = format!("# {}\n\n", plain(&view.goal));
    let (done, all) = view.progress;
    let why = view.end.as_ref().map_or(String::new(), |end| format!(": {}", plain(end.detail())));
    let _ = writeln!(said, "**{}**{why}\n", view.outcome());
    let _ = writeln!(
        said,
        "{done} of {all} steps done · {} · engine {} · mission `{}`\n",
        lasted(view.now.saturating_sub(view.started_at)),
        plain(&view.engine),
        view.id
    );
    plan(&mut said, view.plan.as_ref());
    changes(&mut said, view);
    findings(&mut said, &view.findings);
    remarks(&mut said, &view.remarks);
    costs(&mut said, view);
    said
}

fn plan(said: &mut String, plan: Option<&Plan>) {
    for milestone in plan.iter().flat_map(|plan| &plan.milestones) {
        let _ = writeln!(said, "## {}: {}\n", milestone.id, plain(&milestone.title));
        for task in &milestone.tasks {
            let _ = writeln!(said, "- **{}** {}", task.id, plain(&task.title));
            for step in &task.steps {
                let of = |what: &Option<String>| {
                    what.as_ref().map_or(String::new(), |what| format!(" ({})", plain(what)))
                };
                let (mark, title) = (step.mark.symbol(), plain(&step.title));
                let _ = writeln!(said, "  - [{mark}] {} {title}{}", step.id, of(&step.evidence));
            }
        }
        said.push('\n');
    }
}

fn changes(said: &mut String, view: &MissionView) {
    if view.receipts.is_empty() {
        return;
    }
    said.push_str(
        "## Accepted changes\n\n| receipt | task | files | proved by |\n|---|---|---|---|\n",
    );
    for change in &view.receipts {
        let undone = if change.undone { " (taken back)" } else { "" };
        let files = cell(&change.files.join(", "));
        let _ = writeln!(
            said,
            "| {}{undone} | {} | {files} | {} |",
            change.receipt,
            change.item,
            cell(&change.summary)
        );
    }
    said.push('\n');
}

fn findings(said: &mut String, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    said.push_str("## Findings\n\n| number | where | what | stands |\n|---|---|---|---|\n");
    for finding in findings {
        let line = finding.what.line.map_or(String::new(), |line| format!(":{line}"));
        let file = finding.what.file.as_deref().unwrap_or("the mission");
        let status = match &finding.status {
            FindingStatus::Open => "open".to_owned(),
            FindingStatus::Closed => "closed".to_owned(),
            FindingStatus::Dismissed(reason) => format!("dismissed: {}", cell(reason)),
        };
        let what = cell(&finding.what.message);
        let _ = writeln!(said, "| {} | {}{line} | {what} | {status} |", finding.id, cell(file));
    }
    said.push('\n');
}

fn remarks(said: &mut String, remarks: &[String]) {
    if remarks.is_empty() {
        return;
    }
    said.push_str("## What did not work around it\n\n");
    for remark in remarks {
        let _ = writeln!(said, "- {}", plain(remark));
    }
    said.push('\n');
}

fn costs(said: &mut String, view: &MissionView) {
    said.push_str("## What it cost\n\n| | requests | tokens in | of them cached | out | US dollars | median latency |\n|---|---|---|---|---|---|---|\n");
    let mut row = |name: &str, account: &Account| {
        let usage = &account.usage;
        let _ = writeln!(
            said,
            "| {} | {} | {} | {} | {} | {:.4} | {} |",
            cell(name),
            account.requests,
            usage.input,
            usage.cached,
            usage.output,
            usage.micro_usd as f64 / 1e6,
            lasted(account.latency.quantile_ms(0.5)),
        );
    };
    row("in all", &view.account);
    view.roles.iter().for_each(|(role, account)| row(&role.to_string(), account));
    view.providers.iter().for_each(|(model, account)| row(model, account));
}

/// Words of others on one line, with what Markdown would take for its own marked as text.
pub fn plain(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => said.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '~' => {
                said.push('\\');
                said.push(c);
            }
            _ => said.push(c),
        }
    }
    said
}

/// The same for a cell of a table, cut where it would be a page.
fn cell(text: &str) -> String {
    const MOST: usize = 400;
    let text = match text.char_indices().nth(MOST) {
        Some((cut, _)) => &format!("{}…", &text[..cut]),
        None => text,
    };
    plain(text)
}

/// Milliseconds, in words.
pub fn lasted(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{:.1} s", ms as f64 / 1e3),
        60_000..=3_599_999 => format!("{} min {} s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Gravity, MissionId, NewFinding};
    use crate::plan::parse;
    use crate::state::{Accepted, End, FoundBy, Mission};

    #[test]
    fn all_of_a_mission_is_told_and_words_stay_words() {
        let mut m = Mission::new(MissionId("m1".into()));
        m.goal = "mend `it` | all".into();
        (m.started_at, m.now) = (1_000, 63_000);
        let text =
            "# Mission: g\n## M1: one\n### T1.1: two\n- [x] S1.1.1: three | evidence:it builds\n";
        m.plan = Some(parse(text).unwrap());
        let item = m.plan.as_ref().unwrap().tasks().next().unwrap().id.clone();
        m.receipts.push(Accepted {
            receipt: 1,
            item,
            files: vec!["src/a_b.rs".into()],
            summary: "syntax ok".into(),
            undone: true,
        });
        m.findings.push(Finding {
            id: 7,
            item: None,
            by: FoundBy::Reviewer,
            what: NewFinding {
                file: Some("src/a.rs".into()),
                line: Some(3),
                severity: Gravity::Error,
                message: "x < y\nand more".into(),
                fix: None,
                kind: None,
            },
            status: FindingStatus::Dismissed("no".into()),
        });
        m.remark("plugin `a`: threw".into());
        m.remark("plugin `a`: threw".into());
        m.ended = Some(End::Blocked { needs: "a person".into() });
        let said = markdown(&MissionView::of(&m));
        for part in [
            "# mend \\`it\\` \\| all\n",
            "**blocked**: a person",
            "1 of 1 steps done · 1 min 2 s",
            "- **T1.1** two\n  - [x] S1.1.1 three (it builds)",
            "| 1 (taken back) | T1.1 | src/a\\_b.rs | syntax ok |",
            "| 7 | src/a.rs:3 | x \\< y and more | dismissed: no |",
            "## What did not work around it\n\n- plugin \\`a\\`: threw\n\n##",
            "| in all | 0 | 0 | 0 | 0 | 0.0000 | 0 ms |",
        ] {
            assert!(said.contains(part), "{part}\nis not in\n{said}");
        }
    }
}
