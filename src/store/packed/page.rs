//! A page: records by case, in the order of their ids, each with its length in front.
//!
//! ```text
//! 1 · { case · record }
//! ```

use super::{Reader, put_bytes};

const VERSION: u8 = 1;

/// The records of a page with their cases, in the order of those.
pub(in crate::store) type Records<'a> = Vec<(&'a str, &'a [u8])>;

/// Writes a page. Each case stands in it once, in order.
pub(in crate::store) fn encode<'a>(
    records: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Vec<u8> {
    let mut out = vec![VERSION];
    for (case, record) in records {
        put_bytes(&mut out, case.as_bytes());
        put_bytes(&mut out, record);
    }
    out
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
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(decode(&[1]), Some(Records::new()));
        assert_eq!(decode(&[2]), None);
        assert_eq!(decode(&[]), None);
    }
}
