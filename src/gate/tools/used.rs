//! Whether a project uses a tool, and which files it has: what lies on the shadow's disk, and nothing else.

use std::fs;
use std::path::Path;

use ignore::WalkBuilder;

use crate::gate::language::When;
use crate::workspace::path::RelPath;

/// Whether a condition holds for the project in `folder`.
pub(super) fn holds(when: &When, root: &Path, folder: &str) -> bool {
    let contains = |file: &Path| {
        when.has.is_empty() || fs::read_to_string(file).is_ok_and(|text| text.contains(&when.has))
    };
    if let Some(name) = when.file.strip_prefix("**/") {
        let of_name = |path: &RelPath| is_like(name, file_name(path));
        return files_below(root, folder)
            .iter()
            .any(|path| of_name(path) && contains(&path.in_root(root)));
    }
    let project = root.join(folder);
    let above = project.ancestors().take_while(|dir| dir.starts_with(root));
    let above = above.take(if when.here { 1 } else { usize::MAX });
    above.flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten()).any(|entry| {
        let is_it = entry.file_name().to_str().is_some_and(|name| is_like(&when.file, name));
        is_it && entry.path().is_file() && contains(&entry.path())
    })
}

/// The workspace's files below a folder, without installed packages.
pub(super) fn files_below(root: &Path, folder: &str) -> Vec<RelPath> {
    let walk = WalkBuilder::new(root.join(folder))
        .standard_filters(false)
        .filter_entry(|entry| entry.file_name() != "node_modules")
        .build();
    let files = walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    files.filter_map(|entry| RelPath::under(root, entry.path()).ok()).collect()
}

fn file_name(path: &RelPath) -> &str {
    path.as_str().rsplit('/').next().unwrap_or_default()
}

/// Whether a name fits a pattern with at most one `*`.
fn is_like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_found_beside_above_and_below() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir_all(root.join("web/src")).expect("a folder");
        fs::write(root.join("eslint.config.mjs"), "").expect("a file");
        fs::write(root.join("Cargo.toml"), "[lints.clippy]\n").expect("a file");
        fs::write(root.join("web/src/test_a.py"), "").expect("a file");
        let check = |file: &str, has: &str, folder: &str| {
            holds(&When { file: file.to_owned(), here: false, has: has.to_owned() }, root, folder)
        };
        assert!(check("eslint.config.*", "", "web/src") && check("eslint.config.*", "", ""));
        assert!(!check("eslint.config.ts", "", ""));
        assert!(check("Cargo.toml", "lints.clippy", "") && !check("Cargo.toml", "[tool.x]", ""));
        assert!(check("**/test_*.py", "", "") && check("**/test_*.py", "", "web"));
        assert!(!check("test_*.py", "", ""), "only beside and above");
    }
}
