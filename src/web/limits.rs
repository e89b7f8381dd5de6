//! Who guesses tokens is answered 429 after a while. A right token always works: it is known at
//! once, so nobody is locked out by another's guessing from the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Wrong tokens of one address within a minute.
const MAX_PER_MINUTE: u32 = 600;
/// Addresses that are remembered; with more of them all are forgotten, and counted anew.
const MAX_ADDRESSES: usize = 4096;

/// Wrong tokens of the running minute, by address.
#[derive(Debug, Default)]
pub(super) struct Failures {
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    counts: HashMap<IpAddr, u32>,
}

/// What to make of one more wrong token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The first of the minute: worth a line in the log.
    First,
    /// One of some.
    More,
    /// Too many.
    TooMany,
}

impl Failures {
    /// Counts a wrong token.
    pub(super) fn count(&self, address: IpAddr, now: Timestamp) -> Verdict {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.as_second().div_euclid(60);
        if minute.number != number || minute.counts.len() >= MAX_ADDRESSES {
            *minute = Minute { number, counts: HashMap::new() };
        }
        let count = minute.counts.entry(address).or_default();
        *count = count.saturating_add(1);
        match *count {
            1 => Verdict::First,
            2..=MAX_PER_MINUTE => Verdict::More,
            _ => Verdict::TooMany,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn guessing_ends_for_the_minute_and_for_the_address() {
        let failures = Failures::default();
        let (one, other): (IpAddr, IpAddr) =
            ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(failures.count(one, at(60)), Verdict::First);
        for _ in 1..MAX_PER_MINUTE {
            assert_eq!(failures.count(one, at(61)), Verdict::More);
        }
        assert_eq!(failures.count(one, at(119)), Verdict::TooMany);
        assert_eq!(failures.count(other, at(119)), Verdict::First);
        assert_eq!(failures.count(one, at(120)), Verdict::First);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let failures = Failures::default();
        for number in 0..100_000u32 {
            failures.count(IpAddr::from(number.to_be_bytes()), Timestamp::UNIX_EPOCH);
        }
        assert!(failures.minute.lock().unwrap().counts.len() <= MAX_ADDRESSES);
    }
}
