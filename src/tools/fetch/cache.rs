//! Pages that were read, kept in `.opencode/docs/` for a while: a file each, a line of JSON and then the text. What cannot be
//! kept is read again the next time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::tools::sessions::locked;
use crate::workspace::hash::sha256;

/// The most pages that are kept.
const PAGES: usize = 200;
/// The largest text that is kept (bytes).
const MAX_TEXT: usize = 1024 * 1024;

/// The pages of a workspace.
pub(super) struct Cache {
    folder: PathBuf,
    keep: Duration,
    /// One page is written at a time.
    writing: Mutex<()>,
}

/// A page as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) text: String,
    /// How long ago it was read; `None`: just now.
    read: Option<Duration>,
}

impl Page {
    /// How old it is, in words.
    pub(super) fn age(&self) -> String {
        match self.read.map(|age| age.as_secs() / 60) {
            None => "read just now".to_owned(),
            Some(minutes @ ..120) => format!("from the cache, {minutes} min old"),
            Some(minutes) => format!("from the cache, {} h old", minutes / 60),
        }
    }
}

/// What stands before the text.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    url: String,
    /// Seconds since the Unix epoch.
    at: u64,
}

impl Cache {
    pub(super) fn new(root: &Path, keep: Duration) -> Cache {
        let folder = root.join(".opencode").join("docs");
        Cache { folder, keep, writing: Mutex::default() }
    }

    fn place(&self, url: &str) -> PathBuf {
        self.folder.join(format!("{}.txt", &sha256(url.as_bytes())[..32]))
    }

    /// A page that was read not too long ago.
    pub(super) fn get(&self, url: &str) -> Option<Page> {
        let file = fs::read_to_string(self.place(url)).ok()?;
        let (head, text) = file.split_once('\n')?;
        let head: Head = serde_json::from_str(head).ok().filter(|head: &Head| head.url == url)?;
        // A page of the future says nothing of its age.
        let age = now().checked_sub(Duration::from_secs(head.at))?;
        (age < self.keep).then(|| Page { text: text.to_owned(), read: Some(age) })
    }

    /// Keeps a page that was just read.
    pub(super) fn put(&self, url: &str, text: String) -> Page {
        if text.len() <= MAX_TEXT
            && !self.keep.is_zero()
            && let Err(error) = self.write(url, &text)
        {
            tracing::warn!(%error, "a page could not be kept");
        }
        Page { text, read: None }
    }

    fn write(&self, url: &str, text: &str) -> io::Result<()> {
        let _alone = locked(&self.writing);
        disk::create_dir_all(&self.folder)?;
        let head = serde_json::to_string(&Head { url: url.to_owned(), at: now().as_secs() })?;
        disk::replace_unflushed(&self.place(url), format!("{head}\n{text}").as_bytes())?;
        self.make_room()
    }

    /// Removes the oldest beyond those that may be kept, and what has expired.
    fn make_room(&self) -> io::Result<()> {
        let mut pages = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "txt") && entry.file_type()?.is_file() {
                pages.push((entry.metadata()?.modified()?, path));
            }
        }
        pages.sort();
        let surplus = pages.len().saturating_sub(PAGES);
        let is_old = |at: &SystemTime| at.elapsed().is_ok_and(|age| age > self.keep);
        for (at, path) in pages
            .iter()
            .enumerate()
            .filter(|(i, (at, _))| *i < surplus || is_old(at))
            .map(|(_, page)| page)
        {
            tracing::debug!(?at, page = %path.display(), "a page leaves the cache");
            disk::remove_if_there(path)?;
        }
        Ok(())
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_kept_for_its_time_and_says_its_age() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path(), Duration::from_secs(24 * 3600));
        assert_eq!(cache.get("http://a/"), None);
        assert_eq!(cache.put("http://a/", "text\nmore".into()).age(), "read just now");
        let page = cache.get("http://a/").unwrap();
        assert_eq!(
            (page.text.as_str(), page.age()),
            ("text\nmore", "from the cache, 0 min old".into())
        );
        let aged = |hours: u64| {
            let at = now().as_secs() - hours * 3600;
            let head = serde_json::to_string(&Head { url: "http://a/".into(), at }).unwrap();
            fs::write(cache.place("http://a/"), format!("{head}\nold")).unwrap();
            cache.get("http://a/").map(|page| page.age())
        };
        assert_eq!(aged(23).as_deref(), Some("from the cache, 23 h old"));
        assert_eq!(aged(25), None);
        fs::write(cache.place("http://a/"), "torn").unwrap();
        assert_eq!(cache.get("http://a/"), None);
        fs::write(cache.place("http://b/"), fs::read(cache.place("http://a/")).unwrap()).unwrap();
        assert_eq!(cache.get("http://b/"), None, "a page under another's name");
        for number in 0..PAGES + 5 {
            cache.put(&format!("http://{number}/"), String::new());
        }
        assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), PAGES);
    }
}
