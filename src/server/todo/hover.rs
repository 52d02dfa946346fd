//! What is known of an item of `todo.md`: who is at it, what was proved and found, what it cost so far. The text comes
//! from the editor, the rest from the mission's view.

use super::outline::{Item, Kind, outline};
use crate::mission::accounts::Account;
use crate::mission::plan::ItemId;
use crate::mission::view::{MissionView, SessionView};
use crate::mission::{FindingStatus, report};

/// What is said of the item on a 0-based line, and the bytes of its line.
pub fn hover(
    text: &str,
    line: u32,
    view: &MissionView,
    form: Form,
) -> Option<(String, std::ops::Range<usize>)> {
    let item = outline(text).into_iter().find(|item| item.line == line)?;
    let said = match item.kind {
        Kind::Mission => of_mission(view, form),
        Kind::Milestone => return None,
        Kind::Task | Kind::Step => of_item(&item, view, form)?,
    };
    Some((said, item.bytes))
}

/// What the client shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Markdown.
    Markdown,
    /// Text as it is.
    Plain,
}

impl Form {
    fn strong(self, text: &str) -> String {
        match self {
            Form::Markdown => format!("**{}**", self.text(text)),
            Form::Plain => text.to_owned(),
        }
    }

    /// A model's or a person's words on one line; what Markdown would take for its own is marked as text.
    fn text(self, text: &str) -> String {
        match self {
            Form::Markdown => report::plain(text),
            Form::Plain => text.replace(['\n', '\r'], " "),
        }
    }
}

fn of_mission(view: &MissionView, form: Form) -> String {
    let (done, all) = view.progress;
    let mut said = vec![
        format!("{}, {done} of {all} steps done", form.strong(&view.outcome())),
        cost(&view.account),
    ];
    for session in &view.sessions {
        let item = session.item.as_ref().map_or(String::new(), |item| format!(" {item}"));
        said.push(format!("{}{item}: {}", session.role, session.activity));
    }
    paragraphs(&said)
}

fn of_item(item: &Item, view: &MissionView, form: Form) -> Option<String> {
    let id = ItemId::parse(&item.id)?;
    let task = view.plan.as_ref()?.task_of(&id)?;
    let step = task.steps.iter().find(|step| step.id == id);
    let title = step.map_or(&task.title, |step| &step.title);
    let mut said = vec![form.strong(&format!("{id}: {title}"))];
    for (name, what) in [
        ("evidence", step.and_then(|step| step.evidence.as_deref())),
        ("note", step.and_then(|step| step.note.as_deref())),
    ] {
        said.extend(what.map(|what| format!("{name}: {}", form.text(what))));
    }
    for session in at_work(view, &task.id) {
        said.push(format!("{}, {}", activity(session), cost(&session.account)));
    }
    for change in view.receipts.iter().filter(|change| change.item == task.id) {
        let undone = if change.undone { ", taken back" } else { "" };
        let (files, stages) = (form.text(&change.files.join(", ")), form.text(&change.summary));
        said.push(format!("change {}{undone}: {files}; {stages}", change.receipt));
    }
    let open = view.findings.iter().filter(|finding| {
        finding.item.as_ref() == Some(&task.id) && finding.status == FindingStatus::Open
    });
    said.extend(open.map(|f| format!("finding {}: {}", f.id, form.text(&f.what.message))));
    Some(paragraphs(&said))
}

fn paragraphs(said: &[String]) -> String {
    said.join("\n\n")
}

/// The sessions that are at a task.
pub fn at_work<'a>(
    view: &'a MissionView,
    task: &'a ItemId,
) -> impl Iterator<Item = &'a SessionView> {
    view.sessions.iter().filter(move |session| session.item.as_ref() == Some(task))
}

/// What a session does, in words.
pub fn activity(session: &SessionView) -> String {
    format!("{}: {}, turn {}", session.role, session.activity, session.turns)
}

/// Tokens and money, in words.
pub fn cost(account: &Account) -> String {
    let usage = &account.usage;
    let tokens = usage.input.saturating_add(usage.output);
    let money = match usage.micro_usd {
        0 => String::new(),
        micro => format!(", {:.4} US dollars", micro as f64 / 1e6),
    };
    let about = if usage.estimated { "about " } else { "" };
    format!("{} requests, {about}{tokens} tokens{money}", account.requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_stay_words() {
        let said = "a_b [x](http://y) <b>\n# no";
        assert_eq!(Form::Markdown.text(said), r"a\_b \[x\](http://y) \<b\> \# no");
        assert_eq!(Form::Plain.text(said), "a_b [x](http://y) <b> # no");
        assert_eq!(Form::Markdown.strong("T1.1: a*b"), r"**T1.1: a\*b**");
    }

    #[test]
    fn a_cost_without_a_price_names_none() {
        let mut account = Account { requests: 2, ..Account::default() };
        (account.usage.input, account.usage.output) = (10, 5);
        assert_eq!(cost(&account), "2 requests, 15 tokens");
        (account.usage.micro_usd, account.usage.estimated) = (1_500, true);
        assert_eq!(cost(&account), "2 requests, about 15 tokens, 0.0015 US dollars");
    }
}
