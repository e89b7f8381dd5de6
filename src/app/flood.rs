//! How many lines one place of the code may write into the log. Pure: a place and the time in, the decision out.
//!
//! Who means harm, or a disk that takes nothing, can have the same thing said over and over, and the log
//! is on somebody's disk. A place has lines in store for a burst, as when two hundred pipelines begin at once;
//! beyond that it has one a second, which says how many were left out.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Lines that a place may write at once.
const BURST: u32 = 200;
/// A place gets another line after so long.
const PAUSE: Duration = Duration::from_secs(1);

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is written. So many of its place were left out since the last one.
    Written {
        /// How many.
        left_out: u64,
    },
    /// It is left out, and counted.
    LeftOut,
}

/// The places that wrote something.
#[derive(Debug)]
pub(super) struct Flood<P> {
    places: HashMap<P, Place>,
}

#[derive(Debug)]
struct Place {
    /// Lines in store.
    lines: u32,
    /// When the last one was put there.
    stored_at: Duration,
    left_out: u64,
}

impl<P: Eq + Hash> Flood<P> {
    pub(super) fn new() -> Self {
        Self { places: HashMap::new() }
    }

    /// Decides about a line of that place. `now` is the time since some instant, and never runs back.
    pub(super) fn decide(&mut self, place: P, now: Duration) -> Fate {
        let full = Place { lines: BURST, stored_at: now, left_out: 0 };
        let place = self.places.entry(place).or_insert(full);
        place.store(now);
        if place.lines == 0 {
            place.left_out += 1;
            return Fate::LeftOut;
        }
        place.lines -= 1;
        Fate::Written { left_out: std::mem::take(&mut place.left_out) }
    }
}

impl Place {
    /// Puts the lines of the time that passed into the store.
    fn store(&mut self, now: Duration) {
        let pauses = now.saturating_sub(self.stored_at).as_nanos() / PAUSE.as_nanos();
        let gained = u32::try_from(pauses).unwrap_or(u32::MAX);
        self.lines = self.lines.saturating_add(gained).min(BURST);
        self.stored_at += PAUSE.saturating_mul(gained);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(left_out: u64) -> Fate {
        Fate::Written { left_out }
    }

    #[test]
    fn a_burst_is_written_whole() {
        let mut flood = Flood::new();
        for _ in 0..BURST {
            assert_eq!(flood.decide("a", Duration::ZERO), written(0));
        }
        assert_eq!(flood.decide("a", Duration::ZERO), Fate::LeftOut);
        assert_eq!(flood.decide("b", Duration::ZERO), written(0), "another place has its own");
    }

    /// RELIABILITY N6, L6: an hour of a thousand lines a second is no more than an hour of seconds.
    #[test]
    fn an_hour_of_the_same_is_a_line_a_second_and_all_are_counted() {
        let mut flood = Flood::new();
        let (mut lines, mut counted, mut longest) = (0, 0, 0);
        for at in 0..3_600_000 {
            if let Fate::Written { left_out } = flood.decide((), Duration::from_millis(at)) {
                lines += 1;
                counted += left_out;
                longest = longest.max(left_out);
            }
        }
        assert_eq!(lines, u64::from(BURST) + 3_599);
        assert_eq!(longest, 999);
        assert_eq!(lines + counted, 3_599_001, "all but those after the last line");
    }

    #[test]
    fn rest_fills_the_store_again_and_no_further() {
        let mut flood = Flood::new();
        for at in [0, 10_000_000] {
            let now = Duration::from_secs(at);
            let count = (0..1_000).filter(|_| flood.decide((), now) != Fate::LeftOut).count();
            assert_eq!(count, 200);
        }
        assert_eq!(flood.decide((), Duration::from_secs(10_000_003)), written(800));
    }
}
