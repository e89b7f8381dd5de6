//! Chains of made-up records, and what becomes of them when somebody meddles.

#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::domain::names::PipelineName;

/// A record with its link, as they lie side by side in the database.
#[derive(Debug, Clone)]
struct Stored {
    link: Link,
    record: Option<Owned>,
    is_expired: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Owned {
    at_us: i64,
    kind: String,
    payload: String,
}

impl Owned {
    fn digest(&self) -> LinkDigest {
        Row { at_us: self.at_us, kind: &self.kind, version: 1, payload: &self.payload }.digest()
    }
}

fn staging() -> EnvironmentName {
    EnvironmentName::parse("staging").unwrap()
}

fn key(index: usize) -> RecordKey {
    let cycle = CycleKey::new(PipelineName::parse("chat").unwrap(), 1 + index as u32 / 3);
    RecordKey { cycle, seq: 2 + index as u64 % 3 }
}

fn chain(records: Vec<(Owned, bool)>) -> Vec<Stored> {
    let mut end = End::of_none(staging());
    let stored = records.into_iter().enumerate().map(|(index, (record, is_expired))| {
        let link = end.link(key(index), record.digest());
        Stored { link, record: Some(record).filter(|_| !is_expired), is_expired }
    });
    stored.collect()
}

/// Walks over everything; the place of the first link that does not hold.
fn walk(stored: &[Stored]) -> Result<u64, (usize, Broken)> {
    let mut end = End::of_none(staging());
    for (index, Stored { link, record, is_expired }) in stored.iter().enumerate() {
        let found = match record {
            _ if *is_expired => Found::Expired,
            Some(record) => Found::Record(record.digest()),
            None => Found::Nothing,
        };
        end.check(link, found).map_err(|broken| (index, broken))?;
    }
    Ok(end.links())
}

fn record() -> impl Strategy<Value = (Owned, bool)> {
    let kind = prop::sample::select(vec!["step_started", "step_ended", "held"]);
    let record = (0_i64..9, kind, "[a-c]{0,3}", prop::bool::weighted(0.3));
    record.prop_map(|(at_us, kind, payload, is_expired)| {
        (Owned { at_us, kind: kind.to_owned(), payload }, is_expired)
    })
}

fn records() -> impl Strategy<Value = Vec<(Owned, bool)>> {
    prop::collection::vec(record(), 2..12)
}

proptest! {
    #[test]
    fn what_nobody_meddled_with_holds(records in records()) {
        let stored = chain(records);
        prop_assert_eq!(walk(&stored), Ok(stored.len() as u64));
    }

    /// RELIABILITY L8.
    #[test]
    fn l8_a_record_that_is_altered_or_deleted_is_named(
        records in records(), at in any::<prop::sample::Index>(), how in 0..4,
    ) {
        let mut stored = chain(records);
        let at = at.index(stored.len());
        let is_expired = stored[at].is_expired;
        let key = stored[at].link.record.clone();
        let Some(record) = &mut stored[at].record else {
            // Of an expired record nothing is left that could be altered.
            prop_assert!(is_expired);
            return Ok(());
        };
        match how {
            0 => record.payload.push('x'),
            1 => record.at_us += 1,
            // The same letters, otherwise divided.
            2 => {
                record.kind.push('x');
                record.payload = record.payload.split_off(record.payload.len().min(1));
            }
            _ => stored[at].record = None,
        }
        let broken = match how {
            3 => Broken::RecordGone { record: key },
            _ => Broken::RecordChanged { record: key },
        };
        prop_assert_eq!(walk(&stored), Err((at, broken)));
    }

    /// RELIABILITY L8: whatever is done to a link, the first one that does not hold is named.
    #[test]
    fn l8_a_link_that_is_altered_is_named(
        records in records(), at in any::<prop::sample::Index>(), how in 0..5, byte in 0..32_usize,
    ) {
        let mut stored = chain(records);
        let at = at.index(stored.len());
        let link = &mut stored[at].link;
        match how {
            0 => link.content[byte] ^= 1,
            1 => link.digest[byte] ^= 0x80,
            2 => link.record.seq += 1,
            3 => link.record.cycle.cycle += 1,
            _ => link.record.cycle.pipeline = PipelineName::parse("web").unwrap(),
        }
        let (position, record) = (link.position, link.record.clone());
        prop_assert_eq!(walk(&stored), Err((at, Broken::LinkChanged { position, record })));
    }

    /// RELIABILITY L8: a record goes together with its link, or a copy of another comes.
    #[test]
    fn l8_a_chain_without_one_or_with_one_more_is_noticed_there(
        records in records(), at in any::<prop::sample::Index>(), is_deleted in any::<bool>(),
        is_renumbered in any::<bool>(),
    ) {
        let mut stored = chain(records);
        // The end is seen by the records that are left without a link, where they did not expire.
        let at = at.index(stored.len() - 1);
        if is_deleted {
            stored.remove(at);
        } else {
            stored.insert(at + 1, stored[at].clone());
        }
        let first = if is_deleted { at } else { at + 1 };
        if is_renumbered {
            for (stored, position) in stored.iter_mut().zip(1..) {
                stored.link.position = position;
            }
        }
        let (found, broken) = walk(&stored).unwrap_err();
        prop_assert_eq!(found, first);
        prop_assert_eq!(matches!(broken, Broken::LinkChanged { .. }), is_renumbered);
    }

    /// RELIABILITY L8.
    #[test]
    fn l8_records_that_changed_places_are_noticed_at_the_first(
        records in records(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(),
        with_links in any::<bool>(),
    ) {
        let mut stored = chain(records);
        let (a, b) = (a.index(stored.len()), b.index(stored.len()));
        let (first, second) = (a.min(b), a.max(b));
        if with_links {
            prop_assume!(first != second);
            stored.swap(first, second);
        } else {
            let is_visible = |at: usize| !stored[at].is_expired;
            prop_assume!(is_visible(first) && is_visible(second));
            prop_assume!(stored[first].record != stored[second].record);
            let record = stored[first].record.take();
            stored[first].record = std::mem::replace(&mut stored[second].record, record);
        }
        prop_assert_eq!(walk(&stored).unwrap_err().0, first);
    }
}

#[test]
fn the_same_records_in_another_environment_are_another_chain() {
    let record = Row { at_us: 1, kind: "held", version: 1, payload: "{}" }.digest();
    let mut end = End::of_none(staging());
    let link = end.link(key(0), record);
    let mut other = End::of_none(EnvironmentName::parse("preview").unwrap());
    let broken = other.check(&link, Found::Record(record)).unwrap_err();
    assert_eq!(
        broken.to_string(),
        "link 1, of event 2 of cycle 1 of chat, does not follow from the one before it"
    );
}

/// Chains are kept for good, so what they are made of must not change by accident.
#[test]
fn a_link_is_what_it_always_was() {
    let record = Row { at_us: 1, kind: "held", version: 1, payload: "{}" }.digest();
    let link = End::of_none(staging()).link(key(0), record);
    assert_eq!(
        hex::encode(record),
        "ab3922a97738b2a751cd73a23a3eeaeb13c7908cd3cff3cf9fc547eb5ddf1dd4"
    );
    assert_eq!(
        hex::encode(link.digest),
        "fea80080aa316609e3758ecd141beaf4541084642b7aa9adf45202dcab58e176"
    );
}
