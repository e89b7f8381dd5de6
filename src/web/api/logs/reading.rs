//! A part of a log by the place of a line in it. Blocking: a log may be large. What is held at once is a part, never
//! the whole.

use std::io::{self, Read, Seek, SeekFrom};

use memchr::{memchr, memchr_iter, memrchr};

/// Line ends are counted in so many bytes at most. A log of ours has two mebibytes; what is longer was put in the place
/// of one.
pub(in crate::web) const COUNTED: u64 = 32 << 20;
/// So much is read at once.
const CHUNK: u64 = 1 << 20;

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Which {
    /// The end.
    End,
    /// The one around a place, by its byte.
    Around(u64),
}

/// A part of a log: whole lines, but for one that is longer than the part, and the last one while it is written.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Part {
    /// Where it begins in the log.
    pub(in crate::web) from: u64,
    /// The text.
    pub(in crate::web) bytes: Vec<u8>,
    /// How long the log is.
    pub(in crate::web) length: u64,
    /// How many lines end before it; `None` where that is too much to be counted.
    pub(in crate::web) ends_before: Option<u64>,
}

impl Part {
    /// Where it ends in the log.
    pub(in crate::web) fn to(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }
}

/// Reads a part of at most so many bytes.
pub(super) fn part(
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
    Ok(Part { from, bytes, length, ends_before: ends_before(log, from)? })
}

/// How many lines end before a place; `None` where that is too much to be counted.
pub(super) fn ends_before(
    log: &mut (impl Read + Seek + ?Sized),
    place: u64,
) -> io::Result<Option<u64>> {
    if place > COUNTED {
        return Ok(None);
    }
    log.seek(SeekFrom::Start(0))?;
    let (mut at, mut ends, mut buffer) = (0, 0, Vec::new());
    while at < place {
        buffer.clear();
        Read::take(&mut *log, CHUNK.min(place - at)).read_to_end(&mut buffer)?;
        if buffer.is_empty() {
            break;
        }
        ends += count(&buffer);
        at += buffer.len() as u64;
    }
    Ok(Some(ends))
}

pub(super) fn count(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A log that knows how much of it was read.
    pub(in super::super) struct Watched<L> {
        log: L,
        pub(in super::super) read: u64,
    }

    impl<L> Watched<L> {
        pub(in super::super) fn new(log: L) -> Self {
            Self { log, read: 0 }
        }
    }

    impl<L: Read> Read for Watched<L> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let read = self.log.read(into)?;
            self.read += read as u64;
            Ok(read)
        }
    }

    impl<L: Seek> Seek for Watched<L> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.log.seek(to)
        }
    }

    /// A log of so many bytes, which nobody holds: each line is an `x`.
    pub(in super::super) struct Huge {
        length: u64,
        at: u64,
    }

    impl Huge {
        pub(in super::super) fn new(length: u64) -> Self {
            Self { length, at: 0 }
        }
    }

    impl Read for Huge {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = usize::try_from(self.length - self.at)
                .map_or(into.len(), |left| left.min(into.len()));
            for (place, byte) in (self.at..).zip(&mut into[..count]) {
                *byte = if place % 2 == 0 { b'x' } else { b'\n' };
            }
            self.at += count as u64;
            Ok(count)
        }
    }

    impl Seek for Huge {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.at = match to {
                SeekFrom::Start(place) => place.min(self.length),
                SeekFrom::End(_) | SeekFrom::Current(_) => self.length,
            };
            Ok(self.at)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Cursor;

    use super::testing::{Huge, Watched};
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
            assert_eq!(first, format!("line {}", part.ends_before.unwrap() + 1));
        }
        let around = part(&mut Cursor::new(&text), Which::Around(4_000), 100).unwrap();
        assert!(around.from <= 4_000 && around.to() > 4_000, "{around:?}");
    }

    #[test]
    fn a_part_of_one_long_line_or_of_nothing_is_a_part() {
        let long = "x".repeat(500);
        let end = part(&mut Cursor::new(&long), Which::End, 100).unwrap();
        assert_eq!((end.from, end.bytes.len(), end.ends_before), (400, 100, Some(0)));
        let beyond = part(&mut Cursor::new(&long), Which::Around(10_000), 100).unwrap();
        assert_eq!(beyond.to(), 500);
        let nothing = part(&mut Cursor::new(&String::new()), Which::End, 100).unwrap();
        assert_eq!((nothing.from, nothing.length, nothing.ends_before), (0, 0, Some(0)));
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

    /// However long a log is, a page of it is read in bounded time: the lines before it are counted up to a bound.
    #[test]
    fn what_is_read_of_a_huge_log_has_a_bound() {
        let most = 256 << 10;
        for (which, ends) in [
            (Which::End, None),
            (Which::Around(COUNTED * 4), None),
            (Which::Around(COUNTED), Some((COUNTED - most / 4) / 2 + 1)),
            (Which::Around(0), Some(0)),
        ] {
            let mut log = Watched::new(Huge::new(1 << 30));
            let part = part(&mut log, which, most).unwrap();
            assert_eq!(part.ends_before, ends, "{which:?} from {}", part.from);
            let counted = if ends.is_some() { part.from } else { 0 };
            assert!(log.read <= most + counted, "{which:?}: {} were read", log.read);
        }
        assert_eq!(ends_before(&mut Huge::new(1 << 30), COUNTED).unwrap(), Some(COUNTED / 2));
        assert_eq!(ends_before(&mut Huge::new(1 << 30), COUNTED + 1).unwrap(), None);
    }
}
