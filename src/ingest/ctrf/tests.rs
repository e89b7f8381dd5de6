//! What real CTRF reports taught, as small samples.

use super::*;

fn read_text(text: &str) -> (Vec<ReportedCase>, Reading) {
    let mut cases = Vec::new();
    let reading = read(&mut text.as_bytes(), &mut cases).unwrap();
    (cases, reading)
}

fn report(tests: &str) -> String {
    let summary = r#""summary":{"tests":4,"passed":1,"failed":1,"skipped":1,"pending":1}"#;
    format!(
        r#"{{"results":{{"tool":{{"name":"x"}},{summary},"tests":[{tests}],"extra":[{{}}]}},"a":[1]}}"#
    )
}

#[test]
fn each_status_has_its_outcome() {
    use ReportedOutcome::{Errored, Failed, Flaky, Passed, Skipped};
    for (fields, outcome) in [
        (r#""status":"passed""#, Passed),
        (r#""status":"passed","flaky":true"#, Flaky),
        (r#""status":"failed","rawStatus":"setup_failed""#, Failed),
        (r#""status":"skipped""#, Skipped),
        (r#""status":"pending""#, Skipped),
        (r#""status":"other","rawStatus":"todo""#, Skipped),
        (r#""status":"other","rawStatus":"timedOut""#, Errored),
        (r#""status":"splendid""#, Errored),
        (r#""duration":1"#, Errored),
    ] {
        let (cases, _) = read_text(&report(&format!("{{\"name\":\"t\",{fields}}}")));
        assert_eq!(cases[0].outcome, outcome, "{fields}");
    }
}

#[test]
fn a_case_keeps_what_its_element_says() {
    let test = r#"{"name":"t","status":"failed","suite":["a","b"],"filePath":"t.js","duration":250,
        "start":1795450205693,"retries":2,"message":"\n first\nsecond","trace":"at t.js:1","extra":{"a":[]}}"#;
    let (cases, reading) = read_text(&report(test));
    let case = &cases[0];
    assert_eq!(*case.suite, [Box::from("a"), Box::from("b")]);
    assert_eq!(case.file.as_deref(), Some("t.js"));
    assert_eq!(case.duration, Some(Duration::from_millis(250)));
    assert_eq!(case.started_at.unwrap().as_millisecond(), 1_795_450_205_693);
    assert_eq!(case.reruns, 2);
    assert_eq!(case.problem.as_ref().unwrap().message, "first");
    assert!(reading.complete);
    assert_eq!(
        reading.stated,
        Stated { tests: Some(4), failures: Some(1), errors: None, skipped: Some(2) }
    );
}

#[test]
fn other_spellings_are_read_too() {
    let test = r#"{"name":"t","status":"failed","suite":"a > b","start":1795450904,"duration":"soon",
        "retries":null,"trace":"TypeError: no","suiteNot":1}, {"name":"u","status":"passed","flaky":true,
        "retryAttempts":[{"attempt":1,"status":"failed","message":"gone"}],"suite":null}"#;
    let (cases, _) = read_text(&report(test));
    assert_eq!(*cases[0].suite, [Box::from("a > b")]);
    assert_eq!(cases[0].started_at.unwrap().as_second(), 1_795_450_904);
    assert_eq!(cases[0].duration, None);
    assert_eq!(cases[0].problem.as_ref().unwrap().message, "TypeError: no");
    assert_eq!(cases[1].problem.as_ref().unwrap().message, "gone");
}

#[test]
fn a_cut_report_gives_what_was_complete() {
    let whole = report(r#"{"name":"a","status":"passed"},{"name":"b","status":"failed"}"#);
    for cut in 0..whole.len() {
        let mut cases = Vec::new();
        match read(&mut &whole.as_bytes()[..cut], &mut cases) {
            Ok(reading) => assert!(!reading.complete && cases.len() <= 2, "{}", &whole[..cut]),
            Err(error) => assert!(cases.is_empty(), "{error}"),
        }
    }
    let (cases, reading) = read_text(&whole[..whole.find("\"b\"").unwrap()]);
    assert_eq!(cases.len(), 1);
    assert!(reading.warnings[0].what.contains("ends too early"), "{:?}", reading.warnings);
}

#[test]
fn other_json_is_no_report() {
    for text in ["{}", "{\"results\":{}}", "{\"a\":", "hello", "[]"] {
        let error = read(&mut text.as_bytes(), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, Unreadable::NotResults { .. }), "{error}");
    }
    let error = read(&mut " \n".as_bytes(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Unreadable::Empty), "{error}");
}
