//! A recount that finds nothing could have looked at nothing: every number of a report is changed, one at a
//! time, and the recount must notice, unless the number is one that stands in a single place and follows from
//! no other.

use std::collections::{BTreeMap, BTreeSet};

use andon::report::json::{CycleJson, cycle_json};
use andon::report::{markdown, verify};
use serde_json::Value;

use crate::stories;

/// Figures that were measured, or that come from records which the report does not hold, so that nothing in
/// it says what else they should be. All others are noticed, some only where they are the most or the least
/// that they can be.
const FREE: [&str; 16] = [
    "cases[].duration_ms",
    "cases[].evidence.bytes",
    "cases[].evidence.bytes_sent",
    "cases[].evidence.close_code",
    "cases[].evidence.connections",
    "cases[].evidence.exchanges",
    "cases[].evidence.status",
    "cases[].flaky_rate.flaky",
    "cases[].slower.max_ms",
    "cases[].slower.median_ms",
    "cases[].slower.now_ms",
    "cases[].slower.runs",
    "cases[].slower.samples",
    "clusters[].first_seen_cycle",
    "phases[].duration_ms",
    "suite.duration_ms",
];

/// The paths of all numbers in a value.
fn numbers(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(path.to_owned()),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                numbers(item, &format!("{path}/{at}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                numbers(field, &format!("{path}/{key}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// `/cases/3/attempts` as `cases[].attempts`.
fn kind(path: &str) -> String {
    let parts = path.trim_start_matches('/').split('/');
    let mut kind = String::new();
    for part in parts {
        match part.parse::<usize>() {
            Ok(_) => kind.push_str("[]"),
            Err(_) if kind.is_empty() => kind.push_str(part),
            Err(_) => kind.push_str(&format!(".{part}")),
        }
    }
    kind
}

/// Whether the recount notices that a number is another one.
fn is_noticed(json: &Value, text: &str, path: &str) -> bool {
    let number = &json.pointer(path).unwrap();
    let changed = match number.as_u64() {
        Some(whole) => vec![Value::from(whole + 1), Value::from(whole.saturating_sub(1))],
        None => vec![Value::from(number.as_f64().unwrap() + 1.0)],
    };
    changed.into_iter().filter(|other| other != *number).any(|other| {
        let mut json = json.clone();
        *json.pointer_mut(path).unwrap() = other;
        let json: CycleJson<'static> = serde_json::from_value(json).unwrap();
        !verify(&json, Some(text)).is_empty()
    })
}

#[test]
fn no_number_can_be_changed_unnoticed() {
    let mut kinds: BTreeMap<String, bool> = BTreeMap::new();
    for (_, state) in stories::all() {
        let (json, text) = (cycle_json(&state), markdown::render(&state));
        let mut paths = Vec::new();
        numbers(&json, "", &mut paths);
        for path in paths {
            let noticed = kinds.entry(kind(&path)).or_default();
            *noticed = *noticed || is_noticed(&json, &text, &path);
        }
    }
    let unnoticed: BTreeSet<&str> =
        kinds.iter().filter(|(_, noticed)| !**noticed).map(|(kind, _)| kind.as_str()).collect();
    let free: BTreeSet<&str> = FREE.into_iter().collect();
    let missed: Vec<&&str> = unnoticed.difference(&free).collect();
    assert!(missed.is_empty(), "the recount does not look at {missed:?}");
    let known: Vec<&&str> = free.difference(&unnoticed).collect();
    assert!(known.is_empty(), "{known:?} is noticed, or in no report");
    let noticed = kinds.values().filter(|noticed| **noticed).count();
    println!("{noticed} kinds of numbers are noticed, {} are free", unnoticed.len());
}

/// The same in the Markdown: each figure of the headline and of this run's column.
#[test]
fn no_figure_of_the_first_lines_can_be_changed_unnoticed() {
    let state = stories::auth_broken();
    let (json, text) = (CycleJson::of(&state), markdown::render(&state));
    for (figure, other) in [
        ("Ran 10 of 10", "Ran 9 of 10"),
        ("5 passed, 5 failing", "6 passed, 5 failing"),
        ("5 passed, 5 failing", "5 passed, 4 failing"),
        ("| Planned | 10 | 10 |", "| Planned | 10 | 11 |"),
        ("| Completed | 10 of 10 | 10 of 10 |", "| Completed | 10 of 10 | 9 of 10 |"),
        ("| Passed | 9 | 5 |", "| Passed | 9 | 6 |"),
        ("| 5 (5 · 0) | +4 |", "| 4 (4 · 0) | +4 |"),
        ("| Not run | 0 | 0 |", "| Not run | 0 | 1 |"),
    ] {
        let changed = text.replacen(figure, other, 1);
        assert_ne!(changed, text, "{figure} is not there");
        assert!(!verify(&json, Some(&changed)).is_empty(), "{figure} became {other} unnoticed");
    }
}
