//! Findings of reviewers and refusals of the gate, and what is wrong with an open `todo.md`, as diagnostics.
//!
//! They are pushed for every file. A client that pulls, and pulls again when told to, gets those of its open documents that
//! way instead, so that nothing is shown twice.

#![expect(
    clippy::mutable_key_type,
    reason = "a URI is ordered by its text; the cell inside is a cache"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tower_lsp::lsp_types::notification::PublishDiagnostics;
use tower_lsp::lsp_types::request::WorkspaceDiagnosticRefresh;
use tower_lsp::lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location,
    NumberOrString, Position, PublishDiagnosticsParams, Range, Uri,
};

use super::anchors::{Anchors, Mark};
use super::described;
use super::documents::Document;
use super::meetings;
use super::outbox::Weight;
use super::refresh::refresh;
use super::session::Session;
use super::text::Lines;
use super::todo::{self, outline::outline};
use super::trusted;
use crate::mission::edit::{Held, Hold};
use crate::mission::event::Gravity;
use crate::mission::plan::sheet::with_ids;
use crate::mission::view::MissionView;
use crate::mission::{Finding, FindingStatus, FoundBy};
use crate::workspace::path::RelPath;

/// The `source` of every diagnostic of ours.
pub const SOURCE: &str = "orchestrator";

type ByUri = BTreeMap<Uri, Vec<Diagnostic>>;

/// What the client was last given.
#[derive(Debug, Default)]
pub struct Published(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    pushed: ByUri,
    pulled: ByUri,
}

/// A finding with the place where it is shown.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The mission's id.
    pub mission: String,
    /// The finding.
    pub finding: Finding,
    /// The file; the plan for a finding that names none.
    pub path: RelPath,
}

/// The open findings of missions at work, and of the newest one even when it has ended.
pub fn findings(views: &[Arc<MissionView>]) -> Vec<Placed> {
    let newest = views.iter().max_by_key(|view| view.started_at).map(|view| &view.id);
    let shown = |view: &&Arc<MissionView>| view.end.is_none() || Some(&view.id) == newest;
    let mut placed = Vec::new();
    for view in views.iter().filter(shown) {
        for finding in view.findings.iter().filter(|f| f.status == FindingStatus::Open) {
            let file = finding.what.file.as_deref().unwrap_or(todo::TODO_PATH);
            // A path that names nothing inside the workspace cannot be shown on a file.
            let Ok(path) = RelPath::new(file).or_else(|_| RelPath::new(todo::TODO_PATH)) else {
                continue;
            };
            placed.push(Placed { mission: view.id.0.clone(), finding: finding.clone(), path });
        }
    }
    placed
}

/// Brings what the client shows up to date.
pub fn publish(session: &Session) {
    let current = current(session);
    let pulls = session.client().pull_diagnostics;
    let is_pulled = |uri: &Uri| pulls && session.documents.get(uri).is_some();
    let (pulled, pushed): (ByUri, ByUri) = current.into_iter().partition(|(uri, _)| is_pulled(uri));

    let mut shown = session.published.0.lock().unwrap_or_else(PoisonError::into_inner);
    let uris: BTreeSet<&Uri> = pushed.keys().chain(shown.pushed.keys()).collect();
    for uri in uris {
        let now = pushed.get(uri).cloned().unwrap_or_default();
        if shown.pushed.get(uri).is_none_or(|before| *before != now) {
            let document = session.documents.get(uri);
            let document = document.filter(|_| session.client().diagnostic_versions);
            let version = document.map(|document| document.version);
            let params = PublishDiagnosticsParams { uri: uri.clone(), diagnostics: now, version };
            let weight = Weight::Latest(format!("diagnostics {}", uri.as_str()));
            session.peer.notify::<PublishDiagnostics>(weight, &params);
        }
    }
    shown.pushed = pushed;
    if shown.pulled != pulled {
        shown.pulled = pulled;
        refresh::<WorkspaceDiagnosticRefresh>(session);
    }
}

/// Takes back what was pushed: the folder is closed.
pub fn withdraw(session: &Session) {
    let mut shown = session.published.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (uri, _) in std::mem::take(&mut shown.pushed) {
        let weight = Weight::Latest(format!("diagnostics {}", uri.as_str()));
        let params = PublishDiagnosticsParams { uri, diagnostics: Vec::new(), version: None };
        session.peer.notify::<PublishDiagnostics>(weight, &params);
    }
}

/// What a pull for `uri` is answered with.
pub fn of_document(session: &Session, uri: &Uri) -> Vec<Diagnostic> {
    current(session).remove(uri).unwrap_or_default()
}

fn current(session: &Session) -> ByUri {
    let mut current = ByUri::new();
    let Some(root) = session.root() else { return current };
    let open: HashMap<RelPath, Document> = session
        .documents
        .all()
        .into_iter()
        .filter_map(|document| Some((root.rel(&document.uri)?, document)))
        .collect();
    for placed in findings(&session.views()) {
        let document = open.get(&placed.path);
        let uri = document.map(|document| document.uri.clone()).or_else(|| root.uri(&placed.path));
        let Some(uri) = uri else { continue };
        let range = range(session, &placed, document);
        let mut diagnostic = diagnostic(&placed, range);
        let client = session.client();
        diagnostic.data = diagnostic.data.filter(|_| client.diagnostic_data);
        let kind = placed.finding.what.kind.as_deref().filter(|_| client.code_descriptions);
        diagnostic.code_description = kind.and_then(description);
        if client.related && placed.finding.what.file.is_some() {
            diagnostic.related_information = item_of(session, &placed).map(|item| vec![item]);
        }
        current.entry(uri).or_default().push(diagnostic);
    }
    for view in session.views().iter() {
        for met in meetings::all(view) {
            // Its line is one of an open text.
            let Some(document) = open.get(&met.path) else { continue };
            let mut diagnostic = met.diagnostic();
            diagnostic.range = line_range(session, document, met.line(&session.anchors));
            diagnostic.data = diagnostic.data.filter(|_| session.client().diagnostic_data);
            current.entry(document.uri.clone()).or_default().push(diagnostic);
        }
    }
    for (path, document) in &open {
        let Some(file) = described::at(path) else { continue };
        let text = &document.text;
        let read = file.read(text);
        let mut problems = file.problems(&read, text, session.client().encoding);
        problems.extend(trusted::problems(session, path.as_str(), text, &read));
        if !problems.is_empty() {
            current.entry(document.uri.clone()).or_default().extend(problems);
        }
    }
    for (path, document) in open.iter().filter(|(path, _)| path.as_str() == todo::TODO_PATH) {
        tracing::trace!("checking {path}");
        let mut errors = plan_errors(session, document);
        errors.extend(
            held(&session.views()).map(|(_, held)| held_diagnostic(session, document, &held)),
        );
        if !errors.is_empty() {
            current.entry(document.uri.clone()).or_default().extend(errors);
        }
    }
    current
}

/// The 0-based line where a finding stands now: its own, moved along with the text, or its item's in the open plan.
pub fn line_of(anchors: &Anchors, placed: &Placed, document: Option<&Document>) -> u32 {
    if let (Some(line), Some(_)) = (placed.finding.what.line, &placed.finding.what.file) {
        let key = (placed.mission.clone(), Mark::Finding(placed.finding.id));
        return anchors.line(key, &placed.path, line.saturating_sub(1));
    }
    let Some((document, item)) = document.zip(placed.finding.item.as_ref()) else { return 0 };
    let items = outline(&document.text);
    items.iter().find(|line| line.id == item.to_string()).map_or(0, |line| line.line)
}

fn range(session: &Session, placed: &Placed, document: Option<&Document>) -> Range {
    let line = line_of(&session.anchors, placed, document);
    match document {
        Some(document) => line_range(session, document, line),
        // The text of a closed file is not at hand: the line with its end, which exists unless it is the last one.
        None => Range::new(Position::new(line, 0), Position::new(line.saturating_add(1), 0)),
    }
}

/// A line of an open document, without its indentation.
fn line_range(session: &Session, document: &Document, line: u32) -> Range {
    let text = document.text.lines().nth(line as usize).unwrap_or_default();
    let indent = text.len() - text.trim_start().len();
    let lines = Lines::new(&document.text, session.client().encoding);
    let column = |bytes: usize| lines.position_of(line, u32::try_from(bytes).unwrap_or(u32::MAX));
    Range::new(column(indent), column(text.trim_end().len()))
}

fn diagnostic(placed: &Placed, range: Range) -> Diagnostic {
    let what = &placed.finding.what;
    let by = match placed.finding.by {
        FoundBy::Gate => "gate",
        FoundBy::Reviewer => "reviewer",
        FoundBy::Worker => "worker",
    };
    let fix = what.fix.as_ref().map(|fix| format!("\nTo mend it: {fix}")).unwrap_or_default();
    Diagnostic {
        range,
        severity: Some(match what.severity {
            Gravity::Error => DiagnosticSeverity::ERROR,
            Gravity::Warning => DiagnosticSeverity::WARNING,
            Gravity::Info if what.kind.as_deref() == Some("mutant") => DiagnosticSeverity::HINT,
            Gravity::Info => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(what.kind.clone().unwrap_or_else(|| by.to_owned()))),
        source: Some(SOURCE.to_owned()),
        message: format!("{}{fix}", what.message),
        data: Some(json!({ "mission": placed.mission, "finding": placed.finding.id, "by": by })),
        ..Diagnostic::default()
    }
}

/// Where the makers of a tool say what a code of theirs means.
fn description(code: &str) -> Option<CodeDescription> {
    let is_rustc = code.strip_prefix('E').is_some_and(|digits| {
        digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let href = match code.split_once("::") {
        Some(("clippy", lint)) => {
            format!("https://rust-lang.github.io/rust-clippy/stable/index.html#{lint}")
        }
        _ if is_rustc => format!("https://doc.rust-lang.org/error_codes/{code}.html"),
        _ => return None,
    };
    Some(CodeDescription { href: href.parse().ok()? })
}

/// The line of the plan for which something was found, as far as the plan is open.
fn item_of(session: &Session, placed: &Placed) -> Option<DiagnosticRelatedInformation> {
    let item = placed.finding.item.as_ref()?.to_string();
    let documents = session.documents.all();
    let plan = documents.iter().find(|document| session.is_plan(&document.uri))?;
    let line = outline(&plan.text).into_iter().find(|line| line.id == item)?;
    let range = line_range(session, plan, line.line);
    let location = Location { uri: plan.uri.clone(), range };
    Some(DiagnosticRelatedInformation { location, message: format!("{item}: {}", line.title) })
}

/// What persons wrote into the plan of missions at work, and the plan has not taken; with the mission's id.
pub fn held(views: &[Arc<MissionView>]) -> impl Iterator<Item = (String, Held)> {
    let is_at_work = |view: &&Arc<MissionView>| view.end.is_none() || view.state == "blocked";
    views.iter().filter(is_at_work).flat_map(|view| {
        let held = view.held.iter().filter(|held| !held.yields);
        held.map(|held| (view.id.0.clone(), held.clone()))
    })
}

/// The 0-based line where something that is held is shown: its item's, or that of what the item stood under.
pub fn line_of_held(text: &str, held: &Held) -> u32 {
    let items = outline(text);
    let line = |id: &str| items.iter().find(|item| item.id == id).map(|item| item.line);
    let id = held.edit.item.to_string();
    let above = format!("T{}", id.trim_start_matches(['M', 'T', 'S']));
    let above = above.rsplit_once('.').map(|(above, _)| above.to_owned());
    line(&id).or_else(|| line(&above?)).unwrap_or(0)
}

fn held_diagnostic(session: &Session, document: &Document, held: &Held) -> Diagnostic {
    let (severity, code) = match held.hold {
        Hold::Conflict => (DiagnosticSeverity::ERROR, "conflict"),
        Hold::Invalid => (DiagnosticSeverity::ERROR, "plan"),
        Hold::UnderWay => (DiagnosticSeverity::INFORMATION, "under-way"),
    };
    Diagnostic {
        range: line_range(session, document, line_of_held(&document.text, held)),
        severity: Some(severity),
        code: Some(NumberOrString::String(code.to_owned())),
        source: Some(SOURCE.to_owned()),
        message: held.why.clone(),
        ..Diagnostic::default()
    }
}

/// What the plan's own parser says of an open `todo.md`; an empty one is no plan yet.
fn plan_errors(session: &Session, document: &Document) -> Vec<Diagnostic> {
    if document.text.trim().is_empty() {
        return Vec::new();
    }
    // What has no id yet is given one.
    let text = with_ids(&document.text, &BTreeSet::new(), Some(&|_| false));
    let errors = crate::mission::plan::parse(&text).err().unwrap_or_default();
    let errors = errors.into_iter().map(|error| Diagnostic {
        range: line_range(session, document, error.line),
        severity: Some(DiagnosticSeverity::ERROR),
        code: Some(NumberOrString::String("plan".to_owned())),
        source: Some(SOURCE.to_owned()),
        message: error.message,
        ..Diagnostic::default()
    });
    errors.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::event::NewFinding;
    use crate::mission::{End, Mission, MissionId};

    fn view(id: &str, started_at: u64, end: Option<End>) -> MissionView {
        let what = |severity, line| NewFinding {
            file: Some("./src/a.rs".into()),
            line,
            severity,
            message: "it is wrong".into(),
            fix: Some("right it".into()),
            kind: None,
        };
        let mut mission = Mission::new(MissionId(id.into()));
        (mission.started_at, mission.ended) = (started_at, end);
        let finding =
            |id, status, what| Finding { id, item: None, by: FoundBy::Reviewer, what, status };
        mission.findings = vec![
            finding(1, FindingStatus::Open, what(Gravity::Error, Some(3))),
            finding(2, FindingStatus::Closed, what(Gravity::Error, Some(4))),
            finding(3, FindingStatus::Open, NewFinding { file: None, ..what(Gravity::Info, None) }),
            finding(
                4,
                FindingStatus::Open,
                NewFinding { file: Some("/etc/x".into()), ..what(Gravity::Warning, Some(1)) },
            ),
        ];
        MissionView::of(&mission)
    }

    #[test]
    fn open_findings_of_missions_that_matter_are_shown() {
        let ended = Some(End::Cancelled);
        let views = [
            Arc::new(view("old", 1, ended.clone())),
            Arc::new(view("working", 2, None)),
            Arc::new(view("newest", 3, ended)),
        ];
        let placed = findings(&views);
        let shown: Vec<_> =
            placed.iter().map(|p| (p.mission.as_str(), p.finding.id, p.path.as_str())).collect();
        let of = |mission| {
            [(mission, 1, "src/a.rs"), (mission, 3, todo::TODO_PATH), (mission, 4, todo::TODO_PATH)]
        };
        assert_eq!(shown, [of("working"), of("newest")].concat());
    }

    #[test]
    fn a_finding_is_a_diagnostic_with_its_number() {
        let placed = &findings(&[Arc::new(view("m", 1, None))])[0];
        assert_eq!(line_of(&Anchors::default(), placed, None), 2);
        let diagnostic = diagnostic(placed, Range::default());
        assert_eq!(diagnostic.severity, Some(DiagnosticSeverity::ERROR));
        assert_eq!(diagnostic.source.as_deref(), Some(SOURCE));
        assert_eq!(diagnostic.message, "it is wrong\nTo mend it: right it");
        assert_eq!(diagnostic.data, Some(json!({"mission": "m", "finding": 1, "by": "reviewer"})));
    }

    #[test]
    fn codes_of_known_tools_are_described() {
        let href = |code| description(code).map(|d: CodeDescription| d.href.as_str().to_owned());
        assert!(href("E0308").unwrap().ends_with("/error_codes/E0308.html"));
        assert!(href("clippy::needless_return").unwrap().ends_with("#needless_return"));
        assert_eq!((href("E30"), href("mutant"), href("unwrap")), (None, None, None));
    }

    #[test]
    fn a_mutant_that_survives_is_a_hint() {
        let mut placed = findings(&[Arc::new(view("m", 1, None))])[0].clone();
        placed.finding.what.severity = Gravity::Info;
        let severity = |placed: &Placed| diagnostic(placed, Range::default()).severity;
        assert_eq!(severity(&placed), Some(DiagnosticSeverity::INFORMATION));
        placed.finding.what.kind = Some("mutant".into());
        assert_eq!(severity(&placed), Some(DiagnosticSeverity::HINT));
    }
}
