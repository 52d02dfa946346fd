//! Recovery: a damaged journal is kept aside, and what holds of it becomes the new one.
//!
//! Every step can be cut off and taken again. The damaged file and its log are copied first; the new journal is built
//! under another name and is valid from one rename on; only then are the damaged ones replaced.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Transaction, params};

use super::kept::sum_of_checkpoint;
use super::salvage::Salvage;
use super::sum::{Kind, sum};
use super::{Journal, JournalError, PATH, Record, archive, pages};
use crate::disk;
use crate::mission::{Event, MissionId};

/// What was lost of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The damaged file, as it was found, relative to the workspace.
    pub kept: String,
    /// What was damaged and what is lost, for people.
    pub what: String,
}

/// What somebody who understands events makes of a mission that was recovered.
#[derive(Debug, Default)]
pub struct Settled {
    /// Whether the mission needs no more attention.
    pub closed: bool,
    /// What is to be added to it.
    pub event: Option<Event>,
}

/// Settles a mission that was recovered, with its events and what it lost, if anything.
pub type Settle<'a> = dyn FnMut(&MissionId, &[Record], Option<&str>) -> Settled + 'a;

/// Looks at the files without opening them as a journal, where SQLite would take damage for emptiness. Answers with what
/// is wrong. While another process writes, a part of what it writes may look wrong; ask when none does.
///
/// # Errors
/// When the files cannot be read.
pub fn inspect(root: &Path) -> Result<Option<String>, JournalError> {
    let path = root.join(PATH);
    let failed = |source| JournalError::Folder { path: path.clone(), source };
    if beside(&path, RECOVERED).exists() {
        return Ok(Some("its recovery was cut off".to_owned()));
    }
    let log = read(&beside(&path, LOG)).map_err(failed)?.unwrap_or_default();
    let Some(head) = head(&path).map_err(failed)? else {
        return Ok(
            (!log.is_empty()).then(|| "the file is missing, and its log is there".to_owned())
        );
    };
    Ok(if head.is_empty() {
        (!log.is_empty()).then(|| "the file is empty, and its log is not".to_owned())
    } else if head != *MAGIC {
        Some("its header is garbage".to_owned())
    } else if pages::is_cut_short(&log) {
        Some("its log is broken".to_owned())
    } else {
        None
    })
}

/// Keeps the damaged journal aside and makes a new one of what holds. Nobody may have it open. `settle` is shown each
/// mission that was recovered, with what it lost, if anything.
///
/// # Errors
/// When the files cannot be read, copied or written; the damaged journal is untouched then.
pub fn recover(root: &Path, why: &str, settle: &mut Settle<'_>) -> Result<(), JournalError> {
    let path = root.join(PATH);
    let failed = |source| JournalError::Folder { path: path.clone(), source };
    if !beside(&path, RECOVERED).exists() {
        let kept = keep_aside(&path).map_err(failed)?;
        let file = read(&kept).map_err(failed)?.unwrap_or_default();
        let log = read(&beside(&kept, LOG)).map_err(failed)?.unwrap_or_default();
        let salvage = Salvage::of(&file, &log, |mission| archive::path(root, mission).exists());
        let new = beside(&path, ".new");
        clear(&new).map_err(failed)?;
        build(&new, salvage, why, &kept, settle)?;
        File::open(&new).and_then(|file| disk::sync(&file, &new)).map_err(failed)?;
        disk::rename(&new, &beside(&path, RECOVERED)).map_err(failed)?;
        disk::sync_folder(&path).map_err(failed)?;
    }
    install(&path).map_err(failed)
}

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const LOG: &str = "-wal";
const SHARED: &str = "-shm";
const RECOVERED: &str = ".recovered";

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The first bytes of a file; `None` where there is none.
fn head(path: &Path) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let mut head = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(MAGIC.len() as u64).read_to_end(&mut head).map(|_| Some(head)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Copies the file and its log, as they are, to a name of their own.
fn keep_aside(path: &Path) -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let kept = (now..)
        .map(|time| beside(path, &format!(".damaged-{time}")))
        .find(|kept| !kept.exists() && !beside(kept, LOG).exists())
        .unwrap_or_else(|| beside(path, ".damaged"));
    for (from, to) in [(path.to_owned(), kept.clone()), (beside(path, LOG), beside(&kept, LOG))] {
        match disk::copy(&from, &to) {
            Ok(()) => disk::sync(&disk::open(&to)?, &to)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(kept)
}

fn clear(path: &Path) -> io::Result<()> {
    [LOG, SHARED, ""].iter().try_for_each(|ending| disk::remove_if_there(&beside(path, ending)))
}

/// Puts the recovered journal into the damaged one's place. The old log goes first: it belongs to the old file.
fn install(path: &Path) -> io::Result<()> {
    [LOG, SHARED].iter().try_for_each(|ending| disk::remove_if_there(&beside(path, ending)))?;
    disk::rename(&beside(path, RECOVERED), path)?;
    disk::sync_folder(path)
}

fn build(
    path: &Path,
    mut salvage: Salvage,
    why: &str,
    kept: &Path,
    settle: &mut Settle<'_>,
) -> Result<(), JournalError> {
    let lost = salvage.cut();
    let mut journal = Journal::at(path)?;
    let error = journal.store();
    let mut write = || -> Result<(), rusqlite::Error> {
        let transaction = journal.db.transaction()?;
        let mut missions: Vec<(String, Vec<Record>)> =
            salvage.events.iter().map(|(id, events)| (id.clone(), records(id, events))).collect();
        missions.sort_by_key(|(id, records)| (records.first().map(|r| r.at), id.clone()));
        for (id, records) in missions {
            put_mission(&transaction, &id, &records, lost.get(&id).map(String::as_str), settle)?;
        }
        put_rest(&transaction, &salvage)?;
        let name = kept.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kept = format!(".opencode/{name}");
        let what = words(why, &kept, &lost, &salvage);
        transaction.execute(
            "INSERT INTO losses (at, kept, what) VALUES (?1, ?2, ?3)",
            params![now_ms(), kept, what],
        )?;
        transaction.commit()?;
        journal.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    };
    write().map_err(error)?;
    journal.db.close().map_err(|(_, source)| JournalError::Store { path: path.to_owned(), source })
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as i64)
}

fn records(id: &str, events: &BTreeMap<i64, (i64, String)>) -> Vec<Record> {
    let read = events.iter().filter_map(|(seq, (at, body))| {
        let event = serde_json::from_str(body).ok()?;
        Some(Record { mission: MissionId(id.to_owned()), seq: *seq as u64, at: *at as u64, event })
    });
    read.collect()
}

fn put_mission(
    transaction: &Transaction<'_>,
    id: &str,
    records: &[Record],
    lost: Option<&str>,
    settle: &mut Settle<'_>,
) -> Result<(), rusqlite::Error> {
    let mission = MissionId(id.to_owned());
    let settled = settle(&mission, records, lost);
    transaction.execute(
        "INSERT INTO missions (id, closed) VALUES (?1, ?2)",
        params![id, settled.closed],
    )?;
    let added = settled.event.map(|event| Record {
        mission,
        seq: records.len() as u64,
        at: now_ms() as u64,
        event,
    });
    for record in records.iter().chain(&added) {
        super::put_event(transaction, record)?;
    }
    Ok(())
}

fn put_rest(transaction: &Transaction<'_>, salvage: &Salvage) -> Result<(), rusqlite::Error> {
    for (kind, table, rows) in
        [(Kind::Receipt, "receipts", &salvage.receipts), (Kind::Tree, "trees", &salvage.trees)]
    {
        let sql = format!("INSERT INTO {table} (mission, seq, body, sum) VALUES (?1, ?2, ?3, ?4)");
        let mut insert = transaction.prepare(&sql)?;
        for ((mission, seq), body) in rows {
            insert.execute(params![mission, seq, body, sum(kind, mission, *seq, 0, body)])?;
        }
    }
    let mut insert = transaction
        .prepare("INSERT INTO checkpoints (mission, name, body, sum) VALUES (?1, ?2, ?3, ?4)")?;
    for ((mission, name), body) in &salvage.checkpoints {
        insert.execute(params![mission, name, body, sum_of_checkpoint(mission, name, body)])?;
    }
    let mut insert = transaction.prepare("INSERT INTO blobs (hash, bytes) VALUES (?1, ?2)")?;
    for (hash, bytes) in &salvage.blobs {
        insert.execute(params![hash, bytes])?;
    }
    let mut insert = transaction.prepare("INSERT INTO inbox (body, sum) VALUES (?1, ?2)")?;
    for body in &salvage.letters {
        insert.execute(params![body, sum(Kind::Letter, "", 0, 0, body)])?;
    }
    let mut insert =
        transaction.prepare("INSERT INTO losses (at, kept, what) VALUES (?1, ?2, ?3)")?;
    for (at, kept, what) in &salvage.losses {
        insert.execute(params![at, kept, what])?;
    }
    Ok(())
}

/// What a person is told.
fn words(why: &str, kept: &str, lost: &BTreeMap<String, String>, salvage: &Salvage) -> String {
    let mut parts: Vec<String> =
        lost.iter().map(|(mission, what)| format!("of mission {mission}: {what}")).collect();
    let named_already = |what: &String| what.starts_with("event ");
    parts.extend(salvage.broken.iter().filter(|what| !named_already(what)).cloned());
    let mut before: Option<&(String, i64)> = None;
    for key in salvage.receipts.keys() {
        let expected = before.filter(|b| b.0 == key.0).map_or(1, |b| b.1 + 1);
        if key.1 > expected {
            parts.push(format!("receipt {expected} of {}", key.0));
        }
        before = Some(key);
    }
    let count = salvage.events.len();
    let lost = match parts.is_empty() {
        true => "nothing is known to be lost".to_owned(),
        false => format!("lost: {}", parts.join("; ")),
    };
    format!(
        "the journal was damaged ({why}); {count} missions were recovered, {lost}. The damaged file is kept as {kept}; remove it when you no longer need it"
    )
}

impl Journal {
    /// What was lost of this journal, as long as the damaged files are still kept.
    ///
    /// # Errors
    /// When it could not be read.
    pub fn losses(&self) -> Result<Vec<Loss>, JournalError> {
        let read = || {
            let mut query = self.db.prepare("SELECT kept, what FROM losses ORDER BY at")?;
            let rows =
                query.query_map([], |row| Ok(Loss { kept: row.get(0)?, what: row.get(1)? }))?;
            rows.collect::<Result<Vec<Loss>, rusqlite::Error>>()
        };
        let mut losses = read().map_err(self.store())?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        losses.retain(|loss| {
            let name = Path::new(&loss.kept).file_name().unwrap_or_default();
            folder.join(name).exists() || beside(&folder.join(name), LOG).exists()
        });
        Ok(losses)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::super::Batch;
    use super::*;

    const EVENTS: u64 = 60;

    fn id(name: &str) -> MissionId {
        MissionId(name.to_owned())
    }

    /// A journal as a killed process leaves it: a file, and a log with the newest part.
    fn left() -> (Vec<u8>, Vec<u8>) {
        let live = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(live.path()).unwrap();
        journal.db.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        for seq in 0..EVENTS {
            for mission in ["m1", "m2"] {
                let long = "x".repeat(if seq % 7 == 0 { 5_000 } else { 300 });
                let event = Event::Recovered { lost: long };
                let records = [Record { mission: id(mission), seq, at: 10 + seq, event }];
                journal.commit(&Batch { records: &records, ..Batch::default() }).unwrap();
            }
            if seq == EVENTS / 2 {
                for n in 1..=3 {
                    let bytes = vec![n as u8; 9_000];
                    let bytes = [(super::super::sum::hash(&bytes), bytes)];
                    journal.put_receipt(&id("m1"), n, "{\"proof\":1}", &bytes).unwrap();
                    journal.put_tree(&id("m1"), n, "tree", &[]).unwrap();
                    let (name, bytes) = (format!("change {n}"), vec![n as u8 + 10; 9_000]);
                    let bytes = [(super::super::sum::hash(&bytes), bytes)];
                    journal.put_checkpoint(&id("m1"), &name, "begun", &bytes).unwrap();
                }
                journal.post("answered").unwrap();
                journal.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
                let letters: Vec<i64> = journal.letters().unwrap().iter().map(|l| l.id).collect();
                journal.commit(&Batch { letters: &letters, ..Batch::default() }).unwrap();
                journal.post("waits").unwrap();
                journal.put_checkpoint(&id("m1"), "change 2", "committing", &[]).unwrap();
                journal.put_checkpoint(&id("m1"), "undo 4", "begun", &[]).unwrap();
            }
        }
        let path = live.path().join(PATH);
        let (file, log) = (fs::read(&path).unwrap(), fs::read(beside(&path, LOG)).unwrap());
        assert!(file.len() > 100_000 && log.len() > 100_000);
        (file, log)
    }

    /// That journal, with a damage.
    fn damaged(change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>)) -> tempfile::TempDir {
        static LEFT: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(left);
        let (mut file, mut log) = LEFT.clone();
        change(&mut file, &mut log);
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(".opencode")).unwrap();
        let path = root.path().join(PATH);
        fs::write(&path, file).unwrap();
        fs::write(beside(&path, LOG), log).unwrap();
        root
    }

    /// Recovers it, and answers with how many events of either mission are left.
    fn recovered(root: &Path) -> (Journal, u64, u64) {
        let closed = |_: &MissionId, records: &[Record], lost: Option<&str>| {
            assert!(records.iter().enumerate().all(|(n, record)| record.seq == n as u64));
            Settled { closed: lost.is_some(), event: None }
        };
        recover(root, "a test", &mut { closed }).unwrap();
        assert_eq!(inspect(root).unwrap(), None);
        let journal = Journal::open(root).unwrap();
        let count = |mission| journal.events(&id(mission), 0).unwrap().len() as u64;
        let (m1, m2) = (count("m1"), count("m2"));
        assert_eq!(journal.losses().unwrap().len(), 1);
        (journal, m1, m2)
    }

    /// Those of the first mission, as they were written last.
    const CHECKPOINTS: [(&str, &str); 4] = [
        ("change 1", "begun"),
        ("change 2", "committing"),
        ("change 3", "begun"),
        ("undo 4", "begun"),
    ];

    #[test]
    fn a_journal_without_its_header_loses_nothing() {
        let root = damaged(|file, _| file[..100].fill(0xaa));
        assert!(inspect(root.path()).unwrap().unwrap().contains("header"));
        let (journal, m1, m2) = recovered(root.path());
        assert_eq!((m1, m2), (EVENTS, EVENTS));
        assert_eq!(journal.receipts(&id("m1")).unwrap().len(), 3);
        assert_eq!(journal.trees(&id("m1")).unwrap().len(), 3);
        for of in [2, 12] {
            let bytes = vec![of; 9_000];
            assert_eq!(journal.bytes(&super::super::sum::hash(&bytes)).unwrap(), Some(bytes));
        }
        for (name, body) in CHECKPOINTS {
            assert_eq!(journal.checkpoint(&id("m1"), name).unwrap().as_deref(), Some(body));
        }
        let letters: Vec<String> = journal.letters().unwrap().into_iter().map(|l| l.body).collect();
        assert_eq!(letters, ["waits"], "one that was answered does not come back");
        let loss = &journal.losses().unwrap()[0];
        assert!(loss.what.contains("nothing is known to be lost"), "{}", loss.what);
        let kept = root.path().join(&loss.kept);
        assert!(kept.exists() && beside(&kept, LOG).exists(), "both are kept aside");
        fs::remove_file(&kept).unwrap();
        fs::remove_file(beside(&kept, LOG)).unwrap();
        assert!(journal.losses().unwrap().is_empty(), "who removes it has read of it");
    }

    #[test]
    fn whatever_page_is_torn_the_rest_is_there_and_the_loss_is_told() {
        let mut lost = 0;
        let mut whole = Vec::new();
        damaged(|file, _| whole.clone_from(file));
        for page in 0..whole.len() / 4096 {
            let root = damaged(|file, _| file[page * 4096 + 50..(page + 1) * 4096].fill(0));
            let (journal, m1, m2) = recovered(root.path());
            assert!(m1 >= EVENTS / 2 || m2 >= EVENTS / 2, "page {page}: {m1} {m2}");
            if m1 < EVENTS || m2 < EVENTS {
                lost += 1;
                let what = &journal.losses().unwrap()[0].what;
                assert!(what.contains("lost: of mission"), "page {page}: {what}");
            }
        }
        assert!(lost > 3, "only {lost} pages had events");
    }

    #[test]
    fn a_checkpoint_that_does_not_hold_is_named() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(root.path()).unwrap();
        journal.put_checkpoint(&id("m1"), "change 1", "begun", &[]).unwrap();
        journal.put_checkpoint(&id("m1"), "change 2", "begun", &[]).unwrap();
        journal.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(journal);
        let path = root.path().join(PATH);
        let mut file = fs::read(&path).unwrap();
        let at = file.windows(13).position(|part| part == b"change 1begun").unwrap();
        file[at + 11] = b'i';
        let salvage = Salvage::of(&file, &[], |_| false);
        assert_eq!(salvage.checkpoints.len(), 1);
        assert!(salvage.broken.contains("checkpoint change 1 of m1"), "{:?}", salvage.broken);
    }

    #[test]
    fn a_flipped_byte_in_the_log_costs_what_it_hits_alone() {
        let mut flipped = 0;
        for part in 0..10 {
            let root = damaged(|_, log| {
                let at = log.len() / 11 * part + 2_000;
                log[at] ^= 0x10;
            });
            // SQLite itself would take the frame for the log's end, and say nothing.
            flipped += usize::from(inspect(root.path()).unwrap().is_some());
            let (_, m1, m2) = recovered(root.path());
            assert!(m1.min(m2) >= EVENTS / 2, "part {part}: {m1} {m2}");
            assert!(m1 + m2 > EVENTS + 20, "part {part}: {m1} {m2}");
        }
        assert!(flipped >= 9, "{flipped}");
    }

    #[test]
    fn a_file_that_is_cut_off_or_empty_is_recovered_as_far_as_it_goes() {
        let root = damaged(|file, _| file.clear());
        assert!(inspect(root.path()).unwrap().unwrap().contains("empty"));
        let (_, m1, _) = recovered(root.path());
        assert!(m1 < EVENTS);
        for share in [2, 3] {
            let root = damaged(|file, _| file.truncate(file.len() * share / 4));
            let (_, m1, m2) = recovered(root.path());
            assert!(m1 + m2 > 0, "{share} quarters: {m1} {m2}");
        }
    }

    #[test]
    fn a_recovery_that_was_cut_off_is_finished() {
        let root = damaged(|file, _| file[..100].fill(0xaa));
        let path = root.path().join(PATH);
        let (file, log) = (fs::read(&path).unwrap(), fs::read(beside(&path, LOG)).unwrap());
        drop(recovered(root.path()));
        // As it was between the two renames: the old file and its log, and the new one beside them.
        fs::rename(&path, beside(&path, RECOVERED)).unwrap();
        fs::write(&path, file).unwrap();
        fs::write(beside(&path, LOG), log).unwrap();
        assert!(inspect(root.path()).unwrap().unwrap().contains("cut off"));
        let (_, m1, m2) = recovered(root.path());
        assert_eq!((m1, m2), (EVENTS, EVENTS));
    }
}
