//! A person's file: read with care, replaced as a whole, and what it was before kept beside it. A link stays a link.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file as it is now.
pub(super) struct State {
    /// Where it lies: the end of a link, where it is one.
    pub path: PathBuf,
    /// `None`: there is no such file.
    pub text: Option<String>,
    pub before: Before,
    mode: Option<std::fs::Permissions>,
}

/// What it was before we changed it the last time.
pub(super) enum Before {
    Text(String),
    /// There was none, as far as is known.
    NoFile,
}

impl State {
    /// Reads a file. The error is for people, with the file's name.
    pub fn read(path: &Path) -> Result<State, String> {
        let path = end_of(path)?;
        let said = |error: io::Error| format!("failed to read {}: {error}", path.display());
        let data = match std::fs::metadata(&path) {
            Ok(data) if !data.is_file() => return Err(format!("{} is no file", path.display())),
            Ok(data) => Some(data),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(said(error)),
        };
        let mode = data.map(|data| data.permissions());
        if mode.as_ref().is_some_and(std::fs::Permissions::readonly) {
            return Err(format!(
                "{} is read-only, and is left as it is; where a program makes it, add to what that is told, else make it writable first",
                path.display()
            ));
        }
        let text = mode.is_some().then(|| std::fs::read_to_string(&path)).transpose();
        let text = text.map_err(said)?;
        let before = match std::fs::read_to_string(beside(&path)) {
            Ok(before) => Before::Text(before),
            Err(_) => Before::NoFile,
        };
        Ok(State { path, text, before, mode })
    }

    /// Where what it was before is kept.
    pub fn backup(&self) -> PathBuf {
        beside(&self.path)
    }

    /// Keeps what it is now.
    pub fn keep(&self) -> io::Result<()> {
        match &self.text {
            Some(text) => self.replace(&self.backup(), text),
            None => Ok(()),
        }
    }

    /// Drops what was kept.
    pub fn forget(&self) -> io::Result<()> {
        match std::fs::remove_file(self.backup()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Replaces the file: whoever reads it finds the old text or the new one.
    pub fn write(&self, text: &str) -> io::Result<()> {
        self.replace(&self.path, text)
    }

    pub fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".orchestrator-").tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        match &self.mode {
            Some(mode) => file.as_file().set_permissions(mode.clone())?,
            None => readable(file.as_file())?,
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// A temporary file is nobody else's to read; a file of settings is an ordinary one.
fn readable(file: &std::fs::File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.before-orchestrator"))
}

/// The end of a chain of links, which may be a file that is not there yet.
fn end_of(path: &Path) -> Result<PathBuf, String> {
    let mut path = path.to_owned();
    // More than any system follows.
    for _ in 0..40 {
        match std::fs::read_link(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new(".")).join(to),
            Err(_) => return Ok(path),
        }
    }
    Err(format!("{} is a link that leads nowhere", path.display()))
}
