//! How long to wait between two looks. Pure.

use std::time::Duration;

/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The wait after the first failure where nothing is polled.
const UNPOLLED: Duration = Duration::from_secs(30);
/// How much a wait is shortened or lengthened, in percent.
const JITTER: u32 = 10;
/// However many hints come, a remote that fails is asked no more often.
const LEAST_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The rhythm of one pipeline's looks. Its jitter comes from the pipeline's name, so that many
/// pipelines spread out, and each in the same way on every run.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    poll: Option<Duration>,
    random: u64,
    failures: u32,
    /// The last look found no room on our own disk.
    lacks_room: bool,
}

impl Pace {
    pub(super) fn new(poll: Option<Duration>, name: &str) -> Self {
        // FNV-1a: any function will do that tells names apart.
        let random = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        Self { poll, random, failures: 0, lacks_room: false }
    }

    /// A look went well. Answers whether that is news.
    pub(super) fn succeeded(&mut self) -> bool {
        self.lacks_room = false;
        std::mem::take(&mut self.failures) > 0
    }

    /// A look failed. Answers whether that is news.
    pub(super) fn failed(&mut self) -> bool {
        self.lacks_room = false;
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }

    /// Our own disk had no room for what a look found: the remote is not to be spared for that.
    /// Answers whether that is news.
    pub(super) fn lacked_room(&mut self) -> bool {
        !std::mem::replace(&mut self.lacks_room, true)
    }

    /// The time until the next look; `None`: only when one is wanted.
    pub(super) fn next_wait(&mut self) -> Option<Duration> {
        let wait = match self.failures {
            _ if self.lacks_room => self.poll.unwrap_or(UNPOLLED).min(UNPOLLED),
            0 => self.poll?,
            n => {
                let base = self.poll.unwrap_or(UNPOLLED);
                base.saturating_mul(1 << n.min(16)).min(LONGEST).max(base)
            }
        };
        Some(wait * (100 - JITTER + self.next_random() % (2 * JITTER + 1)) / 100)
    }

    /// The time that must pass before a look that somebody wants.
    pub(super) fn least_wait(&self) -> Duration {
        let is_well = self.failures == 0 && !self.lacks_room;
        if is_well { Duration::ZERO } else { LEAST_AFTER_FAILURE }
    }

    /// Marsaglia's xorshift.
    fn next_random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        u32::try_from(self.random >> 33).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waits(pace: &mut Pace, count: usize) -> Vec<Duration> {
        (0..count).map(|_| pace.next_wait().unwrap()).collect()
    }

    #[test]
    fn looks_are_spread_by_a_tenth_around_the_interval() {
        let mut one = Pace::new(Some(30 * SECOND), "one");
        let first = waits(&mut one, 200);
        assert!(first.iter().all(|wait| (27 * SECOND..=33 * SECOND).contains(wait)));
        assert!(
            first.iter().min() < Some(&(28 * SECOND)) && first.iter().max() > Some(&(32 * SECOND))
        );
        let mean = first.iter().sum::<Duration>() / 200;
        assert!((29 * SECOND..31 * SECOND).contains(&mean), "{mean:?}");
        // The same on every run, another for another pipeline.
        assert_eq!(first, waits(&mut Pace::new(Some(30 * SECOND), "one"), 200));
        assert_ne!(first, waits(&mut Pace::new(Some(30 * SECOND), "two"), 200));
    }

    /// RELIABILITY H8: the back-off.
    #[test]
    fn waits_double_after_failures_up_to_a_quarter_of_an_hour() {
        let about = |wait: Duration, seconds: u32| {
            wait >= SECOND * seconds * 9 / 10 && wait <= SECOND * seconds * 11 / 10
        };
        let mut pace = Pace::new(Some(30 * SECOND), "x");
        for (n, seconds) in [60, 120, 240, 480, 900, 900].into_iter().enumerate() {
            assert_eq!(pace.failed(), n == 0, "the first failure alone is news");
            let wait = pace.next_wait().unwrap();
            assert!(about(wait, seconds), "{n}: {wait:?}");
            assert_eq!(pace.least_wait(), 5 * SECOND);
        }
        (0..100).for_each(|_| assert!(!pace.failed()));
        assert!(about(pace.next_wait().unwrap(), 900));
        assert!(pace.succeeded() && !pace.succeeded());
        assert!(about(pace.next_wait().unwrap(), 30));
        assert_eq!(pace.least_wait(), Duration::ZERO);
        // Who polls once an hour does not begin to poll more often.
        let mut slow = Pace::new(Some(3600 * SECOND), "x");
        slow.failed();
        assert!(about(slow.next_wait().unwrap(), 3600));
    }

    #[test]
    fn without_polls_only_failures_are_followed_by_a_look() {
        let mut pace = Pace::new(None, "x");
        assert_eq!(pace.next_wait(), None);
        pace.failed();
        assert!(pace.next_wait().is_some());
        pace.succeeded();
        assert_eq!(pace.next_wait(), None);
    }

    #[test]
    fn what_the_disk_had_no_room_for_is_looked_at_again_soon() {
        let mut pace = Pace::new(None, "one");
        assert!(pace.lacked_room() && !pace.lacked_room());
        let waits = waits(&mut pace, 9);
        assert!(waits.iter().all(|wait| *wait <= 33 * SECOND), "{waits:?}");
        assert_eq!(pace.least_wait(), LEAST_AFTER_FAILURE);
        assert!(!pace.succeeded(), "nothing was said of the repository");
        assert_eq!((pace.next_wait(), pace.least_wait()), (None, Duration::ZERO));
        assert!(pace.lacked_room());
    }
}
