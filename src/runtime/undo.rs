//! Takes changes back: exactly where the files are what was left there, by a merge where a person has edited since and
//! asks for it. What is done is a checkpoint of its own, from which it can be taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::checkpoint::{Checkpoint, Passage, Version, bytes_of, mode_of};
use super::perform::Performer;
use super::store::locked;
use crate::mission::{Back, MissionId, Outcome};
use crate::workspace::diff::unified;
use crate::workspace::hash::sha256;
use crate::workspace::merge::merge;
use crate::workspace::{FileWrite, OpenTexts, RelPath};

/// The most of a diff that is kept, in bytes.
const MAX_DIFF: usize = 64 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The name of the checkpoint of an accepted change.
pub(super) fn of_change(receipt: u64) -> String {
    format!("change {receipt}")
}

fn of_undo(number: u64) -> String {
    format!("undo {number}")
}

impl Performer {
    pub(super) async fn undo(
        &self,
        mission: &MissionId,
        number: u64,
        back: &Back,
        merging: bool,
    ) -> Outcome {
        let name = of_undo(number);
        let point = match self.set_out(mission, &name, back, merging) {
            Ok(point) => point,
            Err(outcome) => return *outcome,
        };
        let writes = point.writes(&locked(&self.journal));
        match writes {
            Ok(writes) => self.land(mission, &name, point, writes).await,
            Err(reason) => Outcome::NotApplied { reason },
        }
    }

    /// What is to be done, written down. An earlier process may have been killed while it did this: then it is what
    /// that one set out to do.
    fn set_out(
        &self,
        mission: &MissionId,
        name: &str,
        back: &Back,
        merging: bool,
    ) -> Result<Checkpoint, Box<Outcome>> {
        let failed = |reason| Box::new(Outcome::NotApplied { reason });
        if let Some(begun) = self.checkpoint(mission, name).map_err(failed)? {
            return Ok(begun);
        }
        let reversal = self.reversal(mission, back).map_err(failed)?;
        if let Some(outcome) = reversal.refused(merging) {
            return Err(Box::new(outcome));
        }
        let (point, bytes) = reversal.checkpoint();
        self.keep_checkpoint(mission, name, &point, &bytes).map_err(failed)?;
        Ok(point)
    }

    /// What the files would be without what is to be taken back.
    fn reversal(&self, mission: &MissionId, back: &Back) -> Result<Reversal, String> {
        let mut reversal = Reversal::default();
        let open = self.open_texts();
        for layer in self.layers(mission, back)? {
            let mut before = Vec::new();
            for passage in layer.files.iter().filter(|passage| !passage.already) {
                if !reversal.files.contains_key(&passage.path) {
                    let now = self.state(&passage.path, &open)?;
                    reversal.files.insert(passage.path.clone(), now);
                }
                let journal = locked(&self.journal);
                let was = bytes_of(&journal, &passage.path, passage.was.as_ref())?;
                let is = bytes_of(&journal, &passage.path, passage.is.as_ref())?;
                before.push((passage, reversal.bytes(&passage.path)));
                reversal.take(passage, was, is);
            }
            reversal.keep_moved(&before);
            reversal.folders.extend(layer.folders);
        }
        Ok(reversal)
    }

    /// What is to be taken back, the newest first.
    fn layers(&self, mission: &MissionId, back: &Back) -> Result<Vec<Checkpoint>, String> {
        match back {
            Back::Undo(number) => {
                let missing =
                    || "an earlier version did it, which kept nothing for that".to_owned();
                let point = self.checkpoint(mission, &of_undo(*number))?;
                Ok(vec![point.ok_or_else(missing)?])
            }
            Back::Changes(receipts) => {
                let layer = |receipt: &u64| {
                    let writes = self.writes(mission, *receipt)?;
                    let point = self.checkpoint(mission, &of_change(*receipt))?;
                    // Earlier versions kept the receipt alone: then modes and folders are not known.
                    Ok(point.filter(|p| p.fits(&writes)).unwrap_or_else(|| bare(&writes)))
                };
                receipts.iter().rev().map(layer).collect()
            }
        }
    }

    fn state(&self, path: &RelPath, open: &OpenTexts) -> Result<State, String> {
        let place = path.in_root(&self.root);
        let bytes = match open.get(path) {
            Some(open) => Some(open.text.clone().into_bytes()),
            None => match std::fs::read(&place) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(format!("failed to read {path}: {error}")),
            },
        };
        let before = Side { bytes, mode: mode_of(&place) };
        Ok(State { after: before.clone(), before })
    }
}

/// A checkpoint made of a receipt alone.
fn bare(writes: &[FileWrite]) -> Checkpoint {
    let passage = |write: &FileWrite| Passage {
        path: write.path.clone(),
        was: write.expect.clone().map(|hash| Version { hash, mode: None }),
        is: write.result.as_deref().map(|bytes| Version { hash: sha256(bytes), mode: None }),
        already: false,
        staged: None,
    };
    Checkpoint { files: writes.iter().map(passage).collect(), ..Checkpoint::default() }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Side {
    bytes: Option<Vec<u8>>,
    mode: Option<u32>,
}

impl Side {
    fn version(&self) -> Option<Version> {
        self.bytes.as_ref().map(|bytes| Version { hash: sha256(bytes), mode: self.mode })
    }

    fn text(&self) -> Option<String> {
        self.bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// A file as it is, and as it is to be.
#[derive(Debug, Clone)]
struct State {
    before: Side,
    after: Side,
}

/// What is to be done so that changes are taken back.
#[derive(Debug, Default)]
struct Reversal {
    files: BTreeMap<RelPath, State>,
    folders: BTreeSet<RelPath>,
    /// Files that are not what was left there.
    edited: Vec<RelPath>,
    /// Places that a merge leaves as they are.
    left: Vec<String>,
}

impl Reversal {
    /// Takes one step of one file back.
    fn take(&mut self, passage: &Passage, was: Option<Vec<u8>>, is: Option<Vec<u8>>) {
        let path = &passage.path;
        let Some(State { after, .. }) = self.files.get_mut(path) else {
            return;
        };
        let now = after.bytes.take();
        if is_same(now.as_deref(), is.as_deref()) {
            if now.is_none() {
                after.mode = passage.was.as_ref().and_then(|version| version.mode);
            }
            let bom = now.as_deref().or(was.as_deref()).is_some_and(has_bom);
            let as_kept = now.is_none() || now == is;
            after.bytes = was.map(|was| if as_kept { was } else { with_bom(was, bom) });
        } else if is_same(now.as_deref(), was.as_deref()) {
            // Somebody took it back by hand.
            after.bytes = now;
        } else {
            if !self.edited.contains(path) {
                self.edited.push(path.clone());
            }
            after.bytes = match merged(now.as_deref(), was.as_deref(), is.as_deref()) {
                Some((bytes, lines)) => {
                    self.left.extend(lines.iter().map(|line| format!("{path}:{}", line + 1)));
                    Some(bytes)
                }
                None => {
                    self.left.push(path.to_string());
                    now
                }
            };
        }
    }

    fn bytes(&self, path: &RelPath) -> Option<Vec<u8>> {
        self.files.get(path)?.after.bytes.clone()
    }

    /// A change that removed one file and made another may have moved it. Where the former place is a person's now, what
    /// the change made stays, unless it came from a file that does come back: else its text would stand nowhere any
    /// more. `before` is what the files were before this change was taken back.
    fn keep_moved(&mut self, before: &[(&Passage, Option<Vec<u8>>)]) {
        let hash = |version: &Option<Version>| version.as_ref().map(|version| version.hash.clone());
        let removed = before.iter().filter(|(passage, _)| passage.is.is_none());
        let (back, taken): (Vec<_>, Vec<_>) = removed.partition(|(passage, now)| {
            now.is_none() || now.as_deref().map(sha256) == hash(&passage.was)
        });
        let came_from = |removed: &[&(&Passage, Option<Vec<u8>>)], made: &Passage| {
            removed.iter().any(|(passage, _)| hash(&passage.was) == hash(&made.is))
        };
        for (made, now) in before.iter().filter(|(passage, _)| passage.was.is_none()) {
            if taken.is_empty() || (came_from(&back, made) && !came_from(&taken, made)) {
                continue;
            }
            let Some(State { after, .. }) = self.files.get_mut(&made.path) else {
                continue;
            };
            if now.is_some() && after.bytes.is_none() {
                after.bytes.clone_from(now);
                self.left.push(made.path.to_string());
            }
        }
    }

    fn changed(&self) -> impl Iterator<Item = (&RelPath, &State)> {
        self.files.iter().filter(|(_, state)| state.before.bytes != state.after.bytes)
    }

    /// Why nothing is done, when nothing may be.
    fn refused(&self, merging: bool) -> Option<Outcome> {
        let names =
            |paths: &[RelPath]| paths.iter().map(RelPath::to_string).collect::<Vec<_>>().join(", ");
        let left = match self.left.as_slice() {
            [] => String::new(),
            left => format!("; what you wrote in its place stays: {}", left.join(", ")),
        };
        if !self.edited.is_empty() && !merging {
            let verb = if self.edited.len() == 1 { "was" } else { "were" };
            let edited = names(&self.edited);
            let reason =
                format!("{edited} {verb} edited since, by hand or by another change{left}");
            let files = self.changed().map(|(path, _)| path.to_string()).collect();
            return Some(Outcome::Edited { reason, files, diff: self.diff() });
        }
        if self.changed().next().is_none() {
            let reason = format!("nothing of it is there any more{left}");
            return Some(Outcome::NotApplied { reason });
        }
        None
    }

    fn diff(&self) -> String {
        let mut diff = String::new();
        for (path, state) in self.changed() {
            let (before, after) = (state.before.text(), state.after.text());
            diff.push_str(&unified(path, before.as_deref(), after.as_deref()));
        }
        if diff.len() > MAX_DIFF {
            let cut = (0..=MAX_DIFF).rev().find(|at| diff.is_char_boundary(*at)).unwrap_or(0);
            diff.truncate(cut);
            diff.push_str("\n[the rest is not shown]\n");
        }
        diff
    }

    /// The checkpoint before it is done, and the bytes that it names.
    fn checkpoint(self) -> (Checkpoint, Vec<(String, Vec<u8>)>) {
        let passage = |(path, state): (&RelPath, &State)| Passage {
            path: path.clone(),
            was: state.before.version(),
            is: state.after.version(),
            already: false,
            staged: None,
        };
        let files = self.changed().map(passage).collect();
        let sides = self.changed().flat_map(|(_, state)| [&state.before, &state.after]);
        let bytes = sides.filter_map(|side| side.bytes.as_ref());
        let bytes = bytes.map(|bytes| (sha256(bytes), bytes.clone())).collect();
        let folders = self.folders.into_iter().collect();
        (Checkpoint { files, folders, committing: false }, bytes)
    }
}

fn has_bom(bytes: &[u8]) -> bool {
    bytes.starts_with(BOM)
}

fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

fn with_bom(bytes: Vec<u8>, bom: bool) -> Vec<u8> {
    match bom {
        true => [BOM, without_bom(&bytes)].concat(),
        false => without_bom(&bytes).to_vec(),
    }
}

/// Editors keep a byte order mark out of their texts, and put it back when they save.
fn is_same(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    a.map(without_bom) == b.map(without_bom)
}

/// What is there now without the change, and the lines that stay though the change wrote there; `None` where the whole
/// file stays.
fn merged(
    now: Option<&[u8]>,
    was: Option<&[u8]>,
    is: Option<&[u8]>,
) -> Option<(Vec<u8>, Vec<usize>)> {
    let bom = has_bom(now?);
    let text =
        |bytes: Option<&[u8]>| std::str::from_utf8(without_bom(bytes?)).ok().map(str::to_owned);
    let merged = merge(&text(is)?, &text(now)?, &text(was)?);
    Some((with_bom(merged.text.into_bytes(), bom), merged.left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(now: Option<&str>, was: Option<&str>, is: Option<&str>) -> (Option<String>, Reversal) {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        let path = RelPath::new("a").unwrap();
        let version = |text: Option<&str>| {
            text.map(|t| Version { hash: sha256(t.as_bytes()), mode: Some(0o755) })
        };
        let passage = Passage {
            path: path.clone(),
            was: version(was),
            is: version(is),
            already: false,
            staged: None,
        };
        let side = Side { bytes: bytes(now), mode: None };
        let mut reversal = Reversal::default();
        reversal.files.insert(path.clone(), State { before: side.clone(), after: side });
        reversal.take(&passage, bytes(was), bytes(is));
        (reversal.files[&path].after.text(), reversal)
    }

    #[test]
    fn exactly_where_nobody_edited() {
        for (was, is) in [(Some("a\r\n"), Some("b\r\n")), (None, Some("b")), (Some("a"), None)] {
            let (after, reversal) = taken(is, was, is);
            assert_eq!(after.as_deref(), was);
            assert!(reversal.edited.is_empty() && reversal.refused(false).is_none());
        }
        assert_eq!(
            taken(None, Some("a"), None).1.files.values().next().unwrap().after.mode,
            Some(0o755)
        );
        let (after, reversal) = taken(Some("a"), Some("a"), Some("b"));
        assert_eq!(after.as_deref(), Some("a"), "taken back by hand");
        assert!(matches!(reversal.refused(false), Some(Outcome::NotApplied { .. })));
    }

    #[test]
    fn a_byte_order_mark_stays_whoever_wrote_it() {
        assert_eq!(taken(Some("\u{feff}b"), Some("a"), Some("b")).0.unwrap(), "\u{feff}a");
        assert_eq!(taken(Some("b"), Some("\u{feff}a"), Some("\u{feff}b")).0.unwrap(), "a");
        assert_eq!(taken(Some("b"), Some("\u{feff}a"), Some("b")).0.unwrap(), "\u{feff}a");
    }

    #[test]
    fn what_was_edited_is_refused_with_what_a_merge_would_do() {
        let (after, reversal) = taken(Some("mine\nx\nB\n"), Some("x\na\n"), Some("x\nB\n"));
        assert_eq!(after.as_deref(), Some("mine\nx\na\n"));
        let Some(Outcome::Edited { reason, files, diff }) = reversal.refused(false) else {
            panic!()
        };
        assert!(reason.contains("a was edited since") && !reason.contains("stays"), "{reason}");
        assert_eq!(files, ["a"]);
        assert!(diff.contains("-B\n+a\n") && !diff.contains("-mine"), "{diff}");
        assert!(reversal.refused(true).is_none());
        for (now, was, is) in [
            (Some("x\nmine\n"), Some("x\na\n"), Some("x\nB\n")),
            (Some("mine"), None, Some("b")),
            (Some("mine"), Some("a"), None),
            (None, Some("a"), Some("b")),
        ] {
            let (after, reversal) = taken(now, was, is);
            assert_eq!(after.as_deref(), now, "what a person wrote is never replaced");
            let Some(Outcome::Edited { reason, files, .. }) = reversal.refused(false) else {
                panic!()
            };
            assert!(reason.contains("stays: a") && files.is_empty(), "{reason}");
            assert!(matches!(reversal.refused(true), Some(Outcome::NotApplied { .. })));
        }
    }
}
