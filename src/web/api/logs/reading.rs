//! A part of a log by the place of a line in it, and where a text stands in it. Blocking: a log may be large. What is
//! held at once is a part, never the whole.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use memchr::{memchr, memchr2_iter, memrchr};

/// Lines are counted up to a part that begins within so many bytes; beyond that their numbers are not known.
const COUNTED: u64 = 32 << 20;
/// So much is read at once; a longer line is looked through in pieces.
const CHUNK: usize = 1 << 20;
/// Of a line that holds what was looked for so much is shown.
const SHOWN: usize = 400;
/// Who looks for something waits for so long at most, and is told how far that went.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Which {
    /// The end.
    End,
    /// The one around a place, by its byte.
    Around(u64),
}

/// A part of a log: whole lines, but for one that is longer than the part.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Part {
    /// Where it begins in the log.
    pub(in crate::web) from: u64,
    /// The text.
    pub(in crate::web) bytes: Vec<u8>,
    /// How long the log is.
    pub(in crate::web) length: u64,
    /// The number of its first line, from 1, if that is known.
    pub(in crate::web) number: Option<u64>,
}

impl Part {
    /// Where it ends in the log.
    pub(in crate::web) fn to(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }
}

/// A line that holds what was looked for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Hit {
    /// Where the line begins in the log.
    pub(in crate::web) at: u64,
    /// Its number, from 1.
    pub(in crate::web) number: u64,
    /// The line, or the beginning of a long one.
    pub(in crate::web) line: Vec<u8>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Found {
    /// In order.
    pub(in crate::web) hits: Vec<Hit>,
    /// How far was looked, where that is not to the end.
    pub(in crate::web) stopped_at: Option<u64>,
}

/// Reads a part of at most so many bytes.
pub(in crate::web) fn part(
    log: &mut (impl Read + Seek + ?Sized),
    which: Which,
    most: u64,
) -> io::Result<Part> {
    let length = log.seek(SeekFrom::End(0))?;
    let (at, begin) = match which {
        Which::End => (length, length.saturating_sub(most)),
        // A little before, so that the line is seen among others.
        Which::Around(at) => (at.min(length), at.min(length).saturating_sub(most / 4)),
    };
    log.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    Read::take(&mut *log, most).read_to_end(&mut bytes)?;
    let end = begin + bytes.len() as u64;
    // A line that is cut is no line, unless it is the one that is wanted.
    if end < length
        && let Some(last) = memrchr(b'\n', &bytes).filter(|last| begin + *last as u64 + 1 > at)
    {
        bytes.truncate(last + 1);
    }
    let cut = if begin == 0 { None } else { memchr(b'\n', &bytes).map(|end| end + 1) };
    let is_before = |cut: &usize| *cut < bytes.len() && begin + *cut as u64 <= at;
    let cut = cut.filter(is_before).unwrap_or(0);
    bytes.drain(..cut);
    let from = begin + cut as u64;
    let number = if from > COUNTED { None } else { Some(lines_before(log, from)? + 1) };
    Ok(Part { from, bytes, length, number })
}

/// How many lines end before a place.
fn lines_before(log: &mut (impl Read + Seek + ?Sized), place: u64) -> io::Result<u64> {
    log.seek(SeekFrom::Start(0))?;
    let (mut left, mut lines, mut buffer) = (place, 0_u64, vec![0; CHUNK]);
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let read = log.read(&mut buffer[..wanted])?;
        if read == 0 {
            break;
        }
        lines += count(&buffer[..read]);
        left -= read as u64;
    }
    Ok(lines)
}

fn count(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The first lines that hold a text, at most so many, whatever the case of its ASCII letters; those that begin after a
/// place.
pub(in crate::web) fn find(
    log: &mut (impl Read + ?Sized),
    text: &str,
    after: Option<u64>,
    most: usize,
) -> io::Result<Found> {
    let begun = Instant::now();
    let mut found = Found { hits: Vec::new(), stopped_at: None };
    let mut buffer = Vec::with_capacity(2 * CHUNK);
    let (mut at, mut number, mut is_over) = (0_u64, 1_u64, false);
    while !is_over {
        let read = Read::take(&mut *log, CHUNK as u64).read_to_end(&mut buffer)?;
        is_over = read < CHUNK;
        // The last line goes on in the next piece, unless it is too long for that.
        let whole = match memrchr(b'\n', &buffer) {
            Some(last) if !is_over => last + 1,
            _ => buffer.len(),
        };
        let mut done = 0;
        while let Some(hit) = next(&buffer[done..whole], text.as_bytes()) {
            let hit = done + hit;
            let begin = memrchr(b'\n', &buffer[..hit]).map_or(0, |end| end + 1);
            let end = memchr(b'\n', &buffer[hit..whole]).map_or(whole, |end| hit + end);
            let place = at + begin as u64;
            if after.is_none_or(|after| place > after) {
                if found.hits.len() == most {
                    found.stopped_at = found.hits.last().map(|hit| hit.at);
                    return Ok(found);
                }
                found.hits.push(Hit {
                    at: place,
                    number: number + count(&buffer[..begin]),
                    line: buffer[begin..end.min(begin + SHOWN)].to_vec(),
                });
            }
            done = (end + 1).min(whole);
        }
        number += count(&buffer[..whole]);
        at += whole as u64;
        buffer.drain(..whole);
        if !is_over && begun.elapsed() > PATIENCE {
            // What begins after that is looked at the next time.
            found.stopped_at = Some(at.saturating_sub(1));
            break;
        }
    }
    Ok(found)
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

    use super::*;

    fn numbered(lines: u64) -> String {
        (1..=lines).map(|number| format!("line {number}\n")).collect()
    }

    #[test]
    fn a_part_is_of_whole_lines_whose_numbers_are_known() {
        let text = numbered(1_000);
        for (which, most) in [
            (Which::End, 100),
            (Which::Around(4_000), 100),
            (Which::Around(0), 50),
            (Which::End, 1 << 20),
        ] {
            let part = part(&mut Cursor::new(&text), which, most).unwrap();
            let shown = String::from_utf8(part.bytes.clone()).unwrap();
            assert!(shown.starts_with("line ") && shown.ends_with('\n'), "{shown:?}");
            assert_eq!(&text[part.from as usize..part.to() as usize], shown);
            let first = shown.lines().next().unwrap();
            assert_eq!(first, format!("line {}", part.number.unwrap()));
        }
        let around = part(&mut Cursor::new(&text), Which::Around(4_000), 100).unwrap();
        assert!(around.from <= 4_000 && around.to() > 4_000, "{around:?}");
    }

    #[test]
    fn a_part_of_one_long_line_or_of_nothing_is_a_part() {
        let long = "x".repeat(500);
        let end = part(&mut Cursor::new(&long), Which::End, 100).unwrap();
        assert_eq!((end.from, end.bytes.len(), end.number), (400, 100, Some(1)));
        let beyond = part(&mut Cursor::new(&long), Which::Around(10_000), 100).unwrap();
        assert_eq!(beyond.to(), 500);
        let nothing = part(&mut Cursor::new(""), Which::End, 100).unwrap();
        assert_eq!((nothing.from, nothing.length, nothing.number), (0, 0, Some(1)));
    }

    #[test]
    fn a_long_line_among_others_is_walked_through_both_ways() {
        let text = format!("{}{}\n{}", numbered(50), "x".repeat(3_000), numbered(50));
        let most = 400;
        let (mut at, mut steps) = (0, 0);
        loop {
            let part = part(&mut Cursor::new(&text), Which::Around(at), most).unwrap();
            assert!(part.from <= at, "{at}");
            if part.to() >= part.length {
                break;
            }
            assert!(part.to() > at, "no way on from {at}");
            (at, steps) = (part.to(), steps + 1);
        }
        assert!(steps > 5);
        let mut before = text.len() as u64;
        while before > 0 {
            let part = part(&mut Cursor::new(&text), Which::Around(before), most).unwrap();
            assert!(part.from < before, "no way back from {before}");
            before = part.from.saturating_sub(most / 2);
        }
    }

    #[test]
    fn what_is_looked_for_is_found_across_pieces_up_to_a_number() {
        // Long enough for several pieces.
        let text = numbered(300_000);
        let found = find(&mut Cursor::new(&text), "LINE 29999", None, 5).unwrap();
        let lines: Vec<_> =
            found.hits.iter().map(|hit| (hit.number, String::from_utf8_lossy(&hit.line))).collect();
        assert_eq!(lines[0], (29_999, "line 29999".into()));
        assert_eq!(lines[1], (299_990, "line 299990".into()));
        assert_eq!(found.stopped_at, Some(found.hits[4].at), "there are more");
        let hit = &found.hits[1];
        assert!(text[hit.at as usize..].starts_with("line 299990\n"));
        let rest = find(&mut Cursor::new(&text), "line 29999", found.stopped_at, 50).unwrap();
        assert_eq!((rest.hits.len(), rest.hits[0].number), (6, 299_994));
        assert_eq!(rest.stopped_at, None);
        assert_eq!(find(&mut Cursor::new(&text), "", None, 5).unwrap().hits, []);
        assert_eq!(find(&mut Cursor::new(&text), "no such", None, 5).unwrap().hits, []);
        let twice = find(&mut Cursor::new("a a\nb"), "A", None, 5).unwrap();
        assert_eq!(twice.hits.len(), 1, "a line counts once");
        let long = "y".repeat(3 * CHUNK) + "\nz";
        let last = find(&mut Cursor::new(&long), "z", None, 5).unwrap();
        assert_eq!((last.hits[0].number, last.hits[0].at), (2, 3 * CHUNK as u64 + 1));
    }

    proptest::proptest! {
        #[test]
        fn lines_are_found_as_a_plain_search_finds_them(text in "[ab\n]{0,400}", wanted in "[abAB]{1,3}") {
            let found = find(&mut Cursor::new(&text), &wanted, None, usize::MAX).unwrap();
            let (mut at, mut expected) = (0, Vec::new());
            for (number, line) in (1_u64..).zip(text.split_inclusive('\n')) {
                if line.contains(&wanted.to_lowercase()) {
                    expected.push((at as u64, number));
                }
                at += line.len();
            }
            let found: Vec<_> = found.hits.iter().map(|hit| (hit.at, hit.number)).collect();
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
