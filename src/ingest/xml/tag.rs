//! One start tag: where it ends, and what its attributes are, however it is written.
//!
//! What it must not do: read on, or fail.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// How far is looked behind a quote to tell whether it closes the value.
const LOOK_BEHIND_QUOTE: usize = 256;

/// How many attributes of one tag are kept.
const MOST_ATTRIBUTES: usize = 256;

/// An attribute: where its name and its value stand.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

/// What a scan found. Ranges and lengths count from the `<`.
#[derive(Debug)]
pub(super) enum Scan {
    /// The whole tag is there.
    Whole { name: Range<usize>, length: usize, empty: bool, damage: Option<&'static str> },
    /// It goes on behind these bytes, perhaps within a quoted value (its quote).
    Part { name: Range<usize>, quote: Option<u8> },
}

/// A start tag.
#[derive(Debug)]
pub(in crate::ingest) struct Tag<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) name: Range<usize>,
    pub(super) spans: &'a [Span],
    /// Whether it is its own end tag.
    pub(in crate::ingest) empty: bool,
}

impl<'a> Tag<'a> {
    /// The element's name, without a prefix.
    pub(in crate::ingest) fn name(&self) -> &'a [u8] {
        local(&self.bytes[self.name.clone()])
    }

    /// The attributes in their order, names without a prefix.
    pub(in crate::ingest) fn attributes(&self) -> impl Iterator<Item = (&'a [u8], Value<'a>)> {
        let bytes = self.bytes;
        self.spans
            .iter()
            .map(move |span| (local(&bytes[span.name.clone()]), Value(&bytes[span.value.clone()])))
    }

    /// The value of an attribute.
    pub(in crate::ingest) fn attribute(&self, name: &str) -> Option<Value<'a>> {
        self.attributes().find(|(written, _)| *written == name.as_bytes()).map(|(_, value)| value)
    }
}

/// The value of an attribute, as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub(in crate::ingest) struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    /// The value with its references replaced, its line ends kept: writers put them there raw, and
    /// mean them.
    pub(in crate::ingest) fn lines(self) -> Cow<'a, str> {
        decoded(self.raw())
    }

    /// The value as XML has it: raw line ends and tabs are spaces.
    pub(in crate::ingest) fn text(self) -> Cow<'a, str> {
        if is_plain(self.0) {
            return Cow::Borrowed(self.raw());
        }
        if !self.0.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\t')) {
            return self.lines();
        }
        let spaced = self.raw().replace("\r\n", " ").replace(['\n', '\r', '\t'], " ");
        Cow::Owned(decoded(&spaced).into_owned())
    }

    /// The value as written.
    pub(in crate::ingest) fn raw(self) -> &'a str {
        str::from_utf8(self.0).unwrap_or_default()
    }

    /// The bytes of the value as written.
    pub(in crate::ingest) fn bytes(self) -> &'a [u8] {
        self.0
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    let mut scratch = String::new();
    super::decode(text, &mut scratch);
    if scratch.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(scratch) }
}

/// Whether nothing in it stands for something else. All bytes are looked at, which is quicker than to
/// stop at the first.
fn is_plain(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'&'))
}

/// A name without its prefix.
pub(super) fn local(name: &[u8]) -> &[u8] {
    let prefix = name.iter().rposition(|byte| *byte == b':');
    prefix.map_or(name, |at| &name[at + 1..])
}

/// The name in a start tag, without a prefix.
pub(super) fn start_name(bytes: &[u8]) -> &[u8] {
    local(&bytes[1..name_end(bytes, 1)])
}

/// Where the name stands in an end tag, without its `>`.
pub(super) fn end_name(bytes: &[u8]) -> Range<usize> {
    2..name_end(bytes, 2)
}

fn name_end(bytes: &[u8], from: usize) -> usize {
    let ends = |byte: &u8| ENDS_NAME[usize::from(*byte)];
    bytes[from..].iter().position(ends).map_or(bytes.len(), |at| from + at)
}

/// The bytes that are no part of a name.
const ENDS_NAME: [bool; 256] = {
    let mut ends = [false; 256];
    let mut at = 0;
    let bytes = b" \t\n\r\x0c></=\"'";
    while at < bytes.len() {
        ends[bytes[at] as usize] = true;
        at += 1;
    }
    ends
};

/// Reads a start tag from its `<` on. `ended`: nothing comes behind these bytes.
pub(super) fn scan_tag(bytes: &[u8], ended: bool, spans: &mut Vec<Span>) -> Scan {
    spans.clear();
    let name = 1..name_end(bytes, 1);
    let mut damage = None;
    let mut at = name.end;
    loop {
        at += whitespace(&bytes[at..]);
        let whole =
            |length, empty, damage| Scan::Whole { name: name.clone(), length, empty, damage };
        match bytes.get(at) {
            None => return Scan::Part { name, quote: None },
            Some(b'>') => return whole(at + 1, false, damage),
            Some(b'/') if bytes.get(at + 1) == Some(&b'>') => return whole(at + 2, true, damage),
            Some(b'<') => return whole(at, false, Some("a tag is not closed")),
            Some(b'/' | b'=' | b'"' | b'\'') => {
                damage = Some("a tag holds what is no attribute");
                at += 1;
            }
            Some(_) => match attribute(bytes, at, ended) {
                Attribute::Whole(span, end) => {
                    at = end;
                    if spans.len() < MOST_ATTRIBUTES {
                        spans.push(span);
                    }
                }
                Attribute::Bare(end) => {
                    damage = Some("a tag holds what is no attribute");
                    at = end;
                }
                Attribute::Unclosed(span, end) => {
                    spans.push(span);
                    return whole(end, false, Some("the value of an attribute is not closed"));
                }
                Attribute::Part(span, quote) => {
                    spans.extend(span);
                    return Scan::Part { name, quote };
                }
            },
        }
    }
}

enum Attribute {
    Whole(Span, usize),
    /// A name without a value.
    Bare(usize),
    /// Another tag begins in the value.
    Unclosed(Span, usize),
    Part(Option<Span>, Option<u8>),
}

fn attribute(bytes: &[u8], at: usize, ended: bool) -> Attribute {
    let name = at..name_end(bytes, at);
    let mut at = name.end + whitespace(&bytes[name.end..]);
    match bytes.get(at) {
        None => return Attribute::Part(None, None),
        Some(b'=') => at += 1,
        Some(_) => return Attribute::Bare(name.end.max(name.start + 1)),
    }
    at += whitespace(&bytes[at..]);
    let quote = match bytes.get(at) {
        None => return Attribute::Part(None, None),
        Some(quote @ (b'"' | b'\'')) => *quote,
        Some(_) => {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'>';
            let Some(length) = bytes[at..].iter().position(ends) else {
                return Attribute::Part(None, None);
            };
            return Attribute::Whole(Span { name, value: at..at + length }, at + length);
        }
    };
    let start = at + 1;
    at = start;
    while let Some(found) = memchr2(quote, b'<', &bytes[at..]) {
        at += found;
        if bytes[at] == quote {
            match closes(&bytes[at + 1..], ended) {
                Closes::Yes => return Attribute::Whole(Span { name, value: start..at }, at + 1),
                Closes::No => {}
                Closes::Unknown => break,
            }
        } else if begins_anew(&bytes[at..]) {
            return Attribute::Unclosed(Span { name, value: start..at }, at);
        }
        at += 1;
    }
    Attribute::Part(Some(Span { name, value: start..bytes.len() }), Some(quote))
}

enum Closes {
    Yes,
    No,
    Unknown,
}

/// Whether a quote before these bytes closes its value: the tag ends there, or another attribute begins.
/// Some writers leave quotes in values as they are.
fn closes(behind: &[u8], ended: bool) -> Closes {
    let near = &behind[..behind.len().min(LOOK_BEHIND_QUOTE)];
    let gap = whitespace(near);
    let name = match near.get(gap) {
        Some(b'>' | b'/' | b'?' | b'<') => return Closes::Yes,
        Some(_) => gap..name_end(near, gap),
        None => return unless_cut(near, ended),
    };
    let equals = name.end + whitespace(&near[name.end..]);
    let value = match near.get(equals) {
        Some(b'=') => equals + 1 + whitespace(&near[equals + 1..]),
        Some(_) => return Closes::No,
        None => return unless_cut(near, ended),
    };
    match near.get(value) {
        Some(b'"' | b'\'') if !name.is_empty() => Closes::Yes,
        // An unquoted value, where the attribute stands apart.
        Some(_) if !name.is_empty() && gap > 0 => Closes::Yes,
        Some(_) => Closes::No,
        None => unless_cut(near, ended),
    }
}

fn unless_cut(near: &[u8], ended: bool) -> Closes {
    match near.len() < LOOK_BEHIND_QUOTE && !ended {
        true => Closes::Unknown,
        false => Closes::Yes,
    }
}

/// Whether a case, a suite or a document begins or ends here: no value goes on behind that.
fn begins_anew(bytes: &[u8]) -> bool {
    [&b"<testcase"[..], b"</testcase", b"<testsuite", b"</testsuite", b"<?xml "]
        .iter()
        .any(|tag| bytes.starts_with(tag))
}

fn whitespace(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len())
}
