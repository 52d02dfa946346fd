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
        let group = groups
            .entry((Kind::of(diagnostic), diagnostic.path.clone()))
            .or_default();
        // Compilers say the same thing once for the library and once for its tests.
        if !group
            .iter()
            .any(|other| other.key() == diagnostic.key() && other.range == diagnostic.range)
        {
            group.push(diagnostic);
        }
    }
    groups
        .into_iter()
        .map(|((kind, path), group)| cluster(kind, path, group))
        .collect()
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
