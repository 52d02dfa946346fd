//! Change-sets for one cluster, best first: everything certain at once, then everything likely, then piece by piece.
//!
//! It must not judge what it proposes; the gate does.

use std::collections::BTreeSet;

use super::complete::complete;
use super::kind::Kind;
use super::merge::Merged;
use super::plan::Cluster;
use crate::gate::diagnostic::{Diagnostic, Place, Remedy};
use crate::gate::stage::Boxed;
use crate::workspace::change::{Change, ChangeSet, Edit};
use crate::workspace::path::RelPath;

/// No more than so many candidates a cluster.
const CANDIDATES: usize = 12;
/// No more than so many remedies of one diagnostic are tried.
const OPTIONS: usize = 4;

/// Where diagnostics and quick fixes come from.
pub trait Remedies: Send + Sync {
    /// Everything that the compilers say of the current text.
    fn diagnostics(&self) -> Boxed<'_, Vec<Diagnostic>>;
    /// What the language servers offer for one of them; spans are those of the current text.
    fn quick_fixes<'a>(&'a self, diagnostic: &'a Diagnostic) -> Boxed<'a, Vec<Remedy>>;
}

/// Something that a person should decide later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file.
    pub path: RelPath,
    /// The place, in the text before the change.
    pub place: Place,
    /// One sentence.
    pub text: String,
}

/// A change-set that may mend a cluster, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The change, by byte spans of the current text.
    pub change: ChangeSet,
    /// For people.
    pub title: String,
    /// What the reviewer should raise once it is applied.
    pub notes: Vec<Note>,
}

/// One remedy of one diagnostic.
struct Choice<'a> {
    diagnostic: &'a Diagnostic,
    remedy: Remedy,
    note: Option<Note>,
}

/// The candidates for a cluster. None, when nothing is open any more ([`Cluster::open`]) or no honest remedy exists. A
/// candidate may mend only a part; when it is applied, ask again.
pub async fn propose(cluster: &Cluster, remedies: &dyn Remedies) -> Vec<Candidate> {
    let current = remedies.diagnostics().await;
    let mut choices: Vec<Vec<Choice<'_>>> = Vec::new();
    for diagnostic in cluster.open(&current) {
        let options = options(cluster.kind, diagnostic, remedies).await;
        if !options.is_empty() {
            choices.push(options);
        }
    }
    candidates(cluster, &choices)
}

/// The remedies of one diagnostic, best first.
async fn options<'a>(
    kind: Kind,
    diagnostic: &'a Diagnostic,
    remedies: &dyn Remedies,
) -> Vec<Choice<'a>> {
    let compilers: Vec<Remedy> = diagnostic.remedies.clone();
    let certain = compilers.iter().any(|remedy| remedy.certain);
    // Servers are asked only where the compiler has nothing certain: a question costs, and it may start one.
    let servers = if certain && !kind.is_servers_own() {
        Vec::new()
    } else {
        remedies.quick_fixes(diagnostic).await
    };
    let mut suited: Vec<(usize, Remedy)> = servers
        .into_iter()
        .filter_map(|remedy| Some((kind.suits(&remedy.title)?, remedy)))
        .collect();
    suited.sort_by_key(|(rank, remedy)| (*rank, !remedy.certain));
    let servers = suited.into_iter().map(|(_, remedy)| remedy);
    let mut compilers = compilers;
    compilers.sort_by_key(|remedy| !remedy.certain);
    let all: Vec<Remedy> = if kind.is_servers_own() {
        servers.chain(compilers).collect()
    } else {
        compilers.into_iter().chain(servers).collect()
    };
    let mut choices: Vec<Choice<'a>> = Vec::new();
    for choice in all.into_iter().filter_map(|remedy| completed(kind, diagnostic, remedy)) {
        if !choices.iter().any(|other| other.remedy.change == choice.remedy.change) {
            choices.push(choice);
        }
    }
    choices.truncate(OPTIONS);
    choices
}

/// The remedy with real code where it had placeholders.
fn completed(kind: Kind, diagnostic: &Diagnostic, mut remedy: Remedy) -> Option<Choice<'_>> {
    for change in &mut remedy.change.changes {
        let Change::Edit { edits, .. } = change else {
            return None;
        };
        for edit in edits {
            let Edit::Span { new, .. } = edit else {
                return None;
            };
            // A placeholder of the compiler's: `/* value */`.
            if new.contains("/* ") {
                return None;
            }
            if kind.fills_in() {
                *new = without_repeats(&complete(new)?);
            }
        }
    }
    let note = kind.fills_in().then(|| Note {
        path: diagnostic.path.clone(),
        place: diagnostic.range.start,
        text: format!(
            "filled with default values; decide what they should be ({})",
            first_line(&diagnostic.message)
        ),
    });
    Some(Choice { diagnostic, remedy, note })
}

/// An object literal in which no property is given twice; a server adds required ones that are there already.
fn without_repeats(new: &str) -> String {
    if !new.starts_with('{') {
        return new.to_owned();
    }
    let mut seen = BTreeSet::new();
    let keep = |line: &&str| {
        line.split_once(':').is_none_or(|(name, _)| seen.insert(name.trim().to_owned()))
    };
    new.split('\n').filter(keep).collect::<Vec<&str>>().join("\n")
}

fn candidates(cluster: &Cluster, choices: &[Vec<Choice<'_>>]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut add = |candidate: Option<Candidate>| {
        if let Some(candidate) = candidate
            && !candidates.iter().any(|other| other.change == candidate.change)
        {
            candidates.push(candidate);
        }
    };
    let most = choices.iter().map(Vec::len).max().unwrap_or_default();
    for round in 0..most {
        // Where two names have the same alternatives, all take the second one together.
        add(union(
            cluster,
            choices.iter().filter_map(|options| options.get(round).or(options.last())),
        ));
    }
    let sure =
        choices.iter().filter_map(|options| options.first()).filter(|choice| choice.remedy.certain);
    add(union(cluster, sure));
    for round in 0..most {
        for choice in choices.iter().filter_map(|options| options.get(round)) {
            add(single(choice));
        }
    }
    candidates.truncate(CANDIDATES);
    candidates
}

fn union<'a>(
    cluster: &Cluster,
    choices: impl Iterator<Item = &'a Choice<'a>>,
) -> Option<Candidate> {
    let mut merged = Merged::default();
    let mut taken = Vec::new();
    for choice in choices {
        if merged.add(&choice.remedy.change) {
            taken.push(choice);
        }
    }
    match taken.as_slice() {
        [] => None,
        [only] => single(only),
        _ => Some(Candidate {
            title: format!("{} in {}", cluster.kind.title(merged.count), cluster.path),
            notes: taken.iter().filter_map(|choice| choice.note.clone()).collect(),
            change: merged.into_change(),
        }),
    }
}

fn single(choice: &Choice<'_>) -> Option<Candidate> {
    let mut merged = Merged::default();
    merged.add(&choice.remedy.change).then(|| Candidate {
        title: format!(
            "{} ({})",
            first_line(&choice.remedy.title),
            first_line(&choice.diagnostic.message)
        ),
        notes: choice.note.clone().into_iter().collect(),
        change: merged.into_change(),
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::symbolic::plan;
    use crate::gate::diagnostic::{Range, Severity};

    /// Recorded answers.
    struct Recorded {
        diagnostics: Vec<Diagnostic>,
        fixes: Vec<Remedy>,
    }

    impl Remedies for Recorded {
        fn diagnostics(&self) -> Boxed<'_, Vec<Diagnostic>> {
            Box::pin(std::future::ready(self.diagnostics.clone()))
        }

        fn quick_fixes<'a>(&'a self, _: &'a Diagnostic) -> Boxed<'a, Vec<Remedy>> {
            Box::pin(std::future::ready(self.fixes.clone()))
        }
    }

    fn remedy(title: &str, spans: &[(usize, usize, &str)], certain: bool) -> Remedy {
        let edit = |(start, end, new): &(usize, usize, &str)| Edit::Span {
            start: *start,
            end: *end,
            new: (*new).into(),
        };
        let path = RelPath::new("src/a.rs").unwrap();
        let change = ChangeSet {
            changes: vec![Change::Edit { path, edits: spans.iter().map(edit).collect() }],
        };
        Remedy { title: title.into(), change, certain }
    }

    fn diagnostic(code: &str, message: &str, line: u32, remedies: Vec<Remedy>) -> Diagnostic {
        let place = Place { line, column: 0 };
        Diagnostic {
            path: RelPath::new("src/a.rs").unwrap(),
            range: Range { start: place, end: place },
            severity: Severity::Error,
            code: Some(code.into()),
            message: message.into(),
            source: "rustc".into(),
            remedies,
        }
    }

    async fn all(diagnostics: Vec<Diagnostic>, fixes: Vec<Remedy>) -> Vec<Candidate> {
        let cluster = plan(&diagnostics).remove(0);
        propose(&cluster, &Recorded { diagnostics, fixes }).await
    }

    fn texts(candidate: &Candidate) -> Vec<String> {
        let Change::Edit { edits, .. } = &candidate.change.changes[0] else { panic!("no edit") };
        let text = |edit: &Edit| match edit {
            Edit::Span { start, end, new } => format!("{start}..{end} {new}"),
            Edit::Text { .. } => panic!("no span"),
        };
        edits.iter().map(text).collect()
    }

    #[tokio::test]
    async fn names_with_the_same_alternatives_take_the_same_one() {
        let entry = |line| {
            let alternatives = [
                "use std::collections::btree_map::Entry;\n",
                "use std::collections::hash_map::Entry;\n",
            ];
            let remedies = alternatives
                .map(|new| remedy("consider importing one of these enums", &[(9, 9, new)], false));
            diagnostic("E0433", "cannot find type `Entry` in this scope", line, remedies.to_vec())
        };
        let map = remedy(
            "consider importing this struct",
            &[(9, 9, "use std::collections::BTreeMap;\n")],
            false,
        );
        let map = diagnostic("E0412", "cannot find type `BTreeMap` in this scope", 1, vec![map]);
        let candidates = all(vec![entry(30), entry(31), map], vec![]).await;
        let union = |entry: &str| {
            vec![format!(
                "9..9 use std::collections::BTreeMap;\nuse std::collections::{entry}::Entry;\n"
            )]
        };
        assert_eq!(texts(&candidates[0]), union("btree_map"));
        assert_eq!(texts(&candidates[1]), union("hash_map"));
        assert_eq!(candidates[0].title, "Add imports for 3 unknown names in src/a.rs");
        assert_eq!(candidates.len(), 5, "then each alone");
    }

    #[tokio::test]
    async fn placeholders_are_completed_and_noted() {
        let rustcs = remedy(
            "ensure that all possible cases are being handled",
            &[(5, 5, ", _ => todo!()")],
            false,
        );
        let servers = [
            remedy("Fill match arms", &[(9, 9, "\n            Unit::Pinch => todo!(),")], false),
            remedy("Replace match with if let", &[(1, 9, "")], true),
        ];
        let candidates = all(
            vec![diagnostic("E0004", "non-exhaustive patterns", 2, vec![rustcs])],
            servers.to_vec(),
        )
        .await;
        assert_eq!(
            texts(&candidates[0]),
            ["9..9 \n            Unit::Pinch => Default::default(),"]
        );
        assert_eq!(
            candidates[0].notes[0].text,
            "filled with default values; decide what they should be (non-exhaustive patterns)"
        );
        assert_eq!(candidates.len(), 2, "a refactoring is no remedy");
    }

    #[tokio::test]
    async fn where_nothing_honest_helps_nothing_is_proposed() {
        let open = remedy("Implement missing members", &[(9, 9, "\n    type Err;\n")], false);
        let missing =
            diagnostic("E0046", "not all trait items implemented, missing: `Err`", 2, vec![]);
        assert_eq!(all(vec![missing], vec![open]).await, []);
        let other = diagnostic("E0106", "missing lifetime specifier", 2, vec![]);
        assert_eq!(
            all(vec![other], vec![remedy("Generate everything", &[(0, 0, "x")], true)]).await,
            []
        );
    }

    #[test]
    fn properties_that_are_there_are_not_added_again() {
        let literal = "{\n    cents: total,\n    cents: 0,\n    currency: \"EUR\"\n}";
        assert_eq!(without_repeats(literal), "{\n    cents: total,\n    currency: \"EUR\"\n}");
    }
}
