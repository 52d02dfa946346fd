//! In which files names of the code stand: as identifiers, not in comments or texts. It finds too many files (another
//! thing may have the same name) and, but for names that are put together at run time, never too few.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use tree_sitter::Node;

use crate::gate::prepare::syntax::Grammar;
use crate::workspace::resolve::{BaseTexts, Overlaid};
use crate::workspace::{FileText, OpenTexts, Workspace, WorkspaceError};

/// The most files that are told of one name. A name that stands in more is a word of the project: it says nothing.
const MOST: usize = 200;

/// For each of `names` the files that it stands in, relative to the workspace, in order.
pub(in crate::gate) fn files_with(
    workspace: &Workspace,
    open: &OpenTexts,
    names: &[String],
) -> Result<BTreeMap<String, Vec<String>>, WorkspaceError> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let any = names.iter().map(|name| regex::escape(name)).collect::<Vec<_>>().join("|");
    let Ok(any) = Regex::new(&any) else {
        return Ok(found);
    };
    let base = Overlaid { workspace, open };
    for path in workspace.paths()? {
        let Some(grammar) = Grammar::for_path(&path) else {
            continue;
        };
        // What is no text holds no name.
        let Ok(Some(FileText { text, .. })) = base.read(&path) else {
            continue;
        };
        if !any.is_match(&text) {
            continue;
        }
        let Some(tree) = grammar.parse(&text) else {
            continue;
        };
        for name in identifiers(tree.root_node(), &text, names) {
            found.entry(name.to_owned()).or_default().push(path.to_string());
        }
    }
    found.retain(|_, files| files.len() <= MOST);
    Ok(found)
}

/// Those of `names` that are identifiers below `root`.
fn identifiers<'a>(root: Node<'_>, text: &str, names: &'a [String]) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut cursor = root.walk();
    let mut descends = true;
    loop {
        let node = cursor.node();
        if descends && node.child_count() == 0 && node.kind().ends_with("identifier") {
            let word = text.get(node.byte_range()).unwrap_or_default();
            found.extend(names.iter().map(String::as_str).filter(|name| *name == word));
        }
        if descends && cursor.goto_first_child() {
            continue;
        }
        descends = cursor.goto_next_sibling();
        if !descends && !cursor.goto_parent() {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_comments_and_texts_are_none() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        write("a.rs", "pub fn area() {}\nstruct Area;\n");
        write("b.rs", "// area\nfn b() -> &'static str { \"area\" }\n");
        write("c.ts", "import { area } from './a';\nexport const total = area(1) + shape.area;\n");
        write("d.rs", "fn d(x: Area) { x.area() }\nfn areas() {}\n");
        write("e.txt", "area Area\n");
        let workspace = Workspace::open(root.path()).unwrap();
        let names = ["area".to_owned(), "Area".to_owned(), "nowhere".to_owned()];
        let found = files_with(&workspace, &OpenTexts::new(), &names).unwrap();
        assert_eq!(found["area"], ["a.rs", "c.ts", "d.rs"]);
        assert_eq!(found["Area"], ["a.rs", "d.rs"]);
        assert!(!found.contains_key("nowhere"));
    }
}
