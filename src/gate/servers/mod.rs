//! Downstream language servers, rooted in the shadow: what they say of texts that are on no disk, their quick fixes, and what
//! they know of names.
//!
//! Candidates are shown as overlays, and each question says which; one question at a time is put to a server.
//! An answer is given only when the server was proved to be looking: it has loaded the project and it reported a known
//! error in each file that was edited. Everything else is [`Answer::Unverified`], with the reason.
//! It must not know of missions, deltas or verdicts. It writes no file but takes those off the shadow's disk, for one
//! question, that a candidate deletes.

mod absence;
mod actions;
mod ask;
mod client;
mod dependents;
mod documents;
pub mod farm;
mod lookup;
mod memory;
mod process;
mod proof;
mod session;
mod slot;
mod text;
mod uri;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as Table, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, RwLock};

use self::ask::Told;
use self::farm::{Asking, Farm};
use self::session::{Session, Trouble};
use self::slot::{Slot, Surroundings};
use super::diagnostic::{Diagnostic, Remedy};
use super::language::{Language, ServerSpec};
use super::stage::{Answer, Boxed, Dependents, Found, Lookup, Overlay, ServerStage};
use crate::workspace::path::RelPath;

/// How long the search for quick fixes may take, starting a server included.
const REMEDIES_DEADLINE: Duration = Duration::from_secs(60);
/// How long a server is given to end by itself.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(3);

/// By the server's name: languages that name one server share it, for their files may use each other.
type Slots = BTreeMap<String, (Speakers, Arc<Mutex<Slot>>)>;
/// The languages that a server is asked about.
type Speakers = Vec<Arc<Language>>;

/// The servers of one shadow. Dropping them kills them.
#[derive(Debug)]
pub struct Servers {
    around: Surroundings,
    slots: Table<Slots>,
}

/// A server that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its name, as in `language.toml`.
    pub name: String,
    /// The id of its process, which leads a process group.
    pub process: u32,
    /// The resident memory of the whole group in bytes, where the system tells.
    pub memory: Option<u64>,
}

impl Servers {
    /// Servers for the shadow at `root`, whose disk holds the base; programs are looked for in `project`, the user's
    /// own root, and on PATH. Nothing is started yet.
    pub fn new(root: PathBuf, project: PathBuf) -> Servers {
        // Servers answer with real paths; a root behind a link would not match them.
        let root = if cfg!(windows) { root } else { root.canonicalize().unwrap_or(root) };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let (farm, disk) = (Farm::shared(), Arc::new(RwLock::new(())));
        let around = Surroundings { root, project, path, farm, disk };
        Servers { around, slots: Table::default() }
    }

    /// Keeps to another farm's limits instead of those that the whole process shares.
    pub fn with_farm(mut self, farm: Arc<Farm>) -> Servers {
        self.around.farm = farm;
        self
    }

    /// Looks for programs on `path` instead of PATH, and shows that to the servers.
    pub fn with_path(mut self, path: OsString) -> Servers {
        self.around.path = path;
        self
    }

    /// What the language's first working server says of `files` when `overlay` is laid over the disk. What was shown
    /// stays shown until another overlay is asked about: to ask about some files first and about others after costs no
    /// more than to ask about all at once. An overlay that changes project files is beyond servers.
    pub async fn diagnose(
        &self,
        language: &Language,
        overlay: &Overlay,
        files: &[RelPath],
        deadline: Duration,
    ) -> Answer {
        if let Some(reason) = beyond(language, overlay) {
            return Answer::Unverified { reason };
        }
        if files.is_empty() {
            let reason = "there is no file that a server could look at".to_owned();
            return Answer::Unverified { reason };
        }
        let mut asked = String::new();
        let answer =
            tokio::time::timeout(deadline, self.ask(language, overlay, files, &mut asked)).await;
        match answer {
            Ok(Ok((told, server))) => Answer::Diagnosed {
                diagnostics: told.found.into_iter().map(|found| found.diagnostic).collect(),
                server,
                raw_us: told.raw_us,
            },
            Ok(Err(reason)) => Answer::Unverified { reason },
            Err(_) => {
                let who = if asked.is_empty() { "a language server".to_owned() } else { asked };
                Answer::Unverified { reason: format!("{who} did not answer within {deadline:?}") }
            }
        }
    }

    async fn ask(
        &self,
        language: &Language,
        overlay: &Overlay,
        files: &[RelPath],
        asked: &mut String,
    ) -> Result<(Told, String), String> {
        let mut reasons = Vec::new();
        for spec in &language.servers {
            asked.clone_from(&spec.name);
            let (mut slot, _asking) = self.enter(language, spec).await;
            let own = Arc::downgrade(OwnedMutexGuard::mutex(&slot));
            let session = match slot.begin(&self.around, own).await {
                Ok(session) => session,
                Err(reason) => {
                    reasons.push(reason);
                    continue;
                }
            };
            let answer = self.diagnose_with(session, spec, language, overlay, files).await;
            slot.end(answer.as_ref().err());
            return answer.map_err(|trouble| trouble.to_string());
        }
        if reasons.is_empty() {
            reasons.push(format!("no language server is known for {}", language.name));
        }
        Err(reasons.join("; "))
    }

    /// The slot of a server, for one question; who waits for a seat is told when it is left.
    async fn enter(
        &self,
        language: &Language,
        spec: &ServerSpec,
    ) -> (OwnedMutexGuard<Slot>, Asking) {
        let slot = self.slot(language, spec).lock_owned().await;
        (slot, Asking(Arc::clone(&self.around.farm)))
    }

    async fn diagnose_with(
        &self,
        session: &mut Session,
        spec: &ServerSpec,
        language: &Language,
        overlay: &Overlay,
        files: &[RelPath],
    ) -> Result<(Told, String), Trouble> {
        let languages = speakers(language, spec);
        let own = |(path, _): &(&RelPath, &Option<String>)| any_speaks(&languages, path);
        let overlay: Overlay =
            overlay.iter().filter(own).map(|(path, text)| (path.clone(), text.clone())).collect();
        let deleted = overlay.iter().find(|(_, text)| text.is_none());
        // There is nothing to say of a file that is not there.
        let is_there = |path: &&RelPath| overlay.get(*path).is_none_or(Option::is_some);
        let files: Vec<RelPath> = files.iter().filter(is_there).cloned().collect();
        if let Some((path, _)) = deleted.filter(|_| !spec.sees_deletions) {
            let name = session.name();
            return Err(Trouble::Unfit(format!("{path} is deleted, which {name} is not shown")));
        }
        session.loaded().await?;
        let told = if deleted.is_some() {
            let _alone = self.around.disk.write().await;
            session.told_without(&overlay, &files).await?
        } else {
            let _shared = self.around.disk.read().await;
            session.told(&overlay, &files).await?
        };
        Ok((told, session.name()))
    }

    /// The quick fixes of the language's servers for a diagnostic of the text that `overlay` and disk make up: those of
    /// the first server that has any. No answer is no quick fix; why, is in the log.
    pub async fn remedies(
        &self,
        language: &Language,
        overlay: &Overlay,
        diagnostic: &Diagnostic,
    ) -> Vec<Remedy> {
        for spec in &language.servers {
            let search = async {
                let (mut slot, _asking) = self.enter(language, spec).await;
                let own = Arc::downgrade(OwnedMutexGuard::mutex(&slot));
                let session = slot.begin(&self.around, own).await?;
                let _shared = self.around.disk.read().await;
                let found = search(session, overlay, diagnostic).await;
                slot.end(found.as_ref().err());
                found.map_err(|trouble| trouble.to_string())
            };
            match tokio::time::timeout(REMEDIES_DEADLINE, search).await {
                Ok(Ok(remedies)) if !remedies.is_empty() => return remedies,
                Ok(Ok(_)) => {}
                Ok(Err(reason)) => tracing::info!("no quick fixes: {reason}"),
                Err(_) => tracing::info!("no quick fixes: {} did not answer in time", spec.name),
            }
        }
        Vec::new()
    }

    /// The files among `files` that may depend on what `overlay` changes, by their words.
    pub async fn dependents(
        &self,
        language: &Language,
        overlay: &Overlay,
        files: &[RelPath],
    ) -> Dependents {
        let _shared = self.around.disk.read().await;
        let root = self.around.root.clone();
        let (language, overlay, files) = (language.clone(), overlay.clone(), files.to_vec());
        let search = move || dependents::find(&language, &root, &overlay, &files);
        tokio::task::spawn_blocking(search).await.unwrap_or_default()
    }

    /// Tells the running servers that the shadow's disk was changed to a new base in these files. A server whose
    /// project files changed is started anew, because only that proves what it has read.
    pub async fn disk_changed(&self, paths: &[RelPath]) {
        for (languages, slot) in self.all().into_values() {
            let mut slot = slot.lock().await;
            let own: Vec<RelPath> =
                paths.iter().filter(|path| any_speaks(&languages, path)).cloned().collect();
            let is_project_file =
                |path| languages.iter().any(|language| is_project_file(language, path));
            if paths.iter().any(is_project_file) {
                drop(slot.retire());
            } else if let Some(session) = slot.running()
                && !own.is_empty()
            {
                session.disk_changed(&own);
            }
        }
    }

    /// Ends all servers: politely, and after a few seconds for certain.
    pub async fn shutdown(&self) {
        for (_, slot) in self.all().into_values() {
            let session = slot.lock().await.retire();
            if let Some(session) = session
                && let Ok(Err(error)) =
                    tokio::time::timeout(SHUTDOWN_DEADLINE, session.client.shutdown()).await
            {
                tracing::debug!("a server was killed: {error}");
            }
        }
    }

    /// The servers that run; for benchmarks and for `doctor`.
    pub async fn running(&self) -> Vec<Running> {
        let mut running = Vec::new();
        for (name, (_, slot)) in self.all() {
            let mut slot = slot.lock().await;
            let session =
                slot.running().filter(|session| session.client.status().borrow().gone.is_none());
            let process = session.and_then(|session| session.client.process_id());
            running.extend(process.map(|process| Running { name, process, memory: None }));
        }
        let processes: Vec<u32> = running.iter().map(|running| running.process).collect();
        let measured = tokio::task::spawn_blocking(move || memory::of_groups(&processes)).await;
        let measured = measured.unwrap_or_default();
        for running in &mut running {
            running.memory = measured.get(&running.process).copied();
        }
        running
    }

    fn all(&self) -> Slots {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn slot(&self, language: &Language, spec: &ServerSpec) -> Arc<Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || (speakers(language, spec), Arc::new(Mutex::new(Slot::new(spec.clone()))));
        let (_, slot) = slots.entry(spec.name.clone()).or_insert_with(new);
        slot.clone()
    }
}

async fn search(
    session: &mut Session,
    overlay: &Overlay,
    diagnostic: &Diagnostic,
) -> Result<Vec<Remedy>, Trouble> {
    let file = std::slice::from_ref(&diagnostic.path);
    session.loaded().await?;
    if !session.proved.awake {
        session.prove(overlay, file).await?;
    }
    session.show(overlay, file).await?;
    actions::quick_fixes(session, diagnostic).await
}

/// Why no server could judge this overlay: files that are not of the language are read from the disk only.
fn beyond(language: &Language, overlay: &Overlay) -> Option<String> {
    let reason = |(path, _): (&RelPath, &Option<String>)| {
        if is_project_file(language, path) {
            Some(format!("{path} changes, which language servers read from the disk only"))
        } else {
            None
        }
    };
    overlay.iter().find_map(reason)
}

/// Whether it is a file of the kind that describes projects: `Cargo.toml` and every other `.toml`.
fn is_project_file(language: &Language, path: &RelPath) -> bool {
    let extension = path.extension();
    let mut kinds =
        language.roots.iter().map(|root| root.rsplit_once('.').map(|(_, extension)| extension));
    extension.is_some() && !speaks(language, path) && kinds.any(|kind| kind == extension)
}

/// The languages that share the server with this one, itself among them.
fn speakers(language: &Language, spec: &ServerSpec) -> Speakers {
    let shares = |other: &&Language| {
        other.name != language.name && other.servers.iter().any(|server| server.name == spec.name)
    };
    let others = super::language::all().iter().filter(shares);
    std::iter::once(language).chain(others).cloned().map(Arc::new).collect()
}

fn any_speaks(languages: &[Arc<Language>], path: &RelPath) -> bool {
    languages.iter().any(|language| speaks(language, path))
}

fn speaks(language: &Language, path: &RelPath) -> bool {
    path.extension().is_some_and(|extension| language.extensions.iter().any(|own| own == extension))
}

impl ServerStage for Servers {
    fn diagnose<'a>(
        &'a self,
        language: &'a Language,
        overlay: &'a Overlay,
        files: &'a [RelPath],
        deadline: Duration,
    ) -> Boxed<'a, Answer> {
        Box::pin(self.diagnose(language, overlay, files, deadline))
    }

    fn remedies<'a>(
        &'a self,
        language: &'a Language,
        overlay: &'a Overlay,
        diagnostic: &'a Diagnostic,
    ) -> Boxed<'a, Vec<Remedy>> {
        Box::pin(self.remedies(language, overlay, diagnostic))
    }

    fn dependents<'a>(
        &'a self,
        language: &'a Language,
        overlay: &'a Overlay,
        files: &'a [RelPath],
    ) -> Boxed<'a, Dependents> {
        Box::pin(self.dependents(language, overlay, files))
    }

    fn look_up<'a>(
        &'a self,
        language: &'a Language,
        lookup: &'a Lookup,
        deadline: Duration,
    ) -> Boxed<'a, Result<Found, String>> {
        Box::pin(self.look_up(language, lookup, deadline))
    }

    fn base_changed<'a>(&'a self, files: &'a [RelPath]) -> Boxed<'a, ()> {
        Box::pin(self.disk_changed(files))
    }
}
