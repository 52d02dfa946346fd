//! Which files a server is asked about: those that change, and where its word is a proof all that the change can reach.

pub(super) mod described;
pub(super) mod names;
pub(super) mod reach;
mod uses;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::language::Language;
use super::prove::{self, Case};
use super::workbench::{Layout, Workbench};
use crate::workspace::path::RelPath;
use reach::{Imports, Reach, Setting};

/// Files of one language, of the base and of the candidate.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) before: Vec<RelPath>,
    pub(super) after: Vec<RelPath>,
}

impl Files {
    /// Those among `paths` that are there before, and those that are there after.
    fn of(case: &Case<'_>, paths: &BTreeSet<&RelPath>) -> Files {
        let there = |layout: &Layout| {
            let there = paths.iter().filter(|path| layout.tree.files.contains_key(**path));
            there.map(|path| (*path).clone()).collect()
        };
        Files { before: there(&case.base), after: there(&case.candidate) }
    }
}

/// What is known of the specifiers in texts, by hash; it holds for one meaning of names.
#[derive(Debug, Default)]
pub(super) struct KnownImports {
    meaning: (Setting, BTreeSet<String>),
    by_hash: HashMap<String, Imports>,
}

/// When there are more, those of trees that are long gone are forgotten.
const MOST_KNOWN: usize = 20_000;

impl Workbench {
    /// The files that change, and all that a server is asked about. The base lies in the servers' shadow.
    pub(super) async fn files_to_ask(
        &mut self,
        language: &Language,
        case: &Case<'_>,
    ) -> (Files, Files) {
        let speaks = |path: &RelPath| language.speaks(path);
        let changed = case.resolved.files.iter().map(|file| &file.path);
        let own: BTreeSet<&RelPath> = changed.filter(|path| speaks(path)).collect();
        let own_files = Files::of(case, &own);
        let all: BTreeSet<&RelPath> = [&case.base, &case.candidate]
            .into_iter()
            .flat_map(|layout| layout.tree.files.keys())
            .filter(|path| speaks(path))
            .collect();
        if !language.servers_prove {
            // The likeliest callers, so that what a server can see of them refuses early; the compiler proves.
            let likely = self.likely_dependents(language, case, &all).await;
            let asked: BTreeSet<&RelPath> = own.into_iter().chain(&likely).collect();
            return (own_files, Files::of(case, &asked));
        }
        let reached = match reach::of(case.resolved, speaks) {
            Reach::All => return (own_files, Files::of(case, &all)),
            Reach::From(from) if from.is_empty() => BTreeSet::new(),
            Reach::From(from) => reach::dependents(&self.imports(case, &all), &from),
        };
        let asked: BTreeSet<&RelPath> = own.into_iter().chain(&reached).collect();
        (own_files, Files::of(case, &asked))
    }

    async fn likely_dependents(
        &self,
        language: &Language,
        case: &Case<'_>,
        all: &BTreeSet<&RelPath>,
    ) -> Vec<RelPath> {
        let Some(servers) = self.servers() else {
            return Vec::new();
        };
        let all: Vec<RelPath> = all.iter().map(|path| (*path).clone()).collect();
        servers.dependents(language, &prove::overlay(case.resolved), &all).await.files
    }

    /// The imports of every file, before and after.
    fn imports(&mut self, case: &Case<'_>, all: &BTreeSet<&RelPath>) -> BTreeMap<RelPath, Imports> {
        let root = self.servers_root();
        let meaning = setting(case, &root);
        if self.imports.meaning != meaning || self.imports.by_hash.len() > MOST_KNOWN {
            self.imports = KnownImports { meaning, ..KnownImports::default() };
        }
        let KnownImports { meaning: (setting, own), by_hash } = &mut self.imports;
        let mut imports: BTreeMap<RelPath, Imports> = BTreeMap::new();
        for layout in [&case.base, &case.candidate] {
            for path in all {
                let Some(hash) = layout.tree.files.get(*path) else {
                    continue;
                };
                let known = by_hash.entry(hash.clone()).or_insert_with(|| {
                    let on_disk =
                        || std::fs::read_to_string(path.in_root(&root)).unwrap_or_default();
                    let text = layout.texts.get(*path).cloned().unwrap_or_else(on_disk);
                    Imports::of(path, &text, *setting, own)
                });
                imports.entry((*path).clone()).or_default().join(known);
            }
        }
        imports
    }
}

/// What the descriptions of the projects say, and the names of the workspace's own packages.
fn setting(case: &Case<'_>, root: &Path) -> (Setting, BTreeSet<String>) {
    let mut setting = Setting::default();
    let mut own = BTreeSet::new();
    let paths = || case.base.tree.files.keys();
    match described::texts(root, paths()) {
        Some(texts) => texts.iter().for_each(|text| setting.add(text)),
        None => setting = Setting::UNKNOWN,
    }
    let is_package = |path: &&RelPath| path.as_str().rsplit('/').next() == Some("package.json");
    for path in paths().filter(is_package) {
        let text = std::fs::read_to_string(path.in_root(root)).unwrap_or_default();
        setting.add(&text);
        let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        own.extend(package["name"].as_str().map(str::to_owned));
    }
    (setting, own)
}
