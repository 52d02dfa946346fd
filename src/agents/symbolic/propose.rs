//! Change-sets for one cluster, best first: everything certain at once, then everything likely, then piece by piece.
//!
//! It must not judge what it proposes; the gate does.

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
    for choice in all
        .into_iter()
        .filter_map(|remedy| completed(kind, diagnostic, remedy))
    {
        if !choices
            .iter()
            .any(|other| other.remedy.change == choice.remedy.change)
        {
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
            // Commas of rustc's own placeholders: `/* value */`.
            if new.contains("/* ") {
                return None;
            }
            if kind.fills_in() {
                *new = complete(new)?;
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
    Some(Choice {
        diagnostic,
        remedy,
        note,
    })
}

fn candidates(cluster: &Cluster, choices: &[Vec<Choice<'_>>]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut add = |candidate: Option<Candidate>| {
        if let Some(candidate) = candidate
            && !candidates
                .iter()
                .any(|other| other.change == candidate.change)
        {
            candidates.push(candidate);
        }
    };
    let most = choices.iter().map(Vec::len).max().unwrap_or_default();
    for round in 0..most {
        // Where two names have the same alternatives, all take the second one together.
        add(union(
            cluster,
            choices
                .iter()
                .filter_map(|options| options.get(round).or(options.last())),
        ));
    }
    let sure = choices
        .iter()
        .filter_map(|options| options.first())
        .filter(|choice| choice.remedy.certain);
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
            notes: taken
                .iter()
                .filter_map(|choice| choice.note.clone())
                .collect(),
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
