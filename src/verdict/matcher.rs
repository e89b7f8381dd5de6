//! Whether one value is what a matcher asks for.

use regex::RegexBuilder;
use serde_json::Value;

use super::describe::{describe_actual, describe_matcher};
use super::number::{compare_numbers, number_of, same_value};
use super::schema::judge_schema;
use super::vacuous::{refuse_empty_pattern, refuse_empty_text};
use crate::domain::spec::{Condition, JsonType, Matcher, Ordering};
use crate::domain::template::{JsonTemplate, Lookup, UnknownName, text_of};

/// What a compiled regular expression may cost.
const REGEX_SIZE_LIMIT: usize = 1 << 20;

/// Who captured a value, within a sentence.
fn captured(by: Option<&str>) -> String {
    by.map(|step| format!(", captured by step {step},")).unwrap_or_default()
}

/// A value that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What was expected, in words.
    pub expected: String,
    /// What came instead.
    pub actual: String,
}

/// An expectation that cannot be judged: never the fault of the service.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JudgeError {
    /// A name without a value.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// A regular expression that is none once its references are filled in.
    #[error("{pattern:?} is not a regular expression: {fault}")]
    Regex {
        /// The pattern as filled in.
        pattern: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A value without content that makes a condition fit everything.
    #[error("`{condition}: {source_text}` would fit everything, as `${{{name}}}`{} is empty", captured(.by.as_deref()))]
    Empty {
        /// The condition's key.
        condition: &'static str,
        /// What it asks for, as it was written.
        source_text: String,
        /// The name whose value is empty.
        name: String,
        /// The step that captured it.
        by: Option<String>,
    },
    /// A condition that every text meets, as it is written.
    #[error("`{condition}: \"\"` fits every text, so the case could not fail by it")]
    FitsEverything {
        /// The condition's key.
        condition: &'static str,
    },
    /// A schema that is none.
    #[error("{source_name} is not a JSON Schema: {fault}")]
    Schema {
        /// Where it was read from.
        source_name: String,
        /// What is wrong with it.
        fault: String,
    },
}

/// Compares a value, or its absence, with what is expected of it; `None` when all conditions hold.
///
/// # Errors
/// When an expectation cannot be judged: a name without a value, a broken pattern or schema.
pub fn judge_value(
    actual: Option<&Value>,
    matcher: &Matcher,
    lookup: &dyn Lookup,
) -> Result<Option<Mismatch>, JudgeError> {
    for condition in &matcher.conditions {
        if !holds(actual, condition, lookup)? {
            let one = Matcher { conditions: vec![condition.clone()] };
            return Ok(Some(Mismatch {
                expected: describe_matcher(&one, lookup),
                actual: shown_actual(actual, condition),
            }));
        }
    }
    Ok(None)
}

fn shown_actual(actual: Option<&Value>, condition: &Condition) -> String {
    match (condition, actual) {
        (Condition::Length(_), Some(value)) => match length_of(value) {
            Some(length) => format!("length {length}"),
            None => format!("{} (which has no length)", type_name(value)),
        },
        (Condition::Type(_), Some(value)) => format!("{} ({value})", type_name(value)),
        (Condition::Schema(schema), Some(value)) => match judge_schema(value, schema) {
            Ok(Some(fault)) => fault,
            Ok(None) | Err(_) => value.to_string(),
        },
        (_, actual) => describe_actual(actual),
    }
}

fn holds(
    actual: Option<&Value>,
    condition: &Condition,
    lookup: &dyn Lookup,
) -> Result<bool, JudgeError> {
    Ok(match condition {
        Condition::Exists(wanted) => actual.is_some() == *wanted,
        Condition::Not(inner) => {
            let differs = judge_value(actual, inner, lookup)?.is_some();
            differs && (actual.is_some() || asks_for_presence(inner))
        }
        Condition::Equals(wanted) => equals(actual, wanted, lookup)?,
        Condition::OneOf(wanted) => {
            for one in wanted {
                if equals(actual, one, lookup)? {
                    return Ok(true);
                }
            }
            false
        }
        Condition::Contains(wanted) => {
            let filled = wanted.render(lookup)?;
            refuse_empty_text(actual, wanted, &filled, lookup)?;
            actual.is_some_and(|actual| contains(actual, &filled))
        }
        Condition::Matches(pattern) => {
            let compiled = compile(&pattern.render(lookup)?)?;
            refuse_empty_pattern(pattern, &compiled, lookup)?;
            actual.is_some_and(|actual| compiled.is_match(&text_of(actual)))
        }
        Condition::Type(kind) => actual.is_some_and(|actual| has_type(actual, *kind)),
        Condition::Compare(ordering, wanted) => {
            let wanted = wanted.render(lookup)?;
            actual.is_some_and(|actual| compares(actual, *ordering, &wanted))
        }
        Condition::Length(inner) => match actual.and_then(length_of) {
            None => false,
            Some(length) => judge_value(Some(&Value::from(length)), inner, lookup)?.is_none(),
        },
        Condition::Each(inner) => each(actual, inner, lookup)?,
        Condition::Schema(schema) => match actual {
            None => false,
            Some(actual) => judge_schema(actual, schema)?.is_none(),
        },
    })
}

/// Whether a matcher speaks of a value's being there. Only then can its negation hold of a value
/// that is missing: `not: 5` asks for another value, not for none.
fn asks_for_presence(matcher: &Matcher) -> bool {
    matcher.conditions.iter().any(|condition| match condition {
        Condition::Exists(_) => true,
        Condition::Not(inner) => asks_for_presence(inner),
        Condition::Equals(_)
        | Condition::Contains(_)
        | Condition::Matches(_)
        | Condition::Type(_)
        | Condition::OneOf(_)
        | Condition::Compare(..)
        | Condition::Length(_)
        | Condition::Each(_)
        | Condition::Schema(_) => false,
    })
}

fn equals(
    actual: Option<&Value>,
    wanted: &JsonTemplate,
    lookup: &dyn Lookup,
) -> Result<bool, UnknownName> {
    let wanted = wanted.render(lookup)?;
    Ok(actual.is_some_and(|actual| same_value(actual, &wanted)))
}

fn each(actual: Option<&Value>, inner: &Matcher, lookup: &dyn Lookup) -> Result<bool, JudgeError> {
    let Some(Value::Array(items)) = actual else { return Ok(false) };
    for item in items {
        if judge_value(Some(item), inner, lookup)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn contains(actual: &Value, wanted: &Value) -> bool {
    match actual {
        Value::String(text) => text.contains(&text_of(wanted)),
        Value::Array(items) => items.iter().any(|item| same_value(item, wanted)),
        Value::Object(map) => map.contains_key(&text_of(wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn compares(actual: &Value, ordering: Ordering, wanted: &Value) -> bool {
    let (Some(actual), Some(wanted)) = (number_of(actual), number_of(wanted)) else {
        return false;
    };
    let Some(found) = compare_numbers(&actual, &wanted) else { return false };
    ordering.holds(&found, &std::cmp::Ordering::Equal)
}

fn length_of(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(map) => Some(map.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn has_type(value: &Value, kind: JsonType) -> bool {
    match kind {
        JsonType::Null => value.is_null(),
        JsonType::Boolean => value.is_boolean(),
        JsonType::Integer => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0)
        }
        JsonType::Number => value.is_number(),
        JsonType::String => value.is_string(),
        JsonType::Array => value.is_array(),
        JsonType::Object => value.is_object(),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Compiles a pattern with a bound on its size; matching takes linear time.
pub(super) fn compile(pattern: &str) -> Result<regex::Regex, JudgeError> {
    RegexBuilder::new(pattern).size_limit(REGEX_SIZE_LIMIT).build().map_err(|fault| {
        JudgeError::Regex { pattern: pattern.to_owned(), fault: fault.to_string() }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::domain::spec::SchemaRef;
    use crate::domain::template::Template;
    use serde_json::json;

    fn values(name: &str) -> Option<Value> {
        (name == "two").then(|| json!(2))
    }

    fn json(value: Value) -> JsonTemplate {
        JsonTemplate::parse(&value).unwrap()
    }

    fn one(condition: Condition) -> Matcher {
        Matcher { conditions: vec![condition] }
    }

    fn pass(actual: Value, condition: Condition) -> bool {
        judge_value(Some(&actual), &one(condition), &values).unwrap().is_none()
    }

    #[test]
    fn each_condition_holds_and_fails() {
        use Condition as C;
        let regex = |text: &str| C::Matches(Template::parse(text).unwrap());
        let at_least = |n: i64| one(C::Compare(Ordering::AtLeast, json(json!(n))));
        let schema = |schema: Value| {
            C::Schema(SchemaRef { source: "inline".into(), schema: Arc::new(schema) })
        };
        let table: Vec<(Condition, Value, Value)> = vec![
            (C::Equals(json(json!("${two}"))), json!(2.0), json!("2")),
            (C::Not(Box::new(one(C::Equals(json(json!(1)))))), json!(2), json!(1)),
            (C::Contains(json(json!("b"))), json!("abc"), json!("xyz")),
            (C::Contains(json(json!(1))), json!([0, 1.0]), json!([0])),
            (C::Contains(json(json!("k"))), json!({"k": 0}), json!({"v": "k"})),
            (regex("^[0-9]+$"), json!("42"), json!("42a")),
            (C::Exists(true), json!(null), json!(null)),
            (C::Type(JsonType::Integer), json!(2.0), json!(2.5)),
            (C::Type(JsonType::Array), json!([]), json!({})),
            (C::OneOf(vec![json(json!(1)), json(json!("a"))]), json!("a"), json!("b")),
            (C::Compare(Ordering::Less, json(json!(3))), json!("2.5"), json!(3)),
            (C::Length(Box::new(at_least(2))), json!("äö"), json!([1])),
            (C::Each(Box::new(at_least(2))), json!([2, 3]), json!([2, 1])),
            (schema(json!({"type": "string"})), json!("x"), json!(1)),
        ];
        for (condition, good, bad) in table {
            assert!(pass(good.clone(), condition.clone()), "{condition:?} does not hold of {good}");
            if !matches!(condition, C::Exists(_)) {
                assert!(!pass(bad.clone(), condition.clone()), "{condition:?} holds of {bad}");
            }
        }
    }

    #[test]
    fn what_is_not_there_fits_only_its_absence() {
        let none = |condition| judge_value(None, &one(condition), &values).unwrap().is_none();
        assert!(none(Condition::Exists(false)));
        assert!(!none(Condition::Exists(true)));
        assert!(!none(Condition::Equals(json(json!(null)))));
        let not = |inner| Condition::Not(Box::new(one(inner)));
        assert!(!none(not(Condition::Equals(json(json!(1))))));
        assert!(!none(not(Condition::Contains(json(json!("x"))))));
        assert!(!none(not(not(Condition::Equals(json(json!(1)))))));
        assert!(none(not(Condition::Exists(true))));
        assert!(!none(not(Condition::Exists(false))));
        assert!(none(not(not(Condition::Exists(false)))));
        assert!(!none(Condition::Each(Box::new(one(Condition::Exists(true))))));
    }

    #[test]
    fn a_mismatch_names_only_the_condition_that_failed() {
        let matcher = Matcher {
            conditions: vec![
                Condition::Type(JsonType::String),
                Condition::Matches(Template::parse("^a").unwrap()),
            ],
        };
        let mismatch = judge_value(Some(&json!("b")), &matcher, &values).unwrap().unwrap();
        assert_eq!(mismatch.expected, "matching /^a/");
        assert_eq!(mismatch.actual, "\"b\"");
    }

    #[test]
    fn what_cannot_be_judged_is_an_error() {
        let unknown = one(Condition::Equals(json(json!("${nope}"))));
        assert!(judge_value(Some(&json!(1)), &unknown, &values).is_err());
        let broken = one(Condition::Matches(Template::parse("(").unwrap()));
        assert!(judge_value(Some(&json!(1)), &broken, &values).is_err());
        let huge = one(Condition::Matches(Template::literal("(a{1000}){1000}")));
        assert!(judge_value(Some(&json!("a")), &huge, &values).is_err());
    }
}
