//! A tokenizer for XML as test tools really write it: a stream of tags and texts, forgiving and bounded.
//!
//! Half of the writers in the field emit files that are not well-formed (raw control characters, `]]>` in
//! text, `<` and quotes in attributes, two documents in one, log lines around them), and a parser that
//! stops at the first such fault loses the cases after it. So nothing is an error here: what is no tag is
//! text. There is no DTD, and no entity but the five of XML and numeric ones; others stay as written. Memory
//! is one window of the input, whatever stands in it.
//!
//! What it must not do: know what the elements mean.

mod passing;
mod reference;
mod tag;
mod window;

use std::io::{self, BufRead};
use std::ops::Range;

use memchr::{memchr, memmem};

pub(super) use reference::decode;
pub(super) use tag::{Tag, Value};

use tag::{Scan, Span, scan_tag};
use window::Window;

/// A tag longer than this is cut: the attributes up to there count.
const LONGEST_TAG: usize = 4 << 20;

/// An end tag longer than this is text.
const LONGEST_END: usize = 1 << 10;

/// A processing instruction longer than this is text.
const LONGEST_INSTRUCTION: usize = 4 << 10;

/// What comes next.
#[derive(Debug)]
pub(super) enum Token<'a> {
    /// A start tag, or one that is both.
    Start(Tag<'a>),
    /// An end tag: its name without a prefix.
    End(&'a [u8]),
    /// A piece of text, references replaced. One text may come in many pieces.
    Text(&'a str),
    /// `<?xml …?>`: a document begins.
    Declaration,
}

/// Which tags and texts are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Tags with one of these names, and nothing else: what stands around a document is no XML.
    Only(&'static [&'static str]),
    /// Tags; texts are passed over.
    Tags,
    /// Tags and texts.
    Texts,
}

/// Where the tokenizer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Content,
    Cdata,
    /// In a tag that was cut, perhaps within a quoted value.
    LongTag(Option<u8>),
    /// After a cut tag that was both start and end.
    EndOfLongTag,
}

/// What was found, as ranges of the window.
enum Found {
    Nothing,
    Start { empty: bool, name: Range<usize> },
    End(Range<usize>),
    EndOfLongTag,
    Text { range: Range<usize>, raw: bool },
    Declaration,
}

/// Reads tokens.
pub(super) struct Tokens<'r> {
    window: Window<'r>,
    mode: Mode,
    wanted: Wanted,
    spans: Vec<Span>,
    scratch: String,
    long_name: String,
    unfinished: Option<&'static str>,
    damaged: Option<&'static str>,
}

impl<'r> Tokens<'r> {
    /// Begins.
    pub(super) fn new(input: &'r mut dyn BufRead) -> Self {
        Self {
            window: Window::new(input),
            mode: Mode::Content,
            wanted: Wanted::Tags,
            spans: Vec::new(),
            scratch: String::new(),
            long_name: String::new(),
            unfinished: None,
            damaged: None,
        }
    }

    /// Says what is wanted from now on.
    pub(super) fn want(&mut self, wanted: Wanted) {
        self.wanted = wanted;
    }

    /// The line that was reached, from 1.
    pub(super) fn line(&mut self) -> u64 {
        self.window.line()
    }

    /// In what the input ended, where it ended in the middle of something.
    pub(super) fn unfinished(&self) -> Option<&'static str> {
        self.unfinished
    }

    /// What was wrong with a tag since this was asked last.
    pub(super) fn take_damage(&mut self) -> Option<&'static str> {
        self.damaged.take()
    }

    /// The next token; `None` at the end of the input.
    pub(super) fn next(&mut self) -> io::Result<Option<Token<'_>>> {
        let found = loop {
            if self.mode == Mode::EndOfLongTag {
                break Found::EndOfLongTag;
            }
            if self.window.rest().is_empty() && !self.window.more()? {
                if self.mode == Mode::Cdata {
                    self.unfinished = Some("a CDATA section");
                }
                return Ok(None);
            }
            let found = match self.mode {
                Mode::Content => self.content()?,
                Mode::Cdata => self.cdata()?,
                Mode::LongTag(quote) => self.long_tag(quote)?,
                Mode::EndOfLongTag => Found::EndOfLongTag,
            };
            if !matches!(found, Found::Nothing) {
                break found;
            }
        };
        Ok(Some(self.token(found)))
    }

    fn content(&mut self) -> io::Result<Found> {
        if self.window.rest()[0] != b'<' {
            return self.text();
        }
        self.window.ensure(12)?;
        let rest = self.window.rest();
        match rest.get(1) {
            Some(b'!') if rest.starts_with(b"<!--") => self.comment(),
            Some(b'!') if rest.starts_with(b"<![CDATA[") => {
                self.window.advance(9);
                self.mode = Mode::Cdata;
                Ok(Found::Nothing)
            }
            Some(b'!') if rest.get(2).is_some_and(u8::is_ascii_alphabetic) => self.doctype(),
            Some(b'?') => self.instruction(),
            Some(b'/') => self.end_tag(),
            Some(byte) if is_name_start(*byte) => self.start_tag(),
            Some(_) => Ok(self.literal()),
            None => {
                self.unfinished = Some("a tag");
                Ok(self.literal())
            }
        }
    }

    /// Text up to the next `<`. A reference or a character that the window cuts waits for the rest.
    fn text(&mut self) -> io::Result<Found> {
        let rest = self.window.rest();
        let end = memchr(b'<', rest);
        let mut length = end.unwrap_or(rest.len());
        if self.wanted != Wanted::Texts {
            self.window.advance(length);
            return Ok(Found::Nothing);
        }
        if end.is_none() {
            length = whole(rest);
            if length == 0 {
                if self.window.more()? {
                    return Ok(Found::Nothing);
                }
                length = self.window.rest().len();
            }
        }
        let start = self.window.position();
        self.window.advance(length);
        Ok(Found::Text { range: start..start + length, raw: false })
    }

    /// A `<` that begins nothing.
    fn literal(&mut self) -> Found {
        let start = self.window.position();
        self.window.advance(1);
        match self.wanted {
            Wanted::Texts => Found::Text { range: start..start + 1, raw: true },
            Wanted::Only(_) | Wanted::Tags => Found::Nothing,
        }
    }

    fn cdata(&mut self) -> io::Result<Found> {
        let rest = self.window.rest();
        let start = self.window.position();
        if let Some(at) = memmem::find(rest, b"]]>") {
            self.window.advance(at + 3);
            self.mode = Mode::Content;
            return Ok(self.piece(start..start + at));
        }
        // The last two bytes may begin the end of the section, and a character may be cut.
        let length = whole_characters(&rest[..rest.len().saturating_sub(2)]);
        if length == 0 {
            if self.window.more()? {
                return Ok(Found::Nothing);
            }
            self.unfinished = Some("a CDATA section");
            self.mode = Mode::Content;
            let length = self.window.rest().len();
            let start = self.window.position();
            self.window.advance(length);
            return Ok(self.piece(start..start + length));
        }
        self.window.advance(length);
        Ok(self.piece(start..start + length))
    }

    fn piece(&self, range: Range<usize>) -> Found {
        match self.wanted {
            Wanted::Texts if !range.is_empty() => Found::Text { range, raw: true },
            Wanted::Texts | Wanted::Only(_) | Wanted::Tags => Found::Nothing,
        }
    }

    fn instruction(&mut self) -> io::Result<Found> {
        loop {
            let rest = self.window.rest();
            let near = &rest[..rest.len().min(LONGEST_INSTRUCTION)];
            if let Some(at) = memmem::find(near, b"?>") {
                let declaration = is_declaration(rest);
                self.window.advance(at + 2);
                return Ok(if declaration { Found::Declaration } else { Found::Nothing });
            }
            if near.len() == LONGEST_INSTRUCTION {
                return Ok(self.literal());
            }
            if !self.window.more()? {
                self.unfinished = Some("a processing instruction");
                return Ok(self.literal());
            }
        }
    }

    fn end_tag(&mut self) -> io::Result<Found> {
        loop {
            let rest = self.window.rest();
            let near = &rest[..rest.len().min(LONGEST_END)];
            // An end tag that is never closed ends where the next tag begins.
            let end = near.iter().skip(2).position(|byte| matches!(byte, b'>' | b'<'));
            if let Some(end) = end.map(|end| end + 2) {
                let name = tag::end_name(&near[..end]);
                if name.is_empty() {
                    return Ok(self.literal());
                }
                let start = self.window.position();
                let length = if near[end] == b'>' { end + 1 } else { end };
                self.window.advance(length);
                return Ok(match self.wanted {
                    Wanted::Only(_) => Found::Nothing,
                    Wanted::Tags | Wanted::Texts => {
                        Found::End(start + name.start..start + name.end)
                    }
                });
            }
            if near.len() == LONGEST_END {
                return Ok(self.literal());
            }
            if !self.window.more()? {
                self.unfinished = Some("a tag");
                return Ok(self.literal());
            }
        }
    }

    fn start_tag(&mut self) -> io::Result<Found> {
        if let Wanted::Only(names) = self.wanted {
            let longest = 128;
            self.window.ensure(longest)?;
            let name = tag::start_name(self.window.rest());
            if !names.iter().any(|wanted| wanted.as_bytes() == name) {
                return Ok(self.literal());
            }
        }
        loop {
            let rest = self.window.rest();
            let scan = scan_tag(rest, self.window.ended(), &mut self.spans);
            let start = self.window.position();
            match scan {
                Scan::Whole { name, length, empty, damage } => {
                    self.damaged = self.damaged.or(damage);
                    self.window.advance(length);
                    self.shift_spans(start);
                    return Ok(Found::Start { empty, name: start + name.start..start + name.end });
                }
                Scan::Part { name, quote } if rest.len() > LONGEST_TAG => {
                    self.damaged = Some("a tag of more than 4 MiB was cut");
                    let length = whole_characters(rest);
                    if let Some(last) = self.spans.last_mut() {
                        last.value.end = last.value.end.min(length);
                    }
                    self.long_name.clear();
                    self.long_name.push_str(&String::from_utf8_lossy(&rest[name.clone()]));
                    self.window.advance(length);
                    self.mode = Mode::LongTag(quote);
                    self.shift_spans(start);
                    let name = start + name.start..start + name.end;
                    return Ok(Found::Start { empty: false, name });
                }
                Scan::Part { .. } if self.window.more()? => {}
                Scan::Part { .. } => {
                    self.unfinished = Some("a tag");
                    let all = self.window.rest().len();
                    self.window.advance(all);
                    return Ok(Found::Nothing);
                }
            }
        }
    }

    /// What the scan found counts from the tag; we count from the window.
    fn shift_spans(&mut self, by: usize) {
        for span in &mut self.spans {
            span.name = span.name.start + by..span.name.end + by;
            span.value = span.value.start + by..span.value.end + by;
        }
    }

    fn token(&mut self, found: Found) -> Token<'_> {
        match found {
            Found::Start { empty, name } => {
                let bytes = self.window.bytes();
                Token::Start(Tag { bytes, name, spans: &self.spans, empty })
            }
            Found::End(name) => Token::End(tag::local(&self.window.bytes()[name])),
            Found::EndOfLongTag => {
                self.mode = Mode::Content;
                Token::End(tag::local(self.long_name.as_bytes()))
            }
            Found::Text { range, raw } => {
                let text = str::from_utf8(&self.window.bytes()[range]).unwrap_or_default();
                if raw {
                    return Token::Text(reference::legal(text, &mut self.scratch));
                }
                Token::Text(decode(text, &mut self.scratch))
            }
            Found::Declaration => Token::Declaration,
            Found::Nothing => unreachable!("the loop goes on while nothing is found"),
        }
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':' | 0x80..)
}

fn is_declaration(rest: &[u8]) -> bool {
    rest.starts_with(b"<?xml") && rest.get(5).is_some_and(u8::is_ascii_whitespace)
}

/// How many of these bytes are whole characters and whole references.
fn whole(bytes: &[u8]) -> usize {
    let length = whole_characters(bytes);
    let tail = &bytes[length.saturating_sub(reference::LONGEST_REFERENCE)..length];
    match memchr::memrchr(b'&', tail) {
        Some(at) if !tail[at..].contains(&b';') => length - (tail.len() - at),
        Some(_) | None => length,
    }
}

/// How many of these bytes are whole characters.
fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(4)..bytes.len();
    let start = bytes[last.clone()].iter().rposition(|byte| (*byte as i8) >= -0x40);
    match start.map(|at| at + last.start) {
        Some(at) if str::from_utf8(&bytes[at..]).is_err() => at,
        Some(_) | None => bytes.len(),
    }
}

#[cfg(test)]
mod tests;
