//! `go test -json`: one event a line, with plain lines of the build between them.
//!
//! Every test event's test is a case, parents included, as the tool counts them. Its last end wins, so a
//! test that is run again until it passes is flaky. A test that never ended is errored.
//!
//! What it must not do: take text that looks like an end (`--- FAIL: …`) for one; tests can print that.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::case::{
    Format, ProblemKind, Reading, ReportedCase, ReportedOutcome, Sink, Stated, SuiteError,
};
use super::draft::{case, name, one_suite};
use super::error::Unreadable;
use super::lines::Lines;
use super::text::{Text, first_line};
use super::warnings::Warnings;

/// How much output of tests is kept in all, in bytes: it is dropped when a test passes.
const OUTPUT: usize = 64 * 1024 * 1024;

/// How many failures of packages are kept.
const SUITE_ERRORS: usize = 1_000;

/// One event (`go doc test2json`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow, default)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    package: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    test: Option<Cow<'a, str>>,
    #[serde(default)]
    elapsed: Option<f64>,
    #[serde(borrow, default)]
    output: Option<Cow<'a, str>>,
}

/// Reads the cases of a file.
pub(super) fn read(input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<Reading, Unreadable> {
    let mut lines = Lines::new(input);
    let mut run = Run::default();
    while let Some((number, line)) = lines.next()? {
        run.line(number, &line);
    }
    let cut = lines.cut();
    if cut > 0 {
        run.warnings.add(None, format!("{cut} lines were too long and are cut"));
    }
    run.finish(lines.ended(), sink)
}

/// What is known of the run so far.
#[derive(Default)]
struct Run {
    packages: Vec<Package>,
    by_name: HashMap<String, usize>,
    tests: Vec<Test>,
    by_test: HashMap<(usize, String), usize>,
    kept_output: usize,
    build_errors: Vec<SuiteError>,
    build_failed: bool,
    events: u64,
    plain: u64,
    output_cut: bool,
    /// The last line, where it began as an event and is none.
    broken: Option<u64>,
    warnings: Warnings,
}

struct Package {
    name: Arc<str>,
    suite: Arc<[Box<str>]>,
    /// Its own first line of output that tells something, and the line with which it failed.
    said: Option<String>,
    failure: Option<String>,
    end: Option<End>,
}

struct Test {
    package: usize,
    name: String,
    began_at: Option<Timestamp>,
    output: Text,
    end: Option<End>,
    ends: u32,
    failed_once: bool,
    elapsed: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Pass,
    Fail,
    Skip,
}

impl End {
    fn of(action: &str) -> Option<Self> {
        match action {
            "pass" | "bench" => Some(Self::Pass),
            "fail" => Some(Self::Fail),
            "skip" => Some(Self::Skip),
            _ => None,
        }
    }
}

impl Run {
    fn line(&mut self, number: u64, line: &str) {
        let text = line.trim();
        self.broken = None;
        if text.is_empty() {
            return;
        }
        if !text.starts_with('{') {
            self.plain_line(text);
            return;
        }
        match serde_json::from_str::<Event<'_>>(text) {
            Ok(event) => self.event(&event),
            Err(_) => {
                self.plain += 1;
                self.broken = Some(number);
            }
        }
    }

    /// A line that is no event: the build's own, of which `FAIL  PACKAGE [build failed]` matters.
    fn plain_line(&mut self, text: &str) {
        self.plain += 1;
        let mut words = text.split_whitespace();
        let (first, package) = (words.next(), words.next());
        if let (Some("FAIL"), Some(package)) = (first, package)
            && let Some(reason) = text.rsplit_once('[').and_then(|(_, end)| end.strip_suffix(']'))
            && self.build_errors.len() < SUITE_ERRORS
        {
            let error = SuiteError { suite: one_suite(package), message: reason.to_owned() };
            self.build_errors.push(error);
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        self.events += 1;
        if event.action == "build-fail" {
            self.build_failed = true;
        }
        if event.action.starts_with("build-") {
            return;
        }
        let package = self.package(event.package.as_deref().unwrap_or_default());
        match &event.test {
            Some(test) => {
                let test = self.test(package, test);
                self.test_event(test, event);
            }
            None => self.package_event(package, event),
        }
    }

    fn package(&mut self, called: &str) -> usize {
        if let Some(at) = self.by_name.get(called) {
            return *at;
        }
        self.packages.push(Package {
            name: Arc::from(name(called)),
            suite: one_suite(called),
            said: None,
            failure: None,
            end: None,
        });
        self.by_name.insert(called.to_owned(), self.packages.len() - 1);
        self.packages.len() - 1
    }

    fn test(&mut self, package: usize, called: &str) -> usize {
        let key = (package, called.to_owned());
        if let Some(at) = self.by_test.get(&key) {
            return *at;
        }
        self.tests.push(Test {
            package,
            name: called.to_owned(),
            began_at: None,
            output: Text::default(),
            end: None,
            ends: 0,
            failed_once: false,
            elapsed: None,
        });
        self.by_test.insert(key, self.tests.len() - 1);
        self.tests.len() - 1
    }

    fn package_event(&mut self, at: usize, event: &Event<'_>) {
        let package = &mut self.packages[at];
        if let Some(end) = End::of(&event.action) {
            package.end = Some(end);
        }
        let line = first_line(event.output.as_deref().unwrap_or_default());
        if line.starts_with("FAIL\t") {
            package.failure = Some(line.to_owned());
        } else if tells_something(line) && package.said.is_none() {
            package.said = Some(line.to_owned());
        }
    }

    fn test_event(&mut self, at: usize, event: &Event<'_>) {
        let test = &mut self.tests[at];
        if event.action == "run" {
            // Run again: what it says now counts.
            self.kept_output -= test.output.as_str().len();
            test.output.clear();
            test.began_at = event.time.as_deref().and_then(|time| time.parse().ok());
        }
        if let Some(output) = event.output.as_deref() {
            if self.kept_output + output.len() <= OUTPUT {
                let before = test.output.as_str().len();
                test.output.push(output);
                self.kept_output += test.output.as_str().len() - before;
            } else {
                self.output_cut = true;
            }
        }
        let Some(end) = End::of(&event.action) else { return };
        test.end = Some(end);
        test.ends += 1;
        test.failed_once |= end == End::Fail;
        test.elapsed = event.elapsed.and_then(|s| Duration::try_from_secs_f64(s).ok());
        if end != End::Fail && !test.failed_once {
            self.kept_output -= test.output.as_str().len();
            test.output = Text::default();
        }
    }

    fn finish(mut self, ended: bool, sink: &mut dyn Sink) -> Result<Reading, Unreadable> {
        if self.events == 0 && self.build_errors.is_empty() {
            let found = "text without an event of go test -json".to_owned();
            let blank = self.plain == 0;
            return Err(if blank { Unreadable::Empty } else { Unreadable::NotResults { found } });
        }
        let mut complete = !self.build_failed;
        if let Some(line) = self.broken.filter(|_| !ended) {
            complete = false;
            self.warnings.add(Some(line), "the file ends within an event");
        }
        if self.plain > 0 {
            self.warnings.add(None, format!("{} lines are no events", self.plain));
        }
        if self.output_cut {
            self.warnings
                .add(None, "the output of the tests is too long, and some of it is left out");
        }
        let cases = self.tests.len() as u64;
        let suite_errors = self.suite_errors();
        for test in std::mem::take(&mut self.tests) {
            sink.case(self.finish_case(test));
        }
        Ok(Reading {
            format: Format::Go,
            dialect: "go",
            cases,
            suite_errors,
            complete: complete && !self.is_cut(),
            warnings: self.warnings.into_vec(),
            stated: Stated::default(),
        })
    }

    /// Whether a package has no end. Some writers leave the package out of every event.
    fn is_cut(&mut self) -> bool {
        let open = |package: &&Package| package.end.is_none() && !package.name.is_empty();
        let names: Vec<&str> =
            self.packages.iter().filter(open).map(|package| &*package.name).collect();
        for name in &names {
            self.warnings.add(None, format!("the package {name} has no end"));
        }
        !names.is_empty()
    }

    /// Packages that failed although none of their tests did, and those that did not build.
    fn suite_errors(&mut self) -> Vec<SuiteError> {
        let mut failing = vec![false; self.packages.len()];
        for test in &self.tests {
            failing[test.package] |= matches!(test.end, Some(End::Fail) | None);
        }
        let mut errors = Vec::new();
        for (package, failing) in self.packages.iter().zip(failing) {
            if package.end == Some(End::Fail) && !failing && errors.len() < SUITE_ERRORS {
                let said = package.said.as_deref().or(package.failure.as_deref());
                let message = said.unwrap_or("the package failed").to_owned();
                errors.push(SuiteError { suite: Arc::clone(&package.suite), message });
            }
        }
        let known = |error: &SuiteError| errors.iter().any(|other| other.suite == error.suite);
        let more: Vec<_> = self.build_errors.drain(..).filter(|error| !known(error)).collect();
        errors.extend(more);
        errors
    }

    fn finish_case(&self, test: Test) -> ReportedCase {
        let package = &self.packages[test.package];
        let outcome = match test.end {
            None => ReportedOutcome::Errored,
            Some(End::Fail) => ReportedOutcome::Failed,
            Some(End::Skip) => ReportedOutcome::Skipped,
            Some(End::Pass) if test.failed_once => ReportedOutcome::Flaky,
            Some(End::Pass) => ReportedOutcome::Passed,
        };
        let mut case = case(Arc::clone(&package.suite), &test.name, outcome);
        case.classname = Some(Arc::clone(&package.name));
        case.duration = test.elapsed;
        case.started_at = test.began_at;
        case.reruns = test.ends.saturating_sub(1);
        let output = test.output.finish();
        let said = output.lines().map(str::trim).find(|line| tells_something(line));
        match outcome {
            ReportedOutcome::Errored => {
                let message = said.unwrap_or("it was started and never ended");
                case.explain(ProblemKind::Error, message, &output);
            }
            ReportedOutcome::Failed | ReportedOutcome::Flaky => {
                case.explain(ProblemKind::Failure, said.unwrap_or_default(), &output);
            }
            ReportedOutcome::Skipped | ReportedOutcome::Passed => {}
        }
        case
    }
}

/// Whether a line of output is the test's own, and not the tool's.
fn tells_something(line: &str) -> bool {
    let own = ["=== ", "--- ", "coverage: ", "ok  \t", "exit status "];
    !line.is_empty()
        && !matches!(line, "PASS" | "FAIL")
        && !own.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests;
