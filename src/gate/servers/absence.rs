//! Files that a candidate deletes. The protocol cannot show that a file is not there, so it is taken off the shadow's
//! disk for one question and put back, whatever happens to the question.
//!
//! It must not know which servers see it; nobody else may look at that disk meanwhile.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ask::Told;
use super::session::{Session, Trouble};
use crate::gate::stage::Overlay;
use crate::workspace::path::RelPath;

/// Files that are off the disk until this is dropped.
#[derive(Debug, Default)]
struct Absent {
    files: Vec<(PathBuf, Vec<u8>, Permissions, SystemTime)>,
}

impl Absent {
    fn take<'a>(root: &Path, paths: impl Iterator<Item = &'a RelPath>) -> io::Result<Absent> {
        let mut absent = Absent::default();
        for path in paths {
            let place = path.in_root(root);
            let data = match fs::metadata(&place) {
                Ok(data) => data,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let bytes = fs::read(&place)?;
            let kept = (place.clone(), bytes, data.permissions(), data.modified()?);
            fs::remove_file(&place)?;
            absent.files.push(kept);
        }
        Ok(absent)
    }
}

impl Drop for Absent {
    fn drop(&mut self) {
        for (place, bytes, permissions, modified) in self.files.drain(..) {
            let put_back = || -> io::Result<()> {
                fs::write(&place, &bytes)?;
                File::options().write(true).open(&place)?.set_modified(modified)?;
                fs::set_permissions(&place, permissions)
            };
            // The shadow writes what it misses when it is brought to the next base.
            if let Err(error) = put_back() {
                tracing::warn!("failed to put {} back: {error}", place.display());
            }
        }
    }
}

impl Session {
    /// As [`Session::told`], for an overlay that deletes files. What the server says of the base before and after must
    /// be the same, else it must not be asked again.
    ///
    /// # Errors
    /// Likewise; and when a file cannot be taken off the disk.
    pub async fn told_without(
        &mut self,
        overlay: &Overlay,
        files: &[RelPath],
    ) -> Result<Told, Trouble> {
        let root = self.documents.root().to_owned();
        let there = |path: &&RelPath| path.in_root(&root).is_file();
        let mut base: Vec<RelPath> = files.iter().filter(there).cloned().collect();
        let deleted = || overlay.iter().filter(|(_, text)| text.is_none()).map(|(path, _)| path);
        base.extend(deleted().filter(|path| there(path) && !files.contains(path)).cloned());
        let before = self.told(&Overlay::new(), &base).await?;
        self.astray = true;
        let absent = Absent::take(&root, deleted())
            .map_err(|error| Trouble::Unfit(format!("failed to take a file off: {error}")))?;
        let told = self.told(overlay, files).await?;
        drop(absent);
        let after = self.told(&Overlay::new(), &base).await?;
        if keys(&before) != keys(&after) {
            let name = self.name();
            let why = format!("{name} did not come back to the base after a deletion was shown");
            return Err(Trouble::Lost(why));
        }
        self.astray = false;
        Ok(told)
    }
}

/// The multiset of what was said.
fn keys(told: &Told) -> BTreeMap<(&RelPath, Option<&str>, &str), usize> {
    let mut keys = BTreeMap::new();
    for found in &told.found {
        *keys.entry(found.diagnostic.key()).or_default() += 1;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_as_it_was() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = RelPath::new("a/b.txt")?;
        let place = path.in_root(folder.path());
        fs::create_dir_all(folder.path().join("a"))?;
        fs::write(&place, "text")?;
        let modified = fs::metadata(&place)?.modified()?;
        let missing = RelPath::new("missing")?;
        let absent = Absent::take(folder.path(), [&path, &missing].into_iter())?;
        assert!(!place.exists());
        drop(absent);
        assert_eq!(fs::read_to_string(&place)?, "text");
        assert_eq!(fs::metadata(&place)?.modified()?, modified);
        Ok(())
    }
}
