//! Whether an expectation can fail at all: of a status, and of a body.

use std::ops::RangeInclusive;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::domain::spec::{Condition, JsonType, Matcher};
use crate::domain::template::{JsonTemplate, Template};
use crate::pipeline::texts::MAX_COMPILED_BYTES;

/// The statuses that a server can answer with.
const STATUSES: RangeInclusive<u16> = 100..=599;

/// Whether every status from 100 to 599 is accepted. What depends on `${…}` is not.
pub(crate) fn accepts_any(matcher: &Matcher) -> bool {
    accepted(matcher).is_some_and(|accepted| accepted.into_iter().all(|is| is))
}

/// Whether every body is accepted. A body is always there, be it empty.
pub(crate) fn is_no_demand(body: &Matcher) -> bool {
    body.conditions.iter().all(|condition| match condition {
        Condition::Exists(exists) => *exists,
        Condition::Contains(JsonTemplate::Plain(Value::String(text))) => text.is_empty(),
        Condition::Contains(JsonTemplate::Text(text)) => text.source().is_empty(),
        Condition::Type(kind) => *kind == JsonType::String,
        Condition::Equals(_)
        | Condition::Not(_)
        | Condition::Contains(
            JsonTemplate::Plain(_) | JsonTemplate::List(_) | JsonTemplate::Map(_),
        )
        | Condition::Matches(_)
        | Condition::OneOf(_)
        | Condition::Compare(..)
        | Condition::Length(_)
        | Condition::Each(_)
        | Condition::Schema(_) => false,
    })
}

/// Which of the statuses fit, each in its place; `None` when that depends on a value not known yet.
/// The matcher is tried on all of them, as `verdict` tries it on one.
fn accepted(matcher: &Matcher) -> Option<Vec<bool>> {
    let mut all = vec![true; STATUSES.len()];
    for condition in &matcher.conditions {
        for (all, one) in all.iter_mut().zip(accepted_by(condition)?) {
            *all &= one;
        }
    }
    Some(all)
}

fn accepted_by(condition: &Condition) -> Option<Vec<bool>> {
    let each = |fits: &dyn Fn(u16) -> bool| Some(STATUSES.map(fits).collect());
    match condition {
        Condition::Equals(expected) => {
            let expected = number(expected)?;
            each(&|status| f64::from(status) == expected)
        }
        Condition::OneOf(list) => {
            let numbers: Vec<f64> = list.iter().map(number).collect::<Option<_>>()?;
            each(&|status| numbers.contains(&f64::from(status)))
        }
        Condition::Not(inner) => Some(accepted(inner)?.into_iter().map(|fits| !fits).collect()),
        Condition::Compare(ordering, bound) => {
            let bound = number(bound)?;
            each(&|status| ordering.holds(&f64::from(status), &bound))
        }
        Condition::Matches(pattern) => {
            let pattern = compiled(pattern)?;
            each(&|status| pattern.is_match(&status.to_string()))
        }
        Condition::Exists(exists) => each(&|_| *exists),
        Condition::Type(kind) => {
            let is_number = matches!(kind, JsonType::Integer | JsonType::Number);
            each(&|_| is_number)
        }
        // A number contains nothing, has no length and no items.
        Condition::Contains(_) | Condition::Length(_) | Condition::Each(_) => each(&|_| false),
        Condition::Schema(_) => None,
    }
}

/// The pattern, unless it depends on a value or is none; that is told where it is read.
fn compiled(pattern: &Template) -> Option<Regex> {
    let text = pattern.render(&|_: &str| None).ok()?;
    RegexBuilder::new(&text).size_limit(MAX_COMPILED_BYTES).build().ok()
}

fn number(template: &JsonTemplate) -> Option<f64> {
    match template {
        JsonTemplate::Plain(Value::Number(number)) => number.as_f64(),
        JsonTemplate::Plain(_)
        | JsonTemplate::Text(_)
        | JsonTemplate::List(_)
        | JsonTemplate::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::spec::Ordering;

    fn matcher(conditions: Vec<Condition>) -> Matcher {
        Matcher { conditions }
    }

    fn pattern(text: &str) -> Condition {
        Condition::Matches(Template::parse(text).unwrap())
    }

    fn plain(n: u32) -> JsonTemplate {
        JsonTemplate::Plain(n.into())
    }

    #[test]
    fn only_what_accepts_everything_is_told() {
        let any = [
            matcher(vec![Condition::Exists(true)]),
            matcher(vec![Condition::Type(JsonType::Integer)]),
            matcher(vec![Condition::Compare(Ordering::AtLeast, plain(100))]),
            matcher(vec![Condition::Not(Box::new(matcher(vec![Condition::Equals(plain(600))])))]),
            matcher(vec![pattern(".")]),
            matcher(vec![pattern("^[0-9]")]),
            matcher(vec![pattern("^[1-5]"), pattern("^\\d{3}$")]),
            matcher(vec![Condition::Not(Box::new(matcher(vec![pattern("^6")])))]),
            matcher(vec![Condition::Not(Box::new(matcher(vec![Condition::Contains(plain(2))])))]),
        ];
        for matcher in &any {
            assert!(accepts_any(matcher), "{matcher:?}");
        }
        let some = [
            matcher(vec![Condition::Equals(plain(200))]),
            matcher(vec![Condition::OneOf(vec![plain(401), plain(403)])]),
            matcher(vec![Condition::Compare(Ordering::Less, plain(500))]),
        ];
        let some = some.into_iter().chain([
            matcher(vec![pattern("^2")]),
            matcher(vec![pattern("^[1-5]0")]),
            matcher(vec![pattern("${expected}")]),
            matcher(vec![pattern("(")]),
            matcher(vec![Condition::Contains(plain(2))]),
        ]);
        for matcher in some {
            assert!(!accepts_any(&matcher), "{matcher:?}");
        }
    }

    #[test]
    fn a_body_that_need_only_be_there_is_no_demand() {
        let text = |text: &str| JsonTemplate::Plain(text.into());
        assert!(is_no_demand(&matcher(vec![Condition::Exists(true)])));
        assert!(is_no_demand(&matcher(vec![Condition::Contains(text(""))])));
        assert!(!is_no_demand(&matcher(vec![Condition::Contains(text("ok"))])));
        assert!(!is_no_demand(&matcher(vec![
            Condition::Exists(true),
            Condition::Equals(text("x"))
        ])));
    }
}
