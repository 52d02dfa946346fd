//! Real commits as change-sets, newest first. It must not judge them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::super::CliError;
use super::copy::{git, git_bytes};
use crate::gate::language;
use crate::workspace::{Change, ChangeSet, RelPath};

/// One commit and the tree that it was made for.
#[derive(Debug, Clone)]
pub struct Commit {
    pub id: String,
    pub parent: String,
    pub change: ChangeSet,
}

/// Up to `count` commits that touch a source of a known language and are no merges.
pub fn newest(
    root: &Path,
    count: usize,
    extensions: &BTreeSet<&str>,
) -> Result<Vec<Commit>, CliError> {
    let patterns: Vec<String> = extensions.iter().map(|end| format!("*.{end}")).collect();
    let limit = format!("-n{count}");
    let mut arguments = vec!["log", "--no-merges", "--format=%H %P", &limit, "--"];
    arguments.extend(patterns.iter().map(String::as_str));
    let log = git(root, &arguments)?;
    let pairs = log.lines().filter_map(|line| line.split_once(' '));
    pairs.filter_map(|(id, parent)| commit(root, id, parent).transpose()).collect()
}

/// A commit by its id; `None` where nothing of it can be proposed.
pub fn commit(root: &Path, id: &str, parent: &str) -> Result<Option<Commit>, CliError> {
    let arguments = ["diff-tree", "-r", "-z", "--no-renames", "--name-status", parent, id];
    let said = git(root, &arguments)?;
    let mut parts = said.split('\0').filter(|part| !part.is_empty());
    let mut changes: BTreeMap<RelPath, Change> = BTreeMap::new();
    while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
        let Ok(path) = RelPath::new(path) else {
            continue;
        };
        let change = match status {
            "D" => Some(Change::Delete { path: path.clone() }),
            "T" => None,
            _ => content(root, id, &path)?
                .map(|content| Change::Write { path: path.clone(), content }),
        };
        changes.extend(change.map(|change| (path, change)));
    }
    let speaks = changes.keys().any(|path| language::for_path(path).is_some());
    let change = ChangeSet { changes: changes.into_values().collect() };
    Ok(speaks.then(|| Commit { id: id.to_owned(), parent: parent.to_owned(), change }))
}

/// The text of a file in a commit; `None` where it is none.
fn content(root: &Path, id: &str, path: &RelPath) -> Result<Option<String>, CliError> {
    let name = format!("{id}:{path}");
    // A submodule has no content.
    let is_file = git(root, &["cat-file", "-t", &name]).is_ok_and(|kind| kind.trim() == "blob");
    let bytes =
        if is_file { git_bytes(root, &["cat-file", "blob", &name])? } else { return Ok(None) };
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}
