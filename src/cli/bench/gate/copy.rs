//! Copies of the repository under test. Nothing of the user's is written; installed packages are linked.

use std::path::{Path, PathBuf};
use std::process::Command;

use ignore::WalkBuilder;

use super::super::super::{CliError, environment};

/// A checkout that may be changed at will.
#[derive(Debug)]
pub struct Copy {
    pub root: PathBuf,
    pub is_git: bool,
}

impl Copy {
    /// Copies the repository at `from` to `to`: what git has at HEAD, or else all files that are not ignored. One that is
    /// there already, of an earlier run, is brought back to that.
    pub fn make(from: &Path, to: &Path) -> Result<Copy, CliError> {
        let is_git =
            git(from, &["rev-parse", "--show-prefix"]).is_ok_and(|said| said.trim().is_empty());
        if is_git {
            let head = git(from, &["rev-parse", "HEAD"])?;
            let text = |path: &Path| path.display().to_string();
            if !to.is_dir() {
                git(from, &["clone", "-q", "--local", "--no-checkout", &text(from), &text(to)])?;
            }
            let copy = Copy { root: to.to_path_buf(), is_git };
            copy.link(from)?;
            copy.check_out(head.trim())?;
            return Ok(copy);
        }
        copy_files(from, to)?;
        let copy = Copy { root: to.to_path_buf(), is_git };
        copy.link(from)?;
        Ok(copy)
    }

    /// Brings the copy to a commit, and throws away whatever else is there.
    pub fn check_out(&self, commit: &str) -> Result<(), CliError> {
        git(&self.root, &["checkout", "-q", "--detach", "--force", commit])?;
        git(&self.root, &["clean", "-fdq"]).map(drop)
    }

    /// Links what `npm install` left in the user's folder.
    fn link(&self, from: &Path) -> Result<(), CliError> {
        let (installed, here) = (from.join("node_modules"), self.root.join("node_modules"));
        if installed.is_dir() && !here.exists() {
            let installed = installed.canonicalize().map_err(environment)?;
            link_folder(&installed, &here).map_err(environment)?;
        }
        if self.is_git {
            // A pattern with a slash at its end, as most projects have it, means folders and not links.
            let exclude = self.root.join(".git/info/exclude");
            std::fs::write(exclude, "node_modules\n").map_err(environment)?;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn link_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(windows)]
fn link_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_dir(from, to)
}

fn copy_files(from: &Path, to: &Path) -> Result<(), CliError> {
    let all = WalkBuilder::new(from).hidden(false).require_git(false).build();
    for entry in all {
        let entry = entry.map_err(environment)?;
        let inside = entry.path().strip_prefix(from).map_err(environment)?;
        let is_apart =
            inside.iter().any(|part| part == "node_modules" || part == "target" || part == ".git");
        if is_apart || !entry.path().is_file() {
            continue;
        }
        let target = to.join(inside);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(environment)?;
        }
        std::fs::copy(entry.path(), target).map_err(environment)?;
    }
    Ok(())
}

/// Runs git in a folder and gives what it said.
pub fn git(folder: &Path, arguments: &[&str]) -> Result<String, CliError> {
    let bytes = git_bytes(folder, arguments)?;
    String::from_utf8(bytes).map_err(environment)
}

/// The same for what need not be text.
pub fn git_bytes(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, CliError> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output();
    let output = output.map_err(|error| environment(format!("failed to run git: {error}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(environment(format!("git {}: {}", arguments.join(" "), said.trim())))
}
