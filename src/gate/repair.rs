//! Repair before a refusal: what a compiler or a server vouches for is mended without asking who proposed the change.
//!
//! Only in files that the change itself writes, and only where there is exactly one certain remedy. It proves nothing:
//! whatever it makes goes through every stage again.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Remedy};
use super::language;
use super::report::Repair;
use crate::workspace::change::{Change, ChangeSet, Edit};
use crate::workspace::path::RelPath;
use crate::workspace::resolve::{Resolved, ResolvedFile};

/// With more new errors than this, mending them one by one is not what is needed.
pub(super) const MOST: usize = 8;

/// The candidate with the certain remedies applied, as a change-set against the same base, and what was mended; `None` when
/// nothing could be.
pub(super) fn mended(
    change: &ChangeSet,
    resolved: &Resolved,
    round: u8,
    offers: &[(Diagnostic, Vec<Remedy>)],
) -> Option<(ChangeSet, Vec<Repair>)> {
    let mut edits: BTreeMap<RelPath, Vec<Edit>> = BTreeMap::new();
    let mut repairs = Vec::new();
    for (diagnostic, remedies) in offers {
        let Some(remedy) = choose(&diagnostic.path, remedies) else {
            continue;
        };
        if add(&mut edits, &remedy.change, resolved) {
            repairs.push(Repair {
                round,
                path: diagnostic.path.clone(),
                code: diagnostic.code.clone(),
                message: diagnostic.message.lines().next().unwrap_or_default().to_owned(),
                title: remedy.title.clone(),
            });
        }
    }
    let texts = edits.into_iter().map(|(path, edits)| {
        let text = written(resolved, &path)?.result.as_deref()?;
        let mended = apply(text, edits)?;
        Some((path, mended))
    });
    let texts: BTreeMap<RelPath, String> = texts.collect::<Option<_>>()?;
    (!texts.is_empty()).then(|| (with_texts(change, texts), repairs))
}

/// The one remedy that its author vouches for; where there is none, the one that only brings a name in.
fn choose<'a>(path: &RelPath, remedies: &'a [Remedy]) -> Option<&'a Remedy> {
    let sole = |wanted: &dyn Fn(&&Remedy) -> bool| {
        let mut found = remedies.iter().filter(wanted);
        found.next().filter(|_| found.next().is_none())
    };
    if remedies.iter().any(|remedy| remedy.certain) {
        return sole(&|remedy| remedy.certain);
    }
    let starts = &language::for_path(path)?.imports;
    sole(&|remedy| brings_in(starts, &remedy.change))
}

/// Whether all that a change does is to add lines that begin like this.
fn brings_in(starts: &[String], change: &ChangeSet) -> bool {
    let is_import = |edit: &Edit| {
        let Edit::Span { start, end, new } = edit else {
            return false;
        };
        start == end && starts.iter().any(|begin| new.trim_start().starts_with(begin.as_str()))
    };
    matches!(change.changes.as_slice(), [Change::Edit { edits, .. }] if edits.iter().all(is_import))
}

/// Adds the edits of a remedy, all or none: each in a file that the change writes, and none across another.
fn add(edits: &mut BTreeMap<RelPath, Vec<Edit>>, change: &ChangeSet, resolved: &Resolved) -> bool {
    let mut all = edits.clone();
    for change in &change.changes {
        let Change::Edit { path, edits: more } = change else {
            return false;
        };
        if written(resolved, path).is_none() {
            return false;
        }
        let list = all.entry(path.clone()).or_default();
        for edit in more {
            if list.contains(edit) {
                continue;
            }
            if list.iter().any(|other| collide(other, edit)) {
                return false;
            }
            list.push(edit.clone());
        }
    }
    *edits = all;
    true
}

/// A file that the change writes; one that only moves must stay what it was.
fn written<'a>(resolved: &'a Resolved, path: &RelPath) -> Option<&'a ResolvedFile> {
    let file = resolved.files.iter().find(|file| file.path == *path)?;
    (file.result.is_some() && file.renamed_from.is_none()).then_some(file)
}

fn collide(a: &Edit, b: &Edit) -> bool {
    match (a, b) {
        (Edit::Span { start: a, end: b, .. }, Edit::Span { start: c, end: d, .. }) => {
            // Two insertions at one place would have to be put in an order that nobody gave.
            (a < d && c < b) || a == c
        }
        _ => true,
    }
}

fn apply(text: &str, edits: Vec<Edit>) -> Option<String> {
    let mut spans: Vec<(usize, usize, String)> = Vec::new();
    for edit in edits {
        match edit {
            Edit::Span { start, end, new } => spans.push((start, end, new)),
            Edit::Text { .. } => return None,
        }
    }
    spans.sort_unstable();
    let mut mended = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end, new) in spans {
        mended.push_str(text.get(at..start)?);
        mended.push_str(&new);
        at = end;
    }
    mended.push_str(text.get(at..)?);
    Some(mended)
}

/// The change with these texts in place of what it made of those files.
fn with_texts(change: &ChangeSet, mut texts: BTreeMap<RelPath, String>) -> ChangeSet {
    let whole = |change: &Change| match texts.remove(change.path()) {
        Some(content) => Change::Write { path: change.path().clone(), content },
        None => change.clone(),
    };
    ChangeSet { changes: change.changes.iter().map(whole).collect() }
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::{Range, Severity};
    use super::*;
    use crate::workspace::FileText;

    fn path(name: &str) -> RelPath {
        RelPath::new(name).expect("a good path")
    }

    fn offer(remedies: &[(&str, bool, usize, usize, &str)]) -> (Diagnostic, Vec<Remedy>) {
        let diagnostic = Diagnostic {
            path: path("a.rs"),
            range: Range::default(),
            severity: Severity::Error,
            code: Some("E1".to_owned()),
            message: "wrong\nmore".to_owned(),
            source: "test".to_owned(),
            remedies: Vec::new(),
        };
        let remedy = |(file, certain, start, end, new): &(&str, bool, usize, usize, &str)| {
            let edits = vec![Edit::Span { start: *start, end: *end, new: (*new).to_owned() }];
            let change = ChangeSet { changes: vec![Change::Edit { path: path(file), edits }] };
            Remedy { title: format!("put {new}"), change, certain: *certain }
        };
        (diagnostic, remedies.iter().map(remedy).collect())
    }

    fn run(offers: &[(Diagnostic, Vec<Remedy>)]) -> Option<(String, usize)> {
        let edits = vec![Edit::Text { old: "x".to_owned(), new: "one two".to_owned() }];
        let change = ChangeSet { changes: vec![Change::Edit { path: path("a.rs"), edits }] };
        let file = ResolvedFile {
            path: path("a.rs"),
            base: Some(FileText::new("x".to_owned())),
            result: Some("one two".to_owned()),
            renamed_from: None,
        };
        let (change, repairs) = mended(&change, &Resolved { files: vec![file] }, 1, offers)?;
        match change.changes.as_slice() {
            [Change::Write { content, .. }] => Some((content.clone(), repairs.len())),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_certain_is_mended_once() {
        let two = [offer(&[("a.rs", true, 0, 3, "1")]), offer(&[("a.rs", true, 4, 7, "2")])];
        assert_eq!(run(&two), Some(("1 2".to_owned(), 2)));
        let same = [offer(&[("a.rs", true, 0, 3, "1")]), offer(&[("a.rs", true, 0, 3, "1")])];
        assert_eq!(run(&same), Some(("1 two".to_owned(), 2)));
    }

    #[test]
    fn what_is_doubtful_is_left_alone() {
        assert_eq!(run(&[offer(&[("a.rs", false, 0, 3, "1")])]), None);
        let either = offer(&[("a.rs", true, 0, 3, "1"), ("a.rs", true, 0, 3, "2")]);
        assert_eq!(run(&[either]), None);
        let import = offer(&[("a.rs", false, 0, 3, "1"), ("a.rs", false, 0, 0, "use b::one;\n")]);
        assert_eq!(run(&[import]), Some(("use b::one;\none two".to_owned(), 1)));
        let two = offer(&[
            ("a.rs", false, 0, 0, "use b::one;\n"),
            ("a.rs", false, 0, 0, "use c::one;\n"),
        ]);
        assert_eq!(run(&[two]), None);
        assert_eq!(run(&[offer(&[("other.rs", true, 0, 3, "1")])]), None);
        assert_eq!(run(&[offer(&[("a.rs", true, 0, 99, "1")])]), None);
    }
}
