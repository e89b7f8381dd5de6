//! What is passed over: output, comments, document types, the rest of a tag that was too long.
//!
//! What it must not do: hold any of it.

use std::io;

use memchr::{memchr, memmem};

use super::{Found, Mode, Tokens, is_declaration, is_name_start};

impl Tokens<'_> {
    /// Passes over everything up to the end tag of `name`, whatever it looks like: the output of a
    /// program, which may hold anything. Stops before that tag, before a declaration, or at the end.
    pub(in crate::ingest) fn skip_output(&mut self, name: &str) -> io::Result<()> {
        let longest = name.len() + 64;
        loop {
            let rest = self.window.rest();
            let Some(at) = memchr(b'<', rest) else {
                let all = rest.len();
                self.window.advance(all);
                if !self.window.more()? {
                    self.unfinished = Some("the output of a case");
                    return Ok(());
                }
                continue;
            };
            self.window.advance(at);
            if !self.window.ensure(longest)? && self.window.rest().len() < 2 {
                self.window.advance(1);
                continue;
            }
            let rest = self.window.rest();
            if rest.starts_with(b"<![CDATA[") {
                self.window.advance(9);
                if !self.skip_past(b"]]>")? {
                    self.unfinished = Some("a CDATA section");
                }
            } else if ends_here(rest, name) || is_declaration(rest) {
                return Ok(());
            } else {
                self.window.advance(1);
            }
        }
    }

    /// Passes over everything up to and with `end`. Whether it is there.
    fn skip_past(&mut self, end: &[u8]) -> io::Result<bool> {
        loop {
            let rest = self.window.rest();
            if let Some(at) = memmem::find(rest, end) {
                self.window.advance(at + end.len());
                return Ok(true);
            }
            let passed = rest.len().saturating_sub(end.len() - 1);
            self.window.advance(passed);
            if !self.window.more()? {
                let all = self.window.rest().len();
                self.window.advance(all);
                return Ok(false);
            }
        }
    }

    pub(super) fn comment(&mut self) -> io::Result<Found> {
        self.window.advance(4);
        if !self.skip_past(b"-->")? {
            self.unfinished = Some("a comment");
        }
        Ok(Found::Nothing)
    }

    /// `<!DOCTYPE …>` with its declarations: none of them means anything to us. A `<` before a name never
    /// stands in one, so a document that begins ends it, however broken it is.
    pub(super) fn doctype(&mut self) -> io::Result<Found> {
        self.window.advance(2);
        let (mut quote, mut depth) = (None, 0_usize);
        loop {
            if !self.window.ensure(12)? && self.window.rest().is_empty() {
                self.unfinished = Some("a document type");
                return Ok(Found::Nothing);
            }
            let rest = self.window.rest();
            match (rest[0], quote) {
                (b'<', None) if rest.starts_with(b"<!--") => {
                    self.window.advance(4);
                    self.skip_past(b"-->")?;
                    continue;
                }
                (b'<', _) if rest.get(1).is_some_and(|byte| is_name_start(*byte)) => {
                    return Ok(Found::Nothing);
                }
                (byte, Some(open)) if byte == open => quote = None,
                (_, Some(_)) => {}
                (byte @ (b'"' | b'\''), None) => quote = Some(byte),
                (b'[' | b'<', None) => depth += 1,
                (b']', None) => depth = depth.saturating_sub(1),
                (b'>', None) if depth == 0 => {
                    self.window.advance(1);
                    return Ok(Found::Nothing);
                }
                (b'>', None) => depth -= 1,
                (_, None) => {}
            }
            self.window.advance(1);
        }
    }

    /// Passes over what is left of a tag that was cut.
    pub(super) fn long_tag(&mut self, quote: Option<u8>) -> io::Result<Found> {
        self.window.ensure(2)?;
        let rest = self.window.rest();
        let stop = match quote {
            Some(open) => memchr(open, rest),
            None => rest.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'>')),
        };
        let Some(at) = stop else {
            // The last byte stays, as it may be the `/` before the end.
            let passed = if self.window.ended() { rest.len() } else { rest.len() - 1 };
            self.window.advance(passed);
            return Ok(Found::Nothing);
        };
        self.mode = match (quote, rest[at]) {
            (Some(_), _) => Mode::LongTag(None),
            (None, b'>') if at > 0 && rest[at - 1] == b'/' => Mode::EndOfLongTag,
            (None, b'>') => Mode::Content,
            (None, open) => Mode::LongTag(Some(open)),
        };
        self.window.advance(at + 1);
        Ok(Found::Nothing)
    }
}

/// Whether these bytes are the end tag of `name`, with any prefix.
fn ends_here(rest: &[u8], name: &str) -> bool {
    if !rest.starts_with(b"</") {
        return false;
    }
    let near = &rest[2..rest.len().min(2 + 64 + name.len())];
    let end =
        near.iter().position(|byte| matches!(byte, b'>' | b'<') || byte.is_ascii_whitespace());
    let written = &near[..end.unwrap_or(near.len())];
    written
        .strip_suffix(name.as_bytes())
        .is_some_and(|prefix| prefix.is_empty() || prefix.ends_with(b":"))
}
