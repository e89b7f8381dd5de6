//! Expectations that a value without content turns into ones that everything fits: found when they
//! are filled in, as a file cannot show them.

use regex::Regex;
use serde_json::Value;

use super::matcher::JudgeError;
use crate::domain::template::{JsonTemplate, Lookup, Template, text_of};

/// A text that nobody expects: what fits it and the empty one as well fits everything.
const ARBITRARY: &str = "\u{fdd0} \u{fdd1}";

/// Refuses `contains` of an empty text, which every text contains. A list or a map need not.
pub(super) fn refuse_empty_text(
    actual: Option<&Value>,
    wanted: &JsonTemplate,
    filled: &Value,
    lookup: &dyn Lookup,
) -> Result<(), JudgeError> {
    if matches!(actual, Some(Value::Array(_) | Value::Object(_))) || !text_of(filled).is_empty() {
        return Ok(());
    }
    let mut names = Vec::new();
    wanted.for_each_reference(&mut |name| names.push(name));
    // The check of the file lets it stand where a list may come, which may have an empty text in it.
    if names.is_empty() && matches!(actual, Some(Value::String(_))) {
        return Err(JudgeError::FitsEverything { condition: "contains" });
    }
    refuse("contains", &text_of(&wanted.source()), &names, lookup)
}

/// Refuses a pattern that an empty value has turned into one that everything fits.
pub(super) fn refuse_empty_pattern(
    pattern: &Template,
    compiled: &Regex,
    lookup: &dyn Lookup,
) -> Result<(), JudgeError> {
    if !(compiled.is_match("") && compiled.is_match(ARBITRARY)) {
        return Ok(());
    }
    refuse("matches", pattern.source(), &pattern.references().collect::<Vec<_>>(), lookup)
}

/// Refuses an event without a name: none ever comes, so that forbidding it forbids nothing.
pub(super) fn refuse_empty_event(
    event: &Template,
    filled: &str,
    lookup: &dyn Lookup,
) -> Result<(), JudgeError> {
    if !filled.is_empty() {
        return Ok(());
    }
    refuse("events", event.source(), &event.references().collect::<Vec<_>>(), lookup)
}

fn refuse(
    condition: &'static str,
    source_text: &str,
    names: &[&str],
    lookup: &dyn Lookup,
) -> Result<(), JudgeError> {
    let is_empty = |name: &&&str| lookup.get(name).is_some_and(|value| text_of(&value).is_empty());
    match names.iter().find(is_empty) {
        // What the author wrote without any value is for the check of the file to tell.
        None => Ok(()),
        Some(name) => Err(JudgeError::Empty {
            condition,
            source_text: source_text.to_owned(),
            name: (*name).to_owned(),
            by: lookup.captured_by(name),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::domain::spec::{Condition, Matcher};
    use crate::verdict::judge_value;

    fn values(name: &str) -> Option<Value> {
        match name {
            "empty" => Some(json!("")),
            "full" => Some(json!("ell")),
            "brackets" => Some(json!([])),
            _ => None,
        }
    }

    fn judge(actual: Value, condition: Condition) -> Result<bool, String> {
        let matcher = Matcher { conditions: vec![condition] };
        let judged = judge_value(Some(&actual), &matcher, &values);
        judged.map(|mismatch| mismatch.is_none()).map_err(|fault| fault.to_string())
    }

    fn contains(text: &str) -> Condition {
        Condition::Contains(JsonTemplate::Text(Template::parse(text).unwrap()))
    }

    fn matches(text: &str) -> Condition {
        Condition::Matches(Template::parse(text).unwrap())
    }

    #[test]
    fn what_an_empty_value_fits_to_everything_cannot_be_judged() {
        for condition in [
            contains("${empty}"),
            contains("${empty}${empty}"),
            matches("${empty}"),
            matches("^${empty}"),
            matches("^${empty}.*$"),
            Condition::Not(Box::new(Matcher { conditions: vec![contains("${empty}")] })),
        ] {
            let fault = judge(json!("hello"), condition.clone()).unwrap_err();
            assert!(fault.contains("as `${empty}` is empty"), "{condition:?}: {fault}");
        }
    }

    #[test]
    fn a_text_that_every_text_contains_is_no_expectation() {
        let fault = judge(json!("hello"), contains("")).unwrap_err();
        assert!(fault.contains("fits every text"), "{fault}");
    }

    #[test]
    fn what_can_fail_is_judged() {
        for (condition, holds) in [
            (contains("${full}"), true),
            (contains("h${empty}"), true),
            (contains("x${empty}"), false),
            (contains("${brackets}"), false),
            (matches("^${empty}$"), false),
            (matches("^h${empty}"), true),
            (matches("^${full}"), false),
        ] {
            assert_eq!(judge(json!("hello"), condition.clone()), Ok(holds), "{condition:?}");
        }
        assert_eq!(judge(json!([""]), contains("${empty}")), Ok(true));
        assert_eq!(judge(json!([""]), contains("")), Ok(true));
        assert_eq!(judge(json!(["x"]), contains("${empty}")), Ok(false));
    }
}
