//! What can be written at a place of such a file, also while it is half written: the fields that an object lacks, and the
//! values of a field.

use std::collections::BTreeSet;

use super::{Field, Kind};

/// Something that can stand at the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is shown, and what the typed part begins with.
    pub label: String,
    /// What is written in the place of the typed part.
    pub text: String,
    /// What it is for.
    pub meaning: String,
}

/// The names of the objects that a place stands in, from the outermost one's fields on: none at the top.
pub type At<'a> = &'a [String];

/// What can stand at byte `at`, where the objects there have the fields that `fields` says; and where the typed part begins.
pub fn choices(
    text: &str,
    at: usize,
    fields: impl Fn(At<'_>) -> &'static [Field],
) -> (Vec<Choice>, usize) {
    let scan = scan(&text[..at]);
    let typed = at - scan.word;
    let Some(path) = &scan.path else { return (Vec::new(), typed) };
    let fields = fields(path);
    let choices = match &scan.field {
        None if scan.is_key => keys(text, &scan, at, fields),
        Some(name) if !scan.is_key => {
            let field = fields.iter().find(|field| field.name == name);
            field.map(|field| values(field, scan.in_string)).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let written = text[typed..at].to_lowercase();
    let fitting =
        choices.into_iter().filter(|choice| choice.label.to_lowercase().starts_with(&written));
    (fitting.collect(), typed)
}

fn keys(text: &str, scan: &Scan, at: usize, fields: &[Field]) -> Vec<Choice> {
    let there = there(text, scan.opened, at);
    let has_colon = text[at..].trim_start_matches(['"', ' ', '\t']).starts_with(':');
    let free = fields.iter().filter(|field| !there.contains(field.name));
    free.map(|field| {
        let start = field.kind.start();
        let close = if text[at..].starts_with('"') && scan.in_string { "" } else { "\"" };
        let open = if scan.in_string { "" } else { "\"" };
        let value =
            if has_colon || close.is_empty() { String::new() } else { format!(": {start}") };
        Choice {
            label: field.name.to_owned(),
            text: format!("{open}{}{close}{value}", field.name),
            meaning: field.meaning.to_owned(),
        }
    })
    .collect()
}

fn values(field: &Field, in_string: bool) -> Vec<Choice> {
    let choice = |label: &str, text: String| Choice {
        label: label.to_owned(),
        text,
        meaning: field.meaning.to_owned(),
    };
    match field.kind {
        Kind::Flag if !in_string => {
            ["true", "false"].map(|word| choice(word, word.to_owned())).to_vec()
        }
        Kind::OneOf(words) => words
            .iter()
            .map(|word| {
                choice(word, if in_string { (*word).to_owned() } else { format!("\"{word}\"") })
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The fields of the object that is open from byte `opened`, but for the one that is being written at `at`.
fn there(text: &str, opened: usize, at: usize) -> BTreeSet<&str> {
    let mut depth = 0usize;
    let mut found = BTreeSet::new();
    let mut rest = opened;
    while let Some(offset) = text[rest..].find(['{', '}', '[', ']', '"']) {
        let place = rest + offset;
        rest = place + 1;
        match text.as_bytes()[place] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => break,
            },
            _ => {
                let end = string_end(text, place + 1);
                rest = (end + 1).min(text.len());
                let follows = text[rest..].trim_start();
                if depth == 0 && follows.starts_with(':') && !(place < at && at <= end + 1) {
                    found.insert(&text[place + 1..end]);
                }
            }
        }
    }
    found
}

/// The byte of the quote that ends the string which begins at `from`; the line's end where it is not closed.
fn string_end(text: &str, from: usize) -> usize {
    let mut is_escaped = false;
    for (at, c) in text[from..].char_indices() {
        match c {
            '"' if !is_escaped => return from + at,
            '\n' => return from + at,
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    text.len()
}

/// What the text before a place says of it.
#[derive(Debug, Default)]
struct Scan {
    /// The names of the objects that are open; `None` outside of all, and within an array.
    path: Option<Vec<String>>,
    /// Where the innermost begins, behind its brace.
    opened: usize,
    /// Whether a field's name is due.
    is_key: bool,
    /// The field whose value is due.
    field: Option<String>,
    /// Whether a string is open.
    in_string: bool,
    /// How many bytes are typed of a word already.
    word: usize,
}

fn scan(before: &str) -> Scan {
    let mut scan = Scan::default();
    let mut opened: Vec<(usize, Option<String>)> = Vec::new();
    let mut last: Option<String> = None;
    let mut at = 0;
    let bytes = before.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(before, at + 1);
                if end >= bytes.len() || bytes[end] != b'"' {
                    (scan.in_string, scan.word) = (true, bytes.len() - at - 1);
                    break;
                }
                last = Some(before[at + 1..end].to_owned());
                at = end;
            }
            b'/' if before[at..].starts_with("//") => {
                at = before[at..].find('\n').map_or(bytes.len(), |end| at + end);
                continue;
            }
            b'{' | b'[' => {
                let name = if bytes[at] == b'{' { scan.field.take() } else { None };
                let is_outermost = opened.is_empty() && bytes[at] == b'{';
                opened.push((at + 1, name.or(is_outermost.then(String::new))));
                (scan.is_key, scan.field) = (bytes[at] == b'{', None);
            }
            b'}' | b']' => {
                opened.pop();
                (scan.is_key, scan.field) = (false, None);
            }
            b':' => (scan.is_key, scan.field) = (false, last.take()),
            b',' => (scan.is_key, scan.field) = (true, None),
            _ => {}
        }
        at += 1;
    }
    if !scan.in_string {
        let typed = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        scan.word = before.len() - typed.len();
    }
    scan.opened = opened.last().map_or(0, |(at, _)| *at);
    let names: Option<Vec<String>> = opened.into_iter().map(|(_, name)| name).collect();
    scan.path = names.filter(|names| !names.is_empty()).map(|names| names[1..].to_vec());
    scan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extensions::described::{Kind, field};

    const FIELDS: [Field; 5] = [
        field("id", Kind::Text, ""),
        field("systemPrompt", Kind::Text, ""),
        field("canWrite", Kind::Flag, ""),
        field("canBash", Kind::Flag, ""),
        field("mode", Kind::OneOf(&["primary", "subagent"]), ""),
    ];
    const ROOT: [Field; 1] = [field("all", Kind::Pairs, "")];

    fn fields(at: At<'_>) -> &'static [Field] {
        match at {
            [] => &ROOT,
            [_] => &FIELDS,
            _ => &[],
        }
    }

    /// The labels at the `^` of the text, which is taken out, and the text with the first of them.
    fn at(marked: &str) -> (Vec<String>, String) {
        let at = marked.find('^').unwrap();
        let text = marked.replace('^', "");
        let (choices, from) = choices(&text, at, fields);
        let first = choices.first().map_or("", |choice| choice.text.as_str());
        let made = format!("{}{first}{}", &text[..from], &text[at..]);
        (choices.into_iter().map(|choice| choice.label).collect(), made)
    }

    #[test]
    fn fields_that_are_missing_are_offered_also_in_half_a_file() {
        let (labels, made) = at("{ \"a\": { \"id\": \"é\", ^");
        assert!(labels.contains(&"systemPrompt".into()) && !labels.contains(&"id".into()));
        assert_eq!(made, "{ \"a\": { \"id\": \"é\", \"systemPrompt\": \"\"");
        assert_eq!(
            at("{ \"a\": { \"canB^\" } }"),
            (vec!["canBash".into()], "{ \"a\": { \"canBash\" } }".into())
        );
        assert_eq!(at("{ \"a\": { \"canB^ } }").0, ["canBash"]);
        assert_eq!(at("{ \"a\": { canw^ } }").1, "{ \"a\": { \"canWrite\": true } }");
        // What stands behind counts, too; what is being renamed does not.
        let (labels, _) = at("{ \"a\": { \"^\": \"x\", \"mode\": \"primary\" } }");
        assert!(!labels.contains(&"mode".into()) && labels.contains(&"id".into()), "{labels:?}");
    }

    #[test]
    fn values_are_offered_where_there_is_a_choice() {
        assert_eq!(at("{ \"a\": { \"canBash\": ^ } }").0, ["true", "false"]);
        assert_eq!(
            at("{ \"a\": { \"mode\": \"s^\" } }").1,
            "{ \"a\": { \"mode\": \"subagent\" } }"
        );
        assert_eq!(at("{ \"a\": { \"mode\": ^ } }").1, "{ \"a\": { \"mode\": \"primary\" } }");
        assert_eq!(at("{ ^ }").1, "{ \"all\": {} }");
        for nothing in [
            "^",
            "[^]",
            "[{ ^ }]",
            "{ \"a\": [{ ^ }] }",
            "{ \"a\": ^ }",
            "{ \"a\": { \"id\": \"^\" } }",
            "{ \"a\": { \"id\": { ^ } } }",
        ] {
            assert_eq!(at(nothing).0, Vec::<String>::new(), "{nothing}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_typed_is_a_panic(text in "[{}\\[\\]\":,a-c \n/\\\\é]*", at in 0usize..40) {
            let mut at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let (_, from) = choices(&text, at, fields);
            proptest::prop_assert!(text.get(from..at).is_some());
        }
    }
}
