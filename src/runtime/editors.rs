//! All editors of a workspace: this process's own, and those of processes that are attached to it.
//!
//! An attached process with an editor is a guest: it keeps a folder under `.opencode/editors/` while it lives. There it
//! says what is open in its editor, and finds the edits that the owner asks it for. Nothing of it is durable, because an
//! open text ends with its editor; a guest lives as long as it holds the lock beside its folder. The owner sees one
//! editor; it must not know whose a buffer is.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Editor, VersionedEdit, store};
use crate::disk;
use crate::workspace::{OpenText, OpenTexts, RelPath};

/// Where guests have their folders.
const FOLDER: &str = ".opencode/editors";
/// What a guest has open.
const OPEN: &str = "open.json";
/// How long a guest may take for an edit: as long as its editor may, and a little more.
const EDIT_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take to say what is open right now.
const LOOK_LIMIT: Duration = Duration::from_secs(2);
/// The most that a file between owner and guest may hold: more than any editor has open.
const MOST_BYTES: u64 = 256 << 20;
/// How often its answer is looked for.
const POLL: Duration = Duration::from_millis(5);

/// What a guest says of its editor.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Opened {
    /// The last look of the owner that this answers.
    seen: u64,
    texts: BTreeMap<RelPath, Text>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Text {
    version: i32,
    text: String,
}

impl Opened {
    fn into_texts(self) -> OpenTexts {
        let text = |(path, text): (RelPath, Text)| {
            (path, OpenText { version: text.version, text: text.text })
        };
        self.texts.into_iter().map(text).collect()
    }
}

/// Written beside its place and put there whole: nobody reads half of it.
fn put(folder: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    disk::write(&new, &serde_json::to_vec(value).map_err(io::Error::other)?)?;
    disk::rename(&new, &folder.join(name))
}

/// What a plain file of bounded size says. Anything else is not from us: a pipe would be waited for, a link leads away.
fn get<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let found = std::fs::symlink_metadata(path).ok()?;
    let is_ours = found.is_file() && found.len() <= MOST_BYTES;
    serde_json::from_slice(&is_ours.then(|| std::fs::read(path))?.ok()?).ok()
}

/// This process as a guest of the one that owns the workspace.
pub(super) struct Guest {
    editor: Arc<dyn Editor>,
    folder: PathBuf,
    lock: PathBuf,
    _held: File,
    tokio: tokio::runtime::Handle,
    /// The revision of the editor's texts that was told last.
    told: Option<u64>,
    seen: u64,
}

impl Guest {
    /// Enters the workspace at `root`. Must be called within a tokio runtime, on which edits are made.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn enter(
        root: &Path,
        editor: Arc<dyn Editor>,
        tokio: tokio::runtime::Handle,
    ) -> io::Result<Guest> {
        let all = root.join(FOLDER);
        make_private(&all)?;
        ignore(&all)?;
        let name = store::new_id().0;
        let (folder, lock) = (all.join(&name), all.join(format!("{name}.lock")));
        // Held before the folder is there: whoever sees the folder and can take the lock knows that the guest is dead.
        let held = disk::open(&lock)?;
        held.try_lock().map_err(io::Error::other)?;
        disk::create_dir(&folder)?;
        let mut guest = Guest { editor, folder, lock, _held: held, tokio, told: None, seen: 0 };
        guest.tick()?;
        Ok(guest)
    }

    /// Tells what is open, where that changed or the owner wants to know, and begins the edits that it asks for.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn tick(&mut self) -> io::Result<()> {
        let mut asks = Vec::new();
        let before = self.seen;
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(number) = name.strip_prefix("look-").and_then(|n| n.parse().ok()) {
                self.seen = self.seen.max(number);
                disk::remove_file(&self.folder.join(&name))?;
            } else if name.starts_with("ask-") && !name.ends_with(".new") {
                asks.push(name);
            }
        }
        let revision = self.editor.revision();
        if self.told != Some(revision) || self.seen != before {
            self.tell()?;
            self.told = Some(revision);
        }
        asks.into_iter().for_each(|ask| self.begin(&ask));
        Ok(())
    }

    fn tell(&self) -> io::Result<()> {
        let text = |(path, open): (RelPath, OpenText)| {
            (path, Text { version: open.version, text: open.text })
        };
        let texts = self.editor.open_texts().into_iter().map(text).collect();
        put(&self.folder, OPEN, &Opened { seen: self.seen, texts })
    }

    fn begin(&self, ask: &str) {
        let place = self.folder.join(ask);
        let edits: Option<Vec<VersionedEdit>> = get(&place);
        // The owner may have taken it back.
        let (Some(edits), Ok(())) = (edits, disk::remove_file(&place)) else { return };
        let (editor, folder) = (self.editor.clone(), self.folder.clone());
        let answer = ask.replacen("ask-", "answer-", 1);
        self.tokio.spawn(async move {
            let refused = editor.apply(edits).await.err();
            if let Err(error) = put(&folder, &answer, &refused) {
                tracing::warn!(%error, "the owner of the workspace cannot be answered");
            }
        });
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        remove(&self.folder, &self.lock);
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    disk::create_dir_all(folder.parent().unwrap_or(folder))?;
    match disk::create_private_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if is_real_folder(folder) {
        return Ok(());
    }
    let text = format!("{FOLDER} is a link; remove it so that a folder can stand there");
    Err(io::Error::new(io::ErrorKind::NotADirectory, text))
}

/// Makes git pass the folder over. A file that is there stays, and a link is not followed: a repository may bring one
/// along that leads to anything.
fn ignore(folder: &Path) -> io::Result<()> {
    let place = folder.join(".gitignore");
    if std::fs::symlink_metadata(&place).is_ok() { Ok(()) } else { disk::write(&place, b"*\n") }
}

/// Whether it is a folder itself, and no link to one.
fn is_real_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// The folder first: a lock without a folder is nobody's guest.
fn remove(folder: &Path, lock: &Path) {
    let removed = disk::remove_dir_all(folder).and_then(|()| disk::remove_file(lock));
    if let Err(error) = removed {
        tracing::debug!(%error, "a guest's folder was left behind");
    }
}

/// A guest, as the owner sees it.
#[derive(Clone)]
struct Other {
    folder: PathBuf,
    lock: PathBuf,
}

impl Other {
    /// Whether its process lives. What a dead one left is removed.
    fn lives(&self) -> bool {
        let is_plain = std::fs::symlink_metadata(&self.lock).is_ok_and(|found| found.is_file());
        let lock = is_plain.then(|| disk::open_existing(&self.lock));
        let Some(Ok(lock)) = lock else { return false };
        if lock.try_lock().is_ok() {
            remove(&self.folder, &self.lock);
            return false;
        }
        true
    }

    fn texts(&self) -> OpenTexts {
        get::<Opened>(&self.folder.join(OPEN)).unwrap_or_default().into_texts()
    }

    /// Waits, within a bound, until it has said what is open now.
    async fn look(&self) {
        let number = next();
        if let Err(error) = disk::write(&self.folder.join(format!("look-{number}")), b"") {
            tracing::debug!(%error, "an attached editor cannot be asked what is open");
            return;
        }
        let place = self.folder.join(OPEN);
        let seen = || get::<Opened>(&place).filter(|opened| opened.seen >= number);
        if self.wait(LOOK_LIMIT, seen).await.is_none() {
            tracing::warn!("an attached editor does not say what is open");
        }
    }

    async fn edit(&self, edits: &[VersionedEdit]) -> Result<(), String> {
        let number = next();
        let ask = format!("ask-{number}.json");
        put(&self.folder, &ask, &edits).map_err(|_| GONE.to_owned())?;
        let answer = self.folder.join(format!("answer-{number}.json"));
        match self.wait(EDIT_LIMIT, || get::<Option<String>>(&answer)).await {
            Some(refused) => {
                // The guest's folder goes with it.
                let _ = disk::remove_file(&answer);
                refused.map_or(Ok(()), Err)
            }
            None => {
                // Where it was not taken yet, nothing will come of it any more.
                let _ = disk::remove_file(&self.folder.join(ask));
                Err(GONE.to_owned())
            }
        }
    }

    /// The first answer; `None` when the time is over, or the guest has gone.
    async fn wait<T>(&self, limit: Duration, answer: impl Fn() -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        loop {
            let lives = self.lives();
            if let Some(answer) = answer() {
                return Some(answer);
            }
            if !lives || Instant::now() >= end {
                return None;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

const GONE: &str = "another editor that has the file open did not answer";

/// Numbers of looks and edits: of no owner before or after this one.
fn next() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    (store::now_ms() << 12) + COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Every editor of the workspace, as one.
pub(super) struct Editors {
    own: Option<Arc<dyn Editor>>,
    folder: PathBuf,
}

/// One of them.
enum Who {
    Own(Arc<dyn Editor>),
    Guest(Other),
}

impl Who {
    fn name(&self) -> String {
        match self {
            Who::Own(_) => "own".to_owned(),
            Who::Guest(other) => other.folder.display().to_string(),
        }
    }

    fn texts(&self) -> OpenTexts {
        match self {
            Who::Own(editor) => editor.open_texts(),
            Who::Guest(other) => other.texts(),
        }
    }

    async fn edit(&self, edits: &[VersionedEdit]) -> Result<(), String> {
        match self {
            Who::Own(editor) => editor.apply(edits.to_vec()).await,
            Who::Guest(other) => other.edit(edits).await,
        }
    }

    /// Takes edits back that it has made.
    async fn take_back(&self, edits: &[VersionedEdit]) {
        if let Who::Guest(other) = self {
            other.look().await;
        }
        let texts = self.texts();
        let back = |edit: &VersionedEdit| {
            let now = texts.get(&edit.path).filter(|now| now.text == edit.after)?;
            let (before, after) = (edit.after.clone(), edit.before.clone());
            Some(VersionedEdit { path: edit.path.clone(), version: now.version, before, after })
        };
        let back: Vec<VersionedEdit> = edits.iter().filter_map(back).collect();
        if let Err(reason) = self.edit(&back).await {
            tracing::warn!(
                reason,
                "an edit that belongs to a refused change could not be taken back"
            );
        }
    }
}

impl Editors {
    /// The editors of the workspace at `root`, with that of this process.
    pub fn new(root: &Path, own: Option<Arc<dyn Editor>>) -> Editors {
        Editors { own, folder: root.join(FOLDER) }
    }

    /// That of this process.
    pub fn own(&self) -> Option<&Arc<dyn Editor>> {
        self.own.as_ref()
    }

    /// A number that changes when any editor's texts may have.
    pub fn print(&self) -> u64 {
        let mut print = DefaultHasher::new();
        self.own.as_ref().map(|own| own.revision()).hash(&mut print);
        for guest in self.folders() {
            let told = std::fs::metadata(guest.folder.join(OPEN)).ok();
            let told = told.and_then(|told| Some((told.modified().ok()?, told.len())));
            (&guest.folder, told, guest.lives()).hash(&mut print);
        }
        print.finish()
    }

    /// Every buffer of a file, each with a name for the editor that has it.
    pub fn buffers(&self, path: &RelPath) -> Vec<(String, OpenText)> {
        let open = self.all().into_iter();
        open.filter_map(|who| Some((who.name(), who.texts().remove(path)?))).collect()
    }

    /// Asks one editor to change a file, for the version that the edit names. When it says that it has, what it has open
    /// is known anew.
    pub async fn edit_one(&self, name: &str, edit: VersionedEdit) -> Result<(), String> {
        let who = self.all().into_iter().find(|who| who.name() == name).ok_or(GONE)?;
        who.edit(&[edit]).await?;
        if let Who::Guest(other) = &who {
            other.look().await;
        }
        Ok(())
    }

    /// Waits until every guest has said what is open right now.
    pub async fn look(&self) {
        futures_util::future::join_all(self.guests().iter().map(Other::look)).await;
    }

    fn guests(&self) -> Vec<Other> {
        self.folders().into_iter().filter(Other::lives).collect()
    }

    fn folders(&self) -> Vec<Other> {
        if !is_real_folder(&self.folder) {
            return Vec::new();
        }
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let folders = entries.map(|entry| entry.path()).filter(|path| is_real_folder(path));
        folders.map(|folder| Other { lock: folder.with_extension("lock"), folder }).collect()
    }

    fn all(&self) -> Vec<Who> {
        let guests = self.guests().into_iter().map(Who::Guest);
        self.own.iter().cloned().map(Who::Own).chain(guests).collect()
    }

    /// Every editor makes its part, or none does.
    async fn edit(&self, edits: Vec<VersionedEdit>) -> Result<(), String> {
        let mut parts = Vec::new();
        for who in self.all() {
            let part = part(&who.texts(), &edits)?;
            parts.extend((!part.is_empty()).then_some((who, part)));
        }
        let is_open = |edit: &VersionedEdit| {
            parts.iter().any(|(_, part)| part.iter().any(|other| other.path == edit.path))
        };
        if let Some(closed) = edits.iter().find(|edit| !is_open(edit)) {
            return Err(format!("{} was closed", closed.path));
        }
        for (at, (who, part)) in parts.iter().enumerate() {
            if let Err(reason) = who.edit(part).await {
                for (who, part) in parts[..at].iter().rev() {
                    who.take_back(part).await;
                }
                return Err(reason);
            }
        }
        Ok(())
    }
}

/// The edits of files that are among these texts, for their versions.
fn part(texts: &OpenTexts, edits: &[VersionedEdit]) -> Result<Vec<VersionedEdit>, String> {
    let mut part = Vec::new();
    for edit in edits {
        let Some(open) = texts.get(&edit.path) else { continue };
        if open.text != edit.before && open.text != edit.after {
            let path = &edit.path;
            return Err(format!("{path} was edited, or is open twice with different texts"));
        }
        part.push(VersionedEdit {
            version: open.version,
            before: open.text.clone(),
            ..edit.clone()
        });
    }
    Ok(part)
}

impl Editor for Editors {
    /// Where a file is open twice, the own text counts. A change of it is refused while the other one differs.
    fn open_texts(&self) -> OpenTexts {
        let mut texts = OpenTexts::new();
        for who in self.all() {
            for (path, text) in who.texts() {
                texts.entry(path).or_insert(text);
            }
        }
        texts
    }

    fn revision(&self) -> u64 {
        self.own.as_ref().map_or(0, |own| own.revision())
    }

    fn apply(&self, edits: Vec<VersionedEdit>) -> BoxFuture<'_, Result<(), String>> {
        self.edit(edits).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// An editor of one file.
    struct Buffer {
        path: RelPath,
        now: Mutex<OpenText>,
        refuses: bool,
    }

    impl Buffer {
        fn new(path: &str, text: &str, refuses: bool) -> Arc<Buffer> {
            let now = Mutex::new(OpenText { version: 1, text: text.to_owned() });
            Arc::new(Buffer { path: RelPath::new(path).unwrap(), now, refuses })
        }

        fn text(&self) -> String {
            self.now.lock().unwrap().text.clone()
        }
    }

    impl Editor for Buffer {
        fn open_texts(&self) -> OpenTexts {
            OpenTexts::from([(self.path.clone(), self.now.lock().unwrap().clone())])
        }

        fn revision(&self) -> u64 {
            self.now.lock().unwrap().version as u64
        }

        fn apply(&self, edits: Vec<VersionedEdit>) -> BoxFuture<'_, Result<(), String>> {
            let mut now = self.now.lock().unwrap();
            let taken = !self.refuses
                && edits.iter().all(|e| (e.version, &e.before) == (now.version, &now.text));
            if let (true, Some(edit)) = (taken, edits.into_iter().next()) {
                *now = OpenText { version: now.version + 1, text: edit.after };
            }
            futures_util::future::ready(if taken { Ok(()) } else { Err("no".into()) }).boxed()
        }
    }

    /// A guest that lives until it is dropped.
    fn guest(root: &Path, editor: Arc<Buffer>) -> std::sync::mpsc::Sender<()> {
        let mut guest = Guest::enter(root, editor, tokio::runtime::Handle::current()).unwrap();
        let (leave, left) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            while left.recv_timeout(POLL) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                guest.tick().unwrap();
            }
        });
        leave
    }

    fn edit(path: &str, before: &str, after: &str) -> VersionedEdit {
        let (path, version) = (RelPath::new(path).unwrap(), 1);
        VersionedEdit { path, version, before: before.into(), after: after.into() }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_change_reaches_every_editor_or_none() {
        let root = tempfile::tempdir().unwrap();
        let (own, other) = (Buffer::new("a", "1", false), Buffer::new("b", "1", false));
        let _here = guest(root.path(), other.clone());
        let editors = Editors::new(root.path(), Some(own.clone()));
        editors.look().await;
        assert_eq!(editors.open_texts().len(), 2);
        editors.apply(vec![edit("a", "1", "2"), edit("b", "1", "2")]).await.unwrap();
        assert_eq!((own.text(), other.text()), ("2".into(), "2".into()));

        let stubborn = Buffer::new("c", "1", true);
        let _there = guest(root.path(), stubborn);
        let refused = editors.apply(vec![edit("a", "2", "3"), edit("c", "1", "3")]).await;
        assert_eq!(refused, Err("no".into()));
        assert_eq!(own.text(), "2", "taken back");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_differs_in_two_editors_is_not_touched_and_a_dead_guest_has_nothing_open() {
        let root = tempfile::tempdir().unwrap();
        let (own, other) = (Buffer::new("a", "1", false), Buffer::new("a", "typed", false));
        let here = guest(root.path(), other.clone());
        let editors = Editors::new(root.path(), Some(own.clone()));
        editors.look().await;
        let refused = editors.apply(vec![edit("a", "1", "2")]).await.unwrap_err();
        assert!(refused.contains("open twice"), "{refused}");
        assert_eq!((own.text(), other.text()), ("1".into(), "typed".into()));
        drop(here);
        while !editors.guests().is_empty() {
            tokio::task::yield_now().await;
        }
        editors.apply(vec![edit("a", "1", "2")]).await.unwrap();
        assert_eq!(own.text(), "2");
    }

    /// A repository can bring links along in the place where guests meet.
    #[cfg(unix)]
    #[tokio::test(flavor = "multi_thread")]
    async fn no_link_leads_out_of_the_folder_of_the_guests() {
        use std::os::unix::fs::symlink;
        let (root, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let enter = || {
            let tokio = tokio::runtime::Handle::current();
            Guest::enter(root.path(), Buffer::new("a", "1", false), tokio)
        };
        let (treasure, letters) = (away.path().join("treasure"), away.path().join("letters"));
        std::fs::write(&treasure, "gold").unwrap();
        std::fs::create_dir(&letters).unwrap();
        std::fs::write(letters.with_extension("lock"), "").unwrap();
        let all = root.path().join(FOLDER);
        std::fs::create_dir_all(all.parent().unwrap()).unwrap();
        symlink(away.path(), &all).unwrap();
        assert!(enter().is_err_and(|error| error.to_string().contains("is a link")));
        assert!(Editors::new(root.path(), None).guests().is_empty());
        assert!(letters.exists(), "what lies elsewhere is nobody's guest");

        std::fs::remove_file(&all).unwrap();
        std::fs::create_dir(&all).unwrap();
        symlink(&treasure, all.join(".gitignore")).unwrap();
        let guest = enter().unwrap();
        assert_eq!(std::fs::read_to_string(&treasure).unwrap(), "gold");
        assert_eq!(Editors::new(root.path(), None).open_texts().len(), 1);
        let place = guest.folder.join(OPEN);
        std::fs::remove_file(&place).unwrap();
        symlink("/dev/zero", &place).unwrap();
        assert!(Editors::new(root.path(), None).open_texts().is_empty());
    }
}
