//! A part of a log by the place of a line in it. Blocking: a log may be large. What is held at once is a part, never
//! the whole.

use std::io::{self, Read, Seek, SeekFrom};

use memchr::{memchr, memrchr};

use super::line_ends::LineEnds;
use super::patience::Patience;

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
    /// How many lines end before it, if that is known.
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
    Ok(Part { from: begin + cut as u64, bytes, length, ends_before: None })
}

impl Part {
    /// Finds out how many lines end before it.
    pub(super) fn count_lines(
        &mut self,
        log: &mut (impl Read + Seek + ?Sized),
        ends: &mut LineEnds,
        patience: Patience,
    ) -> io::Result<()> {
        ends.know_again(log)?;
        self.ends_before = ends.before(log, self.from, patience)?;
        // What was read for the page need not be read for the next one.
        ends.note(self.from, &self.bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Cursor;

    use super::*;

    fn part(log: &mut Cursor<&String>, which: Which, most: u64) -> io::Result<Part> {
        let mut part = super::part(log, which, most)?;
        part.count_lines(log, &mut LineEnds::default(), Patience::endless())?;
        Ok(part)
    }

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
}
