//! What real reports of Playwright taught, as small samples.

use super::*;

fn read_text(text: &str) -> (Vec<ReportedCase>, Reading) {
    let mut cases = Vec::new();
    let reading = read(&mut text.as_bytes(), &mut cases).unwrap();
    (cases, reading)
}

fn report(tests: &str) -> String {
    let stats = r#""stats":{"startTime":"x","expected":1,"skipped":1,"unexpected":2,"flaky":1}"#;
    let spec = format!(
        r#"{{"title":"t","ok":true,"tags":[],"tests":[{tests}],"file":"a.spec.js","line":1}}"#
    );
    let inner = format!(r#"{{"title":"group","file":"a.spec.js","specs":[{spec}],"suites":[]}}"#);
    let outer = format!(r#"{{"title":"a.spec.js","line":0,"specs":[],"suites":[{inner}]}}"#);
    format!(r#"{{"config":{{"x":[1]}},"suites":[{outer}],"errors":[],{stats}}}"#)
}

fn test(status: &str, results: &str) -> String {
    format!(
        r#"{{"projectName":"mobile","expectedStatus":"passed","status":"{status}","results":[{results}]}}"#
    )
}

const PASSED: &str = r#"{"status":"passed","duration":250,"errors":[],"startTime":"2026-11-23T16:19:12.096Z","stdout":[{"text":"x"}]}"#;
const FAILED: &str = r#"{"status":"failed","duration":1,"error":{"message":"one"},"errors":[{"message":"\u001b[31mError: two\u001b[39m\nmore"}]}"#;
const LATE: &str = r#"{"status":"timedOut","errors":[{"message":"Test timeout"}]}"#;
const STOPPED: &str = r#"{"status":"interrupted","errors":[]}"#;

#[test]
fn each_status_has_its_outcome() {
    use ReportedOutcome::{Errored, Failed, Flaky, Passed, Skipped};
    for (status, results, outcome, message) in [
        ("expected", PASSED.to_owned(), Passed, None),
        ("unexpected", FAILED.to_owned(), Failed, Some("Error: two")),
        ("unexpected", PASSED.to_owned(), Failed, Some("expected to fail, but passed")),
        ("unexpected", format!("{FAILED},{LATE}"), Failed, Some("Test timeout")),
        ("unexpected", format!("{FAILED},{STOPPED}"), Failed, Some("Error: two")),
        ("flaky", format!("{FAILED},{PASSED}"), Flaky, Some("Error: two")),
        ("skipped", String::new(), Skipped, None),
        // A pass of which nothing ran is none.
        ("expected", String::new(), Errored, Some("it has no result that is known")),
        ("splendid", PASSED.to_owned(), Errored, Some("it has no result that is known")),
    ] {
        let (cases, _) = read_text(&report(&test(status, &results)));
        let case = &cases[0];
        assert_eq!(case.outcome, outcome, "{status} {results}");
        let said = case.problem.as_ref().map(|problem| problem.message.as_str());
        assert_eq!(said, message, "{status} {results}");
    }
}

#[test]
fn a_case_stands_under_its_suites_and_in_its_project() {
    let (cases, reading) = read_text(&report(&test("flaky", &format!("{FAILED},{PASSED}"))));
    let case = &cases[0];
    assert_eq!(*case.suite, [Box::from("a.spec.js"), Box::from("group")]);
    assert_eq!(case.project.as_deref(), Some("mobile"));
    assert_eq!(case.file.as_deref(), Some("a.spec.js"));
    assert_eq!(case.duration, Some(Duration::from_millis(250)));
    assert_eq!(case.started_at.unwrap().to_string(), "2026-11-23T16:19:12.096Z");
    assert_eq!(case.reruns, 1);
    assert!(reading.complete);
    let stated = Stated { tests: Some(5), failures: Some(2), errors: None, skipped: Some(1) };
    assert_eq!(reading.stated, stated);
}

#[test]
fn errors_outside_of_tests_are_the_suites() {
    let text = r#"{"suites":[],"errors":[{"message":"Error: No tests found.\nMake sure"},{"value":"thrown"}]}"#;
    let (cases, reading) = read_text(text);
    assert!(cases.is_empty());
    let said: Vec<&str> = reading.suite_errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(said, ["Error: No tests found.", "thrown"]);
}

#[test]
fn an_interrupted_run_is_incomplete() {
    let (_, reading) = read_text(&report(&test("skipped", STOPPED)));
    assert!(!reading.complete);
}

#[test]
fn a_cut_report_gives_what_was_complete() {
    let tests = [test("expected", PASSED), test("unexpected", FAILED)].join(",");
    let whole = report(&tests);
    for cut in 0..whole.len() {
        let mut cases = Vec::new();
        match read(&mut &whole.as_bytes()[..cut], &mut cases) {
            Ok(reading) => assert!(!reading.complete && cases.len() <= 2, "{}", &whole[..cut]),
            Err(error) => assert!(cases.is_empty(), "{error}"),
        }
    }
    let (cases, _) = read_text(&whole[..whole.find("\"errors\":[],\"stats\"").unwrap()]);
    assert_eq!(cases.len(), 2);
}

#[test]
fn suites_may_be_nested_and_not_without_end() {
    let nested = |depth: usize| {
        let open = r#"{"title":"s","specs":[],"suites":["#.repeat(depth);
        format!(r#"{{"suites":[{open}{}]}}"#, "]}".repeat(depth))
    };
    assert!(read_text(&nested(50)).1.complete);
    let (_, reading) = read_text(&nested(5_000));
    assert!(!reading.complete);
    assert!(reading.warnings[0].what.contains("recursion limit"), "{:?}", reading.warnings);
}

#[test]
fn other_json_is_no_report() {
    for text in ["{}", "{\"suites\":", "hello", "[]"] {
        let error = read(&mut text.as_bytes(), &mut Vec::new());
        assert!(error.is_err() || !error.unwrap().complete, "{text}");
    }
    let error = read(&mut "".as_bytes(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Unreadable::Empty), "{error}");
}
