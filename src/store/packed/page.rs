//! A page: records by case, in the order of their ids, each with its length in front.
//!
//! ```text
//! 1 · { case · record }
//! ```

use std::collections::BTreeMap;

use super::{Reader, put_bytes};

const VERSION: u8 = 1;

/// The records of a page with their cases, in the order of those.
pub(in crate::store) type Records<'a> = Vec<(&'a str, &'a [u8])>;

/// A page that is being written. Each case comes once, in order.
pub(in crate::store) struct PageWriter {
    out: Vec<u8>,
    /// The record being written: its length comes before it.
    record: Vec<u8>,
}

impl PageWriter {
    pub(in crate::store) fn begin() -> Self {
        Self { out: vec![VERSION], record: Vec::new() }
    }

    /// Adds what `write` appends as the record of a case.
    pub(in crate::store) fn put(&mut self, case: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.record.clear();
        write(&mut self.record);
        put_bytes(&mut self.out, case.as_bytes());
        put_bytes(&mut self.out, &self.record);
    }

    pub(in crate::store) fn finished(self) -> Vec<u8> {
        self.out
    }
}

/// Writes records that are encoded already. Each case stands in them once, in order.
fn encode<'a>(records: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut page = PageWriter::begin();
    for (case, record) in records {
        page.put(case, |out| out.extend_from_slice(record));
    }
    page.finished()
}

/// One page out of two: records of `new` take the place of those that `old` has of the same cases.
/// `None` when `old` is no page.
pub(in crate::store) fn merge(old: &[u8], new: Vec<u8>) -> Option<Vec<u8>> {
    let before = decode(old)?;
    let after = decode(&new).expect("a new page was encoded just now");
    let mut rest = after.iter();
    // Nearly always: a cycle plans the whole suite, and the page is as it will be.
    if before.iter().all(|(case, _)| rest.any(|(other, _)| other == case)) {
        return Some(new);
    }
    let records: BTreeMap<&str, &[u8]> = before.into_iter().chain(after).collect();
    Some(encode(records))
}

/// Reads a page.
pub(in crate::store) fn decode(bytes: &[u8]) -> Option<Records<'_>> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != VERSION {
        return None;
    }
    let mut records = Records::new();
    while !reader.is_at_end() {
        records.push((reader.text()?, reader.bytes()?));
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_page_survives(
            records in proptest::collection::btree_map(".{0,20}", any::<Vec<u8>>(), 0..20),
        ) {
            let expected: Records<'_> =
                records.iter().map(|(case, record)| (&**case, &**record)).collect();
            let bytes = encode(expected.iter().copied());
            prop_assert_eq!(decode(&bytes), Some(expected));
        }

        #[test]
        fn a_merged_page_has_the_records_of_both(
            old in proptest::collection::btree_map("[a-e]{0,2}", any::<Vec<u8>>(), 0..20),
            new in proptest::collection::btree_map("[a-e]{0,2}", any::<Vec<u8>>(), 0..20),
        ) {
            let page = |records: &BTreeMap<String, Vec<u8>>| {
                encode(records.iter().map(|(case, record)| (&**case, &**record)))
            };
            let merged = merge(&page(&old), page(&new));
            let both: BTreeMap<_, _> = old.into_iter().chain(new).collect();
            prop_assert_eq!(merged, Some(page(&both)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
            let _ = merge(&bytes, encode([("a", &b"1"[..])]));
        }
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(decode(&[1]), Some(Records::new()));
        assert_eq!(decode(&[2]), None);
        assert_eq!(decode(&[]), None);
    }
}
