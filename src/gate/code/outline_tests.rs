//! Tests of [`super`].

use super::*;

fn symbols(name: &str, text: &str) -> Vec<Symbol> {
    outline(&RelPath::new(name).unwrap(), text).unwrap()
}

fn labels(name: &str, text: &str) -> Vec<String> {
    symbols(name, text).iter().map(|s| format!("{} {}", s.kind, s.label())).collect()
}

const RUST: &str = r#"//! A module.

/// Parses.
#[derive(Debug)]
pub struct Parser<T> {
    /// The text.
    text: T,
}

impl<T> Parser<T> {
    // Begins anew.
    pub fn parse(&self) -> u32 {
        fn inner() {}
        1
    }

    #[inline]
    fn next(&self) {}
}

impl Clone for Parser<u8> {
    fn clone(&self) -> Self { todo() }
}

fn parse() {} // not of the next

fn free() {}
"#;

#[test]
fn every_query_can_be_read_and_names_items() {
    assert_eq!(
        labels("a.rs", RUST),
        [
            "struct Parser",
            "field Parser::text",
            "impl Parser",
            "fn Parser::parse",
            "fn Parser::parse::inner",
            "fn Parser::next",
            "impl Parser",
            "fn Parser::clone",
            "fn parse",
            "fn free",
        ]
    );
    let ts = "export interface A { b: number; c(): void }\nexport const x = 1, y = 2;\nclass K {\n  #p = 1;\n  m() { const z = 1; }\n}\nnamespace N { export function f() {} }\ntype T = string;\nenum E { a }\n";
    assert_eq!(
        labels("a.ts", ts),
        [
            "interface A",
            "field A::b",
            "method A::c",
            "const x",
            "const y",
            "class K",
            "field K::#p",
            "method K::m",
            "namespace N",
            "function N::f",
            "type T",
            "enum E",
        ]
    );
    assert_eq!(labels("a.tsx", ts).len(), 12);
    let js = "export default class K { f = 1; m() {} }\nvar a = 1;\nfunction g() {}\n";
    assert_eq!(labels("a.js", js), ["class K", "field K::f", "method K::m", "var a", "function g"]);
    let py = "X = 1\n\n\nclass K:\n    y = 2\n\n    @property\n    def m(self):\n        return 1\n\n\ndef f():\n    pass\n";
    assert_eq!(labels("a.py", py), ["variable X", "class K", "field K::y", "def K::m", "def f"]);
    let go = "package a\n\ntype T struct {\n\tb int\n}\n\nfunc (t *T) M() {}\nfunc F() {}\n\nconst C = 1\n\nvar (\n\tV = 1\n\tW = 2\n)\n";
    assert_eq!(
        labels("a.go", go),
        ["type T", "field T::b", "func T::M", "func F", "const C", "var V", "var W"]
    );
    assert!(outline(&RelPath::new("a.md").unwrap(), "# a").is_none());
}

fn whole<'t>(name: &str, text: &'t str, wanted: &str) -> &'t str {
    let symbols = symbols(name, text);
    let found = find(&symbols, wanted, text).unwrap();
    &text[found.whole.clone()]
}

#[test]
fn what_stands_right_before_an_item_belongs_to_it() {
    assert!(whole("a.rs", RUST, "Parser").starts_with("/// Parses.\n#[derive"));
    assert!(whole("a.rs", RUST, "Parser::parse").starts_with("// Begins anew."));
    assert!(whole("a.rs", RUST, "next").starts_with("#[inline]"));
    assert_eq!(whole("a.rs", RUST, "free"), "fn free() {}");
    let ts = "/** Doc. */\nexport function f() {}\n";
    assert_eq!(whole("a.ts", ts, "f"), ts.trim_end());
    let py = "# About.\n@cached\ndef f():\n    pass\n";
    assert_eq!(whole("a.py", py, "f"), py.trim_end());
    let go = "package a\n\n// T is.\ntype T struct{}\n";
    assert_eq!(whole("a.go", go, "T"), "// T is.\ntype T struct{}");
}

#[test]
fn a_name_that_fits_several_fits_none() {
    let found = symbols("a.rs", RUST);
    // The whole path of one is the end of another's: it is the whole path.
    assert_eq!(find(&found, "parse", RUST).unwrap().path, ["parse"]);
    assert_eq!(find(&found, "Parser.parse", RUST).unwrap().path.len(), 2);
    assert_eq!(find(&found, "impl Clone for Parser<u8>", RUST).unwrap().kind, "impl");
    let twice = "mod a {\n    fn f() {}\n}\nmod b {\n    fn f() {}\n}\n";
    let found = symbols("a.rs", twice);
    let why = find(&found, "f", twice).unwrap_err();
    assert!(why.contains("2 items: a::f in line 2, b::f in line 5"), "{why}");
    assert_eq!(find(&found, "f:5", twice).unwrap().label(), "b::f");
    let why = find(&found, "g", twice).unwrap_err();
    assert!(why.contains("there is a in line 1, a::f in line 2"), "{why}");
    for odd in ["", ":", "::", "f:", "f:99", " "] {
        assert!(find(&found, odd, twice).is_err(), "{odd}");
    }
}

#[test]
fn the_listing_has_lines_and_no_fields() {
    let text = listing(&symbols("a.rs", RUST), RUST);
    assert!(text.starts_with("3-8 pub struct Parser<T>\n10-19 impl<T> Parser<T>\n"), "{text}");
    assert!(text.contains("\n11-15   pub fn parse(&self) -> u32\n"), "{text}");
}
