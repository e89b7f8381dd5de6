//! What real files of TAP taught (the pitfalls of the corpus), as small samples.

use super::super::case::{ReportedCase, ReportedOutcome};
use super::*;

fn read_text(text: &str) -> (Vec<ReportedCase>, Reading) {
    let mut cases = Vec::new();
    let reading = read(&mut text.as_bytes(), &mut cases).unwrap();
    (cases, reading)
}

/// The cases as `outcome suite > suite > name`.
fn told(text: &str) -> Vec<String> {
    let tell = |case: &ReportedCase| {
        let suites: String = case.suite.iter().map(|suite| format!("{suite} > ")).collect();
        format!("{} {suites}{}", case.outcome, case.name)
    };
    read_text(text).0.iter().map(tell).collect()
}

fn complete(text: &str) -> bool {
    read_text(text).1.complete
}

#[test]
fn the_leaves_are_the_cases_whichever_way_a_subtest_is_written() {
    let expected = ["passed a > b > one", "failed a > b > two", "passed a > three"];
    for text in [
        // Announced at the parent's indent, the parent after its children (Perl, node:test).
        "# Subtest: a\n    # Subtest: b\n        ok 1 - one\n        not ok 2 - two\n        1..2\n    \
         not ok 1 - b\n    ok 2 - three\n    1..2\nnot ok 1 - a\n1..1\n",
        // Not announced.
        "        ok 1 - one\n        not ok 2 - two\n    not ok 1 - b\n    ok 2 - three\nnot ok 1 - a\n1..1\n",
        // In braces, the parent first (Vitest, Test2).
        "1..1\nnot ok 1 - a {\n    not ok 1 - b {\n        ok 1 - one\n        not ok 2 - two\n    }\n    \
         ok 2 - three\n}\n",
        // Tabs, and line ends of another system.
        "1..1\r\n\t\tok 1 - one\r\n\t\tnot ok 2 - two\r\n\tnot ok 1 - b\r\n\tok 2 - three\r\nnot ok 1 - a\r\n",
    ] {
        assert_eq!(told(text), expected, "{text}");
        assert!(complete(text), "{text}");
    }
}

#[test]
fn a_parent_counts_where_it_failed_and_no_leaf_did() {
    let text =
        "1..2\nnot ok 1 - hooks {\n    ok 1 - one\n}\nok 2 - fine {\n    not ok 1 - is not\n}\n";
    assert_eq!(told(text), ["passed hooks > one", "failed hooks", "failed fine > is not"]);
}

#[test]
fn what_is_skipped_or_to_do_is_skipped_whatever_it_says() {
    let text = "1..5\nok 1 # SKIP no db\nnot ok 2 - a # skip\nok 3 - b # TODO\nnot ok 4 - c # TODO later\n\
                ok 5 - d # TODO x {\n    not ok 1 - within\n}\n";
    let (cases, reading) = read_text(text);
    assert!(cases.iter().all(|case| case.outcome == ReportedOutcome::Skipped), "{cases:?}");
    let expected: Vec<&str> =
        cases.iter().filter(|case| case.expected_failure).map(|case| case.name.as_str()).collect();
    assert_eq!(expected, ["c"]);
    assert!(reading.complete);
}

#[test]
fn a_failure_under_a_skipped_parent_is_still_one() {
    let text = "1..1\nok 1 - s # SKIP {\n    ok 1 - one\n    not ok 2 - two\n}\n";
    assert_eq!(told(text), ["skipped s", "failed s > two"]);
}

#[test]
fn only_a_plan_that_is_met_makes_it_complete() {
    for (text, expected) in [
        ("1..1\nok 1\n", true),
        ("ok 1\n1..1\n", true),
        ("1..0 # SKIP no db\n", true),
        ("ok 1\n", false),
        ("1..2\nok 1\n", false),
        ("1..1\nok 1\nok 2\n", false),
        ("1..1\nok 1\nBail out! no db\n", false),
        ("1..1\nok 1 - a {\n    ok 1 - b\n", false),
        ("1..1\nok 1 - a\n  ---\n  message: cut", false),
        // Numbers that are repeated, left out or too high are a writer's habit.
        ("1..3\nok 1\nok 1\nok 7\n", true),
    ] {
        assert_eq!(complete(text), expected, "{text}");
    }
    assert!(read_text("1..2\nok 1\nok 1\n").1.warnings[0].what.contains("misnumbered"));
}

#[test]
fn nothing_after_a_bail_out_counts() {
    let text = "1..3\nok 1 - a\n    Bail out! lost the device\nnot ok 2 - b\n";
    assert_eq!(told(text), ["passed a"]);
    assert_eq!(read_text(text).1.warnings[0].what, "the run bailed out: lost the device");
}

#[test]
fn blocks_hold_what_looks_like_results() {
    let text = "1..3\nnot ok 1 - raw\n    ---\n    error:\n        message: \"boom\nline two\"\n    actual: \"{\n  \
                \\\"a\\\": 1,\n}\"\n    ---\n    error: again\n    ...\nok 2 - deep\n  ---\n  found: >\n      \
                not ok 1 - nope\n      ...\n  ...\nnot ok 3 - open\n  ---\n  message: never closed\n";
    let (cases, _) = read_text(&format!("{text}ok 4 - after\n"));
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["raw", "deep", "open", "after"]);
    assert_eq!(cases[0].problem.as_ref().unwrap().message, "boom");
    assert_eq!(cases[2].problem.as_ref().unwrap().message, "never closed");
}

#[test]
fn comments_after_a_failure_say_why_and_figures_do_not() {
    let text = "1..2\nnot ok 1 - a\n#   Failed test 'a'\n#   at t/a.t line 3.\nnot ok 2 - b\n# tests 2\n# pass 0\n";
    let (cases, _) = read_text(text);
    let problem = cases[0].problem.as_ref().unwrap();
    assert_eq!(problem.message, "Failed test 'a'");
    assert_eq!(problem.text, "Failed test 'a'\nat t/a.t line 3.");
    assert_eq!(cases[1].problem.as_ref().unwrap().message, "");
}

#[test]
fn output_between_the_results_is_passed_over() {
    let text = "> tape test\n\nTAP version 13\n[info] listening\nok 1 - a\npragma +strict\n  ok\n{ x: 1,\n}\n1..1\n";
    assert_eq!(told(text), ["passed a"]);
    assert!(complete(text));
}

#[test]
fn a_name_may_end_in_a_brace() {
    assert_eq!(told("1..2\nok 1 - parses {\nok 2 - b\n"), ["passed parses {", "passed b"]);
    assert_eq!(told("1..1\nok child {\n    \n}\n"), ["passed child"]);
}

#[test]
fn a_cut_subtest_keeps_what_was_complete() {
    let text = "1..1\n# Subtest: a\n    ok 1 - one\n    not ok 2 - two\n";
    assert_eq!(told(text), ["passed a > one", "failed a > two"]);
    assert!(!complete(text));
}

#[test]
fn other_files_are_no_tap() {
    for text in ["<html></html>", "hello\nworld\n"] {
        let error = read(&mut text.as_bytes(), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, Unreadable::NotResults { .. }), "{error}");
    }
    let error = read(&mut " \n\n".as_bytes(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Unreadable::Empty), "{error}");
}

#[test]
fn no_depth_and_no_number_of_subtests_overwhelms_it() {
    let deep: String =
        (0..1_100).map(|level| format!("{}ok - x\n", " ".repeat(level * 4))).collect();
    assert!(!read_text(&deep).0.is_empty());
    let open: String =
        (0..900).map(|level| format!("{}ok - x {{\n", " ".repeat(level * 4))).collect();
    let (cases, reading) = read_text(&open);
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].suite.len(), 899);
    assert!(!reading.complete);
}
