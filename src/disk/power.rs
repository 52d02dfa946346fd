//! What a power cut takes: bytes that were written and not flushed. Used by [`super::fault`] alone, and only when a cut is
//! armed: it remembers what stood where bytes are written until they are flushed, and puts it back when the power goes.
//! Names are taken to be kept (they are journaled by file systems); bytes are not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What was there before one write.
#[derive(Debug)]
struct Before {
    /// The length of the file.
    length: u64,
    /// Where bytes were written, and which of them stood there.
    at: u64,
    bytes: Vec<u8>,
}

/// What is not flushed yet, by file, in the order of the writes.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    files: BTreeMap<PathBuf, Vec<Before>>,
}

impl Unflushed {
    /// `count` bytes are about to be written at `at`; at the end where that is `None`.
    pub fn write(&mut self, path: &Path, at: Option<u64>, count: usize) {
        let before =
            look(path, at, count).unwrap_or(Before { length: 0, at: 0, bytes: Vec::new() });
        self.files.entry(path.to_owned()).or_default().push(before);
    }

    /// All of the file is on the disk now, or it is gone.
    pub fn settle(&mut self, path: &Path) {
        self.files.remove(path);
    }

    /// The file has another name, and whatever had that name is gone.
    pub fn rename(&mut self, from: &Path, to: &Path) {
        self.files.remove(to);
        if let Some(writes) = self.files.remove(from) {
            self.files.insert(to.to_owned(), writes);
        }
    }

    /// The power goes.
    pub fn cut(&mut self) {
        for (path, writes) in std::mem::take(&mut self.files) {
            for before in writes.iter().rev() {
                // A file that is gone has lost all of it.
                let _ = put_back(&path, before);
            }
        }
    }
}

fn look(path: &Path, at: Option<u64>, count: usize) -> io::Result<Before> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let at = at.unwrap_or(length);
    let mut bytes = Vec::new();
    if at < length {
        file.seek(SeekFrom::Start(at))?;
        file.take(count as u64).read_to_end(&mut bytes)?;
    }
    Ok(Before { length, at, bytes })
}

fn put_back(path: &Path, before: &Before) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    if !before.bytes.is_empty() {
        file.seek(SeekFrom::Start(before.at))?;
        file.write_all(&before.bytes)?;
    }
    match file.metadata()?.len() > before.length {
        true => file.set_len(before.length),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_was_not_flushed_is_lost_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a");
        fs::write(&place, "0123456789").unwrap();
        let mut unflushed = Unflushed::default();
        let write = |unflushed: &mut Unflushed, at: u64, bytes: &str| {
            unflushed.write(&place, Some(at), bytes.len());
            let mut file = File::options().write(true).open(&place).unwrap();
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(bytes.as_bytes()).unwrap();
        };
        write(&mut unflushed, 8, "abcd");
        unflushed.settle(&place);
        write(&mut unflushed, 2, "xx");
        write(&mut unflushed, 10, "yyyy");
        assert_eq!(fs::read_to_string(&place).unwrap(), "01xx4567abyyyy");
        unflushed.cut();
        assert_eq!(fs::read_to_string(&place).unwrap(), "01234567abcd");
    }

    #[test]
    fn a_file_that_was_renamed_before_it_was_flushed_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let mut unflushed = Unflushed::default();
        fs::write(&from, "").unwrap();
        unflushed.write(&from, None, 3);
        fs::write(&from, "new").unwrap();
        fs::rename(&from, &to).unwrap();
        unflushed.rename(&from, &to);
        unflushed.cut();
        assert_eq!(fs::read_to_string(&to).unwrap(), "");
    }
}
