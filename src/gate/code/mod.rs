//! Code by its structure: the named items of a file, patterns of code, and rewriting by them. By tree-sitter alone, so that
//! it answers at once and for every text.
//!
//! It reads texts and gives places in them; it must not know where a text comes from, nor judge it.

pub mod matching;
pub mod outline;
pub mod pattern;
pub mod rewrite;
pub mod spot;

pub use outline::{Symbol, outline};
pub use pattern::Pattern;

/// The 1-based line of a byte offset.
pub fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
