//! Expectations and durations in words, for messages that people read.

use std::time::Duration;

use serde_json::Value;

use crate::domain::spec::{Condition, DurationBound, JsonType, Matcher};
use crate::domain::template::{JsonTemplate, Lookup, Template};

/// A matcher in words, references filled in where they have a value.
pub fn describe_matcher(matcher: &Matcher, lookup: &dyn Lookup) -> String {
    let words: Vec<String> =
        matcher.conditions.iter().map(|condition| describe(condition, lookup)).collect();
    words.join(" and ")
}

fn describe(condition: &Condition, lookup: &dyn Lookup) -> String {
    match condition {
        Condition::Equals(value) => shown(value, lookup),
        Condition::Not(inner) => format!("not {}", describe_matcher(inner, lookup)),
        Condition::Contains(value) => format!("containing {}", shown(value, lookup)),
        Condition::Matches(pattern) => format!("matching /{}/", shown_text(pattern, lookup)),
        Condition::Exists(true) => "to exist".to_owned(),
        Condition::Exists(false) => "not to exist".to_owned(),
        Condition::Type(kind) => format!("of type {}", type_word(*kind)),
        Condition::OneOf(values) => {
            let words: Vec<String> = values.iter().map(|value| shown(value, lookup)).collect();
            words.join(" or ")
        }
        Condition::Compare(ordering, value) => {
            format!("{} {}", ordering.sign(), shown(value, lookup))
        }
        Condition::Length(inner) => format!("of length {}", describe_matcher(inner, lookup)),
        Condition::Each(inner) => format!("each {}", describe_matcher(inner, lookup)),
        Condition::Schema(schema) => format!("valid against {}", schema.source.display()),
    }
}

fn shown(value: &JsonTemplate, lookup: &dyn Lookup) -> String {
    value.render(lookup).unwrap_or_else(|_| value.source()).to_string()
}

fn shown_text(template: &Template, lookup: &dyn Lookup) -> String {
    template.render(lookup).unwrap_or_else(|_| template.source().to_owned())
}

/// The word of JSON Schema for a type.
pub(super) fn type_word(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "boolean",
        JsonType::Integer => "integer",
        JsonType::Number => "number",
        JsonType::String => "string",
        JsonType::Array => "array",
        JsonType::Object => "object",
    }
}

/// A value that may be missing, in words.
pub(super) fn describe_actual(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// A bound in words, `< 2s`.
pub(super) fn describe_bound(bound: DurationBound) -> String {
    format!("{} {}", bound.ordering.sign(), describe_duration(bound.limit))
}

/// A duration with a unit that keeps it short: `850µs`, `12ms`, `1.25s`, `3m20s`, `14d`.
pub fn describe_duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    let seconds = duration.as_secs();
    if micros < 1_000 {
        format!("{micros}µs")
    } else if micros < 1_000_000 {
        trimmed(micros as f64 / 1e3, "ms")
    } else if seconds < 120 {
        trimmed(micros as f64 / 1e6, "s")
    } else if seconds >= 86_400 && seconds.is_multiple_of(86_400) {
        format!("{}d", seconds / 86_400)
    } else if seconds >= 2 * 3_600 {
        pair(seconds / 3_600, "h", seconds % 3_600 / 60, "m")
    } else {
        pair(seconds / 60, "m", seconds % 60, "s")
    }
}

fn trimmed(number: f64, unit: &str) -> String {
    let text = format!("{number:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

fn pair(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{big}{big_unit}"),
        small => format!("{big}{big_unit}{small}{small_unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let cases = [
            (Duration::from_micros(850), "850µs"),
            (Duration::from_millis(12), "12ms"),
            (Duration::from_micros(1_500), "1.5ms"),
            (Duration::from_millis(1_250), "1.25s"),
            (Duration::from_secs(200), "3m20s"),
            (Duration::from_secs(7_200), "2h"),
            (Duration::from_secs(14 * 86_400), "14d"),
        ];
        for (duration, text) in cases {
            assert_eq!(describe_duration(duration), text);
        }
    }
}
