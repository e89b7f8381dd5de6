//! What a WebSocket's service says, frame by frame (RFC 6455 section 5.2): counted, and let through or not.
//! Pure. Contents are passed as they are, compressed or not; nothing is kept of them.

use super::events::begins_json;

/// The longest head of a frame, in bytes.
const HEAD: usize = 14;
/// A close frame of a service with code 1011 and no reason.
const CLOSE_1011: [u8; 4] = [0x88, 0x02, 0x03, 0xf3];

/// Which messages go through. Frames that control the connection always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passes {
    /// All.
    All,
    /// The first; then the socket is closed with 1011.
    First,
    /// None.
    Nothing,
}

/// Whether a socket goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It does.
    GoOn,
    /// It is closed.
    Closed,
}

/// Lets messages through.
#[derive(Debug)]
pub(super) struct Gate {
    passes: Passes,
    /// How many messages came to their end.
    messages: u64,
    head: Vec<u8>,
    /// What is left of the frame whose head was read.
    left: u64,
    frame: Frame,
    /// Whether a message was seen to be JSON.
    json: bool,
    /// Whether the next byte of content is the first of a message that can be read.
    is_first: bool,
}

/// The frame that is read now.
#[derive(Debug, Clone, Copy)]
struct Frame {
    is_message: bool,
    is_last: bool,
    /// Whether a message begins with it that is not compressed (RFC 7692 sets a bit for that).
    is_readable: bool,
}

impl Gate {
    /// One that lets these through.
    pub(super) fn new(passes: Passes) -> Self {
        let frame = Frame { is_message: false, is_last: true, is_readable: false };
        let head = Vec::with_capacity(HEAD);
        Self { passes, messages: 0, head, left: 0, frame, json: false, is_first: false }
    }

    /// How many messages came.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// Whether one of them was seen to be JSON: an object or a list begins it.
    pub(super) fn has_json(&self) -> bool {
        self.json
    }

    fn look(&mut self, content: &[u8]) {
        if !self.is_first {
            return;
        }
        if let Some(first) = content.iter().find(|byte| !byte.is_ascii_whitespace()) {
            self.json |= begins_json(*first);
            self.is_first = false;
        }
    }

    /// Takes bytes of the service, and puts what goes through into `out`.
    pub(super) fn pass(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> After {
        while !bytes.is_empty() {
            if self.left > 0 {
                let size = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                let (body, rest) = bytes.split_at(size);
                if self.frame.is_message {
                    self.look(body);
                }
                self.let_through(body, out);
                self.left -= size as u64;
                bytes = rest;
            } else {
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
                let Some(frame) = frame_of(&self.head) else { continue };
                (self.frame, self.left) = frame;
                self.is_first |= self.frame.is_readable;
                let head = std::mem::take(&mut self.head);
                self.let_through(&head, out);
            }
            if self.left == 0 && self.end_frame(out) == After::Closed {
                return After::Closed;
            }
        }
        After::GoOn
    }

    fn let_through(&self, bytes: &[u8], out: &mut Vec<u8>) {
        if !self.frame.is_message || self.passes != Passes::Nothing {
            out.extend_from_slice(bytes);
        }
    }

    fn end_frame(&mut self, out: &mut Vec<u8>) -> After {
        if !self.frame.is_message || !self.frame.is_last {
            return After::GoOn;
        }
        self.messages += 1;
        self.is_first = false;
        if self.passes != Passes::First {
            return After::GoOn;
        }
        out.extend_from_slice(&CLOSE_1011);
        After::Closed
    }
}

/// What a head says, once it is whole: what the frame is, and how long its content.
fn frame_of(head: &[u8]) -> Option<(Frame, u64)> {
    let [first, second, more @ ..] = head else { return None };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (size, length) = match second & 0x7f {
        126 => (2, u64::from(u16::from_be_bytes(more.get(..2)?.try_into().ok()?))),
        127 => (8, u64::from_be_bytes(more.get(..8)?.try_into().ok()?)),
        short => (0, u64::from(short)),
    };
    let is_message = first & 0x08 == 0;
    let is_begun = first & 0x07 != 0;
    let is_compressed = first & 0x40 != 0;
    let frame = Frame {
        is_message,
        is_last: first & 0x80 != 0,
        is_readable: is_message && is_begun && !is_compressed,
    };
    (more.len() >= size + mask).then_some((frame, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..126 => bytes.push(length as u8),
            126..65_536 => {
                bytes.push(126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend(std::iter::repeat_n(b'x', length));
        bytes
    }

    /// A text, a ping, a message in two parts with a ping between, and a close.
    fn said() -> Vec<Vec<u8>> {
        let frames =
            [(0x81, 5), (0x89, 0), (0x01, 200), (0x89, 3), (0x80, 70_000), (0x82, 0), (0x88, 2)];
        frames.into_iter().map(|(first, length)| frame(first, length)).collect()
    }

    fn passed(passes: Passes, bytes: &[u8], step: usize) -> (Vec<u8>, After, u64) {
        let (mut gate, mut out) = (Gate::new(passes), Vec::new());
        for part in bytes.chunks(step.max(1)) {
            if gate.pass(part, &mut out) == After::Closed {
                return (out, After::Closed, gate.messages());
            }
        }
        (out, After::GoOn, gate.messages())
    }

    #[test]
    fn a_message_that_begins_as_json_is_seen() {
        let message = |first: u8, text: &str| {
            let length = u8::try_from(text.len()).expect("it is short");
            [&[first, length][..], text.as_bytes()].concat()
        };
        for (frames, is_json) in [
            (vec![message(0x81, "hello"), message(0x81, " {}")], true),
            (vec![message(0x01, " "), message(0x89, "{"), message(0x80, "[1]")], true),
            (vec![message(0x81, "hello {}"), message(0x89, "{}"), message(0x88, "{}")], false),
            (vec![message(0x01, "a"), message(0x80, "{}")], false),
            (vec![message(0xc1, "{}")], false),
        ] {
            for step in 1..5 {
                let mut gate = Gate::new(Passes::All);
                for part in frames.concat().chunks(step) {
                    gate.pass(part, &mut Vec::new());
                }
                assert_eq!(gate.has_json(), is_json, "{frames:?} by {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn however_the_bytes_come_the_same_goes_through(step in 1usize..400) {
            let frames = said();
            let all = frames.concat();
            prop_assert_eq!(passed(Passes::All, &all, step), (all.clone(), After::GoOn, 3));
            let control = [&frames[1][..], &frames[3], &frames[6]].concat();
            prop_assert_eq!(passed(Passes::Nothing, &all, step), (control, After::GoOn, 3));
            let first = [&frames[0][..], &CLOSE_1011].concat();
            prop_assert_eq!(passed(Passes::First, &all, step), (first, After::Closed, 1));
        }

        #[test]
        fn no_bytes_are_too_wild(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1usize..50) {
            let (out, _, _) = passed(Passes::All, &bytes, step);
            prop_assert!(out.len() <= bytes.len());
        }
    }
}
