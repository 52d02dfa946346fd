//! `node_modules` and virtual environments in a shadow: links to the user's installed packages, which are only read.
//!
//! A package of the workspace itself (npm and pnpm link those) must be the shadow's copy, else a compiler would look at
//! the user's tree instead of the candidate; such a `node_modules` is rebuilt as a folder of links.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::package_folders;
use crate::workspace::path::RelPath;

/// Links the `node_modules` of every package among `paths` from `source` into `shadow`.
pub(super) fn link<'a>(
    source: &Path,
    shadow: &Path,
    paths: impl Iterator<Item = &'a RelPath>,
) -> io::Result<()> {
    link_outer(source, shadow)?;
    for folder in package_folders(paths) {
        let real = source.join(&folder).join("node_modules");
        let here = shadow.join(&folder).join("node_modules");
        if !real.is_dir() {
            forget(&here)?;
            continue;
        }
        if let Some(parent) = here.parent() {
            fs::create_dir_all(parent)?;
        }
        let entries = entries(&real)?;
        let own = |path: &PathBuf| own_package(source, path);
        if entries.values().any(|path| own(path).is_some()) {
            rebuild(source, shadow, &here, &entries)?;
        } else {
            point(&here, &real)?;
        }
    }
    Ok(())
}

/// Links the Python environments that lie in the root and in the projects among `paths`.
pub(super) fn link_environments<'a>(
    source: &Path,
    shadow: &Path,
    paths: impl Iterator<Item = &'a RelPath>,
) -> io::Result<()> {
    let projects = paths.filter_map(|path| path.as_str().strip_suffix("/pyproject.toml"));
    for folder in std::iter::once("").chain(projects) {
        for name in [".venv", "venv"] {
            let real = source.join(folder).join(name);
            let here = shadow.join(folder).join(name);
            if real.join("pyvenv.cfg").is_file() {
                fs::create_dir_all(shadow.join(folder))?;
                point(&here, &real)?;
            } else {
                forget(&here)?;
            }
        }
    }
    Ok(())
}

/// Packages installed above the workspace's root (it is one package of a larger repository) are found above the shadow's.
fn link_outer(source: &Path, shadow: &Path) -> io::Result<()> {
    let Some(above) = shadow.parent() else {
        return Ok(());
    };
    let mut outer = source.ancestors().skip(1).map(|folder| folder.join("node_modules"));
    let here = above.join("node_modules");
    match outer.find(|folder| folder.is_dir()) {
        Some(real) => point(&here, &real),
        None => forget(&here),
    }
}

/// The packages in a `node_modules` by name, `@scope/name` too.
fn entries(real: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(real)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('@') && entry.path().is_dir() {
            for scoped in fs::read_dir(entry.path())? {
                let scoped = scoped?;
                let inner = scoped.file_name().to_string_lossy().into_owned();
                entries.insert(format!("{name}/{inner}"), scoped.path());
            }
        } else {
            entries.insert(name, entry.path());
        }
    }
    Ok(entries)
}

/// The folder of the workspace, relative to its root, that a linked package really is.
fn own_package(source: &Path, path: &Path) -> Option<PathBuf> {
    if !path.is_symlink() {
        return None;
    }
    let real = path.canonicalize().ok()?;
    let inside = real.strip_prefix(source).ok()?;
    let installed = inside.components().any(|part| part.as_os_str() == "node_modules");
    (!installed).then(|| inside.to_owned())
}

fn rebuild(
    source: &Path,
    shadow: &Path,
    here: &Path,
    entries: &BTreeMap<String, PathBuf>,
) -> io::Result<()> {
    if here.is_symlink() {
        forget(here)?;
    }
    fs::create_dir_all(here)?;
    for (name, path) in entries {
        let target =
            own_package(source, path).map_or_else(|| path.clone(), |inside| shadow.join(inside));
        let link = here.join(name);
        if let Some(parent) = link.parent() {
            fs::create_dir_all(parent)?;
        }
        point(&link, &target)?;
    }
    Ok(())
}

/// Makes `here` a link to `target`, unless it is one already.
fn point(here: &Path, target: &Path) -> io::Result<()> {
    if fs::read_link(here).is_ok_and(|known| known == target) {
        return Ok(());
    }
    forget(here)?;
    if here.exists() {
        // A tool made a folder of its own here; it is not ours to remove.
        return Ok(());
    }
    make_link(target, here)
}

/// Removes a link; what it leads to stays.
fn forget(here: &Path) -> io::Result<()> {
    if !here.is_symlink() {
        return Ok(());
    }
    if cfg!(windows) && here.is_dir() { fs::remove_dir(here) } else { fs::remove_file(here) }
}

#[cfg(unix)]
fn make_link(target: &Path, here: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, here)
}

/// A symbolic link where that is allowed, else a junction, which needs no privilege.
#[cfg(windows)]
fn make_link(target: &Path, here: &Path) -> io::Result<()> {
    if target.is_file() {
        return fs::copy(target, here).map(|_| ());
    }
    if std::os::windows::fs::symlink_dir(target, here).is_ok() {
        return Ok(());
    }
    let status = std::process::Command::new("cmd")
        .args(["/d", "/c", "mklink", "/J"])
        .args([here, target])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("failed to make a junction")) }
}
