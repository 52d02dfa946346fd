//! The texts of `todo.md`: the file, and every editor's buffer in which it is open.
//!
//! The plan stands in the middle. What a person has changed in one of the texts since it was shown to them goes to the
//! plan; what the plan has changed is written into each text, between the person's own lines. While the file is open
//! anywhere, only the buffers are looked at and changed, by versioned edits; a buffer that moved on meanwhile is
//! reckoned with anew. What was shown is kept beside the file before it is shown, so that another process can tell what
//! is the person's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::editors::Editors;
use super::store::now_ms;
use super::{Mail, VersionedEdit};
use crate::disk;
use crate::mission::edit::Edit;
use crate::mission::plan::sheet::{edits, guess_base, items, settled, weave, with_ids};
use crate::mission::plan::{Item, ItemId, Plan, parse, render};
use crate::mission::{Command, End, Mission, MissionId};
use crate::workspace::RelPath;
use crate::workspace::hash::sha256;

/// How long a buffer must have been left alone before what stands in it is taken for said.
const QUIET: Duration = Duration::from_millis(700);
/// The same for the file, which is written at once.
const FILE_QUIET: Duration = Duration::from_millis(150);
/// How long an editor is let alone that has refused an edit; twice as long each time.
const PATIENCE: Duration = Duration::from_millis(30);
/// The longest file that is read.
const MOST_BYTES: u64 = 4 << 20;
/// How many texts are remembered.
const SHOWN: usize = 8;
/// Who the file is, among the texts.
const FILE: &str = "file";

/// What was shown to the person, the newest first; kept in `.opencode/todo.shown.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Shown {
    mission: String,
    texts: VecDeque<String>,
}

/// One text of `todo.md`.
struct Replica {
    text: String,
    /// The editor's version of it.
    version: i32,
    /// What the person was shown of each item, as far as it is not settled.
    base: Vec<Item>,
    changed: Instant,
    /// Ids that lines without one were given, and that the text does not have yet.
    given: BTreeSet<ItemId>,
    /// Whether an edit of it is under way.
    busy: bool,
    /// How often the editor has refused since the text changed, and when it is asked again.
    refused: u32,
    again_at: Option<Instant>,
    /// It is another mission's, and is replaced whole.
    is_foreign: bool,
}

impl Replica {
    /// The text with the ids that its lines were given, and new ones for new lines.
    fn named(&self, mission: &Mission, plan: &Plan) -> String {
        // Receipts and findings name items: their numbers are not used again.
        let taken = |id: &ItemId| {
            plan.item(id).is_some()
                || mission.receipts.iter().any(|receipt| receipt.item == *id)
                || mission.findings.iter().any(|finding| finding.item.as_ref() == Some(id))
        };
        with_ids(&self.text, &self.given, Some(&taken))
    }

    fn settle(&mut self, text: &str, plan: &Plan, yields: &[ItemId]) {
        self.base = settled(&self.base, &items(text), plan, yields);
    }
}

type Stamp = Option<(SystemTime, u64)>;

pub(super) struct Replicas {
    folder: PathBuf,
    path: Option<RelPath>,
    editors: Arc<Editors>,
    tokio: tokio::runtime::Handle,
    mail: Sender<Mail>,
    shown: Shown,
    /// The hash of what an earlier process wrote last.
    hash: Option<String>,
    /// Whether what an earlier process has shown is known.
    is_loaded: bool,
    /// What the file was last seen as.
    stamp: Option<Stamp>,
    /// What the editors were last seen as.
    print: Option<u64>,
    texts: BTreeMap<String, Replica>,
    /// The plan that the texts were brought to; and whether they are to be looked at again.
    plan: Option<Plan>,
    is_due: bool,
    posted: (Vec<Edit>, Vec<ItemId>),
}

impl Replicas {
    pub fn new(
        folder: &Path,
        editors: Arc<Editors>,
        tokio: tokio::runtime::Handle,
        mail: Sender<Mail>,
    ) -> Replicas {
        Replicas {
            folder: folder.to_owned(),
            path: RelPath::new(".opencode/todo.md").ok(),
            editors,
            tokio,
            mail,
            shown: Shown::default(),
            hash: None,
            is_loaded: false,
            stamp: None,
            print: None,
            texts: BTreeMap::new(),
            plan: None,
            is_due: false,
            posted: Default::default(),
        }
    }

    /// The hash of the text that was shown last.
    pub fn hash(&self) -> Option<&str> {
        self.hash.as_deref()
    }

    /// What was shown by the owner before this one: read as late as this process has become the owner.
    fn load(&mut self) {
        if std::mem::replace(&mut self.is_loaded, true) {
            return;
        }
        let read = |name: &str| std::fs::read(self.folder.join(name)).unwrap_or_default();
        let snapshot: Option<Value> = serde_json::from_slice(&read("mission_loop.json")).ok();
        let shown = serde_json::from_slice(&read("todo.shown.json")).unwrap_or_default();
        self.hash = snapshot.and_then(|snapshot| Some(snapshot["todoHash"].as_str()?.to_owned()));
        self.shown = shown;
    }

    /// Brings every text to the plan. What a person should know goes to `notices`.
    pub fn write(&mut self, mission: &Mission, notices: &mut Vec<String>) -> io::Result<()> {
        let Some(plan) = &mission.plan else {
            return Ok(());
        };
        self.load();
        let is_another = self.shown.mission != mission.id.0;
        if is_another {
            // What was shown of another mission is replaced; what a person wrote into it is set aside.
            (self.texts, self.stamp, self.print) = (BTreeMap::new(), None, None);
        }
        let was_moved = self.look(&mission.id, notices)?;
        if is_another {
            self.shown = Shown { mission: mission.id.0.clone(), texts: VecDeque::new() };
        }
        let is_time = |replica: &Replica| replica.again_at.is_some_and(|at| at <= Instant::now());
        let is_behind = is_another || self.texts.values().any(is_time);
        if !was_moved && !is_behind && self.plan.as_ref() == Some(plan) {
            return Ok(());
        }
        self.is_due = true;
        self.weave_all(plan)?;
        self.plan = Some(plan.clone());
        Ok(())
    }

    /// Writes again at the next opportunity.
    pub fn again(&mut self) {
        self.plan = None;
    }

    fn weave_all(&mut self, plan: &Plan) -> io::Result<()> {
        let is_open = self.texts.keys().any(|who| who != FILE);
        let who: Vec<String> = self.texts.keys().cloned().collect();
        for who in who.into_iter().filter(|who| !is_open || who != FILE) {
            let Some(replica) = self.texts.get_mut(&who).filter(|replica| !replica.busy) else {
                continue;
            };
            if replica.again_at.is_some_and(|at| at > Instant::now()) {
                continue;
            }
            replica.again_at = None;
            let target = if replica.is_foreign {
                render(plan)
            } else {
                let named = with_ids(&replica.text, &replica.given, None);
                replica.settle(&named, plan, &[]);
                weave(&named, &replica.base, plan)
            };
            let is_there = target == replica.text;
            if is_there && std::mem::take(&mut replica.is_foreign) {
                replica.base = items(&target);
            } else if is_there {
                continue;
            }
            self.remember(&target)?;
            if is_there {
                continue;
            }
            match who == FILE {
                true => self.write_file(&target, plan)?,
                false => self.edit(&who, target),
            }
        }
        if !is_open && !self.texts.contains_key(FILE) {
            let text = render(plan);
            self.remember(&text)?;
            self.put(&text, items(&text))?;
        }
        Ok(())
    }

    fn write_file(&mut self, text: &str, plan: &Plan) -> io::Result<()> {
        let Some(replica) = self.texts.get_mut(FILE) else {
            return Ok(());
        };
        let now = std::fs::read_to_string(self.folder.join("todo.md"));
        if now.is_ok_and(|now| now != replica.text) && !replica.is_foreign {
            // Somebody was faster; theirs is looked at first.
            self.stamp = None;
            return Ok(());
        }
        replica.settle(text, plan, &[]);
        let base = std::mem::take(&mut replica.base);
        let base = if replica.is_foreign { items(text) } else { base };
        let given = std::mem::take(&mut replica.given);
        self.put(text, base)?;
        if let Some(replica) = self.texts.get_mut(FILE) {
            replica.given = given.difference(&ids(text)).cloned().collect();
        }
        Ok(())
    }

    fn put(&mut self, text: &str, base: Vec<Item>) -> io::Result<()> {
        let path = self.folder.join("todo.md");
        disk::replace(&path, text.as_bytes())?;
        self.stamp = Some(stamp(&path));
        self.hash = Some(sha256(text.as_bytes()));
        let replica = fresh(text.to_owned(), 0, base);
        self.texts.insert(FILE.to_owned(), replica);
        Ok(())
    }

    /// Asks an editor to change its buffer; [`Replicas::edited`] hears what became of it.
    fn edit(&mut self, who: &str, after: String) {
        let (Some(path), Some(replica)) = (self.path.clone(), self.texts.get_mut(who)) else {
            return;
        };
        replica.busy = true;
        let edit =
            VersionedEdit { path, version: replica.version, before: replica.text.clone(), after };
        let (editors, mail, who) = (self.editors.clone(), self.mail.clone(), who.to_owned());
        self.tokio.spawn(async move {
            let after = edit.after.clone();
            let is_done = editors.edit_one(&who, edit).await.is_ok();
            // A closed mailbox means that the process ends.
            let _ = mail.send(Mail::Woven { who, text: is_done.then_some(after) });
        });
    }

    /// An editor has changed its buffer, or not, because it had moved on.
    pub fn edited(&mut self, who: &str, text: Option<&str>, plan: Option<&Plan>) {
        self.print = None;
        let Some(replica) = self.texts.get_mut(who) else {
            return;
        };
        replica.busy = false;
        let (Some(text), Some(plan)) = (text, plan) else {
            let wait = PATIENCE.saturating_mul(1 << replica.refused.min(8));
            replica.again_at = Some(Instant::now() + wait);
            replica.refused += 1;
            return;
        };
        replica.refused = 0;
        if replica.is_foreign {
            (replica.base, replica.is_foreign) = (items(text), false);
        }
        replica.settle(text, plan, &[]);
        replica.given.retain(|id| !ids(text).contains(id));
        self.again();
    }

    /// What is shown is written down first: who finds the text later knows that it is the mission's own.
    fn remember(&mut self, text: &str) -> io::Result<()> {
        if self.shown.texts.front().is_some_and(|last| last == text) {
            return Ok(());
        }
        let earlier = self.shown.texts.iter().take(SHOWN - 1).cloned();
        let texts = std::iter::once(text.to_owned()).chain(earlier).collect();
        let shown = Shown { mission: self.shown.mission.clone(), texts };
        let bytes = serde_json::to_vec(&shown).map_err(io::Error::other)?;
        disk::replace(&self.folder.join("todo.shown.json"), &bytes)?;
        self.shown = shown;
        Ok(())
    }

    /// Reads the texts that have changed; whether any has.
    fn look(&mut self, mission: &MissionId, notices: &mut Vec<String>) -> io::Result<bool> {
        let mut moved = self.look_at_editors(mission, notices)?;
        let path = self.folder.join("todo.md");
        let now = stamp(&path);
        if self.stamp != Some(now) {
            self.stamp = Some(now);
            moved |= self.look_at_file(&path, mission, notices)?;
        }
        Ok(moved)
    }

    fn look_at_editors(
        &mut self,
        mission: &MissionId,
        notices: &mut Vec<String>,
    ) -> io::Result<bool> {
        let print = self.editors.print();
        let (true, Some(path)) = (self.print != Some(print), self.path.clone()) else {
            return Ok(false);
        };
        self.print = Some(print);
        let open = self.editors.buffers(&path);
        let count = self.texts.len();
        self.texts.retain(|who, _| who == FILE || open.iter().any(|(other, _)| other == who));
        let mut moved = self.texts.len() != count;
        for (who, now) in open {
            match self.texts.get_mut(&who) {
                Some(replica) if replica.text == now.text => replica.version = now.version,
                Some(replica) => {
                    (replica.text, replica.version) = (now.text, now.version);
                    (replica.changed, replica.refused) = (Instant::now(), 0);
                    moved = true;
                }
                None => {
                    let replica = self.met(now.text, now.version, mission, notices)?;
                    self.texts.insert(who, replica);
                    moved = true;
                }
            }
        }
        Ok(moved)
    }

    fn look_at_file(
        &mut self,
        path: &Path,
        mission: &MissionId,
        notices: &mut Vec<String>,
    ) -> io::Result<bool> {
        let found = std::fs::symlink_metadata(path).ok();
        if found.is_some_and(|found| !found.is_file() || found.len() > MOST_BYTES) {
            // A pipe would be waited for, a link leads away.
            self.set_aside(path, notices)?;
        }
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(_) => {
                self.set_aside(path, notices)?;
                None
            }
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Some(text).filter(|text| !text.trim().is_empty()),
                Err(_) => {
                    self.set_aside(path, notices)?;
                    None
                }
            },
        };
        let Some(text) = text else {
            self.texts.remove(FILE);
            return Ok(true);
        };
        if let Some(replica) = self.texts.get_mut(FILE).filter(|replica| replica.text == text) {
            replica.version = 0;
            return Ok(false);
        }
        // Saved from a buffer: it is what that is.
        let saved = self.texts.iter().find(|(who, other)| *who != FILE && other.text == text);
        if let Some(base) = saved.map(|(_, other)| other.base.clone()) {
            self.texts.insert(FILE.to_owned(), fresh(text, 0, base));
            return Ok(true);
        }
        let is_open = self.texts.keys().any(|who| who != FILE);
        match self.texts.get_mut(FILE).filter(|_| !is_open) {
            Some(replica) => {
                (replica.text, replica.changed) = (text, Instant::now());
            }
            None => {
                let replica = self.met(text, 0, mission, notices)?;
                if replica.is_foreign && !self.is_shown(&replica.text) {
                    self.set_aside(path, notices)?;
                }
                self.texts.insert(FILE.to_owned(), replica);
            }
        }
        Ok(true)
    }

    /// A text that is seen for the first time.
    fn met(
        &self,
        text: String,
        version: i32,
        mission: &MissionId,
        notices: &mut Vec<String>,
    ) -> io::Result<Replica> {
        let same = self.texts.values().find(|other| other.text == text && !other.is_foreign);
        if let Some(same) = same {
            return Ok(fresh(text, version, same.base.clone()));
        }
        let is_known = self.shown.mission == mission.0 && !self.shown.texts.is_empty();
        if !is_known {
            if version > 0 && !text.trim().is_empty() && !self.is_shown(&text) {
                let aside = self.aside()?;
                disk::write(&aside, text.as_bytes())?;
                notices.push(kept(&aside));
            }
            return Ok(Replica { is_foreign: true, ..fresh(text, version, Vec::new()) });
        }
        let shown: Vec<Vec<Item>> = self.shown.texts.iter().map(|text| items(text)).collect();
        let base = guess_base(&items(&text), &shown);
        Ok(fresh(text, version, base))
    }

    /// Whether a mission wrote that text as it is.
    fn is_shown(&self, text: &str) -> bool {
        self.hash.as_ref() == Some(&sha256(text.as_bytes()))
            || self.shown.texts.iter().any(|t| t == text)
    }

    fn aside(&self) -> io::Result<PathBuf> {
        let archive = self.folder.join("archive");
        disk::create_dir_all(&archive)?;
        let free = (now_ms()..)
            .map(|number| archive.join(format!("todo-{number}.md")))
            .find(|free| std::fs::symlink_metadata(free).is_err());
        Ok(free.unwrap_or_else(|| archive.join("todo.md")))
    }

    /// What cannot be read, and what was nobody's plan here, is moved away.
    fn set_aside(&self, path: &Path, notices: &mut Vec<String>) -> io::Result<()> {
        let aside = self.aside()?;
        disk::rename(path, &aside)?;
        notices.push(kept(&aside));
        Ok(())
    }

    /// What the person has changed, once they have left it alone for a moment; `None` when nothing is new. A text that
    /// is not valid says nothing: the mission goes on with the plan that it has.
    pub fn edits(&mut self, mission: &Mission) -> Option<Command> {
        let plan = mission.plan.as_ref()?;
        let is_open = matches!(mission.ended, None | Some(End::Blocked { .. }));
        let yields: Vec<ItemId> =
            mission.held.iter().filter(|h| h.yields).map(|h| h.edit.item.clone()).collect();
        if !is_open || self.shown.mission != mission.id.0 || !self.is_due && yields.is_empty() {
            return None;
        }
        let in_editor = self.texts.keys().any(|who| who != FILE);
        let texts = || self.texts.iter().filter(|(who, _)| !in_editor || *who != FILE);
        let is_quiet = |(who, replica): (&String, &Replica)| {
            let quiet = if who == FILE { FILE_QUIET } else { QUIET };
            !replica.busy && !replica.is_foreign && replica.changed.elapsed() >= quiet
        };
        if !texts().all(is_quiet) {
            return None;
        }
        self.is_due = false;
        let (mut all, mut order) = (Vec::new(), Vec::new());
        for (_, replica) in self.texts.iter_mut().filter(|(who, _)| !in_editor || *who != FILE) {
            let named = replica.named(mission, plan);
            if parse(&named).is_err() {
                return None;
            }
            replica.settle(&named, plan, &yields);
            let (edits, moved) = edits(&replica.base, &items(&named));
            all.extend(edits);
            if !moved.is_empty() {
                order = moved;
            }
            let old = ids(&replica.text);
            replica.given = ids(&named).into_iter().filter(|id| !old.contains(id)).collect();
        }
        if !yields.is_empty() {
            self.plan = None;
        }
        let is_held = |edit: &Edit| mission.held.iter().any(|held| held.edit == *edit);
        let is_known =
            order.is_empty() && all.len() == mission.held.len() && all.iter().all(is_held);
        let wanted = (all, order);
        // What was said is not said again while the plan stays what it is.
        if is_known || wanted == self.posted && self.plan.as_ref() == Some(plan) {
            return None;
        }
        self.posted = wanted.clone();
        Some(Command::EditPlan { edits: wanted.0, order: wanted.1 })
    }
}

fn kept(aside: &Path) -> String {
    format!("todo.md was changed by somebody else; their text is kept as {}", aside.display())
}

fn ids(text: &str) -> BTreeSet<ItemId> {
    items(text).iter().map(|item| item.id().clone()).collect()
}

fn fresh(text: String, version: i32, base: Vec<Item>) -> Replica {
    Replica {
        text,
        version,
        base,
        changed: Instant::now(),
        given: BTreeSet::new(),
        busy: false,
        refused: 0,
        again_at: None,
        is_foreign: false,
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}
