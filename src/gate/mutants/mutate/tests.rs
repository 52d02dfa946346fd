//! Tests of [`super`]: a base and its change in, the mutants in words out.

use super::*;

fn check(name: &str, base: Option<&str>, after: &str) -> Vec<String> {
    let file = AcceptedFile {
        path: RelPath::new(name).expect("a good path"),
        base: base.map(str::to_owned),
        after: after.to_owned(),
    };
    let mutants = mutants(std::slice::from_ref(&file));
    let shown = mutants.iter().map(|mutant| {
        let line = mutant.range.start.line + 1;
        format!("{line}: {} -> {}", mutant.what, mutant.applied(after).expect("it applies").trim())
    });
    shown.collect()
}

/// Only the words.
fn words(name: &str, after: &str) -> Vec<String> {
    let all = check(name, None, after);
    all.into_iter().map(|line| line.split(" -> ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn only_changed_lines_are_mutated() {
    let base = "fn a(x: u8) -> bool { x < 1 }\nfn b(x: u8) -> bool { x < 2 }\n";
    let after = "fn a(x: u8) -> bool { x < 1 }\nfn b(x: u8) -> bool { x > 2 }\n";
    let found = check("a.rs", Some(base), after);
    assert!(!found.is_empty());
    assert!(found.iter().all(|line| line.starts_with("2: ")), "{found:#?}");
    assert!(found[0].starts_with("2: `>` were `>=` -> "), "{found:#?}");
    assert!(check("a.rs", Some(after), after).is_empty());
}

#[test]
fn decisions_come_first_and_every_line_has_its_turn() {
    let after = "fn a(x: u8) -> u8 {\n    if x < 7 && x > 2 { x + 1 } else { 0 }\n}\nfn b(x: u8) -> bool {\n    x == 3\n}\n";
    let found = words("a.rs", after);
    let lines: Vec<&str> = found.iter().map(|line| &line[..2]).take(2).collect();
    assert!(lines.contains(&"2:") && lines.contains(&"5:"), "{found:#?}");
    assert!(found[0].contains("were"), "{found:#?}");
    assert_eq!(found, words("a.rs", after), "the order is the same every time");
}

#[test]
fn rust_has_its_slips() {
    let after = r#"
fn f(items: &mut Vec<u32>, on: bool) -> Result<u32, String> {
    items.push(10u32);
    check(items)?;
    if !on { return Ok(1); }
    let name = "text";
    let n = match items.len() { n if n > 3 => -1, _ => 2 };
    while on { items.clear(); }
    println!("{} {}", 5, true);
    Ok(7)
}
"#;
    let found = words("a.rs", after).join("\n");
    for piece in [
        "3: `items.push(10u32);` were left out",
        "3: `10u32` were `11u32`",
        "4: `check(items)?;` were left out",
        "4: `?` were left out",
        "5: `!` were left out",
        "5: `Ok(Default::default())` were returned instead of `Ok(1)`",
        "6: \"text\" were an empty text",
        "7: the guard `if n > 3` were left out",
        "7: `>` were `>=`",
        "7: `-` were left out",
        "8: the condition `on` were negated",
        "9: `5` were `6`",
        "9: `true` were `false`",
        "10: `Ok(Default::default())` were returned instead of `Ok(7)`",
    ] {
        assert!(found.contains(piece), "{piece}\n{found}");
    }
    assert!(!found.contains("{} {}"), "a macro's text is its own\n{found}");
}

#[test]
fn typescript_has_its_slips() {
    let after = r#"
import { a } from "./a.ts";
type Mode = "fast" | "slow";
export async function f(x: number, m: Mode): Promise<string> {
  if (x === 1 || !x) { throw new Error("bad"); }
  await a(x);
  log.push(x);
  return x > 3 ? "big" : `small`;
}
export const g = (x: number): number => x + 1;
"#;
    for name in ["a.ts", "a.tsx"] {
        let found = words(name, after).join("\n");
        for piece in [
            "5: `===` were `!==`",
            "5: `||` were `&&`",
            "5: the condition `x === 1 || !x` were negated",
            "5: \"bad\" were an empty text",
            "6: `await` were left out",
            "7: `log.push(x);` were left out",
            "8: `>` were `>=`",
            "8: `undefined` were returned",
            "10: `+` were `-`",
            "10: `0` were returned instead of `x + 1`",
        ] {
            assert!(found.contains(piece), "{piece}\n{found}");
        }
        assert!(!found.contains("fast") && !found.contains("./a.ts"), "{found}");
    }
}

#[test]
fn tests_have_none() {
    let unit = "fn a() -> u8 { 1 }\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn b() { assert!(super::a() < 2); }\n}\n";
    assert!(words("src/a.rs", unit).iter().all(|line| line.starts_with("1:")));
    assert!(words("src/a.rs", "#[tokio::test]\nasync fn b() { c(1 < 2); }\n").is_empty());
    for path in ["tests/a.rs", "a.test.ts", "web/__tests__/a.tsx", "build.rs", "notes.md", "a.py"] {
        assert!(words(path, "const a = 1 < 2;\n").is_empty(), "{path}");
    }
}

#[test]
fn every_mutant_parses_and_differs() {
    let after = "fn f(a: &str, b: i64) -> bool {\n    let v: [u8; 4] = [0, 1, 2, 3];\n    a.len() < v.len() && b - 1 >= -3 || a == \"ä\\\"ö\"\n}\n";
    let file = AcceptedFile {
        path: RelPath::new("a.rs").expect("good"),
        base: None,
        after: after.to_owned(),
    };
    let found = mutants(&[file]);
    assert!(found.len() > 8, "{found:#?}");
    for mutant in &found {
        let text = mutant.applied(after).expect("it applies");
        assert!(mutant.parses(after), "{text}");
        assert_ne!(text, after);
        let hint = mutant.hint();
        assert!(hint.message.starts_with("no check would notice if "), "{}", hint.message);
    }
}

#[test]
fn odd_texts_are_no_panic() {
    for text in
        ["", "fn", "\u{feff}fn a() { if \u{1d11e} < 99999999999999999999999 {} }", "if (", "}}}"]
    {
        for name in ["a.rs", "a.ts", "a.tsx", "a.js"] {
            let _ = words(name, text);
        }
    }
}
