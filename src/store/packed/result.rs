//! What became of a case in one cycle.
//!
//! ```text
//! position · outcome · change · duration · attempts · (fingerprint)
//! ```
//!
//! Outcome and change are codes, 255 for none; the fingerprint is there when bytes are left.

use super::{Reader, codes, outcome_code, outcome_of, put_bytes, put_count, put_number};
use crate::domain::names::{CaseId, Fingerprint};
use crate::domain::outcome::{Change, Outcome};
use crate::store::CaseRow;

const NONE: u8 = 255;

codes!(change_code, change_of, Change {
    Regressed = 0, NewFailing = 1, ChangedFailure = 2, StillFailing = 3, Fixed = 4, NotRun = 5,
    Skipped = 6, Removed = 7, NewPassing = 8, StillPassing = 9,
});

/// Writes a result down at the end of `out`, without its case, which is its key. The position is its
/// place in the cycle.
pub(in crate::store) fn encode(out: &mut Vec<u8>, row: &CaseRow, position: usize) {
    put_count(out, position);
    out.push(row.outcome.map_or(NONE, outcome_code));
    out.push(row.change.map_or(NONE, change_code));
    put_number(out, row.duration_ms);
    put_number(out, row.attempts.into());
    if let Some(fingerprint) = &row.fingerprint {
        put_bytes(out, fingerprint.as_str().as_bytes());
    }
}

/// Reads a result and its position.
pub(in crate::store) fn decode(case: CaseId, bytes: &[u8]) -> Option<(usize, CaseRow)> {
    let mut reader = Reader::new(bytes);
    let position = reader.count()?;
    let outcome = optional(reader.byte()?, outcome_of)?;
    let change = optional(reader.byte()?, change_of)?;
    let duration_ms = reader.number()?;
    let attempts = reader.number_u32()?;
    let fingerprint =
        if reader.is_at_end() { None } else { Some(Fingerprint::parse(reader.text()?)?) };
    let row = CaseRow { case, outcome, change, duration_ms, attempts, fingerprint };
    reader.is_at_end().then_some((position, row))
}

/// Reads of a result only what a grid of many cycles shows: its outcome and its change.
pub(in crate::store) fn glance(bytes: &[u8]) -> Option<(Option<Outcome>, Option<Change>)> {
    let mut reader = Reader::new(bytes);
    reader.count()?;
    let outcome = optional(reader.byte()?, outcome_of)?;
    Some((outcome, optional(reader.byte()?, change_of)?))
}

fn optional<T>(code: u8, from: fn(u8) -> Option<T>) -> Option<Option<T>> {
    if code == NONE { Some(None) } else { from(code).map(Some) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn the_case() -> CaseId {
        CaseId::parse("case").unwrap()
    }

    fn any_row() -> impl Strategy<Value = CaseRow> {
        use proptest::option::of;
        use proptest::sample::select;
        let words = (of(select(Outcome::ALL)), of(select(Change::ALL)));
        (words, any::<u64>(), any::<u32>(), of("[0-9a-f]{12}")).prop_map(
            |((outcome, change), duration_ms, attempts, digest)| CaseRow {
                case: the_case(),
                outcome,
                change,
                duration_ms,
                attempts,
                fingerprint: digest.map(|digest| Fingerprint::new(1, &digest)),
            },
        )
    }

    fn encoded(row: &CaseRow, position: usize) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, row, position);
        out
    }

    proptest! {
        #[test]
        fn every_result_survives(row in any_row(), position in any::<usize>()) {
            let bytes = encoded(&row, position);
            prop_assert_eq!(glance(&bytes), Some((row.outcome, row.change)));
            prop_assert_eq!(decode(the_case(), &bytes), Some((position, row)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(the_case(), &bytes);
            let _ = glance(&bytes);
        }
    }

    /// The bytes that lie in databases out there.
    #[test]
    fn the_layout_does_not_change() {
        let row = CaseRow {
            case: the_case(),
            outcome: Some(Outcome::Failed),
            change: Some(Change::Regressed),
            duration_ms: 512,
            attempts: 2,
            fingerprint: Some(Fingerprint::new(1, "f0")),
        };
        assert_eq!(hex::encode(encoded(&row, 300)), "ac020200800402 0576312d6630".replace(' ', ""));
        let removed = CaseRow { outcome: None, change: Some(Change::Removed), ..row };
        let bytes = encoded(&CaseRow { fingerprint: None, ..removed }, 0);
        assert_eq!(hex::encode(bytes), "00ff07800402");
    }
}
