//! The proof that a server looks: with a known error, the canary, at its end a file must be reported.
//!
//! What was proved is remembered, because proving doubles the work. A proof holds for as long as nothing happens that
//! could make the server blind for the file:
//! - the server is the same process (the memory dies with it);
//! - it did not announce that it loads or ails ([`Proved::settled_at`]), so that one that lost its workspace starts afresh;
//! - no file came, went, or changed on the disk unproved, for those can change what belongs to a project. (Project
//!   files themselves start the server anew.)
//! - the candidate touches no line that can put a file out of the project (`mod`, `cfg`, …, as data). Where it does, and
//!   for files that the disk does not have, the candidate itself is proved, and that is remembered for it alone.
//!
//! An answer in which the server announced a load is not used, so none of this can change under a question.
//! It must not know what else a server says.

use std::collections::{BTreeMap, BTreeSet};

use super::session::{Session, Trouble, pauses};
use crate::gate::stage::Overlay;
use crate::workspace::path::RelPath;

/// The files for which a server was seen to look.
#[derive(Debug, Default)]
pub struct Proved {
    /// Whether a canary was reported since the start.
    pub awake: bool,
    files: BTreeSet<RelPath>,
    /// Files that were proved as this candidate has them.
    candidate: (Overlay, BTreeSet<RelPath>),
    unsettled: u64,
}

impl Proved {
    /// The server said so often that it was not ready; what was proved before the last time is forgotten.
    pub fn settled_at(&mut self, unsettled: u64) {
        if self.unsettled != unsettled {
            self.unsettled = unsettled;
            self.forget();
        }
    }

    /// Whether it did not say so again.
    pub fn is_settled_at(&self, unsettled: u64) -> bool {
        self.unsettled == unsettled
    }

    /// Files changed on the disk. An edit of a proved file is none that can matter here: it was proved as a candidate.
    pub fn disk_changed(&mut self, paths: &[RelPath], there: impl Fn(&RelPath) -> bool) {
        let edited = |path: &RelPath| there(path) && self.files.contains(path);
        if !paths.iter().all(edited) {
            self.forget();
        }
    }

    /// Nothing is proved any more.
    pub fn forget(&mut self) {
        self.files.clear();
        self.candidate = Default::default();
    }
}

impl Session {
    /// Proves that the server looks at `files`, as they are with `overlay` over the disk. Asks for some seconds until
    /// it does. Afterwards any text may be shown.
    ///
    /// # Errors
    /// When the server ends, or is awake and yet blind for one of the files.
    pub async fn prove(&mut self, overlay: &Overlay, files: &[RelPath]) -> Result<(), Trouble> {
        let moves = self.moves_members(overlay);
        let is_new = |path: &&RelPath| !path.in_root(self.documents.root()).is_file();
        let (of_candidate, of_disk): (Vec<&RelPath>, Vec<&RelPath>) =
            files.iter().partition(|path| moves || is_new(path));
        let of_disk: Vec<RelPath> =
            of_disk.into_iter().filter(|path| !self.proved.files.contains(path)).cloned().collect();
        if !of_disk.is_empty() {
            self.seek_canary(&Overlay::new(), &of_disk).await?;
            self.proved.files.extend(of_disk);
        }
        let known = self.proved.candidate.0 == *overlay;
        let unknown = |path: &&&RelPath| !(known && self.proved.candidate.1.contains(**path));
        let of_candidate: Vec<RelPath> =
            of_candidate.iter().filter(unknown).map(|path| (*path).clone()).collect();
        if !of_candidate.is_empty() {
            self.seek_canary(overlay, &of_candidate).await?;
            if !known {
                self.proved.candidate = (overlay.clone(), BTreeSet::new());
            }
            self.proved.candidate.1.extend(of_candidate);
        }
        Ok(())
    }

    /// Whether the overlay changes a line that decides on what belongs to the project.
    fn moves_members(&self, overlay: &Overlay) -> bool {
        let words = &self.spec.membership;
        if overlay.values().any(Option::is_none) {
            return true;
        }
        if words.is_empty() {
            return false;
        }
        overlay.iter().any(|(path, text)| {
            let before = self.documents.on_disk(path).unwrap_or_default();
            let after = text.as_deref().unwrap_or_default();
            deciding(&before, words) != deciding(after, words)
        })
    }

    async fn seek_canary(&mut self, overlay: &Overlay, files: &[RelPath]) -> Result<(), Trouble> {
        let (marked, lines) = self.marked(overlay, files);
        self.show(&marked, files).await?;
        for (path, line) in lines {
            self.seek_one(&path, line).await?;
            self.proved.awake = true;
        }
        Ok(())
    }

    /// `overlay` with the canary at the end of each of `files`, and the line from which on it stands.
    pub(super) fn marked(
        &self,
        overlay: &Overlay,
        files: &[RelPath],
    ) -> (Overlay, BTreeMap<RelPath, u32>) {
        let mut marked = overlay.clone();
        let mut lines = BTreeMap::new();
        for path in files {
            let shown = overlay.get(path).cloned().flatten();
            let text = shown.or_else(|| self.documents.on_disk(path)).unwrap_or_default();
            let line = text.bytes().filter(|byte| *byte == b'\n').count();
            lines.insert(path.clone(), u32::try_from(line).unwrap_or(u32::MAX) + 1);
            marked.insert(path.clone(), Some(format!("{text}\n{}\n", self.spec.canary.text)));
        }
        (marked, lines)
    }

    async fn seek_one(&self, path: &RelPath, line: u32) -> Result<(), Trouble> {
        // One that was never heard may still be loading; one that is awake answers what it knows.
        let rounds = if self.proved.awake { 8 } else { 20 };
        for pause in pauses(rounds) {
            let found = self.pull(path).await?;
            if found.iter().any(|found| self.is_canary(&found.diagnostic, line)) {
                return Ok(());
            }
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
        Err(self.blind(path))
    }

    /// Whether it is the known error, put there on `line` or after.
    pub(super) fn is_canary(&self, found: &crate::gate::Diagnostic, line: u32) -> bool {
        found.range.start.line >= line && found.code.as_ref() == Some(&self.spec.canary.code)
    }

    pub(super) fn blind(&self, path: &RelPath) -> Trouble {
        Trouble::Unfit(format!(
            "{} does not look at {path}: it overlooked a known error there (is the file part of the project?)",
            self.name()
        ))
    }
}

/// The lines that hold one of the words.
fn deciding<'a>(text: &'a str, words: &[String]) -> Vec<&'a str> {
    let holds = |line: &&str| words.iter().any(|word| has_word(line, word));
    text.lines().map(str::trim).filter(holds).collect()
}

/// Whether `word` stands in the line, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part = |char: char| char.is_alphanumeric() || char == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_decide_are_found_by_whole_words() {
        let words = ["mod".to_owned(), "cfg".to_owned()];
        let text = "pub mod a;\nlet modern = 1;\n#[cfg(test)]\nfn remod() {}\n";
        assert_eq!(deciding(text, &words), ["pub mod a;", "#[cfg(test)]"]);
    }

    #[test]
    fn a_proof_outlives_edits_and_nothing_else() {
        let path = |text: &str| RelPath::new(text).expect("a good path");
        let proved = || Proved { files: [path("a.rs")].into(), ..Proved::default() };
        let left = |change: &dyn Fn(&mut Proved)| {
            let mut proved = proved();
            change(&mut proved);
            proved.files.len()
        };
        assert_eq!(left(&|p| p.disk_changed(&[path("a.rs")], |_| true)), 1, "edited");
        assert_eq!(left(&|p| p.disk_changed(&[path("a.rs")], |_| false)), 0, "deleted");
        assert_eq!(left(&|p| p.disk_changed(&[path("b.rs")], |_| true)), 0, "perhaps created");
        assert_eq!(left(&|p| p.settled_at(1)), 0, "loaded again");
        assert_eq!(left(&|p| p.settled_at(0)), 1);
    }
}
