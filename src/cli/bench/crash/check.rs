//! What must hold after a crash, and when the mission is over. Each check answers with what is wrong, in words.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::OpenFlags;
use serde_json::Value;

use super::place::{Ended, Place};
use crate::gate::report::receipt::{Proof, Receipt, verify_chain};
use crate::journal::{self, Journal, Record};
use crate::mission::view::state;
use crate::mission::{Event, Mission, MissionId, Outcome, step};
use crate::workspace::hash::sha256;

/// What the journal tells.
pub(super) struct Told {
    pub mission: Mission,
    pub records: Vec<Record>,
    receipts: Vec<Receipt>,
    letters: usize,
}

/// The undisturbed run, which all others must end like.
pub(super) struct Reference {
    tree: BTreeMap<String, Option<Vec<u8>>>,
    todo: Option<String>,
    ignored: Option<String>,
    /// The texts of the story, sorted; hashes are left out.
    story: Vec<String>,
    receipts: usize,
    /// Every text that a file may have at any time, by its hash.
    texts: BTreeMap<String, BTreeSet<String>>,
    pub events: usize,
}

impl Reference {
    pub fn of(place: &Place) -> Result<Reference, String> {
        let told = read(place)?.ok_or("there is no mission")?;
        Ok(Reference {
            tree: place.tree().map_err(|e| e.to_string())?,
            todo: place.of_ours("todo.md"),
            ignored: place.of_ours(".gitignore"),
            story: story(&told.mission),
            receipts: told.receipts.len(),
            texts: texts(&told.receipts),
            events: told.records.len(),
        })
    }

    /// What must hold at any time, also right after a death: the journal is whole, what was said is in it, no file is torn.
    pub fn after_death(&self, place: &Place, said: &Ended) -> Result<Option<Told>, String> {
        let told = read(place)?;
        acknowledged(said, told.as_ref())?;
        for (path, bytes) in place.tree().map_err(|e| e.to_string())? {
            let Some(bytes) = bytes else {
                continue;
            };
            let temporary =
                path.rsplit('/').next().is_some_and(|n| n.starts_with(crate::disk::TEMPORARY));
            let hash = sha256(&bytes);
            let known = self.texts.get(&path).is_some_and(|texts| texts.contains(&hash))
                || self.tree.get(&path).is_some_and(|last| last.as_ref() == Some(&bytes));
            if !temporary && !known {
                return Err(format!(
                    "{path} is torn: it has {} bytes that nobody wrote",
                    bytes.len()
                ));
            }
        }
        Ok(told)
    }

    /// What must hold when the mission is over. `undisturbed`: it was only ever killed, so that its story is the very same.
    pub fn at_the_end(&self, place: &Place, undisturbed: bool) -> Result<Told, String> {
        let told = read(place)?.ok_or("there is no mission")?;
        if state(&told.mission) != "sealed" {
            return Err(format!("the mission is {}", state(&told.mission)));
        }
        let tree = place.tree().map_err(|e| e.to_string())?;
        if tree != self.tree {
            return Err(differences(&self.tree, &tree));
        }
        once(&told)?;
        verify_chain(&told.receipts).map_err(|e| e.to_string())?;
        if told.letters > 0 {
            return Err(format!("{} letters stay in the inbox", told.letters));
        }
        let left = place.temporary_files().map_err(|e| e.to_string())?;
        if !left.is_empty() {
            return Err(format!("temporary files are left: {}", left.join(", ")));
        }
        self.projections(place)?;
        if undisturbed {
            self.same_story(&told)?;
        }
        Ok(told)
    }

    fn projections(&self, place: &Place) -> Result<(), String> {
        if place.of_ours("todo.md") != self.todo {
            return Err("todo.md is not the plan".to_owned());
        }
        if place.of_ours(".gitignore") != self.ignored {
            return Err(".opencode/.gitignore is missing or torn".to_owned());
        }
        let snapshot = place.of_ours("mission_loop.json").unwrap_or_default();
        let snapshot: Value = serde_json::from_str(&snapshot)
            .map_err(|e| format!("mission_loop.json cannot be read: {e}"))?;
        if snapshot["state"] != "sealed" {
            return Err(format!("mission_loop.json says {}", snapshot["state"]));
        }
        if place.root().join(".opencode/archive").exists() {
            return Err("a todo.md of ours was taken for somebody else's".to_owned());
        }
        Ok(())
    }

    fn same_story(&self, told: &Told) -> Result<(), String> {
        let story = story(&told.mission);
        if told.receipts.len() != self.receipts || story != self.story {
            let extra: Vec<_> = story.iter().filter(|line| !self.story.contains(line)).collect();
            let lost: Vec<_> = self.story.iter().filter(|line| !story.contains(line)).collect();
            return Err(format!(
                "it went another way: {} receipts for {}, {} lines for {}; new {extra:?}, missing {lost:?}",
                told.receipts.len(),
                self.receipts,
                story.len(),
                self.story.len()
            ));
        }
        Ok(())
    }
}

/// Reads the journal, whole; `None` when it holds no mission yet.
fn read(place: &Place) -> Result<Option<Told>, String> {
    let root = place.root();
    let Some(journal) = Journal::open_existing(&root).map_err(|e| e.to_string())? else {
        return Ok(None);
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let whole: String = rusqlite::Connection::open_with_flags(root.join(journal::PATH), flags)
        .and_then(|db| db.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .map_err(|e| format!("the journal cannot be checked: {e}"))?;
    if whole != "ok" {
        return Err(format!("the journal is damaged: {whole}"));
    }
    let missions = journal.missions().map_err(|e| e.to_string())?;
    let Some(row) = missions.first() else {
        return Ok(None);
    };
    if missions.len() > 1 {
        return Err(format!("one mission was started {} times", missions.len()));
    }
    tell(&journal, &row.id).map(Some)
}

fn tell(journal: &Journal, id: &MissionId) -> Result<Told, String> {
    let records = journal.events(id, 0).map_err(|e| e.to_string())?;
    let mission = records.iter().fold(Mission::new(id.clone()), |mission, record| {
        step(mission, record.at, &record.event).0
    });
    let receipts = journal.receipts(id).map_err(|e| e.to_string())?;
    let receipts = receipts.iter().map(|text| Receipt::from_json(text).map_err(|e| e.to_string()));
    let letters = journal.letters().map_err(|e| e.to_string())?.len();
    Ok(Told { mission, records, receipts: receipts.collect::<Result<_, _>>()?, letters })
}

/// Each line that a process printed before it died is in the journal.
fn acknowledged(said: &Ended, told: Option<&Told>) -> Result<(), String> {
    for line in &said.lines {
        // Only the last line of a dead process can be torn.
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let Some(number) = value["line"]["number"].as_u64() else {
            continue;
        };
        let mut lines = told.iter().flat_map(|told| told.mission.story.iter());
        let kept = lines.find(|line| line.number == number).map(|line| line.text.as_str());
        if kept != value["line"]["text"].as_str() {
            return Err(format!("it was said and is lost: {line}"));
        }
    }
    Ok(())
}

/// Each effect has exactly one end, each receipt was applied exactly once, and nothing is left open.
fn once(told: &Told) -> Result<(), String> {
    let mut ends: BTreeMap<u64, usize> = BTreeMap::new();
    let mut applied = 0;
    for record in &told.records {
        if let Event::Finished { effect, outcome } = &record.event {
            *ends.entry(*effect).or_default() += 1;
            applied += usize::from(*outcome == Outcome::Applied);
        }
    }
    if let Some((effect, count)) = ends.iter().find(|(_, count)| **count != 1) {
        return Err(format!("effect {effect} ended {count} times"));
    }
    if told.mission.pending().next().is_some() {
        return Err("an effect has no end".to_owned());
    }
    let accepted = told.mission.receipts.len();
    let chain = told.receipts.iter().filter(|r| matches!(r.proof, Proof::Change { .. })).count();
    if applied != accepted || accepted > chain {
        return Err(format!(
            "{accepted} change-sets were accepted, {applied} applied, {chain} proved"
        ));
    }
    Ok(())
}

/// What was told, without the numbers that differ from run to run.
fn story(mission: &Mission) -> Vec<String> {
    let is_of_a_restart = |text: &&str| text.starts_with("goes on");
    let texts =
        mission.story.iter().map(|line| line.text.as_str()).filter(|text| !is_of_a_restart(text));
    let mut story: Vec<String> = texts
        .map(|text| match text.strip_prefix("sealed ") {
            Some(_) => "sealed".to_owned(),
            None => text.to_owned(),
        })
        .collect();
    story.sort();
    story
}

fn texts(receipts: &[Receipt]) -> BTreeMap<String, BTreeSet<String>> {
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for receipt in receipts {
        if let Proof::Change { report, .. } = &receipt.proof {
            for file in &report.files {
                let known = texts.entry(file.path.to_string()).or_default();
                known.extend(file.base.iter().chain(&file.result).cloned());
            }
        }
    }
    texts
}

fn differences(
    wanted: &BTreeMap<String, Option<Vec<u8>>>,
    found: &BTreeMap<String, Option<Vec<u8>>>,
) -> String {
    let paths: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let other = paths.into_iter().filter(|path| wanted.get(*path) != found.get(*path));
    let names: Vec<&str> = other.map(String::as_str).collect();
    format!("the tree is another one: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::crash::mission;
    use crate::mission::{Line, LineKind};

    fn reference() -> Reference {
        Reference {
            tree: BTreeMap::new(),
            todo: None,
            ignored: None,
            story: Vec::new(),
            receipts: 0,
            texts: BTreeMap::new(),
            events: 0,
        }
    }

    fn said(text: &str) -> Ended {
        let line = serde_json::json!({"mission": "m", "line": {"number": 1, "text": text}});
        let lines = vec![line.to_string(), "{\"torn".to_owned()];
        Ended { code: None, lines, complaints: String::new(), first_line: None }
    }

    fn told(text: &str) -> Told {
        let mut mission = Mission::new(MissionId("m".into()));
        let line = Line {
            number: 1,
            at: 0,
            role: None,
            item: None,
            kind: LineKind::Step,
            text: text.to_owned(),
        };
        mission.story.push_back(line);
        Told { mission, records: Vec::new(), receipts: Vec::new(), letters: 0 }
    }

    #[test]
    fn what_was_said_and_is_not_in_the_journal_is_noticed() {
        assert_eq!(acknowledged(&said("planned"), Some(&told("planned"))), Ok(()));
        assert!(acknowledged(&said("planned"), Some(&told("something else"))).is_err());
        assert!(acknowledged(&said("planned"), None).unwrap_err().contains("lost"));
    }

    #[test]
    fn an_effect_that_ends_twice_is_noticed() {
        let mut told = told("x");
        let finished = |seq| Record {
            mission: MissionId("m".into()),
            seq,
            at: 0,
            event: Event::Finished { effect: 7, outcome: Outcome::Waited },
        };
        told.records = vec![finished(0)];
        assert_eq!(once(&told), Ok(()));
        told.records.push(finished(1));
        assert_eq!(once(&told).unwrap_err(), "effect 7 ended 2 times");
    }

    #[test]
    fn an_application_without_an_acceptance_is_noticed() {
        let mut told = told("x");
        let event = Event::Finished { effect: 7, outcome: Outcome::Applied };
        told.records = vec![Record { mission: MissionId("m".into()), seq: 0, at: 0, event }];
        assert!(once(&told).unwrap_err().contains("1 applied"));
    }

    #[test]
    fn a_torn_file_and_one_left_behind_are_noticed() {
        let place = Place::new("http://127.0.0.1:1").unwrap();
        let mut reference = reference();
        reference.tree = place.tree().unwrap();
        let nothing =
            Ended { code: None, lines: vec![], complaints: String::new(), first_line: None };
        assert!(reference.after_death(&place, &nothing).unwrap().is_none());
        std::fs::write(place.root().join("notes/first.txt"), "The fir").unwrap();
        let why = reference.after_death(&place, &nothing).err().unwrap();
        assert!(why.starts_with("notes/first.txt is torn"), "{why}");
        mission::lay_out(&place.root()).unwrap();
        std::fs::write(place.root().join("notes/.orchestrator-x.tmp"), "The fir").unwrap();
        assert!(reference.after_death(&place, &nothing).unwrap().is_none());
        assert_eq!(place.temporary_files().unwrap(), ["project/notes/.orchestrator-x.tmp"]);
    }
}
