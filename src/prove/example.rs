//! A value that a matcher is content with.

use serde_json::{Value, json};

use super::pattern::example_of;
use super::schema;
use crate::domain::spec::{Condition, JsonType, Matcher};
use crate::domain::template::{JsonTemplate, Lookup, text_of};
use crate::verdict::{JudgeError, judge_value};

/// The longest list or text that a condition on the length makes.
const MAX_LENGTH: usize = 4_096;

/// Ids that no answer had before.
#[derive(Debug, Clone, Default)]
pub struct Fresh {
    given: u64,
}

impl Fresh {
    /// The next one.
    pub fn id(&mut self) -> String {
        self.given += 1;
        format!("5eed0000-0000-4000-8000-{:012x}", self.given)
    }
}

/// A value that fits, if one can be made up; `Ok(None)` where what is missing fits.
///
/// # Errors
/// Why none can be made up.
pub(super) fn example(
    matcher: &Matcher,
    lookup: &dyn Lookup,
    fresh: &mut Fresh,
) -> Result<Option<Value>, Unmet> {
    let fits =
        |value: Option<&Value>| Ok::<_, Unmet>(judge_value(value, matcher, lookup)?.is_none());
    for candidate in candidates(matcher, lookup, fresh) {
        if fits(Some(&candidate))? {
            return Ok(Some(candidate));
        }
    }
    if fits(None)? { Ok(None) } else { Err(Unmet::NoValue) }
}

/// Why nothing fits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Unmet {
    /// Nothing that we know to make up.
    #[error("no value that fits could be made up")]
    NoValue,
    /// It cannot be judged.
    #[error(transparent)]
    Judge(#[from] JudgeError),
}

/// Values that may fit, the likeliest first. Which do is judged, not known.
fn candidates(matcher: &Matcher, lookup: &dyn Lookup, fresh: &mut Fresh) -> Vec<Value> {
    let mut found = Vec::new();
    let mut texts = Vec::new();
    for condition in &matcher.conditions {
        suggest(condition, lookup, fresh, &mut found, &mut texts);
    }
    found.extend(between(&matcher.conditions, lookup));
    if !texts.is_empty() {
        let mut as_text = vec![Value::from(fresh.id())];
        as_text.extend([" ", ""].map(|between| Value::from(texts.join(between))));
        as_text.extend(texts.into_iter().map(Value::from));
        found.splice(0..0, as_text);
    }
    found.extend([Value::from(fresh.id()), json!(1), json!(true), json!([]), json!({})]);
    found.extend([json!(0), json!(false), Value::Null]);
    found
}

/// Adds what one condition asks for; parts of a text apart, as one text may have to hold several.
fn suggest(
    condition: &Condition,
    lookup: &dyn Lookup,
    fresh: &mut Fresh,
    found: &mut Vec<Value>,
    texts: &mut Vec<String>,
) {
    match condition {
        Condition::Equals(wanted) => found.extend(wanted.render(lookup)),
        Condition::OneOf(all) => found.extend(all.iter().filter_map(|one| one.render(lookup).ok())),
        Condition::Contains(wanted) => {
            let Ok(wanted) = wanted.render(lookup) else { return };
            texts.push(text_of(&wanted));
            found.push(json!([wanted]));
            let mut map = serde_json::Map::new();
            map.insert(text_of(&wanted), json!(true));
            found.push(Value::Object(map));
        }
        Condition::Matches(pattern) => {
            texts.extend(pattern.render(lookup).ok().and_then(|pattern| example_of(&pattern)));
        }
        Condition::Type(kind) => found.push(of_type(*kind, fresh)),
        Condition::Compare(_, bound) => found.extend(around(bound, lookup)),
        Condition::Length(inner) => found.extend(of_length(inner, lookup)),
        Condition::Each(inner) => {
            let item = example(inner, lookup, fresh).ok().flatten();
            found.extend(item.map(|item| json!([item])));
            found.push(json!([]));
        }
        Condition::Schema(schema) => found.push(schema::example(&schema.schema, fresh)),
        // Nothing that is asked for: what else there is will do.
        Condition::Not(_) | Condition::Exists(_) => {}
    }
}

fn of_type(kind: JsonType, fresh: &mut Fresh) -> Value {
    match kind {
        JsonType::Null => Value::Null,
        JsonType::Boolean => json!(true),
        JsonType::Integer | JsonType::Number => json!(1),
        JsonType::String => Value::from(fresh.id()),
        JsonType::Array => json!([]),
        JsonType::Object => json!({}),
    }
}

/// Numbers near a bound.
fn around(bound: &JsonTemplate, lookup: &dyn Lookup) -> Vec<Value> {
    let Ok(bound) = bound.render(lookup) else { return Vec::new() };
    match text_of(&bound).trim() {
        text if text.parse::<i64>().is_ok() => {
            let whole: i64 = text.parse().unwrap_or_default();
            [whole, whole.saturating_add(1), whole.saturating_sub(1)].map(Value::from).to_vec()
        }
        text => {
            let number: f64 = text.parse().unwrap_or_default();
            [number, number + 0.5, number - 0.5].map(Value::from).to_vec()
        }
    }
}

/// Numbers between the bounds, where no whole one and none at a bound may fit.
fn between(conditions: &[Condition], lookup: &dyn Lookup) -> Vec<Value> {
    let mut bounds: Vec<f64> = conditions
        .iter()
        .filter_map(|condition| match condition {
            Condition::Compare(_, bound) => {
                text_of(&bound.render(lookup).ok()?).trim().parse().ok()
            }
            Condition::Equals(_)
            | Condition::OneOf(_)
            | Condition::Not(_)
            | Condition::Contains(_)
            | Condition::Matches(_)
            | Condition::Exists(_)
            | Condition::Type(_)
            | Condition::Length(_)
            | Condition::Each(_)
            | Condition::Schema(_) => None,
        })
        .collect();
    bounds.sort_by(f64::total_cmp);
    bounds.windows(2).map(|pair| Value::from(f64::midpoint(pair[0], pair[1]))).collect()
}

/// A list, a text and a map of a length that fits.
fn of_length(wanted: &Matcher, lookup: &dyn Lookup) -> Vec<Value> {
    let fits = |length: &usize| {
        judge_value(Some(&Value::from(*length)), wanted, lookup)
            .is_ok_and(|judged| judged.is_none())
    };
    let Some(length) = (0..=MAX_LENGTH).find(fits) else { return Vec::new() };
    let list = vec![json!({}); length];
    let map: serde_json::Map<String, Value> =
        (0..length).map(|n| (format!("key_{n}"), json!(true))).collect();
    vec![Value::Array(list), Value::from("x".repeat(length)), Value::Object(map)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::domain::spec::{Ordering, SchemaRef};
    use crate::domain::template::Template;

    fn lookup(name: &str) -> Option<Value> {
        (name == "run").then(|| json!("r-7"))
    }

    fn made(conditions: Vec<Condition>) -> Result<Option<Value>, Unmet> {
        example(&Matcher { conditions }, &lookup, &mut Fresh::default())
    }

    fn json_of(value: Value) -> JsonTemplate {
        JsonTemplate::parse(&value).unwrap()
    }

    fn length(ordering: Ordering, than: u32) -> Condition {
        let bound = Condition::Compare(ordering, json_of(json!(than)));
        Condition::Length(Box::new(Matcher { conditions: vec![bound] }))
    }

    #[test]
    fn every_kind_of_condition_is_met_and_several_at_once() {
        let matches = |pattern: &str| Condition::Matches(Template::parse(pattern).unwrap());
        let contains = |text: &str| Condition::Contains(json_of(json!(text)));
        let schema = Arc::new(json!({ "type": "object", "required": ["a"] }));
        for conditions in [
            vec![Condition::Equals(json_of(json!("${run}")))],
            vec![Condition::OneOf(vec![json_of(json!(3)), json_of(json!(4))])],
            vec![contains("cycle ${run}"), matches(r"\b42\b")],
            vec![matches("^[0-9a-f-]{36}$")],
            vec![Condition::Type(JsonType::Array), length(Ordering::AtLeast, 2)],
            vec![Condition::Type(JsonType::String), length(Ordering::AtLeast, 2)],
            vec![Condition::Compare(Ordering::Greater, json_of(json!(2.5)))],
            vec![
                Condition::Compare(Ordering::Greater, json_of(json!(2))),
                Condition::Compare(Ordering::Less, json_of(json!(4))),
            ],
            vec![
                Condition::Compare(Ordering::Less, json_of(json!(4))),
                Condition::Compare(Ordering::Greater, json_of(json!(3))),
            ],
            vec![Condition::Not(Box::new(Matcher { conditions: vec![contains("x")] }))],
            vec![Condition::Each(Box::new(Matcher {
                conditions: vec![Condition::Type(JsonType::Boolean)],
            }))],
            vec![Condition::Schema(SchemaRef { source: "inline".into(), schema })],
        ] {
            assert!(made(conditions.clone()).unwrap().is_some(), "{conditions:?}");
        }
    }

    #[test]
    fn what_must_not_be_there_is_not_made() {
        assert_eq!(made(vec![Condition::Exists(false)]), Ok(None));
    }

    #[test]
    fn what_contradicts_itself_is_told() {
        let both = [3, 4].map(|n| Condition::Equals(json_of(json!(n)))).to_vec();
        assert_eq!(made(both), Err(Unmet::NoValue));
        let unknown = Condition::Equals(json_of(json!("${nobody}")));
        assert!(matches!(made(vec![unknown]), Err(Unmet::Judge(_))));
    }
}
