//! The Common Test Report Format (ctrf.io), streamed: each element of `results.tests` is a case.
//!
//! What it must not do: take the summary for more than a claim.

use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::case::{Format, ProblemKind, Reading, ReportedCase, ReportedOutcome, Sink, Stated};
use super::draft::{case, name, no_suite};
use super::error::Unreadable;
use super::json::{Document, Lossy, stream};
use super::text::first_line;
use super::warnings::Warnings;

mod wire;

use wire::{Attempt, Root, Summary, Test};

/// How many suites and files are remembered to share their names.
const SHARED: usize = 10_000;

/// Reads the cases of a file.
pub(super) fn read(input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<Reading, Unreadable> {
    let mut run = Run::new(sink);
    let document = stream(input, Root(&mut run))?;
    run.finish(document)
}

/// What is known of the file so far.
struct Run<'a> {
    sink: &'a mut dyn Sink,
    cases: u64,
    /// Whether there was a list of tests at all.
    listed: bool,
    stated: Stated,
    suites: HashMap<Vec<String>, Arc<[Box<str>]>>,
    files: HashMap<String, Arc<str>>,
    unknown: u64,
    warnings: Warnings,
}

fn text(lossy: Option<&Lossy>) -> &str {
    lossy.map_or("", |lossy| lossy.0.as_str())
}

impl<'a> Run<'a> {
    fn new(sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            cases: 0,
            listed: false,
            stated: Stated::default(),
            suites: HashMap::new(),
            files: HashMap::new(),
            unknown: 0,
            warnings: Warnings::default(),
        }
    }

    fn summary(&mut self, summary: &Summary) {
        let skipped = match (summary.skipped.count(), summary.pending.count()) {
            (None, None) => None,
            (skipped, pending) => Some(skipped.unwrap_or(0) + pending.unwrap_or(0)),
        };
        self.stated = Stated {
            tests: summary.tests.count(),
            failures: summary.failed.count(),
            errors: None,
            skipped,
        };
    }

    fn test(&mut self, test: &Test) {
        let raw = text(test.raw_status.as_ref());
        let outcome = match text(test.status.as_ref()) {
            "passed" if test.flaky.is_true() => ReportedOutcome::Flaky,
            "passed" => ReportedOutcome::Passed,
            "failed" => ReportedOutcome::Failed,
            "skipped" | "pending" => ReportedOutcome::Skipped,
            "other" if names_an_error(raw) => ReportedOutcome::Errored,
            "other" => ReportedOutcome::Skipped,
            _ => {
                self.unknown += 1;
                ReportedOutcome::Errored
            }
        };
        let suite = self.suite(&test.suite.0);
        let mut case = case(suite, text(test.name.as_ref()), outcome);
        case.file = test.file_path.as_ref().map(|file| self.file(&file.0));
        case.project = test.browser.as_ref().map(|browser| self.file(&browser.0));
        case.expected_failure = outcome == ReportedOutcome::Skipped && raw == "xfailed";
        case.duration = test.duration.number().and_then(millis);
        case.started_at = test.start.number().and_then(instant);
        case.reruns = test.retries.count().unwrap_or(0).try_into().unwrap_or(u32::MAX);
        explain(&mut case, test);
        self.cases += 1;
        self.sink.case(case);
    }

    fn suite(&mut self, path: &[String]) -> Arc<[Box<str>]> {
        if path.is_empty() {
            return no_suite();
        }
        if let Some(suite) = self.suites.get(path) {
            return Arc::clone(suite);
        }
        let suite: Arc<[Box<str>]> = path.iter().map(|part| name(part).into_boxed_str()).collect();
        if self.suites.len() < SHARED {
            self.suites.insert(path.to_vec(), Arc::clone(&suite));
        }
        suite
    }

    fn file(&mut self, file: &str) -> Arc<str> {
        if let Some(file) = self.files.get(file) {
            return Arc::clone(file);
        }
        let shared: Arc<str> = Arc::from(name(file));
        if self.files.len() < SHARED {
            self.files.insert(file.to_owned(), Arc::clone(&shared));
        }
        shared
    }

    fn finish(mut self, document: Document) -> Result<Reading, Unreadable> {
        document.check(self.listed, "`results.tests`")?;
        let complete = document.warn(&mut self.warnings);
        if self.unknown > 0 {
            let what = format!("{} cases have a status that is not known", self.unknown);
            self.warnings.add(None, what);
        }
        Ok(Reading {
            format: Format::Ctrf,
            dialect: "ctrf",
            cases: self.cases,
            suite_errors: Vec::new(),
            complete,
            warnings: self.warnings.into_vec(),
            stated: self.stated,
        })
    }
}

fn explain(case: &mut ReportedCase, test: &Test) {
    let (kind, attempt) = match case.outcome {
        ReportedOutcome::Failed => (ProblemKind::Failure, None),
        ReportedOutcome::Errored => (ProblemKind::Error, None),
        ReportedOutcome::Flaky => {
            let failed = |attempt: &&Attempt| text(attempt.status.as_ref()) != "passed";
            (ProblemKind::Failure, test.retry_attempts.iter().find(failed))
        }
        ReportedOutcome::Skipped | ReportedOutcome::Passed => return,
    };
    let (message, trace) = match attempt {
        Some(attempt) => (&attempt.message, &attempt.trace),
        None => (&test.message, &test.trace),
    };
    let (message, trace) = (text(message.as_ref()), text(trace.as_ref()));
    let first = if first_line(message).is_empty() { trace } else { message };
    case.explain(kind, first, if trace.contains(message) { trace } else { message });
}

/// What `other` is when its own word says that something broke.
fn names_an_error(raw: &str) -> bool {
    let raw = raw.to_ascii_lowercase();
    ["error", "timeout", "timedout", "timed_out", "interrupt", "crash", "broken", "abort"]
        .iter()
        .any(|word| raw.contains(word))
}

fn millis(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number / 1e3).ok()
}

/// Milliseconds since 1970; one writer gives seconds.
fn instant(number: f64) -> Option<Timestamp> {
    let millis = if number < 1e11 { number * 1e3 } else { number };
    (millis > 0.0).then(|| Timestamp::from_millisecond(millis as i64).ok()).flatten()
}

#[cfg(test)]
mod tests;
