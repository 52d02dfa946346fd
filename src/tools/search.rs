//! Searching the workspace: several patterns at once, in several threads, unsaved editor texts in place of the disk's. Also
//! searches results that were kept.
//!
//! The answer is the same however the threads run: rows come in the order of paths, and where there are too many the first
//! ones are given.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use globset::{Glob, GlobSet, GlobSetBuilder};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkMatch,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::schema::{ALL, Tool, object, plain};
use super::{Caller, ToolResult, results};
use crate::gate::Gate;
use crate::workspace::snapshot::MAX_TEXT;
use crate::workspace::{OpenTexts, RelPath};

/// The most rows of one search.
const MAX_ROWS: usize = 300;
/// The longest row, in characters.
const MAX_ROW: usize = 240;
/// The most lines of context on each side.
const MAX_CONTEXT: usize = 10;
/// The most threads of one search.
const MAX_THREADS: usize = 8;

pub(super) const SEARCH: Tool = Tool {
    name: "search",
    description: "Searches files for regular expressions, all at once; answers path:line: text.",
    schema,
    roles: ALL,
    repeatable: true,
};

fn schema() -> Value {
    let strings = || json!({"type": "array", "items": plain()});
    let flag = || json!({"type": "boolean"});
    object(
        json!({
            "patterns": strings(),
            "globs": {"type": "array", "items": plain(), "description": "such as *.ts"},
            "context": {"type": "integer"},
            "ignore_case": flag(),
            "files_only": flag(),
        }),
        &["patterns"],
    )
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SearchArgs {
    patterns: Vec<String>,
    /// One more pattern, and one more glob, as they are called where there is only one.
    pattern: Option<String>,
    globs: Vec<String>,
    glob: Option<String>,
    context: usize,
    ignore_case: bool,
    files_only: bool,
}

pub(super) fn search(gate: &Gate, caller: &Caller, args: &SearchArgs) -> ToolResult {
    let matcher = matcher(args)?;
    let globs: Vec<&String> = args.globs.iter().chain(&args.glob).collect();
    let context = args.context.min(MAX_CONTEXT);
    let look = Look { matcher, context, files_only: args.files_only };
    let kept: Vec<&str> = globs.iter().filter_map(|glob| results::name(glob)).collect();
    if !kept.is_empty() {
        if kept.len() < globs.len() {
            return Err("search results and files in separate calls".to_owned());
        }
        let (mut found, mut searcher) = (Vec::new(), look.searcher());
        for name in kept {
            let text = results::read(gate, caller, name)?;
            let name = format!("{}{name}", results::PREFIX);
            found.extend(look.text(&mut searcher, &name, text.as_bytes())?);
        }
        return Ok(shown(found));
    }
    let globs = glob_set(&globs)?;
    let mut paths = gate.workspace().paths().map_err(|e| e.to_string())?;
    paths.extend(caller.open.keys().cloned());
    paths.sort();
    paths.dedup();
    if let Some(globs) = &globs {
        paths.retain(|path| globs.is_match(path.as_str()));
    }
    look.files(gate.workspace().root(), &caller.open, &paths).map(shown)
}

fn matcher(args: &SearchArgs) -> Result<RegexMatcher, String> {
    let patterns: Vec<&String> = args.patterns.iter().chain(&args.pattern).collect();
    if patterns.is_empty() || patterns.iter().any(|pattern| pattern.is_empty()) {
        return Err("give at least one pattern, and no empty one".to_owned());
    }
    RegexMatcherBuilder::new()
        .case_insensitive(args.ignore_case)
        .line_terminator(Some(b'\n'))
        .build_many(&patterns)
        .map_err(|e| format!("{patterns:?} is no regular expression: {e}"))
}

/// One set of several globs; a bare name pattern means that name anywhere. `None` where there is none.
pub(super) fn glob_set(globs: &[&String]) -> Result<Option<GlobSet>, String> {
    let mut set = GlobSetBuilder::new();
    for text in globs {
        let text = text.trim_start_matches("./");
        let anywhere = if text.contains('/') { text.to_owned() } else { format!("**/{text}") };
        set.add(Glob::new(&anywhere).map_err(|e| format!("`{text}` is no glob: {e}"))?);
    }
    let set = set.build().map_err(|e| e.to_string())?;
    Ok((!set.is_empty()).then_some(set))
}

/// The rows that were found.
type Found = Result<Vec<String>, String>;

/// What is looked for.
struct Look {
    matcher: RegexMatcher,
    context: usize,
    files_only: bool,
}

impl Look {
    /// Looks at files in their order, several at once, until there are rows enough.
    fn files(&self, root: &Path, open: &OpenTexts, paths: &[RelPath]) -> Found {
        let (next, rows) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let found: Mutex<BTreeMap<usize, Found>> = Mutex::default();
        let work = || {
            let mut searcher = self.searcher();
            // Numbers are given out in order: whatever is left when there are enough comes after all that was looked at.
            while rows.load(Ordering::Relaxed) <= MAX_ROWS {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(index) else { break };
                let of_file = match open.get(path) {
                    Some(open) => self.text(&mut searcher, path.as_str(), open.text.as_bytes()),
                    None => match bytes(&path.in_root(root)) {
                        Some(bytes) => self.text(&mut searcher, path.as_str(), &bytes),
                        None => continue,
                    },
                };
                let count = of_file.as_ref().map_or(MAX_ROWS, Vec::len);
                if count > 0 {
                    rows.fetch_add(count, Ordering::Relaxed);
                    found.lock().unwrap_or_else(PoisonError::into_inner).insert(index, of_file);
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        std::thread::scope(|scope| {
            for _ in 1..threads.min(MAX_THREADS) {
                scope.spawn(work);
            }
            work();
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.into_values().collect::<Result<Vec<_>, _>>().map(|files| files.concat())
    }

    /// One for many texts: its buffers are large.
    fn searcher(&self) -> Searcher {
        SearcherBuilder::new()
            .before_context(self.context)
            .after_context(self.context)
            .binary_detection(BinaryDetection::quit(0))
            .build()
    }

    /// The rows of one text; none where it is binary.
    fn text(&self, searcher: &mut Searcher, name: &str, bytes: &[u8]) -> Found {
        let mut rows = Rows { name, files_only: self.files_only, rows: Vec::new() };
        searcher
            .search_slice(&self.matcher, bytes, &mut rows)
            .map_err(|e| format!("failed to search {name}: {e}"))?;
        Ok(rows.rows)
    }
}

/// The bytes of a file that can be a text; what cannot be read cannot be searched, which is no error of the call.
fn bytes(place: &Path) -> Option<Vec<u8>> {
    let size = std::fs::metadata(place).ok()?.len();
    (size <= MAX_TEXT).then(|| std::fs::read(place).ok()).flatten()
}

/// Gathers the rows of one text.
struct Rows<'a> {
    name: &'a str,
    files_only: bool,
    rows: Vec<String>,
}

impl Rows<'_> {
    fn add(&mut self, line: Option<u64>, sign: char, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        let shown: String = text.trim_end().chars().take(MAX_ROW).collect();
        self.rows.push(format!("{}{sign}{}{sign} {shown}", self.name, line.unwrap_or_default()));
        self.rows.len() <= MAX_ROWS
    }
}

impl Sink for Rows<'_> {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Self::Error> {
        if self.files_only {
            self.rows.push(self.name.to_owned());
            return Ok(false);
        }
        Ok(self.add(found.line_number(), ':', found.bytes()))
    }

    fn context(&mut self, _: &Searcher, found: &SinkContext<'_>) -> Result<bool, Self::Error> {
        match found.kind() {
            // Of a file that is only named no line is shown.
            _ if self.files_only => Ok(true),
            SinkContextKind::Before | SinkContextKind::After | SinkContextKind::Other => {
                Ok(self.add(found.line_number(), '-', found.bytes()))
            }
        }
    }

    fn context_break(&mut self, _: &Searcher) -> Result<bool, Self::Error> {
        self.rows.push("--".to_owned());
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, Self::Error> {
        self.rows.clear();
        Ok(false)
    }
}

fn shown(mut rows: Vec<String>) -> String {
    if rows.is_empty() {
        return "no matches".to_owned();
    }
    if rows.len() > MAX_ROWS {
        rows.truncate(MAX_ROWS);
        rows.push("[more matches; narrow it down]".to_owned());
    }
    rows.join("\n")
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
