//! Exports that are gone while something in the tree still imports them.
//!
//! Imports are followed only where that is certain: relative paths in TypeScript, JavaScript and Python, modules below
//! the root in Python, `use crate::…` in Rust. Where it is not, nothing is said: the compiler decides later.

use std::collections::BTreeSet;

use super::super::diagnostic::{Diagnostic, Place, Range};
use super::super::language;
use super::hits::{Hit, breach, hits};
use super::rule::{self, Fires};
use super::thorough::View;
use super::units::words;
use crate::gate::prepare::syntax::Grammar;
use crate::workspace::path::RelPath;

/// The files that a change-set leaves alone, as they would stand beside it.
pub trait Around {
    /// Whether a file stands at `path` after the change, changed or not.
    fn has(&self, path: &str) -> bool;
    /// The unchanged files.
    fn paths(&self) -> Vec<RelPath>;
    /// The text of an unchanged file; `None` where it is no text.
    fn text(&self, path: &RelPath) -> Option<String>;
}

/// An export that is gone.
struct Gone<'v, 'r> {
    file: &'v RelPath,
    grammar: Grammar,
    hit: &'v Hit<'r>,
    name: &'v str,
    line: usize,
}

impl Gone<'_, '_> {
    /// What every text holds that imports it: its name, or, as a default has none, that of its file.
    fn written(&self) -> &str {
        if self.name != "default" {
            return self.name;
        }
        let path = self.file.as_str();
        let mut parts = path.rsplit('/').map(|part| part.split('.').next().unwrap_or_default());
        parts.find(|part| *part != "index").unwrap_or_default()
    }
}

/// An import: the name, and where from.
struct Import {
    name: String,
    source: String,
}

/// The exports of the change-set that are gone and missed.
pub fn missed(views: &[View<'_, '_>], around: &dyn Around) -> Vec<Diagnostic> {
    let gone: Vec<Gone<'_, '_>> = views.iter().flat_map(|view| gone(view, views)).collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let mut open: Vec<Option<RelPath>> = vec![None; gone.len()];
    let mut look = |path: &RelPath, text: &str, imports: &dyn Fn() -> Vec<Import>| {
        let named = |at: &usize| open[*at].is_none() && text.contains(gone[*at].written());
        let asked: Vec<usize> = (0..gone.len()).filter(named).collect();
        if asked.is_empty() {
            return;
        }
        let imports = imports();
        for at in asked {
            if imports.iter().any(|import| is_of(import, path, &gone[at], around)) {
                open[at] = Some(path.clone());
            }
        }
    };
    for view in views {
        if let Some(text) = view.file.after {
            look(view.file.path, text, &|| view.after.iter().filter_map(import).collect());
        }
    }
    let grammars: Vec<Grammar> = gone.iter().map(|gone| gone.grammar).collect();
    for path in around.paths() {
        let Some(grammar) = Grammar::for_path(&path) else { continue };
        if grammars.iter().any(|gone| related(*gone, grammar))
            && let Some(text) = around.text(&path)
        {
            look(&path, &text, &|| imports_of(&path, grammar, &text));
        }
    }
    let found = gone.iter().zip(open).filter_map(|(gone, by)| Some(report(gone, &by?)));
    found.collect()
}

/// The exports of a file that are gone for certain.
fn gone<'v, 'r>(view: &'v View<'_, 'r>, views: &'v [View<'_, 'r>]) -> Vec<Gone<'v, 'r>> {
    let Some(grammar) = view.file.grammar.filter(|_| !view.file.moved) else {
        return Vec::new();
    };
    let now: BTreeSet<&str> = view.after.iter().filter_map(export).collect();
    if now.contains("*") {
        return Vec::new();
    }
    // Only in TypeScript and JavaScript does the export alone say what a file offers.
    let is_explicit = related(grammar, Grammar::TypeScript);
    let left: BTreeSet<&str> = words(view.file.after.unwrap_or_default()).collect();
    let elsewhere = |name: &str| {
        let others = views.iter().filter(|other| other.file.path != view.file.path);
        others.flat_map(|other| &other.after).filter_map(export).any(|other| other == name)
    };
    let is_gone = |name: &str| {
        !now.contains(name) && (is_explicit || !left.contains(name) && !elsewhere(name))
    };
    let exports = view.before.iter().filter_map(|hit| Some((hit, export(hit)?)));
    let mut found: Vec<Gone<'v, 'r>> = Vec::new();
    for (hit, name) in exports.filter(|(_, name)| is_gone(name) && *name != "*") {
        if found.iter().all(|known| known.name != name) {
            let line = hit.range.start.line as usize;
            let hunk = view.file.hunks.iter().find(|hunk| hunk.before.lines.end > line);
            let line = hunk.map_or(0, |hunk| hunk.after.lines.start);
            let line = if view.file.after.is_some() { line } else { 0 };
            found.push(Gone { file: view.file.path, grammar, hit, name, line });
        }
    }
    found
}

fn export<'h>(hit: &'h Hit<'_>) -> Option<&'h str> {
    let is_export = hit.rule.header.fires == Fires::Missed && hit.source.is_none();
    hit.name.as_deref().filter(|_| is_export)
}

fn import(hit: &Hit<'_>) -> Option<Import> {
    let is_import = hit.rule.header.fires == Fires::Missed;
    let (name, source) = hit.name.clone().zip(hit.source.clone()).filter(|_| is_import)?;
    Some(Import { name, source })
}

/// What an unchanged file imports, by the rules that come with its grammar.
fn imports_of(path: &RelPath, grammar: Grammar, text: &str) -> Vec<Import> {
    let Some(language) = language::all().iter().find(|l| l.name == grammar.of_language()) else {
        return Vec::new();
    };
    // A rule of ours that cannot be compiled was told before anything came here.
    let (Ok(set), Some(tree)) = (rule::built_in(language, grammar), grammar.parse(text)) else {
        return Vec::new();
    };
    let whole = 0..text.len();
    hits(&[set], path, &tree, text, std::slice::from_ref(&whole))
        .iter()
        .filter_map(import)
        .collect()
}

fn related(a: Grammar, b: Grammar) -> bool {
    let script = |g| matches!(g, Grammar::TypeScript | Grammar::Tsx | Grammar::JavaScript);
    a == b || script(a) && script(b)
}

/// Whether an import of the file `by` means this export.
fn is_of(import: &Import, by: &RelPath, gone: &Gone<'_, '_>, around: &dyn Around) -> bool {
    if import.name != gone.name {
        return false;
    }
    let places = match gone.grammar {
        Grammar::Rust => rust_places(&import.source, by),
        Grammar::Python => python_places(&import.source, by),
        Grammar::TypeScript | Grammar::Tsx | Grammar::JavaScript => {
            script_places(&import.source, by)
        }
        Grammar::Go => Vec::new(),
    };
    let is_module = gone.grammar == Grammar::Python
        && python_places(&format!("{}.{}", import.source, import.name), by)
            .iter()
            .any(|place| around.has(place));
    if is_module {
        return false;
    }
    match places.iter().find(|place| around.has(place)) {
        Some(place) => place == gone.file.as_str(),
        // The file itself is gone, and nothing stands in its place.
        None => places.iter().any(|place| place == gone.file.as_str()),
    }
}

/// The folder of a file, without the `/`; empty for the root.
fn folder(path: &RelPath) -> &str {
    path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `path` seen from `folder`; `None` when it leads out of the workspace.
fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

const SCRIPTS: &[&str] = &["ts", "tsx", "d.ts", "mts", "cts", "js", "jsx", "mjs", "cjs"];

/// The files that a relative import of TypeScript or JavaScript may mean, likeliest first.
fn script_places(source: &str, by: &RelPath) -> Vec<String> {
    let source = source.trim_matches(['"', '\'', '`']);
    if !source.starts_with('.') {
        return Vec::new();
    }
    let Some(place) = join(folder(by), source) else { return Vec::new() };
    let mut places = vec![place.clone()];
    let stem = [".js", ".jsx", ".mjs", ".cjs"].iter().find_map(|end| place.strip_suffix(end));
    for stem in stem.into_iter().chain([place.as_str()]) {
        places.extend(SCRIPTS.iter().map(|extension| format!("{stem}.{extension}")));
    }
    places.extend(SCRIPTS.iter().map(|extension| format!("{place}/index.{extension}")));
    places
}

/// The files that `from source import …` may mean.
fn python_places(source: &str, by: &RelPath) -> Vec<String> {
    let name = source.trim_start_matches('.');
    let dots = source.len() - name.len();
    let path = name.replace('.', "/");
    let roots = match dots {
        0 => vec![Some(String::new()), Some("src".to_owned())],
        1 => vec![Some(folder(by).to_owned())],
        more => vec![join(folder(by), &"../".repeat(more - 1))],
    };
    let modules = roots.into_iter().flatten().filter_map(|root| join(&root, &path));
    let files = modules.flat_map(|module| {
        let package = format!("{module}/__init__.py");
        [
            format!("{module}.py"),
            format!("{module}.pyi"),
            package.trim_start_matches('/').to_owned(),
        ]
    });
    files.collect()
}

/// The files that the module `crate::…` may be.
fn rust_places(source: &str, by: &RelPath) -> Vec<String> {
    let by = by.as_str();
    let at = if by.starts_with("src/") { Some(4) } else { by.rfind("/src/").map(|at| at + 5) };
    let (Some(at), Some(module)) = (at, source.strip_prefix("crate::")) else {
        return Vec::new();
    };
    // A program of its own has a root of its own.
    if by[at..].starts_with("bin/") {
        return Vec::new();
    }
    let path = format!("{}{}", &by[..at], module.replace("::", "/"));
    vec![format!("{path}.rs"), format!("{path}/mod.rs")]
}

fn report(gone: &Gone<'_, '_>, by: &RelPath) -> Diagnostic {
    let place = Place { line: u32::try_from(gone.line).unwrap_or(u32::MAX), column: 0 };
    let message = gone.hit.rule.header.message.replace("{name}", gone.name);
    let message = format!("{message} (in `{by}`)");
    breach(gone.file, Range { start: place, end: place }, gone.hit.rule, &message)
}
