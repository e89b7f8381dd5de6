//! A window over the input: the bytes of which a token is made, and no more.
//!
//! What it must not do: look into them.

use std::io::{self, BufRead};

/// How much is read at a time, at least.
const STEP: usize = 128 << 10;

/// Bytes of the input from a position on, as many as were asked for.
pub(super) struct Window<'r> {
    input: &'r mut dyn BufRead,
    bytes: Vec<u8>,
    position: usize,
    ended: bool,
    lines: u64,
    counted: usize,
}

impl<'r> Window<'r> {
    pub(super) fn new(input: &'r mut dyn BufRead) -> Self {
        Self { input, bytes: Vec::new(), position: 0, ended: false, lines: 0, counted: 0 }
    }

    /// Everything that is held, with what was passed already since the last [`Window::more`].
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in [`Window::bytes`] the rest begins.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// What is ahead.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.position..]
    }

    /// Passes over so many bytes.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.position += bytes;
    }

    /// Whether the input ended: what is ahead is all.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The line of the position, from 1.
    pub(super) fn line(&mut self) -> u64 {
        let passed = &self.bytes[self.counted..self.position];
        self.lines += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.counted = self.position;
        self.lines + 1
    }

    /// Reads on until at least so many bytes are ahead. Whether they are.
    pub(super) fn ensure(&mut self, bytes: usize) -> io::Result<bool> {
        while self.rest().len() < bytes {
            if !self.more()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads on; what was passed is forgotten. Whether there was something. Reads at least as much as is
    /// ahead, so that whoever looks at it again each time does no more than a linear amount of work.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.line();
        self.bytes.drain(..self.position);
        (self.position, self.counted) = (0, 0);
        let enough = self.bytes.len() * 2;
        let before = self.bytes.len();
        let wanted = enough.max(before + STEP);
        while self.bytes.len() < wanted {
            let piece = match self.input.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if piece.is_empty() {
                self.ended = true;
                break;
            }
            let length = piece.len().min(wanted - self.bytes.len());
            self.bytes.extend_from_slice(&piece[..length]);
            self.input.consume(length);
        }
        Ok(self.bytes.len() > before)
    }
}
