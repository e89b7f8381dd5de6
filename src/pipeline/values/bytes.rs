//! Sizes.

use std::ops::RangeInclusive;

use crate::pipeline::diagnostic::quoted;
use crate::pipeline::reader::Cx;
use crate::pipeline::yaml::{Node, Value};

/// From small to large.
const UNITS: &[(&str, u64)] = &[
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];
const SIZE_FORMS: &str = "sizes are written as `500MB`, `5GiB` or `1TB`";

/// A size in bytes: `500MB`, `5GiB`. `None` when it is not one.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let count: u64 = text.get(..digits)?.parse().ok()?;
    let unit = text[digits..].trim_start();
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    count.checked_mul(*bytes)
}

/// A size as it is written, in the largest unit that fits.
fn bytes_text(bytes: u64) -> String {
    let fitting =
        UNITS.iter().rev().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    fitting
        .map_or_else(|| format!("{bytes} bytes"), |(name, unit)| format!("{}{name}", bytes / unit))
}

impl Cx<'_> {
    /// Reads a size within bounds.
    pub(crate) fn bytes_in(&mut self, node: &Node, range: RangeInclusive<u64>) -> u64 {
        let Some(bytes) = node.as_text().and_then(parse_bytes) else {
            let hint = match &node.value {
                Value::Number(number) => Some(format!("give a unit: `{number}MiB`")),
                Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                    None
                }
            };
            let fault = self.wrong_type(node, "a size");
            if let Some(hint) = hint {
                fault.help(hint);
            }
            fault.help(SIZE_FORMS);
            return *range.start();
        };
        if !range.contains(&bytes) {
            let (from, to) = (bytes_text(*range.start()), bytes_text(*range.end()));
            let written = quoted(node.as_text().unwrap_or_default());
            self.error(node.span, format!("{written} is not between {from} and {to}"));
            return *range.start();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        for (text, bytes) in [("1KB", 1_000), ("16MiB", 16 << 20), ("5 GiB", 5 << 30)] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "5", "MiB", "5mib", "-1MB", "1.5GB", "99999999999TiB", "5 G iB"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_written_as_it_is_read() {
        for text in ["16MiB", "5GiB", "500MB", "1TB", "3KiB"] {
            assert_eq!(parse_bytes(text).map(bytes_text).as_deref(), Some(text));
        }
        assert_eq!(bytes_text(12), "12 bytes");
    }
}
