//! A file before and after a change, as the cheap stages read it: where the texts differ, and the syntax tree of each.
//!
//! A tree is made once per text: those of bases are remembered, those of candidates grow out of them by what was edited.
//! It knows nothing of rules, and judges nothing.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{LazyLock, Mutex, PoisonError};

use tree_sitter::{InputEdit, Point, Tree};

use super::syntax::Grammar;
use crate::workspace::diff::{Hunk, Span, hunks, lines_of};
use crate::workspace::hash::sha256;
use crate::workspace::path::RelPath;

/// A text and the SHA-256 that it is remembered by.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The text.
    pub text: &'a str,
    /// Lower-case hex.
    pub hash: &'a str,
}

/// A file of a change-set. A renamed one stands for two: the old path without a text after, the new one with
/// [`Pair::moved`] and no difference.
#[derive(Debug)]
pub struct Pair<'a> {
    /// The file.
    pub path: &'a RelPath,
    /// What its new text is compared with.
    pub before: Option<&'a str>,
    /// Its text after; `None` when it goes.
    pub after: Option<&'a str>,
    /// Whether `before` is the text of another path that it was renamed from.
    pub moved: bool,
    /// Where the two differ.
    pub hunks: Vec<Hunk>,
    /// The grammar of the file, where there is one.
    pub grammar: Option<Grammar>,
    /// The tree of `before`; only where the texts differ.
    pub base: Option<Tree>,
    /// The tree of `after`, grown out of `base`; only where the texts differ.
    pub tree: Option<Tree>,
}

impl<'a> Pair<'a> {
    /// Compares and parses. Texts remembered from an earlier check are not parsed again.
    pub fn new(path: &'a RelPath, before: Option<Known<'a>>, after: Option<Known<'a>>) -> Pair<'a> {
        let (old, new) = (before.map(|known| known.text), after.map(|known| known.text));
        let grammar = Grammar::for_path(path);
        let mut pair = Pair {
            path,
            before: old,
            after: new,
            moved: false,
            hunks: hunks(old.unwrap_or_default(), new.unwrap_or_default()),
            grammar,
            base: None,
            tree: None,
        };
        if let Some(grammar) = grammar.filter(|_| old != new) {
            pair.base = before.and_then(|known| remembered(grammar, known));
            pair.tree = after.and_then(|known| {
                found(grammar, known.hash).or_else(|| {
                    let tree = pair.grow(grammar)?;
                    keep(grammar, known, &tree);
                    Some(tree)
                })
            });
        }
        pair
    }

    /// The tree of the text after, out of that of the text before where there is one.
    fn grow(&self, grammar: Grammar) -> Option<Tree> {
        let after = self.after?;
        let (Some(base), Some(before)) = (&self.base, self.before) else {
            return grammar.parse(after);
        };
        let mut old = base.clone();
        // From the last to the first: what an edit moves lies behind it.
        for hunk in self.hunks.iter().rev() {
            old.edit(&edit_of(hunk, before, after));
        }
        grammar.parse_again(after, &old)
    }

    /// The same pair with trees that were made of the whole texts: what it takes to refuse.
    pub fn in_full(&self) -> Pair<'a> {
        let parse = |text: Option<&str>| self.grammar?.parse(text?);
        Pair {
            hunks: self.hunks.clone(),
            base: parse(self.before),
            tree: parse(self.after),
            ..*self
        }
    }

    /// The 0-based lines of the new text that the change wrote.
    pub fn changed(&self) -> BTreeSet<u32> {
        if self.after.is_none() { BTreeSet::new() } else { lines_of(&self.hunks) }
    }

    /// The bytes that differ on either side, with a byte around them: what touches them counts as changed.
    pub fn ranges(&self, side: fn(&Hunk) -> &Span) -> Vec<Range<usize>> {
        let around = |bytes: &Range<usize>| bytes.start.saturating_sub(1)..bytes.end + 1;
        self.hunks.iter().map(|hunk| around(&side(hunk).bytes)).collect()
    }
}

fn edit_of(hunk: &Hunk, before: &str, after: &str) -> InputEdit {
    let (old, new) = (&hunk.before, &hunk.after);
    let start = Point { row: old.lines.start, column: 0 };
    let end = |span: &Span, text: &str| {
        let piece = &text[span.bytes.clone()];
        let column = piece.rfind('\n').map_or(piece.len(), |at| piece.len() - at - 1);
        let whole_lines = piece.is_empty() || piece.ends_with('\n');
        let row = if whole_lines { span.lines.end } else { span.lines.end.saturating_sub(1) };
        row_and(row - span.lines.start, column, start)
    };
    InputEdit {
        start_byte: old.bytes.start,
        old_end_byte: old.bytes.end,
        new_end_byte: old.bytes.start + new.bytes.len(),
        start_position: start,
        old_end_position: end(old, before),
        new_end_position: end(new, after),
    }
}

fn row_and(rows: usize, column: usize, start: Point) -> Point {
    Point { row: start.row + rows, column }
}

/// How many trees are remembered, and of how much text together (bytes; a tree takes about ten times its text).
const TREES: usize = 256;
const TEXT: usize = 4 * 1024 * 1024;

/// Trees of texts that were parsed before, the latest last.
#[derive(Default)]
struct Memory {
    trees: VecDeque<Remembered>,
    bytes: usize,
}

struct Remembered {
    grammar: Grammar,
    hash: String,
    bytes: usize,
    tree: Tree,
}

static MEMORY: LazyLock<Mutex<Memory>> = LazyLock::new(Mutex::default);

fn found(grammar: Grammar, hash: &str) -> Option<Tree> {
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let at = memory.trees.iter().position(|kept| kept.hash == hash && kept.grammar == grammar)?;
    let kept = memory.trees.remove(at)?;
    let tree = kept.tree.clone();
    memory.trees.push_back(kept);
    Some(tree)
}

fn keep(grammar: Grammar, known: Known<'_>, tree: &Tree) {
    let bytes = known.text.len();
    if bytes > TEXT {
        return;
    }
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let (hash, tree) = (known.hash.to_owned(), tree.clone());
    memory.trees.push_back(Remembered { grammar, hash, bytes, tree });
    memory.bytes += bytes;
    while memory.trees.len() > TREES || memory.bytes > TEXT {
        let Some(oldest) = memory.trees.pop_front() else { break };
        memory.bytes -= oldest.bytes;
    }
}

/// The tree of a text, from memory where it was parsed before.
fn remembered(grammar: Grammar, known: Known<'_>) -> Option<Tree> {
    found(grammar, known.hash).or_else(|| {
        let tree = grammar.parse(known.text)?;
        keep(grammar, known, &tree);
        Some(tree)
    })
}

/// Texts with their hashes, for those who have only texts.
#[derive(Debug, Clone)]
pub struct Owned {
    text: String,
    hash: String,
}

impl Owned {
    /// Hashes `text`.
    pub fn new(text: &str) -> Owned {
        Owned { text: text.to_owned(), hash: sha256(text.as_bytes()) }
    }

    /// It as a [`Pair`] takes it.
    pub fn known(&self) -> Known<'_> {
        Known { text: &self.text, hash: &self.hash }
    }
}

#[cfg(test)]
#[path = "pair_tests.rs"]
mod tests;
