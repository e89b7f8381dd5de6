//! Whatever a tool reports, each test has an id of its own, the same one when it is read again.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::command::testing;
use crate::ingest::read;

const SECRET: &str = "hunter2-secret-value";

/// The ids of the cases of a JUnit file, each `class::name`, in a cycle with these cases of others.
fn ids(cases: &[&str], list: &[&str]) -> Vec<String> {
    let elements: String = cases
        .iter()
        .map(|case| {
            let (class, name) = case.split_once("::").unwrap();
            format!("<testcase classname='{class}' name='{name}'/>")
        })
        .collect();
    let mut run = Run::with_texts();
    read(&mut format!("<testsuite>{elements}</testsuite>").as_bytes(), None, &mut run).unwrap();
    let masker = Masker::new([SECRET.to_owned()]);
    let state = testing::state(vec![]);
    let names = Names::of(&state, "unit", &masker);
    let named = names.of_reported(&run, &Listed::of(list.iter().copied()));
    named.into_iter().map(|named| named.id.to_string()).collect()
}

/// Two classes hold a test of a name that is listed once: only one of them can be it.
#[test]
fn one_listed_test_is_one_reported_test() {
    assert_eq!(ids(&["B::x", "C::x"], &["x"]), ["x", "C::x"]);
    // The one that is listed under its id is it, though another comes first.
    assert_eq!(ids(&["B::x", "a::x"], &["a.py::x"]), ["B::x", "a::x"]);
}

#[test]
fn what_differs_in_a_secret_alone_is_told_apart_by_number() {
    let cases = [&format!("c::k-{SECRET}"), "c::k-***", "c::k-*** #2"];
    assert_eq!(ids(&cases, &[]), ["c::k-***", "c::k-*** #2", "c::k-*** #2 #2"]);
}

#[test]
fn no_half_of_a_secret_is_left_where_a_name_is_cut() {
    let long = format!("c::{}{SECRET}{}", "z".repeat(430), "q".repeat(100));
    let [id] = ids(&[&long], &[]).try_into().unwrap();
    assert!(id.contains("z***q") && !id.contains("hunt"), "{id}");
}

#[test]
fn what_stands_for_a_whole_command_is_no_test() {
    assert_eq!(ids(&["::command unit"], &[]), ["[unit] command unit"]);
}

/// What keeps cases apart in a cycle means nothing to their tool.
#[test]
fn a_case_is_known_to_its_tool_without_what_keeps_it_apart() {
    let names = Names::of(&testing::state(vec![]), "unit", &Masker::default());
    let table = [
        ("C::x #2", "x", "C::x"),
        ("C::x #12", "x #1", "C::x"),
        ("C::x #2", "x #2", "C::x #2"),
        ("C::x #2b", "x", "C::x #2b"),
        ("[unit] command unit", "command unit", "command unit"),
        ("[unit] x", "x", "[unit] x"),
    ];
    for (id, name, own) in table {
        assert_eq!(names.own_of(&CaseId::parse(id).unwrap(), name), own, "{id}");
    }
}
