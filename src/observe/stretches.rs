//! When something moved, as a bounded number of stretches. Pure: the time comes in.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::observed::Span;

/// How many stretches are kept; the last one then goes on to its end.
pub(crate) const MAX: usize = 32;
/// What moves within so long belongs to one stretch.
pub(crate) const GAP: Duration = Duration::from_millis(250);

/// The stretches of one connection, by the time since a run began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stretches(Vec<(Duration, Duration)>);

impl Stretches {
    /// Something moved.
    pub(crate) fn moved(&mut self, now: Duration) {
        let full = self.0.len() >= MAX;
        match self.0.last_mut() {
            Some((_, to)) if full || now.saturating_sub(*to) <= GAP => *to = now,
            Some(_) | None => self.0.push((now, now)),
        }
    }

    /// When the first began.
    pub(crate) fn began(&self) -> Option<Duration> {
        self.0.first().map(|(from, _)| *from)
    }

    /// When the last ended.
    pub(crate) fn ended(&self) -> Option<Duration> {
        self.0.last().map(|(_, to)| *to)
    }

    /// All of them, for a run that began then.
    pub(crate) fn spans(&self, started_at: Timestamp) -> Vec<Span> {
        let span = |(from, to): &(Duration, Duration)| Span {
            from: instant(started_at, *from),
            to: instant(started_at, *to),
        };
        self.0.iter().map(span).collect()
    }
}

/// So long after another instant.
pub(crate) fn instant(started_at: Timestamp, after: Duration) -> Timestamp {
    let micros = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
    started_at.saturating_add(SignedDuration::from_micros(micros)).unwrap_or(started_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_bounded_and_what_is_near_is_one() {
        let mut stretches = Stretches::default();
        assert_eq!((stretches.began(), stretches.ended()), (None, None));
        stretches.moved(Duration::ZERO);
        stretches.moved(GAP);
        assert_eq!(stretches.0, [(Duration::ZERO, GAP)]);
        for number in 1..100 {
            stretches.moved(GAP * 4 * number);
        }
        assert_eq!(stretches.0.len(), MAX);
        assert_eq!(stretches.ended(), Some(GAP * 4 * 99), "the last goes on to its end");
        let spans = stretches.spans(Timestamp::UNIX_EPOCH);
        assert_eq!((spans.len(), spans[0].from), (MAX, Timestamp::UNIX_EPOCH));
    }
}
