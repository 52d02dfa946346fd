//! Pages: Markdown with front matter between two lines of `---`, and the fields of it with their places.

use std::ops::Range;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::{Choice, Problem};

/// Where the front matter of a page stands, in bytes, and where the text behind it begins; `None` where it has none.
pub fn front(text: &str) -> Option<(Range<usize>, usize)> {
    let first = text.split_inclusive('\n').next()?;
    if first.trim_end() != "---" {
        return None;
    }
    let mut at = first.len();
    for line in text.get(at..)?.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((first.len()..at, at + line.len()));
        }
        at += line.len();
    }
    None
}

/// A value of the front matter, with its place.
pub type Node<'y> = MarkedYaml<'y>;

/// The documents of the front matter at `from`.
///
/// # Errors
/// Where it is no YAML, with the place in the whole text.
pub fn parse<'y>(text: &'y str, front: &Range<usize>) -> Result<Vec<Node<'y>>, Problem> {
    let yaml = text.get(front.clone()).unwrap_or_default();
    MarkedYaml::load_from_str(yaml).map_err(|error| {
        let at = place(text, front.start, error.marker().index());
        let end = (at + 1).min(text.len()).max(at);
        Problem { range: at..end, is_error: true, message: error.info().to_owned() }
    })
}

/// The byte of a character of the front matter that begins at `from`.
pub fn place(text: &str, from: usize, characters: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let at = rest.char_indices().nth(characters).map_or(rest.len(), |(at, _)| at);
    (from + at).min(text.len().saturating_sub(1))
}

/// The fields of a mapping: name, its place in characters of the front matter, and its value.
#[derive(Debug)]
pub struct Fields<'a, 'y>(Vec<(String, Range<usize>, &'a Node<'y>)>);

impl<'a, 'y> Fields<'a, 'y> {
    /// Those of a document; none where it is no mapping.
    pub fn of(document: Option<&'a Node<'y>>) -> Fields<'a, 'y> {
        let Some(YamlData::Mapping(all)) = document.map(|document| &document.data) else {
            return Fields(Vec::new());
        };
        let field = |(key, value): (&'a Node<'y>, &'a Node<'y>)| {
            Some((words(key)?, key.span.start.index()..key.span.end.index(), value))
        };
        Fields(all.iter().filter_map(field).collect())
    }

    /// A field: its name's place, and its value.
    pub fn get(&self, name: &str) -> Option<(&Range<usize>, &'a Node<'y>)> {
        let found = self.0.iter().find(|(known, _, _)| known == name);
        found.map(|(_, place, value)| (place, *value))
    }

    /// A text that is not blank.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|(_, value)| words(value)).filter(|text| !text.trim().is_empty())
    }

    /// The bytes of a field's name in `text`, whose front matter begins at `from`; those of its first line where it has none.
    pub fn head(&self, text: &str, from: usize, name: &str) -> Range<usize> {
        let found = self.get(name).map(|(at, _)| at);
        found.map_or(0..3, |at| place(text, from, at.start)..place(text, from, at.end))
    }
}

/// A plain value as text.
pub fn words(node: &Node<'_>) -> Option<String> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::Boolean(value)) => Some(value.to_string()),
        _ => None,
    }
}

/// What can be written at a place: fields that are not there yet, at the beginning of a line of the front matter.
pub fn choices(text: &str, at: usize, fields: &[(&str, &str)]) -> (Vec<Choice>, usize) {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |line| line + 1);
    let typed = text.get(start..at).unwrap_or_default();
    let is_in = match front(text) {
        Some((front, _)) => front.start <= start && at <= front.end,
        // What is being written has no end yet.
        None => text.starts_with("---\n") && start > 0,
    };
    if !typed.chars().all(|c| c.is_alphanumeric() || c == '-') || !is_in {
        return (Vec::new(), start);
    }
    let there = |field: &str| text.lines().any(|line| line.starts_with(&format!("{field}:")));
    let free = fields.iter().filter(|(name, _)| name.starts_with(typed) && !there(name));
    let choice = |(name, meaning): &(&str, &str)| Choice {
        label: (*name).to_owned(),
        text: format!("{name}: "),
        meaning: (*meaning).to_owned(),
    };
    (free.map(choice).collect(), start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_matter_ends_at_its_second_line() {
        let text = "---\nname: ä\n---\nwords\n---\nmore";
        let (front, body) = front(text).unwrap();
        assert_eq!((&text[front.clone()], &text[body..]), ("name: ä\n", "words\n---\nmore"));
        let documents = parse(text, &front).unwrap();
        let fields = Fields::of(documents.first());
        assert_eq!(fields.text("name").as_deref(), Some("ä"));
        assert_eq!(&text[fields.head(text, front.start, "name")], "name");
        for other in ["", "words", "---", "--- \nname: a", " ---\n---\n"] {
            assert_eq!(super::front(other), None, "{other:?}");
        }
        assert!(parse("---\na: [\n---\n", &(4..9)).is_err());
    }

    #[test]
    fn what_can_be_written_is_what_is_not_there_yet() {
        let fields = [("name", "n"), ("description", "d"), ("disable", "x")];
        let labels = |text: &str| {
            let at = text.find('|').unwrap();
            let (choices, _) = choices(&text.replace('|', ""), at, &fields);
            choices.into_iter().map(|choice| choice.label).collect::<Vec<_>>()
        };
        assert_eq!(labels("---\nname: a\nd|\n---\n"), ["description", "disable"]);
        assert_eq!(labels("---\n|"), ["name", "description", "disable"]);
        for none in ["---\nname: d|\n---\n", "---\nname: a\n---\nd|", "|"] {
            assert_eq!(labels(none), Vec::<String>::new(), "{none}");
        }
    }
}
