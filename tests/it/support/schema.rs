//! A JSON schema, as far as the one of the Agent Client Protocol goes. A keyword that is not known fails the test.

use serde_json::Value;

/// A schema with its definitions.
pub struct Schema(Value);

/// What says nothing about values.
const SILENT: [&str; 9] = [
    "description",
    "title",
    "format",
    "default",
    "discriminator",
    "$schema",
    "$defs",
    "unevaluatedProperties",
    "additionalProperties",
];

impl Schema {
    pub fn read(text: &str) -> Schema {
        Schema(serde_json::from_str(text).unwrap())
    }

    /// Fails where the value is not what the definition says.
    pub fn check(&self, definition: &str, value: &Value) {
        let schema = self.definition(definition);
        if let Err(why) = self.fits(schema, value) {
            panic!("no {definition}: {why}\n{value:#}");
        }
    }

    fn definition(&self, name: &str) -> &Value {
        self.0["$defs"].get(name).unwrap_or_else(|| panic!("the schema has no {name}"))
    }

    fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let Some(keywords) = schema.as_object() else { return Ok(()) };
        for (keyword, what) in keywords {
            self.keyword(keyword, what, value).map_err(|why| format!("{keyword}: {why}"))?;
        }
        Ok(())
    }

    fn keyword(&self, keyword: &str, what: &Value, value: &Value) -> Result<(), String> {
        let ok = |holds: bool| holds.then_some(()).ok_or_else(|| format!("{what} ≠ {value}"));
        let all = || what.as_array().unwrap().iter();
        let fitting = || all().filter(|schema| self.fits(schema, value).is_ok()).count();
        match keyword {
            "$ref" => {
                let name = what.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                self.fits(self.definition(name), value).map_err(|why| format!("{name}: {why}"))
            }
            "allOf" => all().try_for_each(|schema| self.fits(schema, value)),
            "anyOf" => ok(fitting() > 0),
            "oneOf" => ok(fitting() == 1),
            "not" => ok(self.fits(what, value).is_err()),
            "type" if what.is_array() => ok(all().any(|kind| is(kind, value))),
            "type" => ok(is(what, value)),
            "const" => ok(what == value),
            "enum" => ok(all().any(|one| one == value)),
            "minimum" => ok(value.as_f64().is_none_or(|n| n >= what.as_f64().unwrap())),
            "maximum" => ok(value.as_f64().is_none_or(|n| n <= what.as_f64().unwrap())),
            "minLength" => ok(value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 >= what.as_u64().unwrap())),
            "required" => {
                let missing = all().find(|name| value.get(name.as_str().unwrap()).is_none());
                missing.map_or(Ok(()), |name| Err(format!("{name} is missing")))
            }
            "properties" => {
                let named = what.as_object().unwrap().iter();
                let given =
                    named.filter_map(|(name, schema)| Some((name, schema, value.get(name)?)));
                let mut given = given;
                given.try_for_each(|(name, schema, value)| {
                    self.fits(schema, value).map_err(|why| format!("{name}: {why}"))
                })
            }
            "items" => value.as_array().into_iter().flatten().try_for_each(|v| self.fits(what, v)),
            _ if keyword.starts_with("x-") || SILENT.contains(&keyword) => Ok(()),
            _ => panic!("the schema's keyword {keyword} is not known"),
        }
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        kind => panic!("the schema's type {kind} is not known"),
    }
}

#[test]
fn a_schema_tells_what_fits_from_what_does_not() {
    let schema = Schema::read(
        r##"{"$defs": {
        "Name": {"type": "string"},
        "Thing": {"type": "object", "required": ["name"], "properties": {
            "name": {"$ref": "#/$defs/Name"},
            "kind": {"oneOf": [{"const": "a"}, {"const": "b"}]},
            "size": {"type": ["integer", "null"], "minimum": 0},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/Thing"}}}}}}"##,
    );
    let fits = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        schema.fits(schema.definition("Thing"), &value).is_ok()
    };
    assert!(fits(r#"{"name": "x", "kind": "a", "size": null, "parts": [{"name": "y"}], "z": 1}"#));
    for odd in [
        r#"{}"#,
        r#"[]"#,
        r#"{"name": 1}"#,
        r#"{"name": "x", "kind": "c"}"#,
        r#"{"name": "x", "size": -1}"#,
        r#"{"name": "x", "parts": [{}]}"#,
    ] {
        assert!(!fits(odd), "{odd}");
    }
}
