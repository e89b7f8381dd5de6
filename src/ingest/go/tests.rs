//! What real runs of `go test -json` taught, as small samples.

use super::*;

fn read_text(text: &str) -> (Vec<ReportedCase>, Reading) {
    let mut cases = Vec::new();
    let reading = read(&mut text.as_bytes(), &mut cases).unwrap();
    (cases, reading)
}

fn event(action: &str, test: &str, more: &str) -> String {
    format!("{{\"Action\":\"{action}\",\"Package\":\"p\",\"Test\":\"{test}\"{more}}}\n")
}

fn package(action: &str) -> String {
    format!("{{\"Action\":\"{action}\",\"Package\":\"p\"}}\n")
}

fn output(test: &str, text: &str) -> String {
    event("output", test, &format!(",\"Output\":\"{text}\\n\""))
}

#[test]
fn every_test_is_a_case_parents_included() {
    let text = [
        event("run", "T", ",\"Time\":\"2026-11-23T16:28:27.5Z\""),
        event("run", "T/sub", ""),
        output("T/sub", "    t_test.go:3: it broke"),
        output("T/sub", "    --- FAIL: T/sub (0.00s)"),
        event("fail", "T/sub", ",\"Elapsed\":0.25"),
        event("fail", "T", ",\"Elapsed\":0.5"),
        event("skip", "S", ""),
        package("fail"),
    ];
    let (cases, reading) = read_text(&text.concat());
    let told: Vec<_> =
        cases.iter().map(|case| (case.name.as_str(), case.outcome.as_str())).collect();
    assert_eq!(told, [("T", "failed"), ("T/sub", "failed"), ("S", "skipped")]);
    assert_eq!(cases[0].started_at.unwrap().to_string(), "2026-11-23T16:28:27.5Z");
    assert_eq!(cases[1].duration, Some(Duration::from_millis(250)));
    assert_eq!(cases[1].problem.as_ref().unwrap().message, "t_test.go:3: it broke");
    assert_eq!(cases[0].classname.as_deref(), Some("p"));
    assert!(reading.complete && reading.suite_errors.is_empty());
}

#[test]
fn the_last_end_wins_and_a_failure_before_it_makes_it_flaky() {
    let text = [
        event("run", "F", ""),
        output("F", "first attempt"),
        event("fail", "F", ""),
        event("run", "F", ""),
        event("pass", "F", ""),
        event("run", "W", ""),
        event("pass", "W", ""),
        event("fail", "W", ""),
        package("fail"),
    ];
    let (cases, _) = read_text(&text.concat());
    assert_eq!(cases[0].outcome, ReportedOutcome::Flaky);
    assert_eq!(cases[0].reruns, 1);
    assert_eq!(cases[1].outcome, ReportedOutcome::Failed);
}

#[test]
fn a_test_that_never_ended_is_errored_and_says_what_it_said() {
    let text =
        [event("run", "T", ""), output("T", "no newline--- PASS: T (0.00s)"), package("fail")];
    let (cases, reading) = read_text(&text.concat());
    assert_eq!(cases[0].outcome, ReportedOutcome::Errored);
    assert_eq!(cases[0].problem.as_ref().unwrap().message, "no newline--- PASS: T (0.00s)");
    assert!(reading.complete);
}

#[test]
fn packages_that_fail_without_a_failing_test_are_errors_of_the_suite() {
    let build = "FAIL\texample.com/broken [build failed]\n";
    let (cases, reading) = read_text(build);
    assert!(cases.is_empty());
    assert_eq!(reading.suite_errors[0].message, "build failed");
    assert_eq!(&*reading.suite_errors[0].suite[0], "example.com/broken");

    let said = "{\"Action\":\"output\",\"Package\":\"p\",\"Output\":\"main can exit 2\\n\"}\n";
    let (_, reading) =
        read_text(&[event("pass", "T", ""), said.to_owned(), package("fail")].concat());
    assert_eq!(reading.suite_errors[0].message, "main can exit 2");
}

#[test]
fn a_build_that_fails_leaves_the_run_incomplete() {
    let text = "{\"ImportPath\":\"p\",\"Action\":\"build-fail\"}\n{\"Action\":\"fail\",\"Package\":\"p\"}\n";
    let (_, reading) = read_text(text);
    assert!(!reading.complete);
    assert_eq!(reading.suite_errors.len(), 1);
}

#[test]
fn a_cut_file_is_incomplete() {
    let whole = [event("run", "T", ""), event("pass", "T", ""), package("pass")].concat();
    assert!(read_text(&whole).1.complete);
    assert!(read_text(whole.trim_end()).1.complete);
    for cut in [whole.len() - 3, whole.len() - package("pass").len()] {
        assert!(!read_text(&whole[..cut]).1.complete, "{}", &whole[..cut]);
    }
}

#[test]
fn plain_lines_between_the_events_are_counted() {
    let text =
        format!("go: downloading x\n{}{{not json\n{}", event("pass", "T", ""), package("pass"));
    let (cases, reading) = read_text(&text);
    assert_eq!(cases.len(), 1);
    assert_eq!(reading.warnings[0].what, "2 lines are no events");
    assert!(reading.complete);
}

#[test]
fn other_files_are_no_events() {
    let error = read(&mut "{\"a\":1}\nPASS\n".as_bytes(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Unreadable::NotResults { .. }), "{error}");
    let error = read(&mut "\n".as_bytes(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Unreadable::Empty), "{error}");
}
