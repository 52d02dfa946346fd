//! Where a program is: in the project's own `node_modules/.bin`, then on PATH.
//!
//! It must not know which programs there are, nor start any.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Finds `program`. One that is spelt with a separator is taken as it is when it exists.
pub fn find(program: &str, project: &Path, path: &OsStr) -> Option<PathBuf> {
    if program.contains('/') || program.contains(std::path::MAIN_SEPARATOR) {
        return executable(PathBuf::from(program));
    }
    // A package of a monorepo finds its tools in the folders above it, as node itself does.
    let own = project
        .ancestors()
        .map(|folder| folder.join("node_modules").join(".bin"));
    own.chain(std::env::split_paths(path))
        .find_map(|folder| executable(folder.join(program)))
}

#[cfg(unix)]
fn executable(file: PathBuf) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let about = std::fs::metadata(&file).ok()?;
    (about.is_file() && about.permissions().mode() & 0o111 != 0).then_some(file)
}

#[cfg(not(unix))]
fn executable(file: PathBuf) -> Option<PathBuf> {
    ["exe", "cmd", "bat"]
        .iter()
        .map(|extension| file.with_extension(extension))
        .chain(file.extension().is_some().then(|| file.clone()))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_projects_own_program_comes_first() {
        use std::os::unix::fs::PermissionsExt;
        let place = |folder: &Path, mode| {
            std::fs::create_dir_all(folder).unwrap();
            let file = folder.join("tsc");
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            file
        };
        let root = tempfile::tempdir().unwrap();
        let project = root.path().join("a/b");
        let elsewhere = place(&root.path().join("bin"), 0o755);
        let path = elsewhere.parent().unwrap().as_os_str();
        assert_eq!(find("tsc", &project, path), Some(elsewhere.clone()));
        place(&project.join("node_modules/.bin"), 0o644);
        assert_eq!(
            find("tsc", &project, path),
            Some(elsewhere),
            "a file that is not executable is no program"
        );
        let above = place(&root.path().join("a/node_modules/.bin"), 0o755);
        assert_eq!(find("tsc", &project, path), Some(above));
        assert_eq!(find("no-such-program", &project, path), None);
    }
}
