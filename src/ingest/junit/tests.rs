//! What JUnit files of forty tools taught, as small samples.

use super::*;
use crate::ingest::case::{ReportedCase, ReportedOutcome};
use crate::ingest::error::MAX_DEPTH;

fn read_text(text: &str) -> (Vec<ReportedCase>, Reading) {
    let mut cases = Vec::new();
    let reading = read(&mut text.as_bytes(), &mut cases).expect("it is a document");
    (cases, reading)
}

/// `name outcome` of each case, and what is wrong with the file.
fn told(text: &str) -> (Vec<String>, Vec<String>) {
    let (cases, reading) = read_text(text);
    let cases = cases.iter().map(|case| format!("{} {}", case.name, case.outcome)).collect();
    (cases, reading.warnings.into_iter().map(|warning| warning.what).collect())
}

#[track_caller]
fn assert_cases(inner: &str, expected: &[&str]) {
    let text = format!("<testsuites><testsuite name='s'>{inner}</testsuite></testsuites>");
    assert_eq!(told(&text).0, expected, "{inner}");
}

#[test]
fn what_stands_in_a_case_decides_and_the_worst_wins() {
    for (inner, outcome) in [
        ("", "passed"),
        ("<failure/>", "failed"),
        ("<error/>", "errored"),
        ("<failure/><error/>", "errored"),
        ("<skipped/>", "skipped"),
        ("<skipped/><failure/>", "failed"),
        ("<skipped type='todo'/><failure/>", "skipped"),
        ("<skipped message='TEST_CASE tagged with !mayfail'/><failure/>", "skipped"),
        ("<skipped type='todo'/><error/>", "errored"),
        ("<flakyFailure/>", "flaky"),
        ("<flakyError/><failure/>", "failed"),
        ("<failure/><rerunFailure/>", "failed"),
        ("<rerunFailure/>", "failed"),
        ("<system-out><failure/></system-out>", "passed"),
        ("<!-- <failure/> -->", "passed"),
    ] {
        assert_cases(&format!("<testcase name='a'>{inner}</testcase>"), &[&format!("a {outcome}")]);
    }
}

#[test]
fn a_word_decides_where_no_element_does() {
    for (attribute, outcome) in [
        ("status='run'", "passed"),
        ("status='notrun'", "skipped"),
        ("result='suppressed' status='notrun'", "skipped"),
        ("status='Failed' message='m'", "failed"),
        ("status='error'", "errored"),
    ] {
        assert_cases(&format!("<testcase name='a' {attribute}/>"), &[&format!("a {outcome}")]);
    }
    let (cases, _) = read_text("<testcase name='a' status='failed' message=' &#10;one&#10;two'/>");
    assert_eq!(cases[0].problem.as_ref().map(|problem| problem.message.as_str()), Some("one"));
}

#[test]
fn a_problem_is_told_by_its_message_or_else_by_its_text() {
    let (cases, _) = read_text(
        "<testcase name='a'><failure message='m\nn' type='T'>text</failure><failure message='second'/></testcase>\
         <testcase name='b'><error type=''> \n <![CDATA[ line <1> ]]>\nline 2</error></testcase>\
         <testcase name='c'><flakyFailure message='first'><stackTrace>at</stackTrace></flakyFailure></testcase>",
    );
    let problems: Vec<_> = cases.iter().filter_map(|case| case.problem.as_deref()).collect();
    assert_eq!((problems[0].message.as_str(), problems[0].text.as_str()), ("m", "text"));
    assert_eq!((problems[0].class.as_deref(), cases[0].problems), (Some("T"), 2));
    assert_eq!((problems[1].message.as_str(), problems[1].class.as_deref()), ("line <1>", None));
    assert_eq!((problems[2].message.as_str(), problems[2].text.as_str()), ("first", "at"));
    assert_eq!((cases[2].outcome, cases[2].reruns), (ReportedOutcome::Flaky, 1));
}

#[test]
fn a_failure_that_belongs_to_no_case_is_an_error_of_its_suite() {
    let (cases, reading) = read_text(
        "<testsuite name='a'><testsuite name='b'><error message='m'/><testcase name='c'/></testsuite></testsuite>",
    );
    assert_eq!(cases.len(), 1);
    assert_eq!(reading.suite_errors[0].message, "m");
    assert_eq!(&*reading.suite_errors[0].suite, ["a".into(), "b".into()]);
}

#[test]
fn an_open_case_is_never_called_passed() {
    let (cases, warnings) = told("<testsuite><testcase name='a'/><testcase name='b'>");
    assert_eq!(cases, ["a passed"]);
    assert_eq!(warnings[0], "the file ends within an element");
    assert_cases("<testcase name='a'><testcase name='b'/>", &["b passed"]);
    assert_cases("<testcase name='a'><failure>x<testcase name='b'/>", &["b passed", "a failed"]);
    assert!(!read_text("<testsuite><testcase name='a'>").1.complete);
}

#[test]
fn a_case_whose_failure_lost_its_start_did_not_pass() {
    assert_cases("<testcase name='a'><failur message='m'>x</failure></testcase>", &["a errored"]);
    assert_cases(
        "<testcase name='a> <failure message='x'>boom</failure></testcase>",
        &["a> <failure message='x errored"],
    );
}

#[test]
fn another_document_begins_anew() {
    let (cases, reading) = read_text(
        "<?xml version='1.0'?><testsuites><testsuite name='a'><testcase name='1'/><testcase name='2'>\
         <?xml version='1.0'?><testsuites><testsuite name='b'><testcase name='3'/></testsuite></testsuites>",
    );
    assert_eq!(cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!(&*cases[1].suite, ["b".into()]);
    assert!(!reading.complete);
}

#[test]
fn totals_that_disagree_are_told_with_both_figures() {
    let (_, warnings) = told(
        "<testsuites tests='3' failures='1'><testsuite><testcase name='a'/></testsuite></testsuites>",
    );
    assert_eq!(
        warnings,
        ["states 3 tests, its cases are 1", "states 1 failures and errors, its cases are 0"]
    );
    assert!(
        told("<testsuite tests='1' failures='0'><testcase name='a'/></testsuite>").1.is_empty()
    );
}

#[test]
fn only_playwright_writes_the_project_where_others_write_the_machine() {
    let suite = "<testsuite name='a.spec.js' hostname='firefox'><testcase name='a'/></testsuite>";
    let playwright = format!(
        "<testsuites id='' name='' tests='1' failures='0' skipped='0' errors='0' time='1'>{suite}</testsuites>"
    );
    let (cases, reading) = read_text(&playwright);
    assert_eq!((cases[0].project.as_deref(), reading.dialect), (Some("firefox"), "playwright"));
    let (cases, reading) = read_text(&format!("<testsuites>{suite}</testsuites>"));
    assert_eq!((cases[0].project.as_deref(), reading.dialect), (None, "junit"));
}

#[test]
fn nesting_has_a_limit_and_no_recursion() {
    let nested = |depth: usize| {
        format!(
            "{}<testcase name='a'/>{}",
            "<testsuite name='s'>".repeat(depth),
            "</testsuite>".repeat(depth)
        )
    };
    let (cases, _) = read_text(&nested(MAX_DEPTH - 1));
    assert_eq!(cases[0].suite.len(), MAX_DEPTH - 1);
    let deep = nested(100_000);
    assert!(matches!(read(&mut deep.as_bytes(), &mut Vec::new()), Err(Unreadable::TooDeep)));
}

#[test]
fn what_has_no_suite_in_it_is_no_result_file() {
    for text in ["<html><body/></html>", "<?xml version='1.0'?>", "", "plain"] {
        assert!(matches!(
            read(&mut text.as_bytes(), &mut Vec::new()),
            Err(Unreadable::NotResults { .. })
        ));
    }
    assert_eq!(read_text("<testsuites/>").1.cases, 0);
}

/// Some tools give each case a suite of its own, and say there when it ran.
#[test]
fn when_a_suite_of_one_case_ran_its_case_did() {
    let at = "timestamp='2026-01-02T03:04:05.250Z'";
    let began = |text: &str| {
        let (cases, _) = read_text(&format!("<testsuites>{text}</testsuites>"));
        let told = |case: &ReportedCase| (case.started_at.map(|at| at.to_string()), case.duration);
        cases.iter().map(told).collect::<Vec<_>>()
    };
    let known = Some("2026-01-02T03:04:05.25Z".to_owned());
    let (half, none) = (Some(std::time::Duration::from_millis(500)), None);
    for (text, expected) in [
        (
            format!("<testsuite {at} time='0.5'><testcase name='a'/></testsuite>"),
            vec![(known.clone(), half)],
        ),
        (
            format!("<testsuite {at}><testcase name='a' time='0.5'/></testsuite>"),
            vec![(known.clone(), half)],
        ),
        (
            format!("<testsuite {at} time='0.5'><testcase name='a' time='.5'/></testsuite>"),
            vec![(known, half)],
        ),
        // It did more than its case; or it is not the case's alone, or nobody's time.
        (
            format!("<testsuite {at} time='9'><testcase name='a' time='.5'/></testsuite>"),
            vec![(None, half)],
        ),
        (
            format!(
                "<testsuite {at}><testcase name='a'/><testcase name='b' time='.5'/></testsuite>"
            ),
            vec![(None, none), (None, half)],
        ),
        (
            format!(
                "<testsuite {at}><testcase name='a'/><testsuite><testcase name='b'/></testsuite></testsuite>"
            ),
            vec![(None, none), (None, none)],
        ),
        (
            "<testsuite timestamp='2026-01-02T03:04:05' time='.5'><testcase name='a'/></testsuite>"
                .to_owned(),
            vec![(None, none)],
        ),
    ] {
        assert_eq!(began(&text), expected, "{text}");
    }
}
