//! Text of XML → text: references replaced, and characters that XML forbids.
//!
//! What it must not do: expand anything that a document defines.

use memchr::{memchr, memchr2};

/// The longest reference that is looked for, in bytes: `&#x0010FFFF;` and some zeros.
pub(super) const LONGEST_REFERENCE: usize = 16;

/// The text with its references replaced: the five of XML and numeric ones; others, and a lone `&`, stay as
/// written. Characters that XML forbids become U+FFFD. Written to `scratch` only where there is something to do.
pub(in crate::ingest) fn decode<'a>(text: &'a str, scratch: &'a mut String) -> &'a str {
    let Some(first) = memchr(b'&', text.as_bytes()) else { return legal(text, scratch) };
    scratch.clear();
    push_legal(&text[..first], scratch);
    let mut rest = &text[first..];
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        push_legal(&rest[..at], scratch);
        rest = &rest[at..];
        match reference(rest) {
            Some((character, length)) => {
                scratch.push(character);
                rest = &rest[length..];
            }
            None => {
                scratch.push('&');
                rest = &rest[1..];
            }
        }
    }
    push_legal(rest, scratch);
    scratch
}

/// The text without characters that XML forbids.
pub(super) fn legal<'a>(text: &'a str, scratch: &'a mut String) -> &'a str {
    if !text.bytes().any(is_forbidden) {
        return text;
    }
    scratch.clear();
    push_legal(text, scratch);
    scratch
}

fn push_legal(text: &str, into: &mut String) {
    if !text.bytes().any(is_forbidden) {
        into.push_str(text);
        return;
    }
    into.extend(text.chars().map(|character| match u8::try_from(character) {
        Ok(byte) if is_forbidden(byte) => char::REPLACEMENT_CHARACTER,
        Ok(_) | Err(_) => character,
    }));
}

fn is_forbidden(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// The character that a reference at the beginning of the text stands for, and the reference's length.
fn reference(text: &str) -> Option<(char, usize)> {
    let bytes = text.as_bytes();
    let near = &bytes[..bytes.len().min(LONGEST_REFERENCE)];
    let end = memchr2(b';', b'<', near).filter(|end| near[*end] == b';')?;
    let character = match &text[1..end] {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        name => numeric(name.strip_prefix('#')?)?,
    };
    Some((character, end + 1))
}

fn numeric(digits: &str) -> Option<char> {
    let hexadecimal = digits.strip_prefix(['x', 'X']);
    let (digits, radix) = hexadecimal.map_or((digits, 10), |digits| (digits, 16));
    if digits.is_empty() || !digits.bytes().all(|byte| (byte as char).is_digit(radix)) {
        return None;
    }
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    let forbidden = code < 0x20 && is_forbidden(code as u8) || matches!(code, 0xFFFE | 0xFFFF);
    Some(if forbidden { char::REPLACEMENT_CHARACTER } else { character })
}
