//! What a reader makes of a result file.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::outcome::words;

use super::text::first_line;

/// A format whose cases are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JUnit XML, in the dialects of many tools.
    Junit,
    /// The Common Test Report Format (ctrf.io).
    Ctrf,
    /// The Test Anything Protocol, versions 12 to 14.
    Tap,
    /// `go test -json`.
    Go,
    /// Rust's test harness, as text or JSON.
    Libtest,
    /// Playwright's JSON reporter.
    Playwright,
}

words!(Format {
    Junit => "junit", Ctrf => "ctrf", Tap => "tap",
    Go => "go", Libtest => "libtest", Playwright => "playwright",
});

/// What became of a case by its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportedOutcome {
    /// The worst: the tool could not tell, or the test itself broke.
    Errored,
    /// An assertion did not hold.
    Failed,
    /// Not executed, or expected to fail and failed.
    Skipped,
    /// Passed after a failed attempt.
    Flaky,
    /// Passed.
    Passed,
}

words!(ReportedOutcome {
    Errored => "errored", Failed => "failed", Skipped => "skipped",
    Flaky => "flaky", Passed => "passed",
});

/// One case as it stands in a file: one element, line or record. Attempts that are elements of their
/// own, and duplicates, are not merged yet.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedCase {
    /// The names of the suites around it, from the outermost.
    pub suite: Arc<[Box<str>]>,
    /// The class, module or package, where the format has one.
    pub classname: Option<Arc<str>>,
    /// The name, as written.
    pub name: String,
    /// The file it stands in, as written.
    pub file: Option<Arc<str>>,
    /// The browser, target or project that runs the same tests side by side with others.
    pub project: Option<Arc<str>>,
    /// What became of it.
    pub outcome: ReportedOutcome,
    /// A failure that the suite expects: `skipped`, with this mark.
    pub expected_failure: bool,
    /// How long it took; `None` where the file does not say it in a way that can be read.
    pub duration: Option<Duration>,
    /// When it began, where the file says so.
    pub started_at: Option<Timestamp>,
    /// Further attempts that the file tells within the case.
    pub reruns: u32,
    /// What went wrong first; also of a flaky case, whose first attempt failed.
    pub problem: Option<Box<Problem>>,
    /// How many problem elements there were, `problem` included.
    pub problems: u32,
}

/// What kind of problem a file tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// An assertion.
    Failure,
    /// Something else.
    Error,
}

/// Why a case did not pass. Texts are as written, cut where they are too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Failure or error.
    pub kind: ProblemKind,
    /// The class of the exception, where the file says so.
    pub class: Option<String>,
    /// The first line that tells something (corpus README, `message_first_line`), at most 300 characters.
    pub message: String,
    /// The whole text.
    pub text: String,
}

/// Messages of tools that say nothing but that something failed.
const SAYS_NOTHING: &[&str] = &["failed", "failure", "test failure", "test failed", "error"];

/// What begins a line of a test tool's own in the output of a test.
const FRAMES: &[&str] =
    &["=== RUN", "--- FAIL", "=== PAUSE", "=== CONT", "=== NAME", "Traceback ("];

impl Problem {
    /// The line that tells a person most: the message, or where that says nothing the first line of the
    /// text that does.
    pub fn telling(&self) -> &str {
        let says_nothing = |line: &str| {
            line.is_empty() || SAYS_NOTHING.contains(&line.to_ascii_lowercase().as_str())
        };
        if !says_nothing(&self.message) {
            return &self.message;
        }
        let frame = |line: &str| FRAMES.iter().any(|frame| line.trim_start().starts_with(frame));
        let mut lines = self.text.lines().filter(|line| !frame(line)).map(first_line);
        lines.find(|line| !says_nothing(line)).unwrap_or(&self.message)
    }
}

/// A failure or error that belongs to no case: no case counts for it, but nothing is green with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteError {
    /// The suites around it, from the outermost.
    pub suite: Arc<[Box<str>]>,
    /// The first line of what it says.
    pub message: String,
}

/// Something in a file that a reader of its results should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line, from 1, where that is known.
    pub line: Option<u64>,
    /// What is wrong, as a lowercase fragment.
    pub what: String,
}

/// Totals that a file states about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stated {
    /// Cases.
    pub tests: Option<u64>,
    /// Failures.
    pub failures: Option<u64>,
    /// Errors.
    pub errors: Option<u64>,
    /// Skipped.
    pub skipped: Option<u64>,
}

/// What there is to say about a file besides its cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The format.
    pub format: Format,
    /// The tool that wrote it, as far as the file shows it: `pytest`, `surefire`, …; else the format's name.
    pub dialect: &'static str,
    /// How many cases went to the sink.
    pub cases: u64,
    /// Failures and errors that belong to no case.
    pub suite_errors: Vec<SuiteError>,
    /// What is wrong with the file, at most a hundred; the last says how many more there were.
    pub warnings: Vec<Warning>,
    /// Whether the file tells of a whole run: not cut, not bailed out, its plan met.
    pub complete: bool,
    /// What it states about itself.
    pub stated: Stated,
}

/// Takes the cases of a file, one by one, in its order.
pub trait Sink {
    /// Takes one.
    fn case(&mut self, case: ReportedCase);
}

impl Sink for Vec<ReportedCase> {
    fn case(&mut self, case: ReportedCase) {
        self.push(case);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_tells_where_the_message_says_nothing() {
        for (message, text, line) in [
            ("boom", "text", "boom"),
            (
                "Failed",
                "=== RUN   TestA\n    a_test.go:6: got 1\n--- FAIL: TestA",
                "a_test.go:6: got 1",
            ),
            ("test failure", "Traceback (most recent call last):\n  at x", "at x"),
            ("", " \n one ", "one"),
            ("Failed", "=== RUN   TestA\n--- FAIL: TestA (0.00s)", "Failed"),
            ("Failed", "", "Failed"),
        ] {
            let problem = Problem {
                kind: ProblemKind::Failure,
                class: None,
                message: message.into(),
                text: text.into(),
            };
            assert_eq!(problem.telling(), line, "{message}: {text}");
        }
    }
}
