//! What a server is shown: which documents are open in it, with which texts, and which files it was told are gone.
//!
//! Documents stay open between questions, with the text of the disk, so that asking about a file again costs one
//! message. Only texts that differ are sent. It must not know what the server says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::client::Client;
use super::uri;
use crate::gate::stage::Overlay;
use crate::workspace::path::RelPath;

/// So many documents stay open when nobody asks about them; those used least lately are closed.
const KEPT_OPEN: usize = 64;

#[derive(Debug)]
struct Open {
    /// Never given twice in the life of a server, so that what it publishes belongs to one text only.
    version: i32,
    text: String,
    /// Whether the text is that of the disk.
    of_disk: bool,
    used: i32,
}

/// See the module.
#[derive(Debug)]
pub struct Documents {
    root: PathBuf,
    /// What the server calls its language, where that is not the usual name.
    language_id: Option<String>,
    open: BTreeMap<RelPath, Open>,
    /// Files that the server was told are deleted, for a candidate's sake.
    deleted: BTreeSet<RelPath>,
    /// Files that the server knew and that are neither open nor on the disk. Until it forgot them it may resolve them.
    pub ghosts: BTreeSet<RelPath>,
    /// Empty folders that were made for files that are not on the disk, because some servers look for those first.
    folders: BTreeSet<PathBuf>,
    clock: i32,
}

impl Drop for Documents {
    fn drop(&mut self) {
        self.remove_folders(&Overlay::new());
    }
}

impl Documents {
    /// Nothing is open yet; `root` is the folder that the server works in.
    pub fn new(root: &Path, language_id: Option<String>) -> Documents {
        Documents {
            root: root.to_owned(),
            language_id,
            open: BTreeMap::new(),
            deleted: BTreeSet::new(),
            ghosts: BTreeSet::new(),
            folders: BTreeSet::new(),
            clock: 0,
        }
    }

    /// The folder that the server works in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The URI of a file.
    pub fn uri(&self, path: &RelPath) -> String {
        uri::from_path(&path.in_root(&self.root))
    }

    /// The text of a file as the server sees it: open, else from the disk; `None` where there is none.
    pub fn text(&self, path: &RelPath) -> Option<String> {
        let open = self.open.get(path).map(|open| open.text.clone());
        open.or_else(|| self.on_disk(path))
    }

    /// The version of an open document.
    pub fn version(&self, path: &RelPath) -> Option<i32> {
        self.open.get(path).map(|open| open.version)
    }

    /// The text of a file on the disk.
    pub fn on_disk(&self, path: &RelPath) -> Option<String> {
        std::fs::read_to_string(path.in_root(&self.root)).ok()
    }

    /// Notes that these files changed on the disk, and tells the server. Their texts are opened: no answer may depend
    /// on when a server gets to reading the disk again.
    pub fn disk_changed(&mut self, client: &Client, paths: &[RelPath]) {
        let there = |path: &&RelPath| path.in_root(&self.root).is_file();
        let (there, gone): (Vec<&RelPath>, Vec<&RelPath>) = paths.iter().partition(there);
        // A server that never heard of a file ignores `changed`, one that did ignores `created`.
        let events = there.iter().flat_map(|path| [(*path, 1), (*path, 2)]);
        self.tell(client, events.chain(gone.iter().map(|path| (*path, 3))));
        for path in there {
            self.deleted.remove(path);
            if let Some(text) = self.on_disk(path) {
                self.put(client, path, text, true);
            }
        }
        for path in gone {
            self.close(client, path);
            self.ghosts.insert(path.clone());
        }
    }

    /// Shows the server the disk with `overlay` over it, and nothing else; `opened` are opened too. A file that the
    /// overlay deletes must be off the disk. Whether folders were made for it.
    pub fn show(&mut self, client: &Client, overlay: &Overlay, opened: &[RelPath]) -> bool {
        let turn = self.clock;
        self.bring_back(client, overlay);
        let candidates = self.open.iter().filter(|(_, open)| !open.of_disk);
        let past = candidates.map(|(path, _)| path).filter(|path| !overlay.contains_key(*path));
        for path in past.cloned().collect::<Vec<_>>() {
            self.put_back(client, &path);
        }
        self.remove_folders(overlay);
        let folders = self.make_folders(client, overlay);
        for (path, text) in overlay {
            match text {
                Some(text) => self.put(client, path, text.clone(), false),
                None => self.delete(client, path),
            }
        }
        for path in opened.iter().filter(|path| !overlay.contains_key(*path)) {
            match self.open.get_mut(path) {
                Some(open) => {
                    self.clock += 1;
                    open.used = self.clock;
                }
                None => self.put_back(client, path),
            }
        }
        self.close_some(client, turn);
        folders
    }

    fn make_folders(&mut self, client: &Client, overlay: &Overlay) -> bool {
        let texts = overlay.iter().filter(|(_, text)| text.is_some());
        let mut made = Vec::new();
        for place in texts.map(|(path, _)| path.in_root(&self.root)) {
            let above = place.ancestors().skip(1).take_while(|folder| *folder != self.root);
            let missing = above.take_while(|folder| !folder.exists());
            made.extend(missing.map(Path::to_owned));
        }
        // Outer ones come first in their order.
        made.sort_unstable();
        made.dedup();
        let any = !made.is_empty();
        for folder in made {
            if let Err(error) = std::fs::create_dir(&folder) {
                tracing::debug!("failed to make {}: {error}", folder.display());
                continue;
            }
            let event = json!({ "uri": uri::from_path(&folder), "type": 1 });
            client.notify("workspace/didChangeWatchedFiles", Some(json!({ "changes": [event] })));
            self.folders.insert(folder);
        }
        any
    }

    /// Removes the folders that were made and that no file of `overlay` stands in; those that are not empty stay.
    fn remove_folders(&mut self, overlay: &Overlay) {
        let texts = || overlay.iter().filter(|(_, text)| text.is_some());
        let is_used = |folder: &PathBuf| {
            texts().any(|(path, _)| path.in_root(&self.root).starts_with(folder))
        };
        let unused: Vec<PathBuf> =
            self.folders.iter().rev().filter(|folder| !is_used(folder)).cloned().collect();
        for folder in unused {
            if let Err(error) = std::fs::remove_dir(&folder) {
                tracing::trace!("{} stays: {error}", folder.display());
            }
            self.folders.remove(&folder);
        }
    }

    /// What the last candidate deleted and this one does not is on the disk again.
    fn bring_back(&mut self, client: &Client, overlay: &Overlay) {
        let back = |path: &&RelPath| overlay.get(*path).is_none_or(Option::is_some);
        let back: Vec<RelPath> = self.deleted.iter().filter(back).cloned().collect();
        if !back.is_empty() {
            self.disk_changed(client, &back);
        }
    }

    fn delete(&mut self, client: &Client, path: &RelPath) {
        if self.deleted.insert(path.clone()) {
            self.close(client, path);
            self.ghosts.insert(path.clone());
            self.tell(client, std::iter::once((path, 3)));
        }
    }

    fn tell<'a>(&self, client: &Client, events: impl Iterator<Item = (&'a RelPath, u8)>) {
        let events: Vec<Value> =
            events.map(|(path, kind)| json!({ "uri": self.uri(path), "type": kind })).collect();
        client.notify("workspace/didChangeWatchedFiles", Some(json!({ "changes": events })));
    }

    /// Shows one text.
    fn put(&mut self, client: &Client, path: &RelPath, text: String, of_disk: bool) {
        let uri = self.uri(path);
        self.clock += 1;
        let clock = self.clock;
        self.ghosts.remove(path);
        let Some(open) = self.open.get_mut(path) else {
            let language = self.language_id.as_deref().unwrap_or(language_id(path));
            let document = json!({
                "uri": uri, "languageId": language, "version": clock, "text": text,
            });
            client.notify("textDocument/didOpen", Some(json!({ "textDocument": document })));
            self.open.insert(path.clone(), Open { version: clock, text, of_disk, used: clock });
            return;
        };
        open.of_disk = of_disk;
        open.used = clock;
        if open.text != text {
            open.version = clock;
            let document = json!({ "uri": uri, "version": clock });
            let changes = json!([{ "text": text }]);
            open.text = text;
            let params = json!({ "textDocument": document, "contentChanges": changes });
            client.notify("textDocument/didChange", Some(params));
        }
    }

    /// Shows the text of the disk; what is not there is closed.
    fn put_back(&mut self, client: &Client, path: &RelPath) {
        match self.on_disk(path) {
            Some(text) => self.put(client, path, text, true),
            None if self.open.contains_key(path) => {
                self.close(client, path);
                self.ghosts.insert(path.clone());
            }
            None => {}
        }
    }

    fn close(&mut self, client: &Client, path: &RelPath) {
        if self.open.remove(path).is_some() {
            let params = json!({ "textDocument": { "uri": self.uri(path) } });
            client.notify("textDocument/didClose", Some(params));
        }
    }

    /// Closes what was used least lately and before this turn. It has the text of the disk, so that it does not matter
    /// when the server reads that again.
    fn close_some(&mut self, client: &Client, turn: i32) {
        let idle = self.open.iter().filter(|(_, open)| open.of_disk && open.used <= turn);
        let mut idle: Vec<(i32, RelPath)> =
            idle.map(|(path, open)| (open.used, path.clone())).collect();
        idle.sort_unstable();
        let surplus = self.open.len().saturating_sub(KEPT_OPEN);
        for (_, path) in idle.into_iter().take(surplus) {
            self.close(client, &path);
        }
    }
}

fn language_id(path: &RelPath) -> &str {
    match path.extension() {
        Some("rs") => "rust",
        Some("ts" | "mts" | "cts") => "typescript",
        Some("tsx") => "typescriptreact",
        Some("js" | "mjs" | "cjs") => "javascript",
        Some("jsx") => "javascriptreact",
        Some("py" | "pyi") => "python",
        Some("cc" | "cpp" | "cxx" | "hpp") => "cpp",
        Some("h") => "c",
        Some(other) => other,
        None => "plaintext",
    }
}
