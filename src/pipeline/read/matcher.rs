//! Matchers: a bare value means equals, a map of conditions means all of them.

use crate::domain::spec::{Condition, JsonType, Matcher, Ordering};
use crate::domain::template::JsonTemplate;
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::reader::{Cx, Placeholder};
use crate::pipeline::suggest::nearest;
use crate::pipeline::yaml::{Entry, Node, Value};

/// The conditions, as the contract lists them.
pub(crate) const CONDITIONS: &[&str] = &[
    "equals", "not", "contains", "matches", "exists", "type", "one_of", "<", "<=", ">", ">=",
    "length", "each", "schema",
];

/// Conditions whose names are also common keys of JSON objects.
const COMMON_KEYS: &[&str] = &["type", "length", "schema"];

/// What is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A JSON value.
    Json,
    /// A text, such as a header or a body: numbers in the file are read as texts.
    Text,
    /// A status: a list is one of.
    Status,
    /// A WebSocket close code: a list is one of.
    CloseCode,
    /// A number of things.
    Size,
}

impl Placeholder for Matcher {
    fn placeholder() -> Self {
        Self { conditions: vec![Condition::Exists(true)] }
    }
}

/// Reads a matcher.
pub(crate) fn matcher(cx: &mut Cx<'_>, node: &Node, subject: Subject) -> Matcher {
    let conditions = match (&node.value, subject) {
        (Value::Map(entries), _) => match map_kind(cx, entries) {
            MapKind::Conditions => {
                entries.iter().map(|entry| condition(cx, entry, subject)).collect()
            }
            MapKind::Object => vec![equals(cx, node, subject)],
            MapKind::Faulty => vec![Condition::Exists(true)],
        },
        (Value::List(_), Subject::Status | Subject::CloseCode) => vec![one_of(cx, node, subject)],
        _ => vec![equals(cx, node, subject)],
    };
    Matcher { conditions }
}

enum MapKind {
    Conditions,
    Object,
    Faulty,
}

/// Tells a map of conditions from an object to be equalled, and a slip from both.
fn map_kind(cx: &mut Cx<'_>, entries: &[Entry]) -> MapKind {
    let is_condition = |entry: &&Entry| CONDITIONS.contains(&entry.key.as_str());
    let others: Vec<&Entry> = entries.iter().filter(|entry| !is_condition(entry)).collect();
    if others.is_empty() && !entries.is_empty() {
        return MapKind::Conditions;
    }
    let has_plain_condition = entries
        .iter()
        .any(|entry| is_condition(&entry) && !COMMON_KEYS.contains(&entry.key.as_str()));
    let mut faulty = false;
    for entry in others {
        let near = cx
            .suggester
            .nearest(&entry.key, CONDITIONS.iter().copied())
            .filter(|near| entry.key.len() >= 4 && near.len() >= 4);
        if near.is_none() && !has_plain_condition {
            continue;
        }
        faulty = true;
        let fault = cx.error(entry.key_span, format!("unknown condition {}", quoted(&entry.key)));
        if let Some(near) = near {
            fault.help(format!("did you mean `{near}`?"));
        }
        fault.help(format!("conditions: {}", CONDITIONS.join(", ")));
        fault.help("to expect an object with this key, write `equals: { … }`");
    }
    if faulty { MapKind::Faulty } else { MapKind::Object }
}

fn condition(cx: &mut Cx<'_>, entry: &Entry, subject: Subject) -> Condition {
    let node = &entry.value;
    match entry.key.as_str() {
        "equals" => equals(cx, node, subject),
        "not" => Condition::Not(Box::new(matcher(cx, node, subject))),
        "contains" => contains(cx, node, subject),
        "matches" => matches(cx, node),
        "exists" => Condition::Exists(cx.flag(node)),
        "type" => json_type(cx, node),
        "one_of" => one_of(cx, node, subject),
        "<" => compare(cx, node, Ordering::Less),
        "<=" => compare(cx, node, Ordering::AtMost),
        ">" => compare(cx, node, Ordering::Greater),
        ">=" => compare(cx, node, Ordering::AtLeast),
        "length" => Condition::Length(Box::new(matcher(cx, node, Subject::Size))),
        "each" => Condition::Each(Box::new(matcher(cx, node, Subject::Json))),
        _ => Condition::Schema(cx.schema(node)),
    }
}

/// Every text contains the empty one. In JSON it may be one of a list, which only the answer tells.
fn contains(cx: &mut Cx<'_>, node: &Node, subject: Subject) -> Condition {
    let subject = contained(subject);
    if subject == Subject::Text && node.as_text() == Some("") {
        cx.error(node.span, "every text contains the empty one, so this fits everything");
    }
    Condition::Contains(expected(cx, node, subject))
}

fn contained(subject: Subject) -> Subject {
    match subject {
        Subject::Text => Subject::Text,
        Subject::Json | Subject::Status | Subject::CloseCode | Subject::Size => Subject::Json,
    }
}

fn equals(cx: &mut Cx<'_>, node: &Node, subject: Subject) -> Condition {
    Condition::Equals(expected(cx, node, subject))
}

/// Reads a value that is expected, and checks that the subject can have it.
fn expected(cx: &mut Cx<'_>, node: &Node, subject: Subject) -> JsonTemplate {
    match subject {
        Subject::Json => cx.json(node),
        Subject::Text => match &node.value {
            Value::Null | Value::List(_) | Value::Map(_) => {
                cx.wrong_type(node, "a text or a matcher");
                JsonTemplate::placeholder()
            }
            Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
                JsonTemplate::Text(cx.template(node))
            }
        },
        Subject::Status => number_within(cx, node, 100..=599, "a status from 100 to 599"),
        Subject::CloseCode => {
            number_within(cx, node, 1000..=4999, "a close code from 1000 to 4999")
        }
        Subject::Size => number_within(cx, node, 0..=u64::MAX, "a whole number"),
    }
}

fn number_within(
    cx: &mut Cx<'_>,
    node: &Node,
    range: std::ops::RangeInclusive<u64>,
    what: &str,
) -> JsonTemplate {
    let fits = match &node.value {
        Value::Number(number) => number.as_u64().is_some_and(|n| range.contains(&n)),
        Value::Text(text) => text.contains("${"),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => false,
    };
    if fits {
        return cx.json(node);
    }
    let is_class = node.as_text().is_some_and(|text| {
        text.len() == 3
            && text[1..].eq_ignore_ascii_case("xx")
            && text.as_bytes()[0].is_ascii_digit()
    });
    let class = node.as_text().and_then(|text| text.chars().next()).filter(|_| is_class);
    let fault = cx.wrong_type(node, what);
    if let Some(class) = class {
        let next = class.to_digit(10).unwrap_or(0) + 1;
        fault.help(format!("write `{{ \">=\": {class}00, \"<\": {next}00 }}`"));
    }
    JsonTemplate::placeholder()
}

fn one_of(cx: &mut Cx<'_>, node: &Node, subject: Subject) -> Condition {
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        cx.error(node.span, "the list is empty, so nothing can be one of it");
    }
    Condition::OneOf(cx.strict_list(node, |cx, item| expected(cx, item, subject)))
}

fn matches(cx: &mut Cx<'_>, node: &Node) -> Condition {
    let pattern = cx.text(node);
    if !pattern.contains("${") && !pattern.is_empty() {
        // `$$` is a dollar sign in every text of a native step, so also in a pattern.
        cx.check_pattern(&pattern.replace("$$", "$"), node.span);
    }
    if pattern.is_empty() {
        return Condition::Exists(true);
    }
    Condition::Matches(cx.template(node))
}

fn json_type(cx: &mut Cx<'_>, node: &Node) -> Condition {
    let words = [
        ("string", JsonType::String),
        ("number", JsonType::Number),
        ("integer", JsonType::Integer),
        ("boolean", JsonType::Boolean),
        ("array", JsonType::Array),
        ("object", JsonType::Object),
        ("null", JsonType::Null),
    ];
    // `type: null` is written without quotes by most.
    if matches!(node.value, Value::Null) {
        return Condition::Type(JsonType::Null);
    }
    let known = node.as_text().and_then(|text| words.iter().find(|(word, _)| *word == text));
    if let Some((_, kind)) = known {
        return Condition::Type(*kind);
    }
    let names = words.map(|(word, _)| word);
    let near = node.as_text().and_then(|text| match text {
        "bool" => Some("boolean"),
        "list" => Some("array"),
        "map" | "dict" => Some("object"),
        "int" => Some("integer"),
        "float" => Some("number"),
        "str" | "text" => Some("string"),
        other => nearest(other, names),
    });
    let fault = cx.wrong_type(node, &format!("one of {}", names.join(", ")));
    if let Some(near) = near {
        fault.help(format!("did you mean `{near}`?"));
    }
    fault.help("to expect an object with a key `type`, write `equals: { type: … }`");
    Condition::Type(JsonType::Null)
}

fn compare(cx: &mut Cx<'_>, node: &Node, ordering: Ordering) -> Condition {
    let is_number = match &node.value {
        Value::Number(_) => true,
        Value::Text(text) => text.contains("${") || text.trim().parse::<f64>().is_ok(),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => false,
    };
    if !is_number {
        cx.wrong_type(node, "a number");
        return Condition::Exists(true);
    }
    Condition::Compare(ordering, cx.json(node))
}
