//! Where names of the code stand: as identifiers, not in comments or texts. It finds too much (another thing may have the
//! same name) and, but for names that are put together at run time, never too little.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use tree_sitter::Node;

use crate::gate::prepare::syntax::Grammar;
use crate::workspace::resolve::{BaseTexts, Overlaid};
use crate::workspace::{FileText, OpenTexts, RelPath, Workspace, WorkspaceError};

/// The most files that are told of one name. A name that stands in more is a word of the project: it says nothing.
const MOST: usize = 200;

/// The lines (from 1) of files that a name stands in.
pub(in crate::gate) type Lines = BTreeMap<RelPath, BTreeSet<usize>>;

/// For each of `names` where it stands.
pub(in crate::gate) fn stand(
    workspace: &Workspace,
    open: &OpenTexts,
    names: &[String],
) -> Result<BTreeMap<String, Lines>, WorkspaceError> {
    let mut found: BTreeMap<String, Lines> = BTreeMap::new();
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
        for (name, line) in identifiers(tree.root_node(), &text, names) {
            let lines = found.entry(name.to_owned()).or_default();
            lines.entry(path.clone()).or_default().insert(line);
        }
    }
    found.retain(|_, files| files.len() <= MOST);
    Ok(found)
}

/// Those of `names` that are identifiers below `root`, with their lines.
fn identifiers<'a>(root: Node<'_>, text: &str, names: &'a [String]) -> BTreeSet<(&'a str, usize)> {
    let mut found = BTreeSet::new();
    let mut cursor = root.walk();
    let mut descends = true;
    loop {
        let node = cursor.node();
        if descends && node.child_count() == 0 && node.kind().ends_with("identifier") {
            let word = text.get(node.byte_range()).unwrap_or_default();
            let line = node.start_position().row + 1;
            found.extend(names.iter().filter(|name| *name == word).map(|name| (&**name, line)));
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
        let found = stand(&workspace, &OpenTexts::new(), &names).unwrap();
        let lines = |name: &str| -> Vec<(String, Vec<usize>)> {
            let lines = found[name].iter();
            lines.map(|(path, at)| (path.to_string(), at.iter().copied().collect())).collect()
        };
        assert_eq!(
            lines("area"),
            [("a.rs".into(), vec![1]), ("c.ts".into(), vec![1, 2]), ("d.rs".into(), vec![1])]
        );
        assert_eq!(lines("Area"), [("a.rs".into(), vec![2]), ("d.rs".into(), vec![1])]);
        assert!(!found.contains_key("nowhere"));
    }
}
