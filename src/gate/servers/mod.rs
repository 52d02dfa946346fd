//! Downstream language servers, rooted in the shadow: what they say of texts that are on no disk, and their quick fixes.
//!
//! Candidates are shown as overlays and taken back before a question ends; one question at a time is put to a server.
//! An answer is given only when the server was proved to be looking: it has loaded the project and it reported a known
//! error in each file that was edited. Everything else is [`Answer::Unverified`], with the reason.
//! It must not know of missions, deltas or verdicts, and it never writes a file.

mod actions;
mod client;
mod process;
mod session;
mod slot;
mod text;
mod uri;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as Table, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;

use self::session::{Session, Trouble};
use self::slot::{Slot, Surroundings};
use super::diagnostic::{Diagnostic, Remedy};
use super::language::{DiagnosticsBy, Language, ServerSpec};
use super::stage::{Answer, Boxed, Overlay, ServerStage};
use crate::workspace::path::RelPath;

/// How long the search for quick fixes may take, starting a server included.
const REMEDIES_DEADLINE: Duration = Duration::from_secs(60);
/// How long a server is given to end by itself.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(3);

/// By language and server.
type Slots = BTreeMap<(String, String), (Arc<Language>, Arc<Mutex<Slot>>)>;

/// The servers of one shadow. Dropping them kills them.
#[derive(Debug)]
pub struct Servers {
    around: Surroundings,
    slots: Table<Slots>,
}

impl Servers {
    /// Servers for the shadow at `root`, whose disk holds the base; programs are looked for in `project`, the user's
    /// own root, and on PATH. Nothing is started yet.
    pub fn new(root: PathBuf, project: PathBuf) -> Servers {
        // Servers answer with real paths; a root behind a link would not match them.
        let root = if cfg!(windows) { root } else { root.canonicalize().unwrap_or(root) };
        let path = std::env::var_os("PATH").unwrap_or_default();
        Servers { around: Surroundings { root, project, path }, slots: Table::default() }
    }

    /// Looks for programs on `path` instead of PATH, and shows that to the servers.
    pub fn with_path(mut self, path: OsString) -> Servers {
        self.around.path = path;
        self
    }

    /// What the language's first working server says of `files` when `overlay` is laid over the disk.
    /// An overlay that deletes files or changes project files is beyond them.
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
            Ok(Ok((diagnostics, server))) => Answer::Diagnosed { diagnostics, server },
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
    ) -> Result<(Vec<Diagnostic>, String), String> {
        let mut reasons = Vec::new();
        for spec in &language.servers {
            asked.clone_from(&spec.name);
            let slot = self.slot(language, spec);
            let mut slot = slot.lock().await;
            let session = match slot.begin(&self.around).await {
                Ok(session) => session,
                Err(reason) => {
                    reasons.push(reason);
                    continue;
                }
            };
            let answer = diagnose(session, spec, language, overlay, files).await;
            slot.end(answer.as_ref().err());
            return answer.map_err(|trouble| trouble.to_string());
        }
        if reasons.is_empty() {
            reasons.push(format!("no language server is known for {}", language.name));
        }
        Err(reasons.join("; "))
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
                let slot = self.slot(language, spec);
                let mut slot = slot.lock().await;
                let session = slot.begin(&self.around).await?;
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

    /// Tells the running servers that the shadow's disk was changed to a new base in these files. A server whose
    /// project files changed is started anew, because only that proves what it has read.
    pub async fn disk_changed(&self, paths: &[RelPath]) {
        for (language, slot) in self.all().into_values() {
            let mut slot = slot.lock().await;
            let own: Vec<RelPath> =
                paths.iter().filter(|path| speaks(&language, path)).cloned().collect();
            if paths.iter().any(|path| is_project_file(&language, path)) {
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

    /// The process ids of the servers that run, by name; for tests and for `doctor`.
    pub async fn running(&self) -> Vec<(String, u32)> {
        let mut running = Vec::new();
        for ((_, name), (_, slot)) in self.all() {
            let mut slot = slot.lock().await;
            let session =
                slot.running().filter(|session| session.client.status().borrow().gone.is_none());
            let id = session.and_then(|session| session.client.process_id());
            running.extend(id.map(|id| (name, id)));
        }
        running
    }

    fn all(&self) -> Slots {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn slot(&self, language: &Language, spec: &ServerSpec) -> Arc<Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (language.name.clone(), spec.name.clone());
        let (_, slot) = slots.entry(key).or_insert_with(|| {
            let slot = Slot::new(spec.clone());
            (Arc::new(language.clone()), Arc::new(Mutex::new(slot)))
        });
        slot.clone()
    }
}

async fn diagnose(
    session: &mut Session,
    spec: &ServerSpec,
    language: &Language,
    overlay: &Overlay,
    files: &[RelPath],
) -> Result<(Vec<Diagnostic>, String), Trouble> {
    let overlay: Overlay = overlay
        .iter()
        .filter(|(path, _)| speaks(language, path))
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect();
    // tsserver speaks only of files that are open.
    let opened = if spec.diagnostics == DiagnosticsBy::TsserverRequest { files } else { &[] };
    session.loaded().await?;
    let edited: Vec<RelPath> =
        files.iter().filter(|path| overlay.contains_key(*path)).cloned().collect();
    session.prove(&overlay, if edited.is_empty() { &files[..1] } else { &edited }).await?;
    session.show(&overlay, opened).await?;
    let found = session.diagnose(files).await?;
    let name = session.name();
    session.show(&Overlay::new(), &[]).await?;
    Ok((found.into_iter().map(|found| found.diagnostic).collect(), name))
}

async fn search(
    session: &mut Session,
    overlay: &Overlay,
    diagnostic: &Diagnostic,
) -> Result<Vec<Remedy>, Trouble> {
    let file = std::slice::from_ref(&diagnostic.path);
    session.loaded().await?;
    if !session.awake {
        session.prove(overlay, file).await?;
    }
    session.show(overlay, file).await?;
    let remedies = actions::quick_fixes(session, diagnostic).await?;
    session.show(&Overlay::new(), &[]).await?;
    Ok(remedies)
}

/// Why no server could judge this overlay: the protocol has no way to show that a file is not there, and files that are
/// not of the language are read from the disk only.
fn beyond(language: &Language, overlay: &Overlay) -> Option<String> {
    let reason = |(path, text): (&RelPath, &Option<String>)| {
        if is_project_file(language, path) {
            Some(format!("{path} changes, which language servers read from the disk only"))
        } else if text.is_none() && speaks(language, path) {
            Some(format!("{path} is deleted, which language servers cannot be shown"))
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

    fn base_changed<'a>(&'a self, files: &'a [RelPath]) -> Boxed<'a, ()> {
        Box::pin(self.disk_changed(files))
    }
}
