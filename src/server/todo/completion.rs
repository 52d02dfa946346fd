//! What can be written at a place of `todo.md`: the tags of an item, and the ids, sizes and agents that they take.

use std::collections::BTreeSet;

use tower_lsp::lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Position, TextEdit,
};

use super::outline::{Item, Kind, outline};
use crate::mission::plan::{Level, tags};
use crate::server::text::{Encoding, Lines};

/// The characters after which a client asks by itself.
pub const TRIGGERS: [&str; 3] = ["|", ":", ","];

/// What can stand at `position`; nothing outside of an item's tags. `agents` are those of the project.
pub fn items(
    text: &str,
    agents: &[String],
    encoding: Encoding,
    position: Position,
) -> Vec<CompletionItem> {
    let lines = Lines::new(text, encoding);
    let at = lines.offset(position);
    let outline = outline(text);
    let Some(item) = outline.iter().find(|item| item.line == position.line) else {
        return Vec::new();
    };
    let Some(level) = level(item.kind) else {
        return Vec::new();
    };
    let before = &text[item.bytes.start..at];
    // The first part is the title, in which a bar is written with a backslash.
    let Some(bar) = before.rfind('|').filter(|bar| !before[..*bar].ends_with('\\')) else {
        return Vec::new();
    };
    let part = &before[bar + 1..];
    let (kind, words) = match part.split_once(':') {
        None => (CompletionItemKind::PROPERTY, free_tags(&text[item.bytes.clone()], level)),
        Some((tag, _)) => {
            (CompletionItemKind::VALUE, values(tag.trim(), item, &outline, (text, agents)))
        }
    };
    let typed = part.rsplit([':', ',']).next().unwrap_or_default().trim_start();
    let range = lines.range(at - typed.len(), at);
    let fitting = words.into_iter().filter(|word| word.starts_with(typed));
    fitting
        .map(|word| CompletionItem {
            kind: Some(kind),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: word.clone() })),
            label: word,
            ..CompletionItem::default()
        })
        .collect()
}

fn level(kind: Kind) -> Option<Level> {
    match kind {
        Kind::Mission => None,
        Kind::Milestone => Some(Level::Milestone),
        Kind::Task => Some(Level::Task),
        Kind::Step => Some(Level::Step),
    }
}

/// The tags that the line does not have yet.
fn free_tags(line: &str, level: Level) -> Vec<String> {
    let parts = line.split('|').skip(1);
    let there: BTreeSet<&str> =
        parts.map(|part| part.split_once(':').map_or(part, |(tag, _)| tag).trim()).collect();
    let free = tags(level).iter().filter(|tag| !there.contains(*tag));
    free.map(|tag| if *tag == "verified" { (*tag).to_owned() } else { format!("{tag}:") }).collect()
}

fn values(
    tag: &str,
    item: &Item,
    outline: &[Item],
    (text, agents): (&str, &[String]),
) -> Vec<String> {
    match tag {
        "depends" => {
            let other = |other: &&Item| {
                other.id != item.id && matches!(other.kind, Kind::Milestone | Kind::Task)
            };
            // What it stands in cannot come before it.
            let around = item.parent.map(|at| outline[at].id.as_str());
            let others = outline.iter().filter(other).map(|other| other.id.clone());
            others.filter(|id| Some(id.as_str()) != around).collect()
        }
        "size" => ["XS", "S", "M"].map(str::to_owned).to_vec(),
        "agent" => {
            let named = text.split("agent:").skip(1);
            let named = named.filter_map(|rest| rest.split(['|', '\n', '\r']).next());
            let names = named.map(str::trim).filter(|name| !name.is_empty());
            let known = agents.iter().map(String::as_str).chain(["Worker"]);
            let names: BTreeSet<&str> = names.chain(known).collect();
            names.into_iter().map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels at the `^` of the text, which is taken out.
    fn labels(text: &str) -> Vec<String> {
        let at = text.find('^').unwrap();
        let text = text.replace('^', "");
        let position = Lines::new(&text, Encoding::Utf16).position(at);
        let agents = ["scout".to_owned()];
        items(&text, &agents, Encoding::Utf16, position)
            .into_iter()
            .map(|item| item.label)
            .collect()
    }

    const HEAD: &str = "# Mission: mend\n## M1: é one\n### T1.1: first\n- [ ] S1.1.1: a\n";

    #[test]
    fn ids_sizes_agents_and_tags_are_offered_where_they_can_stand() {
        let here = |line: &str| labels(&format!("{HEAD}{line}\n## M2: two\n"));
        assert_eq!(here("### T1.2: é | depends:^"), ["T1.1", "M2"]);
        assert_eq!(here("### T1.2: x | depends:T1.1, M^"), ["M2"]);
        assert_eq!(here("- [ ] S1.1.2: x | size:^"), ["XS", "S", "M"]);
        assert_eq!(here("### T1.2: x | agent:^ | size:S"), ["Worker", "scout"]);
        let free = here("- [ ] S1.1.2: x | verified | ^");
        assert!(!free.contains(&"verified".to_owned()), "{free:?}");
        assert_eq!(here("- [ ] S1.1.2: x | size:S | f^"), ["file:"]);
        let free = here("- [ ] S1.1.2: x | size:S | ^");
        assert!(free.contains(&"verified".to_owned()) && !free.contains(&"size:".to_owned()));
        for nothing in
            ["### T1.2: a title^", "### T1.2: a \\| b^", "loose | ^", "- [ ] S1.1.2: x | note:^"]
        {
            assert_eq!(here(nothing), Vec::<String>::new(), "{nothing}");
        }
    }

    #[test]
    fn what_was_typed_is_replaced() {
        let text = "## M1: a\n### T1.1: 😀 | depends:T1.1, M";
        let position = Lines::new(text, Encoding::Utf16).position(text.len());
        let none = items(text, &[], Encoding::Utf16, position);
        assert!(none.is_empty(), "its own milestone is none that it can wait for: {none:?}");
        let text = format!("{text}\n## M2: b\n");
        let item = &items(&text, &[], Encoding::Utf16, position)[0];
        let Some(CompletionTextEdit::Edit(edit)) = &item.text_edit else { panic!() };
        assert_eq!((edit.new_text.as_str(), edit.range.end), ("M2", position));
        assert_eq!(edit.range.end.character - edit.range.start.character, 1);
    }
}
