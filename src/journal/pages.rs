//! Records read straight off the pages of a SQLite file and its write-ahead log, for when SQLite itself cannot.
//!
//! Every page that looks like one of a table is read, whatever leads to it, so that a garbled header, a torn page or a
//! missing end costs no more than the records that lie there. Nothing here judges whether a record is what was written:
//! its checksum does.

use std::collections::BTreeMap;

/// The page size in bytes; journals are made with SQLite's own default and never changed.
const PAGE: usize = 4096;
/// The log's header, and the header of each page in it, in bytes.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The largest record, in bytes: more is garbage that looks like a length.
const MAX_RECORD: usize = 1 << 30;

/// One field of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The pages of a file and its log.
pub(super) struct Pages<'a> {
    /// The newest text of each page, by its number from 1.
    newest: BTreeMap<usize, &'a [u8]>,
    /// Texts that were replaced since, the newest first; they hold records that the newer ones may have lost.
    older: Vec<&'a [u8]>,
}

impl<'a> Pages<'a> {
    pub fn new(file: &'a [u8], log: &'a [u8]) -> Pages<'a> {
        let mut pages = Pages { newest: BTreeMap::new(), older: Vec::new() };
        for (number, page) in (1..).zip(file.chunks_exact(PAGE)) {
            pages.newest.insert(number, page);
        }
        for frame in frames(log) {
            if let Some(before) = pages.newest.insert(frame.page, frame.bytes) {
                pages.older.push(before);
            }
        }
        pages.older.reverse();
        pages
    }

    /// The records of the newest pages, then those that older ones still hold.
    pub fn records(&self) -> impl Iterator<Item = (Age, Vec<Field>)> + '_ {
        let newest = self.newest.iter().map(|(number, page)| (Age::Newest, *number == 1, *page));
        let older = self.older.iter().map(|page| (Age::Older, false, *page));
        newest.chain(older).flat_map(move |(age, is_first, page)| {
            let start = if is_first { 100 } else { 0 };
            self.cells(page, start).into_iter().map(move |record| (age, record))
        })
    }

    /// The records of one page; none where it is no page of a table.
    fn cells(&self, page: &[u8], start: usize) -> Vec<Vec<Field>> {
        let (is_index, head, child) = match page.get(start) {
            Some(0x0a) => (true, 8, 0),
            Some(0x02) => (true, 12, 4),
            Some(0x0d) => (false, 8, 0),
            _ => return Vec::new(),
        };
        let count = number(page, start + 3, 2).unwrap_or(0);
        let cell = |at: usize| {
            let at = number(page, start + head + 2 * at, 2)? + child;
            self.cell(page, at, is_index)
        };
        (0..count.min(PAGE / 2)).filter_map(cell).collect()
    }

    fn cell(&self, page: &[u8], mut at: usize, is_index: bool) -> Option<Vec<Field>> {
        let length = usize::try_from(varint(page, &mut at)?).ok()?;
        if length > MAX_RECORD {
            return None;
        }
        if !is_index {
            varint(page, &mut at)?;
        }
        let most = if is_index { (PAGE - 12) * 64 / 255 - 23 } else { PAGE - 35 };
        if length <= most {
            return fields(page.get(at..at.checked_add(length)?)?);
        }
        let least = (PAGE - 12) * 32 / 255 - 23;
        let here = least + (length - least) % (PAGE - 4);
        let here = if here <= most { here } else { least };
        let mut payload = page.get(at..at + here)?.to_vec();
        let mut next = number(page, at + here, 4)?;
        while payload.len() < length {
            // Each turn adds bytes, so a chain that leads back to itself ends as well.
            let overflow = self.newest.get(&next)?;
            let wanted = (length - payload.len()).min(PAGE - 4);
            payload.extend_from_slice(overflow.get(4..4 + wanted)?);
            next = number(overflow, 0, 4)?;
        }
        fields(&payload)
    }
}

/// Whether a record stands on the newest text of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Newest,
    Older,
}

struct Frame<'a> {
    page: usize,
    /// Whether a transaction ends with it.
    commits: bool,
    head: &'a [u8],
    bytes: &'a [u8],
}

/// The frames of a log's latest round, which its header names; those of earlier rounds lie behind them. Where the header
/// does not hold, the first frame says which round it is.
fn frames(log: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let salt = match header(log) {
        Some((_, _, true)) => log.get(16..24),
        _ => log.get(LOG_HEADER + 8..LOG_HEADER + 16),
    };
    let rest = log.get(LOG_HEADER..).unwrap_or_default();
    let all = rest.chunks_exact(FRAME_HEADER + PAGE).map(|frame| Frame {
        page: number(frame, 0, 4).unwrap_or(0),
        commits: number(frame, 4, 4) != Some(0),
        head: &frame[..FRAME_HEADER],
        bytes: &frame[FRAME_HEADER..],
    });
    all.filter(move |frame| frame.page > 0 && frame.head.get(8..16) == salt)
}

/// Whether a log lost transactions that were acknowledged: SQLite takes the first frame that does not hold for the
/// log's end. What stands behind a broken frame may be the one transaction that was being written when power failed;
/// more than that is a loss.
pub(super) fn is_cut_short(log: &[u8]) -> bool {
    let Some((big, mut sum, header_holds)) = header(log) else {
        return false;
    };
    let mut broken = !header_holds;
    let mut commits = false;
    for frame in frames(log) {
        if commits {
            return true;
        }
        if !broken {
            sum = checksum(big, checksum(big, sum, &frame.head[..8]), frame.bytes);
            broken = !is_sum(sum, &frame.head[16..]);
        }
        commits = broken && frame.commits;
    }
    false
}

/// The byte order of a log's checksums, the first of them, and whether it holds.
fn header(log: &[u8]) -> Option<(bool, (u32, u32), bool)> {
    let header = log.get(..LOG_HEADER)?;
    let big = header[3] & 1 == 1;
    let sum = checksum(big, (0, 0), &header[..24]);
    Some((big, sum, is_sum(sum, &header[24..])))
}

fn is_sum(sum: (u32, u32), text: &[u8]) -> bool {
    number(text, 0, 4) == Some(sum.0 as usize) && number(text, 4, 4) == Some(sum.1 as usize)
}

/// The log's own running checksum, over pairs of words.
fn checksum(big: bool, (mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word.copy_from_slice(bytes);
        if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(word(&pair[..4])).wrapping_add(b);
        b = b.wrapping_add(word(&pair[4..])).wrapping_add(a);
    }
    (a, b)
}

/// A big-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// SQLite's number of one to nine bytes.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for place in 0..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if place == 8 {
            return Some(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The fields of a record: a header of types, and their values behind it.
fn fields(record: &[u8]) -> Option<Vec<Field>> {
    let mut at = 0;
    let header = usize::try_from(varint(record, &mut at)?).ok()?;
    let mut value = header;
    let mut fields = Vec::new();
    while at < header {
        let kind = varint(record, &mut at)?;
        let width = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => usize::try_from((kind - 12) / 2).ok()?,
        };
        let bytes = record.get(value..value.checked_add(width)?)?;
        value += width;
        fields.push(match kind {
            0 => Field::Null,
            8 => Field::Int(0),
            9 => Field::Int(1),
            1..=6 => Field::Int(signed(bytes)),
            7 => return None,
            _ if kind % 2 == 0 => Field::Bytes(bytes.to_vec()),
            _ => Field::Text(String::from_utf8(bytes.to_vec()).ok()?),
        });
    }
    Some(fields)
}

fn signed(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|first| first & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(start, |number, byte| number << 8 | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::{Connection, params};

    fn tables(path: &std::path::Path) -> Connection {
        let db = Connection::open(path).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        db.execute_batch(
            "CREATE TABLE keyed (a TEXT, b INTEGER, c TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
             CREATE TABLE rows (id INTEGER PRIMARY KEY, c TEXT);",
        )
        .unwrap();
        db
    }

    /// The `c` of every record that is found.
    fn found(file: &[u8], log: &[u8]) -> Vec<String> {
        let pages = Pages::new(file, log);
        let text = |(_, record): (Age, Vec<Field>)| match record.last() {
            Some(Field::Text(text)) if text.starts_with("text ") => Some(text.clone()),
            _ => None,
        };
        let mut texts: Vec<String> = pages.records().filter_map(text).collect();
        texts.sort();
        texts.dedup();
        texts
    }

    #[test]
    fn all_records_are_found_whatever_their_size_and_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let db = tables(&path);
        let mut all = Vec::new();
        for size in (0..200).chain([900, 1_000, 1_100, 4_000, 4_100, 9_000, 50_000]) {
            for table in ["keyed (a, b, c) VALUES ('m', ?1, ?2)", "rows (id, c) VALUES (?1, ?2)"] {
                let text = format!("text {size} {} {}", table.len(), "x".repeat(size));
                let number = size as i64 * 70_000_000 - 3_000_000_000;
                db.execute(&format!("INSERT INTO {table}"), params![number, text]).unwrap();
                all.push(text);
            }
        }
        all.sort();
        let log = std::fs::read(folder.path().join("db-wal")).unwrap();
        assert_eq!(found(&std::fs::read(&path).unwrap(), &log), all, "from the log");
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        assert_eq!(found(&std::fs::read(&path).unwrap(), &[]), all, "from the file");
        let mut garbled = std::fs::read(&path).unwrap();
        garbled[..100].fill(0x55);
        assert_eq!(found(&garbled, &[]), all, "without a header");
    }

    #[test]
    fn numbers_keep_their_sign() {
        assert_eq!(signed(&[0xff]), -1);
        assert_eq!(signed(&[0x7f, 0xff]), 0x7fff);
        assert_eq!(signed(&(-5_000_000_000i64).to_be_bytes()[2..]), -5_000_000_000);
        assert_eq!(signed(&[]), 0);
    }

    #[test]
    fn a_log_that_lost_more_than_its_last_transaction_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let db = tables(&path);
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        for id in 0..5 {
            db.execute("INSERT INTO rows (id, c) VALUES (?1, 'text')", [id]).unwrap();
        }
        let log = std::fs::read(folder.path().join("db-wal")).unwrap();
        assert!(!is_cut_short(&log) && !is_cut_short(&[]));
        let frame = FRAME_HEADER + PAGE;
        let count = (log.len() - LOG_HEADER) / frame;
        for broken in 0..count {
            let mut log = log.clone();
            log[LOG_HEADER + broken * frame + FRAME_HEADER + 2000] ^= 1;
            assert_eq!(is_cut_short(&log), broken + 1 < count, "{broken} of {count}");
        }
        let torn = &log[..log.len() - 100];
        assert!(!is_cut_short(torn), "what was being written is no loss");
    }

    #[test]
    fn garbage_gives_nothing_and_harms_nothing() {
        let mut state = 7u64;
        let mut garbage = Vec::new();
        for _ in 0..PAGE * 64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            garbage.push((state >> 33) as u8);
        }
        for kind in [0x0a, 0x02, 0x0d] {
            garbage.chunks_mut(PAGE).for_each(|page| page[0] = kind);
            Pages::new(&garbage, &garbage).records().for_each(drop);
        }
        is_cut_short(&garbage);
    }
}
