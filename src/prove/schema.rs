//! A value that fits a JSON Schema, as far as that can be read off it; whoever takes it judges it again.

use serde_json::{Map, Value, json};

use super::example::Fresh;
use super::pattern::example_of;

/// How deep schemas within schemas are followed: one may refer to itself.
const MAX_DEPTH: usize = 24;
/// How many values one example holds: a schema can ask for more than anybody has room for.
const MAX_VALUES: usize = 10_000;
/// The most elements or characters that a minimum makes.
const MAX_LENGTH: u64 = 1_000;

/// A value that most likely fits.
pub(super) fn example(schema: &Value, fresh: &mut Fresh) -> Value {
    Maker { root: schema, fresh, left: MAX_VALUES }.value(schema, 0)
}

struct Maker<'a> {
    root: &'a Value,
    fresh: &'a mut Fresh,
    /// How many more values may be made.
    left: usize,
}

impl Maker<'_> {
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        let has_room = depth < MAX_DEPTH && self.left > 0;
        let Some(schema) = schema.as_object().filter(|_| has_room) else {
            return Value::from(self.fresh.id());
        };
        self.left -= 1;
        if let Some(wanted) = schema.get("const") {
            return wanted.clone();
        }
        if let Some(first) = schema.get("enum").and_then(|all| all.get(0)) {
            return first.clone();
        }
        if let Some(found) = schema.get("$ref").and_then(Value::as_str).and_then(|r| self.find(r)) {
            return self.value(&found, depth + 1);
        }
        if let Some(first) = ["oneOf", "anyOf"].iter().find_map(|key| schema.get(*key)?.get(0)) {
            let mut merged = schema.clone();
            merged.remove("oneOf");
            merged.remove("anyOf");
            merge(&mut merged, first);
            return self.value(&Value::Object(merged), depth + 1);
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            let mut merged = schema.clone();
            merged.remove("allOf");
            for one in all {
                let named = one.get("$ref").and_then(Value::as_str).and_then(|r| self.find(r));
                merge(&mut merged, named.as_ref().unwrap_or(one));
            }
            return self.value(&Value::Object(merged), depth + 1);
        }
        match type_of(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => self.text(schema),
            "integer" | "number" => number(schema),
            "boolean" => Value::from(true),
            "null" => Value::Null,
            _ => Value::from(self.fresh.id()),
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required = schema.get("required").and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        let mut object = Map::new();
        for name in names {
            let property = properties.get(name).unwrap_or(&Value::Bool(true));
            object.insert(name.to_owned(), self.value(property, depth + 1));
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let least = count(schema, "minItems").max(u64::from(schema.contains_key("contains")));
        let items = schema.get("items").or_else(|| schema.get("contains"));
        let items = items.unwrap_or(&Value::Bool(true));
        (0..least).map(|_| self.value(items, depth + 1)).collect()
    }

    fn text(&mut self, schema: &Map<String, Value>) -> Value {
        let pattern = schema.get("pattern").and_then(Value::as_str);
        if let Some(text) = pattern.and_then(example_of) {
            return Value::from(text);
        }
        let text = match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => "2026-01-02T03:04:05Z".to_owned(),
            Some("date") => "2026-01-02".to_owned(),
            Some("time") => "03:04:05Z".to_owned(),
            Some("email") => "somebody@stand-in.invalid".to_owned(),
            Some("uri" | "url" | "iri") => "https://stand-in.invalid/".to_owned(),
            Some("ipv4") => "192.0.2.1".to_owned(),
            Some(_) | None => self.fresh.id(),
        };
        let least = usize::try_from(count(schema, "minLength")).unwrap_or_default();
        let most = schema.get("maxLength").and_then(Value::as_u64);
        let most = usize::try_from(most.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        // The end differs from one id to the next.
        let skipped = text.chars().count().saturating_sub(most);
        let text: String = text.chars().skip(skipped).collect();
        Value::from(format!("{text:x<least$}"))
    }

    /// A schema by its place in the same document.
    fn find(&self, reference: &str) -> Option<Value> {
        self.root.pointer(reference.strip_prefix('#')?).cloned()
    }
}

/// The type that is named, the first of several, or the one that the other words speak of.
fn type_of(schema: &Map<String, Value>) -> &str {
    let named = match schema.get("type") {
        Some(Value::Array(all)) => all.first(),
        other => other,
    };
    let speaks_of = |words: &[&str]| words.iter().any(|word| schema.contains_key(*word));
    match named.and_then(Value::as_str) {
        Some(named) => named,
        None if speaks_of(&["properties", "required", "additionalProperties"]) => "object",
        None if speaks_of(&["items", "minItems", "contains"]) => "array",
        None if speaks_of(&["pattern", "minLength", "maxLength", "format"]) => "string",
        None if speaks_of(&["minimum", "maximum", "multipleOf", "exclusiveMinimum"]) => "number",
        None => "",
    }
}

fn count(schema: &Map<String, Value>, key: &str) -> u64 {
    schema.get(key).and_then(Value::as_u64).unwrap_or_default().min(MAX_LENGTH)
}

fn number(schema: &Map<String, Value>) -> Value {
    let value = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least = value("minimum").or_else(|| value("exclusiveMinimum").map(|n| n + 1.0));
    let most = value("maximum").or_else(|| value("exclusiveMaximum").map(|n| n - 1.0));
    let number = least.or(most).unwrap_or(1.0);
    let number = value("multipleOf").map_or(number, |step| (number / step).ceil() * step);
    if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }
}

/// Adds what another schema asks for: lists of names and maps of properties come together.
fn merge(into: &mut Map<String, Value>, other: &Value) {
    for (key, value) in other.as_object().into_iter().flatten() {
        match (into.get_mut(key), value) {
            (Some(Value::Array(here)), Value::Array(more)) if key == "required" => {
                here.extend(more.iter().cloned());
            }
            (Some(Value::Object(here)), Value::Object(more)) => {
                here.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_fits_its_schema() {
        for schema in [
            json!({ "type": "object", "required": ["id", "at", "n"], "properties": {
                "id": { "type": "string", "pattern": "^[0-9a-f]{8}$" },
                "at": { "type": "string", "format": "date-time" },
                "n": { "type": "integer", "minimum": 3, "multipleOf": 5 } } }),
            json!({ "type": "array", "minItems": 2, "items": { "$ref": "#/$defs/one" },
                "$defs": { "one": { "enum": ["a", "b"] } } }),
            json!({ "allOf": [
                { "type": "object", "required": ["a"] },
                { "required": ["b"], "properties": { "b": { "const": 7 } } }] }),
            json!({ "oneOf": [{ "type": "null" }, { "type": "string" }] }),
            json!({ "type": ["string", "null"], "minLength": 50 }),
            json!({ "type": "string", "maxLength": 3 }),
            json!({ "$ref": "#/$defs/n", "$defs": { "n": { "exclusiveMaximum": 0 } } }),
            json!(true),
        ] {
            let value = example(&schema, &mut Fresh::default());
            assert!(jsonschema::is_valid(&schema, &value), "{schema}: {value}");
        }
    }

    #[test]
    fn a_schema_of_itself_ends() {
        let again = json!({ "$ref": "#" });
        let schema = json!({ "type": "object", "required": ["a", "b"],
            "properties": { "a": again, "b": again } });
        assert!(example(&schema, &mut Fresh::default()).is_object());
    }
}
