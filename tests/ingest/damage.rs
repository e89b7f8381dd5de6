//! Every file of the corpus cut, nested and garbled at random: nothing crashes or hangs, no case appears that the
//! whole file does not have, and nothing good comes of nothing.

use std::sync::LazyLock;

use andon::ingest::{self, Run, Sink, Standing, Totals, Unreadable};
use proptest::prelude::*;

use crate::corpus::{Listed, listed};

/// Files of at most so many bytes are damaged; larger ones have nothing in them that these have not.
const LARGEST: usize = 300_000;

static FILES: LazyLock<Vec<(Listed, Vec<u8>)>> = LazyLock::new(|| {
    let read = |file: Listed| {
        let bytes = file.bytes();
        (file, bytes)
    };
    listed().into_iter().map(read).filter(|(_, bytes)| bytes.len() <= LARGEST).collect()
});

/// Counts cases, and how many passed.
#[derive(Default)]
struct Counting {
    totals: Totals,
    run: Run,
}

impl Sink for Counting {
    fn case(&mut self, case: ingest::ReportedCase) {
        self.totals.add(&case);
        self.run.case(case);
    }
}

/// What is left of a file: the cases, and what it amounts to; `None` where it cannot be read.
fn rest(bytes: &[u8]) -> (Totals, Option<(Standing, bool)>) {
    let mut counting = Counting::default();
    let mut input = bytes;
    match ingest::read(&mut input, None, &mut counting) {
        Ok(reading) => {
            assert_eq!(reading.cases, counting.totals.cases, "a reader counts what it gives");
            assert!(reading.warnings.len() <= 100);
            let standing = counting.totals.standing(&reading);
            (counting.totals, Some((standing, reading.complete)))
        }
        Err(Unreadable::Io(error)) => panic!("memory can be read: {error}"),
        Err(_) => (counting.totals, None),
    }
}

/// How many cases there can be at most: one an element of JUnit, by the bytes.
fn elements(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    text.matches("testcase").count() as u64
}

/// JUnit documents that are well-formed and whole.
static DOCUMENTS: LazyLock<Vec<&(Listed, Vec<u8>)>> = LazyLock::new(|| {
    let whole = |file: &&(Listed, Vec<u8>)| {
        file.0.format == "junit-xml" && file.0.expect == "parse" && file.0.path.ends_with(".xml")
    };
    FILES.iter().filter(whole).collect()
});

fn any_file() -> impl Strategy<Value = usize> {
    0..FILES.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_file_that_is_cut_has_no_case_that_the_whole_has_not(file in any_file(), at in 0.0..1.0_f64) {
        let (listed, bytes) = &FILES[file];
        let cut = &bytes[..(bytes.len() as f64 * at) as usize];
        let (whole, _) = rest(bytes);
        let (left, _) = rest(cut);
        prop_assert!(left.cases <= whole.cases, "{}: {} of {}", listed.path, left.cases, whole.cases);
        if listed.format == "junit-xml" {
            prop_assert!(left.passed <= whole.passed, "{}", listed.path);
        }
    }

    #[test]
    fn a_junit_document_that_is_cut_is_told_to_be(file in 0..DOCUMENTS.len(), at in 0.0..0.9_f64) {
        let (listed, bytes) = DOCUMENTS[file];
        let cut = &bytes[..(bytes.len() as f64 * at) as usize];
        if let (_, Some((standing, complete))) = rest(cut) {
            let tail = String::from_utf8_lossy(&bytes[cut.len()..]).into_owned();
            // Behind the end of the root there may be white space and comments.
            prop_assume!(tail.contains("</"));
            prop_assert!(!complete, "{} at {}", listed.path, cut.len());
            prop_assert!(matches!(standing, Standing::Fail | Standing::Incomplete));
        }
    }

    #[test]
    fn garbage_in_a_file_makes_no_case(
        file in any_file(),
        edits in proptest::collection::vec((0.0..1.0_f64, any::<u8>(), 0_u8..3), 1..40),
    ) {
        let (listed, bytes) = &FILES[file];
        let mut bytes = bytes.clone();
        for (at, byte, how) in edits {
            let at = (bytes.len() as f64 * at) as usize;
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, byte),
            }
        }
        let (left, _) = rest(&bytes);
        if listed.format == "junit-xml" && !listed.path.contains("utf16") && !listed.path.contains("utf-16") {
            prop_assert!(left.cases <= elements(&bytes), "{}", listed.path);
        }
    }

    #[test]
    fn files_within_files_are_read_to_the_end(one in any_file(), other in any_file(), at in 0.0..1.0_f64) {
        let (outer, inner) = (&FILES[one].1, &FILES[other].1);
        let at = (outer.len() as f64 * at) as usize;
        let nested = [&outer[..at], inner, &outer[at..]].concat();
        rest(&nested);
    }

    #[test]
    fn nothing_good_comes_of_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let (totals, found) = rest(&bytes);
        if totals.cases == 0 {
            prop_assert!(!matches!(found, Some((Standing::Pass, _))));
        }
    }
}
