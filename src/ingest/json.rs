//! One JSON document as a stream: its values go to a seed as they come, and nothing else is kept.
//!
//! A string that is too long is cut before it is parsed, so no string can take more memory than that.
//! Nesting is limited by `serde_json` itself.
//!
//! What it must not do: know any one format.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::marker::PhantomData;

use super::error::Unreadable;
use super::warnings::Warnings;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

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

/// A string. Halves of characters, which JavaScript writes as it holds them, are replaced.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Lossy(pub(super) String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Lossy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Lossy, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes).into_owned()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Lossy, E> {
                Ok(Lossy(text.to_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A value of which only a number or a truth is of interest; anything else is passed over.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) enum Loose {
    /// A number.
    Number(f64),
    /// A truth.
    Truth(bool),
    /// Something else.
    #[default]
    Other,
}

impl Loose {
    /// The number, if it is one.
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Truth(_) | Self::Other => None,
        }
    }

    /// The count, if it is one.
    pub(super) fn count(self) -> Option<u64> {
        // Beyond 2^53 a number is no count of anything.
        self.number().filter(|n| *n >= 0.0 && *n < 9e15 && n.fract() == 0.0).map(|n| n as u64)
    }

    /// Whether it says yes.
    pub(super) fn is_true(self) -> bool {
        self == Self::Truth(true)
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Loose;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Loose, E> {
                Ok(Loose::Truth(truth))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Loose, E> {
                Ok(Loose::Number(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Loose, E> {
                Ok(Loose::Number(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Loose, E> {
                Ok(Loose::Number(number as f64))
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Loose, E> {
                Ok(Loose::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<Loose, E> {
                Ok(Loose::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A list of which the first hundred elements and the last are kept, and all are counted.
#[derive(Debug)]
pub(super) struct Few<T> {
    first: Vec<T>,
    last: Option<T>,
    count: u64,
}

/// How many elements of a list within a case are kept.
const FEW: usize = 100;

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: Vec::new(), last: None, count: 0 }
    }
}

impl<T> Few<T> {
    /// What is kept, in its order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.first.iter().chain(&self.last)
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    fn push(&mut self, element: T) {
        self.count += 1;
        if self.first.len() < FEW {
            self.first.push(element);
        } else {
            self.last = Some(element);
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E: Error>(self) -> Result<Few<T>, E> {
                Ok(Few::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Few<T>, A::Error> {
                let mut few = Few::default();
                while let Some(element) = seq.next_element()? {
                    few.push(element);
                }
                Ok(few)
            }
        }
        deserializer.deserialize_any(List(PhantomData))
    }
}

#[cfg(test)]
mod tests {

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
        stream(&mut text.as_bytes(), Ignore(PhantomData)).unwrap()
    }

    struct Ignore(PhantomData<()>);

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

    #[test]
    fn halves_of_characters_are_replaced() {
        let read: Lossy = serde_json::from_str(r#""a\ud800b""#).unwrap();
        assert!(read.0.starts_with('a') && read.0.ends_with('b'), "{read:?}");
        let read: Option<Lossy> = serde_json::from_str("null").unwrap();
        assert_eq!(read, None);
    }

    #[test]
    fn values_of_no_interest_are_passed_over() {
        let read: Vec<Loose> =
            serde_json::from_str(r#"[1, -1.5, true, "x", null, [1], {"a": {}}]"#).unwrap();
        assert_eq!(read[0].count(), Some(1));
        assert_eq!(read[1].number(), Some(-1.5));
        assert_eq!(read[1].count(), None);
        assert!(read[2].is_true());
        assert!(read[3..].iter().all(|value| *value == Loose::Other));
    }

    #[test]
    fn of_long_lists_the_beginning_and_the_end_are_kept() {
        let long: String = (0..1_000).map(|n| format!("{n},")).collect();
        let few: Few<u32> = serde_json::from_str(&format!("[{long}1000]")).unwrap();
        assert_eq!(few.count(), 1_001);
        assert_eq!(few.iter().count(), FEW + 1);
        assert_eq!((few.iter().next(), few.iter().next_back()), (Some(&0), Some(&1_000)));
        let none: Few<u32> = serde_json::from_str("null").unwrap();
        assert_eq!(none.count(), 0);
    }
}
