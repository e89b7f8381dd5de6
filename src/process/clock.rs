//! The two clocks of the supervisor. Nothing else in this module may ask for the time.

use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Time since boot, counting time spent suspended: a deadline must not sleep along with the
/// machine, and must not follow a wall clock that somebody corrects.
pub(super) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// The wall clock, for people who read the records. Nothing is decided by it.
#[allow(clippy::disallowed_methods)] // A supervisor has no engine to ask.
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
