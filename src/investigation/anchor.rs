//! The comments that bound the tool's parts of a document.
//!
//! ```text
//! <!-- andon:investigation id=INV-0003 fingerprint=v1-0a… state=new opened=7 reopened=- gone=- -->
//! <!-- andon:begin seen lines=0a1b2c3d,4e5f6071 -->
//! <!-- andon:end seen -->
//! ```
//!
//! Reading is strict: a comment that a person changed is a person's text and is kept as such.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use super::document::{Meta, Slot};
use crate::domain::findings::InvestigationState;
use crate::domain::names::InvestigationId;

const OPEN: &str = "<!-- andon:";
const CLOSE: &str = " -->";

/// The digest of one line, white space at its end aside.
pub type LineDigest = u32;

/// What a line is made of.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Where a part of the tool begins, with the digests of the lines that it wrote.
    Begin(Slot, Vec<LineDigest>),
    /// Where it ends.
    End(Slot),
    /// What the document is.
    Meta(Box<Meta>),
    /// Anything else.
    Text(&'a str),
}

/// The digest of a line: 32 bits, enough to tell a person's line from one of a few hundred.
pub fn digest(line: &str) -> LineDigest {
    let hash = Sha256::digest(line.trim_end().as_bytes());
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// The pieces of a line, in order. A line without anchors is one text.
pub fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = line;
    let mut from = 0;
    while let Some(at) = rest[from..].find(OPEN).map(|at| from + at) {
        match anchor(&rest[at..]) {
            Some((piece, length)) => {
                if !rest[..at].trim().is_empty() {
                    pieces.push(Piece::Text(&rest[..at]));
                }
                pieces.push(piece);
                rest = &rest[at + length..];
                from = 0;
            }
            None => from = at + OPEN.len(),
        }
    }
    if pieces.is_empty() || !rest.trim().is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// The anchor at the beginning of the text, with its length.
fn anchor(text: &str) -> Option<(Piece<'static>, usize)> {
    let end = text.find(CLOSE)?;
    let inner = text.get(OPEN.len()..end)?;
    let piece = match inner.split_once(' ')? {
        ("end", slot) => Piece::End(Slot::parse(slot)?),
        ("begin", rest) => {
            let (slot, lines) = rest.split_once(" lines=")?;
            Piece::Begin(Slot::parse(slot)?, digests(lines)?)
        }
        ("investigation", fields) => Piece::Meta(Box::new(meta(fields)?)),
        _ => return None,
    };
    Some((piece, end + CLOSE.len()))
}

fn digests(text: &str) -> Option<Vec<LineDigest>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let one = |digits: &str| {
        let fits = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    text.split(',').map(one).collect()
}

fn meta(fields: &str) -> Option<Meta> {
    let mut fields = fields.split(' ');
    let mut value = |key: &str| fields.next()?.strip_prefix(key)?.strip_prefix('=');
    let id = InvestigationId::parse(value("id")?)?;
    let fingerprint = value("fingerprint")?;
    let state = InvestigationState::parse(value("state")?)?;
    let opened = value("opened")?.parse().ok()?;
    let reopened = cycle(value("reopened")?)?;
    let gone = cycle(value("gone")?)?;
    let ends_here = fields.next().is_none();
    let fingerprint = is_fingerprint(fingerprint).then(|| fingerprint.to_owned())?;
    ends_here.then_some(Meta { id, fingerprint, state, opened, reopened, gone })
}

fn is_fingerprint(text: &str) -> bool {
    let digits = text.strip_prefix('v').and_then(|rest| rest.split_once('-'));
    digits.is_some_and(|(version, digest)| {
        version.bytes().all(|b| b.is_ascii_digit())
            && !digest.is_empty()
            && digest.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn cycle(text: &str) -> Option<Option<u32>> {
    if text == "-" { Some(None) } else { text.parse().ok().map(Some) }
}

/// The line in which a part begins.
pub fn begin(slot: Slot, lines: &[String]) -> String {
    let digests: Vec<String> = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| format!("{:08x}", digest(line)))
        .collect();
    let digests = if digests.is_empty() { "-".to_owned() } else { digests.join(",") };
    format!("{OPEN}begin {slot} lines={digests}{CLOSE}")
}

/// The line in which a part ends.
pub fn end(slot: Slot) -> String {
    format!("{OPEN}end {slot}{CLOSE}")
}

/// The line that says what the document is.
pub fn header(meta: &Meta) -> String {
    let cycle = |cycle: Option<u32>| cycle.map_or_else(|| "-".to_owned(), |n| n.to_string());
    format!(
        "{OPEN}investigation id={} fingerprint={} state={} opened={} reopened={} gone={}{CLOSE}",
        meta.id,
        meta.fingerprint,
        meta.state,
        meta.opened,
        cycle(meta.reopened),
        cycle(meta.gone),
    )
}

/// A line of the tool that cannot be taken for an anchor, whatever the service said.
pub fn harmless(line: &str) -> String {
    line.replace(OPEN, "<!-- andon :")
}

/// The digests of all these lines.
pub fn digests_of(lines: impl Iterator<Item = impl AsRef<str>>) -> HashSet<LineDigest> {
    lines.map(|line| digest(line.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_that_was_touched_is_text() {
        let good = "<!-- andon:begin seen lines=0a1b2c3d,4e5f6071 -->";
        assert_eq!(pieces(good), [Piece::Begin(Slot::Seen, vec![0x0a1b_2c3d, 0x4e5f_6071])]);
        for touched in [
            "<!-- andon:begin seen lines=0a1b2c3d,KEEP -->",
            "<!-- andon:begin seen lines=0a1b2c3dff -->",
            "<!-- andon:begin seenKEEP lines=0a1b2c3d -->",
            "<!-- andon:begKEEPin seen lines=0a1b2c3d -->",
            "<!-- andon:begin seen lines=0a1b2c3d KEEP -->",
            "<!-- andon:end seen KEEP -->",
            "<!-- andon:begin seen lines=0a1b2c3d",
            "<!-- andon:investigation id=INV-1 fingerprint=v1-KEEP state=new opened=1 reopened=- gone=- -->",
            "<!-- andon:investigation id=INV-1 fingerprint=v1-aa state=KEEP opened=1 reopened=- gone=- -->",
        ] {
            assert_eq!(pieces(touched), [Piece::Text(touched)]);
        }
    }

    #[test]
    fn text_beside_an_anchor_stays_text() {
        let line = "before <!-- andon:end seen --> after";
        assert_eq!(
            pieces(line),
            [Piece::Text("before "), Piece::End(Slot::Seen), Piece::Text(" after")]
        );
    }
}
