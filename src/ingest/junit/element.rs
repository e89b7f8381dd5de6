//! The elements that mean something.
//!
//! What it must not do: say what follows from them.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ingest::case::ProblemKind;

/// An element, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// `testsuites`
    Suites,
    /// `testsuite`
    Suite,
    /// `testcase`
    Case,
    /// `failure` or `error`: a case did not pass, or a suite has a problem of its own.
    Problem(ProblemKind),
    /// `rerunFailure`, `rerunError`: a further attempt of a case that failed in the end.
    Rerun(ProblemKind),
    /// `flakyFailure`, `flakyError`: a failed attempt of a case that passed in the end.
    Flaky(ProblemKind),
    /// `skipped`
    Skipped,
    /// `system-out`, `system-err`: what a program wrote, which may be anything.
    Output(&'static str),
    /// `property`
    Property,
    /// Any other, by the hash of its name.
    Other(u64),
}

impl Element {
    /// The element of that name.
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"testcase" => Self::Case,
            b"testsuite" => Self::Suite,
            b"testsuites" => Self::Suites,
            b"failure" => Self::Problem(ProblemKind::Failure),
            b"error" => Self::Problem(ProblemKind::Error),
            b"skipped" => Self::Skipped,
            b"rerunFailure" => Self::Rerun(ProblemKind::Failure),
            b"rerunError" => Self::Rerun(ProblemKind::Error),
            b"flakyFailure" => Self::Flaky(ProblemKind::Failure),
            b"flakyError" => Self::Flaky(ProblemKind::Error),
            b"system-out" => Self::Output("system-out"),
            b"system-err" => Self::Output("system-err"),
            b"property" => Self::Property,
            other => {
                let mut hasher = DefaultHasher::new();
                other.hash(&mut hasher);
                Self::Other(hasher.finish())
            }
        }
    }
}
