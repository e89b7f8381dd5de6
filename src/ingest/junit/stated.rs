//! The totals that a document states, and where they disagree with its cases.
//!
//! What it must not do: replace a count.

use crate::ingest::case::{ReportedOutcome, Stated};
use crate::ingest::text::count;
use crate::ingest::warnings::Warnings;
use crate::ingest::xml::Tag;

/// Collects what the elements of a file state.
#[derive(Debug, Default)]
pub(super) struct Claims {
    root: Stated,
    suites: Stated,
    all: Stated,
}

impl Claims {
    /// What the root of a document states.
    pub(super) fn root(&mut self, tag: &Tag<'_>) {
        self.root = of_tag(tag);
    }

    /// What a suite that stands in no other states.
    pub(super) fn suite(&mut self, tag: &Tag<'_>) {
        self.suites = merged(self.suites, of_tag(tag), sum);
    }

    /// A document ended: what its root does not state, its suites may.
    pub(super) fn end_document(&mut self) {
        let document = merged(self.root, self.suites, Option::or);
        self.all = merged(self.all, document, sum);
        (self.root, self.suites) = (Stated::default(), Stated::default());
    }

    /// What all documents of the file state.
    pub(super) fn all(&self) -> Stated {
        self.all
    }
}

fn of_tag(tag: &Tag<'_>) -> Stated {
    let mut stated = Stated::default();
    for (name, value) in tag.attributes() {
        match name {
            b"tests" => stated.tests = count(value.raw()),
            b"failures" => stated.failures = count(value.raw()),
            b"errors" => stated.errors = count(value.raw()),
            b"skipped" | b"skip" | b"skips" => stated.skipped = count(value.raw()),
            _ => {}
        }
    }
    stated
}

fn merged(one: Stated, other: Stated, with: fn(Option<u64>, Option<u64>) -> Option<u64>) -> Stated {
    Stated {
        tests: with(one.tests, other.tests),
        failures: with(one.failures, other.failures),
        errors: with(one.errors, other.errors),
        skipped: with(one.skipped, other.skipped),
    }
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// The cases of a file, counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) cases: u64,
    failing: u64,
    skipped: u64,
}

impl Counted {
    pub(super) fn add(&mut self, outcome: ReportedOutcome) {
        self.cases += 1;
        match outcome {
            ReportedOutcome::Errored | ReportedOutcome::Failed => self.failing += 1,
            ReportedOutcome::Skipped => self.skipped += 1,
            ReportedOutcome::Flaky | ReportedOutcome::Passed => {}
        }
    }

    /// Warns of each total that is another one. Failures and errors count as one: tools differ in what
    /// they call which.
    pub(super) fn compare(&self, stated: &Stated, warnings: &mut Warnings) {
        let stated_failing = sum(stated.failures, stated.errors);
        for (what, stated, counted) in [
            ("tests", stated.tests, self.cases),
            ("failures and errors", stated_failing, self.failing),
            ("skipped", stated.skipped, self.skipped),
        ] {
            if let Some(stated) = stated.filter(|stated| *stated != counted) {
                warnings.add(None, format!("states {stated} {what}, its cases are {counted}"));
            }
        }
    }
}
