//! The outline of `todo.md` as document symbols.

use tower_lsp::lsp_types::{
    DocumentSymbol, DocumentSymbolResponse, Location, SymbolInformation, SymbolKind, Uri,
};

use super::outline::{Item, Kind, outline};
use crate::server::text::{Encoding, Lines};

/// The symbols of `text`: a tree where the client shows one, else a list.
pub fn symbols(text: &str, uri: &Uri, encoding: Encoding, tree: bool) -> DocumentSymbolResponse {
    let items = outline(text);
    let lines = Lines::new(text, encoding);
    if tree {
        DocumentSymbolResponse::Nested(children(&items, None, &lines))
    } else {
        DocumentSymbolResponse::Flat(
            items.iter().map(|item| flat(item, &items, uri, &lines)).collect(),
        )
    }
}

fn children(items: &[Item], parent: Option<usize>, lines: &Lines<'_>) -> Vec<DocumentSymbol> {
    let mine = items.iter().enumerate().filter(|(_, item)| item.parent == parent);
    mine.map(|(at, item)| {
        let below = children(items, Some(at), lines);
        #[expect(deprecated, reason = "the struct has no other constructor")]
        DocumentSymbol {
            name: name(item),
            detail: item.mark.map(|mark| format!("[{mark}]")),
            kind: kind(item),
            tags: None,
            deprecated: None,
            range: lines.range(item.bytes.start, item.end),
            selection_range: lines.range(item.bytes.start, item.bytes.end),
            children: (!below.is_empty()).then_some(below),
        }
    })
    .collect()
}

fn flat(item: &Item, items: &[Item], uri: &Uri, lines: &Lines<'_>) -> SymbolInformation {
    #[expect(deprecated, reason = "the struct has no other constructor")]
    SymbolInformation {
        name: name(item),
        kind: kind(item),
        tags: None,
        deprecated: None,
        location: Location { uri: uri.clone(), range: lines.range(item.bytes.start, item.end) },
        container_name: item.parent.map(|at| name(&items[at])),
    }
}

fn name(item: &Item) -> String {
    match (item.id.as_str(), item.title.as_str()) {
        ("", "") => "Mission".to_owned(),
        ("", title) => title.to_owned(),
        (id, "") => id.to_owned(),
        (id, title) => format!("{id}: {title}"),
    }
}

fn kind(item: &Item) -> SymbolKind {
    match item.kind {
        Kind::Mission => SymbolKind::NAMESPACE,
        Kind::Milestone => SymbolKind::CLASS,
        Kind::Task => SymbolKind::METHOD,
        Kind::Step => SymbolKind::FIELD,
    }
}

#[cfg(test)]
mod tests {
    use super::super::outline::tests::PLAN;
    use super::*;

    #[test]
    fn the_tree_and_the_list_say_the_same() {
        let uri: Uri = "file:///todo.md".parse().unwrap();
        let DocumentSymbolResponse::Nested(tree) = symbols(PLAN, &uri, Encoding::Utf16, true)
        else {
            panic!()
        };
        let milestone = &tree[0].children.as_ref().unwrap()[0];
        assert_eq!((tree[0].name.as_str(), milestone.name.as_str()), ("mend it", "M1: first"));
        assert_eq!(milestone.children.as_ref().unwrap()[0].children.as_ref().unwrap().len(), 2);
        let DocumentSymbolResponse::Flat(list) = symbols(PLAN, &uri, Encoding::Utf16, false) else {
            panic!()
        };
        assert_eq!(list.len(), 7);
        assert_eq!(list[6].container_name.as_deref(), Some("T1.2: other"));
    }
}
