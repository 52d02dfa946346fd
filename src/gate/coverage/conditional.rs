//! Code that a Rust compiler reads and does not compile: what stands below a `cfg` that does not hold here. A change of such
//! code is proved by nobody, though its file was covered.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tree_sitter::Node;

use crate::gate::prepare::syntax::Grammar;
use crate::gate::prove::Case;
use crate::workspace::RelPath;
use crate::workspace::diff::changed_lines;

/// Which features are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gate) enum Features {
    /// Those that the nearest manifest names as `default`, and what they bring.
    Default,
    /// All.
    All,
}

/// Places (`path:line`, 1-based, with the condition) of lines that the change wrote and that are compiled with none of
/// `runs`. The candidate's manifests lie at `root`.
pub(in crate::gate) fn left_out(case: &Case<'_>, runs: &[Features], root: &Path) -> Vec<String> {
    let mut places = Vec::new();
    for file in &case.resolved.files {
        let (Some(after), Some(Grammar::Rust)) = (&file.result, Grammar::for_path(&file.path))
        else {
            continue;
        };
        // A file that only moved holds nothing that the change wrote.
        if !after.contains("cfg") || file.renamed_from.is_some() {
            continue;
        }
        let before = file.base.as_ref().map(|base| base.text.as_str()).unwrap_or_default();
        // Comments are compiled nowhere.
        if code(before).eq(code(after)) {
            continue;
        }
        let changed = changed_lines(before, after);
        let on = |features: &Features| match features {
            Features::All => None,
            Features::Default => Some(default_features(&file.path, root)),
        };
        let runs: Vec<_> = runs.iter().map(on).collect();
        for (condition, first, last) in conditions(after) {
            let Some(line) = changed.range(first..=last).next() else {
                continue;
            };
            let compiles = |on: &Option<BTreeSet<String>>| {
                [true, false].iter().any(|test| holds(&condition, on.as_ref(), *test))
            };
            if !runs.iter().any(compiles) {
                places.push(format!("{}:{} (`{condition}`)", file.path, line + 1));
            }
        }
    }
    places
}

/// The lines of a text that are not comments as a whole.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// Every `cfg` attribute of a text: its condition, and the first and last 0-based line that it is about.
fn conditions(text: &str) -> Vec<(String, u32, u32)> {
    let Some(tree) = Grammar::Rust.parse(text) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut waiting = vec![tree.root_node()];
    while let Some(node) = waiting.pop() {
        let mut cursor = node.walk();
        waiting.extend(node.children(&mut cursor));
        let subject = match node.kind() {
            "attribute_item" => subject_of(node),
            "inner_attribute_item" => node.parent(),
            _ => None,
        };
        if let Some((condition, subject)) = condition_of(&text[node.byte_range()]).zip(subject) {
            let first = node.start_position().row.min(subject.start_position().row);
            let row = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
            found.push((condition, row(first), row(subject.end_position().row)));
        }
    }
    found
}

/// What an outer attribute stands before.
fn subject_of(attribute: Node<'_>) -> Option<Node<'_>> {
    let mut next = attribute.next_named_sibling();
    while let Some(node) = next {
        if !matches!(node.kind(), "attribute_item" | "line_comment" | "block_comment") {
            return Some(node);
        }
        next = node.next_named_sibling();
    }
    None
}

fn condition_of(attribute: &str) -> Option<String> {
    let inner = attribute.trim_start_matches(['#', '!', '[', ' ']).strip_prefix("cfg")?;
    let inner = inner.trim().strip_suffix(']')?.trim();
    let inner = inner.strip_prefix('(')?.strip_suffix(')')?;
    Some(inner.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether a condition holds on this machine; `features` of `None` are all. What is not known does not hold.
fn holds(condition: &str, features: Option<&BTreeSet<String>>, test: bool) -> bool {
    let condition = condition.trim();
    if let Some((name, inner)) = condition.strip_suffix(')').and_then(|text| text.split_once('(')) {
        let mut parts = split(inner).into_iter().map(|part| holds(part, features, test));
        return match name.trim() {
            "not" => !parts.next().unwrap_or(false),
            "all" => parts.all(|part| part),
            "any" => parts.any(|part| part),
            _ => false,
        };
    }
    let Some((name, value)) = condition.split_once('=') else {
        return match condition {
            "test" => test,
            "debug_assertions" | "true" => true,
            "unix" | "windows" => std::env::consts::FAMILY == condition,
            _ => false,
        };
    };
    let value = value.trim().trim_matches('"');
    match name.trim() {
        "feature" => features.is_none_or(|on| on.contains(value)),
        "target_os" => std::env::consts::OS == value,
        "target_family" => std::env::consts::FAMILY == value,
        "target_arch" => std::env::consts::ARCH == value,
        "target_pointer_width" => usize::BITS.to_string() == value,
        "target_endian" => (value == "big") == cfg!(target_endian = "big"),
        "panic" => value == "unwind",
        _ => false,
    }
}

/// The parts of a list, at its commas outside of parentheses.
fn split(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut from) = (0_usize, 0);
    for (at, c) in list.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[from..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The features that are on by default in the package that a file belongs to.
fn default_features(path: &RelPath, root: &Path) -> BTreeSet<String> {
    let place = path.in_root(root);
    let inside = place.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    let manifest = inside
        .filter_map(|folder| fs::read_to_string(folder.join("Cargo.toml")).ok())
        .filter_map(|text| toml::from_str::<toml::Value>(&text).ok())
        .find(|manifest| manifest.get("package").is_some());
    let mut on = BTreeSet::new();
    let mut waiting = vec!["default".to_owned()];
    while let Some(feature) = waiting.pop() {
        let brought =
            manifest.as_ref().and_then(|manifest| manifest.get("features")?.get(&feature));
        let names = brought.and_then(toml::Value::as_array).into_iter().flatten();
        if on.insert(feature.clone()) {
            waiting.extend(names.filter_map(toml::Value::as_str).map(str::to_owned));
        }
    }
    on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_span_what_they_stand_before() {
        let text = "#[cfg(feature = \"x\")]\n/// Doc.\n#[inline]\nfn a() {\n}\nfn b() {\n    #[cfg(any(windows,\n        test))]\n    let c = 1;\n}\n";
        let mut found = conditions(text);
        found.sort();
        let expected =
            [("any(windows, test)".to_owned(), 6, 8), ("feature = \"x\"".to_owned(), 0, 4)];
        assert_eq!(found, expected);
        assert_eq!(conditions("#![cfg(nothing)]\nfn a() {}\n")[0].1, 0);
    }

    #[test]
    fn what_holds_here_is_known() {
        let on = BTreeSet::from(["x".to_owned()]);
        let check = |text: &str| holds(text, Some(&on), true);
        assert!(check("test") && check("any(unix, windows)") && check("feature = \"x\""));
        assert!(!check("feature = \"y\"") && check("not(feature = \"y\")"));
        assert!(holds("all(feature = \"y\", not(test))", None, false));
        assert!(!check("all(unix, windows)") && !check("loom"));
        let os = format!("target_os = \"{}\"", std::env::consts::OS);
        assert!(check(&os) && !check("target_os = \"none\""));
    }
}
