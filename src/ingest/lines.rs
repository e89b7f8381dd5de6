//! The lines of a result file, each within a cap.
//!
//! What it must not do: keep more than one line, or know any one format.

use std::io::{self, BufRead};

/// The longest line that is kept, in bytes. The rest of a longer one is passed over and counted.
const LONGEST: usize = 1024 * 1024;

/// Reads line by line, however long the lines are.
pub(super) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    line: Vec<u8>,
    number: u64,
    cut: u64,
    ended: bool,
}

impl<'a> Lines<'a> {
    /// Lines of that input.
    pub(super) fn new(input: &'a mut dyn BufRead) -> Self {
        Self { input, line: Vec::new(), number: 0, cut: 0, ended: true }
    }

    /// The next line without its end, and its number from 1; `None` after the last. Bytes that are no
    /// text are replaced.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, std::borrow::Cow<'_, str>)>> {
        self.line.clear();
        self.ended = false;
        let mut passed = 0;
        let mut any = false;
        while !self.ended {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            let room = LONGEST.saturating_sub(self.line.len()).min(piece.len());
            self.line.extend_from_slice(&piece[..room]);
            passed += piece.len() - room;
            let used = piece.len() + usize::from(end.is_some());
            self.ended = end.is_some();
            self.input.consume(used);
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        if passed > 0 {
            self.cut += 1;
        } else if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(Some((self.number, String::from_utf8_lossy(&self.line))))
    }

    /// How many lines were too long.
    pub(super) fn cut(&self) -> u64 {
        self.cut
    }

    /// Whether the last line that was read ended as lines do; not so where a file was cut.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], buffer: usize) -> (Vec<(u64, String)>, u64, bool) {
        let mut input = io::BufReader::with_capacity(buffer, text);
        let mut lines = Lines::new(&mut input);
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            all.push((number, line.into_owned()));
        }
        (all, lines.cut(), lines.ended())
    }

    #[test]
    fn lines_come_whole_however_the_buffer_falls() {
        for buffer in [1, 2, 3, 100] {
            let (lines, cut, _) = read(b"one\r\n\ntwo \xff\nlast", buffer);
            let expected = [(1, "one"), (2, ""), (3, "two \u{fffd}"), (4, "last")];
            assert_eq!(lines, expected.map(|(number, line)| (number, line.to_owned())));
            assert_eq!(cut, 0);
        }
        assert_eq!(read(b"", 8).0, []);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_counted() {
        let mut text = vec![b'x'; LONGEST + 10];
        text.extend_from_slice(b"\nnext\n");
        let (lines, cut, _) = read(&text, 4096);
        assert_eq!(lines[0].1.len(), LONGEST);
        assert_eq!(lines[1], (2, "next".to_owned()));
        assert_eq!(cut, 1);
    }

    #[test]
    fn it_is_known_whether_the_last_line_ended() {
        let mut cut: &[u8] = b"one\ntwo";
        let mut lines = Lines::new(&mut cut);
        lines.next().unwrap();
        assert!(lines.ended());
        lines.next().unwrap();
        assert!(!lines.ended());
    }
}
