//! Reading and listing the workspace, unsaved editor texts included, and results that were kept.

use serde::Deserialize;
use serde_json::{Value, json};

use super::schema::{ALL, Tool, WORKER_AND_REVIEWER, line, object, plain, text as string};
use super::search::glob_set;
use super::{Caller, ToolResult, path, results};
use crate::gate::Gate;
use crate::gate::code::outline::find;
use crate::gate::code::{line_at, outline};
use crate::workspace::RelPath;
use crate::workspace::resolve::{BaseTexts, Overlaid};

/// The most lines that one `read` hands back.
const MAX_LINES: usize = 600;
/// The most bytes of them: a `read` goes on by lines, and is never kept as a long result.
const MAX_BYTES: usize = 28 * 1024;
/// The most bytes that it shows of one line.
const MAX_LINE: usize = 4 * 1024;
/// The most paths of one `list`.
const MAX_ROWS: usize = 300;

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
        json!({"path": path, "from": line("first line, 1-based"), "to": line("last line"), "symbol": plain()}),
        &["path"],
    )
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
    symbol: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListArgs {
    pub path: Option<String>,
    #[serde(default)]
    glob: Option<String>,
}

pub(super) fn read(gate: &Gate, caller: &Caller, args: &ReadArgs) -> ToolResult {
    if let Some(name) = results::name(&args.path) {
        return lines(&args.path, &results::read(gate, caller, name)?, args.from, args.to);
    }
    let path = path(&args.path)?;
    let text = text(gate, caller, &path)?.ok_or_else(|| format!("there is no file {path}"))?;
    let Some(symbol) = args.symbol.as_ref().filter(|symbol| !symbol.trim().is_empty()) else {
        return lines(path.as_str(), &text, args.from, args.to);
    };
    let symbols = outline(&path, &text)
        .ok_or_else(|| format!("the items of {path} are not known; read it by lines"))?;
    let found = find(&symbols, symbol, &text)?;
    let last = line_at(&text, found.core.end.saturating_sub(1));
    lines(path.as_str(), &text, Some(line_at(&text, found.whole.start)), Some(last))
}

/// Some lines of a text, as many as fit. What is not the whole begins with a line that says which ones.
fn lines(name: &str, text: &str, from: Option<usize>, to: Option<usize>) -> ToolResult {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let from = from.unwrap_or(1).max(1);
    if from > lines.len() {
        return Ok(format!("{name} has {} lines", lines.len()));
    }
    let wanted = to.unwrap_or(lines.len()).min(lines.len()).min(from.saturating_add(MAX_LINES - 1));
    let mut body = String::new();
    let mut to = from - 1;
    for line in lines.iter().take(wanted).skip(from - 1) {
        if body.len() + line.len().min(MAX_LINE) > MAX_BYTES && to >= from {
            break;
        }
        body += &cut(line);
        to += 1;
    }
    if from == 1 && to == lines.len() {
        return Ok(body);
    }
    Ok(format!("[lines {from} to {to} of {}]\n{body}", lines.len()))
}

/// A line, or the beginning of one that no person wrote.
fn cut(line: &str) -> std::borrow::Cow<'_, str> {
    if line.len() <= MAX_LINE {
        return line.into();
    }
    let end = (0..=MAX_LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or_default();
    format!("{}…[{} more bytes in this line]\n", &line[..end], line.len() - end).into()
}

pub(super) fn text(gate: &Gate, caller: &Caller, path: &RelPath) -> Result<Option<String>, String> {
    let base = Overlaid { workspace: gate.workspace(), open: &caller.open };
    base.read(path).map(|file| file.map(|f| f.text)).map_err(|e| e.to_string())
}

pub(super) fn list(gate: &Gate, args: &ListArgs) -> ToolResult {
    let glob = glob_set(&args.glob.iter().collect::<Vec<_>>())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_paged_by_lines_and_never_too_long() {
        let text: String = (1..=2_000).map(|n| format!("{n} {}\n", "x".repeat(95))).collect();
        let mut next = 1;
        let mut seen = String::new();
        while next <= 2_000 {
            let page = lines("a", &text, Some(next), None).unwrap();
            assert!(page.len() < super::super::MAX_RESULT, "{}", page.len());
            let (head, body) = page.split_once('\n').unwrap();
            let to: usize = head.split(' ').nth(3).unwrap().parse().unwrap();
            assert!(head.starts_with(&format!("[lines {next} to {to} of 2000]")), "{head}");
            assert!(to >= next, "it goes on");
            seen += body;
            next = to + 1;
        }
        assert_eq!(seen, text, "nothing is left out between two pages");
        assert_eq!(lines("a", "one\ntwo", None, None).unwrap(), "one\ntwo");
        assert_eq!(lines("a", "one\ntwo", Some(2), Some(9)).unwrap(), "[lines 2 to 2 of 2]\ntwo");
        assert_eq!(lines("a", "one\n", Some(5), None).unwrap(), "a has 1 lines");
    }

    #[test]
    fn a_line_that_no_person_wrote_is_cut() {
        let page = lines("a", &"ü".repeat(50_000), None, None).unwrap();
        assert!(page.len() < MAX_LINE + 100 && page.contains("more bytes in this line"), "{page}");
    }
}
