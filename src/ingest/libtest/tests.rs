//! What real runs of `cargo test` and nextest taught, as small samples.

use std::time::Duration;

use super::super::case::ReportedOutcome;
use super::*;

fn read_text(text: &str) -> (Vec<ReportedCase>, Reading) {
    let mut cases = Vec::new();
    let reading = read(&mut text.as_bytes(), &mut cases).unwrap();
    (cases, reading)
}

fn told(text: &str) -> Vec<String> {
    let tell = |case: &ReportedCase| format!("{} {:?} {}", case.outcome, case.suite, case.name);
    read_text(text).0.iter().map(tell).collect()
}

const RUN: &str = "     Running unittests src/lib.rs (target/debug/deps/shop-886b0ca78d498659)

running 4 tests
test tests::ignored ... ignored, not today
test tests::good ... ok
test tests::bad ... FAILED
test tests::panics - should panic ... FAILED

failures:

---- tests::bad stdout ----
said before

thread 'tests::bad' (7) panicked at src/lib.rs:14:31:
assertion failed: slug
running 9 tests
test spoofed ... ok
test result: ok. 9 passed; 0 failed; 0 ignored

---- tests::panics stdout ----
note: test did not panic as expected at src/lib.rs:19:32

failures:
    tests::bad
    tests::panics

test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s

";

#[test]
fn a_run_as_text_gives_its_cases_and_why_they_failed() {
    let (cases, reading) = read_text(RUN);
    let names: Vec<_> =
        cases.iter().map(|case| (case.outcome.as_str(), case.name.as_str())).collect();
    let expected = [
        ("skipped", "tests::ignored"),
        ("passed", "tests::good"),
        ("failed", "tests::bad"),
        ("failed", "tests::panics"),
    ];
    assert_eq!(names, expected);
    assert_eq!(&*cases[0].suite[0], "shop (src/lib.rs)");
    assert_eq!(cases[2].problem.as_ref().unwrap().message, "assertion failed: slug");
    assert!(cases[2].problem.as_ref().unwrap().text.contains("test spoofed ... ok"));
    assert!(cases[3].problem.as_ref().unwrap().message.starts_with("note: test did not panic"));
    assert!(reading.complete && reading.warnings.is_empty(), "{:?}", reading.warnings);
    assert_eq!(reading.stated.tests, Some(4));
}

#[test]
fn every_binary_has_its_own_suite_and_must_say_how_it_ended() {
    let text = format!(
        "{RUN}     Running tests/it.rs (target/debug/deps/it-cbfa9664e3eba6aa)\n\nrunning 2 tests\n\
         test first ... ok\ntest aborts ...\nerror: test failed, to rerun pass `--test it`\n   \
         Doc-tests shop\n\nrunning 1 test\ntest src/lib.rs - total (line 2) ... ok\n\n\
         test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n"
    );
    let (cases, reading) = read_text(&text);
    let last: Vec<_> = cases[4..].iter().map(|c| (&*c.suite[0], c.outcome.as_str())).collect();
    let expected = [
        ("it (tests/it.rs)", "passed"),
        ("it (tests/it.rs)", "errored"),
        ("doc-tests shop", "passed"),
    ];
    assert_eq!(last, expected);
    assert!(!reading.complete);
    assert_eq!(reading.suite_errors.len(), 1);
}

#[test]
fn output_between_a_name_and_its_result_is_passed_over() {
    let text = "running 3 tests\ntest a ... said\nFAILED\ntest b ... \nthread 'b' (2) panicked at x:1:1:\n\
                boom\nok\ntest c ... unfinishedok\n\nfailures:\n\nfailures:\n    a\n    c\n\n\
                test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
    assert_eq!(told(text), ["failed [] a", "passed [] b", "failed [] c"]);
    let (cases, reading) = read_text(text);
    assert_eq!(cases[0].problem.as_ref().unwrap().message, "said");
    assert!(reading.complete && reading.warnings.is_empty(), "{:?}", reading.warnings);
}

#[test]
fn a_result_that_is_not_told_is_no_pass() {
    let text = "running 1 test\ntest a ... unfinishedok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
    assert_eq!(told(text), ["errored [] a"]);
}

#[test]
fn quiet_runs_give_what_has_a_name_and_a_warning() {
    let text = "\nrunning 4 tests\ni. 2/4\ntests::bad --- FAILED\n.\nfailures:\n\n---- tests::bad stdout ----\n\
                Error: no\n\nfailures:\n    tests::bad\n\ntest result: FAILED. 2 passed; 1 failed; 1 ignored;\n";
    let (cases, reading) = read_text(text);
    assert_eq!(told(text), ["failed [] tests::bad"]);
    assert_eq!(cases[0].problem.as_ref().unwrap().message, "Error: no");
    assert!(reading.warnings[0].what.contains("--quiet"), "{:?}", reading.warnings);
    let dots = "running 1 test\n.\ntest result: FAILED. 0 passed; 1 failed; 0 ignored;\n";
    assert_eq!(read_text(dots).1.suite_errors[0].message, "1 failed tests have no name");
}

#[test]
fn what_does_not_compile_is_an_error() {
    let (cases, reading) =
        read_text("error: could not compile `shop` (lib) due to 1 previous error\n");
    assert!(cases.is_empty() && !reading.complete);
    assert_eq!(reading.suite_errors.len(), 1);
}

#[test]
fn times_and_colours_are_read() {
    let text = "running 2 tests\ntest a ... ok <0.250s>\ntest b ... \u{1b}[31mFAILED\u{1b}(B\u{1b}[m\n\
                test c ... \u{1b}[31;1mFAILED\u{1b}[0m\n";
    let (cases, _) = read_text(text);
    assert_eq!(cases[0].duration, Some(Duration::from_millis(250)));
    assert_eq!(cases.iter().filter(|c| c.outcome == ReportedOutcome::Failed).count(), 1);
}

#[test]
fn events_give_the_same_cases() {
    let text = r#"
{ "type": "suite", "event": "started", "test_count": 4 }
{ "type": "test", "event": "started", "name": "good" }
{ "type": "test", "event": "started", "name": "bad" }
{ "type": "test", "event": "started", "name": "hangs" }
{ "type": "test", "event": "timeout", "name": "hangs" }
{ "type": "test", "name": "skipped", "event": "ignored", "message": "not today" }
{ "type": "test", "name": "good", "event": "ok", "exec_time": 0.25 }
{ "type": "test", "name": "bad", "event": "failed", "stdout": "\nthread 'bad' panicked at 'old way', src/a.rs:1\n" }
"#;
    assert_eq!(
        told(text),
        [
            "skipped [\"#0\"] skipped",
            "passed [\"#0\"] good",
            "failed [\"#0\"] bad",
            "errored [\"#0\"] hangs"
        ]
    );
    let (cases, reading) = read_text(text);
    assert_eq!(cases[1].duration, Some(Duration::from_millis(250)));
    assert_eq!(cases[2].problem.as_ref().unwrap().message, "old way");
    assert!(!reading.complete);
    let whole = text.to_owned()
        + "{\"type\":\"test\",\"event\":\"ok\",\"name\":\"hangs\"}\n{\"type\":\"suite\",\"event\":\"failed\",\"passed\":2,\"failed\":1,\"ignored\":1}\n";
    let (_, reading) = read_text(&whole);
    assert!(reading.complete);
    assert_eq!(reading.stated.tests, Some(4));
}

#[test]
fn nextest_names_the_binary_and_the_attempt() {
    let text = r#"{"type":"suite","event":"started","test_count":2,"nextest":{"crate":"shop"}}
{"type":"test","event":"started","name":"shop::it$flaky"}
{"type":"test","event":"ok","name":"shop::it$flaky#2","exec_time":0.1}
{"type":"suite","event":"ok","passed":1,"failed":0,"ignored":0}
"#;
    let (cases, reading) = read_text(text);
    assert_eq!(told(text), ["flaky [\"shop::it\"] flaky"]);
    assert_eq!(cases[0].reruns, 1);
    assert!(reading.complete);
    assert_eq!(reading.dialect, "nextest");
}

#[test]
fn other_files_are_no_results() {
    for text in ["hello\n", "{\"type\":\"suite\"}\n", "ok\n"] {
        let error = read(&mut text.as_bytes(), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, Unreadable::NotResults { .. }), "{error}");
    }
    let error = read(&mut "\n".as_bytes(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Unreadable::Empty), "{error}");
}
