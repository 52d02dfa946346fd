//! Tokens of a text: a bound from above that costs nothing to have, and the exact count.
//!
//! Budgets are kept by [`bound`]. The exact count is that of `o200k_base`, the vocabulary of OpenAI's models; other vendors
//! publish none, and their counts lie near it. Loading it takes about half a second and 46 MB, which is more than
//! all else that this program needs, so no mission waits for it: benchmarks and tests count with it, and hold the bound to it.

use std::sync::OnceLock;

use tiktoken_rs::CoreBPE;

/// What a character counts as.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    Space,
    Line,
    Sign,
    Wide,
}

fn kind(c: char) -> Kind {
    match c {
        'a'..='z' => Kind::Lower,
        'A'..='Z' => Kind::Upper,
        '0'..='9' => Kind::Digit,
        ' ' | '\t' => Kind::Space,
        '\n' | '\r' => Kind::Line,
        _ if c.is_ascii() => Kind::Sign,
        _ => Kind::Wide,
    }
}

/// No fewer tokens than `text` has, for prose and code of any language: on the files of this project it lies 20 to 80 % above the
/// exact count. Long runs of letters without any sense can have more.
pub fn bound(text: &str) -> usize {
    let mut tokens = 0;
    let mut before = Kind::Line;
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        let run = kind(first);
        let mut length = 1_usize;
        let mut bytes = first.len_utf8();
        while let Some(next) = chars.next_if(|c| kind(*c) == run) {
            length += 1;
            bytes += next.len_utf8();
        }
        tokens += match run {
            // A word that begins with a capital is one with the letters that follow.
            Kind::Lower if before == Kind::Upper => length / 5,
            Kind::Lower => length.div_ceil(5),
            Kind::Upper => length.div_ceil(2),
            Kind::Digit => length.div_ceil(3),
            // One space belongs to the word behind it, but to no number.
            Kind::Space => {
                let is_free = length == 1 && chars.peek().is_some_and(|c| kind(*c) != Kind::Digit);
                if is_free { 0 } else { length.div_ceil(16) }
            }
            Kind::Line => 1,
            Kind::Sign => length,
            Kind::Wide => bytes,
        };
        before = run;
    }
    tokens
}

/// As much of `text` from its beginning as has no more than `budget` tokens by [`bound`], in whole lines; and how many
/// lines are left.
pub fn fit(text: &str, budget: usize) -> (&str, usize) {
    if text.len() <= budget || bound(text) <= budget {
        return (text, 0);
    }
    let (mut end, mut spent) = (0, 0);
    for line in text.split_inclusive('\n') {
        // Where two lines meet, no more tokens come to be than they have by themselves.
        spent += bound(line) + 1;
        if spent > budget {
            break;
        }
        end += line.len();
    }
    let (kept, rest) = text.split_at(end);
    (kept, rest.lines().count())
}

/// The exact number of tokens by `o200k_base`; `None` where its vocabulary cannot be loaded. The first call loads it.
pub fn exact(text: &str) -> Option<usize> {
    encoder().map(|encoder| encoder.encode_ordinary(text).len())
}

/// The tokens themselves, as numbers; as for [`exact`].
pub fn encode(text: &str) -> Option<Vec<u32>> {
    encoder().map(|encoder| encoder.encode_ordinary(text))
}

fn encoder() -> Option<&'static CoreBPE> {
    static ENCODER: OnceLock<Option<CoreBPE>> = OnceLock::new();
    ENCODER.get_or_init(|| tiktoken_rs::o200k_base().ok()).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                found.push(text);
            }
        }
    }

    #[test]
    fn the_bound_is_one_for_real_files_and_not_a_loose_one() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts = vec![std::fs::read_to_string(root.join("Cargo.lock")).unwrap()];
        for folder in ["docs", "grammars", "tests/fixtures", "src/mission", "src/agents"] {
            files(&root.join(folder), &mut texts);
        }
        assert!(texts.len() > 100);
        let (mut bounds, mut counts) = (0, 0);
        for text in texts.iter().filter(|text| text.len() > 200) {
            let (bound, exact) = (bound(text), exact(text).unwrap());
            let start: String = text.chars().take(80).collect();
            assert!(bound >= exact, "{bound} < {exact}: {start}");
            (bounds, counts) = (bounds + bound, counts + exact);
        }
        assert!(bounds * 10 < counts * 18, "{bounds} beside {counts}");
    }

    #[test]
    fn other_scripts_are_bounded_too() {
        for text in [
            "这是一个测试，看看有多少个词。",
            "Ошибка компиляции: тип не подходит",
            "🦀🦀🦀 ok",
            "naïve café",
        ] {
            assert!(bound(text) >= exact(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn what_fits_is_whole_lines_within_the_budget() {
        let text = "one line of words\n".repeat(100);
        let (kept, left) = fit(&text, 100);
        assert!(kept.ends_with('\n') && bound(kept) <= 100 && left > 50, "{left}");
        assert_eq!(kept.lines().count() + left, 100);
        assert_eq!(fit("short", 10), ("short", 0));
        assert_eq!(fit(&"x".repeat(10_000), 10), ("", 1));
    }
}
