//! How many lines end before a place of a log: a large log is counted through once, and from then on a number is found
//! by what was counted up to the mebibyte before.

use std::io::{self, Read, Seek, SeekFrom};

use memchr::memchr_iter;

use super::patience::Patience;

/// A mark stands at each multiple of this.
const STEP: u64 = 1 << 20;
/// So many marks are kept, in half a mebibyte: behind the last one a part is counted each time it is asked for.
const MAX_MARKS: usize = 1 << 16;
/// So much is read at once.
const CHUNK: u64 = 1 << 20;

/// So many bytes are kept, by which a log is known again.
const KNOWN_BY: usize = 256;

/// What was counted of one log, from its beginning on. It stays true while the log grows.
#[derive(Debug, Clone, Default)]
pub(super) struct LineEnds {
    /// How many lines end before the first mark, the second, …
    marks: Vec<u64>,
    /// Counted up to here.
    to: u64,
    /// How many end before that.
    ends: u64,
    /// The last bytes before that.
    last: Vec<u8>,
}

impl LineEnds {
    /// Counted up to there.
    pub(super) fn to(&self) -> u64 {
        self.to
    }

    /// Forgets everything where this is not the log that was counted: another one took its place, or its end was
    /// overwritten, as on a full disk.
    pub(super) fn know_again(&mut self, log: &mut (impl Read + Seek + ?Sized)) -> io::Result<()> {
        let begin = self.to - self.last.len() as u64;
        log.seek(SeekFrom::Start(begin))?;
        let mut there = Vec::with_capacity(self.last.len());
        Read::take(&mut *log, self.last.len() as u64).read_to_end(&mut there)?;
        if there != self.last {
            *self = Self::default();
        }
        Ok(())
    }

    /// Notes what somebody has read at a place. What does not follow on what was counted is of no use.
    pub(super) fn note(&mut self, place: u64, bytes: &[u8]) {
        let Some(known) = self.to.checked_sub(place) else { return };
        let mut fresh = bytes.get(usize::try_from(known).unwrap_or(usize::MAX)..).unwrap_or(&[]);
        while !fresh.is_empty() && self.marks.len() < MAX_MARKS {
            let room = usize::try_from(STEP - self.to % STEP).unwrap_or(usize::MAX);
            let (now, later) = fresh.split_at(room.min(fresh.len()));
            self.ends += count(now);
            self.to += now.len() as u64;
            self.last.extend_from_slice(&now[now.len().saturating_sub(KNOWN_BY)..]);
            self.last.drain(..self.last.len().saturating_sub(KNOWN_BY));
            if self.to.is_multiple_of(STEP) {
                self.marks.push(self.ends);
            }
            fresh = later;
        }
    }

    /// The last place up to this one where the number is known, and the number.
    fn nearest(&self, place: u64) -> (u64, u64) {
        if place >= self.to {
            return (self.to, self.ends);
        }
        let passed = usize::try_from(place / STEP).unwrap_or(usize::MAX);
        let mark = passed.checked_sub(1).and_then(|mark| self.marks.get(mark));
        mark.map_or((0, 0), |ends| (place / STEP * STEP, *ends))
    }

    /// How many lines end before a place. `None` when that takes longer than somebody has patience; what was counted
    /// until then is kept, and the next one gets further.
    pub(super) fn before(
        &mut self,
        log: &mut (impl Read + Seek + ?Sized),
        place: u64,
        patience: Patience,
    ) -> io::Result<Option<u64>> {
        let (mut at, mut ends) = self.nearest(place);
        log.seek(SeekFrom::Start(at))?;
        let mut buffer = Vec::new();
        while at < place {
            buffer.clear();
            Read::take(&mut *log, CHUNK.min(place - at)).read_to_end(&mut buffer)?;
            if buffer.is_empty() {
                break;
            }
            self.note(at, &buffer);
            ends += count(&buffer);
            at += buffer.len() as u64;
            if at < place && patience.is_over() {
                return Ok(None);
            }
        }
        Ok(Some(ends))
    }
}

pub(super) fn count(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A log that knows how much of it was read.
    struct Watched<'a>(Cursor<&'a [u8]>, u64);

    impl Read for Watched<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(into)?;
            self.1 += read as u64;
            Ok(read)
        }
    }

    impl Seek for Watched<'_> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    fn text() -> Vec<u8> {
        (0..1_200_000_u32).flat_map(|n| format!("{n}\n").into_bytes()).collect()
    }

    #[test]
    fn a_log_is_counted_once() {
        let text = text();
        let (mut ends, long) = (LineEnds::default(), Patience::endless());
        let mut log = Watched(Cursor::new(&text), 0);
        let length = text.len() as u64;
        assert!(length > 7 * STEP);
        assert_eq!(ends.before(&mut log, length, long).unwrap(), Some(1_200_000));
        assert_eq!(log.1, length);
        for place in [0, 1, STEP - 1, STEP, STEP + 1, 5 * STEP + 17, length - 1, length] {
            let read = log.1;
            let expected = count(&text[..usize::try_from(place).unwrap()]);
            assert_eq!(ends.before(&mut log, place, long).unwrap(), Some(expected), "{place}");
            assert!(log.1 - read < STEP, "{place}: {} were read", log.1 - read);
        }
    }

    #[test]
    fn who_has_no_patience_gets_further_each_time() {
        let text = text();
        let (mut ends, none) = (LineEnds::default(), Patience::none());
        let mut turns = 0;
        let length = text.len() as u64;
        let number = loop {
            turns += 1;
            if let Some(number) = ends.before(&mut Cursor::new(&text), length, none).unwrap() {
                break number;
            }
        };
        assert_eq!((number, turns), (1_200_000, length.div_ceil(CHUNK)));
    }

    #[test]
    fn another_log_in_the_place_of_one_is_counted_anew() {
        let (mut ends, long) = (LineEnds::default(), Patience::endless());
        let mut number = |text: &str| {
            let log = &mut Cursor::new(text);
            ends.know_again(log).unwrap();
            ends.before(log, text.len() as u64, long).unwrap()
        };
        assert_eq!(number("a\nb\n"), Some(2));
        assert_eq!(number("a\nb\nc\n"), Some(3), "it has grown");
        assert_eq!(number("a\n"), Some(1), "a shorter one");
        assert_eq!(number("another\n\n"), Some(2));
        assert_eq!(number(""), Some(0));
    }

    #[test]
    fn what_is_noted_follows_on_what_was_counted() {
        let mut ends = LineEnds::default();
        ends.note(5, b"\n\n");
        assert_eq!(ends.to(), 0, "there is a hole before it");
        ends.note(0, b"a\nb");
        ends.note(1, b"\nb\nc");
        assert_eq!((ends.to, ends.ends), (5, 2));
        ends.note(0, b"a\n");
        assert_eq!((ends.to, ends.ends), (5, 2));
    }
}
