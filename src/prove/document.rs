//! The body of an answer, or one message, that holds everything that is wanted of it.

use serde_json::{Value, json};

use super::answer::NoExample;
use super::example::{Fresh, example};
use super::pattern::example_of;
use super::place::Place;
use super::schema;
use crate::domain::spec::{Extract, JsonPath, Matcher, SchemaRef};
use crate::domain::template::{Lookup, text_of};
use crate::verdict::judge_value;

/// What is wanted of a body or message.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted<'a> {
    /// Values within it.
    pub(super) values: Vec<(&'a JsonPath, Matcher)>,
    /// The whole as text.
    pub(super) text: Option<&'a Matcher>,
    /// The whole as JSON.
    pub(super) schema: Option<&'a SchemaRef>,
    /// What is taken from it.
    pub(super) captures: Vec<&'a Extract>,
}

impl Wanted<'_> {
    /// Whether anything at all is.
    pub(super) fn is_anything(&self) -> bool {
        !self.values.is_empty()
            || self.text.is_some()
            || self.schema.is_some()
            || self.captures.iter().any(|from| is_in_body(from))
    }

    fn is_json(&self) -> bool {
        let captured = self.captures.iter().any(|from| matches!(from, Extract::Json(_)));
        !self.values.is_empty() || self.schema.is_some() || captured
    }
}

/// Whether a capture is taken from the body.
fn is_in_body(from: &Extract) -> bool {
    match from {
        Extract::Json(_) | Extract::Body | Extract::Regex(_) => true,
        Extract::Header(_) | Extract::Status => false,
    }
}

/// A body, and whether it is JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) text: String,
    pub(super) is_json: bool,
}

/// A body that holds everything that is wanted.
///
/// # Errors
/// What could not be met.
pub(super) fn body(
    wanted: &Wanted<'_>,
    lookup: &dyn Lookup,
    fresh: &mut Fresh,
) -> Result<Body, NoExample> {
    let parts = text_parts(wanted, lookup, fresh)?;
    if !wanted.is_json() && !parts.is_empty() {
        return Ok(Body { text: parts.join("\n"), is_json: false });
    }
    let mut document = match wanted.schema {
        Some(wanted) => schema::example(&wanted.schema, fresh),
        None => json!({}),
    };
    put_values(wanted, lookup, fresh, &mut document)?;
    for path in wanted.captures.iter().filter_map(|from| json_path(from)) {
        if path.first(&document).is_none() {
            place_of(path)?.put(&mut document, Value::from(fresh.id()));
        }
    }
    add_text(&parts, &mut document);
    if wanted.schema.is_none() && document == json!({}) {
        // An answer that is not the empty one.
        document = json!({ "id": fresh.id() });
    }
    verify(wanted, lookup, &document)?;
    Ok(Body { text: document.to_string(), is_json: true })
}

fn json_path(from: &Extract) -> Option<&JsonPath> {
    match from {
        Extract::Json(path) => Some(path),
        Extract::Header(_) | Extract::Body | Extract::Regex(_) | Extract::Status => None,
    }
}

fn place_of(path: &JsonPath) -> Result<Place, NoExample> {
    Place::of(path.source()).ok_or_else(|| NoExample::Path(path.source().to_owned()))
}

/// Lists and maps before what is in them.
fn put_values(
    wanted: &Wanted<'_>,
    lookup: &dyn Lookup,
    fresh: &mut Fresh,
    document: &mut Value,
) -> Result<(), NoExample> {
    let mut values: Vec<&(&JsonPath, Matcher)> = wanted.values.iter().collect();
    values.sort_by_key(|(path, _)| Place::of(path.source()).map_or(usize::MAX, |p| p.depth()));
    for (path, matcher) in values {
        if holds(document, path, matcher, lookup)? {
            continue;
        }
        let unmet = |fault| NoExample::unmet(path.source(), &fault);
        if let Some(value) = example(matcher, lookup, fresh).map_err(unmet)? {
            place_of(path)?.put(document, value);
        }
    }
    Ok(())
}

fn holds(
    document: &Value,
    path: &JsonPath,
    matcher: &Matcher,
    lookup: &dyn Lookup,
) -> Result<bool, NoExample> {
    let selected = path.select(document);
    let judge = |value| {
        let judged = judge_value(value, matcher, lookup);
        judged.map_err(|fault| NoExample::unmet(path.source(), &fault.into()))
    };
    if selected.is_empty() {
        return Ok(judge(None)?.is_none());
    }
    for value in selected {
        if judge(Some(value))?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Texts that must stand somewhere in the body.
fn text_parts(
    wanted: &Wanted<'_>,
    lookup: &dyn Lookup,
    fresh: &mut Fresh,
) -> Result<Vec<String>, NoExample> {
    let mut parts = Vec::new();
    if let Some(matcher) = wanted.text {
        let unmet = |fault| NoExample::unmet("body", &fault);
        parts.extend(example(matcher, lookup, fresh).map_err(unmet)?.map(|text| text_of(&text)));
    }
    for from in &wanted.captures {
        match from {
            Extract::Regex(pattern) => {
                let made = example_of(pattern);
                parts.push(made.ok_or_else(|| NoExample::Pattern(pattern.clone()))?);
            }
            Extract::Body if parts.is_empty() && !wanted.is_json() => parts.push(fresh.id()),
            Extract::Body | Extract::Json(_) | Extract::Header(_) | Extract::Status => {}
        }
    }
    Ok(parts)
}

/// A text within a JSON document: as the first new value of it, unless it is there already.
fn add_text(parts: &[String], document: &mut Value) {
    let here = document.to_string();
    let missing: Vec<&str> =
        parts.iter().map(String::as_str).filter(|part| !here.contains(*part)).collect();
    if missing.is_empty() {
        return;
    }
    let text = Value::from(missing.join(" "));
    match document {
        Value::Object(map) => {
            map.insert("text".to_owned(), text);
        }
        Value::Array(items) => items.push(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One value may have displaced another.
fn verify(wanted: &Wanted<'_>, lookup: &dyn Lookup, document: &Value) -> Result<(), NoExample> {
    for (path, matcher) in &wanted.values {
        if !holds(document, path, matcher, lookup)? {
            return Err(NoExample::Together(path.source().to_owned()));
        }
    }
    let Some(matcher) = wanted.text else { return Ok(()) };
    let text = Value::from(document.to_string());
    match judge_value(Some(&text), matcher, lookup) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(NoExample::Together("body".to_owned())),
        Err(fault) => Err(NoExample::unmet("body", &fault.into())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::spec::Condition;
    use crate::domain::template::JsonTemplate;

    fn nothing(_: &str) -> Option<Value> {
        None
    }

    fn equals(value: Value) -> Matcher {
        Matcher { conditions: vec![Condition::Equals(JsonTemplate::parse(&value).unwrap())] }
    }

    fn contains(text: &str) -> Matcher {
        let text = JsonTemplate::parse(&json!(text)).unwrap();
        Matcher { conditions: vec![Condition::Contains(text)] }
    }

    fn made(wanted: &Wanted<'_>) -> Result<Body, NoExample> {
        body(wanted, &nothing, &mut Fresh::default())
    }

    #[test]
    fn values_captures_and_a_text_stand_in_one_document() {
        let paths =
            ["$.items[1].id", "$.items", "$.total"].map(|path| JsonPath::parse(path).unwrap());
        let two = Matcher { conditions: vec![Condition::Length(Box::new(equals(json!(2))))] };
        let text = contains("hello");
        let capture = Extract::Json(JsonPath::parse("$.items[0].name").unwrap());
        let wanted = Wanted {
            values: vec![
                (&paths[0], equals(json!("b"))),
                (&paths[1], two),
                (&paths[2], equals(json!(2))),
            ],
            text: Some(&text),
            schema: None,
            captures: vec![&capture],
        };
        let made = made(&wanted).unwrap();
        let document: Value = serde_json::from_str(&made.text).unwrap();
        assert_eq!(document["items"][1]["id"], json!("b"));
        assert!(document["items"][0]["name"].is_string() && made.text.contains("hello"));
    }

    #[test]
    fn a_text_alone_is_no_json() {
        let text = contains("hello");
        let wanted = Wanted { text: Some(&text), ..Wanted::default() };
        assert_eq!(made(&wanted), Ok(Body { text: "hello".to_owned(), is_json: false }));
    }

    #[test]
    fn what_cannot_be_met_is_named() {
        let path = JsonPath::parse("$.items[1:3].id").unwrap();
        let wanted = Wanted { values: vec![(&path, equals(json!(1)))], ..Wanted::default() };
        let fault = made(&wanted).unwrap_err().to_string();
        assert!(fault.contains("$.items[1:3].id"), "{fault}");
        let paths = ["$.a", "$.a.b"].map(|path| JsonPath::parse(path).unwrap());
        let values = vec![(&paths[0], equals(json!(1))), (&paths[1], equals(json!(2)))];
        let both = Wanted { values, ..Wanted::default() };
        assert!(matches!(made(&both), Err(NoExample::Together(_))));
    }
}
