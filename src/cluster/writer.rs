//! Writes a text anew, word by word, with a mark for whatever varies.

use super::code::CodeContext;
use super::normalise::normalise_as;
use super::route;
use super::word::{self, Segment};

/// What stands for something that varies.
const MASK: char = '#';
/// What stands for a quoted value.
const QUOTED: &str = "\"…\"";
/// Between two masks these say nothing: a list, a range, the parts of a date.
const BETWEEN_MASKS: &[char] = &[' ', ',', ';', ':', '.', '/', '-', '+', '_'];

/// How a text is written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    quoted: Quoted,
}

/// What a quoted text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoted {
    /// A value from outside: masked, unless the word before says that it is a name.
    Value,
    /// Written by the suite's author: only what varies within it is masked.
    Wanted,
}

impl Style {
    /// A text from outside, to be compared with others.
    pub(super) const OUTSIDE: Self = Self { quoted: Quoted::Value };
    /// What the suite's author asked for, to be compared with others.
    pub(super) const WANTED: Self = Self { quoted: Quoted::Wanted };
}

/// Writes what is left of a text.
pub(super) struct Writer {
    out: String,
    style: Style,
    /// Whether the next number may be a status or a code.
    codes: CodeContext,
    /// The last word, in lower case.
    last_word: String,
    /// Where the last mask ends, for as long as only separators follow it.
    mask_end: Option<usize>,
    /// Whether the last thing was a masked number, so that a unit may follow.
    after_number: bool,
}

impl Writer {
    pub(super) fn new(capacity: usize, style: Style) -> Self {
        Self {
            out: String::with_capacity(capacity),
            style,
            codes: CodeContext::default(),
            last_word: String::new(),
            mask_end: None,
            after_number: false,
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.out.truncate(self.out.trim_end().len());
        self.out
    }

    /// A stretch without any known shape: words, numbers and what stands between them.
    pub(super) fn words(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let end = word::end_of_word(rest);
            if end == 0 {
                self.separator(first);
                rest = &rest[first.len_utf8()..];
            } else {
                self.word(&rest[..end]);
                rest = &rest[end..];
            }
        }
    }

    fn separator(&mut self, c: char) {
        let c = if c.is_whitespace() || c.is_control() { ' ' } else { c };
        self.after_number &= c == ' ';
        if c == ' ' && (self.out.is_empty() || self.out.ends_with(' ')) {
            return;
        }
        if !BETWEEN_MASKS.contains(&c) {
            self.mask_end = None;
        }
        self.out.push(c);
    }

    fn word(&mut self, text: &str) {
        let lower = text.to_lowercase();
        let is_unit = std::mem::take(&mut self.after_number) && word::is_unit(&lower);
        if is_unit {
            // The number before it is masked already, and this belongs to it.
            self.mask();
        } else if text.starts_with(|c: char| c.is_ascii_digit()) {
            self.number(text);
        } else {
            self.codes.word(&lower);
            if word::is_random(text) {
                self.mask()
            } else {
                self.name(text)
            }
            self.last_word = lower;
        }
    }

    /// Whatever begins with a digit: a number, a duration, a time, an address, an id.
    fn number(&mut self, text: &str) {
        let is_class_of_statuses =
            matches!(text.as_bytes(), [b'1'..=b'5', b'x' | b'X', b'x' | b'X']);
        if is_class_of_statuses || self.codes.keeps(text) {
            return self.letters(text);
        }
        self.mask();
        self.after_number = text.ends_with(|c: char| c.is_ascii_digit());
    }

    /// A name, part by part: of `test_017_users` the words stay.
    fn name(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(['_', '-']).unwrap_or(rest.len());
            self.segment(&rest[..end]);
            if let Some(mark) = rest[end..].chars().next() {
                self.separator(mark);
            }
            rest = rest.get(end + 1..).unwrap_or("");
        }
    }

    fn segment(&mut self, text: &str) {
        match Segment::of(text) {
            Segment::Word => self.letters(text),
            Segment::Id => self.mask(),
            Segment::Numbered => {
                for part in text.split_inclusive(|c: char| c.is_ascii_digit()) {
                    let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
                    self.letters(letters);
                    if letters.len() < part.len() {
                        self.mask();
                    }
                }
            }
        }
    }

    pub(super) fn shape(&mut self, shape: &str) {
        self.after_number = false;
        match shape.chars().next().unwrap_or(' ') {
            '\u{1b}' => {}
            '"' | '\'' | '`' => self.quoted(shape),
            '/' => {
                let after_method = route::is_method(&self.last_word);
                self.verbatim(&route::path_shape(shape, after_method));
            }
            '~' => self.verbatim(route::FILE_PATH),
            _ if shape.contains("://") => self.url(shape),
            _ if shape.contains(":\\") => self.verbatim(route::FILE_PATH),
            _ => {
                self.mask();
                self.after_number = true;
            }
        }
    }

    fn url(&mut self, url: &str) {
        let trimmed = url.trim_end_matches(['.', ',', ';', ':', '!', '?']);
        self.verbatim(&route::url_shape(trimmed));
        self.words(&url[trimmed.len()..]);
    }

    fn quoted(&mut self, shape: &str) {
        let inner = &shape[1..shape.len() - 1];
        let is_name = word::is_naming(&self.last_word) && word::is_identifier(inner);
        if is_name || self.style.quoted == Quoted::Wanted {
            let normal = normalise_as(inner, Style { quoted: Quoted::Value });
            self.verbatim("\"");
            self.verbatim(&normal);
            self.verbatim("\"");
        } else {
            self.verbatim(QUOTED);
        }
    }

    fn letters(&mut self, text: &str) {
        self.verbatim(&text.to_lowercase());
    }

    pub(super) fn verbatim(&mut self, text: &str) {
        if !text.is_empty() {
            self.mask_end = None;
            self.out.push_str(text);
        }
    }

    /// One mask; several with nothing but separators between them are one. A sign before a number
    /// belongs to it.
    fn mask(&mut self) {
        if let Some(end) = self.mask_end {
            return self.out.truncate(end);
        }
        let unsigned = self.out.trim_end_matches(['-', '+']);
        if unsigned.is_empty() || unsigned.ends_with([' ', '(', '[', '=', ':', ',']) {
            self.out.truncate(unsigned.len());
        }
        self.out.push(MASK);
        self.mask_end = Some(self.out.len());
    }
}
