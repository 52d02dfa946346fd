//! Rules about the manifests that say which tests are run: one that turns tests off, or replaces them by a command that
//! always passes, makes every later "tests pass" worth nothing.
//!
//! It knows the manifests' formats (<https://doc.rust-lang.org/cargo/reference/cargo-targets.html>,
//! <https://docs.npmjs.com/cli/using-npm/scripts>), and nothing of what the tests are.

use std::collections::{BTreeMap, BTreeSet};

use super::super::diagnostic::{Diagnostic, Place, Range, Severity};
use super::hits::finding;
use crate::gate::prepare::pair::Pair;

/// The name of the rule.
const CODE: &str = "tests-turned-off";

/// What a change of a manifest turns off that was on before.
pub fn breaches(file: &Pair<'_>) -> Vec<Diagnostic> {
    let (Some(before), Some(after)) = (file.before, file.after) else {
        return Vec::new();
    };
    let off: Vec<String> = match file.path.as_str().rsplit('/').next().unwrap_or_default() {
        "Cargo.toml" => cargo_off(after).difference(&cargo_off(before)).cloned().collect(),
        "package.json" => scripts_off(&scripts(before), &scripts(after)),
        _ => return Vec::new(),
    };
    let range = place(file, after);
    let told = |what: String| {
        let message = format!("{what}; leave the tests as they are run");
        finding(file.path, range, CODE, Severity::Error, &message)
    };
    off.into_iter().map(told).collect()
}

/// The kinds of targets that `cargo test` runs unless they say otherwise, and what says otherwise.
const TARGETS: [(&str, &[&str]); 3] = [
    ("lib", &["test", "doctest", "harness"]),
    ("bin", &["test", "harness"]),
    ("test", &["test", "harness"]),
];

/// What a Cargo manifest turns off, in words. One that cannot be read says nothing: cargo will refuse it.
fn cargo_off(text: &str) -> BTreeSet<String> {
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return BTreeSet::new();
    };
    let mut off = BTreeSet::new();
    for (kind, keys) in TARGETS {
        let targets = match manifest.get(kind) {
            Some(toml::Value::Array(targets)) => targets.iter().collect(),
            Some(target) => vec![target],
            None => Vec::new(),
        };
        for (target, key) in targets.iter().flat_map(|target| keys.iter().map(move |k| (target, k)))
        {
            if target.get(key).and_then(toml::Value::as_bool) == Some(false) {
                let name = target.get("name").and_then(toml::Value::as_str).unwrap_or_default();
                off.insert(format!("`{key} = false` turns off tests of the {kind} `{name}`"));
            }
        }
    }
    let autotests = manifest.get("package").and_then(|package| package.get("autotests"));
    if autotests.and_then(toml::Value::as_bool) == Some(false) && !manifest.contains_key("test") {
        off.insert("`autotests = false` turns off all tests in `tests/`".to_owned());
    }
    off
}

/// The scripts of a package that run tests, by name.
fn scripts(text: &str) -> BTreeMap<String, String> {
    let package: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let scripts = package["scripts"].as_object().into_iter().flatten();
    let tests = scripts.filter(|(name, _)| *name == "test" || name.starts_with("test:"));
    tests.filter_map(|(name, run)| Some((name.clone(), run.as_str()?.to_owned()))).collect()
}

/// Scripts that tested before, and test nothing or cannot fail any more.
fn scripts_off(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let tested = before.iter().filter(|(_, run)| !is_idle(run) && !is_deaf(run));
    let off = tested.filter_map(|(name, old)| match after.get(name) {
        // A package whose other scripts test has only renamed it.
        None if after.values().any(|run| run == old) => None,
        None => Some(format!("the script `{name}` is gone, which ran `{old}`")),
        Some(new) if is_idle(new) => Some(format!("the script `{name}` no longer tests anything")),
        Some(new) if is_deaf(new) => Some(format!("the script `{name}` can no longer fail")),
        Some(_) => None,
    });
    off.collect()
}

/// The simple commands of a line of shell, each with the operator that stands before it.
fn commands(line: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let (mut operator, mut rest) = ("", line);
    loop {
        let next = ["&&", "||", ";", "|", "&"].iter().filter_map(|op| Some((rest.find(op)?, *op)));
        let Some((at, op)) = next.min_by_key(|(at, op)| (*at, std::cmp::Reverse(op.len()))) else {
            found.push((operator, rest.trim()));
            return found;
        };
        found.push((operator, rest[..at].trim()));
        (operator, rest) = (op, &rest[at + op.len()..]);
    }
}

/// Whether a command does nothing but end well, whatever the code is.
fn is_nothing(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words[..] {
        ["exit", status] => status == "0",
        [first, ..] => ["true", ":", "echo", "printf", "exit"].contains(&first),
        [] => true,
    }
}

/// Whether a line of shell runs nothing at all.
fn is_idle(line: &str) -> bool {
    commands(line).iter().all(|(_, command)| is_nothing(command))
}

/// Whether a line of shell ends well although what it runs does not.
fn is_deaf(line: &str) -> bool {
    let commands = commands(line);
    let last = commands.last();
    last.is_some_and(|(op, command)| {
        ["||", ";"].contains(op) && is_nothing(command) && !command.is_empty()
    })
}

/// The line of the change that speaks of tests, else where it begins.
fn place(file: &Pair<'_>, after: &str) -> Range {
    let lines = file.hunks.iter().flat_map(|hunk| {
        let piece = after.get(hunk.after.bytes.clone()).unwrap_or_default();
        piece.lines().zip(hunk.after.lines.clone())
    });
    let speaks = |(line, _): &(&str, usize)| line.contains("test") || line.contains("harness");
    let first = file.hunks.first().map_or(0, |hunk| hunk.after.lines.start);
    let (width, line) =
        lines.clone().find(speaks).map_or((0, first), |(text, line)| (text.len(), line));
    let at = |column: usize| Place {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    };
    Range { start: at(0), end: at(width) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::prepare::pair::Owned;
    use crate::workspace::path::RelPath;

    fn found(name: &str, before: &str, after: &str) -> Vec<String> {
        let path = RelPath::new(name).unwrap();
        let (before, after) = (Owned::new(before), Owned::new(after));
        let pair = Pair::new(&path, Some(before.known()), Some(after.known()));
        breaches(&pair)
            .into_iter()
            .map(|d| format!("{}: {}", d.range.start.line, d.message))
            .collect()
    }

    fn cargo(after: &str) -> usize {
        found("a/Cargo.toml", "[package]\nname = \"a\"\n", after).len()
    }

    #[test]
    fn a_cargo_manifest_that_turns_tests_off() {
        assert_eq!(cargo("[package]\nname = \"a\"\n[lib]\ntest = false\n"), 1);
        assert_eq!(cargo("[package]\nname = \"a\"\n[lib]\ntest = false\ndoctest = false\n"), 2);
        assert_eq!(cargo("[package]\nname = \"a\"\n[[test]]\nname = \"it\"\nharness = false\n"), 1);
        assert_eq!(cargo("[package]\nname = \"a\"\nautotests = false\n"), 1);
    }

    #[test]
    fn a_cargo_manifest_that_does_not() {
        let one = "[package]\nname = \"a\"\nautotests = false\n[[test]]\nname = \"it\"\n";
        assert_eq!(cargo(one), 0);
        assert_eq!(cargo("[package]\nname = \"a\"\n[[bench]]\nname = \"b\"\nharness = false\n"), 0);
        assert_eq!(cargo("[package]\nname = \"a\"\n[[example]]\nname = \"b\"\ntest = false\n"), 0);
        let old = "[package]\nname = \"a\"\n[lib]\ntest = false\n";
        assert!(found("Cargo.toml", old, &format!("{old}doctest = true\n")).is_empty());
        assert_eq!(found("Cargo.toml", old, old.replace("false", "true").as_str()).len(), 0);
    }

    fn npm(before: &str, after: &str) -> Vec<String> {
        let text = |scripts: &str| format!("{{\n\"scripts\": {{\n{scripts}\n}}\n}}\n");
        found("package.json", &text(before), &text(after))
    }

    #[test]
    fn a_script_that_tests_nothing_any_more() {
        let tested = "\"test\": \"vitest --run\"";
        for idle in ["exit 0", "true", "echo ok", "", "echo no tests && exit 0", "echo a; true"] {
            let said = npm(tested, &format!("\"test\": \"{idle}\""));
            assert_eq!(
                said,
                ["2: the script `test` no longer tests anything; leave the tests as they are run"],
                "{idle}"
            );
        }
        assert_eq!(npm(tested, "\"test\": \"vitest --run || true\"").len(), 1);
        assert_eq!(npm(tested, "\"test\": \"vitest --run; exit 0\"").len(), 1);
        assert_eq!(npm(tested, "\"build\": \"tsc\"").len(), 1);
    }

    #[test]
    fn a_script_that_still_tests() {
        let tested = "\"test\": \"jest\"";
        for good in [
            "vitest --run",
            "tsc --noEmit && jest",
            "echo testing; jest",
            "jest || exit 1",
            "jest | tee log",
        ] {
            assert_eq!(npm(tested, &format!("\"test\": \"{good}\"")), [] as [&str; 0], "{good}");
        }
        assert!(npm(tested, "\"test:unit\": \"jest\"").is_empty());
        assert!(npm("\"test\": \"exit 0\"", "\"test\": \"true\"").is_empty());
    }
}
