//! One JSON document as a stream: its values go to a seed as they come, and nothing else is kept.
//!
//! A string that is too long is cut before it is parsed, so no string can take more memory than that.
//! Nesting is limited by `serde_json` itself.
//!
//! What it must not do: know any one format.

use std::io::{self, BufRead, BufReader, Read};

use serde::de::DeserializeSeed;

use super::error::Unreadable;
use super::warnings::Warnings;

mod values;

pub(super) use values::{Few, Loose, Lossy};

/// How many bytes of one string are read.
const STRING: usize = 1024 * 1024;

/// How a document ended.
#[derive(Debug)]
pub(super) enum End {
    /// As documents do.
    Whole,
    /// It is broken at that line, in that way.
    Broken {
        /// The line, from 1 where the document begins.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// There was no document.
    Missing,
}

/// What there is to say about a document besides its values.
#[derive(Debug)]
pub(super) struct Document {
    /// How it ended.
    pub(super) end: End,
    /// How many strings were cut.
    pub(super) cut: u64,
    /// Whether other text stands before it or after it.
    pub(super) noise: bool,
}

impl Document {
    /// Says what is wrong with it; whether it is whole.
    pub(super) fn warn(&self, warnings: &mut Warnings) -> bool {
        if self.noise {
            warnings.add(None, "other text stands around the JSON");
        }
        if self.cut > 0 {
            warnings.add(None, format!("{} texts were too long and are cut", self.cut));
        }
        match &self.end {
            End::Whole => true,
            End::Broken { line, what } => {
                warnings.add(Some(*line), format!("the JSON is broken or ends too early: {what}"));
                false
            }
            End::Missing => false,
        }
    }

    /// What it is, if it held none of what was looked for: `found` says whether it did.
    pub(super) fn check(&self, found: bool, looked_for: &str) -> Result<(), Unreadable> {
        let what = match self.end {
            End::Missing if self.noise => "text without a JSON object".to_owned(),
            End::Missing => return Err(Unreadable::Empty),
            End::Whole if !found => format!("JSON without {looked_for}"),
            End::Broken { .. } if !found => format!("broken JSON without {looked_for}"),
            End::Whole | End::Broken { .. } => return Ok(()),
        };
        Err(Unreadable::NotResults { found: what })
    }
}

/// Reads the document that begins with the first line that begins with a brace.
pub(super) fn stream<S>(input: &mut dyn BufRead, seed: S) -> io::Result<Document>
where
    S: for<'de> DeserializeSeed<'de>,
{
    let lead = skip_lead(input)?;
    if lead == Lead::Nothing || lead == Lead::OnlyNoise {
        return Ok(Document { end: End::Missing, cut: 0, noise: lead == Lead::OnlyNoise });
    }
    let mut guarded = Guarded::new(input);
    let mut parser = serde_json::Deserializer::from_reader(BufReader::new(&mut guarded));
    let read = seed.deserialize(&mut parser).map(drop);
    let rest = if read.is_ok() { parser.end() } else { Ok(()) };
    drop(parser);
    let end = match read {
        Err(error) if error.is_io() => return Err(error.into()),
        Err(error) => End::Broken { line: error.line() as u64, what: error.to_string() },
        Ok(()) => End::Whole,
    };
    Ok(Document { end, cut: guarded.cut, noise: lead == Lead::AfterNoise || rest.is_err() })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    Nothing,
    OnlyNoise,
    AtOnce,
    AfterNoise,
}

/// Passes over what stands before the first line that begins with a brace.
fn skip_lead(input: &mut dyn BufRead) -> io::Result<Lead> {
    let mut noise = false;
    let mut at_start = true;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(if noise { Lead::OnlyNoise } else { Lead::Nothing });
        }
        for (at, byte) in buffer.iter().enumerate() {
            match byte {
                b'{' if at_start => {
                    input.consume(at);
                    return Ok(if noise { Lead::AfterNoise } else { Lead::AtOnce });
                }
                b'\n' => at_start = true,
                byte if byte.is_ascii_whitespace() => {}
                _ => {
                    noise = true;
                    at_start = false;
                }
            }
        }
        let used = buffer.len();
        input.consume(used);
    }
}

/// Leaves out what is too much of a string.
struct Guarded<'a> {
    input: &'a mut dyn BufRead,
    place: Place,
    length: usize,
    cut: u64,
}

/// Where in a document a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    String,
    /// After a backslash.
    Escape,
    /// Within `\u0000`: so many digits are due.
    Digits(u8),
    /// Within what is left out.
    Rest,
    RestEscape,
}

impl<'a> Guarded<'a> {
    fn new(input: &'a mut dyn BufRead) -> Self {
        Self { input, place: Place::Outside, length: 0, cut: 0 }
    }

    /// Whether that byte is kept.
    fn keeps(&mut self, byte: u8) -> bool {
        let (place, kept) = match (self.place, byte) {
            (Place::Outside, b'"') => {
                self.length = 0;
                (Place::String, true)
            }
            (Place::Outside, _) => (Place::Outside, true),
            (Place::String | Place::Rest, b'"') => (Place::Outside, true),
            (Place::String, b'\\') if self.length < STRING => (Place::Escape, true),
            // Where a character ends and no escape is cut in two.
            (Place::String, _) if self.length >= STRING && byte & 0xc0 != 0x80 => {
                self.cut += 1;
                (if byte == b'\\' { Place::RestEscape } else { Place::Rest }, false)
            }
            (Place::String, _) => (Place::String, true),
            (Place::Escape, b'u') => (Place::Digits(4), true),
            (Place::Escape, _) | (Place::Digits(1), _) => (Place::String, true),
            (Place::Digits(due), _) => (Place::Digits(due - 1), true),
            (Place::Rest, b'\\') => (Place::RestEscape, false),
            (Place::Rest | Place::RestEscape, _) => (Place::Rest, false),
        };
        self.place = place;
        self.length += usize::from(kept);
        kept
    }
}

impl Read for Guarded<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut chunk = [0; 4096];
            let buffer = self.input.fill_buf()?;
            let taken = buffer.len().min(chunk.len()).min(out.len());
            chunk[..taken].copy_from_slice(&buffer[..taken]);
            self.input.consume(taken);
            let mut written = 0;
            for byte in &chunk[..taken] {
                if self.keeps(*byte) {
                    out[written] = *byte;
                    written += 1;
                }
            }
            if written > 0 || taken == 0 {
                return Ok(written);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{Deserialize, Deserializer, IgnoredAny};

    use serde_json::Value;

    use super::*;

    fn guarded(text: &[u8]) -> (Vec<u8>, u64) {
        let mut input = BufReader::with_capacity(7, text);
        let mut guarded = Guarded::new(&mut input);
        let mut out = Vec::new();
        guarded.read_to_end(&mut out).unwrap();
        (out, guarded.cut)
    }

    #[test]
    fn what_is_short_stays_as_it_is() {
        let text = br#" {"a\"b\\": ["\u00e9\ud83d\ude00", 1.5e3, "c\\"], "": {}} "#;
        assert_eq!(guarded(text), (text.to_vec(), 0));
    }

    #[test]
    fn a_long_string_is_cut_where_a_character_ends() {
        for (filler, tail) in
            [("x", "y"), ("é", "é"), (r"\n", "y"), (r"\u00e9", r"\u00e9"), ("x", r#"\"\\"#)]
        {
            let long = filler.repeat(STRING / filler.len() + 1) + tail;
            let text = format!("{{\"a\": \"{long}{tail}\", \"b\": 2}}");
            let (out, cut) = guarded(text.as_bytes());
            let value: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(cut, 1);
            assert_eq!(value["b"], 2);
            assert!(value["a"].as_str().unwrap().len() <= STRING + 4);
        }
    }

    fn end(text: &str) -> Document {
        stream(&mut text.as_bytes(), Ignore).unwrap()
    }

    struct Ignore;

    impl<'de> DeserializeSeed<'de> for Ignore {
        type Value = IgnoredAny;

        fn deserialize<D: Deserializer<'de>>(
            self,
            deserializer: D,
        ) -> Result<IgnoredAny, D::Error> {
            IgnoredAny::deserialize(deserializer)
        }
    }

    #[test]
    fn it_is_known_how_a_document_ended_and_what_stands_around_it() {
        for (text, whole, noise) in [
            ("{}", true, false),
            (" \n {} \n", true, false),
            ("Running {3} tests\n{}", true, true),
            ("{}\nDone", true, true),
            ("{\"a\":", false, false),
        ] {
            let document = end(text);
            assert_eq!(matches!(document.end, End::Whole), whole, "{text}");
            assert_eq!(document.noise, noise, "{text}");
        }
        assert!(matches!(end("").end, End::Missing));
        assert!(matches!(end("hello {}").end, End::Missing));
        assert!(matches!(end("{\n\n\"a\" 1}").end, End::Broken { line: 3, .. }));
    }
}
