//! Keys, tokens and passwords in texts of any kind, as `grammars/any/secrets.toml` describes them.
//!
//! What is found here is never repeated: not in a message, and not in the lines that are shown around a place.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use globset::{Glob, GlobSet, GlobSetBuilder};
use regex::{Regex, RegexSet};
use serde::Deserialize;

/// The code of such a breach.
pub const CODE: &str = "leaked-secret";

#[derive(Debug, Deserialize)]
struct Kinds {
    secret: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    name: String,
    pattern: String,
    #[serde(default = "least_entropy")]
    entropy: f64,
    /// Whether nothing but the pattern makes it a key: then letters alone are one too.
    #[serde(default)]
    sure: bool,
    #[serde(default)]
    files: String,
    #[serde(default)]
    except: String,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests are made of them"))]
    fails: Vec<Vec<String>>,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests are made of them"))]
    passes: Vec<Vec<String>>,
}

fn least_entropy() -> f64 {
    2.5
}

struct Ready {
    kind: Kind,
    regex: Regex,
    files: GlobSet,
    except: GlobSet,
}

struct All {
    kinds: Vec<Ready>,
    any: RegexSet,
}

static ALL: LazyLock<All> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "compiled in, and a test reads it")]
    read(include_str!("../../../grammars/any/secrets.toml")).expect("secrets.toml is valid")
});

fn read(text: &str) -> Result<All, Box<dyn std::error::Error>> {
    let kinds: Kinds = toml::from_str(text)?;
    let any = RegexSet::new(kinds.secret.iter().map(|kind| &kind.pattern))?;
    let ready = |kind: Kind| {
        let regex = Regex::new(&kind.pattern)?;
        let (files, except) = (globs(&kind.files)?, globs(&kind.except)?);
        Ok(Ready { kind, regex, files, except })
    };
    let kinds =
        kinds.secret.into_iter().map(ready).collect::<Result<_, Box<dyn std::error::Error>>>()?;
    Ok(All { kinds, any })
}

fn globs(words: &str) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for word in words.split_whitespace() {
        set.add(Glob::new(word)?);
    }
    set.build()
}

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is, for people.
    pub name: &'static str,
    /// Where it stands, in bytes.
    pub bytes: Range<usize>,
}

/// The secrets in a text that stands in the file `path`; without a path, wherever it may stand.
pub fn find(path: Option<&str>, text: &str) -> Vec<Secret> {
    let all = &*ALL;
    let mut found: Vec<Secret> = Vec::new();
    for at in all.any.matches(text) {
        let ready = &all.kinds[at];
        if path.is_some_and(|path| !ready.holds_in(path)) {
            continue;
        }
        for captures in ready.regex.captures_iter(text) {
            let Some(secret) = captures.name("secret").or_else(|| captures.get(0)) else {
                continue;
            };
            let overlaps = |known: &Secret| {
                known.bytes.start < secret.end() && secret.start() < known.bytes.end
            };
            let whole = captures.get(0).map_or("", |whole| whole.as_str());
            if entropy(secret.as_str()) >= ready.kind.entropy
                && !is_placeholder(secret.as_str(), whole)
                && (ready.kind.sure || is_disorderly(secret.as_str()))
                && !found.iter().any(overlaps)
            {
                found.push(Secret { name: &ready.kind.name, bytes: secret.range() });
            }
        }
    }
    found
}

impl Ready {
    fn holds_in(&self, path: &str) -> bool {
        (self.files.is_empty() || self.files.is_match(path)) && !self.except.is_match(path)
    }
}

/// Words that stand where a secret will be one day.
const PLACEHOLDERS: &[&str] = &[
    "xxx",
    "example",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "your",
    "dummy",
    "sample",
    "redacted",
    "insert",
    "replace",
    "goes-here",
    "goes_here",
    "password",
    "${",
    "{{",
    "<",
    "...",
    "***",
    "process.env",
    "12345678",
    "abcdefgh",
    "localhost",
];

fn is_placeholder(secret: &str, whole: &str) -> bool {
    let lower = secret.to_lowercase();
    PLACEHOLDERS.iter().any(|word| lower.contains(word))
        || whole.to_lowercase().contains("example.")
}

/// Whether a text has letters and digits and is not made of words.
fn is_disorderly(secret: &str) -> bool {
    let has_digit = secret.bytes().any(|byte| byte.is_ascii_digit());
    let has_letter = secret.bytes().any(|byte| byte.is_ascii_alphabetic());
    has_digit && has_letter && !is_words(&secret.to_lowercase())
}

/// Whether a text is made of words: parts between `-`, `_` and `/` that are letters alone, or a short number.
fn is_words(text: &str) -> bool {
    let parts = text.split(['-', '_', '/', '=', '@', '#']).filter(|part| !part.is_empty());
    let is_word = |part: &str| {
        let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
        part.len() - letters.len() <= 4 && letters.chars().all(|c| c.is_ascii_lowercase())
    };
    let mut parts = parts.peekable();
    parts.peek().is_some() && parts.all(is_word)
}

/// Disorder in bits a character.
#[expect(clippy::cast_precision_loss, reason = "lengths of lines")]
fn entropy(text: &str) -> f64 {
    let mut counts: HashMap<char, usize> = HashMap::new();
    for c in text.chars() {
        *counts.entry(c).or_default() += 1;
    }
    let all = counts.values().sum::<usize>() as f64;
    let bits = |count: &usize| {
        let share = *count as f64 / all;
        -share * share.log2()
    };
    counts.values().map(bits).sum()
}

/// A text with every secret in it, and every long piece that could be a part of a key, struck out character by character:
/// its lines and columns stay.
pub fn mask(text: &str) -> Cow<'_, str> {
    static PIECE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new("[A-Za-z0-9+/=]{40,}").ok());
    let mut struck: Vec<Range<usize>> =
        find(None, text).into_iter().map(|secret| secret.bytes).collect();
    let pieces = PIECE.iter().flat_map(|regex| regex.find_iter(text));
    let pieces = pieces.filter(|piece| entropy(piece.as_str()) > 4.3);
    struck.extend(pieces.map(|piece| piece.range()));
    if struck.is_empty() {
        return Cow::Borrowed(text);
    }
    let is_struck = |at: usize| struck.iter().any(|range| range.contains(&at));
    let shown = text.char_indices().map(|(at, c)| match c {
        '\n' | '\r' => c,
        _ if is_struck(at) => '*',
        other => other,
    });
    Cow::Owned(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_does_what_its_examples_say() {
        for ready in &ALL.kinds {
            let kind = &ready.kind;
            assert!(!kind.fails.is_empty() && !kind.passes.is_empty(), "{}", kind.name);
            let file = if kind.files.is_empty() { "a.txt" } else { ".env" };
            for example in &kind.fails {
                let text = format!("first\n{}\n", example.concat());
                let found = find(Some(file), &text);
                let names: Vec<&str> = found.iter().map(|secret| secret.name).collect();
                assert_eq!(names, [kind.name.as_str()], "{example:?}");
                let masked = mask(&text);
                assert_eq!(masked.chars().count(), text.chars().count());
                assert!(!masked.contains(&text[found[0].bytes.clone()]), "{example:?}");
                assert!(find(Some(file), &masked).is_empty(), "{example:?}");
            }
            for example in &kind.passes {
                assert!(find(Some(file), &example.concat()).is_empty(), "{example:?}");
            }
        }
    }

    #[test]
    fn ordinary_lines_are_shown_as_they_are() {
        let text = "let token = self.tokens.next_token_of_the_line(1024);\n// sha256: \
                    ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
        assert_eq!(mask(text), text);
    }
}
