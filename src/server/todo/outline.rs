//! The items of a `todo.md` by their lines. It reads only what stands at the head of a line, so an invalid or half-written plan
//! has an outline too; whether the plan is valid is for the plan's own parser to say.

use std::ops::Range;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `# Mission: goal`
    Mission,
    /// `## M1: title`
    Milestone,
    /// `### T1.1: title`
    Task,
    /// `- [ ] S1.1.1: title`
    Step,
}

/// One line of the outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// `M1`, `T1.1`, `S1.1.1`; empty for the mission.
    pub id: String,
    /// The title, without tags.
    pub title: String,
    /// The mark of a step, as written: ` `, `/`, `x`, `-`.
    pub mark: Option<char>,
    /// 0-based line.
    pub line: u32,
    /// The bytes of the line, without its end.
    pub bytes: Range<usize>,
    /// Where its last line ends, its children's included.
    pub end: usize,
    /// Index of the item that it belongs to.
    pub parent: Option<usize>,
}

/// The items of `text`, in the order of their lines.
pub fn outline(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut start = 0;
    for (line, raw) in (0u32..).zip(text.split_inclusive('\n')) {
        let content = raw.trim_end_matches(['\n', '\r']);
        let bytes = start..start + content.len();
        start += raw.len();
        let Some((kind, mark, rest)) = head(content) else {
            continue;
        };
        let Some((id, title)) = split(kind, rest) else {
            continue;
        };
        let parent = items.iter().rposition(|item| item.kind < kind);
        items.push(Item { kind, id, title, mark, line, end: bytes.end, bytes, parent });
    }
    for at in (0..items.len()).rev() {
        if let Some(parent) = items[at].parent {
            items[parent].end = items[parent].end.max(items[at].end);
        }
    }
    items
}

/// How many steps are done, and how many there are.
pub fn progress(items: &[Item]) -> (usize, usize) {
    let steps = || items.iter().filter(|item| item.kind == Kind::Step);
    (steps().filter(|item| item.mark == Some('x')).count(), steps().count())
}

fn head(line: &str) -> Option<(Kind, Option<char>, &str)> {
    for (prefix, kind) in
        [("### ", Kind::Task), ("## ", Kind::Milestone), ("# Mission:", Kind::Mission)]
    {
        if let Some(rest) = line.strip_prefix(prefix) {
            return Some((kind, None, rest.trim()));
        }
    }
    let rest = line.trim_start().strip_prefix("- [")?;
    let mark = rest.chars().next()?;
    let rest = rest[mark.len_utf8()..].strip_prefix(']')?;
    Some((Kind::Step, Some(mark.to_ascii_lowercase()), rest.trim()))
}

fn split(kind: Kind, rest: &str) -> Option<(String, String)> {
    let untagged = rest.split(" | ").next().unwrap_or_default().trim();
    let letter = match kind {
        Kind::Mission => return Some((String::new(), untagged.to_owned())),
        Kind::Milestone => 'M',
        Kind::Task => 'T',
        Kind::Step => 'S',
    };
    let (id, title) = untagged.split_once(':').unwrap_or((untagged, ""));
    let digits = id.trim().strip_prefix(letter)?;
    let is_id = !digits.is_empty() && digits.split('.').all(|part| part.parse::<u32>().is_ok());
    is_id.then(|| (id.trim().to_owned(), title.trim().to_owned()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const PLAN: &str = "# Mission: mend it\n\n## M1: first | depends:M0\r\n### T1.1: a task | agent:Worker\n\
        - [x] S1.1.1: one | size:S\n  - [/] S1.1.2: two: more\n### T1.2: other\n- [ ] loose\n- [-] S1.2.1: three\n## Notes\n";

    #[test]
    fn items_nest_by_their_kind() {
        let items = outline(PLAN);
        let ids: Vec<_> = items
            .iter()
            .map(|item| (item.id.as_str(), item.mark, item.parent, item.line))
            .collect();
        assert_eq!(
            ids,
            [
                ("", None, None, 0),
                ("M1", None, Some(0), 2),
                ("T1.1", None, Some(1), 3),
                ("S1.1.1", Some('x'), Some(2), 4),
                ("S1.1.2", Some('/'), Some(2), 5),
                ("T1.2", None, Some(1), 6),
                ("S1.2.1", Some('-'), Some(5), 8),
            ]
        );
        assert_eq!((items[1].title.as_str(), items[4].title.as_str()), ("first", "two: more"));
        assert_eq!(items[2].end, items[4].bytes.end);
        assert_eq!(items[0].end, items[6].bytes.end);
        assert_eq!(progress(&items), (1, 3));
    }
}
