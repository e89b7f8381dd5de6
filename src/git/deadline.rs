//! The end of one operation on the monotonic clock.

use std::time::{Duration, Instant};

use super::error::Error;

/// A point in time after which nothing of an operation may still wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    given: Duration,
}

impl Deadline {
    /// The longest time that can be given: a year stands for "no limit" without overflow.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

    pub(super) fn after(given: Duration) -> Self {
        let given = given.min(Self::LONGEST);
        Self { at: Instant::now() + given, given }
    }

    pub(super) fn at(&self) -> Instant {
        self.at
    }

    pub(super) fn has_passed(&self) -> bool {
        Instant::now() >= self.at
    }

    /// The time that is left, zero after the deadline.
    pub(super) fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    pub(super) fn timeout(&self, repository: &str, phase: &'static str) -> Error {
        Error::Timeout { repository: repository.to_owned(), phase, after: self.given }
    }

    /// An error once the deadline has passed.
    pub(super) fn check(&self, repository: &str, phase: &'static str) -> Result<(), Error> {
        if self.has_passed() { Err(self.timeout(repository, phase)) } else { Ok(()) }
    }
}
