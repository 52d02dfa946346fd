//! What is installed beside a workspace's own files: packages that compilers and servers read, and that no tree names. It
//! only tells whether that changed, by times that every installer leaves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::workspace::path::RelPath;

/// What npm, pnpm and yarn write anew at each installation.
const MARKS: [&str; 5] =
    ["", ".package-lock.json", ".modules.yaml", ".yarn-integrity", ".yarn-state.yml"];

/// The times of what is installed.
pub(super) type Stamp = Vec<(PathBuf, SystemTime)>;

/// Reads them for the projects among `paths` below `root`, and for `node_modules` above it.
pub(super) fn stamp<'a>(root: &Path, paths: impl Iterator<Item = &'a RelPath>) -> Stamp {
    let folder_of = |path: &RelPath| {
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        ["package.json", "pyproject.toml"].contains(&name).then(|| root.join(folder))
    };
    let mut folders: BTreeSet<PathBuf> = paths.filter_map(folder_of).collect();
    folders.extend(root.ancestors().map(Path::to_owned));
    let mut places = Vec::new();
    for folder in folders {
        let modules = folder.join("node_modules");
        places.extend(MARKS.map(|mark| modules.join(mark)));
        for environment in [".venv", "venv"] {
            let libraries = fs::read_dir(folder.join(environment).join("lib"));
            let found = libraries.into_iter().flatten().flatten();
            places.extend(found.map(|entry| entry.path().join("site-packages")));
            places.push(folder.join(environment).join("Lib").join("site-packages"));
        }
    }
    let timed = |place: PathBuf| Some((place.metadata().ok()?.modified().ok()?, place));
    places.into_iter().filter_map(timed).map(|(time, place)| (place, time)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_is_noticed() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let paths = [RelPath::new("a/package.json").expect("a good path")];
        let before = stamp(folder.path(), paths.iter());
        assert_eq!(stamp(folder.path(), paths.iter()), before);
        fs::create_dir_all(folder.path().join("a/node_modules"))?;
        let after = stamp(folder.path(), paths.iter());
        assert_ne!(after, before);
        fs::create_dir_all(folder.path().join(".venv/lib/python3/site-packages"))?;
        assert_ne!(stamp(folder.path(), paths.iter()), after);
        Ok(())
    }
}
