//! The output log: masked bytes, of which the beginning and the end are kept.
//!
//! Knows bytes only: no lines, no encoding. A full disk costs output, never the command.

use std::collections::VecDeque;
use std::io::{self, Seek, SeekFrom, Write};

use super::exit::OutputSummary;
use super::spec::OutputCaps;
use crate::domain::gap::Gap;

/// A log with a head that is written as it comes and a tail that is held until the end.
pub(super) struct OutputLog<W> {
    file: W,
    caps: OutputCaps,
    written: u64,
    tail: VecDeque<u8>,
    cut: u64,
    /// The line ends in what was cut.
    cut_lines: u64,
    write_error: Option<io::Error>,
}

impl<W: Write + Seek> OutputLog<W> {
    pub(super) fn new(file: W, caps: OutputCaps) -> Self {
        Self {
            file,
            caps,
            written: 0,
            tail: VecDeque::new(),
            cut: 0,
            cut_lines: 0,
            write_error: None,
        }
    }

    /// Takes more output. Cannot fail: what does not fit is counted.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = match self.write_error {
            Some(_) => 0,
            None => self.caps.head.saturating_sub(self.written),
        };
        let head = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        let written = self.write(head);
        self.push_tail(&bytes[written..]);
    }

    fn push_tail(&mut self, bytes: &[u8]) {
        self.tail.extend(bytes);
        let cap = usize::try_from(self.caps.tail).unwrap_or(usize::MAX);
        let excess = self.tail.len().saturating_sub(cap);
        let (front, back) = self.tail.as_slices();
        let of_front = excess.min(front.len());
        self.cut_lines += line_ends(&front[..of_front]) + line_ends(&back[..excess - of_front]);
        self.tail.drain(..excess);
        self.cut += excess as u64;
    }

    /// Writes as much as the disk takes and remembers why it took no more.
    fn write(&mut self, mut bytes: &[u8]) -> usize {
        let wanted = bytes.len();
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => {
                    self.write_error = Some(io::ErrorKind::WriteZero.into());
                    break;
                }
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.write_error = Some(error);
                    break;
                }
            }
        }
        let written = wanted - bytes.len();
        self.written += written as u64;
        written
    }

    /// Writes marker and tail. `total` is what the command wrote before masking.
    pub(super) fn finish(mut self, total: u64) -> (W, OutputSummary) {
        let trouble = self.write_error.take();
        let mut gap_at = None;
        if self.cut > 0 {
            let marker = Gap { bytes: self.cut, lines: Some(self.cut_lines) }.marker();
            let place = self.written;
            let is_whole = self.write(marker.as_bytes()) == marker.len();
            gap_at = is_whole.then_some(place);
        }
        let tail = std::mem::take(&mut self.tail);
        let (front, back) = tail.as_slices();
        let mut kept = 0;
        for part in [front, back] {
            if self.write_error.is_none() {
                kept += self.write(part);
            }
        }
        self.cut += (tail.len() - kept) as u64;
        if let Some(error) = &self.write_error {
            let marker = end_marker(error);
            self.mark_end(marker);
        }
        let summary = OutputSummary {
            total_bytes: total,
            kept_bytes: self.written,
            cut_bytes: self.cut,
            gap_at,
            held_open: false,
            write_error: self.write_error.or(trouble).map(|error| error.to_string()),
        };
        (self.file, summary)
    }

    /// No more bytes are taken, yet the reader has to see that some are missing: the marker
    /// goes over the last bytes, whose place is already ours. The count is in the exit record.
    fn mark_end(&mut self, marker: &str) {
        let length = marker.len() as u64;
        let Some(position) = self.written.checked_sub(length) else { return };
        let marked = self.file.seek(SeekFrom::Start(position)).is_ok()
            && self.file.write_all(marker.as_bytes()).is_ok();
        if marked {
            self.cut += length;
        }
    }
}

const FULL_DISK_MARKER: &str = "\n… output cut here, the disk took no more …\n";
const LONG_FILE_MARKER: &str = "\n… output cut here, no file may be longer (`ulimit -f`) …\n";

/// What a reader is told of the end, by why nothing more was written.
fn end_marker(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::FileTooLarge => LONG_FILE_MARKER,
        _ => FULL_DISK_MARKER,
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn log_of(caps: OutputCaps, chunks: &[&[u8]]) -> (Vec<u8>, OutputSummary) {
        let mut log = OutputLog::new(Cursor::new(Vec::new()), caps);
        chunks.iter().for_each(|chunk| log.push(chunk));
        let total = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let (file, summary) = log.finish(total);
        (file.into_inner(), summary)
    }

    /// A disk with room for so many bytes: writing over them is fine, a longer file is not.
    struct SmallDisk {
        content: Cursor<Vec<u8>>,
        room: usize,
    }

    impl Write for SmallDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let position = usize::try_from(self.content.position()).unwrap();
            let free = self.room.saturating_sub(position);
            if free == 0 {
                return Err(io::Error::from_raw_os_error(28));
            }
            self.content.write(&bytes[..bytes.len().min(free)])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for SmallDisk {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.content.seek(to)
        }
    }

    #[test]
    fn what_fits_is_kept_without_a_marker() {
        let (text, summary) = log_of(OutputCaps { head: 4, tail: 4 }, &[b"abc", b"defgh"]);
        assert_eq!(text, b"abcdefgh");
        assert_eq!((summary.kept_bytes, summary.cut_bytes), (8, 0));
    }

    #[test]
    fn the_middle_is_cut_and_counted() {
        let (text, summary) = log_of(OutputCaps { head: 4, tail: 3 }, &[b"abcdefghij"]);
        assert_eq!(String::from_utf8(text).unwrap(), "abcd\n… 3 bytes in 0 lines cut …\nhij");
        assert_eq!((summary.total_bytes, summary.cut_bytes), (10, 3));
        assert_eq!(summary.gap_at, Some(4));
    }

    #[test]
    fn a_full_disk_leaves_a_marker_and_a_reason() {
        let disk = SmallDisk { content: Cursor::new(Vec::new()), room: 100 };
        let mut log = OutputLog::new(disk, OutputCaps { head: 1000, tail: 50 });
        (0..50).for_each(|_| log.push(b"0123456789"));
        let (disk, summary) = log.finish(500);
        let text = String::from_utf8(disk.content.into_inner()).unwrap();
        assert!(text.ends_with(FULL_DISK_MARKER), "{text}");
        assert_eq!(summary.cut_bytes, 500 - (100 - FULL_DISK_MARKER.len() as u64));
        assert_eq!(summary.kept_bytes, 100);
        assert!(summary.write_error.unwrap().contains("No space left"));
    }

    #[test]
    fn a_disk_that_recovers_gets_the_tail() {
        let disk = SmallDisk { content: Cursor::new(Vec::new()), room: 10 };
        let mut log = OutputLog::new(disk, OutputCaps { head: 1000, tail: 5 });
        log.push(b"0123456789");
        log.push(b"lost and found");
        log.file.room = 1000;
        let (disk, summary) = log.finish(24);
        let text = String::from_utf8(disk.content.into_inner()).unwrap();
        assert_eq!(text, "0123456789\n… 9 bytes in 0 lines cut …\nfound");
        assert!(summary.write_error.is_some());
    }

    proptest! {
        #[test]
        fn how_the_output_is_chunked_changes_nothing(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            size in 1usize..50,
            (head, tail) in (0u64..60, 0u64..60),
        ) {
            let caps = OutputCaps { head, tail };
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            let (text, summary) = log_of(caps, &chunks);
            prop_assert_eq!(&text, &log_of(caps, &[&bytes]).0);
            prop_assert_eq!(summary.kept_bytes, text.len() as u64);
            prop_assert_eq!(summary.cut_bytes, (bytes.len() as u64).saturating_sub(head + tail));
            let (head, tail) = (usize::try_from(head).unwrap(), usize::try_from(tail).unwrap());
            if let Some(place) = summary.gap_at {
                let (gap, _) = Gap::parse(&text[usize::try_from(place).unwrap()..]).unwrap();
                let out = &bytes[head..bytes.len() - tail];
                prop_assert_eq!((place, gap.bytes), (head as u64, out.len() as u64));
                prop_assert_eq!(gap.lines, Some(out.iter().filter(|byte| **byte == b'\n').count() as u64));
            }
            prop_assert_eq!(summary.gap_at.is_some(), summary.cut_bytes > 0);
            if summary.cut_bytes == 0 {
                prop_assert_eq!(text, bytes);
            }
        }
    }
}
