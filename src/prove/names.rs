//! Which values belong to one run alone, and what another run would have in their place.
//!
//! An answer that says them must come from this run. A token does too, but no answer repeats it.

use std::collections::HashSet;

use serde_json::Value;

use crate::domain::references::{visit_action, visit_expect};
use crate::domain::spec::{Action, Case, Condition, Expect, HttpRequest, Matcher, Step};
use crate::domain::template::{JsonTemplate, Lookup};

/// Built-in names whose value is another one in another run.
const BUILT_IN: &[&str] =
    &["revision.sha", "revision.short", "cycle", "uuid", "random", "now", "unix_time"];

/// The names whose values belong to one run alone.
#[derive(Debug, Clone)]
pub struct OwnNames(HashSet<String>);

impl OwnNames {
    /// Those that are built in, those of variables made of them, and those that steps capture.
    pub fn of<'a>(
        vars: &[(String, JsonTemplate)],
        setup: impl IntoIterator<Item = &'a Step>,
        case: &'a Case,
    ) -> Self {
        let mut own: HashSet<String> = BUILT_IN.iter().map(|name| (*name).to_owned()).collect();
        for (name, template) in vars {
            let mut is_own = false;
            template.for_each_reference(&mut |reference| is_own |= own.contains(reference));
            if is_own {
                own.insert(name.clone());
            }
        }
        let steps = setup.into_iter().chain(&case.steps);
        own.extend(steps.flat_map(|step| &step.capture).map(|capture| capture.name.clone()));
        Self(own)
    }

    /// Whether a value belongs to one run.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Whether what a step sends says a value of this run. Headers do not count: they say who asks.
    pub(super) fn are_sent_by(&self, step: &Step) -> bool {
        let mut action = step.action.clone();
        match &mut action {
            Action::Http(request) => forget_headers(request),
            Action::Sse(stream) => forget_headers(&mut stream.request),
            Action::Ws(ws) => {
                if let Some(open) = &mut ws.open {
                    open.headers.clear();
                }
            }
        }
        let mut found = false;
        visit_action(&action, &mut |name| found |= self.contains(name));
        found
    }

    /// Whether a value of this run is expected. One that must differ is not: any other run's does.
    pub(super) fn are_expected_by(&self, expect: &Expect) -> bool {
        let mut found = false;
        visit_expect(&demands(expect), &mut |name| found |= self.contains(name));
        found
    }
}

fn forget_headers(request: &mut HttpRequest) {
    request.headers.clear();
    (request.basic, request.bearer) = (None, None);
}

/// Expectations without what must not be.
fn demands(expect: &Expect) -> Expect {
    let mut demands = expect.clone();
    let lone = [&mut demands.status, &mut demands.body, &mut demands.subprotocol];
    lone.into_iter().flatten().for_each(forget_negations);
    demands.headers.iter_mut().for_each(|(_, matcher)| forget_negations(matcher));
    demands.json.iter_mut().for_each(|(_, matcher)| forget_negations(matcher));
    if let Some(events) = &mut demands.events {
        events.none.clear();
        events.filter.iter_mut().for_each(|(_, matcher)| forget_negations(matcher));
    }
    demands
}

fn forget_negations(matcher: &mut Matcher) {
    matcher.conditions.retain(|condition| !matches!(condition, Condition::Not(_)));
}

/// The values of names as another run had them.
pub struct Stranger<'a> {
    own: &'a OwnNames,
    here: &'a dyn Lookup,
}

impl<'a> Stranger<'a> {
    /// Another run than the one of `here`.
    pub fn new(own: &'a OwnNames, here: &'a dyn Lookup) -> Self {
        Self { own, here }
    }
}

impl Lookup for Stranger<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        let value = self.here.get(name)?;
        Some(if self.own.contains(name) { another(&value) } else { value })
    }
}

/// Another value of the same kind and shape.
fn another(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(text.chars().map(next).collect::<String>()),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Value::from(number.wrapping_add(1)),
            None => Value::from(number.as_f64().unwrap_or_default() + 1.0),
        },
        Value::Bool(is) => Value::from(!is),
        Value::Array(items) => items.iter().map(another).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), another(value))).collect()
        }
        Value::Null => Value::Null,
    }
}

/// The next digit or letter; hexadecimal ones stay hexadecimal, so that an id still looks like one.
fn next(letter: char) -> char {
    match letter {
        '9' => '0',
        'f' => 'a',
        'F' => 'A',
        'z' => 'g',
        'Z' => 'G',
        letter if letter.is_ascii_alphanumeric() => char::from(letter as u8 + 1),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn another_run_has_other_values_of_the_same_shape() {
        let here = json!({ "id": "9f-Zz", "n": 7, "list": ["a", true] });
        assert_eq!(another(&here), json!({ "id": "0a-Gg", "n": 8, "list": ["b", false] }));
    }
}
