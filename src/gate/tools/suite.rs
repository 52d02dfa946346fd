//! What a run of tests says: which passed, which failed, by name where the output has names.
//!
//! It must not know which of them failed before.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use super::process::Ended;

/// The shape of a test tool's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestOutput {
    /// Only the exit status counts, unless the output is the Test Anything Protocol.
    #[default]
    ExitStatus,
    /// `test NAME ... ok` of libtest.
    Libtest,
    /// `go test -json`.
    GoJson,
    /// `pytest -rA`.
    Pytest,
}

/// One run of a suite of tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suite {
    /// Tests that passed, by name.
    pub passed: BTreeSet<String>,
    /// Tests that failed, by name; what passed in one place and failed in another has failed.
    pub failed: BTreeSet<String>,
    /// Why it did not end well, where no test says so: it did not compile, it crashed, or its tests have no names.
    pub broken: Option<String>,
    /// The last words of a run that did not end well, for people.
    pub words: String,
    /// Name and version of the program.
    pub tool: String,
}

impl Suite {
    /// Reads the output of a run.
    pub fn read(output: TestOutput, ended: &Ended) -> Suite {
        let mut suite = Suite::default();
        let mut binaries = Binaries::default();
        for line in ended.stdout.lines() {
            let told = match output {
                TestOutput::Libtest => binaries.told(line),
                TestOutput::GoJson => go(line),
                TestOutput::Pytest => pytest(line),
                TestOutput::ExitStatus => tap(line),
            };
            match told {
                Some((name, true)) => suite.passed.insert(name),
                Some((name, false)) => suite.failed.insert(name),
                None => false,
            };
        }
        if output == TestOutput::GoJson {
            suite.leave_out_packages();
        }
        suite.passed = suite.passed.difference(&suite.failed).cloned().collect();
        if !ended.success {
            suite.words = words(ended, &suite.failed);
            if suite.failed.is_empty() {
                suite.broken = Some(suite.words.clone());
            } else if binaries.begun > binaries.ended {
                // The tests behind the crash would only be missing.
                suite.broken = Some(format!("it crashed: {}", ended.last_words()));
            }
        }
        suite
    }

    /// A package that failed stands for itself only where none of its tests does: it did not build, or it crashed.
    fn leave_out_packages(&mut self) {
        let is_test = |name: &String| name.contains(' ');
        self.passed.retain(is_test);
        let blamed: BTreeSet<String> = self
            .failed
            .iter()
            .filter_map(|name| Some(name.split_once(' ')?.0.to_owned()))
            .collect();
        self.failed.retain(|name| is_test(name) || !blamed.contains(name));
    }

    /// This run of the same tests, with what passed in `other` taken to have passed: a test that passes on the same tree once
    /// and fails once says nothing of the tree.
    pub fn or_passed(mut self, other: Suite) -> Suite {
        self.failed.retain(|test| !other.passed.contains(test));
        self.passed.extend(other.passed);
        self
    }

    /// Whether all is well.
    pub fn is_green(&self) -> bool {
        self.failed.is_empty() && self.broken.is_none()
    }
}

/// The longest text of failures, in characters.
const WORDS: usize = 4_000;

/// What the failures said: where tests have names it is in the output, else it is the complaint at the end.
fn words(ended: &Ended, failed: &BTreeSet<String>) -> String {
    if failed.is_empty() {
        return ended.last_words();
    }
    let lines: Vec<&str> = ended.stdout.lines().filter(|line| !line.trim().is_empty()).collect();
    let first =
        lines.iter().position(|line| line.starts_with("failures:") || line.contains("not ok "));
    let from = first.unwrap_or_else(|| lines.len().saturating_sub(60));
    lines[from..].join("\n").chars().take(WORDS).collect()
}

/// The binaries that cargo runs one after the other, always in the same order.
#[derive(Debug, Default)]
struct Binaries {
    begun: usize,
    ended: usize,
    /// In how many of them a test of this name stood, and the last of them.
    named: HashMap<String, (usize, usize)>,
}

impl Binaries {
    /// What a line tells of a test. Tests of one name in several binaries are several.
    fn told(&mut self, line: &str) -> Option<(String, bool)> {
        self.begun += usize::from(line.starts_with("running ") && line.contains(" test"));
        self.ended += usize::from(line.starts_with("test result: "));
        let (name, passed) = libtest(line)?;
        // Doc tests of one function have one name, in any order.
        if name.contains(" - ") {
            return Some((name, passed));
        }
        let (count, last) = self.named.entry(name.clone()).or_default();
        if *last != self.begun {
            (*count, *last) = (*count + 1, self.begun);
        }
        let name = if *count > 1 { format!("{name} ({count})") } else { name };
        Some((name, passed))
    }
}

/// `test a::b ... ok`; a doc test's line number moves with the text around it and is no part of its name.
fn libtest(line: &str) -> Option<(String, bool)> {
    let (name, end) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = match name.split_once(" (line ") {
        Some((before, after)) => format!("{before}{}", after.split_once(')').map_or("", |x| x.1)),
        None => name.to_owned(),
    };
    match end.split_whitespace().next()? {
        "ok" => Some((name, true)),
        "FAILED" => Some((name, false)),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GoLine {
    action: String,
    #[serde(default)]
    package: String,
    test: Option<String>,
}

fn go(line: &str) -> Option<(String, bool)> {
    let line: GoLine = serde_json::from_str(line).ok()?;
    let name = match line.test {
        Some(test) => format!("{} {test}", line.package),
        // Of the package as a whole.
        None => line.package,
    };
    match line.action.as_str() {
        "pass" => Some((name, true)),
        "fail" => Some((name, false)),
        _ => None,
    }
}

/// `PASSED tests/a.py::b`, `FAILED tests/a.py::b - why`.
fn pytest(line: &str) -> Option<(String, bool)> {
    let (word, rest) = line.split_once(' ')?;
    let name = rest.split(" - ").next().unwrap_or(rest).trim().to_owned();
    match word {
        "PASSED" | "XFAIL" => Some((name, true)),
        "FAILED" | "ERROR" | "XPASS" => Some((name, false)),
        _ => None,
    }
}

/// `ok 1 - name`, `not ok 2 - name`, at any depth.
fn tap(line: &str) -> Option<(String, bool)> {
    let line = line.trim_start();
    let (passed, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok ")?),
    };
    let (number, name) = rest.split_once(" - ")?;
    number.trim().parse::<u64>().ok()?;
    // What is to be done or skipped may fail.
    let (name, directive) = name.split_once(" # ").unwrap_or((name, ""));
    let is_excused = ["SKIP", "TODO"].iter().any(|word| directive.to_uppercase().starts_with(word));
    (!is_excused).then(|| (name.trim().to_owned(), passed))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn suite(output: TestOutput, success: bool, stdout: &str) -> Suite {
        let ended = Ended {
            success,
            status: "exit status: 1".to_owned(),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            began: SystemTime::now(),
        };
        Suite::read(output, &ended)
    }

    fn names(set: &BTreeSet<String>) -> Vec<&str> {
        set.iter().map(String::as_str).collect()
    }

    #[test]
    fn names_of_libtest() {
        let text = "running 4 tests\ntest a::b ... ok\ntest c ... FAILED\ntest d ... ignored, slow\ntest src/lib.rs - f (line 12) ... ok\ntest src/lib.rs - g (line 3) - compile ... ok\ntest result: FAILED. 3 passed; 1 failed\n";
        let found = suite(TestOutput::Libtest, false, text);
        assert_eq!(names(&found.passed), ["a::b", "src/lib.rs - f", "src/lib.rs - g - compile"]);
        assert_eq!(names(&found.failed), ["c"]);
        assert_eq!(found.broken, None);
    }

    #[test]
    fn tests_of_one_name_in_two_binaries_are_two() {
        let text = "running 1 test\ntest tests::works ... FAILED\ntest result: FAILED. 0 passed\nrunning 1 test\ntest tests::works ... ok\ntest result: ok. 1 passed\n";
        let found = suite(TestOutput::Libtest, false, text);
        assert_eq!(names(&found.failed), ["tests::works"]);
        assert_eq!(names(&found.passed), ["tests::works (2)"]);
    }

    #[test]
    fn a_crash_does_not_hide_behind_a_test_that_fails() {
        let text = "running 1 test\ntest a ... FAILED\ntest result: FAILED. 0 passed\nrunning 2 tests\ntest b ... ok\n";
        assert!(suite(TestOutput::Libtest, false, text).broken.is_some());
        let text = "{\"Action\":\"fail\",\"Package\":\"a\",\"Test\":\"TestX\"}\n{\"Action\":\"fail\",\"Package\":\"a\"}\n{\"Action\":\"fail\",\"Package\":\"b\"}\n";
        assert_eq!(names(&suite(TestOutput::GoJson, false, text).failed), ["a TestX", "b"]);
    }

    #[test]
    fn names_of_go_pytest_and_tap() {
        let text = "{\"Action\":\"run\",\"Package\":\"a/b\",\"Test\":\"TestX\"}\n{\"Action\":\"fail\",\"Package\":\"a/b\",\"Test\":\"TestX\"}\n{\"Action\":\"fail\",\"Package\":\"a/b\"}\n";
        assert_eq!(names(&suite(TestOutput::GoJson, false, text).failed), ["a/b TestX"]);
        let text = "PASSED t.py::a\nFAILED t.py::b - assert 1 == 2\n1 failed, 1 passed in 0.01s\n";
        let found = suite(TestOutput::Pytest, false, text);
        assert_eq!(
            (names(&found.passed), names(&found.failed)),
            (vec!["t.py::a"], vec!["t.py::b"])
        );
        let text = "TAP version 13\n# Subtest: x\n    ok 1 - inner\nnot ok 1 - x\nnot ok 2 - y # TODO\nok 3 - z # SKIP\n1..3\n";
        let found = suite(TestOutput::ExitStatus, false, text);
        assert_eq!((names(&found.passed), names(&found.failed)), (vec!["inner"], vec!["x"]));
    }

    #[test]
    fn a_suite_without_names_or_without_a_build_is_broken() {
        assert!(suite(TestOutput::ExitStatus, false, "3 of 4 failed\n").broken.is_some());
        assert!(suite(TestOutput::Libtest, false, "").broken.is_some());
        assert!(suite(TestOutput::Libtest, true, "").is_green());
    }
}
