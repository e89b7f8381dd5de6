//! When something must be done, and which time-out says so: a step may have less time than its
//! time-out when steps before it took some of it, and people know only what they wrote.

use std::time::Duration;

use tokio::time::Instant;

/// An instant and the time-out that ends at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When it is over.
    pub at: Instant,
    /// The time-out as it was configured.
    pub limit: Duration,
}

impl Deadline {
    /// A time-out that begins now.
    pub fn after(limit: Duration) -> Self {
        Self::from(Instant::now(), limit)
    }

    /// A time-out that began at an instant.
    pub fn from(began: Instant, limit: Duration) -> Self {
        Self { at: began + limit, limit }
    }

    /// Whichever of two comes first.
    #[must_use]
    pub fn or_sooner(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sooner_one_brings_its_own_limit() {
        let began = Instant::now();
        let case = Deadline::from(began, Duration::from_secs(10));
        let step = Deadline::from(began + Duration::from_secs(9), Duration::from_secs(3));
        assert_eq!(case.or_sooner(step), case);
        assert_eq!(step.or_sooner(case), case);
        let short = Deadline::from(began, Duration::from_secs(1));
        assert_eq!(case.or_sooner(short).limit, Duration::from_secs(1));
    }
}
