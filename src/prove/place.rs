//! A place in a JSON document, as far as a JSONPath names one that can be made.

use serde_json::{Map, Value};

/// The largest index that is made.
const MAX_INDEX: usize = 1_000;

/// One step on the way to a place.
#[derive(Debug, Clone, PartialEq)]
enum Segment {
    Key(String),
    Index(usize),
    /// An element in which this key has this value.
    Where(String, Value),
}

/// A place in a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place(Vec<Segment>);

impl Place {
    /// The first place that a path selects; `None` where it names none that we know to make.
    pub(super) fn of(path: &str) -> Option<Self> {
        let mut rest = path.trim().strip_prefix('$')?;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let (segment, after) = match rest.strip_prefix('[') {
                Some(inner) => {
                    let end = closing(inner)?;
                    (bracketed(inner[..end].trim())?, &inner[end + 1..])
                }
                None => dotted(rest)?,
            };
            segments.push(segment);
            rest = after;
        }
        Some(Self(segments))
    }

    /// How deep it is.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// Puts a value there; what is in the way and cannot hold it gives way.
    pub(super) fn put(&self, document: &mut Value, value: Value) {
        let mut here = document;
        for segment in &self.0 {
            here = match segment {
                Segment::Key(key) => entry(map_of(here), key),
                Segment::Index(index) => element(here, *index),
                Segment::Where(key, wanted) => {
                    let fits = |item: &Value| item.get(key) == Some(wanted);
                    let index = match here.as_array() {
                        // One that says nothing of it yet can be the one.
                        Some(items) => items
                            .iter()
                            .position(|item| fits(item) || item.get(key).is_none())
                            .unwrap_or(items.len()),
                        None => 0,
                    };
                    let found = element(here, index);
                    *entry(map_of(found), key) = wanted.clone();
                    found
                }
            };
        }
        *here = value;
    }
}

fn map_of(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made one")
}

fn entry<'v>(map: &'v mut Map<String, Value>, key: &str) -> &'v mut Value {
    map.entry(key.to_owned()).or_insert(Value::Null)
}

fn element(value: &mut Value, index: usize) -> &mut Value {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    let items = value.as_array_mut().expect("it was made one");
    while items.len() <= index {
        items.push(Value::Object(Map::new()));
    }
    &mut items[index]
}

/// Where the bracket that was opened before is closed, quoted text and inner brackets left out.
fn closing(inner: &str) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0_usize);
    for (at, letter) in inner.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

fn bracketed(inner: &str) -> Option<Segment> {
    if let Some(key) = quoted(inner) {
        return Some(Segment::Key(key.to_owned()));
    }
    if inner == "*" {
        return Some(Segment::Index(0));
    }
    if let Some(filter) = inner.strip_prefix('?') {
        return filtered(filter.trim().trim_start_matches('(').trim_end_matches(')'));
    }
    let index: i64 = inner.parse().ok()?;
    // The last one is the first where nothing else is there.
    let index = usize::try_from(index.max(0)).ok()?;
    (index <= MAX_INDEX).then_some(Segment::Index(index))
}

/// `@.key == literal`, or another comparison with one.
fn filtered(filter: &str) -> Option<Segment> {
    let operators = ["==", "!=", ">=", "<=", ">", "<"];
    let (operator, at) =
        operators.iter().find_map(|operator| Some((*operator, filter.find(operator)?)))?;
    let (key, literal) = (filter[..at].trim(), filter[at + operator.len()..].trim());
    let key = key.strip_prefix("@.")?;
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let literal = match quoted(literal) {
        Some(text) => Value::from(text),
        None => serde_json::from_str(literal).ok().filter(|value: &Value| !value.is_string())?,
    };
    let beside = |by: f64| literal.as_f64().map(|number| Value::from(number + by));
    let value = match operator {
        "!=" => beside(1.0).unwrap_or_else(|| Value::from("another")),
        ">" => beside(1.0)?,
        "<" => beside(-1.0)?,
        _ => literal,
    };
    (!key.is_empty() && key.chars().all(is_name)).then(|| Segment::Where(key.to_owned(), value))
}

fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains(['\\', quote])).then_some(inner)
}

/// `.key`, `.*`, and `..key` for the first place of that name.
fn dotted(rest: &str) -> Option<(Segment, &str)> {
    let rest = rest.strip_prefix('.')?;
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    match &rest[..end] {
        "" => None,
        "*" => Some((Segment::Index(0), &rest[end..])),
        key => Some((Segment::Key(key.to_owned()), &rest[end..])),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::spec::JsonPath;
    use serde_json::json;

    #[test]
    fn what_is_put_is_found_again_by_the_path() {
        for path in [
            "$",
            "$.a",
            "$.a.b[2].c",
            "$['a b'].c",
            "$[\"x\"][0]",
            "$.items[*].id",
            "$..id",
            "$.items[?@.kind == 'last'].id",
            "$.items[?(@.n == 3)].id",
            "$.items[?@.n > 3].id",
            "$.items[?@.n <= 3].id",
            "$.items[?@.kind != 'x'].id",
            "$.items[-1]",
        ] {
            let mut document = json!({});
            Place::of(path).unwrap_or_else(|| panic!("{path}")).put(&mut document, json!(7));
            let found = JsonPath::parse(path).unwrap();
            assert_eq!(found.first(&document), Some(&json!(7)), "{path}: {document}");
        }
    }

    #[test]
    fn what_we_cannot_make_is_not_guessed() {
        for path in ["$.a[?length(@.n) > 3]", "$.a[1:3]", "$.a[?@.b == @.c]", "$.a[99999]", "x"] {
            assert_eq!(Place::of(path), None, "{path}");
        }
    }

    #[test]
    fn what_stands_there_already_stays() {
        let mut document = json!({ "items": [{ "id": 1 }] });
        Place::of("$.items[0].text").unwrap().put(&mut document, json!("x"));
        assert_eq!(document, json!({ "items": [{ "id": 1, "text": "x" }] }));
    }
}
