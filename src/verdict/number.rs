//! JSON values compared by what they mean: numbers by value, so that 1 equals 1.0.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Whether two values are the same, numbers by value, the order of map keys aside.
pub(super) fn same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            compare_numbers(left, right) == Some(Ordering::Equal)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same_value(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| same_value(l, r)))
        }
        (left, right) => left == right,
    }
}

/// Compares two numbers; whole ones exactly, whatever their size.
pub(super) fn compare_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// The number that a value is, or that a text of one spells.
pub(super) fn number_of(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => {
            let text = text.trim();
            text.parse::<i64>()
                .map(Number::from)
                .ok()
                .or_else(|| text.parse::<u64>().map(Number::from).ok())
                .or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(same_value(&json!(1), &json!(1.0)));
        assert!(same_value(&json!({"a": [1, 2]}), &json!({"a": [1.0, 2.0]})));
        assert!(!same_value(&json!(1), &json!("1")));
        assert!(!same_value(&json!([1]), &json!([1, 1])));
        assert!(!same_value(&json!({"a": 1}), &json!({"b": 1})));
        // These two are the same 64-bit float, but not the same number.
        assert!(!same_value(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_992_u64)));
    }

    #[test]
    fn a_text_of_a_number_is_one() {
        assert_eq!(number_of(&json!(" 42 ")), Some(Number::from(42)));
        assert_eq!(number_of(&json!("1.5")), Number::from_f64(1.5));
        assert_eq!(number_of(&json!("forty")), None);
        assert_eq!(number_of(&json!("NaN")), None);
        assert_eq!(number_of(&json!(null)), None);
    }

    proptest! {
        #[test]
        fn a_value_is_the_same_as_itself_only(a in any::<i64>(), b in any::<i64>()) {
            prop_assert!(same_value(&json!(a), &json!(a)));
            prop_assert_eq!(same_value(&json!(a), &json!(b)), a == b);
        }
    }
}
