//! Whether the disk has room for new work: a pure decision over what the disk says.
//!
//! It looks at nothing itself and frees nothing (`upkeep` and `daemon` do).

use std::fmt;

/// Below so much, where no ballast says otherwise, no new work is begun.
const LOW: u64 = 8 << 20;

/// What the disk of the state folder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// It takes no writing at all.
    pub is_read_only: bool,
    /// Bytes that are free; `None` when it does not say.
    pub free: Option<u64>,
    /// What came of the last attempt to write.
    pub write: Write,
    /// What is held ready for a full disk; `None`: nothing should be.
    pub ballast: Option<Ballast>,
}

/// What came of an attempt to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// There was none.
    NotTried,
    /// It went well.
    Done,
    /// The disk took nothing.
    Refused,
}

/// Bytes that are held ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ballast {
    /// How many should be.
    pub size: u64,
    /// Whether they are.
    pub is_held: bool,
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// The disk takes no writing.
    ReadOnly,
    /// It is full.
    Full,
    /// So little is left that cycles which run may need it.
    Low,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "the disk of the state folder is read-only",
            Self::Full => "the disk of the state folder is full",
            Self::Low => "the disk of the state folder is almost full",
        })
    }
}

/// Whether new work may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Enough,
    /// Cycles that run come to their end; nothing else begins.
    Short(Lack),
}

/// What becomes of the ballast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It stays as it is.
    Keep,
    /// It is given up, so that what runs can be recorded.
    Free,
    /// It is taken again.
    Fill,
}

/// Decides on what was found. Once short of room, twice the lowest must be there again, so that the
/// answer does not flap.
pub fn judge(before: Standing, facts: &Facts) -> (Standing, Order) {
    let is_held = facts.ballast.is_some_and(|ballast| ballast.is_held);
    let low = facts.ballast.map_or(LOW, |ballast| ballast.size / 2);
    let is_below = |limit: u64| facts.free.is_some_and(|free| free < limit);
    if facts.is_read_only {
        return (Standing::Short(Lack::ReadOnly), Order::Keep);
    }
    if facts.write == Write::Refused {
        return (Standing::Short(Lack::Full), if is_held { Order::Free } else { Order::Keep });
    }
    if is_below(low) {
        let is_urgent = is_held && is_below(low / 4);
        return (Standing::Short(Lack::Low), if is_urgent { Order::Free } else { Order::Keep });
    }
    let missing =
        facts.ballast.filter(|ballast| !ballast.is_held).map_or(0, |ballast| ballast.size);
    let needed = match before {
        Standing::Enough => low.saturating_add(missing),
        Standing::Short(_) => low.saturating_mul(2).saturating_add(missing),
    };
    match before {
        _ if is_below(needed) => (Standing::Short(Lack::Low), Order::Keep),
        // The disk must have taken something: free bytes alone prove nothing.
        Standing::Short(_) if facts.write == Write::NotTried => (before, Order::Keep),
        Standing::Enough | Standing::Short(_) => {
            (Standing::Enough, if missing > 0 { Order::Fill } else { Order::Keep })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;
    const SIZE: u64 = 16 * MIB;

    fn facts(free: u64, write: Write, is_held: bool) -> Facts {
        let ballast = Some(Ballast { size: SIZE, is_held });
        Facts { is_read_only: false, free: Some(free), write, ballast }
    }

    #[test]
    fn every_standing_has_its_order() {
        use Lack::{Full, Low};
        use Standing::{Enough, Short};
        use Write::{Done, NotTried, Refused};
        let table = [
            // Plenty: the ballast is taken at the start, and kept.
            (Enough, facts(900 * MIB, NotTried, false), Enough, Order::Fill),
            (Enough, facts(900 * MIB, NotTried, true), Enough, Order::Keep),
            // Too little for a ballast is too little for work.
            (Enough, facts(20 * MIB, NotTried, false), Short(Low), Order::Keep),
            // It gets low, then critical: what is held is given up before a write fails.
            (Enough, facts(7 * MIB, NotTried, true), Short(Low), Order::Keep),
            (Short(Low), facts(MIB, Done, true), Short(Low), Order::Free),
            // A write fails although bytes are free: a quota.
            (Enough, facts(900 * MIB, Refused, true), Short(Full), Order::Free),
            (Short(Full), facts(900 * MIB, Refused, false), Short(Full), Order::Keep),
            // What the ballast gave up is no room for new work.
            (Short(Full), facts(SIZE, Done, false), Short(Low), Order::Keep),
            // Room again: proven by a write, and with something to spare.
            (Short(Full), facts(900 * MIB, NotTried, false), Short(Full), Order::Keep),
            (Short(Full), facts(900 * MIB, Done, false), Enough, Order::Fill),
            (Short(Low), facts(12 * MIB, Done, true), Short(Low), Order::Keep),
            (Short(Low), facts(16 * MIB, Done, true), Enough, Order::Keep),
        ];
        for (before, facts, standing, order) in table {
            assert_eq!(judge(before, &facts), (standing, order), "{before:?} {facts:?}");
        }
    }

    #[test]
    fn a_read_only_disk_keeps_its_ballast() {
        let facts = Facts { is_read_only: true, ..facts(900 * MIB, Write::Refused, true) };
        let expected = (Standing::Short(Lack::ReadOnly), Order::Keep);
        assert_eq!(judge(Standing::Enough, &facts), expected);
    }

    #[test]
    fn without_a_ballast_a_few_mebibytes_are_the_limit() {
        let of = |free| Facts { ballast: None, ..facts(free, Write::Done, false) };
        assert_eq!(judge(Standing::Enough, &of(LOW)).0, Standing::Enough);
        assert_eq!(judge(Standing::Enough, &of(LOW - 1)).0, Standing::Short(Lack::Low));
    }

    proptest! {
        /// Nothing flaps: the same facts twice give the same answer as once, whatever came before.
        #[test]
        fn the_second_look_agrees(
            free in proptest::option::of(0..100 * MIB),
            write in 0..3_usize,
            is_held in any::<bool>(),
            was_short in any::<bool>(),
        ) {
            let write = [Write::NotTried, Write::Done, Write::Refused][write];
            let before = if was_short { Standing::Short(Lack::Full) } else { Standing::Enough };
            let facts = Facts { free, ..facts(0, write, is_held) };
            let (first, order) = judge(before, &facts);
            prop_assert!(order != Order::Free || is_held, "what is not held is not freed");
            prop_assert!(order != Order::Fill || first == Standing::Enough);
            if order == Order::Keep {
                let is_short = |standing| matches!(standing, Standing::Short(_));
                prop_assert_eq!(is_short(judge(first, &facts).0), is_short(first));
            }
        }
    }
}
