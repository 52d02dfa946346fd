//! Labelled edits, derived from a repository and a seed: sound ones, broken ones, and ones that only a rule can see.
//!
//! A label is a claim; for what breaks the build the compiler is asked. Nothing here knows of the gate's verdict.

mod broken;
mod policy;
mod sound;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tree_sitter::Node;

use super::random::Random;
use crate::workspace::{Change, ChangeSet, Edit, RelPath};

pub use source::{Project, Source};

/// What a class of edits claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// It changes nothing of what the program does.
    Sound,
    /// It is meant to break the build; the compiler says whether it does.
    Broken,
    /// It may compile, and must be refused all the same.
    Policy,
    /// It is what people committed.
    Commit,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sound => "sound",
            Kind::Broken => "broken",
            Kind::Policy => "policy",
            Kind::Commit => "commit",
        }
    }
}

/// Bytes of a file and what takes their place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Patch {
    path: RelPath,
    range: Range<usize>,
    new: String,
}

impl Patch {
    fn new(source: &Source, range: Range<usize>, new: impl Into<String>) -> Patch {
        Patch { path: source.path.clone(), range, new: new.into() }
    }
}

/// One edit of a repository: pieces replaced, files deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    patches: Vec<Patch>,
    deleted: Vec<RelPath>,
}

impl Proposal {
    fn of(patches: Vec<Patch>) -> Proposal {
        Proposal { patches, deleted: Vec::new() }
    }

    fn replace(source: &Source, node: Node<'_>, new: impl Into<String>) -> Proposal {
        Proposal::of(vec![Patch::new(source, node.byte_range(), new)])
    }

    fn insert(source: &Source, at: usize, new: impl Into<String>) -> Proposal {
        Proposal::of(vec![Patch::new(source, at..at, new)])
    }

    fn by_path(&self) -> BTreeMap<&RelPath, Vec<&Patch>> {
        let mut files: BTreeMap<&RelPath, Vec<&Patch>> = BTreeMap::new();
        for patch in &self.patches {
            files.entry(&patch.path).or_default().push(patch);
        }
        for patches in files.values_mut() {
            patches.sort_by_key(|patch| patch.range.start);
        }
        files
    }

    /// The edit as an agent would propose it.
    pub fn change(&self) -> ChangeSet {
        let edit = |patch: &&Patch| Edit::Span {
            start: patch.range.start,
            end: patch.range.end,
            new: patch.new.clone(),
        };
        let edits = self.by_path().into_iter().map(|(path, patches)| Change::Edit {
            path: path.clone(),
            edits: patches.iter().map(edit).collect(),
        });
        let deletions = self.deleted.iter().map(|path| Change::Delete { path: path.clone() });
        ChangeSet { changes: edits.chain(deletions).collect() }
    }

    /// The texts after it, for who does not trust the gate to apply it; `None` is a file that goes.
    pub fn texts(&self, project: &Project) -> BTreeMap<RelPath, Option<String>> {
        let base = project.texts();
        let mut after: BTreeMap<RelPath, Option<String>> = BTreeMap::new();
        for (path, patches) in self.by_path() {
            let mut text = base.get(path).copied().unwrap_or_default().to_owned();
            for patch in patches.iter().rev() {
                text.replace_range(patch.range.clone(), &patch.new);
            }
            after.insert(path.clone(), Some(text));
        }
        after.extend(self.deleted.iter().map(|path| (path.clone(), None)));
        after
    }
}

/// One way to make edits.
pub struct Operator {
    /// The class: `drop-brace`, ….
    pub name: &'static str,
    pub kind: Kind,
    /// Tries to make one edit in a source; `None` where nothing there fits.
    make: fn(&Project, &Source, &mut Random) -> Option<Proposal>,
}

/// Every class of edits.
pub fn operators() -> Vec<Operator> {
    let all = [
        (Kind::Sound, sound::OPERATORS),
        (Kind::Broken, broken::OPERATORS),
        (Kind::Policy, policy::OPERATORS),
    ];
    let of = |(kind, list): (Kind, &'static [Row])| {
        list.iter().map(move |(name, make)| Operator { name, kind, make: *make })
    };
    all.into_iter().flat_map(of).collect()
}

/// A class and how its edits are made.
type Row = (&'static str, fn(&Project, &Source, &mut Random) -> Option<Proposal>);

/// So many sources are tried for each edit that is wanted.
const TRIES: usize = 60;

impl Operator {
    /// Up to `count` different edits of this class; the same for the same seed and repository, and the first ones of a
    /// longer list.
    pub fn edits(&self, project: &Project, seed: u64, count: usize) -> Vec<Proposal> {
        let mut random = Random::new(seed, self.name);
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for _ in 0..count.saturating_mul(TRIES) {
            if found.len() == count {
                break;
            }
            let made = random
                .pick(&project.sources)
                .and_then(|source| (self.make)(project, source, &mut random));
            if let Some(proposal) = made.filter(|made| seen.insert(format!("{made:?}"))) {
                found.push(proposal);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUST: &str = "use std::fmt;\n\n/// One.\nfn one(count: u32) -> u32 {\n    let mut total = 1;\n    total += count;\n    \
        let text = String::from(\"a\").clone();\n    if total > 2 { total } else { text.len() as u32 }\n}\n\nfn two(n: u32) -> u32 {\n    \
        let first = one(n);\n    let second = one(&first + 1);\n    first + second\n}\n\n#[test]\nfn works() {\n    \
        let got = two(1);\n    assert_eq!(got, 2);\n    assert!(got > 1);\n}\n";
    const CALLER: &str = "use super::one;\n\npub fn three() -> u32 {\n    one(3)\n}\n";

    fn project(files: &[(&str, &str)]) -> Project {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = files.iter().map(|(path, text)| {
            std::fs::write(folder.path().join(path), text).expect("it can be written");
            RelPath::new(path).expect("a path")
        });
        let paths: Vec<RelPath> = paths.collect();
        Project::new(folder.path(), paths)
    }

    #[test]
    fn the_same_seed_gives_the_same_edits_and_each_of_them_changes_something() {
        let project = project(&[("a.rs", RUST), ("b.rs", CALLER)]);
        let mut made = 0;
        for operator in operators() {
            let edits = operator.edits(&project, 7, 3);
            assert_eq!(edits, operator.edits(&project, 7, 3), "{}", operator.name);
            let first = operator.edits(&project, 7, 1);
            assert_eq!(edits.first(), first.first(), "{}", operator.name);
            for edit in &edits {
                let base = project.texts();
                let differs = |(path, after): (&RelPath, &Option<String>)| {
                    after.as_deref() != base.get(path).copied()
                };
                assert!(edit.texts(&project).iter().any(differs), "{}", operator.name);
            }
            made += usize::from(!edits.is_empty());
        }
        assert!(made > 25, "only {made} classes found a place");
    }

    #[test]
    fn a_rename_takes_all_callers_along() {
        let project = project(&[("a.rs", RUST), ("b.rs", CALLER)]);
        let rename = operators().into_iter().find(|o| o.name == "rename-function");
        let edits = rename.expect("the class").edits(&project, 1, 20);
        let mut all = edits.iter().map(|edit| edit.texts(&project));
        let both = all.find(|texts| texts.len() == 2).expect("`one` is used in b.rs");
        let texts: Vec<&String> = both.values().flatten().collect();
        assert!(texts.iter().all(|text| text.contains("one_") && !text.contains(" one(")));
    }
}
