//! What a change-set removed: names that its files defined before, outside of tests, and that nothing in it defines now.
//!
//! A test of something that is gone may go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range as Bytes;

use tree_sitter::{Node, Tree};

use super::thorough::View;
use super::units::{Unit, words};
use crate::gate::prepare::syntax::Grammar;

/// What is gone, and who speaks of it.
#[derive(Debug, Default)]
pub struct Subjects {
    /// The names that are gone.
    pub gone: BTreeSet<String>,
    /// For each file of the change-set, what its functions for tests speak of.
    helpers: Vec<BTreeMap<String, BTreeSet<String>>>,
    /// The files that went with all that they defined.
    files: BTreeSet<usize>,
}

impl Subjects {
    /// What the change-set removed; `base` are the units of its files before.
    pub fn of(views: &[View<'_, '_>], base: &[Unit<'_>]) -> Subjects {
        let mut subjects = Subjects::default();
        let mut before = BTreeSet::new();
        let mut now = BTreeSet::new();
        for (at, view) in views.iter().enumerate() {
            let units: Vec<_> =
                base.iter().filter(|unit| unit.file == at).map(|unit| unit.own.clone()).collect();
            // In Rust tests stand beside what they test; elsewhere a file with tests is a file of tests.
            let is_tests = !units.is_empty() && view.file.grammar != Some(Grammar::Rust);
            let mut helpers = BTreeMap::new();
            if let (Some(tree), Some(text)) = (&view.file.base, view.file.before) {
                let defined = Definitions::of(tree, text, &units, is_tests);
                if view.file.after.is_none() && !defined.names.is_empty() {
                    subjects.files.insert(at);
                }
                before.extend(defined.names);
                helpers = defined.helpers;
            }
            subjects.helpers.push(helpers);
            if let (Some(tree), Some(text)) = (&view.file.tree, view.file.after) {
                now.extend(Definitions::of(tree, text, &[], false).names);
            }
        }
        let gone = before.difference(&now);
        subjects.gone = gone.map(|name| name.trim_start_matches(MAKING).to_owned()).collect();
        subjects
    }

    /// Whether a unit is about something that is gone: it stood in a file that went with all that it defined, or it
    /// speaks of a name that is gone, itself or through a function for tests beside it.
    pub fn hold(&self, unit: &Unit<'_>) -> bool {
        let helpers = self.helpers.get(unit.file);
        let through = |word: &String| {
            helpers
                .and_then(|helpers| helpers.get(word))
                .is_some_and(|spoken_of| spoken_of.iter().any(|word| self.gone.contains(word)))
        };
        self.files.contains(&unit.file)
            || unit.words().any(|word| self.gone.contains(word) || through(word))
    }
}

/// Before the name of a class: the making of one of it.
const MAKING: &str = "new ";

#[derive(Default)]
struct Definitions {
    /// What is defined outside of tests.
    names: BTreeSet<String>,
    /// What is defined for tests, with the words of its text.
    helpers: BTreeMap<String, BTreeSet<String>>,
}

impl Definitions {
    fn of(tree: &Tree, text: &str, units: &[Bytes<usize>], all_for_tests: bool) -> Definitions {
        let mut definitions = Definitions::default();
        let mut waiting = vec![(tree.root_node(), all_for_tests)];
        while let Some((node, for_tests)) = waiting.pop() {
            if units.contains(&node.byte_range()) {
                continue;
            }
            let for_tests = for_tests || is_test_module(node, text);
            if is_definition(node.kind()) {
                definitions.add(node, text, for_tests);
            }
            let mut cursor = node.walk();
            waiting.extend(node.named_children(&mut cursor).map(|child| (child, for_tests)));
        }
        definitions
    }

    fn add(&mut self, node: Node<'_>, text: &str, for_tests: bool) {
        for name in defined(node) {
            let name = &text[name.byte_range()];
            if for_tests {
                let spoken_of = words(&text[node.byte_range()]).map(str::to_owned);
                self.helpers.entry(name.to_owned()).or_default().extend(spoken_of);
            } else if matches!(name, "constructor" | "__init__") {
                self.names.extend(class_of(node, text).map(|class| format!("{MAKING}{class}")));
            } else {
                self.names.insert(name.to_owned());
            }
        }
    }
}

/// The name of the class that a method stands in.
fn class_of<'t>(node: Node<'_>, text: &'t str) -> Option<&'t str> {
    let mut at = node.parent();
    while let Some(node) = at {
        if let Some(name) = node.child_by_field_name("name") {
            return Some(&text[name.byte_range()]);
        }
        at = node.parent();
    }
    None
}

fn is_test_module(node: Node<'_>, text: &str) -> bool {
    let name = node.child_by_field_name("name").map(|name| &text[name.byte_range()]);
    node.kind() == "mod_item" && matches!(name, Some("test" | "tests"))
}

/// The same words mean it in every grammar that we have.
fn is_definition(kind: &str) -> bool {
    let means = ["_item", "definition", "declar", "signature", "_spec", "variant", "assignment"];
    means.iter().any(|word| kind.contains(word)) && !kind.contains("import") && kind != "mod_item"
}

fn defined(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let fields = ["name", "left"].into_iter();
    let nodes = fields.filter_map(move |field| node.child_by_field_name(field));
    nodes.filter(|name| name.kind().contains("identifier") && name.named_child_count() == 0)
}
