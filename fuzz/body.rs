//! What must hold of any bytes that a reader of results gets: the one body of all fuzz targets, whether libFuzzer
//! or `driver` makes the bytes.
//!
//! What it must not do: measure time or memory. Whoever drives it does.

use std::io::{BufRead, BufReader};

use andon::ingest::{self, Format, Reading, ReportedCase, Sink, Standing, Totals, Unreadable};

/// As many warnings are kept, and one that counts the rest.
const MOST_WARNINGS: usize = 101;
/// The first line of a failure is cut here, and may end in a mark of that.
const LONGEST_MESSAGE: usize = 301;
/// A buffer so small that every token is split by its end somewhere.
const SMALL: usize = 13;

/// What was counted, and the reading or why there is none.
type Read = (Counted, Result<Reading, String>);

/// Counts cases and forgets them: what is kept is not what a reader needs.
#[derive(Default, Clone, PartialEq, Debug)]
struct Counted {
    totals: Totals,
    names: u64,
}

impl Sink for Counted {
    fn case(&mut self, case: ReportedCase) {
        self.totals.add(&case);
        self.names = self.names.wrapping_mul(31).wrapping_add(hash_of(case.name.as_bytes()));
        if let Some(problem) = &case.problem {
            let length = problem.message.chars().count();
            assert!(length <= LONGEST_MESSAGE, "a message of {length} characters");
        }
    }
}

fn hash_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |hash: u64, byte| hash.wrapping_mul(131).wrapping_add(u64::from(*byte)))
}

/// Reads the bytes, and panics where something does not hold that must.
pub fn check(format: Option<Format>, bytes: &[u8]) {
    let whole = read(format, &mut &*bytes);
    let pieces = read(format, &mut BufReader::with_capacity(SMALL, bytes));
    assert_eq!(
        without_look_ahead(whole.clone()),
        without_look_ahead(pieces),
        "bytes may come in any pieces"
    );
    let (counted, reading) = whole;
    let Ok(reading) = reading else { return };
    let Totals { cases, .. } = counted.totals;
    assert_eq!(reading.cases, cases, "a reader counts what it gives");
    assert!(reading.warnings.len() <= MOST_WARNINGS, "{} warnings", reading.warnings.len());
    let most = bytes.len() as u64 / shortest(reading.format);
    assert!(cases <= most, "{cases} cases of {} bytes", bytes.len());
    if cases == 0 {
        let standing = counted.totals.standing(&reading);
        assert_ne!(standing, Standing::Pass, "nothing good comes of nothing");
    }
}

/// Bytes that are no text are told once, wherever a reader stopped; that warning is not compared.
fn without_look_ahead((counted, mut reading): Read) -> Read {
    if let Ok(reading) = &mut reading {
        reading.warnings.retain(|warning| !warning.what.contains("were replaced"));
    }
    (counted, reading)
}

fn read(format: Option<Format>, input: &mut dyn BufRead) -> Read {
    let mut counted = Counted::default();
    let reading = ingest::read(input, format, &mut counted).map_err(|fault| {
        assert!(!matches!(fault, Unreadable::Io(_)), "memory can be read: {fault}");
        fault.to_string()
    });
    (counted, reading)
}

/// The bytes that a case has at least.
fn shortest(format: Format) -> u64 {
    match format {
        Format::Junit => "<testcase".len() as u64,
        Format::Tap => "ok".len() as u64,
        Format::Go => "Test".len() as u64,
        Format::Libtest => "test".len() as u64,
        Format::Ctrf | Format::Playwright => "{}".len() as u64,
    }
}
