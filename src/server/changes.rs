//! Accepted change-sets in the editor: as documents that can be read and compared, and as lenses where they stand in an
//! open file, with which a person looks at one, takes it back, or keeps it and is rid of the lens.
//!
//! The documents have URIs of the scheme `orchestrator` (LSP 3.18, `workspace/textDocumentContent`):
//! `orchestrator:/<mission>/change/<receipt>/before/<file>`, the same with `after`, `orchestrator:/<mission>/change/<receipt>.diff`
//! `orchestrator:/<mission>/question/<number>.diff` for one that waits, and `orchestrator:/<mission>/report.md`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tower_lsp::lsp_types::{CodeLens, Command, Position, Range, Uri};

use super::documents::Document;
use super::meetings;
use super::session::Session;
use crate::mission::view::MissionView;
use crate::mission::{Accepted, MissionId, report};
use crate::runtime::{Changed, changed};
use crate::wire::percent::{decoded, encoded};
use crate::workspace::RelPath;
use crate::workspace::diff::{Hunk, hunks, unified};

/// The scheme of our documents.
pub const SCHEME: &str = "orchestrator";
/// So many places of one change in one file have lenses.
const PLACES: usize = 20;
/// The texts of so many changes are kept at hand.
const AT_HAND: usize = 64;

type Key = (MissionId, u64);

/// The changes that a session shows.
#[derive(Debug, Default)]
pub struct Changes(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Those that the person keeps: they have no lens any more.
    kept: BTreeSet<Key>,
    at_hand: BTreeMap<Key, Arc<Vec<Changed>>>,
    /// When missions were first seen by this session, by the stamp of their newest event.
    seen: HashMap<MissionId, u64>,
}

impl Changes {
    /// The person keeps a change, or all that the mission did so far. Says whether that is new.
    pub fn keep(&self, view: &MissionView, receipt: Option<u64>) -> bool {
        let all = view.receipts.iter().map(|change| change.receipt);
        let kept = all.filter(|number| receipt.is_none_or(|receipt| receipt == *number));
        let mut known = self.lock();
        let before = known.kept.len();
        known.kept.extend(kept.map(|number| (view.id.clone(), number)));
        known.kept.len() > before
    }

    /// Those that have lenses: neither kept nor taken back, and of a mission that was at work in this session.
    pub fn shown<'a>(&self, view: &'a MissionView) -> Vec<&'a Accepted> {
        let mut known = self.lock();
        let seen = *known.seen.entry(view.id.clone()).or_insert(view.now);
        if view.end.is_some() && view.now == seen {
            return Vec::new();
        }
        let is_kept = |number| known.kept.contains(&(view.id.clone(), number));
        view.receipts.iter().filter(|c| !c.undone && !is_kept(c.receipt)).collect()
    }

    /// What a change made of its files.
    ///
    /// # Errors
    /// In words, as [`changed`].
    pub fn files(
        &self,
        root: &Path,
        mission: &MissionId,
        receipt: u64,
    ) -> Result<Arc<Vec<Changed>>, String> {
        let key = (mission.clone(), receipt);
        if let Some(files) = self.lock().at_hand.get(&key) {
            return Ok(Arc::clone(files));
        }
        let files = Arc::new(changed(root, mission, receipt)?);
        let mut known = self.lock();
        if known.at_hand.len() >= AT_HAND {
            known.at_hand.pop_first();
        }
        known.at_hand.insert(key, Arc::clone(&files));
        Ok(files)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes as they are shown.
pub fn text(bytes: Option<&Vec<u8>>) -> Option<String> {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// A change as a unified diff of all its files.
pub fn diff(files: &[Changed]) -> String {
    let of = |file: &Changed| {
        let (before, after) = (text(file.before.as_ref()), text(file.after.as_ref()));
        unified(&file.path, before.as_deref(), after.as_deref())
    };
    files.iter().map(of).collect()
}

/// What a URI of ours stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file before a change, or after it.
    File {
        /// Whose change.
        mission: MissionId,
        /// Which.
        receipt: u64,
        /// The file.
        path: RelPath,
        /// Whether after it.
        after: bool,
    },
    /// A change as a diff.
    Diff {
        /// Whose change.
        mission: MissionId,
        /// Which.
        receipt: u64,
    },
    /// A change that waits with a question, as a diff.
    Waiting {
        /// Whose change.
        mission: MissionId,
        /// The question's number.
        question: u32,
    },
    /// A mission's report.
    Report(MissionId),
}

impl Content {
    /// Reads a URI.
    pub fn read(uri: &Uri) -> Option<Content> {
        uri.scheme().filter(|scheme| scheme.as_str().eq_ignore_ascii_case(SCHEME))?;
        let path = uri.path().as_str().trim_start_matches('/');
        let parts: Vec<String> = path.split('/').map(decoded).collect::<Option<_>>()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (mission, rest) = parts.split_first()?;
        let mission = MissionId((*mission).to_owned());
        match rest {
            ["report.md"] => Some(Content::Report(mission)),
            ["question", name] => {
                let question = name.strip_suffix(".diff")?.parse().ok()?;
                Some(Content::Waiting { mission, question })
            }
            ["change", name] => {
                let receipt = name.strip_suffix(".diff")?.parse().ok()?;
                Some(Content::Diff { mission, receipt })
            }
            ["change", receipt, side @ ("before" | "after"), file @ ..] => {
                let (receipt, after) = (receipt.parse().ok()?, *side == "after");
                let path = RelPath::new(&file.join("/")).ok()?;
                Some(Content::File { mission, receipt, path, after })
            }
            _ => None,
        }
    }

    /// The mission that it is of.
    pub fn mission(&self) -> &MissionId {
        match self {
            Content::File { mission, .. }
            | Content::Diff { mission, .. }
            | Content::Waiting { mission, .. }
            | Content::Report(mission) => mission,
        }
    }

    /// Its URI.
    pub fn uri(&self) -> Option<Uri> {
        let uri = match self {
            Content::Report(mission) => format!("{SCHEME}:/{}/report.md", encoded(&mission.0, b"")),
            Content::Waiting { mission, question } => {
                format!("{SCHEME}:/{}/question/{question}.diff", encoded(&mission.0, b""))
            }
            Content::Diff { mission, receipt } => {
                format!("{SCHEME}:/{}/change/{receipt}.diff", encoded(&mission.0, b""))
            }
            Content::File { mission, receipt, path, after } => {
                let side = if *after { "after" } else { "before" };
                let file: Vec<String> =
                    path.as_str().split('/').map(|part| encoded(part, b"")).collect();
                let mission = encoded(&mission.0, b"");
                format!("{SCHEME}:/{mission}/change/{receipt}/{side}/{}", file.join("/"))
            }
        };
        uri.parse().ok()
    }

    /// Its text.
    ///
    /// # Errors
    /// In words, when there is no such thing.
    pub fn text(&self, session: &Session) -> Result<String, String> {
        let root = || session.root().map(|root| root.path()).ok_or("no folder is open");
        match self {
            Content::Report(mission) => {
                let views = session.views();
                let view = views.iter().find(|view| view.id == *mission);
                let missing = || format!("there is no mission `{mission}`");
                view.map(|view| report::markdown(view)).ok_or_else(missing)
            }
            Content::Waiting { mission, question } => {
                let views = session.views();
                let view = views.iter().find(|view| view.id == *mission);
                let meeting = view.and_then(|view| meetings::of_question(view, *question));
                let missing = || format!("no change waits with question {question}");
                Ok(meeting.ok_or_else(missing)?.diff.clone())
            }
            Content::Diff { mission, receipt } => {
                Ok(diff(&session.changes.files(root()?, mission, *receipt)?))
            }
            Content::File { mission, receipt, path, after } => {
                let files = session.changes.files(root()?, mission, *receipt)?;
                let file = files.iter().find(|file| file.path == *path);
                let file = file.ok_or_else(|| format!("change {receipt} is not of {path}"))?;
                let bytes = if *after { &file.after } else { &file.before };
                Ok(text(bytes.as_ref()).unwrap_or_default())
            }
        }
    }
}

/// The lenses of a document: at each place that an accepted change gave it, what proved it, and what can be done.
pub fn lenses(session: &Session, document: &Document) -> Vec<CodeLens> {
    let Some(root) = session.root() else { return Vec::new() };
    let Some(path) = root.rel(&document.uri) else { return Vec::new() };
    let mut lenses = Vec::new();
    for view in session.views().iter() {
        for change in session.changes.shown(view) {
            if !change.files.iter().any(|file| file == path.as_str()) {
                continue;
            }
            match session.changes.files(root.path(), &view.id, change.receipt) {
                Ok(files) => {
                    let file = files.iter().find(|file| file.path == path);
                    let lines = file.map_or(Vec::new(), |file| places(file, &document.text));
                    lenses.extend(lines.into_iter().flat_map(|line| at(line, view, change)));
                }
                Err(error) => tracing::warn!("a change has no lens: {error}"),
            }
        }
    }
    lenses
}

fn at(line: u32, view: &MissionView, change: &Accepted) -> [CodeLens; 3] {
    let argument = json!({ "mission": view.id, "receipt": change.receipt });
    let lens = |title: String, command: &str| CodeLens {
        range: Range::new(Position::new(line, 0), Position::new(line, 0)),
        command: Some(Command {
            title,
            command: command.to_owned(),
            arguments: Some(vec![argument.clone()]),
        }),
        data: None,
    };
    [
        lens(format!("✓ {} proved: show", change.item), "orchestrator.change.open"),
        lens("Undo".to_owned(), "orchestrator.change.undo"),
        lens("Keep".to_owned(), "orchestrator.change.keep"),
    ]
}

/// The 0-based lines of `now` where the change's places begin, as far as they still stand.
fn places(file: &Changed, now: &str) -> Vec<u32> {
    let (Some(after), before) = (text(file.after.as_ref()), text(file.before.as_ref())) else {
        return Vec::new();
    };
    let since = hunks(&after, now);
    let made = hunks(&before.unwrap_or_default(), &after);
    let lines = made.iter().take(PLACES).filter_map(|hunk| line_now(&since, hunk));
    let last = u32::try_from(now.lines().count().saturating_sub(1)).unwrap_or(u32::MAX);
    let mut lines: Vec<u32> = lines.map(|line| line.min(last)).collect();
    lines.dedup();
    lines
}

/// Where a hunk stands after what was edited since; `None` where all of it is gone.
fn line_now(since: &[Hunk], made: &Hunk) -> Option<u32> {
    let lines = &made.after.lines;
    let is_gone = since.iter().any(|hunk| {
        let was = &hunk.before.lines;
        was.start <= lines.start && lines.end <= was.end && !lines.is_empty()
    });
    if is_gone {
        return None;
    }
    let before = since.iter().filter(|hunk| hunk.before.lines.end <= lines.start);
    let moved = before.fold(lines.start, |line, hunk| {
        (line + hunk.after.lines.len()).saturating_sub(hunk.before.lines.len())
    });
    u32::try_from(moved).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_go_both_ways() {
        let mission = || MissionId("m 1".into());
        let path = RelPath::new("src/a b/ü#?.rs").unwrap();
        for content in [
            Content::Report(mission()),
            Content::Diff { mission: mission(), receipt: 3 },
            Content::Waiting { mission: mission(), question: 3 },
            Content::File { mission: mission(), receipt: 3, path: path.clone(), after: true },
            Content::File { mission: mission(), receipt: 3, path, after: false },
        ] {
            let uri = content.uri().unwrap();
            assert_eq!(Content::read(&uri), Some(content), "{}", uri.as_str());
        }
        for odd in [
            "file:///m/report.md",
            "orchestrator:/m",
            "orchestrator:/m/change/x/after/a",
            "orchestrator:/m/change/1/after/../../etc",
            "orchestrator:/m/change/1/after/",
        ] {
            assert_eq!(Content::read(&odd.parse().unwrap()), None, "{odd}");
        }
    }

    #[test]
    fn places_go_along_with_what_is_typed() {
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        let file = Changed {
            path: RelPath::new("a").unwrap(),
            before: bytes("a\nb\nc\nd\ne\n"),
            after: bytes("a\nB\nc\nd\nE\nF\n"),
        };
        assert_eq!(places(&file, "a\nB\nc\nd\nE\nF\n"), [1, 4]);
        assert_eq!(places(&file, "new\nnew\na\nB\nc\nd\nE\nF\n"), [3, 6], "typed above");
        assert_eq!(places(&file, "a\nmine\nc\nd\nE\nF\n"), [4], "the first one is gone");
        assert_eq!(places(&file, ""), [0; 0]);
    }
}
