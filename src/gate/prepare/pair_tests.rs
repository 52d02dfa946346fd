//! Trees that grew out of others say the same as those of whole texts.

use super::*;
use crate::gate::prepare::syntax::new_errors;

/// A small generator of numbers: the same seed, the same edits.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % below.max(1)
    }
}

/// Real code of this project.
const SOURCES: &[&str] = &[
    include_str!("mod.rs"),
    include_str!("../newness/delta.rs"),
    include_str!("../rules/units.rs"),
    include_str!("../../workspace/resolve.rs"),
];

const PIECES: &[&str] = &[
    "",
    "{",
    "}",
    "// ... rest of the code\n",
    "todo!();",
    "\n",
    "let x = 1;\n",
    "ä",
    "(",
    "\"",
    "#[test]\nfn t() { assert!(x); }\n",
    "/*",
    "fn f() {}\n",
];

fn edited(text: &str, dice: &mut Dice) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut out = String::new();
    let places = [dice.roll(lines.len()), dice.roll(lines.len()), dice.roll(lines.len())];
    for (at, line) in lines.iter().enumerate() {
        if !places.contains(&at) {
            out.push_str(line);
            continue;
        }
        match dice.roll(3) {
            0 => {}
            1 => {
                let mut cut = dice.roll(line.len());
                while !line.is_char_boundary(cut) {
                    cut -= 1;
                }
                out.push_str(&line[..cut]);
                out.push_str(PIECES[dice.roll(PIECES.len())]);
                out.push_str(&line[cut..]);
            }
            _ => {
                out.push_str(PIECES[dice.roll(PIECES.len())]);
                out.push_str(line);
            }
        }
    }
    out
}

#[test]
fn what_is_found_in_a_grown_tree_is_found_in_the_whole_text() {
    let mut dice = Dice(7);
    let path = RelPath::new("a.rs").expect("a good path");
    for round in 0..60 {
        let base = SOURCES[round % SOURCES.len()];
        let after = edited(base, &mut dice);
        let (old, new) = (Owned::new(base), Owned::new(&after));
        let pair = Pair::new(&path, Some(old.known()), Some(new.known()));
        let full = pair.in_full();
        let has_error =
            |tree: &Option<Tree>| tree.as_ref().map(|tree| tree.root_node().has_error());
        let says = |tree: &Option<Tree>| tree.as_ref().map(|tree| tree.root_node().to_sexp());
        assert_eq!(has_error(&pair.tree), has_error(&full.tree), "round {round}");
        // Where the text is broken, how it is mended may differ.
        if has_error(&full.tree) == Some(false) {
            assert_eq!(says(&pair.tree), says(&full.tree), "round {round}");
        }
        assert_eq!(new_errors(&pair), new_errors(&full), "round {round}");
    }
}

#[test]
fn a_text_is_parsed_once() {
    let path = RelPath::new("a.rs").expect("a good path");
    let (old, new) = (Owned::new("fn once() {}\n"), Owned::new("fn once() { 1; }\n"));
    drop(Pair::new(&path, Some(old.known()), Some(new.known())));
    assert!(found(Grammar::Rust, old.known().hash).is_some());
    assert!(found(Grammar::Rust, new.known().hash).is_some());
    assert!(found(Grammar::Go, new.known().hash).is_none());
}
