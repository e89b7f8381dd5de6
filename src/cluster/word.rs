//! Words of a text: where one ends, and whether it says something or is an id.

/// Words after which a quoted text is a name rather than a value.
const NAMING: &[&str] = &[
    "argument",
    "attribute",
    "class",
    "column",
    "event",
    "field",
    "function",
    "header",
    "key",
    "keyerror",
    "method",
    "module",
    "name",
    "named",
    "option",
    "parameter",
    "property",
    "relation",
    "required",
    "table",
    "type",
    "variable",
];

/// Units that belong to the number before them.
const UNITS: &[&str] = &[
    "ns", "us", "µs", "μs", "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins",
    "minute", "minutes", "h", "hr", "hrs", "hour", "hours", "d", "day", "days", "b", "byte",
    "bytes", "kb", "mb", "gb", "kib", "mib", "gib", "z", "utc", "am", "pm",
];

/// How far the word at the beginning of a text goes; 0 when there is none.
///
/// A hyphen joins letters and digits; a point, comma or colon only the parts of a number or time.
pub(super) fn end_of_word(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    let mut after_digit = false;
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let goes_on = match c {
            '-' => {
                at > 0
                    && next.is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '-'))
            }
            '.' | ',' | ':' => after_digit && next.is_some_and(|next| next.is_ascii_digit()),
            c => c.is_alphanumeric() || c == '_',
        };
        if !goes_on {
            return at;
        }
        after_digit = c.is_ascii_digit();
    }
    text.len()
}

/// Whether a word, in lower case, is a unit.
pub(super) fn is_unit(lower: &str) -> bool {
    UNITS.contains(&lower)
}

/// Whether a quoted text after this word, in lower case, is a name.
pub(super) fn is_naming(lower: &str) -> bool {
    NAMING.contains(&lower)
}

/// Whether a quoted text can be the name of something.
pub(super) fn is_identifier(text: &str) -> bool {
    (1..=60).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'$'))
}

/// What a part of a name, between `_` and `-`, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment {
    /// A word.
    Word,
    /// A word with a number: `user17`, `Http404Error`.
    Numbered,
    /// An id.
    Id,
}

impl Segment {
    /// Tells words from ids. Hex counts as an id from seven digits on, as short commit ids have.
    pub(super) fn of(text: &str) -> Self {
        if text.len() >= 7 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Self::Id;
        }
        if !text.bytes().any(|b| b.is_ascii_digit()) {
            return Self::Word;
        }
        let letters = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let number_at_the_end = !letters.is_empty() && !letters.bytes().any(|b| b.is_ascii_digit());
        if number_at_the_end || is_camel_case(text) { Self::Numbered } else { Self::Id }
    }
}

/// A long token with letters of both cases and digits, which no name is.
pub(super) fn is_random(word: &str) -> bool {
    word.len() >= 16
        && word.bytes().any(|b| b.is_ascii_lowercase())
        && word.bytes().any(|b| b.is_ascii_uppercase())
        && word.bytes().any(|b| b.is_ascii_digit())
        && !is_camel_case(word)
}

/// `Base64DecodeError`: a single number, and every capital begins a word of three letters or more.
fn is_camel_case(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_lower = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
    let numbers = (0..bytes.len()).filter(|at| is_digit(*at) && !is_digit(at + 1)).count();
    let mut capitals = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_uppercase()).peekable();
    bytes.iter().all(u8::is_ascii_alphanumeric)
        && numbers == 1
        && capitals.peek().is_some()
        && capitals.all(|at| is_lower(at + 1) && is_lower(at + 2))
}
