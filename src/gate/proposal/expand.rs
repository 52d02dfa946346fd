//! From operations to plain changes. Whatever edits one file is put into one change, so that overlaps are seen and refused.

use std::collections::BTreeMap;

use globset::{Glob, GlobMatcher};

use super::{Expanded, Operation, Proposal, ProposedEdit, symbol};
use crate::gate::code::{Pattern, rewrite};
use crate::gate::lookup::Renamed;
use crate::gate::prepare::syntax::Grammar;
use crate::workspace::resolve::Overlaid;
use crate::workspace::snapshot::is_reserved;
use crate::workspace::{
    ApplyProblem, BaseTexts, Change, ChangeSet, Edit, FileText, OpenTexts, RelPath, Workspace,
};

/// The most places, and files, of one replacement.
const MOST: usize = 5_000;

/// The renames of a proposal, by the number of the operation.
pub(super) type Renames = BTreeMap<usize, Result<Renamed, String>>;

pub(super) fn expand(
    workspace: &Workspace,
    open: &OpenTexts,
    proposal: Proposal,
    mut renames: Renames,
) -> Result<Expanded, Vec<ApplyProblem>> {
    let mut making = Making {
        texts: Overlaid { workspace, open },
        done: Expanded::default(),
        problems: Vec::new(),
    };
    for (index, operation) in proposal.changes.into_iter().enumerate() {
        match operation {
            Operation::Edit { path, edits } => making.edit(&path, edits),
            Operation::Write { path, content } => making.put(Change::Write { path, content }),
            Operation::Delete { path } => making.put(Change::Delete { path }),
            Operation::Rename { path, to } => making.put(Change::Rename { path, to }),
            Operation::ReplaceCode { pattern, with, glob } => {
                if let Err(why) = making.replace_code(&pattern, &with, glob.as_deref()) {
                    making.refuse(None, format!("replace_code: {why}"));
                }
            }
            Operation::RenameSymbol { path, symbol, to, .. } => match renames.remove(&index) {
                Some(Ok(renamed)) => making.rename(&symbol, &to, renamed),
                Some(Err(why)) => making.refuse(Some(&path), format!("rename_symbol: {why}")),
                None => {
                    making.refuse(Some(&path), "rename_symbol: it was not asked for".to_owned())
                }
            },
        }
    }
    if making.problems.is_empty() { Ok(making.done) } else { Err(making.problems) }
}

struct Making<'a> {
    texts: Overlaid<'a>,
    done: Expanded,
    problems: Vec<ApplyProblem>,
}

impl Making<'_> {
    fn refuse(&mut self, path: Option<&RelPath>, message: String) {
        let path = path.cloned().or_else(|| RelPath::new("change-set").ok());
        let problem = |path| ApplyProblem { path, line: 0, message, frame: String::new() };
        self.problems.extend(path.map(problem));
    }

    fn put(&mut self, change: Change) {
        self.done.change.changes.push(change);
    }

    fn add(&mut self, path: &RelPath, more: impl IntoIterator<Item = Edit>) {
        for change in &mut self.done.change.changes {
            if let Change::Edit { path: known, edits } = change
                && known == path
            {
                edits.extend(more);
                return;
            }
        }
        self.put(Change::Edit { path: path.clone(), edits: more.into_iter().collect() });
    }

    fn edit(&mut self, path: &RelPath, edits: Vec<ProposedEdit>) {
        let mut base: Option<FileText> = None;
        for edit in edits {
            if edit.symbol.is_some() && base.is_none() {
                base = self.texts.read(path).ok().flatten();
            }
            match plain(path, edit, base.as_ref()) {
                Ok((edit, counted)) => {
                    if let (true, Some(base)) = (counted, &base) {
                        self.done.bases.insert(path.clone(), base.hash.clone());
                    }
                    self.add(path, [edit]);
                }
                Err(why) => self.refuse(Some(path), why),
            }
        }
        // A change without edits is left to those who refuse it.
        self.add(path, []);
    }

    fn rename(&mut self, symbol: &str, to: &str, renamed: Renamed) {
        let ChangeSet { changes } = renamed.change;
        let files = changes.len();
        let mut places = 0;
        for change in changes {
            match change {
                Change::Edit { path, edits } => {
                    places += edits.len();
                    self.add(&path, edits);
                }
                other => self.put(other),
            }
        }
        self.done.bases.extend(renamed.bases);
        self.done.notes.push(format!(
            "rename_symbol {symbol} to {to}: {} in {}",
            count(places, "place"),
            count(files, "file")
        ));
    }

    fn replace_code(
        &mut self,
        pattern: &str,
        with: &str,
        glob: Option<&str>,
    ) -> Result<(), String> {
        let glob = glob.map(matcher).transpose()?;
        let mut patterns = Patterns::new(pattern);
        let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut paths = self.texts.workspace.paths().map_err(|error| error.to_string())?;
        paths.extend(self.texts.open.keys().filter(|path| !is_reserved(path)).cloned());
        paths.sort();
        paths.dedup();
        for path in paths {
            if glob.as_ref().is_some_and(|glob| !glob.is_match(path.as_str())) {
                continue;
            }
            let Some(grammar) = Grammar::for_path(&path) else { continue };
            let Some(read) = patterns.of(grammar) else { continue };
            // What is no text holds no code.
            let Ok(Some(base)) = self.texts.read(&path) else { continue };
            let done = rewrite::replace(grammar, read, with, &base.text);
            let Some(done) = done.map_err(|why| format!("{path}: {why}"))? else { continue };
            let counted = places.entry(grammar.of_language()).or_default();
            *counted = (counted.0 + done.count, counted.1 + 1);
            if counted.0 > MOST {
                return Err(format!("more than {MOST} places; narrow `glob` down"));
            }
            let spans = done.edits.into_iter();
            self.add(
                &path,
                spans.map(|(range, new)| Edit::Span { start: range.start, end: range.end, new }),
            );
            self.done.bases.insert(path, base.hash);
        }
        let known: Vec<String> = places
            .iter()
            .map(|(language, (places, _))| format!("{places} in {language}"))
            .collect();
        match places.values().next() {
            None => Err(patterns.nowhere()),
            Some(_) if places.len() > 1 && glob.is_none() => Err(format!(
                "it stands in several languages ({}); say which by `glob`",
                known.join(", ")
            )),
            Some(_) => {
                let sum = |of: fn(&(usize, usize)) -> usize| places.values().map(of).sum::<usize>();
                let (places, files) = (sum(|n| n.0), sum(|n| n.1));
                self.done.notes.push(format!(
                    "replace_code `{pattern}`: {} in {}",
                    count(places, "place"),
                    count(files, "file")
                ));
                Ok(())
            }
        }
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A name pattern without a folder means that name anywhere.
fn matcher(glob: &str) -> Result<GlobMatcher, String> {
    let anywhere = if glob.contains('/') { glob.to_owned() } else { format!("**/{glob}") };
    let made = Glob::new(anywhere.trim_start_matches("./"));
    made.map(|glob| glob.compile_matcher()).map_err(|error| format!("`{glob}` is no glob: {error}"))
}

/// A pattern, read once for each grammar that is met.
struct Patterns<'p> {
    pattern: &'p str,
    read: Vec<(Grammar, Result<Pattern, String>)>,
}

impl<'p> Patterns<'p> {
    fn new(pattern: &'p str) -> Patterns<'p> {
        Patterns { pattern, read: Vec::new() }
    }

    fn of(&mut self, grammar: Grammar) -> Option<&Pattern> {
        let known = self.read.iter().position(|(known, _)| *known == grammar);
        let at = known.unwrap_or_else(|| {
            self.read.push((grammar, Pattern::new(grammar, self.pattern)));
            self.read.len() - 1
        });
        self.read.get(at).and_then(|(_, read)| read.as_ref().ok())
    }

    /// Why it stands nowhere.
    fn nowhere(&self) -> String {
        let all_bad = self.read.iter().all(|(_, read)| read.is_err());
        let why = self.read.iter().find_map(|(_, read)| read.as_ref().err()).filter(|_| all_bad);
        let nowhere = || {
            format!(
                "`{}` stands in no file of a known grammar; `code` with op match shows what does",
                self.pattern
            )
        };
        why.cloned().unwrap_or_else(nowhere)
    }
}

/// The plain edit, and whether it counts bytes of `base`.
fn plain(
    path: &RelPath,
    edit: ProposedEdit,
    base: Option<&FileText>,
) -> Result<(Edit, bool), String> {
    match edit {
        ProposedEdit { symbol: Some(name), old, at, new, start: None, end: None } => {
            let base = base.ok_or_else(|| {
                "there is no such text file to edit; create it with a write".to_owned()
            })?;
            let edit = symbol::edit(path, &base.text, &name, old.as_deref(), at, &new)?;
            Ok((edit, true))
        }
        ProposedEdit { symbol: None, old: Some(old), at: None, new, start: None, end: None } => {
            Ok((Edit::Text { old, new }, false))
        }
        ProposedEdit {
            symbol: None,
            old: None,
            at: None,
            new,
            start: Some(start),
            end: Some(end),
        } => Ok((Edit::Span { start, end, new }, false)),
        ProposedEdit { at: Some(_), symbol: None, .. } => {
            Err("an edit with `at` needs the `symbol` that it stands beside".to_owned())
        }
        _ => {
            Err("an edit needs `old`, the text to replace, or `symbol`, the item to replace"
                .to_owned())
        }
    }
}

#[cfg(test)]
#[path = "expand_tests.rs"]
mod tests;
