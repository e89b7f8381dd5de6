//! Playwright's JSON reporter, streamed: each test of a spec is a case, one for each project.
//!
//! What it must not do: call a test passed that has no result.

use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use super::case::{
    Format, Problem, ProblemKind, Reading, ReportedCase, ReportedOutcome, Sink, Stated, SuiteError,
};
use super::draft::{case, name, text, without_colours};
use super::error::Unreadable;
use super::json::{Document, Lossy, stream};
use super::text::first_line;
use super::warnings::Warnings;

mod wire;

use wire::{Attempt, Fault, Root, Spec, Stats, Test};

/// How many failures that belong to no case are kept.
const SUITE_ERRORS: usize = 1_000;

/// How many files and projects are remembered to share their names.
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
    /// Whether there was a list of suites at all.
    listed: bool,
    /// The titles of the suites that are open.
    path: Vec<Box<str>>,
    names: HashMap<String, Arc<str>>,
    suite_errors: Vec<SuiteError>,
    more_errors: u64,
    stated: Stated,
    interrupted: bool,
    odd: u64,
    warnings: Warnings,
}

fn plain(lossy: Option<&Lossy>) -> &str {
    lossy.map_or("", |lossy| lossy.0.as_str())
}

impl<'a> Run<'a> {
    fn new(sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            cases: 0,
            listed: false,
            path: Vec::new(),
            names: HashMap::new(),
            suite_errors: Vec::new(),
            more_errors: 0,
            stated: Stated::default(),
            interrupted: false,
            odd: 0,
            warnings: Warnings::default(),
        }
    }

    fn spec(&mut self, suite: &Arc<[Box<str>]>, spec: &Spec) {
        for test in &spec.tests {
            let case = self.case(suite, spec, test);
            self.cases += 1;
            self.sink.case(case);
        }
    }

    fn case(&mut self, suite: &Arc<[Box<str>]>, spec: &Spec, test: &Test) -> ReportedCase {
        let status = |attempt: &Attempt| plain(attempt.status.as_ref()).to_owned();
        self.interrupted |= test.results.iter().any(|attempt| status(attempt) == "interrupted");
        let outcome = self.outcome(test);
        let mut case = case(Arc::clone(suite), plain(spec.title.as_ref()), outcome);
        case.file = spec.file.as_ref().map(|file| self.shared(&file.0));
        let project = [&test.project_name, &test.project_id];
        let project = project.into_iter().flatten().find(|project| !project.0.is_empty());
        case.project = project.map(|project| self.shared(&project.0));
        case.reruns = u32::try_from(test.results.count().saturating_sub(1)).unwrap_or(u32::MAX);
        if let Some(last) = test.results.iter().next_back() {
            let millis = last.duration.number();
            case.duration = millis.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok());
            case.started_at = plain(last.start_time.as_ref()).parse().ok();
        }
        if !matches!(outcome, ReportedOutcome::Passed | ReportedOutcome::Skipped) {
            case.problem = Some(Box::new(problem(test, outcome)));
            case.problems = 1;
        }
        case
    }

    fn outcome(&mut self, test: &Test) -> ReportedOutcome {
        match plain(test.status.as_ref()) {
            // Nothing ran, so nothing was expected to come out of it.
            "expected" if test.results.count() == 0 => {
                self.odd += 1;
                ReportedOutcome::Errored
            }
            "expected" => ReportedOutcome::Passed,
            "unexpected" => ReportedOutcome::Failed,
            "flaky" => ReportedOutcome::Flaky,
            "skipped" => ReportedOutcome::Skipped,
            _ => {
                self.odd += 1;
                ReportedOutcome::Errored
            }
        }
    }

    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.names.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = Arc::from(name(text));
        if self.names.len() < SHARED {
            self.names.insert(text.to_owned(), Arc::clone(&shared));
        }
        shared
    }

    fn fault(&mut self, fault: &Fault) {
        if self.suite_errors.len() >= SUITE_ERRORS {
            self.more_errors += 1;
            return;
        }
        let message = first_line(&without_colours(fault.message())).to_owned();
        self.suite_errors.push(SuiteError { suite: Arc::from(self.path.as_slice()), message });
    }

    fn stats(&mut self, stats: &Stats) {
        let counts = [stats.expected, stats.unexpected, stats.flaky, stats.skipped];
        let [_, failures, _, skipped] = counts.map(|count| count.count());
        let tests =
            counts.into_iter().filter_map(|count| count.count()).reduce(u64::saturating_add);
        self.stated = Stated { tests, failures, errors: None, skipped };
    }

    fn finish(mut self, document: Document) -> Result<Reading, Unreadable> {
        document.check(self.listed, "`suites`")?;
        let whole = document.warn(&mut self.warnings);
        if self.interrupted {
            self.warnings
                .add(None, "the run was interrupted: what is skipped may never have been due");
        }
        if self.odd > 0 {
            self.warnings.add(None, format!("{} cases have no result that is known", self.odd));
        }
        if self.more_errors > 0 {
            self.warnings.add(None, format!("{} more errors", self.more_errors));
        }
        Ok(Reading {
            format: Format::Playwright,
            dialect: "playwright",
            cases: self.cases,
            suite_errors: self.suite_errors,
            complete: whole && !self.interrupted,
            warnings: self.warnings.into_vec(),
            stated: self.stated,
        })
    }
}

/// Why a test did not pass at once: what its last attempt with an error says.
fn problem(test: &Test, outcome: ReportedOutcome) -> Problem {
    let attempt = test.results.iter().rev().find(|attempt| attempt.fault().is_some());
    let fault = attempt.and_then(Attempt::fault);
    let ended = test.results.iter().next_back().map_or("", |last| plain(last.status.as_ref()));
    let class = Some(ended).filter(|ended| !matches!(*ended, "failed" | "passed" | ""));
    let otherwise = match outcome {
        ReportedOutcome::Errored => "it has no result that is known",
        _ if ended == "passed" => "expected to fail, but passed",
        _ => "",
    };
    let message = fault.map_or(otherwise, Fault::message);
    Problem {
        kind: match outcome {
            ReportedOutcome::Errored => ProblemKind::Error,
            ReportedOutcome::Failed
            | ReportedOutcome::Flaky
            | ReportedOutcome::Skipped
            | ReportedOutcome::Passed => ProblemKind::Failure,
        },
        class: class.map(str::to_owned),
        message: first_line(&without_colours(message)).to_owned(),
        text: text(message),
    }
}

#[cfg(test)]
mod tests;
