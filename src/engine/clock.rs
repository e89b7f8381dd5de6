//! The one door to wall time.

use jiff::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The instant now. It can jump; durations are measured otherwise.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // This is the door.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
