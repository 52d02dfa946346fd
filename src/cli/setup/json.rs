//! Our part of a JSON file: one entry under some keys. Comments and the way in which all else is written stay.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde_json::Value;

/// An entry.
pub(super) struct Entry {
    /// The keys that lead to it.
    pub keys: &'static [&'static str],
    pub value: Value,
    /// Whether the file may have comments and commas at the end.
    pub comments: bool,
}

impl Entry {
    pub fn put(&self, text: &str) -> Result<String, String> {
        let (mark, body) = without_mark(text);
        let body = if body.trim().is_empty() { "{\n}\n" } else { body };
        let root = self.parse(body)?;
        let mut object = root.object_value().ok_or("it is no object")?;
        let Some((last, way)) = self.keys.split_last() else {
            return Ok(text.to_owned());
        };
        for key in way {
            object = object
                .object_value_or_create(key)
                .ok_or_else(|| format!("`{key}` in it is no object"))?;
        }
        match object.get(last) {
            None => {
                object.append(last, input(&self.value));
            }
            Some(own)
                if own.value().and_then(|v| plain(&v.to_string())) == Some(self.value.clone()) =>
            {
                return Ok(text.to_owned());
            }
            Some(_) => {
                return Err(format!(
                    "it says something else at `{}`; --remove takes that out",
                    self.keys.join(".")
                ));
            }
        }
        Ok(format!("{mark}{root}"))
    }

    /// Without the entry; and without the objects around it, where they are empty now and were not there before.
    pub fn take(&self, text: &str, before: Option<&str>) -> Result<String, String> {
        let (mark, body) = without_mark(text);
        if body.trim().is_empty() {
            return Ok(text.to_owned());
        }
        let root = self.parse(body)?;
        let mut object = root.object_value().ok_or("it is no object")?;
        let mut around: Vec<CstObject> = Vec::new();
        let Some((last, way)) = self.keys.split_last() else {
            return Ok(text.to_owned());
        };
        for key in way {
            let Some(inner) = object.object_value(key) else {
                return Ok(text.to_owned());
            };
            around.push(std::mem::replace(&mut object, inner));
        }
        let Some(own) = object.get(last) else {
            return Ok(text.to_owned());
        };
        own.remove();
        let had = before.and_then(|text| plain(without_mark(text).1)).unwrap_or_default();
        for (depth, outer) in around.iter().enumerate().rev() {
            let mut there = Some(&had);
            for key in &way[..=depth] {
                there = there.and_then(|value| value.get(key));
            }
            let inner = outer.get(way[depth]);
            let is_empty =
                outer.object_value(way[depth]).is_some_and(|o| o.properties().is_empty());
            if let Some(inner) = inner.filter(|_| is_empty && there.is_none()) {
                inner.remove();
            }
        }
        Ok(format!("{mark}{root}"))
    }

    fn parse(&self, text: &str) -> Result<CstRootNode, String> {
        if !self.comments {
            let strict = serde_json::from_str::<serde::de::IgnoredAny>(text);
            strict.map_err(|error| format!("it is not understood: {error}"))?;
        }
        let options = ParseOptions {
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            ..ParseOptions::default()
        };
        CstRootNode::parse(text, &options).map_err(|error| format!("it is not understood: {error}"))
    }
}

/// A mark of its encoding, and the rest.
fn without_mark(text: &str) -> (&str, &str) {
    match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text),
    }
}

/// The value that a text with comments stands for.
fn plain(text: &str) -> Option<Value> {
    jsonc_parser::parse_to_value(text, &ParseOptions::default()).ok()?.map(value)
}

fn value(read: jsonc_parser::JsonValue<'_>) -> Value {
    use jsonc_parser::JsonValue;
    match read {
        JsonValue::Null => Value::Null,
        JsonValue::Boolean(flag) => flag.into(),
        JsonValue::Number(number) => serde_json::from_str(number).unwrap_or(Value::Null),
        JsonValue::String(text) => text.into_owned().into(),
        JsonValue::Array(all) => all.into_iter().map(value).collect(),
        JsonValue::Object(all) => {
            all.into_iter().map(|(key, inner)| (key.to_string(), value(inner))).collect()
        }
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(all) => CstInputValue::Array(all.iter().map(input).collect()),
        Value::Object(all) => CstInputValue::Object(
            all.iter().map(|(key, value)| (key.clone(), input(value))).collect(),
        ),
    }
}
