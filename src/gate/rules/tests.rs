//! The examples of every rule, and what they cannot show: several files, moves, and the rest of the tree.

use std::collections::BTreeMap;

use super::super::diagnostic::Severity;
use super::rule::Rule;
use super::*;
use crate::gate::prepare::pair::{Owned, Pair};
use crate::workspace::path::RelPath;

/// A file of a change-set by path, text before and text after.
pub(super) type File<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

#[derive(Default)]
struct Rest(BTreeMap<String, String>);

impl Around for (&Rest, &[Pair<'_>]) {
    fn has(&self, path: &str) -> bool {
        match self.1.iter().find(|pair| pair.path.as_str() == path) {
            Some(pair) => pair.after.is_some(),
            None => self.0.0.contains_key(path),
        }
    }

    fn paths(&self) -> Vec<RelPath> {
        self.0.0.keys().map(|path| RelPath::new(path).expect("a good path")).collect()
    }

    fn text(&self, path: &RelPath) -> Option<String> {
        self.0.0.get(path.as_str()).cloned()
    }
}

fn ruled(files: &[File<'_>], rest: &[(&str, &str)], project: &Project) -> Ruled {
    let rest = Rest(rest.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect());
    let paths: Vec<RelPath> =
        files.iter().map(|(path, ..)| RelPath::new(path).expect("a good path")).collect();
    let owned: Vec<(Option<Owned>, Option<Owned>)> =
        files.iter().map(|(_, a, b)| (a.map(Owned::new), b.map(Owned::new))).collect();
    let pairs: Vec<Pair<'_>> = paths
        .iter()
        .zip(&owned)
        .map(|(p, (a, b))| Pair::new(p, a.as_ref().map(Owned::known), b.as_ref().map(Owned::known)))
        .collect();
    check(&pairs, project, &(&rest, pairs.as_slice())).expect("the rules compile")
}

fn codes(files: &[File<'_>], rest: &[(&str, &str)]) -> Vec<String> {
    let found = ruled(files, rest, &Project::default()).breaches;
    found.into_iter().map(|diagnostic| diagnostic.code.expect("a rule has a name")).collect()
}

fn breaches(name: &str, base: Option<&str>, after: &str) -> Vec<String> {
    codes(&[(name, base, Some(after))], &[])
}

#[test]
fn every_rule_does_what_its_examples_say() {
    let mut wrong = Vec::new();
    for language in language::all() {
        for (name, source) in language::rules_of(language) {
            let header = rule::Header::read(name, source).expect("a good header");
            let has = |fails| header.examples.iter().any(|example| example.fails == fails);
            // What is missed is missed by another file: the tests below show that.
            let of_two = header.fires == Fires::Missed;
            assert!(has(false) && (has(true) || of_two), "{name}");
            let rule = Rule { name: (*name).to_owned(), header: header.clone() };
            for (extension, example) in language
                .extensions
                .iter()
                .flat_map(|extension| header.examples.iter().map(move |e| (extension, e)))
            {
                let file = example.file.as_deref().unwrap_or("a.x");
                let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
                let file = format!("{stem}.{extension}");
                if !rule.holds_in(&RelPath::new(&file).expect("a good path")) {
                    continue;
                }
                let found = breaches(&file, example.before.as_deref(), &example.after);
                let wanted: &[&str] = if example.fails { &[name] } else { &[] };
                if found != wanted {
                    wrong.push(format!("{name}, {file}: {found:?} in {}", example.after));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_stood_before_is_not_held_against_an_edit() {
    let base = "fn a() { todo!() }\nfn b() {}\n";
    assert!(breaches("a.rs", Some(base), "fn a() { todo!() }\nfn b() { c() }\n").is_empty());
    // Moved, and indented differently.
    assert!(breaches("a.rs", Some(base), "fn b() {}\nfn a() {\n    todo!()\n}\n").is_empty());
    // The name around it changed, the placeholder's own line did not.
    assert!(
        breaches("a.rs", Some("fn a() {\n  todo!()\n}\n"), "fn z() {\n  todo!()\n}\n").is_empty()
    );
    // Moved to another file.
    let files = [
        ("a.rs", Some("fn a() { todo!() }\nfn b() {}\n"), Some("fn b() {}\n")),
        ("c.rs", None, Some("fn a() { todo!() }\n")),
    ];
    assert!(codes(&files, &[]).is_empty());
}

#[test]
fn a_placeholder_cannot_hide_behind_a_mended_one() {
    let base = "fn a() { todo!() }\nfn b() { c() }\n";
    assert_eq!(
        breaches("a.rs", Some(base), "fn a() { c() }\nfn b() { todo!() }\n"),
        ["placeholder"]
    );
}

#[test]
fn conflict_markers_are_found_in_any_file() {
    let text = "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n";
    assert_eq!(breaches("notes.txt", None, text).len(), 2);
    assert!(breaches("notes.txt", Some(text), &format!("x\n{text}")).is_empty());
    assert!(breaches("notes.md", None, "Title\n=======\n").is_empty());
}

/// A test, its subject, and its file, in each language.
const TESTS: &[(&str, &str, &str, &str)] = &[
    (
        "tests/a.rs",
        "#[test]\nfn adds() {\n    let sum = add(1, 1);\n    assert_eq!(sum, 2);\n}\n",
        "src/lib.rs",
        "pub fn add(a: u8, b: u8) -> u8 {\n    a + b\n}\n",
    ),
    (
        "a.test.ts",
        "it('adds', () => {\n  const sum = add(1, 1)\n  expect(sum).toBe(2)\n})\n",
        "a.ts",
        "function add(a, b) {\n  return a + b\n}\n",
    ),
    (
        "a.test.jsx",
        "test('adds', () => {\n  const sum = add(1, 1)\n  expect(sum).toBe(2)\n})\n",
        "a.js",
        "function add(a, b) {\n  return a + b\n}\n",
    ),
    (
        "test_a.py",
        "def test_adds():\n    sum = add(1, 1)\n    assert sum == 2\n",
        "a.py",
        "def add(a, b):\n    return a + b\n",
    ),
    (
        "a_test.go",
        "package a\n\nfunc TestAdds(t *testing.T) {\n\tif sum := add(1, 1); sum != 2 {\n\t\tt.Fatal(sum)\n\t}\n}\n",
        "a.go",
        "package a\n\nfunc add(a, b int) int {\n\treturn a + b\n}\n",
    ),
];

#[test]
fn a_test_is_not_deleted_while_its_subject_lives() {
    for (file, test, subject_file, subject) in TESTS {
        // Its whole file.
        assert_eq!(codes(&[(file, Some(test), None)], &[]), ["deleted-test"], "{file}");
        // The subject is worked on in the same change-set.
        let worked_on = subject.replace("a + b", "b + a");
        let files =
            [(*file, Some(*test), None), (*subject_file, Some(*subject), Some(worked_on.as_str()))];
        assert_eq!(codes(&files, &[]), ["deleted-test"], "{file}");
    }
}

#[test]
fn honest_work_on_tests_is_no_breach() {
    for (file, test, subject_file, subject) in TESTS {
        let moved = file.replace('a', "b");
        // Moved to another file.
        let files = [(*file, Some(*test), None), (moved.as_str(), None, Some(*test))];
        assert!(codes(&files, &[]).is_empty(), "{file} moved to {moved}");
        // Renamed.
        let renamed = test
            .replace("'adds'", "'sums up'")
            .replace("fn adds", "fn sums_up")
            .replace("_adds", "_sums_up")
            .replace("TestAdds", "TestSumsUp");
        assert!(breaches(file, Some(test), &renamed).is_empty(), "{renamed}");
        // Gone together with what it tests.
        let files = [(*file, Some(*test), None), (*subject_file, Some(*subject), None)];
        assert!(codes(&files, &[]).is_empty(), "{file}");
        // Its subject renamed, in both.
        let (new_test, new_subject) =
            (test.replace("add(", "plus("), subject.replace("add", "plus"));
        let files = [
            (*file, Some(*test), Some(new_test.as_str())),
            (*subject_file, Some(*subject), Some(new_subject.as_str())),
        ];
        assert!(codes(&files, &[]).is_empty(), "{file}");
    }
}

#[test]
fn a_test_may_be_taken_in_by_another() {
    let one = "it('adds one', () => {\n  expect(add(1, 1)).toBe(2)\n})\n";
    let two = "it('adds two', () => {\n  expect(add(2, 2)).toBe(4)\n})\n";
    let base = format!("{one}{two}");
    let both = "it('adds', () => {\n  expect(add(1, 1)).toBe(2)\n  expect(add(2, 2)).toBe(4)\n})\n";
    assert!(breaches("a.test.ts", Some(&base), both).is_empty());
}

#[test]
fn a_test_may_leave_its_assertions_to_a_function() {
    let base =
        "#[test]\nfn adds() {\n    assert_eq!(add(1, 1), 2);\n    assert_eq!(add(2, 2), 4);\n}\n";
    let sums = "fn sums(a: u8, sum: u8) {\n    assert_eq!(add(a, a), sum);\n}\n#[test]\nfn adds() {\n    \
                sums(1, 2);\n    sums(2, 4);\n}\n";
    assert!(breaches("a.rs", Some(base), sums).is_empty());
    let empty = sums.replace("    assert_eq!(add(a, a), sum);\n", "");
    assert_eq!(breaches("a.rs", Some(base), &empty), ["weakened-assertion"]);
}

#[test]
fn a_test_may_become_several() {
    let one = "it('adds', () => {\n  expect(add(1, 1)).toBe(2)\n  expect(add(2, 2)).toBe(4)\n})\n";
    let two = "it('adds ones', () => {\n  expect(add(1, 1)).toBe(2)\n  expect(add(1, 0)).toBe(1)\n  \
               expect(add(0, 1)).toBe(1)\n})\nit('adds twos', () => {\n  expect(add(2, 2)).toBe(4)\n  \
               expect(add(2, 3)).toBe(5)\n  expect(add(3, 2)).toBe(5)\n})\n";
    assert!(breaches("a.test.ts", Some(one), two).is_empty());
}

#[test]
fn a_test_may_go_with_what_it_tests_in_its_own_file() {
    let helper = "#[cfg(test)]\nmod tests {\n    fn check(x: u8) -> u8 {\n        super::add(x)\n    }\n    #[test]\n    \
                  fn adds() {\n        assert_eq!(check(1), 2);\n    }\n}\n";
    let base = format!("fn add(x: u8) -> u8 {{\n    x + 1\n}}\nfn other() {{}}\n{helper}");
    assert!(breaches("a.rs", Some(&base), "fn other() {}\n").is_empty());
    assert!(codes(&[("a.rs", Some(&base), None)], &[]).is_empty());
    let kept = "fn add(x: u8) -> u8 {\n    x + 1\n}\nfn other() {}\n";
    assert_eq!(breaches("a.rs", Some(&base), kept), ["deleted-test"]);
    // What made the thing is gone, not the thing.
    let before = "class Node { constructor(a) { this.a = a }\n  find() {} }\n";
    let test = "it('is made', () => { expect(new Node(1).find()).toBe(1) })\n";
    let files = [
        ("n.js", Some(before), Some("class Node { find() {} }\n")),
        ("n.test.js", Some(test), None),
    ];
    assert!(codes(&files, &[]).is_empty());
}

#[test]
fn an_export_is_not_removed_while_something_imports_it() {
    let ts = "export function one() {}\nexport const two = 2\nexport default class {}\n";
    let rest = [("src/b.tsx", "import { two as zwei } from './a.js'\n")];
    let without = ts.replace("export const two", "const two");
    let file = [("src/a.ts", Some(ts), Some(without.as_str()))];
    assert_eq!(codes(&file, &rest), ["removed-export"]);
    assert_eq!(codes(&[("src/a.ts", Some(ts), None)], &rest), ["removed-export"]);
    // Nobody imports it, or from somewhere else, or the importer is mended in the same change-set.
    assert!(codes(&file, &[("src/b.ts", "import { one } from './a'\n")]).is_empty());
    assert!(codes(&file, &[("lib/b.ts", "import { two } from './a'\n")]).is_empty());
    let mended = [file[0], ("src/b.tsx", Some(rest[0].1), Some("import { one } from './a.js'\n"))];
    assert!(codes(&mended, &[]).is_empty());
    // Another module offers it now.
    let star = format!("{without}export * from './c'\n");
    assert!(codes(&[("src/a.ts", Some(ts), Some(&star))], &rest).is_empty());
    // A folder took the file's place.
    let moved = [("src/a.ts", Some(ts), None), ("src/a/index.ts", None, Some(ts))];
    assert!(codes(&moved, &[("src/b.ts", "import { two } from './a'\n")]).is_empty());
    let default = ts.replace("export default", "");
    let file = [("src/a.ts", Some(ts), Some(default.as_str()))];
    assert_eq!(codes(&file, &[("src/b.mts", "import A from './a.js'\n")]), ["removed-export"]);
}

#[test]
fn exports_of_python_and_rust_are_missed_too() {
    let py = "def one():\n    return 1\n\n\ndef two():\n    return 2\n";
    let without = "def one():\n    return 1\n";
    let file = [("pkg/a.py", Some(py), Some(without))];
    assert_eq!(codes(&file, &[("pkg/b.py", "from .a import two\n")]), ["removed-export"]);
    assert_eq!(codes(&file, &[("b.py", "from pkg.a import one, two\n")]), ["removed-export"]);
    assert!(codes(&file, &[("b.py", "from other.a import two\n")]).is_empty());
    let guarded = "try:\n    from pkg.a import two\nexcept ImportError:\n    two = None\n";
    assert!(codes(&file, &[("b.py", guarded)]).is_empty());
    let again = [("pkg/a.py", Some(py), Some("from .c import two\ndef one():\n    return 1\n"))];
    assert!(codes(&again, &[("pkg/b.py", "from .a import two\n")]).is_empty());

    let rs = "pub fn one() {}\npub struct Two;\n";
    let file = [("src/a.rs", Some(rs), Some("pub fn one() {}\n"))];
    let rest = [("src/b.rs", "use crate::a::{one, Two};\n")];
    assert_eq!(codes(&file, &rest), ["removed-export"]);
    assert!(codes(&file, &[("other/src/b.rs", "use crate::a::Two;\n")]).is_empty());
    let again = [("src/a.rs", Some(rs), Some("pub use crate::c::Two;\npub fn one() {}\n"))];
    assert!(codes(&again, &rest).is_empty());
}

#[test]
fn a_secret_is_found_and_never_told() {
    let secret = ["ghp", "_8fK2mQx7Lw", "Zr4TbN9vYc", "J3dHs6GpUe", "1AoXqT"].concat();
    for file in [".env", "deploy.yaml", "a.rs", "README.md"] {
        let text = format!("# first\nTOKEN: {secret}\n");
        let found = ruled(&[(file, None, Some(&text))], &[], &Project::default()).breaches;
        assert_eq!(found[0].code.as_deref(), Some("leaked-secret"), "{file}");
        assert_eq!(found[0].range.start.line, 1);
        assert!(!found[0].message.contains(&secret));
        let frame = crate::gate::report::frame::frame(&text, found[0].range);
        assert!(frame.contains("TOKEN: ****") && !frame.contains(&secret), "{frame}");
        // It stood there before.
        let after = format!("{text}# last\nOTHER: {secret}\n");
        assert!(codes(&[(file, Some(&text), Some(&after))], &[]).is_empty());
    }
}

#[test]
fn a_project_has_rules_of_its_own() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join(".opencode/rules/rust");
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
    write(
        "no-print.scm",
        "; message: log it\n((macro_invocation macro: (identifier) @m) @no-print (#eq? @m \"println\"))\n",
    );
    write("broken.scm", "; message: broken\n\n(no_such_node) @broken\n");
    write("silent.scm", "(line_comment) @silent\n");
    let weights = "[severity]\nplaceholder = \"warning\"\nelision = \"off\"\nnonsense = \"off\"\n";
    std::fs::write(root.path().join(".opencode/rules/rules.toml"), weights).expect("written");
    let project = Project::read(root.path());
    let after = "fn a() { println!() }\nfn b() { todo!() }\n// existing code unchanged\n";
    let ruled = ruled(&[("a.rs", None, Some(after))], &[], &project);
    let found: Vec<(&str, Severity)> = ruled
        .breaches
        .iter()
        .map(|found| (found.code.as_deref().unwrap_or_default(), found.severity))
        .collect();
    assert_eq!(found, [("no-print", Severity::Error), ("placeholder", Severity::Warning)]);
    let faults = ruled.faults.join("\n");
    assert!(faults.contains(".opencode/rules/rust/broken.scm:3: "), "{faults}");
    assert!(faults.contains(".opencode/rules/rust/silent.scm:1: "), "{faults}");
    assert!(
        faults.contains(".opencode/rules/rules.toml:1: there is no rule `nonsense`"),
        "{faults}"
    );
    assert_eq!(ruled.faults.len(), 3);
}
