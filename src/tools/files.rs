//! Reading, listing and searching the workspace, unsaved editor texts included.

use globset::{Glob, GlobMatcher};
use grep_regex::RegexMatcherBuilder;
use grep_searcher::{Searcher, sinks};
use serde::Deserialize;
use serde_json::{Value, json};

use super::schema::{ALL, Tool, WORKER_AND_REVIEWER, line, object, text as string};
use super::{Caller, ToolResult, path};
use crate::gate::Gate;
use crate::workspace::RelPath;

/// The most lines that one `read` hands back.
const MAX_LINES: usize = 600;
/// The most paths of one `list`, and matches of one `search`.
const MAX_ROWS: usize = 300;
/// The longest line of a search result, in characters.
const MAX_ROW: usize = 240;

pub(super) const LIST: Tool = Tool {
    name: "list",
    description: "Lists files, recursively, without ignored ones.",
    schema: list_schema,
    roles: ALL,
    repeatable: true,
};
pub(super) const READ: Tool = Tool {
    name: "read",
    description: "Reads a text file, or some of its lines. Unsaved editor text counts.",
    schema: read_schema,
    roles: ALL,
    repeatable: true,
};
pub(super) const SEARCH: Tool = Tool {
    name: "search",
    description: "Searches files for a regular expression; answers path:line: text.",
    schema: search_schema,
    roles: ALL,
    repeatable: true,
};
pub(super) const DIAGNOSTICS: Tool = Tool {
    name: "diagnostics",
    description: "Errors and warnings of the project's own compiler.",
    schema: diagnostics_schema,
    roles: WORKER_AND_REVIEWER,
    repeatable: true,
};

fn list_schema() -> Value {
    let glob = string("such as src/**/*.rs");
    object(json!({"path": string("a folder; default: the workspace"), "glob": glob}), &[])
}

fn read_schema() -> Value {
    let path = string("relative to the workspace");
    object(
        json!({"path": path, "from": line("first line, 1-based"), "to": line("last line")}),
        &["path"],
    )
}

fn search_schema() -> Value {
    let glob = string("only in files such as *.ts");
    object(json!({"pattern": string("a regular expression"), "glob": glob}), &["pattern"])
}

fn diagnostics_schema() -> Value {
    object(json!({"path": string("one file; default: all")}), &[])
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadArgs {
    path: String,
    from: Option<usize>,
    to: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListArgs {
    pub path: Option<String>,
    #[serde(default)]
    glob: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchArgs {
    pattern: String,
    #[serde(default)]
    glob: Option<String>,
}

pub(super) fn read(gate: &Gate, caller: &Caller, args: &ReadArgs) -> ToolResult {
    let path = path(&args.path)?;
    let text = text(gate, caller, &path)?.ok_or_else(|| format!("there is no file {path}"))?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let from = args.from.unwrap_or(1).max(1);
    let to =
        args.to.unwrap_or(lines.len()).min(lines.len()).min(from.saturating_add(MAX_LINES - 1));
    if from > lines.len() {
        return Ok(format!("{path} has {} lines", lines.len()));
    }
    let body: String = lines[from - 1..to.max(from - 1)].concat();
    if from == 1 && to == lines.len() {
        return Ok(body);
    }
    Ok(format!("[lines {from} to {to} of {}]\n{body}", lines.len()))
}

fn text(gate: &Gate, caller: &Caller, path: &RelPath) -> Result<Option<String>, String> {
    if let Some(open) = caller.open.get(path) {
        return Ok(Some(open.text.clone()));
    }
    gate.workspace().read(path).map(|file| file.map(|f| f.text)).map_err(|e| e.to_string())
}

pub(super) fn list(gate: &Gate, args: &ListArgs) -> ToolResult {
    let glob = matcher(args.glob.as_deref())?;
    let folder =
        args.path.as_deref().map(|p| p.trim_matches('/')).filter(|p| !p.is_empty() && *p != ".");
    let paths = gate.workspace().paths().map_err(|e| e.to_string())?;
    let inside = |p: &&RelPath| {
        let below = folder.is_none_or(|f| {
            p.as_str()
                .strip_prefix(f.trim_start_matches("./"))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        below && glob.as_ref().is_none_or(|g| g.is_match(p.as_str()))
    };
    let found: Vec<&str> = paths.iter().filter(inside).map(RelPath::as_str).collect();
    if found.is_empty() {
        return Ok("no files".to_owned());
    }
    let more = found.len().saturating_sub(MAX_ROWS);
    let mut rows = found[..found.len() - more].join("\n");
    if more > 0 {
        rows += &format!("\n[{more} more; narrow it down]");
    }
    Ok(rows)
}

fn matcher(glob: Option<&str>) -> Result<Option<GlobMatcher>, String> {
    let make = |text: &str| {
        // A bare name pattern means that name anywhere, as in every search tool.
        let anywhere = if text.contains('/') { text.to_owned() } else { format!("**/{text}") };
        Glob::new(&anywhere)
            .map(|g| g.compile_matcher())
            .map_err(|e| format!("`{text}` is no glob: {e}"))
    };
    glob.map(make).transpose()
}

pub(super) fn search(gate: &Gate, caller: &Caller, args: &SearchArgs) -> ToolResult {
    let glob = matcher(args.glob.as_deref())?;
    let regex = RegexMatcherBuilder::new()
        .line_terminator(Some(b'\n'))
        .build(&args.pattern)
        .map_err(|e| format!("`{}` is no regular expression: {e}", args.pattern))?;
    let mut rows = Vec::new();
    for file in gate.workspace().paths().map_err(|e| e.to_string())? {
        if rows.len() > MAX_ROWS || glob.as_ref().is_some_and(|g| !g.is_match(file.as_str())) {
            continue;
        }
        // Files that are not text cannot be searched, which is no error of the call.
        let Ok(Some(text)) = text(gate, caller, &file) else {
            continue;
        };
        let sink = sinks::Lossy(|line, text| {
            let shown: String = text.trim_end().chars().take(MAX_ROW).collect();
            rows.push(format!("{file}:{line}: {shown}"));
            Ok(rows.len() <= MAX_ROWS)
        });
        Searcher::new()
            .search_slice(&regex, text.as_bytes(), sink)
            .map_err(|e| format!("failed to search {file}: {e}"))?;
    }
    if rows.len() > MAX_ROWS {
        rows.truncate(MAX_ROWS);
        rows.push("[more matches; narrow it down]".to_owned());
    }
    Ok(if rows.is_empty() { "no matches".to_owned() } else { rows.join("\n") })
}
