//! Code by its structure: outlines, items by name and patterns by tree-sitter; definitions, references and hovers through the
//! language servers. Names are found here and there, so that nobody counts columns.
//!
//! Where no server can be asked a definition is looked for by syntax, and the answer says so; the rest says what is missing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::schema::{Tool, object, plain, text as string};
use super::search::glob_set;
use super::{Caller, ToolResult, files, path};
use crate::gate::Gate;
use crate::gate::code::outline::listing;
use crate::gate::code::{Pattern, Symbol, line_at, matching, outline};
use crate::gate::prepare::syntax::Grammar;
use crate::gate::stage::{Found, Lookup, Spot, Wanted};
use crate::mission::conversation::Role;
use crate::workspace::RelPath;

/// The most rows of one answer.
const MAX_ROWS: usize = 300;
/// The longest row, in characters.
const MAX_ROW: usize = 240;

pub(super) const CODE: Tool = Tool {
    name: "code",
    description: "Code by structure. outline: items of path. symbols: items named so, anywhere. match: a pattern ($A one \
                  node, $$$ many). The rest: of symbol in path, by language server.",
    schema,
    roles: &[Role::Planner, Role::Worker, Role::Reviewer],
    repeatable: true,
};

fn schema() -> Value {
    let ops = json!({"enum": ["outline", "symbols", "match", "definition", "references", "hover"]});
    object(
        json!({
            "op": ops,
            "path": plain(),
            "symbol": string("such as Parser::parse"),
            "line": {"type": "integer"},
            "pattern": plain(),
            "glob": plain(),
        }),
        &["op"],
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeArgs {
    op: Op,
    path: Option<String>,
    symbol: Option<String>,
    line: Option<usize>,
    pattern: Option<String>,
    glob: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Op {
    Outline,
    Symbols,
    Match,
    Definition,
    References,
    Hover,
}

impl CodeArgs {
    /// What is asked of a language server.
    ///
    /// # Errors
    /// When what the question needs was not given.
    pub(super) fn lookup(&self) -> Result<Option<Lookup>, String> {
        let wanted = match self.op {
            Op::Definition => Wanted::Definition,
            Op::References => Wanted::References,
            Op::Hover => Wanted::Hover,
            Op::Outline | Op::Symbols | Op::Match => return Ok(None),
        };
        let symbol = given(self.symbol.as_ref(), "symbol")?.to_owned();
        let path = path(given(self.path.as_ref(), "path")?)?;
        Ok(Some(Lookup { path, symbol, line: self.line, wanted }))
    }
}

fn given<'a>(field: Option<&'a String>, name: &str) -> Result<&'a str, String> {
    let text = field.map(|text| text.trim()).filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("this op needs `{name}`"))
}

/// What tree-sitter answers.
pub(super) fn look(gate: &Gate, caller: &Caller, args: &CodeArgs) -> ToolResult {
    match args.op {
        Op::Outline => outline_of(gate, caller, &path(given(args.path.as_ref(), "path")?)?),
        Op::Match => matches(gate, caller, given(args.pattern.as_ref(), "pattern")?, args),
        _ => symbols(gate, caller, given(args.symbol.as_ref(), "symbol")?, args),
    }
}

fn outline_of(gate: &Gate, caller: &Caller, path: &RelPath) -> ToolResult {
    let text =
        files::text(gate, caller, path)?.ok_or_else(|| format!("there is no file {path}"))?;
    let symbols = outline(path, &text)
        .ok_or_else(|| format!("there is no grammar for {path}; read or search it"))?;
    Ok(if symbols.is_empty() { "no named items".to_owned() } else { listing(&symbols, &text) })
}

/// The files that are meant, with their texts, where `may` allows it; all of a known grammar.
fn each_file(
    gate: &Gate,
    caller: &Caller,
    args: &CodeArgs,
    mut visit: impl FnMut(&RelPath, Grammar, &str) -> Result<bool, String>,
) -> Result<(), String> {
    let globs = glob_set(&args.glob.iter().chain(&args.path).collect::<Vec<_>>())?;
    let mut paths = gate.workspace().paths().map_err(|e| e.to_string())?;
    paths.extend(caller.open.keys().cloned());
    paths.sort();
    paths.dedup();
    for path in paths {
        let Some(grammar) = Grammar::for_path(&path) else { continue };
        if globs.as_ref().is_some_and(|globs| !globs.is_match(path.as_str())) {
            continue;
        }
        let Ok(Some(text)) = files::text(gate, caller, &path) else { continue };
        if !visit(&path, grammar, &text)? {
            break;
        }
    }
    Ok(())
}

fn matches(gate: &Gate, caller: &Caller, pattern: &str, args: &CodeArgs) -> ToolResult {
    let mut read: Vec<(Grammar, Result<Pattern, String>)> = Vec::new();
    let mut rows = Vec::new();
    each_file(gate, caller, args, |path, grammar, text| {
        if !read.iter().any(|(known, _)| *known == grammar) {
            read.push((grammar, Pattern::new(grammar, pattern)));
        }
        let known = read.iter().find(|(known, _)| *known == grammar);
        let Some((_, Ok(pattern))) = known else { return Ok(true) };
        if pattern.may_stand_in(text)
            && let Some(tree) = grammar.parse(text)
        {
            let found =
                matching::matches(pattern, &tree, text).map_err(|why| format!("{path}: {why}"))?;
            for place in found {
                let (from, to) = (line_at(text, place.range.start), line_at(text, place.range.end));
                let lines = if from == to { from.to_string() } else { format!("{from}-{to}") };
                rows.push(row(path, &lines, text[place.range].lines().next().unwrap_or_default()));
            }
        }
        Ok(rows.len() <= MAX_ROWS)
    })?;
    let all_bad = !read.is_empty() && read.iter().all(|(_, read)| read.is_err());
    match read.into_iter().find_map(|(_, read)| read.err()).filter(|_| all_bad) {
        Some(why) => Err(why),
        None => Ok(shown(rows, "no matches")),
    }
}

fn row(path: &RelPath, line: &str, text: &str) -> String {
    let text: String = text.trim().chars().take(MAX_ROW).collect();
    format!("{path}:{line}: {text}")
}

fn shown(mut rows: Vec<String>, none: &str) -> String {
    if rows.is_empty() {
        return none.to_owned();
    }
    if rows.len() > MAX_ROWS {
        rows.truncate(MAX_ROWS);
        rows.push("[more; narrow it down by glob]".to_owned());
    }
    rows.join("\n")
}

/// The items whose path ends as `wanted` does, else those whose name holds it, whatever the case.
fn symbols(gate: &Gate, caller: &Caller, wanted: &str, args: &CodeArgs) -> ToolResult {
    let parts: Vec<&str> = wanted.split([':', '.', '#']).filter(|part| !part.is_empty()).collect();
    let last = parts.last().copied().unwrap_or_default().to_lowercase();
    let (mut exact, mut like) = (Vec::new(), Vec::new());
    each_file(gate, caller, args, |path, _, text| {
        // Most files do not hold the word; those are not parsed.
        if text.contains(&last) || text.to_lowercase().contains(&last) {
            for symbol in outline(path, text).unwrap_or_default() {
                let line = line_at(text, symbol.name.start).to_string();
                let shown =
                    || row(path, &line, &format!("{} ({})", symbol.head(text), symbol.label()));
                if ends_as(&symbol, &parts) {
                    exact.push(shown());
                } else if symbol.path.last().is_some_and(|name| name.to_lowercase().contains(&last))
                {
                    like.push(shown());
                }
            }
        }
        Ok(exact.len() <= MAX_ROWS)
    })?;
    Ok(shown(if exact.is_empty() { like } else { exact }, "no such item"))
}

fn ends_as(symbol: &Symbol, parts: &[&str]) -> bool {
    let path = &symbol.path;
    path.len() >= parts.len() && path[path.len() - parts.len()..] == *parts
}

/// What a language server answers; a definition by syntax where none can.
pub(super) async fn ask(
    gate: &Gate,
    caller: &Caller,
    lookup: &Lookup,
) -> Result<ToolResult, String> {
    let found = gate.look_up(lookup, &caller.open).await.map_err(|e| e.to_string())?;
    Ok(match found {
        Ok(Found::Spots { inside, outside }) => {
            let inside =
                inside.iter().map(|Spot { path, line, text }| row(path, &line.to_string(), text));
            let outside =
                outside.into_iter().map(|place| format!("{place} (outside of the workspace)"));
            Ok(shown(inside.chain(outside).collect(), "the server knows none"))
        }
        Ok(Found::Text(text)) if text.trim().is_empty() => {
            Ok("the server says nothing of it".to_owned())
        }
        Ok(Found::Text(text)) => Ok(text),
        Ok(Found::Change { .. }) => Err("internal error: a rename was answered".to_owned()),
        Err(why) => Err(why),
    })
}

/// The definitions of a name by syntax alone: every item of that name in files of the same language.
pub(super) fn defined(gate: &Gate, caller: &Caller, lookup: &Lookup, why: &str) -> ToolResult {
    let kind = lookup.path.extension().map(|extension| format!("*.{extension}"));
    let bare = lookup.symbol.rsplit([':', '.', '#']).find(|part| part.parse::<usize>().is_err());
    let args = CodeArgs {
        op: Op::Symbols,
        path: None,
        symbol: None,
        line: None,
        pattern: None,
        glob: kind,
    };
    let name = bare.unwrap_or(&lookup.symbol);
    let rows = symbols(gate, caller, name, &args)?;
    Ok(format!("{rows}\n[items of that name by syntax alone: {why}]"))
}
