//! What a client was shown of a mission, and the updates that bring it up to date: the plan, the story's lines as words,
//! and as tool calls the sessions at work, the gate's checks, and each accepted change with its diffs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::update::{self, Status};
use super::words;
use crate::mission::conversation::Role;
use crate::mission::plan::ItemId;
use crate::mission::view::{MissionView, SessionView};
use crate::mission::{Accepted, Line, LineKind, MissionId};
use crate::runtime::{Changed, changed, lines_after};
use crate::server::outbox::Weight;
use crate::workspace::RelPath;

/// The longest text in a diff, in bytes, and the most of one change; what is above is named only.
const MAX_TEXT: usize = 256 * 1024;
const MAX_TEXTS: usize = 1024 * 1024;
/// Of so many changes that come at once, as in a replay, the newest are shown with their diffs.
const MAX_DIFFS: usize = 40;
/// What a session does while its change-set is proved.
const AT_THE_GATE: &str = "at the gate";
/// How the story says that the gate refused.
const REFUSED: &str = "the gate refused";

type Updates = Vec<(Weight, Value)>;

/// The diffs of accepted changes, by their receipts.
pub type Diffs = BTreeMap<u64, Vec<Value>>;

/// What was shown of one mission.
#[derive(Debug)]
pub struct Shown {
    mission: MissionId,
    /// The workspace, as the client spells it.
    root: PathBuf,
    /// The newest line.
    line: u64,
    /// The newest receipt.
    receipt: u64,
    plan: Value,
    /// The sessions at work, with what was said of them.
    sessions: BTreeMap<u32, String>,
    /// The gate's checks that are under way, by task.
    checks: BTreeMap<Option<ItemId>, String>,
    /// How many checks and seals there were.
    count: u32,
    seal: Option<String>,
    /// How it stood when its end was told.
    ended: Option<String>,
}

impl Shown {
    /// Nothing was shown yet.
    pub fn new(mission: &MissionId, root: &Path) -> Shown {
        Shown {
            mission: mission.clone(),
            root: root.to_owned(),
            line: 0,
            receipt: 0,
            plan: Value::Null,
            sessions: BTreeMap::new(),
            checks: BTreeMap::new(),
            count: 0,
            seal: None,
            ended: None,
        }
    }

    /// Which mission it is.
    pub fn mission(&self) -> &MissionId {
        &self.mission
    }

    /// Reads what accepted changes did that were not shown yet, from the journal at `root`.
    pub async fn diffs(&self, root: &Path, view: &MissionView) -> Diffs {
        let new =
            view.receipts.iter().map(|accepted| accepted.receipt).filter(|n| *n > self.receipt);
        let new: Vec<u64> = new.rev().take(MAX_DIFFS).collect();
        if new.is_empty() {
            return Diffs::new();
        }
        let (shown, journal, mission) = (self.root.clone(), root.to_owned(), self.mission.clone());
        let read = move || {
            let diffs = |receipt: u64| match changed(&journal, &mission, receipt) {
                Ok(files) => Some((receipt, diffs(&shown, &files))),
                Err(why) => {
                    tracing::debug!("change {receipt} is shown without its diffs: {why}");
                    None
                }
            };
            new.into_iter().filter_map(diffs).collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }

    /// What the client has to be sent, in order.
    pub fn follow(&mut self, view: &MissionView, diffs: Diffs) -> Updates {
        let mut updates = Updates::new();
        self.follow_plan(view, &mut updates);
        self.follow_story(view, &mut updates);
        self.follow_receipts(view, diffs, &mut updates);
        self.follow_sessions(view, &mut updates);
        self.follow_seal(view, &mut updates);
        self.follow_end(view, &mut updates);
        updates
    }

    fn must(&self, update: Value) -> (Weight, Value) {
        (Weight::Must, update)
    }

    /// A newer one takes the place of what waits.
    fn latest(&self, what: &str, update: Value) -> (Weight, Value) {
        (Weight::Latest(format!("{} {what}", self.mission)), update)
    }

    fn id(&self, what: &str) -> String {
        format!("{}/{what}", self.mission)
    }

    fn next(&mut self, what: &str) -> String {
        self.count += 1;
        // The line tells it from what another process showed of this mission.
        self.id(&format!("{what}-{}-{}", self.line, self.count))
    }

    fn follow_plan(&mut self, view: &MissionView, updates: &mut Updates) {
        let Some(plan) = view.plan.as_ref().map(update::plan) else { return };
        if plan != self.plan {
            updates.push(self.latest("plan", plan.clone()));
            self.plan = plan;
        }
    }

    /// Lines that follow each other are sent together; what is shown as a tool call is not said, too.
    fn follow_story(&mut self, view: &MissionView, updates: &mut Updates) {
        let mut said: Vec<String> = Vec::new();
        let seen = self.line;
        for line in lines_after(view, seen) {
            self.line = line.number;
            let is_refusal = line.kind == LineKind::Refused && line.text.starts_with(REFUSED);
            match line.kind {
                LineKind::Accepted => self.checked(line, Status::Completed, &mut said, updates),
                _ if is_refusal => self.checked(line, Status::Failed, &mut said, updates),
                // The end is told with what it means.
                LineKind::End => {}
                _ => said.push(words::line(line)),
            }
        }
        self.say(&mut said, updates);
    }

    fn say(&self, said: &mut Vec<String>, updates: &mut Updates) {
        if !said.is_empty() {
            updates.push(self.must(update::message(&std::mem::take(said).join("\n\n"))));
        }
    }

    /// The gate came to a verdict.
    fn checked(
        &mut self,
        line: &Line,
        status: Status,
        said: &mut Vec<String>,
        updates: &mut Updates,
    ) {
        self.say(said, updates);
        let update = match self.checks.remove(&line.item) {
            Some(id) => update::tool_update(&id, status),
            None => update::tool_call(
                &self.next("gate"),
                &gate_title(line.item.as_ref()),
                "execute",
                status,
            ),
        };
        updates.push(self.must(update::with_text(update, &line.text)));
    }

    fn follow_receipts(&mut self, view: &MissionView, mut diffs: Diffs, updates: &mut Updates) {
        let seen = self.receipt;
        for accepted in view.receipts.iter().filter(|accepted| accepted.receipt > seen) {
            self.receipt = accepted.receipt;
            let change = self.change(accepted, diffs.remove(&accepted.receipt));
            updates.push(self.must(change));
        }
    }

    fn change(&self, accepted: &Accepted, diffs: Option<Vec<Value>>) -> Value {
        let number = accepted.receipt;
        let title = format!("{} {} (receipt {number})", accepted.item, accepted.files.join(", "));
        let id = self.id(&format!("receipt-{number}"));
        let mut call = update::tool_call(&id, &title, "edit", Status::Completed);
        let undone = if accepted.undone { "; taken back since" } else { "" };
        let mut content = diffs.unwrap_or_default();
        content.push(update::text_content(&format!("{}{undone}", accepted.summary)));
        call["content"] = json!(content);
        let path = |file: &String| RelPath::new(file).ok().map(|path| path.in_root(&self.root));
        let paths = accepted.files.iter().filter_map(path);
        call["locations"] = paths.map(|path| json!({ "path": path })).collect();
        call
    }

    fn follow_sessions(&mut self, view: &MissionView, updates: &mut Updates) {
        for session in &view.sessions {
            self.follow_session(view, session, updates);
        }
        let is_open = |id: &u32| view.sessions.iter().any(|session| session.id == *id);
        let gone: Vec<u32> = self.sessions.keys().filter(|id| !is_open(id)).copied().collect();
        for id in gone {
            self.sessions.remove(&id);
            let id = self.id(&format!("session-{id}"));
            updates.push(self.must(update::tool_update(&id, closed(view))));
        }
        // A check that came to no verdict, because the files changed beneath it or its session has gone.
        let is_there = |item: &Option<ItemId>| {
            view.sessions.iter().any(|s| s.item == *item && s.activity == AT_THE_GATE)
        };
        let over: Vec<_> = self.checks.keys().filter(|item| !is_there(item)).cloned().collect();
        for id in over.iter().filter_map(|item| self.checks.remove(item)).collect::<Vec<_>>() {
            updates.push(self.must(update::tool_update(&id, Status::Failed)));
        }
    }

    fn follow_session(&mut self, view: &MissionView, session: &SessionView, updates: &mut Updates) {
        let id = self.id(&format!("session-{}", session.id));
        let turns = if session.turns == 1 { "turn" } else { "turns" };
        let now = format!("{}, {} {turns}", session.activity, session.turns);
        let was = self.sessions.insert(session.id, now.clone());
        if was.is_none() {
            let title = session_title(view, session);
            let call = update::tool_call(&id, &title, kind(session.role), Status::InProgress);
            updates.push(self.must(update::with_text(call, &now)));
        } else if was.as_ref() != Some(&now) {
            let update = update::with_text(update::tool_update(&id, Status::InProgress), &now);
            updates.push(self.latest(&id, update));
        }
        if session.activity == AT_THE_GATE && !self.checks.contains_key(&session.item) {
            let id = self.next("gate");
            let title = gate_title(session.item.as_ref());
            updates.push(self.must(update::tool_call(&id, &title, "execute", Status::InProgress)));
            self.checks.insert(session.item.clone(), id);
        }
    }

    fn follow_seal(&mut self, view: &MissionView, updates: &mut Updates) {
        let is_sealing = view.state == "sealing";
        if is_sealing && self.seal.is_none() {
            let id = self.next("seal");
            let title = "The gate proves the whole tree, tests included";
            updates.push(self.must(update::tool_call(&id, title, "execute", Status::InProgress)));
            self.seal = Some(id);
        } else if !is_sealing && let Some(id) = self.seal.take() {
            let is_sealed = view.state == "sealed";
            let status = if is_sealed { Status::Completed } else { Status::Failed };
            updates.push(self.must(update::tool_update(&id, status)));
        }
    }

    /// What a turn ends with.
    fn follow_end(&mut self, view: &MissionView, updates: &mut Updates) {
        let rests = !view.is_running();
        let now = rests.then(|| format!("{} {}", view.state, self.line));
        if now.is_some() && now != self.ended {
            updates.push(self.must(update::message(&words::ending(view))));
        }
        self.ended = now;
    }
}

fn gate_title(item: Option<&ItemId>) -> String {
    let item = item.map_or(String::new(), |item| format!(" of {item}"));
    format!("The gate proves a change-set{item}")
}

fn session_title(view: &MissionView, session: &SessionView) -> String {
    let who = words::who(session.role, session.item.as_ref());
    let task = session.item.as_ref().and_then(|item| view.plan.as_ref()?.task_of(item));
    task.map_or(who.clone(), |task| format!("{who}: {}", task.title))
}

fn kind(role: Role) -> &'static str {
    match role {
        Role::Commander | Role::Planner => "think",
        Role::Worker => "edit",
        Role::Reviewer => "read",
    }
}

/// How a session went that is closed.
fn closed(view: &MissionView) -> Status {
    let was_dropped = view.end.is_some() && view.state != "sealed";
    if was_dropped { Status::Failed } else { Status::Completed }
}

/// The diffs of files, as far as they are text and not too long.
fn diffs(root: &Path, files: &[Changed]) -> Vec<Value> {
    let mut room = MAX_TEXTS;
    let mut diffs = Vec::new();
    for file in files {
        let size = [&file.before, &file.after].into_iter().flatten().map(Vec::len);
        let (most, all) = (size.clone().max().unwrap_or(0), size.sum::<usize>());
        let text = |bytes: &Option<Vec<u8>>| bytes.clone().map(String::from_utf8).transpose();
        match (text(&file.before), text(&file.after)) {
            (Ok(before), Ok(after)) if most <= MAX_TEXT && all <= room => {
                room -= all;
                let path = file.path.in_root(root);
                diffs.push(update::diff(&path, before.as_deref(), after.as_deref()));
            }
            _ => diffs.push(update::text_content(&format!(
                "`{}` is too long to be shown, or no text",
                file.path
            ))),
        }
    }
    diffs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Changed {
        let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        Changed { path: RelPath::new(path).unwrap(), before: bytes(before), after: bytes(after) }
    }

    #[test]
    fn files_are_shown_before_and_after_within_bounds() {
        let long = vec![b'x'; MAX_TEXT + 1];
        let files = [
            file("new", None, Some(b"a")),
            file("gone", Some(b"a"), None),
            file("bytes", Some(b"\xff"), Some(b"a")),
            file("long", None, Some(&long)),
        ];
        let shown = diffs(Path::new("/w"), &files);
        assert_eq!(shown[0]["oldText"], Value::Null);
        assert_eq!((&shown[1]["oldText"], &shown[1]["newText"]), (&json!("a"), &json!("")));
        assert!(shown[0]["path"].as_str().unwrap().ends_with("new"));
        assert_eq!((&shown[2]["type"], &shown[3]["type"]), (&json!("content"), &json!("content")));
        let many: Vec<Changed> =
            (0..20).map(|n| file(&format!("f{n}"), None, Some(&long[..MAX_TEXT]))).collect();
        let with_text =
            diffs(Path::new("/w"), &many).iter().filter(|d| d["type"] == "diff").count();
        assert_eq!(with_text, MAX_TEXTS / MAX_TEXT);
    }
}
