//! The client's files, as far as the protocol tells of them.
//!
//! It has no list of what is open, and no versions: `fs/read_text_file` tells the text that the client has of one file now,
//! and `fs/write_text_file` replaces a text whatever it is, and lets the client format and save it. Such a write could
//! overwrite what was typed a moment before, and land bytes that nobody proved; so it is never used. Accepted bytes go to
//! the disk, by the runtime's atomic writer after a hash check, and the client loads files anew that it has not changed.
//! What has unsaved changes is found out by asking, right before bytes land: then nothing lands, and the person is asked
//! to save. See <https://agentclientprotocol.com/protocol/v1/file-system> and `docs/acp.md`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};

use super::update;
use crate::runtime::{Editor, VersionedEdit};
use crate::server::outbox::Weight;
use crate::server::peer::Peer;
use crate::workspace::{OpenTexts, RelPath};

/// How long the client may take to tell a text; one that does not answer hinders nothing, for its buffers stay as they are.
const READ_LIMIT: Duration = Duration::from_secs(2);
/// How long a change waits for a person who has unsaved text in its files.
const SAVE_LIMIT: Duration = Duration::from_secs(60);
/// When the person is told: a client that loads a file anew takes a moment.
const TELL_AFTER: Duration = Duration::from_secs(2);
/// How often it is looked again.
const POLL: Duration = Duration::from_millis(200);

/// The files of one workspace in the client.
pub struct ClientFiles {
    peer: Peer,
    reads: bool,
    root: PathBuf,
    /// The newest session of the workspace, and the folder as that spells it.
    seen_by: Mutex<Option<(String, PathBuf)>>,
    /// How often a person stopped something.
    stops: AtomicU64,
}

impl ClientFiles {
    /// Those of the workspace at `root`; `reads` says whether the client tells texts.
    pub fn new(peer: Peer, reads: bool, root: &Path) -> ClientFiles {
        let root = root.to_owned();
        ClientFiles { peer, reads, root, seen_by: Mutex::default(), stops: AtomicU64::new(0) }
    }

    /// From now on that session is asked.
    pub fn is_seen_by(&self, session: &str, cwd: &Path) {
        *self.seen() = Some((session.to_owned(), cwd.to_owned()));
    }

    /// Nobody waits for a person to save any more: what wanted to land is given up.
    pub fn let_go(&self) {
        self.stops.fetch_add(1, Ordering::Relaxed);
    }

    fn seen(&self) -> MutexGuard<'_, Option<(String, PathBuf)>> {
        self.seen_by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, within a bound, until nothing is unsaved; what still is.
    async fn unsaved(&self, paths: &[RelPath]) -> Vec<RelPath> {
        let (begun, mut told) = (Instant::now(), false);
        let stops = self.stops.load(Ordering::Relaxed);
        loop {
            let asks = paths
                .iter()
                .map(|path| async move { self.is_unsaved(path).await.then(|| path.clone()) });
            let unsaved: Vec<RelPath> = join_all(asks).await.into_iter().flatten().collect();
            let is_stopped = self.stops.load(Ordering::Relaxed) != stops;
            if unsaved.is_empty() || is_stopped || begun.elapsed() >= SAVE_LIMIT {
                return unsaved;
            }
            if !told && begun.elapsed() >= TELL_AFTER {
                told = true;
                self.tell(&unsaved);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether the client has another text of the file than the disk. What is no text, or cannot be read, is not unsaved.
    async fn is_unsaved(&self, path: &RelPath) -> bool {
        let Some((session, cwd)) = self.seen().clone() else { return false };
        let Ok(on_disk) = std::fs::read(path.in_root(&self.root)).or_else(missing_is_empty) else {
            return false;
        };
        let Ok(on_disk) = String::from_utf8(on_disk) else { return false };
        let params = json!({ "sessionId": session, "path": path.in_root(&cwd) });
        let answer = self.peer.request_raw("fs/read_text_file", &params, READ_LIMIT).await;
        let answer = answer.inspect_err(|error| tracing::debug!("{path} was not read: {error}"));
        let text = answer.ok().and_then(|mut answer| answer.get_mut("content").map(Value::take));
        text.as_ref().and_then(Value::as_str).is_some_and(|text| plain(text) != plain(&on_disk))
    }

    fn tell(&self, unsaved: &[RelPath]) {
        let Some((session, _)) = self.seen().clone() else { return };
        let text = format!(
            "An accepted change waits, because {} in your editor. Save or revert: it lands then, proved again on what you saved.",
            have_changes(unsaved)
        );
        let params = json!({ "sessionId": session, "update": update::message(&text) });
        self.peer.notify_raw(Weight::Must, "session/update", &params);
    }
}

fn missing_is_empty(error: std::io::Error) -> std::io::Result<Vec<u8>> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) }
}

/// Clients keep byte order marks and line ends out of their texts, and some the last one.
fn plain(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    text.trim_end_matches('\n').to_owned()
}

fn have_changes(paths: &[RelPath]) -> String {
    let names: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    let have = if names.len() == 1 { "has" } else { "have" };
    format!("{} {have} unsaved changes", names.join(", "))
}

impl Editor for ClientFiles {
    /// The protocol does not tell.
    fn open_texts(&self) -> OpenTexts {
        OpenTexts::new()
    }

    fn revision(&self) -> u64 {
        0
    }

    /// Never asked for, as nothing is known to be open.
    fn apply(&self, _edits: Vec<VersionedEdit>) -> BoxFuture<'_, Result<(), String>> {
        std::future::ready(Err("agent panels take no versioned edits".to_owned())).boxed()
    }

    fn hinders<'a>(&'a self, paths: &'a [RelPath]) -> BoxFuture<'a, Option<String>> {
        async move {
            let unsaved = if self.reads { self.unsaved(paths).await } else { Vec::new() };
            let reason =
                format!("{} in the editor; save or revert, and resume", have_changes(&unsaved));
            (!unsaved.is_empty()).then_some(reason)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_do_to_every_text_is_no_change() {
        for same in ["a\nb\n", "a\r\nb\r\n", "\u{feff}a\nb", "a\rb\r"] {
            assert_eq!(plain(same), "a\nb");
        }
        assert_ne!(plain("a\n\nb"), plain("a\nb"));
    }
}
