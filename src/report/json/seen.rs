//! JSON in which no character hides: what is not simply seen stands as `\u` and its number.
//!
//! The value is the same to any reader of JSON; a person who looks at the file sees no text turned
//! around, and no terminal is driven by it.

use std::io::{self, Write};

use serde_json::ser::Formatter;

use crate::domain::escape::is_hidden;

/// A layout, with every string so written.
pub struct Seen<F>(pub F);

impl<F: Formatter> Formatter for Seen<F> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Controls below these were escaped before; nearly every fragment ends here.
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_key(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;
    use serde_json::ser::{CompactFormatter, PrettyFormatter, Serializer};
    use serde_json::{Value, json};

    use super::*;

    fn written<F: Formatter>(value: &Value, layout: F) -> String {
        let mut bytes = Vec::new();
        value.serialize(&mut Serializer::with_formatter(&mut bytes, Seen(layout))).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_hides_is_a_number_and_the_value_stays() {
        let value = json!({ "a\u{202e}": ["x\u{1b}\u{7f}\u{9b}31m\u{e0041} größer 日本", {}, []] });
        let compact = written(&value, CompactFormatter);
        let wanted = r#"{"a\u202e":["x\u001b\u007f\u009b31m\udb40\udc41 größer 日本",{},[]]}"#;
        assert_eq!(compact, wanted);
        assert_eq!(serde_json::from_str::<Value>(&compact).unwrap(), value);
    }

    #[test]
    fn the_layout_is_that_of_serde() {
        let value = json!({ "a": [1, "b", { "c": null, "d": [] }], "e": {} });
        let pretty = written(&value, PrettyFormatter::new());
        assert_eq!(pretty, serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(written(&value, CompactFormatter), value.to_string());
    }
}
