//! How much a text has to do with what a session is about: BM25, brought to the range from 0 to 1.
//!
//! ```text
//! idf(t)  = ln(1 + (N − n(t) + ½) / (n(t) + ½))          N = texts + 16
//! bm25(d) = Σ idf(t) · f(t,d) · (k₁ + 1) / (f(t,d) + k₁ · (1 − b + b · |d| / mean))
//!           over the terms t of the focus;               k₁ = 1.2, b = 0.75
//! r(d)    = bm25(d) / (bm25(d) + 2.5)
//! ```
//!
//! The sixteen texts that are not there, and hold no term, keep a term rare where there are few notes. One rare term gives
//! about ½, two about ⅔, none gives 0.

use std::collections::{BTreeMap, BTreeSet};

const K1: f64 = 1.2;
const B: f64 = 0.75;
const UNSEEN: f64 = 16.0;
const HALF: f64 = 2.5;

/// Words that say nothing of what a text is about.
const STOP: &[&str] = &[
    "about", "after", "all", "also", "and", "any", "are", "because", "been", "before", "but",
    "can", "carry", "does", "each", "file", "files", "for", "from", "has", "have", "here", "how",
    "into", "its", "line", "lines", "may", "more", "must", "not", "one", "only", "out", "same",
    "should", "some", "such", "task", "than", "that", "the", "their", "them", "then", "there",
    "these", "they", "this", "use", "used", "was", "what", "when", "where", "which", "while",
    "who", "will", "with", "would", "you",
];

/// The terms of a text, lower-case: its words and identifiers, and the parts of those in `camelCase` and `snake_case`.
pub(super) fn terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let parts = parts(word);
        if parts.len() > 1 {
            terms.push(word.to_lowercase());
        }
        terms.extend(parts);
    }
    terms.retain(|term| term.chars().count() > 2 && !STOP.contains(&term.as_str()));
    terms
}

fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = '_';
    for c in word.chars() {
        let begins = c == '_' || (c.is_uppercase() && before.is_lowercase());
        if begins && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| c != '_') {
            part.extend(c.to_lowercase());
        }
        before = c;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// How relevant each of `texts` is to the terms of `focus`, in thousandths, in their order.
pub(super) fn relevance(texts: &[&str], focus: &BTreeSet<String>) -> Vec<u16> {
    let counted: Vec<BTreeMap<String, f64>> = texts.iter().map(|text| counted(text)).collect();
    let lengths: Vec<f64> = counted.iter().map(|terms| terms.values().sum()).collect();
    let mean = (lengths.iter().sum::<f64>() / lengths.len().max(1) as f64).max(1.0);
    let all = texts.len() as f64 + UNSEEN;
    let mut scores = vec![0.0; texts.len()];
    for term in focus {
        let holding = counted.iter().filter(|terms| terms.contains_key(term)).count() as f64;
        let idf = (1.0 + (all - holding + 0.5) / (holding + 0.5)).ln();
        for ((score, terms), length) in scores.iter_mut().zip(&counted).zip(&lengths) {
            let times = terms.get(term).copied().unwrap_or(0.0);
            *score += idf * times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length / mean));
        }
    }
    scores.into_iter().map(|score| (score / (score + HALF) * 1000.0).round() as u16).collect()
}

fn counted(text: &str) -> BTreeMap<String, f64> {
    let mut counted = BTreeMap::new();
    for term in terms(text) {
        *counted.entry(term).or_insert(0.0) += 1.0;
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str], focus: &str) -> Vec<u16> {
        relevance(texts, &terms(focus).into_iter().collect())
    }

    #[test]
    fn identifiers_are_found_by_their_parts_and_whole() {
        assert_eq!(
            terms("readConfig of max_line"),
            ["readconfig", "read", "config", "max_line", "max", "line"]
                .into_iter()
                .filter(|t| *t != "line")
                .collect::<Vec<_>>()
        );
        assert_eq!(terms("the for and"), Vec::<String>::new());
        assert_eq!(terms("Größe_X straße"), ["größe_x", "größe", "straße"]);
    }

    #[test]
    fn what_shares_rare_terms_is_more_relevant() {
        let notes = [
            "the parser keeps trailing commas",
            "the cache is cleared by `purge`",
            "tests need a parser fixture",
        ];
        let found = of(&notes, "make the parser drop trailing commas");
        assert!(found[0] > found[2] && found[2] > 0, "{found:?}");
        assert_eq!(found[1], 0);
        assert!(found[0] <= 1000);
    }

    #[test]
    fn a_single_note_can_be_relevant() {
        let found = of(&["the parser is generated"], "mend the parser");
        assert!((400..700).contains(&found[0]), "{found:?}");
        assert_eq!(of(&[], "x"), Vec::<u16>::new());
        assert_eq!(of(&[""], ""), [0]);
    }
}
