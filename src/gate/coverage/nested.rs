//! Projects inside of projects: which of them the outer one's compiler does not look at, so that they are asked too.

use std::fs;
use std::path::Path;

use super::Covered;
use crate::gate::language::Language;
use crate::gate::languages::{self, is_inside};
use crate::gate::prove::{Case, unseen};
use crate::workspace::path::RelPath;

/// The outermost of the projects not `asked` and not `covered` by those that were, which the change can matter to: it
/// changes a file there that nobody read, or their description names something outside of their folder. The candidate lies
/// at `root`.
pub(in crate::gate) fn left(
    language: &Language,
    case: &Case<'_>,
    covered: &Covered,
    asked: &[String],
    root: &Path,
) -> Vec<String> {
    let all = languages::all_project_folders(language, case.candidate.tree.files.keys());
    let unseen = unseen(language, case, covered);
    let roots = |folder: &str| {
        let path = |name: &String| match folder {
            "" => RelPath::new(name),
            _ => RelPath::new(&format!("{folder}/{name}")),
        };
        language.roots.iter().filter_map(|name| path(name).ok()).collect::<Vec<_>>()
    };
    let is_known = |folder: &String| {
        asked.contains(folder) || roots(folder).iter().any(|root| covered.after.contains(root))
    };
    let reaches_out = |folder: &String| {
        let text = |path: &RelPath| fs::read_to_string(path.in_root(root)).unwrap_or_default();
        roots(folder).iter().any(|path| text(path).contains(".."))
    };
    let matters =
        |folder: &String| unseen.iter().any(|path| is_inside(path, folder)) || reaches_out(folder);
    let mut next: Vec<String> = Vec::new();
    for folder in all.into_iter().filter(|folder| !is_known(folder)) {
        if !next.iter().any(|outer| is_inside(&folder, outer)) && matters(&folder) {
            next.push(folder);
        }
    }
    next
}

/// Whether the change touches a file in the project's folder.
pub(in crate::gate) fn holds_a_change(folder: &str, case: &Case<'_>) -> bool {
    case.resolved.files.iter().any(|file| is_inside(file.path.as_str(), folder))
}
