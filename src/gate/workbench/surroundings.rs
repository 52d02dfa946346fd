//! What answers depend on and no tree holds: installed packages, environments, toolchains. When they change, what was said
//! before is forgotten.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::workspace::path::RelPath;

/// Below a package: what the package managers write last.
const IN_PACKAGE: &[&str] = &[
    "node_modules",
    "node_modules/.package-lock.json",
    "node_modules/.modules.yaml",
    "node_modules/.yarn-integrity",
    "node_modules/.yarn-state.yml",
    ".venv",
    ".venv/pyvenv.cfg",
    "venv",
    "venv/pyvenv.cfg",
];
/// Below rustup's folder.
const IN_RUSTUP: &[&str] = &["settings.toml", "toolchains", "update-hashes"];

/// When each of these was changed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gate) struct Surroundings(Vec<Option<SystemTime>>);

impl Surroundings {
    /// Those of the workspace at `root`, as they are now.
    pub(in crate::gate) fn of(root: &Path) -> Surroundings {
        let rustup = std::env::var_os("RUSTUP_HOME").map(PathBuf::from).or_else(|| {
            let home = std::env::var_os(if cfg!(windows) { "USERPROFILE" } else { "HOME" })?;
            Some(PathBuf::from(home).join(".rustup"))
        });
        let packages = packages(root);
        let own = packages
            .iter()
            .flat_map(|package| IN_PACKAGE.iter().map(move |name| package.join(name)));
        let toolchains =
            rustup.iter().flat_map(|rustup| IN_RUSTUP.iter().map(|name| rustup.join(name)));
        // Where pip puts packages; the folders above do not change with that.
        let environments = packages
            .iter()
            .flat_map(|package| [".venv/lib", "venv/lib"].map(|name| package.join(name)));
        let libraries = environments.flat_map(|lib| std::fs::read_dir(lib).into_iter().flatten());
        let libraries = libraries.flatten().map(|library| library.path().join("site-packages"));
        let changed = |path: PathBuf| path.metadata().and_then(|data| data.modified()).ok();
        Surroundings(own.chain(toolchains).chain(libraries).map(changed).collect())
    }
}

/// The workspace, and the packages in it that may have installations of their own: where workspaces of packages keep them,
/// at most two folders deep (`packages/a`). In order of their names.
fn packages(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let above = folders(root);
    let below: Vec<PathBuf> = above.iter().flat_map(|folder| folders(folder)).collect();
    let is_package = |folder: &PathBuf| {
        ["package.json", "pyproject.toml"].iter().any(|name| folder.join(name).is_file())
    };
    found.extend(above.into_iter().chain(below).filter(is_package));
    found.sort();
    found
}

/// The folders in a folder that may hold packages of the workspace's own.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let is_own = |name: &str| !name.starts_with('.') && !["node_modules", "target"].contains(&name);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter(|at| is_own(&at.file_name().to_string_lossy())).map(|at| at.path()).collect()
}

/// The descriptions of projects whose servers have to be started anew.
pub(in crate::gate) fn described() -> Vec<RelPath> {
    let names = ["package.json", "pyproject.toml", "Cargo.toml"];
    names.iter().filter_map(|name| RelPath::new(name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_changes_them() {
        let root = tempfile::tempdir().expect("a folder");
        let before = Surroundings::of(root.path());
        assert_eq!(before, Surroundings::of(root.path()));
        std::fs::create_dir(root.path().join("node_modules")).expect("a folder");
        let between = Surroundings::of(root.path());
        assert_ne!(before, between);
        std::fs::create_dir_all(root.path().join(".venv/lib/python3/site-packages"))
            .expect("a folder");
        assert_ne!(between, Surroundings::of(root.path()));
    }

    #[test]
    fn an_installation_in_a_package_of_the_workspace_changes_them() {
        let root = tempfile::tempdir().expect("a folder");
        let package = root.path().join("packages/a");
        std::fs::create_dir_all(&package).expect("a folder");
        std::fs::write(package.join("package.json"), "{}").expect("a file");
        let before = Surroundings::of(root.path());
        std::fs::create_dir(package.join("node_modules")).expect("a folder");
        assert_ne!(before, Surroundings::of(root.path()));
    }
}
