//! The table of faults in `docs/providers.md` and the tests are one: each row names tests that exist, and each test of a
//! fault is named by a row.

use std::collections::BTreeSet;

use crate::support::tools::checkout;

fn read(path: &str) -> String {
    std::fs::read_to_string(checkout().join(path)).unwrap()
}

/// The names of the tests in a file.
fn tests_of(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let after = text.split("async fn ").skip(1).map(|rest| rest.split('(').next().unwrap());
    let is_test = |name: &&str| {
        text.contains(&format!("]\nasync fn {name}(")) || text.contains(&format!("\n    {name},\n"))
    };
    after.filter(is_test).map(str::to_owned).collect()
}

/// The rows of the table, as cells.
fn rows() -> Vec<Vec<String>> {
    let page = read("docs/providers.md");
    let (_, rest) = page.split_once("## Fault by fault").expect("the page has the table");
    let table = rest.lines().skip_while(|line| !line.starts_with('|')).skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

#[test]
fn each_row_has_its_tests_and_each_test_its_row() {
    let mut known = BTreeSet::new();
    let files = ["answer", "clock", "connection", "fallback", "status", "stream"];
    for file in files {
        known.extend(tests_of(&format!("tests/it/faults/{file}.rs")));
    }
    let shared = tests_of("tests/it/wire_both.rs");
    assert!(known.len() > 20 && shared.len() > 3, "{known:?} {shared:?}");
    let mut named = BTreeSet::new();
    let rows = rows();
    assert!(rows.len() > 25, "{}", rows.len());
    for row in &rows {
        assert_eq!(row.len(), 5, "fault, what is seen, what happens, bound, tests: {row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        let tests: Vec<&str> = row[4].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row:?}");
        for test in tests {
            assert!(known.contains(test) || shared.contains(test), "no such test: {test}");
            named.insert(test.to_owned());
        }
    }
    let unnamed: Vec<_> = known.difference(&named).collect();
    assert!(unnamed.is_empty(), "tests that no row names: {unnamed:?}");
}
