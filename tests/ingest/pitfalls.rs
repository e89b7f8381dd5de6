//! What the corpus teaches (`PITFALLS.md` there), one test a point; those about exit statuses and files that were
//! never written are about commands, not about files.

use andon::compare::{Counts, Extent, Side, compare};
use andon::domain::names::Fingerprint;
use andon::domain::outcome::Change;
use andon::ingest::{ReportedOutcome, Run, Standing, Totals, read as read_into};

use crate::corpus::root;
use crate::files::{Read, read};
use crate::pairs::rows;

fn file(path: &str) -> Read {
    read(&std::fs::read(root().join("files").join(path)).unwrap()).unwrap()
}

fn standing(read: &Read) -> Standing {
    let mut totals = Totals::default();
    read.cases.iter().for_each(|case| totals.add(case));
    totals.standing(&read.reading)
}

fn run(paths: &[&str]) -> Run {
    let mut run = Run::default();
    for path in paths {
        let bytes = std::fs::read(root().join("files").join(path)).unwrap();
        let reading = read_into(&mut bytes.as_slice(), None, &mut run).unwrap();
        run.end_file(&reading);
    }
    run
}

/// What became of that name's cases.
fn outcomes(run: &Run, name: &str) -> Vec<ReportedOutcome> {
    let named = |entry: &&_| run.name_of(entry) == name;
    run.entries().iter().filter(named).map(|entry| entry.outcome).collect()
}

#[test]
fn p01_a_file_without_a_case_is_empty_and_never_a_pass() {
    assert_eq!(standing(&file("generated/playwright/pwshop-none.xml")), Standing::Empty);
    assert_eq!(standing(&file("generated/playwright/pwshop-none.json")), Standing::Fail);
}

#[test]
fn p02_a_case_without_a_name_is_told() {
    let read = file("generated/pytest/pyshop-interrupted.xml");
    let told = read.reading.warnings.iter().any(|warning| warning.what == "a case without a name");
    assert!(told, "{:?}", read.reading.warnings);
}

#[test]
fn p04_a_class_whose_file_is_missing_was_removed() {
    let base = ["BadSetupTest", "CartTest", "QtyTest"]
        .map(|class| format!("generated/surefire/TEST-com.example.shop.{class}-base.xml"));
    let before = run(&base.each_ref().map(String::as_str));
    let now = run(&["generated/surefire/TEST-com.example.shop.QtyTest-crash.xml"]);
    let (earlier, later) = (rows(&before), rows(&now));
    let compared = compare(
        &Side { places: before.places(), rows: &earlier, extent: Extent::Whole },
        &Side { places: now.places(), rows: &later, extent: Extent::Whole },
        &mut |_, _| (Fingerprint::new(1, "a"), Fingerprint::new(1, "a")),
    );
    let gone = Counts::of(&compared).get(Change::Removed);
    assert!(gone >= 10, "{gone}");
}

#[test]
fn p05_errors_that_are_stated_and_not_shown_fail_a_file() {
    let text = b"<testsuites tests='1' failures='0' errors='1'><testsuite tests='1'><testcase name='a'/></testsuite></testsuites>";
    assert_eq!(standing(&read(text).unwrap()), Standing::Fail);
}

#[test]
fn p08_no_tests_are_no_pass_in_any_format() {
    for path in [
        "pytest/pyshop-empty.xml",
        "jest-junit/jsshop-none.xml",
        "vitest/jsshop-none.xml",
        "nextest/rsshop-after-none-or-compile-error.xml",
        "gotestsum/goshop-none.jsonl",
        "libtest/rsshop-libtest-none.txt",
    ] {
        assert_eq!(standing(&file(&format!("generated/{path}"))), Standing::Empty, "{path}");
    }
}

#[test]
fn p10_cases_are_counted_and_totals_are_claims() {
    let read = file("generated/pytest/pyshop-base.xml");
    assert_eq!(read.reading.cases, 38);
    assert_eq!(read.reading.stated.tests, Some(42));
    assert!(read.reading.warnings.iter().any(|warning| warning.what.contains("states 42 tests")));
}

#[test]
fn p11_attempts_of_pytest_rerunfailures_are_one_case() {
    let run = run(&["generated/pytest-rerunfailures/pyshop-reruns.xml"]);
    assert_eq!(run.entries().len(), 5);
    assert_eq!(outcomes(&run, "test_stable"), [ReportedOutcome::Passed]);
    assert_eq!(outcomes(&run, "test_flaky_once"), [ReportedOutcome::Flaky]);
}

#[test]
fn p12_of_true_duplicates_the_worst_counts() {
    let run = run(&["generated/mocha-xunit/jsshop-xunit-base.xml"]);
    let differing = run.entries().iter().filter(|entry| entry.worst != entry.last);
    for entry in differing {
        assert_eq!(entry.outcome, entry.worst, "{}", run.id_of(entry));
    }
    assert!(run.entries().iter().any(|entry| entry.elements > 1));
}

#[test]
fn p13_a_case_that_passed_in_the_end_is_flaky() {
    let read = file("generated/surefire/TEST-com.example.shop.CartTest-rerun.xml");
    let flaky: Vec<_> =
        read.cases.iter().filter(|case| case.outcome == ReportedOutcome::Flaky).collect();
    assert_eq!(
        flaky.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(),
        ["flaky", "flakyError"]
    );
    assert!(flaky.iter().all(|case| case.problem.is_some()), "why its first attempt failed");
}

#[test]
fn p14_a_failure_that_is_expected_is_skipped_and_a_real_one_is_not() {
    let read = file("generated/node-test/jsshop-base.xml");
    assert!(
        read.cases
            .iter()
            .any(|case| case.expected_failure && case.outcome == ReportedOutcome::Skipped)
    );
    let read = file(
        "third-party/generic-fixture/EnricoMi-publish-unit-test-result-action--junit.multiresult.xml",
    );
    let both = read.cases.iter().find(|case| case.name == "test that errors").unwrap();
    assert_eq!((both.outcome, both.problems), (ReportedOutcome::Errored, 2));
}

#[test]
fn p15_an_error_of_a_suite_fails_the_file_and_is_no_case() {
    let read = file("generated/tap-formatter-junit/tap-formatter-junit-junit-base.xml");
    assert_eq!(read.reading.suite_errors.len(), 2);
    assert!(read.reading.suite_errors[0].message.starts_with("Dubious, test returned 4"));
}

#[test]
fn p16_failed_and_errored_are_one_for_regressions() {
    let file = |element: &str| {
        format!("<testsuite name='s'><testcase name='a'>{element}</testcase></testsuite>")
    };
    let read = |text: &str| {
        let mut run = Run::default();
        let reading = read_into(&mut text.as_bytes(), None, &mut run).unwrap();
        run.end_file(&reading);
        run
    };
    let (before, now) = (read(&file("<failure/>")), read(&file("<error/>")));
    let (earlier, later) = (rows(&before), rows(&now));
    let compared = compare(
        &Side { places: before.places(), rows: &earlier, extent: Extent::Whole },
        &Side { places: now.places(), rows: &later, extent: Extent::Whole },
        &mut |_, _| (Fingerprint::new(1, "a"), Fingerprint::new(1, "a")),
    );
    assert_eq!(compared[0].change, Change::StillFailing);
}

#[test]
fn p17_the_worse_of_the_cases_and_the_summary_counts() {
    let read = file("generated/playwright/pwshop-ctrf-base.json");
    assert_eq!(standing(&read), Standing::Fail);
    assert!(read.reading.stated.failures > Some(11));
}

#[test]
fn syntax_hostile_documents_expand_and_fetch_nothing() {
    let read = file("derived/hostile/jsshop-head-entity-expansion.xml");
    assert_eq!(read.cases.len(), 27);
    let longest = read
        .cases
        .iter()
        .filter_map(|case| case.problem.as_ref())
        .map(|problem| problem.text.len())
        .max();
    assert!(longest < Some(70_000), "{longest:?}");
    let read = file("derived/hostile/jsshop-head-external-entity-file.xml");
    let texts: String = read
        .cases
        .iter()
        .filter_map(|case| case.problem.as_ref())
        .map(|problem| problem.message.clone())
        .collect();
    assert!(!texts.contains("root:"), "{texts}");
}

#[test]
fn identity_parameters_are_part_of_a_name() {
    let run = run(&["generated/pytest/pyshop-base.xml"]);
    for name in ["test_qty[1]", "test_qty[2]", "test_qty[-1]"] {
        assert_eq!(outcomes(&run, name).len(), 1, "{name}");
    }
}

#[test]
fn identity_two_browsers_are_two_cases() {
    let run = run(&["generated/playwright/pwshop-base.xml"]);
    let ids: std::collections::HashSet<String> =
        run.entries().iter().map(|entry| run.id_of(entry)).collect();
    assert_eq!(ids.len(), run.entries().len());
    assert!(
        ids.iter().any(|id| id.ends_with("[chromium]"))
            && ids.iter().any(|id| id.ends_with("[mobile]"))
    );
}
