//! Whether an expectation can fail at all: of a status, and of a body.

use serde_json::Value;

use crate::domain::spec::{Condition, JsonType, Matcher};
use crate::domain::template::JsonTemplate;

/// Whether every status from 100 to 599 is accepted. What depends on `${…}` is not.
pub(crate) fn accepts_any(matcher: &Matcher) -> bool {
    (100..=599).all(|status| holds(matcher, status) == Some(true))
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

/// Whether a status fits; `None` when that depends on a value not known yet.
fn holds(matcher: &Matcher, status: u16) -> Option<bool> {
    let mut all = true;
    for condition in &matcher.conditions {
        all &= condition_holds(condition, status)?;
    }
    Some(all)
}

fn condition_holds(condition: &Condition, status: u16) -> Option<bool> {
    Some(match condition {
        Condition::Equals(expected) => number(expected)? == f64::from(status),
        Condition::OneOf(list) => {
            let numbers: Option<Vec<f64>> = list.iter().map(number).collect();
            numbers?.contains(&f64::from(status))
        }
        Condition::Not(inner) => !holds(inner, status)?,
        Condition::Compare(ordering, bound) => ordering.holds(&f64::from(status), &number(bound)?),
        Condition::Exists(exists) => *exists,
        Condition::Type(kind) => matches!(kind, JsonType::Integer | JsonType::Number),
        Condition::Contains(_)
        | Condition::Matches(_)
        | Condition::Length(_)
        | Condition::Each(_)
        | Condition::Schema(_) => return None,
    })
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
    use super::*;
    use crate::domain::spec::Ordering;

    fn matcher(conditions: Vec<Condition>) -> Matcher {
        Matcher { conditions }
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
        ];
        assert!(any.iter().all(accepts_any));
        let some = [
            matcher(vec![Condition::Equals(plain(200))]),
            matcher(vec![Condition::OneOf(vec![plain(401), plain(403)])]),
            matcher(vec![Condition::Compare(Ordering::Less, plain(500))]),
        ];
        assert!(!some.iter().any(accepts_any));
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
