//! Installed packages in a worktree: `node_modules` and virtual environments, which a snapshot does not hold. They are
//! copied, not linked: a command that installs or patches one does it in its own copy.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::disk;
use crate::workspace::path::RelPath;

/// Folders of installed packages, by the file beside which they lie.
const INSTALLED: [(&str, &str); 3] =
    [("package.json", "node_modules"), ("pyproject.toml", ".venv"), ("pyproject.toml", "venv")];

/// Copies what is installed beside the descriptions of projects among `paths`, and environments in the root.
pub(super) fn copy<'a>(
    source: &Path,
    to: &Path,
    paths: impl Iterator<Item = &'a RelPath>,
) -> io::Result<()> {
    let mut folders: BTreeSet<String> = [".venv", "venv"].map(str::to_owned).into();
    for path in paths {
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        let installed = INSTALLED.iter().filter(|(beside, _)| *beside == name);
        folders.extend(installed.map(|(_, what)| match folder {
            "" => (*what).to_owned(),
            folder => format!("{folder}/{what}"),
        }));
    }
    for folder in folders {
        let (real, here) = (source.join(&folder), to.join(&folder));
        if real.is_dir() && !here.exists() {
            copy_all(&real, &here, source, to)?;
        }
    }
    Ok(())
}

/// Copies a folder; links stay links, and one into the workspace leads into the copy.
fn copy_all(from: &Path, to: &Path, source: &Path, root: &Path) -> io::Result<()> {
    disk::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            let target = fs::read_link(&old)?;
            let inside = target.strip_prefix(source).map(|inside| root.join(inside));
            link(&inside.unwrap_or(target), &new, old.is_dir())?;
        } else if kind.is_dir() {
            copy_all(&old, &new, source, root)?;
        } else if kind.is_file() {
            disk::copy(&old, &new)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn link(target: &Path, here: &Path, _is_folder: bool) -> io::Result<()> {
    std::os::unix::fs::symlink(target, here)
}

#[cfg(windows)]
fn link(target: &Path, here: &Path, is_folder: bool) -> io::Result<()> {
    match is_folder {
        true => std::os::windows::fs::symlink_dir(target, here),
        false => std::os::windows::fs::symlink_file(target, here),
    }
}
