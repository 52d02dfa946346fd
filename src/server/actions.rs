//! Code actions: on the items of `todo.md`, on findings, on a `/task …` or `/plan …` line and a `TODO` comment anywhere.

use serde_json::{Value, json};
use tower_lsp::lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionResponse, Command,
    Diagnostic, NumberOrString,
};

use super::diagnostics::{self, SOURCE};
use super::documents::Document;
use super::meetings;
use super::session::Session;
use super::todo::outline::{Item, Kind, outline};
use super::trusted;
use crate::mission::Back;
use crate::mission::edit::Hold;
use crate::mission::plan::ItemId;
use crate::workspace::RelPath;
use crate::workspace::hash::sha256;

/// The kind of actions that mend nothing by themselves.
pub const KIND: CodeActionKind = CodeActionKind::new("refactor.orchestrator");

/// The actions for a place of an open document.
pub fn actions(session: &Session, params: &CodeActionParams) -> CodeActionResponse {
    let Some(document) = session.documents.get(&params.text_document.uri) else {
        return Vec::new();
    };
    let lines = params.range.start.line..=params.range.end.line;
    let path = session.root().and_then(|root| root.rel(&document.uri));
    let mut offers = on_findings(session, &document, path.as_ref(), params);
    offers.extend(path.iter().flat_map(|path| on_merge(session, path)));
    offers.extend(path.iter().filter_map(|path| on_untrusted(path, &document, params)));
    offers.extend(path.iter().flat_map(|path| on_meeting(session, path, params)));
    if session.is_plan(&document.uri) {
        let all = outline(&document.text);
        let items = all.iter().filter(|item| lines.contains(&item.line));
        offers.extend(items.flat_map(|item| {
            let mut offers = on_item(item, standing(&all, item));
            offers.extend(on_proof(session, item, &document.text));
            offers
        }));
        offers.extend(on_held(session, &document, params));
    }
    let slashes = document.text.lines().enumerate().skip(*lines.start() as usize);
    let slashes = slashes.take_while(|(line, _)| *line <= *lines.end() as usize);
    let path = path.filter(|path| !path.as_str().starts_with(".opencode/"));
    offers.extend(slashes.filter_map(|(number, line)| {
        on_slash(line).or_else(|| on_comment(path.as_ref()?.as_str(), number + 1, line))
    }));
    let only = params.context.only.as_deref();
    let offers = offers.into_iter().filter(|offer| is_wanted(&offer.kind, only));
    offers.map(|offer| offer.into_action(session.client().action_literals)).collect()
}

struct Offer {
    title: String,
    kind: CodeActionKind,
    command: &'static str,
    argument: Value,
    mends: Option<Diagnostic>,
}

impl Offer {
    fn new(title: String, command: &'static str, argument: Value) -> Offer {
        Offer { title, kind: KIND, command, argument, mends: None }
    }

    fn into_action(self, as_literal: bool) -> CodeActionOrCommand {
        let command = Command {
            title: self.title.clone(),
            command: self.command.to_owned(),
            arguments: Some(vec![self.argument]),
        };
        if !as_literal {
            return CodeActionOrCommand::Command(command);
        }
        CodeActionOrCommand::CodeAction(CodeAction {
            title: self.title,
            kind: Some(self.kind),
            diagnostics: self.mends.map(|diagnostic| vec![diagnostic]),
            command: Some(command),
            ..CodeAction::default()
        })
    }
}

/// Kinds are a tree of names: `refactor` wants `refactor.orchestrator` too.
fn is_wanted(kind: &CodeActionKind, only: Option<&[CodeActionKind]>) -> bool {
    let Some(only) = only else { return true };
    only.iter().any(|wanted| {
        let rest = kind.as_str().strip_prefix(wanted.as_str());
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('.') || wanted.as_str().is_empty()
        })
    })
}

/// The mark of a step, and that of a task whose steps all have it.
fn standing(all: &[Item], item: &Item) -> Option<char> {
    if item.mark.is_some() {
        return item.mark;
    }
    let at = all.iter().position(|other| other == item)?;
    let mut marks = all.iter().filter(|step| step.parent == Some(at)).map(|step| step.mark);
    let first = marks.next()??;
    marks.all(|mark| mark == Some(first)).then_some(first)
}

/// `stands` is the mark that is there already.
fn on_item(item: &Item, stands: Option<char>) -> Vec<Offer> {
    let skip = |id: &str| {
        let title = format!("Skip {id}: take it out of the plan");
        Offer::new(title, "orchestrator.todo.skip", json!({ "item": id }))
    };
    match item.kind {
        Kind::Mission => return Vec::new(),
        Kind::Milestone => return vec![skip(&item.id)],
        Kind::Task | Kind::Step => {}
    }
    let id = &item.id;
    let set = |word: &str, mark: &str, symbol: char| {
        let title = format!("Mark {id} as {word}");
        let argument = json!({ "item": id, "mark": mark });
        (stands != Some(symbol)).then(|| Offer::new(title, "orchestrator.todo.set", argument))
    };
    let run = Offer::new(format!("Run {id}"), "orchestrator.todo.run", json!({ "item": id }));
    let marks =
        [set("done", "done", 'x'), set("failed", "failed", '-'), set("pending", "pending", ' ')];
    let is_open = stands != Some('x');
    let split = (item.kind == Kind::Task && is_open).then(|| {
        let title = format!("Split {id} into smaller tasks");
        Offer::new(title, "orchestrator.todo.split", json!({ "item": id }))
    });
    let more = split.into_iter().chain(is_open.then(|| skip(id)));
    std::iter::once(run).chain(marks.into_iter().flatten()).chain(more).collect()
}

/// Done, with what shows it: the evidence that the person wrote on the line, else the changes that were proved for it.
fn on_proof(session: &Session, item: &Item, text: &str) -> Option<Offer> {
    let id = ItemId::parse(&item.id).filter(|_| item.kind == Kind::Step)?;
    if item.mark == Some('x') {
        return None;
    }
    let line = text.get(item.bytes.clone())?;
    let written = line.split('|').find_map(|tag| tag.trim().strip_prefix("evidence:"));
    let proved = || {
        let view = session.shown()?;
        let task = view.plan.as_ref()?.task_of(&id)?.id.clone();
        let change = view.receipts.iter().rev().find(|c| c.item == task && !c.undone)?;
        Some(format!("change {}: {}", change.receipt, change.summary))
    };
    let evidence = written.map(str::trim).filter(|said| !said.is_empty()).map(str::to_owned);
    let evidence = evidence.or_else(proved)?;
    let title = format!("Complete {id} with evidence: {}", summary(&evidence));
    let argument = json!({ "item": item.id, "mark": "done", "evidence": evidence });
    Some(Offer::new(title, "orchestrator.todo.set", argument))
}

/// Where the person and the mission changed an item in two ways: either side can be taken.
fn on_held(session: &Session, document: &Document, params: &CodeActionParams) -> Vec<Offer> {
    let lines = params.range.start.line..=params.range.end.line;
    let mut offers = Vec::new();
    for (mission, held) in diagnostics::held(&session.views()) {
        if held.hold == Hold::UnderWay
            || !lines.contains(&diagnostics::line_of_held(&document.text, &held))
        {
            continue;
        }
        let id = &held.edit.item;
        let mends = params.context.diagnostics.iter().find(|d| d.message == held.why);
        for (title, take) in [
            (format!("Keep {id} as it is here"), "text"),
            (format!("Take {id} as the mission has it"), "plan"),
        ] {
            let argument = json!({ "mission": mission, "item": id, "take": take });
            let mut offer = Offer::new(title, "orchestrator.todo.settle", argument);
            offer.kind = CodeActionKind::QUICKFIX;
            offer.mends = mends.cloned();
            offers.push(offer);
        }
    }
    offers
}

/// A file that runs something, and that nobody has trusted as it is.
fn on_untrusted(path: &RelPath, document: &Document, params: &CodeActionParams) -> Option<Offer> {
    let is_it = |d: &&Diagnostic| d.code == Some(NumberOrString::String(trusted::TRUST.to_owned()));
    let mends = params.context.diagnostics.iter().find(is_it)?.clone();
    let title = "Trust this file as it is now".to_owned();
    let argument = json!({ "path": path.as_str(), "hash": sha256(document.text.as_bytes()) });
    let offer = Offer::new(title, "orchestrator.extension.trust", argument);
    Some(Offer { kind: CodeActionKind::QUICKFIX, mends: Some(mends), ..offer })
}

/// Where a change waits, because a person typed what it is about.
fn on_meeting(session: &Session, path: &RelPath, params: &CodeActionParams) -> Vec<Offer> {
    let lines = params.range.start.line..=params.range.end.line;
    let mut offers = Vec::new();
    for view in session.views().iter() {
        let here = meetings::all(view)
            .filter(|met| met.path == *path && lines.contains(&met.line(&session.anchors)));
        let mut told = None;
        for met in here.filter(|met| told.replace(met.question) != Some(met.question)) {
            let code = met.diagnostic().code;
            let mends = params.context.diagnostics.iter().find(|d| d.code == code);
            for (title, command, argument) in met.choices() {
                let mut offer = Offer::new(title.to_owned(), command, argument);
                offer.kind = CodeActionKind::QUICKFIX;
                offer.mends = mends.cloned();
                offers.push(offer);
            }
        }
    }
    offers
}

/// What could not be taken back from this file without a merge.
fn on_merge(session: &Session, path: &RelPath) -> Vec<Offer> {
    let mut offers = Vec::new();
    for view in session.views().iter() {
        let offer = view.offer.as_ref().filter(|o| o.files.iter().any(|f| f == path.as_str()));
        let Some(offer) = offer else { continue };
        let (command, argument) = match &offer.back {
            Back::Undo(_) => ("orchestrator.change.redo", json!({})),
            Back::Changes(receipts) => match receipts.as_slice() {
                [receipt] => ("orchestrator.change.undo", json!({ "receipt": receipt })),
                _ => ("orchestrator.change.undo", json!({ "all": true })),
            },
        };
        let mut argument = argument;
        (argument["mission"], argument["merge"]) = (json!(view.id), json!(true));
        let title = format!("Take {} back and keep what I edited", offer.back);
        offers.push(Offer::new(title, command, argument));
    }
    offers
}

fn on_findings(
    session: &Session,
    document: &Document,
    path: Option<&RelPath>,
    params: &CodeActionParams,
) -> Vec<Offer> {
    let lines = params.range.start.line..=params.range.end.line;
    let here = diagnostics::findings(&session.views()).into_iter().filter(|placed| {
        Some(&placed.path) == path
            && lines.contains(&diagnostics::line_of(&session.anchors, placed, Some(document)))
    });
    let mut offers = Vec::new();
    for placed in here {
        let finding = &placed.finding;
        let is_it = |diagnostic: &&Diagnostic| match &diagnostic.data {
            Some(data) => data["mission"] == *placed.mission && data["finding"] == finding.id,
            None => diagnostic.message.starts_with(&finding.what.message),
        };
        let of_ours = params.context.diagnostics.iter();
        let mut of_ours = of_ours.filter(|d| d.source.as_deref() == Some(SOURCE));
        let mends = of_ours.find(is_it);
        let argument = json!({ "mission": placed.mission, "finding": finding.id });
        let mut with_test = argument.clone();
        with_test["test"] = json!(true);
        let what = summary(&finding.what.message);
        let dismissed = |reason: &str| {
            let mut argument = argument.clone();
            argument["reason"] = json!(reason);
            ("orchestrator.finding.dismiss", argument)
        };
        for (verb, (command, argument)) in [
            ("Fix", ("orchestrator.finding.fix", argument.clone())),
            ("Reproduce with a test and fix", ("orchestrator.finding.fix", with_test)),
            ("Dismiss as intended", dismissed("it is intended")),
            ("Dismiss as wrong", dismissed("it is not so")),
        ] {
            let mut offer = Offer::new(format!("{verb}: {what}"), command, argument);
            offer.kind = CodeActionKind::QUICKFIX;
            offer.mends = mends.cloned();
            offers.push(offer);
        }
    }
    offers
}

/// `/task goal`, after whatever begins a comment.
fn on_slash(line: &str) -> Option<Offer> {
    let leader = |c: char| c.is_whitespace() || "/#*-;%\"'<!".contains(c);
    let text = line.trim_start_matches(leader);
    // The slash of `/task` went with the leader: it must be there, and not be a comment's second one.
    let before = &line[..line.len() - text.len()];
    let (word, goal) = text.split_once(char::is_whitespace)?;
    let command = match word {
        "task" => "orchestrator.task",
        "plan" => "orchestrator.plan",
        _ => return None,
    };
    let goal = without_end(goal);
    if goal.is_empty() || !before.ends_with('/') || before.ends_with("//") {
        return None;
    }
    Some(Offer::new(format!("Run /{word} {}", summary(goal)), command, json!({ "goal": goal })))
}

/// The text of a comment, without what ends one.
fn without_end(text: &str) -> &str {
    text.trim().trim_end_matches("-->").trim_end_matches("*/").trim()
}

/// The words by which people say in a comment that something is left to do.
const LEFT: [&str; 2] = ["TODO", "FIXME"];
/// What a comment begins with, in one language or another.
const COMMENTS: [&str; 8] = ["//", "/*", "#", "--", ";", "%", "<!--", "*"];

/// A comment that says what is left to do, on a line (from 1) of a file.
fn on_comment(path: &str, number: usize, line: &str) -> Option<Offer> {
    let whole = |(at, word): &(usize, &str)| {
        let next = line[at + word.len()..].chars().next();
        let before = line[..*at].chars().next_back();
        let part = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(part) && !next.is_some_and(part)
    };
    let words = LEFT.iter().flat_map(|word| line.match_indices(word));
    let (at, word) = words.filter(whole).min()?;
    if !COMMENTS.iter().any(|leader| line[..at].contains(leader)) {
        return None;
    }
    let mut text = line[at + word.len()..].trim_start();
    // `TODO(name): …`
    if let Some((_, rest)) = text.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        text = rest;
    }
    let text = without_end(text.trim_start_matches([':', ' ', '\t']));
    if text.is_empty() {
        return None;
    }
    let goal = format!(
        "Do what the {word} comment on line {number} of {path} says, and remove the comment: {text}"
    );
    let title = format!("Make it a mission: {}", summary(text));
    Some(Offer::new(title, "orchestrator.task", json!({ "goal": goal })))
}

/// The first line, at most 60 characters.
pub fn summary(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_line_is_offered_in_any_comment() {
        for line in [
            "/task do it",
            "  // /task do it",
            "# /task  do it ",
            "/* /task do it */",
            "<!-- /task do it -->",
        ] {
            let offer = on_slash(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(
                (offer.command, &offer.argument),
                ("orchestrator.task", &json!({"goal": "do it"})),
                "{line}"
            );
        }
        assert_eq!(on_slash("-- /plan all").unwrap().command, "orchestrator.plan");
        for line in ["// task do it", "/task", "/task  ", "// see a/task b", "", "/tasks do it"] {
            assert!(on_slash(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_comment_that_leaves_something_to_do_is_offered_as_a_mission() {
        for (line, text) in [
            ("// TODO: mend it", "mend it"),
            ("let x = 1; // FIXME(ann): é is lost ", "é is lost"),
            ("# TODO mend it", "mend it"),
            (" * TODO mend it */", "mend it"),
            ("<!-- TODO: mend it -->", "mend it"),
        ] {
            let offer = on_comment("src/a.rs", 7, line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(offer.title, format!("Make it a mission: {text}"));
            let goal = offer.argument["goal"].as_str().unwrap();
            assert!(goal.contains("line 7 of src/a.rs") && goal.ends_with(text), "{goal}");
        }
        for line in
            ["// TODO", "// TODOS: x", "TODO: no comment", "let x = \"TODO\";", "// MYTODO x"]
        {
            assert!(on_comment("a", 1, line).is_none(), "{line}");
        }
    }

    #[test]
    fn kinds_are_a_tree() {
        let only = |kind: &'static str| [CodeActionKind::new(kind)];
        assert!(is_wanted(&KIND, None));
        assert!(is_wanted(&KIND, Some(&only(""))) && is_wanted(&KIND, Some(&only("refactor"))));
        assert!(
            !is_wanted(&KIND, Some(&only("quickfix"))) && !is_wanted(&KIND, Some(&only("refac")))
        );
    }

    #[test]
    fn items_offer_what_they_are_not() {
        let titles = |mark: &str| {
            let item = &outline(&format!("- [{mark}] S1.1.1: x"))[0];
            on_item(item, item.mark).into_iter().map(|offer| offer.title).collect::<Vec<_>>()
        };
        assert_eq!(titles("x"), ["Run S1.1.1", "Mark S1.1.1 as failed", "Mark S1.1.1 as pending"]);
        assert_eq!(titles("/").len(), 5);
        let all = outline(
            "## M1: m\n### T1.1: t\n- [ ] S1.1.1: x\n- [ ] S1.1.2: y\n### T1.2: u\n- [x] S1.2.1: z\n- [ ] S1.2.2: z\n",
        );
        let marks = ["M1", "T1.1", "T1.2"]
            .map(|id| standing(&all, all.iter().find(|item| item.id == id).unwrap()));
        assert_eq!(marks, [None, Some(' '), None]);
        let of_task = on_item(&all[1], Some(' ')).into_iter().map(|offer| offer.title);
        let wanted = [
            "Run T1.1",
            "Mark T1.1 as done",
            "Mark T1.1 as failed",
            "Split T1.1 into smaller tasks",
            "Skip T1.1: take it out of the plan",
        ];
        assert_eq!(of_task.collect::<Vec<_>>(), wanted);
    }
}
