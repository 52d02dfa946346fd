//! What answers depend on and no tree holds: installed packages, environments, toolchains. When they change, what was said
//! before is forgotten.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::workspace::path::RelPath;

/// Below the workspace's root: what the package managers write last.
const IN_WORKSPACE: &[&str] = &[
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
        let own = IN_WORKSPACE.iter().map(|name| root.join(name));
        let toolchains =
            rustup.iter().flat_map(|rustup| IN_RUSTUP.iter().map(|name| rustup.join(name)));
        // Where pip puts packages; the folders above do not change with that.
        let libraries = [".venv/lib", "venv/lib"].map(|name| std::fs::read_dir(root.join(name)));
        let libraries = libraries.into_iter().flatten().flatten().flatten();
        let packages = libraries.map(|library| library.path().join("site-packages"));
        let changed = |path: PathBuf| path.metadata().and_then(|data| data.modified()).ok();
        Surroundings(own.chain(toolchains).chain(packages).map(changed).collect())
    }
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
}
