//! Where a text stands in a log. Blocking: a log may be large. What is held at once is a piece of it, never the whole.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use memchr::{memchr, memchr2_iter, memrchr};

use super::reading::{count, ends_before};

/// So much is read at once; a longer line is looked through in pieces.
const CHUNK: usize = 1 << 20;
/// Of a line that holds what was looked for so much is shown.
const SHOWN: usize = 400;
/// A reader who looks for something waits for so long at most, and is told how far that went.
pub const LOG_SEARCH_TIME: Duration = Duration::from_secs(5);

/// What is looked for.
#[derive(Debug)]
pub(in crate::web) struct Wanted {
    /// A text, whatever the case of its ASCII letters.
    pub(in crate::web) text: String,
    /// It stands after this byte, as an earlier search said where it stopped.
    pub(in crate::web) after: Option<u64>,
    /// So many lines are enough.
    pub(in crate::web) most: usize,
    /// It may take so long; a piece is looked through in any case.
    pub(in crate::web) time: Duration,
}

/// A line that holds what was looked for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Hit {
    /// Where the line begins in the log.
    pub(in crate::web) at: u64,
    /// How many lines end before it, if that is known.
    pub(in crate::web) ends_before: Option<u64>,
    /// The line, or the beginning of a long one.
    pub(in crate::web) line: Vec<u8>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Found {
    /// In order.
    pub(in crate::web) hits: Vec<Hit>,
    /// The byte after which to look on, where that was not to the end.
    pub(in crate::web) stopped_at: Option<u64>,
}

/// The first lines that hold a text. What stands before is read for the numbers of those that were found, and for
/// nothing else.
pub(super) fn find(log: &mut (impl Read + Seek + ?Sized), wanted: &Wanted) -> io::Result<Found> {
    let length = log.seek(SeekFrom::End(0))?;
    let begin = wanted.after.map_or(0, |after| after.saturating_add(1)).min(length);
    log.seek(SeekFrom::Start(begin))?;
    let mut found = look_through(log, begin, wanted)?;
    if !found.hits.is_empty() {
        let before = ends_before(log, begin)?;
        for hit in &mut found.hits {
            hit.ends_before = hit.ends_before.zip(before).map(|(since, before)| before + since);
        }
    }
    Ok(found)
}

/// The same from where the log stands, with lines counted from there.
fn look_through(log: &mut (impl Read + ?Sized), begin: u64, wanted: &Wanted) -> io::Result<Found> {
    let begun = Instant::now();
    let text = wanted.text.as_bytes();
    let mut found = Found { hits: Vec::new(), stopped_at: None };
    let mut buffer = Vec::with_capacity(2 * CHUNK);
    let (mut at, mut ends, mut is_over) = (begin, 0_u64, false);
    while !is_over {
        let read = Read::take(&mut *log, CHUNK as u64).read_to_end(&mut buffer)?;
        is_over = read < CHUNK;
        let whole = if is_over { buffer.len() } else { whole(&buffer, text) };
        let mut done = 0;
        while let Some(hit) = next(&buffer[done..whole], text) {
            let hit = done + hit;
            let begin = memrchr(b'\n', &buffer[..hit]).map_or(0, |end| end + 1);
            let end = memchr(b'\n', &buffer[hit..whole]).map_or(whole, |end| hit + end);
            let place = at + begin as u64;
            if found.hits.len() == wanted.most {
                found.stopped_at = Some(place.saturating_sub(1));
                return Ok(found);
            }
            found.hits.push(Hit {
                at: place,
                ends_before: Some(ends + count(&buffer[..begin])),
                line: buffer[begin..end.min(begin + SHOWN)].to_vec(),
            });
            done = (end + 1).min(whole);
        }
        ends += count(&buffer[..whole]);
        at += whole as u64;
        buffer.drain(..whole);
        if !is_over && begun.elapsed() >= wanted.time {
            // What begins after that is looked at the next time.
            found.stopped_at = Some(at.saturating_sub(1));
            break;
        }
    }
    Ok(found)
}

/// How much of a piece is looked through: the last line goes on in the next piece, unless it is too long for that. Then
/// what is looked for may begin in this piece and end in the next one.
fn whole(piece: &[u8], text: &[u8]) -> usize {
    match memrchr(b'\n', piece) {
        Some(last) => last + 1,
        None => piece.len().saturating_sub(text.len().saturating_sub(1)),
    }
}

/// Where the text stands first.
fn next(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    let fits = |at: &usize| {
        bytes.get(*at..*at + text.len()).is_some_and(|there| there.eq_ignore_ascii_case(text))
    };
    memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), bytes).find(fits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Cursor;

    use super::super::reading::testing::{Huge, Watched};
    use super::*;

    fn numbered(lines: u64) -> String {
        (1..=lines).map(|number| format!("line {number}\n")).collect()
    }

    fn wanted(text: &str, after: Option<u64>, most: usize) -> Wanted {
        Wanted { text: text.to_owned(), after, most, time: Duration::MAX }
    }

    fn find_in(log: &str, text: &str, after: Option<u64>, most: usize) -> Found {
        find(&mut Cursor::new(log), &wanted(text, after, most)).unwrap()
    }

    fn number(hit: &Hit) -> u64 {
        hit.ends_before.unwrap() + 1
    }

    #[test]
    fn what_is_looked_for_is_found_across_pieces_up_to_a_number() {
        // Long enough for several pieces.
        let text = numbered(300_000);
        let found = find_in(&text, "LINE 29999", None, 5);
        let lines: Vec<_> = found
            .hits
            .iter()
            .map(|hit| (number(hit), String::from_utf8_lossy(&hit.line)))
            .collect();
        assert_eq!(lines[0], (29_999, "line 29999".into()));
        assert_eq!(lines[1], (299_990, "line 299990".into()));
        let next = text.find("line 299994\n").unwrap() as u64;
        assert_eq!(found.stopped_at, Some(next - 1), "there are more");
        let hit = &found.hits[1];
        assert!(text[hit.at as usize..].starts_with("line 299990\n"));
        let rest = find_in(&text, "line 29999", found.stopped_at, 50);
        assert_eq!((rest.hits.len(), number(&rest.hits[0])), (6, 299_994));
        assert_eq!(rest.stopped_at, None);
        assert_eq!(find_in(&text, "", None, 5).hits, []);
        assert_eq!(find_in(&text, "no such", None, 5).hits, []);
        assert_eq!(find_in(&text, "line", Some(u64::MAX), 5).hits, []);
        let twice = find_in("a a\nb", "A", None, 5);
        assert_eq!(twice.hits.len(), 1, "a line counts once");
        let long = "y".repeat(3 * CHUNK) + "\nz";
        let last = find_in(&long, "z", None, 5);
        assert_eq!((number(&last.hits[0]), last.hits[0].at), (2, 3 * CHUNK as u64 + 1));
        let across = format!("{}needle{}", "y".repeat(CHUNK - 3), "y".repeat(CHUNK));
        assert_eq!(find_in(&across, "needle", None, 5).hits.len(), 1, "from one piece to the next");
    }

    /// The rest of a search begins where the search stopped: what stands before is read where something was found, to
    /// number that, and not at all otherwise.
    #[test]
    fn a_search_reads_on_from_where_it_stopped() {
        let text = numbered(300_000);
        let (mut after, mut numbers) = (None, Vec::new());
        loop {
            let begin = after.map_or(0, |after| after + 1);
            let mut log = Watched::new(Cursor::new(text.as_bytes()));
            let wanted = Wanted { time: Duration::ZERO, ..wanted("299999", after, 2) };
            let found = find(&mut log, &wanted).unwrap();
            let before = if found.hits.is_empty() { 0 } else { begin };
            assert!(log.read <= before + CHUNK as u64, "{} were read from {begin} on", log.read);
            numbers.extend(found.hits.iter().map(number));
            match found.stopped_at {
                Some(stopped) => assert!(after.replace(stopped) < Some(stopped), "no way on"),
                None => break,
            }
        }
        assert_eq!(numbers, [299_999]);
    }

    /// Behind the bound nothing is counted, whatever somebody put there.
    #[test]
    fn what_is_found_in_a_huge_log_is_found_without_numbers() {
        let mut log = Watched::new(Huge::new(1 << 30));
        let begin = (1 << 29) - 1;
        let wanted = Wanted { time: Duration::ZERO, ..wanted("x", Some(begin), 3) };
        let found = find(&mut log, &wanted).unwrap();
        let hits: Vec<_> = found.hits.iter().map(|hit| (hit.at, hit.ends_before)).collect();
        assert_eq!(hits, [(1 << 29, None), ((1 << 29) + 2, None), ((1 << 29) + 4, None)]);
        assert_eq!(log.read, CHUNK as u64);
    }

    proptest::proptest! {
        #[test]
        fn lines_are_found_as_a_plain_search_finds_them(text in "[ab\n]{0,400}", wanted in "[abAB]{1,3}", most in 1_usize..9) {
            let (mut at, mut expected) = (0, Vec::new());
            for (number, line) in (1_u64..).zip(text.split_inclusive('\n')) {
                if line.contains(&wanted.to_lowercase()) {
                    expected.push((at as u64, number));
                }
                at += line.len();
            }
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let some = find_in(&text, &wanted, after, most);
                found.extend(some.hits.iter().map(|hit| (hit.at, number(hit))));
                after = some.stopped_at;
                if after.is_none() { break }
            }
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
