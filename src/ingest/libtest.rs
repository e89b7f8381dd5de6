//! Rust's test harness: what `cargo test` prints, its unstable JSON, and nextest's imitation of that.
//!
//! A file holds the output of one test binary or of several, with cargo's own lines between them. Text
//! and JSON may be mixed, as the doc tests of old toolchains do.
//!
//! What it must not do: trust a binary that did not say `test result:`.

use std::io::BufRead;

use super::case::{Format, Reading, ReportedCase, Sink, Stated, SuiteError};
use super::error::Unreadable;
use super::lines::Lines;
use super::warnings::Warnings;

mod json;
mod text;

/// How many failures that belong to no case are kept.
const SUITE_ERRORS: usize = 1_000;

/// Reads the cases of a file.
pub(super) fn read(input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<Reading, Unreadable> {
    let mut lines = Lines::new(input);
    let mut out = Out::new(sink);
    let mut json = json::Events::default();
    let mut text = text::Printed::default();
    let mut blank = true;
    while let Some((number, line)) = lines.next()? {
        blank &= line.trim().is_empty();
        if !json.line(number, &line, &mut out) {
            text.line(number, &line, &mut out);
        }
    }
    let cut = lines.cut();
    if cut > 0 {
        out.warnings.add(None, format!("{cut} lines were too long and are cut"));
    }
    json.finish(&mut out);
    text.finish(&mut out);
    if !out.seen {
        let found = "text without a result of a Rust test binary".to_owned();
        return Err(if blank { Unreadable::Empty } else { Unreadable::NotResults { found } });
    }
    Ok(Reading {
        format: Format::Libtest,
        dialect: json.dialect(),
        cases: out.cases,
        suite_errors: out.suite_errors,
        complete: out.complete,
        warnings: out.warnings.into_vec(),
        stated: out.stated,
    })
}

/// What both kinds of lines add to.
struct Out<'a> {
    sink: &'a mut dyn Sink,
    cases: u64,
    suite_errors: Vec<SuiteError>,
    warnings: Warnings,
    complete: bool,
    /// Whether something was seen that only a test binary writes.
    seen: bool,
    stated: Stated,
}

impl<'a> Out<'a> {
    fn new(sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            cases: 0,
            suite_errors: Vec::new(),
            warnings: Warnings::default(),
            complete: true,
            seen: false,
            stated: Stated::default(),
        }
    }

    fn case(&mut self, case: ReportedCase) {
        self.cases += 1;
        self.sink.case(case);
    }

    fn suite_error(&mut self, error: SuiteError) {
        self.complete = false;
        if self.suite_errors.len() < SUITE_ERRORS {
            self.suite_errors.push(error);
        } else {
            self.warnings.add(None, format!("one more error: {}", error.message));
        }
    }

    /// Adds what a binary says of itself at its end.
    fn state(&mut self, said: Summary) {
        let add =
            |sum: &mut Option<u64>, more: u64| *sum = Some(sum.unwrap_or(0).saturating_add(more));
        add(
            &mut self.stated.tests,
            said.passed.saturating_add(said.failed).saturating_add(said.ignored),
        );
        add(&mut self.stated.failures, said.failed);
        add(&mut self.stated.skipped, said.ignored);
    }
}

/// The figures of a `test result:` line or event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Summary {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// The line that says why a test panicked: the one after `thread '…' panicked at …:`. Before Rust 1.73
/// it stood within quotes on the same line.
fn panic_message(output: &str) -> Option<&str> {
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        let Some((_, rest)) = line.split_once(" panicked at ") else { continue };
        if !line.trim_start().starts_with("thread '") {
            continue;
        }
        if let Some(quoted) = rest.strip_prefix('\'') {
            let message = quoted.rsplit_once("', ").map_or(quoted, |(message, _)| message);
            return Some(message.trim());
        }
        let said = lines.next().map(str::trim).filter(|said| !said.is_empty());
        return Some(said.unwrap_or("panicked"));
    }
    None
}

#[cfg(test)]
mod tests;
