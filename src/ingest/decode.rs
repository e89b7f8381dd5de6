//! Bytes of a file → UTF-8, as a stream.
//!
//! What the bytes say wins over what the file claims: a byte order mark, then the zeros of UTF-16, then the
//! encoding that an XML declaration names. Everything else is UTF-8. Bytes that are none are replaced by
//! U+FFFD, and counted.
//!
//! What it must not do: refuse a file.

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How many bytes are looked at to tell the encoding.
const HEAD: usize = 512;

/// How many bytes of UTF-8 are made at a time.
const STEP: usize = 128 << 10;

/// Reads the bytes of `input` as UTF-8 without a byte order mark.
pub(super) struct Decoded<'r> {
    input: &'r mut dyn BufRead,
    head: Vec<u8>,
    head_read: usize,
    decoder: Decoder,
    ended: bool,
    bytes: Vec<u8>,
    position: usize,
    length: usize,
    replaced: bool,
}

impl<'r> Decoded<'r> {
    /// Looks at the first bytes and begins.
    pub(super) fn new(input: &'r mut dyn BufRead) -> io::Result<Self> {
        let mut head = Vec::with_capacity(HEAD);
        input.take(HEAD as u64).read_to_end(&mut head)?;
        let (encoding, mark) = encoding_of(&head);
        Ok(Self {
            input,
            head,
            head_read: mark,
            decoder: encoding.new_decoder_without_bom_handling(),
            ended: false,
            bytes: vec![0; STEP],
            position: 0,
            length: 0,
            replaced: false,
        })
    }

    /// Whether bytes were replaced so far.
    pub(super) fn replaced(&self) -> bool {
        self.replaced
    }

    /// Decodes until there is something, or nothing more.
    fn decode_on(&mut self) -> io::Result<()> {
        (self.position, self.length) = (0, 0);
        while self.length == 0 && !self.ended {
            let from_head = self.head_read < self.head.len();
            let source = match from_head {
                true => &self.head[self.head_read..],
                false => self.input.fill_buf()?,
            };
            let last = source.is_empty();
            let (result, read, written, replaced) =
                self.decoder.decode_to_utf8(source, &mut self.bytes, last);
            self.replaced |= replaced;
            self.length = written;
            match from_head {
                true => self.head_read += read,
                false => self.input.consume(read),
            }
            self.ended = last && result == CoderResult::InputEmpty;
        }
        Ok(())
    }
}

impl Read for Decoded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let length = ready.len().min(into.len());
        into[..length].copy_from_slice(&ready[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Decoded<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.length {
            self.decode_on()?;
        }
        Ok(&self.bytes[self.position..self.length])
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount;
    }
}

/// The encoding of a file that begins so, and the length of its byte order mark.
fn encoding_of(head: &[u8]) -> (&'static Encoding, usize) {
    if let Some(found) = Encoding::for_bom(head) {
        return found;
    }
    match head {
        [0, b'<' | b'{' | b'[', ..] => return (UTF_16BE, 0),
        [b'<' | b'{' | b'[', 0, ..] => return (UTF_16LE, 0),
        _ => {}
    }
    (declared(head).unwrap_or(UTF_8), 0)
}

/// The encoding that an XML declaration names. One of two bytes a character is not meant: the declaration
/// could not be read then.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let head = head.trim_ascii_start();
    let declaration = head.strip_prefix(b"<?xml")?;
    let end = declaration.windows(2).position(|two| two == b"?>")?;
    let text = str::from_utf8(&declaration[..end]).ok()?;
    let value = text.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let label = value[1..].split(quote).next()?;
    Encoding::for_label(label.as_bytes())
        .filter(|encoding| *encoding != UTF_16LE && *encoding != UTF_16BE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], capacity: usize) -> (String, bool) {
        let mut input = io::BufReader::with_capacity(capacity, bytes);
        let mut decoded = Decoded::new(&mut input).expect("memory can be read");
        let mut text = String::new();
        decoded.read_to_string(&mut text).expect("it is UTF-8 now");
        (text, decoded.replaced())
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn the_bytes_tell_the_encoding_before_the_declaration_does() {
        let text = "<a>Größe 日本 🛒</a>";
        let mut cases = vec![
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf16(&format!("\u{feff}{text}"), u16::to_le_bytes),
            utf16(&format!("\u{feff}{text}"), u16::to_be_bytes),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
        ];
        cases.push([b"\xef\xbb\xbf", text.as_bytes()].concat());
        for bytes in cases {
            for capacity in [1, 3, 8192] {
                assert_eq!(decoded(&bytes, capacity), (text.to_owned(), false));
            }
        }
    }

    #[test]
    fn a_declared_encoding_counts_where_the_bytes_allow_it() {
        for (bytes, text) in [
            (&b"<?xml version='1.0' encoding='ISO-8859-1'?>\xe9"[..], "é"),
            (b"\n<?xml version=\"1.0\" encoding = \"windows-1252\"?>\x80", "€"),
            (b"<?xml version=\"1.0\" encoding=\"UTF-16\"?>\xc3\xa9", "é"),
            (b"<?xml version=\"1.0\" encoding=\"UTF-16 LE\"?>\xc3\xa9", "é"),
            (b"<?xml version=\"1.0\" encoding=\"nonsense\"?>\xc3\xa9", "é"),
        ] {
            assert!(decoded(bytes, 7).0.ends_with(text), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_told() {
        assert_eq!(decoded(b"a\xffb", 1), ("a\u{fffd}b".into(), true));
        assert_eq!(decoded(b"cut \xc3", 2), ("cut \u{fffd}".into(), true));
        assert_eq!(decoded(b"", 1), (String::new(), false));
    }
}
