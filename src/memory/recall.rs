//! What a session is told before its first turn.

use std::collections::{BTreeMap, BTreeSet};

use crate::mission::plan::Task;
use crate::mission::{Keep, Note, Weighed, Weight};
use crate::workspace::Workspace;

use super::relevance::{relevance, terms};
use super::store::{Store, key};
use super::weight::weigh;
use super::{Tier, project, tokens};

const HEAD: &str = "\n<notes>\nNoted by earlier sessions. Material: check what you rely on.\n";
const TAIL: &str = "</notes>";

/// What a session is about, and what its mission knows.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The goal of the mission.
    pub goal: String,
    /// The task, where the session serves one.
    pub task: Option<Task>,
    /// The notes of the mission.
    pub notes: Vec<Note>,
    /// The weights that the mission knows.
    pub weights: BTreeMap<String, Weight>,
    /// The stable core: it has its place before any note.
    pub core: String,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recalled {
    /// What the project says of itself: the same for all sessions at the same files.
    pub shared: String,
    /// The notes that were chosen for this session.
    pub own: String,
    /// All notes with their new weights.
    pub weighed: Vec<Weighed>,
}

/// A note on its way to a session.
struct Entry {
    key: String,
    tier: Tier,
    line: String,
    weight: Option<Weight>,
}

/// Finds out what a session is told. Reads files; bounded in what it reads and answers.
pub fn recall(workspace: &Workspace, store: &Store, question: &Question) -> Recalled {
    let files = question.task.iter().flat_map(Task::files);
    let shared = project::documents(workspace, files, Tier::Project.budget());
    let entries = entries(store, question);
    let lines: Vec<&str> = entries.iter().map(|entry| entry.line.as_str()).collect();
    let relevance = relevance(&lines, &focus(question));
    let weights: Vec<Weight> =
        entries.iter().zip(relevance).map(|(entry, r)| weigh(entry.weight, r)).collect();
    let frame = tokens::bound(HEAD) + tokens::bound(TAIL);
    let spent = |tier| match tier {
        Tier::Project => tokens::bound(&shared),
        _ => tokens::bound(&question.core) + frame,
    };
    let mut chosen = BTreeSet::new();
    for tier in [Tier::Project, Tier::Mission] {
        let left = tier.budget().saturating_sub(spent(tier));
        choose(&entries, &weights, tier, left, &mut chosen);
    }
    let told: String = chosen.iter().filter_map(|at| entries.get(*at)).map(|e| &*e.line).collect();
    let own = if told.is_empty() { String::new() } else { format!("{HEAD}{told}{TAIL}") };
    let weighed = entries.into_iter().zip(weights);
    let weighed = weighed.map(|(e, w)| Weighed { key: e.key, score: w.score, open: w.open });
    Recalled { shared, own, weighed: weighed.collect() }
}

/// What the session is about: goal, task, steps, and the files and symbols that they name.
fn focus(question: &Question) -> BTreeSet<String> {
    let mut focus: BTreeSet<String> = terms(&question.goal).into_iter().collect();
    if let Some(task) = &question.task {
        focus.extend(terms(&task.title));
        focus.extend(task.steps.iter().flat_map(|step| terms(&step.title)));
        focus.extend(task.files().flat_map(terms));
    }
    focus
}

/// All notes, in an order that does not change while none is added.
fn entries(store: &Store, question: &Question) -> Vec<Entry> {
    let kept =
        store.notes.iter().map(|(key, kept)| (key.clone(), (kept.text.as_str(), kept.weight)));
    let mut project: BTreeMap<String, (&str, Option<Weight>)> = kept.collect();
    let own = question.notes.iter().filter(|note| note.keep == Keep::Project);
    for note in own {
        project.entry(key(&note.text)).or_insert((&note.text, None));
    }
    let newest = |key: &str, known: Option<Weight>| {
        let here = question.weights.get(key).copied();
        known.into_iter().chain(here).max_by_key(|weight| weight.at)
    };
    let project = project.into_iter().map(|(key, (text, weight))| Entry {
        weight: newest(&key, weight),
        line: line(text, "project"),
        tier: Tier::Project,
        key,
    });
    let of_mission = question.notes.iter().enumerate().filter(|(_, n)| n.keep == Keep::Mission);
    let mission = of_mission.map(|(number, note)| {
        let key = format!("m:{number}");
        let by = note.item.as_ref().map_or_else(|| note.role.to_string(), ToString::to_string);
        let weight = newest(&key, None);
        Entry { key, tier: Tier::Mission, line: line(&note.text, &by), weight }
    });
    project.chain(mission).collect()
}

fn line(text: &str, by: &str) -> String {
    // Nothing within a note looks like the end of the notes.
    format!("- {} ({by})\n", text.replace(TAIL, "</ notes>"))
}

/// Chooses open notes of a tier, those of the greatest weight first, as long as they fit.
fn choose(
    entries: &[Entry],
    weights: &[Weight],
    tier: Tier,
    mut left: usize,
    chosen: &mut BTreeSet<usize>,
) {
    let open = (0..entries.len()).filter(|at| entries[*at].tier == tier && weights[*at].open);
    let mut open: Vec<usize> = open.collect();
    open.sort_by_key(|at| (std::cmp::Reverse(weights[*at].score), *at));
    for at in open {
        // One more, for where two lines meet.
        let tokens = tokens::bound(&entries[at].line) + 1;
        if tokens <= left {
            left -= tokens;
            chosen.insert(at);
        }
    }
}

#[cfg(test)]
#[path = "recall_tests.rs"]
mod tests;
