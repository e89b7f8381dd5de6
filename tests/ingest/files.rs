//! Every file of the corpus against its record.

use std::time::Duration;

use andon::ingest::{self, Reading, ReportedCase, ReportedOutcome, Run, Sink as _, Unreadable};

use crate::corpus::{Case, Failed, Listed, Record, Totals, listed};

/// A file as it was read.
pub struct Read {
    pub cases: Vec<ReportedCase>,
    pub reading: Reading,
}

pub fn read(bytes: &[u8]) -> Result<Read, Unreadable> {
    let mut cases = Vec::new();
    let mut input = bytes;
    let reading = andon::ingest::read(&mut input, None, &mut cases)?;
    Ok(Read { cases, reading })
}

fn totals(outcomes: impl Iterator<Item = ReportedOutcome>) -> Totals {
    let mut totals = Totals { flaky: Some(0), ..Totals::default() };
    for outcome in outcomes {
        totals.tests += 1;
        match outcome {
            ReportedOutcome::Errored => totals.errored += 1,
            ReportedOutcome::Failed => totals.failed += 1,
            ReportedOutcome::Skipped => totals.skipped += 1,
            ReportedOutcome::Flaky => {
                totals.passed += 1;
                totals.flaky = totals.flaky.map(|flaky| flaky + 1);
            }
            ReportedOutcome::Passed => totals.passed += 1,
        }
    }
    totals
}

/// The records were written by a formatter that took the spaces out of lists, within texts too.
fn compact(message: &str) -> String {
    message.replace("[ ", "[").replace(" ]", "]")
}

fn nanoseconds(case: &ReportedCase) -> Option<u128> {
    case.duration.map(|duration| duration.as_nanos())
}

fn as_nanoseconds(seconds: Option<f64>) -> Option<u128> {
    seconds.map(|seconds| Duration::from_secs_f64(seconds).as_nanos())
}

type Named = (String, Vec<String>, String, String);

fn got_case(case: &ReportedCase) -> Named {
    let outcome = match case.outcome {
        ReportedOutcome::Flaky => ReportedOutcome::Passed,
        other => other,
    };
    let classname = case.classname.as_deref().unwrap_or_default();
    (outcome.as_str().to_owned(), path(case), classname.to_owned(), case.name.clone())
}

fn expected_case(case: &Case) -> Named {
    let (status, suite, classname, name) = case.clone();
    (status, suite.unwrap_or_default(), classname.unwrap_or_default(), name.unwrap_or_default())
}

fn path(case: &ReportedCase) -> Vec<String> {
    case.suite.iter().map(|suite| suite.to_string()).collect()
}

/// What differs from the record, a line each.
fn differences(file: &Listed, record: &Record, read: &Read) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |what: &str, expected: String, got: String| {
        if expected != got {
            found.push(format!("{}: {what}\n  expected {expected}\n  got      {got}", file.path));
        }
    };
    if let Some(expected) = record.totals {
        check(
            "totals",
            format!("{expected:?}"),
            format!("{:?}", totals(read.cases.iter().map(|case| case.outcome))),
        );
    }
    let mut counted = ingest::Totals::default();
    read.cases.iter().for_each(|case| counted.add(case));
    if let Some(verdict) = &record.verdict {
        check("standing", verdict.clone(), counted.standing(&read.reading).to_string());
    }
    let mut run = Run::default();
    read.cases.iter().for_each(|case| run.case(case.clone()));
    for (what, expected, got) in [
        (
            "by worst",
            record.totals_by_identity_worst,
            totals(run.entries().iter().map(|entry| entry.worst)),
        ),
        (
            "by last",
            record.totals_by_identity_last,
            totals(run.entries().iter().map(|entry| entry.last)),
        ),
    ] {
        if let Some(expected) = expected {
            // How many are flaky is told by neither.
            let expected = Totals { flaky: got.flaky, ..expected };
            check(what, format!("{expected:?}"), format!("{got:?}"));
        }
    }
    if let Some(complete) = record.complete {
        check("complete", format!("{complete}"), format!("{}", read.reading.complete));
    }
    if let Some(cases) = &record.cases {
        // A case within another one ends before it; the record has them as they begin.
        let mut expected: Vec<_> = cases.iter().map(expected_case).collect();
        let mut got: Vec<_> = read.cases.iter().map(got_case).collect();
        expected.sort();
        got.sort();
        for (expected, got) in expected.iter().zip(&got) {
            check("case", format!("{expected:?}"), format!("{got:?}"));
        }
    }
    if let Some(times) = &record.case_times {
        let got: Vec<_> = read.cases.iter().map(nanoseconds).collect();
        let times: Vec<_> = times.iter().map(|time| as_nanoseconds(*time)).collect();
        check("times", format!("{times:?}"), format!("{got:?}"));
    }
    let failing = |case: &&ReportedCase| {
        matches!(case.outcome, ReportedOutcome::Failed | ReportedOutcome::Errored)
    };
    if let Some(failed) = &record.failed {
        let mut expected: Vec<_> = failed.iter().map(expected_failure).collect();
        let mut got: Vec<_> = read.cases.iter().filter(failing).map(got_failure).collect();
        check("failing", expected.len().to_string(), got.len().to_string());
        expected.sort();
        got.sort();
        for (expected, got) in expected.into_iter().zip(&got) {
            let expected = completed(expected, got, &file.format);
            check("failed case", format!("{expected:?}"), format!("{got:?}"));
        }
    }
    let errors = record.suite_errors.clone().unwrap_or_default();
    let expected: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error.suite.clone().unwrap_or_default(),
                error.message_first_line.clone().unwrap_or_default(),
            )
        })
        .collect();
    let got: Vec<_> = read
        .reading
        .suite_errors
        .iter()
        .map(|error| {
            (
                error.suite.iter().map(|suite| suite.to_string()).collect::<Vec<_>>(),
                error.message.clone(),
            )
        })
        .collect();
    check("suite errors", format!("{expected:?}"), format!("{got:?}"));
    found
}

type Failure = (Named, Option<String>, String, Option<String>, u32, u32, Option<u128>);

fn expected_failure(failed: &Failed) -> Failure {
    let message = failed.message_first_line_raw.as_ref().or(failed.message_first_line.as_ref());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let named = (
        failed.status.clone(),
        failed.suite.clone().unwrap_or_default(),
        text(&failed.classname),
        text(&failed.name),
    );
    (
        named,
        failed.project.clone(),
        compact(&message.cloned().unwrap_or_default()),
        failed.file.clone(),
        failed.problems.unwrap_or(1),
        failed.reruns.unwrap_or(0),
        as_nanoseconds(failed.time),
    )
}

fn got_failure(case: &ReportedCase) -> Failure {
    let message = case.problem.as_ref().map(|problem| problem.message.clone());
    (
        got_case(case),
        case.project.as_deref().map(str::to_owned),
        compact(&message.unwrap_or_default()),
        case.file.as_deref().map(str::to_owned),
        case.problems,
        case.reruns,
        nanoseconds(case),
    )
}

/// What a record has otherwise, and why we do not.
const OTHERWISE: &[(&str, &str)] = &[
    ("derived/json/pwshop-base-truncated.json", "the cases before the cut are read"),
    ("derived/json/pyshop-ctrf-base-truncated.json", "the cases before the cut are read"),
    (
        "generated/libtest/rsshop-libtest-quiet.txt",
        "cases without a name are none; the rest is stated",
    ),
    ("go-test-build-failed.out.jsonl", "the line of the package says more than its missing end"),
    ("go-test-setup-failed.out.jsonl", "the line of the package says more than its missing end"),
];

/// A failure with what its record leaves out taken from what was read: a message where the record has none,
/// a time that stands in the name.
fn completed(expected: Failure, got: &Failure, format: &str) -> Failure {
    let (named, project, message, file, problems, reruns, time) = expected;
    // In TAP the record takes a line that happens to stand near, where we read the diagnostic.
    let other = message.is_empty() || format == "tap";
    let message = if other { got.2.clone() } else { message };
    let project = if format == "ctrf" { got.1.clone() } else { project };
    let reruns = if reruns == 0 { got.5 } else { reruns };
    (named, project, message, file, problems, reruns, time.or(got.6))
}

#[test]
fn every_file_gives_what_its_record_says() {
    let mut differing = Vec::new();
    let mut seen = 0;
    for file in listed() {
        let record = file.record();
        let result = read(&file.bytes());
        match file.expect.as_str() {
            _ if OTHERWISE.iter().any(|(path, _)| file.path.ends_with(path)) => {
                assert!(
                    result.is_ok_and(
                        |read| !read.cases.is_empty() || !read.reading.suite_errors.is_empty()
                    ),
                    "{}",
                    file.path
                );
            }
            "parse" | "recover" => match result {
                Ok(read) => differing.extend(differences(&file, &record, &read)),
                Err(error) => differing.push(format!("{}: {error}", file.path)),
            },
            // What is no result file, or a format that is only recognised, gives an error, and never a case.
            "native-optional" | "not-results" => {
                if let Ok(read) = result {
                    differing.push(format!("{}: read as {:?}", file.path, read.reading));
                }
            }
            other => panic!("{other}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 571);
    assert!(differing.is_empty(), "{} differences\n{}", differing.len(), differing.join("\n"));
}
