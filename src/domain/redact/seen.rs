//! Bytes as they read once what cannot be seen is taken out, with the place of each byte that is left.
//!
//! Whoever shows a text takes such characters out, and what was no secret with them is one without.
//! The views only grow at their end when more bytes come, so that a stream can be searched. They
//! decide nothing about how a text is shown.

use crate::domain::escape::is_hidden;

/// A sequence of more bytes is none: a terminal's commands are short.
const MAX_SEQUENCE: usize = 4_096;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// What is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing.
    Nothing,
    /// Characters that cannot be seen.
    Characters,
    /// Those, and the sequences by which a terminal is told of colours and the like.
    Sequences,
}

impl Taken {
    /// Every view: which of them a reader gets is for whoever shows the text to decide.
    pub(super) const ALL: [Self; 3] = [Self::Nothing, Self::Characters, Self::Sequences];
}

/// What is left of some bytes.
pub(super) struct Seen {
    /// What is left.
    pub(super) bytes: Vec<u8>,
    /// Where each of these stood.
    pub(super) places: Vec<usize>,
    /// Where what follows would begin. Before the end of the bytes, when only more of them can tell
    /// what stands there.
    end: usize,
}

/// What stands at one place.
enum Next {
    Shown(usize),
    Hidden(usize),
    /// Only what follows can tell.
    Open,
}

impl Seen {
    pub(super) fn of(bytes: &[u8], taken: Taken) -> Self {
        let mut seen = Self { bytes: Vec::with_capacity(bytes.len()), places: Vec::new(), end: 0 };
        let mut at = 0;
        while at < bytes.len() {
            match next(&bytes[at..], taken) {
                Next::Shown(length) => {
                    seen.bytes.extend_from_slice(&bytes[at..at + length]);
                    seen.places.extend(at..at + length);
                    at += length;
                }
                Next::Hidden(length) => at += length,
                Next::Open => break,
            }
        }
        seen.end = at;
        seen
    }

    /// Where the byte that is left at `index` stood, or would stand.
    pub(super) fn place_of(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or(self.end)
    }
}

/// A text without what cannot be seen.
pub(super) fn without(text: &str, taken: Taken) -> String {
    String::from_utf8_lossy(&Seen::of(text.as_bytes(), taken).bytes).into_owned()
}

/// Whether anything of the bytes could be taken out; quick, and rather once too often.
pub(super) fn may_hide(bytes: &[u8]) -> bool {
    let is_suspect = |byte: &u8| match byte {
        b'\n' | b'\r' | b'\t' => false,
        0..=0x1f | 0x7f => true,
        // With these begin the hidden characters beyond ASCII.
        0xc2 | 0xcd | 0xd8 | 0xe1 | 0xe2 | 0xe3 | 0xef | 0xf3 => true,
        _ => false,
    };
    bytes.iter().any(is_suspect)
}

fn next(bytes: &[u8], taken: Taken) -> Next {
    match (taken, bytes[0]) {
        (Taken::Nothing, _) => Next::Shown(1),
        (Taken::Sequences, ESCAPE) => sequence(bytes),
        (Taken::Sequences, 0xc2) if bytes.get(1) == Some(&0x9b) => control(bytes),
        (Taken::Characters | Taken::Sequences, b'\n' | b'\r' | b'\t') => Next::Shown(1),
        (Taken::Characters | Taken::Sequences, _) => character(bytes),
    }
}

fn character(bytes: &[u8]) -> Next {
    let window = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(window) {
        Ok(text) => text,
        Err(fault) if fault.valid_up_to() > 0 => {
            std::str::from_utf8(&window[..fault.valid_up_to()]).unwrap_or_default()
        }
        Err(fault) if fault.error_len().is_none() => return Next::Open,
        Err(_) => "",
    };
    match valid.chars().next() {
        Some(c) if is_hidden(c) => Next::Hidden(c.len_utf8()),
        Some(c) => Next::Shown(c.len_utf8()),
        None => Next::Shown(1),
    }
}

/// What begins with the escape character (ECMA-48, section 5).
fn sequence(bytes: &[u8]) -> Next {
    match bytes.get(1) {
        None => Next::Open,
        Some(b'[') => control(bytes),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => string(bytes),
        Some(0x20..=0x2f) => ended(bytes, 1, |byte| matches!(byte, 0x20..=0x2f), 0x30),
        Some(0x30..=0x7e) => Next::Hidden(2),
        Some(_) => Next::Hidden(1),
    }
}

/// A control sequence, as of a colour, behind the two bytes that begin it.
fn control(bytes: &[u8]) -> Next {
    ended(bytes, 2, |byte| matches!(byte, 0x20..=0x3f), 0x40)
}

/// Bytes that go on as told, then one from `last` on ends them; else only their beginning is taken.
fn ended(bytes: &[u8], from: usize, goes_on: fn(&u8) -> bool, last: u8) -> Next {
    let inner = bytes[from..].iter().take(MAX_SEQUENCE).take_while(|byte| goes_on(byte)).count();
    match bytes.get(from + inner) {
        None => Next::Open,
        Some(byte) if (last..=0x7e).contains(byte) => Next::Hidden(from + inner + 1),
        Some(_) if bytes[0] == ESCAPE => Next::Hidden(1),
        Some(_) => Next::Hidden(2),
    }
}

/// A string for the terminal, as a title or the address of a link.
fn string(bytes: &[u8]) -> Next {
    let is_end = |byte: &u8| matches!(*byte, BELL | ESCAPE | b'\n');
    match bytes[2..].iter().take(MAX_SEQUENCE).position(is_end).map(|at| at + 2) {
        None if bytes.len() < MAX_SEQUENCE => Next::Open,
        None => Next::Hidden(1),
        Some(end) => match (bytes[end], bytes.get(end + 1)) {
            (BELL, _) => Next::Hidden(end + 1),
            (ESCAPE, None) => Next::Open,
            (ESCAPE, Some(b'\\')) => Next::Hidden(end + 2),
            _ => Next::Hidden(1),
        },
    }
}
