//! The cases of a file or a run, counted, and what a file amounts to by itself.
//!
//! What it must not do: decide the verdict of a cycle; an exit status is needed for that.

use crate::domain::outcome::words;

use super::case::{Reading, ReportedCase, ReportedOutcome};

/// How many cases ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// All of them.
    pub cases: u64,
    /// Passed, the flaky ones among them.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Errored.
    pub errored: u64,
    /// Skipped.
    pub skipped: u64,
    /// Passed after a failed attempt.
    pub flaky: u64,
    /// Further attempts that were told within the cases.
    pub reruns: u64,
}

/// What a file says, taken for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Something failed, or it states that something did.
    Fail,
    /// Nothing failed, but it is no whole run.
    Incomplete,
    /// There is no case in it.
    Empty,
    /// Everything passed or was skipped.
    Pass,
}

words!(Standing {
    Fail => "fail", Incomplete => "incomplete", Empty => "empty", Pass => "pass",
});

impl Totals {
    /// Counts a case.
    pub fn add(&mut self, case: &ReportedCase) {
        self.add_outcome(case.outcome);
        self.reruns += u64::from(case.reruns);
    }

    /// Counts an outcome.
    pub fn add_outcome(&mut self, outcome: ReportedOutcome) {
        self.cases += 1;
        match outcome {
            ReportedOutcome::Errored => self.errored += 1,
            ReportedOutcome::Failed => self.failed += 1,
            ReportedOutcome::Skipped => self.skipped += 1,
            ReportedOutcome::Flaky => {
                self.passed += 1;
                self.flaky += 1;
            }
            ReportedOutcome::Passed => self.passed += 1,
        }
    }

    /// Adds those of another file.
    pub fn merge(&mut self, other: &Self) {
        self.cases += other.cases;
        self.passed += other.passed;
        self.failed += other.failed;
        self.errored += other.errored;
        self.skipped += other.skipped;
        self.flaky += other.flaky;
        self.reruns += other.reruns;
    }

    /// What a file with these cases amounts to. Failures that it states and does not show count, unless
    /// they are attempts of cases that it shows.
    pub fn standing(&self, reading: &Reading) -> Standing {
        let stated = reading.stated;
        let stated_failing =
            stated.failures.unwrap_or(0).saturating_add(stated.errors.unwrap_or(0));
        if self.failed + self.errored > 0 || !reading.suite_errors.is_empty() {
            Standing::Fail
        } else if !reading.complete {
            Standing::Incomplete
        } else if stated_failing > self.reruns {
            Standing::Fail
        } else if self.cases == 0 {
            Standing::Empty
        } else {
            Standing::Pass
        }
    }
}
