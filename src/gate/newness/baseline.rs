//! What is wrong with a tree before anybody touches it, so that it is held against nobody: errors and failing tests, by
//! name. Pure: nothing is asked or run here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::gate::diagnostic::Diagnostic;
use crate::gate::tools::Answered;
use crate::gate::tools::suite::Suite;
use crate::workspace::path::RelPath;

/// The most errors that are remembered. A tree with more has other worries.
const MOST: usize = 5_000;

/// An error as it is known again: without its place, which moves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Stood {
    path: RelPath,
    code: Option<String>,
    message: String,
}

impl Stood {
    fn of(diagnostic: &Diagnostic) -> Stood {
        let message = diagnostic.message.lines().next().unwrap_or_default().to_owned();
        Stood { path: diagnostic.path.clone(), code: diagnostic.code.clone(), message }
    }
}

/// One suite of tests as it stood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Before {
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broken: Option<String>,
}

/// See the module. The default is a tree in which all is well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    errors: Vec<Stood>,
    suites: BTreeMap<String, Before>,
}

/// A suite compared with how it stood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gate) struct Compared {
    /// Tests that passed before and fail now.
    pub(in crate::gate) broken: Vec<String>,
    /// Tests that fail and did not exist, or could not be run, before.
    pub(in crate::gate) fresh: Vec<String>,
    /// How many fail as they did before.
    pub(in crate::gate) stood: usize,
    /// How many passed before and are not there any more.
    pub(in crate::gate) gone: usize,
    /// Why the suite cannot be compared at all.
    pub(in crate::gate) unknown: Option<String>,
}

impl Baseline {
    pub(in crate::gate) fn of(answered: &Answered, suites: &[(String, Suite)]) -> Baseline {
        let errors = answered.found.iter().map(|found| &found.diagnostic);
        let errors = errors.filter(|diagnostic| diagnostic.is_error());
        let before = |suite: &Suite| Before {
            passed: suite.passed.clone(),
            failed: suite.failed.clone(),
            broken: suite.broken.clone(),
        };
        Baseline {
            errors: errors.take(MOST).map(Stood::of).collect(),
            suites: suites.iter().map(|(name, suite)| (name.clone(), before(suite))).collect(),
        }
    }

    /// The errors among `now` that did not stand before, as a multiset. One whose file is gone from `is_there` may have
    /// moved to another.
    pub(in crate::gate) fn new_errors<'a>(
        &self,
        now: impl Iterator<Item = &'a Diagnostic>,
        is_there: impl Fn(&RelPath) -> bool,
    ) -> Vec<&'a Diagnostic> {
        let mut left: BTreeMap<Stood, usize> = BTreeMap::new();
        for stood in &self.errors {
            *left.entry(stood.clone()).or_default() += 1;
        }
        let mut take = |key: &Stood| {
            let count = left.get_mut(key).filter(|count| **count > 0);
            count.map(|count| *count -= 1).is_some()
        };
        let mut unknown: Vec<&Diagnostic> = now.collect();
        unknown.retain(|diagnostic| !take(&Stood::of(diagnostic)));
        let mut moved: Vec<Stood> =
            self.errors.iter().filter(|stood| !is_there(&stood.path)).cloned().collect();
        unknown.retain(|diagnostic| {
            let now = Stood::of(diagnostic);
            let same = |stood: &Stood| stood.code == now.code && stood.message == now.message;
            moved.iter().position(same).map(|at| moved.swap_remove(at)).is_none()
        });
        unknown
    }

    /// Whether the suite was run before.
    pub(in crate::gate) fn knows(&self, name: &str) -> bool {
        self.suites.contains_key(name)
    }

    /// Compares a suite with how it stood.
    pub(in crate::gate) fn compare(&self, name: &str, now: &Suite) -> Compared {
        let before = self.suites.get(name).cloned().unwrap_or_default();
        let mut compared = Compared::default();
        if let Some(why) = &now.broken {
            match before.broken {
                Some(_) => compared.unknown = Some(format!("it fails as it did before: {why}")),
                None => compared.broken.push(why.clone()),
            }
            return compared;
        }
        for test in &now.failed {
            if before.failed.contains(test) {
                compared.stood += 1;
            } else if before.passed.contains(test) {
                compared.broken.push(test.clone());
            } else {
                compared.fresh.push(test.clone());
            }
        }
        let is_gone = |test: &&String| !now.passed.contains(*test) && !now.failed.contains(*test);
        compared.gone = before.passed.iter().filter(is_gone).count();
        let runs_none = now.passed.is_empty() && now.failed.is_empty();
        if compared.gone > 0 && runs_none {
            let count = compared.gone;
            compared.unknown =
                Some(format!("{count} of its tests passed before, and it runs none any more"));
        }
        compared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::diagnostic::{Range, Severity};
    use crate::gate::tools::Found;

    fn error(path: &str, message: &str) -> Diagnostic {
        Diagnostic {
            path: RelPath::new(path).expect("a good path"),
            range: Range::default(),
            severity: Severity::Error,
            code: None,
            message: message.to_owned(),
            source: "test".to_owned(),
            remedies: Vec::new(),
        }
    }

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn errors_are_known_again_by_name_and_number_and_after_a_move() {
        let old = [error("a.rs", "x\nmore"), error("a.rs", "x"), error("gone.rs", "y")];
        let found = old.iter().map(|d| Found { diagnostic: d.clone(), unit: String::new() });
        let answered = Answered { found: found.collect(), ..Answered::default() };
        let baseline = Baseline::of(&answered, &[]);
        let is_there = |path: &RelPath| path.as_str() != "gone.rs";
        let now = [error("a.rs", "x"), error("a.rs", "x"), error("new.rs", "y")];
        assert!(baseline.new_errors(now.iter(), is_there).is_empty());
        let now = [error("a.rs", "x"), error("a.rs", "x"), error("a.rs", "x"), error("b.rs", "y")];
        assert_eq!(baseline.new_errors(now.iter(), |_| true), [&now[2], &now[3]]);
    }

    #[test]
    fn tests_are_compared_by_name() {
        let suite = |passed: &[&str], failed: &[&str], broken: Option<&str>| Suite {
            passed: names(passed),
            failed: names(failed),
            broken: broken.map(str::to_owned),
            ..Suite::default()
        };
        let before = [("t".to_owned(), suite(&["a", "b", "c"], &["d"], None))];
        let baseline = Baseline::of(&Answered::default(), &before);
        let compared = baseline.compare("t", &suite(&["b"], &["a", "d", "e"], None));
        assert_eq!(compared.broken, ["a"]);
        assert_eq!(compared.fresh, ["e"]);
        assert_eq!((compared.stood, compared.gone), (1, 1));
        assert!(baseline.compare("t", &suite(&[], &[], None)).unknown.is_some());
        let crashed = suite(&[], &[], Some("it crashed"));
        assert_eq!(baseline.compare("t", &crashed).broken, ["it crashed"]);
        let baseline = Baseline::of(&Answered::default(), &[("t".to_owned(), crashed.clone())]);
        assert!(baseline.compare("t", &crashed).unknown.is_some());
        assert_eq!(baseline.compare("t", &suite(&[], &["a"], None)).fresh, ["a"]);
    }
}
