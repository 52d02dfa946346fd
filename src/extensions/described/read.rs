//! Reads such a file, with comments and trailing commas, and names what is wrong with its place. It changes nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{Field, Kind};

/// Something wrong, with the bytes that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, in UTF-8 bytes of the text.
    pub range: Range<usize>,
    /// Whether its entry, or the file, cannot be used; else it is only odd.
    pub is_error: bool,
    /// What, and how it would be right.
    pub message: String,
}

/// An entry of the file, sound or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it says of itself; empty where it says nothing.
    pub description: String,
    /// The bytes of the name.
    pub head: Range<usize>,
    /// The bytes of all of it.
    pub whole: Range<usize>,
}

/// What an editor shows of a file that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Every entry.
    pub entries: Vec<Entry>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// The value that a text holds; none where there is nothing but space and comments.
///
/// # Errors
/// Where it is no JSON.
pub fn parse(text: &str) -> Result<Option<Value<'_>>, Problem> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options());
    parsed.map(|parsed| parsed.value).map_err(|error| {
        let range = error.range();
        let range = range.start..range.end;
        Problem { range, is_error: true, message: error.kind().to_string() }
    })
}

/// The bytes of a value.
pub fn bytes(value: &Value<'_>) -> Range<usize> {
    let range = value.range();
    range.start..range.end
}

/// The name of a property, and its bytes.
pub fn name_of(prop: &ObjectProp<'_>) -> (String, Range<usize>) {
    let range = prop.name.range();
    (prop.name.as_str().to_owned(), range.start..range.end)
}

/// The text of a field, where it has one.
pub fn text_of(object: &Object<'_>, field: &str) -> Option<String> {
    object.get_string(field).map(|text| text.value.to_string())
}

impl Reading {
    /// What keeps an entry, or the file, from being used.
    pub fn error(&mut self, range: Range<usize>, message: String) {
        self.problems.push(Problem { range, is_error: true, message });
    }

    /// What is only odd.
    pub fn odd(&mut self, range: Range<usize>, message: String) {
        self.problems.push(Problem { range, is_error: false, message });
    }

    /// How much of the first kind there is.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.is_error).count()
    }

    /// Takes the entries of an object up, called `what`, one after the other: `take` says what else is wrong with one
    /// that is an object, and gets it back as sound or not.
    pub fn entries<'a>(
        &mut self,
        all: &'a Object<'a>,
        what: &str,
        description: impl Fn(&Object<'_>) -> String,
        mut look: impl FnMut(&mut Reading, &str, &Range<usize>, &'a Object<'a>),
        mut take: impl FnMut(String, &Range<usize>, &'a Object<'a>),
    ) {
        let mut known = BTreeSet::new();
        for prop in &all.properties {
            let (name, head) = name_of(prop);
            let object = if let Value::Object(object) = &prop.value { Some(object) } else { None };
            self.entries.push(Entry {
                name: name.clone(),
                description: object.map(&description).unwrap_or_default(),
                head: head.clone(),
                whole: prop.range.start..prop.range.end,
            });
            let before = self.errors();
            if !known.insert(name.clone()) {
                self.error(head.clone(), format!("there are two {what}s `{name}`"));
            }
            let Some(object) = object else {
                let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
                let message = format!("{article} {what} is an object of fields");
                self.error(bytes(&prop.value), message);
                continue;
            };
            look(self, &name, &head, object);
            if self.errors() == before {
                take(name, &head, object);
            }
        }
    }

    /// Looks at the fields of one of the entries called `what`, whose name stands at `head`.
    pub fn fields(
        &mut self,
        object: &Object<'_>,
        fields: &[Field],
        head: &Range<usize>,
        what: &str,
    ) {
        let mut known = BTreeSet::new();
        for prop in &object.properties {
            let (name, place) = name_of(prop);
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
                let names = names.join(", ");
                self.odd(place, format!("there is no field `{name}`; there are {names}"));
                continue;
            };
            if !known.insert(field.name) {
                self.error(place.clone(), format!("`{name}` stands here twice"));
            }
            if let Err(why) = fits(field, &prop.value) {
                self.error(bytes(&prop.value), format!("`{name}` is {why}"));
            } else if !field.has_effect {
                self.odd(place, format!("`{name}` has no effect here. {}", field.meaning));
            }
        }
        let missing = fields.iter().filter(|f| f.is_needed && !known.contains(f.name));
        let missing: Vec<&str> = missing.map(|field| field.name).collect();
        if !missing.is_empty() {
            self.error(head.clone(), format!("the {what} lacks {}", missing.join(", ")));
        }
    }
}

fn fits(field: &Field, value: &Value<'_>) -> Result<(), String> {
    let is_text = |value: &Value<'_>| matches!(value, Value::StringLit(_));
    let fits = match (field.kind, value) {
        (Kind::Any, _) | (Kind::Flag, Value::BooleanLit(_)) => true,
        (Kind::Text, Value::StringLit(text)) => !text.value.trim().is_empty(),
        (Kind::Count, Value::NumberLit(number)) => {
            number.value.parse::<u32>().is_ok_and(|count| count > 0)
        }
        (Kind::OneOf(words), Value::StringLit(text)) => words.contains(&&*text.value),
        (Kind::Texts, Value::Array(list)) => list.elements.iter().all(is_text),
        (Kind::Pairs, Value::Object(pairs)) => pairs.properties.iter().all(|p| is_text(&p.value)),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(match field.kind {
        Kind::Text | Kind::Any => "a text that is not blank".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Count => "a whole number from 1".to_owned(),
        Kind::OneOf(words) => format!("one of {}", words.join(", ")),
        Kind::Texts => "a list of texts".to_owned(),
        Kind::Pairs => "an object whose values are texts".to_owned(),
    })
}
