//! Clusters: diagnostics of one kind in one file, which are mended by one change-set.
//!
//! Pure. It must not know how a remedy is found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use crate::gate::diagnostic::{Diagnostic, Severity};
use crate::workspace::path::RelPath;

/// What identifies a diagnostic across edits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The file.
    pub path: RelPath,
    /// The compiler's code.
    pub code: Option<String>,
    /// The message.
    pub message: String,
}

/// Diagnostics of one kind in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// For people: `Add imports for 3 unknown names in src/a.rs`.
    pub title: String,
    /// The file.
    pub path: RelPath,
    /// What is wrong.
    pub kind: Kind,
    /// The diagnostics as they stood when it was planned, in order of place.
    pub keys: Vec<Key>,
}

impl Cluster {
    /// The diagnostics of `current` that the cluster is about. One of the same kind that was revealed in the same file
    /// since is among them.
    pub fn open<'a>(&self, current: &'a [Diagnostic]) -> Vec<&'a Diagnostic> {
        let mut open: Vec<&Diagnostic> = current
            .iter()
            .filter(|diagnostic| {
                counts(diagnostic)
                    && diagnostic.path == self.path
                    && Kind::of(diagnostic) == self.kind
            })
            .collect();
        open.sort_by_key(|diagnostic| (diagnostic.range, diagnostic.code.clone()));
        open.dedup_by(|a, b| is_same(a, b));
        open
    }
}

/// Hints and information are nobody's obligation.
fn counts(diagnostic: &Diagnostic) -> bool {
    matches!(diagnostic.severity, Severity::Error | Severity::Warning)
}

/// The clusters of `diagnostics`, in the order in which they should be mended: what one compiler phase hides from the
/// next comes first.
pub fn plan(diagnostics: &[Diagnostic]) -> Vec<Cluster> {
    let mut groups: BTreeMap<(Kind, RelPath), Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| counts(diagnostic)) {
        let group = groups.entry((Kind::of(diagnostic), diagnostic.path.clone())).or_default();
        if !group.iter().any(|other| is_same(other, diagnostic)) {
            group.push(diagnostic);
        }
    }
    groups.into_iter().map(|((kind, path), group)| cluster(kind, path, group)).collect()
}

/// Whether two reports are of one thing: compilers say it once for the library and once for its tests, where they may
/// spell a type differently.
fn is_same(a: &Diagnostic, b: &Diagnostic) -> bool {
    a.path == b.path && a.range == b.range && a.code == b.code
}

fn cluster(kind: Kind, path: RelPath, mut group: Vec<&Diagnostic>) -> Cluster {
    group.sort_by_key(|diagnostic| diagnostic.range);
    let key = |diagnostic: &&Diagnostic| Key {
        path: diagnostic.path.clone(),
        code: diagnostic.code.clone(),
        message: diagnostic.message.clone(),
    };
    Cluster {
        title: format!("{} in {path}", kind.title(group.len())),
        path,
        kind,
        keys: group.iter().map(key).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::diagnostic::{Place, Range};

    fn diagnostic(
        path: &str,
        code: &str,
        line: u32,
        message: &str,
        severity: Severity,
    ) -> Diagnostic {
        let place = Place { line, column: 4 };
        Diagnostic {
            path: RelPath::new(path).unwrap(),
            range: Range { start: place, end: place },
            severity,
            code: Some(code.to_owned()),
            message: message.to_owned(),
            source: "rustc".to_owned(),
            remedies: Vec::new(),
        }
    }

    #[test]
    fn clusters_follow_the_compilers_phases() {
        let diagnostics = [
            diagnostic(
                "src/b.rs",
                "unused_mut",
                3,
                "variable does not need to be mutable",
                Severity::Warning,
            ),
            diagnostic("src/b.rs", "E0308", 9, "mismatched types", Severity::Error),
            diagnostic(
                "src/b.rs",
                "E0433",
                7,
                "cannot find type `Y` in this scope",
                Severity::Error,
            ),
            diagnostic(
                "src/a.rs",
                "E0433",
                5,
                "cannot find type `X` in this scope\nnote: one",
                Severity::Error,
            ),
            diagnostic(
                "src/a.rs",
                "E0433",
                5,
                "cannot find type `X` in this scope\nnote: two",
                Severity::Error,
            ),
            diagnostic(
                "src/a.rs",
                "E0412",
                1,
                "cannot find type `X` in this scope",
                Severity::Error,
            ),
            diagnostic("src/a.rs", "unlinked-file", 0, "not a part", Severity::Hint),
        ];
        let clusters = plan(&diagnostics);
        let titles: Vec<&str> = clusters.iter().map(|cluster| cluster.title.as_str()).collect();
        let expected = [
            "Add imports for 2 unknown names in src/a.rs",
            "Add imports for 1 unknown name in src/b.rs",
            "Resolve 1 type mismatch in src/b.rs",
            "Remove 1 unneeded `mut` in src/b.rs",
        ];
        assert_eq!(titles, expected);
        assert_eq!(clusters[0].open(&diagnostics).len(), 2);
        assert_eq!(plan(&[]), []);
    }
}
