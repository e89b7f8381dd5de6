//! How long somebody waits for something to be read.

use std::time::{Duration, Instant};

/// How long a reader of logs waits at most, for each page.
#[derive(Debug, Clone, Copy)]
pub struct LogPatience {
    /// For what is looked for in all of it: then the page says how far that went, and leads on.
    pub finding: Duration,
    /// For the numbers of lines: then the page has none, and the next one gets further.
    pub numbering: Duration,
}

impl Default for LogPatience {
    fn default() -> Self {
        Self { finding: Duration::from_secs(5), numbering: Duration::from_secs(1) }
    }
}

/// Patience that began to run out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    begun: Instant,
    limit: Duration,
}

impl Patience {
    /// From now on for so long.
    pub(super) fn of(limit: Duration) -> Self {
        Self { begun: Instant::now(), limit }
    }

    /// Whether something that still goes on has to stop.
    pub(super) fn is_over(self) -> bool {
        self.begun.elapsed() >= self.limit
    }
}

#[cfg(test)]
impl Patience {
    pub(super) fn endless() -> Self {
        Self::of(Duration::MAX)
    }

    pub(super) fn none() -> Self {
        Self::of(Duration::ZERO)
    }
}
