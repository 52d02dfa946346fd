//! What a report says of a mission, and in which order.

use std::collections::BTreeMap;

use super::facts::{Facts, Verdict};
use super::page::{Bar, Chart, Page, Part, clock, lined};
use crate::gate::report::receipt::Proof;
use crate::gate::{Stage, StageReport, StageVerdict};
use crate::mission::accounts::Account;
use crate::mission::plan::{Mark, Plan};
use crate::mission::report::lasted;
use crate::mission::{FindingStatus, FoundBy};

pub(super) fn page(facts: &Facts) -> Page {
    let view = &facts.view;
    let mut parts = outcome(facts);
    let sections: [(&str, Vec<Part>); 10] = [
        ("What fell short", shortcomings(facts)),
        ("Plan", plan(facts)),
        ("Where the time went", times(facts)),
        ("Models and cost", accounts(facts)),
        ("Verdicts of the gate", verdicts(facts)),
        ("Refusals", refusals(facts)),
        ("Findings", findings(facts)),
        ("Receipts", receipts(facts)),
        ("Questions", questions(facts)),
        ("What happened", story(facts)),
    ];
    for (heading, section) in sections.into_iter().filter(|(_, section)| !section.is_empty()) {
        parts.push(Part::Heading(heading.to_owned()));
        parts.extend(section);
    }
    Page { title: view.goal.clone(), parts }
}

fn outcome(facts: &Facts) -> Vec<Part> {
    let view = &facts.view;
    let why = view.end.as_ref().map_or(String::new(), |end| format!(": {}", end.detail()));
    let (done, all) = view.progress;
    vec![
        Part::Words(format!("Outcome: {}{why}", view.outcome())),
        Part::Words(format!(
            "{done} of {all} steps done · {} · {} accepted changes · answered by {} · mission {}",
            lasted(view.now.saturating_sub(view.started_at)),
            view.receipts.len(),
            view.engine,
            view.id
        )),
    ]
}

/// All that a reader should not miss under a good outcome.
fn shortcomings(facts: &Facts) -> Vec<Part> {
    let view = &facts.view;
    let mut short = Vec::new();
    if let Some(end) = view.end.as_ref().filter(|end| end.name() != "sealed") {
        short.push(format!("It was not sealed, but ended as {}: {}", end.name(), end.detail()));
    }
    if view.end.is_none() {
        short.push(format!("It has not ended: it is {}.", view.state));
    }
    short.extend(view.sealed_but().map(|but| format!("It was sealed, and yet {but}.")));
    let steps = view.plan.iter().flat_map(Plan::tasks).flat_map(|task| &task.steps);
    let undone = steps.filter(|step| step.mark != Mark::Done);
    short.extend(undone.map(|step| {
        format!("Step {} is not done ([{}]): {}", step.id, step.mark.symbol(), step.title)
    }));
    let open = view.findings.iter().filter(|f| f.status == FindingStatus::Open);
    short.extend(open.map(|f| format!("Finding {} is open: {}", f.id, f.what.message)));
    let unchecked = facts.verdicts.iter().filter(|verdict| verdict.is == "unverified");
    short.extend(unchecked.map(|verdict| {
        let why = verdict.why.as_deref().unwrap_or_default();
        format!("Could not be checked ({}): {why}", verdict.of)
    }));
    for (number, stage) in stages(facts) {
        if stage.verdict == StageVerdict::Unverified {
            let name = name(stage.stage);
            short.push(format!("Receipt {number}: {name} was not checked: {}", stage.detail));
        }
    }
    let back = view.receipts.iter().filter(|receipt| receipt.undone);
    short.extend(back.map(|receipt| format!("Change {} was taken back.", receipt.receipt)));
    short.extend(view.questions.iter().map(|q| format!("Question {} waits: {}", q.number, q.text)));
    short.extend(view.remarks.iter().map(|remark| format!("Around the mission: {remark}")));
    if facts.is_estimated {
        short.push("A provider sent no counts; tokens are estimated by bytes.".to_owned());
    }
    let list = (!short.is_empty()).then_some(Part::List(short));
    list.into_iter().collect()
}

fn plan(facts: &Facts) -> Vec<Part> {
    let Some(plan) = &facts.view.plan else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for task in plan.tasks() {
        let mark = task.mark().symbol();
        rows.push(vec![format!("{mark} {}", task.id), task.title.clone(), String::new()]);
        for step in &task.steps {
            let proof = step.evidence.clone().unwrap_or_default();
            rows.push(vec![
                format!("{} {}", step.mark.symbol(), step.id),
                step.title.clone(),
                proof,
            ]);
        }
    }
    let mut parts = vec![Part::Table { head: vec!["item", "what", "evidence"], rows }];
    let began = facts.view.started_at;
    let bar = |(item, (from, to)): (&String, &(u64, u64))| Bar {
        name: item.clone(),
        from: from.saturating_sub(began),
        pieces: vec![to.saturating_sub(*from)],
        says: lasted(to.saturating_sub(*from)),
    };
    let bars: Vec<Bar> = facts.items.iter().map(bar).collect();
    if !bars.is_empty() {
        parts.push(Part::Chart(Chart {
            title: "When tasks were worked on",
            series: vec!["work"],
            bars,
        }));
        let row = |(item, (from, to)): (&String, &(u64, u64))| {
            let at = |stamp: &u64| clock(stamp.saturating_sub(began));
            vec![item.clone(), at(from), at(to), lasted(to.saturating_sub(*from))]
        };
        let rows = facts.items.iter().map(row).collect();
        parts.push(Part::Table { head: vec!["task", "from", "to", "took"], rows });
    }
    parts
}

fn times(facts: &Facts) -> Vec<Part> {
    if facts.times.is_empty() {
        return Vec::new();
    }
    let bars = facts.times.iter().map(|(kind, took)| Bar {
        name: kind.name().to_owned(),
        from: 0,
        pieces: vec![took.ms],
        says: lasted(took.ms),
    });
    let rows = facts.times.iter().map(|(kind, took)| {
        let each = lasted(took.ms / took.count.max(1));
        vec![kind.name().to_owned(), took.count.to_string(), lasted(took.ms), each]
    });
    vec![
        Part::Words("Sums; what ran side by side counts each for itself.".to_owned()),
        Part::Chart(Chart { title: "Time", series: vec!["time"], bars: bars.collect() }),
        Part::Table { head: vec!["what", "how often", "in all", "each"], rows: rows.collect() },
    ]
}

fn accounts(facts: &Facts) -> Vec<Part> {
    let view = &facts.view;
    if view.account.requests == 0 {
        return Vec::new();
    }
    let roles = view.roles.iter().map(|(role, account)| (role.to_string(), account));
    let models = view.providers.iter().map(|(model, account)| (model.clone(), account));
    let all: Vec<(String, &Account)> =
        std::iter::once(("in all".to_owned(), &view.account)).chain(roles).chain(models).collect();
    let bar = |(name, account): &(String, &Account)| {
        let usage = &account.usage;
        let fresh = usage.input.saturating_sub(usage.cached);
        Bar {
            name: name.clone(),
            from: 0,
            pieces: vec![fresh, usage.output, usage.cached],
            says: format!("{} in, {} out", usage.input, usage.output),
        }
    };
    let row = |(name, account): &(String, &Account)| {
        let (usage, latency) = (&account.usage, &account.latency);
        vec![
            name.clone(),
            account.requests.to_string(),
            format!(
                "{} ({} recovered, {} failed)",
                account.turns, account.recovered, account.failed
            ),
            format!("{} ({} cached)", usage.input, usage.cached),
            usage.output.to_string(),
            format!("{:.4}", usage.micro_usd as f64 / 1e6),
            format!("{} / {}", lasted(latency.quantile_ms(0.5)), lasted(latency.quantile_ms(0.95))),
        ]
    };
    let series = vec!["in, not cached", "out", "in, cached"];
    let head =
        vec!["who", "requests", "turns", "tokens in", "out", "US dollars", "latency p50 / p95"];
    vec![
        Part::Chart(Chart { title: "Tokens", series, bars: all.iter().map(bar).collect() }),
        Part::Table { head, rows: all.iter().map(row).collect() },
    ]
}

/// The stages of all receipts, each with its receipt's number.
fn stages(facts: &Facts) -> impl Iterator<Item = (u64, &StageReport)> {
    facts.receipts.iter().flat_map(|receipt| {
        let stages = match &receipt.proof {
            Proof::Change { report, .. } => &report.stages,
            Proof::Seal { stages, .. } => stages,
        };
        stages.iter().map(move |stage| (receipt.seq, stage))
    })
}

fn name(stage: Stage) -> String {
    format!("{stage:?}").to_lowercase()
}

/// How a stage has judged: passed, refused, not checked, nothing to check; and what the receipts say that it took.
#[derive(Default)]
struct Judged {
    counts: [u64; 4],
    us: Vec<u64>,
}

fn verdicts(facts: &Facts) -> Vec<Part> {
    let mut by_stage: BTreeMap<String, Judged> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for (_, stage) in stages(facts) {
        let judged = by_stage.entry(name(stage.stage)).or_default();
        let at = match stage.verdict {
            StageVerdict::Passed => 0,
            StageVerdict::Refused => 1,
            StageVerdict::Unverified => 2,
            StageVerdict::NotApplicable => 3,
        };
        judged.counts[at] += 1;
        judged.us.push(stage.us);
    }
    for stage in facts.verdicts.iter().filter_map(|verdict| verdict.stage.as_ref()) {
        by_stage.entry(lined(stage)).or_default().counts[1] += 1;
    }
    let known = ["apply", "syntax", "rules", "servers", "tools", "tests"];
    order.extend(known.iter().filter(|s| by_stage.contains_key(**s)).map(|s| (*s).to_owned()));
    order.extend(by_stage.keys().filter(|stage| !known.contains(&stage.as_str())).cloned());
    if order.is_empty() {
        return Vec::new();
    }
    let (mut bars, mut rows) = (Vec::new(), Vec::new());
    for stage in order {
        let Some(Judged { counts, us }) = by_stage.get_mut(&stage) else {
            continue;
        };
        us.sort_unstable();
        let median = us.get(us.len() / 2).map_or("–".to_owned(), |us| lasted(us / 1_000));
        let says = format!("{} judged", counts.iter().sum::<u64>());
        bars.push(Bar { name: stage.clone(), from: 0, pieces: counts.to_vec(), says });
        let mut row = vec![stage];
        row.extend(counts.iter().map(u64::to_string));
        row.push(median);
        rows.push(row);
    }
    let series = vec!["passed", "refused", "not checked", "nothing to check"];
    let head = vec!["stage", "passed", "refused", "not checked", "nothing to check", "median time"];
    let each = facts.verdicts.iter().map(|verdict| verdict_row(facts, verdict)).collect();
    vec![
        Part::Chart(Chart { title: "Verdicts by stage", series, bars }),
        Part::Table { head, rows },
        Part::Table { head: vec!["at", "task", "of", "verdict", "took"], rows: each },
    ]
}

fn verdict_row(facts: &Facts, verdict: &Verdict) -> Vec<String> {
    let stage = verdict.stage.as_ref().map_or(String::new(), |stage| format!(" by {stage}"));
    vec![
        clock(verdict.at.saturating_sub(facts.view.started_at)),
        verdict.item.clone().unwrap_or_default(),
        verdict.of.to_owned(),
        format!("{}{stage}", verdict.is),
        lasted(verdict.ms),
    ]
}

fn refusals(facts: &Facts) -> Vec<Part> {
    let refused = facts.verdicts.iter().filter(|verdict| verdict.is == "refused");
    let told = refused.map(|verdict| {
        let at = clock(verdict.at.saturating_sub(facts.view.started_at));
        let item = verdict.item.as_deref().unwrap_or("the whole");
        let stage = verdict.stage.as_deref().unwrap_or(verdict.of);
        Part::Quote(
            format!("{at} · {item} · refused by {stage}"),
            verdict.why.clone().unwrap_or_default(),
        )
    });
    told.collect()
}

fn findings(facts: &Facts) -> Vec<Part> {
    let row = |finding: &crate::mission::Finding| {
        let line = finding.what.line.map_or(String::new(), |line| format!(":{line}"));
        let file = finding.what.file.as_deref().unwrap_or("the mission");
        let by = match finding.by {
            FoundBy::Reviewer => "Reviewer",
            _ => "checks",
        };
        let status = match &finding.status {
            FindingStatus::Open => "open".to_owned(),
            FindingStatus::Closed => "closed".to_owned(),
            FindingStatus::Dismissed(reason) => format!("dismissed: {reason}"),
        };
        vec![
            finding.id.to_string(),
            format!("{file}{line}"),
            format!("{:?}", finding.what.severity).to_lowercase(),
            finding.what.message.clone(),
            by.to_owned(),
            status,
        ]
    };
    let rows: Vec<Vec<String>> = facts.view.findings.iter().map(row).collect();
    let head = vec!["number", "where", "how bad", "what", "by", "stands"];
    if rows.is_empty() { Vec::new() } else { vec![Part::Table { head, rows }] }
}

fn receipts(facts: &Facts) -> Vec<Part> {
    let began = facts.view.started_at;
    let row = |receipt: &crate::gate::Receipt| {
        let (what, files, mended) = match &receipt.proof {
            Proof::Change { item, report, .. } => {
                let files: Vec<String> = report.files.iter().map(|f| f.path.to_string()).collect();
                (format!("change for {item}"), files.join(", "), report.repairs.len())
            }
            Proof::Seal { .. } => ("seal".to_owned(), String::new(), 0),
        };
        let own = facts.view.receipts.iter().find(|own| own.receipt == receipt.seq);
        let undone = own.is_some_and(|own| own.undone && !files.is_empty());
        let stands = if undone { "taken back" } else { "stands" };
        let short: String = receipt.hash.chars().take(12).collect();
        let at = clock(receipt.at_ms.saturating_sub(began));
        vec![receipt.seq.to_string(), at, what, files, mended.to_string(), short, stands.to_owned()]
    };
    let rows: Vec<Vec<String>> = facts.receipts.iter().map(row).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let head = vec!["receipt", "at", "what", "files", "mended by the gate", "hash", "stands"];
    let mut parts = vec![Part::Table { head, rows }];
    let undos = facts.view.undos.iter().map(|undo| {
        let numbers: Vec<String> = undo.receipts.iter().map(u64::to_string).collect();
        let again = if undo.redone { ", and that was taken back again" } else { "" };
        format!("Undo: change {} was taken back{again}.", numbers.join(", "))
    });
    let undos: Vec<String> = undos.collect();
    parts.extend((!undos.is_empty()).then_some(Part::List(undos)));
    parts
        .push(Part::Words(format!("`orchestrator verify {}` checks them offline.", facts.view.id)));
    parts
}

fn questions(facts: &Facts) -> Vec<Part> {
    let row = |asked: &super::facts::Asked| {
        let who =
            asked.role.map_or("a person answered".to_owned(), |role| format!("the {role} asked"));
        vec![clock(asked.at.saturating_sub(facts.view.started_at)), who, asked.text.clone()]
    };
    let rows: Vec<Vec<String>> = facts.questions.iter().map(row).collect();
    let head = vec!["at", "who", "what"];
    if rows.is_empty() { Vec::new() } else { vec![Part::Table { head, rows }] }
}

fn story(facts: &Facts) -> Vec<Part> {
    let row = |line: &crate::mission::Line| {
        vec![
            clock(line.at.saturating_sub(facts.view.started_at)),
            line.role.map_or(String::new(), |role| role.to_string()),
            line.item.as_ref().map_or(String::new(), ToString::to_string),
            line.text.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = facts.story.iter().map(row).collect();
    vec![Part::Table { head: vec!["at", "who", "item", "what"], rows }]
}
