//! Case records as compact bytes, many in one row.
//!
//! A hundred thousand cases are compared and written in each cycle, and what a database does for a
//! row costs more than what we do for a case. So the cases of a pipeline are spread over
//! [`BUCKETS`] pages by their id: a page is a row, and a case is found in a page without reading
//! the others. All of it is derived from events.
//!
//! Pure. Bytes that nothing of ours wrote are answered with `None`, never with a panic.

pub(super) mod head;
pub(super) mod page;
pub(super) mod result;

use crate::domain::outcome::Outcome;

/// How many pages the cases of one cycle, or the heads of one environment, take up at most. Stored
/// data depends on it.
pub(super) const BUCKETS: u64 = 128;

/// The page of a case: FNV-1a over its id (<http://www.isthe.com/chongo/tech/comp/fnv/>), which
/// gives the same number on every machine and for good.
pub(super) fn bucket_of(case: &str) -> u8 {
    let hash = case.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u8::try_from(hash % BUCKETS).expect("there are less than 256 buckets")
}

/// LEB128: seven bits a byte, the lowest first.
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    put_number(out, count as u64);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Reads what the `put_` functions wrote, as far as there is any.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if bits.leading_zeros() < shift {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn number_u32(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.count()?;
        self.take(len)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Numbers for the words of an enum. They are stored: a number keeps its meaning for good.
macro_rules! codes {
    ($to:ident, $from:ident, $type:ident { $($variant:ident = $code:literal),+ $(,)? }) => {
        fn $to(value: $type) -> u8 {
            match value { $($type::$variant => $code),+ }
        }

        fn $from(code: u8) -> Option<$type> {
            match code { $($code => Some($type::$variant),)+ _ => None }
        }
    };
}
use codes;

codes!(outcome_code, outcome_of, Outcome {
    Passed = 0, Flaky = 1, Failed = 2, Errored = 3, Skipped = 4, NotRun = 5,
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_survives(number in any::<u64>()) {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert!(reader.is_at_end());
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for bytes in [&[0xff; 10][..], &[0x80; 11], &[0x80], &[], &[0xff; 9]] {
            assert_eq!(Reader::new(bytes).number(), None, "{bytes:?}");
        }
    }

    /// Where cases lie in databases out there.
    #[test]
    fn buckets_never_move() {
        assert_eq!(["", "a", "test_001", "ä"].map(bucket_of), [37, 12, 29, 2]);
    }
}
